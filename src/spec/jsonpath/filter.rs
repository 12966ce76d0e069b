//! Reading a filter: `(@.price < 10 && @.tag == 'x')`.

use super::compile::{path, unescaped, wrong};
use super::{InvalidPath, Path};
use crate::spec::java_regex::JavaRegex;

/// How deep parentheses and negations may lie in one another.
const MOST_NESTED: usize = 32;

/// A filter.
#[derive(Debug)]
pub(super) enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Not(Box<Condition>),
    /// A path that must exist, or must not.
    Exists(Path, bool),
    Compare(Side, Relation, Side),
}

impl Condition {
    pub(super) fn pattern_bytes(&self) -> usize {
        let side = |side: &Side| match side {
            Side::Pattern(regex) => regex.bytes(),
            Side::Path(path) => path.pattern_bytes(),
            _ => 0,
        };
        match self {
            Condition::Any(parts) | Condition::All(parts) => parts.iter().map(Condition::pattern_bytes).sum(),
            Condition::Not(inner) => inner.pattern_bytes(),
            Condition::Exists(path, _) => path.pattern_bytes(),
            Condition::Compare(left, _, right) => side(left) + side(right),
        }
    }
}

/// What is compared.
#[derive(Debug)]
pub(super) enum Side {
    Path(Path),
    Str(Box<str>),
    Whole(i64),
    Number(f64),
    Bool(bool),
    Null,
    /// JSON text.
    Json(Box<str>),
    Pattern(Box<JavaRegex>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    AtLeast,
    AtMost,
    Equal,
    SameEqual,
    Unequal,
    SameUnequal,
    Less,
    Greater,
    Matches,
    NotIn,
    In,
    Contains,
    Size,
    Empty,
    SubsetOf,
    AnyOf,
    NoneOf,
    /// An operator that Jayway knows and never finds true here.
    Never,
}

type Compiled<T> = Result<T, InvalidPath>;

/// The sign that closes the one at `open`; strings, and patterns if `patterns`, are passed over.
pub(super) fn closing(letters: &[char], open: usize, opens: char, closes: char, patterns: bool) -> Option<usize> {
    let mut depth = 1;
    let mut at = open + 1;
    while at < letters.len() {
        if matches!(letters[at], '\'' | '"') {
            at = unescaped_end(letters, at)? + 1;
        }
        if patterns && letters.get(at) == Some(&'/') {
            at = unescaped_end(letters, at)? + 1;
        }
        match letters.get(at) {
            Some(sign) if *sign == opens => depth += 1,
            Some(sign) if *sign == closes => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            Some(_) => {}
            None => return None,
        }
        at += 1;
    }
    None
}

/// Where the sign at `from` comes again without a backslash before it.
fn unescaped_end(letters: &[char], from: usize) -> Option<usize> {
    let mut at = from + 1;
    loop {
        match letters.get(at)? {
            '\\' => at += 2,
            sign if *sign == letters[from] => return Some(at),
            _ => at += 1,
        }
    }
}

/// Compiles `( … )`.
pub(super) fn condition(letters: &[char], nested: usize) -> Compiled<Condition> {
    let mut reader = Reader { letters, at: 0, nested, depth: 0 };
    let condition = reader.any()?;
    reader.blanks();
    if reader.at < letters.len() {
        return wrong(format!("{:?} is left over in a filter", letters[reader.at..].iter().collect::<String>()));
    }
    Ok(condition)
}

struct Reader<'l> {
    letters: &'l [char],
    at: usize,
    nested: usize,
    depth: usize,
}

impl Reader<'_> {
    fn here(&self) -> char {
        self.letters.get(self.at).copied().unwrap_or('\0')
    }

    fn blanks(&mut self) {
        while self.here() == ' ' {
            self.at += 1;
        }
    }

    fn text(&self, from: usize, to: usize) -> String {
        self.letters.get(from..to).unwrap_or_default().iter().collect()
    }

    fn sign(&mut self, sign: &str) -> bool {
        let from = self.at;
        self.blanks();
        let length = sign.chars().count();
        if self.text(self.at, self.at + length) == sign {
            self.at += length;
            return true;
        }
        self.at = from;
        false
    }

    fn any(&mut self) -> Compiled<Condition> {
        self.depth += 1;
        if self.depth > MOST_NESTED {
            return wrong("a filter's parentheses lie too deep in one another");
        }
        let mut parts = vec![self.all()?];
        while self.sign("||") {
            parts.push(self.all()?);
        }
        self.depth -= 1;
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::Any(parts) })
    }

    fn all(&mut self) -> Compiled<Condition> {
        let mut parts = vec![self.operand()?];
        while self.sign("&&") {
            parts.push(self.operand()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::All(parts) })
    }

    fn operand(&mut self) -> Compiled<Condition> {
        self.blanks();
        let from = self.at;
        if self.here() == '!' {
            self.at += 1;
            self.blanks();
            if !matches!(self.here(), '$' | '@') {
                self.depth += 1;
                if self.depth > MOST_NESTED {
                    return wrong("a filter's negations lie too deep in one another");
                }
                let inner = self.operand()?;
                self.depth -= 1;
                return Ok(Condition::Not(Box::new(inner)));
            }
            self.at = from;
        }
        if self.sign("(") {
            let inner = self.any()?;
            return if self.sign(")") { Ok(inner) } else { wrong("')' expected in a filter") };
        }
        self.expression()
    }

    fn expression(&mut self) -> Compiled<Condition> {
        let (left, wanted) = self.side()?;
        let after = self.at;
        let compared = self.relation().and_then(|relation| Ok((relation, self.side()?.0)));
        match (compared, left) {
            (Ok((relation, right)), left) => Ok(Condition::Compare(left, relation, right)),
            (Err(_), Side::Path(path)) => {
                self.at = after;
                Ok(Condition::Exists(path, wanted))
            }
            (Err(error), _) => Err(error),
        }
    }

    /// One side, and whether it must exist if it stands alone.
    fn side(&mut self) -> Compiled<(Side, bool)> {
        self.blanks();
        let mut wanted = true;
        if self.here() == '!' {
            self.at += 1;
            self.blanks();
            if !matches!(self.here(), '$' | '@') {
                return wrong("'!' stands before a path only");
            }
            wanted = false;
        }
        let from = self.at;
        let side = match self.here() {
            '$' | '@' => self.path()?,
            '\'' | '"' => {
                let Some(end) = unescaped_end(self.letters, from) else { return wrong("a string is not closed") };
                self.at = end + 1;
                Side::Str(unescaped(&self.letters[from + 1..end])?.into())
            }
            't' if self.sign("true") => Side::Bool(true),
            'f' if self.sign("false") => Side::Bool(false),
            'n' if self.sign("null") => Side::Null,
            '{' | '[' => {
                let (opens, closes) = if self.here() == '[' { ('[', ']') } else { ('{', '}') };
                let Some(end) = closing(self.letters, from, opens, closes, false) else {
                    return wrong("JSON in a filter is not closed");
                };
                self.at = end + 1;
                Side::Json(self.text(from, end + 1).into())
            }
            '/' => self.pattern()?,
            _ => self.number()?,
        };
        Ok((side, wanted))
    }

    fn pattern(&mut self) -> Compiled<Side> {
        let from = self.at;
        let Some(end) = unescaped_end(self.letters, from) else { return wrong("a pattern is not closed") };
        self.at = end + 1;
        while matches!(self.here(), 'd' | 'i' | 'x' | 'm' | 's' | 'u' | 'U') {
            self.at += 1;
        }
        let (pattern, flags) = (self.text(from + 1, end), self.text(end + 1, self.at));
        match JavaRegex::with_flags(&pattern, &flags) {
            Ok(regex) => Ok(Side::Pattern(Box::new(regex))),
            Err(error) => wrong(error.to_string()),
        }
    }

    fn number(&mut self) -> Compiled<Side> {
        let from = self.at;
        while matches!(self.here(), '0'..='9' | '-' | '.' | 'e' | 'E') {
            self.at += 1;
        }
        let text = self.text(from, self.at);
        match (text.parse(), text.parse()) {
            (Ok(whole), _) => Ok(Side::Whole(whole)),
            (_, Ok(number)) => Ok(Side::Number(number)),
            _ => wrong(format!("{text:?} is no number")),
        }
    }

    fn path(&mut self) -> Compiled<Side> {
        let from = self.at;
        self.at += 1;
        while self.at < self.letters.len() {
            if self.here() == '[' {
                let Some(end) = closing(self.letters, self.at, '[', ']', false) else {
                    return wrong("brackets do not match in a filter");
                };
                self.at = end + 1;
            }
            let here = self.here();
            if self.at >= self.letters.len()
                || is_relation(here)
                || here == ' '
                || (here == ')' && !self.closes_function(from))
            {
                break;
            }
            self.at += 1;
        }
        Ok(Side::Path(path(&self.text(from, self.at), self.nested)?))
    }

    /// Whether the parenthesis here ends a function's empty arguments.
    fn closes_function(&self, from: usize) -> bool {
        let before = (0..self.at).rev().find(|at| self.letters[*at] != ' ');
        before.is_some_and(|at| self.letters[at] == '(' && (from + 1..at).any(|at| self.letters[at] == '.'))
    }

    fn relation(&mut self) -> Compiled<Relation> {
        self.blanks();
        let from = self.at;
        if is_relation(self.here()) {
            while is_relation(self.here()) {
                self.at += 1;
            }
        } else {
            while self.at < self.letters.len() && self.here() != ' ' {
                self.at += 1;
            }
        }
        Ok(match self.text(from, self.at).to_uppercase().as_str() {
            ">=" => Relation::AtLeast,
            "<=" => Relation::AtMost,
            "==" => Relation::Equal,
            "===" => Relation::SameEqual,
            "!=" => Relation::Unequal,
            "!==" => Relation::SameUnequal,
            "<" => Relation::Less,
            ">" => Relation::Greater,
            "=~" => Relation::Matches,
            "NIN" => Relation::NotIn,
            "IN" => Relation::In,
            "CONTAINS" => Relation::Contains,
            "SIZE" => Relation::Size,
            "EMPTY" => Relation::Empty,
            "SUBSETOF" => Relation::SubsetOf,
            "ANYOF" => Relation::AnyOf,
            "NONEOF" => Relation::NoneOf,
            "ALL" | "TYPE" | "MATCHES" | "EXISTS" => Relation::Never,
            other => return wrong(format!("{other:?} is no operator")),
        })
    }
}

fn is_relation(letter: char) -> bool {
    matches!(letter, '<' | '>' | '=' | '~' | '!')
}
