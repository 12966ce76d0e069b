//! A node of the cluster, as its members know it.

use crate::catalog::{Noun, Region, Table, Unknown};
use serde::{Deserialize, Serialize};

/// What a node is meant to be in the `config` group; who leads is Raft's business.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeRole {
    /// Votes.
    Voter,
    /// Follows without a vote.
    #[default]
    Learner,
}

/// A node; row id: [`Node::row_id`]. Its number never comes back after removal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Node {
    /// The node's number, drawn from [`super::Sequence`] `node`.
    pub id: u64,
    /// The operator's name for it, unique in the cluster.
    pub name: String,
    /// Where it stands.
    pub region: Region,
    /// Where its peers endpoint is reached, `ip:port`.
    pub peers_address: String,
    /// Where its admin listener is reached, `ip:port`, for people; empty when it has none.
    pub admin_address: String,
    /// SHA-256 of its certificate's public key: a peer with another key is refused.
    #[serde(with = "serde_bytes")]
    pub spki_sha256: Vec<u8>,
    /// SHA-256 of its admin token, hexadecimal: the credentials that go when the node goes.
    pub admin_token_sha256: String,
    /// What it is meant to be.
    pub role: NodeRole,
    /// Its replica id in the `config` group; 0 until drawn, new at every promotion.
    pub config_replica: u64,
    /// Its replica id in the `usage` group; 0 while it has none.
    pub usage_replica: u64,
    /// The version of Meridian that it runs.
    pub version: String,
    /// When it joined, milliseconds since 1970.
    pub joined_ms: i64,
    /// Whether it is being emptied of visitors.
    pub draining: bool,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for Node {
    const TABLE: Table = Table::Node;
}

impl Node {
    /// The row id of the node with this number: sixteen hexadecimal digits, so that rows stand in order.
    #[must_use]
    pub fn row_id(id: u64) -> String {
        format!("{id:016x}")
    }
}
