//! What JSON Schema draft 4 allows a schema to be: its keywords, and what may stand behind each.

use serde_json::{Map, Value};
use std::collections::BTreeSet;

const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];
/// Keywords whose values say nothing that could be wrong here.
const FREE: [&str; 3] = ["default", "$ref", "format"];
const TEXTS: [&str; 5] = ["$schema", "id", "title", "description", "pattern"];
const NUMBERS: [&str; 2] = ["minimum", "maximum"];
const COUNTS: [&str; 6] = ["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"];
const FLAGS: [&str; 3] = ["exclusiveMinimum", "exclusiveMaximum", "uniqueItems"];
const NAMED: [&str; 3] = ["properties", "patternProperties", "definitions"];
const LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// What is wrong with a schema.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Keywords that draft 4 does not have, once each, in order.
    pub(super) unsupported: BTreeSet<String>,
    /// The first value that a keyword may not have, with its place.
    pub(super) flaw: Option<String>,
}

/// Looks through a schema.
pub(super) fn look(schema: &Value) -> Found {
    let mut found = Found::default();
    found.schema(schema, "");
    found
}

/// Most of a place that is told, characters; what lies deeper is not written out.
const LONGEST_PLACE: usize = 256;

/// The place of a member.
fn below(at: &str, key: &str) -> String {
    if at.len() > LONGEST_PLACE {
        return at.to_owned();
    }
    let key: String = key.chars().take(LONGEST_PLACE).collect();
    format!("{at}/{key}")
}

impl Found {
    fn wrong(&mut self, at: &str, what: &str) {
        self.flaw.get_or_insert_with(|| {
            let shown: String = at.chars().take(LONGEST_PLACE).collect();
            format!("The value at {shown} must be {what}")
        });
    }

    fn check(&mut self, good: bool, at: &str, what: &str) {
        if !good {
            self.wrong(at, what);
        }
    }

    fn schema(&mut self, schema: &Value, at: &str) {
        let Some(map) = schema.as_object() else { return self.wrong(at, "a schema") };
        for (keyword, value) in map {
            let at = below(at, keyword);
            self.keyword(keyword, value, &at);
        }
    }

    fn keyword(&mut self, keyword: &str, value: &Value, at: &str) {
        match keyword {
            _ if FREE.contains(&keyword) => {}
            _ if TEXTS.contains(&keyword) => self.check(value.is_string(), at, "a string"),
            _ if NUMBERS.contains(&keyword) => self.check(value.is_number(), at, "a number"),
            _ if COUNTS.contains(&keyword) => self.check(value.is_u64(), at, "a whole number from 0 on"),
            _ if FLAGS.contains(&keyword) => self.check(value.is_boolean(), at, "true or false"),
            "multipleOf" => self.check(value.as_f64().is_some_and(|n| n > 0.0), at, "a number above 0"),
            "type" => self.check(is_type(value), at, "a type, or a list of different types"),
            "enum" => self.check(value.as_array().is_some_and(|all| !all.is_empty()), at, "a list that is not empty"),
            "required" => self.check(is_names(value), at, "a list of different names that is not empty"),
            _ if NAMED.contains(&keyword) => match value.as_object() {
                Some(schemas) => self.each(schemas, at),
                None => self.wrong(at, "an object of schemas"),
            },
            _ if LISTS.contains(&keyword) => match value.as_array() {
                Some(schemas) if !schemas.is_empty() => self.all(schemas, at),
                _ => self.wrong(at, "a list of schemas that is not empty"),
            },
            "not" => self.schema(value, at),
            "additionalProperties" | "additionalItems" if value.is_boolean() => {}
            "additionalProperties" | "additionalItems" => self.schema(value, at),
            "items" => match value.as_array() {
                Some(schemas) => self.all(schemas, at),
                None => self.schema(value, at),
            },
            "dependencies" => self.dependencies(value, at),
            _ => drop(self.unsupported.insert(keyword.to_owned())),
        }
    }

    fn each(&mut self, schemas: &Map<String, Value>, at: &str) {
        for (name, schema) in schemas {
            self.schema(schema, &below(at, name));
        }
    }

    fn all(&mut self, schemas: &[Value], at: &str) {
        for (index, schema) in schemas.iter().enumerate() {
            self.schema(schema, &format!("{at}/{index}"));
        }
    }

    fn dependencies(&mut self, value: &Value, at: &str) {
        let Some(map) = value.as_object() else { return self.wrong(at, "an object") };
        for (name, needs) in map {
            let at = below(at, name);
            match needs.is_array() {
                true => self.check(is_names(needs), &at, "a list of different names that is not empty"),
                false => self.schema(needs, &at),
            }
        }
    }
}

fn is_type(value: &Value) -> bool {
    let known = |value: &Value| value.as_str().is_some_and(|word| TYPES.contains(&word));
    known(value) || value.as_array().is_some_and(|all| all.iter().all(known) && is_names(value))
}

fn is_names(value: &Value) -> bool {
    let Some(all) = value.as_array() else { return false };
    let names: BTreeSet<&str> = all.iter().filter_map(Value::as_str).collect();
    !all.is_empty() && names.len() == all.len()
}
