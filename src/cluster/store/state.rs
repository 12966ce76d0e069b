//! The state as openraft sees it: a machine in memory, whose effects a disk takes in the background.
//!
//! Nothing waits for that disk: what it had not made durable is applied again from the log, which is therefore never
//! purged beyond the durable state (foundations §2.4).

use super::log::DurableState;
use super::snapshot::SnapshotBody;
use crate::cluster::machine::{Machine, Pinned, Write};
use crate::cluster::types::{Content, Index, Member, Reply, SnapshotMeta, StoredMembers, Term, Types};
use futures_util::{Stream, StreamExt};
use openraft::{
    OptionalSend, RaftSnapshotBuilder, Snapshot,
    storage::{ApplyResponder, EntryResponder, RaftStateMachine},
};
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// Readers see a batch's outcome, and proposers get their replies, at least this often.
const BATCH_ENTRIES: usize = 256;

type SnapshotOf = Snapshot<Term, u64, Member, SnapshotBody>;

/// The machine of a group; one at a time uses it.
pub(crate) type SharedMachine = Arc<Mutex<Box<dyn Machine>>>;

/// The effects of a batch, and where in the log it ends.
#[derive(Debug, Clone)]
pub(crate) struct StateBatch {
    pub(crate) writes: Vec<Write>,
    pub(crate) applied: Index,
    /// Where a membership was among the entries.
    pub(crate) members: Option<StoredMembers>,
}

/// A disk that takes effects in order and makes them durable in its own time.
pub(crate) trait StateDisk: DurableState {
    /// Queues a batch.
    fn submit(&self, batch: StateBatch) -> io::Result<()>;
    /// Resolves when the queue has room for more.
    fn room(&self) -> Option<oneshot::Receiver<io::Result<()>>>;
    /// Writes a snapshot and makes it the current one.
    fn build(&self, meta: SnapshotMeta, pinned: Pinned) -> oneshot::Receiver<io::Result<SnapshotBody>>;
    /// Replaces everything by a snapshot, durably and at once, loads it into the machine, and makes it the current one.
    fn install(
        &self,
        meta: SnapshotMeta,
        body: SnapshotBody,
        machine: SharedMachine,
    ) -> oneshot::Receiver<io::Result<()>>;
    /// The newest snapshot.
    fn current(&self) -> io::Result<Option<(SnapshotMeta, SnapshotBody)>>;
}

/// The state machine of one replica.
pub(crate) struct StateStore {
    machine: SharedMachine,
    disk: Arc<dyn StateDisk>,
    applied: Option<Index>,
    members: StoredMembers,
}

fn lock(machine: &SharedMachine) -> MutexGuard<'_, Box<dyn Machine>> {
    // A panic while it was held has stopped the replica's state worker; a reader may still look.
    machine.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn outcome<T>(receiver: oneshot::Receiver<io::Result<T>>) -> io::Result<T> {
    receiver.await.unwrap_or_else(|_| Err(io::Error::other("the state's writer is gone")))
}

impl StateStore {
    /// A state over a disk whose contents the machine has loaded.
    pub(crate) fn new(
        machine: SharedMachine,
        disk: Arc<dyn StateDisk>,
        applied: Option<Index>,
        members: StoredMembers,
    ) -> Self {
        Self { machine, disk, applied, members }
    }

    fn meta(&self) -> SnapshotMeta {
        SnapshotMeta { last_log_id: self.applied, last_membership: self.members.clone() }
    }

    /// Publishes what was applied, queues its effects, and answers: in this order, so that a proposer reads its write.
    fn finish<C: Types>(&mut self, batch: &mut Batch<C>) -> io::Result<()> {
        let Some(applied) = self.applied.filter(|_| batch.entries > 0) else { return Ok(()) };
        lock(&self.machine).publish();
        let writes = std::mem::take(&mut batch.writes);
        self.disk.submit(StateBatch { writes, applied, members: batch.members.take() })?;
        for (responder, reply) in batch.replies.drain(..) {
            responder.send(reply);
        }
        batch.entries = 0;
        Ok(())
    }
}

struct Batch<C: Types> {
    writes: Vec<Write>,
    replies: Vec<(ApplyResponder<C>, Reply)>,
    members: Option<StoredMembers>,
    entries: usize,
}

/// Writes a snapshot of the root that was pinned when it was made.
pub(crate) struct SnapshotBuilder {
    disk: Arc<dyn StateDisk>,
    meta: SnapshotMeta,
    // Never contended: openraft asks for the whole builder to be `Sync`, which an iterator is not.
    pinned: Mutex<Option<Pinned>>,
}

impl<C: Types> RaftSnapshotBuilder<C> for SnapshotBuilder {
    type SnapshotData = SnapshotBody;

    async fn build_snapshot(&mut self) -> Result<SnapshotOf, io::Error> {
        let pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner).take();
        let pinned = pinned.ok_or_else(|| io::Error::other("a builder builds once"))?;
        // Openraft purges what a snapshot covers; the state must hold it by then.
        if let Some(last) = self.meta.last_log_id {
            outcome(self.disk.durable_at(last.index)).await?;
        }
        let snapshot = outcome(self.disk.build(self.meta.clone(), pinned)).await?;
        Ok(Snapshot { meta: self.meta.clone(), snapshot })
    }
}

impl<C: Types> RaftStateMachine<C> for StateStore {
    type SnapshotData = SnapshotBody;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<Index>, StoredMembers), io::Error> {
        Ok((self.applied, self.members.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<C>, io::Error>> + Unpin + OptionalSend,
    {
        let mut batch = Batch { writes: Vec::new(), replies: Vec::new(), members: None, entries: 0 };
        while let Some(item) = entries.next().await {
            let (entry, responder) = item?;
            let reply = match entry.payload {
                Content::Blank => Reply::default(),
                Content::Normal(payload) => {
                    Reply(lock(&self.machine).apply(entry.log_id.index, &payload.0, &mut batch.writes))
                }
                Content::Membership(members) => {
                    self.members = StoredMembers::new(Some(entry.log_id), members);
                    batch.members = Some(self.members.clone());
                    Reply::default()
                }
            };
            self.applied = Some(entry.log_id);
            batch.entries += 1;
            batch.replies.extend(responder.map(|responder| (responder, reply)));
            if batch.entries >= BATCH_ENTRIES {
                self.finish(&mut batch)?;
            }
        }
        self.finish(&mut batch)?;
        match self.disk.room() {
            Some(room) => outcome(room).await,
            None => Ok(()),
        }
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        let pinned = lock(&self.machine).pin();
        SnapshotBuilder { disk: self.disk.clone(), meta: self.meta(), pinned: Mutex::new(Some(pinned)) }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: SnapshotBody) -> Result<(), io::Error> {
        outcome(self.disk.install(meta.clone(), snapshot, self.machine.clone())).await?;
        self.applied = meta.last_log_id;
        self.members = meta.last_membership.clone();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<SnapshotOf>, io::Error> {
        Ok(self.disk.current()?.map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}
