//! What the tests of the cut are made of: an edge and regions over loopback with simulated distance; a region's gateway
//! is a thread with a `LocalSet`.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, stream};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, StreamBody};
use prometheus_client::registry::Registry;
use tokio::sync::{mpsc, oneshot};

use super::{
    probe::{OwnVitals, Prober, Vitals},
    wire::{BodyHint, End, Head, Header, Protocol, RespHead, Step},
    *,
};
use crate::{
    net::peer::{kind, testing::Cluster},
    observe::edge::EdgeMetrics,
};

pub(super) const LONG: Duration = Duration::from_secs(10);

pub(super) type BoxStream = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, String>> + Send>>;
pub(super) type Sent = StreamBody<BoxStream>;

/// A body that a test feeds; an error breaks it off.
pub(super) fn fed() -> (mpsc::UnboundedSender<Result<Bytes, String>>, Sent) {
    let (tx, rx) = mpsc::unbounded_channel::<Result<Bytes, String>>();
    let stream = stream::unfold(rx, |mut rx| async move { Some((rx.recv().await?.map(Frame::data), rx)) });
    (tx, StreamBody::new(Box::pin(stream)))
}

pub(super) fn full(bytes: impl Into<Bytes>) -> Sent {
    let frame: Result<_, String> = Ok(Frame::data(bytes.into()));
    StreamBody::new(Box::pin(stream::iter([frame])))
}

pub(super) fn head() -> Head {
    Head {
        request_id: "r-1".into(),
        extended_request_id: "x-1".into(),
        time_ms: 1_790_000_000_000,
        account: "000000000000".into(),
        region: "far".into(),
        api: "a1b2c3d4e5".into(),
        stage: "prod".into(),
        deployment: "d1".into(),
        stage_revision: 3,
        least_index: 9,
        next: Step::Cache,
        matched: None,
        principal: None,
        admitted: None,
        protocol: Protocol::Http11,
        method: "GET".into(),
        scheme: "https".into(),
        authority: "a1b2c3d4e5.execute-api.localhost".into(),
        target: b"/prod/pets".to_vec(),
        path_at: 5,
        headers: vec![Header { name: b"Accept".to_vec(), value: b"*/*".to_vec() }],
        client: "192.0.2.7:50000".parse().unwrap(),
        local: "127.0.0.1:8443".parse().unwrap(),
        tls: None,
        time_left_ms: 10_000,
        hops: 1,
        trace: String::new(),
        body: BodyHint::Unknown,
        retry_lost: false,
        more: Vec::new(),
    }
}

pub(super) fn ok(body: BodyHint) -> RespHead {
    RespHead { status: 200, headers: Vec::new(), body, more: Vec::new() }
}

pub(super) fn facts() -> End {
    End { integration_status: Some(200), integration_us: Some(1234), ..End::default() }
}

pub(super) type Walk = Arc<dyn Fn(Head, CutBody) -> Pin<Box<dyn Future<Output = Served<Sent>>>> + Send + Sync>;

/// A gateway: one worker thread that runs visits on a `LocalSet`.
pub(super) struct Worker {
    pub(super) visits: mpsc::UnboundedSender<Visit>,
    pub(super) outcomes: Mutex<mpsc::UnboundedReceiver<Outcome>>,
    pub(super) room: AtomicUsize,
    pub(super) seen: AtomicU32,
}

impl Worker {
    pub(super) fn new(walk: Walk) -> Arc<Self> {
        let (visits, mut queue) = mpsc::unbounded_channel::<Visit>();
        let (done, outcomes) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            tokio::task::LocalSet::new().block_on(&runtime, async move {
                while let Some(visit) = queue.recv().await {
                    let (walk, done) = (walk.clone(), done.clone());
                    tokio::task::spawn_local(async move {
                        let outcome = visit.run(|head, body| walk(head, body)).await;
                        let _ = done.send(outcome);
                    });
                }
            });
        });
        let room = AtomicUsize::new(usize::MAX);
        Arc::new(Self { visits, outcomes: Mutex::new(outcomes), room, seen: AtomicU32::new(0) })
    }

    #[expect(clippy::await_holding_lock, reason = "one test, one waiter")]
    pub(super) async fn outcome(&self) -> Outcome {
        tokio::time::timeout(LONG, self.outcomes.lock().unwrap().recv()).await.unwrap().unwrap()
    }
}

impl Resume for Worker {
    fn resume(&self, visit: Visit) -> Result<(), Visit> {
        self.seen.fetch_add(1, Ordering::Relaxed);
        if self.room.load(Ordering::Relaxed) == 0 {
            return Err(visit);
        }
        self.visits.send(visit).map_err(|e| e.0)
    }
}

struct Well;

impl OwnVitals for Well {
    fn vitals(&self) -> Vitals {
        Vitals { version: "test".into(), ..Vitals::default() }
    }
}

pub(super) struct World {
    pub(super) cluster: Cluster,
    pub(super) forwarder: Arc<Forwarder>,
    pub(super) workers: Vec<Arc<Worker>>,
    pub(super) receivers: Vec<Arc<Receiver>>,
    pub(super) probers: Vec<Prober>,
    pub(super) metrics: Registry,
}

/// Node 1 is the edge in region `near`; the others are in the regions named, all with this walk.
pub(super) fn world(regions: &[&str], rtt_ms: u64, walk: Walk) -> World {
    let cluster = Cluster::new(&[&["near"], regions].concat());
    let (mut workers, mut receivers) = (Vec::new(), Vec::new());
    for (i, node) in cluster.nodes.iter().enumerate().skip(1) {
        cluster.distance(0, i, Duration::from_millis(rtt_ms));
        let worker = Worker::new(walk.clone());
        let receiver = Receiver::new(worker.clone(), node.info.id, &node.info.region);
        node.net.register(kind::FORWARD, receiver.clone());
        workers.push(worker);
        receivers.push(receiver);
    }
    let mut metrics = Registry::with_prefix("meridian");
    let m = EdgeMetrics::new(&mut metrics);
    let nodes = Nodes::new(1, "near", 42, m.clone());
    nodes.sync(&cluster.nodes[0].net.roster().all());
    let forwarder = Forwarder::new(cluster.nodes[0].net.clone(), nodes, m);
    World { cluster, forwarder, workers, receivers, probers: Vec::new(), metrics }
}

impl World {
    pub(super) fn probe(&mut self) {
        for node in self.cluster.nodes.iter().skip(1) {
            let nodes = Nodes::new(node.info.id, &node.info.region, 1, EdgeMetrics::new(&mut Registry::default()));
            self.probers.push(Prober::start(node.net.clone(), nodes, Arc::new(Well)));
        }
        let (net, nodes) = (self.cluster.nodes[0].net.clone(), self.forwarder.nodes().clone());
        self.probers.push(Prober::start(net, nodes, Arc::new(Well)));
    }

    /// Until the first region has nothing under way.
    pub(super) async fn quiet(&self) {
        let none = async {
            while self.receivers[0].in_flight() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, none).await.unwrap();
    }

    pub(super) async fn send(&self, head: Head, body: Sent) -> Result<Forwarded, Failed<Sent>> {
        self.forwarder.forward(&["far", "farther"], head, Replay::new(body)).await
    }

    pub(super) async fn get(&self) -> Result<Forwarded, Failed<Empty<Bytes>>> {
        let head = Head { body: BodyHint::Empty, ..head() };
        self.forwarder.forward(&["far", "farther"], head, Replay::new(Empty::new())).await
    }
}

pub(super) fn answer(forwarded: Result<Forwarded, Failed<impl Body>>) -> Answer {
    match forwarded {
        Ok(Forwarded::Answer(a)) => a,
        Ok(Forwarded::Refused { refused, .. }) => panic!("refused: {refused:?}"),
        Err(f) => panic!("failed: {}", f.error),
    }
}

/// Answers with what it was sent, as it comes.
pub(super) fn echo() -> Walk {
    Arc::new(|_head, body: CutBody| {
        let stream = stream::unfold(body, |mut body| async move {
            let frame = body.frame().await?;
            Some((frame.map_err(|e| e.to_string()), body))
        });
        let body: BoxStream = Box::pin(stream);
        let served = Served::Answer { head: ok(BodyHint::Unknown), body: StreamBody::new(body), end: Box::new(facts) };
        Box::pin(async move { served })
    })
}

/// Answers a fixed body at once.
pub(super) fn fixed(bytes: &'static [u8]) -> Walk {
    Arc::new(move |_head, _body| {
        Box::pin(async move {
            let hint = if bytes.is_empty() { BodyHint::Empty } else { BodyHint::Known(bytes.len() as u64) };
            Served::Answer { head: ok(hint), body: full(bytes), end: Box::new(facts) }
        })
    })
}

struct OnDrop(Option<oneshot::Sender<()>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        if let Some(tx) = self.0.take() {
            let _ = tx.send(());
        }
    }
}

/// Never answers; says when a visit has begun and when it was dropped.
pub(super) fn stuck() -> (Walk, mpsc::UnboundedReceiver<oneshot::Receiver<()>>) {
    let (tx, rx) = mpsc::unbounded_channel();
    let walk: Walk = Arc::new(move |_head, body| {
        let (dropped, seen) = oneshot::channel();
        let guard = OnDrop(Some(dropped));
        let _ = tx.send(seen);
        Box::pin(async move {
            let _held = (guard, body);
            std::future::pending().await
        })
    });
    (walk, rx)
}
