//! What the control plane needs of the node's functions: code kept, calls run; `node` fills it in.

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::Fault;
use crate::function::call::{Call, Calling};

/// Code that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptCode {
    /// SHA-256 of the zip.
    pub sha256: [u8; 32],
    /// Bytes of the zip.
    pub bytes: u64,
}

/// Functions on this node.
pub trait Functions: Send + Sync {
    /// Bytes of the largest zip.
    fn most_zip_bytes(&self) -> usize;

    /// Keeps a zip where the death of this node loses it as little as the row that will name it.
    fn keep(&self, zip: Bytes) -> BoxFuture<'_, Result<KeptCode, Fault>>;

    /// The zip of a version that is kept, for its owner to look at.
    fn code(&self, sha256: [u8; 32]) -> BoxFuture<'_, Result<Bytes, Fault>>;

    /// Calls a function.
    fn invoke(&self, call: Call) -> Calling<'_>;
}
