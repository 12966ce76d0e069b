//! map: from the client's request to the integration's.

use super::ask::{Ask, FORWARDED_FOR, Known, TRACE};
use super::headers::{Mapped as Fate, drop_from_client, mapped_to_backend};
use super::refusal::{Kind, Refusal};
use super::route::Matched;
use super::validate::Valid;
use super::worker::Worker;
use crate::net::http::{Body, Target};
use crate::plan::mapping::View;
use crate::plan::method::{Chosen, HttpPlan};
use crate::plan::template::{Template, mock_status};
use crate::plan::{Backend, MockPlan, media};
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use std::time::Duration;

const API_ID: HeaderName = HeaderName::from_static("x-amzn-apigateway-api-id");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// How long a mock waits for a body that names its status.
const MOCK_BODY: Duration = Duration::from_secs(29);

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
}

pub(super) async fn map(worker: &Worker, valid: Valid, ask: &mut Ask) -> Result<Mapped, Refusal> {
    let matched = valid.0;
    if ask.body.known_len().is_some_and(|len| len > worker.shared.limits.body_bytes) {
        return Err(too_large());
    }
    match &matched.method().backend {
        Backend::Mock(mock) => {
            let accept = ask.headers.get(header::ACCEPT).cloned();
            let status = mock_request(mock, ask).await?;
            Ok(Mapped { work: Work::Mock(status), accept, matched })
        }
        Backend::Http(http) => {
            let (work, accept) = http_request(worker, &matched, http, ask)?;
            Ok(Mapped { work, accept, matched })
        }
        Backend::Unbuilt(what) => Err(super::policy::unbuilt(what)),
    }
}

pub(super) fn too_large() -> Refusal {
    Refusal::new(Kind::RequestTooLarge, "body_too_large")
}

fn config_error(cause: &'static str) -> Refusal {
    Refusal::new(Kind::ApiConfigurationError, cause)
}

/// A mock takes its status from the request template, or from the body where that passes through.
async fn mock_request(mock: &MockPlan, ask: &mut Ask) -> Result<u16, Refusal> {
    let media = media::content_type(ask.header_text(header::CONTENT_TYPE));
    match mock.request.choose(media) {
        Chosen::Template(status) => status.ok_or_else(|| config_error("mock_status")),
        Chosen::Refuse => Err(Refusal::new(Kind::UnsupportedMediaType, "no_request_template")),
        Chosen::Pass => {
            // A status is a few bytes; a larger body names none.
            let body = std::mem::take(&mut ask.body).collect(64 * 1024);
            let body = Box::pin(tokio::time::timeout(MOCK_BODY, body)).await;
            let body = body.map_err(|_| Refusal::new(Kind::Malformed, "request_body_stalled"))?;
            let body = body.map_err(|e| config_error("mock_body").because(e))?;
            mock_status(&String::from_utf8_lossy(&body)).ok_or_else(|| config_error("mock_status"))
        }
    }
}

fn http_request(
    worker: &Worker,
    matched: &Matched,
    http: &HttpPlan,
    ask: &mut Ask,
) -> Result<(Work, Option<HeaderValue>), Refusal> {
    let mut body = std::mem::take(&mut ask.body).capped_unless_known(worker.shared.limits.body_bytes);
    let mut media = None;
    if !http.proxy {
        let asked = media::content_type(ask.header_text(header::CONTENT_TYPE));
        match http.body.choose(asked) {
            Chosen::Refuse => return Err(Refusal::new(Kind::UnsupportedMediaType, "no_request_template")),
            Chosen::Template(Template::Text(text)) if !text.is_empty() => body = Body::full(text.clone()),
            Chosen::Template(Template::NeedsVtl) => return Err(super::policy::unbuilt("mapping templates in VTL")),
            _ => {}
        }
        media = ask.headers.get(header::CONTENT_TYPE).cloned();
    }
    let mut headers = std::mem::take(&mut ask.headers);
    drop_from_client(&mut headers, http.proxy);
    let (called, added) = {
        let known = Known { method: &ask.method, path: ask.uri.path(), client: &ask.client, facts: &ask.facts };
        let path: Vec<(&str, &str)> = matched.parameters.iter().map(|(n, v)| (&**n, &**v)).collect();
        let view = View { path: &path, query: ask.query(), headers: &headers, context: &known };
        let client_query = if http.proxy { ask.query() } else { "" };
        let called = http.uri.call(&view, client_query).map_err(|why| config_error("endpoint_address").because(why))?;
        (called, mapped_headers(http, &view)?)
    };
    let accept = headers.get(header::ACCEPT).cloned();
    if !http.proxy {
        headers = own_headers(matched, media, &body);
        for (name, value) in added {
            headers.insert(name, value);
        }
    } else {
        for (name, value) in added {
            headers.append(name, value);
        }
    }
    forwarding_headers(worker, matched, ask, &mut headers)?;
    let target = match (&matched.stage.targets[matched.method], called.dynamic) {
        (Some(target), _) => target.clone(),
        (None, Some((scheme, authority))) => {
            let target = Target::parse(&scheme, &authority).ok_or_else(|| config_error("endpoint_address"))?;
            if http.insecure { target.unverified() } else { target }
        }
        (None, None) => return Err(config_error("endpoint_address")),
    };
    let mut request = Request::new(body);
    *request.method_mut() = http.verb.clone().unwrap_or_else(|| ask.method.clone());
    *request.uri_mut() = called.path_and_query.into();
    *request.headers_mut() = headers;
    Ok((Work::Call(Box::new((target, request))), accept))
}

/// The headers that mappings set.
fn mapped_headers(http: &HttpPlan, view: &View<'_>) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
    let mut added = Vec::new();
    for (name, source) in &http.headers {
        let fate = mapped_to_backend(name);
        if let Some(value) = source.value(view) {
            match fate {
                Fate::Drop => {}
                Fate::Fail => return Err(config_error("mapped_header")),
                Fate::Send => {
                    let value = HeaderValue::try_from(value).map_err(|_| config_error("mapped_header"))?;
                    added.push((name.clone(), value));
                }
            }
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
    let conn = &ask.client.conn;
    let chain = match headers.get(FORWARDED_FOR).and_then(|v| v.to_str().ok()) {
        Some(before) => HeaderValue::try_from(format!("{before}, {}", conn.peer.ip())).map_err(broken)?,
        None => conn.peer_ip_value(),
    };
    headers.insert(FORWARDED_FOR, chain);
    headers.insert(FORWARDED_PORT, conn.local_port_value());
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(ask.client.scheme()));
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
