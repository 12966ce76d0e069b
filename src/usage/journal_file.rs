//! The journal's file and its one writer thread: records are written as they come and synced a few times a second.
//!
//! A write or sync that fails acknowledges nothing: nodes stop at their watermarks, and the file is written anew.

use super::holder::Marking;
use super::journal::{Marked, frame, recover, settled};
use super::wire::{Mark, Record, SlotId};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const NAME: &str = "usage.journal";
const FRESH: &str = "usage.journal.new";
const DAMAGED: &str = "usage.journal.damaged";
/// Unsynced records wait no longer than this; half of the reserve of one second lies ahead of them.
const SYNC_EVERY: Duration = Duration::from_millis(200);
/// A file above this is written anew when most of it is history.
const COMPACT_BYTES: u64 = 8 << 20;

enum Job {
    Marks(Vec<(Arc<dyn Marked>, Marking)>, bool),
    Boot(u64, tokio::sync::oneshot::Sender<bool>),
    Flush(tokio::sync::oneshot::Sender<bool>),
    Today(i32),
}

/// Hands records to the writer. Dropping it ends the thread after what was handed over.
#[derive(Debug)]
pub(super) struct Journal {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// What the last run left.
#[derive(Debug)]
pub(super) struct Restored {
    /// Count of this start, greater than any before.
    pub(super) boot: u64,
    /// Watermarks by quota.
    pub(super) marks: BTreeMap<SlotId, Mark>,
    /// The journal was damaged; what the node held must count as spent.
    pub(super) damaged: bool,
}

impl Journal {
    /// Opens the journal of a node and writes it anew, synced. `machine` is the boot id of the operating system, zero
    /// where it is not known; `today` drops what is over.
    pub(super) fn open(dir: &Path, machine: [u8; 16], today: i32) -> io::Result<(Self, Restored)> {
        fs::create_dir_all(dir)?;
        let path = dir.join(NAME);
        let found = match fs::read(&path) {
            Ok(bytes) => recover(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Default::default(),
            Err(error) => return Err(error),
        };
        let damaged = found.damaged;
        if damaged {
            // Kept for a look; the ledger knows the rest.
            fs::rename(&path, dir.join(DAMAGED))?;
        }
        let boot = found.boot.saturating_add(1);
        let marks = settled(found, machine, today);
        let live = marks.iter().map(|(slot, mark)| (slot.clone(), (*mark, 0))).collect();
        let mut writer = Writer { dir: dir.into(), file: None, bytes: 0, machine, boot, live, today };
        writer.rewrite()?;
        let (jobs, inbox) = channel();
        let thread = std::thread::Builder::new().name("usage-journal".into()).spawn(move || writer.serve(&inbox))?;
        Ok((Self { jobs: Some(jobs), thread: Some(thread) }, Restored { boot, marks, damaged }))
    }

    fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // A writer that is gone acknowledges nothing, which is safe.
            let _ = jobs.send(job);
        }
    }

    /// Stores records in this order and tells their owners. `urgent`: sync at once.
    pub(super) fn store(&self, marks: Vec<(Arc<dyn Marked>, Marking)>, urgent: bool) {
        if !marks.is_empty() {
            self.send(Job::Marks(marks, urgent));
        }
    }

    /// Stores the node's incarnation; `true` when it is synced.
    pub(super) async fn incarnation(&self, inc: u64) -> bool {
        let (done, answer) = tokio::sync::oneshot::channel();
        self.send(Job::Boot(inc, done));
        answer.await.unwrap_or(false)
    }

    /// Syncs everything handed over before.
    pub(super) async fn flush(&self) -> bool {
        let (done, answer) = tokio::sync::oneshot::channel();
        self.send(Job::Flush(done));
        answer.await.unwrap_or(false)
    }

    /// The day by the node's clock, for clean-up.
    pub(super) fn today(&self, day: i32) {
        self.send(Job::Today(day));
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.jobs.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Writer {
    dir: PathBuf,
    /// None after an error: then the file is written anew before anything is acknowledged.
    file: Option<File>,
    bytes: u64,
    machine: [u8; 16],
    boot: u64,
    /// The last record of each quota, written or about to be, and its order.
    live: BTreeMap<SlotId, (Mark, u64)>,
    today: i32,
}

type Pending = Vec<(Arc<dyn Marked>, Marking)>;

impl Writer {
    fn serve(mut self, inbox: &Receiver<Job>) {
        let mut unsynced: Pending = Vec::new();
        let mut since = Instant::now();
        loop {
            let wait =
                if unsynced.is_empty() { Duration::from_secs(60) } else { SYNC_EVERY.saturating_sub(since.elapsed()) };
            let first = match inbox.recv_timeout(wait) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => {
                    self.sync(&mut unsynced);
                    return;
                }
            };
            if unsynced.is_empty() {
                since = Instant::now();
            }
            let (mut batch, mut urgent, mut answers) = (Pending::new(), false, Vec::new());
            for job in first.into_iter().chain(inbox.try_iter()) {
                match job {
                    Job::Marks(marks, hurry) => {
                        urgent |= hurry;
                        batch.extend(marks);
                    }
                    Job::Boot(inc, done) => {
                        self.boot = self.boot.max(inc);
                        answers.push((done, true));
                    }
                    Job::Flush(done) => answers.push((done, false)),
                    Job::Today(day) => self.today = day,
                }
            }
            let boot = answers.iter().any(|(_, boot)| *boot);
            // What cannot be appended is written anew by the sync.
            unsynced.extend(self.write(batch, boot));
            if urgent || !answers.is_empty() || since.elapsed() >= SYNC_EVERY || self.file.is_none() {
                let sound = self.sync(&mut unsynced);
                since = Instant::now();
                for (done, _) in answers {
                    let _ = done.send(sound);
                }
            }
        }
    }

    /// Appends records; on an error the file is given up. Gives those that a sync will cover.
    ///
    /// A record that comes after a later one of its quota (two threads made them) is left out: the later one says all
    /// that it says, and the last record in the file is what a restart believes.
    fn write(&mut self, mut batch: Pending, boot: bool) -> Pending {
        let mut out = Vec::new();
        if boot {
            frame(&Record::Boot { machine: self.machine, boot: self.boot }, &mut out);
        }
        batch.retain(|(owner, marking)| {
            let late = self.live.get(owner.id()).is_some_and(|(_, order)| *order >= marking.order);
            // An id too long to frame is never acknowledged: nothing of it is ever spent.
            let kept = !late && frame(&Record::Mark(owner.id().clone(), marking.mark), &mut out);
            if kept {
                self.live.insert(owner.id().clone(), (marking.mark, marking.order));
            }
            kept
        });
        let Some(file) = self.file.as_mut().filter(|_| !out.is_empty()) else { return batch };
        match file.write_all(&out) {
            Ok(()) => {
                self.bytes += out.len() as u64;
                for (owner, marking) in &batch {
                    owner.written(*marking);
                }
            }
            Err(error) => self.give_up(&error),
        }
        batch
    }

    /// Syncs, or writes anew what cannot be synced; owners are told on success.
    fn sync(&mut self, unsynced: &mut Pending) -> bool {
        let compact = self.bytes > COMPACT_BYTES && self.bytes > 256 * self.live.len() as u64;
        let done = match &self.file {
            Some(file) if !compact => file.sync_data(),
            _ => self.rewrite(),
        };
        match done {
            Ok(()) => {
                for (owner, marking) in unsynced.drain(..).filter(|(owner, _)| self.live.contains_key(owner.id())) {
                    owner.synced(marking);
                }
                true
            }
            Err(error) => {
                self.give_up(&error);
                // Not in a tight circle around a full disk.
                std::thread::sleep(Duration::from_millis(100));
                false
            }
        }
    }

    fn give_up(&mut self, error: &io::Error) {
        if self.file.take().is_some() {
            tracing::error!(%error, "the usage journal cannot be written: quotas stop at their reserve until it can");
        }
    }

    /// Writes a new file with the last record of each quota that is not over, syncs it and puts it in place.
    fn rewrite(&mut self) -> io::Result<()> {
        self.file = None;
        let today = self.today;
        self.live.retain(|slot, _| slot.period.end_day() + 2 > today);
        let mut out = Vec::new();
        frame(&Record::Boot { machine: self.machine, boot: self.boot }, &mut out);
        for (slot, (mark, _)) in &self.live {
            frame(&Record::Mark(slot.clone(), *mark), &mut out);
        }
        let fresh = self.dir.join(FRESH);
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(&fresh)?;
        file.write_all(&out)?;
        file.sync_all()?;
        fs::rename(&fresh, self.dir.join(NAME))?;
        File::open(&self.dir)?.sync_all()?;
        self.bytes = out.len() as u64;
        self.file = Some(file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::period::{Period, PeriodKind};
    use super::super::wire::PlanKey;
    use super::*;
    use std::sync::Mutex;

    struct Owner(SlotId, Mutex<(Vec<u64>, Vec<u64>)>);

    impl Marked for Owner {
        fn id(&self) -> &SlotId {
            &self.0
        }
        fn written(&self, marking: Marking) {
            self.1.lock().unwrap().0.push(marking.order);
        }
        fn synced(&self, marking: Marking) {
            self.1.lock().unwrap().1.push(marking.order);
        }
    }

    fn owner(key: &str, start_day: i32) -> Arc<Owner> {
        let period = Period { start_day, kind: PeriodKind::Day };
        Arc::new(Owner(SlotId { who: PlanKey { plan: "p".into(), key: key.into() }, period }, Mutex::default()))
    }

    fn marking(order: u64) -> Marking {
        Marking { order, mark: Mark { small: order * 10, big: order * 100, x: order } }
    }

    #[tokio::test]
    async fn records_come_back_with_the_next_start_and_starts_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let one = owner("one", 100);
        for start in 1..=3 {
            let (journal, restored) = Journal::open(dir.path(), [1; 16], 100).unwrap();
            assert_eq!((restored.boot, restored.damaged), (start, false));
            if start > 1 {
                let n = (start - 1) * 10;
                assert_eq!(restored.marks[&one.0], Mark { small: n, big: n, x: start - 1 });
            }
            journal.store(vec![(one.clone(), marking(start))], false);
            assert!(journal.flush().await);
            assert_eq!(one.1.lock().unwrap().1.last(), Some(&start));
        }
        let (journal, restored) = Journal::open(dir.path(), [2; 16], 100).unwrap();
        assert_eq!(restored.marks[&one.0], Mark { small: 300, big: 300, x: 3 }, "after a power loss the larger one");
        assert!(journal.incarnation(77).await);
        drop(journal);
        let (_journal, restored) = Journal::open(dir.path(), [2; 16], 103).unwrap();
        assert_eq!((restored.boot, restored.marks.len()), (78, 0), "the day is over");
    }

    #[tokio::test]
    async fn a_damaged_journal_is_set_aside_and_said_so() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(dir.path(), [1; 16], 100).unwrap();
        journal.store((1..9).map(|n| (owner("one", 100) as Arc<dyn Marked>, marking(n))).collect(), true);
        drop(journal);
        let path = dir.path().join(NAME);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        let (_journal, restored) = Journal::open(dir.path(), [1; 16], 100).unwrap();
        assert!(restored.damaged);
        assert!(dir.path().join(DAMAGED).exists());
    }

    #[tokio::test]
    async fn a_record_that_comes_after_a_later_one_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let one = owner("one", 100);
        let (journal, _) = Journal::open(dir.path(), [1; 16], 100).unwrap();
        for order in [2, 1, 4, 3] {
            journal.store(vec![(one.clone(), marking(order))], false);
        }
        assert!(journal.flush().await);
        assert_eq!(*one.1.lock().unwrap(), (vec![2, 4], vec![2, 4]));
        drop(journal);
        let (_journal, restored) = Journal::open(dir.path(), [1; 16], 100).unwrap();
        assert_eq!(restored.marks[&one.0].small, 40);
    }

    #[test]
    fn a_full_disk_acknowledges_nothing_until_a_new_file_is_synced() {
        let dir = tempfile::tempdir().unwrap();
        let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else { return };
        let (file, live) = (Some(full), BTreeMap::new());
        let mut writer = Writer { dir: dir.path().into(), file, bytes: 0, machine: [1; 16], boot: 4, live, today: 100 };
        let one = owner("one", 100);
        let mut pending = writer.write(vec![(one.clone(), marking(1))], false);
        assert_eq!(*one.1.lock().unwrap(), (vec![], vec![]));
        assert!(writer.file.is_none());
        assert!(writer.sync(&mut pending));
        assert_eq!(one.1.lock().unwrap().1, [1]);
        let found = recover(&fs::read(dir.path().join(NAME)).unwrap());
        assert_eq!((found.boot, found.marks[&one.0]), (4, marking(1).mark));
    }
}
