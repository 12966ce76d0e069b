//! A schema's compiled form.

use crate::spec::java_regex::JavaRegex;
use serde_json::{Number, Value as Json};
use std::collections::HashMap;

pub(super) type NodeId = usize;

/// One schema. What it does not mention holds.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// `$ref`: nothing else counts then.
    pub reference: Option<NodeId>,
    /// Bits of [`Type`].
    pub types: Option<u8>,
    pub enumeration: Option<Vec<Json>>,
    pub multiple_of: Option<Number>,
    pub minimum: Option<(Number, bool)>,
    pub maximum: Option<(Number, bool)>,
    pub min_length: Option<u64>,
    pub max_length: Option<u64>,
    pub pattern: Option<(String, JavaRegex)>,
    pub items: Items,
    pub additional_items: Additional,
    pub min_items: Option<u64>,
    pub max_items: Option<u64>,
    pub unique_items: bool,
    pub required: Vec<String>,
    pub min_properties: Option<u64>,
    pub max_properties: Option<u64>,
    pub properties: Properties,
    pub pattern_properties: Vec<(JavaRegex, NodeId)>,
    pub additional_properties: Additional,
    pub dependencies: Vec<(String, Dependency)>,
    pub all_of: Vec<NodeId>,
    pub any_of: Vec<NodeId>,
    pub one_of: Vec<NodeId>,
    pub not: Option<NodeId>,
}

#[derive(Debug, Default)]
pub(super) enum Items {
    #[default]
    Any,
    All(NodeId),
    Each(Vec<NodeId>),
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) enum Additional {
    #[default]
    Any,
    None,
    Schema(NodeId),
}

#[derive(Debug)]
pub(super) enum Dependency {
    Properties(Vec<String>),
    Schema(NodeId),
}

/// So many names are faster compared one by one than hashed.
const FEW: usize = 8;

/// Schemas by a member's name.
#[derive(Debug, Default)]
pub(super) struct Properties {
    few: Vec<(Box<str>, NodeId)>,
    many: HashMap<Box<str>, NodeId>,
}

impl Properties {
    pub(super) fn of(list: Vec<(Box<str>, NodeId)>) -> Properties {
        if list.len() <= FEW {
            return Properties { few: list, many: HashMap::new() };
        }
        Properties { few: Vec::new(), many: list.into_iter().collect() }
    }

    #[inline]
    pub(super) fn get(&self, name: &str) -> Option<NodeId> {
        match self.few.iter().find(|(known, _)| **known == *name) {
            Some((_, node)) => Some(*node),
            None if self.many.is_empty() => None,
            None => self.many.get(name).copied(),
        }
    }
}

/// The types and their names, in the order in which messages list them.
pub(super) const TYPES: [(&str, u8); 7] =
    [("array", 1), ("boolean", 2), ("integer", 4), ("null", 8), ("number", 16), ("object", 32), ("string", 64)];

/// The name of a type's bit.
pub(super) fn type_name(bit: u8) -> &'static str {
    TYPES.iter().find(|(_, known)| *known == bit).map_or("", |(name, _)| name)
}
