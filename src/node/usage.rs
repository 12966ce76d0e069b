//! The usage room on a node: its agent, its replica of the group where it votes, and the way to GetUsage.

use super::NodeError;
use super::home::{Home, Identity};
use crate::catalog::cluster::{Node, NodeRole};
use crate::cluster::{ConfigGroup, GroupOptions, PeerDoor, UsageGroup};
use crate::net::peer::PeerNet;
use crate::observe::usage::UsageMetrics;
use crate::state::Scope;
use crate::usage::{Admission, Agent, Ledger, Now, PeerLinks, UsageOptions, register};
use arc_swap::ArcSwapOption;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Both clocks, as usage counts.
pub(super) type UsageClock = Arc<dyn Fn() -> Now + Send + Sync>;

/// The usage room of this node.
pub(super) struct UsageSide {
    /// This node's replica, while it votes.
    group: Arc<ArcSwapOption<UsageGroup>>,
    seen: watch::Sender<Option<UsageGroup>>,
    ledger: Mutex<Option<Ledger>>,
    door: Arc<PeerDoor>,
    pub(super) links: Arc<PeerLinks>,
    pub(super) admission: Arc<Admission>,
    stop: watch::Sender<bool>,
    agent: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

/// What survives a crash of the process but not of the machine: its boot id.
fn boot_id() -> [u8; 16] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    super::hex::decode(&digits).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default()
}

impl UsageSide {
    /// Opens the journal and starts the agent.
    pub(super) fn start(
        home: &Home,
        identity: &Identity,
        peers: &Arc<PeerNet>,
        door: &Arc<PeerDoor>,
        config: &ConfigGroup,
        clock: UsageClock,
        metrics: UsageMetrics,
    ) -> Result<Arc<Self>, NodeError> {
        let group: Arc<ArcSwapOption<UsageGroup>> = Arc::default();
        let world = config.world_cell();
        let voters = move || {
            let rows = world.load().list::<Node>(&Scope::cluster(), "").unwrap_or_default();
            let votes = |node: &Node| node.role == NodeRole::Voter && node.usage_replica != 0;
            rows.into_iter().map(|(_, node)| node).filter(votes).map(|node| node.id).collect()
        };
        let links = PeerLinks::new(peers.clone(), group.clone(), voters);
        let ledger = Ledger::new();
        let options = UsageOptions {
            node: identity.node_id,
            directory: home.path("journal"),
            machine: boot_id(),
            nonce: super::arrive::random()?,
            clock,
            books: Some(ledger.reader()),
        };
        let failed = |cause| NodeError::System { what: "the usage journal cannot be opened", cause };
        let agent = Agent::open(options, links.clone(), metrics).map_err(failed)?;
        register(peers, group.clone(), &agent.holding());
        let admission = agent.admission();
        let stop = watch::Sender::new(false);
        let running = tokio::spawn(agent.run(stop.subscribe()));
        Ok(Arc::new(Self {
            group,
            seen: watch::Sender::new(None),
            ledger: Mutex::new(Some(ledger)),
            door: door.clone(),
            links,
            admission,
            stop,
            agent: Mutex::new(Some(running)),
        }))
    }

    /// This node's replica as it comes and goes.
    pub(super) fn watch(&self) -> watch::Receiver<Option<UsageGroup>> {
        self.seen.subscribe()
    }

    /// Opens this node's replica.
    pub(super) async fn open(&self, options: GroupOptions) -> Result<(), NodeError> {
        // The first replica's books are those that metrics read; a later one begins with new books.
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
        let group = UsageGroup::open(&self.door, options, Box::new(ledger)).await?;
        self.group.store(Some(Arc::new(group.clone())));
        self.seen.send_replace(Some(group));
        Ok(())
    }

    /// Stops this node's replica: it votes no more.
    pub(super) async fn close(&self) {
        self.seen.send_replace(None);
        if let Some(group) = self.group.swap(None) {
            group.stop().await;
        }
    }

    /// Gives unused rights back, then stops.
    pub(super) async fn stop(&self) {
        self.stop.send_replace(true);
        let agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(agent) = agent {
            let _ = tokio::time::timeout(std::time::Duration::from_secs(3), agent).await;
        }
        self.close().await;
    }
}
