//! What a gateway shares, and what each of its workers keeps for itself so that no request takes a lock.

use super::admit::Admit;
use super::aws::{AwsServices, Keys as SigningKeys};
use super::cache::Answers;
use super::explain;
use super::heavy::HeavyPool;
use super::key::KeyFacts;
use super::log::LineBuffer;
use super::stage::{Current, Fresh, Plans, StagePlan};
use crate::edge::Forwarder;
use crate::function::call::Invoke;
use crate::net::http::Pool;
use crate::observe::access::AccessLog;
use crate::observe::gateway::{GatewayMetrics, Shard};
use crate::observe::log_files::{LogRoom, LogShelf};
use crate::state::{Scope, World};
use crate::usage::{Now, Throttle};
use arc_swap::ArcSwap;
use arc_swap::cache::Cache;
use aws_lc_rs::rand::SecureRandom;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

/// Time, as admission and logs need it.
pub trait Clock: Send + Sync {
    /// Both clocks now.
    fn now(&self) -> Now;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock(std::time::Instant);

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock(std::time::Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let utc = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Now {
            mono_ns: u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX),
            utc_ms: i64::try_from(utc.as_millis()).unwrap_or(i64::MAX),
        }
    }
}

/// What is done with the cluster's key, which only the node holds: API keys are looked up by their HMAC under it, and
/// private keys of client certificates are sealed with it.
pub trait KeyHash: Send + Sync {
    /// The HMAC of a value, as `catalog::v1::ApiKey::value_hash` stores it.
    fn hash(&self, value: &[u8]) -> [u8; 32];

    /// Opens what was sealed, such as `catalog::v1::ClientCertificate::private_key_sealed`; `None` where it cannot.
    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let _ = sealed;
        None
    }
}

/// Settings with AWS's value beside them.
#[derive(Debug, Clone)]
pub struct GatewayLimits {
    /// Request body, bytes (AWS: 10 MB).
    pub body_bytes: u64,
    /// Request target, bytes (AWS: 10 240 regional, 8 192 edge).
    pub uri_bytes: usize,
    /// Sum of header values, bytes (AWS: 10 240); `None`: only the listener's limit on the whole head.
    pub header_bytes: Option<usize>,
    /// Integration time at most, ms, whatever the integration says (AWS: 29 000 for edge APIs).
    pub integration_ms: u32,
    /// Whether payloads that are not binary are read as UTF-8 even where they only pass through, which damages those that
    /// are none (AWS does).
    pub text_only: bool,
    /// The account's throttle where its settings have none (AWS: 10 000 per second, burst 5 000).
    pub account_throttle: Option<Throttle>,
    /// Compiled plans kept, bytes.
    pub plan_bytes: u64,
    /// Answers kept for stages with a cache, bytes (AWS: the size of the stage's cache cluster).
    pub cache_bytes: u64,
    /// Proxies that are believed about their clients' addresses (`[trusted_proxies]`).
    pub trusted_proxies: Vec<IpAddr>,
    /// How long an answer that is passed on piece by piece may stand still, ms (AWS: five minutes; 30 s for edge APIs).
    pub stream_idle_ms: u64,
    /// How long a region waits for a stage revision that the edge has already, ms.
    pub revision_wait_ms: u64,
}

impl Default for GatewayLimits {
    fn default() -> Self {
        GatewayLimits {
            body_bytes: 10 * 1024 * 1024,
            uri_bytes: 10_240,
            header_bytes: None,
            integration_ms: 900_000,
            text_only: false,
            account_throttle: None,
            plan_bytes: 256 * 1024 * 1024,
            cache_bytes: 256 * 1024 * 1024,
            trusted_proxies: Vec::new(),
            stream_idle_ms: 300_000,
            revision_wait_ms: 250,
        }
    }
}

/// What a gateway is built from.
pub struct Parts {
    /// The rows that it serves from: `ConfigGroup::world_cell`.
    pub world: Arc<ArcSwap<World>>,
    /// Where it stands.
    pub region: Box<str>,
    /// The way to backends.
    pub pool: Pool,
    /// Quotas and throttles.
    pub admission: Arc<dyn Admit>,
    /// The way to other regions; `None` on a node that has no peers.
    pub forwarder: Option<Arc<Forwarder>>,
    /// How keys are looked up.
    pub key_hash: Arc<dyn KeyHash>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Settings.
    pub limits: GatewayLimits,
    /// Measurements.
    pub metrics: GatewayMetrics,
    /// One line per request, if somebody wants it.
    pub access_log: Option<AccessLog>,
    /// Where the stages' own logs go; `None`: nowhere.
    pub logs: Option<LogRoom>,
    /// Where AWS services are, and the keys that they are called with.
    pub aws: AwsServices,
    /// The cluster's own functions, where it runs any.
    pub functions: Option<Arc<dyn Invoke>>,
}

/// What all workers share.
pub(super) struct Shared {
    pub id: u64,
    pub world: Arc<ArcSwap<World>>,
    pub region: Box<str>,
    pub pool: Pool,
    pub admission: Arc<dyn Admit>,
    pub forwarder: Option<Arc<Forwarder>>,
    pub key_hash: Arc<dyn KeyHash>,
    pub clock: Arc<dyn Clock>,
    pub limits: GatewayLimits,
    pub metrics: GatewayMetrics,
    pub access_log: Option<AccessLog>,
    pub logs: Option<LogRoom>,
    pub aws: AwsServices,
    pub functions: Option<Arc<dyn Invoke>>,
    pub plans: Plans,
    pub answers: Answers,
    pub heavy: HeavyPool,
    pub records: explain::Records,
}

type Stages = HashMap<Box<str>, Vec<(Box<str>, Fresh<Current>)>>;
type Keys = HashMap<Scope, HashMap<Box<[u8]>, Fresh<KeyFacts>>>;

/// One worker's own.
pub(super) struct Worker {
    pub shared: Arc<Shared>,
    pub world: RefCell<Cache<Arc<ArcSwap<World>>, Arc<World>>>,
    pub stages: RefCell<Stages>,
    pub keys: RefCell<Keys>,
    pub random: RefCell<Random>,
    pub signing: RefCell<SigningKeys>,
    pub shard: Arc<Shard>,
    pub lines: Option<LineBuffer>,
    pub shelf: Option<LogShelf>,
    pub records: Arc<explain::Shard>,
}

thread_local! {
    /// The gateways that visited this thread; one in a node, more only in tests.
    static WORKERS: RefCell<Vec<(u64, Rc<Worker>)>> = const { RefCell::new(Vec::new()) };
}

impl Worker {
    /// This thread's worker of a gateway, made at its first visit.
    pub(super) fn of(shared: &Arc<Shared>) -> Rc<Worker> {
        WORKERS.with_borrow_mut(|workers| {
            if let Some((_, worker)) = workers.iter().find(|(id, _)| *id == shared.id) {
                return worker.clone();
            }
            let worker = Rc::new(Worker {
                world: RefCell::new(Cache::new(shared.world.clone())),
                stages: RefCell::default(),
                keys: RefCell::default(),
                random: RefCell::default(),
                signing: RefCell::default(),
                shard: shared.metrics.shard(),
                lines: shared.access_log.clone().map(LineBuffer::new),
                shelf: shared.logs.as_ref().map(LogRoom::shelf),
                records: shared.records.shard(),
                shared: shared.clone(),
            });
            workers.push((shared.id, worker.clone()));
            worker
        })
    }

    /// Adds whole lines to a stage's execution log. Values of clients in them must have lost their line ends.
    pub(super) fn log_execution(&self, stage: &StagePlan, lines: &str) {
        if let Some(shelf) = &self.shelf {
            shelf.push(&stage.execution_log, lines);
        }
    }
}

/// Random bytes for ids, fetched from the system a page at a time.
pub(super) struct Random {
    page: [u8; 1024],
    used: usize,
}

impl Default for Random {
    fn default() -> Self {
        Random { page: [0; 1024], used: 1024 }
    }
}

impl Random {
    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        if self.used + N > self.page.len() {
            // The system's source fails only while a machine boots; an id that repeats harms less than a panic.
            let _ = aws_lc_rs::rand::SystemRandom::new().fill(&mut self.page);
            self.used = 0;
        }
        let mut out = [0; N];
        out.copy_from_slice(&self.page[self.used..self.used + N]);
        self.used += N;
        out
    }

    /// From 0 on, below 1.
    pub(super) fn fraction(&mut self) -> f64 {
        f64::from(u32::from_le_bytes(self.bytes())) / (f64::from(u32::MAX) + 1.0)
    }
}
