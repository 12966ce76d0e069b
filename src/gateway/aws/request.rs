//! From the client's request to the service's: the event of a proxy integration, or the mapped body; signed, or as a call
//! of the cluster's own function.

use super::invoke::Invocation;
use super::sign::{Unsigned, sign};
use crate::function::call::{Address, Call, Caller, InvocationType};
use crate::gateway::ask::{Ask, FORWARDED_FOR, TRACE};
use crate::gateway::headers::mapped_to_service;
use crate::gateway::map::{self, API_ID, Work, config_error};
use crate::gateway::refusal::{Kind, Refusal};
use crate::gateway::route::Matched;
use crate::gateway::worker::Worker;
use crate::gateway::{heavy, payload};
use crate::plan::aws::{AwsPlan, Cannot, Function, RunAs, ServiceCall, ServicePlan};
use crate::plan::binary;
use crate::plan::event::{Event, finish};
use crate::plan::uri::UriOverrides;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use std::borrow::Cow;
use std::time::Duration;

const INVOCATION_TYPE: HeaderName = HeaderName::from_static("x-amz-invocation-type");
const CLIENT_CONTEXT: HeaderName = HeaderName::from_static("x-amz-client-context");
const LOG_TYPE: HeaderName = HeaderName::from_static("x-amz-log-type");
const SOURCE_ARN: HeaderName = HeaderName::from_static("x-amz-source-arn");
const AMZ_TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
/// Who calls functions for methods.
const PRINCIPAL: &str = "apigateway.amazonaws.com";
/// Lambda's limit of a synchronous event, bytes; an asynchronous one has less.
const EVENT_BYTES: usize = 6 << 20;

/// What can only fail, fails here as at AWS.
fn cannot(why: &Cannot) -> Refusal {
    let refusal = match why {
        Cannot::Arn(_) => config_error("integration_arn"),
        // AWS calls it a failed integration, and answers 500 all the same.
        Cannot::Verb(_) => {
            Refusal::new(Kind::IntegrationFailure, "function_verb").with_status(500).saying("Internal server error")
        }
        Cannot::Transfer(..) => config_error("transfer_mode"),
        Cannot::Caller => config_error("caller_credentials"),
        Cannot::Role(_) | Cannot::Foreign(_) => config_error("credentials_role"),
    };
    refusal.because(why)
}

/// The call of a proxy integration: an event.
pub(in crate::gateway) async fn event(
    worker: &Worker,
    matched: &Matched,
    plan: &AwsPlan,
    is_binary: bool,
    ask: &mut Ask,
) -> Result<Work, Refusal> {
    let service = plan.service.as_ref().map_err(cannot)?;
    let body = payload::whole(worker, ask).await?;
    let read = map::read_body(worker, &plan.reads, ask).await?;
    let Asked { target, headers } = asked(plan, service, &read, ask)?;
    map::keep_trace(worker, ask)?;
    let mut event = Vec::with_capacity(2_048 + body.len());
    begin_event(matched, ask, &mut event);
    let event = if body.len() > heavy::LARGE {
        heavy::run(worker, move || {
            finish(&mut event, &body, is_binary);
            event
        })
        .await?
    } else {
        finish(&mut event, &body, is_binary);
        event
    };
    call(worker, matched, plan, service, Ready { target, headers, body: event.into(), media: Some(JSON) }, ask).await
}

fn begin_event(matched: &Matched, ask: &Ask, out: &mut Vec<u8>) {
    let known = ask.known();
    let lossy = |value: &'_ HeaderValue| match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Owned(text.to_owned()),
        Err(_) => Cow::Owned(String::from_utf8_lossy(value.as_bytes()).into_owned()),
    };
    let names = ask.names();
    let mut headers: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::with_capacity(ask.headers.len() + 5);
    let own = |name: &HeaderName| [FORWARDED_FOR, map::FORWARDED_PORT, map::FORWARDED_PROTO, TRACE].contains(name);
    for (name, value) in ask.headers.iter().filter(|(name, _)| !own(name)) {
        headers.push((Cow::Borrowed(names.as_sent(name)), lossy(value)));
    }
    let conn = &ask.conn;
    let forwarded = match ask.headers.get(FORWARDED_FOR) {
        Some(before) => format!("{}, {}", lossy(before), conn.peer.ip()),
        None => conn.peer.ip().to_string(),
    };
    for (name, value) in [
        ("Host", Cow::Borrowed(ask.client.authority.as_str())),
        ("X-Amzn-Trace-Id", Cow::Borrowed(ask.facts.trace.as_str())),
        ("X-Forwarded-For", Cow::Owned(forwarded)),
        ("X-Forwarded-Port", lossy(&conn.local_port_value())),
        ("X-Forwarded-Proto", Cow::Borrowed(ask.client.scheme())),
    ] {
        headers.push((Cow::Borrowed(name), value));
    }
    let method = matched.method();
    let below = ask.uri.path().get(matched.below..).unwrap_or_default();
    // Slashes before the path's own first letter are one.
    let path = match below.find(|c| c != '/') {
        Some(at) => format!("/{}", &below[at..]),
        None => "/".to_owned(),
    };
    let event = Event {
        resource: &method.resource_path,
        path: &path,
        http_method: ask.method.as_str(),
        headers: &headers,
        query: ask.query(),
        path_parameters: &ask.parameters,
        stage_variables: &matched.stage.plan.variables,
        context: &known,
        operation_name: method.operation_name.as_deref(),
        keyed: method.key_required,
        authorizer: None,
    };
    event.begin(out);
}

/// The call of any service: the body that mapping made, or the client's.
pub(in crate::gateway) async fn service(
    worker: &Worker,
    matched: &Matched,
    plan: &AwsPlan,
    is_binary: bool,
    ask: &mut Ask,
) -> Result<Work, Refusal> {
    let service = plan.service.as_ref().map_err(cannot)?;
    let handled = binary::request(plan.content_handling.as_ref(), is_binary);
    let read = map::read_body(worker, &plan.reads, ask).await?;
    map::make_body(worker, &plan.body, handled, ask).await?;
    let mut body = payload::whole(worker, ask).await?;
    let Asked { mut target, mut headers } = asked(plan, service, &read, ask)?;
    map::keep_trace(worker, ask)?;
    if service.call == ServiceCall::Query && plan.verb.as_ref().unwrap_or(&ask.method) == Method::POST {
        body = form(&target, body, &headers);
        target = PathAndQuery::from_static("/");
        headers.insert(header::CONTENT_TYPE, FORM);
    }
    let media = match &service.call {
        ServiceCall::Json { content_type, .. } => Some(HeaderValue::from_static(content_type)),
        ServiceCall::Function(_) | ServiceCall::FunctionOfPath => Some(JSON),
        ServiceCall::Path | ServiceCall::Query => {
            (!body.is_empty()).then(|| ask.headers.get(header::CONTENT_TYPE).cloned().unwrap_or(JSON))
        }
    };
    call(worker, matched, plan, service, Ready { target, headers, body, media }, ask).await
}

/// The form of a posted action: it takes the place of a body that is none itself.
fn form(target: &PathAndQuery, body: Bytes, headers: &HeaderMap) -> Bytes {
    let action = target.query().unwrap_or_default();
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_form = media.is_some_and(|media| {
        crate::plan::media::content_type(Some(media)).eq_ignore_ascii_case("application/x-www-form-urlencoded")
    });
    if !is_form || body.is_empty() {
        return Bytes::copy_from_slice(action.as_bytes());
    }
    [action.as_bytes(), &body].join(&b'&').into()
}

/// What mappings ask of a service.
struct Asked {
    target: PathAndQuery,
    headers: HeaderMap,
}

fn asked(plan: &AwsPlan, service: &ServicePlan, read: &[Option<String>], ask: &mut Ask) -> Result<Asked, Refusal> {
    let overrides = ask.overrides.take();
    let asked = map::with_view(ask, read, |view| {
        let branch = |name: &str| overrides.as_ref().and_then(|o| o.request.get(name));
        let uri = UriOverrides { path: branch("path"), query: branch("querystring") };
        let called = service.uri.call(view, "", &uri);
        let target = called.map_err(|why| config_error("endpoint_address").because(why))?.path_and_query;
        let mut headers = HeaderMap::with_capacity(12);
        for (name, value, again) in map::mapped_headers(&plan.headers, view, branch("header"), mapped_to_service)? {
            if again {
                headers.append(name, value);
            } else {
                headers.insert(name, value);
            }
        }
        Ok(Asked { target, headers })
    });
    ask.overrides = overrides;
    asked
}

/// A call that wants nothing but its sender.
struct Ready {
    target: PathAndQuery,
    headers: HeaderMap,
    body: Bytes,
    media: Option<HeaderValue>,
}

async fn call(
    worker: &Worker,
    matched: &Matched,
    plan: &AwsPlan,
    service: &ServicePlan,
    ready: Ready,
    ask: &mut Ask,
) -> Result<Work, Refusal> {
    let found;
    let function = match &service.call {
        ServiceCall::Function(function) => Some(function),
        ServiceCall::FunctionOfPath => {
            let which = &matched.stage.plan;
            found = Function::of_path(ready.target.as_str(), &which.region, &which.account);
            let unnamed = || config_error("integration_arn").because("its path names no function");
            Some(found.as_ref().ok_or_else(unnamed)?)
        }
        _ => None,
    };
    let verb = plan.verb.clone().unwrap_or_else(|| ask.method.clone());
    let Some(function) = function else {
        return signed(worker, matched, plan, (service, None), verb, ready, ask).await;
    };
    if ready.body.len() > EVENT_BYTES {
        return Err(Refusal::new(Kind::RequestTooLarge, "event_too_large")
            .because(format_args!("the event has {} bytes, and Lambda takes {EVENT_BYTES}", ready.body.len())));
    }
    let source = source_arn(matched, ask);
    let address = Address {
        region: function.region.clone(),
        account: function.account.clone(),
        name: function.name.clone(),
        qualifier: function.qualifier.clone(),
    };
    if worker.shared.functions.as_ref().is_some_and(|functions| functions.knows(&address)) {
        let invocation = own_function(worker, matched, plan, address, source, ready, ask);
        return Ok(Work::Function(Box::new(invocation)));
    }
    signed(worker, matched, plan, (service, Some(source)), verb, ready, ask).await
}

/// `arn:aws:execute-api:{region}:{account}:{api}/{stage}/{verb}/{path}`
fn source_arn(matched: &Matched, ask: &Ask) -> String {
    let plan = &matched.stage.plan;
    let path = &matched.method().resource_path;
    format!("arn:aws:execute-api:{}:{}:{}/{}/{}{path}", plan.region, plan.account, plan.api, plan.stage, ask.method)
}

fn own_function(
    worker: &Worker,
    matched: &Matched,
    plan: &AwsPlan,
    function: Address,
    source: String,
    ready: Ready,
    ask: &mut Ask,
) -> Invocation {
    let Ready { target, headers, body, .. } = ready;
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let invocation = match text(INVOCATION_TYPE) {
        Some("Event") => InvocationType::Event,
        Some("DryRun") => InvocationType::DryRun,
        _ => InvocationType::RequestResponse,
    };
    let caller = match &plan.run_as {
        RunAs::Role { account, .. } => Caller::Account(account.clone()),
        _ => Caller::Service {
            principal: PRINCIPAL.into(),
            source_arn: source.into(),
            source_account: matched.stage.plan.account.clone(),
        },
    };
    let request_id = {
        let mut random = worker.random.borrow_mut();
        crate::gateway::ids::request_id(&mut random)
    };
    let most = crate::gateway::integrate::limit(worker, matched);
    let call = Call {
        caller,
        invocation,
        client_context: text(CLIENT_CONTEXT).map(Into::into),
        trace: Some(ask.facts.trace.as_str().into()),
        log_tail: text(LOG_TYPE) == Some("Tail"),
        streamed: plan.streamed,
        request_id: request_id.to_str().unwrap_or_default().into(),
        until: std::time::Instant::now() + most.max(Duration::from_millis(1)),
        payload: body.clone(),
        function,
    };
    let place = format!("lambda.{}.amazonaws.com{target}", call.function.region);
    map::note_call(worker, ask, "https", &place, &headers, &body);
    Invocation(call)
}

async fn signed(
    worker: &Worker,
    matched: &Matched,
    plan: &AwsPlan,
    whom: (&ServicePlan, Option<String>),
    verb: Method,
    ready: Ready,
    ask: &mut Ask,
) -> Result<Work, Refusal> {
    let (service, source) = whom;
    let Ready { mut target, mut headers, body, media } = ready;
    let own = &matched.stage.plan;
    let services = &worker.shared.aws;
    let credentials = services.credentials(&own.account, &plan.run_as).ok_or_else(|| unlisted(own, plan))?;
    let reached = services.reach(service).ok_or_else(|| config_error("endpoint_address"))?;
    if let Some(prefix) = &reached.prefix {
        let longer = PathAndQuery::try_from(format!("/{prefix}{target}"));
        target = longer.map_err(|why| config_error("endpoint_address").because(why))?;
    }
    let broken = |_| config_error("own_header");
    if let (Some(media), false) = (media, headers.contains_key(header::CONTENT_TYPE)) {
        headers.insert(header::CONTENT_TYPE, media);
    }
    headers.entry(header::ACCEPT).or_insert(JSON);
    if !headers.contains_key(header::USER_AGENT) {
        let agent = HeaderValue::try_from(format!("AmazonAPIGateway_{}", own.api)).map_err(broken)?;
        headers.insert(header::USER_AGENT, agent);
    }
    if let ServiceCall::Json { target, .. } = &service.call
        && !headers.contains_key(AMZ_TARGET)
    {
        headers.insert(AMZ_TARGET, HeaderValue::try_from(&**target).map_err(broken)?);
    }
    if let (Some(source), RunAs::Gateway) = (source, &plan.run_as) {
        headers.insert(SOURCE_ARN, HeaderValue::try_from(source).map_err(broken)?);
    }
    headers.insert(API_ID, matched.stage.api_id.clone().ok_or_else(|| config_error("own_header"))?);
    headers.insert(TRACE, HeaderValue::try_from(&*ask.facts.trace).map_err(broken)?);
    let call = Unsigned { service, reached: &reached, method: &verb, target: &target, body: &body };
    sign(worker, credentials, &call, &mut headers).await?;
    let place = format!("{}{target}", reached.host);
    map::note_call(worker, ask, reached.target.scheme(), &place, &headers, &body);
    let mut request = Request::new(crate::net::http::Body::full(body));
    *request.method_mut() = verb;
    *request.uri_mut() = target.into();
    *request.headers_mut() = headers;
    Ok(Work::Call(Box::new((reached.target, request))))
}

/// The operator lists no keys for this account.
fn unlisted(own: &crate::plan::ServingPlan, plan: &AwsPlan) -> Refusal {
    let whose = match &plan.run_as {
        RunAs::Role { arn, .. } => format!("[aws.credentials.\"{arn}\"] or [aws.credentials.\"{}\"]", own.account),
        _ => format!("[aws.credentials.\"{}\"]", own.account),
    };
    config_error("no_credentials").because(format_args!("the node file has no {whose}"))
}
