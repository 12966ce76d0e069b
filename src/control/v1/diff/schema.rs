//! Which changes of a schema break those who send by it, and those who read by it (draft 4, as API Gateway has it).

use super::compare::{gained, items};
use super::surface::Surface;
use serde_json::Value;
use std::collections::BTreeSet;

/// Who goes by a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Clients send bodies that are checked against it.
    Request,
    /// Clients read bodies that it describes.
    Response,
}

/// Where the walk through a schema stands: members of a schema are keywords, members of `properties` are names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Schema,
    Names,
    List,
}

/// Why a changed member of a schema breaks clients; `member` leads from the schema's root.
pub(super) fn why(member: &[String], before: Option<&Value>, after: Option<&Value>, used: Use) -> Option<String> {
    let (mut standing, mut place) = (Standing::Schema, String::from("the body"));
    for (index, part) in member.iter().enumerate() {
        let last = index + 1 == member.len();
        standing = match standing {
            Standing::Schema if last => return keyword(part, &place, before, after, used),
            Standing::Schema => match part.as_str() {
                "properties" | "patternProperties" | "definitions" | "dependencies" => Standing::Names,
                "allOf" | "anyOf" | "oneOf" => Standing::List,
                _ => Standing::Schema,
            },
            Standing::Names => {
                place = format!("`{part}`");
                if last {
                    let gone = before.is_some() && after.is_none() && used == Use::Response;
                    return gone.then(|| format!("clients may read {place}"));
                }
                Standing::Schema
            }
            Standing::List => Standing::Schema,
        };
    }
    None
}

fn keyword(word: &str, place: &str, before: Option<&Value>, after: Option<&Value>, used: Use) -> Option<String> {
    let names = |values: Vec<&Value>| {
        let texts: Vec<String> =
            values.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect();
        texts.join(", ")
    };
    let some = |values: Vec<&Value>| (!values.is_empty()).then(|| names(values));
    match (used, word) {
        (Use::Request, "required") => {
            some(gained(before, after)).map(|new| format!("bodies without {new} are refused"))
        }
        (Use::Response, "required") => some(gained(after, before)).map(|gone| format!("clients may count on {gone}")),
        (_, "type") => {
            let (from, to) = if used == Use::Request { (before, after) } else { (after, before) };
            let fits = from.is_some() && gained(to, from).iter().all(|kind| widened(kind, to));
            (to.is_some() && !fits).then(|| format!("{place} has another type"))
        }
        (Use::Request, "enum") if before.is_none() => Some(format!("{place} takes fewer values")),
        (Use::Request, "enum") => some(gained(after, before)).map(|gone| format!("{place} no longer takes {gone}")),
        (Use::Response, "enum") => some(gained(before, after)).map(|new| format!("{place} may be {new}")),
        (Use::Response, _) => None,
        (_, "maxLength" | "maximum" | "maxItems" | "maxProperties") => {
            let tighter = number(after).is_some_and(|new| number(before).is_none_or(|old| new < old));
            tighter.then(|| format!("{place} has a lower {word}"))
        }
        (_, "minLength" | "minimum" | "minItems" | "minProperties") => {
            let tighter = number(after).is_some_and(|new| number(before).is_none_or(|old| new > old));
            tighter.then(|| format!("{place} has a higher {word}"))
        }
        (_, "exclusiveMaximum" | "exclusiveMinimum" | "uniqueItems") => {
            (after == Some(&Value::Bool(true))).then(|| format!("{place} has {word} now"))
        }
        (_, "additionalProperties" | "additionalItems") => {
            let loose = matches!(after, None | Some(Value::Bool(true)));
            (!loose).then(|| format!("{place} may not have other members"))
        }
        (
            _,
            "pattern" | "format" | "multipleOf" | "allOf" | "anyOf" | "oneOf" | "not" | "$ref" | "dependencies"
            | "items",
        ) => after.map(|_| format!("{place} has another {word}: bodies that were taken may be refused")),
        _ => None,
    }
}

fn number(value: Option<&Value>) -> Option<f64> {
    value.and_then(Value::as_f64)
}

/// Whether a list of types takes what this type was: `number` takes integers.
fn widened(kind: &Value, types: Option<&Value>) -> bool {
    kind == "integer" && items(types).iter().any(|t| **t == "number")
}

/// The models that are used so: named by methods, or by `$ref` from one that is.
pub(super) fn used(surface: &Surface, used: Use) -> BTreeSet<String> {
    let mut open: Vec<String> = Vec::new();
    for method in surface.every_method() {
        match used {
            Use::Request if !checks_bodies(method) => {}
            Use::Request => open.extend(models(&method["requestModels"])),
            Use::Response => {
                let responses = method["methodResponses"].as_object().into_iter().flat_map(|all| all.values());
                open.extend(responses.flat_map(|response| models(&response["responseModels"])));
            }
        }
    }
    let mut found = BTreeSet::new();
    while let Some(name) = open.pop() {
        if found.contains(&name) {
            continue;
        }
        if let Some(schema) = surface.schema(&name) {
            refs(schema, &mut open);
        }
        found.insert(name);
    }
    found
}

/// Whether a method's validator looks at bodies.
pub(super) fn checks_bodies(method: &Value) -> bool {
    method["requestValidator"]["validateRequestBody"] == true
}

fn models(by_type: &Value) -> impl Iterator<Item = String> + '_ {
    by_type.as_object().into_iter().flatten().filter_map(|(_, name)| name.as_str()).map(str::to_owned)
}

/// The models that a schema refers to; schemas are no deeper than their parser let them be.
fn refs(schema: &Value, out: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            let target = members.get("$ref").and_then(Value::as_str).and_then(|t| t.rsplit_once("/models/"));
            out.extend(target.map(|(_, name)| name.to_owned()));
            members.values().for_each(|value| refs(value, out));
        }
        Value::Array(items) => items.iter().for_each(|value| refs(value, out)),
        _ => {}
    }
}
