//! Velocity 1.7's grammar: expressions, strings and references.

use super::method::Method;
use super::node::{Arithmetic, Compare, Expression, Interpolated, Invocation, Node, Reference, Sort, Step};
use super::parser::{Parsed, Parser};
use super::prepared::Prepared;
use super::token::{Kind, Token};
use crate::spec::object::Operator;

/// What a token between two operands does.
#[derive(Clone, Copy)]
enum Joint {
    Or,
    And,
    Compare(Compare),
    Arithmetic(Operator),
}

/// How strongly it binds.
fn joint(kind: Kind) -> Option<(u8, Joint)> {
    Some(match kind {
        Kind::Or => (1, Joint::Or),
        Kind::And => (2, Joint::And),
        Kind::Equal => (3, Joint::Compare(Compare::Equal)),
        Kind::Unequal => (3, Joint::Compare(Compare::Unequal)),
        Kind::Less => (4, Joint::Compare(Compare::Less)),
        Kind::Greater => (4, Joint::Compare(Compare::Greater)),
        Kind::AtMost => (4, Joint::Compare(Compare::AtMost)),
        Kind::AtLeast => (4, Joint::Compare(Compare::AtLeast)),
        Kind::Plus => (5, Joint::Arithmetic(Operator::Add)),
        Kind::Minus => (5, Joint::Arithmetic(Operator::Subtract)),
        Kind::Times => (6, Joint::Arithmetic(Operator::Multiply)),
        Kind::Over => (6, Joint::Arithmetic(Operator::Divide)),
        Kind::Modulo => (6, Joint::Arithmetic(Operator::Modulo)),
        _ => return None,
    })
}

/// An expression, and the tokens that Velocity calls its text.
struct Operand {
    value: Expression,
    from: usize,
    to: usize,
}

/// Whether an operand can begin with such a token.
pub(super) fn begins_operand(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Str
            | Kind::Integer
            | Kind::Float
            | Kind::ListOpen
            | Kind::MapOpen
            | Kind::True
            | Kind::False
            | Kind::Name
            | Kind::CurlyOpen
    )
}

/// Levels of an expression: rendering, and dropping it, go down them one by one.
const MOST_HEIGHT: usize = 256;

impl Parser<'_, '_> {
    pub(super) fn expression(&mut self) -> Parsed<Expression> {
        Ok(self.nested(|parser| parser.joined(1))?.value)
    }

    /// Operands joined by operators that bind as strongly as `least`, or more.
    fn joined(&mut self, least: u8) -> Parsed<Operand> {
        let before = std::mem::take(&mut self.shared.height);
        let mut left = self.unary()?;
        while let Some((strength, joint)) = joint(self.kind()?)
            && strength >= least
        {
            let place = self.take()?.start;
            let from = self.used;
            let right = self.joined(strength + 1)?;
            let to = self.used;
            self.shared.height += 1;
            if self.shared.height > MOST_HEIGHT {
                return Err(self.wrong_at(place, format!("more than {MOST_HEIGHT} operators, one upon the other")));
            }
            let value = match joint {
                Joint::Or => Expression::Or(Box::new((left.value, right.value))),
                Joint::And => Expression::And(Box::new((left.value, right.value))),
                Joint::Compare(how) => Expression::Compare(how, Box::new((left.value, right.value))),
                Joint::Arithmetic(operator) => {
                    let literals = (operator == Operator::Add
                        && (may_be_null(&left.value) || may_be_null(&right.value)))
                    .then(|| Box::new((self.literal(left.from, left.to), self.literal(right.from, right.to))));
                    let place = self.place(place);
                    Expression::Arithmetic(Box::new(Arithmetic {
                        operator,
                        left: left.value,
                        right: right.value,
                        literals,
                        place,
                    }))
                }
            };
            left = Operand { value, from, to };
        }
        self.shared.height = self.shared.height.max(before);
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Operand> {
        let not = match self.kind()? {
            Kind::Not => true,
            Kind::Blank => self.look(1)?.kind == Kind::Not,
            _ => false,
        };
        if not {
            self.skip(Kind::Blank)?;
            self.take()?;
            let from = self.used;
            let inner = self.nested(Self::unary)?;
            self.shared.height += 1;
            return Ok(Operand { value: Expression::Not(Box::new(inner.value)), from, to: self.used });
        }
        self.skip(Kind::Blank)?;
        let mut from = self.used;
        let mut to = None;
        let value = if self.skip(Kind::Open)? {
            from = self.used;
            let inner = self.expression()?;
            to = Some(self.used);
            self.expect(Kind::Close)?;
            inner
        } else {
            self.operand()?
        };
        let to = to.unwrap_or(self.used);
        self.skip(Kind::Blank)?;
        Ok(Operand { value, from, to })
    }

    /// A string, number, list, map, boolean or reference.
    pub(super) fn operand(&mut self) -> Parsed<Expression> {
        let before = std::mem::take(&mut self.shared.height);
        let value = self.operand_inner()?;
        self.shared.height = before.max(self.shared.height + 1);
        Ok(value)
    }

    fn operand_inner(&mut self) -> Parsed<Expression> {
        match self.kind()? {
            Kind::Str => self.string(),
            Kind::Integer => {
                let token = self.take()?;
                let image = self.image(&token);
                if image.starts_with(['#', '$', '\\']) {
                    return Err(self.wrong_at(token.start, format!("{image:?} is no number")));
                }
                Ok(whole_number(image))
            }
            Kind::Float => {
                let token = self.take()?;
                let image = self.image(&token);
                image.parse().map(Expression::Double).map_err(|_| self.wrong_at(token.start, "no number"))
            }
            Kind::True => {
                self.take()?;
                Ok(Expression::Bool(true))
            }
            Kind::False => {
                self.take()?;
                Ok(Expression::Bool(false))
            }
            Kind::ListOpen => self.nested(Self::list),
            Kind::MapOpen => self.nested(Self::map),
            Kind::Name | Kind::CurlyOpen => Ok(Expression::Reference(Box::new(self.reference()?))),
            _ => self.unexpected(),
        }
    }

    /// What may stand in a call's parentheses, a list or a map.
    fn parameter(&mut self) -> Parsed<Expression> {
        self.skip(Kind::Blank)?;
        let value = self.operand()?;
        self.skip(Kind::Blank)?;
        Ok(value)
    }

    fn list(&mut self) -> Parsed<Expression> {
        self.take()?;
        if self.skip(Kind::ListClose)? {
            return Ok(Expression::List(Box::default()));
        }
        self.skip(Kind::Blank)?;
        let bound = |kind| matches!(kind, Kind::Name | Kind::CurlyOpen | Kind::Integer);
        let may_be_range = bound(self.kind()?);
        let first = self.operand()?;
        self.skip(Kind::Blank)?;
        if may_be_range && self.skip(Kind::DoubleDot)? {
            self.skip(Kind::Blank)?;
            if !bound(self.kind()?) {
                return self.unexpected();
            }
            let last = self.operand()?;
            self.skip(Kind::Blank)?;
            self.expect(Kind::ListClose)?;
            return Ok(Expression::Range(Box::new((first, last))));
        }
        let mut items = vec![first];
        while self.skip(Kind::Comma)? {
            items.push(self.parameter()?);
        }
        self.expect(Kind::ListClose)?;
        Ok(Expression::List(items.into()))
    }

    fn map(&mut self) -> Parsed<Expression> {
        self.take()?;
        let mut entries = Vec::new();
        let first = self.kind()?;
        if begins_operand(first) || (first == Kind::Blank && begins_operand(self.look(1)?.kind)) {
            loop {
                let key = self.parameter()?;
                self.expect(Kind::Colon)?;
                entries.push((key, self.parameter()?));
                if !self.skip(Kind::Comma)? {
                    break;
                }
            }
        } else {
            self.skip(Kind::Blank)?;
        }
        if !self.skip(Kind::MapClose)? {
            self.expect(Kind::CurlyClose)?;
        }
        Ok(Expression::Map(entries.into()))
    }

    fn string(&mut self) -> Parsed<Expression> {
        let token = self.take()?;
        let image = self.image(&token);
        let inner = image.get(1..image.len() - 1).unwrap_or_default();
        if image.starts_with('\'') {
            return Ok(Expression::Str(inner.replace("''", "'").into()));
        }
        let text = match unescaped(inner) {
            Some(text) => text.replace("\"\"", "\""),
            None => return Err(self.wrong_at(token.start, "\\u needs four hexadecimal digits after it")),
        };
        if !image.contains(['$', '#']) {
            return Ok(Expression::Str(text.into()));
        }
        let strip = !text.contains("##");
        let text = if strip { text + " " } else { text };
        let base = self.base.unwrap_or(token.start);
        let mut body = self.nested(|parser| Parser::new(&text, parser.shared, Some(base)).whole())?.into_vec();
        // The blank that Velocity adds is a text's last letter nearly always: then it goes here, and not on each run.
        let stripped = match body.last_mut() {
            Some(Node::Text(last)) if strip && last.ends_with(' ') => {
                *last = last[..last.len() - 1].into();
                true
            }
            _ => false,
        };
        if matches!(body.last(), Some(Node::Text(last)) if last.is_empty()) {
            body.pop();
        }
        match &body[..] {
            [] if stripped => Ok(Expression::Str("".into())),
            [Node::Text(text)] if stripped || !strip => Ok(Expression::Str(text.clone())),
            _ => {
                let strip = strip && !stripped;
                Ok(Expression::Interpolated(Box::new(Interpolated { body: body.into(), strip })))
            }
        }
    }

    pub(super) fn reference(&mut self) -> Parsed<Reference> {
        self.nested(Self::reference_inner)
    }

    fn reference_inner(&mut self) -> Parsed<Reference> {
        let from = self.used;
        if !matches!(self.kind()?, Kind::Name | Kind::CurlyOpen) {
            return self.unexpected();
        }
        let first = self.take()?;
        let formal = first.kind == Kind::CurlyOpen;
        let name = if formal { self.expect(Kind::Name)? } else { first.clone() };
        let mut steps = Vec::new();
        self.indexes(&mut steps)?;
        while self.kind()? == Kind::Dot && self.look(1)?.kind == Kind::Name {
            self.take()?;
            let name = self.look(0)?.clone();
            let call = self.look(1)?.kind == Kind::Open && {
                let third = self.look(2)?.kind;
                begins_operand(third) || matches!(third, Kind::Blank | Kind::CallClose)
            };
            self.take()?;
            let step =
                if call { self.call(&name)? } else { Step::Property(self.image(&name).into(), self.place(name.start)) };
            steps.push(step);
            self.indexes(&mut steps)?;
        }
        if formal {
            self.expect(Kind::CurlyClose)?;
        }
        Ok(self.rooted(from, &first, &name, steps))
    }

    fn indexes(&mut self, steps: &mut Vec<Step>) -> Parsed<()> {
        while self.kind()? == Kind::IndexOpen {
            let place = self.take()?.start;
            self.skip(Kind::Blank)?;
            if matches!(self.kind()?, Kind::Float | Kind::ListOpen | Kind::MapOpen) {
                return self.unexpected();
            }
            let index = self.operand()?;
            self.skip(Kind::Blank)?;
            self.expect(Kind::IndexClose)?;
            steps.push(Step::Index(index, self.place(place)));
        }
        Ok(())
    }

    fn call(&mut self, name: &Token) -> Parsed<Step> {
        self.expect(Kind::Open)?;
        let mut arguments = Vec::new();
        if self.kind()? != Kind::CallClose {
            arguments.push(self.parameter()?);
            while self.skip(Kind::Comma)? {
                arguments.push(self.parameter()?);
            }
        }
        self.expect(Kind::CallClose)?;
        let image = self.image(name);
        Ok(Step::Call(Box::new(Invocation {
            name: image.into(),
            method: Method::of(image),
            arguments: arguments.into(),
            prepared: Prepared::default(),
            place: self.place(name.start),
        })))
    }

    /// Reads what stands before the name: backslashes, dollars, `!` and `{`.
    fn rooted(&mut self, from: usize, first: &Token, name: &Token, steps: Vec<Step>) -> Reference {
        let place = self.place(first.start);
        let steps = steps.into();
        let image = self.image(first);
        if image.contains("\\!") {
            let slot = self.shared.slot(image);
            return Reference {
                sort: Sort::Mute,
                slot,
                steps,
                prefix: Box::default(),
                literal: self.literal(from, self.used),
                place,
            };
        }
        let slashes = image.bytes().take_while(|byte| *byte == b'\\').count();
        let escaped = slashes % 2 == 1;
        let dollar = image[slashes..].rfind('$').unwrap_or(0) + slashes;
        let (more, image) = (&image[slashes..dollar], &image[dollar..]);
        let tail = self.literal(from + 1, self.used);
        let quiet = image.starts_with("$!");
        let literal = if quiet && !escaped { String::new() } else { format!("{image}{tail}") };
        let half = "\\".repeat(slashes / 2);
        let (sort, prefix) = match escaped {
            true => (Sort::Escaped, half),
            false => (Sort::Normal, half + more),
        };
        let root = if first.kind == Kind::CurlyOpen && image.starts_with('$') {
            self.image(name)
        } else {
            image.strip_prefix("$!").or_else(|| image.strip_prefix('$')).unwrap_or(image)
        };
        let slot = self.shared.slot(root);
        if !image.starts_with('$') {
            let literal = root.into();
            return Reference { sort: Sort::Runt, slot, steps, prefix: Box::default(), literal, place };
        }
        Reference { sort, slot, steps, prefix: prefix.into(), literal: literal.into(), place }
    }
}

fn may_be_null(value: &Expression) -> bool {
    match value {
        Expression::Arithmetic(_) | Expression::Range(_) => true,
        Expression::Reference(reference) => matches!(reference.sort, Sort::Mute | Sort::Runt),
        _ => false,
    }
}

fn whole_number(image: &str) -> Expression {
    match image.parse::<i64>() {
        Ok(number) => i32::try_from(number).map_or(Expression::Long(number), Expression::Int),
        Err(_) => Expression::Big(image.into()),
    }
}

/// Replaces `\uXXXX`; `None` where digits are missing.
fn unescaped(text: &str) -> Option<String> {
    let mut units: Vec<u16> = Vec::new();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\u") {
        if at > 0 {
            out.extend(char::decode_utf16(units.drain(..)).map(|letter| letter.unwrap_or('?')));
        }
        out.push_str(&rest[..at]);
        let digits = rest.get(at + 2..at + 6).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        units.push(u16::from_str_radix(digits, 16).ok()?);
        rest = &rest[at + 6..];
    }
    out.extend(char::decode_utf16(units).map(|letter| letter.unwrap_or('?')));
    out.push_str(rest);
    Some(out)
}
