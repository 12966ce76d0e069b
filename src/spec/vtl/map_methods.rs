//! Methods of maps.

use super::method::Method;
use super::node::Place;
use super::run::{At, EMPTY, Ran, Run};
use crate::spec::object::{MapId, Value};

impl<'a> Run<'a> {
    pub(super) fn map_method(
        &mut self,
        id: MapId,
        method: Method,
        arguments: &[Value<'a>],
        place: Place,
    ) -> Ran<Value<'a>> {
        let or_null = |value: Option<Value<'a>>| value.unwrap_or(Value::Null);
        Ok(match (method, arguments) {
            (Method::Get, [key]) => or_null(self.heap.get(id, *key).at(place)?),
            (Method::Put, [key, value]) => or_null(self.heap.put(id, *key, *value).at(place)?),
            (Method::Size, []) => Value::Int(self.heap.dict(id).entries().len() as i32),
            (Method::IsEmpty, []) => Value::Bool(self.heap.dict(id).entries().is_empty()),
            (Method::ContainsKey, [key]) => Value::Bool(self.heap.find(id, *key).at(place)?.is_some()),
            (Method::ContainsValue, [value]) => {
                for at in 0..self.heap.dict(id).entries().len() {
                    let other = self.heap.dict(id).entries()[at].1;
                    if self.heap.equals(*value, other).at(place)? {
                        return Ok(Value::Bool(true));
                    }
                }
                Value::Bool(false)
            }
            (Method::KeySet | Method::Values | Method::EntrySet, []) => return self.view(id, method, place),
            (Method::PutAll, [Value::Map(other)]) => {
                let entries = self.heap.dict(*other).entries().to_vec();
                self.heap.charge(entries.len()).at(place)?;
                for (key, value) in entries {
                    self.heap.put(id, key, value).at(place)?;
                }
                EMPTY
            }
            (Method::Remove, [key]) => or_null(self.heap.remove(id, *key).at(place)?),
            (Method::Clear, []) => {
                self.heap.clear(id);
                EMPTY
            }
            (Method::GetOrDefault, [key, other]) => self.heap.get(id, *key).at(place)?.unwrap_or(*other),
            (Method::PutIfAbsent, [key, value]) => match self.heap.get(id, *key).at(place)? {
                Some(found) if !matches!(found, Value::Null) => found,
                _ => or_null(self.heap.put(id, *key, *value).at(place)?),
            },
            _ => Value::Null,
        })
    }
}
