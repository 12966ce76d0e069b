//! Opens the groups over files, tokio and QUIC. Everything of a group runs on the peers endpoint's runtime, where no
//! visitor's work runs (foundations §4.2), whichever runtime a handle is used from.

use super::config_host::{Cells, ConfigHost, ConfigShare};
use super::evaluator::Nature;
use super::handle::{ConfigCore, GroupCore, UsageCore};
use super::peer::{Inbox, PeerDoor, Transport};
use super::start::{Replica, SNAPSHOT_EVERY, start};
use super::store::open_directory;
use super::types::Live;
use super::usage_host::{UsageHost, UsageShare};
use super::world_machine::WorldMachine;
use super::{
    BoxFuture, CONFIG, Call, ClusterError, ConfigGroup, Done, Evaluate, GroupOptions, GroupStatus, Machine,
    MemberChange, OpenError, Stamp, USAGE, UsageGroup, Wait,
};
use crate::observe::cluster::ClusterMetrics;
use crate::state::World;
use arc_swap::ArcSwap;
use bytes::Bytes;
use std::{
    future::Future,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{runtime::Handle, sync::watch};

impl ConfigGroup {
    /// Opens this node's replica of the `config` group and starts it.
    ///
    /// # Errors
    /// When the directory belonged to a replica that lost its log, to another replica, or is damaged.
    pub async fn open(
        door: &Arc<PeerDoor>,
        options: GroupOptions,
        evaluate: Arc<dyn Evaluate>,
    ) -> Result<Self, OpenError> {
        let world: Arc<ArcSwap<World>> = Arc::default();
        let (sender, applied) = watch::channel(0);
        let machine = Box::new(WorldMachine::new(world.clone(), sender));
        let (activation, runtime) = (options.activation, door.net().runtime().clone());
        let replica = replica(door, options, CONFIG, "config", machine).await?;
        let cells = Cells { world: world.clone(), applied: applied.clone() };
        let door_there = door.clone();
        let host = on(&runtime, async move {
            let host = ConfigHost::<Live>::start(start(replica).await?, &cells, evaluate, Arc::new(Earth), activation);
            door_there.admit(CONFIG, host.clone());
            Ok::<_, OpenError>(host)
        })
        .await??;
        let activated = host.activated();
        let core = OnRuntime { runtime, door: door.clone(), group: CONFIG, core: Arc::new(ConfigShare(host)) };
        Ok(Self { core: Arc::new(core), world, applied, activated })
    }
}

impl UsageGroup {
    /// Opens this node's replica of the `usage` group and starts it.
    ///
    /// # Errors
    /// When the directory belonged to a replica that lost its log, to another replica, or is damaged.
    pub async fn open(
        door: &Arc<PeerDoor>,
        options: GroupOptions,
        machine: Box<dyn Machine>,
    ) -> Result<Self, OpenError> {
        let runtime = door.net().runtime().clone();
        let replica = replica(door, options, USAGE, "usage", machine).await?;
        let door_there = door.clone();
        let host = on(&runtime, async move {
            let host = UsageHost::<Live>::new(start(replica).await?);
            door_there.admit(USAGE, host.clone());
            Ok::<_, OpenError>(host)
        })
        .await??;
        let core = OnRuntime { runtime, door: door.clone(), group: USAGE, core: Arc::new(UsageShare(host)) };
        Ok(Self { core: Arc::new(core) })
    }
}

async fn on<T: Send + 'static>(
    runtime: &Handle,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, OpenError> {
    runtime.spawn(work).await.map_err(|cause| OpenError::Raft(cause.to_string()))
}

/// Opens the stores; loading a large World takes a while, and must not hold up the peers' thread.
async fn replica(
    door: &Arc<PeerDoor>,
    options: GroupOptions,
    group: u8,
    name: &'static str,
    machine: Box<dyn Machine>,
) -> Result<Replica, OpenError> {
    let runtime = door.net().runtime();
    let GroupOptions { node_id, replica_id, opening, timing, .. } = options;
    let opened = runtime.spawn_blocking(move || open_directory(&options, group, name, machine)).await;
    let opened = opened.map_err(|cause| OpenError::Raft(cause.to_string()))??;
    let transport: Arc<dyn Transport> = door.clone();
    Ok(Replica {
        group,
        name,
        node_id,
        replica_id,
        opening,
        fresh: opened.fresh,
        timing,
        log: opened.log,
        state: opened.state,
        inbox: Inbox::Folder(opened.incoming),
        transport,
        snapshot_every: SNAPSHOT_EVERY,
    })
}

/// The system's clock and randomness.
struct Earth;

impl Nature for Earth {
    fn stamp(&self) -> Stamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut seed = [0; 16];
        if aws_lc_rs::rand::fill(&mut seed).is_err() {
            // Ids must differ, not be secret: the time of day to the nanosecond, once per evaluation, does that.
            seed = since.as_nanos().to_le_bytes();
        }
        Stamp { time_ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX), seed }
    }

    fn beside(&self, work: Box<dyn FnOnce() + Send>) {
        // Rare and long: a thread of its own. Without one the work is dropped, and the call is not answered in time.
        drop(std::thread::Builder::new().name("evaluator".into()).spawn(work));
    }
}

/// A core whose work runs on the group's runtime.
struct OnRuntime<T> {
    runtime: Handle,
    door: Arc<PeerDoor>,
    group: u8,
    core: Arc<T>,
}

impl<T> OnRuntime<T> {
    fn run<R: Send + 'static>(&self, work: BoxFuture<Result<R, ClusterError>>) -> BoxFuture<Result<R, ClusterError>> {
        let work = AbortOnDrop(self.runtime.spawn(work));
        Box::pin(async move {
            let mut work = work;
            (&mut work.0).await.unwrap_or_else(|cause| Err(ClusterError::Stopped(cause.to_string())))
        })
    }
}

/// Whoever no longer waits ends the work.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T: GroupCore + 'static> GroupCore for OnRuntime<T> {
    fn status(&self) -> GroupStatus {
        self.core.status()
    }

    fn change(&self, change: MemberChange, within: Duration) -> BoxFuture<Result<(), ClusterError>> {
        self.run(self.core.change(change, within))
    }

    fn read_barrier(&self, within: Duration) -> BoxFuture<Result<(), ClusterError>> {
        self.run(self.core.read_barrier(within))
    }

    fn compact(&self, within: Duration) -> BoxFuture<Result<u64, ClusterError>> {
        self.run(self.core.compact(within))
    }

    fn stop(&self) -> BoxFuture<()> {
        self.door.dismiss(self.group);
        let work = self.runtime.spawn(self.core.stop());
        Box::pin(async move { drop(work.await) })
    }
}

impl<T: ConfigCore + 'static> ConfigCore for OnRuntime<T> {
    fn propose(&self, call: Call, within: Duration, wait: Wait) -> BoxFuture<Result<Done, ClusterError>> {
        self.run(self.core.propose(call, within, wait))
    }

    fn activate(&self, index: u64) {
        self.core.activate(index);
    }

    fn measure(&self, metrics: ClusterMetrics) {
        self.core.measure(metrics);
    }
}

impl<T: UsageCore + 'static> UsageCore for OnRuntime<T> {
    fn propose(&self, command: Bytes, within: Duration) -> BoxFuture<Result<Bytes, ClusterError>> {
        self.run(self.core.propose(command, within))
    }
}
