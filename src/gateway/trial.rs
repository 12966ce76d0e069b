//! A trial call of one method's draft (TestInvokeMethod): the region's part of the walk, from validation to the answer, on
//! the same code as live traffic. Policies, authorizers, keys and throttles are not asked.

use super::admit::Admitted;
use super::ask::{Ask, Client};
use super::execution::ExecutionLog;
use super::route::Matched;
use super::stage::StagePlan;
use super::worker::{Shared, Worker};
use super::{Gateway, finish, panicked, refused};
use crate::catalog::Table;
use crate::catalog::v1::{Method, Stage};
use crate::net::http::{Body, ConnInfo, SentNames, Workers};
use crate::plan::{Flaw, ServingPlan, Which};
use crate::state::Tree;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use tokio::time::Instant;

/// The stage that a trial claims to be of, as at AWS.
const STAGE: &str = "test-invoke-stage";
/// The host that it claims to have come to, as at AWS.
const HOST: &str = "testPrefix.testDomainName";

/// What is tried.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The API's draft.
    pub tree: Tree,
    /// Whose API it is.
    pub account: String,
    /// The API's region.
    pub region: String,
    /// The API.
    pub api: String,
    /// The resource's id.
    pub resource_id: String,
    /// The resource's path, `/pets/{id}`.
    pub resource_path: String,
    /// The method's verb, or `ANY`.
    pub http_method: String,
    /// Path and query; `None`: the resource's path as it is.
    pub target: Option<String>,
    /// Headers in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// Stage variables.
    pub variables: BTreeMap<String, String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The status that a client would get.
    pub status: u16,
    /// The headers that it would get, in canonical case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// The execution log.
    pub log: String,
    /// How long it took, ms.
    pub latency_ms: u64,
}

/// Why nothing could be tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrialError {
    /// The draft cannot be compiled.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Flaws(Vec<Flaw>),
    /// The call itself is none.
    #[error("{0}")]
    Malformed(String),
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

impl Gateway {
    /// Tries a method's draft on these workers.
    ///
    /// # Errors
    /// When there is nothing to try; a failing method is an answer like any other.
    pub async fn try_out(&self, workers: &Workers, trial: Trial) -> Result<Tried, TrialError> {
        let (tell, told) = tokio::sync::oneshot::channel();
        let shared = self.shared.clone();
        let started = workers.spawn(move || async move {
            let _ = tell.send(run(&shared, trial).await);
        });
        if !started {
            return Err(TrialError::Stopping);
        }
        told.await.unwrap_or(Err(TrialError::Stopping))
    }
}

async fn run(shared: &Arc<Shared>, trial: Trial) -> Result<Tried, TrialError> {
    let worker = Worker::of(shared);
    let (matched, mut ask) = prepared(&worker, trial)?;
    let began = ask.facts.began;
    let admitted = Admitted { matched, current: None, quota_spent: false };
    let finished = AssertUnwindSafe(finish(&worker, admitted, &mut ask)).catch_unwind().await;
    let finished = finished.unwrap_or_else(|panic| Err(panicked(&worker, &*panic)));
    let answer = match finished {
        Ok(answer) => answer,
        Err(refusal) => refused(&worker, &ask, &refusal),
    };
    let (head, body) = answer.into_parts();
    // A body that breaks off is shown as far as it came to the log, and is empty here.
    let body = body.collect(worker.shared.limits.body_bytes).await.unwrap_or_default();
    let id = String::from_utf8_lossy(ask.facts.request_id.as_bytes()).into_owned();
    let log = ask.execution.take().map(|log| log.tested(&id)).unwrap_or_default();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Ok(Tried {
        status: head.status.as_u16(),
        headers: head.headers.iter().map(|(name, value)| (super::headers::canonical(name), text(value))).collect(),
        body,
        log,
        latency_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

/// The method, compiled alone: others of the draft may be half made.
fn plan(trial: &Trial) -> Result<ServingPlan, Vec<Flaw>> {
    let wanted = Method::row_id(&trial.resource_id, &trial.http_method);
    let rows = trial.tree.all().filter(|(key, _)| match Table::from_number(key.table_number()) {
        Some(Table::Method) => key.id() == wanted,
        Some(Table::Resource) => key.id() == trial.resource_id,
        _ => true,
    });
    let tree: Tree = rows.map(|(key, row)| (key.clone(), row.clone())).collect();
    let stage = Stage { stage_name: STAGE.to_owned(), variables: Some(trial.variables.clone()), ..Stage::default() };
    let which = Which { account: &trial.account, region: &trial.region, api: &trial.api };
    ServingPlan::compile(&tree, &stage, which)
}

fn prepared(worker: &Worker, trial: Trial) -> Result<(Matched, Ask), TrialError> {
    let malformed = |what: String| TrialError::Malformed(what);
    let plan = plan(&trial).map_err(TrialError::Flaws)?;
    let target = trial.target.as_deref().unwrap_or(&trial.resource_path);
    let slash = if target.starts_with('/') { "" } else { "/" };
    let uri: Uri = format!("/{STAGE}{slash}{target}")
        .parse()
        .map_err(|error| malformed(format!("Invalid pathWithQueryString specified: {error}")))?;
    let below = STAGE.len() + 1;
    let verb = if trial.http_method == "ANY" { "GET" } else { &trial.http_method };
    let found = plan.routes.find(verb, uri.path().get(below..).unwrap_or_default());
    // A path that does not fit still runs, without parameters.
    let parameters = found.map_or(Vec::new(), |f| f.parameters);
    let parameters = parameters.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    let mut headers = HeaderMap::new();
    for (name, value) in &trial.headers {
        let parsed = name.parse::<HeaderName>().ok().zip(HeaderValue::try_from(value).ok());
        let (name, value) = parsed.ok_or_else(|| malformed(format!("Invalid header specified: {name}")))?;
        headers.append(name, value);
    }
    let own = trial.headers.iter().map(|(name, _)| name.as_bytes());
    let names = SentNames::of(own.chain([&b"Content-Type"[..]]));
    headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    let method = verb.parse().map_err(|_| malformed(format!("Invalid HTTP method specified: {verb}")))?;
    let stage = Arc::new(StagePlan::of_trial(plan));
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let conn = Rc::new(ConnInfo::synthetic(nowhere, nowhere));
    let mut facts = super::facts(worker, headers.get(header::USER_AGENT).cloned());
    facts.stage = Some(stage.clone());
    facts.method = Some(0);
    facts.began = Instant::now();
    let mut ask = Ask {
        method,
        uri,
        version: http::Version::HTTP_11,
        headers,
        names: Some(names),
        body: Body::full(trial.body),
        expects_continue: false,
        conn,
        client: Client { tls: None, ip: nowhere.ip(), authority: HOST.to_owned(), hops: 0 },
        parameters,
        overrides: None,
        execution: Some(Box::new(ExecutionLog::of_test())),
        facts,
    };
    ask.facts.kept = super::dress::keep(&stage.plan, &ask);
    Ok((Matched { stage, method: 0, below }, ask))
}
