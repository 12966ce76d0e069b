//! Path items and operations: paths, parameters and bodies.

use super::{Node, Reader, Version, place, shown};
use crate::catalog::v1::Method;
use crate::spec::openapi::Severity;
use crate::spec::openapi::document::Path;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The methods of a path item, as keys.
const METHODS: &[&str] = &["get", "put", "post", "delete", "patch", "options", "head"];
const ANY: &str = "x-amazon-apigateway-any-method";

impl<'a> Reader<'a> {
    /// All paths of the file.
    pub(super) fn read_paths(&mut self, root: &Node<'a>) {
        let prefix = place::prefix(self.options.base_path, &self.base_path());
        if let Some(text) = place::judge(&prefix) {
            let at = if self.version == Version::V2 { "/basePath" } else { "/servers" };
            return self.findings.error(at, text);
        }
        self.prefix = Some(prefix.clone());
        let Some(paths) = root.get("paths") else {
            if self.version != Version::V31 {
                self.findings.error("/paths", "the object is missing");
            }
            return;
        };
        let mut seen = BTreeMap::new();
        for (path, node) in paths.members().collect::<Vec<_>>() {
            if path.starts_with("x-") {
                self.findings.ignored(&node.at, "the vendor extension is not kept");
                continue;
            }
            if !path.starts_with('/') {
                self.findings.error(&node.at, "a path must begin with a slash");
                continue;
            }
            let whole = place::below(&prefix, path);
            if let Some(text) = place::judge(&whole) {
                self.findings.error(&node.at, text);
                continue;
            }
            if let Some(first) = seen.insert(whole.clone(), node.at.clone()) {
                self.findings.error(&node.at, format!("the same path stands at {first}"));
                continue;
            }
            let pointer = node.at.to_string();
            let Some(item) = self.resolve(node) else { continue };
            let methods = self.path_item(&item, &whole);
            self.document.paths.push(Path { path: whole, pointer, methods });
        }
    }

    fn path_item(&mut self, item: &Node<'a>, path: &str) -> Vec<Method> {
        let known = [METHODS, &["parameters", "summary", "description", "$ref", "trace"]].concat();
        self.keywords(item, &known, &["servers"]);
        if let Some(trace) = item.get("trace") {
            self.findings.warn(&trace.at, "API Gateway has no TRACE methods: this one is left out");
        }
        let mut methods = Vec::new();
        for (key, node) in item.members() {
            let http_method = match key {
                ANY => "ANY".to_owned(),
                key if METHODS.contains(&key) => key.to_ascii_uppercase(),
                _ => continue,
            };
            if node.object().is_none() {
                self.findings.error(&node.at, "an operation must be an object");
                continue;
            }
            methods.push(self.operation(item, &node, http_method, path));
        }
        methods
    }

    fn operation(&mut self, item: &Node<'a>, node: &Node<'a>, http_method: String, path: &str) -> Method {
        let mut known = vec!["summary", "description", "operationId", "parameters", "responses", "security", "tags"];
        match self.version {
            Version::V2 => known.extend(["consumes", "produces"]),
            _ => known.push("requestBody"),
        }
        self.keywords(node, &known, &["externalDocs", "callbacks", "deprecated", "servers", "schemes"]);
        let mut method = Method { http_method, ..Method::default() };
        method.operation_name = node.text_of("operationId").filter(|name| !name.is_empty());
        self.secure(node, &mut method);
        self.parameters(item, node, &mut method);
        self.body(node, &mut method);
        self.responses(node, &mut method);
        method.request_validator_id = match node.get("x-amazon-apigateway-request-validator") {
            Some(_) => self.validator_of(node),
            None => self.validator_of(&Node::root(self.root)),
        };
        self.integration(node, &mut method, path);
        method
    }

    /// The operation's parameters and those of its path item that it does not redefine.
    fn parameters(&mut self, item: &Node<'a>, node: &Node<'a>, method: &mut Method) {
        let own: Vec<Node<'a>> = node.get("parameters").iter().flat_map(Node::items).collect();
        let shared: Vec<Node<'a>> = item.get("parameters").iter().flat_map(Node::items).collect();
        if !shared.is_empty() && !self.spend(&item.at, shared.len()) {
            return;
        }
        let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
        for parameter in own.into_iter().chain(shared) {
            let Some(parameter) = self.resolve(parameter) else { continue };
            let name = parameter.text_of("name").unwrap_or_default();
            let place = parameter.text_of("in").unwrap_or_default();
            if name.is_empty() {
                self.findings.error(&parameter.at, "a parameter must have a name");
                continue;
            }
            let key = (place, name);
            if seen.contains(&key) {
                continue;
            }
            self.parameter(&parameter, &key.0, &key.1, method);
            seen.insert(key);
        }
    }

    fn parameter(&mut self, node: &Node<'a>, place: &str, name: &str, method: &mut Method) {
        let location = match place {
            "path" => "path",
            "query" => "querystring",
            "header" => "header",
            "body" if self.version == Version::V2 => return self.body_parameter(node, method),
            "formData" if self.version == Version::V2 => {
                return self.findings.warn(&node.at, "API Gateway has no form parameters: this one is left out");
            }
            "cookie" => {
                return self.findings.warn(&node.at, "API Gateway has no cookie parameters: this one is left out");
            }
            other => {
                return self
                    .findings
                    .error(&format!("{}/in", node.at), format!("{} is no place for a parameter", shown(other)));
            }
        };
        self.keywords(
            node,
            &["name", "in", "required", "description", "type", "schema"],
            &[
                "format",
                "items",
                "collectionFormat",
                "default",
                "maximum",
                "exclusiveMaximum",
                "minimum",
                "exclusiveMinimum",
                "maxLength",
                "minLength",
                "pattern",
                "maxItems",
                "minItems",
                "uniqueItems",
                "enum",
                "multipleOf",
                "allowEmptyValue",
                "style",
                "explode",
                "allowReserved",
                "example",
                "examples",
                "content",
                "deprecated",
            ],
        );
        if let Some(schema) = node.get("schema") {
            for (_, member) in schema.members().filter(|(key, _)| *key != "type") {
                self.findings.ignored(&member.at, "of a parameter's schema only its type is looked at");
            }
        }
        let required = place == "path" || node.flag_of("required").unwrap_or_default();
        let parameters = method.request_parameters.get_or_insert_default();
        parameters.insert(format!("method.request.{location}.{name}"), required);
    }

    fn body_parameter(&mut self, node: &Node<'a>, method: &mut Method) {
        self.keywords(node, &["name", "in", "required", "description", "schema"], &["examples"]);
        let Some(model) = node.get("schema").and_then(|schema| self.body_model(&schema)) else { return };
        method.request_models.get_or_insert_default().insert(String::new(), model);
    }

    /// The body's models by media type: what `consumes` lists, or what `content` does.
    fn body(&mut self, node: &Node<'a>, method: &mut Method) {
        if self.version == Version::V2 {
            let Some(model) = method.request_models.as_mut().and_then(|models| models.remove("")) else { return };
            let types = self.media_types(node, "consumes");
            method.request_models = Some(types.into_iter().map(|kind| (kind, model.clone())).collect());
            return;
        }
        let Some(body) = node.get("requestBody").and_then(|body| self.resolve(body)) else { return };
        self.keywords(&body, &["content", "description"], &["required"]);
        for (kind, model) in self.content(&body) {
            method.request_models.get_or_insert_default().insert(kind, model);
        }
    }

    /// The media types of an operation, or of the file, or JSON.
    pub(super) fn media_types(&mut self, node: &Node<'a>, key: &str) -> Vec<String> {
        let root = Node::root(self.root);
        let listed = match (node.get(key), root.get(key)) {
            (None, Some(all)) if !self.repeat(&all.at, all.value) => None,
            (None, Some(_)) => root.texts_of(key),
            _ => node.texts_of(key),
        };
        let (types, odd): (Vec<_>, Vec<_>) = listed.unwrap_or_default().into_iter().partition(|kind| is_media(kind));
        let place = node.get(key).or_else(|| root.get(key)).map(|listed| listed.at);
        for (kind, at) in odd.iter().zip(place.iter().cycle()) {
            self.findings.warn(at, format!("{} is no media type: it is left out", shown(kind)));
        }
        if types.is_empty() { vec!["application/json".to_owned()] } else { types }
    }

    /// The models of a `content` object, by media type.
    pub(super) fn content(&mut self, node: &Node<'a>) -> Vec<(String, String)> {
        let mut models = Vec::new();
        for (kind, media) in node.get("content").iter().flat_map(|content| content.members().collect::<Vec<_>>()) {
            if !is_media(kind) {
                self.findings.warn(&media.at, format!("{} is no media type: it is left out", shown(kind)));
                continue;
            }
            self.keywords(&media, &["schema"], &["example", "examples", "encoding"]);
            if let Some(model) = media.get("schema").and_then(|schema| self.body_model(&schema)) {
                models.push((kind.to_owned(), model));
            }
        }
        models
    }

    /// A member that must be an object of texts; others are noted in the words that AWS uses for them.
    pub(super) fn texts(&mut self, node: &Node<'a>, key: &str, place: (&str, &str)) -> Vec<(String, String)> {
        let mut texts = Vec::new();
        for (name, member) in node.get(key).iter().flat_map(|map| map.members().collect::<Vec<_>>()) {
            match member.value {
                Value::String(text) => texts.push((name.to_owned(), text.clone())),
                other => {
                    let (path, method) = place;
                    self.findings.aws(
                        Severity::Warning,
                        &member.at,
                        format!(
                            "Invalid format for '{key}'. Expected type string for property '{name}' of resource '{path}' and method '{method}' but got '{other}'"
                        ),
                    );
                }
            }
        }
        texts
    }
}

/// Whether a word can be said to be a media type: what is not would be in no list of an export.
fn is_media(word: &str) -> bool {
    word.contains('/')
}
