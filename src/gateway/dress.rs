//! dress: the answer of a refusal, as the API's owner wants it: the type's own definition, else its class's, else the
//! built-in one (data-plane §12). Made by the node that faces the client, also for what a region refused.

use super::ask::{Ask, Known};
use super::explain::is_ours;
use super::refusal::Refusal;
use crate::net::http::Body;
use crate::plan::ServingPlan;
use crate::plan::context::{Context, Variable};
use crate::plan::gateway_response::Definition;
use crate::plan::mapping::View;
use crate::plan::substitute::Values;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use std::borrow::Cow;

/// Request parameters that gateway responses name, by their places in the plan; empty where they name none.
pub(super) type Kept = Box<[Option<String>]>;

/// Takes down what gateway responses may want to know, before headers leave for the backend.
pub(super) fn keep(plan: &ServingPlan, ask: &Ask) -> Kept {
    let sources = plan.gateway_responses.asked.sources();
    if sources.is_empty() {
        return Kept::default();
    }
    let path: Vec<(&str, &str)> = ask.parameters.iter().map(|(name, value)| (&**name, &**value)).collect();
    let known = ask.known();
    let view = View { path: &path, query: ask.query(), headers: &ask.headers, body: &[], context: &known };
    let all = sources.iter().map(|source| {
        let mut values = Vec::new();
        source.values(&view, |value| values.push(value.to_owned()));
        (!values.is_empty()).then(|| values.join(","))
    });
    all.collect()
}

/// What is known of a refused visit.
pub(super) struct Refused<'a> {
    pub known: Known<'a>,
    pub refusal: &'a Refusal,
}

impl Context for Refused<'_> {
    fn value(&self, variable: &Variable) -> Option<Cow<'_, str>> {
        let message = self.refusal.message();
        match variable {
            Variable::ErrorMessage => message.map(Cow::Borrowed),
            Variable::ErrorMessageString => Some(
                message.map_or(Cow::Borrowed("null"), |text| Cow::Owned(serde_json::Value::from(text).to_string())),
            ),
            Variable::ErrorResponseType => Some(Cow::Borrowed(self.refusal.kind.response_type())),
            Variable::ValidationErrorString => self.known.facts.validation_error.as_deref().map(Cow::Borrowed),
            Variable::IntegrationError if self.refusal.kind.is_integrations() => message.map(Cow::Borrowed),
            variable => self.known.value(variable),
        }
    }
}

/// How the API's owner wants the refusal, where the owner says anything and may.
fn definition<'a>(refusal: &Refusal, ask: &'a Ask) -> Option<&'a Definition> {
    let responses = &ask.facts.stage.as_ref()?.plan.gateway_responses;
    let customisable = !responses.is_empty() && refusal.kind.is_customisable();
    customisable.then(|| responses.find(refusal.kind.response_type(), refusal.kind.class()))?
}

/// The status of the refusal's answer.
pub(super) fn status(refusal: &Refusal, ask: &Ask) -> u16 {
    definition(refusal, ask).and_then(sent_status).map_or(refusal.status(), |status| status.as_u16())
}

/// The status that a definition sets. An interim one would leave the client waiting.
fn sent_status(definition: &Definition) -> Option<StatusCode> {
    StatusCode::from_u16(definition.status.filter(|status| (200..600).contains(status))?).ok()
}

/// The refusal's answer. Request ids and `Date` are added where all answers get them.
pub(super) fn answer(refusal: &Refusal, ask: &Ask) -> Response<Body> {
    let mut response = refusal.answer();
    let (Some(stage), Some(definition)) = (&ask.facts.stage, definition(refusal, ask)) else { return response };
    // Refused before its route was known, the request still has its headers.
    let late = if ask.facts.kept.is_empty() { keep(&stage.plan, ask) } else { Kept::default() };
    let kept = if late.is_empty() { &ask.facts.kept } else { &late };
    let context = Refused { known: ask.known(), refusal };
    let accept = stage.plan.gateway_responses.accept.and_then(|place| kept.get(place)?.as_deref());
    apply(definition, accept, &Values { context: &context, asked: kept }, &mut response);
    response
}

fn apply(definition: &Definition, accept: Option<&str>, values: &Values<'_>, response: &mut Response<Body>) {
    if let Some(status) = sent_status(definition) {
        *response.status_mut() = status;
    }
    if let Some(body) = definition.body(accept) {
        *response.body_mut() = Body::full(body.text.render(values));
        if let Some(media) = &body.content_type {
            response.headers_mut().insert(header::CONTENT_TYPE, media.clone());
        }
    }
    for (name, piece) in &definition.headers {
        // A value that no header can carry is left out, as an absent one.
        let value = piece.value(values).and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok());
        if let (false, Some(value)) = (is_framing(name) || is_ours(name), value) {
            response.headers_mut().insert(name.clone(), value);
        }
    }
}

/// Headers that say where a message ends, which is hyper's to say.
fn is_framing(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::CONNECTION
            | header::CONTENT_LENGTH
            | header::TRANSFER_ENCODING
            | header::TE
            | header::TRAILER
            | header::UPGRADE
    ) || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

#[cfg(test)]
#[path = "dress_tests.rs"]
mod tests;
