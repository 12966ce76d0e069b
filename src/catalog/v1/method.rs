//! A method of a resource, with what stands behind it and what it may answer: one row.

use super::{Integration, Texts, is_false};
use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A method; row id: [`Method::row_id`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Method {
    /// `GET`, …, or `ANY`.
    pub http_method: String,
    /// `NONE`, `AWS_IAM`, `CUSTOM` or `COGNITO_USER_POOLS`.
    pub authorization_type: String,
    /// The authorizer of `CUSTOM` and `COGNITO_USER_POOLS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer_id: Option<String>,
    /// Whether a request needs an API key.
    #[serde(skip_serializing_if = "is_false")]
    pub api_key_required: bool,
    /// The validator of its requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_validator_id: Option<String>,
    /// Its name in generated clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation_name: Option<String>,
    /// `method.request.{location}.{name}` → whether it is required. Some and empty when it was given empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_parameters: Option<BTreeMap<String, bool>>,
    /// Media type → model name. Some and empty when it was given empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_models: Option<Texts>,
    /// Status code → answer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub method_responses: BTreeMap<String, MethodResponse>,
    /// What stands behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method_integration: Option<Integration>,
    /// OAuth scopes of a Cognito authorizer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authorization_scopes: Vec<String>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Method {
    /// The id of a method's row: `{resourceId}/{METHOD}`, so that a resource's methods lie together.
    #[must_use]
    pub fn row_id(resource_id: &str, http_method: &str) -> String {
        format!("{resource_id}/{http_method}")
    }
}

impl Noun for Method {
    const TABLE: Table = Table::Method;
}

/// An answer that a method may give; a part of [`Method`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MethodResponse {
    /// Three digits.
    pub status_code: String,
    /// `method.response.header.{name}` → whether it is required. Some and empty when it was given empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_parameters: Option<BTreeMap<String, bool>>,
    /// Media type → model name. Some and empty when it was given empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_models: Option<Texts>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}
