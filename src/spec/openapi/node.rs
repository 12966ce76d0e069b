//! A value of the file and where it stands.

use super::finding::escape;
use serde_json::{Map, Value};

/// A value with its JSON pointer.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    pub(super) value: &'a Value,
    pub(super) at: String,
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self { value, at: String::new() }
    }

    /// A member; null counts as absent.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(Self { value, at: format!("{}/{}", self.at, escape(key)) })
    }

    pub(super) fn object(&self) -> Option<&'a Map<String, Value>> {
        self.value.as_object()
    }

    /// The members of an object, in order; none of anything else.
    pub(super) fn members(&self) -> impl Iterator<Item = (&'a str, Self)> {
        let at = self.at.clone();
        let members = self.value.as_object().into_iter().flatten();
        members.map(move |(key, value)| (key.as_str(), Self { value, at: format!("{at}/{}", escape(key)) }))
    }

    /// The items of a list; none of anything else.
    pub(super) fn items(&self) -> impl Iterator<Item = Self> {
        let at = self.at.clone();
        let items = self.value.as_array().into_iter().flatten().enumerate();
        items.map(move |(index, value)| Self { value, at: format!("{at}/{index}") })
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
