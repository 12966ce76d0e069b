//! From a function's answer to the client's: the proxy result, or the error that an integration response is chosen by.

use super::invoke::FUNCTION_ERROR;
use super::stream;
use crate::gateway::answer::whole;
use crate::gateway::ask::Ask;
use crate::gateway::ask::TRACE;
use crate::gateway::headers::to_client;
use crate::gateway::refusal::{Kind, Refusal};
use crate::gateway::route::Matched;
use crate::gateway::worker::Worker;
use crate::gateway::{heavy, payload};
use crate::net::http::Body;
use crate::plan::binary::Convert;
use crate::plan::proxy_result::{Malformed, ProxyResult};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
/// Much of what a service says when it refuses, bytes.
const WORDS_BYTES: u64 = 64 << 10;
/// Much of a function's error that is told, bytes.
const MESSAGE_BYTES: usize = 512;

fn wrong(cause: &'static str) -> Refusal {
    Refusal::new(Kind::ApiConfigurationError, cause)
}

/// An answer that a function must not give.
pub(super) fn bad_gateway(cause: &'static str) -> Refusal {
    Refusal::new(Kind::Default5xx, cause).with_status(502)
}

/// Lambda did not let the function run.
pub(super) fn refused_by_lambda(status: u16, said: &str) -> Refusal {
    let refusal = match status {
        403 => wrong("function_permissions"),
        404 => wrong("function_unknown"),
        413 => Refusal::new(Kind::RequestTooLarge, "event_too_large"),
        429 => wrong("function_throttled"),
        300..=499 => wrong("function_refused"),
        _ => bad_gateway("function_service"),
    };
    refusal.because(format_args!("Lambda answered {status}: {}", cut(said)))
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MESSAGE_BYTES)]
}

/// The answer, if the function was let run.
async fn let_run(answer: Response<Body>) -> Result<Response<Body>, Refusal> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let words = answer.into_body().collect(WORDS_BYTES).await.unwrap_or_default();
    Err(refused_by_lambda(status.as_u16(), &String::from_utf8_lossy(&words)))
}

/// The `errorMessage` of a function that failed.
fn error_message(payload: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Failed {
        #[serde(rename = "errorMessage")]
        message: serde_json::Value,
    }
    match serde_json::from_slice(payload) {
        Ok(Failed { message: serde_json::Value::String(text) }) => text,
        Ok(Failed { message }) => message.to_string(),
        Err(_) => String::new(),
    }
}

/// Lambda's id of the call.
fn request_id(headers: &HeaderMap) -> &str {
    headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or("unknown")
}

/// An answer of a mapped function with its `errorMessage`, where it failed: that chooses the integration response.
pub(in crate::gateway) async fn function_failed(
    worker: &Worker,
    answer: Response<Body>,
) -> Result<(Response<Body>, Option<String>), Refusal> {
    let answer = let_run(answer).await?;
    if !answer.headers().contains_key(FUNCTION_ERROR) {
        return Ok((answer, None));
    }
    let (head, body) = answer.into_parts();
    let bytes = whole(worker, body).await?;
    let message = error_message(&bytes);
    Ok((Response::from_parts(head, Body::full(bytes)), Some(message)))
}

/// The client's answer of a proxy integration.
pub(in crate::gateway) async fn proxied(
    worker: &Worker,
    matched: &Matched,
    accept: Option<&HeaderValue>,
    answer: Response<Body>,
    ask: &Ask,
) -> Result<Response<Body>, Refusal> {
    let (head, body) = let_run(answer).await?.into_parts();
    let failed = head.headers.contains_key(FUNCTION_ERROR);
    if matched.method().backend.is_streamed() && !failed {
        let (result, body) = stream::begun(body).await?;
        return Ok(answered(&result, body, ask));
    }
    let bytes = whole(worker, body).await?;
    if failed {
        let message = error_message(&bytes);
        return Err(bad_gateway("function_error").because(format_args!(
            "Lambda execution failed with status {} due to customer function error: {}. Lambda request id: {}",
            head.status.as_u16(),
            cut(&message),
            request_id(&head.headers)
        )));
    }
    let mut result = read(worker, bytes).await?;
    let text = std::mem::take(&mut result.body);
    let wanted = result.base64 && matched.stage.plan.binary.wanted_by(accept.and_then(|value| value.to_str().ok()));
    let body = Bytes::from(text);
    let body = if wanted { payload::converted(worker, Convert::Decode, body).await? } else { body };
    Ok(answered(&result, Body::full(body), ask))
}

async fn read(worker: &Worker, bytes: Bytes) -> Result<ProxyResult, Refusal> {
    let read = if bytes.len() > heavy::LARGE {
        heavy::run(worker, move || ProxyResult::read(&bytes)).await?
    } else {
        ProxyResult::read(&bytes)
    };
    read.map_err(|why| malformed(&why))
}

pub(super) fn malformed(why: &Malformed) -> Refusal {
    let refusal = bad_gateway("malformed_proxy_response").because(why);
    match why.key() {
        Some(key) => refusal.at(key),
        None => refusal,
    }
}

fn answered(result: &ProxyResult, body: Body, ask: &Ask) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = result.status;
    let headers = response.headers_mut();
    for (name, value) in &result.headers {
        if let Some(name) = to_client(name) {
            headers.append(name, value.clone());
        }
    }
    if let Ok(trace) = HeaderValue::try_from(&*ask.facts.trace) {
        headers.entry(TRACE).or_insert(trace);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lambda_refuses_is_told_as_at_aws() {
        for (status, wanted, cause) in [
            (403, 500, "function_permissions"),
            (404, 500, "function_unknown"),
            (429, 500, "function_throttled"),
            (301, 500, "function_refused"),
            (413, 413, "event_too_large"),
            (503, 502, "function_service"),
        ] {
            let refusal = refused_by_lambda(status, "x");
            assert_eq!((refusal.status(), &*refusal.cause), (wanted, cause), "{status}");
        }
    }

    #[test]
    fn the_message_of_an_error_is_found_wherever_there_is_one() {
        assert_eq!(error_message(br#"{"errorMessage":"no","errorType":"E"}"#), "no");
        assert_eq!(error_message(br#"{"errorMessage":{"a":1}}"#), r#"{"a":1}"#);
        assert_eq!(error_message(b"[]") + &error_message(b"\xff") + &error_message(b""), "");
    }
}
