//! How a node reaches the usage group and other holders: a small trait, and its form over Raft and the peers network.

use super::wire::MOST_BYTES;
use crate::cluster::{USAGE, UsageGroup};
use crate::net::peer::{Lane, PeerNet, Unary, UnaryHandler, kind};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The two ways out. `None` means that nobody answered: the command may have been ordered, a charge may have been spent.
pub trait Links: Send + Sync + 'static {
    /// Orders a command in the usage group, by whoever can; commands bear repetition.
    fn order(&self, command: Bytes, within: Duration) -> BoxFuture<'_, Option<Bytes>>;
    /// Asks another node: `kind` is `USAGE_CHARGE` or `USAGE_PROBE`. Never tried twice.
    fn ask(&self, node: u64, kind: u8, message: Bytes, within: Duration) -> BoxFuture<'_, Option<Bytes>>;
}

/// Over the node's own replica of the group where it has one, else over a voter's.
pub struct PeerLinks {
    net: Arc<PeerNet>,
    group: Arc<ArcSwapOption<UsageGroup>>,
    /// Nodes that have a replica; kept by `node` from the World's rows.
    voters: Box<dyn Fn() -> Vec<u64> + Send + Sync>,
    /// The voter that answered last.
    last: AtomicU64,
}

impl PeerLinks {
    /// `group` is empty on a node without a replica (a learner of `config`), and may change while it runs.
    pub fn new(
        net: Arc<PeerNet>,
        group: Arc<ArcSwapOption<UsageGroup>>,
        voters: impl Fn() -> Vec<u64> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { net, group, voters: Box::new(voters), last: AtomicU64::new(0) })
    }

    async fn order_anywhere(&self, command: Bytes, within: Duration) -> Option<Bytes> {
        if let Some(group) = self.group.load_full() {
            return group.propose(command, within).await.ok();
        }
        let until = tokio::time::Instant::now() + within;
        let own = self.net.node_id();
        let mut voters: Vec<u64> = (self.voters)().into_iter().filter(|id| *id != own).collect();
        let last = self.last.load(Ordering::Relaxed);
        voters.sort_by_key(|id| (*id != last, self.net.rtt(*id).unwrap_or(Duration::MAX)));
        for voter in voters {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            if left.is_zero() {
                break;
            }
            let asked = self.net.call(voter, Lane::Raft, kind::USAGE_REPORT, USAGE, command.clone(), left).await;
            if let Ok(answer) = asked {
                self.last.store(voter, Ordering::Relaxed);
                return Some(answer);
            }
        }
        None
    }
}

impl Links for PeerLinks {
    fn order(&self, command: Bytes, within: Duration) -> BoxFuture<'_, Option<Bytes>> {
        Box::pin(self.order_anywhere(command, within))
    }

    fn ask(&self, node: u64, kind: u8, message: Bytes, within: Duration) -> BoxFuture<'_, Option<Bytes>> {
        Box::pin(async move { self.net.call(node, Lane::Raft, kind, USAGE, message, within).await.ok() })
    }
}

/// A voter orders the commands of nodes without a replica.
struct Orders {
    group: Arc<ArcSwapOption<UsageGroup>>,
}

/// How long a voter tries for another node.
const ORDER_WITHIN: Duration = Duration::from_secs(2);

impl UnaryHandler for Orders {
    fn call(&self, _from: u64, group: u8, payload: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let replica = self.group.load_full();
        Box::pin(async move {
            if group != USAGE {
                return Err("not the usage group".into());
            }
            let replica = replica.ok_or("this node has no replica of the usage group")?;
            replica.propose(payload, ORDER_WITHIN).await.map_err(|error| error.to_string())
        })
    }
}

/// Answers charges and probes.
struct Holders {
    home: Arc<super::agent::Holding>,
    kind: u8,
}

impl UnaryHandler for Holders {
    fn call(&self, _from: u64, _group: u8, payload: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let (home, kind) = (self.home.clone(), self.kind);
        Box::pin(async move { home.answer(kind, &payload).await.ok_or_else(|| "not a usage message".into()) })
    }
}

/// Registers this room's kinds: every node answers charges and probes, a voter also orders for others. Empty `group`
/// before the endpoint is closed: it reaches the endpoint, which holds the handlers.
pub fn register(net: &PeerNet, group: Arc<ArcSwapOption<UsageGroup>>, holding: &Arc<super::agent::Holding>) {
    let limit = MOST_BYTES as usize + 1;
    net.register(kind::USAGE_REPORT, Unary::new(Arc::new(Orders { group }), limit));
    for kind in [kind::USAGE_CHARGE, kind::USAGE_PROBE] {
        net.register(kind, Unary::new(Arc::new(Holders { home: holding.clone(), kind }), limit));
    }
}
