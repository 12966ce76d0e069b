//! The cluster's own operations as bytes.

use bincode::Options;
use serde::{Deserialize, Serialize};

const VERSION: u8 = 1;
const MAX_BYTES: u64 = 1 << 20;

/// A node that comes into being.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewNode {
    /// The name that the operator wishes.
    pub name: String,
    /// The region that the operator wishes.
    pub region: String,
    /// Where its peers listener is reached.
    pub peers_address: String,
    /// Where its admin listener is reached; empty: nowhere.
    pub admin_address: String,
    /// SHA-256 of its public key.
    pub spki_sha256: [u8; 32],
    /// Whether the operator wishes it to vote.
    pub voter: bool,
    /// Its version of Meridian.
    pub version: String,
    /// Its replica id in the `config` group.
    pub config_replica: u64,
    /// Its replica id in the `usage` group, if it begins with one.
    pub usage_replica: u64,
    /// SHA-256 of its admin token, hexadecimal.
    pub admin_token_sha256: String,
}

/// Credentials to be stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAdminKey {
    /// The access key id.
    pub id: String,
    /// The secret access key, sealed.
    #[serde(with = "serde_bytes")]
    pub secret_sealed: Vec<u8>,
    /// Whose things it may touch.
    pub account: String,
}

/// An operation on the cluster itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdminCall {
    /// Begins a cluster.
    Found {
        /// Random id.
        cluster_id: String,
        /// The first account.
        account: String,
        /// The first node.
        node: NewNode,
        /// The root credentials.
        root: NewAdminKey,
    },
    /// Makes a join token.
    CreateToken {
        /// Hex of the SHA-256 of its secret.
        secret_sha256: String,
        /// The only region that it is good for; empty: any.
        region: String,
        /// How long it is good for.
        ttl_ms: i64,
    },
    /// A node joins by a token.
    Join {
        /// Hex of the SHA-256 of the token's secret.
        secret_sha256: String,
        /// The node.
        node: NewNode,
    },
    /// A node has started: where it is now, and what it runs.
    Announce {
        /// The node.
        node_id: u64,
        /// Where its peers listener is reached.
        peers_address: String,
        /// Where its admin listener is reached.
        admin_address: String,
        /// Its version.
        version: String,
    },
    /// A node is to vote, or not.
    SetRole {
        /// The node's name.
        name: String,
        /// Whether it is to vote.
        voter: bool,
    },
    /// A replica id was drawn for a node, because it had none or lost its last one.
    SetReplica {
        /// The node.
        node_id: u64,
        /// In the `usage` group, else in `config`.
        usage: bool,
        /// The id; 0: none.
        replica_id: u64,
    },
    /// A node is emptied of visitors, or takes them again.
    Drain {
        /// The node's name.
        name: String,
        /// Which.
        draining: bool,
    },
    /// A node leaves for good.
    Remove {
        /// The node's name.
        name: String,
    },
    /// Drops everything that accounts own (`--dev` only).
    Reset,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdminReply {
    /// Done.
    Done,
    /// Done, to this node.
    Node {
        /// Its number.
        id: u64,
        /// Its name.
        name: String,
        /// Its region.
        region: String,
        /// Its replica id in the `config` group.
        config_replica: u64,
    },
    /// Refused.
    Fault(AdminFault),
}

/// Why an operation was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum AdminFault {
    /// There is a cluster already.
    #[error("this node already belongs to cluster {0}")]
    Founded(String),
    /// The token is not known, was used by another key, or is too old.
    #[error("the join token {0}: make a new one with `meridian token create`")]
    Token(String),
    /// There is no such node.
    #[error("there is no node named `{0}`: see `meridian members`")]
    NoNode(String),
    /// It would be unsafe.
    #[error("{0}")]
    Unsafe(String),
    /// The call cannot be read by this version.
    #[error("the leader cannot read this call ({0}): all nodes must run the same version for it")]
    Malformed(String),
}

fn options() -> impl Options {
    bincode::DefaultOptions::new().with_limit(MAX_BYTES)
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    // Only a value beyond the limit fails: its reader then says that it is malformed.
    let _ = options().serialize_into(&mut bytes, value);
    bytes
}

fn decode<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, AdminFault> {
    match bytes.split_first() {
        Some((&VERSION, body)) => options().deserialize(body).map_err(|cause| AdminFault::Malformed(cause.to_string())),
        Some((version, _)) => Err(AdminFault::Malformed(format!("format {version}, known: {VERSION}"))),
        None => Err(AdminFault::Malformed("empty".into())),
    }
}

/// The payload of a call.
#[must_use]
pub fn encode_call(call: &AdminCall) -> Vec<u8> {
    encode(call)
}

/// The call in a payload.
pub(super) fn decode_call(bytes: &[u8]) -> Result<AdminCall, AdminFault> {
    decode(bytes)
}

/// The payload of a reply.
#[must_use]
pub fn encode_reply(reply: &AdminReply) -> Vec<u8> {
    encode(reply)
}

/// The reply in a payload; what cannot be read is a fault.
#[must_use]
pub fn decode_reply(bytes: &[u8]) -> AdminReply {
    decode(bytes).unwrap_or_else(AdminReply::Fault)
}
