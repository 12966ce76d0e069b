//! A model's schema as OpenAPI can say it; where that loses something, the whole goes along.

use super::Dialect;
use crate::spec::openapi::document::referenced_model;
use crate::spec::openapi::finding::escape;
use crate::spec::openapi::read::schema::{SHARED, WHOLE, ordered};
use serde_json::{Map, Value};

const TYPES: &[&str] = &["object", "array", "string", "number", "integer", "boolean"];

/// The schema that an export shows of a model. `text` is the model's schema, JSON.
pub(super) fn published(text: &str, dialect: Dialect) -> Value {
    let parsed: Value = serde_json::from_str(text).unwrap_or_default();
    let mut lost = false;
    let shown = said(&parsed, dialect, &mut lost, 0);
    let mut map = match shown {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    if lost {
        map.insert(WHOLE.to_owned(), whole(&parsed));
    }
    Value::Object(map)
}

/// What a dialect can say of a schema.
fn said(schema: &Value, dialect: Dialect, lost: &mut bool, depth: usize) -> Value {
    let Value::Object(map) = schema else {
        *lost = true;
        return Value::Object(Map::new());
    };
    if depth > super::super::MOST_DEPTH {
        *lost = true;
        return Value::Object(Map::new());
    }
    if let Some(Value::String(reference)) = map.get("$ref") {
        return refer(reference, dialect, lost);
    }
    let mut out = Map::new();
    for (key, value) in map {
        if let Some(value) = member(key, value, dialect, lost, depth) {
            out.insert(key.clone(), value);
        }
    }
    // OpenAPI 3 asks for the items of every array.
    if out.get("type").and_then(Value::as_str) == Some("array") && !out.contains_key("items") {
        out.insert("items".into(), Value::Object(Map::new()));
        *lost = true;
    }
    Value::Object(if dialect == Dialect::Oas30 { ordered(out) } else { out })
}

fn refer(reference: &str, dialect: Dialect, lost: &mut bool) -> Value {
    let mut map = Map::new();
    match referenced_model(reference) {
        Some(name) => {
            let home = if dialect == Dialect::Swagger { "definitions" } else { "components/schemas" };
            map.insert("$ref".into(), format!("#/{home}/{}", escape(name)).into());
        }
        None => *lost = true,
    }
    Value::Object(map)
}

fn member(key: &str, value: &Value, dialect: Dialect, lost: &mut bool, depth: usize) -> Option<Value> {
    let mut inner = |value: &Value| said(value, dialect, lost, depth + 1);
    let kept = match (key, value) {
        // Neither says anything about bodies.
        ("$schema" | "id", Value::String(_)) if depth == 0 => return None,
        ("properties", Value::Object(map)) => {
            Some(Value::Object(map.iter().map(|(name, value)| (name.clone(), inner(value))).collect()))
        }
        ("items" | "additionalProperties", value @ Value::Object(_)) => Some(inner(value)),
        ("additionalProperties", value @ Value::Bool(_)) => Some(value.clone()),
        ("not", value @ Value::Object(_)) if dialect == Dialect::Oas30 => Some(inner(value)),
        ("allOf", Value::Array(items)) => Some(items.iter().map(inner).collect()),
        ("anyOf" | "oneOf", Value::Array(items)) if dialect == Dialect::Oas30 => {
            Some(items.iter().map(inner).collect())
        }
        ("nullable", Value::Bool(_)) if dialect == Dialect::Oas30 => Some(value.clone()),
        ("type", Value::String(word)) if TYPES.contains(&word.as_str()) => Some(value.clone()),
        (key, value) if SHARED.contains(&key) && fits(key, value) => Some(value.clone()),
        _ => None,
    };
    *lost |= kept.is_none();
    kept
}

/// Whether a keyword has the kind of value that OpenAPI asks for.
fn fits(key: &str, value: &Value) -> bool {
    let whole = || value.as_u64().is_some();
    match key {
        "title" | "description" | "pattern" | "format" => value.is_string(),
        "enum" => value.as_array().is_some_and(|list| !list.is_empty()),
        "required" => value.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(Value::is_string)),
        "uniqueItems" => value.is_boolean(),
        "maximum" | "minimum" => value.is_number(),
        "multipleOf" => value.as_f64().is_some_and(|number| number > 0.0),
        _ => whole(),
    }
}

/// The schema as it is, references to models in a form that names no API.
fn whole(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => {
            let turned = map.iter().map(|(key, value)| match value.as_str().filter(|_| key == "$ref") {
                Some(text) => {
                    let model = referenced_model(text).map(|name| format!("#/components/schemas/{}", escape(name)));
                    (key.clone(), Value::String(model.unwrap_or_else(|| text.to_owned())))
                }
                None => (key.clone(), whole(value)),
            });
            Value::Object(turned.collect())
        }
        Value::Array(items) => items.iter().map(whole).collect(),
        other => other.clone(),
    }
}
