//! The log room: whole lines for named logs, gathered by each worker and written by one thread, so that no visit waits for
//! a disk or a pipe.
//!
//! ```text
//! worker ─ push ─▶ its shelf (a lock that only the writer shares) ─ every 100 ms ─▶ writer ─▶ {folder}/{name}.log, .1, .2 …
//! ```
//! What does not fit on a shelf while the writer is held up is counted and dropped.

use super::log_disk::Folder;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long lines gather before they are written.
const GATHER: Duration = Duration::from_millis(100);
/// Longest part of a file's name that an API or a stage takes, bytes.
const PART: usize = 96;

/// A log's name: safe as the name of a file, whatever the API and the stage are called, and another one for each pair.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogName(Arc<str>);

impl LogName {
    /// The access log of a stage: `access-{api}-{stage}`.
    #[must_use]
    pub fn access(api: &str, stage: &str) -> LogName {
        LogName::of("access", api, stage)
    }

    /// The execution log of a stage: `execution-{api}-{stage}`.
    #[must_use]
    pub fn execution(api: &str, stage: &str) -> LogName {
        LogName::of("execution", api, stage)
    }

    /// The log group of a function: `function-{account}.{region}.{name}`; the group is `/aws/lambda/{name}`, or any other.
    #[must_use]
    pub fn function(account: &str, region: &str, group: &str) -> LogName {
        let name = group.strip_prefix("/aws/lambda/").filter(|name| !name.contains('/')).unwrap_or(group);
        LogName(format!("function-{}.{}.{}", part(account, true), part(region, true), part(name, true)).into())
    }

    fn of(kind: &str, api: &str, stage: &str) -> LogName {
        // A hyphen in the API's part would make two pairs one.
        LogName(format!("{kind}-{}-{}", part(api, false), part(stage, true)).into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text as part of a file's name: what is no letter, digit or `_` is written `%xx`; what is too long ends in a digest.
fn part(text: &str, hyphens: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' || (hyphens && byte == b'-') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02x}");
        }
    }
    if out.len() > PART {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        out.truncate(PART);
        let _ = write!(out, "%{:016x}", hasher.finish());
    }
    out
}

/// Where lines go.
pub enum LogTo {
    /// Files in this folder, `{name}.log`.
    Files(PathBuf),
    /// One stream; each line begins with its log's name and a blank.
    Stream(Box<dyn Write + Send>),
}

/// Bounds of the room.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// A file that would grow beyond this is set aside, bytes.
    pub file_bytes: u64,
    /// Files set aside that are kept for each log.
    pub keep: u32,
    /// Files open at once.
    pub open_files: usize,
    /// What may wait on one worker's shelf, bytes.
    pub waiting_bytes: usize,
}

impl Default for LogOptions {
    fn default() -> Self {
        LogOptions { file_bytes: 64 << 20, keep: 4, open_files: 64, waiting_bytes: 4 << 20 }
    }
}

/// The room. A clone shares it; its writer ends when the last clone is gone.
#[derive(Clone, Debug)]
pub struct LogRoom(Arc<Owner>);

#[derive(Debug)]
struct Owner(Arc<Room>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.lock().stop = true;
        self.0.bell.notify_all();
    }
}

#[derive(Debug)]
struct Room {
    state: Mutex<State>,
    bell: Condvar,
    shelves: Mutex<Vec<Arc<Shelf>>>,
    waiting_bytes: usize,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    lost: AtomicU64,
    failed: AtomicU64,
    written: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// Something lies on a shelf.
    waiting: bool,
    /// A shelf fills up.
    urgent: bool,
    stop: bool,
    stopped: bool,
}

type Shelf = Mutex<Pending>;

#[derive(Debug, Default)]
struct Pending {
    logs: HashMap<LogName, Vec<u8>>,
    bytes: usize,
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

impl LogRoom {
    /// Opens the room and starts its writer.
    ///
    /// # Errors
    /// When the folder cannot be made, or the system gives no thread.
    pub fn start(to: LogTo, options: &LogOptions) -> std::io::Result<LogRoom> {
        let room = Arc::new(Room {
            state: Mutex::default(),
            bell: Condvar::new(),
            shelves: Mutex::default(),
            waiting_bytes: options.waiting_bytes,
            counts: Arc::default(),
        });
        let mut out = match to {
            LogTo::Files(folder) => Out::Files(Folder::open(folder, options)?),
            LogTo::Stream(stream) => Out::Stream(stream),
        };
        let writer = room.clone();
        std::thread::Builder::new().name("logs".into()).spawn(move || writer.write_until_stopped(&mut out))?;
        Ok(LogRoom(Arc::new(Owner(room))))
    }

    /// A shelf for one worker.
    #[must_use]
    pub fn shelf(&self) -> LogShelf {
        let room = self.0.0.clone();
        let shelf: Arc<Shelf> = Arc::default();
        held(&room.shelves).push(shelf.clone());
        LogShelf { room, shelf }
    }

    /// Lines that were dropped: the writer did not keep up, or could not write.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.0.counts.lost.load(Ordering::Relaxed)
    }

    /// Writes all that waits and ends the writer; whether it was done in time. What comes later is lost.
    pub fn stop(&self, patience: Duration) -> bool {
        let room = &self.0.0;
        let mut state = room.lock();
        state.stop = true;
        room.bell.notify_all();
        let waited = room.bell.wait_timeout_while(state, patience, |state| !state.stopped);
        waited.unwrap_or_else(PoisonError::into_inner).0.stopped
    }

    /// Adds the room's counters.
    pub fn measure(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(Scrape(self.0.0.counts.clone())));
    }
}

/// Where one worker puts its lines.
#[derive(Clone, Debug)]
pub struct LogShelf {
    room: Arc<Room>,
    shelf: Arc<Shelf>,
}

impl LogShelf {
    /// Puts whole lines into a log; the last line end may be left out. Whoever writes them keeps line ends out of values.
    pub fn push(&self, name: &LogName, text: &str) {
        let end = if text.ends_with('\n') { "" } else { "\n" };
        let adds = text.len() + end.len();
        let mut pending = held(&self.shelf);
        let before = pending.bytes;
        if before + adds > self.room.waiting_bytes {
            drop(pending);
            self.room.counts.lost.fetch_add(lines(text.as_bytes()) + end.len() as u64, Ordering::Relaxed);
            return;
        }
        if !pending.logs.contains_key(name) {
            pending.logs.insert(name.clone(), Vec::new());
        }
        if let Some(log) = pending.logs.get_mut(name) {
            log.extend_from_slice(text.as_bytes());
            log.extend_from_slice(end.as_bytes());
        }
        pending.bytes += adds;
        let quarter = self.room.waiting_bytes / 4;
        let urgent = before < quarter && pending.bytes >= quarter;
        drop(pending);
        if before == 0 || urgent {
            let mut state = self.room.lock();
            state.waiting = true;
            state.urgent |= urgent;
            self.room.bell.notify_all();
        }
    }
}

enum Out {
    Files(Folder),
    Stream(Box<dyn Write + Send>),
}

impl Out {
    fn write(&mut self, name: &LogName, batch: &[u8]) -> std::io::Result<()> {
        match self {
            Out::Files(folder) => folder.write(name, batch),
            Out::Stream(stream) => {
                let mut named = Vec::with_capacity(batch.len() * 2);
                for line in batch.split_inclusive(|byte| *byte == b'\n') {
                    named.extend_from_slice(name.as_str().as_bytes());
                    named.push(b' ');
                    named.extend_from_slice(line);
                }
                stream.write_all(&named)?;
                stream.flush()
            }
        }
    }
}

impl Room {
    fn lock(&self) -> MutexGuard<'_, State> {
        held(&self.state)
    }

    fn write_until_stopped(&self, out: &mut Out) {
        let mut failing = false;
        loop {
            let stop = self.wait();
            self.sweep(out, &mut failing);
            if stop {
                self.lock().stopped = true;
                self.bell.notify_all();
                return;
            }
        }
    }

    /// Returns when lines have gathered, or the room is to stop.
    fn wait(&self) -> bool {
        let state = self.lock();
        let idle = |state: &mut State| !state.waiting && !state.stop;
        let state = self.bell.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        let gather = |state: &mut State| !state.urgent && !state.stop;
        let waited = self.bell.wait_timeout_while(state, GATHER, gather);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.waiting = false;
        state.urgent = false;
        state.stop
    }

    fn sweep(&self, out: &mut Out, failing: &mut bool) {
        let shelves: Vec<Arc<Shelf>> = held(&self.shelves).clone();
        for shelf in &shelves {
            let Pending { logs, .. } = std::mem::take(&mut *held(shelf));
            for (name, batch) in logs {
                match out.write(&name, &batch) {
                    Ok(()) => {
                        *failing = false;
                        self.counts.written.fetch_add(batch.len() as u64, Ordering::Relaxed);
                    }
                    Err(error) => {
                        self.counts.failed.fetch_add(1, Ordering::Relaxed);
                        self.counts.lost.fetch_add(lines(&batch), Ordering::Relaxed);
                        if !std::mem::replace(failing, true) {
                            tracing::warn!(log = name.as_str(), %error, "a log cannot be written: its lines are dropped");
                        }
                    }
                }
            }
        }
        drop(shelves);
        // A worker that is gone leaves its shelf to us alone.
        held(&self.shelves).retain(|shelf| Arc::strong_count(shelf) > 1 || held(shelf).bytes > 0);
    }
}

#[derive(Debug)]
struct Scrape(Arc<Counts>);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        for (name, help, count) in [
            ("log_lines_lost", "Lines of stages' logs that were dropped", &self.0.lost),
            ("log_write_failures", "Batches of such lines that could not be written", &self.0.failed),
            ("log_written_bytes", "Bytes of such lines that were written", &self.0.written),
        ] {
            let counter = ConstCounter::new(count.load(Ordering::Relaxed));
            counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
