//! Starts a replica: openraft over opened stores, with the timing and the limits that the foundations give.

use super::host::Host;
use super::peer::{Inbox, Network, Protocol, Transport};
use super::read::Reads;
use super::store::{LogStore, StateStore};
use super::types::{Member, Types};
use super::{OpenError, Opening, Timing};
use openraft::{Config, Raft, SnapshotPolicy, type_config::TypeConfigExt};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64},
    },
};

/// A replica's stores and its surroundings.
pub(crate) struct Replica {
    pub(crate) group: u8,
    pub(crate) name: &'static str,
    pub(crate) node_id: u64,
    pub(crate) replica_id: u64,
    pub(crate) opening: Opening,
    /// Whether the log has never held anything.
    pub(crate) fresh: bool,
    pub(crate) timing: Timing,
    pub(crate) log: LogStore,
    pub(crate) state: StateStore,
    pub(crate) inbox: Inbox,
    pub(crate) transport: Arc<dyn Transport>,
    /// A snapshot after so many entries.
    pub(crate) snapshot_every: u64,
}

/// What production takes between two snapshots.
pub(crate) const SNAPSHOT_EVERY: u64 = 10_000;

fn config(replica: &Replica) -> Config {
    let ms = |duration: std::time::Duration| super::peer::wire::millis(duration);
    Config {
        cluster_name: replica.name.into(),
        heartbeat_interval: ms(replica.timing.heartbeat),
        election_timeout_min: ms(replica.timing.election_min),
        election_timeout_max: ms(replica.timing.election_max),
        // Bytes are what limits a batch (the log's `limited_get_log_entries`); this only bounds tiny entries.
        max_payload_entries: 1024,
        // The transfer of a whole snapshot; links that make no progress break by themselves.
        install_snapshot_timeout: 3_600_000,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(replica.snapshot_every),
        replication_lag_threshold: replica.snapshot_every * 2,
        max_in_snapshot_log_to_keep: replica.snapshot_every,
        purge_batch_size: (replica.snapshot_every / 8).clamp(1, 256),
        backoff: "100ms 200ms 400ms ...2s".into(),
        // A restarted leader's applied state may be older than what it had answered.
        enable_leader_restore: Some(false),
        enable_pre_vote: Some(true),
        allow_log_reversion: Some(false),
        ..Config::default()
    }
}

/// Starts openraft and what watches it. Must run inside `C`'s runtime.
pub(crate) async fn start<C: Types>(replica: Replica) -> Result<Arc<Host<C>>, OpenError> {
    let raft_error = |cause: &dyn std::fmt::Display| OpenError::Raft(cause.to_string());
    let config = config(&replica).validate().map_err(|cause| raft_error(&cause))?;
    let network = Network::<C>::new(replica.transport.clone(), replica.group);
    let Replica { group, node_id, replica_id, timing, transport, .. } = replica;
    let raft = Raft::<C, StateStore>::new(replica_id, Arc::new(config), network, replica.log, replica.state)
        .await
        .map_err(|cause| raft_error(&cause))?;
    if replica.opening == Opening::Found && replica.fresh {
        let members = BTreeMap::from([(replica_id, Member { node_id })]);
        raft.initialize(members).await.map_err(|cause| raft_error(&cause))?;
    }
    let voters: Vec<u64> = raft.voter_ids().collect();
    if voters == [replica_id] && !replica.fresh {
        // Nobody else could be leading: no need to wait for a silence.
        raft.trigger().elect(false).await.map_err(|cause| raft_error(&cause))?;
    }
    let host = Arc::new(Host {
        group,
        node_id,
        replica_id,
        timing,
        protocol: Arc::new(Protocol::new(raft.clone(), replica_id, replica.inbox)),
        raft,
        transport,
        reads: Reads::default(),
        leader_changes: AtomicU64::new(0),
        changing: tokio::sync::Mutex::new(()),
        stopped: AtomicBool::new(false),
        led: Mutex::new((0, C::now())),
    });
    drop(C::spawn(host.clone().watch_leader()));
    Ok(host)
}
