//! A frozen API.

use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};

/// A deployment; row id: its id. The tree that it froze is kept by `state` under the same id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Deployment {
    /// Six of `[a-z0-9]`.
    pub id: String,
    /// Text for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was made, milliseconds since 1970.
    pub created_date_ms: i64,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for Deployment {
    const TABLE: Table = Table::Deployment;
}
