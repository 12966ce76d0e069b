//! What stands behind a method, and how its answers are mapped. Parts of the method's row.

use super::{ConnectionType, ContentHandling, IntegrationType, PassthroughBehavior, ResponseTransferMode};
use super::{Templates, Texts};
use crate::catalog::Unknown;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An integration; a part of [`super::Method`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Integration {
    /// What it calls.
    #[serde(rename = "type")]
    pub kind: IntegrationType,
    /// The method that it calls with; absent for MOCK.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_method: Option<String>,
    /// Where it calls: a URL with `{name}` and `${stageVariables.x}`, or an ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// How the endpoint is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_type: Option<ConnectionType>,
    /// The VPC link, or a stage variable that names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<String>,
    /// The role to call with, or `arn:aws:iam::*:user/*` for the caller's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<String>,
    /// `integration.request.{location}.{name}` → source.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub request_parameters: Texts,
    /// Media type → template.
    #[serde(skip_serializing_if = "Templates::is_empty")]
    pub request_templates: Templates,
    /// What happens to a body without a template; absent: `WHEN_NO_MATCH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passthrough_behavior: Option<PassthroughBehavior>,
    /// Conversion of the request's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_handling: Option<ContentHandling>,
    /// How long it may take, milliseconds; absent: 29,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_in_millis: Option<i32>,
    /// Methods with the same name share cached answers; absent: the resource's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_namespace: Option<String>,
    /// The parameters that make up the cache's key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cache_key_parameters: Vec<String>,
    /// Status code → mapping of answers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub integration_responses: BTreeMap<String, IntegrationResponse>,
    /// TLS towards the endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_config: Option<TlsConfig>,
    /// Whether answers are collected before they are sent on; absent: they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_transfer_mode: Option<ResponseTransferMode>,
    /// The load balancer behind a VPC link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration_target: Option<String>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Default for Integration {
    /// A mock: the type that calls nobody.
    fn default() -> Self {
        Self {
            kind: IntegrationType::Mock,
            http_method: None,
            uri: None,
            connection_type: None,
            connection_id: None,
            credentials: None,
            request_parameters: Texts::new(),
            request_templates: Templates::new(),
            passthrough_behavior: None,
            content_handling: None,
            timeout_in_millis: None,
            cache_namespace: None,
            cache_key_parameters: Vec::new(),
            integration_responses: BTreeMap::new(),
            tls_config: None,
            response_transfer_mode: None,
            integration_target: None,
            unknown: Unknown::new(),
        }
    }
}

/// TLS towards an integration's endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TlsConfig {
    /// Whether any certificate will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insecure_skip_verification: Option<bool>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// How an answer of the integration becomes the method's; a part of [`Integration`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IntegrationResponse {
    /// The method response that it feeds.
    pub status_code: String,
    /// Regular expression over the answer's status; absent or empty: the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selection_pattern: Option<String>,
    /// `method.response.header.{name}` → source. Some and empty when it was given empty: AWS echoes that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_parameters: Option<Texts>,
    /// Media type → template. Some and empty when it was given empty: AWS echoes that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_templates: Option<Templates>,
    /// Conversion of the answer's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_handling: Option<ContentHandling>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}
