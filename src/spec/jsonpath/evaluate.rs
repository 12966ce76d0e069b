//! Walking a document along a path.

use super::{Parameter, Path, Token, function, judge};
use crate::spec::object::{Exceeded, Heap, ListKind, MOST_DEPTH, Value};

/// Why there is no value.
#[derive(Debug)]
pub(super) enum Fail {
    /// A definite path leads nowhere.
    NotFound,
    /// Within a filter: the filter does not hold.
    Invalid(String),
    Other(String),
    Exceeded(Exceeded),
}

impl From<Exceeded> for Fail {
    fn from(error: Exceeded) -> Fail {
        Fail::Exceeded(error)
    }
}

pub(super) type Walked<T> = Result<T, Fail>;

/// One walk.
pub(super) struct Walk<'w, 'a> {
    pub heap: &'w mut Heap<'a>,
    pub root: Value<'a>,
    /// A missing property fails even where many are looked for: how filters ask whether a path exists.
    require: bool,
    found: Vec<Value<'a>>,
}

/// What a path gives, from `item`, in the document `root`.
pub(super) fn value<'a>(
    path: &Path,
    heap: &mut Heap<'a>,
    item: Value<'a>,
    root: Value<'a>,
    require: bool,
) -> Walked<Value<'a>> {
    if path.straight {
        return straight(&path.tokens, heap, item);
    }
    tokens_value(&path.tokens, &path.definite, heap, item, root, require)
}

/// The value that single names and indexes lead to.
fn straight<'a>(tokens: &[Token], heap: &mut Heap<'a>, item: Value<'a>) -> Walked<Value<'a>> {
    heap.charge(tokens.len() + 2)?;
    let mut value = item;
    for token in tokens {
        let found = match (token, value) {
            (Token::Properties(names), Value::Map(id)) => names.first().and_then(|name| heap.at(id, name)),
            (Token::Indexes(indexes), Value::List(id)) => {
                let items = heap.items(id);
                let index = indexes.first().map_or(0, |index| i64::from(*index));
                let at = if index < 0 { items.len() as i64 + index } else { index };
                usize::try_from(at).ok().and_then(|at| items.get(at).copied())
            }
            _ => None,
        };
        value = found.ok_or(Fail::NotFound)?;
    }
    Ok(value)
}

/// The same with tokens and their definiteness apart.
pub(super) fn tokens_value<'a>(
    tokens: &[Token],
    definite: &[bool],
    heap: &mut Heap<'a>,
    item: Value<'a>,
    root: Value<'a>,
    require: bool,
) -> Walked<Value<'a>> {
    let mut walk = Walk { heap, root, require, found: Vec::new() };
    walk.step(Chain { tokens, definite, at: 0 }, item)?;
    let mut found = walk.found;
    if definite.last().copied().unwrap_or(true) {
        found.pop().ok_or(Fail::NotFound)
    } else {
        Ok(heap.list(ListKind::Json, found)?)
    }
}

/// A path from one of its tokens on.
#[derive(Clone, Copy)]
struct Chain<'p> {
    tokens: &'p [Token],
    definite: &'p [bool],
    at: usize,
}

impl<'p> Chain<'p> {
    fn next(self) -> Chain<'p> {
        Chain { at: self.at + 1, ..self }
    }

    fn is_last(self) -> bool {
        self.at + 1 == self.tokens.len()
    }

    /// Whether what stands before leads to one place.
    fn definite_before(self) -> bool {
        self.definite.get(self.at).copied().unwrap_or(true)
    }

    fn definite_here(self) -> bool {
        Path::token_is_definite(&self.tokens[self.at], self.is_last())
    }
}

impl<'a> Walk<'_, 'a> {
    fn step(&mut self, chain: Chain<'_>, model: Value<'a>) -> Walked<()> {
        self.heap.charge(1)?;
        let Some(token) = chain.tokens.get(chain.at) else {
            self.heap.take(16)?;
            self.found.push(model);
            return Ok(());
        };
        match token {
            Token::Properties(names) => self.properties(chain, names, model),
            Token::Indexes(indexes) => match self.list(chain, model)? {
                Some(count) => indexes.iter().try_for_each(|index| self.index(chain, i64::from(*index), count, model)),
                None => Ok(()),
            },
            Token::Slice(from, to) => match self.list(chain, model)? {
                Some(count) => {
                    let (from, to) = bounds(*from, *to, count as i64);
                    (from..to).try_for_each(|index| self.index(chain, index, count, model))
                }
                None => Ok(()),
            },
            Token::Wildcard => self.wildcard(chain, model),
            Token::Scan => self.scan(chain.next(), model, 0),
            Token::Filter(condition) => self.filter(chain, condition, model),
            Token::Function(function, parameters) => {
                let result = function::call(*function, parameters, self, model)?;
                self.heap.take(16)?;
                self.found.push(result);
                if chain.is_last() { Ok(()) } else { self.step(chain.next(), result) }
            }
        }
    }

    fn properties(&mut self, chain: Chain<'_>, names: &[Box<str>], model: Value<'a>) -> Walked<()> {
        let Value::Map(id) = model else {
            return if chain.definite_before() { Err(Fail::NotFound) } else { Ok(()) };
        };
        if names.len() == 1 || !chain.is_last() {
            return names.iter().try_for_each(|name| match self.heap.at(id, name) {
                Some(value) => self.step(chain.next(), value),
                None if self.require => Err(Fail::NotFound),
                None if chain.is_last() => Ok(()),
                None if chain.definite_before() && chain.definite_here() => Err(Fail::NotFound),
                None => Ok(()),
            });
        }
        let merged = self.heap.map()?;
        for name in names {
            match self.heap.find_entry(id, name) {
                Some((key, value)) => {
                    self.heap.put(merged, key, value)?;
                }
                None if self.require => return Err(Fail::NotFound),
                None => {}
            }
        }
        self.step(chain.next(), Value::Map(merged))
    }

    /// How long the list is; `None` when this is no list and nobody minds.
    fn list(&self, chain: Chain<'_>, model: Value<'a>) -> Walked<Option<usize>> {
        match model {
            Value::List(id) => Ok(Some(self.heap.items(id).len())),
            _ if chain.definite_before() => Err(Fail::NotFound),
            _ => Ok(None),
        }
    }

    fn index(&mut self, chain: Chain<'_>, index: i64, count: usize, model: Value<'a>) -> Walked<()> {
        let Value::List(id) = model else { return Ok(()) };
        let at = if index < 0 { count as i64 + index } else { index };
        let item = usize::try_from(at).ok().and_then(|at| self.heap.items(id).get(at).copied());
        match item {
            Some(item) => self.step(chain.next(), item),
            None => Ok(()),
        }
    }

    fn wildcard(&mut self, chain: Chain<'_>, model: Value<'a>) -> Walked<()> {
        match model {
            Value::Map(id) => {
                for at in 0..self.heap.dict(id).entries().len() {
                    let value = self.heap.dict(id).entries()[at].1;
                    self.step(chain.next(), value)?;
                }
                Ok(())
            }
            Value::List(id) => {
                for at in 0..self.heap.items(id).len() {
                    let item = self.heap.items(id)[at];
                    match self.step(chain.next(), item) {
                        Err(Fail::NotFound) if !self.require => {}
                        other => other?,
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Applies the token after `..` wherever it fits, here and in all that lies in here.
    fn scan(&mut self, chain: Chain<'_>, model: Value<'a>, depth: usize) -> Walked<()> {
        self.heap.charge(1)?;
        if depth > MOST_DEPTH {
            return Err(Exceeded::Depth.into());
        }
        let Some(token) = chain.tokens.get(chain.at) else {
            return Err(Fail::Other("a path cannot end with ..".to_owned()));
        };
        if !matches!(model, Value::Map(_) | Value::List(_)) {
            return Ok(());
        }
        let fits = match (token, model) {
            (Token::Properties(names), Value::Map(id)) => {
                !chain.definite_here() || names.iter().all(|name| self.heap.at(id, name).is_some())
            }
            (Token::Indexes(_) | Token::Slice(..), Value::List(_)) | (Token::Wildcard, _) => true,
            (Token::Filter(condition), model) => judge::holds(condition, self.heap, model, self.root)?,
            _ => false,
        };
        if fits {
            self.step(chain, model)?;
        }
        match model {
            Value::Map(id) => {
                for at in 0..self.heap.dict(id).entries().len() {
                    let value = self.heap.dict(id).entries()[at].1;
                    self.scan(chain, value, depth + 1)?;
                }
            }
            Value::List(id) => {
                for at in 0..self.heap.items(id).len() {
                    let item = self.heap.items(id)[at];
                    self.scan(chain, item, depth + 1)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn filter(&mut self, chain: Chain<'_>, condition: &super::filter::Condition, model: Value<'a>) -> Walked<()> {
        match model {
            Value::Map(_) => {
                if judge::holds(condition, self.heap, model, self.root)? {
                    self.step(chain.next(), model)?;
                }
                Ok(())
            }
            Value::List(id) => {
                for at in 0..self.heap.items(id).len() {
                    let item = self.heap.items(id)[at];
                    if judge::holds(condition, self.heap, item, self.root)? {
                        self.step(chain.next(), item)?;
                    }
                }
                Ok(())
            }
            _ if chain.definite_before() => Err(Fail::Invalid("a filter needs an array or an object".to_owned())),
            _ => Ok(()),
        }
    }

    /// The value of a function's argument.
    pub(super) fn argument(&mut self, parameter: &Parameter) -> Walked<Value<'a>> {
        match parameter {
            Parameter::Path(path) => value(path, self.heap, self.root, self.root, false),
            Parameter::Json(text) => judge::literal(text, self.heap),
        }
    }
}

/// A slice's first index and the one after its last.
fn bounds(from: Option<i32>, to: Option<i32>, count: i64) -> (i64, i64) {
    let (from, to) = (from.map(i64::from), to.map(i64::from));
    match (from, to) {
        (Some(from), None) => ((if from < 0 { from + count } else { from }).max(0), count),
        // Jayway takes both as they are, counted from the end or not.
        (Some(from), Some(to)) => (from, to.min(count)),
        (None, Some(to)) => (0, (if to < 0 { to + count } else { to }).min(count)),
        (None, None) => (0, 0),
    }
}
