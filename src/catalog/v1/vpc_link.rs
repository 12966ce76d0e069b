//! A VPC link: how integrations reach what has no public address.

use super::{Texts, VpcLinkStatus};
use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};

/// A VPC link; row id: its id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VpcLink {
    /// Six of `[a-z0-9]`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Text for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The network load balancer.
    pub target_arns: Vec<String>,
    /// Whether it can be used.
    pub status: VpcLinkStatus,
    /// Words about the status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_message: Option<String>,
    /// Tags.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub tags: Texts,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Default for VpcLink {
    fn default() -> Self {
        Self {
            id: String::new(),
            name: String::new(),
            description: None,
            target_arns: Vec::new(),
            status: VpcLinkStatus::Available,
            status_message: None,
            tags: Texts::new(),
            unknown: Unknown::new(),
        }
    }
}

impl Noun for VpcLink {
    const TABLE: Table = Table::VpcLink;
}
