//! A value of the file and where it stands.

use super::finding::{pointer, unescape};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    pub(super) value: &'a Value,
    pub(super) at: Place<'a>,
}

/// Where a value stands: its key, and where that object or list stands. Text (a JSON pointer) only where somebody reads it:
/// a key of megabytes must not be written once for each value below it.
#[derive(Debug, Clone, Default)]
pub(super) struct Place<'a>(Option<Rc<(Place<'a>, Key<'a>)>>);

#[derive(Debug)]
enum Key<'a> {
    Name(&'a str),
    /// A member that this program asked for by its name.
    Known(String),
    Index(usize),
}

impl<'a> Place<'a> {
    /// The place that a JSON pointer without its first slash names.
    pub(super) fn of(pointer: &'a str) -> Self {
        pointer.split('/').fold(Self::default(), |above, key| above.below(Key::Known(unescape(key))))
    }

    fn below(&self, key: Key<'a>) -> Self {
        Self(Some(Rc::new((self.clone(), key))))
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut keys, mut here) = (Vec::new(), self);
        while let Some(step) = &here.0 {
            keys.push(match &step.1 {
                Key::Name(name) => Cow::Borrowed(*name),
                Key::Known(name) => Cow::Borrowed(name.as_str()),
                Key::Index(index) => Cow::Owned(index.to_string()),
            });
            here = &step.0;
        }
        f.write_str(&pointer(keys.iter().rev().map(AsRef::as_ref)))
    }
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self { value, at: Place::default() }
    }

    /// A member; null counts as absent.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(Self { value, at: self.at.below(Key::Known(key.to_owned())) })
    }

    pub(super) fn object(&self) -> Option<&'a Map<String, Value>> {
        self.value.as_object()
    }

    /// The members of an object, in order; none of anything else.
    pub(super) fn members(&self) -> impl Iterator<Item = (&'a str, Self)> {
        let at = self.at.clone();
        let members = self.value.as_object().into_iter().flatten();
        members.map(move |(key, value)| (key.as_str(), Self { value, at: at.below(Key::Name(key)) }))
    }

    /// The items of a list; none of anything else.
    pub(super) fn items(&self) -> impl Iterator<Item = Self> {
        let at = self.at.clone();
        let items = self.value.as_array().into_iter().flatten().enumerate();
        items.map(move |(index, value)| Self { value, at: at.below(Key::Index(index)) })
    }

    /// Text; numbers and booleans, which YAML makes of unquoted text, as they are written.
    pub(super) fn text(&self) -> Option<String> {
        match self.value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => Some(self.value.to_string()),
            _ => None,
        }
    }

    /// A text member.
    pub(super) fn text_of(&self, key: &str) -> Option<String> {
        self.get(key)?.text()
    }

    /// A boolean member, also as text.
    pub(super) fn flag_of(&self, key: &str) -> Option<bool> {
        match self.get(key)?.value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => Some(text.eq_ignore_ascii_case("true")),
            _ => None,
        }
    }

    /// A whole-number member, also as text.
    pub(super) fn number_of(&self, key: &str) -> Option<i64> {
        match self.get(key)?.value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A list member of texts; one text alone is a list of one.
    pub(super) fn texts_of(&self, key: &str) -> Option<Vec<String>> {
        let node = self.get(key)?;
        match node.value {
            Value::Array(_) => Some(node.items().filter_map(|item| item.text()).collect()),
            _ => node.text().map(|text| vec![text]),
        }
    }
}
