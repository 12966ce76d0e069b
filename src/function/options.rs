//! What the operator sets for the host, and what a deployed function is to it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A function as it is to run: everything that the host needs to know of its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    /// Names function, version and revision: processes are kept warm under it. Another key of the same function and version
    /// replaces it.
    pub key: Box<str>,
    /// `arn:aws:lambda:{region}:{account}:function:{name}`, without a qualifier: what reserved concurrency belongs to.
    pub function_arn: Box<str>,
    /// Its region.
    pub region: Box<str>,
    /// Its account, 12 digits.
    pub account: Box<str>,
    /// Its name.
    pub name: Box<str>,
    /// `$LATEST` or a number.
    pub version: Box<str>,
    /// `provided.al2023`, `python3.12`, `nodejs20.x`, …
    pub runtime: Box<str>,
    /// `module.function`.
    pub handler: Box<str>,
    /// Its memory, MiB.
    pub memory_mib: u32,
    /// What one invocation may take.
    pub timeout: Duration,
    /// Its own variables.
    pub environment: BTreeMap<String, String>,
    /// The directory of its unpacked code.
    pub code: PathBuf,
    /// Reserved concurrency: invocations at once, all versions together.
    pub reserved: Option<u32>,
    /// `/aws/lambda/{name}`, or what its logging configuration says.
    pub log_group: Box<str>,
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
    /// `/tmp` of a process, MiB; AWS: 512.
    pub tmp_mib: u64,
    /// Processes and threads of one function process; AWS: 1,024.
    pub processes: u64,
    /// Open files of one process; AWS: 1,024.
    pub open_files: u64,
    /// An answer that comes whole, bytes; AWS: 6 MiB and 100 bytes.
    pub response_bytes: usize,
    /// An answer that comes in pieces, bytes; AWS: 200 MiB.
    pub stream_bytes: u64,
    /// Asynchronous invocations that may wait.
    pub events: usize,
    /// Their payloads together, bytes.
    pub event_bytes: usize,
    /// How long to wait before an asynchronous invocation that failed is tried again; AWS: one and two minutes.
    pub retries: Vec<Duration>,
    /// An asynchronous invocation is given up when it is this old; AWS: 6 h.
    pub event_age: Duration,
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
            tmp_mib: 512,
            processes: 1_024,
            open_files: 1_024,
            response_bytes: 6_291_556,
            stream_bytes: 200 << 20,
            events: 10_000,
            event_bytes: 64 << 20,
            retries: vec![Duration::from_secs(60), Duration::from_secs(120)],
            event_age: Duration::from_secs(6 * 3_600),
            log_bytes_per_s: 1 << 20,
        }
    }
}
