//! What this node knows of the others, shared by probes, forwards and the members table.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{
    choose::{Candidate, Chooser, two_choices},
    health::{Health, NodeState},
    latency::Estimate,
    probe::Vitals,
};
use crate::{
    net::peer::PeerInfo,
    observe::edge::{EdgeMetrics, NodeLabels},
};

/// Sets of candidate regions that are remembered; beyond, all begin anew.
const CHOOSERS: usize = 4096;

/// Where a visit is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// In this node's own region.
    Here,
    /// In another region.
    There(Arc<str>),
    /// No node of any of the regions can be reached.
    Nowhere,
}

/// What is known of another node.
#[derive(Clone, Debug)]
pub struct NodeView {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: Arc<str>,
    /// Its state.
    pub state: NodeState,
    /// Round trip, peak-biased, ms.
    pub rtt_ms: Option<f64>,
    /// Visits of this node that are under way there.
    pub in_flight: u32,
    /// What it last said of itself.
    pub vitals: Option<Vitals>,
    /// Its clock minus ours, ms (half a round trip is assumed for the way back).
    pub clock_offset_ms: Option<i64>,
    /// Since its last answer.
    pub silent_for: Option<Duration>,
}

struct Node {
    info: PeerInfo,
    region: Arc<str>,
    estimate: Estimate,
    health: Health,
    in_flight: Arc<AtomicU32>,
    vitals: Option<Vitals>,
    clock_offset_ms: Option<i64>,
    heard: Option<Instant>,
}

/// Visits towards a region that are under way, and how many of them are second tries.
#[derive(Debug, Default)]
pub(super) struct Load {
    active: AtomicU32,
    retrying: AtomicU32,
}

impl Load {
    /// A fifth of what is under way may be second tries, three at least (replication §3.4).
    pub(super) fn may_retry(self: &Arc<Self>) -> Option<Counted> {
        let limit = (self.active.load(Ordering::Relaxed) / 5).max(3);
        (self.retrying.load(Ordering::Relaxed) < limit).then(|| Counted::new(self.clone(), |l| &l.retrying))
    }
}

/// Counts while it lives.
pub(super) struct Counted {
    load: Arc<Load>,
    which: fn(&Load) -> &AtomicU32,
}

impl Counted {
    fn new(load: Arc<Load>, which: fn(&Load) -> &AtomicU32) -> Self {
        which(&load).fetch_add(1, Ordering::Relaxed);
        Self { load, which }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.which)(&self.load).fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts a visit at its node and region while it lives.
pub(super) struct Flight {
    node: Arc<AtomicU32>,
    metrics: EdgeMetrics,
    _region: Counted,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.node.fetch_sub(1, Ordering::Relaxed);
        self.metrics.in_flight.dec();
    }
}

/// A node picked for a visit.
pub(super) struct Pick {
    pub(super) node: u64,
    pub(super) rtt: Duration,
    pub(super) load: Arc<Load>,
    pub(super) flight: Flight,
}

#[derive(Default)]
struct Table {
    nodes: BTreeMap<u64, Node>,
    loads: HashMap<Arc<str>, Arc<Load>>,
    choosers: HashMap<String, Chooser>,
}

/// The other nodes, as this one sees them.
pub struct Nodes {
    me: u64,
    region: Arc<str>,
    started: Instant,
    metrics: EdgeMetrics,
    table: Mutex<Table>,
    changes: watch::Sender<u64>,
    random: AtomicU64,
}

impl Nodes {
    /// Nobody known yet. `seed` feeds the drawing of lots.
    pub fn new(me: u64, region: &str, seed: u64, metrics: EdgeMetrics) -> Arc<Self> {
        Arc::new(Self {
            me,
            region: region.into(),
            started: Instant::now(),
            metrics,
            table: Mutex::default(),
            changes: watch::Sender::new(0),
            random: AtomicU64::new(seed),
        })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn draw(&self) -> u64 {
        let mut z = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// This node's region.
    pub fn region(&self) -> &Arc<str> {
        &self.region
    }

    /// Takes the roster over: newcomers are tried at once, who left is forgotten.
    pub fn sync(&self, roster: &[PeerInfo]) {
        let mut table = self.table();
        table.nodes.retain(|id, _| roster.iter().any(|p| p.id == *id));
        for info in roster.iter().filter(|p| p.id != self.me) {
            let node = table.nodes.entry(info.id).or_insert_with(|| Node {
                info: info.clone(),
                region: info.region.as_str().into(),
                estimate: Estimate::default(),
                health: Health::default(),
                in_flight: Arc::default(),
                vitals: None,
                clock_offset_ms: None,
                heard: None,
            });
            if node.info != *info {
                node.region = info.region.as_str().into();
                node.info = info.clone();
            }
        }
    }

    /// Changes one node's health, and wakes those who wait when its state became another.
    fn with(&self, id: u64, change: impl FnOnce(&mut Node, u64)) {
        let now = self.now_ms();
        let mut table = self.table();
        let Some(node) = table.nodes.get_mut(&id) else { return };
        let before = node.health.state();
        change(node, now);
        let after = node.health.state();
        if before != after {
            tracing::info!(node = id, name = %node.info.name, region = %node.info.region, ?before, ?after, "peer state");
            self.publish(node);
            drop(table);
            self.changes.send_modify(|v| *v += 1);
        }
    }

    fn publish(&self, node: &Node) {
        let labels = NodeLabels { node: node.info.id, region: node.info.region.clone() };
        if let Some(ms) = node.estimate.ms() {
            self.metrics.rtt_seconds.get_or_create(&labels).set(ms / 1000.0);
        }
        self.metrics.node_state.get_or_create(&labels).set(match node.health.state() {
            NodeState::Ok => 1,
            NodeState::Suspect => 0,
            NodeState::Down => -1,
            NodeState::Draining => 2,
        });
    }

    /// A probe came back.
    pub fn answered(&self, id: u64, rtt: Duration, vitals: Vitals, clock_offset_ms: i64) {
        self.with(id, |node, now| {
            node.estimate.observe(rtt, now);
            node.health.answered(vitals.draining, now);
            (node.vitals, node.clock_offset_ms) = (Some(vitals), Some(clock_offset_ms));
            node.heard = Some(Instant::now());
            self.publish(node);
        });
    }

    /// A probe did not come back.
    pub fn missed(&self, id: u64) {
        self.with(id, |node, _| {
            node.health.missed();
            let labels = NodeLabels { node: id, region: node.info.region.clone() };
            self.metrics.probe_misses.get_or_create(&labels).inc();
        });
    }

    pub(super) fn suspect(&self, id: u64) {
        self.with(id, |node, _| node.health.suspect());
    }

    pub(super) fn down(&self, id: u64) {
        self.with(id, |node, _| {
            node.health.down();
        });
    }

    pub(super) fn drains(&self, id: u64) {
        self.with(id, |node, _| node.health.drains());
    }

    pub(super) fn went(&self, id: u64, well: bool) {
        self.with(id, |node, now| if well { node.health.went_well() } else { node.health.failed(now) });
    }

    /// Wakes when the state of any node becomes another.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The state of a node; `None` for one that is not a member.
    pub fn state(&self, id: u64) -> Option<NodeState> {
        self.table().nodes.get(&id).map(|n| n.health.state())
    }

    /// All other nodes, by id.
    pub fn view(&self) -> Vec<NodeView> {
        let table = self.table();
        let view = |(id, n): (&u64, &Node)| NodeView {
            id: *id,
            name: n.info.name.clone(),
            region: n.region.clone(),
            state: n.health.state(),
            rtt_ms: n.estimate.ms(),
            in_flight: n.in_flight.load(Ordering::Relaxed),
            vitals: n.vitals.clone(),
            clock_offset_ms: n.clock_offset_ms,
            silent_for: n.heard.map(|at| at.elapsed()),
        };
        table.nodes.iter().map(view).collect()
    }

    /// Where a visit to an API that these regions serve goes: here when this region is one of them, else the nearest.
    pub fn choose(&self, regions: &[&str]) -> Choice {
        if regions.contains(&&*self.region) {
            return Choice::Here;
        }
        self.order(regions).into_iter().next().map_or(Choice::Nowhere, Choice::There)
    }

    /// The regions that can be reached: the chosen one, then the others by their round trip.
    pub(super) fn order(&self, regions: &[&str]) -> Vec<Arc<str>> {
        let (now, draw) = (self.now_ms(), (self.draw() >> 11) as f64 / (1u64 << 53) as f64);
        let mut table = self.table();
        let candidates: Vec<Candidate<'_>> = regions.iter().map(|r| table.candidate(r, now)).collect();
        if table.choosers.len() > CHOOSERS {
            table.choosers.clear();
        }
        let chooser = table.choosers.entry(regions.join(",")).or_default();
        let Some(first) = chooser.choose(&candidates, now, draw) else { return Vec::new() };
        let mut rest: Vec<&Candidate<'_>> =
            candidates.iter().enumerate().filter(|(i, c)| *i != first && c.usable).map(|(_, c)| c).collect();
        let score = |c: &Candidate<'_>| c.score_ms.unwrap_or(f64::INFINITY);
        rest.sort_by(|a, b| score(a).total_cmp(&score(b)));
        let names = std::iter::once(&candidates[first]).chain(rest).map(|c| Arc::from(c.region));
        names.collect()
    }

    /// A node of the region that was not tried yet, by power of two choices; suspects only when no other is left.
    pub(super) fn pick(&self, region: &Arc<str>, tried: &[u64]) -> Option<Pick> {
        let (now, draw) = (self.now_ms(), self.draw());
        let mut table = self.table();
        let load = table.loads.entry(region.clone()).or_default().clone();
        let of = |good: bool| -> Vec<&Node> {
            let fits = |n: &&Node| if good { n.health.good(now) } else { n.health.possible() };
            let here = table.nodes.values().filter(|n| n.region == *region && !tried.contains(&n.info.id));
            here.filter(fits).collect()
        };
        let mut nodes = of(true);
        if nodes.is_empty() {
            nodes = of(false);
        }
        let known: Vec<f64> = nodes.iter().filter_map(|n| n.estimate.ms()).collect();
        let median = middle(known);
        let cost =
            |n: &&Node| n.estimate.ms().unwrap_or(median).max(0.1) * f64::from(n.in_flight.load(Ordering::Relaxed) + 1);
        let costs: Vec<f64> = nodes.iter().map(cost).collect();
        let node = nodes[two_choices(&costs, draw)?];
        node.in_flight.fetch_add(1, Ordering::Relaxed);
        self.metrics.in_flight.inc();
        let flight = Flight {
            node: node.in_flight.clone(),
            metrics: self.metrics.clone(),
            _region: Counted::new(load.clone(), |l| &l.active),
        };
        let rtt = Duration::from_secs_f64(node.estimate.ms().unwrap_or(0.0) / 1000.0);
        Some(Pick { node: node.info.id, rtt, load, flight })
    }
}

impl Table {
    fn candidate<'a>(&self, region: &'a str, now: u64) -> Candidate<'a> {
        let nodes: Vec<&Node> = self.nodes.values().filter(|n| *n.region == *region).collect();
        let good: Vec<&&Node> = nodes.iter().filter(|n| n.health.good(now)).collect();
        let score = |n: &Node| Some(n.estimate.ms()? + n.vitals.as_ref().map_or(0.0, |v| f64::from(v.queue_ms)));
        let considered: Vec<f64> = if good.is_empty() {
            nodes.iter().filter(|n| n.health.possible()).filter_map(|n| score(n)).collect()
        } else {
            good.iter().filter_map(|n| score(n)).collect()
        };
        let steady = good.iter().any(|n| n.health.back_since_ms().is_none());
        Candidate {
            region,
            score_ms: considered.into_iter().min_by(f64::total_cmp),
            usable: nodes.iter().any(|n| n.health.possible()),
            back_since_ms: if steady { None } else { good.iter().filter_map(|n| n.health.back_since_ms()).min() },
        }
    }
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(50.0)
}
