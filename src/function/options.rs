//! What the operator sets for the host, and a version that it can run.

use super::deployed::Deployed;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A version whose code is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// What runs.
    pub deployed: Deployed,
    /// The directory of its unpacked code.
    pub code: PathBuf,
}

impl Ready {
    /// Names the function and version in all its revisions.
    pub(super) fn version(&self) -> String {
        let Deployed { account, region, name, version, .. } = &self.deployed;
        format!("{account}/{region}/{name}:{version}")
    }

    /// What one invocation may take.
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(self.deployed.timeout_s.into())
    }
}

/// The host's settings and limits.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// This program, which is every function process's first step.
    pub launcher: PathBuf,
    /// Threads of the host's own runtime.
    pub threads: usize,
    /// Memory of all processes together, as their functions declare it, MiB.
    pub memory_mib: u64,
    /// Processes at once.
    pub concurrency: usize,
    /// Calls that may wait for a process.
    pub waiting: usize,
    /// A process that was not called for so long is ended.
    pub idle: Duration,
    /// What a runtime may take until it asks for its first invocation; AWS: 10 s.
    pub init: Duration,
    /// Runs `python*` functions; has `awslambdaric`.
    pub python: Option<PathBuf>,
    /// Runs `nodejs*` functions.
    pub node: Option<PathBuf>,
    /// The directory of the npm package `aws-lambda-ric`.
    pub node_ric: Option<PathBuf>,
    /// Interpreters by runtime (`python3.12`), instead of the above.
    pub interpreters: BTreeMap<String, PathBuf>,
    /// Directories and files that no function may see.
    pub hide: Vec<PathBuf>,
    /// Whom processes run as when the node runs as root; 0: root, without its powers.
    pub user: u32,
    /// Processes and threads of one function process; AWS: 1,024.
    pub processes: u64,
    /// Open files of one process; AWS: 1,024.
    pub open_files: u64,
    /// An answer that comes whole, bytes; AWS: 6 MiB and 100 bytes.
    pub response_bytes: usize,
    /// An answer that comes in pieces, bytes; AWS: 200 MiB.
    pub stream_bytes: u64,
    /// Log lines of one process, bytes a second; four times as much in a burst.
    pub log_bytes_per_s: u64,
}

impl Default for HostOptions {
    fn default() -> Self {
        HostOptions {
            launcher: PathBuf::from("/proc/self/exe"),
            threads: 2,
            memory_mib: 1_024,
            concurrency: 100,
            waiting: 1_000,
            idle: Duration::from_secs(300),
            init: Duration::from_secs(10),
            python: None,
            node: None,
            node_ric: None,
            interpreters: BTreeMap::new(),
            hide: Vec::new(),
            user: 65_534,
            processes: 1_024,
            open_files: 1_024,
            response_bytes: 6_291_556,
            stream_bytes: 200 << 20,
            log_bytes_per_s: 1 << 20,
        }
    }
}
