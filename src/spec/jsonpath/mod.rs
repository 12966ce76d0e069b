//! JSONPath as Jayway's library reads it: definite paths give a value, indefinite ones a list; filters, slices, deep scan,
//! functions.
//!
//! A path is compiled once and read many times. Where Jayway's answer depends on what was read before (an index right
//! after `..` with more behind it), the index is simply applied.

mod compile;
mod evaluate;
mod filter;
mod function;
mod judge;

use super::object::{Exceeded, Heap, Value};

/// Why a path cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid path: {0}")]
pub struct InvalidPath(pub String);

/// Why reading failed; a path that leads nowhere is no failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A function or filter cannot be applied to what it met.
    #[error("{0}")]
    Unfit(String),
    /// It was too much work.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
}

/// A compiled path.
#[derive(Debug)]
pub struct Path {
    tokens: Box<[Token]>,
    /// Whether everything before each token leads to one place, and for the end of the path.
    definite: Box<[bool]>,
    /// Whether each token is one name or one index: then there is nothing to collect.
    straight: bool,
    /// Begins with `$`, not with `@`.
    from_root: bool,
}

#[derive(Debug)]
enum Token {
    Properties(Box<[Box<str>]>),
    Indexes(Box<[i32]>),
    Slice(Option<i32>, Option<i32>),
    Wildcard,
    Scan,
    Filter(filter::Condition),
    Function(function::Function, Box<[Parameter]>),
}

/// An argument of a function.
#[derive(Debug)]
enum Parameter {
    Json(Box<str>),
    Path(Path),
}

impl Path {
    /// Compiles a path; without `$` in front it is taken to begin there.
    pub fn compile(text: &str) -> Result<Path, InvalidPath> {
        compile::path(text, 0)
    }

    /// What the path leads to in `document`, as live objects; `None` where a definite path leads nowhere.
    pub fn read<'a>(&self, heap: &mut Heap<'a>, document: Value<'a>) -> Result<Option<Value<'a>>, ReadError> {
        match evaluate::value(self, heap, document, document, false) {
            Ok(value) => Ok(Some(value)),
            Err(evaluate::Fail::NotFound) => Ok(None),
            Err(evaluate::Fail::Invalid(what) | evaluate::Fail::Other(what)) => Err(ReadError::Unfit(what)),
            Err(evaluate::Fail::Exceeded(what)) => Err(what.into()),
        }
    }

    /// Whether the path leads to one place.
    pub fn is_definite(&self) -> bool {
        self.definite.last().copied().unwrap_or(true)
    }

    /// Bytes that the regular expressions in its filters take, roughly.
    pub fn pattern_bytes(&self) -> usize {
        let of = |token: &Token| match token {
            Token::Filter(condition) => condition.pattern_bytes(),
            Token::Function(_, parameters) => parameters
                .iter()
                .map(|parameter| match parameter {
                    Parameter::Path(path) => path.pattern_bytes(),
                    Parameter::Json(_) => 0,
                })
                .sum(),
            _ => 0,
        };
        self.tokens.iter().map(of).sum()
    }

    fn new(mut tokens: Vec<Token>, from_root: bool) -> Path {
        // A function at the end of a deep scan is applied to all that the scan finds.
        if matches!(tokens.first(), Some(Token::Scan))
            && let Some(Token::Function(function, _)) = tokens.last()
        {
            let function = *function;
            tokens.pop();
            let inner = Path::with(tokens, true);
            tokens = vec![Token::Function(function, Box::new([Parameter::Path(inner)]))];
            return Path::with(tokens, true);
        }
        Path::with(tokens, from_root)
    }

    fn with(tokens: Vec<Token>, from_root: bool) -> Path {
        let mut definite = vec![true];
        for token in &tokens {
            let before = definite.last().copied().unwrap_or(true);
            definite.push(before && Path::token_is_definite(token, definite.len() == tokens.len()));
        }
        let single = |token: &Token| match token {
            Token::Properties(names) => names.len() == 1,
            Token::Indexes(indexes) => indexes.len() == 1,
            _ => false,
        };
        let straight = tokens.iter().all(single);
        Path { tokens: tokens.into(), definite: definite.into(), straight, from_root }
    }

    fn token_is_definite(token: &Token, last: bool) -> bool {
        match token {
            Token::Properties(names) => names.len() == 1 || last,
            Token::Indexes(indexes) => indexes.len() == 1,
            Token::Function(..) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
