//! The cluster's own operations: found, invite, let in, give parts, remove. Pure, run by the leader's evaluator.
//!
//! ```text
//! node or cli ─ AdminCall ─▶ Call (room CLUSTER_ROOM) ─▶ evaluator ─▶ evaluate ─▶ Node, JoinToken, AdminKey rows
//! ```
//! Rows say what is wanted; the keeper in `node` makes Raft's memberships follow them, one resumable step at a time.

mod evaluate;
mod wire;

pub use evaluate::evaluate;
pub use wire::{AdminCall, AdminFault, AdminReply, NewAdminKey, NewNode, decode_reply, encode_call, encode_reply};

/// The number of this room in [`super::Call::room`].
pub const CLUSTER_ROOM: u8 = 2;

#[cfg(test)]
mod tests;
