//! Two gateways with the real cut between them: an edge in `near`, the API's region `far`, over QUIC on loopback.

mod pieces;

use super::{Admit, Admitting, Gateway, GatewayLimits, KeyHash, Kind, Parts, SystemClock};
use crate::catalog::v1::{
    AccessLogSettings, ApiKey, ApiStage, GatewayResponse, Integration, IntegrationResponse, IntegrationType, Method,
    MethodResponse, Model, RequestValidator, Resource, RestApi, Stage, UsagePlan,
};
use crate::catalog::{AccountId, ApiId, Region};
use crate::edge::{Forwarder, Nodes, Receiver};
use crate::net::http::{
    Body, ConnInfo, Egress, EgressPolicy, HttpLimits, ListenOptions, Listener, Pool, UpstreamOptions, Workers,
};
use crate::net::peer::kind;
use crate::net::peer::testing::Cluster;
use crate::observe::edge::EdgeMetrics;
use crate::observe::gateway::GatewayMetrics;
use crate::observe::log_files::{LogOptions, LogRoom, LogTo};
use crate::state::{Ops, Scope, World};
use crate::usage::{AdmitRequest, Now, Ticket, Verdict};
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

const LONG: Duration = Duration::from_secs(20);

/// Lets everything in and counts it.
#[derive(Default)]
struct Open(AtomicUsize);

impl Admit for Open {
    fn admit<'a>(&'a self, _request: AdmitRequest<'a>, _now: Now) -> Admitting<'a> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Admitting::Now(Verdict::Admitted(Ticket { period: None }))
    }
}

struct Plain;

impl KeyHash for Plain {
    fn hash(&self, value: &[u8]) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.iter_mut().zip(value).for_each(|(h, v)| *h = *v);
        hash
    }
}

/// A backend: echoes, hangs on `/hang`, and says who called.
#[derive(Clone, Default)]
struct Backend {
    arrived: Arc<Notify>,
    left: Arc<Notify>,
}

struct Left(Arc<Notify>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl crate::net::http::Serve for Backend {
    async fn serve(self: Rc<Self>, request: Request<Body>, _conn: Rc<ConnInfo>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        if path == "/hang" {
            let _left = Left(self.left.clone());
            self.arrived.notify_one();
            std::future::pending::<()>().await;
        }
        let header = |n: &str| request.headers().get(n).and_then(|v| v.to_str().ok()).unwrap_or("-").to_owned();
        let words = format!("{path} {} {} ", header("x-custom"), header("x-forwarded-for"));
        let body = request.into_body().collect(1 << 24).await.unwrap_or_default();
        Response::new(Body::full([words.as_bytes(), &body].concat()))
    }
}

struct Node {
    addr: SocketAddr,
    world: Arc<ArcSwap<World>>,
    gateway: Gateway,
    admitted: Arc<Open>,
    metrics: GatewayMetrics,
    logs: (LogRoom, tempfile::TempDir),
    _listener: Listener,
}

struct Two {
    edge: Node,
    region: Node,
    backend: Backend,
    backend_addr: SocketAddr,
    cluster: Cluster,
    _backend: Listener,
}

fn scope() -> Scope {
    Scope::api(&AccountId::from("000000000000"), &Region::from("far"), &ApiId::from("a1b2c3d4e5"))
}

fn change(world: &World, make: impl FnOnce(&mut Ops)) -> World {
    let (mut ops, mut next) = (Ops::new(), world.clone());
    make(&mut ops);
    next.advance(1, &ops.0);
    next
}

/// `ANY /{proxy+}` to the backend, with and without a key, and one to nobody; stage `prod`, and a key.
fn rows(backend: SocketAddr) -> World {
    let world = change(&World::default(), |ops| {
        ops.put(&scope(), "a1b2c3d4e5", &RestApi { id: "a1b2c3d4e5".into(), ..RestApi::default() });
        let targets = [
            ("r1", "/{proxy+}", format!("http://{backend}/{{proxy}}"), false),
            ("r2", "/key", format!("http://{backend}/key"), true),
            ("r3", "/gone", "http://127.0.0.1:1/".to_string(), false),
        ];
        for (id, path, uri, key) in targets {
            let integration = Integration {
                kind: IntegrationType::HttpProxy,
                uri: Some(uri),
                request_parameters: BTreeMap::from([(
                    "integration.request.path.proxy".into(),
                    "method.request.path.proxy".into(),
                )]),
                ..Integration::default()
            };
            let method = Method {
                http_method: "ANY".into(),
                authorization_type: "NONE".into(),
                api_key_required: key,
                method_integration: Some(integration),
                ..Method::default()
            };
            ops.put(&scope(), id, &Resource { id: id.into(), path: path.into(), ..Resource::default() });
            ops.put(&scope(), &Method::row_id(id, "ANY"), &method);
        }
        let key = ApiKey {
            id: "k1".into(),
            enabled: true,
            value_hash: Some(Plain.hash(b"secret-key-value-1234")),
            plan_ids: vec!["p1".into()],
            ..ApiKey::default()
        };
        let covered = ApiStage { api_id: "a1b2c3d4e5".into(), stage: "prod".into(), ..ApiStage::default() };
        let plan = UsagePlan {
            id: "p1".into(),
            api_stages: vec![covered],
            throttle: Some(crate::catalog::v1::ThrottleSettings {
                rate_limit: Some(1e6),
                burst_limit: Some(1000),
                ..Default::default()
            }),
            ..UsagePlan::default()
        };
        ops.put(&scope().to_region(), "k1", &key).put(&scope().to_region(), "p1", &plan);
    });
    deploy(&world, 1)
}

fn deploy(world: &World, revision: u64) -> World {
    let id = format!("d{revision}");
    let stage = Stage { stage_name: "prod".into(), deployment_id: id.clone(), revision, ..Stage::default() };
    change(world, |ops| {
        ops.freeze(&scope(), &id).put(&scope(), "prod", &stage);
    })
}

async fn listener(workers: &Workers, service: impl crate::net::http::Serve + Sync) -> Listener {
    let options = ListenOptions { limits: HttpLimits::default(), ..ListenOptions::default() };
    Listener::start(SocketAddr::from(([127, 0, 0, 1], 0)), options, workers.clone(), service).await.expect("free port")
}

async fn node(cluster: &Cluster, index: usize, world: World) -> Node {
    let peer = &cluster.nodes[index];
    let (world, admitted) = (Arc::new(ArcSwap::from_pointee(world)), Arc::new(Open::default()));
    let edge_metrics = EdgeMetrics::new(&mut Registry::default());
    let nodes = Nodes::new(peer.info.id, &peer.info.region, 7, edge_metrics.clone());
    nodes.sync(&peer.net.roster().all());
    let egress = Egress::new(EgressPolicy { loopback: true, ..EgressPolicy::default() });
    let metrics = GatewayMetrics::new(&mut Registry::default(), Kind::all().map(Kind::name));
    let folder = tempfile::tempdir().expect("folder");
    let room = LogRoom::start(LogTo::Files(folder.path().to_owned()), &LogOptions::default()).expect("room");
    let logs = (room, folder);
    let gateway = Gateway::new(Parts {
        world: world.clone(),
        region: peer.info.region.as_str().into(),
        pool: Pool::new(egress, UpstreamOptions::default()).expect("pool"),
        admission: admitted.clone(),
        forwarder: Some(Forwarder::new(peer.net.clone(), nodes, edge_metrics)),
        key_hash: Arc::new(Plain),
        clock: Arc::new(SystemClock::default()),
        limits: GatewayLimits::default(),
        metrics: metrics.clone(),
        access_log: None,
        logs: Some(logs.0.clone()),
        aws: crate::gateway::AwsServices::default(),
        functions: Some(Arc::new(pieces::Piecewise)),
    });
    let workers = Workers::start("test", 1).expect("worker");
    let receiver = Receiver::new(gateway.resume_on(workers.clone()), peer.info.id, &peer.info.region);
    peer.net.register(kind::FORWARD, receiver);
    let listener = listener(&workers, gateway.clone()).await;
    Node { addr: listener.local_addr(), world, gateway, admitted, metrics, logs, _listener: listener }
}

async fn two() -> Two {
    let cluster = Cluster::new(&["near", "far"]);
    cluster.distance(0, 1, Duration::from_millis(20));
    let backend = Backend::default();
    let held = listener(&Workers::start("backend", 1).expect("worker"), backend.clone()).await;
    let world = rows(held.local_addr());
    let edge = node(&cluster, 0, world.clone()).await;
    let region = node(&cluster, 1, world).await;
    Two { edge, region, backend, backend_addr: held.local_addr(), cluster, _backend: held }
}

async fn ask(addr: SocketAddr, path: &str, body: &[u8]) -> (http::response::Parts, String) {
    let socket = tokio::net::TcpStream::connect(addr).await.expect("listening");
    let (mut send, conn) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(socket)).await.expect("h1");
    let task = tokio::spawn(conn);
    let request = Request::post(format!("/prod{path}"))
        .header("host", "a1b2c3d4e5.execute-api.far.localhost")
        .header("x-custom", "c1")
        .header("x-api-key", "secret-key-value-1234")
        .body(Full::new(Bytes::copy_from_slice(body)))
        .expect("request");
    let (head, body) =
        tokio::time::timeout(LONG, send.send_request(request)).await.expect("in time").expect("answer").into_parts();
    let body = body.collect().await.expect("body").to_bytes();
    task.abort();
    (head, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn a_visit_is_decided_at_the_edge_and_served_in_the_region() {
    let two = two().await;
    let (head, body) = ask(two.edge.addr, "/a%20b/c", b"hello").await;
    assert_eq!((head.status.as_u16(), body.as_str()), (200, "/a%20b/c c1 127.0.0.1 hello"));
    assert!(head.headers.contains_key("x-amzn-requestid") && head.headers.contains_key("x-amzn-remapped-date"));
    let (head, body) = ask(two.edge.addr, "/key", b"").await;
    assert_eq!((head.status.as_u16(), body.as_str()), (200, "/key c1 127.0.0.1 "));
    let count = |node: &Node| node.admitted.0.load(Ordering::SeqCst);
    assert_eq!((count(&two.edge), count(&two.region)), (1, 0), "admission runs at one node");
    assert_eq!((two.edge.metrics.answered(200), two.region.metrics.answered(200)), (2, 0));
    // The region's own clients need no cut.
    assert_eq!(ask(two.region.addr, "/key", b"").await.0.status, 200);
}

#[tokio::test]
async fn header_names_cross_the_cut_as_they_were_sent() {
    let two = two().await;
    let answer = IntegrationResponse {
        status_code: "200".into(),
        response_templates: Some(BTreeMap::from([(
            "application/json".into(),
            Some("$input.params().header.keySet()".into()),
        )])),
        ..IntegrationResponse::default()
    };
    let method = Method {
        http_method: "ANY".into(),
        authorization_type: "NONE".into(),
        method_responses: [("200".to_owned(), MethodResponse { status_code: "200".into(), ..Default::default() })]
            .into(),
        method_integration: Some(Integration {
            request_templates: BTreeMap::from([("application/json".into(), Some(r#"{"statusCode": 200}"#.into()))]),
            integration_responses: BTreeMap::from([("200".into(), answer)]),
            ..Integration::default()
        }),
        ..Method::default()
    };
    let world = change(&two.edge.world.load_full(), |ops| {
        ops.put(&scope(), "r5", &Resource { id: "r5".into(), path: "/names".into(), ..Resource::default() }).put(
            &scope(),
            &Method::row_id("r5", "ANY"),
            &method,
        );
    });
    let world = deploy(&world, 2);
    two.edge.world.store(Arc::new(world.clone()));
    two.region.world.store(Arc::new(world));
    let mut socket = tokio::net::TcpStream::connect(two.edge.addr).await.expect("listening");
    let asked = "GET /prod/names HTTP/1.1\r\nHost: a1b2c3d4e5.execute-api.far.localhost\r\ntEsT-HEADeR: 1\r\nx-low: 2\r\nConnection: close\r\n\r\n";
    socket.write_all(asked.as_bytes()).await.expect("written");
    let mut said = String::new();
    tokio::time::timeout(LONG, socket.read_to_string(&mut said)).await.expect("in time").expect("text");
    assert!(said.contains("tEsT-HEADeR") && said.contains("x-low"), "{said}");
}

#[tokio::test]
async fn large_bodies_cross_in_both_directions() {
    let two = two().await;
    let body = vec![b'x'; 3_000_000];
    let (head, answer) = ask(two.edge.addr, "/big", &body).await;
    assert_eq!(head.status, 200);
    assert_eq!(answer.len(), body.len() + "/big c1 127.0.0.1 ".len());
}

#[tokio::test]
async fn the_edge_makes_the_bytes_of_a_refusal_in_the_region() {
    let two = two().await;
    let near = ask(two.edge.addr, "/gone", b"").await;
    let far = ask(two.region.addr, "/gone", b"").await;
    assert_eq!(near.1, r#"{"message": "Network error communicating with endpoint"}"#);
    assert_eq!((near.0.status, &near.1), (far.0.status, &far.1));
    let (mut near, mut far) = (near.0.headers, far.0.headers);
    for own in ["x-amzn-requestid", "x-amz-apigw-id", "date"] {
        assert!(near.remove(own).is_some() && far.remove(own).is_some(), "{own}");
    }
    assert_eq!(near, far);
}

/// A template that breaks off in the second line, in a stage that shows causes.
fn with_broken_template(world: &World) -> World {
    let integration = Integration {
        request_templates: BTreeMap::from([("application/json".into(), Some("{}\n #if( $a".into()))]),
        ..Integration::default()
    };
    let method = Method {
        http_method: "ANY".into(),
        authorization_type: "NONE".into(),
        method_integration: Some(integration),
        ..Method::default()
    };
    let variables = BTreeMap::from([("meridian_explain".to_owned(), "true".to_owned())]);
    let stage = Stage {
        stage_name: "prod".into(),
        deployment_id: "d2".into(),
        revision: 2,
        variables: Some(variables),
        ..Stage::default()
    };
    change(world, |ops| {
        ops.put(&scope(), "r4", &Resource { id: "r4".into(), path: "/broken".into(), ..Resource::default() })
            .put(&scope(), &Method::row_id("r4", "ANY"), &method)
            .freeze(&scope(), "d2")
            .put(&scope(), "prod", &stage);
    })
}

#[tokio::test]
async fn a_refusal_in_the_region_leaves_a_record_on_both_nodes_and_its_cause_crosses_the_cut() {
    let two = two().await;
    let next = with_broken_template(&two.edge.world.load_full());
    two.edge.world.store(Arc::new(next.clone()));
    two.region.world.store(Arc::new(next));
    let (head, body) = ask(two.edge.addr, "/broken", b"").await;
    assert_eq!((head.status.as_u16(), body.as_str()), (500, r#"{"message": "Internal server error"}"#));
    let shown = head.headers["x-meridian-cause"].to_str().expect("text");
    assert!(shown.starts_with("map/template_failed; 2:"), "{shown}");
    let id = head.headers["x-amzn-requestid"].to_str().ok().and_then(super::explain::RecordId::parse).expect("an id");
    let (near, far) = (two.edge.gateway.explain(id), two.region.gateway.explain(id));
    let ([near], [far]) = (&near[..], &far[..]) else { panic!("one on each: {near:?} {far:?}") };
    assert_eq!((near.resumed, near.refused_in.as_ref(), near.detail.as_ref()), (false, "far", ""));
    assert!(far.resumed && far.refused_in.is_empty() && !far.detail.is_empty(), "{far:?}");
    for record in [near, far] {
        assert_eq!((record.step.as_ref(), record.cause.as_ref(), record.status), ("map", "template_failed", 500));
        assert_eq!((record.path.as_ref(), record.resource_path.as_ref()), ("/prod/broken", "/broken"));
        assert!(record.place.starts_with("2:"), "{record:?}");
    }
    // A call that nobody could serve stopped on the way.
    let (head, _) = ask(two.edge.addr, "/gone", b"").await;
    assert_eq!(head.headers["x-meridian-cause"], "integrate/connect_failed");
}

/// `POST /checked`, whose body must be an object with `a`; how its refusals and its log look.
fn checked(world: &World) -> World {
    let integration = Integration {
        kind: IntegrationType::Mock,
        request_templates: BTreeMap::from([("application/json".into(), Some(r#"{"statusCode": 200}"#.into()))]),
        ..Integration::default()
    };
    let method = Method {
        http_method: "POST".into(),
        authorization_type: "NONE".into(),
        request_validator_id: Some("v1".into()),
        request_models: Some([("application/json".to_owned(), "Pet".to_owned())].into()),
        method_responses: [("200".to_owned(), MethodResponse::default())].into(),
        method_integration: Some(integration),
        ..Method::default()
    };
    let validator = RequestValidator { id: "v1".into(), validate_request_body: true, ..RequestValidator::default() };
    let schema = r#"{"$schema": "http://json-schema.org/draft-04/schema#", "type": "object", "required": ["a"]}"#;
    let model = Model {
        name: "Pet".into(),
        content_type: "application/json".into(),
        schema: Some(schema.into()),
        ..Model::default()
    };
    let template = "$context.error.validationErrorString|$method.request.header.x-custom|$context.stage";
    let response = GatewayResponse {
        status_code: Some("422".into()),
        response_parameters: [("gatewayresponse.header.X-Id", "context.requestId")]
            .map(|(name, source)| (name.to_owned(), source.to_owned()))
            .into(),
        response_templates: Some([("application/json".to_owned(), template.to_owned())].into()),
        ..GatewayResponse::default()
    };
    let world = change(world, |ops| {
        ops.put(&scope(), "r4", &Resource { id: "r4".into(), path: "/checked".into(), ..Resource::default() })
            .put(&scope(), &Method::row_id("r4", "POST"), &method)
            .put(&scope(), "v1", &validator)
            .put(&scope(), "Pet", &model)
            .put(&scope(), "BAD_REQUEST_BODY", &response);
    });
    let world = deploy(&world, 2);
    let format =
        "$context.status $context.path $context.error.responseType $context.integrationStatus $context.responseLength";
    let mut stage: Stage = world.get(&scope(), "prod").expect("row").expect("stage");
    stage.access_log_settings = Some(AccessLogSettings {
        format: Some(format.into()),
        destination_arn: Some("arn:aws:logs:far:000000000000:log-group:x".into()),
        ..AccessLogSettings::default()
    });
    change(&world, |ops| {
        ops.put(&scope(), "prod", &stage);
    })
}

#[tokio::test]
async fn the_edge_dresses_what_the_region_refused_and_writes_the_stages_log() {
    let two = two().await;
    let next = checked(&two.edge.world.load_full());
    two.edge.world.store(Arc::new(next.clone()));
    two.region.world.store(Arc::new(next));
    let (head, body) = ask(two.edge.addr, "/checked", b"{}").await;
    assert_eq!(head.status, 422);
    assert_eq!(body, r#"[object has missing required properties (["a"])]|c1|prod"#);
    assert_eq!(head.headers.get("x-id"), head.headers.get("x-amzn-requestid"));
    let length = body.len();
    let (head, echoed) = ask(two.edge.addr, "/echo", b"hello").await;
    assert_eq!(head.status, 200);
    let file = two.edge.logs.1.path().join("access-a1b2c3d4e5-prod.log");
    let began = std::time::Instant::now();
    let text = loop {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        if text.lines().count() >= 2 || began.elapsed() > LONG {
            break text;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(two.region.logs.0.stop(LONG));
    let wanted = format!("422 /prod/checked BAD_REQUEST_BODY - {length}\n200 /prod/echo - 200 {}\n", echoed.len());
    assert_eq!(text, wanted);
    assert_eq!(std::fs::read_dir(two.region.logs.1.path()).expect("folder").count(), 0, "the edge alone writes it");
}

#[tokio::test]
async fn a_client_that_leaves_the_edge_cancels_the_call_in_the_region() {
    let two = two().await;
    let addr = two.edge.addr;
    let client = tokio::spawn(async move { ask(addr, "/hang", b"").await });
    tokio::time::timeout(LONG, two.backend.arrived.notified()).await.expect("called");
    // Longer than what counts as a half-close.
    tokio::time::sleep(Duration::from_millis(100)).await;
    client.abort();
    tokio::time::timeout(LONG, two.backend.left.notified()).await.expect("cancelled");
}

#[tokio::test]
async fn a_region_waits_for_the_revision_that_the_edge_has() {
    let two = two().await;
    let next = deploy(&two.edge.world.load_full(), 2);
    two.edge.world.store(Arc::new(next.clone()));
    let late = two.region.world.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(60)).await;
        late.store(Arc::new(next));
    });
    assert_eq!(ask(two.edge.addr, "/x", b"").await.0.status, 200);
}

#[tokio::test]
async fn a_region_that_never_gets_the_revision_processes_nothing() {
    let two = two().await;
    two.edge.world.store(Arc::new(deploy(&two.edge.world.load_full(), 2)));
    let (head, body) = ask(two.edge.addr, "/x", b"").await;
    assert_eq!((head.status.as_u16(), body.as_str()), (503, r#"{"message":"Service Unavailable"}"#));
}

#[tokio::test]
async fn a_region_still_serves_the_revision_before_its_own() {
    let two = two().await;
    assert_eq!(ask(two.edge.addr, "/x", b"").await.0.status, 200);
    two.region.world.store(Arc::new(deploy(&two.region.world.load_full(), 2)));
    assert_eq!(ask(two.edge.addr, "/x", b"").await.0.status, 200);
}

#[tokio::test]
async fn an_edge_that_is_behind_walks_again() {
    let two = two().await;
    let next = deploy(&two.region.world.load_full(), 2);
    // This region never compiled revision 1.
    two.region.world.store(Arc::new(next.clone()));
    let behind = two.edge.world.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(10)).await;
        behind.store(Arc::new(next));
    });
    assert_eq!(ask(two.edge.addr, "/key", b"once").await.1, "/key c1 127.0.0.1 once");
    assert_eq!(two.edge.admitted.0.load(Ordering::SeqCst), 1, "the admission is kept");
}

#[tokio::test]
async fn without_a_node_in_its_regions_an_api_is_unavailable() {
    let mut two = two().await;
    assert_eq!(ask(two.edge.addr, "/x", b"").await.0.status, 200);
    two.cluster.nodes.remove(1).kill();
    two.cluster.nodes[0].net.forget(2);
    let (head, _) = ask(two.edge.addr, "/x", b"").await;
    assert!(matches!(head.status.as_u16(), 502..=504), "{}", head.status);
    assert_eq!(two.backend_addr.ip().to_string(), "127.0.0.1");
}

#[tokio::test]
async fn the_region_serves_the_canary_that_the_edge_drew() {
    let two = two().await;
    let mut next = deploy(&two.edge.world.load_full(), 2);
    let mut stage: Stage = next.get(&scope(), "prod").expect("row").expect("stage");
    // The same deployment, so that only the lot tells them apart.
    stage.variables = Some([("word".to_owned(), "own".to_owned())].into());
    stage.canary_settings = Some(crate::catalog::v1::CanarySettings {
        percent_traffic: 100.0,
        deployment_id: "d2".into(),
        stage_variable_overrides: Some([("word".to_owned(), "canary".to_owned())].into()),
        ..Default::default()
    });
    let integration = Integration {
        kind: IntegrationType::HttpProxy,
        uri: Some(format!("http://{}/${{stageVariables.word}}", two.backend_addr)),
        ..Integration::default()
    };
    let method = Method {
        http_method: "ANY".into(),
        authorization_type: "NONE".into(),
        method_integration: Some(integration),
        ..Method::default()
    };
    stage.revision = 3;
    next = change(&next, |ops| {
        ops.put(&scope(), "r4", &Resource { id: "r4".into(), path: "/word".into(), ..Resource::default() })
            .put(&scope(), &Method::row_id("r4", "ANY"), &method)
            .freeze(&scope(), "d2")
            .put(&scope(), "prod", &stage);
    });
    for node in [&two.edge, &two.region] {
        node.world.store(Arc::new(next.clone()));
    }
    assert!(ask(two.edge.addr, "/word", b"").await.1.starts_with("/canary "));
    stage.canary_settings = None;
    stage.revision = 4;
    next = change(&next, |ops| {
        ops.put(&scope(), "prod", &stage);
    });
    for node in [&two.edge, &two.region] {
        node.world.store(Arc::new(next.clone()));
    }
    assert!(ask(two.edge.addr, "/word", b"").await.1.starts_with("/own "));
}
