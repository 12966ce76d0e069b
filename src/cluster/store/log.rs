//! The log as openraft sees it: readable at once, durable when the disk says so.
//!
//! Entries that the disk may not hold yet are in the tail; so are the newest of the others, since followers read those.

use super::wire;
use crate::cluster::types::{Ballot, Index, LogEntry, Types};
use openraft::{
    OptionalSend, RaftLogReader,
    entry::RaftEntry,
    storage::{IOFlushed, LogState, RaftLogStorage},
};
use std::{
    collections::VecDeque,
    fmt::Debug,
    io,
    ops::{Bound, RangeBounds},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// The most bytes of one append batch (foundations §1.8); one larger entry goes alone.
const BATCH_BYTES: usize = 1 << 20;
/// How many bytes of durable entries stay in memory for followers.
const TAIL_BYTES: usize = 8 << 20;

/// One write; a disk keeps the order.
#[derive(Debug, Clone)]
pub(crate) enum LogWrite {
    /// Encoded entries by index; consecutive.
    Append(Vec<(u64, Vec<u8>)>),
    /// Removes entries from this index on.
    Truncate(u64),
    /// Removes entries up to this place, and remembers it.
    Purge(Index),
    /// An encoded vote.
    Vote(Vec<u8>),
}

/// Called once the write is durable, or has failed.
pub(crate) type Written = Box<dyn FnOnce(io::Result<()>) + Send>;

/// A queue of writes in front of a disk. Writes that queue together become durable together.
pub(crate) trait LogDisk: Send + Sync {
    /// Queues a write. `committed` rides along with whatever is written next: losing it costs re-applying only.
    fn submit(&self, write: LogWrite, written: Written);
    /// Notes how far the log is committed, for the next write to carry.
    fn note_committed(&self, committed: Index);
    /// Reads durable entries `from..to`.
    fn read(&self, from: u64, to: u64) -> io::Result<Vec<LogEntry>>;
}

/// What was on the disk when it was opened.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogStart {
    pub(crate) vote: Option<Ballot>,
    pub(crate) committed: Option<Index>,
    pub(crate) purged: Option<Index>,
    pub(crate) last: Option<Index>,
    /// The newest entries, ending with `last`.
    pub(crate) tail: Vec<LogEntry>,
}

/// Makes the state durable up to an index: a log is purged no further (foundations §2.4).
pub(crate) trait DurableState: Send + Sync {
    /// Resolves when the state up to this index is durable.
    fn durable_at(&self, index: u64) -> oneshot::Receiver<io::Result<()>>;
}

#[derive(Debug, Default)]
struct Tail {
    vote: Option<Ballot>,
    committed: Option<Index>,
    purged: Option<Index>,
    last: Option<Index>,
    /// Consecutive, ending with `last`; everything that may not be durable is in here.
    entries: VecDeque<LogEntry>,
    bytes: usize,
    /// Entries up to this index are durable.
    durable: u64,
}

/// The log and the vote of one replica. A clone is the same log.
#[derive(Clone)]
pub(crate) struct LogStore {
    disk: Arc<dyn LogDisk>,
    state: Arc<dyn DurableState>,
    tail: Arc<Mutex<Tail>>,
}

fn size_of(entry: &LogEntry) -> usize {
    match &entry.payload {
        openraft::EntryPayload::Normal(payload) => payload.0.len() + 32,
        openraft::EntryPayload::Blank | openraft::EntryPayload::Membership(_) => 256,
    }
}

impl Tail {
    fn push(&mut self, entry: LogEntry) {
        self.last = Some(entry.log_id);
        self.bytes += size_of(&entry);
        self.entries.push_back(entry);
    }

    fn first_index(&self) -> Option<u64> {
        self.entries.front().map(|entry| entry.log_id.index)
    }

    fn trim(&mut self) {
        while self.bytes > TAIL_BYTES && self.entries.front().is_some_and(|entry| entry.log_id.index <= self.durable) {
            if let Some(gone) = self.entries.pop_front() {
                self.bytes -= size_of(&gone);
            }
        }
    }

    fn drop_after(&mut self, last: Option<Index>) {
        let keep = last.map_or(0, |last| last.index + 1);
        while self.entries.back().is_some_and(|entry| entry.log_id.index >= keep) {
            if let Some(gone) = self.entries.pop_back() {
                self.bytes -= size_of(&gone);
            }
        }
        self.last = last;
    }

    fn drop_upto(&mut self, upto: Index) {
        while self.entries.front().is_some_and(|entry| entry.log_id.index <= upto.index) {
            if let Some(gone) = self.entries.pop_front() {
                self.bytes -= size_of(&gone);
            }
        }
        self.purged = self.purged.max(Some(upto));
        self.last = self.last.max(Some(upto));
    }
}

impl LogStore {
    /// A log over a disk that held `start`.
    pub(crate) fn new(disk: Arc<dyn LogDisk>, state: Arc<dyn DurableState>, start: LogStart) -> Self {
        let mut tail = Tail { vote: start.vote, committed: start.committed, purged: start.purged, ..Tail::default() };
        for entry in start.tail {
            tail.push(entry);
        }
        tail.last = start.last.max(start.purged);
        tail.durable = tail.last.map_or(0, |last| last.index);
        Self { disk, state, tail: Arc::new(Mutex::new(tail)) }
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        // A poisoned lock means a panic between two consistent states: every method leaves one behind.
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn durably(&self, write: LogWrite) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.disk.submit(write, Box::new(move |outcome| drop(sender.send(outcome))));
        receiver.await.unwrap_or_else(|_| Err(io::Error::other("the log's writer is gone")))
    }

    /// Entries `from..to` as far as the log holds them, at least one and no more than about `bytes`.
    fn entries(&self, from: u64, to: u64, bytes: usize) -> io::Result<Vec<LogEntry>> {
        let (from, disk_to, mut newest) = {
            let tail = self.tail();
            let from = from.max(tail.purged.map_or(0, |purged| purged.index + 1));
            let to = to.min(tail.last.map_or(0, |last| last.index + 1));
            if from >= to {
                return Ok(Vec::new());
            }
            let first = tail.first_index().unwrap_or(u64::MAX);
            let skip = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
            let mut budget = bytes;
            let wanted = tail.entries.iter().skip(skip).take_while(|entry| entry.log_id.index < to);
            let newest: Vec<LogEntry> = wanted.map_while(|entry| within(&mut budget, bytes, entry)).cloned().collect();
            (from, to.min(first), newest)
        };
        if from >= disk_to {
            return Ok(newest);
        }
        let mut budget = bytes;
        let older = self.disk.read(from, disk_to)?;
        let count = older.len();
        let mut entries: Vec<LogEntry> = older
            .into_iter()
            .map_while(|entry| within(&mut budget, bytes, &entry).is_some().then_some(entry))
            .collect();
        if entries.len() == count {
            entries.extend(
                newest.drain(..).map_while(|entry| within(&mut budget, bytes, &entry).is_some().then_some(entry)),
            );
        }
        Ok(entries)
    }
}

/// The entry if the budget bears it; the first always passes.
fn within<'a>(budget: &mut usize, whole: usize, entry: &'a LogEntry) -> Option<&'a LogEntry> {
    let size = size_of(entry);
    if size > *budget && *budget != whole {
        return None;
    }
    *budget = budget.saturating_sub(size);
    Some(entry)
}

impl<C: Types> RaftLogReader<C> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<LogEntry>, io::Error> {
        let from = match range.start_bound() {
            Bound::Included(from) => *from,
            Bound::Excluded(before) => before + 1,
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(last) => last + 1,
            Bound::Excluded(to) => *to,
            Bound::Unbounded => u64::MAX,
        };
        self.entries(from, to, usize::MAX)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<LogEntry>, io::Error> {
        self.entries(start, end, BATCH_BYTES)
    }

    async fn read_vote(&mut self) -> Result<Option<Ballot>, io::Error> {
        Ok(self.tail().vote)
    }
}

impl<C: Types> RaftLogStorage<C> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<C>, io::Error> {
        let tail = self.tail();
        Ok(LogState { last_purged_log_id: tail.purged, last_log_id: tail.last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Ballot) -> Result<(), io::Error> {
        // Readers bound a leader's stream by the vote, so they must not see the old one once this began.
        self.tail().vote = Some(*vote);
        self.durably(LogWrite::Vote(wire::encode_vote(vote)?)).await
    }

    async fn save_committed(&mut self, committed: Option<Index>) -> Result<(), io::Error> {
        if let Some(committed) = committed {
            self.tail().committed = Some(committed);
            self.disk.note_committed(committed);
        }
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<Index>, io::Error> {
        // A follower may apply before its own log is flushed: what was noted can lie beyond what survived.
        let tail = self.tail();
        Ok(tail.committed.min(tail.last))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<C>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = LogEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut encoded = Vec::new();
        let last = {
            let mut tail = self.tail();
            for entry in entries {
                encoded.push((entry.index(), wire::encode_entry(&entry)?));
                tail.push(entry);
            }
            encoded.last().map_or(0, |(index, _)| *index)
        };
        let tail = self.tail.clone();
        let written = move |outcome: io::Result<()>| {
            if outcome.is_ok() {
                let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
                tail.durable = tail.durable.max(last);
                tail.trim();
            }
            callback.io_completed(outcome);
        };
        self.disk.submit(LogWrite::Append(encoded), Box::new(written));
        Ok(())
    }

    async fn truncate_after(&mut self, last_log_id: Option<Index>) -> Result<(), io::Error> {
        let from = last_log_id.map_or(0, |last| last.index + 1);
        {
            let mut tail = self.tail();
            let last = last_log_id.min(tail.last).max(tail.purged);
            tail.drop_after(last);
        }
        self.durably(LogWrite::Truncate(from)).await?;
        // Only now: appends queued before the truncation have raised it until here.
        let mut tail = self.tail();
        tail.durable = tail.durable.min(from.saturating_sub(1));
        Ok(())
    }

    async fn purge(&mut self, log_id: Index) -> Result<(), io::Error> {
        self.state
            .durable_at(log_id.index)
            .await
            .unwrap_or_else(|_| Err(io::Error::other("the state's writer is gone")))?;
        self.tail().drop_upto(log_id);
        self.durably(LogWrite::Purge(log_id)).await
    }
}
