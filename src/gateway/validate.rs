//! validate: the request against its validator (data-plane §4). Parameters come first, then the body.

use super::admit::Admitted;
use super::ask::Ask;
use super::execution;
use super::headers::drop_from_client;
use super::heavy;
use super::payload;
use super::refusal::{Kind, Refusal};
use super::route::Matched;
use super::worker::Worker;
use crate::plan::mapping::query_values;
use crate::plan::validation::{Place, Validation};
use crate::plan::{Backend, media};
use crate::spec::schema::{Instance, Schema, SchemaError};
use bytes::Bytes;
use http::header;
use std::sync::Arc;

/// Steps of validation on the worker, and in the heavy pool: a million take some tens of milliseconds.
const QUICK_FUEL: u64 = 5_000;
const FUEL: u64 = 5_000_000;

/// A request that is as its method wants it. Its headers are those that the rest of the walk may see, its body is decoded.
pub(super) struct Valid(pub Matched);

pub(super) async fn validate(worker: &Worker, admitted: Admitted, ask: &mut Ask) -> Result<Valid, Refusal> {
    let matched = admitted.matched;
    let method = matched.method();
    payload::open(worker, ask)?;
    drop_from_client(&mut ask.headers, matches!(&method.backend, Backend::Http(http) if http.proxy));
    if ask.execution.is_some() {
        Box::pin(execution::request(worker, ask)).await?;
    }
    if let Some(validation) = &method.validation {
        if let Some(id) = &validation.gone {
            let why = format!("the request validator {id} does not exist");
            return Err(Refusal::new(Kind::ApiConfigurationError, "validator_gone").because(why));
        }
        parameters(validation, ask)?;
        if let Some(schema) = validation.schema(media::content_type(ask.header_text(header::CONTENT_TYPE))) {
            let schema = schema.as_ref().map_err(unusable)?.clone();
            Box::pin(body(worker, schema, ask)).await?;
        }
    }
    Ok(Valid(matched))
}

fn unusable(error: &SchemaError) -> Refusal {
    Refusal::new(Kind::ApiConfigurationError, "model_unusable")
        .because(error)
        .at(format!("{}{}", error.model, error.pointer))
}

fn parameters(validation: &Validation, ask: &Ask) -> Result<(), Refusal> {
    let filled = |value: &str| !value.trim().is_empty();
    let there = |place: Place, name: &str| match place {
        Place::Header => ask.headers.get_all(name).iter().any(|v| !v.as_bytes().trim_ascii().is_empty()),
        // One that matched has at least a letter.
        Place::Path => ask.parameters.iter().any(|(known, _)| **known == *name),
        Place::Query => query_values(ask.query(), name).any(|value| filled(&value)),
    };
    let missing = validation.required.iter().filter(|(place, name)| !there(*place, name));
    let (names, places): (Vec<&str>, Vec<String>) =
        missing.map(|(place, name)| (&**name, format!("method.request.{}.{name}", place.word()))).unzip();
    if names.is_empty() {
        return Ok(());
    }
    let message = format!("Missing required request parameters: [{}]", names.join(", "));
    Err(Refusal::new(Kind::BadRequestParameters, "missing_parameters").saying(message).at(places.join(", ")))
}

async fn body(worker: &Worker, schema: Arc<Schema>, ask: &mut Ask) -> Result<(), Refusal> {
    let bytes = payload::whole(worker, ask).await?;
    let verdict = if bytes.len() > heavy::LARGE { Verdict::OutOfFuel } else { judge(&schema, &bytes, QUICK_FUEL) };
    let verdict = match verdict {
        Verdict::OutOfFuel => heavy::run(worker, move || judge(&schema, &bytes, FUEL)).await?,
        verdict => verdict,
    };
    let (why, place) = match verdict {
        Verdict::Valid => return Ok(()),
        Verdict::OutOfFuel => ("[it takes too long to validate]".to_owned(), "#".to_owned()),
        Verdict::Invalid(why, place) => (why, place),
    };
    ask.facts.validation_error = Some(why.clone());
    Err(Refusal::new(Kind::BadRequestBody, "invalid_body").because(why).at(place))
}

enum Verdict {
    Valid,
    /// Why, and a pointer to where.
    Invalid(String, String),
    OutOfFuel,
}

fn judge(schema: &Schema, bytes: &Bytes, fuel: u64) -> Verdict {
    // No body is no value: whatever demands one is not met.
    let instance = if bytes.is_empty() { Ok(Instance::null()) } else { Instance::read(bytes) };
    let instance = match instance {
        Ok(instance) => instance,
        Err(error) => return Verdict::Invalid(format!("[Unable to parse JSON: {error}]"), "#".to_owned()),
    };
    match schema.validate(&instance, fuel) {
        Ok(()) => Verdict::Valid,
        Err(invalid) if invalid.is_out_of_fuel() => Verdict::OutOfFuel,
        Err(invalid) => Verdict::Invalid(invalid.to_string(), invalid.pointer),
    }
}
