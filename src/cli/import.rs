//! `meridian import --check FILE`: what an import would make of a file, before anything changes.

use super::{CliError, Output, table};
use crate::control::v1::import::judge;
use crate::spec::openapi::{BasePath, Finding, Severity};
use clap::Args;
use serde_json::{Value, json};
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

/// A look at a file.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// List every keyword that is refused, warned about or without effect, and change nothing
    #[arg(long, required = true)]
    check: bool,
    /// OpenAPI 2.0, 3.0 or 3.1, JSON or YAML; `-` is standard input
    file: PathBuf,
    /// What becomes of the file's base path: ignore, prepend or split
    #[arg(long, default_value = "ignore", value_parser = base_path)]
    basepath: BasePath,
    /// Exit with 1 for warnings too, as an import with `failonwarnings` would
    #[arg(long)]
    fail_on_warnings: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

fn base_path(word: &str) -> Result<BasePath, String> {
    BasePath::known(word).ok_or_else(|| "write ignore, prepend or split".to_owned())
}

impl Import {
    /// 0: it can be imported; 1: it cannot.
    pub(super) fn run(&self) -> Result<ExitCode, CliError> {
        let failed = |cause: String| CliError::File { path: self.file.clone(), cause };
        let mut bytes = Vec::new();
        let read = if self.file.as_os_str() == "-" {
            std::io::stdin().lock().read_to_end(&mut bytes).map(drop)
        } else {
            std::fs::read(&self.file).map(|found| bytes = found)
        };
        read.map_err(|cause| failed(cause.to_string()))?;
        let findings = judge(&bytes, self.basepath).map_err(|error| failed(error.to_string()))?;
        let many = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        let (errors, warnings, ignored) = (many(Severity::Error), many(Severity::Warning), many(Severity::Ignored));
        let rows: Vec<Value> = findings.iter().map(row).collect();
        let importable = errors == 0 && (warnings == 0 || !self.fail_on_warnings);
        match self.output {
            Output::Json => {
                say!("{}", json!({"importable": importable, "findings": rows}))?;
            }
            Output::Table => {
                if !rows.is_empty() {
                    table::print(&rows, &["severity", "pointer", "text"])?;
                }
                let verdict = if importable { "The file can be imported" } else { "The file cannot be imported" };
                say!("{verdict}: {errors} errors, {warnings} warnings, {ignored} without effect")?;
            }
        }
        Ok(if importable { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn row(finding: &Finding) -> Value {
    json!({"severity": finding.severity.as_str(), "pointer": finding.pointer, "text": finding.text})
}
