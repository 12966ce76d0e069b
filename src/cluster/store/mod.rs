//! Where a replica keeps its log, its vote and its state.
//!
//! `log` and `state` hold the logic and are the same everywhere; what they write to is a `LogDisk` and a `StateDisk`:
//! redb files, each with one writer thread (`log_file`, `state_file`), or memory that forgets what was not synced
//! (`memory`, for simulation).

mod directory;
mod log;
mod log_file;
#[cfg(test)]
pub(crate) mod memory;
mod snapshot;
mod state;
mod state_file;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

pub(crate) use directory::open_directory;
pub(crate) use log::LogStore;
pub(crate) use snapshot::{SnapshotBody, SnapshotFile, SnapshotReader};
pub(crate) use state::StateStore;
