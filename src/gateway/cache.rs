//! cache: answers of the region's earlier calls (data-plane §13). Whatever an integration answered is kept, whatever its
//! status; what the gateway itself says is not.
//!
//! Requests that miss together call the backend once: the first leads, the others wait for what it brings. Answers lie in
//! the memory of the node that made them, within one limit for all stages.

use super::admit::Admitted;
use super::ask::Ask;
use super::execution;
use super::refusal::{Kind, Refusal};
use super::worker::Worker;
use crate::catalog::v1::UnauthorizedCacheControlHeaderStrategy as Strategy;
use crate::net::http::Body;
use crate::plan::cache::CachePlan;
use crate::plan::mapping::View;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// The longest answer that is kept, bytes (AWS's limit).
const MOST_BYTES: u64 = 1_048_576;
/// No answer is kept longer.
const MOST_TTL: Duration = Duration::from_secs(3600);
const WARNING: HeaderValue =
    HeaderValue::from_static("199 Cache-Control header ignored because caller was unauthorized");
const TRACE: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// A kept answer, before compression.
#[derive(Debug)]
struct Kept {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    /// By the monotonic clock.
    until_ns: u64,
}

impl Kept {
    fn answer(&self) -> Response<Body> {
        let mut answer = Response::new(Body::full(self.body.clone()));
        *answer.status_mut() = self.status;
        *answer.headers_mut() = self.headers.clone();
        answer
    }
}

type Key = Arc<[u8]>;

/// How a flight stands.
#[derive(Debug, Clone)]
enum Flight {
    /// Its leader is on the way.
    Out,
    /// This came back.
    Brought(Arc<Kept>),
    /// What came back cannot be kept: everybody goes alone.
    Alone,
}

/// The kept answers of a node.
#[derive(Debug)]
pub(super) struct Answers {
    kept: moka::sync::Cache<Key, Arc<Kept>>,
    flights: Mutex<HashMap<Key, watch::Receiver<Flight>>>,
}

impl Answers {
    /// Keeps at most so many bytes.
    pub(super) fn new(bytes: u64) -> Answers {
        let weigh = |key: &Key, kept: &Arc<Kept>| {
            let headers: usize = kept.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 64).sum();
            u32::try_from(key.len() + headers + kept.body.len() + 256).unwrap_or(u32::MAX)
        };
        let kept = moka::sync::Cache::builder().max_capacity(bytes).weigher(weigh).time_to_live(MOST_TTL).build();
        Answers { kept, flights: Mutex::default() }
    }

    /// Bytes that are kept now, roughly.
    pub(super) fn bytes(&self) -> u64 {
        self.kept.weighted_size()
    }

    fn get(&self, key: &[u8], now_ns: u64) -> Option<Arc<Kept>> {
        self.kept.get(key).filter(|kept| now_ns < kept.until_ns)
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Key, watch::Receiver<Flight>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a flight, or finds the one that is out.
    fn board(&self, key: &Key) -> Result<Lead<'_>, watch::Receiver<Flight>> {
        let mut flights = self.flights();
        if let Some(out) = flights.get(key) {
            return Err(out.clone());
        }
        let (tell, told) = watch::channel(Flight::Out);
        flights.insert(key.clone(), told);
        Ok(Lead { answers: self, key: key.clone(), tell: Some(tell) })
    }
}

/// Leads a flight. One that is dropped on the way, since its client left, leaves the lead to the next.
struct Lead<'a> {
    answers: &'a Answers,
    key: Key,
    /// `None` once it has landed.
    tell: Option<watch::Sender<Flight>>,
}

impl Lead<'_> {
    fn land(mut self, with: Flight) {
        if let Some(tell) = self.tell.take() {
            // Whoever comes from now on finds what is kept, not the flight.
            self.answers.flights().remove(&self.key);
            tell.send_replace(with);
        }
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        if self.tell.is_some() {
            self.answers.flights().remove(&self.key);
        }
    }
}

/// The answer of a method whose answers are kept: a kept one, or a new one.
pub(super) async fn through(worker: &Worker, admitted: Admitted, ask: &mut Ask) -> Result<Response<Body>, Refusal> {
    let stage = admitted.matched.stage.clone();
    let Some(plan) = &stage.plan.methods[admitted.matched.method].cache else {
        return super::fresh(worker, admitted, ask).await;
    };
    let key: Key = key(plan, ask).into();
    let answers = &worker.shared.answers;
    let mut warn = false;
    if wants_anew(&ask.headers) {
        if plan.anybody_invalidates {
            worker.shard.cache_missed();
            let answer = super::fresh(worker, admitted, ask).await?;
            return Ok(keep(worker, plan, key, answer).await.0);
        }
        // Who a caller is, and so whether IAM lets it, only an authorizer tells: without one nobody has the permission.
        match plan.unauthorized {
            Strategy::FailWith403 => {
                return Err(Refusal::new(Kind::AccessDenied, "cache_invalidation"));
            }
            Strategy::SucceedWithoutResponseHeader => {}
            _ => warn = true,
        }
    }
    let answer = found(worker, plan, &key, answers, admitted, ask).await?;
    Ok(if warn { warned(answer) } else { answer })
}

fn warned(mut answer: Response<Body>) -> Response<Body> {
    answer.headers_mut().append(header::WARNING, WARNING);
    answer
}

async fn found(
    worker: &Worker,
    plan: &CachePlan,
    key: &Key,
    answers: &Answers,
    admitted: Admitted,
    ask: &mut Ask,
) -> Result<Response<Body>, Refusal> {
    loop {
        let now_ns = worker.shared.clock.now().mono_ns;
        if let Some(kept) = answers.get(key, now_ns) {
            return Ok(hit(worker, ask, &kept));
        }
        let mut out = match answers.board(key) {
            Ok(lead) => {
                // The last flight may have landed between the look and the boarding.
                if let Some(kept) = answers.get(key, now_ns) {
                    return Ok(hit(worker, ask, &kept));
                }
                return missed(worker, plan, lead, admitted, ask).await;
            }
            Err(out) => out,
        };
        let landed = out.wait_for(|flight| !matches!(flight, Flight::Out)).await.map(|flight| flight.clone());
        match landed {
            Ok(Flight::Brought(kept)) => return Ok(hit(worker, ask, &kept)),
            Ok(_) => {
                worker.shard.cache_missed();
                return super::fresh(worker, admitted, ask).await;
            }
            // Its leader is gone.
            Err(_) => {}
        }
    }
}

/// Leads: calls, keeps what can be kept, and tells those who wait.
async fn missed(
    worker: &Worker,
    plan: &CachePlan,
    lead: Lead<'_>,
    admitted: Admitted,
    ask: &mut Ask,
) -> Result<Response<Body>, Refusal> {
    worker.shard.cache_missed();
    execution::note(worker, ask, |_| "Cache miss".to_owned());
    match super::fresh(worker, admitted, ask).await {
        Ok(answer) => {
            let (answer, kept) = keep(worker, plan, lead.key.clone(), answer).await;
            lead.land(kept.map_or(Flight::Alone, Flight::Brought));
            Ok(answer)
        }
        Err(refusal) => {
            // It may be this request's own fault: the others ask for themselves.
            lead.land(Flight::Alone);
            Err(refusal)
        }
    }
}

fn hit(worker: &Worker, ask: &mut Ask, kept: &Kept) -> Response<Body> {
    worker.shard.cache_hit();
    execution::note(worker, ask, |_| "Cache hit".to_owned());
    kept.answer()
}

fn key(plan: &CachePlan, ask: &Ask) -> Vec<u8> {
    let path: Vec<(&str, &str)> = ask.parameters.iter().map(|(name, value)| (&**name, &**value)).collect();
    let known = ask.known();
    let view = View { path: &path, query: ask.query(), headers: &ask.headers, body: &[], context: &known };
    plan.key(ask.method.as_str(), &view)
}

/// `Cache-Control: max-age=0`, the one request directive that AWS heeds.
fn wants_anew(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::CACHE_CONTROL).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|directive| {
        directive
            .split_once('=')
            .is_some_and(|(name, age)| name.trim().eq_ignore_ascii_case("max-age") && age.trim() == "0")
    })
}

/// Keeps an answer where it is short enough; gives it back in any case.
async fn keep(
    worker: &Worker,
    plan: &CachePlan,
    key: Key,
    answer: Response<Body>,
) -> (Response<Body>, Option<Arc<Kept>>) {
    let (mut head, body) = answer.into_parts();
    let body = match gathered(body).await {
        Ok(body) => body,
        Err(body) => return (Response::from_parts(head, body), None),
    };
    let mut headers = head.headers.clone();
    // It tells of the call that was made.
    headers.remove(TRACE);
    let until_ns = worker.shared.clock.now().mono_ns.saturating_add(plan.ttl_ms.saturating_mul(1_000_000));
    let kept = Arc::new(Kept { status: head.status, headers, body: body.clone(), until_ns });
    worker.shared.answers.kept.insert(key, kept.clone());
    head.extensions.clear();
    (Response::from_parts(head, Body::full(body)), Some(kept))
}

/// All of a body, or what it was where it is too long, breaks off or has trailers.
async fn gathered(mut body: Body) -> Result<Bytes, Body> {
    match body.known_len() {
        Some(0) => return Ok(Bytes::new()),
        Some(length) if length > MOST_BYTES => return Err(body),
        _ => {}
    }
    let (mut frames, mut length) = (Vec::new(), 0u64);
    while let Some(frame) = body.next_frame().await {
        let data = frame.as_ref().ok().and_then(|frame| frame.data_ref()).map(|data| data.len() as u64);
        length += data.unwrap_or_default();
        frames.push(frame);
        if data.is_none() || length > MOST_BYTES {
            return Err(body.after(frames));
        }
    }
    let mut pieces = frames.into_iter().filter_map(|frame| frame.ok()?.into_data().ok());
    match (pieces.next(), pieces.next()) {
        (None, _) => Ok(Bytes::new()),
        (Some(only), None) => Ok(only),
        (Some(first), Some(second)) => {
            let mut whole = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
            for piece in [first, second].into_iter().chain(pieces) {
                whole.extend_from_slice(&piece);
            }
            Ok(whole.into())
        }
    }
}
