//! A model's schema: what it may say, which other models it names, and those models put inside.

use super::draft4;
use crate::catalog::Table;
use crate::catalog::v1::Model;
use crate::control::{Fault, Scene};
use crate::state::{Scope, Tree};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Largest schema, bytes (AWS: 400 KB).
const MOST_BYTES: usize = 400 * 1024;

/// Most unknown keywords that one refusal names.
const MOST_TOLD: usize = 20;

/// How a model is named by another one: this, the API's id, `/models/`, its name.
const PREFIX: &str = "https://apigateway.amazonaws.com/restapis/";

fn invalid(error: &str) -> Fault {
    Fault::bad_request(format!("Invalid model specified: Validation Result: warnings : [], errors : [{error}]"))
}

/// Checks how large a schema is.
///
/// # Errors
/// BadRequest for one that is too large.
pub(in crate::control::v1) fn check_size(text: &str) -> Result<(), Fault> {
    if text.len() <= MOST_BYTES {
        return Ok(());
    }
    Err(invalid(&format!("Model schema is larger than {MOST_BYTES} bytes")))
}

/// Checks a schema: JSON, draft 4, and every reference leads somewhere in the same API.
///
/// # Errors
/// BadRequest that names what is not so.
pub(super) fn check(text: &str, model: &Model, scope: &Scope, scene: &Scene<'_>) -> Result<(), Fault> {
    check_size(text)?;
    // Models of other media types (XML) are kept as they are: nothing reads them.
    if !model.content_type.contains("json") {
        return Ok(());
    }
    let parsed: Value =
        serde_json::from_str(text).map_err(|e| invalid(&format!("Invalid model schema specified. {}", place(&e))))?;
    if !parsed.is_object() {
        return Err(invalid("Invalid model schema specified. A schema is a JSON object"));
    }
    let found = draft4::look(&parsed);
    if !found.unsupported.is_empty() {
        let words = Value::from(found.unsupported.into_iter().take(MOST_TOLD).collect::<Vec<String>>());
        return Err(invalid(&format!("Invalid model schema specified. Unsupported keyword(s): {words}")));
    }
    if let Some(flaw) = found.flaw {
        return Err(invalid(&format!("Invalid model schema specified. {flaw}")));
    }
    let api = scope.api_id().map(|api| api.to_string()).unwrap_or_default();
    let mut fault = None;
    references(&parsed, &mut |reference| {
        let known = match local(reference) {
            Some(pointer) => parsed.pointer(pointer).is_some(),
            None => match name_of(reference, &api) {
                Some(name) => name == model.name || scene.world.row(scope, Table::Model, name).is_some(),
                None => {
                    fault.get_or_insert_with(|| {
                        invalid("Invalid model schema specified, Model reference must be in canonical form")
                    });
                    true
                }
            },
        };
        if !known {
            let shown: String = reference.chars().take(256).collect();
            fault.get_or_insert_with(|| invalid(&format!("Invalid model reference specified: {shown}")));
        }
    });
    fault.map_or(Ok(()), Err)
}

fn place(error: &serde_json::Error) -> String {
    if error.to_string().contains("recursion limit") {
        return format!("It is nested more than 127 levels deep at column {}", error.column());
    }
    format!("It is not JSON at line {} column {}", error.line(), error.column())
}

/// The JSON pointer of a reference into the same schema.
fn local(reference: &str) -> Option<&str> {
    reference.strip_prefix('#')
}

/// The name in a reference to a model of this API.
fn name_of<'a>(reference: &'a str, api: &str) -> Option<&'a str> {
    let name = reference.strip_prefix(PREFIX)?.strip_prefix(api)?.strip_prefix("/models/")?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// Every `$ref` of a schema. JSON that came through a parser is not deep enough to hurt.
fn references(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                match (key.as_str(), inner) {
                    ("$ref", Value::String(reference)) => found(reference),
                    _ => references(inner, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|inner| references(inner, found)),
        _ => {}
    }
}

/// The models that a schema names.
pub(super) fn names(text: &str, api: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Ok(parsed) = serde_json::from_str::<Value>(text) {
        references(&parsed, &mut |reference| names.extend(name_of(reference, api).map(str::to_owned)));
    }
    names
}

/// The schema with the models that it names, directly or through others, under `definitions`. Text without a reference
/// to another model comes back as it was given.
///
/// # Errors
/// When a row cannot be read.
pub(super) fn flattened(model: &Model, tree: &Tree) -> Result<String, Fault> {
    let text = model.schema.clone().unwrap_or_default();
    let Ok(mut whole) = serde_json::from_str::<Value>(&text) else { return Ok(text) };
    let mut wanted = any_names(&whole);
    if wanted.is_empty() {
        return Ok(text);
    }
    rewrite(&mut whole, &model.name);
    let mut definitions = Map::new();
    let mut done = BTreeSet::from([model.name.clone()]);
    while let Some(name) = wanted.pop_first() {
        if !done.insert(name.clone()) {
            continue;
        }
        let found = tree.get::<Model>(&name)?.and_then(|model| model.schema).unwrap_or_default();
        let mut schema: Value = serde_json::from_str(&found).unwrap_or_else(|_| Value::Object(Map::new()));
        wanted.extend(any_names(&schema));
        rewrite(&mut schema, &model.name);
        // Its own definitions move up, for its local references start at the top of the whole.
        if let Some(Value::Object(own)) = schema.as_object_mut().and_then(|map| map.remove("definitions")) {
            for (key, value) in own {
                definitions.entry(key).or_insert(value);
            }
        }
        definitions.insert(name, schema);
    }
    if let Some(map) = whole.as_object_mut() {
        let own = map.entry("definitions").or_insert_with(|| Value::Object(Map::new()));
        if let Some(own) = own.as_object_mut() {
            for (key, value) in definitions {
                own.entry(key).or_insert(value);
            }
        }
    }
    Ok(whole.to_string())
}

/// The names in references to models of any API: what is stored was checked.
fn any_names(schema: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    references(schema, &mut |reference| names.extend(any_name(reference).map(str::to_owned)));
    names
}

fn any_name(reference: &str) -> Option<&str> {
    let (_, name) = reference.strip_prefix(PREFIX)?.split_once("/models/")?;
    Some(name)
}

/// Turns references to models into local ones.
fn rewrite(value: &mut Value, top: &str) {
    each_reference(value, &|reference| match any_name(reference) {
        Some(name) if name == top => Some("#".to_owned()),
        Some(name) => Some(format!("#/definitions/{name}")),
        None => None,
    });
}

fn each_reference(value: &mut Value, new: &impl Fn(&str) -> Option<String>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                match inner {
                    Value::String(reference) if key == "$ref" => {
                        if let Some(text) = new(reference) {
                            *reference = text;
                        }
                    }
                    _ => each_reference(inner, new),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|inner| each_reference(inner, new)),
        _ => {}
    }
}

/// A schema whose references to models of one API lead to another: for an API that is a copy.
pub(in crate::control::v1) fn rebased(text: &str, from: &str, to: &str) -> String {
    text.replace(&format!("{PREFIX}{from}/models/"), &format!("{PREFIX}{to}/models/"))
}
