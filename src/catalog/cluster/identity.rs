//! Which cluster this is, and counters that only grow.

use crate::catalog::{AccountId, Noun, Table, Unknown};
use serde::{Deserialize, Serialize};

/// The cluster itself: one row with an empty id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cluster {
    /// Random name of the cluster, in its certificates and in every node's data directory.
    pub id: String,
    /// Grows when a cluster is recovered from lost quorum; the first half of every index that users see.
    pub epoch: u64,
    /// The first account.
    pub account: AccountId,
    /// When it was founded, milliseconds since 1970.
    pub founded_ms: i64,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for Cluster {
    const TABLE: Table = Table::Cluster;
}

/// A counter that only grows: `node`, `replica`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sequence {
    /// The last number given out.
    pub last: u64,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for Sequence {
    const TABLE: Table = Table::Sequence;
}
