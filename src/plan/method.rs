//! One method: what it demands of a request and what stands behind it.

use super::Which;
use super::aws::{AwsPlan, RunAs, ServicePlan};
use super::body_read::BodyReads;
use super::cache::{self, CachePlan, Cached};
use super::flaw::Flaw;
use super::mapping::{Side, Source};
use super::response::Responses;
use super::template::{MockTemplate, Template};
use super::uri::{UriTemplate, with_variables};
use super::validation::{self, ModelShelf, Validation};
use crate::catalog::v1::{
    ContentHandling, Integration, IntegrationType, Method, MethodSetting, PassthroughBehavior, RequestValidator,
    Resource, ResponseTransferMode, Stage,
};
use crate::spec::vtl::TemplateError;
use http::HeaderName;
use std::collections::BTreeMap;
use std::sync::Arc;

/// AWS's limit of an integration's time, ms.
pub const DEFAULT_TIMEOUT_MS: u32 = 29_000;
/// AWS's limit of the time of an integration whose answer is passed on piece by piece, ms.
pub const STREAM_TIMEOUT_MS: u32 = 900_000;

/// A method, ready to serve.
#[derive(Debug)]
pub struct MethodPlan {
    /// The resource's id.
    pub resource_id: Box<str>,
    /// The resource's path, `/pets/{id}`.
    pub resource_path: Box<str>,
    /// The row's verb: `GET` …, or `ANY`.
    pub verb: Box<str>,
    /// An authorization that this version cannot decide; such a method lets nobody in.
    pub unbuilt_authorization: Option<Box<str>>,
    /// What requests must have.
    pub validation: Option<Validation>,
    /// Whether a request needs an API key.
    pub key_required: bool,
    /// How usage plans name the method in their throttles: `/pets/GET`, the root's `//GET`.
    pub plan_name: Box<str>,
    /// The stage's throttle for it.
    pub throttle: Option<StageThrottle>,
    /// What is logged of its visits; `None`: nothing.
    pub logging: Option<Logging>,
    /// The method's `operationName`.
    pub operation_name: Option<Box<str>>,
    /// Which of its answers are kept; `None`: none.
    pub cache: Option<CachePlan>,
    /// What stands behind it.
    pub backend: Backend,
}

/// What a stage's method setting logs (`loggingLevel`, `dataTraceEnabled`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logging {
    /// `INFO`: the whole course; `ERROR`: how a visit failed.
    pub info: bool,
    /// Headers, parameters and bodies, too.
    pub data: bool,
}

impl MethodPlan {
    /// Every template that cannot be parsed, with its media type: a call that needs it is answered 500.
    pub fn template_flaws(&self) -> Vec<(&str, &TemplateError)> {
        let (requests, responses): (Vec<(&str, Option<&TemplateError>)>, &Responses) = match &self.backend {
            Backend::Unbuilt(_) | Backend::AwsProxy(_) => return Vec::new(),
            Backend::Mock(mock) => {
                (mock.request.templates.iter().map(|(media, t)| (&**media, t.flaw())).collect(), &mock.responses)
            }
            Backend::Http(http) if http.proxy => return Vec::new(),
            Backend::Http(http) => {
                (http.body.templates.iter().map(|(media, t)| (&**media, t.flaw())).collect(), &http.responses)
            }
            Backend::Aws(aws) => {
                (aws.body.templates.iter().map(|(media, t)| (&**media, t.flaw())).collect(), &aws.responses)
            }
        };
        requests.into_iter().filter_map(|(media, flaw)| Some((media, flaw?))).chain(responses.flaws()).collect()
    }
}

/// A stage's method setting that throttles, shared by all callers.
#[derive(Debug, Clone, PartialEq)]
pub struct StageThrottle {
    /// Requests per second.
    pub rate: f64,
    /// Requests at once.
    pub burst: u32,
    /// The bucket's name: `{api}:{stage}/{path}/{METHOD}`.
    pub bucket: Box<str>,
}

/// What stands behind a method.
#[derive(Debug)]
pub enum Backend {
    /// Nothing: the gateway answers by itself.
    Mock(MockPlan),
    /// An HTTP endpoint; with `proxy` requests and answers pass through.
    Http(Box<HttpPlan>),
    /// A Lambda function that gets an event and answers with a proxy result.
    AwsProxy(Box<AwsPlan>),
    /// An AWS service, Lambda among them; requests and answers are mapped.
    Aws(Box<AwsPlan>),
    /// Something that this version cannot call, by name.
    Unbuilt(Box<str>),
}

impl Backend {
    /// How long its answer may take, ms.
    #[must_use]
    pub fn timeout_ms(&self) -> u32 {
        match self {
            Backend::Http(http) => http.timeout_ms,
            Backend::AwsProxy(aws) | Backend::Aws(aws) => aws.timeout_ms,
            Backend::Mock(_) | Backend::Unbuilt(_) => DEFAULT_TIMEOUT_MS,
        }
    }

    /// Whether its answer is passed on piece by piece as it comes (`responseTransferMode`).
    #[must_use]
    pub fn is_streamed(&self) -> bool {
        match self {
            Backend::Http(http) => http.streamed,
            Backend::AwsProxy(aws) => aws.streamed,
            Backend::Aws(_) | Backend::Mock(_) | Backend::Unbuilt(_) => false,
        }
    }
}

/// A mock.
#[derive(Debug)]
pub struct MockPlan {
    /// The templates that name the status, or what becomes of the request's body.
    pub request: RequestBody<MockTemplate>,
    /// What is done to the request's payload.
    pub content_handling: Option<ContentHandling>,
    /// What it answers.
    pub responses: Responses,
}

/// An HTTP integration.
#[derive(Debug)]
pub struct HttpPlan {
    /// HTTP_PROXY, else HTTP.
    pub proxy: bool,
    /// The verb to call with; `None`: the client's.
    pub verb: Option<http::Method>,
    /// Where to.
    pub uri: UriTemplate,
    /// Whether any certificate will do.
    pub insecure: bool,
    /// Whether the answer is passed on piece by piece.
    pub streamed: bool,
    /// How long it may take, ms.
    pub timeout_ms: u32,
    /// Headers that are added.
    pub headers: Vec<(HeaderName, Source)>,
    /// What mappings read from the body.
    pub reads: Arc<BodyReads>,
    /// What becomes of the body; HTTP_PROXY always passes it.
    pub body: RequestBody<Template>,
    /// What is done to the request's payload.
    pub content_handling: Option<ContentHandling>,
    /// What becomes of the answer; HTTP_PROXY passes it.
    pub responses: Responses,
}

/// Request templates by media type, and what happens without one.
#[derive(Debug)]
pub struct RequestBody<T> {
    /// By media type.
    pub templates: Vec<(Box<str>, T)>,
    /// For media types that have none.
    pub passthrough: PassthroughBehavior,
}

/// What becomes of a request's body.
#[derive(Debug)]
pub enum Chosen<'t, T> {
    /// This template makes it.
    Template(&'t T),
    /// It passes as it is.
    Pass,
    /// 415.
    Refuse,
}

impl<T> RequestBody<T> {
    /// Chooses by the media type of the request (data-plane §5).
    pub fn choose(&self, media: &str) -> Chosen<'_, T> {
        match super::media::find(&self.templates, media) {
            Some(template) => Chosen::Template(template),
            None => match self.passthrough {
                PassthroughBehavior::Never => Chosen::Refuse,
                PassthroughBehavior::WhenNoTemplates if !self.templates.is_empty() => Chosen::Refuse,
                _ => Chosen::Pass,
            },
        }
    }
}

/// What surrounds the methods of a stage while they are compiled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) which: Which<'a>,
    pub(super) stage: &'a Stage,
    pub(super) variables: &'a BTreeMap<String, String>,
    pub(super) validators: &'a [(String, RequestValidator)],
    pub(super) models: &'a ModelShelf,
    /// The deployment of a canary that keeps its cached answers apart; else empty.
    pub(super) apart: &'a str,
}

pub(super) fn compile(resource: &Resource, row: &Method, around: &Around<'_>) -> Result<MethodPlan, Vec<Flaw>> {
    let place = format!("{} {}", row.http_method, resource.path);
    let mut flaws = Vec::new();
    let backend = match &row.method_integration {
        None => {
            flaws.push(Flaw::new(&place, "No integration defined for method"));
            Backend::Unbuilt("".into())
        }
        Some(integration) => backend(row, integration, &place, around, &mut flaws),
    };
    let cache = row.method_integration.as_ref().and_then(|integration| {
        let cached = Cached { api: around.which.api, stage: around.stage, apart: around.apart };
        let method = (row.http_method.as_str(), resource.id.as_str());
        let setting = setting(resource, row, around);
        cache::compile(integration, method, setting, cached, around.variables, (&place, &mut flaws))
    });
    let validation = validation::compile(row, around.validators, around.models, &place, &mut flaws);
    if !flaws.is_empty() {
        return Err(flaws);
    }
    let unbuilt =
        (!matches!(row.authorization_type.as_str(), "" | "NONE")).then(|| row.authorization_type.as_str().into());
    Ok(MethodPlan {
        resource_id: resource.id.as_str().into(),
        resource_path: resource.path.as_str().into(),
        verb: row.http_method.as_str().into(),
        unbuilt_authorization: unbuilt,
        validation,
        key_required: row.api_key_required,
        plan_name: format!("{}/{}", resource.path, row.http_method).into(),
        throttle: throttle(resource, row, around),
        logging: logging(resource, row, around),
        operation_name: row.operation_name.as_deref().filter(|name| !name.is_empty()).map(Into::into),
        cache,
        backend,
    })
}

fn backend(
    row: &Method,
    integration: &Integration,
    place: &str,
    around: &Around<'_>,
    flaws: &mut Vec<Flaw>,
) -> Backend {
    let unbuilt = |what: &str| Backend::Unbuilt(what.into());
    let passes = matches!(integration.kind, IntegrationType::HttpProxy | IntegrationType::AwsProxy);
    if let IntegrationType::Other(kind) = &integration.kind {
        return unbuilt(&format!("{kind} integrations"));
    }
    if matches!(&integration.connection_type, Some(kind) if kind.as_str() == "VPC_LINK") {
        return unbuilt("VPC link integrations");
    }
    let responses = Responses::compile(row, integration, place, around.variables, flaws);
    if !passes && let Some(what) = responses.unbuilt() {
        // Named where it is called; a method that is not called harms nobody.
        return unbuilt(what);
    }
    if matches!(integration.kind, IntegrationType::Mock) {
        let passthrough = passthrough(integration);
        let request = RequestBody { templates: templates(integration, MockTemplate::of), passthrough };
        let content_handling = integration.content_handling.clone();
        return Backend::Mock(MockPlan { request, content_handling, responses });
    }
    let Some(uri) = integration.uri.as_deref().filter(|uri| !uri.is_empty()) else {
        flaws.push(Flaw::new(place, "the integration has no URI"));
        return unbuilt("");
    };
    let uri = with_variables(uri, around.variables);
    match integration.kind {
        IntegrationType::Aws | IntegrationType::AwsProxy => aws(integration, &uri, responses, place, around, flaws),
        _ => http(integration, &uri, responses, place, around, flaws),
    }
}

fn http(
    integration: &Integration,
    uri: &str,
    responses: Responses,
    place: &str,
    around: &Around<'_>,
    flaws: &mut Vec<Flaw>,
) -> Backend {
    let proxy = matches!(integration.kind, IntegrationType::HttpProxy);
    let verb = verb(integration, place, flaws);
    let asked = Asked::of(integration, place, around, flaws);
    let body = RequestBody { templates: templates(integration, Template::of), passthrough: passthrough(integration) };
    let overridable = !proxy && overridable(&body);
    Backend::Http(Box::new(HttpPlan {
        proxy,
        verb,
        uri: UriTemplate::compile(uri, &asked.paths, asked.query, overridable),
        insecure: integration.tls_config.as_ref().and_then(|t| t.insecure_skip_verification).unwrap_or(false),
        streamed: proxy && streamed(integration),
        timeout_ms: timeout(integration),
        headers: asked.headers,
        reads: Arc::new(asked.reads),
        body,
        content_handling: integration.content_handling.clone(),
        responses,
    }))
}

fn aws(
    integration: &Integration,
    uri: &str,
    responses: Responses,
    place: &str,
    around: &Around<'_>,
    flaws: &mut Vec<Flaw>,
) -> Backend {
    let proxy = matches!(integration.kind, IntegrationType::AwsProxy);
    let verb = verb(integration, place, flaws);
    let asked = Asked::of(integration, place, around, flaws);
    let body = RequestBody { templates: templates(integration, Template::of), passthrough: passthrough(integration) };
    let overridable = !proxy && overridable(&body);
    let service = ServicePlan::of(uri, around.which, |uri| {
        UriTemplate::compile(uri, &asked.paths, if proxy { Vec::new() } else { asked.query }, overridable)
    });
    if proxy && service.as_ref().is_ok_and(|service| &*service.name == "firehose") {
        return Backend::Unbuilt("AWS_PROXY integrations with Firehose".into());
    }
    let credentials = integration.credentials.as_deref().map(|text| with_variables(text, around.variables));
    let run_as = RunAs::of(credentials.as_deref());
    let streamed = proxy && streamed(integration);
    let plan = Box::new(AwsPlan {
        service: AwsPlan::judged(service, verb.as_ref(), &run_as, (proxy, streamed), around.which.account),
        verb,
        run_as,
        streamed,
        timeout_ms: timeout(integration),
        headers: asked.headers,
        reads: Arc::new(asked.reads),
        body,
        content_handling: integration.content_handling.clone(),
        responses,
    });
    if proxy { Backend::AwsProxy(plan) } else { Backend::Aws(plan) }
}

/// What an integration's request parameters put where.
#[derive(Default)]
struct Asked {
    paths: BTreeMap<Box<str>, Source>,
    query: Vec<(Box<str>, Source)>,
    headers: Vec<(HeaderName, Source)>,
    reads: BodyReads,
}

impl Asked {
    fn of(integration: &Integration, place: &str, around: &Around<'_>, flaws: &mut Vec<Flaw>) -> Asked {
        let mut asked = Asked::default();
        for (target, source) in &integration.request_parameters {
            let source = match Source::compile(source, Side::Request, around.variables, &mut asked.reads) {
                Ok(source) => source,
                Err(why) => {
                    flaws.push(Flaw::new(place, why));
                    continue;
                }
            };
            match target.strip_prefix("integration.request.").and_then(|rest| rest.split_once('.')) {
                Some(("path", name)) => drop(asked.paths.insert(name.into(), source)),
                Some(("querystring", name)) => asked.query.push((name.into(), source)),
                Some(("header", name)) => match name.parse() {
                    Ok(name) => asked.headers.push((name, source)),
                    Err(_) => flaws.push(Flaw::new(place, format!("`{name}` is no header name"))),
                },
                _ => flaws.push(Flaw::new(place, format!("`{target}` is no request parameter"))),
            }
        }
        asked
    }
}

fn passthrough(integration: &Integration) -> PassthroughBehavior {
    integration.passthrough_behavior.clone().unwrap_or(PassthroughBehavior::WhenNoMatch)
}

fn streamed(integration: &Integration) -> bool {
    matches!(integration.response_transfer_mode, Some(ResponseTransferMode::Stream))
}

fn timeout(integration: &Integration) -> u32 {
    let own = integration.timeout_in_millis.and_then(|ms| u32::try_from(ms).ok());
    own.filter(|ms| *ms > 0).unwrap_or(DEFAULT_TIMEOUT_MS)
}

/// Only a template can put another value into a path than its mapping.
fn overridable(body: &RequestBody<Template>) -> bool {
    body.templates.iter().any(|(_, template)| matches!(template, Template::Vtl(_)))
}

/// The request templates by media type.
fn templates<T>(integration: &Integration, of: impl Fn(&str) -> T) -> Vec<(Box<str>, T)> {
    let templates = integration.request_templates.iter();
    templates.map(|(media, text)| (media.as_str().into(), of(text.as_deref().unwrap_or_default()))).collect()
}

/// The verb to call with; `None`: the client's.
fn verb(integration: &Integration, place: &str, flaws: &mut Vec<Flaw>) -> Option<http::Method> {
    let verb = integration.http_method.as_deref().filter(|verb| *verb != "ANY")?;
    let parsed = verb.parse();
    if parsed.is_err() {
        flaws.push(Flaw::new(place, format!("`{verb}` is no HTTP method")));
    }
    parsed.ok()
}

/// The stage's setting for a method: its own (`true`), else `*/*`.
fn setting<'a>(resource: &Resource, row: &Method, around: &Around<'a>) -> Option<(&'a MethodSetting, bool)> {
    let settings = &around.stage.method_settings;
    let own = settings.iter().find(|(key, _)| {
        key.rsplit_once('/').is_some_and(|(path, verb)| {
            let path = path.replace("~1", "/").replace("~0", "~");
            verb == row.http_method && path.trim_start_matches('/') == resource.path.trim_start_matches('/')
        })
    });
    own.map(|(_, setting)| (setting, true)).or_else(|| settings.get("*/*").map(|setting| (setting, false)))
}

/// -1 means no limit here.
fn throttle(resource: &Resource, row: &Method, around: &Around<'_>) -> Option<StageThrottle> {
    let (setting, _) = setting(resource, row, around)?;
    let burst = u32::try_from(setting.throttling_burst_limit).ok()?;
    let rate = setting.throttling_rate_limit;
    if rate.is_nan() || rate < 0.0 {
        return None;
    }
    let stage = &around.stage.stage_name;
    let bucket = format!("{}:{stage}{}/{}", around.which.api, resource.path, row.http_method);
    Some(StageThrottle { rate, burst, bucket: bucket.into() })
}

fn logging(resource: &Resource, row: &Method, around: &Around<'_>) -> Option<Logging> {
    let (setting, _) = setting(resource, row, around)?;
    let level = setting.logging_level.as_deref().filter(|level| matches!(*level, "INFO" | "ERROR"))?;
    Some(Logging { info: level == "INFO", data: setting.data_trace_enabled })
}
