//! `$input`: the payload and the parameters of the request.

use super::facts::Place as Where;
use super::method::Method;
use super::node::{Invocation, Place};
use super::run::{At, Ran, Run, fail};
use super::string_methods::{COMPILING, COMPILING_BYTE};
use crate::spec::jsonpath::ReadError;
use crate::spec::object::{Foreign, Heap, MapId, NotJson, Slash, Text, Value};

/// In the order in which a name is looked up.
const PLACES: [(Where, &str); 3] = [(Where::Path, "path"), (Where::Query, "querystring"), (Where::Header, "header")];

impl<'a> Run<'a> {
    /// The payload as text; an empty one reads as `{}`.
    pub(super) fn body(&self) -> Value<'a> {
        Run::lent(self.body_text())
    }

    fn body_text(&self) -> &'a str {
        let facts: &'a dyn super::Facts = self.facts;
        match facts.body() {
            "" => "{}",
            body => body,
        }
    }

    pub(super) fn input_method(&mut self, invocation: &'a Invocation, arguments: &[Value<'a>]) -> Ran<Value<'a>> {
        let place = invocation.place;
        match (invocation.method, arguments) {
            (Method::Path, [Value::Str(path)]) => Ok(self.read_path(invocation, *path)?.unwrap_or(Value::Null)),
            (Method::Json, [Value::Str(path)]) => match self.read_path(invocation, *path)? {
                None => Ok(Run::lent("\"\"")),
                Some(value) => {
                    let mut out = String::new();
                    let most = self.heap.memory_left();
                    self.heap.print_json(value, Slash::Plain, &mut out, most, &|_, _| {}).at(place)?;
                    self.text(out, place)
                }
            },
            (Method::GetBody, []) => Ok(self.body()),
            (Method::Params, []) => Ok(Value::Map(self.parameter_maps(place)?)),
            (Method::Params, [Value::Str(name)]) => {
                let name = self.heap.str(*name);
                let facts: &'a dyn super::Facts = self.facts;
                let found = PLACES.iter().find_map(|(place, _)| facts.parameter(*place, name));
                Ok(found.map_or(Value::Null, Run::lent))
            }
            _ => Ok(Value::Null),
        }
    }

    /// What a path leads to in the payload; nothing if the payload is no JSON.
    fn read_path(&mut self, invocation: &'a Invocation, path: Text<'a>) -> Ran<Option<Value<'a>>> {
        let place = invocation.place;
        let Some(document) = self.document(place)? else { return Ok(None) };
        let text = self.heap.str(path);
        // Slashes may enclose regular expressions.
        let new = if invocation.prepared.is_new_path(text) {
            text.len() * COMPILING_BYTE + text.matches('/').count() * COMPILING
        } else {
            0
        };
        self.heap.charge(1 + text.len() / 16 + new).at(place)?;
        let text = self.heap.str(path);
        let path = invocation.prepared.path(text).map_err(|error| fail(place, error.to_string()))?;
        path.read(&mut self.heap, document).map_err(|error: ReadError| fail(place, error.to_string()))
    }

    /// The payload as an object, read when it is first asked for and live after.
    fn document(&mut self, place: Place) -> Ran<Option<Value<'a>>> {
        if let Some(document) = self.document {
            return Ok(document);
        }
        let document = match self.heap.read(self.body_text()) {
            Ok(document) => Some(document),
            Err(NotJson::Syntax { .. }) => None,
            Err(NotJson::Exceeded(error)) => return Err(fail(place, error.to_string())),
        };
        self.document = Some(document);
        Ok(document)
    }

    fn parameter_maps(&mut self, place: Place) -> Ran<MapId> {
        if let Some(maps) = self.parameters {
            return Ok(maps);
        }
        let facts: &'a dyn super::Facts = self.facts;
        let maps = self.heap.map().at(place)?;
        for (from, name) in PLACES {
            let map = named(&mut self.heap, &mut |each| facts.parameters(from, each)).at(place)?;
            self.heap.put(maps, Run::lent(name), Value::Map(map)).at(place)?;
        }
        self.parameters = Some(maps);
        Ok(maps)
    }

    /// The map that an object of the engine's behaves as; `None` if it is none.
    pub(super) fn foreign_map(&mut self, object: Foreign, place: Place) -> Ran<Option<MapId>> {
        use super::run::kind;
        match object.kind {
            kind::STAGE_VARIABLES => {
                let facts: &'a dyn super::Facts = self.facts;
                named(&mut self.heap, &mut |each| facts.stage_variables(each)).at(place).map(Some)
            }
            kind::CONTEXT => self.context_map(object.id, place).map(Some),
            kind::SCOPE => match self.scopes[object.id as usize].storage {
                Some(storage) => Ok(Some(storage)),
                None => self.heap.map().at(place).map(Some),
            },
            _ => Ok(None),
        }
    }
}

/// Takes names with their texts.
type Each<'e, 'a> = &'e mut dyn FnMut(&'a str, &'a str);

/// A map of names and texts.
fn named<'a>(heap: &mut Heap<'a>, all: &mut dyn FnMut(Each<'_, 'a>)) -> Result<MapId, crate::spec::object::Exceeded> {
    let map = heap.map()?;
    let mut result = Ok(());
    all(&mut |name, value| {
        if result.is_ok() {
            result = heap.put(map, Run::lent(name), Run::lent(value)).map(|_| ());
        }
    });
    result.map(|()| map)
}
