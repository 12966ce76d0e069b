//! The state in a redb file: batches without fsync, a durable commit every second or 16 MiB (foundations §2.4).

use super::log::DurableState;
use super::log_file::io_error;
use super::snapshot::{SnapshotBody, SnapshotFile, SnapshotReader, write_snapshot};
use super::state::{SharedMachine, StateBatch, StateDisk};
use super::wire;
use crate::cluster::machine::{Machine, Pinned};
use crate::cluster::types::{Index, SnapshotMeta, StoredMembers};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

const PAIRS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("pairs");
const FACTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("facts");
const APPLIED: &str = "applied";
const MEMBERS: &str = "members";
const CACHE_BYTES: usize = 16 << 20;
const DURABLE_EVERY: Duration = Duration::from_secs(1);
const DURABLE_BYTES: usize = 16 << 20;
/// Applying waits where more than this has queued, bytes.
const QUEUE_BYTES: usize = 64 << 20;
/// Pairs are read from the file in chunks of so many bytes, so many chunks ahead.
const CHUNK_BYTES: usize = 1 << 20;
const READ_AHEAD: usize = 4;
/// Snapshots that are kept: the newest, and the one before it for those who are still reading it.
const SNAPSHOTS_KEPT: usize = 1;

const STATE: &str = "state.redb";
const STATE_NEW: &str = "state.redb.new";
const SNAPSHOTS: &str = "snapshots";

type Ends<T> = oneshot::Sender<io::Result<T>>;

enum Job {
    Batch(StateBatch, usize),
    Durable(u64, Ends<()>),
    Install(SnapshotMeta, SnapshotBody, SharedMachine, Ends<()>),
}

/// A state in a file. Dropping it makes everything durable and ends the writer thread.
pub(crate) struct StateFile {
    directory: PathBuf,
    jobs: Mutex<Option<Sender<Job>>>,
    durable: Arc<AtomicU64>,
    queued: Arc<AtomicUsize>,
    broken: Arc<AtomicBool>,
    newest: Arc<Mutex<Option<(SnapshotMeta, SnapshotBody)>>>,
    writer: Option<JoinHandle<()>>,
}

/// Where the state stood when it was opened.
pub(crate) struct StateStart {
    pub(crate) applied: Option<Index>,
    pub(crate) members: StoredMembers,
}

impl StateFile {
    /// Opens the state in `directory` and loads it into the machine.
    ///
    /// # Errors
    /// When a file is damaged.
    pub(crate) fn open(directory: &Path, group: u8, machine: &mut dyn Machine) -> io::Result<(Self, StateStart)> {
        fs::create_dir_all(directory.join(SNAPSHOTS))?;
        drop(fs::remove_file(directory.join(STATE_NEW)));
        let database = open_database(&directory.join(STATE))?;
        let start = load(&database, machine)?;
        machine.publish();
        let newest = newest_snapshot(&directory.join(SNAPSHOTS))?;
        let durable = Arc::new(AtomicU64::new(start.applied.map_or(0, |applied| applied.index)));
        let (queued, newest) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(newest)));
        let broken = Arc::new(AtomicBool::new(false));
        let (sender, receiver) = channel();
        let mut writer = Writer {
            database,
            directory: directory.to_owned(),
            durable: durable.clone(),
            queued: queued.clone(),
            broken: broken.clone(),
            newest: newest.clone(),
            applied: start.applied,
            dirty_bytes: 0,
            dirty_since: None,
            failed: None,
        };
        let thread = std::thread::Builder::new().name(format!("state-{group}")).spawn(move || writer.run(&receiver))?;
        let file = Self {
            directory: directory.to_owned(),
            jobs: Mutex::new(Some(sender)),
            durable,
            queued,
            broken,
            newest,
            writer: Some(thread),
        };
        Ok((file, start))
    }

    fn send(&self, job: Job) -> io::Result<()> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        sent.then_some(()).ok_or_else(|| io::Error::other("the state's writer has stopped"))
    }
}

impl Drop for StateFile {
    fn drop(&mut self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(writer) = self.writer.take() {
            drop(writer.join());
        }
    }
}

impl DurableState for StateFile {
    fn durable_at(&self, index: u64) -> oneshot::Receiver<io::Result<()>> {
        let (ends, receiver) = oneshot::channel();
        if self.durable.load(Ordering::Acquire) >= index {
            drop(ends.send(Ok(())));
        } else {
            // A writer that is gone drops the sender, which the receiver sees.
            drop(self.send(Job::Durable(index, ends)));
        }
        receiver
    }
}

impl StateDisk for StateFile {
    fn submit(&self, batch: StateBatch) -> io::Result<()> {
        if self.broken.load(Ordering::Acquire) {
            return Err(io::Error::other("the state could not be written"));
        }
        let bytes = batch.writes.iter().map(|w| 64 + w.key.len() + w.value.as_ref().map_or(0, Vec::len)).sum();
        self.queued.fetch_add(bytes, Ordering::AcqRel);
        self.send(Job::Batch(batch, bytes))
    }

    fn room(&self) -> Option<oneshot::Receiver<io::Result<()>>> {
        (self.queued.load(Ordering::Acquire) > QUEUE_BYTES).then(|| {
            let (ends, receiver) = oneshot::channel();
            drop(self.send(Job::Durable(0, ends)));
            receiver
        })
    }

    fn build(&self, meta: SnapshotMeta, pinned: Pinned) -> oneshot::Receiver<io::Result<SnapshotBody>> {
        let (ends, receiver) = oneshot::channel();
        let (folder, newest) = (self.directory.join(SNAPSHOTS), self.newest.clone());
        let build = move || {
            let built = build_snapshot(&folder, &meta, pinned);
            if let Ok(body) = &built {
                *newest.lock().unwrap_or_else(PoisonError::into_inner) = Some((meta, body.clone()));
                drop(forget_old(&folder));
            }
            drop(ends.send(built));
        };
        // Its own thread: long, and the writer must go on. Without a thread the sender is dropped, which is an error.
        drop(std::thread::Builder::new().name("snapshot".into()).spawn(build));
        receiver
    }

    fn install(
        &self,
        meta: SnapshotMeta,
        body: SnapshotBody,
        machine: SharedMachine,
    ) -> oneshot::Receiver<io::Result<()>> {
        let (ends, receiver) = oneshot::channel();
        drop(self.send(Job::Install(meta, body, machine, ends)));
        receiver
    }

    fn current(&self) -> io::Result<Option<(SnapshotMeta, SnapshotBody)>> {
        Ok(self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn open_database(path: &Path) -> io::Result<Database> {
    let mut builder = redb::Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    let database = builder.create(path).map_err(io_error)?;
    let transaction = begin_durable(&database)?;
    transaction.open_table(PAIRS).map_err(io_error)?;
    transaction.open_table(FACTS).map_err(io_error)?;
    transaction.commit().map_err(io_error)?;
    Ok(database)
}

/// A transaction after which a crash needs no walk through the whole file: which pages are in use is written with it.
fn begin_durable(database: &Database) -> io::Result<WriteTransaction> {
    let mut transaction = database.begin_write().map_err(io_error)?;
    transaction.set_quick_repair(true);
    Ok(transaction)
}

fn load(database: &Database, machine: &mut dyn Machine) -> io::Result<StateStart> {
    let transaction = database.begin_read().map_err(io_error)?;
    let pairs = transaction.open_table(PAIRS).map_err(io_error)?;
    machine.reset();
    std::thread::scope(|scope| {
        // The file is read on a thread of its own: reading and taking in cost about the same.
        let (sender, chunks) = sync_channel(READ_AHEAD);
        let reader = scope.spawn(|| read_chunks(&pairs, sender));
        for chunk in chunks {
            for (key, value) in chunk.pairs() {
                machine.load(key, value).map_err(io::Error::other)?;
            }
        }
        reader.join().unwrap_or_else(|_| Err(io::Error::other("the state's reader panicked")))
    })?;
    let facts = transaction.open_table(FACTS).map_err(io_error)?;
    let fact = |name: &str| -> io::Result<Option<Vec<u8>>> {
        Ok(facts.get(name).map_err(io_error)?.map(|bytes| bytes.value().to_vec()))
    };
    let applied = fact(APPLIED)?.map(|bytes| wire::decode_index(&bytes)).transpose()?;
    let members = fact(MEMBERS)?.map(|bytes| wire::decode_members(&bytes)).transpose()?.unwrap_or_default();
    Ok(StateStart { applied, members })
}

/// Keys and values beside each other, and where each ends.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    ends: Vec<(usize, usize)>,
}

impl Chunk {
    fn push(&mut self, key: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(key);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.ends.push((middle, self.bytes.len()));
    }

    fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        starts.zip(&self.ends).map(|(start, (middle, end))| (&self.bytes[start..*middle], &self.bytes[*middle..*end]))
    }
}

/// Sends every pair, in order; stops early when nobody takes them any more.
fn read_chunks(pairs: &impl ReadableTable<&'static [u8], &'static [u8]>, sender: SyncSender<Chunk>) -> io::Result<()> {
    let mut chunk = Chunk::default();
    for pair in pairs.iter().map_err(io_error)? {
        let (key, value) = pair.map_err(io_error)?;
        chunk.push(key.value(), value.value());
        if chunk.bytes.len() >= CHUNK_BYTES && sender.send(std::mem::take(&mut chunk)).is_err() {
            return Ok(());
        }
    }
    drop(sender.send(chunk));
    Ok(())
}

struct Writer {
    database: Database,
    directory: PathBuf,
    durable: Arc<AtomicU64>,
    queued: Arc<AtomicUsize>,
    broken: Arc<AtomicBool>,
    newest: Arc<Mutex<Option<(SnapshotMeta, SnapshotBody)>>>,
    applied: Option<Index>,
    dirty_bytes: usize,
    dirty_since: Option<Instant>,
    failed: Option<String>,
}

impl Writer {
    fn run(&mut self, jobs: &Receiver<Job>) {
        loop {
            let due = self.dirty_since.map(|since| DURABLE_EVERY.saturating_sub(since.elapsed()));
            let job = match due {
                Some(left) => jobs.recv_timeout(left),
                None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match job {
                Ok(job) => self.take(job),
                Err(RecvTimeoutError::Timeout) => self.note(|writer| writer.make_durable()),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.dirty_bytes >= DURABLE_BYTES {
                self.note(Self::make_durable);
            }
        }
        self.note(Self::make_durable);
    }

    /// After one failure nothing more is written: the file stays at its last durable state, and the log is kept.
    fn note(&mut self, work: impl FnOnce(&mut Self) -> io::Result<()>) {
        if self.failed.is_none() {
            self.failed = work(self).err().map(|cause| cause.to_string());
            if let Some(cause) = &self.failed {
                tracing::error!(%cause, "the state could not be written: the group stops on this node");
                self.broken.store(true, Ordering::Release);
            }
        }
    }

    fn outcome(&self) -> io::Result<()> {
        self.failed.as_ref().map_or(Ok(()), |cause| Err(io::Error::other(cause.clone())))
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Batch(batch, bytes) => {
                self.note(|writer| writer.write(batch, bytes));
                self.queued.fetch_sub(bytes, Ordering::AcqRel);
            }
            Job::Durable(index, ends) => {
                if self.durable.load(Ordering::Acquire) < index || index == 0 {
                    self.note(Self::make_durable);
                }
                drop(ends.send(self.outcome()));
            }
            Job::Install(meta, body, machine, ends) => {
                self.note(|writer| writer.install(meta, body, &machine));
                drop(ends.send(self.outcome()));
            }
        }
    }

    fn write(&mut self, batch: StateBatch, bytes: usize) -> io::Result<()> {
        let mut transaction = self.database.begin_write().map_err(io_error)?;
        transaction.set_durability(Durability::None).map_err(|cause| io::Error::other(cause.to_string()))?;
        {
            let mut pairs = transaction.open_table(PAIRS).map_err(io_error)?;
            for write in &batch.writes {
                match &write.value {
                    Some(value) => drop(pairs.insert(write.key.as_slice(), value.as_slice()).map_err(io_error)?),
                    None => drop(pairs.remove(write.key.as_slice()).map_err(io_error)?),
                }
            }
            let mut facts = transaction.open_table(FACTS).map_err(io_error)?;
            facts.insert(APPLIED, wire::encode_index(&batch.applied)?.as_slice()).map_err(io_error)?;
            if let Some(members) = &batch.members {
                facts.insert(MEMBERS, wire::encode_members(members)?.as_slice()).map_err(io_error)?;
            }
        }
        transaction.commit().map_err(io_error)?;
        self.applied = Some(batch.applied);
        self.dirty_bytes += bytes;
        self.dirty_since.get_or_insert_with(Instant::now);
        Ok(())
    }

    fn make_durable(&mut self) -> io::Result<()> {
        if self.dirty_since.is_some() {
            // An empty durable transaction makes all before it durable.
            begin_durable(&self.database)?.commit().map_err(io_error)?;
            self.dirty_since = None;
            self.dirty_bytes = 0;
        }
        self.durable.store(self.applied.map_or(0, |applied| applied.index), Ordering::Release);
        Ok(())
    }

    fn install(&mut self, meta: SnapshotMeta, body: SnapshotBody, machine: &SharedMachine) -> io::Result<()> {
        let path = self.directory.join(STATE_NEW);
        drop(fs::remove_file(&path));
        let database = open_database(&path)?;
        fill(&database, &meta, SnapshotReader::open(body.reader()?)?)?;
        fs::rename(&path, self.directory.join(STATE))?;
        sync_folder(&self.directory)?;
        {
            let mut machine = machine.lock().unwrap_or_else(PoisonError::into_inner);
            load(&database, &mut **machine)?;
            machine.publish();
        }
        self.database = database;
        self.applied = meta.last_log_id;
        (self.dirty_bytes, self.dirty_since) = (0, None);
        self.durable.store(self.applied.map_or(0, |applied| applied.index), Ordering::Release);
        let kept = adopt(&self.directory.join(SNAPSHOTS), &meta, body)?;
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some((meta, kept));
        Ok(())
    }
}

/// Fills a new file in transactions of bounded size; only the last one is durable, and only then is it renamed.
fn fill(database: &Database, meta: &SnapshotMeta, reader: SnapshotReader) -> io::Result<()> {
    let mut reader = reader.peekable();
    while reader.peek().is_some() {
        let mut transaction = database.begin_write().map_err(io_error)?;
        transaction.set_durability(Durability::None).map_err(|cause| io::Error::other(cause.to_string()))?;
        {
            let mut pairs = transaction.open_table(PAIRS).map_err(io_error)?;
            for pair in reader.by_ref().take(10_000) {
                let (key, value) = pair?;
                pairs.insert(key.as_slice(), value.as_slice()).map_err(io_error)?;
            }
        }
        transaction.commit().map_err(io_error)?;
    }
    let transaction = begin_durable(database)?;
    {
        let mut facts = transaction.open_table(FACTS).map_err(io_error)?;
        if let Some(last) = &meta.last_log_id {
            facts.insert(APPLIED, wire::encode_index(last)?.as_slice()).map_err(io_error)?;
        }
        facts.insert(MEMBERS, wire::encode_members(&meta.last_membership)?.as_slice()).map_err(io_error)?;
    }
    transaction.commit().map_err(io_error)
}

fn snapshot_name(meta: &SnapshotMeta) -> String {
    let (term, index) = meta.last_log_id.map_or((0, 0), |last| (last.leader_id.term, last.index));
    format!("{index:020}-{term:010}.snap")
}

fn build_snapshot(folder: &Path, meta: &SnapshotMeta, pinned: Pinned) -> io::Result<SnapshotBody> {
    let (path, partial) = (folder.join(snapshot_name(meta)), folder.join("building.tmp"));
    let mut out = BufWriter::with_capacity(256 << 10, File::create(&partial)?);
    write_snapshot(&mut out, meta, pinned)?;
    out.flush()?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(&partial, &path)?;
    sync_folder(folder)?;
    Ok(SnapshotBody::File(Arc::new(SnapshotFile { path, passing: false })))
}

/// Keeps a received snapshot under its own name.
fn adopt(folder: &Path, meta: &SnapshotMeta, body: SnapshotBody) -> io::Result<SnapshotBody> {
    let path = folder.join(snapshot_name(meta));
    let partial = folder.join("adopting.tmp");
    io::copy(&mut body.reader()?, &mut File::create(&partial)?)?;
    File::open(&partial)?.sync_all()?;
    fs::rename(&partial, &path)?;
    sync_folder(folder)?;
    drop(forget_old(folder));
    Ok(SnapshotBody::File(Arc::new(SnapshotFile { path, passing: false })))
}

fn snapshots_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "snap"));
    paths.sort();
    Ok(paths)
}

/// Readers of an older one hold it open; its name may go.
fn forget_old(folder: &Path) -> io::Result<()> {
    let paths = snapshots_in(folder)?;
    for path in paths.iter().rev().skip(SNAPSHOTS_KEPT) {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// The newest snapshot whose head can be read; leftovers of a crash go.
fn newest_snapshot(folder: &Path) -> io::Result<Option<(SnapshotMeta, SnapshotBody)>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tmp") {
            fs::remove_file(path)?;
        }
    }
    for path in snapshots_in(folder)?.into_iter().rev() {
        let body = SnapshotBody::File(Arc::new(SnapshotFile { path, passing: false }));
        if let Ok(reader) = SnapshotReader::open(body.reader()?) {
            return Ok(Some((reader.meta().clone(), body)));
        }
    }
    Ok(None)
}

pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
