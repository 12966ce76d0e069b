//! The nouns of the REST control plane (`apigateway`), one file each: operations, patch rules, guards, odd ones.

pub mod rest_api;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Verb;
use super::model::{Operation, Service};

/// Every noun's operations: the one list of what is built.
pub const NOUNS: &[&[Verb]] = &[rest_api::OPERATIONS];

static BY_NAME: LazyLock<HashMap<&'static str, &'static Verb>> =
    LazyLock::new(|| NOUNS.iter().flat_map(|verbs| verbs.iter()).map(|verb| (verb.name, verb)).collect());

/// The home of an operation; `None` while it has none.
pub fn verb(operation: &Operation) -> Option<&'static Verb> {
    BY_NAME.get(operation.name).copied().filter(|_| operation.service == Service::V1)
}
