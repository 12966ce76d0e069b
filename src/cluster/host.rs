//! One replica on this node: what both groups have in common.

use super::peer::{Protocol, Transport, wire::Again};
use super::read::Reads;
use super::store::StateStore;
use super::types::Types;
use super::{ClusterError, GroupStatus, MemberStatus, Role, Timing};
use openraft::{
    LogIdOptionExt, Raft, ServerState,
    async_runtime::{Instant, Select2, WatchReceiver},
    type_config::TypeConfigExt,
    type_config::alias::InstantOf,
};
use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(800);

/// A replica, and the ways of its node to the group's leader.
pub(crate) struct Host<C: Types> {
    pub(crate) group: u8,
    pub(crate) node_id: u64,
    pub(crate) replica_id: u64,
    pub(crate) timing: Timing,
    pub(crate) raft: Raft<C, StateStore>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) protocol: Arc<Protocol<C>>,
    pub(crate) reads: Reads,
    pub(crate) leader_changes: AtomicU64,
    pub(crate) changing: tokio::sync::Mutex<()>,
    pub(crate) stopped: AtomicBool,
    /// The newest term that this node led, and since when.
    pub(crate) led: Mutex<(u64, InstantOf<C>)>,
}

/// Where a question for the leader goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// This node leads.
    Here,
    /// That node leads, as far as is known.
    There(u64),
}

/// What one attempt at the leader came to.
pub(crate) enum Attempt<T> {
    /// Answered.
    Answer(T),
    /// Not there, or not now.
    Again(Again),
}

pub(crate) fn again(why: impl ToString) -> Again {
    Again { leader: None, why: why.to_string() }
}

/// News from Raft; none ever when it has stopped, so that nobody spins on it.
async fn news_of<E>(changed: impl Future<Output = Result<(), E>>) {
    if changed.await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl<C: Types> Host<C> {
    /// Who leads, as far as this node knows.
    pub(crate) fn leader(&self) -> Option<Place> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let replica = metrics.current_leader?;
        if replica == self.replica_id {
            return (metrics.state == ServerState::Leader).then_some(Place::Here);
        }
        metrics.membership_config.get_node(&replica).map(|member| Place::There(member.node_id))
    }

    fn leader_node(&self) -> Option<u64> {
        self.leader().map(|place| match place {
            Place::Here => self.node_id,
            Place::There(node) => node,
        })
    }

    /// What a node that does not lead answers.
    pub(crate) fn elsewhere(&self, why: impl ToString) -> Again {
        let leader = self.leader_node().filter(|leader| *leader != self.node_id);
        Again { leader, why: why.to_string() }
    }

    /// Resolves when this node learns of another leader than `place`.
    async fn leader_leaves(&self, place: Place) {
        let mut metrics = self.raft.server_metrics();
        loop {
            match self.leader() {
                Some(leader) if leader != place => return,
                _ => news_of(metrics.changed()).await,
            }
        }
    }

    /// Asks the leader, again and again, until it answers or the time is up. `ask` must bear repetition.
    pub(crate) async fn at_leader<T, F, A>(&self, within: Duration, mut ask: F) -> Result<T, ClusterError>
    where
        F: FnMut(Place, Duration) -> A + Send,
        A: Future<Output = Result<Attempt<T>, ClusterError>> + Send,
        T: Send,
    {
        let started = C::now();
        let mut pause = FIRST_PAUSE;
        let mut hint = None;
        let mut last = "no leader is known".to_owned();
        loop {
            self.running()?;
            let left = within.saturating_sub(started.elapsed());
            if left.is_zero() {
                let waited_ms = super::peer::wire::millis(within);
                return Err(ClusterError::Unavailable { waited_ms, last });
            }
            let place = self.leader().or(hint.take().map(Place::There));
            if let Some(place) = place {
                let attempt = C::select2(C::timeout(left, ask(place, left)), self.leader_leaves(place)).await;
                match attempt {
                    Select2::First(Ok(Ok(Attempt::Answer(answer)))) => return Ok(answer),
                    Select2::First(Ok(Err(refused))) => return Err(refused),
                    Select2::First(Ok(Ok(Attempt::Again(again)))) => {
                        hint = again.leader.filter(|leader| *leader != self.node_id);
                        last = again.why;
                    }
                    Select2::First(Err(_)) => last = "the leader did not answer".to_owned(),
                    Select2::Second(()) => {
                        last = "the leader changed".to_owned();
                        continue;
                    }
                }
            }
            self.pause(pause.min(left), place).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Waits a while, less where another leader is heard of.
    async fn pause(&self, pause: Duration, place: Option<Place>) {
        // Nodes do not all come back at the same moment.
        let spread = pause * u32::try_from(self.node_id * 37 % 25).unwrap_or(0) / 100;
        let news = async {
            match place {
                Some(place) => self.leader_leaves(place).await,
                None => self.leader_appears().await,
            }
        };
        drop(C::timeout(pause + spread, news).await);
    }

    async fn leader_appears(&self) {
        let mut metrics = self.raft.server_metrics();
        while self.leader().is_none() {
            news_of(metrics.changed()).await;
        }
    }

    /// Stops the replica on this node.
    pub(crate) async fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        drop(self.raft.shutdown().await);
    }

    /// Takes a snapshot of what is applied now and forgets the log that it covers; the log index of the snapshot.
    pub(crate) async fn compact(&self, within: Duration) -> Result<u64, ClusterError> {
        let stopped = |cause: &dyn std::fmt::Display| ClusterError::Stopped(cause.to_string());
        let wanted = self.raft.metrics().borrow_watched().last_applied;
        self.raft.trigger().snapshot().await.map_err(|cause| stopped(&cause))?;
        let taken = |metrics: &openraft::RaftMetrics<C>| metrics.snapshot >= wanted;
        let metrics =
            self.raft.wait(Some(within)).metrics(taken, "a snapshot").await.map_err(|cause| stopped(&cause))?;
        let index = metrics.snapshot.index().unwrap_or(0);
        self.raft.trigger().purge_log(index).await.map_err(|cause| stopped(&cause))?;
        Ok(index)
    }

    fn running(&self) -> Result<(), ClusterError> {
        if self.stopped.load(Ordering::Acquire) {
            return Err(ClusterError::Stopped("it was told to".into()));
        }
        let metrics = self.raft.metrics();
        let stopped = metrics.borrow_watched().running_state.as_ref().err().map(ToString::to_string);
        stopped.map_or(Ok(()), |why| Err(ClusterError::Stopped(why)))
    }

    /// Counts changes of the leader until Raft stops.
    pub(crate) async fn watch_leader(self: Arc<Self>) {
        let mut metrics = self.raft.server_metrics();
        let mut known = None;
        loop {
            let leader = metrics.borrow_watched().current_leader;
            if leader.is_some() && leader != known {
                self.leader_changes.fetch_add(1, Ordering::Relaxed);
                known = leader;
            }
            if metrics.changed().await.is_err() {
                return;
            }
        }
    }

    /// Milliseconds since each replica last answered; only on the leader.
    pub(crate) fn contacts(&self) -> BTreeMap<u64, Option<Duration>> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let heard = metrics.heartbeat.iter().flatten();
        heard.map(|(replica, at)| (*replica, at.as_ref().map(|at| InstantOf::<C>::elapsed(at)))).collect()
    }

    /// Whether a replica answers, as the leader sees it; `None`: it has not had the time to, since the election.
    pub(crate) fn answers(&self, replica: u64) -> Option<bool> {
        if replica == self.replica_id {
            return Some(true);
        }
        match self.contacts().get(&replica).copied().flatten() {
            Some(heard) => Some(heard <= self.timing.silence()),
            None => (self.led_for() > self.timing.silence()).then_some(false),
        }
    }

    fn led_for(&self) -> Duration {
        let term = self.raft.metrics().borrow_watched().current_term;
        let mut led = self.led.lock().unwrap_or_else(PoisonError::into_inner);
        if led.0 != term {
            *led = (term, C::now());
        }
        led.1.elapsed()
    }

    /// How the group stands. `activated`: what nodes serve, where it is known.
    pub(crate) fn status(&self, activated: &BTreeMap<u64, u64>) -> GroupStatus {
        let contacts = self.contacts();
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let voters: Vec<u64> = metrics.membership_config.voter_ids().collect();
        let last_log_index = metrics.last_log_index.unwrap_or(0);
        let leads = metrics.state == ServerState::Leader;
        let mut members: Vec<MemberStatus> = metrics
            .membership_config
            .nodes()
            .map(|(replica, member)| {
                let role = match () {
                    () if metrics.current_leader == Some(*replica) => Role::Leader,
                    () if voters.contains(replica) => Role::Voter,
                    () => Role::Learner,
                };
                let matched =
                    metrics.replication.as_ref().and_then(|all| all.get(replica)).map(|at| at.index().unwrap_or(0));
                MemberStatus {
                    node_id: member.node_id,
                    replica_id: *replica,
                    role,
                    matched_index: matched,
                    lag_entries: matched.map(|at| last_log_index.saturating_sub(at)),
                    last_contact_ms: contacts.get(replica).copied().flatten().map(super::peer::wire::millis),
                    activated: activated.get(&member.node_id).copied(),
                }
            })
            .collect();
        members.sort_by_key(|member| (member.node_id, member.replica_id));
        let node_of = |replica: u64| metrics.membership_config.get_node(&replica).map(|member| member.node_id);
        GroupStatus {
            group: self.group,
            node_id: self.node_id,
            replica_id: self.replica_id,
            term: metrics.current_term,
            leader: metrics.current_leader.and_then(node_of),
            is_leader: leads,
            leader_changes: self.leader_changes.load(Ordering::Relaxed),
            last_log_index,
            committed_index: metrics.local_committed.index().unwrap_or(0),
            applied_index: metrics.last_applied.index().unwrap_or(0),
            snapshot_index: metrics.snapshot.index().unwrap_or(0),
            purged_index: metrics.purged.index().unwrap_or(0),
            quorum_contact_ms: metrics.last_quorum_acked.as_ref().map(|at| super::peer::wire::millis(at.elapsed())),
            members,
            stopped: metrics.running_state.as_ref().err().map(ToString::to_string),
        }
    }
}
