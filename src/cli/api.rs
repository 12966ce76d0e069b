//! `meridian api diff API_ID --stage S`: what the next deployment would change, and what of it would break clients.

use super::{Ask, CliError, Output, table};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use std::process::ExitCode;

/// What can be asked of an API.
#[derive(Debug, Subcommand)]
pub(super) enum Api {
    /// List what differs between an API's draft and what a stage serves, and mark what would break clients
    Diff(Diff),
}

/// Draft against stage.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The API's id
    api_id: String,
    /// The stage
    #[arg(long)]
    stage: String,
    /// Exit with 1 when there is such a change; a draft that cannot be deployed counts as both
    #[arg(long, value_enum)]
    fail_on: Option<FailOn>,
    #[command(flatten)]
    ask: Ask,
}

/// Which changes fail the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// One that breaks clients.
    Breaking,
    /// Any.
    Any,
}

/// How much of a value a cell shows.
const CELL: usize = 40;

impl Api {
    /// 0, or 1 as `--fail-on` says.
    pub(super) fn run(&self) -> Result<ExitCode, CliError> {
        let Api::Diff(diff) = self;
        diff.run()
    }
}

impl Diff {
    fn run(&self) -> Result<ExitCode, CliError> {
        let path = format!("/cluster/v1/apis/{}/diff?stage={}", encoded(&self.api_id), encoded(&self.stage));
        let found = self.ask.send("GET", &path, &Value::Null)?;
        match self.ask.output {
            Output::Json => say!("{found}")?,
            Output::Table => self.print(&found)?,
        }
        let refused = !list(&found, "refusals").is_empty();
        let fails = match self.fail_on {
            None => false,
            Some(FailOn::Breaking) => refused || found["breaking"] != 0,
            Some(FailOn::Any) => refused || !list(&found, "changes").is_empty(),
        };
        Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn print(&self, found: &Value) -> Result<(), CliError> {
        let (changes, warnings, refusals) = (list(found, "changes"), list(found, "warnings"), list(found, "refusals"));
        let rows: Vec<Value> = changes.iter().map(row).collect();
        if !rows.is_empty() {
            table::print(&rows, &["change", "what", "before", "after", "breaks_clients"])?;
            say!("")?;
        }
        for refusal in refusals {
            say!("cannot be deployed: {}", refusal.as_str().unwrap_or_default())?;
        }
        for warning in warnings {
            let text = |member: &str| warning[member].as_str().unwrap_or_default();
            say!("warning: {}: {}", text("place"), text("text"))?;
        }
        let (api, stage) = (&self.api_id, &self.stage);
        if changes.is_empty() {
            say!("Stage {stage} serves what the draft of API {api} says")?;
        } else {
            let count = changes.len();
            let breaking = &found["breaking"];
            say!(
                "{count} undeployed changes between the draft of API {api} and stage {stage}; {breaking} break clients"
            )?;
        }
        if let Some(canary) = found["canary"].as_str() {
            say!("Stage {stage} has a canary with deployment {canary}, which was not compared")?;
        }
        Ok(())
    }
}

fn list<'v>(found: &'v Value, member: &str) -> &'v [Value] {
    found[member].as_array().map_or(&[], Vec::as_slice)
}

fn row(change: &Value) -> Value {
    let text = |member: &str| change[member].as_str().unwrap_or_default();
    let (place, member) = (text("place"), text("member"));
    let what = if member.is_empty() { place.to_owned() } else { format!("{place} {member}") };
    json!({
        "change": change["change"], "what": what, "before": cell(&change["before"]), "after": cell(&change["after"]),
        "breaks_clients": change["breaking"],
    })
}

/// A value in a few characters; a whole thing has no cell, its name says enough.
fn cell(value: &Value) -> Value {
    let text = match value {
        Value::Null | Value::Object(_) => return Value::Null,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((at, _)) = line.char_indices().nth(CELL) {
        line.truncate(at);
        line.push('…');
    }
    line.into()
}

/// A name as it can stand in a path or a query.
fn encoded(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}
