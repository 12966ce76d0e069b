//! The log in a redb file: one writer thread, one fsync for everything that has queued.

use super::log::{LogDisk, LogStart, LogWrite, Written};
use super::wire::{self, Identity};
use crate::cluster::OpenError;
use crate::cluster::types::{Index, LogEntry};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
};

const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
const FACTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("facts");
const VOTE: &str = "vote";
const COMMITTED: &str = "committed";
const PURGED: &str = "purged";
const IDENTITY: &str = "identity";
/// Pages that redb keeps in memory, bytes: followers are served from the tail, so little is needed.
const CACHE_BYTES: usize = 8 << 20;
/// The most that one fsync covers.
const BATCH_JOBS: usize = 256;
const BATCH_BYTES: usize = 8 << 20;
/// How many bytes of the newest entries are read at start, for followers.
const START_TAIL_BYTES: usize = 4 << 20;

type Job = (LogWrite, Written);

/// A log in a file. Dropping it ends the writer thread after what is queued.
pub(crate) struct LogFile {
    database: Arc<Database>,
    jobs: Option<Sender<Job>>,
    committed: Arc<Mutex<Option<Index>>>,
    writer: Option<JoinHandle<()>>,
}

/// Everything that redb can say becomes an I/O error: a log that cannot be read or written stops its replica.
pub(super) fn io_error(cause: impl Into<redb::Error>) -> io::Error {
    match cause.into() {
        redb::Error::Io(cause) => cause,
        other => io::Error::other(other),
    }
}

impl LogFile {
    /// Opens the log of `identity`, or makes an empty one where the file is absent.
    ///
    /// # Errors
    /// When the file is damaged or belongs to another replica.
    pub(crate) fn open(path: &Path, identity: &Identity) -> Result<(Self, LogStart), OpenError> {
        let damaged = |cause: String| OpenError::Damaged { file: path.to_owned(), cause };
        let mut builder = redb::Builder::new();
        builder.set_cache_size(CACHE_BYTES);
        let database = builder.create(path).map_err(|cause| damaged(cause.to_string()))?;
        let start = prepare(&database, identity).map_err(|cause| damaged(cause.to_string()))?;
        let found = match start {
            Ok(start) => start,
            Err(found) => {
                return Err(OpenError::Foreign {
                    directory: path.to_owned(),
                    found: format!("replica {} of group {} on node {}", found.replica_id, found.group, found.node_id),
                    expected: format!(
                        "replica {} of group {} on node {}",
                        identity.replica_id, identity.group, identity.node_id
                    ),
                });
            }
        };
        let database = Arc::new(database);
        let committed = Arc::new(Mutex::new(None));
        let (sender, receiver) = channel();
        let (for_writer, noted) = (database.clone(), committed.clone());
        let writer = std::thread::Builder::new()
            .name(format!("log-{}", identity.group))
            .spawn(move || write_all(&for_writer, &receiver, &noted))
            .map_err(|cause| OpenError::Io { path: path.to_owned(), cause })?;
        Ok((Self { database, jobs: Some(sender), committed, writer: Some(writer) }, found))
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(writer) = self.writer.take() {
            drop(writer.join());
        }
    }
}

impl LogDisk for LogFile {
    fn submit(&self, write: LogWrite, written: Written) {
        let Some(jobs) = &self.jobs else { return written(Err(closed())) };
        if let Err(refused) = jobs.send((write, written)) {
            (refused.0.1)(Err(closed()));
        }
    }

    fn note_committed(&self, committed: Index) {
        *self.committed.lock().unwrap_or_else(PoisonError::into_inner) = Some(committed);
    }

    fn read(&self, from: u64, to: u64) -> io::Result<Vec<LogEntry>> {
        let transaction = self.database.begin_read().map_err(io_error)?;
        let table = transaction.open_table(LOG).map_err(io_error)?;
        let mut entries = Vec::new();
        for row in table.range(from..to).map_err(io_error)? {
            let (_, bytes) = row.map_err(io_error)?;
            entries.push(wire::decode_entry(bytes.value())?);
        }
        Ok(entries)
    }
}

fn closed() -> io::Error {
    io::Error::other("the log is closed")
}

/// Makes the tables and the identity, or reads them back. `Err(found)`: another replica's.
fn prepare(database: &Database, identity: &Identity) -> io::Result<Result<LogStart, Identity>> {
    let transaction = database.begin_write().map_err(io_error)?;
    let outcome = {
        let log = transaction.open_table(LOG).map_err(io_error)?;
        let mut facts = transaction.open_table(FACTS).map_err(io_error)?;
        let found = facts.get(IDENTITY).map_err(io_error)?.map(|bytes| wire::decode_identity(bytes.value()));
        match found.transpose()? {
            Some(found) if found != *identity => Err(found),
            Some(_) => Ok(start_of(&log, &facts)?),
            None => {
                facts.insert(IDENTITY, wire::encode_identity(identity)?.as_slice()).map_err(io_error)?;
                Ok(LogStart::default())
            }
        }
    };
    transaction.commit().map_err(io_error)?;
    Ok(outcome)
}

fn start_of(
    log: &impl ReadableTable<u64, &'static [u8]>,
    facts: &impl ReadableTable<&'static str, &'static [u8]>,
) -> io::Result<LogStart> {
    let fact = |name: &str| -> io::Result<Option<Vec<u8>>> {
        Ok(facts.get(name).map_err(io_error)?.map(|bytes| bytes.value().to_vec()))
    };
    let mut start = LogStart {
        vote: fact(VOTE)?.map(|bytes| wire::decode_vote(&bytes)).transpose()?,
        committed: fact(COMMITTED)?.map(|bytes| wire::decode_index(&bytes)).transpose()?,
        purged: fact(PURGED)?.map(|bytes| wire::decode_index(&bytes)).transpose()?,
        ..LogStart::default()
    };
    let first = log.first().map_err(io_error)?.map(|(index, _)| index.value());
    let last = log.last().map_err(io_error)?.map(|(index, _)| index.value());
    if let (Some(first), Some(last)) = (first, last) {
        let count = log.len().map_err(io_error)?;
        let begins_well = start.purged.is_none_or(|purged| purged.index + 1 == first);
        if count != last - first + 1 || !begins_well {
            return Err(io::Error::other(format!(
                "the log has a hole: {count} entries from {first} to {last}, purged up to {:?}",
                start.purged.map(|purged| purged.index)
            )));
        }
    }
    let mut bytes = 0;
    for row in log.iter().map_err(io_error)?.rev() {
        let (_, value) = row.map_err(io_error)?;
        bytes += value.value().len();
        start.tail.push(wire::decode_entry(value.value())?);
        if bytes > START_TAIL_BYTES {
            break;
        }
    }
    start.tail.reverse();
    start.last = start.tail.last().map(|entry| entry.log_id);
    Ok(start)
}

/// The writer thread: whatever has queued becomes durable with one fsync.
fn write_all(database: &Database, jobs: &Receiver<Job>, committed: &Mutex<Option<Index>>) {
    let mut failed: Option<String> = None;
    while let Ok(first) = jobs.recv() {
        let mut bytes = weight(&first.0);
        let mut batch = vec![first];
        while batch.len() < BATCH_JOBS && bytes < BATCH_BYTES {
            let Ok(next) = jobs.try_recv() else { break };
            bytes += weight(&next.0);
            batch.push(next);
        }
        if failed.is_none() {
            let noted = committed.lock().unwrap_or_else(PoisonError::into_inner).take();
            let writes = batch.iter().map(|(write, _)| write);
            failed = write_batch(database, writes, noted).err().map(|cause| cause.to_string());
        }
        for (_, written) in batch {
            // After one failure nothing may be acknowledged: what the file holds is not known any more.
            written(failed.as_ref().map_or(Ok(()), |cause| Err(io::Error::other(cause.clone()))));
        }
    }
}

fn weight(write: &LogWrite) -> usize {
    match write {
        LogWrite::Append(entries) => entries.iter().map(|(_, bytes)| bytes.len()).sum(),
        LogWrite::Truncate(_) | LogWrite::Purge(_) | LogWrite::Vote(_) => 64,
    }
}

fn write_batch<'a>(
    database: &Database,
    writes: impl Iterator<Item = &'a LogWrite>,
    committed: Option<Index>,
) -> io::Result<()> {
    let transaction = database.begin_write().map_err(io_error)?;
    for write in writes {
        write_one(&transaction, write)?;
    }
    if let Some(committed) = committed {
        let mut facts = transaction.open_table(FACTS).map_err(io_error)?;
        facts.insert(COMMITTED, wire::encode_index(&committed)?.as_slice()).map_err(io_error)?;
    }
    transaction.commit().map_err(io_error)
}

fn write_one(transaction: &WriteTransaction, write: &LogWrite) -> io::Result<()> {
    match write {
        LogWrite::Append(entries) => {
            let mut log = transaction.open_table(LOG).map_err(io_error)?;
            for (index, bytes) in entries {
                log.insert(index, bytes.as_slice()).map_err(io_error)?;
            }
        }
        LogWrite::Truncate(from) => {
            let mut log = transaction.open_table(LOG).map_err(io_error)?;
            log.retain_in::<u64, _>(*from.., |_, _| false).map_err(io_error)?;
        }
        LogWrite::Purge(upto) => {
            let mut log = transaction.open_table(LOG).map_err(io_error)?;
            log.retain_in::<u64, _>(..=upto.index, |_, _| false).map_err(io_error)?;
            let mut facts = transaction.open_table(FACTS).map_err(io_error)?;
            facts.insert(PURGED, wire::encode_index(upto)?.as_slice()).map_err(io_error)?;
        }
        LogWrite::Vote(bytes) => {
            let mut facts = transaction.open_table(FACTS).map_err(io_error)?;
            facts.insert(VOTE, bytes.as_slice()).map_err(io_error)?;
        }
    }
    Ok(())
}
