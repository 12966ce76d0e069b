//! A function: what all of its versions share.

use super::Texts;
use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};

/// A function; row id: its name, in the scope of its account and region.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Function {
    /// 1 to 64 of `[a-zA-Z0-9-_]`.
    pub function_name: String,
    /// Calls that may run at once on one node; none: as many as the node runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserved_concurrent_executions: Option<u32>,
    /// Tags.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub tags: Texts,
    /// When it was made, milliseconds since 1970.
    pub created_ms: i64,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for Function {
    const TABLE: Table = Table::Function;
}

impl Function {
    /// The row of [`crate::catalog::cluster::Sequence`] that numbers a function's versions: it outlives the function, for a
    /// number is never given twice.
    #[must_use]
    pub fn sequence_id(name: &str) -> String {
        format!("function/{name}")
    }
}
