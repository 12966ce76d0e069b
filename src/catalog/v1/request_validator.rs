//! A request validator: what is checked before a request goes on.

use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};

/// A request validator; row id: its id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RequestValidator {
    /// Six of `[a-z0-9]`.
    pub id: String,
    /// Name for people and for OpenAPI; absent when none was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether the body must fit the method's model.
    pub validate_request_body: bool,
    /// Whether required parameters must be there.
    pub validate_request_parameters: bool,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for RequestValidator {
    const TABLE: Table = Table::RequestValidator;
}
