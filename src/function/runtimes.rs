//! Which program runs a function, by its runtime's name.

use super::call::Refused;
use super::fault::refused;
use super::options::{HostOptions, Ready};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long an interpreter may take to say whether it has its module.
const PROBE: Duration = Duration::from_secs(20);

/// The interpreters, and which of them were found fit.
#[derive(Debug)]
pub(super) struct Runtimes {
    python: Option<PathBuf>,
    node: Option<PathBuf>,
    node_ric: Option<PathBuf>,
    by_name: std::collections::BTreeMap<String, PathBuf>,
    fit: Mutex<HashSet<PathBuf>>,
}

impl Runtimes {
    pub(super) fn new(options: &HostOptions) -> Runtimes {
        Runtimes {
            python: options.python.clone(),
            node: options.node.clone(),
            node_ric: options.node_ric.clone(),
            by_name: options.interpreters.clone(),
            fit: Mutex::default(),
        }
    }

    /// Program and arguments for a function.
    ///
    /// # Errors
    /// `InvalidRuntimeException`, with the setting that is missing or wrong.
    pub(super) async fn command(&self, ready: &Ready) -> Result<Vec<String>, Refused> {
        let runtime = &*ready.deployed.runtime;
        let handler = ready.deployed.handler.to_string();
        if runtime.starts_with("provided") {
            return Ok(vec![ready.code.join("bootstrap").display().to_string()]);
        }
        if runtime.starts_with("python") {
            let python = self.interpreter(runtime, "python", self.python.as_ref())?;
            self.probe(runtime, &python, &["-c", "import awslambdaric"], PYTHON_WANTS).await?;
            return Ok(vec![python.display().to_string(), "-m".to_owned(), "awslambdaric".to_owned(), handler]);
        }
        if runtime.starts_with("nodejs") {
            let node = self.interpreter(runtime, "node", self.node.as_ref())?;
            let Some(ric) = &self.node_ric else {
                return Err(invalid(format!(
                    "{runtime}: this node does not know the npm package aws-lambda-ric: {NODE_WANTS}"
                )));
            };
            let entry = entry_of(ric).ok_or_else(|| {
                invalid(format!("{runtime}: {} is not the npm package aws-lambda-ric: {NODE_WANTS}", ric.display()))
            })?;
            self.probe(runtime, &node, &["--version"], NODE_WANTS).await?;
            return Ok(vec![node.display().to_string(), entry.display().to_string(), handler]);
        }
        Err(invalid(format!("{runtime}: Meridian runs provided.*, python* and nodejs*")))
    }

    fn interpreter(&self, runtime: &str, setting: &str, general: Option<&PathBuf>) -> Result<PathBuf, Refused> {
        let named = self.by_name.get(runtime).or(general).cloned();
        named.and_then(located).ok_or_else(|| {
            invalid(format!(
                "{runtime}: this node has no interpreter for it: set `{setting}` in [functions] of the node file, or \
                 `\"{runtime}\"` in [functions.interpreters]"
            ))
        })
    }

    /// Runs an interpreter once, so that what is wrong with it is said in words and not by a function that ends at once.
    async fn probe(&self, runtime: &str, program: &Path, arguments: &[&str], wants: &str) -> Result<(), Refused> {
        if self.fit.lock().unwrap_or_else(PoisonError::into_inner).contains(program) {
            return Ok(());
        }
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).env_clear().stdin(Stdio::null()).kill_on_drop(true).current_dir("/");
        let shown = program.display();
        let output = match tokio::time::timeout(PROBE, command.output()).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => return Err(invalid(format!("{runtime}: {shown} cannot be run ({error}): {wants}"))),
            Err(_) => return Err(invalid(format!("{runtime}: {shown} says nothing: {wants}"))),
        };
        if !output.status.success() {
            let last = String::from_utf8_lossy(&output.stderr);
            let last = last.lines().last().unwrap_or("no reason given");
            return Err(invalid(format!("{runtime}: {shown} is not fit ({last}): {wants}")));
        }
        self.fit.lock().unwrap_or_else(PoisonError::into_inner).insert(program.to_owned());
        Ok(())
    }
}

/// A program by its path, or by its name in the node's `PATH`.
fn located(program: PathBuf) -> Option<PathBuf> {
    if program.components().count() != 1 {
        return std::path::absolute(program).ok();
    }
    let places = std::env::var_os("PATH")?;
    std::env::split_paths(&places).map(|place| place.join(&program)).find(|found| found.is_file())
}

const PYTHON_WANTS: &str = "install awslambdaric for it with pip, or set `python` in [functions] of the node file to an interpreter that has it";
const NODE_WANTS: &str =
    "set `node` and `node_ric` in [functions] of the node file to Node.js and to node_modules/aws-lambda-ric";

fn invalid(message: String) -> Refused {
    refused(502, "InvalidRuntimeException", message)
}

/// The program of the package, as its `package.json` says.
fn entry_of(package: &Path) -> Option<PathBuf> {
    let text = std::fs::read(package.join("package.json")).ok()?;
    let manifest: serde_json::Value = serde_json::from_slice(&text).ok()?;
    let entry = match manifest.get("bin")? {
        serde_json::Value::String(entry) => entry.as_str(),
        all => all.get("aws-lambda-ric")?.as_str()?,
    };
    Some(package.join(entry)).filter(|entry| entry.is_file())
}
