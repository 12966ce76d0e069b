//! The seam to whatever runs a version's code on this node, and to where that code comes from.

use super::call::{Call, Calling};
use super::deployed::Deployed;
use bytes::Bytes;
use futures_util::future::BoxFuture;

/// Runs versions. Permission and reserved concurrency were looked at before.
pub trait Run: Send + Sync {
    /// Whether a zip can be unpacked and run at all; what is wrong with it is for its owner to read.
    fn check(&self, zip: Bytes) -> BoxFuture<'_, Result<(), String>>;

    /// Runs one call; `InvocationType` is `RequestResponse` here.
    fn run(&self, deployed: Deployed, call: Call) -> Calling<'_>;
}

/// Where code comes from: this node's disk, or a peer that has it.
pub trait Code: Send + Sync {
    /// The zip with this hash; its bytes are checked. An error is for the log.
    fn zip(&self, sha256: [u8; 32]) -> BoxFuture<'_, Result<Bytes, String>>;
}
