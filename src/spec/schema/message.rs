//! What API Gateway's validator says about each keyword.

use super::node::{TYPES, type_name};
use serde_json::{Number, Value as Json};

/// The longest value that is shown in a message.
const MOST_SHOWN: usize = 200;

fn shown(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(MOST_SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

fn list<S: AsRef<str>>(names: &[S]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| Json::from(name.as_ref()).to_string()).collect();
    format!("[{}]", quoted.join(","))
}

pub(super) fn wrong_type(found: u8, allowed: u8) -> String {
    let names: Vec<&str> = TYPES.iter().filter(|(_, bit)| allowed & bit != 0).map(|(name, _)| *name).collect();
    let (found, allowed) = (type_name(found), list(&names));
    format!("instance type ({found}) does not match any allowed primitive type (allowed: {allowed})")
}

pub(super) fn not_in_enum(instance: &Json, allowed: &[Json]) -> String {
    let values: Vec<String> = allowed.iter().map(shown).collect();
    format!("instance value ({}) not found in enum (possible values: [{}])", shown(instance), values.join(","))
}

pub(super) fn not_multiple(value: &Number, divisor: &Number) -> String {
    format!("remainder of division is not zero ({value} / {divisor})")
}

pub(super) fn too_low(found: &Number, minimum: &Number, exclusive: bool) -> String {
    if exclusive {
        format!("numeric instance is not strictly greater than the required minimum {minimum}")
    } else {
        format!("numeric instance is lower than the required minimum (minimum: {minimum}, found: {found})")
    }
}

pub(super) fn too_high(found: &Number, maximum: &Number, exclusive: bool) -> String {
    if exclusive {
        format!("numeric instance is not strictly lower than the required maximum {maximum}")
    } else {
        format!("numeric instance is greater than the required maximum (maximum: {maximum}, found: {found})")
    }
}

pub(super) fn too_short(text: &str, length: u64, minimum: u64) -> String {
    let text = shown(&Json::from(text));
    format!("string {text} is too short (length: {length}, required minimum: {minimum})")
}

pub(super) fn too_long(text: &str, length: u64, maximum: u64) -> String {
    let text = shown(&Json::from(text));
    format!("string {text} is too long (length: {length}, maximum allowed: {maximum})")
}

pub(super) fn no_match(text: &str, pattern: &str) -> String {
    let (text, pattern) = (shown(&Json::from(text)), Json::from(pattern));
    format!("ECMA 262 regex {pattern} does not match input string {text}")
}

pub(super) fn few_items(found: u64, minimum: u64) -> String {
    format!("array is too short: must have at least {minimum} elements but instance has {found} elements")
}

pub(super) fn many_items(found: u64, maximum: u64) -> String {
    format!("array is too long: must have at most {maximum} elements but instance has {found} elements")
}

pub(super) fn few_properties(found: u64, minimum: u64) -> String {
    format!("object has too few properties (found {found} but schema requires at least {minimum})")
}

pub(super) fn many_properties(found: u64, maximum: u64) -> String {
    format!("object has too many properties (found {found} but schema requires at most {maximum})")
}

pub(super) fn missing(names: &[&str]) -> String {
    format!("object has missing required properties ({})", list(names))
}

pub(super) fn unwanted(names: &[&str]) -> String {
    format!("object instance has properties which are not allowed by the schema: {}", list(names))
}

pub(super) fn missing_dependencies(name: &str, required: &[String], missing: &[&str]) -> String {
    let (required, missing) = (list(required), list(missing));
    let name = Json::from(name);
    format!(
        "property {name} of object has missing property dependencies (schema requires {required}; missing: {missing})"
    )
}

pub(super) fn not_all(matched: usize, of: usize) -> String {
    format!("instance failed to match all required schemas (matched only {matched} out of {of})")
}

pub(super) fn not_any(of: usize) -> String {
    format!("instance failed to match at least one required schema among {of}")
}

pub(super) fn not_one(matched: usize, of: usize) -> String {
    format!("instance failed to match exactly one schema (matched {matched} out of {of})")
}

pub(super) const MATCHED_NOT: &str = "instance matched a schema which it should not have";
pub(super) const DUPLICATES: &str = "array must not contain duplicate elements";
pub(super) const MORE: &str = "and more";
pub(super) const TOO_MUCH: &str = "instance takes too long to validate";
