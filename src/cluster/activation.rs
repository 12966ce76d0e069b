//! Which node serves what: nodes tell the leader, and answers to what touches serving wait for them (foundations §1.10).

use super::host::{Host, Place};
use super::peer::{kind, wire::Activated};
use super::types::Types;
use openraft::{
    async_runtime::{Instant, WatchReceiver},
    type_config::TypeConfigExt,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, watch};

const TRY_AGAIN: Duration = Duration::from_millis(200);
const REPORT: Duration = Duration::from_secs(2);

/// What every node serves, as far as this node was told.
#[derive(Default)]
pub(crate) struct Served {
    nodes: Mutex<BTreeMap<u64, u64>>,
    news: Notify,
}

impl Served {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, u64>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node serves this index now; after its restart it may be a lower one.
    pub(crate) fn note(&self, node_id: u64, index: u64) {
        self.lock().insert(node_id, index);
        self.news.notify_waiters();
    }

    /// Everything known.
    pub(crate) fn all(&self) -> BTreeMap<u64, u64> {
        self.lock().clone()
    }

    fn behind(&self, index: u64, live: &BTreeSet<u64>) -> Vec<u64> {
        let nodes = self.lock();
        live.iter().copied().filter(|node| nodes.get(node).is_none_or(|at| *at < index)).collect()
    }
}

impl<C: Types> Host<C> {
    /// Nodes that are expected to serve: those that answered lately; after an election, those that could not yet.
    fn live_nodes(&self) -> BTreeSet<u64> {
        let metrics = self.raft.metrics();
        let members = metrics.borrow_watched().membership_config.clone();
        let live = members.nodes().filter(|(replica, _)| self.answers(**replica) != Some(false));
        live.map(|(_, member)| member.node_id).collect()
    }

    /// Waits until every live node serves the index; who does not, when the time is up.
    pub(crate) async fn wait_served(&self, served: &Served, index: u64, at_most: Duration) -> Vec<u64> {
        let started = C::now();
        loop {
            let news = served.news.notified();
            let behind = served.behind(index, &self.live_nodes());
            let left = at_most.saturating_sub(started.elapsed());
            if behind.is_empty() || left.is_zero() {
                return behind;
            }
            // A node that falls silent is no news: look again now and then.
            drop(C::timeout(left.min(TRY_AGAIN), news).await);
        }
    }

    /// Tells whoever leads what this node serves, as long as the group runs here.
    pub(crate) async fn report_served(self: Arc<Self>, served: Arc<Served>, mut activated: watch::Receiver<u64>) {
        let mut metrics = self.raft.server_metrics();
        let mut told: Option<(Place, u64)> = None;
        loop {
            let index = *activated.borrow_and_update();
            served.note(self.node_id, index);
            let leader = self.leader();
            let failed = match leader {
                Some(Place::There(node)) if told != Some((Place::There(node), index)) => !self.tell(node, index).await,
                _ => false,
            };
            told = leader.filter(|_| !failed).map(|place| (place, index));
            let pause = if failed { TRY_AGAIN } else { Duration::from_secs(3600) };
            let news = C::select3(activated.changed(), metrics.changed(), C::sleep(pause)).await;
            match news {
                openraft::async_runtime::Select3::First(Err(_)) | openraft::async_runtime::Select3::Second(Err(_)) => {
                    return;
                }
                _ => {}
            }
        }
    }

    async fn tell(&self, node: u64, index: u64) -> bool {
        let Ok(frame) = (Activated { index }).encode() else { return false };
        self.transport.call(node, kind::ACTIVATED, self.group, frame, REPORT).await.is_ok()
    }
}
