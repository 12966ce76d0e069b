//! The rooms above replication, built bottom-up: edge, gateway, control, listeners.

use super::code::CodeStore;
use super::functions::NodeFunctions;
use super::ground::Ground;
use super::usage::{UsageClock, UsageSide};
use super::voter::{CA_KEY, CaKeys};
use super::{AdminSettings, NodeError, NodeShared, book, clock, door, explain, look, tls};
use crate::catalog::cluster::Node;
use crate::cluster::ConfigGroup;
use crate::config::{AccessLog, Functions, NodeConfig, Profile, StageLogs};
use crate::control::{Control, Evaluator, Quotas, Seal, Settings, door::Names};
use crate::edge::probe::{OwnVitals, Vitals};
use crate::edge::{Forwarder, Nodes, Receiver};
use crate::function::blobs::{BlobPeer, Blobs};
use crate::gateway::explain::wire::QUESTION_LIMIT;
use crate::gateway::{Admit, Admitting, Clock, Gateway, GatewayLimits, KeyHash, Kind, Parts, SystemClock};
use crate::net::http::{Egress, EgressPolicy, ListenOptions, Listener, Pool, UpstreamOptions, Workers, roots::Roots};
use crate::net::peer::{Unary, kind};
use crate::observe::access::AccessLog as AccessWriter;
use crate::observe::edge::EdgeMetrics;
use crate::observe::function::FunctionMetrics;
use crate::observe::gateway::GatewayMetrics;
use crate::observe::log_files::{LogOptions, LogRoom, LogTo};
use crate::observe::usage::UsageMetrics;
use crate::state::Scope;
use crate::usage::{Admission, AdmitRequest, Decision, Now, Throttle};
use prometheus_client::registry::Registry;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;

const MAX_ADMIN_BODY_BYTES: usize = 10 << 20;
const JOIN_REQUEST_BYTES: usize = 16 << 10;
/// Requests at once whose body is larger than usual.
const LARGE_BODIES: usize = 2;

/// What is built.
pub(super) struct Built {
    pub(super) shared: Arc<NodeShared>,
    pub(super) usage: Arc<UsageSide>,
    pub(super) workers: Workers,
    pub(super) pool: Pool,
    pub(super) policy: EgressPolicy,
    pub(super) logs: LogRoom,
    pub(super) code: CodeStore,
    pub(super) functions: Option<Arc<NodeFunctions>>,
}

/// Builds it, and registers what peers may ask.
pub(super) fn build(ground: &Ground, config: &NodeConfig, group: &ConfigGroup) -> Result<Built, NodeError> {
    let mut registry = Registry::with_prefix("meridian");
    let edge_metrics = EdgeMetrics::new(&mut registry);
    let gateway_metrics = GatewayMetrics::new(&mut registry, Kind::all().map(Kind::name));
    let usage_metrics = UsageMetrics::new(&mut registry);
    super::metrics::register(&mut registry, group);
    let identity = &ground.identity;
    let time: Arc<SystemClock> = Arc::default();
    let usage_clock: UsageClock = {
        let time = time.clone();
        Arc::new(move || time.now())
    };
    let usage =
        UsageSide::start(&ground.home, identity, &ground.peers, &ground.door, group, usage_clock, usage_metrics)?;
    let seed = u64::from_le_bytes(super::arrive::random()?);
    let nodes = Nodes::new(identity.node_id, &identity.region, seed, edge_metrics.clone());
    let (pool, policy) = pool(ground, config)?;
    super::metrics::register_pool(&mut registry, &pool);
    let logs = stage_logs(ground, config)?;
    logs.measure(&mut registry);
    let code = code(ground, config, group, &nodes)?;
    let functions = functions(ground, config, group, &code, &logs, &mut registry)?;
    let gateway = Gateway::new(Parts {
        world: group.world_cell(),
        region: identity.region.as_str().into(),
        pool: pool.clone(),
        admission: Arc::new(Asked(usage.admission.clone())),
        forwarder: Some(Forwarder::new(ground.peers.clone(), nodes.clone(), edge_metrics)),
        key_hash: Arc::new(Hashes(ground.seal.clone())),
        clock: time,
        limits: limits(config),
        metrics: gateway_metrics,
        access_log: access_log(config)?,
        logs: Some(logs.clone()),
        aws: super::services::services(config)?,
        functions: functions.as_ref().map(|functions| functions.invoker()),
    });
    super::metrics::register_gateway(&mut registry, &gateway);
    let system = |cause| NodeError::System { what: "the system gives no threads", cause };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = Workers::start("gateway", cores).map_err(system)?;
    let receiver = Receiver::new(gateway.resume_on(workers.clone()), identity.node_id, &identity.region);
    let trials = super::trial::Trials { gateway: gateway.clone(), workers: workers.clone() };
    let mut control = control(ground, config, group, &usage, trials);
    if let Some(functions) = &functions {
        control = control.with_functions(functions.clone());
    }
    let shared = Arc::new(NodeShared {
        settings: AdminSettings {
            dev: config.dev,
            account: config.account.clone(),
            max_body_bytes: MAX_ADMIN_BODY_BYTES,
            large_bodies: Arc::new(Semaphore::new(LARGE_BODIES)),
            gateway_http: config.gateway_http,
            invoke: config.dev || config.admin.is_private(),
        },
        identity: identity.clone(),
        home: ground.home.clone(),
        peers: ground.peers.clone(),
        config: group.clone(),
        usage: usage.watch(),
        nodes,
        receiver,
        control,
        gateway,
        registry,
    });
    register(ground, &shared, &code);
    Ok(Built { shared, usage, workers, pool, policy, logs, code, functions })
}

/// Where functions' code is, also where no function runs: voters keep it for others.
fn code(ground: &Ground, config: &NodeConfig, group: &ConfigGroup, nodes: &Arc<Nodes>) -> Result<CodeStore, NodeError> {
    let Functions { zip_bytes, code_bytes, .. } = &config.functions;
    let blobs = Blobs::open(&ground.home.path("blobs"), *zip_bytes, *code_bytes);
    let blobs = blobs.map_err(|cause| NodeError::System { what: "the code of functions cannot be kept", cause })?;
    Ok(CodeStore {
        blobs: Arc::new(blobs),
        peers: ground.peers.clone(),
        nodes: nodes.clone(),
        config: group.clone(),
        unpacked: ground.home.path("functions"),
        under_way: Arc::default(),
    })
}

/// The host of functions, where the operator wants one.
fn functions(
    ground: &Ground,
    config: &NodeConfig,
    group: &ConfigGroup,
    code: &CodeStore,
    logs: &LogRoom,
    registry: &mut Registry,
) -> Result<Option<Arc<NodeFunctions>>, NodeError> {
    if !config.functions.enabled {
        return Ok(None);
    }
    let metrics = FunctionMetrics::new(registry);
    let started = NodeFunctions::start(&config.functions, group, &ground.seal, code.clone(), logs.shelf(), metrics);
    started.map(Some).map_err(|cause| NodeError::System { what: "the host of functions cannot start", cause })
}

/// What peers may ask of this node, beside Raft and usage.
fn register(ground: &Ground, shared: &Arc<NodeShared>, code: &CodeStore) {
    let peers = &ground.peers;
    let (puts, gets) = BlobPeer::handlers(code.blobs.clone());
    peers.register(kind::BLOB_PUT, puts);
    peers.register(kind::BLOB_GET, gets);
    peers.register(kind::FORWARD, shared.receiver.clone());
    let look = Arc::new(look::LookAtThisNode(Arc::downgrade(shared)));
    peers.register(kind::STATUS, Unary::new(look, 1_024));
    let remembered = Arc::new(explain::RememberedHere(Arc::downgrade(shared)));
    peers.register(kind::EXPLAIN, Unary::new(remembered, QUESTION_LIMIT));
    let keys = CaKeys { home: ground.home.clone(), config: shared.config.clone() };
    peers.register(CA_KEY, Unary::new(Arc::new(keys), 64));
    let door = Arc::new(door::Door {
        home: ground.home.clone(),
        config: shared.config.clone(),
        peers: Arc::downgrade(peers),
        seeds: ground.seeds.clone(),
    });
    peers.set_join_door(Some(Arc::new(door::OpenDoor(door.clone()))));
    peers.register(kind::JOIN, Unary::new(Arc::new(door::OpenDoor(door)), JOIN_REQUEST_BYTES));
}

fn control(
    ground: &Ground,
    config: &NodeConfig,
    group: &ConfigGroup,
    usage: &Arc<UsageSide>,
    trials: super::trial::Trials,
) -> Control {
    let book = book::Book { config: group.clone(), links: usage.links.clone() };
    let settings = Settings {
        dev: config.dev,
        account: config.account.clone(),
        region: config.region.clone(),
        domain: config.domain.clone(),
        names: Names { names: vec![config.domain.clone()] },
        admin_token_sha256: super::arrive::admin_token(&ground.home).ok().map(|token| super::arrive::sha256(&token)),
        max_body_bytes: MAX_ADMIN_BODY_BYTES,
        strict: config.profile == Profile::Strict,
    };
    Control::new(Arc::new(group.clone()), ground.seal.clone(), Arc::new(book), Arc::new(trials), settings)
}

/// What runs the control plane's writes while this node leads.
pub(super) fn evaluator(ground: &Ground, config: &NodeConfig) -> Evaluator {
    let quotas = Quotas::of(config.profile == Profile::Strict);
    Evaluator::new(ground.seal.clone()).with_quotas(quotas).with_domain(&config.domain)
}

fn limits(config: &NodeConfig) -> GatewayLimits {
    let (trusted_proxies, cache_bytes) = (config.trusted_proxies.clone(), config.cache_bytes);
    match config.profile {
        Profile::Generous => GatewayLimits { trusted_proxies, cache_bytes, ..GatewayLimits::default() },
        Profile::Strict => GatewayLimits {
            trusted_proxies,
            cache_bytes,
            header_bytes: Some(10_240),
            integration_ms: 29_000,
            text_only: true,
            account_throttle: Throttle::new(10_000.0, 5_000).ok(),
            ..GatewayLimits::default()
        },
    }
}

fn pool(ground: &Ground, config: &NodeConfig) -> Result<(Pool, EgressPolicy), NodeError> {
    let allow = config.egress_allow.iter().map(|text| network(text)).collect::<Result<_, _>>()?;
    let own = ground.at.admin.into_iter().chain([ground.at.peers]).collect();
    let policy = EgressPolicy { loopback: config.is_private(), allow, own };
    let failed = |cause: String| NodeError::Tls { what: "TLS to backends".into(), cause };
    let mut options =
        UpstreamOptions { connections_per_target: config.backend_connections, ..UpstreamOptions::default() };
    if let Some(file) = &config.backend_ca {
        let pem = std::fs::read(file).map_err(|e| failed(format!("[backends] ca = {}: {e}", file.display())))?;
        options.roots = Roots::Also(pem);
    }
    let pool = Pool::new(Egress::new(policy.clone()), options).map_err(|cause| failed(cause.to_string()))?;
    Ok((pool, policy))
}

/// Keeps every node's admin and peers sockets out of integrations' reach, as nodes come and move (foundations §8.5).
pub(super) async fn guard_own_sockets(pool: Pool, policy: EgressPolicy, group: ConfigGroup) {
    let mut applied = group.applied();
    let mut known = Vec::new();
    loop {
        let rows = group.world().list::<Node>(&Scope::cluster(), "").unwrap_or_default();
        let sockets = rows.iter().flat_map(|(_, node)| [&node.admin_address, &node.peers_address]);
        let own: Vec<_> = sockets.filter_map(|at| at.parse().ok()).chain(policy.own.iter().copied()).collect();
        if own != known {
            pool.egress().set_policy(EgressPolicy { own: own.clone(), ..policy.clone() });
            known = own;
        }
        if applied.changed().await.is_err() {
            return;
        }
    }
}

/// `10.0.0.0/8`, or one address.
fn network(text: &str) -> Result<(IpAddr, u8), NodeError> {
    let said =
        || NodeError::Setting(format!("[egress] allow: `{text}` is no network: write 10.0.0.0/8 or one address"));
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().map_err(|_| said())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| said()))?;
    if bits <= most { Ok((address, bits)) } else { Err(said()) }
}

fn access_log(config: &NodeConfig) -> Result<Option<AccessWriter>, NodeError> {
    let failed = |cause| NodeError::System { what: "the access log cannot be written", cause };
    let writer: Box<dyn std::io::Write + Send> = match &config.access_log {
        AccessLog::Off => return Ok(None),
        AccessLog::Stdout => Box::new(std::io::stdout()),
        AccessLog::File(path) => {
            Box::new(std::fs::OpenOptions::new().create(true).append(true).open(path).map_err(failed)?)
        }
    };
    AccessWriter::start(writer).map(Some).map_err(failed)
}

/// The room of the stages' logs.
fn stage_logs(ground: &Ground, config: &NodeConfig) -> Result<LogRoom, NodeError> {
    let StageLogs { stdout, file_bytes, keep } = config.stage_logs;
    let to = if stdout { LogTo::Stream(Box::new(std::io::stdout())) } else { LogTo::Files(ground.home.path("logs")) };
    let options = LogOptions { file_bytes, keep, ..LogOptions::default() };
    LogRoom::start(to, &options)
        .map_err(|cause| NodeError::System { what: "the stages' logs cannot be written", cause })
}

/// Binds the gateway's listeners.
pub(super) async fn listen(
    ground: &Ground,
    config: &NodeConfig,
    built: &Built,
) -> Result<Vec<(&'static str, Listener)>, NodeError> {
    let mut listeners = Vec::new();
    let https = match config.gateway_https.address() {
        Some(_) => Some(tls::server_config(&ground.home, config, clock::now_ms())?),
        None => None,
    };
    for (name, flag, listen, tls) in [
        ("gateway_http", "gateway-http", config.gateway_http, None),
        ("gateway_https", "gateway-https", config.gateway_https, https),
    ] {
        let Some(at) = listen.address() else { continue };
        let options = ListenOptions { tls, ..ListenOptions::default() };
        let gateway = built.shared.gateway.clone();
        let bound = Listener::start(at, options, built.workers.clone(), gateway).await;
        listeners.push((name, bound.map_err(|cause| NodeError::Bind { name, flag, at, cause })?));
    }
    Ok(listeners)
}

/// The gateway asks usage.
struct Asked(Arc<Admission>);

impl Admit for Asked {
    fn admit<'a>(&'a self, request: AdmitRequest<'a>, now: Now) -> Admitting<'a> {
        match self.0.decide(&request, now) {
            Decision::Now(verdict) => Admitting::Now(verdict),
            Decision::Wait(waiter) => Admitting::Later(Box::pin(waiter.wait(now))),
        }
    }
}

struct Hashes(Arc<super::seal::SealKey>);

impl KeyHash for Hashes {
    fn hash(&self, value: &[u8]) -> [u8; 32] {
        self.0.index(value)
    }

    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        self.0.open(sealed)
    }
}

/// How this node is, for peers that probe it.
pub(super) struct Own(pub(super) Arc<NodeShared>);

impl OwnVitals for Own {
    fn vitals(&self) -> Vitals {
        Vitals {
            in_flight: self.0.receiver.in_flight(),
            queue_ms: 0,
            cpu_percent: 0,
            draining: self.0.receiver.is_draining(),
            applied_index: self.0.config.world().seq(),
            activated_index: *self.0.config.activated().borrow(),
            version: super::VERSION.to_owned(),
        }
    }
}
