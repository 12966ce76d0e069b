//! `x-amazon-apigateway-integration`: what stands behind an operation.

use super::extensions::is_status;
use super::{Node, Reader, shown};
use crate::catalog::v1::{
    ConnectionType, ContentHandling, Integration, IntegrationResponse, IntegrationType, Method, PassthroughBehavior,
    ResponseTransferMode, Templates, TlsConfig,
};
use crate::spec::openapi::Severity;
use serde_json::Value;

const MEMBERS: &[&str] = &[
    "type",
    "uri",
    "httpMethod",
    "credentials",
    "connectionType",
    "connectionId",
    "integrationTarget",
    "responseTransferMode",
    "timeoutInMillis",
    "passthroughBehavior",
    "contentHandling",
    "requestParameters",
    "requestTemplates",
    "cacheNamespace",
    "cacheKeyParameters",
    "tlsConfig",
    "responses",
    "$ref",
];

/// Further responses of the same selection pattern: written by our export, for AWS's form has room for one.
pub(in crate::spec::openapi) const OTHERS: &str = "x-meridian-others";

impl<'a> Reader<'a> {
    pub(super) fn integration(&mut self, operation: &Node<'a>, method: &mut Method, path: &str) {
        let Some(node) = operation.get("x-amazon-apigateway-integration") else { return };
        let Some(node) = self.resolve(node) else { return };
        for only_http in ["payloadFormatVersion", "integrationSubtype"] {
            if let Some(member) = node.get(only_http) {
                self.findings.warn(&member.at, "this belongs to HTTP APIs; a REST API has nothing like it");
            }
        }
        self.keywords(&node, &[MEMBERS, &["payloadFormatVersion", "integrationSubtype"]].concat(), &[]);
        let place = (path, method.http_method.as_str());
        let word = node.text_of("type").unwrap_or_default().to_ascii_uppercase();
        let Some(kind) = IntegrationType::known(&word) else {
            let text = format!(
                "Unable to put integration on '{}' for resource at path '{}': unknown integration type {}",
                place.1,
                place.0,
                shown(&word)
            );
            return self.findings.aws(Severity::Error, &format!("{}/type", node.at), text);
        };
        let http_method = node.text_of("httpMethod").filter(|_| kind != IntegrationType::Mock);
        let timeout = node.number_of("timeoutInMillis");
        let integration = Integration {
            http_method: http_method.map(|text| text.to_ascii_uppercase()),
            uri: node.text_of("uri").filter(|text| !text.is_empty()),
            connection_type: self.word(&node, "connectionType", ConnectionType::known),
            connection_id: node.text_of("connectionId"),
            credentials: node.text_of("credentials"),
            request_parameters: self.texts(&node, "requestParameters", place).into_iter().collect(),
            request_templates: self.templates(&node, "requestTemplates").unwrap_or_default(),
            passthrough_behavior: self.word(&node, "passthroughBehavior", PassthroughBehavior::known),
            content_handling: self.word(&node, "contentHandling", ContentHandling::known),
            timeout_in_millis: timeout.map(|ms| i32::try_from(ms).unwrap_or(i32::MAX)),
            cache_namespace: node.text_of("cacheNamespace"),
            cache_key_parameters: node.texts_of("cacheKeyParameters").unwrap_or_default(),
            integration_responses: self.integration_responses(&node, place),
            tls_config: self.tls(&node),
            response_transfer_mode: self.word(&node, "responseTransferMode", ResponseTransferMode::known),
            integration_target: node.text_of("integrationTarget"),
            kind,
            unknown: crate::catalog::Unknown::new(),
        };
        method.method_integration = Some(integration);
    }

    /// A member of a closed vocabulary, in any case.
    fn word<T>(&mut self, node: &Node<'a>, key: &str, known: fn(&str) -> Option<T>) -> Option<T> {
        let member = node.get(key)?;
        let word = member.text().unwrap_or_default();
        let found = known(&word.to_ascii_uppercase());
        if found.is_none() {
            self.findings.error(&member.at, format!("{} is none of the words for {key}", shown(&word)));
        }
        found
    }

    fn tls(&mut self, node: &Node<'a>) -> Option<TlsConfig> {
        let tls = node.get("tlsConfig")?;
        if let Some(name) = tls.get("serverNameToVerify") {
            self.findings.warn(&name.at, "this belongs to HTTP APIs; a REST API has nothing like it");
        }
        self.keywords(&tls, &["insecureSkipVerification", "serverNameToVerify"], &[]);
        let skip = tls.flag_of("insecureSkipVerification")?;
        Some(TlsConfig { insecure_skip_verification: Some(skip), ..TlsConfig::default() })
    }

    /// Templates by media type; null and empty stay.
    fn templates(&mut self, node: &Node<'a>, key: &str) -> Option<Templates> {
        let home = node.get(key)?;
        let mut templates = Templates::new();
        for (kind, member) in home.members() {
            match member.value {
                Value::String(text) => drop(templates.insert(kind.to_owned(), Some(text.clone()))),
                Value::Null => drop(templates.insert(kind.to_owned(), None)),
                // A template written as JSON instead of text means its text.
                other @ Value::Object(_) => drop(templates.insert(kind.to_owned(), Some(other.to_string()))),
                _ => self.findings.warn(&member.at, "a template must be text; it is left out"),
            }
        }
        Some(templates)
    }

    fn integration_responses(
        &mut self,
        node: &Node<'a>,
        place: (&str, &str),
    ) -> std::collections::BTreeMap<String, IntegrationResponse> {
        let mut responses = std::collections::BTreeMap::new();
        let listed =
            node.get("responses").iter().flat_map(|home| home.members().collect::<Vec<_>>()).collect::<Vec<_>>();
        let all = listed.into_iter().flat_map(|(pattern, node)| {
            let others: Vec<_> = node.get(OTHERS).iter().flat_map(Node::items).map(|other| (pattern, other)).collect();
            std::iter::once((pattern, node)).chain(others)
        });
        for (pattern, node) in all.collect::<Vec<_>>() {
            let words = ["statusCode", "responseParameters", "responseTemplates", "contentHandling", OTHERS];
            self.keywords(&node, &words, &[]);
            let code = node.text_of("statusCode").unwrap_or_default();
            if !is_status(&code) {
                let text = format!(
                    "Unable to put integration response on '{}' for resource at path '{}': Invalid status code {}",
                    place.1,
                    place.0,
                    shown(&code)
                );
                self.findings.aws(Severity::Error, &format!("{}/statusCode", node.at), text);
                continue;
            }
            let parameters = node.get("responseParameters").map(|_| self.texts(&node, "responseParameters", place));
            let response = IntegrationResponse {
                status_code: code.clone(),
                selection_pattern: Some(pattern).filter(|pattern| *pattern != "default").map(str::to_owned),
                response_parameters: parameters.map(|pairs| pairs.into_iter().collect()),
                response_templates: self.templates(&node, "responseTemplates"),
                content_handling: self.word(&node, "contentHandling", ContentHandling::known),
                ..IntegrationResponse::default()
            };
            if responses.insert(code, response).is_some() {
                self.findings.warn(
                    &node.at,
                    "another response of this integration has the same statusCode: this one takes its place",
                );
            }
        }
        responses
    }
}
