//! A model: the JSON schema of a body.

use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};

/// A model; row id: its name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Model {
    /// Six of `[a-z0-9]`.
    pub id: String,
    /// Letters and digits; unique in its API.
    pub name: String,
    /// Text for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON Schema draft 4, text as it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The media type of the bodies that it describes.
    pub content_type: String,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for Model {
    const TABLE: Table = Table::Model;
}
