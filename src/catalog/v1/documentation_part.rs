//! Documentation: texts about parts of an API, and what they were at one moment.

use super::DocumentationPartType;
use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};

/// A documentation part; row id: its id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DocumentationPart {
    /// Six of `[a-z0-9]`.
    pub id: String,
    /// What it is about; unique in its API.
    pub location: DocumentationPartLocation,
    /// A JSON object, text as it was given.
    pub properties: String,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for DocumentationPart {
    const TABLE: Table = Table::DocumentationPart;
}

/// What a documentation part is about; a part of [`DocumentationPart`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DocumentationPartLocation {
    /// The kind of entity.
    #[serde(rename = "type")]
    pub kind: DocumentationPartType,
    /// The resource's path; absent where the kind has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The method, or `*`; absent where the kind has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The response's status, or `*`; absent where the kind has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<String>,
    /// The name of a parameter, header, model or authorizer; absent where the kind has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Default for DocumentationPartLocation {
    fn default() -> Self {
        Self {
            kind: DocumentationPartType::Api,
            path: None,
            method: None,
            status_code: None,
            name: None,
            unknown: Unknown::new(),
        }
    }
}

/// A documentation version: the parts as they were when it was made; row id: its name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DocumentationVersion {
    /// Its name; unique in its API.
    pub version: String,
    /// Text for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The parts, in order of id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<DocumentationPart>,
    /// When it was made, milliseconds since 1970.
    pub created_date_ms: i64,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for DocumentationVersion {
    const TABLE: Table = Table::DocumentationVersion;
}
