//! What an operation may answer.

use super::extensions::is_status;
use super::{Node, Reader, Version};
use crate::catalog::v1::{Method, MethodResponse, Texts};

impl<'a> Reader<'a> {
    pub(super) fn responses(&mut self, operation: &Node<'a>, method: &mut Method) {
        let produces = if self.version == Version::V2 { self.media_types(operation, "produces") } else { Vec::new() };
        let Some(responses) = operation.get("responses") else { return };
        for (code, node) in responses.members().collect::<Vec<_>>() {
            if !is_status(code) {
                self.odd_code(code, &node);
                continue;
            }
            let Some(node) = self.resolve(node) else { continue };
            let response = self.response(code, &node, &produces);
            method.method_responses.insert(code.to_owned(), response);
        }
    }

    fn odd_code(&mut self, code: &str, node: &Node<'a>) {
        if code == "default" {
            self.findings.ignored(&node.at, "API Gateway has no default response: each status has its own");
        } else if code.starts_with("x-") {
            self.findings.ignored(&node.at, "the vendor extension is not kept");
        } else {
            self.findings.warn(&node.at, "a response must have a status of three digits; this one is left out");
        }
    }

    fn response(&mut self, code: &str, node: &Node<'a>, produces: &[String]) -> MethodResponse {
        let known: &[&str] = match self.version {
            Version::V2 => &["description", "schema", "headers"],
            _ => &["description", "content", "headers"],
        };
        self.keywords(node, known, &["examples", "links"]);
        let headers = node.get("headers").into_iter().flat_map(|headers| headers.members().collect::<Vec<_>>());
        let mut parameters = std::collections::BTreeMap::new();
        for (name, header) in headers {
            let Some(header) = self.resolve(header) else { continue };
            let ignored = [
                "required",
                "format",
                "items",
                "collectionFormat",
                "default",
                "maximum",
                "minimum",
                "maxLength",
                "minLength",
                "pattern",
                "enum",
                "style",
                "explode",
                "example",
                "examples",
                "deprecated",
                "content",
                "multipleOf",
                "uniqueItems",
                "maxItems",
                "minItems",
                "exclusiveMaximum",
                "exclusiveMinimum",
                "allowEmptyValue",
                "allowReserved",
            ];
            self.keywords(&header, &["description", "type", "schema"], &ignored);
            parameters.insert(format!("method.response.header.{name}"), false);
        }
        let models: Texts = match self.version {
            Version::V2 => {
                let model = node.get("schema").and_then(|schema| self.body_model(&schema));
                let model = model.filter(|_| self.spend(&node.at, produces.len()));
                model.iter().flat_map(|model| produces.iter().map(|kind| (kind.clone(), model.clone()))).collect()
            }
            _ => self.content(node).into_iter().collect(),
        };
        MethodResponse {
            status_code: code.to_owned(),
            response_parameters: Some(parameters).filter(|map| !map.is_empty()),
            response_models: Some(models).filter(|map| !map.is_empty()),
            ..MethodResponse::default()
        }
    }
}
