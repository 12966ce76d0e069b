//! Disks in memory that forget what was not synced: the same stores run over them in simulation.

use super::log::{DurableState, LogDisk, LogStart, LogStore, LogWrite, Written};
use super::snapshot::{SnapshotBody, SnapshotReader, write_snapshot};
use super::state::{SharedMachine, StateBatch, StateDisk, StateStore};
use super::wire;
use crate::cluster::machine::{Machine, Pinned};
use crate::cluster::types::{Ballot, Index, LogEntry, SnapshotMeta, StoredMembers, Types};
use imbl::OrdMap;
use openraft::type_config::TypeConfigExt;
use std::{
    io,
    marker::PhantomData,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// What survives a crash of one replica.
#[derive(Clone, Default)]
pub(crate) struct Platter(Arc<Mutex<Image>>);

#[derive(Default, Clone)]
struct Image {
    vote: Option<Ballot>,
    committed: Option<Index>,
    purged: Option<Index>,
    log: OrdMap<u64, Vec<u8>>,
    state: StateImage,
    snapshot: Option<(SnapshotMeta, Arc<Vec<u8>>)>,
}

#[derive(Default, Clone)]
struct StateImage {
    pairs: OrdMap<Vec<u8>, Vec<u8>>,
    applied: Option<Index>,
    members: StoredMembers,
}

/// How long the simulated disk takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// One fsync of the log.
    pub(crate) sync: Duration,
    /// Between two durable commits of the state.
    pub(crate) state: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { sync: Duration::from_millis(1), state: Duration::from_secs(1) }
    }
}

/// An opened replica; after [`Power::cut`] nothing reaches the platter any more.
#[derive(Clone)]
pub(crate) struct Power(Arc<AtomicBool>);

impl Power {
    pub(crate) fn cut(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    fn on(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Opens the stores over what the platter holds. Must run inside `C`'s runtime.
pub(crate) fn open_platter<C: Types>(
    platter: &Platter,
    pace: Pace,
    mut machine: Box<dyn Machine>,
) -> io::Result<(LogStore, StateStore, Power)> {
    let power = Power(Arc::new(AtomicBool::new(true)));
    let image = platter.0.lock().unwrap().clone();
    let tail = image.log.values().map(|bytes| wire::decode_entry(bytes)).collect::<Result<Vec<_>, _>>()?;
    let start = LogStart {
        vote: image.vote,
        committed: image.committed,
        purged: image.purged,
        last: tail.last().map(|entry| entry.log_id),
        // Older entries are read from the disk, as after a real restart.
        tail: tail.into_iter().rev().take(8).collect::<Vec<_>>().into_iter().rev().collect(),
    };
    machine.reset();
    for (key, value) in &image.state.pairs {
        machine.load(key, value).map_err(io::Error::other)?;
    }
    machine.publish();
    let (applied, members) = (image.state.applied, image.state.members.clone());
    let state = Arc::new(MemoryState { platter: platter.clone(), live: Mutex::new(image.state), power: power.clone() });
    let (weak, every, on) = (Arc::downgrade(&state), pace.state, power.clone());
    drop(C::spawn(async move {
        while on.on() {
            C::sleep(every).await;
            let Some(state) = weak.upgrade() else { break };
            state.sync();
        }
    }));
    let log = MemoryLog::<C>::open(platter.clone(), power.clone(), pace.sync);
    let log = LogStore::new(Arc::new(log), state.clone(), start);
    let state = StateStore::new(Arc::new(Mutex::new(machine)), state, applied, members);
    Ok((log, state, power))
}

struct MemoryLog<C> {
    platter: Platter,
    jobs: mpsc::UnboundedSender<(LogWrite, Written)>,
    committed: Arc<Mutex<Option<Index>>>,
    runtime: PhantomData<C>,
}

impl<C: Types> MemoryLog<C> {
    fn open(platter: Platter, power: Power, sync: Duration) -> Self {
        let (jobs, mut queue) = mpsc::unbounded_channel::<(LogWrite, Written)>();
        let committed = Arc::new(Mutex::new(None));
        let (disk, noted) = (platter.clone(), committed.clone());
        drop(C::spawn(async move {
            while let Some(first) = queue.recv().await {
                let mut batch = vec![first];
                while let Ok(next) = queue.try_recv() {
                    batch.push(next);
                }
                C::sleep(sync).await;
                if !power.on() {
                    return;
                }
                let mut image = disk.0.lock().unwrap();
                let mut dones = Vec::new();
                for (write, written) in batch {
                    image.write(write);
                    dones.push(written);
                }
                image.committed = noted.lock().unwrap().take().or(image.committed);
                drop(image);
                for written in dones {
                    written(Ok(()));
                }
            }
        }));
        Self { platter, jobs, committed, runtime: PhantomData }
    }
}

impl Image {
    fn write(&mut self, write: LogWrite) {
        match write {
            LogWrite::Append(entries) => self.log.extend(entries),
            LogWrite::Truncate(from) => self.log = self.log.split(&from).0,
            LogWrite::Purge(upto) => {
                self.log = self.log.split(&upto.index).1;
                self.purged = Some(upto);
            }
            LogWrite::Vote(bytes) => self.vote = wire::decode_vote(&bytes).ok(),
        }
    }
}

impl<C: Types> LogDisk for MemoryLog<C> {
    fn submit(&self, write: LogWrite, written: Written) {
        if let Err(refused) = self.jobs.send((write, written)) {
            (refused.0.1)(Err(io::Error::other("the power is off")));
        }
    }

    fn note_committed(&self, committed: Index) {
        *self.committed.lock().unwrap() = Some(committed);
    }

    fn read(&self, from: u64, to: u64) -> io::Result<Vec<LogEntry>> {
        let image = self.platter.0.lock().unwrap();
        image.log.range(from..to).map(|(_, bytes)| Ok(wire::decode_entry(bytes)?)).collect()
    }
}

struct MemoryState {
    platter: Platter,
    live: Mutex<StateImage>,
    power: Power,
}

impl MemoryState {
    fn sync(&self) {
        if self.power.on() {
            self.platter.0.lock().unwrap().state = self.live.lock().unwrap().clone();
        }
    }
}

fn ready<T>(outcome: io::Result<T>) -> oneshot::Receiver<io::Result<T>> {
    let (sender, receiver) = oneshot::channel();
    drop(sender.send(outcome));
    receiver
}

impl DurableState for MemoryState {
    fn durable_at(&self, index: u64) -> oneshot::Receiver<io::Result<()>> {
        let durable = self.platter.0.lock().unwrap().state.applied.map_or(0, |applied| applied.index);
        if durable < index {
            self.sync();
        }
        ready(Ok(()))
    }
}

impl StateDisk for MemoryState {
    fn submit(&self, batch: StateBatch) -> io::Result<()> {
        let mut live = self.live.lock().unwrap();
        for write in batch.writes {
            match write.value {
                Some(value) => drop(live.pairs.insert(write.key, value)),
                None => drop(live.pairs.remove(&write.key)),
            }
        }
        live.applied = Some(batch.applied);
        if let Some(members) = batch.members {
            live.members = members;
        }
        Ok(())
    }

    fn room(&self) -> Option<oneshot::Receiver<io::Result<()>>> {
        None
    }

    fn build(&self, meta: SnapshotMeta, pinned: Pinned) -> oneshot::Receiver<io::Result<SnapshotBody>> {
        let mut bytes = Vec::new();
        let built = write_snapshot(&mut bytes, &meta, pinned).map(|_| Arc::new(bytes));
        ready(built.map(|bytes| {
            if self.power.on() {
                self.platter.0.lock().unwrap().snapshot = Some((meta, bytes.clone()));
            }
            SnapshotBody::Memory(bytes)
        }))
    }

    fn install(
        &self,
        meta: SnapshotMeta,
        body: SnapshotBody,
        machine: SharedMachine,
    ) -> oneshot::Receiver<io::Result<()>> {
        let install = || -> io::Result<()> {
            let mut bytes = Vec::new();
            io::copy(&mut body.reader()?, &mut bytes)?;
            let mut machine = machine.lock().unwrap();
            machine.reset();
            let mut pairs = OrdMap::new();
            for pair in SnapshotReader::open(body.reader()?)? {
                let (key, value) = pair?;
                pairs.insert(key, value);
            }
            // In the order of a state file, as a restart loads it.
            for (key, value) in &pairs {
                machine.load(key, value).map_err(io::Error::other)?;
            }
            machine.publish();
            let state = StateImage { pairs, applied: meta.last_log_id, members: meta.last_membership.clone() };
            *self.live.lock().unwrap() = state;
            self.sync();
            if self.power.on() {
                self.platter.0.lock().unwrap().snapshot = Some((meta, Arc::new(bytes)));
            }
            Ok(())
        };
        ready(install())
    }

    fn current(&self) -> io::Result<Option<(SnapshotMeta, SnapshotBody)>> {
        let snapshot = self.platter.0.lock().unwrap().snapshot.clone();
        Ok(snapshot.map(|(meta, bytes)| (meta, SnapshotBody::Memory(bytes))))
    }
}
