//! Looking at a cluster and changing who is in it.

use super::{Ask, CliError, Output, table};
use clap::Args;
use serde_json::Value;
use std::process::ExitCode;

/// A look at the cluster.
#[derive(Debug, Args)]
pub(super) struct Look {
    #[command(flatten)]
    ask: Ask,
}

/// A change of one node's part.
#[derive(Debug, Args)]
pub(super) struct Change {
    /// The node's name
    node: String,
    #[command(flatten)]
    ask: Ask,
}

const MEMBERS: [&str; 11] = [
    "name",
    "id",
    "region",
    "address",
    "role",
    "state",
    "lag_entries",
    "applied_index",
    "rtt_ms",
    "clock_offset_ms",
    "version",
];

impl Look {
    fn get(&self, what: &str) -> Result<Value, CliError> {
        let answer = self.ask.send("GET", &format!("/cluster/v1/{what}"), &Value::Null)?;
        if self.ask.output == Output::Json {
            say!("{answer}")?;
        }
        Ok(answer)
    }

    fn list(&self, what: &str, member: &str, columns: &[&str]) -> Result<Value, CliError> {
        let answer = self.get(what)?;
        if self.ask.output == Output::Table {
            table::print(answer[member].as_array().map_or(&[], Vec::as_slice), columns)?;
        }
        Ok(answer)
    }

    pub(super) fn members(&self) -> Result<ExitCode, CliError> {
        self.list("members", "members", &MEMBERS)?;
        Ok(ExitCode::SUCCESS)
    }

    pub(super) fn rtt(&self) -> Result<ExitCode, CliError> {
        self.list("rtt", "rtt", &["from", "to", "rtt_ms", "state"])?;
        Ok(ExitCode::SUCCESS)
    }

    pub(super) fn status(&self) -> Result<ExitCode, CliError> {
        let answer = self.get("status")?;
        if self.ask.output == Output::Table {
            for (name, value) in answer.as_object().into_iter().flatten() {
                match value {
                    Value::String(text) => say!("{:<16}{text}", name.replace('_', " "))?,
                    Value::Object(inner) => {
                        let parts: Vec<String> = inner.iter().map(|(name, value)| format!("{name} {value}")).collect();
                        say!("{:<16}{}", name.replace('_', " "), parts.join(", ").replace('"', ""))?;
                    }
                    other => say!("{:<16}{other}", name.replace('_', " "))?,
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    pub(super) fn check(&self) -> Result<ExitCode, CliError> {
        let answer = self.get("check")?;
        let findings = answer["findings"].as_array().cloned().unwrap_or_default();
        if self.ask.output == Output::Table {
            for finding in &findings {
                let text = |member: &str| finding[member].as_str().unwrap_or("-").to_owned();
                say!("{}: {}", text("severity"), text("cause"))?;
                say!("  consequence: {}", text("consequence"))?;
                say!("  do:          {}", text("next"))?;
            }
            if findings.is_empty() {
                say!("ok: nothing is wrong")?;
            }
        }
        Ok(if answer["ok"] == Value::Bool(true) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Change {
    fn done(&self, answer: &Value, what: &str) -> Result<ExitCode, CliError> {
        match self.ask.output {
            Output::Json => say!("{answer}")?,
            Output::Table => say!("{}: {what}", self.node)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    pub(super) fn run(&self, verb: &str) -> Result<ExitCode, CliError> {
        let answer = self.ask.send("POST", &format!("/cluster/v1/members/{}/{verb}", self.node), &Value::Null)?;
        self.done(&answer, verb)
    }

    pub(super) fn remove(&self) -> Result<ExitCode, CliError> {
        let answer = self.ask.send("DELETE", &format!("/cluster/v1/members/{}", self.node), &Value::Null)?;
        self.done(&answer, "removed")
    }
}
