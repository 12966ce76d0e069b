//! Descriptions and the documentation extension become documentation parts.

use super::{Node, Reader, Version, extensions::is_status, place, security::Scheme, shown};
use crate::catalog::v1::{DocumentationPart, DocumentationPartLocation, DocumentationPartType};
use serde_json::{Map, Value};

/// What a part is about, in an order.
pub(super) type Location = (String, [Option<String>; 4]);

fn location_key(location: &DocumentationPartLocation) -> Location {
    let DocumentationPartLocation { kind, path, method, status_code, name, .. } = location;
    (kind.as_str().to_owned(), [path.clone(), method.clone(), status_code.clone(), name.clone()])
}

/// Most parts of one API (AWS's number).
const MOST_PARTS: usize = 2_000;

impl<'a> Reader<'a> {
    /// The parts that the extension lists, then those of descriptions where none is about the same.
    pub(super) fn read_documentation(&mut self, root: &Node<'a>) {
        if self.options.ignore_documentation {
            return;
        }
        if let Some(extension) = root.get("x-amazon-apigateway-documentation") {
            self.keywords(&extension, &["version", "createdDate", "documentationParts"], &[]);
            for node in extension.get("documentationParts").iter().flat_map(Node::items) {
                self.listed_part(&node);
            }
        }
        self.described_api();
        self.described_models(root);
        self.described_paths(root);
        if self.document.documentation.len() > MOST_PARTS {
            self.document.documentation.truncate(MOST_PARTS);
            self.findings
                .warn("", format!("an API has at most {MOST_PARTS} documentation parts: the rest is left out"));
        }
    }

    fn listed_part(&mut self, node: &Node<'a>) {
        let location = node.get("location");
        let word = location.as_ref().and_then(|location| location.text_of("type")).unwrap_or_default();
        let Some(kind) = DocumentationPartType::known(&word) else {
            let text = format!("{} is no type of documentation part", shown(&word));
            return self.findings.error(&format!("{}/location/type", node.at), text);
        };
        let text = |key: &str| location.as_ref().and_then(|location| location.text_of(key));
        let properties = match node.value.get("properties") {
            Some(Value::String(text)) => serde_json::from_str::<Map<String, Value>>(text).ok().map(Value::Object),
            Some(object @ Value::Object(_)) => Some(object.clone()),
            _ => None,
        };
        let Some(properties) = properties else {
            return self.findings.error(&format!("{}/properties", node.at), "the properties must be a JSON object");
        };
        let location = DocumentationPartLocation {
            kind,
            path: text("path"),
            method: text("method"),
            status_code: text("statusCode"),
            name: text("name"),
            ..DocumentationPartLocation::default()
        };
        self.part(location, properties);
    }

    fn part(&mut self, location: DocumentationPartLocation, properties: Value) {
        let key = location_key(&location);
        // A file of more parts than that has lost the rest already.
        if self.document.documentation.len() <= MOST_PARTS && self.documented.insert(key) {
            let properties = properties.to_string();
            self.document.documentation.push(DocumentationPart {
                location,
                properties,
                ..DocumentationPart::default()
            });
        }
    }

    /// A part of these members of a node, if it has any.
    fn describe(&mut self, node: &Node<'a>, keys: &[&str], location: DocumentationPartLocation) {
        let picked: Map<String, Value> = keys
            .iter()
            .filter_map(|key| Some(((*key).to_owned(), node.get(key)?.value.clone())))
            .filter(|(_, value)| value.as_str().is_none_or(|text| !text.is_empty()))
            .collect();
        if !picked.is_empty() {
            self.part(location, Value::Object(picked));
        }
    }

    fn described_api(&mut self) {
        if let Some(info) = self.document.description.clone() {
            let location = DocumentationPartLocation::default();
            self.part(location, serde_json::json!({"info": {"description": info}}));
        }
    }

    fn described_models(&mut self, root: &Node<'a>) {
        let (models, schemes) = match self.version {
            Version::V2 => (root.get("definitions"), root.get("securityDefinitions")),
            _ => {
                let components = root.get("components");
                let home = |key: &str| components.as_ref().and_then(|components| components.get(key));
                (home("schemas"), home("securitySchemes"))
            }
        };
        for (name, node) in models.iter().flat_map(|home| home.members().collect::<Vec<_>>()) {
            self.describe(&node, &["title", "description"], named(DocumentationPartType::Model, name));
        }
        for (name, node) in schemes.iter().flat_map(|home| home.members().collect::<Vec<_>>()) {
            if matches!(self.schemes.get(name), Some(Scheme::Authorizer(_))) {
                self.describe(&node, &["description"], named(DocumentationPartType::Authorizer, name));
            }
        }
    }

    fn described_paths(&mut self, root: &Node<'a>) {
        let Some(prefix) = self.prefix.clone() else { return };
        for (path, item) in root.get("paths").iter().flat_map(|home| home.members().collect::<Vec<_>>()) {
            let Some(item) = Some(item).filter(|_| path.starts_with('/')).and_then(|item| self.resolve(item)) else {
                continue;
            };
            let whole = place::below(&prefix, path);
            if place::judge(&whole).is_some() {
                continue;
            }
            let at = |kind, method: Option<&str>| DocumentationPartLocation {
                kind,
                path: Some(whole.clone()),
                method: method.map(str::to_owned),
                ..DocumentationPartLocation::default()
            };
            self.describe(&item, &["summary", "description"], at(DocumentationPartType::Resource, None));
            for (key, node) in item.members() {
                let method = match key {
                    "x-amazon-apigateway-any-method" => "ANY".to_owned(),
                    "get" | "put" | "post" | "delete" | "patch" | "options" | "head" => key.to_ascii_uppercase(),
                    _ => continue,
                };
                self.describe(
                    &node,
                    &["tags", "summary", "description"],
                    at(DocumentationPartType::Method, Some(&method)),
                );
                self.described_parameters(&node, &at, &method);
                self.described_responses(&node, &at, &method);
            }
        }
    }

    fn described_parameters(
        &mut self,
        node: &Node<'a>,
        at: &dyn Fn(DocumentationPartType, Option<&str>) -> DocumentationPartLocation,
        method: &str,
    ) {
        for parameter in node.get("parameters").iter().flat_map(|list| list.items().collect::<Vec<_>>()) {
            let Some(parameter) = self.resolve(parameter) else { continue };
            let kind = match parameter.text_of("in").as_deref() {
                Some("path") => DocumentationPartType::PathParameter,
                Some("query") => DocumentationPartType::QueryParameter,
                Some("header") => DocumentationPartType::RequestHeader,
                Some("body") => {
                    self.describe(&parameter, &["description"], at(DocumentationPartType::RequestBody, Some(method)));
                    continue;
                }
                _ => continue,
            };
            let location = DocumentationPartLocation { name: parameter.text_of("name"), ..at(kind, Some(method)) };
            self.describe(&parameter, &["description"], location);
        }
        if let Some(body) = node.get("requestBody").and_then(|body| self.resolve(body)) {
            self.describe(&body, &["description"], at(DocumentationPartType::RequestBody, Some(method)));
        }
    }

    fn described_responses(
        &mut self,
        node: &Node<'a>,
        at: &dyn Fn(DocumentationPartType, Option<&str>) -> DocumentationPartLocation,
        method: &str,
    ) {
        for (code, response) in node.get("responses").iter().flat_map(|home| home.members().collect::<Vec<_>>()) {
            if !is_status(code) {
                continue;
            }
            let Some(response) = self.resolve(response) else { continue };
            let location =
                |kind| DocumentationPartLocation { status_code: Some(code.to_owned()), ..at(kind, Some(method)) };
            self.describe(&response, &["description"], location(DocumentationPartType::Response));
            for (name, header) in response.get("headers").iter().flat_map(|home| home.members().collect::<Vec<_>>()) {
                let mut location = location(DocumentationPartType::ResponseHeader);
                location.name = Some(name.to_owned());
                self.describe(&header, &["description"], location);
            }
        }
    }
}

fn named(kind: DocumentationPartType, name: &str) -> DocumentationPartLocation {
    DocumentationPartLocation { kind, name: Some(name.to_owned()), ..DocumentationPartLocation::default() }
}
