//! A path of an API.

use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};

/// A resource; row id: its id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resource {
    /// Six of `[a-z0-9]`, ten for the root.
    pub id: String,
    /// The resource above it; absent for the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// Its own segment; absent for the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_part: Option<String>,
    /// The whole path, `/` for the root. Moving a resource rewrites those below it.
    pub path: String,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for Resource {
    const TABLE: Table = Table::Resource;
}
