//! The extensions at the root of a file, and the servers' and tags' own.

use super::{Node, Reader, Version, shown};
use crate::catalog::v1::{ApiKeySource, GatewayResponse, GatewayResponseType, RequestValidator, Texts};
use serde_json::Value;

impl<'a> Reader<'a> {
    pub(super) fn root_extensions(&mut self, root: &Node<'a>) {
        self.document.binary_media_types = root.texts_of("x-amazon-apigateway-binary-media-types");
        self.document.security_policy = root.text_of("x-amazon-apigateway-security-policy");
        self.key_source(root);
        self.access_mode(root);
        self.compression(root);
        self.policy(root);
        self.validators(root);
        self.gateway_responses(root);
        self.endpoint(root);
        self.tags(root);
        for key in ["x-amazon-apigateway-cors", "x-amazon-apigateway-importexport-version"] {
            if let Some(node) = root.get(key) {
                self.findings.warn(&node.at, "this extension belongs to HTTP APIs; a REST API has nothing like it");
            }
        }
    }

    fn key_source(&mut self, root: &Node<'a>) {
        let Some(node) = root.get("x-amazon-apigateway-api-key-source") else { return };
        let word = node.text().unwrap_or_default().to_ascii_uppercase();
        match ApiKeySource::known(&word) {
            Some(source) => self.document.api_key_source = Some(source),
            None => self.findings.error(&node.at, format!("{} is neither HEADER nor AUTHORIZER", shown(&word))),
        }
    }

    fn access_mode(&mut self, root: &Node<'a>) {
        let Some(node) = root.get("x-amazon-apigateway-endpoint-access-mode") else { return };
        match node.text() {
            Some(word) if matches!(word.as_str(), "BASIC" | "STRICT") => {
                self.document.endpoint_access_mode = Some(word);
            }
            other => {
                let text = format!("{} is neither BASIC nor STRICT", shown(&other.unwrap_or_default()));
                self.findings.error(&node.at, text);
            }
        }
    }

    fn compression(&mut self, root: &Node<'a>) {
        let key = "x-amazon-apigateway-minimum-compression-size";
        let Some(node) = root.get(key) else { return };
        let size = root.number_of(key).filter(|size| (0..=10_485_760).contains(size));
        self.document.minimum_compression_size = size.and_then(|size| i32::try_from(size).ok());
        if size.is_none() {
            self.findings.error(&node.at, "Invalid minimum compression size, must be between 0 and 10485760");
        }
    }

    fn policy(&mut self, root: &Node<'a>) {
        let Some(node) = root.get("x-amazon-apigateway-policy") else { return };
        // CloudFormation writes it as text now and then.
        let parsed = node.value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        match parsed.as_ref().unwrap_or(node.value) {
            policy @ Value::Object(_) => self.document.policy = Some(policy.to_string()),
            _ => self.findings.error(
                &node.at,
                "Invalid policy document. Please check the policy syntax and ensure that Principals are valid.",
            ),
        }
    }

    fn validators(&mut self, root: &Node<'a>) {
        let Some(home) = root.get("x-amazon-apigateway-request-validators") else { return };
        for (name, node) in home.members() {
            self.keywords(&node, &["validateRequestBody", "validateRequestParameters"], &[]);
            self.document.validators.push(RequestValidator {
                name: Some(name.to_owned()),
                validate_request_body: node.flag_of("validateRequestBody").unwrap_or_default(),
                validate_request_parameters: node.flag_of("validateRequestParameters").unwrap_or_default(),
                ..RequestValidator::default()
            });
        }
    }

    /// The validator that a node names, or `None` where it names none.
    pub(super) fn validator_of(&mut self, node: &Node<'a>) -> Option<String> {
        let named = node.get("x-amazon-apigateway-request-validator")?;
        let name = named.text()?;
        let home = Node::root(self.root).get("x-amazon-apigateway-request-validators");
        if home.is_some_and(|home| home.value.get(&name).is_some()) {
            return Some(name);
        }
        self.findings.error(&named.at, format!("no request validator of this file has the name {}", shown(&name)));
        None
    }

    fn gateway_responses(&mut self, root: &Node<'a>) {
        let Some(home) = root.get("x-amazon-apigateway-gateway-responses") else { return };
        for (word, node) in home.members() {
            let Some(response_type) = GatewayResponseType::known(word) else {
                self.findings.error(&node.at, format!("{} is no type of gateway response", shown(word)));
                continue;
            };
            self.keywords(&node, &["statusCode", "responseParameters", "responseTemplates"], &[]);
            let status_code = node.text_of("statusCode");
            if let Some(code) = status_code.as_deref().filter(|code| !is_status(code)) {
                let text = format!("{} is no status code", shown(code));
                self.findings.error(&format!("{}/statusCode", node.at), text);
            }
            let parameters = node.get("responseParameters").map(|n| self.text_map(&n));
            let templates = node.get("responseTemplates").map(|n| self.text_map(&n));
            self.document.gateway_responses.push(GatewayResponse {
                response_type,
                status_code,
                response_parameters: parameters.unwrap_or_default(),
                response_templates: templates,
                ..GatewayResponse::default()
            });
        }
    }

    fn text_map(&mut self, node: &Node<'a>) -> Texts {
        let mut map = Texts::new();
        for (key, member) in node.members() {
            match member.value.as_str() {
                Some(text) => drop(map.insert(key.to_owned(), text.to_owned())),
                None => self.findings.warn(&member.at, "this must be text; it is left out"),
            }
        }
        map
    }

    fn endpoint(&mut self, root: &Node<'a>) {
        let key = "x-amazon-apigateway-endpoint-configuration";
        let servers = root.get("servers").into_iter().flat_map(|list| list.items().collect::<Vec<_>>());
        let found = std::iter::once(root.clone()).chain(servers).find_map(|node| node.get(key));
        let Some(node) = found else { return };
        self.keywords(&node, &["disableExecuteApiEndpoint", "vpcEndpointIds"], &[]);
        self.document.disable_execute_api_endpoint = node.flag_of("disableExecuteApiEndpoint");
        self.document.vpc_endpoint_ids = node.texts_of("vpcEndpointIds");
    }

    fn tags(&mut self, root: &Node<'a>) {
        for tag in root.get("tags").iter().flat_map(Node::items) {
            let value = tag.text_of("x-amazon-apigateway-tag-value");
            match (tag.text_of("name"), value) {
                (Some(name), Some(value)) => drop(self.document.tags.insert(name, value)),
                _ => self.findings.ignored(&tag.at, "a tag without a value describes, but tags nothing"),
            }
        }
        if let Some(host) = root.get("host").filter(|_| self.version == Version::V2) {
            self.findings.ignored(&host.at, "an API's host is given by the gateway");
        }
    }
}

/// Three digits, the first from 1 to 5.
pub(super) fn is_status(code: &str) -> bool {
    matches!(code.as_bytes(), [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'])
}
