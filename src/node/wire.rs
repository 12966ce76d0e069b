//! What nodes say to each other outside Raft and forwarding: join requests and grants.

use bincode::Options;
use serde::{Deserialize, Serialize};

const VERSION: u8 = 1;
const MAX_BYTES: u64 = 1 << 20;

/// A machine asks to become a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct JoinRequest {
    /// The token's secret.
    pub secret: String,
    /// Certificate signing request, DER: its public key is what the node will be known by.
    #[serde(with = "serde_bytes")]
    pub csr: Vec<u8>,
    /// SHA-256 of that public key.
    pub spki_sha256: [u8; 32],
    /// Name that the operator wishes.
    pub name: String,
    /// Region that the operator wishes.
    pub region: String,
    /// Where its peers listener is reached.
    pub peers_address: String,
    /// Where its admin listener is reached.
    pub admin_address: String,
    /// Whether the operator wishes it to vote.
    pub voter: bool,
    /// Its version of Meridian.
    pub version: String,
    /// The replica id that it drew for the `config` group.
    pub config_replica: u64,
    /// SHA-256 of its admin token, hexadecimal.
    pub admin_token_sha256: String,
}

/// What a new node is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct JoinGrant {
    /// The cluster.
    pub cluster_id: String,
    /// Its number.
    pub node_id: u64,
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Its replica id in the `config` group.
    pub config_replica: u64,
    /// Its certificate, PEM.
    pub certificate: String,
    /// The CA's certificate, PEM.
    pub ca: String,
    /// The cluster's sealing key.
    #[serde(with = "serde_bytes")]
    pub seal_key: Vec<u8>,
    /// The nodes there are: number, name, region, address, hex of the key's SHA-256.
    pub peers: Vec<(u64, String, String, String, String)>,
}

/// Bytes that are no such message.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    /// Another version.
    #[error("message has format {0}, this node knows {VERSION}: use the same version of meridian on all nodes")]
    Version(u8),
    /// Damaged.
    #[error("message cannot be coded")]
    Code(#[from] bincode::Error),
}

fn options() -> impl Options {
    bincode::DefaultOptions::new().with_limit(MAX_BYTES)
}

/// The bytes of a message.
///
/// # Errors
/// When it is too large.
pub(super) fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, WireError> {
    let mut bytes = vec![VERSION];
    options().serialize_into(&mut bytes, message)?;
    Ok(bytes)
}

/// The message in these bytes.
///
/// # Errors
/// When they are damaged, too many, or of another version.
pub(super) fn decode<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, WireError> {
    match bytes.split_first() {
        Some((&VERSION, body)) => Ok(options().deserialize(body)?),
        Some((&version, _)) => Err(WireError::Version(version)),
        None => Err(WireError::Version(0)),
    }
}
