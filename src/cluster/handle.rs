//! What the rooms above hold: cheap clones that work from any runtime.

use super::{Call, ClusterError, Done, GroupStatus, Wait};
use crate::observe::cluster::ClusterMetrics;
use crate::state::World;
use arc_swap::ArcSwap;
use bytes::Bytes;
use std::{future::Future, pin::Pin, sync::Arc, time::Duration};
use tokio::sync::watch;

/// A boxed future that may move between threads.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

/// A change of a group's membership. Each is refused where it would be unsafe, with the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberChange {
    /// A new replica follows, without a vote. Its id comes from [`draw_replica_id`].
    AddLearner {
        /// The node that holds it.
        node_id: u64,
        /// Its id in the group.
        replica_id: u64,
    },
    /// A node's replica gets a vote. Refused until it has caught up.
    Promote {
        /// The node.
        node_id: u64,
    },
    /// A node's replica loses its vote and goes on following.
    Demote {
        /// The node.
        node_id: u64,
    },
    /// A node's replica leaves the group; its id never comes back.
    Remove {
        /// The node.
        node_id: u64,
    },
    /// A node's replica is to lead.
    Transfer {
        /// The node.
        node_id: u64,
    },
}

/// A new replica id: 53 random bits, so that no id ever comes back and JSON can carry it.
///
/// # Errors
/// When the system gives no randomness.
pub fn draw_replica_id() -> Result<u64, ClusterError> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| ClusterError::Stopped("the system gives no randomness".into()))?;
    Ok((u64::from_le_bytes(bytes) >> 11).max(1))
}

/// What both groups can do; filled by the group's host.
pub(crate) trait GroupCore: Send + Sync {
    /// How the group stands, without waiting.
    fn status(&self) -> GroupStatus;
    /// Changes the membership, through the leader.
    fn change(&self, change: MemberChange, within: Duration) -> BoxFuture<Result<(), ClusterError>>;
    /// A linearizable read point: resolves once this node has applied what was committed when it was asked.
    fn read_barrier(&self, within: Duration) -> BoxFuture<Result<(), ClusterError>>;
    /// Takes a snapshot and forgets the log that it covers.
    fn compact(&self, within: Duration) -> BoxFuture<Result<u64, ClusterError>>;
    /// Stops the replica on this node, with everything durable.
    fn stop(&self) -> BoxFuture<()>;
}

/// What only the `config` group can do.
pub(crate) trait ConfigCore: GroupCore {
    /// Runs a call on the leader.
    fn propose(&self, call: Call, within: Duration, wait: Wait) -> BoxFuture<Result<Done, ClusterError>>;
    /// This node serves the index.
    fn activate(&self, index: u64);
    /// Where to count.
    fn measure(&self, metrics: ClusterMetrics);
}

/// What only the `usage` group can do.
pub(crate) trait UsageCore: GroupCore {
    /// Orders a command through the leader.
    fn propose(&self, command: Bytes, within: Duration) -> BoxFuture<Result<Bytes, ClusterError>>;
}

/// The group that everything configured lives in; on every node.
#[derive(Clone)]
pub struct ConfigGroup {
    pub(crate) core: Arc<dyn ConfigCore>,
    pub(crate) world: Arc<ArcSwap<World>>,
    pub(crate) applied: watch::Receiver<u64>,
    pub(crate) activated: watch::Receiver<u64>,
}

impl ConfigGroup {
    /// The World as this node has applied it. Never waits; may trail the leader's.
    #[must_use]
    pub fn world(&self) -> Arc<World> {
        self.world.load_full()
    }

    /// The World's cell, for readers that keep their own cached reference to it.
    #[must_use]
    pub fn world_cell(&self) -> Arc<ArcSwap<World>> {
        self.world.clone()
    }

    /// Runs a call on the leader, from any node, retrying while there is no leader, and gives the answer when `wait` is
    /// satisfied and this node has applied it too. Safe to retry with the same id, also after an error.
    ///
    /// # Errors
    /// [`ClusterError::IdReused`], [`ClusterError::TooLarge`], [`ClusterError::Unavailable`] at the end of `deadline`,
    /// [`ClusterError::Stopped`].
    pub async fn propose(&self, call: Call, deadline: Duration, wait: Wait) -> Result<Done, ClusterError> {
        self.core.propose(call, deadline, wait).await
    }

    /// Waits until this node's World holds everything that was answered anywhere before this was called, and says its
    /// index. Waiting readers share one round.
    ///
    /// # Errors
    /// [`ClusterError::Unavailable`] when no leader confirmed in time.
    pub async fn read_barrier(&self, deadline: Duration) -> Result<u64, ClusterError> {
        self.core.read_barrier(deadline).await?;
        Ok(self.world.load().seq())
    }

    /// Waits until this node serves the index.
    ///
    /// # Errors
    /// [`ClusterError::Behind`] at the end of `deadline`.
    pub async fn wait_activated(&self, index: u64, deadline: Duration) -> Result<u64, ClusterError> {
        let mut activated = self.activated.clone();
        let reached = tokio::time::timeout(deadline, activated.wait_for(|at| *at >= index)).await;
        match reached {
            Ok(Ok(at)) => Ok(*at),
            Ok(Err(_)) => Err(ClusterError::Stopped("the group is closed".into())),
            Err(_) => Err(ClusterError::Behind {
                wanted: index,
                reached: *self.activated.borrow(),
                waited_ms: u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
            }),
        }
    }

    /// The index ([`World::seq`]) of the World that [`ConfigGroup::world`] gives; wakes at each batch.
    #[must_use]
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.applied.clone()
    }

    /// The index that this node serves: what index headers speak of.
    #[must_use]
    pub fn activated(&self) -> watch::Receiver<u64> {
        self.activated.clone()
    }

    /// Says that this node serves everything up to `index`. Only where the group was opened with
    /// [`super::Activation::ByNode`]; otherwise applied is served.
    pub fn activate(&self, index: u64) {
        self.core.activate(index);
    }

    /// Counts calls and times commits from now on; the first caller's handles are kept.
    pub fn measure(&self, metrics: ClusterMetrics) {
        self.core.measure(metrics);
    }

    /// How the group stands.
    #[must_use]
    pub fn status(&self) -> GroupStatus {
        self.core.status()
    }

    /// Changes the membership, through the leader.
    ///
    /// # Errors
    /// [`ClusterError::Membership`] where it is refused, [`ClusterError::Unavailable`] without a leader.
    pub async fn change(&self, change: MemberChange, deadline: Duration) -> Result<(), ClusterError> {
        self.core.change(change, deadline).await
    }

    /// Takes a snapshot of what this node has applied and forgets the log that it covers; the snapshot's log index.
    /// Happens by itself every 10,000 entries.
    ///
    /// # Errors
    /// [`ClusterError::Stopped`] when it was not taken within `deadline`.
    pub async fn compact(&self, deadline: Duration) -> Result<u64, ClusterError> {
        self.core.compact(deadline).await
    }

    /// Stops the replica on this node, with everything durable.
    pub async fn stop(&self) {
        self.core.stop().await;
    }
}

/// The group of grants; on voters only.
#[derive(Clone)]
pub struct UsageGroup {
    pub(crate) core: Arc<dyn UsageCore>,
}

impl UsageGroup {
    /// Orders a command and gives the machine's reply; from any member, through the leader. It is tried again only where
    /// the leader provably did not order it: a command whose fate is unknown ends in an error, and the machine must bear
    /// its repetition.
    ///
    /// # Errors
    /// [`ClusterError::Unavailable`] at the end of `deadline`, or at once when the fate of the command is unknown.
    pub async fn propose(&self, command: Bytes, deadline: Duration) -> Result<Bytes, ClusterError> {
        self.core.propose(command, deadline).await
    }

    /// Waits until this node's machine holds everything that was answered anywhere before this was called.
    ///
    /// # Errors
    /// [`ClusterError::Unavailable`] when no leader confirmed in time.
    pub async fn read_barrier(&self, deadline: Duration) -> Result<(), ClusterError> {
        self.core.read_barrier(deadline).await
    }

    /// How the group stands.
    #[must_use]
    pub fn status(&self) -> GroupStatus {
        self.core.status()
    }

    /// Changes the membership, through the leader.
    ///
    /// # Errors
    /// [`ClusterError::Membership`] where it is refused, [`ClusterError::Unavailable`] without a leader.
    pub async fn change(&self, change: MemberChange, deadline: Duration) -> Result<(), ClusterError> {
        self.core.change(change, deadline).await
    }

    /// Stops the replica on this node, with everything durable.
    pub async fn stop(&self) {
        self.core.stop().await;
    }
}
