//! What the walk needs of replication; filled by the config group, and by a World in memory under test.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::cluster::{Call, ClusterError, ConfigGroup, Done, Wait};
use crate::state::World;

/// Propose, read, wait.
pub trait Replica: Send + Sync {
    /// The World as this node has applied it.
    fn world(&self) -> Arc<World>;
    /// The index that this node serves.
    fn activated(&self) -> u64;
    /// Runs a call on the leader.
    fn propose(&self, call: Call, deadline: Duration, wait: Wait) -> BoxFuture<'_, Result<Done, ClusterError>>;
    /// Waits until this node holds all that was answered before.
    fn read_barrier(&self, deadline: Duration) -> BoxFuture<'_, Result<u64, ClusterError>>;
    /// Waits until this node serves an index.
    fn wait_activated(&self, index: u64, deadline: Duration) -> BoxFuture<'_, Result<u64, ClusterError>>;
}

impl Replica for ConfigGroup {
    fn world(&self) -> Arc<World> {
        ConfigGroup::world(self)
    }

    fn activated(&self) -> u64 {
        *ConfigGroup::activated(self).borrow()
    }

    fn propose(&self, call: Call, deadline: Duration, wait: Wait) -> BoxFuture<'_, Result<Done, ClusterError>> {
        Box::pin(ConfigGroup::propose(self, call, deadline, wait))
    }

    fn read_barrier(&self, deadline: Duration) -> BoxFuture<'_, Result<u64, ClusterError>> {
        Box::pin(ConfigGroup::read_barrier(self, deadline))
    }

    fn wait_activated(&self, index: u64, deadline: Duration) -> BoxFuture<'_, Result<u64, ClusterError>> {
        Box::pin(ConfigGroup::wait_activated(self, index, deadline))
    }
}
