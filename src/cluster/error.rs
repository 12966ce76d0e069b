//! What can go wrong at the door of a group.

use std::{io, path::PathBuf};

/// Why a group could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum ClusterError {
    /// No leader answered in time. The call may have been applied: a retry with the same id is safe.
    #[error("no leader answered within {waited_ms} ms: {last}")]
    Unavailable {
        /// How long was tried.
        waited_ms: u64,
        /// What the last attempt met.
        last: String,
    },
    /// This request id was used with another payload.
    #[error("request id `{id}` was used for another request")]
    IdReused {
        /// The id.
        id: String,
    },
    /// The effects of the call do not fit.
    #[error("the change is {bytes} bytes long, {limit} at most")]
    TooLarge {
        /// Encoded length.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The node did not reach the index in time.
    #[error("index {wanted} was not reached within {waited_ms} ms, this node is at {reached}")]
    Behind {
        /// The index that was asked for.
        wanted: u64,
        /// Where this node stands.
        reached: u64,
        /// How long was waited.
        waited_ms: u64,
    },
    /// A change of the membership that would be unsafe, or makes no sense.
    #[error("{0}")]
    Membership(String),
    /// The group has stopped on this node: a disk fault, or it is shutting down.
    #[error("the group has stopped on this node: {0}")]
    Stopped(String),
    /// An operation died: a mistake of ours.
    #[error("the operation failed inside: {0}")]
    Internal(String),
    /// A peer sent what this version cannot read.
    #[error("message from a peer cannot be read: {0}")]
    Malformed(String),
}

/// Why a group could not be opened on this node.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory belonged to a replica whose log is gone: its votes and promises are lost with it.
    #[error(
        "{} held replica {replica_id} of group `{group}`, but its log is missing. A replica that lost its log must not come back \
         under its old id: remove this node from the cluster, empty the data directory, and join again",
        directory.display()
    )]
    LogMissing {
        /// The group's name.
        group: String,
        /// Where it was.
        directory: PathBuf,
        /// Who it was.
        replica_id: u64,
    },
    /// The log or the state cannot be read.
    #[error(
        "{} is damaged: {cause}. Remove this node from the cluster, empty the data directory, and join again",
        file.display()
    )]
    Damaged {
        /// Which file.
        file: PathBuf,
        /// What was met.
        cause: String,
    },
    /// The directory holds another replica.
    #[error("{} belongs to {found}, not to {expected}", directory.display())]
    Foreign {
        /// Where.
        directory: PathBuf,
        /// Who is there.
        found: String,
        /// Who was expected.
        expected: String,
    },
    /// A file could not be used.
    #[error("{}: {cause}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// Raft did not start.
    #[error("raft did not start: {0}")]
    Raft(String),
}
