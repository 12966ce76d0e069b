//! `meridian template run` and `meridian template test DIR`: mapping templates on one's own machine, by the engine that serves them.

mod cases;
mod sample;

use super::{CliError, Output, say};
use crate::spec::vtl::{Limits, Overrides, Template as Parsed, TemplateError};
use clap::{Args, Subcommand};
use sample::Given;
use serde_json::json;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What is done with templates.
#[derive(Debug, Subcommand)]
pub(super) enum Template {
    /// Render one template
    Run(Run),
    /// Render every NAME.vtl of a folder over NAME.body.json, with NAME.context.json where there is one, and hold what
    /// comes out against NAME.expected; exits with 1 when one differs
    Test(cases::Test),
}

/// One rendering.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The template
    #[arg(long)]
    template: PathBuf,
    /// The payload that `$input` reads; `-` is standard input
    #[arg(long)]
    body: PathBuf,
    /// JSON: `context` (as in $context, nested), `stageVariables`, `params` (`path`, `querystring`, `header`)
    #[arg(long)]
    context: Option<PathBuf>,
    /// How to print: the text, or JSON that has the overrides too
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

impl Template {
    /// 0: rendered, or as expected; 1: not.
    pub(super) fn run(&self) -> Result<ExitCode, CliError> {
        match self {
            Template::Run(run) => run.run(),
            Template::Test(test) => test.run(),
        }
    }
}

impl Run {
    fn run(&self) -> Result<ExitCode, CliError> {
        let source = read(&self.template)?;
        let body = read(&self.body)?;
        let given = match &self.context {
            Some(path) => Given::parse(&read(path)?)
                .map_err(|cause| CliError::File { path: path.clone(), cause: cause.to_string() })?,
            None => Given::default(),
        };
        let (text, overrides) = match render(&source, body, given) {
            Ok(rendered) => rendered,
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "{}", pointed(&self.template, &source, &error));
                return Ok(ExitCode::FAILURE);
            }
        };
        match self.output {
            Output::Table => say::text(&text)?,
            Output::Json => {
                let Overrides { request, response } = overrides;
                say!("{}", json!({"text": text, "requestOverride": request, "responseOverride": response}))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A file's text, or standard input's for `-`.
fn read(path: &Path) -> Result<String, CliError> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(path).map(|found| text = found)
    };
    read.map_err(|cause| CliError::File { path: path.to_owned(), cause: cause.to_string() })?;
    Ok(text)
}

/// Parses and renders, with the limits that a node has.
fn render(source: &str, body: String, given: Given) -> Result<(String, Overrides), TemplateError> {
    let template = Parsed::parse(source)?;
    let (sample, mut overrides) = given.over(body);
    let text = template.render(&sample, &mut overrides, &Limits::default())?;
    Ok((text, overrides))
}

/// `FILE:LINE:COLUMN: message`, the line, and a caret below the place.
fn pointed(path: &Path, source: &str, error: &TemplateError) -> String {
    let TemplateError { line, column, message } = error;
    let text = source.lines().nth(line.saturating_sub(1) as usize).unwrap_or_default();
    // Tabs stay tabs, so that the caret stands below its letter.
    let before = text.chars().take(column.saturating_sub(1) as usize);
    let blanks: String = before.map(|letter| if letter == '\t' { '\t' } else { ' ' }).collect();
    format!("{}:{line}:{column}: {message}\n{text}\n{blanks}^", path.display())
}
