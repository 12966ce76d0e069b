//! Replication: propose, read, watch, change the membership. Nothing of openraft leaves this room.
//!
//! ```text
//! control ─ Call ─▶ ConfigGroup::propose ── PROPOSE ──▶ leader: evaluator ─ Change ─▶ Raft log ─▶ every node: Machine
//!                        ▲                                 (tip = applied + in flight)                │ publish
//!                        └── Done: reply, index ◀── applied there, activated by live nodes ◀── ACTIVATED
//! ```
//! Two groups (`config` on every node, `usage` on voters) are hosted by the same code over one transport; each has its
//! own log file with one writer thread, and its own state file.

pub mod admin;
mod call;
mod error;
mod handle;
mod machine;
mod open;
mod status;
mod timing;

pub use call::{Call, Done, Evaluate, Evaluated, Stamp, Wait};
pub use error::{ClusterError, OpenError};
pub use handle::{BoxFuture, ConfigGroup, MemberChange, UsageGroup, draw_replica_id};
pub use machine::{Machine, Pinned, Write};
pub use open::{Activation, CONFIG, GroupOptions, Opening, USAGE};
pub use status::{GroupStatus, MemberStatus, Role};
pub use timing::Timing;
