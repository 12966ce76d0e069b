//! Replication: propose, read, watch, change the membership. Nothing of openraft leaves this room.
//!
//! ```text
//! control ─ Call ─▶ ConfigGroup::propose ── PROPOSE ──▶ leader: evaluator ─ Change ─▶ Raft log ─▶ every node: Machine
//!                        ▲                                 (tip = applied + in flight)                │ publish
//!                        └── Done: reply, index ◀── applied there, activated by live nodes ◀── ACTIVATED
//! ```
//! Two groups (`config` on every node, `usage` on voters) are hosted by the same code over one transport; each has its
//! own log file with one writer thread, and its own state file.

mod activation;
pub mod admin;
mod call;
mod config_host;
mod error;
mod evaluator;
mod handle;
mod host;
mod live;
mod machine;
mod members;
mod open;
mod peer;
mod read;
#[cfg(test)]
mod simulation;
mod start;
mod status;
mod store;
mod timing;
mod types;
mod usage_host;
mod world_machine;

pub use call::{Call, Done, Evaluate, Evaluated, Stamp, Wait};
pub use error::{ClusterError, OpenError};
pub use handle::{BoxFuture, ConfigGroup, MemberChange, UsageGroup, draw_replica_id};
pub use machine::{Machine, Pinned, Write};
pub use open::{Activation, CONFIG, GroupOptions, Opening, USAGE};
pub use peer::PeerDoor;
pub use status::{GroupStatus, MemberStatus, Role};
pub use timing::Timing;
