//! A control plane over real HTTP and a World in memory: the whole walk but for Raft.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use meridian::catalog::{AccountId, Region};
use meridian::cluster::{Call, ClusterError, Done, Evaluate, Stamp, Wait};
use meridian::control::{
    Control, Evaluator, Fault, Quotas, Replica, Seal, Settings, TestBench, UsageBook, UsageFacts, UsageQuestion, Visit,
    door::Names,
};
use meridian::gateway::{Trial, Tried};
use meridian::net::http::{Body, ConnInfo, ListenOptions, Listener, Serve, Workers};
use meridian::state::{Op, World};
use serde_json::Value;

use crate::functions::Kept;
use crate::wire::Client;

pub(crate) const NOW_MS: i64 = 1_700_000_000_123;
/// What the hosts of APIs end with.
const DOMAIN: &str = "gateway.example.com";
pub(crate) const ACCOUNT: &str = "000000000000";

/// A World that applies at once what the evaluator says.
pub(crate) struct Memory {
    pub(crate) world: Mutex<World>,
    evaluator: Evaluator,
    seeds: AtomicU64,
    /// The calls that were proposed, with how long each is to wait.
    pub(crate) proposed: Mutex<Vec<(Call, Wait)>>,
    /// How many nodes lag behind each answer.
    pub(crate) lagging: AtomicU32,
}

impl Memory {
    /// Puts rows in, past the control plane.
    pub(crate) fn put(&self, ops: &[Op]) {
        self.world.lock().unwrap().advance(NOW_MS, ops);
    }
}

impl Replica for Memory {
    fn world(&self) -> Arc<World> {
        Arc::new(self.world.lock().unwrap().clone())
    }

    fn activated(&self) -> u64 {
        self.world.lock().unwrap().seq()
    }

    fn propose(&self, call: Call, _: Duration, wait: Wait) -> BoxFuture<'_, Result<Done, ClusterError>> {
        let mut world = self.world.lock().unwrap();
        let n = self.seeds.fetch_add(1, Ordering::Relaxed);
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&n.to_be_bytes());
        let done = self.evaluator.evaluate(&call, &world, &Stamp { time_ms: NOW_MS, seed });
        if !done.ops.is_empty() {
            world.advance(NOW_MS, &done.ops);
        }
        let done = Done {
            reply: done.reply,
            index: world.seq(),
            lagging: self.lagging.load(Ordering::Relaxed),
            laggards: Vec::new(),
        };
        self.proposed.lock().unwrap().push((call, wait));
        Box::pin(async move { Ok(done) })
    }

    fn read_barrier(&self, _: Duration) -> BoxFuture<'_, Result<u64, ClusterError>> {
        Box::pin(async { Ok(self.activated()) })
    }

    fn wait_activated(&self, wanted: u64, _: Duration) -> BoxFuture<'_, Result<u64, ClusterError>> {
        let reached = self.activated();
        let behind = ClusterError::Behind { wanted, reached, waited_ms: 0 };
        Box::pin(async move { if reached >= wanted { Ok(reached) } else { Err(behind) } })
    }
}

/// A seal that only turns bytes around, so that a test sees that secrets went through it.
pub(crate) struct Reverse;

impl Seal for Reverse {
    fn seal(&self, secret: &[u8], _: [u8; 16]) -> Vec<u8> {
        secret.iter().rev().copied().collect()
    }

    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        Some(sealed.iter().rev().copied().collect())
    }

    fn index(&self, secret: &[u8]) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret).as_ref());
        hash
    }
}

/// A usage room that answers one pair per day and remembers what it was asked.
#[derive(Default)]
pub(crate) struct Book(pub(crate) Mutex<Vec<UsageQuestion>>);

impl UsageBook for Book {
    fn ask(&self, question: UsageQuestion) -> BoxFuture<'_, Result<UsageFacts, Fault>> {
        let facts = match &question {
            UsageQuestion::Read { keys, first_day, last_day, .. } => keys
                .iter()
                .map(|k| (k.clone(), (*first_day..=*last_day).map(|d| (d - first_day, 100)).collect()))
                .collect(),
            UsageQuestion::Extend { key, remaining, .. } => [(key.clone(), vec![(0, *remaining)])].into(),
        };
        self.0.lock().unwrap().push(question);
        Box::pin(async move { Ok(UsageFacts(facts)) })
    }
}

/// A gateway that answers every trial alike and remembers what it was asked.
#[derive(Default)]
pub(crate) struct Trials(pub(crate) Mutex<Vec<Trial>>);

impl TestBench for Trials {
    fn try_out(&self, trial: Trial) -> BoxFuture<'_, Result<Tried, Fault>> {
        self.0.lock().unwrap().push(trial);
        let headers = [("Content-Type", "a/b"), ("Set-Cookie", "one"), ("Set-Cookie", "two")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let tried = Tried { status: 299, headers, body: "made".into(), log: "a log\n".to_owned(), latency_ms: 7 };
        Box::pin(async move { Ok(tried) })
    }
}

/// An answer as a client sees it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) bytes: Vec<u8>,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// Status, exception and message of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String, String) {
        let message = self.json()["message"].as_str().unwrap_or_default().to_owned();
        (self.status, self.header("x-amzn-errortype").unwrap_or_default().to_owned(), message)
    }

    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("x-amzn-errortype"), None);
        self.json()
    }

    /// A string member of a success.
    #[track_caller]
    pub(crate) fn id(&self) -> String {
        assert!(self.status < 300, "{}", self.text);
        self.json()["id"].as_str().expect("an id").to_owned()
    }
}

/// The control plane under test, behind a listener of its own.
pub(crate) struct Bench {
    pub(crate) memory: Arc<Memory>,
    pub(crate) book: Arc<Book>,
    pub(crate) trials: Arc<Trials>,
    /// Functions, as this bench keeps and runs them.
    pub(crate) functions: Arc<Kept>,
    pub(crate) control: Arc<Control>,
    /// When requests come, milliseconds since 1970.
    pub(crate) now_ms: Arc<AtomicI64>,
    client: Mutex<Client>,
    // They end with the bench.
    served: (Listener, Workers, tokio::runtime::Runtime),
}

/// What the listener serves: time stands where the test put it, ids are counted.
#[derive(Clone)]
struct Served {
    control: Arc<Control>,
    visits: Arc<AtomicU64>,
    now_ms: Arc<AtomicI64>,
}

impl Serve for Served {
    async fn serve(self: Rc<Self>, request: Request<Body>, _: Rc<ConnInfo>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = body.collect(64 << 20).await.expect("a whole body");
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&self.visits.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let local = SocketAddr::from(([127, 0, 0, 1], 4566));
        let now_ms = self.now_ms.load(Ordering::Relaxed);
        let visit = Visit { peer: SocketAddr::from(([127, 0, 0, 1], 5)), local, now_ms, seed };
        self.control.handle(&Request::from_parts(head, body), &visit).await
    }
}

fn serve(
    runtime: tokio::runtime::Runtime,
    control: Arc<Control>,
    now_ms: Arc<AtomicI64>,
) -> (SocketAddr, (Listener, Workers, tokio::runtime::Runtime)) {
    let workers = Workers::start("control", 1).expect("a worker");
    let served = Served { control, visits: Arc::new(AtomicU64::new(1 << 32)), now_ms };
    let start = Listener::start(([127, 0, 0, 1], 0).into(), ListenOptions::default(), workers.clone(), served);
    let listener = runtime.block_on(start).expect("a free port");
    (listener.local_addr(), (listener, workers, runtime))
}

impl Bench {
    /// A development node: any credentials do.
    pub(crate) fn new() -> Bench {
        Bench::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Bench {
        Bench::with_quotas(change, Quotas::GENEROUS)
    }

    pub(crate) fn with_quotas(change: impl FnOnce(&mut Settings), quotas: Quotas) -> Bench {
        Bench::made(change, quotas, true)
    }

    /// A node whose operator left functions off.
    pub(crate) fn without_functions() -> Bench {
        Bench::made(|_| {}, Quotas::GENEROUS, false)
    }

    fn made(change: impl FnOnce(&mut Settings), quotas: Quotas, functions_on: bool) -> Bench {
        let evaluator = Evaluator::new(Arc::new(Reverse)).with_quotas(quotas).with_domain(DOMAIN);
        let memory = Arc::new(Memory {
            world: Mutex::default(),
            evaluator,
            seeds: AtomicU64::new(1),
            proposed: Mutex::default(),
            lagging: AtomicU32::new(0),
        });
        let book = Arc::new(Book::default());
        let trials = Arc::new(Trials::default());
        let mut settings = Settings {
            dev: true,
            account: AccountId::from(ACCOUNT),
            region: Region::from("us-east-1"),
            domain: DOMAIN.to_owned(),
            names: Names { names: vec!["api.example.com".into()] },
            admin_token_sha256: None,
            max_body_bytes: 10 << 20,
            strict: false,
        };
        change(&mut settings);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let functions = Kept::new(&memory, runtime.handle());
        let control = Control::new(memory.clone(), Arc::new(Reverse), book.clone(), trials.clone(), settings);
        let control = Arc::new(if functions_on { control.with_functions(functions.clone()) } else { control });
        let now_ms = Arc::new(AtomicI64::new(NOW_MS));
        let (address, served) = serve(runtime, control.clone(), now_ms.clone());
        let client = Mutex::new(Client::connect(address).expect("it listens"));
        Bench { memory, book, trials, functions, control, now_ms, client, served }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.served.0.local_addr()
    }

    /// Sends any request.
    pub(crate) fn send(&self, request: Request<Bytes>) -> Seen {
        let (head, body) = request.into_parts();
        // In absolute form where it names a host, as HTTP/2 would.
        let target = &head.uri;
        let mut bytes = format!("{} {target} HTTP/1.1\r\ncontent-length: {}\r\n", head.method, body.len()).into_bytes();
        for (name, value) in &head.headers {
            bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&body);
        let mut client = self.client.lock().unwrap();
        let answer = client.exchange(head.method.as_str(), &bytes).expect("an answer");
        let headers = answer.headers.iter().map(|(name, value)| {
            let name = HeaderName::try_from(name.as_str()).expect("a name");
            (name, HeaderValue::try_from(value.as_str()).expect("a value"))
        });
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        Seen { status: answer.status, headers: headers.collect(), text, bytes: answer.body }
    }

    pub(crate) fn request(method: &str, target: &str, body: impl Into<Bytes>) -> Request<Bytes> {
        let builder = Request::builder().method(method).uri(target).header("host", "127.0.0.1:4566");
        builder.body(body.into()).expect("a request")
    }

    /// Sends a JSON body; null for none.
    pub(crate) fn call(&self, method: &str, target: &str, body: Value) -> Seen {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(Bench::request(method, target, body))
    }

    pub(crate) fn get(&self, target: &str) -> Seen {
        self.call("GET", target, Value::Null)
    }

    pub(crate) fn post(&self, target: &str, body: Value) -> Seen {
        self.call("POST", target, body)
    }

    pub(crate) fn put(&self, target: &str, body: Value) -> Seen {
        self.call("PUT", target, body)
    }

    pub(crate) fn delete(&self, target: &str) -> Seen {
        self.call("DELETE", target, Value::Null)
    }

    /// A PATCH with `(op, path, value)`; a value of `null` is left out.
    pub(crate) fn patch(&self, target: &str, steps: &[(&str, &str, Value)]) -> Seen {
        let steps: Vec<Value> = steps
            .iter()
            .map(|(op, path, value)| {
                let mut step = serde_json::json!({"op": op, "path": path});
                if !value.is_null() {
                    step["value"] = value.clone();
                }
                step
            })
            .collect();
        self.call("PATCH", target, serde_json::json!({"patchOperations": steps}))
    }

    /// A new API.
    pub(crate) fn api(&self) -> String {
        self.post("/restapis", serde_json::json!({"name": "pets"})).id()
    }
}
