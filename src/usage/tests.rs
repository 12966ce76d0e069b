//! Nodes of this room in one process: real admission, agent and journal over a made-up network and one ledger.

use super::wire::{Command, decode, encode};
use super::*;
use crate::cluster::Machine;
use crate::observe::usage::UsageMetrics;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::watch;

const DAY: i64 = 20_700 * period::DAY_MS;

/// One ledger and the wires to it.
struct Net {
    ledger: Mutex<Ledger>,
    holdings: Mutex<HashMap<u64, Arc<Holding>>>,
    cut: Mutex<HashSet<u64>>,
    leaderless: AtomicBool,
    one_way: Duration,
    time_ms: AtomicI64,
    began: Instant,
}

struct NodeLinks {
    net: Arc<Net>,
    node: u64,
}

impl Net {
    fn new(one_way_ms: u64) -> Arc<Self> {
        Arc::new(Self {
            ledger: Mutex::new(Ledger::new()),
            holdings: Mutex::default(),
            cut: Mutex::default(),
            leaderless: AtomicBool::new(false),
            one_way: Duration::from_millis(one_way_ms),
            time_ms: AtomicI64::new(DAY + 1_000),
            began: Instant::now(),
        })
    }

    fn now(&self) -> Now {
        let mono_ns = u64::try_from(self.began.elapsed().as_nanos()).unwrap();
        Now { mono_ns, utc_ms: self.time_ms.load(Ordering::Relaxed) }
    }

    fn is_cut(&self, node: u64) -> bool {
        self.cut.lock().unwrap().contains(&node)
    }
}

impl Links for NodeLinks {
    fn order(&self, command: Bytes, within: Duration) -> BoxFuture<'_, Option<Bytes>> {
        Box::pin(async move {
            tokio::time::sleep(self.net.one_way).await;
            if self.net.leaderless.load(Ordering::Relaxed) || self.net.is_cut(self.node) {
                tokio::time::sleep(within.min(Duration::from_millis(100))).await;
                return None;
            }
            let reply = {
                let mut ledger = self.net.ledger.lock().unwrap();
                let reply = ledger.apply(1, &command, &mut Vec::new());
                ledger.publish();
                reply
            };
            tokio::time::sleep(self.net.one_way).await;
            Some(reply.into())
        })
    }

    fn ask(&self, node: u64, kind: u8, message: Bytes, _within: Duration) -> BoxFuture<'_, Option<Bytes>> {
        Box::pin(async move {
            tokio::time::sleep(self.net.one_way * 2).await;
            let there = self.net.holdings.lock().unwrap().get(&node).cloned();
            if self.net.is_cut(self.node) || self.net.is_cut(node) {
                return None;
            }
            there?.answer(kind, &message).await
        })
    }
}

struct Node {
    admission: Arc<Admission>,
    net: Arc<Net>,
    id: u64,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
    metrics: UsageMetrics,
}

static NONCE: AtomicU8 = AtomicU8::new(1);

impl Node {
    fn start(net: &Arc<Net>, id: u64, dir: &TempDir) -> Self {
        Self::start_on(net, id, dir, [9; 16])
    }

    fn start_on(net: &Arc<Net>, id: u64, dir: &TempDir, machine: [u8; 16]) -> Self {
        let metrics = UsageMetrics::new(&mut prometheus_client::registry::Registry::default());
        let clock = net.clone();
        let options = UsageOptions {
            node: id,
            directory: dir.path().join(format!("node-{id}")),
            machine,
            nonce: [NONCE.fetch_add(1, Ordering::Relaxed); 16],
            clock: Arc::new(move || clock.now()),
            books: None,
        };
        let links = Arc::new(NodeLinks { net: net.clone(), node: id });
        let agent = Agent::open(options, links, metrics.clone()).unwrap();
        net.holdings.lock().unwrap().insert(id, agent.holding());
        let (stop, stopping) = watch::channel(false);
        let admission = agent.admission();
        let task = tokio::spawn(agent.run(stopping));
        Self { admission, net: net.clone(), id, stop, task, metrics }
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
        self.net.holdings.lock().unwrap().remove(&self.id);
    }

    /// The process is gone without a word.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
        self.net.holdings.lock().unwrap().remove(&self.id);
    }

    async fn call(&self, quota: QuotaSpec) -> Verdict {
        self.admission.admit(&request("key", quota), self.net.now()).await
    }

    async fn admitted(&self, quota: QuotaSpec, tries: u64) -> u64 {
        let mut admitted = 0;
        for _ in 0..tries {
            admitted += u64::from(matches!(self.call(quota).await, Verdict::Admitted(_)));
        }
        admitted
    }

    /// The same where every call is to be decided: on a machine that is busy elsewhere a grant may come late.
    async fn decided(&self, quota: QuotaSpec, tries: u64) -> u64 {
        let mut admitted = 0;
        for _ in 0..tries {
            eventually("a decision", async || match self.call(quota).await {
                Verdict::Unavailable => false,
                verdict => {
                    admitted += u64::from(matches!(verdict, Verdict::Admitted(_)));
                    true
                }
            })
            .await;
        }
        admitted
    }
}

fn quota(limit: u64, seq: u64) -> QuotaSpec {
    QuotaSpec { limit, offset: 0, period: PeriodKind::Day, created_ms: 0, seq }
}

fn request(key: &str, quota: QuotaSpec) -> AdmitRequest<'_> {
    let (plan_throttle, stage_throttle, account_throttle) = (None, None, None);
    AdmitRequest { key, plan: "plan", quota: Some(quota), plan_throttle, stage_throttle, account_throttle }
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < until, "not in 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_of_three_can_use_a_small_quota_to_the_last_request() {
    let (net, dir) = (Net::new(10), TempDir::new().unwrap());
    let nodes: Vec<Node> = (1..=3).map(|id| Node::start(&net, id, &dir)).collect();
    assert_eq!(nodes[1].admitted(quota(10, 1), 10).await, 10);
    for node in &nodes {
        assert_eq!(node.call(quota(10, 1)).await, Verdict::QuotaExceeded, "node {}", node.id);
    }
    let began = Instant::now();
    assert_eq!(nodes[1].admitted(quota(10, 1), 1_000).await, 0);
    assert!(began.elapsed() < Duration::from_secs(2), "an exhausted quota is refused from memory");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_together_use_exactly_the_quota() {
    for limit in [1, 10, 333] {
        let (net, dir) = (Net::new(10), TempDir::new().unwrap());
        let nodes: Vec<Arc<Node>> = (1..=3).map(|id| Arc::new(Node::start(&net, id, &dir))).collect();
        let mut tasks = Vec::new();
        for client in 0..12usize {
            let node = nodes[client % 3].clone();
            tasks.push(tokio::spawn(async move { node.admitted(quota(limit, 1), limit / 4 + 3).await }));
        }
        let mut admitted = 0;
        for task in tasks {
            admitted += task.await.unwrap();
        }
        assert!(admitted <= limit, "{admitted} of {limit}");
        // What a crowd at the end was refused for want of time is still there to be used.
        eventually("the rest can be used", async || {
            admitted += nodes[0].admitted(quota(limit, 1), 1).await;
            admitted == limit
        })
        .await;
        assert_eq!(nodes[2].admitted(quota(limit, 1), 20).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_request_uses_no_quota_and_gives_its_tokens_back() {
    let (net, dir) = (Net::new(1), TempDir::new().unwrap());
    let node = Node::start(&net, 1, &dir);
    let slow = Throttle::new(0.000_1, 2).unwrap();
    let wide = Throttle::new(0.000_1, 5).unwrap();
    let ask = |key| AdmitRequest {
        plan_throttle: Some(ThrottleSpec { bucket: "plan", throttle: wide }),
        stage_throttle: Some(ThrottleSpec { bucket: "stage", throttle: slow }),
        account_throttle: Some(ThrottleSpec { bucket: "account", throttle: wide }),
        ..request(key, quota(3, 1))
    };
    for _ in 0..2 {
        let verdict = node.admission.admit(&ask("key"), net.now()).await;
        assert!(matches!(verdict, Verdict::Admitted(_)), "{verdict:?}");
    }
    for _ in 0..50 {
        assert_eq!(node.admission.admit(&ask("key"), net.now()).await, Verdict::Throttled(Level::Stage));
    }
    // Another stage: the plan's bucket has lost two tokens only, the quota two requests only.
    let other = |key| AdmitRequest { stage_throttle: None, ..ask(key) };
    assert!(matches!(node.admission.admit(&other("key"), net.now()).await, Verdict::Admitted(_)));
    assert_eq!(node.admission.admit(&other("key"), net.now()).await, Verdict::QuotaExceeded);
    // The account's bucket is shared by keys: three of five are gone; two refused by quota or stage gave theirs back.
    for _ in 0..2 {
        assert!(matches!(node.admission.admit(&other("second"), net.now()).await, Verdict::Admitted(_)));
    }
    assert_eq!(node.admission.admit(&other("second"), net.now()).await, Verdict::Throttled(Level::Account));
    let free = AdmitRequest { quota: None, plan_throttle: None, account_throttle: None, ..other("") };
    assert_eq!(node.admission.try_admit(&free, net.now()), Some(Verdict::Admitted(Ticket { period: None })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_never_lets_the_quota_be_exceeded_and_holds_nothing_offline() {
    let (net, dir) = (Net::new(2), TempDir::new().unwrap());
    let limit = 200;
    let other = Node::start(&net, 2, &dir);
    let mut admitted = other.admitted(quota(limit, 1), 20).await;
    for round in 0..4 {
        let machine = [round / 2 + 1; 16];
        let node = Node::start_on(&net, 1, &dir, machine);
        admitted += node.admitted(quota(limit, 1), 20).await;
        node.kill().await;
    }
    net.leaderless.store(true, Ordering::Relaxed);
    let node = Node::start(&net, 1, &dir);
    assert_eq!(node.call(quota(limit, 1)).await, Verdict::Unavailable, "offline it holds nothing");
    let began = Instant::now();
    assert_eq!(node.admitted(quota(limit, 1), 100).await, 0);
    assert!(began.elapsed() < Duration::from_secs(1), "only the first waits in vain");
    net.leaderless.store(false, Ordering::Relaxed);
    eventually("the quota is used up", async || {
        admitted += node.admitted(quota(limit, 1), 10).await + other.admitted(quota(limit, 1), 10).await;
        assert!(admitted <= limit, "{admitted} of {limit}");
        node.call(quota(limit, 1)).await == Verdict::QuotaExceeded
    })
    .await;
    assert!(admitted <= limit && admitted > limit / 2, "{admitted} of {limit}");
    assert_eq!(node.metrics.forfeits.get(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clean_stop_loses_nothing() {
    let (net, dir) = (Net::new(2), TempDir::new().unwrap());
    let mut admitted = 0;
    for round in 0..5 {
        let node = Node::start(&net, 1 + round % 2, &dir);
        admitted += node.admitted(quota(100, 1), 15).await;
        node.stop().await;
        let ledger = net.ledger.lock().unwrap();
        let (_, row) = ledger.books().escrows().next().unwrap();
        assert_eq!((row.outstanding(), row.used()), (u128::from(admitted), admitted), "all unused rights came back");
    }
    let node = Node::start(&net, 7, &dir);
    admitted += node.admitted(quota(100, 1), 60).await;
    assert_eq!(admitted, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_limits_hold_at_once_on_nodes_that_know_them() {
    let (net, dir) = (Net::new(2), TempDir::new().unwrap());
    let nodes: Vec<Node> = (1..=2).map(|id| Node::start(&net, id, &dir)).collect();
    assert_eq!(nodes[0].decided(quota(10, 5), 12).await, 10);
    // Raised: the refusal ends.
    assert_eq!(nodes[0].decided(quota(15, 6), 8).await, 5);
    assert_eq!(nodes[1].decided(quota(15, 6), 1).await, 0);
    // A worker with an older plan does not bring the old limit back.
    assert_eq!(nodes[0].call(quota(10, 5)).await, Verdict::QuotaExceeded);
    assert_eq!(nodes[0].decided(quota(1_000, 7), 50).await, 50);
    // Lowered below what was granted: what is unused goes back.
    eventually("the lowered limit holds", async || nodes[0].call(quota(66, 8)).await == Verdict::QuotaExceeded).await;
    assert_eq!(nodes[0].decided(quota(66, 8), 20).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_is_read_fresh_and_extended() {
    let (net, dir) = (Net::new(2), TempDir::new().unwrap());
    let nodes: Vec<Node> = (1..=2).map(|id| Node::start(&net, id, &dir)).collect();
    let links = NodeLinks { net: net.clone(), node: 2 };
    let today = period::day_of(DAY);
    let keys = ["key".to_owned(), "never".to_owned()];
    let read = async |limit: u64| {
        let quota = quota(limit, 1);
        let days = (today - 1, today + 1);
        query::usage_of(&links, "plan", &keys, Some(&quota), days, DAY + 2_000).await.unwrap()
    };
    assert_eq!(nodes[0].admitted(quota(50, 1), 7).await, 7);
    assert_eq!(nodes[1].admitted(quota(50, 1), 4).await, 4);
    let usage = read(50).await;
    assert_eq!(usage.values["key"], [(0, 50), (11, 39), (0, 50)]);
    assert_eq!(usage.values["never"], [(0, 50); 3]);
    assert!(usage.unreachable.is_empty());
    // UpdateUsage sets what remains, up or down; a retry does not add.
    for remaining in [3, 3] {
        query::extend(&links, "plan", "key", &quota(50, 1), remaining, DAY, [7; 16]).await.unwrap();
    }
    assert_eq!(read(50).await.values["key"][1], (11, 3));
    eventually("three more", async || {
        let more = nodes[0].admitted(quota(50, 1), 5).await + nodes[1].admitted(quota(50, 1), 5).await;
        assert!(more <= 3);
        read(50).await.values["key"][1] == (14, 0)
    })
    .await;
    query::extend(&links, "plan", "key", &quota(50, 1), 100, DAY, [8; 16]).await.unwrap();
    assert_eq!(read(50).await.values["key"][1], (14, 100));
    eventually("use again", async || nodes[1].admitted(quota(50, 1), 1).await == 1).await;
    net.cut.lock().unwrap().insert(1);
    nodes[0].admitted(quota(50, 1), 1).await;
    let long = query::usage_of(&links, "plan", &keys, None, (0, 90), DAY).await;
    assert_eq!(long, Err(UsageError::Days));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_period_begins_with_a_whole_quota_and_the_old_one_settles() {
    let (net, dir) = (Net::new(2), TempDir::new().unwrap());
    let node = Node::start(&net, 1, &dir);
    assert_eq!(node.admitted(quota(5, 1), 7).await, 5);
    net.time_ms.store(DAY + period::DAY_MS, Ordering::Relaxed);
    assert_eq!(node.admitted(quota(5, 1), 7).await, 5);
    // A clock that goes back finds the old period as it was.
    net.time_ms.store(DAY + 5, Ordering::Relaxed);
    assert_eq!(node.admitted(quota(5, 1), 3).await, 0);
    let links = NodeLinks { net: net.clone(), node: 1 };
    let today = period::day_of(DAY);
    eventually("both days are told", async || {
        let quota = quota(5, 1);
        let usage = query::usage_of(&links, "plan", &["key".into()], Some(&quota), (today, today + 1), DAY).await;
        usage.unwrap().values["key"] == [(5, 0), (5, 0)]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copied_data_directory_is_fenced_and_forfeits() {
    let (net, dir) = (Net::new(2), TempDir::new().unwrap());
    let first = Node::start(&net, 1, &dir);
    assert_eq!(first.admitted(quota(1_000, 1), 10).await, 10);
    let copy = TempDir::new().unwrap();
    std::fs::create_dir_all(copy.path().join("node-1")).unwrap();
    let name = "node-1/usage.journal";
    std::fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
    let clone = Node::start(&net, 1, &copy);
    clone.admitted(quota(1_000, 1), 5).await;
    eventually("the first is fenced", async || {
        first.admitted(quota(1_000, 1), 1).await;
        first.metrics.reports.get_or_create(&crate::observe::usage::OutcomeLabels { outcome: "fenced" }).get() > 0
    })
    .await;
    eventually("its rights are forfeited", async || {
        first.admitted(quota(1_000, 1), 1).await;
        first.metrics.forfeits.get() > 0
    })
    .await;
}

#[test]
fn entries_that_are_none_and_hostile_numbers_leave_the_invariant_alone() {
    let mut ledger = Ledger::new();
    assert_eq!(decode::<wire::Reply>(&ledger.apply(1, b"\x01nonsense", &mut Vec::new())).unwrap(), wire::Reply::Bad);
    let hello = wire::Hello { node: 1, boot: u64::MAX, nonce: [1; 16], forfeit: true };
    let reply = decode(&ledger.apply(2, &encode(&Command::Hello(hello)), &mut Vec::new())).unwrap();
    let wire::Reply::Hello { inc, .. } = reply else { panic!("{reply:?}") };
    let who = wire::PlanKey { plan: "\0'\"🗝".into(), key: "".into() };
    let hostile = [0, 1, 1 << 63, u64::MAX];
    for limit in hostile {
        for (x, want, u) in hostile.iter().flat_map(|x| hostile.iter().map(move |w| (*x, *w, x ^ w))) {
            let period = Period { start_day: i32::MAX, kind: PeriodKind::Month };
            let slot = wire::SlotId { who: who.clone(), period };
            let days = vec![(i32::MIN, u), (i32::MAX, x)];
            let item = wire::Item { slot: slot.clone(), days, fresh: false, x, want, limit, seq: limit };
            let report = wire::Report { node: 1, inc, time_ms: i64::MIN, items: vec![item] };
            ledger.run(Command::Tick(vec![report]), &mut Vec::new());
            let adjust = wire::Adjust {
                id: [x as u8; 16],
                slot: slot.clone(),
                remaining: u,
                day: 0,
                used: vec![(1, u)],
                limit,
                seq: x,
            };
            ledger.run(Command::Adjust(adjust), &mut Vec::new());
            let row = ledger.books().escrow(&slot).unwrap();
            assert!(row.holders.iter().all(|(_, h)| h.u <= h.g - h.x), "{row:?}");
        }
    }
    assert_eq!(ledger.books().overshoot, 0);
    let mut other = Ledger::new();
    for (key, value) in ledger.pin() {
        other.load(&key, &value).unwrap();
    }
    assert!(other.pin().eq(ledger.pin()));
}
