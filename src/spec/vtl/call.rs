//! Method calls: who answers, and what all objects have.

use super::method::Method;
use super::node::{Invocation, Place};
use super::run::{At, Entry, Ran, Run, fail, kind};
use crate::spec::object::{Foreign, Heap, ListKind, MapId, Text, Value};

impl<'a> Run<'a> {
    /// Calls a method; null when the object has none of this name that takes such arguments.
    pub(super) fn call(
        &mut self,
        target: Value<'a>,
        invocation: &'a Invocation,
        arguments: &[Value<'a>],
    ) -> Ran<Value<'a>> {
        let place = invocation.place;
        match (invocation.method, arguments) {
            (Method::ToString, []) => {
                if matches!(target, Value::Str(_)) {
                    return Ok(target);
                }
                let text = self.string(target, place)?;
                return self.text(text, place);
            }
            (Method::Equals, [other]) => return Ok(Value::Bool(self.heap.equals(target, *other).at(place)?)),
            (Method::HashCode, []) => return Ok(Value::Int(self.hash(target, place, 0)?)),
            _ => {}
        }
        match target {
            Value::Str(text) => self.string_method(text, invocation, arguments),
            Value::List(id) => self.list_method(id, invocation, arguments),
            Value::Map(id) => self.map_method(id, invocation.method, arguments, place),
            Value::Foreign(object) => self.foreign_method(object, invocation, arguments),
            Value::Null => Ok(Value::Null),
            number => self.number_method(number, invocation.method, arguments, place),
        }
    }

    fn foreign_method(
        &mut self,
        object: Foreign,
        invocation: &'a Invocation,
        arguments: &[Value<'a>],
    ) -> Ran<Value<'a>> {
        let place = invocation.place;
        match object.kind {
            kind::INPUT => self.input_method(invocation, arguments),
            kind::HELPERS => self.helper(invocation.method, arguments, place),
            kind::CONTEXT | kind::STAGE_VARIABLES => match (invocation.method, arguments) {
                (Method::Get, [Value::Str(name)]) => self.get_of(Value::Foreign(object), Value::Str(*name), place),
                (Method::Put, [key, value]) => self.put_into(Value::Foreign(object), *key, *value, place),
                (method, arguments) => match self.foreign_map(object, place)? {
                    Some(map) => self.map_method(map, method, arguments, place),
                    None => Ok(Value::Null),
                },
            },
            kind::ENTRY => {
                let Entry { map, key, .. } = self.entries[object.id as usize];
                Ok(match (invocation.method, arguments) {
                    (Method::GetKey, []) => key,
                    (Method::GetValue, []) => self.heap.get(map, key).at(place)?.unwrap_or(Value::Null),
                    (Method::SetValue, [value]) => self.heap.put(map, key, *value).at(place)?.unwrap_or(Value::Null),
                    _ => Value::Null,
                })
            }
            kind::ITERATOR => {
                let (list, at) = self.iterators[object.id as usize];
                let items = self.heap.items(list);
                Ok(match (invocation.method, arguments) {
                    (Method::HasNext, []) => Value::Bool(at < items.len()),
                    (Method::Next, []) => match items.get(at).copied() {
                        Some(item) => {
                            self.iterators[object.id as usize].1 += 1;
                            item
                        }
                        None => return Err(fail(place, "next() after the last element")),
                    },
                    _ => Value::Null,
                })
            }
            kind::SCOPE => self.scope_method(object, invocation.method, arguments, place),
            _ => Ok(Value::Null),
        }
    }

    fn scope_method(
        &mut self,
        object: Foreign,
        method: Method,
        arguments: &[Value<'a>],
        place: Place,
    ) -> Ran<Value<'a>> {
        let name = match method {
            Method::GetIndex => "index",
            Method::GetCount => "count",
            Method::HasNext | Method::GetHasNext => "hasNext",
            Method::IsFirst | Method::GetFirst => "first",
            Method::IsLast | Method::GetLast => "last",
            Method::GetParent => "parent",
            Method::GetTopmost => "topmost",
            Method::Get => match arguments {
                [key] => return self.scope_get(object.id, *key, place),
                _ => return Ok(Value::Null),
            },
            Method::Put => match arguments {
                [key, value] => return self.put_into(Value::Foreign(object), *key, *value, place),
                _ => return Ok(Value::Null),
            },
            method => {
                let map = self.foreign_map(object, place)?;
                return map.map_or(Ok(Value::Null), |map| self.map_method(map, method, arguments, place));
            }
        };
        Ok(if arguments.is_empty() { self.scope_property(object.id, name) } else { Value::Null })
    }

    /// `get(key)` of whatever has it.
    pub(super) fn get_of(&mut self, value: Value<'a>, key: Value<'a>, place: Place) -> Ran<Value<'a>> {
        match value {
            Value::Map(id) => Ok(self.heap.get(id, key).at(place)?.unwrap_or(Value::Null)),
            Value::List(id) => match (key, self.heap.listing(id).kind) {
                (Value::Int(at), ListKind::Json | ListKind::Java | ListKind::Array) => self.list_get(id, at, place),
                _ => Ok(Value::Null),
            },
            Value::Foreign(object) => match (object.kind, key) {
                (kind::SCOPE, key) => self.scope_get(object.id, key, place),
                (_, Value::Str(name)) => {
                    let name = self.heap.str(name).to_owned();
                    self.heap.charge(name.len() / 64).at(place)?;
                    self.foreign_get(object, &name, place)
                }
                _ => Ok(Value::Null),
            },
            _ => Ok(Value::Null),
        }
    }

    /// `put(key, value)` of whatever has it; gives back what was there.
    pub(super) fn put_into(
        &mut self,
        target: Value<'a>,
        key: Value<'a>,
        value: Value<'a>,
        place: Place,
    ) -> Ran<Value<'a>> {
        let map = match target {
            Value::Map(id) => id,
            Value::Foreign(object) if object.kind == kind::SCOPE => match self.scopes[object.id as usize].storage {
                Some(storage) => storage,
                None => {
                    let storage = self.heap.map().at(place)?;
                    self.scopes[object.id as usize].storage = Some(storage);
                    storage
                }
            },
            Value::Foreign(object) if object.kind == kind::CONTEXT && object.id == 0 => match self.context_extra {
                Some(extra) => extra,
                None => {
                    let extra = self.heap.map().at(place)?;
                    self.context_extra = Some(extra);
                    extra
                }
            },
            _ => return Ok(Value::Null),
        };
        Ok(self.heap.put(map, key, value).at(place)?.unwrap_or(Value::Null))
    }

    /// `size()` of whatever has it.
    pub(super) fn size(&mut self, value: Value<'a>, place: Place) -> Ran<Option<usize>> {
        Ok(match value {
            Value::List(id) => Some(self.heap.items(id).len()),
            Value::Map(id) => Some(self.heap.dict(id).entries().len()),
            Value::Foreign(object) => self.foreign_map(object, place)?.map(|map| self.heap.dict(map).entries().len()),
            _ => None,
        })
    }

    /// Java's `hashCode`.
    fn hash(&mut self, value: Value<'a>, place: Place, depth: usize) -> Ran<i32> {
        if depth > super::run::MOST_DEPTH {
            return Err(fail(place, crate::spec::object::Exceeded::Depth.to_string()));
        }
        self.heap.charge(1).at(place)?;
        let fold = |bits: u64| (bits ^ (bits >> 32)) as i32;
        Ok(match value {
            Value::Null => 0,
            Value::Bool(value) => {
                if value {
                    1231
                } else {
                    1237
                }
            }
            Value::Char(unit) => i32::from(unit),
            Value::Int(number) => number,
            Value::Long(number) => fold(number as u64),
            Value::Double(number) => fold(number.to_bits()),
            Value::Str(text) | Value::Decimal(text) => {
                self.heap.charge(self.heap.str(text).len() / 16).at(place)?;
                let units = self.heap.str(text).encode_utf16();
                units.fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
            }
            Value::List(id) => {
                let mut hash = 1i32;
                for at in 0..self.heap.items(id).len() {
                    let item = self.heap.items(id)[at];
                    hash = hash.wrapping_mul(31).wrapping_add(self.hash(item, place, depth + 1)?);
                }
                hash
            }
            Value::Map(id) => {
                let mut hash = 0i32;
                for at in 0..self.heap.dict(id).entries().len() {
                    let (key, value) = self.heap.dict(id).entries()[at];
                    let entry = self.hash(key, place, depth + 1)? ^ self.hash(value, place, depth + 1)?;
                    hash = hash.wrapping_add(entry);
                }
                hash
            }
            Value::Big(_) | Value::Foreign(_) => 0,
        })
    }

    /// A string argument's characters: strings only, as Java's overloads want.
    pub(super) fn str_argument(&self, value: Value<'a>) -> Option<&str> {
        match value {
            Value::Str(text) => Some(self.heap.str(text)),
            _ => None,
        }
    }

    /// A map's keys, values or entries, as they are now.
    pub(super) fn view(&mut self, map: MapId, method: Method, place: Place) -> Ran<Value<'a>> {
        self.heap.charge(self.heap.dict(map).entries().len() / 8).at(place)?;
        let (kind, items): (ListKind, Vec<Value<'a>>) = match method {
            Method::KeySet => (ListKind::Set, self.heap.dict(map).entries().iter().map(|(key, _)| *key).collect()),
            Method::Values => {
                (ListKind::Values, self.heap.dict(map).entries().iter().map(|(_, value)| *value).collect())
            }
            _ => {
                let count = self.heap.dict(map).entries().len();
                self.heap.take(count * 24).at(place)?;
                let from = self.entries.len() as u32;
                let (entries, heap) = (&mut self.entries, &self.heap);
                let keys = heap.dict(map).entries().iter().enumerate();
                entries.extend(keys.map(|(at, (key, _))| Entry { map, key: *key, at: at as u32 }));
                let entry = |at| Value::Foreign(Foreign { kind: kind::ENTRY, id: from + at as u32 });
                (ListKind::Set, (0..count).map(entry).collect())
            }
        };
        self.heap.list(kind, items).at(place)
    }

    /// An iterator over a list as it is now.
    pub(super) fn iterator(&mut self, items: Vec<Value<'a>>, place: Place) -> Ran<Value<'a>> {
        let Value::List(list) = self.heap.list(ListKind::Java, items).at(place)? else { return Ok(Value::Null) };
        self.iterators.push((list, 0));
        Ok(Value::Foreign(Foreign { kind: kind::ITERATOR, id: self.iterators.len() as u32 - 1 }))
    }

    /// Whether it is a number, for arguments.
    pub(super) fn is_number(value: Value<'a>) -> bool {
        Heap::is_number(value)
    }

    /// A text that the template or the heap has, without copying it twice.
    pub(super) fn lent(text: &'a str) -> Value<'a> {
        Value::Str(Text::Lent(text))
    }
}
