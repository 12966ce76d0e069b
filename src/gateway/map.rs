//! map: from the client's request to the integration's.

use super::ask::{Ask, FORWARDED_FOR, TRACE};
use super::headers::{Mapped as Fate, mapped_to_backend};
use super::refusal::{Kind, Refusal};
use super::render::{failed, render};
use super::route::Matched;
use super::validate::Valid;
use super::worker::Worker;
use super::{aws, execution, heavy, payload};
use crate::net::http::{Body, Target};
use crate::plan::binary::{self, Convert, Handled};
use crate::plan::body_read::{BodyReadError, BodyReads};
use crate::plan::mapping::{Source, View};
use crate::plan::method::{Chosen, HttpPlan, RequestBody};
use crate::plan::template::{MockTemplate, Template, mock_status};
use crate::plan::uri::UriOverrides;
use crate::plan::{Backend, MockPlan, media};
use crate::spec::vtl::Overrides;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use serde_json::Value as Json;
use std::sync::Arc;

pub(super) const API_ID: HeaderName = HeaderName::from_static("x-amzn-apigateway-api-id");
pub(super) const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
pub(super) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What is to be done for a request.
pub(super) struct Mapped {
    pub matched: Matched,
    /// The client's `Accept`, which chooses among response templates.
    pub accept: Option<HeaderValue>,
    pub work: Work,
}

pub(super) enum Work {
    /// Answer with this status's integration response.
    Mock(u16),
    /// Call a backend.
    Call(Box<(Target, Request<Body>)>),
    /// Call one of the cluster's own functions.
    Function(Box<aws::Invocation>),
}

pub(super) async fn map(worker: &Worker, valid: Valid, ask: &mut Ask) -> Result<Mapped, Refusal> {
    let matched = valid.0;
    let plan = &matched.stage.plan;
    let binary = plan.binary.holds(ask.header_text(header::CONTENT_TYPE));
    match &matched.method().backend {
        Backend::Mock(mock) => {
            let accept = ask.headers.get(header::ACCEPT).cloned();
            let handled = binary::request(mock.content_handling.as_ref(), binary);
            let status = Box::pin(mock_request(worker, mock, handled, ask)).await?;
            Ok(Mapped { work: Work::Mock(status), accept, matched })
        }
        Backend::Http(http) => {
            let handled = binary::request(http.content_handling.as_ref(), binary);
            let whole = !http.proxy || !http.reads.is_empty() || needs_whole(handled);
            // Most requests pass through: what they do not need takes no part of their future.
            let read = if whole { Box::pin(read(worker, http, handled, ask)).await? } else { Vec::new() };
            let (work, accept) = http_request(worker, &matched, http, &read, ask)?;
            Ok(Mapped { work, accept, matched })
        }
        Backend::AwsProxy(plan) => {
            let accept = ask.headers.get(header::ACCEPT).cloned();
            let work = Box::pin(aws::event(worker, &matched, plan, binary, ask)).await?;
            Ok(Mapped { work, accept, matched })
        }
        Backend::Aws(plan) => {
            let accept = ask.headers.get(header::ACCEPT).cloned();
            let work = Box::pin(aws::service(worker, &matched, plan, binary, ask)).await?;
            Ok(Mapped { work, accept, matched })
        }
        Backend::Unbuilt(what) => Err(super::policy::unbuilt(what)),
    }
}

pub(super) fn config_error(cause: &'static str) -> Refusal {
    Refusal::new(Kind::ApiConfigurationError, cause)
}

fn wrong_header(name: &str) -> Refusal {
    config_error("mapped_header").because(name).at(format!("integration.request.header.{name}"))
}

/// Whether a payload cannot be converted while it streams.
pub(super) fn needs_whole(handled: Handled) -> bool {
    matches!(handled.convert, Convert::Encode | Convert::Decode)
}

/// No template reads bytes (data-plane §10).
pub(super) fn binary_template() -> Refusal {
    config_error("binary_body_with_template")
}

/// A mock takes its status from the request template, or from the body where that passes through.
async fn mock_request(worker: &Worker, mock: &MockPlan, handled: Handled, ask: &mut Ask) -> Result<u16, Refusal> {
    let media = media::content_type(ask.header_text(header::CONTENT_TYPE));
    let template = match mock.request.choose(media) {
        Chosen::Template(_) if handled.binary => return Err(binary_template()),
        Chosen::Template(template) => template,
        Chosen::Refuse => return Err(Refusal::new(Kind::UnsupportedMediaType, "no_request_template")),
        Chosen::Pass => {
            let body = payload::whole(worker, ask).await?;
            // A status is a few bytes; a larger body names none.
            let text = if body.len() <= heavy::LARGE { String::from_utf8_lossy(&body) } else { "".into() };
            return mock_status(&text).ok_or_else(|| config_error("mock_status"));
        }
    };
    let status = match template {
        MockTemplate::Status(status) => *status,
        MockTemplate::Run(Template::Vtl(template)) => {
            let body = payload::whole(worker, ask).await?;
            let body = payload::converted(worker, handled.convert, body).await?;
            mock_status(&render(worker, template, body, ask).await?)
        }
        MockTemplate::Run(Template::Broken(error)) => return Err(failed(error)),
        MockTemplate::Run(Template::Text(_) | Template::Pass) => None,
    };
    status.ok_or_else(|| config_error("mock_status"))
}

/// Makes the body that the backend gets where it does not just pass through; returns what mappings read from the client's.
async fn read(
    worker: &Worker,
    http: &HttpPlan,
    handled: Handled,
    ask: &mut Ask,
) -> Result<Vec<Option<String>>, Refusal> {
    let found = read_body(worker, &http.reads, ask).await?;
    if !http.proxy {
        make_body(worker, &http.body, handled, ask).await?;
    } else if needs_whole(handled) {
        let body = payload::whole(worker, ask).await?;
        ask.body = Body::full(payload::converted(worker, handled.convert, body).await?);
    }
    Ok(found)
}

/// What mappings read from the client's body.
pub(super) async fn read_body(
    worker: &Worker,
    reads: &Arc<BodyReads>,
    ask: &mut Ask,
) -> Result<Vec<Option<String>>, Refusal> {
    if reads.is_empty() {
        return Ok(Vec::new());
    }
    let body = payload::whole(worker, ask).await?;
    payload::read(worker, reads, body).await?.map_err(|error| match error {
        BodyReadError::InvalidJson => Refusal::new(Kind::BadRequestBody, "invalid_json").saying(error.to_string()),
        error => config_error("body_mapping").because(error),
    })
}

/// Makes the backend's body of the client's, by the template for its media type.
pub(super) async fn make_body(
    worker: &Worker,
    templates: &RequestBody<Template>,
    handled: Handled,
    ask: &mut Ask,
) -> Result<(), Refusal> {
    match templates.choose(media::content_type(ask.header_text(header::CONTENT_TYPE))) {
        Chosen::Refuse => return Err(Refusal::new(Kind::UnsupportedMediaType, "no_request_template")),
        Chosen::Template(Template::Text(_) | Template::Vtl(_)) if handled.binary => return Err(binary_template()),
        Chosen::Template(Template::Text(text)) => ask.body = Body::full(text.clone()),
        Chosen::Template(Template::Broken(error)) => return Err(failed(error)),
        Chosen::Template(Template::Vtl(template)) => {
            let body = payload::whole(worker, ask).await?;
            let body = payload::converted(worker, handled.convert, body).await?;
            ask.body = Body::full(render(worker, template, body, ask).await?);
        }
        Chosen::Pass | Chosen::Template(Template::Pass) if needs_whole(handled) => {
            let body = payload::whole(worker, ask).await?;
            ask.body = Body::full(payload::converted(worker, handled.convert, body).await?);
        }
        Chosen::Pass | Chosen::Template(Template::Pass) => {}
    }
    Ok(())
}

/// Runs something over what mappings read from.
pub(super) fn with_view<T>(ask: &Ask, read: &[Option<String>], run: impl FnOnce(&View<'_>) -> T) -> T {
    let path: Vec<(&str, &str)> = ask.parameters.iter().map(|(n, v)| (&**n, &**v)).collect();
    let known = ask.known();
    run(&View { path: &path, query: ask.query(), headers: &ask.headers, body: read, context: &known })
}

fn http_request(
    worker: &Worker,
    matched: &Matched,
    http: &HttpPlan,
    read: &[Option<String>],
    ask: &mut Ask,
) -> Result<(Work, Option<HeaderValue>), Refusal> {
    let mut body = std::mem::take(&mut ask.body);
    if worker.shared.limits.text_only && !matched.stage.plan.binary.holds(ask.header_text(header::CONTENT_TYPE)) {
        body = body.as_text();
    }
    let overrides = ask.overrides.take();
    let (called, added) = with_view(ask, read, |view| {
        let client_query = if http.proxy { ask.query() } else { "" };
        let branch = |name: &str| overrides.as_ref().and_then(|o| o.request.get(name));
        let uri = UriOverrides { path: branch("path"), query: branch("querystring") };
        let called = http.uri.call(view, client_query, &uri);
        let called = called.map_err(|why| config_error("endpoint_address").because(why))?;
        Ok((called, mapped_headers(&http.headers, view, branch("header"), mapped_to_backend)?))
    })?;
    let accept = ask.headers.get(header::ACCEPT).cloned();
    let mut headers = if http.proxy {
        std::mem::take(&mut ask.headers)
    } else {
        own_headers(matched, ask.headers.get(header::CONTENT_TYPE).cloned(), &body)
    };
    for (name, value, again) in added {
        if http.proxy || again {
            headers.append(name, value);
        } else {
            headers.insert(name, value);
        }
    }
    ask.overrides = overrides;
    forwarding_headers(worker, matched, ask, &mut headers)?;
    let target = match (&matched.stage.targets[matched.method], called.dynamic) {
        (Some(target), _) => target.clone(),
        (None, Some((scheme, authority))) => {
            let target = matched.stage.target(&scheme, &authority, http.insecure);
            target.ok_or_else(|| config_error("endpoint_address"))?
        }
        (None, None) => return Err(config_error("endpoint_address")),
    };
    if execution::wants_data(ask) {
        let place = format!("{}{}", target.authority().to_str().unwrap_or_default(), called.path_and_query);
        let bytes = if let Body::Full(Some(bytes)) = &body { bytes } else { &bytes::Bytes::new() };
        note_call(worker, ask, target.scheme(), &place, &headers, bytes);
    }
    let mut request = Request::new(body);
    *request.method_mut() = http.verb.clone().unwrap_or_else(|| ask.method.clone());
    *request.uri_mut() = called.path_and_query.into();
    *request.headers_mut() = headers;
    Ok((Work::Call(Box::new((target, request))), accept))
}

/// Notes in the execution log what is sent where.
pub(super) fn note_call(
    worker: &Worker,
    ask: &mut Ask,
    scheme: &str,
    place: &str,
    headers: &HeaderMap,
    body: &bytes::Bytes,
) {
    if ask.execution.is_none() {
        return;
    }
    execution::data(worker, ask, |_| format!("Endpoint request URI: {scheme}://{place}"));
    execution::data(worker, ask, |_| format!("Endpoint request headers: {}", execution::headers(headers)));
    if !body.is_empty() {
        let text = || String::from_utf8_lossy(body).into_owned();
        execution::data(worker, ask, |_| format!("Endpoint request body after transformations: {}", text()));
    }
    execution::note(worker, ask, |_| format!("Sending request to {scheme}://{place}"));
}

/// The headers that mappings and overrides set, and whether each is a further value of the one before.
pub(super) fn mapped_headers(
    mapped: &[(HeaderName, Source)],
    view: &View<'_>,
    overrides: Option<&Json>,
    fate: fn(&HeaderName) -> Fate,
) -> Result<Vec<(HeaderName, HeaderValue, bool)>, Refusal> {
    let mut added = Vec::new();
    let mut add = |name: &HeaderName, value: String, again: bool| match fate(name) {
        Fate::Drop => Ok(()),
        Fate::Fail => Err(wrong_header(name.as_str())),
        Fate::Send => {
            let value = HeaderValue::try_from(value);
            added.push((name.clone(), value.map_err(|_| wrong_header(name.as_str()))?, again));
            Ok(())
        }
    };
    let overridden = overrides.and_then(Json::as_object);
    let is_overridden =
        |name: &HeaderName| overridden.is_some_and(|map| map.keys().any(|key| key.eq_ignore_ascii_case(name.as_str())));
    for (name, source) in mapped {
        if let Some(value) = source.value(view)
            && !is_overridden(name)
        {
            add(name, value, false)?;
        }
    }
    for key in overridden.into_iter().flat_map(serde_json::Map::keys) {
        let name: HeaderName = key.parse().map_err(|_| wrong_header(key))?;
        for (index, value) in Overrides::values(overrides, key).into_iter().enumerate() {
            add(&name, value, index > 0)?;
        }
    }
    Ok(added)
}

/// What an HTTP integration's backend sees beside what is mapped: nothing of the client's.
fn own_headers(matched: &Matched, media: Option<HeaderValue>, body: &Body) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::ACCEPT, json.clone());
    if let Ok(agent) = HeaderValue::try_from(format!("AmazonAPIGateway_{}", matched.stage.plan.api)) {
        headers.insert(header::USER_AGENT, agent);
    }
    if !http_body::Body::is_end_stream(body) {
        headers.insert(header::CONTENT_TYPE, media.unwrap_or(json));
    }
    headers
}

/// What AWS adds to every call.
fn forwarding_headers(
    worker: &Worker,
    matched: &Matched,
    ask: &mut Ask,
    headers: &mut HeaderMap,
) -> Result<(), Refusal> {
    let broken = |_| config_error("own_header");
    headers.insert(API_ID, matched.stage.api_id.clone().ok_or_else(|| config_error("own_header"))?);
    if let Some(trace) = headers.get(TRACE) {
        ask.facts.trace = String::from_utf8_lossy(trace.as_bytes()).into_owned();
    } else {
        if ask.facts.trace.is_empty() {
            ask.facts.trace = new_trace(worker, ask.facts.time_ms);
        }
        headers.insert(TRACE, HeaderValue::try_from(&*ask.facts.trace).map_err(broken)?);
    }
    let conn = &ask.conn;
    let chain = match headers.get(FORWARDED_FOR).and_then(|v| v.to_str().ok()) {
        Some(before) => HeaderValue::try_from(format!("{before}, {}", conn.peer.ip())).map_err(broken)?,
        None => conn.peer_ip_value(),
    };
    headers.insert(FORWARDED_FOR, chain);
    headers.insert(FORWARDED_PORT, conn.local_port_value());
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(ask.client.scheme()));
    Ok(())
}

/// Keeps the trace of a call whose client's headers are not sent on.
pub(super) fn keep_trace(worker: &Worker, ask: &mut Ask) -> Result<(), Refusal> {
    if let Some(trace) = ask.headers.get(TRACE) {
        ask.facts.trace = String::from_utf8_lossy(trace.as_bytes()).into_owned();
    } else if ask.facts.trace.is_empty() {
        ask.facts.trace = new_trace(worker, ask.facts.time_ms);
    }
    Ok(())
}

/// `Root=1-{seconds}-{96 random bits}`
fn new_trace(worker: &Worker, time_ms: i64) -> String {
    let random: [u8; 12] = worker.random.borrow_mut().bytes();
    // Eight digits hold the seconds until the year 2106.
    let seconds = u32::try_from(time_ms / 1000).unwrap_or(u32::MAX);
    let mut text = String::with_capacity(40);
    text.push_str("Root=1-");
    super::ids::hex(&seconds.to_be_bytes(), &mut text);
    text.push('-');
    super::ids::hex(&random, &mut text);
    text
}
