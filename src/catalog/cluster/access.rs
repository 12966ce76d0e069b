//! Who may join and who may administrate. Secrets are stored as hashes or sealed, never as they are.

use crate::catalog::{AccountId, Noun, Region, Table, Unknown};
use serde::{Deserialize, Serialize};

/// A join token; row id: hex of the SHA-256 of its secret (foundations §8.4).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JoinToken {
    /// The only region it is good for; empty: any.
    pub region: Region,
    /// Until when, milliseconds since 1970.
    pub expires_ms: i64,
    /// SHA-256 of the public key that used it; empty while unused. Only this key may retry.
    #[serde(with = "serde_bytes")]
    pub used_by_spki_sha256: Vec<u8>,
    /// The node that it made; 0 while unused.
    pub node_id: u64,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for JoinToken {
    const TABLE: Table = Table::Token;
}

/// Credentials of an administrator; row id: the access key id, or `token:` and hex of a bearer token's SHA-256.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AdminKey {
    /// Whose things it may touch.
    pub account: AccountId,
    /// Name for people.
    pub name: String,
    /// The secret access key, sealed under the cluster key; empty for a bearer token.
    #[serde(with = "serde_bytes")]
    pub secret_sealed: Vec<u8>,
    /// When it was made, milliseconds since 1970.
    pub created_ms: i64,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for AdminKey {
    const TABLE: Table = Table::AdminKey;
}
