//! A folder of templates with what each has to give.
//!
//! A case is `NAME.vtl` with `NAME.body.json` (without it the payload is empty), `NAME.context.json` if it needs one, and
//! `NAME.expected`: what it prints, to the byte.

use super::sample::Given;
use super::{Output, pointed, read, render};
use crate::cli::CliError;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A run of all cases.
#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    /// The folder
    folder: PathBuf,
    /// Write what comes out into the NAME.expected files
    #[arg(long)]
    update: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// What became of a case.
enum Verdict {
    Passed,
    /// Its expected text was written.
    Updated,
    /// It gave something else, or nothing: what to print about it.
    Failed(String),
}

impl Test {
    pub(super) fn run(&self) -> Result<ExitCode, CliError> {
        let failed = |cause: String| CliError::File { path: self.folder.clone(), cause };
        let mut templates = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(|cause| failed(cause.to_string()))? {
            let path = entry.map_err(|cause| failed(cause.to_string()))?.path();
            if path.extension().is_some_and(|extension| extension == "vtl") {
                templates.push(path);
            }
        }
        if templates.is_empty() {
            return Err(failed(
                "there is no case in it: a case is NAME.vtl with NAME.body.json and NAME.expected".into(),
            ));
        }
        templates.sort();
        let (mut rows, mut failures) = (Vec::new(), 0);
        for template in &templates {
            let name = template.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let (word, said) = match self.case(template)? {
                Verdict::Passed => ("passed", None),
                Verdict::Updated => ("updated", None),
                Verdict::Failed(said) => ("FAILED", Some(said)),
            };
            failures += usize::from(said.is_some());
            if self.output == Output::Table {
                say!("{word:<7} {name}")?;
                said.iter().flat_map(|said| said.lines()).try_for_each(|line| say!("        {line}"))?;
            }
            rows.push(json!({"name": name, "result": word.to_lowercase(), "difference": said}));
        }
        let passed = templates.len() - failures;
        match self.output {
            Output::Table => say!("{passed} passed, {failures} failed")?,
            Output::Json => say!("{}", json!({"passed": passed, "failed": failures, "cases": rows}))?,
        }
        Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn case(&self, template: &Path) -> Result<Verdict, CliError> {
        let beside = |extension: &str| {
            let path = template.with_extension(extension);
            path.exists().then_some(path)
        };
        let source = read(template)?;
        let body = beside("body.json").map(|path| read(&path)).transpose()?.unwrap_or_default();
        let given = match beside("context.json") {
            None => Given::default(),
            Some(path) => match Given::parse(&read(&path)?) {
                Ok(given) => given,
                Err(cause) => return Ok(Verdict::Failed(format!("{}: {cause}", path.display()))),
            },
        };
        let text = match render(&source, body, given) {
            Ok((text, _)) => text,
            Err(error) => return Ok(Verdict::Failed(pointed(template, &source, &error))),
        };
        let place = template.with_extension("expected");
        let expected = if place.exists() { Some(read(&place)?) } else { None };
        Ok(match expected {
            Some(expected) if expected == text => Verdict::Passed,
            _ if self.update => {
                std::fs::write(&place, &text)
                    .map_err(|cause| CliError::File { path: place, cause: cause.to_string() })?;
                Verdict::Updated
            }
            Some(expected) => Verdict::Failed(difference(&expected, &text)),
            None => Verdict::Failed(format!("{} is not there; --update writes it", place.display())),
        })
    }
}

/// The lines that differ, those that were expected first; what both have before and behind is left out.
fn difference(expected: &str, found: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) =
        (expected.split_inclusive('\n').collect(), found.split_inclusive('\n').collect());
    let before = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[before..], &new[before..]);
    let behind = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let mut out = format!("from line {}, expected -, found +", before + 1);
    for (sign, lines) in [('-', &old[..old.len() - behind]), ('+', &new[..new.len() - behind])] {
        for line in lines {
            let ends = if line.ends_with('\n') { "" } else { " (no newline)" };
            out.push_str(&format!("\n{sign}{}{ends}", line.trim_end_matches('\n').replace('\r', "\\r")));
        }
    }
    out
}
