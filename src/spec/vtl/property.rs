//! Properties and indexes of objects: `$x.name`, `$x[0]`, and setting them.

use super::node::Place;
use super::run::{At, Entry, Ran, Run, fail, kind};
use crate::spec::object::{Foreign, ListKind, Text, Value};

impl<'a> Run<'a> {
    /// `$value.name`: a key of a map, or what a getter of that name gives. Classes are not shown.
    pub(super) fn property(&mut self, value: Value<'a>, name: &'a str, place: Place) -> Ran<Value<'a>> {
        Ok(match value {
            Value::Map(id) => self.heap.at(id, name).unwrap_or(Value::Null),
            Value::Foreign(object) => return self.foreign_property(object, name, place),
            Value::List(id) if name.eq_ignore_ascii_case("empty") => match self.heap.listing(id).kind {
                ListKind::Array => Value::Null,
                _ if matches!(name, "empty" | "Empty") => Value::Bool(self.heap.items(id).is_empty()),
                _ => Value::Null,
            },
            Value::Str(text) => match name {
                "empty" | "Empty" => Value::Bool(self.heap.str(text).is_empty()),
                "blank" | "Blank" => Value::Bool(self.heap.str(text).trim().is_empty()),
                _ => Value::Null,
            },
            Value::Double(number) => match name {
                "naN" | "NaN" => Value::Bool(number.is_nan()),
                "infinite" | "Infinite" => Value::Bool(number.is_infinite()),
                _ => Value::Null,
            },
            _ => Value::Null,
        })
    }

    fn foreign_property(&mut self, object: Foreign, name: &'a str, place: Place) -> Ran<Value<'a>> {
        match object.kind {
            kind::INPUT => Ok(if matches!(name, "body" | "Body") { self.body() } else { Value::Null }),
            kind::CONTEXT | kind::STAGE_VARIABLES => self.foreign_get(object, name, place),
            kind::ENTRY => self.entry_property(object, name),
            kind::SCOPE => {
                let known = self.scope_property(object.id, name);
                match known {
                    Value::Null => self.scope_get(object.id, Value::Str(Text::Lent(name)), place),
                    known => Ok(known),
                }
            }
            _ => Ok(Value::Null),
        }
    }

    fn entry_property(&mut self, object: Foreign, name: &str) -> Ran<Value<'a>> {
        let Entry { map, key, .. } = self.entries[object.id as usize];
        Ok(match name {
            "key" | "Key" => key,
            "value" | "Value" => self.heap.get(map, key).at(0)?.unwrap_or(Value::Null),
            _ => Value::Null,
        })
    }

    pub(super) fn scope_property(&self, id: u32, name: &str) -> Value<'a> {
        let scope = &self.scopes[id as usize];
        let other = |id| Value::Foreign(Foreign { kind: kind::SCOPE, id });
        match name {
            "index" | "Index" => Value::Int(scope.index),
            "count" | "Count" => Value::Int(scope.index + 1),
            "hasNext" | "HasNext" => Value::Bool(scope.has_next),
            "first" | "First" => Value::Bool(scope.index < 1),
            "last" | "Last" => Value::Bool(!scope.has_next),
            "parent" | "Parent" => scope.parent.map_or(Value::Null, other),
            "topmost" | "Topmost" => {
                let mut top = id;
                while let Some(parent) = self.scopes[top as usize].parent {
                    top = parent;
                }
                other(top)
            }
            "replaced" | "Replaced" => scope.replaced,
            _ => Value::Null,
        }
    }

    /// What the template put into a loop's scope, or into a scope around it.
    pub(super) fn scope_get(&mut self, id: u32, key: Value<'a>, place: Place) -> Ran<Value<'a>> {
        let mut at = Some(id);
        while let Some(id) = at {
            self.heap.charge(1).at(place)?;
            if let Some(storage) = self.scopes[id as usize].storage
                && let Some(value) = self.heap.get(storage, key).at(place)?
            {
                return Ok(value);
            }
            at = self.scopes[id as usize].parent;
        }
        Ok(Value::Null)
    }

    /// A negative index counts from the end, of whatever has a size.
    fn counted(&mut self, value: Value<'a>, index: Value<'a>, place: Place) -> Ran<Value<'a>> {
        let Value::Int(number @ ..0) = index else { return Ok(index) };
        match self.size(value, place)? {
            Some(size) => Ok(Value::Int(number + size as i32)),
            None => Err(fail(place, "a negative index needs a list or a map")),
        }
    }

    /// `$value[index]`, which is `get(index)`.
    pub(super) fn index(&mut self, value: Value<'a>, index: Value<'a>, place: Place) -> Ran<Value<'a>> {
        let index = self.counted(value, index, place)?;
        self.get_of(value, index, place)
    }

    /// `#set($target.name = value)`: puts into maps; anything else stays as it is.
    pub(super) fn set_property(&mut self, target: Value<'a>, name: &'a str, value: Value<'a>, place: Place) -> Ran<()> {
        self.put_into(target, Value::Str(Text::Lent(name)), value, place).map(|_| ())
    }

    /// `#set($target[index] = value)`: `set` of a list, else `put` of a map.
    pub(super) fn set_index(&mut self, target: Value<'a>, index: Value<'a>, value: Value<'a>, place: Place) -> Ran<()> {
        let index = self.counted(target, index, place)?;
        if let Value::List(id) = target {
            let indexable = matches!(self.heap.listing(id).kind, ListKind::Json | ListKind::Java | ListKind::Array);
            if let (Value::Int(at), true) = (index, indexable) {
                self.list_set(id, at, value, place)?;
            }
            return Ok(());
        }
        self.put_into(target, index, value, place).map(|_| ())
    }
}
