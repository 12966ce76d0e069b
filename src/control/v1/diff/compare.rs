//! Two surfaces side by side: what came, what went, and which members changed, by JSON pointer.

use super::surface::{Place, Surface};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) place: Place,
    /// Where in the thing (RFC 6901); empty: the whole of it.
    pub(super) member: Vec<String>,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
    /// Why clients of the stage would notice.
    pub(super) breaking: Option<String>,
}

impl Change {
    /// As people and programs get it.
    pub(super) fn show(&self) -> Value {
        let kind = match (&self.before, &self.after) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        };
        let pointer: String =
            self.member.iter().map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1"))).collect();
        json!({
            "place": self.place.to_string(), "member": pointer, "change": kind,
            "before": self.before, "after": self.after, "breaking": self.breaking,
        })
    }
}

/// Members whose entries are compared one by one even where one side has no such member.
const MAPS: [&str; 8] = [
    "requestParameters",
    "requestModels",
    "requestValidator",
    "methodResponses",
    "responseParameters",
    "responseModels",
    "integrationResponses",
    "properties",
];
/// Lists whose order means nothing.
const SETS: [&str; 9] = [
    "authorizationScopes",
    "binaryMediaTypes",
    "cacheKeyParameters",
    "enum",
    "providerARNs",
    "required",
    "type",
    "types",
    "vpcEndpointIds",
];

/// Every difference, in the order of the places.
pub(super) fn compare(old: &Surface, new: &Surface) -> Vec<Change> {
    let places: BTreeSet<&Place> = old.things.keys().chain(new.things.keys()).collect();
    let mut changes = Vec::new();
    for place in places {
        let mut each = |member: &[String], before: Option<&Value>, after: Option<&Value>| {
            let (before, after) = (before.cloned(), after.cloned());
            changes.push(Change { place: place.clone(), member: member.to_vec(), before, after, breaking: None });
        };
        match (old.things.get(place), new.things.get(place)) {
            (Some(before), Some(after)) => leaves(before, after, &mut Vec::new(), &mut each),
            (before, after) => each(&[], before, after),
        }
    }
    changes
}

/// Hands out the smallest members that differ.
pub(super) fn leaves(
    before: &Value,
    after: &Value,
    at: &mut Vec<String>,
    each: &mut impl FnMut(&[String], Option<&Value>, Option<&Value>),
) {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        let set = at.last().is_some_and(|name| SETS.contains(&name.as_str()));
        if before != after && !(set && same_set(before, after)) {
            each(at, Some(before), Some(after));
        }
        return;
    };
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let nothing = Value::Object(Map::new());
    for name in names {
        at.push(name.clone());
        match (old.get(name), new.get(name)) {
            (Some(before), Some(after)) => leaves(before, after, at, each),
            (Some(before @ Value::Object(_)), None) if MAPS.contains(&name.as_str()) => {
                leaves(before, &nothing, at, each)
            }
            (None, Some(after @ Value::Object(_))) if MAPS.contains(&name.as_str()) => {
                leaves(&nothing, after, at, each)
            }
            (before, after) => each(at, before, after),
        }
        at.pop();
    }
}

/// What only the second list has.
pub(super) fn gained<'v>(before: Option<&Value>, after: Option<&'v Value>) -> Vec<&'v Value> {
    let old = items(before);
    items(after).into_iter().filter(|value| !old.contains(value)).collect()
}

/// A list's items; of one value, itself.
pub(super) fn items(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None => Vec::new(),
        Some(Value::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
    }
}

fn same_set(before: &Value, after: &Value) -> bool {
    before.is_array() == after.is_array()
        && gained(Some(before), Some(after)).is_empty()
        && gained(Some(after), Some(before)).is_empty()
}
