//! Templates against what others say they give: Velocity 1.7, and API Gateway itself.

mod generate;
mod golden;
mod hostile;
mod java;
mod judge;
mod recorded;
#[path = "../nodes/skip.rs"]
mod skip;

use meridian::spec::vtl::{Limits, Overrides, Sample, Template, TemplateError};
use serde_json::Value as Json;

/// Renders a template with variables.
fn render(template: &str, context: &Json, limits: &Limits) -> Result<String, TemplateError> {
    let entries = context.as_object().into_iter().flatten();
    let variables = entries.map(|(name, value)| (name.clone(), value.to_string())).collect();
    let facts = Sample { variables, ..Sample::default() };
    Template::parse(template)?.render(&facts, &mut Overrides::default(), limits)
}
