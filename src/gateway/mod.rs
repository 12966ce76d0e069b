//! The visitor's walk, as one list of steps, cut once between edge and region (foundations §5).
//!
//! ```text
//! place → route → policy → authorize → key → admit │ cache → validate → map → integrate → answer → squeeze
//!                          the node that the client reached │ a node of a region that serves the API
//! ```
//! Each step is a file, takes the last step's type and returns a richer one, or a [`Refusal`]. The plan is pinned at
//! `place`. Bytes of refusals are made in `refusal` and `dress`, by the node that faces the client. Where a step wants a
//! body whole, converted or run through a template, it asks `payload` and `render`; what may take long, `heavy`.

mod admit;
mod answer;
mod ask;
mod authorize;
mod aws;
mod cache;
mod cut;
#[cfg(test)]
mod cut_tests;
mod dress;
mod execution;
pub mod explain;
mod headers;
mod heavy;
mod ids;
mod integrate;
mod key;
mod log;
mod map;
mod payload;
mod place;
mod policy;
mod refusal;
mod render;
mod route;
mod scene;
mod squeeze;
mod stage;
mod stage_log;
mod step;
mod trial;
mod validate;
mod worker;

pub use admit::{Admit, Admitting};
pub use aws::{AwsServices, EndpointError};
pub use refusal::{Kind, Refusal};
pub use stage::REGIONS_TAG;
pub use step::Step;
pub use trial::{Trial, TrialError, Tried};
pub use worker::{Clock, GatewayLimits, KeyHash, Parts, SystemClock};

use crate::edge::{Resume, Served, Visit};
use crate::net::http::{Body, ConnInfo, Serve, Workers};
use ask::{Ask, Client, Facts};
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Request, Response, header};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tracing::Instrument;
use worker::{Shared, Worker};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const EXTENDED_ID: HeaderName = HeaderName::from_static("x-amz-apigw-id");

/// The walk of a request, on the node that its client reached.
async fn walk(worker: &Rc<Worker>, ask: &mut Ask) -> Result<Response<Body>, Refusal> {
    // A refusal, or a panic, belongs to the step that was named last.
    ask.facts.step = Step::Place;
    let placed = place::place(worker, ask).await?;
    ask.facts.step = Step::Route;
    let routed = route::route(placed, ask)?;
    ask.facts.step = Step::Policy;
    let permitted = policy::policy(routed)?;
    ask.facts.step = Step::Authorize;
    let authorized = authorize::authorize(permitted)?;
    ask.facts.step = Step::Key;
    let keyed = key::key(worker, authorized, ask)?;
    ask.facts.step = Step::Admit;
    let admitted = admit::admit(worker, keyed).await?;
    match cut::elsewhere(worker, &admitted) {
        Some(regions) => Box::pin(cut::forward(worker, admitted, &regions, ask)).await,
        None => finish(worker, admitted, ask).await,
    }
}

/// The rest of the walk, always in a region that serves the API.
async fn finish(worker: &Worker, admitted: admit::Admitted, ask: &mut Ask) -> Result<Response<Body>, Refusal> {
    execution::begin(worker, &admitted.matched, ask);
    let finished = serve(worker, admitted, ask).await;
    if ask.execution.is_none() {
        return finished;
    }
    let finished = match finished {
        Ok(answer) => Ok(Box::pin(execution::answered(worker, ask, answer)).await),
        Err(refusal) => {
            execution::refused(worker, ask, &refusal, dress::status(&refusal, ask));
            Err(refusal)
        }
    };
    execution::write(worker, ask);
    finished
}

/// What a region does for a visit, step by step.
async fn serve(worker: &Worker, admitted: admit::Admitted, ask: &mut Ask) -> Result<Response<Body>, Refusal> {
    ask.facts.step = Step::Cache;
    let wishes = squeeze::wishes(&admitted, ask);
    let kept = admitted.matched.method().cache.as_ref().is_some_and(|cache| cache.covers(&ask.method));
    let answer = if kept {
        Box::pin(cache::through(worker, admitted, ask)).await?
    } else {
        fresh(worker, admitted, ask).await?
    };
    squeeze::squeeze(wishes, answer).await
}

/// An answer that nobody kept.
async fn fresh(worker: &Worker, admitted: admit::Admitted, ask: &mut Ask) -> Result<Response<Body>, Refusal> {
    ask.facts.step = Step::Validate;
    let valid = validate::validate(worker, admitted, ask).await?;
    ask.facts.step = Step::Map;
    let mapped = map::map(worker, valid, ask).await?;
    ask.facts.step = Step::Integrate;
    let integrated = integrate::integrate(worker, mapped, ask).await?;
    ask.facts.step = Step::Answer;
    answer::answer(worker, integrated, ask).await
}

/// The gateway of a node. A clone shares everything.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

impl Gateway {
    /// Builds it; nothing runs until a listener serves it.
    pub fn new(parts: Parts) -> Gateway {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let Parts { world, region, pool, admission, forwarder, key_hash, clock, limits, metrics, .. } = parts;
        let Parts { access_log, logs, aws, functions, .. } = parts;
        let plans = stage::plans(limits.plan_bytes);
        let answers = cache::Answers::new(limits.cache_bytes);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let shared = Shared {
            id,
            world,
            region,
            pool,
            admission,
            forwarder,
            key_hash,
            clock,
            limits,
            metrics,
            access_log,
            logs,
            aws,
            functions,
            plans,
            answers,
            heavy: heavy::HeavyPool::new(),
            records: explain::Records::new(),
        };
        Gateway { shared: Arc::new(shared) }
    }

    /// Bytes of answers that are kept for stages with a cache, roughly.
    pub fn cached_bytes(&self) -> u64 {
        self.shared.answers.bytes()
    }

    /// Answers one request; must be called on a worker (inside a `LocalSet`).
    pub async fn visit(&self, request: Request<Body>, conn: Rc<ConnInfo>) -> Response<Body> {
        let worker = Worker::of(&self.shared);
        let open = worker.shard.enter();
        let mut ask = arrive(&worker, request, conn);
        let span = tracing::debug_span!("visit", request_id = ?ask.facts.request_id);
        let outcome = AssertUnwindSafe(walk(&worker, &mut ask).instrument(span)).catch_unwind().await;
        let (response, refusal) = match outcome.unwrap_or_else(|panic| Err(panicked(&worker, &*panic))) {
            Ok(response) => (response, None),
            Err(refusal) => {
                let response = refused(&worker, &ask, &refusal);
                explain::keep(&worker, &ask, &refusal, response.status().as_u16(), false);
                (response, Some(refusal))
            }
        };
        settle(&mut ask).await;
        open.answered(response.status().as_u16(), log::elapsed_us(&ask.facts));
        depart(&worker, ask, response, refusal)
    }

    /// What takes visits from edges: for `edge::Receiver`. Their work runs on these workers.
    pub fn resume_on(&self, workers: Workers) -> Arc<dyn Resume> {
        Arc::new(Region { gateway: self.clone(), workers })
    }
}

impl Serve for Gateway {
    async fn serve(self: Rc<Self>, request: Request<Body>, conn: Rc<ConnInfo>) -> Response<Body> {
        self.visit(request, conn).await
    }
}

/// The region's side of the cut.
struct Region {
    gateway: Gateway,
    workers: Workers,
}

impl Resume for Region {
    fn resume(&self, visit: Visit) -> Result<(), Visit> {
        let shared = self.gateway.shared.clone();
        self.workers.spawn(move || async move {
            let worker = Worker::of(&shared);
            worker.shard.resumed();
            let walked = worker.clone();
            visit
                .run(|head, body| async move {
                    let span = tracing::debug_span!("resume", request_id = head.request_id, hops = head.hops);
                    let resumed = cut::resume(&walked, head, body).instrument(span);
                    let resumed = AssertUnwindSafe(resumed).catch_unwind().await;
                    resumed.unwrap_or_else(|panic| {
                        walked.shard.panicked();
                        tracing::error!(panic = words(&*panic), "a visit panicked");
                        Served::Refused(cut::panicked())
                    })
                })
                .await;
        });
        Ok(())
    }
}

/// The `Host` headers of a request.
enum Hosts<'h> {
    None,
    One(&'h HeaderValue),
    Many,
}

impl<'h> Hosts<'h> {
    fn add(&mut self, value: &'h HeaderValue) {
        *self = if matches!(self, Hosts::None) { Hosts::One(value) } else { Hosts::Many };
    }

    /// The host that all readers of the request go to, beside the target's; empty when two might go to two hosts, and
    /// `place` refuses that.
    fn authority(self, target: Option<&str>) -> String {
        let header = match self {
            Hosts::None => None,
            Hosts::One(value) => value.to_str().ok(),
            Hosts::Many => return String::new(),
        };
        match (target, header) {
            (Some(target), Some(header)) if !target.eq_ignore_ascii_case(header) => String::new(),
            (target, header) => target.or(header).unwrap_or_default().to_owned(),
        }
    }
}

/// Ids, clock and client of a request.
fn arrive(worker: &Worker, request: Request<Body>, conn: Rc<ConnInfo>) -> Ask {
    let (mut head, body) = request.into_parts();
    if head.version == http::Version::HTTP_2 {
        headers::join_cookies(&mut head.headers);
    }
    let (mut hosts, mut user_agent, mut expects_continue) = (Hosts::None, None, false);
    // One pass: each look-up would hash a name.
    for (name, value) in &head.headers {
        match *name {
            header::HOST => hosts.add(value),
            header::USER_AGENT => user_agent = user_agent.or_else(|| Some(value.clone())),
            header::EXPECT => expects_continue = true,
            _ => {}
        }
    }
    let mut authority = hosts.authority(head.uri.authority().map(|a| a.as_str()));
    // A host is the same in any case, an id in it too.
    authority.make_ascii_lowercase();
    let ip = ask::client_ip(conn.peer.ip(), &head.headers, &worker.shared.limits.trusted_proxies);
    let facts = facts(worker, user_agent);
    Ask {
        method: head.method,
        uri: head.uri,
        version: head.version,
        headers: head.headers,
        names: None,
        body,
        expects_continue,
        client: Client { tls: conn.tls.clone(), ip, authority, hops: 0 },
        conn,
        parameters: Vec::new(),
        overrides: None,
        execution: None,
        facts,
    }
}

/// What is known of a request that has just come.
fn facts(worker: &Worker, user_agent: Option<HeaderValue>) -> Facts {
    let (request_id, extended_id) = {
        let mut random = worker.random.borrow_mut();
        (ids::request_id(&mut random), ids::extended_id(&mut random))
    };
    Facts {
        request_id,
        extended_id,
        time_ms: worker.shared.clock.now().utc_ms,
        began: Instant::now(),
        step: Step::default(),
        stage: None,
        method: None,
        key_id: String::new(),
        key_value: String::new(),
        plan_id: String::new(),
        integration_status: None,
        integration_us: None,
        served_by: None,
        remote: None,
        trace: String::new(),
        user_agent,
        path: None,
        canary: None,
        validation_error: None,
        kept: dress::Kept::default(),
    }
}

/// Reads the small rest of a body that no step wanted: left unread it would cost the client its connection.
async fn settle(ask: &mut Ask) {
    const SMALL: u64 = 64 * 1024;
    const WAIT: Duration = Duration::from_millis(50);
    let small = ask.body.known_len().is_some_and(|len| len > 0 && len <= SMALL);
    // A client that expects 100 has not sent it and need not.
    if small && !ask.expects_continue {
        let _ = Box::pin(tokio::time::timeout(WAIT, std::mem::take(&mut ask.body).collect(SMALL))).await;
    }
}

/// A refusal's answer, counted; its detail goes to the log and nowhere else.
fn refused(worker: &Worker, ask: &Ask, refusal: &Refusal) -> Response<Body> {
    worker.shard.refused(refusal.kind as usize);
    let id = ask.facts.request_id.to_str().unwrap_or_default();
    let kind = refusal.kind.name();
    if refusal.kind.status() >= 500 {
        tracing::warn!(request_id = id, kind, cause = %refusal.cause, detail = refusal.detail, "refused");
    } else {
        tracing::debug!(request_id = id, kind, cause = %refusal.cause, detail = refusal.detail, "refused");
    }
    let mut response = dress::answer(refusal, ask);
    if let Some(cause) = explain::header(ask, refusal) {
        response.headers_mut().insert(explain::CAUSE, cause);
    }
    response
}

/// What every answer gets, and its lines in the logs. hyper adds `Date` and the framing.
fn depart(worker: &Worker, mut ask: Ask, response: Response<Body>, refusal: Option<Refusal>) -> Response<Body> {
    let status = response.status().as_u16();
    let cause = refusal.as_ref().map(|refusal| refusal.cause.clone());
    let mut response = response.map(|body| stage_log::follow(worker, &ask, refusal, status, body));
    if let Some(lines) = &worker.lines {
        response =
            response.map(|body| log::record(lines, &mut ask, status, body, &worker.shared.region, cause.as_deref()));
    }
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, ask.facts.request_id);
    headers.insert(EXTENDED_ID, ask.facts.extended_id);
    response
}

/// What a panic in the walk comes to.
fn panicked(worker: &Worker, panic: &(dyn std::any::Any + Send)) -> Refusal {
    worker.shard.panicked();
    Refusal::new(Kind::Internal, "panic").because(words(panic))
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without words")
}
