//! Schemas of OpenAPI become models of JSON Schema draft 4.

use super::{Node, Reader, Version, shown};
use crate::catalog::v1::Model;
use crate::spec::openapi::Severity;
use crate::spec::openapi::document::{model_reference, referenced_model};
use crate::spec::openapi::finding::unescape;
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Map, Value};

/// A model's schema as it was, where OpenAPI cannot say it: written by our export, believed before all else.
pub(in crate::spec::openapi) const WHOLE: &str = "x-meridian-schema";

/// Keywords that models and both dialects have, with the same meaning.
pub(in crate::spec::openapi) const SHARED: &[&str] = &[
    "title",
    "description",
    "enum",
    "multipleOf",
    "maximum",
    "minimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxProperties",
    "minProperties",
    "required",
    "format",
];
/// Of models alone; `type` may be a list there.
const PLAIN: &[&str] = &["type", "$schema", "id"];
/// API Gateway drops them without a word.
const DROPPED: &[&str] = &[
    "deprecated",
    "discriminator",
    "example",
    "examples",
    "readOnly",
    "writeOnly",
    "default",
    "xml",
    "externalDocs",
    "$comment",
];
/// Of JSON Schema 2020-12, which OpenAPI 3.1 speaks: draft 4 has nothing like them.
const NEWER: &[&str] = &[
    "const",
    "if",
    "then",
    "else",
    "prefixItems",
    "contains",
    "minContains",
    "maxContains",
    "unevaluatedItems",
    "unevaluatedProperties",
    "dependentSchemas",
    "dependentRequired",
    "propertyNames",
    "$defs",
    "$id",
    "$anchor",
    "$dynamicRef",
    "$dynamicAnchor",
    "$vocabulary",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
];

impl<'a> Reader<'a> {
    /// The models that the file defines.
    pub(super) fn models(&mut self, root: &Node<'a>) {
        let home = match self.version {
            Version::V2 => root.get("definitions"),
            _ => root.get("components").and_then(|components| components.get("schemas")),
        };
        for (name, node) in home.iter().flat_map(Node::members) {
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
                self.findings.aws(
                    Severity::Error,
                    &node.at,
                    format!("Unable to create model for {}: Model name must be alphanumeric: {}", quoted(name), name),
                );
                continue;
            }
            let schema = self.schema(&node);
            let description = node.text_of("description").filter(|text| !text.is_empty());
            self.keep_model(name, description, &schema);
        }
    }

    fn keep_model(&mut self, name: &str, description: Option<String>, schema: &Value) {
        self.model_names.insert(name.to_owned());
        self.document.models.push(Model {
            name: name.to_owned(),
            description,
            schema: Some(format!("{schema:#}")),
            content_type: "application/json".to_owned(),
            ..Model::default()
        });
    }

    /// The model of a body: the one that the schema names, or one made for a schema that stands there itself.
    pub(super) fn body_model(&mut self, node: &Node<'a>) -> Option<String> {
        if node.object().is_none_or(Map::is_empty) {
            return None;
        }
        if let Some(reference) = node.value.get("$ref").and_then(Value::as_str) {
            let name = named(reference).map(|name| unescape(&name)).filter(|name| self.is_model(name));
            if name.is_none() {
                let text = format!("{} names no model of this file", shown(reference));
                self.findings.error(&format!("{}/$ref", node.at), text);
            }
            return name;
        }
        let schema = self.schema(node);
        let hash = digest(&SHA256, schema.to_string().as_bytes());
        let name: String = std::iter::once("MODEL".to_owned())
            .chain(hash.as_ref().iter().take(3).map(|b| format!("{b:02x}")))
            .collect();
        if !self.model_names.contains(&name) {
            self.keep_model(&name, None, &schema);
        }
        Some(name)
    }

    fn is_model(&self, name: &str) -> bool {
        let root = Node::root(self.root);
        let home = match self.version {
            Version::V2 => root.get("definitions"),
            _ => root.get("components").and_then(|components| components.get("schemas")),
        };
        home.is_some_and(|home| home.get(name).is_some())
    }

    /// A schema in draft 4, with references to models as API Gateway writes them.
    fn schema(&mut self, node: &Node<'a>) -> Value {
        match node.value {
            Value::Object(_) => {}
            Value::Bool(true) => return Value::Object(Map::new()),
            _ => {
                self.findings.error(&node.at, "a schema must be an object");
                return Value::Object(Map::new());
            }
        }
        if let Some(whole) = node.get(WHOLE) {
            return self.whole_schema(whole.value);
        }
        if let Some(reference) = node.value.get("$ref").and_then(Value::as_str) {
            return self.reference(node, reference);
        }
        let mut map = Map::new();
        for (key, member) in node.members() {
            if let Some(value) = self.schema_member(key, &member) {
                map.insert(key.to_owned(), value);
            }
        }
        if self.version == Version::V2 { Value::Object(map) } else { Value::Object(ordered(map)) }
    }

    fn schema_member(&mut self, key: &str, member: &Node<'a>) -> Option<Value> {
        let map = |reader: &mut Self| {
            let inner = member.members().map(|(name, node)| (name.to_owned(), reader.schema(&node))).collect();
            Some(Value::Object(inner))
        };
        match key {
            "properties" | "patternProperties" | "definitions" if member.object().is_some() => map(self),
            "allOf" | "anyOf" | "oneOf" if member.value.is_array() => {
                Some(member.items().map(|item| self.schema(&item)).collect())
            }
            "items" if member.value.is_array() => Some(member.items().map(|item| self.schema(&item)).collect()),
            "items" | "not" => Some(self.schema(member)),
            "additionalProperties" | "additionalItems" if member.value.is_boolean() => Some(member.value.clone()),
            "additionalProperties" | "additionalItems" => Some(self.schema(member)),
            "dependencies" if member.object().is_some() => {
                let inner = member.members().map(|(name, node)| {
                    let value = if node.value.is_array() { node.value.clone() } else { self.schema(&node) };
                    (name.to_owned(), value)
                });
                Some(Value::Object(inner.collect()))
            }
            "nullable" => {
                self.findings.ignored(&member.at, "models are JSON Schema draft 4, which has no \"nullable\"");
                Some(member.value.clone())
            }
            "exclusiveMinimum" | "exclusiveMaximum" if self.version == Version::V31 => {
                self.findings.error(&member.at, "a number here cannot be represented in JSON Schema draft 4");
                None
            }
            "exclusiveMinimum" | "exclusiveMaximum" => {
                self.findings.ignored(&member.at, "API Gateway drops this keyword");
                None
            }
            key if SHARED.contains(&key) || PLAIN.contains(&key) => Some(member.value.clone()),
            key if DROPPED.contains(&key) => {
                self.findings.ignored(&member.at, "API Gateway drops this keyword");
                None
            }
            key if NEWER.contains(&key) && self.version == Version::V31 => {
                self.findings.error(&member.at, "this keyword cannot be represented in JSON Schema draft 4");
                None
            }
            key if key.starts_with("x-") => {
                self.findings.ignored(&member.at, "the vendor extension is not kept");
                None
            }
            _ => {
                self.findings.ignored(&member.at, "not a keyword of a schema");
                None
            }
        }
    }

    fn reference(&mut self, node: &Node<'a>, reference: &str) -> Value {
        for (key, member) in node.members().filter(|(key, _)| *key != "$ref") {
            if !matches!(key, "description" | "summary") || self.version != Version::V31 {
                self.findings.ignored(&member.at, "what stands beside a reference has no effect");
            }
        }
        let at = format!("{}/$ref", node.at);
        let target = match named(reference) {
            Some(name) => {
                let name = unescape(&name);
                if !self.is_model(&name) {
                    self.findings.error(&at, format!("{} names no model of this file", shown(reference)));
                }
                model_reference(&self.options.api_id, &name)
            }
            None if reference == "#" || reference.starts_with("#/") => {
                self.findings
                    .error(&at, format!("{} is no model: only whole models can be referred to", shown(reference)));
                reference.to_owned()
            }
            None => {
                self.findings.error(&at, format!("{} is not in this file", shown(reference)));
                reference.to_owned()
            }
        };
        let mut map = Map::new();
        map.insert("$ref".to_owned(), Value::String(target));
        Value::Object(map)
    }

    /// A schema that our export kept whole: only its references to models are turned.
    fn whole_schema(&self, value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let turned = map.iter().map(|(key, value)| match value {
                    Value::String(text) if key == "$ref" => {
                        let name = text.strip_prefix("#/components/schemas/");
                        let target =
                            name.map_or_else(|| text.clone(), |n| model_reference(&self.options.api_id, &unescape(n)));
                        (key.clone(), Value::String(target))
                    }
                    other => (key.clone(), self.whole_schema(other)),
                });
                Value::Object(turned.collect())
            }
            Value::Array(items) => items.iter().map(|item| self.whole_schema(item)).collect(),
            other => other.clone(),
        }
    }
}

/// The model that a reference names in any of the forms that files use.
fn named(reference: &str) -> Option<String> {
    let own = ["#/definitions/", "#/components/schemas/"].iter().find_map(|home| reference.strip_prefix(home));
    own.or_else(|| referenced_model(reference)).filter(|name| !name.contains('/')).map(str::to_owned)
}

/// API Gateway puts `required` and `type` of OpenAPI 3 schemas first.
pub(in crate::spec::openapi) fn ordered(map: Map<String, Value>) -> Map<String, Value> {
    let (first, rest): (Vec<_>, Vec<_>) =
        map.into_iter().partition(|(key, _)| matches!(key.as_str(), "required" | "type"));
    let (required, kind): (Vec<_>, Vec<_>) = first.into_iter().partition(|(key, _)| key == "required");
    required.into_iter().chain(kind).chain(rest).collect()
}

fn quoted(name: &str) -> String {
    format!("'{name}'")
}
