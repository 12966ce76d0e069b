//! A gateway in this process, made from rows written by hand, behind a real listener.

use super::sockets::{Answer, Raw, ask, loopback};
use arc_swap::ArcSwap;
use meridian::catalog::v1::{
    ApiKey, ApiStage, Deployment, Integration, IntegrationResponse, IntegrationType, Method, MethodResponse, Resource,
    RestApi, Stage, UsagePlan,
};
use meridian::catalog::{AccountId, ApiId, Region};
use meridian::gateway::{
    Admit, Admitting, AwsServices, Clock, Gateway, GatewayLimits, KeyHash, Kind, Parts, SystemClock,
};
use meridian::net::http::{Egress, EgressPolicy, ListenOptions, Listener, Pool, UpstreamOptions, Workers};
use meridian::observe::access::AccessLog;
use meridian::observe::gateway::GatewayMetrics;
use meridian::state::{Ops, Scope, World};
use meridian::usage::{AdmitRequest, Gcra, Level, Now, ThrottleSpec, Ticket, Verdict};
use prometheus_client::registry::Registry;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

pub(crate) const API: &str = "a1b2c3d4e5";
pub(crate) const REGION: &str = "eu-west-1";

/// Admission in one process: buckets and plain counters. The real one has tests of its own.
#[derive(Default)]
pub(crate) struct Counting {
    buckets: Mutex<HashMap<String, Arc<Gcra>>>,
    used: Mutex<HashMap<String, u64>>,
}

impl Counting {
    fn takes(&self, spec: Option<ThrottleSpec<'_>>, key: &str, now: Now) -> bool {
        let Some(spec) = spec else { return true };
        let name = format!("{} {key}", spec.bucket);
        let bucket = self.buckets.lock().expect("lock").entry(name).or_default().clone();
        bucket.take(&spec.throttle, now.mono_ns)
    }
}

impl Admit for Counting {
    fn admit<'a>(&'a self, request: AdmitRequest<'a>, now: Now) -> Admitting<'a> {
        let name = format!("{} {}", request.plan, request.key);
        let mut used = self.used.lock().expect("lock");
        let used = used.entry(name).or_default();
        if request.quota.is_some_and(|q| *used >= q.limit) {
            return Admitting::Now(Verdict::QuotaExceeded);
        }
        let levels = [
            (Level::Plan, request.plan_throttle, request.key),
            (Level::Stage, request.stage_throttle, ""),
            (Level::Account, request.account_throttle, ""),
        ];
        for (level, spec, key) in levels {
            if !self.takes(spec, key, now) {
                return Admitting::Now(Verdict::Throttled(level));
            }
        }
        *used += u64::from(request.quota.is_some());
        // The way through a wait is a way that visits must survive, too.
        let verdict = Verdict::Admitted(Ticket { period: None });
        if request.quota.is_some() {
            Admitting::Later(Box::pin(async move {
                tokio::task::yield_now().await;
                verdict
            }))
        } else {
            Admitting::Now(verdict)
        }
    }
}

/// Stands for the HMAC under the cluster's key.
pub(crate) struct Digest;

impl KeyHash for Digest {
    fn hash(&self, value: &[u8]) -> [u8; 32] {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, value);
        digest.as_ref().try_into().expect("32 bytes")
    }
}

/// The rows of one API, in the making.
pub(crate) struct Rows {
    pub(crate) world: World,
    deployments: usize,
    paths: BTreeMap<String, String>,
}

pub(crate) fn api_scope() -> Scope {
    Scope::api(&AccountId::from("000000000000"), &Region::from(REGION), &ApiId::from(API))
}

pub(crate) fn region_scope() -> Scope {
    api_scope().to_region()
}

impl Rows {
    pub(crate) fn new() -> Rows {
        let mut rows = Rows { world: World::default(), deployments: 0, paths: BTreeMap::new() };
        rows.change(|ops| {
            ops.put(&api_scope(), API, &RestApi { id: API.into(), ..RestApi::default() });
        });
        rows
    }

    pub(crate) fn change(&mut self, make: impl FnOnce(&mut Ops)) {
        let mut ops = Ops::new();
        make(&mut ops);
        self.world.advance(1_700_000_000_000, &ops.0);
    }

    /// A method that any status may be declared for: 200, 201 and 400 are.
    pub(crate) fn method(mut self, path: &str, verb: &str, integration: Integration) -> Rows {
        self.put_method(path, verb, integration, |_| {});
        self
    }

    pub(crate) fn put_method(
        &mut self,
        path: &str,
        verb: &str,
        integration: Integration,
        more: impl FnOnce(&mut Method),
    ) {
        let fresh = format!("r{}", self.paths.len());
        let id = self.paths.entry(path.into()).or_insert(fresh).clone();
        let declared =
            |code: &str| (code.to_string(), MethodResponse { status_code: code.into(), ..Default::default() });
        let mut method = Method {
            http_method: verb.into(),
            authorization_type: "NONE".into(),
            method_responses: ["200", "201", "400"].map(declared).into(),
            method_integration: Some(integration),
            ..Method::default()
        };
        more(&mut method);
        let resource = Resource { id: id.clone(), path: path.into(), ..Resource::default() };
        self.change(|ops| {
            ops.put(&api_scope(), &id, &resource).put(&api_scope(), &Method::row_id(&id, verb), &method);
        });
    }

    /// Freezes the draft and points stage `prod` at it.
    pub(crate) fn deploy(mut self) -> Rows {
        self.redeploy(|_| {});
        self
    }

    pub(crate) fn redeploy(&mut self, more: impl FnOnce(&mut Stage)) {
        self.deployments += 1;
        let id = format!("dep{}", self.deployments);
        let before: Option<Stage> = self.world.get(&api_scope(), "prod").expect("row");
        let mut stage = before.unwrap_or_default();
        stage.stage_name = "prod".into();
        stage.deployment_id.clone_from(&id);
        stage.revision += 1;
        more(&mut stage);
        self.change(|ops| {
            ops.put(&api_scope(), &id, &Deployment { id: id.clone(), ..Deployment::default() })
                .freeze(&api_scope(), &id)
                .put(&api_scope(), "prod", &stage);
        });
    }

    /// An enabled key in a plan that covers `prod`.
    pub(crate) fn key(&mut self, id: &str, value: &str, plan: UsagePlan) {
        let mut plan = plan;
        plan.id = format!("plan-{id}");
        if plan.api_stages.is_empty() {
            plan.api_stages = vec![ApiStage { api_id: API.into(), stage: "prod".into(), ..ApiStage::default() }];
        }
        let key = ApiKey {
            id: id.into(),
            enabled: true,
            value_hash: Some(Digest.hash(value.as_bytes())),
            plan_ids: vec![plan.id.clone()],
            ..ApiKey::default()
        };
        self.change(|ops| {
            ops.put(&region_scope(), id, &key).put(&region_scope(), &plan.id, &plan);
        });
    }
}

/// A mock that answers 200, and 400 when its template says so.
pub(crate) fn mock(template: &str) -> Integration {
    let response = |status: &str, pattern: Option<&str>| {
        (
            status.to_string(),
            IntegrationResponse {
                status_code: status.into(),
                selection_pattern: pattern.map(Into::into),
                ..IntegrationResponse::default()
            },
        )
    };
    Integration {
        request_templates: BTreeMap::from([("application/json".into(), Some(template.into()))]),
        integration_responses: BTreeMap::from([response("200", None), response("400", Some("4\\d{2}"))]),
        ..Integration::default()
    }
}

pub(crate) fn proxy(uri: &str) -> Integration {
    Integration {
        kind: IntegrationType::HttpProxy,
        uri: Some(uri.into()),
        http_method: Some("ANY".into()),
        request_parameters: BTreeMap::from([(
            "integration.request.path.proxy".into(),
            "method.request.path.proxy".into(),
        )]),
        ..Integration::default()
    }
}

pub(crate) struct Site {
    pub(crate) addr: SocketAddr,
    pub(crate) world: Arc<ArcSwap<World>>,
    pub(crate) metrics: GatewayMetrics,
    pub(crate) pool: Pool,
    pub(crate) gateway: Gateway,
    _listener: Listener,
}

impl Site {
    pub(crate) async fn new(rows: &Rows) -> Site {
        Site::with(rows, |_| {}).await
    }

    pub(crate) async fn with(rows: &Rows, more: impl FnOnce(&mut Parts)) -> Site {
        let world = Arc::new(ArcSwap::from_pointee(rows.world.clone()));
        let egress = Egress::new(EgressPolicy { loopback: true, ..EgressPolicy::default() });
        let options = UpstreamOptions { connect_timeout_ms: 2_000, ..UpstreamOptions::default() };
        let pool = Pool::new(egress, options).expect("pool");
        let metrics = GatewayMetrics::new(&mut Registry::default(), Kind::all().map(Kind::name));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let mut parts = Parts {
            world: world.clone(),
            region: REGION.into(),
            pool: pool.clone(),
            admission: Arc::new(Counting::default()),
            forwarder: None,
            key_hash: Arc::new(Digest),
            clock,
            limits: GatewayLimits::default(),
            metrics: metrics.clone(),
            access_log: None,
            logs: None,
            aws: AwsServices::default(),
            functions: None,
        };
        more(&mut parts);
        let gateway = Gateway::new(parts);
        let workers = Workers::start("test", 1).expect("worker");
        let listener = Listener::start(loopback(), ListenOptions::default(), workers, gateway.clone());
        let listener = listener.await.expect("free port");
        Site { addr: listener.local_addr(), world, metrics, pool, gateway, _listener: listener }
    }

    pub(crate) fn publish(&self, rows: &Rows) {
        self.world.store(Arc::new(rows.world.clone()));
    }

    /// `{verb} /prod{path}` on the API's host, with whole header lines and a body.
    pub(crate) async fn ask(&self, verb: &str, path: &str, headers: &str, body: &str) -> Answer {
        ask(self.addr, request(verb, path, headers, body)).await.expect("an answer")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", "").await
    }

    pub(crate) async fn connect(&self) -> Raw {
        Raw::connect(self.addr).await
    }
}

pub(crate) fn request(verb: &str, path: &str, headers: &str, body: &str) -> String {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    format!("{verb} /prod{path} HTTP/1.1\r\nHost: {API}.execute-api.{REGION}.localhost\r\n{headers}{length}\r\n{body}")
}

/// An access log that a test can read.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(crate) fn log(&self) -> AccessLog {
        AccessLog::start(Box::new(self.clone())).expect("thread")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("lock").clone()).expect("text")
    }
}

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
