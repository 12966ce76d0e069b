//! A schema's compiled form.

use crate::spec::java_regex::JavaRegex;
use serde_json::{Number, Value as Json};
use std::collections::HashMap;

pub(super) type NodeId = usize;

/// One schema. What it does not mention holds.
///
/// In this order: what most schemas need lies in one line of the processor's cache.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Node {
    /// `$ref`: nothing else counts then.
    pub reference: Option<NodeId>,
    /// Bits of [`TYPES`].
    pub types: Option<u8>,
    /// Bits of [`asks`]: which groups of keywords it has.
    pub asks: u8,
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

/// Groups of a schema's keywords.
pub(super) mod asks {
    pub(in crate::spec::schema) const ENUMERATION: u8 = 1;
    pub(in crate::spec::schema) const NUMBERS: u8 = 2;
    pub(in crate::spec::schema) const TEXTS: u8 = 4;
    pub(in crate::spec::schema) const LISTS: u8 = 8;
    pub(in crate::spec::schema) const MAPS: u8 = 16;
    pub(in crate::spec::schema) const SCHEMAS: u8 = 32;
}

impl Node {
    /// Notes which groups of keywords it has, once it has them all.
    pub(super) fn settled(mut self) -> Node {
        let lists = !matches!(self.items, Items::Any) || !matches!(self.additional_items, Additional::Any);
        let counted = self.min_items.is_some() || self.max_items.is_some() || self.unique_items;
        let members = !self.required.is_empty() || !self.properties.is_empty() || !self.pattern_properties.is_empty();
        let others = !matches!(self.additional_properties, Additional::Any) || !self.dependencies.is_empty();
        let groups = [
            (asks::ENUMERATION, self.enumeration.is_some()),
            (asks::NUMBERS, self.multiple_of.is_some() || self.minimum.is_some() || self.maximum.is_some()),
            (asks::TEXTS, self.min_length.is_some() || self.max_length.is_some() || self.pattern.is_some()),
            (asks::LISTS, lists || counted),
            (asks::MAPS, members || others || self.min_properties.is_some() || self.max_properties.is_some()),
            (
                asks::SCHEMAS,
                !self.all_of.is_empty() || !self.any_of.is_empty() || !self.one_of.is_empty() || self.not.is_some(),
            ),
        ];
        self.asks = groups.iter().filter(|(_, has)| *has).map(|(bit, _)| bit).sum();
        self
    }

    #[inline]
    pub(super) fn asks(&self, group: u8) -> bool {
        self.asks & group != 0
    }
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

    pub(super) fn is_empty(&self) -> bool {
        self.few.is_empty() && self.many.is_empty()
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
