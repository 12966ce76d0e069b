//! The inside of a function's process: what our own binary does when the host runs it as `meridian function-child`.
//!
//! ```text
//! node ─ spawns ─▶ outer: other user, namespaces ─ spawns ─▶ inner (first process of its namespace): mounts, limits, watch
//!                                                               └ spawns ─▶ the runtime
//! node ◀── socket: what became of it; its end means that the node is gone ──▶ inner
//! ```
//! A process of its own, because limits and namespaces must be set between fork and exec, which safe Rust cannot do in the node.
//! When inner ends, the kernel ends all that is left in its namespace: no process of a function outlives it, nor the node.

pub(super) mod family;
mod inner;
mod mounts;
mod outer;

use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// The first argument of the outer process.
pub(super) const OUTER: &str = "function-child";
/// The first argument of the inner one.
const INNER: &str = "function-inner";
/// The first argument of the runtime's, where there is no namespace that ends it.
const BOUND: &str = "function-bound";
/// Longest description, bytes.
const LONGEST_SPEC: usize = 1 << 20;

/// What is to run, and in which bounds: sent over the socket, since others can read arguments and variables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spec {
    /// Program and arguments.
    pub(super) command: Vec<String>,
    /// All variables.
    pub(super) environment: Vec<(String, String)>,
    /// The code's directory, where it is to appear and to run.
    pub(super) code: PathBuf,
    /// Directories and files that it must not see.
    pub(super) hide: Vec<PathBuf>,
    /// What all its processes may use together, MiB.
    pub(super) memory_mib: u64,
    /// Its `/tmp`, MiB.
    pub(super) tmp_mib: u64,
    /// Processes and threads at once.
    pub(super) processes: u64,
    /// Open files of one process.
    pub(super) open_files: u64,
}

/// What inner says, one line of JSON each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Said {
    /// The runtime was started; what of its box the system does not allow.
    Started {
        /// Each part that is missing, and why.
        missing: Vec<String>,
    },
    /// The runtime cannot be started.
    Cannot {
        /// Whether the program is not there.
        absent: bool,
        /// The system's words.
        why: String,
    },
    /// The most memory so far, KiB.
    Memory(u64),
    /// It was ended because it used more than its memory.
    OutOfMemory,
    /// It ended by itself.
    Exited(i32),
    /// A signal ended it.
    Signaled(i32),
}

/// Runs the part that the arguments name, if they name one; else the program is something else.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    let part = arguments.next()?;
    if part == OUTER {
        Some(outer::run(arguments))
    } else if part == INNER {
        Some(inner::run(arguments))
    } else if part == BOUND {
        Some(inner::bound(arguments))
    } else {
        None
    }
}

/// Says on stderr, which is the function's log, why a box cannot be made.
fn failed(what: &str, error: impl std::fmt::Display) -> ExitCode {
    eprintln!("function process: {what}: {error}");
    ExitCode::from(125)
}
