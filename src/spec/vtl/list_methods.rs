//! Methods of lists, arrays, sets and other collections.

use super::method::Method;
use super::node::{Invocation, Place};
use super::run::{At, Ran, Run, fail};
use crate::spec::object::{ListId, ListKind, Slash, Value};

impl<'a> Run<'a> {
    pub(super) fn list_method(
        &mut self,
        id: ListId,
        invocation: &'a Invocation,
        arguments: &[Value<'a>],
    ) -> Ran<Value<'a>> {
        let place = invocation.place;
        let kind = self.heap.listing(id).kind;
        let count = self.heap.items(id).len();
        match (invocation.method, arguments) {
            (Method::Size, []) => return Ok(Value::Int(count as i32)),
            (Method::IsEmpty, []) => return Ok(Value::Bool(count == 0)),
            (Method::Contains, [item]) => return Ok(Value::Bool(self.find(id, *item, place)?.is_some())),
            (Method::Iterator, []) => {
                let items = self.heap.items(id).to_vec();
                return self.iterator(items, place);
            }
            (Method::ToArray, []) => {
                let items = self.heap.items(id).to_vec();
                return self.heap.list(ListKind::Array, items).at(place);
            }
            (Method::ContainsAll, [Value::List(other)]) => {
                self.heap.charge(self.heap.items(*other).len() / 8).at(place)?;
                for item in self.heap.items(*other).to_vec() {
                    if self.find(id, item, place)?.is_none() {
                        return Ok(Value::Bool(false));
                    }
                }
                return Ok(Value::Bool(true));
            }
            _ => {}
        }
        match kind {
            ListKind::Json | ListKind::Java => self.ordered_method(id, invocation.method, arguments, place),
            ListKind::Array => match (invocation.method, arguments) {
                (Method::Get | Method::Set | Method::IndexOf | Method::LastIndexOf | Method::SubList, _) => {
                    self.ordered_method(id, invocation.method, arguments, place)
                }
                _ => Ok(Value::Null),
            },
            ListKind::Set | ListKind::Values => Ok(Value::Null),
        }
    }

    /// What `ArrayList` has.
    fn ordered_method(&mut self, id: ListId, method: Method, arguments: &[Value<'a>], place: Place) -> Ran<Value<'a>> {
        let count = self.heap.items(id).len();
        let beyond = |at: i32| fail(place, format!("position {at} is not within a list of size {count}"));
        match (method, arguments) {
            (Method::Get, [Value::Int(at)]) => self.list_get(id, *at, place),
            (Method::Set, [Value::Int(at), value]) => self.list_set(id, *at, *value, place),
            (Method::Add, [value]) => {
                self.heap.take(24).at(place)?;
                self.heap.items_mut(id).push(*value);
                Ok(Value::Bool(true))
            }
            (Method::Add, [Value::Int(at), value]) => {
                let position = usize::try_from(*at).ok().filter(|at| *at <= count).ok_or_else(|| beyond(*at))?;
                self.heap.take(24).at(place)?;
                self.heap.charge(count / 16).at(place)?;
                self.heap.items_mut(id).insert(position, *value);
                // `add(int, Object)` returns nothing, which prints as nothing.
                Ok(super::run::EMPTY)
            }
            (Method::AddAll, [Value::List(other)]) => {
                let items = self.heap.items(*other).to_vec();
                self.heap.take(24 * items.len()).at(place)?;
                let changed = !items.is_empty();
                self.heap.items_mut(id).extend(items);
                Ok(Value::Bool(changed))
            }
            (Method::Remove, [Value::Int(at)]) => {
                let position = usize::try_from(*at).ok().filter(|at| *at < count).ok_or_else(|| beyond(*at))?;
                self.heap.charge(count / 16).at(place)?;
                Ok(self.heap.items_mut(id).remove(position))
            }
            (Method::Remove, [value]) => match self.find(id, *value, place)? {
                Some(at) => {
                    self.heap.items_mut(id).remove(at);
                    Ok(Value::Bool(true))
                }
                None => Ok(Value::Bool(false)),
            },
            (Method::Clear, []) => {
                self.heap.items_mut(id).clear();
                Ok(super::run::EMPTY)
            }
            (Method::RemoveAll | Method::RetainAll, [Value::List(other)]) => {
                self.keep(id, *other, method == Method::RetainAll, place)
            }
            (Method::IndexOf, [value]) => Ok(Value::Int(self.find(id, *value, place)?.map_or(-1, |at| at as i32))),
            (Method::LastIndexOf, [value]) => {
                for at in (0..count).rev() {
                    let item = self.heap.items(id)[at];
                    if self.heap.equals(*value, item).at(place)? {
                        return Ok(Value::Int(at as i32));
                    }
                }
                Ok(Value::Int(-1))
            }
            (Method::SubList, [Value::Int(from), Value::Int(to)]) => {
                if *from < 0 || to < from || *to as usize > count {
                    return Err(fail(place, format!("from {from} to {to} is not within a list of size {count}")));
                }
                let items = self.heap.items(id)[*from as usize..*to as usize].to_vec();
                self.heap.list(ListKind::Java, items).at(place)
            }
            (Method::ToJsonString, []) if self.heap.listing(id).kind == ListKind::Json => {
                let mut out = String::new();
                let most = self.heap.memory_left();
                self.heap.print_json(Value::List(id), Slash::Escaped, &mut out, most, &|_, _| {}).at(place)?;
                self.text(out, place)
            }
            _ => Ok(Value::Null),
        }
    }

    pub(super) fn list_get(&mut self, id: ListId, at: i32, place: Place) -> Ran<Value<'a>> {
        let items = self.heap.items(id);
        match usize::try_from(at).ok().and_then(|at| items.get(at)) {
            Some(item) => Ok(*item),
            None => Err(fail(place, format!("position {at} is not within a list of size {}", items.len()))),
        }
    }

    pub(super) fn list_set(&mut self, id: ListId, at: i32, value: Value<'a>, place: Place) -> Ran<Value<'a>> {
        let items = self.heap.items_mut(id);
        let count = items.len();
        match usize::try_from(at).ok().and_then(|at| items.get_mut(at)) {
            Some(item) => Ok(std::mem::replace(item, value)),
            None => Err(fail(place, format!("position {at} is not within a list of size {count}"))),
        }
    }

    fn find(&mut self, id: ListId, value: Value<'a>, place: Place) -> Ran<Option<usize>> {
        for at in 0..self.heap.items(id).len() {
            let item = self.heap.items(id)[at];
            if self.heap.equals(value, item).at(place)? {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Keeps the elements that the other list has, or those that it has not.
    fn keep(&mut self, id: ListId, other: ListId, wanted: bool, place: Place) -> Ran<Value<'a>> {
        let mut kept = Vec::new();
        let items = self.heap.items(id).to_vec();
        self.heap.take(items.len() * 16).at(place)?;
        for item in &items {
            if self.find(other, *item, place)?.is_some() == wanted {
                kept.push(*item);
            }
        }
        let changed = kept.len() != items.len();
        *self.heap.items_mut(id) = kept;
        Ok(Value::Bool(changed))
    }
}
