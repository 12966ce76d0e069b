//! What it takes to open a group on a node.

use super::Timing;
use std::path::PathBuf;

/// The number of the `config` group on the wire.
pub const CONFIG: u8 = 1;
/// The number of the `usage` group on the wire.
pub const USAGE: u8 = 2;

/// How a replica comes into being. Each may be repeated after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// The first replica of a new group: it votes alone.
    Found,
    /// A new replica, which waits for the leader to add it.
    Join,
    /// A replica that was here before: its log must be there.
    Reopen,
}

/// Who says when an index is served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Activation {
    /// What is applied is served: readers look at the World itself.
    #[default]
    OnApply,
    /// The node calls [`super::ConfigGroup::activate`].
    ByNode,
}

/// A replica to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOptions {
    /// Where its files are; made when absent.
    pub directory: PathBuf,
    /// This node.
    pub node_id: u64,
    /// This replica's id in the group, from [`super::draw_replica_id`].
    pub replica_id: u64,
    /// How it comes into being.
    pub opening: Opening,
    /// Heartbeats and elections.
    pub timing: Timing,
    /// Who says when an index is served (`config` only).
    pub activation: Activation,
}
