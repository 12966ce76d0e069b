//! Settings of one account in one region.

use super::ThrottleSettings;
use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};

/// Account settings; one row per account and region, absent until first changed. Row id: [`Account::ROW_ID`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Account {
    /// The role that writes logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloudwatch_role_arn: Option<String>,
    /// The account's own throttle; absent: the node's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttle_settings: Option<ThrottleSettings>,
    /// Switched-on features beside `UsagePlans`, which every account has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Account {
    /// The id of the only row of its kind.
    pub const ROW_ID: &str = "";
}

impl Noun for Account {
    const TABLE: Table = Table::Account;
}
