//! Invoke and InvokeWithResponseStream: the call that a request makes, and the answer that a function's makes.

use super::{invalid, name, validation};
use crate::control::render::Answer;
use crate::control::{Fault, Scene, Verb};
use crate::function::call::{self, Broken, Call, Caller, InvocationType, Payload, Refused};
use crate::net::http::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::de::IgnoredAny;
use std::time::{Duration, Instant};

/// The operations of this noun.
pub(super) const OPERATIONS: &[Verb] =
    &[Verb::invoke("Invoke", ask), Verb::invoke("InvokeWithResponseStream", ask_for_stream)];

/// The largest event, bytes: waited for, and not.
const MOST_BYTES: (usize, usize) = (6_291_456, 1_048_576);
/// Longest client context, characters.
const LONGEST_CONTEXT: usize = 3_583;
/// No function runs longer, and a node starts one within this.
const PATIENCE: Duration = Duration::from_secs(930);

fn ask(scene: &Scene<'_>) -> Result<Call, Fault> {
    made(scene, false)
}

fn ask_for_stream(scene: &Scene<'_>) -> Result<Call, Fault> {
    made(scene, true)
}

fn made(scene: &Scene<'_>, streamed: bool) -> Result<Call, Fault> {
    let given = scene.call;
    let function = name::any_account(given)?;
    for member in ["DurableExecutionName", "TenantId"] {
        if given.text(member).is_some() {
            return Err(invalid(format!("Functions that run on Meridian's nodes have no {member}: leave it out")));
        }
    }
    let (invocation, most) = match given.text("InvocationType") {
        Some("Event") => (InvocationType::Event, MOST_BYTES.1),
        Some("DryRun") => (InvocationType::DryRun, MOST_BYTES.0),
        _ => (InvocationType::RequestResponse, MOST_BYTES.0),
    };
    let length = given.body.len();
    if length > most {
        let kind = if invocation == InvocationType::Event { "Event" } else { "RequestResponse" };
        let text = format!("{length} byte payload is too large for the {kind} invocation type (limit {most} bytes)");
        return Err(Fault::new("RequestTooLargeException", 413, text));
    }
    let payload = if given.body.is_empty() { Bytes::from_static(b"{}") } else { given.body.clone() };
    if let Err(cause) = serde_json::from_slice::<IgnoredAny>(&payload) {
        let text = format!("Could not parse request body into json: Could not parse payload into json: {cause}");
        return Err(Fault::new("InvalidRequestContentException", 400, text));
    }
    Ok(Call {
        function,
        caller: Caller::Account(given.account.as_str().into()),
        invocation,
        payload,
        client_context: context(given.text("ClientContext"))?,
        trace: None,
        log_tail: given.text("LogType") == Some("Tail") && invocation == InvocationType::RequestResponse,
        streamed,
        request_id: scene.mint().uuid().into(),
        until: Instant::now() + PATIENCE,
    })
}

/// The client's context: base64 of JSON, as it came.
fn context(given: Option<&str>) -> Result<Option<Box<str>>, Fault> {
    let Some(text) = given.filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.len() > LONGEST_CONTEXT {
        let shown: String = text.chars().take(64).collect();
        return Err(validation(&shown, "clientContext", "Member must have length less than or equal to 3583"));
    }
    let json = STANDARD.decode(text).ok().filter(|bytes| serde_json::from_slice::<IgnoredAny>(bytes).is_ok());
    match json {
        Some(_) => Ok(Some(text.into())),
        None => Err(Fault::new(
            "InvalidRequestContentException",
            400,
            "Could not parse the client context: it must be base64 of JSON",
        )),
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Fault {
        let Refused { status, kind, message } = refused;
        let fault = Fault::new(kind, status, message);
        Fault { retry_after_s: (status == 429).then_some(1), ..fault }
    }
}

/// The response of a call that was answered; `streamed` in AWS's event stream.
pub(in crate::control) fn response(answer: call::Answer, streamed: bool, request_id: &str) -> Response<Body> {
    let call::Answer { status, function_error, log_tail, executed_version, payload } = answer;
    let mut head = Answer { status, ..Answer::default() };
    let texts = [
        ("x-amz-function-error", function_error.as_deref().filter(|_| !streamed)),
        ("x-amz-log-result", log_tail.as_deref().filter(|_| !streamed)),
        ("x-amz-executed-version", executed_version.as_deref()),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            head.header(name, value);
        }
    }
    let mut response = head.into_response(request_id).map(Body::full);
    if !streamed {
        *response.body_mut() = body(payload);
        return response;
    }
    if status == 200 {
        let kind = HeaderValue::from_static("application/vnd.amazon.eventstream");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        *response.body_mut() = super::stream::events(payload, function_error.as_deref(), log_tail.as_deref());
    }
    if response.status() == StatusCode::NO_CONTENT {
        *response.body_mut() = Body::Empty;
    }
    response
}

/// The bytes of an answer that nobody asked to stream.
fn body(payload: Payload) -> Body {
    match payload {
        Payload::Whole(bytes) => Body::full(bytes),
        Payload::Pieces(pieces) => super::stream::plain(pieces),
    }
}

/// The error of a stream that broke: its type, and what it said.
pub(super) fn told(broken: &Broken) -> (String, String) {
    (broken.error_type.to_string(), broken.message.to_string())
}
