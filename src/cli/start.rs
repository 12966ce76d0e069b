//! `meridian start` and `meridian join`: run a node until it is told to stop.

use super::{CliError, NodeArguments, Output};
use crate::node::{self, Invitation};
use clap::Args;
use std::{io::Read, process::ExitCode};

#[derive(Debug, Args)]
pub(super) struct Start {
    /// On loopback only, in a temporary directory, accepting any access key with any secret
    #[arg(long)]
    dev: bool,
    /// How to print the first line
    #[arg(long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    node: NodeArguments,
}

#[derive(Debug, Args)]
pub(super) struct Join {
    /// The join token, `-` for standard input, or a file that holds it
    token: String,
    /// `voter`: vote from the start, also beyond the first three nodes
    #[arg(long, value_parser = ["voter", "learner", "auto"], default_value = "auto")]
    role: String,
    /// How to print the first line
    #[arg(long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    node: NodeArguments,
}

impl Start {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let mut config = self.node.clone().resolve(self.dev)?;
        // Its own directory, removed at the end, unless the developer wants to keep one.
        let own = if self.dev && self.node.data().is_none() { Some(temporary()?) } else { None };
        if let Some(own) = &own {
            config.data = own.path().to_owned();
        }
        node::run(config, None, self.output == Output::Json)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn temporary() -> Result<tempfile::TempDir, CliError> {
    let folder = tempfile::Builder::new().prefix("meridian-dev-").tempdir();
    folder.map_err(|cause| CliError::File { path: std::env::temp_dir(), cause: cause.to_string() })
}

impl Join {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let token = token_text(&self.token)?;
        let config = self.node.resolve(false)?;
        let invitation = Invitation { token, voter: self.role == "voter" };
        node::run(config, Some(invitation), self.output == Output::Json)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The token as given, from standard input, or from a file: a command line is seen by everybody on the machine.
fn token_text(argument: &str) -> Result<String, CliError> {
    let said = |path: &str, cause: std::io::Error| CliError::File { path: path.into(), cause: cause.to_string() };
    if argument == "-" {
        let mut text = String::new();
        std::io::stdin().take(65_536).read_to_string(&mut text).map_err(|cause| said("standard input", cause))?;
        return Ok(text);
    }
    if argument.starts_with("mdn1.") {
        return Ok(argument.to_owned());
    }
    std::fs::read_to_string(argument).map_err(|cause| said(argument, cause))
}
