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
    pub properties: HashMap<String, NodeId>,
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

/// The types and their names, in the order in which messages list them.
pub(super) const TYPES: [(&str, u8); 7] =
    [("array", 1), ("boolean", 2), ("integer", 4), ("null", 8), ("number", 16), ("object", 32), ("string", 64)];

/// The bit of an instance's type.
pub(super) fn type_of(instance: &Json) -> u8 {
    match instance {
        Json::Array(_) => 1,
        Json::Bool(_) => 2,
        Json::Null => 8,
        // Draft 4: a number with a fraction, even of zeros, is no integer.
        Json::Number(number) if number.is_f64() => 16,
        Json::Number(_) => 4,
        Json::Object(_) => 32,
        Json::String(_) => 64,
    }
}

/// The name of a type's bit.
pub(super) fn type_name(bit: u8) -> &'static str {
    TYPES.iter().find(|(_, known)| *known == bit).map_or("", |(name, _)| name)
}
