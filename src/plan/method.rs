//! One method: what it demands of a request and what stands behind it.

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
    Resource, Stage,
};
use crate::spec::vtl::TemplateError;
use http::HeaderName;
use std::collections::BTreeMap;
use std::sync::Arc;

/// AWS's limit of an integration's time, ms.
pub const DEFAULT_TIMEOUT_MS: u32 = 29_000;

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
            Backend::Unbuilt(_) => return Vec::new(),
            Backend::Mock(mock) => {
                (mock.request.templates.iter().map(|(media, t)| (&**media, t.flaw())).collect(), &mock.responses)
            }
            Backend::Http(http) if http.proxy => return Vec::new(),
            Backend::Http(http) => {
                (http.body.templates.iter().map(|(media, t)| (&**media, t.flaw())).collect(), &http.responses)
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
    /// Something that this version cannot call, by name.
    Unbuilt(Box<str>),
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
    pub(super) api: &'a str,
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
        let cached = Cached { api: around.api, stage: around.stage, apart: around.apart };
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
    let mock = matches!(integration.kind, IntegrationType::Mock);
    let proxy = matches!(integration.kind, IntegrationType::HttpProxy);
    if !mock && !proxy && !matches!(integration.kind, IntegrationType::Http) {
        return unbuilt(&format!("{} integrations", integration.kind));
    }
    if matches!(&integration.connection_type, Some(kind) if kind.as_str() == "VPC_LINK") {
        return unbuilt("VPC link integrations");
    }
    let responses = Responses::compile(row, integration, place, around.variables, flaws);
    if !proxy && let Some(what) = responses.unbuilt() {
        // Named where it is called; a method that is not called harms nobody.
        return unbuilt(what);
    }
    let passthrough = integration.passthrough_behavior.clone().unwrap_or(PassthroughBehavior::WhenNoMatch);
    let content_handling = integration.content_handling.clone();
    if mock {
        let request = RequestBody { templates: templates(integration, MockTemplate::of), passthrough };
        return Backend::Mock(MockPlan { request, content_handling, responses });
    }
    let Some(uri) = integration.uri.as_deref().filter(|uri| !uri.is_empty()) else {
        flaws.push(Flaw::new(place, "the integration has no URI"));
        return unbuilt("");
    };
    let verb = verb(integration, place, flaws);
    let (mut paths, mut query, mut headers) = (BTreeMap::new(), Vec::new(), Vec::new());
    let mut reads = BodyReads::default();
    for (target, source) in &integration.request_parameters {
        let source = match Source::compile(source, Side::Request, around.variables, &mut reads) {
            Ok(source) => source,
            Err(why) => {
                flaws.push(Flaw::new(place, why));
                continue;
            }
        };
        match target.strip_prefix("integration.request.").and_then(|rest| rest.split_once('.')) {
            Some(("path", name)) => drop(paths.insert(name.into(), source)),
            Some(("querystring", name)) => query.push((name.into(), source)),
            Some(("header", name)) => match name.parse() {
                Ok(name) => headers.push((name, source)),
                Err(_) => flaws.push(Flaw::new(place, format!("`{name}` is no header name"))),
            },
            _ => flaws.push(Flaw::new(place, format!("`{target}` is no request parameter"))),
        }
    }
    let timeout = integration.timeout_in_millis.and_then(|ms| u32::try_from(ms).ok()).filter(|ms| *ms > 0);
    let insecure = integration.tls_config.as_ref().and_then(|t| t.insecure_skip_verification).unwrap_or(false);
    let body = RequestBody { templates: templates(integration, Template::of), passthrough };
    // Only a template can put another value into a path than its mapping.
    let overridable = !proxy && body.templates.iter().any(|(_, template)| matches!(template, Template::Vtl(_)));
    Backend::Http(Box::new(HttpPlan {
        proxy,
        verb,
        uri: UriTemplate::compile(&with_variables(uri, around.variables), &paths, query, overridable),
        insecure,
        timeout_ms: timeout.unwrap_or(DEFAULT_TIMEOUT_MS),
        headers,
        reads: Arc::new(reads),
        body,
        content_handling,
        responses,
    }))
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
    let bucket = format!("{}:{stage}{}/{}", around.api, resource.path, row.http_method);
    Some(StageThrottle { rate, burst, bucket: bucket.into() })
}

fn logging(resource: &Resource, row: &Method, around: &Around<'_>) -> Option<Logging> {
    let (setting, _) = setting(resource, row, around)?;
    let level = setting.logging_level.as_deref().filter(|level| matches!(*level, "INFO" | "ERROR"))?;
    Some(Logging { info: level == "INFO", data: setting.data_trace_enabled })
}
