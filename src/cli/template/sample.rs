//! What a file says about the request that a template is rendered for.

use crate::spec::vtl::{Overrides, Sample};
use serde_json::{Map, Value};

/// The members of a context file.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Given {
    #[serde(default)]
    context: Map<String, Value>,
    #[serde(default, rename = "stageVariables")]
    stage_variables: Map<String, Value>,
    #[serde(default)]
    params: Parameters,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    #[serde(default)]
    path: Map<String, Value>,
    #[serde(default)]
    querystring: Map<String, Value>,
    #[serde(default)]
    header: Map<String, Value>,
}

/// Why a context file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    /// It is no JSON, or has members that mean nothing.
    #[error("this is no context file: {0}")]
    Json(#[from] serde_json::Error),
    /// A value of another sort than its place has.
    #[error("{0} has to be {1}")]
    Value(String, &'static str),
}

/// The branches of `$context` and how the sample names them.
const BRANCHES: [&str; 6] =
    ["identity", "identity.clientCert", "identity.clientCert.validity", "authorizer", "authorizer.claims", "error"];

impl Given {
    pub(super) fn parse(text: &str) -> Result<Given, Unfit> {
        let given: Given = serde_json::from_str(text)?;
        given.sample()?;
        Ok(given)
    }

    /// The request with this body, and what `$context.requestOverride` and `responseOverride` hold before.
    pub(super) fn over(&self, body: String) -> (Sample, Overrides) {
        let member = |name: &str| self.context.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        let overrides = Overrides { request: member("requestOverride"), response: member("responseOverride") };
        // What does not fit was refused by `parse`.
        (Sample { body, ..self.sample().unwrap_or_default() }, overrides)
    }

    fn sample(&self) -> Result<Sample, Unfit> {
        let mut context = Vec::new();
        branch("", &self.context, &mut context)?;
        let Parameters { path, querystring, header } = &self.params;
        Ok(Sample {
            parameters: [
                named("params.path", path)?,
                named("params.querystring", querystring)?,
                named("params.header", header)?,
            ],
            context,
            stage_variables: named("stageVariables", &self.stage_variables)?,
            ..Sample::default()
        })
    }
}

/// One branch of `$context` with all that lies in it.
fn branch(
    at: &'static str,
    members: &Map<String, Value>,
    into: &mut Vec<(&'static str, String, String)>,
) -> Result<(), Unfit> {
    for (name, value) in members {
        let place = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        let known = BRANCHES.into_iter().find(|known| *known == place);
        match (value, known) {
            (Value::Object(members), Some(known)) => branch(known, members, into)?,
            (Value::Object(_), None) if matches!(&*place, "requestOverride" | "responseOverride") => {}
            (Value::Null, _) => {}
            (_, Some(_)) => return Err(Unfit::Value(format!("context.{place}"), "an object")),
            (value, None) => into.push((at, name.clone(), plain(&format!("context.{place}"), value)?)),
        }
    }
    Ok(())
}

/// Names with their texts; of a list each.
fn named(at: &str, members: &Map<String, Value>) -> Result<Vec<(String, String)>, Unfit> {
    let mut all = Vec::new();
    for (name, value) in members {
        let place = format!("{at}.{name}");
        match value {
            Value::Array(values) => {
                for value in values {
                    all.push((name.clone(), plain(&place, value)?));
                }
            }
            value => all.push((name.clone(), plain(&place, value)?)),
        }
    }
    Ok(all)
}

fn plain(place: &str, value: &Value) -> Result<String, Unfit> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(Unfit::Value(place.to_owned(), "a string, a number, true or false")),
    }
}
