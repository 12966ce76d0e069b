//! The Velocity Template Language as API Gateway runs it: Velocity 1.7, to the letter, with one rule more.
//!
//! The rule: an undefined or null reference is the empty string. It prints nothing, is true in `#if`, and `#set` sets
//! its variable to it. A [`Template`] is parsed once; variables become places, constant paths and expressions are
//! compiled once. [`Template::render`] walks it with everything it makes in one arena, within [`Limits`]: a hostile
//! template ends with an error, never a panic, an endless loop or a full memory.
//!
//! ```
//! use meridian::spec::vtl::{Limits, Overrides, Sample, Template};
//!
//! let template = Template::parse("#foreach($pet in $input.path('$.pets'))$pet.name#if($foreach.hasNext), #end#end")?;
//! let facts = Sample { body: r#"{"pets": [{"name": "Rex"}, {"name": "Mia"}]}"#.into(), ..Sample::default() };
//! let text = template.render(&facts, &mut Overrides::default(), &Limits::default())?;
//! assert_eq!(text, "Rex, Mia");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod call;
mod context;
mod evaluate;
mod expression;
mod facts;
mod functions;
mod input;
mod lexeme;
mod lexer;
mod list_methods;
mod map_methods;
mod method;
mod node;
mod number_methods;
mod overrides;
mod parser;
mod prepared;
mod property;
mod render;
mod run;
mod string_methods;
mod token;

pub use facts::{Fact, Facts, Group, Place, Sample};
pub use overrides::Overrides;

use node::{Block, Macro, Slot};
use parser::{Parser, Shared, Wrong};
use std::collections::HashMap;

/// A template that cannot be parsed, or a run that failed: what is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct TemplateError {
    /// Line, from 1.
    pub line: u32,
    /// Letters from the line's beginning, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

impl TemplateError {
    /// Whether a run with more fuel might have come to its end.
    pub fn is_out_of_fuel(&self) -> bool {
        self.message == crate::spec::object::Exceeded::Fuel.to_string()
    }
}

/// What one run may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Iterations of one `#foreach`; further ones are not run.
    pub iterations: usize,
    /// Steps: statements, expressions, elements. A million take some tens of milliseconds.
    pub fuel: u64,
    /// Bytes of data that the run may make.
    pub memory: usize,
    /// Bytes of output.
    pub output: usize,
}

impl Default for Limits {
    /// API Gateway's 1000 iterations and 10 MB; five million steps, 256 MiB.
    fn default() -> Limits {
        Limits { iterations: 1000, fuel: 5_000_000, memory: 256 << 20, output: 10 << 20 }
    }
}

/// A parsed template.
#[derive(Debug)]
pub struct Template {
    source: Box<str>,
    body: Block,
    macros: HashMap<Box<str>, Macro>,
    blocks: Box<[Block]>,
    names: Box<[Box<str>]>,
    known: Known,
}

/// The places of the variables that the engine itself sets.
#[derive(Debug, Clone, Copy)]
struct Known {
    input: Slot,
    helpers: Slot,
    context: Slot,
    stage_variables: Slot,
    foreach: Slot,
    count: Slot,
    has_next: Slot,
    body_content: Slot,
}

/// Bytes of a template: three times what API Gateway takes.
const MOST_BYTES: usize = 1 << 20;

impl Template {
    /// Parses a template.
    pub fn parse(source: &str) -> Result<Template, TemplateError> {
        if source.len() > MOST_BYTES {
            return Err(TemplateError { line: 1, column: 1, message: format!("longer than {MOST_BYTES} bytes") });
        }
        let mut shared = Shared::default();
        let known = Known {
            input: shared.slot("input"),
            helpers: shared.slot("util"),
            context: shared.slot("context"),
            stage_variables: shared.slot("stageVariables"),
            foreach: shared.slot("foreach"),
            count: shared.slot("velocityCount"),
            has_next: shared.slot("velocityHasNext"),
            body_content: shared.slot("bodyContent"),
        };
        let body =
            Parser::new(source, &mut shared, None).whole().map_err(|Wrong { at, what }| located(source, at, what))?;
        Ok(Template {
            source: source.into(),
            body,
            macros: shared.macros,
            blocks: shared.blocks.into(),
            names: shared.list.into(),
            known,
        })
    }

    /// The text it was parsed from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text that every run gives, when there is nothing in it to run.
    pub fn plain(&self) -> Option<&str> {
        match &*self.body {
            [] => Some(""),
            [node::Node::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Renders it. `overrides` are what `$context.requestOverride` and `responseOverride` held before, and what the run
    /// leaves in them; a run that fails changes nothing.
    pub fn render(
        &self,
        facts: &dyn Facts,
        overrides: &mut Overrides,
        limits: &Limits,
    ) -> Result<String, TemplateError> {
        run::render(self, facts, overrides, limits)
            .map_err(|failure| located(&self.source, failure.place as usize, failure.what))
    }
}

/// Turns a byte's place into line and column.
fn located(source: &str, at: usize, message: String) -> TemplateError {
    let mut end = at.min(source.len());
    while !source.is_char_boundary(end) {
        end -= 1;
    }
    let before = &source[..end];
    let line = before.matches('\n').count() as u32 + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() as u32 + 1;
    TemplateError { line, column, message }
}

#[cfg(test)]
mod tests;
