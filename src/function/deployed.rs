//! A version of a function as its host must know it: what runs, with what, for how long.

use std::collections::BTreeMap;
use std::fmt;

/// One version, ready to run once its code is here.
#[derive(Clone, PartialEq, Eq)]
pub struct Deployed {
    /// Names this version in this revision: another key is other code, other settings, or another function.
    pub key: Box<str>,
    /// `arn:aws:lambda:{region}:{account}:function:{name}`, with the qualifier that was called (`AWS_LAMBDA_…`'s invoked ARN).
    pub arn: Box<str>,
    /// The function's name.
    pub name: Box<str>,
    /// `$LATEST`, or a number.
    pub version: Box<str>,
    /// Its account, 12 digits.
    pub account: Box<str>,
    /// Its region.
    pub region: Box<str>,
    /// `provided.al2023`, `python3.13`, …
    pub runtime: Box<str>,
    /// `module.function`; empty where none was given.
    pub handler: Box<str>,
    /// Memory, MiB.
    pub memory_mb: u32,
    /// `/tmp`, MiB.
    pub ephemeral_mb: u32,
    /// The longest that one call may take, seconds.
    pub timeout_s: u32,
    /// `x86_64` or `arm64`.
    pub architecture: Box<str>,
    /// The function's own environment variables. They are secrets.
    pub environment: BTreeMap<String, String>,
    /// `/aws/lambda/{name}`, or what the owner said.
    pub log_group: Box<str>,
    /// SHA-256 of its zip.
    pub code_sha256: [u8; 32],
    /// Bytes of its zip.
    pub code_bytes: u64,
    /// Calls that may run at once on this node; none: as many as the node runs.
    pub reserved_concurrency: Option<u32>,
}

// Its environment must not get into a log.
impl fmt::Debug for Deployed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deployed")
            .field("key", &self.key)
            .field("runtime", &self.runtime)
            .field("handler", &self.handler)
            .field("memory_mb", &self.memory_mb)
            .field("timeout_s", &self.timeout_s)
            .field("variables", &self.environment.len())
            .finish_non_exhaustive()
    }
}
