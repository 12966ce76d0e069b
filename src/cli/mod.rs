//! The command line: one file per subcommand, one client for all that talk to a node.
//!
//! Every command that fails says cause, consequence and what to do next; `--output json` prints the node's answer as it is.

#[macro_use]
mod say;

mod api;
mod arguments;
mod ask;
mod demo;
mod explain;
mod http;
mod import;
mod members;
mod start;
mod table;
mod template;
mod token;

use clap::{Parser, Subcommand};
use std::io::Write as _;
use std::process::ExitCode;

pub use arguments::NodeArguments;
pub use ask::{Ask, CliError};

/// Meridian: an API gateway that people run themselves.
#[derive(Debug, Parser)]
#[command(name = "meridian", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// How lists are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node; the first start founds a one-node cluster and prints the root access key once
    Start(start::Start),
    /// Run a node that joins an existing cluster
    Join(start::Join),
    /// Make join tokens
    #[command(subcommand)]
    Token(token::Token),
    /// Run a whole cluster on this machine, with simulated distances, traffic, and a table of what clients saw
    Demo(demo::Demo),
    /// Who is in the cluster: roles, lag, round trips
    Members(members::Look),
    /// How the cluster stands
    Status(members::Look),
    /// Measured round trips between nodes
    Rtt(members::Look),
    /// What is wrong, what follows from it, and what to do; exits with 1 when something is
    Check(members::Look),
    /// Make a learner a voter
    Promote(members::Change),
    /// Make a voter a learner
    Demote(members::Change),
    /// Remove a node for good
    Remove(members::Change),
    /// Empty a node of visitors
    Drain(members::Change),
    /// Make another voter lead
    TransferLeader(members::Change),
    /// Look at APIs
    #[command(subcommand)]
    Api(api::Api),
    /// Look at an OpenAPI file before it is imported
    Import(import::Import),
    /// Render mapping templates here, by the engine that serves them
    #[command(subcommand)]
    Template(template::Template),
    /// Backups (issue F)
    #[command(hide = true, external_subcommand = false)]
    Snapshot(Later),
    /// Why the gateway refused a request: cause, consequence, what to do, and where its walk stopped
    Explain(explain::Explain),
}

/// A command whose capability is not built yet.
#[derive(Debug, clap::Args)]
struct Later {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Runs what the command line says.
#[must_use]
pub fn run() -> ExitCode {
    // Between the node and a function's runtime stands this program, which no person calls.
    if let Some(code) = crate::function::child::run(std::env::args_os()) {
        return code;
    }
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Start(start) => start.run(),
        Command::Join(join) => join.run(),
        Command::Token(token) => token.run(),
        Command::Demo(demo) => demo.run(),
        Command::Members(look) => look.members(),
        Command::Status(look) => look.status(),
        Command::Rtt(look) => look.rtt(),
        Command::Check(look) => look.check(),
        Command::Promote(change) => change.run("promote"),
        Command::Demote(change) => change.run("demote"),
        Command::Remove(change) => change.remove(),
        Command::Drain(change) => change.run("drain"),
        Command::TransferLeader(change) => change.run("transfer-leader"),
        Command::Import(import) => import.run(),
        Command::Api(api) => api.run(),
        Command::Template(template) => template.run(),
        Command::Snapshot(_) => Err(CliError::NotBuilt("snapshot")),
        Command::Explain(explain) => explain.run(),
    };
    match done {
        Ok(code) => code,
        // Nobody reads any more; as if SIGPIPE had ended us.
        Err(CliError::Output(cause)) if cause.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::from(141),
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes, for people; whether they read it or not.
fn complain(error: &CliError) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "error: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let _ = writeln!(out, "  because: {inner}");
        cause = inner.source();
    }
}
