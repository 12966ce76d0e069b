//! Nodes of one process: each has its socket, its thread, its replica of the `usage` group (or none) and its journal.

use arc_swap::ArcSwapOption;
use meridian::cluster::{
    Activation, GroupOptions, MemberChange, Opening, PeerDoor, Timing, UsageGroup, draw_replica_id,
};
use meridian::net::peer::{Identity, PeerConfig, PeerInfo, PeerNet, Roster, sim::Links};
use meridian::net::pki::{ClusterCa, NodeKey};
use meridian::observe::usage::UsageMetrics;
use meridian::usage::{
    Admission, AdmitRequest, Agent, Ledger, Now, PeerLinks, QuotaSpec, UsageOptions, Verdict, register,
};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tokio::sync::watch;

pub(crate) const LONG: Duration = Duration::from_secs(30);
const CLUSTER: &str = "testcluster";

pub(crate) type Clock = Arc<dyn Fn() -> Now + Send + Sync>;

struct Running {
    door: Arc<PeerDoor>,
    group: Arc<ArcSwapOption<UsageGroup>>,
    links: Arc<PeerLinks>,
    admission: Arc<Admission>,
    stop: watch::Sender<bool>,
    agent: tokio::task::JoinHandle<()>,
}

struct Node {
    id: u64,
    replica_id: u64,
    addr: SocketAddr,
    identity: Identity,
    directory: PathBuf,
    links: Arc<Links>,
    clock: Clock,
    running: Option<Running>,
}

pub(crate) struct Nodes {
    nodes: Vec<Node>,
    voters: u64,
    timing: Timing,
    roster: Arc<Roster>,
    _folder: TempDir,
}

fn utc_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn clock() -> Clock {
    let began = Instant::now();
    Arc::new(move || Now { mono_ns: u64::try_from(began.elapsed().as_nanos()).unwrap(), utc_ms: utc_ms() })
}

pub(crate) fn request(key: &str, quota: QuotaSpec) -> AdmitRequest<'_> {
    let (plan_throttle, stage_throttle, account_throttle) = (None, None, None);
    AdmitRequest { key, plan: "plan", quota: Some(quota), plan_throttle, stage_throttle, account_throttle }
}

/// Polls until there is something.
pub(crate) async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < LONG, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

impl Nodes {
    /// Nodes 1..=count, of which the first `voters` have a replica that votes.
    pub(crate) async fn start(count: u64, voters: u64, round_trip: Duration) -> Self {
        let ca = ClusterCa::create(CLUSTER, utc_ms()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (mut nodes, mut peers) = (Vec::new(), Vec::new());
        for id in 1..=count {
            let key = NodeKey::generate().unwrap();
            let identity = Identity {
                node_id: id,
                cluster_id: CLUSTER.into(),
                certificate: ca.sign(&key.csr().unwrap(), id, CLUSTER, utc_ms()).unwrap(),
                key: key.private_der(),
                ca: ca.certificate().clone(),
            };
            // A free port, which stays the node's over its restarts.
            let addr = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let (name, region) = (format!("node-{id}"), "us-east-1".into());
            peers.push(PeerInfo { id, name, region, addr, spki_sha256: key.spki_sha256() });
            let directory = folder.path().join(format!("node-{id}"));
            let (replica_id, links, clock) = (draw_replica_id().unwrap(), Links::new(id), clock());
            nodes.push(Node { id, replica_id, addr, identity, directory, links, clock, running: None });
        }
        for from in &nodes {
            for to in nodes.iter().filter(|to| to.id != from.id) {
                from.links.delay(to.addr, round_trip / 2);
            }
        }
        let (timing, roster) = (Timing::of(round_trip), Roster::new(peers));
        let mut nodes = Self { nodes, voters, timing, roster, _folder: folder };
        for id in 1..=count {
            nodes.open(id, if id == 1 { Opening::Found } else { Opening::Join }).await;
        }
        for id in 2..=voters {
            let (group, replica_id) = (nodes.group(1), nodes.node(id).replica_id);
            group.change(MemberChange::AddLearner { node_id: id, replica_id }, LONG).await.unwrap();
            group.change(MemberChange::Promote { node_id: id }, LONG).await.unwrap();
        }
        nodes
    }

    fn node(&self, id: u64) -> &Node {
        &self.nodes[usize::try_from(id).unwrap() - 1]
    }

    fn running(&self, id: u64) -> &Running {
        self.node(id).running.as_ref().expect("the node runs")
    }

    fn group(&self, id: u64) -> UsageGroup {
        UsageGroup::clone(&self.running(id).group.load_full().expect("the node has a replica"))
    }

    async fn open(&mut self, id: u64, opening: Opening) {
        let (timing, roster, voters) = (self.timing, self.roster.clone(), self.voters);
        let node = &mut self.nodes[usize::try_from(id).unwrap() - 1];
        let links = Some(node.links.clone());
        // Reports of the life before may hold the socket until they are given up.
        let net = until("the node's port", || {
            let (roster, links, identity) = (roster.clone(), links.clone(), node.identity.clone());
            PeerNet::bind(PeerConfig { listen: node.addr, identity, roster, links, runtime: None }).ok()
        })
        .await;
        let door = PeerDoor::new(net.clone());
        let ledger = Ledger::new();
        let books = Some(ledger.reader());
        let group = if id <= voters {
            let options = GroupOptions {
                directory: node.directory.join("usage"),
                node_id: id,
                replica_id: node.replica_id,
                opening,
                timing,
                activation: Activation::OnApply,
            };
            Some(UsageGroup::open(&door, options, Box::new(ledger)).await.unwrap())
        } else {
            None
        };
        let cell = Arc::new(ArcSwapOption::from(group.map(Arc::new)));
        let links = PeerLinks::new(net.clone(), cell.clone(), move || (1..=voters).collect());
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&draw_replica_id().unwrap().to_le_bytes());
        let (directory, clock) = (node.directory.join("journal"), node.clock.clone());
        let options = UsageOptions { node: id, directory, machine: [1; 16], nonce, clock, books };
        let metrics = UsageMetrics::new(&mut prometheus_client::registry::Registry::default());
        let agent = Agent::open(options, links.clone(), metrics).unwrap();
        register(&net, cell.clone(), &agent.holding());
        let admission = agent.admission();
        let stop = watch::Sender::new(false);
        let agent = tokio::spawn(agent.run(stop.subscribe()));
        node.running = Some(Running { door, group: cell, links, admission, stop, agent });
    }

    pub(crate) fn now(&self, id: u64) -> Now {
        (self.node(id).clock)()
    }

    pub(crate) fn admission(&self, id: u64) -> (Arc<Admission>, Clock) {
        (self.running(id).admission.clone(), self.node(id).clock.clone())
    }

    pub(crate) fn links(&self, id: u64) -> Arc<PeerLinks> {
        self.running(id).links.clone()
    }

    pub(crate) async fn call(&self, id: u64, key: &str, quota: QuotaSpec) -> Verdict {
        self.running(id).admission.admit(&request(key, quota), self.now(id)).await
    }

    pub(crate) fn leads(&self) -> Option<u64> {
        let groups = self.nodes.iter().filter_map(|node| node.running.as_ref()?.group.load_full());
        groups.map(|group| group.status()).find(|status| status.is_leader).map(|status| status.node_id)
    }

    pub(crate) async fn leader(&self) -> u64 {
        until("a leader", || self.leads()).await
    }

    /// The node is gone without a word to anybody.
    pub(crate) async fn kill(&mut self, id: u64) {
        let node = &mut self.nodes[usize::try_from(id).unwrap() - 1];
        let running = node.running.take().expect("the node runs");
        running.agent.abort();
        let _ = running.agent.await;
        for other in &self.nodes {
            other.links.cut(self.node(id).addr, true);
            self.node(id).links.cut(other.addr, true);
        }
        if let Some(group) = running.group.swap(None) {
            group.stop().await;
        }
        running.door.net().close().await;
    }

    pub(crate) async fn restart(&mut self, id: u64) {
        for other in &self.nodes {
            other.links.cut(self.node(id).addr, false);
            self.node(id).links.cut(other.addr, false);
        }
        self.open(id, Opening::Reopen).await;
    }

    pub(crate) async fn stop_all(mut self) {
        for node in &mut self.nodes {
            let Some(running) = node.running.take() else { continue };
            running.stop.send_replace(true);
            let _ = running.agent.await;
            if let Some(group) = running.group.swap(None) {
                group.stop().await;
            }
            running.door.net().close().await;
        }
    }
}
