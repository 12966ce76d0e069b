//! map back and answer: from the integration's answer to the method's.

use super::ask::{Ask, TRACE};
use super::aws;
use super::execution;
use super::headers::{pass_to_client, to_client};
use super::integrate::Integrated;
use super::map::{binary_template, needs_whole};
use super::payload;
use super::refusal::{Kind, Refusal};
use super::render::{failed, render};
use super::route::Matched;
use super::worker::Worker;
use crate::net::http::{Body, BodyError, OUT_OF_TIME};
use crate::plan::Backend;
use crate::plan::aws::{AwsPlan, ServiceCall};
use crate::plan::binary::{self, Convert};
use crate::plan::mapping::View;
use crate::plan::response::ResponsePlan;
use crate::plan::template::Template;
use crate::spec::vtl::Overrides;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use std::time::Duration;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The client's answer, but for what the node that faces it adds.
pub(super) async fn answer(worker: &Worker, integrated: Integrated, ask: &mut Ask) -> Result<Response<Body>, Refusal> {
    let Integrated { matched, accept, mut answer } = integrated;
    if execution::wants_data(ask) && !matches!(&matched.method().backend, Backend::Mock(_)) {
        execution::data(worker, ask, |_| {
            format!("Endpoint response headers: {}", execution::headers(answer.headers()))
        });
        let what = "Endpoint response body before transformations";
        answer = Box::pin(execution::body(worker, ask, what, answer)).await;
    }
    let mut answer = match &matched.method().backend {
        Backend::Http(http) if http.proxy => passed(worker, &matched, accept.as_ref(), answer, ask).await?,
        Backend::Http(http) => {
            let chosen = http.responses.select(answer.status().as_u16());
            let answer = Box::pin(mapped(worker, &matched, chosen, accept.as_ref(), answer, ask)).await?;
            traced(answer, ask)
        }
        Backend::AwsProxy(_) => Box::pin(aws::proxied(worker, &matched, accept.as_ref(), answer, ask)).await?,
        Backend::Aws(plan) => {
            let answer = Box::pin(of_service(worker, &matched, plan, accept.as_ref(), answer, ask)).await?;
            traced(answer, ask)
        }
        Backend::Mock(mock) => {
            let chosen = mock.responses.select(answer.status().as_u16());
            Box::pin(mapped(worker, &matched, chosen, accept.as_ref(), answer, ask)).await?
        }
        Backend::Unbuilt(what) => return Err(super::policy::unbuilt(what)),
    };
    answer.headers_mut().entry(header::CONTENT_TYPE).or_insert(JSON);
    Ok(answer)
}

fn traced(mut answer: Response<Body>, ask: &Ask) -> Response<Body> {
    if let Ok(trace) = HeaderValue::try_from(&*ask.facts.trace) {
        answer.headers_mut().entry(TRACE).or_insert(trace);
    }
    answer
}

/// A service's answer, mapped. A function's is chosen by its error, whatever Lambda's own status is.
async fn of_service(
    worker: &Worker,
    matched: &Matched,
    plan: &AwsPlan,
    accept: Option<&HeaderValue>,
    answer: Response<Body>,
    ask: &mut Ask,
) -> Result<Response<Body>, Refusal> {
    let call = plan.service.as_ref().map(|service| &service.call);
    if !matches!(call, Ok(ServiceCall::Function(_) | ServiceCall::FunctionOfPath)) {
        let chosen = plan.responses.select(answer.status().as_u16());
        return mapped(worker, matched, chosen, accept, answer, ask).await;
    }
    let (answer, failed) = aws::function_failed(worker, answer).await?;
    let chosen = match &failed {
        Some(message) => plan.responses.select_by(message),
        None => plan.responses.usual(),
    };
    mapped(worker, matched, chosen, accept, answer, ask).await
}

fn wrong(cause: &'static str) -> Refusal {
    Refusal::new(Kind::ApiConfigurationError, cause)
}

fn text(value: Option<&HeaderValue>) -> Option<&str> {
    value?.to_str().ok()
}

/// What HTTP_PROXY passes on: everything, but that an API with binary media types converts payloads.
async fn passed(
    worker: &Worker,
    matched: &Matched,
    accept: Option<&HeaderValue>,
    mut answer: Response<Body>,
    ask: &Ask,
) -> Result<Response<Body>, Refusal> {
    let length = answer.headers().get(header::CONTENT_LENGTH).cloned();
    pass_to_client(answer.headers_mut());
    if ask.method == http::Method::HEAD {
        if let Some(length) = length {
            // There is no body to take a length from, and the client asked for just this.
            answer.headers_mut().insert(header::CONTENT_LENGTH, length);
        }
        return Ok(answer);
    }
    let types = &matched.stage.plan.binary;
    if types.is_empty() && !worker.shared.limits.text_only {
        return Ok(answer);
    }
    let binary = types.holds(text(answer.headers().get(header::CONTENT_TYPE)));
    let handled = binary::response(None, binary, types.wanted_by(text(accept)));
    let (head, body) = answer.into_parts();
    let body = match handled.convert {
        Convert::Keep => body,
        Convert::Text => streamed(worker, body),
        Convert::Encode | Convert::Decode => {
            let bytes = Box::pin(whole(worker, body)).await?;
            Body::full(Box::pin(payload::converted(worker, handled.convert, bytes)).await?)
        }
    };
    Ok(Response::from_parts(head, body))
}

/// A text that passes through: as it is, unless AWS's damage to what is none is asked for.
fn streamed(worker: &Worker, body: Body) -> Body {
    if worker.shared.limits.text_only { body.as_text() } else { body }
}

/// The backend's body, read whole; it has its own time.
pub(super) async fn whole(worker: &Worker, body: Body) -> Result<Bytes, Refusal> {
    body.collect(worker.shared.limits.body_bytes).await.map_err(|error| match error {
        BodyError::TooLong { .. } => wrong("answer_too_large").because(error),
        BodyError::Cut(why) if why == OUT_OF_TIME => Refusal::new(Kind::IntegrationTimeout, "integration_timeout"),
        BodyError::Cut(_) => Refusal::new(Kind::IntegrationFailure, "connection_lost").because(error),
        error => Refusal::new(Kind::IntegrationFailure, "invalid_answer").because(error),
    })
}

/// Reads the small rest of an answer that nobody wants: left unread it would cost its connection.
async fn drain(body: Body) {
    const SMALL: u64 = 64 * 1024;
    const WAIT: Duration = Duration::from_millis(50);
    if body.known_len().is_some_and(|len| len > 0 && len <= SMALL) {
        let _ = tokio::time::timeout(WAIT, body.collect(SMALL)).await;
    }
}

/// Does what the integration response says that was chosen.
async fn mapped(
    worker: &Worker,
    matched: &Matched,
    chosen: Option<&ResponsePlan>,
    accept: Option<&HeaderValue>,
    answer: Response<Body>,
    ask: &mut Ask,
) -> Result<Response<Body>, Refusal> {
    let status = answer.status().as_u16();
    let chosen = chosen.ok_or_else(|| {
        wrong("no_output_mapping").because(format_args!(
            "No match for output mapping and no default output mapping configured. Endpoint Response Status Code: {status}"
        ))
    })?;
    if !chosen.declared || chosen.status < 200 {
        return Err(wrong("undeclared_status"));
    }
    let (from, mut body) = answer.into_parts();
    let types = &matched.stage.plan.binary;
    let binary = types.holds(text(from.headers.get(header::CONTENT_TYPE)));
    let handled = binary::response(chosen.content_handling.as_ref(), binary, types.wanted_by(text(accept)));
    let rendition = chosen.rendition(text(accept));
    let template = rendition.map(|r| &r.template);
    let mut read = Vec::new();
    if !chosen.reads.is_empty() {
        let bytes = whole(worker, body).await?;
        let found = payload::read(worker, &chosen.reads, bytes.clone()).await?;
        read = found.map_err(|error| wrong("body_mapping").because(error))?;
        body = Body::full(bytes);
    }
    let body = match template {
        Some(Template::Text(_) | Template::Vtl(_)) if handled.binary => return Err(binary_template()),
        Some(Template::Broken(error)) => return Err(failed(error)),
        Some(Template::Text(text)) => {
            drain(body).await;
            Body::full(text.clone())
        }
        Some(Template::Vtl(template)) => {
            let bytes = whole(worker, body).await?;
            let bytes = payload::converted(worker, handled.convert, bytes).await?;
            Body::full(render(worker, template, bytes, ask).await?)
        }
        None | Some(Template::Pass) if needs_whole(handled) => {
            let bytes = whole(worker, body).await?;
            Body::full(payload::converted(worker, handled.convert, bytes).await?)
        }
        None | Some(Template::Pass) if handled.convert == Convert::Text => streamed(worker, body),
        None | Some(Template::Pass) => body,
    };
    let mut out = Response::new(body);
    let overridden = ask.overrides.as_ref().and_then(|o| o.status()).filter(|status| *status >= 200);
    *out.status_mut() =
        StatusCode::from_u16(overridden.unwrap_or(chosen.status)).map_err(|_| wrong("output_status"))?;
    if let Some(media) = rendition.and_then(|r| r.content_type.clone()) {
        out.headers_mut().insert(header::CONTENT_TYPE, media);
    }
    map_headers(chosen, &from.headers, &read, ask, out.headers_mut());
    Ok(out)
}

fn map_headers(chosen: &ResponsePlan, from: &HeaderMap, read: &[Option<String>], ask: &Ask, to: &mut HeaderMap) {
    if !chosen.headers.is_empty() {
        let known = ask.known();
        let view = View { path: &[], query: "", headers: from, body: read, context: &known };
        for (name, source) in &chosen.headers {
            // A value that no header can carry is left out, as an absent one.
            let value = source.value(&view).and_then(|v| HeaderValue::try_from(v).ok());
            if let (Some(name), Some(value)) = (to_client(name), value) {
                to.insert(name, value);
            }
        }
    }
    let overrides = ask.overrides.as_ref().and_then(|o| o.response.get("header"));
    for key in overrides.and_then(|headers| headers.as_object()).into_iter().flat_map(serde_json::Map::keys) {
        let Some(name) = key.parse::<HeaderName>().ok().and_then(|name| to_client(&name)) else { continue };
        to.remove(&name);
        for value in Overrides::values(overrides, key) {
            if let Ok(value) = HeaderValue::try_from(value) {
                to.append(name.clone(), value);
            }
        }
    }
}
