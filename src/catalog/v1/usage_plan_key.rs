//! A key's membership of a usage plan.

use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};

/// A key in a plan; row id: [`UsagePlanKey::row_id`]. Its name and value are the key's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UsagePlanKey {
    /// The key's id.
    pub id: String,
    /// Always `API_KEY`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl UsagePlanKey {
    /// The only type of a plan's key.
    pub const API_KEY: &str = "API_KEY";

    /// The id of a membership's row: `{planId}/{keyId}`, so that a plan's keys lie together.
    #[must_use]
    pub fn row_id(plan_id: &str, key_id: &str) -> String {
        format!("{plan_id}/{key_id}")
    }
}

impl Noun for UsagePlanKey {
    const TABLE: Table = Table::UsagePlanKey;
}
