//! An answered write, kept so that its retry gets the same answer (foundations §1.7).

use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};

/// A request and its answer; row id: the request id. Kept for 24 h of entry time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Request {
    /// SHA-256 of the payload: the same id with another payload is a conflict.
    #[serde(with = "serde_bytes")]
    pub payload_sha256: Vec<u8>,
    /// The answer, as the room that evaluated it encoded it.
    #[serde(with = "serde_bytes")]
    pub reply: Vec<u8>,
    /// When it was applied, milliseconds since 1970, entry time.
    pub time_ms: i64,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for Request {
    const TABLE: Table = Table::Request;
}
