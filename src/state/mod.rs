//! All replicated rows, and the one way to change them.
//!
//! ```text
//! catalog noun ── Row::of ──▶ Op::Put ─┐
//!                                      ├─ Change ── Raft ──▶ World::apply ──▶ new root + Writes for the disk
//! scope, id ─────────────── Op::Drop ──┘
//! ```
//! A [`World`] is a persistent map: a clone is a pointer, and readers and snapshots hold a root. Apply inserts bytes and
//! never decodes a noun, but for the typed indexes (foundations §2).

mod apply;
mod change;
mod disk;
mod key;
mod load;
mod row;
mod scope;
mod tree;
mod wire;
mod world;

pub use apply::ApplyError;
pub use change::{Change, Op, Ops};
pub use disk::Write;
pub use key::Key;
pub use load::{LoadError, Loader};
pub use row::{Row, RowError};
pub use scope::Scope;
pub use tree::Tree;
pub use wire::{MAX_CHANGE_BYTES, WireError, decode_change, encode_change};
pub use world::World;

#[cfg(test)]
mod tests;
