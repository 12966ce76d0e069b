//! Velocity 1.7's grammar over its tokens: directives and blocks. Expressions and references are in `expression`.

use super::lexer::{Lexer, NoToken};
use super::node::{Argument, Arm, Block, Call, Expression, Foreach, Macro, Node, Place, Set, Slot, Sort};
use super::token::{Kind, Token};
use std::collections::HashMap;

/// How deep directives, strings and parentheses may lie in one another.
const MOST_NESTED: usize = 96;

/// Directives that Velocity has and this engine answers.
const DIRECTIVES: &[&str] = &["foreach", "include", "parse", "macro", "literal", "evaluate", "break", "define", "stop"];

/// What is wrong with a template, and where: bytes from its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub at: usize,
    pub what: String,
}

/// What the parts of a template share while it is parsed, the strings in it too.
#[derive(Debug, Default)]
pub(super) struct Shared {
    names: HashMap<Box<str>, Slot>,
    pub list: Vec<Box<str>>,
    pub macros: HashMap<Box<str>, Macro>,
    pub blocks: Vec<Block>,
    loops: u32,
    nested: usize,
    /// Levels of the tallest expression since this was last set to zero.
    pub height: usize,
}

impl Shared {
    pub(super) fn slot(&mut self, name: &str) -> Slot {
        if let Some(slot) = self.names.get(name) {
            return *slot;
        }
        let slot = self.list.len() as Slot;
        self.list.push(name.into());
        self.names.insert(name.into(), slot);
        slot
    }
}

pub(super) struct Parser<'s, 'p> {
    pub(super) text: &'s str,
    lexer: Lexer<'s>,
    /// Tokens from the current one on, read as they are needed: what the parser does may change how the next is read.
    tokens: Vec<Token>,
    /// How many of them are used up.
    pub(super) used: usize,
    pub(super) shared: &'p mut Shared,
    /// Where this text stands in the template, when it is a string in it.
    pub(super) base: Option<usize>,
}

pub(super) type Parsed<T> = Result<T, Wrong>;

impl<'s, 'p> Parser<'s, 'p> {
    pub(super) fn new(text: &'s str, shared: &'p mut Shared, base: Option<usize>) -> Parser<'s, 'p> {
        Parser { text, lexer: Lexer::new(text), tokens: Vec::new(), used: 0, shared, base }
    }

    /// The whole text.
    pub(super) fn whole(mut self) -> Parsed<Block> {
        let body = self.block()?;
        match self.kind()? {
            Kind::End0 => Ok(body),
            _ => self.unexpected(),
        }
    }

    /// The token `ahead` of the current one.
    pub(super) fn look(&mut self, ahead: usize) -> Parsed<&Token> {
        while self.tokens.len() <= self.used + ahead {
            match self.lexer.next() {
                Ok(token) => self.tokens.push(token),
                Err(NoToken { at }) => return Err(self.wrong_at(at, no_token(self.text, at))),
            }
        }
        Ok(&self.tokens[self.used + ahead])
    }

    pub(super) fn kind(&mut self) -> Parsed<Kind> {
        Ok(self.look(0)?.kind)
    }

    pub(super) fn take(&mut self) -> Parsed<Token> {
        let token = self.look(0)?.clone();
        self.used += 1;
        Ok(token)
    }

    /// Takes a token of a kind, or says that another was expected.
    pub(super) fn expect(&mut self, kind: Kind) -> Parsed<Token> {
        if self.kind()? == kind { self.take() } else { self.unexpected() }
    }

    pub(super) fn skip(&mut self, kind: Kind) -> Parsed<bool> {
        let there = self.kind()? == kind;
        if there {
            self.used += 1;
        }
        Ok(there)
    }

    pub(super) fn place(&self, at: usize) -> Place {
        self.base.unwrap_or(at) as Place
    }

    pub(super) fn wrong_at(&self, at: usize, what: impl Into<String>) -> Wrong {
        Wrong { at: self.base.unwrap_or(at), what: what.into() }
    }

    pub(super) fn unexpected<T>(&mut self) -> Parsed<T> {
        let token = self.look(0)?.clone();
        let what = match token.kind {
            Kind::End0 => "the template ends where something has to follow, such as #end or a parenthesis".to_owned(),
            _ => format!("{:?} cannot stand here", shortened(&self.text[token.start..token.end])),
        };
        Err(self.wrong_at(token.start, what))
    }

    /// Runs `inner` one level deeper.
    pub(super) fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.shared.nested >= MOST_NESTED {
            let at = self.lexer.at();
            return Err(self.wrong_at(at, format!("more than {MOST_NESTED} levels of directives and parentheses")));
        }
        self.shared.nested += 1;
        let result = inner(self);
        self.shared.nested -= 1;
        result
    }

    pub(super) fn image(&self, token: &Token) -> &'s str {
        &self.text[token.start..token.end]
    }

    /// What tokens print as, from one to another.
    pub(super) fn literal(&self, from: usize, to: usize) -> Box<str> {
        let mut out = String::new();
        for token in self.tokens.get(from..to).unwrap_or_default() {
            if token.kind != Kind::CommentEnd {
                out.push_str(token.special.as_deref().unwrap_or_default());
                self.push_image(token, &mut out);
            }
        }
        out.into()
    }

    /// The tokens alone, without signs before them: what an unknown macro's call prints.
    fn images(&self, from: usize, to: usize) -> Box<str> {
        let mut out = String::new();
        for token in self.tokens.get(from..to).unwrap_or_default() {
            self.push_image(token, &mut out);
        }
        out.into()
    }

    /// A token's text as it is after parsing: references have lost what stood before their dollar.
    fn push_image(&self, token: &Token, out: &mut String) {
        let image = self.image(token);
        match token.kind {
            Kind::Name | Kind::CurlyOpen if !image.contains("\\!") => {
                out.push_str(image.rfind('$').map_or(image, |at| &image[at..]));
            }
            Kind::EscapedDirective => out.push_str(&self.escaped_directive(token)),
            _ => out.push_str(image),
        }
    }

    /// Statements, up to what is none.
    fn block(&mut self) -> Parsed<Block> {
        self.nested(|parser| {
            let mut nodes = Statements::default();
            while parser.statement(&mut nodes)? {}
            Ok(nodes.finish())
        })
    }

    fn statement(&mut self, nodes: &mut Statements) -> Parsed<bool> {
        match self.kind()? {
            Kind::If => nodes.push(self.if_directive()?),
            Kind::Name => nodes.push(Node::Reference(Box::new(self.reference()?))),
            Kind::CurlyOpen if self.look(1)?.kind == Kind::Name => {
                nodes.push(Node::Reference(Box::new(self.reference()?)));
            }
            Kind::LineComment => {
                let token = self.take()?;
                let image = self.image(&token);
                nodes.text(&image[..image.find("##").unwrap_or(0)]);
                self.skip(Kind::LineEnd)?;
            }
            Kind::CommentEnd | Kind::FormalEnd => {
                self.take()?;
            }
            Kind::BlockEnd => {
                let token = self.take()?;
                let image = self.image(&token);
                let inner = image.len().checked_sub(3).and_then(|end| image.get(3..end));
                match inner {
                    Some(inner) => nodes.text(inner),
                    None => return Err(self.wrong_at(token.start, "]]# without #[[")),
                }
            }
            Kind::Set => nodes.push(self.set()?),
            Kind::EscapedDirective => {
                let token = self.take()?;
                let text = self.escaped_directive(&token);
                nodes.text(&text);
            }
            Kind::DoubleEscape => {
                let text = self.double_escapes()?;
                nodes.text(&text);
            }
            Kind::Word | Kind::BracketedWord => self.directive(nodes)?,
            Kind::Open
            | Kind::Close
            | Kind::Escape
            | Kind::Text
            | Kind::Str
            | Kind::Integer
            | Kind::Float
            | Kind::Dot
            | Kind::CurlyOpen
            | Kind::CurlyClose
            | Kind::EmptyIndex => {
                let token = self.take()?;
                nodes.text(token.special.as_deref().unwrap_or_default());
                nodes.text(self.image(&token));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn is_macro(&self, name: &str) -> bool {
        self.shared.macros.contains_key(name)
    }

    /// `\#if`: half the backslashes go where a directive is meant.
    fn escaped_directive(&self, token: &Token) -> String {
        let image = self.image(token);
        let slashes = image.bytes().take_while(|byte| *byte == b'\\').count();
        let name = image[slashes + 1..].trim_start_matches('{').trim_end_matches('}');
        let known = DIRECTIVES.contains(&name)
            || matches!(name, "if" | "end" | "set" | "else" | "elseif")
            || self.is_macro(name);
        if known { format!("{}{}", &image[..(slashes - 1) / 2], &image[slashes..]) } else { image.to_owned() }
    }

    /// `\\` before something: one of each pair goes where a directive follows.
    fn double_escapes(&mut self) -> Parsed<String> {
        let mut count = 0;
        while self.kind()? == Kind::DoubleEscape {
            self.used += 1;
            count += 1;
        }
        let next = self.look(0)?.clone();
        let name = self.image(&next).get(1..).unwrap_or_default();
        let control = matches!(next.kind, Kind::End | Kind::If | Kind::ElseIf | Kind::Else)
            || DIRECTIVES.contains(&name)
            || self.is_macro(name);
        Ok(if control { "\\" } else { "\\\\" }.repeat(count))
    }

    fn if_directive(&mut self) -> Parsed<Node> {
        let mut arms = Vec::new();
        self.take()?;
        arms.push(self.condition()?);
        while self.skip(Kind::ElseIf)? {
            arms.push(self.condition()?);
        }
        if self.skip(Kind::Else)? {
            arms.push(Arm { when: None, then: self.block()? });
        }
        self.expect(Kind::End)?;
        Ok(Node::If(arms.into()))
    }

    fn condition(&mut self) -> Parsed<Arm> {
        self.skip(Kind::Blank)?;
        self.expect(Kind::Open)?;
        let when = Some(self.expression()?);
        self.expect(Kind::Close)?;
        Ok(Arm { when, then: self.block()? })
    }

    fn set(&mut self) -> Parsed<Node> {
        let place = self.take()?.start;
        self.skip(Kind::Blank)?;
        let first = self.look(0)?.clone();
        let target = self.reference()?;
        self.skip(Kind::Blank)?;
        self.expect(Kind::Assign)?;
        let value = self.expression()?;
        self.expect(Kind::Close)?;
        self.lexer.in_set = false;
        let image = self.image(&first).trim_start_matches('\\');
        let image = image.rfind('$').map_or(image, |at| &image[at..]);
        let name = self.shared.slot(image.get(1..).unwrap_or_default());
        Ok(Node::Set(Box::new(Set { target, name, value, place: self.place(place) })))
    }

    fn directive(&mut self, nodes: &mut Statements) -> Parsed<()> {
        let from = self.used;
        let token = self.take()?;
        let image = self.image(&token);
        // A `$` that began nothing stays in front and makes this the name of no directive.
        let name = match token.kind {
            Kind::BracketedWord => image.get(2..image.len() - 1).unwrap_or_default(),
            _ => image.get(1..).unwrap_or_default(),
        };
        self.lexer.enter_directive();
        if !self.lexer.parenthesis_follows() {
            self.lexer.pop();
            let literal = self.images(from, self.used);
            let node = self.bare_directive(name, &token, literal)?;
            nodes.push(node);
            return Ok(());
        }
        self.skip(Kind::Blank)?;
        self.expect(Kind::Open)?;
        let arguments = self.arguments(name)?;
        self.skip(Kind::Blank)?;
        self.expect(Kind::Close)?;
        let block = matches!(name, "foreach" | "macro" | "literal" | "define") || name.starts_with('@');
        if !block {
            let literal = self.images(from, self.used);
            nodes.push(self.line_directive(name, &token, arguments, literal)?);
            return Ok(());
        }
        let (inner, body) = (self.used, self.block()?);
        let end = self.used;
        self.expect(Kind::End)?;
        let place = self.place(token.start);
        match name {
            "literal" => nodes.text(&self.literal(inner, end)),
            "foreach" => nodes.push(self.foreach(&token, arguments, body)?),
            "define" => nodes.push(self.define(&token, &arguments, body)?),
            "macro" => self.define_macro(&token, &arguments, body)?,
            _ => {
                self.shared.blocks.push(body);
                let body = Some(self.shared.blocks.len() as u32 - 1);
                let (name, arguments) = (name[1..].into(), arguments.into());
                let literal = self.images(from, self.used);
                nodes.push(Node::Call(Box::new(Call { name, arguments, body, literal, place })));
            }
        }
        Ok(())
    }

    /// A directive's name with nothing after it.
    fn bare_directive(&self, name: &str, token: &Token, literal: Box<str>) -> Parsed<Node> {
        let place = self.place(token.start);
        Ok(match name {
            "break" => Node::Break(None, place),
            "stop" => Node::Stop,
            "foreach" | "macro" | "literal" | "define" | "include" | "parse" | "evaluate" => {
                return Err(self.wrong_at(token.start, format!("#{name} needs parentheses")));
            }
            _ if name.starts_with('@') => Node::Text(format!("#{name}").into()),
            _ => {
                Node::Call(Box::new(Call { name: name.into(), arguments: Box::default(), body: None, literal, place }))
            }
        })
    }

    fn line_directive(
        &mut self,
        name: &str,
        token: &Token,
        mut arguments: Vec<Argument>,
        literal: Box<str>,
    ) -> Parsed<Node> {
        let place = self.place(token.start);
        Ok(match name {
            "break" | "stop" if arguments.len() > 1 => {
                return Err(self.wrong_at(token.start, format!("#{name} takes one argument at most")));
            }
            "break" => Node::Break(arguments.pop().map(|argument| Box::new(argument.value)), place),
            "stop" => Node::Stop,
            "include" => Node::Unavailable("#include", place),
            "parse" => Node::Unavailable("#parse", place),
            "evaluate" => Node::Unavailable("#evaluate", place),
            _ => Node::Call(Box::new(Call {
                name: name.into(),
                arguments: arguments.into(),
                body: None,
                literal,
                place,
            })),
        })
    }

    fn define(&mut self, token: &Token, arguments: &[Argument], body: Block) -> Parsed<Node> {
        let [argument] = arguments else {
            return Err(self.wrong_at(token.start, "#define takes one argument, the block's name"));
        };
        let slot = self.shared.slot(argument.literal.get(1..).unwrap_or_default());
        self.shared.blocks.push(body);
        Ok(Node::Define(slot, self.shared.blocks.len() as u32 - 1))
    }

    fn foreach(&mut self, token: &Token, arguments: Vec<Argument>, body: Block) -> Parsed<Node> {
        let mut arguments = arguments.into_iter();
        let (Some(element), Some(_), list) = (arguments.next(), arguments.next(), arguments.next()) else {
            return Err(self.wrong_at(token.start, "#foreach is written #foreach($element in $list)"));
        };
        // With an argument too many Velocity takes that for the body.
        let body = match arguments.next().map(|argument| argument.value) {
            None => body,
            Some(Expression::Reference(reference)) => Box::new([Node::Reference(reference)]),
            Some(_) => Box::default(),
        };
        let Expression::Reference(element) = element.value else {
            return Err(self.wrong_at(token.start, "#foreach needs a variable for its elements"));
        };
        let id = self.shared.loops;
        self.shared.loops += 1;
        let (list, place) = (list.map(|list| list.value), self.place(token.start));
        Ok(Node::Foreach(Box::new(Foreach { element: element.slot, list, body, id, place })))
    }

    fn define_macro(&mut self, token: &Token, arguments: &[Argument], body: Block) -> Parsed<()> {
        let Some((name, parameters)) = arguments.split_first() else {
            return Err(self.wrong_at(token.start, "#macro needs a name"));
        };
        // The first definition of a name holds.
        if !self.is_macro(&name.literal) {
            let parameters = parameters
                .iter()
                .map(|parameter| {
                    let first = match &parameter.value {
                        Expression::Reference(reference) if reference.sort == Sort::Normal => {
                            parameter.literal.split(['.', '[']).next().unwrap_or_default()
                        }
                        _ => &parameter.literal,
                    };
                    self.shared.slot(first.strip_prefix('$').unwrap_or(first))
                })
                .collect();
            self.shared.macros.insert(name.literal.clone(), Macro { parameters, body });
        }
        Ok(())
    }

    /// A directive's arguments, with or without commas between them.
    fn arguments(&mut self, name: &str) -> Parsed<Vec<Argument>> {
        let mut arguments = Vec::new();
        while self.argument_follows()? {
            self.skip(Kind::Blank)?;
            if self.skip(Kind::Comma)? {
                self.skip(Kind::Blank)?;
            }
            let (from, at) = (self.used, self.look(0)?.start);
            let word = self.kind()? == Kind::Word;
            let value = self.argument()?;
            let position = arguments.len();
            let allowed = match name {
                "macro" => word == (position == 0),
                "foreach" => !word || position == 1,
                _ => !word || !DIRECTIVES.contains(&name),
            };
            if !allowed {
                return Err(self.wrong_at(at, format!("#{name} cannot take this argument; references begin with $")));
            }
            arguments.push(Argument { value, word, literal: self.literal(from, self.used) });
        }
        Ok(arguments)
    }

    fn argument_follows(&mut self) -> Parsed<bool> {
        let first = self.kind()?;
        let second = match first {
            Kind::Blank | Kind::Comma => self.look(1)?.kind,
            first => return Ok(begins_argument(first)),
        };
        Ok(match first {
            Kind::Blank => second == Kind::Comma || begins_argument(second),
            _ => second == Kind::Blank || begins_argument(second),
        })
    }

    fn argument(&mut self) -> Parsed<Expression> {
        if self.kind()? == Kind::Word {
            let token = self.take()?;
            return Ok(Expression::Str(self.image(&token).into()));
        }
        self.operand()
    }
}

fn begins_argument(kind: Kind) -> bool {
    kind == Kind::Word || super::expression::begins_operand(kind)
}

/// Statements as they are read; texts that follow one another become one.
#[derive(Default)]
struct Statements {
    nodes: Vec<Node>,
    text: String,
}

impl Statements {
    fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn push(&mut self, node: Node) {
        if !self.text.is_empty() {
            self.nodes.push(Node::Text(std::mem::take(&mut self.text).into()));
        }
        self.nodes.push(node);
    }

    fn finish(mut self) -> Block {
        if !self.text.is_empty() {
            self.nodes.push(Node::Text(self.text.into()));
        }
        self.nodes.into()
    }
}

fn shortened(text: &str) -> &str {
    let end = text.char_indices().nth(40).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

fn no_token(text: &str, at: usize) -> String {
    match text.get(at..).and_then(|rest| rest.chars().next()) {
        None => "the template ends in the middle of a reference, directive, comment or string".to_owned(),
        Some(letter @ ('"' | '\'')) => format!("the string that begins with {letter} does not end"),
        Some(letter) => format!("{letter:?} cannot stand here"),
    }
}
