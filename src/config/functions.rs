//! `[functions]`: Lambda functions on this node.

use super::ConfigError;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `[functions]` as somebody wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FunctionSettings {
    /// Whether functions run here at all.
    pub enabled: Option<bool>,
    /// The largest zip, MiB.
    pub zip_mib: Option<u64>,
    /// All zips that this node keeps together, MiB.
    pub code_mib: Option<u64>,
    /// What one zip may hold, MiB.
    pub unzipped_mib: Option<u64>,
    /// Memory of all processes, as their functions declare it, MiB.
    pub memory_mib: Option<u64>,
    /// Processes at once.
    pub concurrency: Option<usize>,
    /// Calls that may wait for a process.
    pub waiting: Option<usize>,
    /// A process that was not called for so long is ended, seconds.
    pub idle_s: Option<u64>,
    /// Runs `python*` functions.
    pub python: Option<PathBuf>,
    /// Runs `nodejs*` functions.
    pub node: Option<PathBuf>,
    /// The npm package `aws-lambda-ric`.
    pub node_ric: Option<PathBuf>,
    /// Interpreters by runtime, instead of the above.
    pub interpreters: BTreeMap<String, PathBuf>,
    /// Whom processes run as when the node runs as root.
    pub user_id: Option<u32>,
    /// Files and directories that no function may see, besides the node's own.
    pub hide: Option<Vec<PathBuf>>,
}

/// Lambda functions on the node, complete and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Functions {
    /// Whether they run here. Code is kept for other nodes all the same.
    pub enabled: bool,
    /// The largest zip, bytes.
    pub zip_bytes: u64,
    /// All zips that this node keeps, bytes.
    pub code_bytes: u64,
    /// What one zip may hold, bytes.
    pub unzipped_bytes: u64,
    /// Memory of all processes, as their functions declare it, MiB.
    pub memory_mib: u64,
    /// Processes at once.
    pub concurrency: usize,
    /// Calls that may wait for a process.
    pub waiting: usize,
    /// A process that was not called for so long is ended, seconds.
    pub idle_s: u64,
    /// Runs `python*` functions: a path, or a name to be looked up in `PATH`.
    pub python: PathBuf,
    /// Runs `nodejs*` functions, likewise.
    pub node: PathBuf,
    /// The npm package `aws-lambda-ric`, if there is one.
    pub node_ric: Option<PathBuf>,
    /// Interpreters by runtime, instead of the above.
    pub interpreters: BTreeMap<String, PathBuf>,
    /// Whom processes run as when the node runs as root.
    pub user_id: u32,
    /// Files and directories that no function may see, besides the node's own.
    pub hide: Vec<PathBuf>,
}

impl FunctionSettings {
    /// These settings, where `stronger` says nothing.
    pub(super) fn overridden_by(self, stronger: Self) -> Self {
        Self {
            enabled: stronger.enabled.or(self.enabled),
            zip_mib: stronger.zip_mib.or(self.zip_mib),
            code_mib: stronger.code_mib.or(self.code_mib),
            unzipped_mib: stronger.unzipped_mib.or(self.unzipped_mib),
            memory_mib: stronger.memory_mib.or(self.memory_mib),
            concurrency: stronger.concurrency.or(self.concurrency),
            waiting: stronger.waiting.or(self.waiting),
            idle_s: stronger.idle_s.or(self.idle_s),
            python: stronger.python.or(self.python),
            node: stronger.node.or(self.node),
            node_ric: stronger.node_ric.or(self.node_ric),
            interpreters: self.interpreters.into_iter().chain(stronger.interpreters).collect(),
            user_id: stronger.user_id.or(self.user_id),
            hide: stronger.hide.or(self.hide),
        }
    }

    /// Completes and checks them; `dev` turns functions on where nothing else is said.
    pub(super) fn resolve(self, dev: bool) -> Result<Functions, ConfigError> {
        let mib = |name, given, usual, most, rule| within(name, given, usual, most, rule).map(|mib: u64| mib << 20);
        let count = |name, given: Option<usize>, usual, most, rule| {
            let given = given.map(|given| given as u64);
            within(name, given, usual, most, rule).map(|count| usize::try_from(count).unwrap_or(usize::MAX))
        };
        let relative = self.interpreters.values().chain(&self.node_ric).chain(self.hide.iter().flatten());
        if let Some(path) = relative.into_iter().find(|path| !path.is_absolute()) {
            let (name, value) = ("functions.interpreters, node_ric, hide", path.display().to_string());
            return Err(ConfigError::Value { name, value, rule: "an absolute path" });
        }
        Ok(Functions {
            enabled: self.enabled.unwrap_or(dev),
            // AWS: 50 MB of a zip that comes with the call.
            zip_bytes: mib("functions.zip_mib", self.zip_mib, 50, 256, "1 to 256")?,
            code_bytes: mib("functions.code_mib", self.code_mib, 10 << 10, 1 << 30, "1 to 1073741824")?,
            // AWS: 250 MB.
            unzipped_bytes: mib("functions.unzipped_mib", self.unzipped_mib, 250, 10 << 10, "1 to 10240")?,
            memory_mib: within("functions.memory_mib", self.memory_mib, 1_024, 1 << 30, "1 to 1073741824")?,
            concurrency: count("functions.concurrency", self.concurrency, 100, 100_000, "1 to 100000")?,
            waiting: count("functions.waiting", self.waiting, 1_000, 100_000, "1 to 100000")?,
            idle_s: within("functions.idle_s", self.idle_s, 300, 86_400, "1 to 86400")?,
            python: self.python.unwrap_or_else(|| PathBuf::from("python3")),
            node: self.node.unwrap_or_else(|| PathBuf::from("node")),
            node_ric: self.node_ric,
            interpreters: self.interpreters,
            user_id: self.user_id.unwrap_or(65_534),
            hide: self.hide.unwrap_or_default(),
        })
    }
}

fn within(
    name: &'static str,
    given: Option<u64>,
    usual: u64,
    most: u64,
    rule: &'static str,
) -> Result<u64, ConfigError> {
    match given.unwrap_or(usual) {
        value if (1..=most).contains(&value) => Ok(value),
        other => Err(ConfigError::Value { name, value: other.to_string(), rule }),
    }
}
