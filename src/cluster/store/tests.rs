//! Openraft's storage suite over both disks, and what a replica finds after a crash.

use super::memory::{Pace, Platter, open_platter};
use super::state::{StateBatch, StateDisk};
use super::state_file::StateFile;
use super::{LogStore, StateStore, open_directory};
use crate::catalog::{AccountId, ApiId, Region, Table};
use crate::cluster::machine::{Machine, Pinned, Write};
use crate::cluster::types::{Index, Live, SnapshotMeta};
use crate::cluster::world_machine::{WorldMachine, entries_of};
use crate::cluster::{GroupOptions, Opening, Timing};
use crate::state::{Change, Op, Row, Scope, World};
use arc_swap::ArcSwap;
use openraft::{
    StorageError,
    testing::log::{StoreBuilder, Suite},
};
use std::sync::{Arc, Mutex};
use std::{collections::BTreeMap, path::Path};
use tokio::sync::watch;

/// Keeps the last entry of each first byte.
#[derive(Default)]
pub(crate) struct Shelf {
    pairs: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Machine for Shelf {
    fn reset(&mut self) {
        self.pairs.clear();
    }
    fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        self.pairs.insert(key.to_vec(), value.to_vec());
        Ok(())
    }
    fn apply(&mut self, index: u64, entry: &[u8], out: &mut Vec<Write>) -> Vec<u8> {
        let key = entry.get(..1).unwrap_or_default().to_vec();
        self.pairs.insert(key.clone(), entry.to_vec());
        out.push(Write { key, value: Some(entry.to_vec()) });
        index.to_be_bytes().to_vec()
    }
    fn publish(&mut self) {}
    fn pin(&self) -> Pinned {
        Box::new(self.pairs.clone().into_iter())
    }
}

fn options(directory: &Path, opening: Opening) -> GroupOptions {
    GroupOptions {
        directory: directory.to_owned(),
        node_id: 1,
        replica_id: 11,
        opening,
        timing: Timing::default(),
        activation: crate::cluster::Activation::OnApply,
    }
}

struct Files;

impl StoreBuilder<Live, LogStore, StateStore, tempfile::TempDir> for Files {
    async fn build(&self) -> Result<(tempfile::TempDir, LogStore, StateStore), StorageError<Live>> {
        let folder = tempfile::tempdir().unwrap();
        let opened =
            open_directory(&options(folder.path(), Opening::Found), 1, "test", Box::<Shelf>::default()).unwrap();
        Ok((folder, opened.log, opened.state))
    }
}

struct Memory;

impl StoreBuilder<Live, LogStore, StateStore, ()> for Memory {
    async fn build(&self) -> Result<((), LogStore, StateStore), StorageError<Live>> {
        let (log, state, _) =
            open_platter::<Live>(&Platter::default(), Pace::default(), Box::<Shelf>::default()).unwrap();
        Ok(((), log, state))
    }
}

#[test]
fn the_redb_store_passes_openrafts_storage_suite() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(Suite::<Live, _, _, _, _>::test_all(Files)).unwrap();
}

#[test]
fn the_memory_store_passes_openrafts_storage_suite() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(Suite::<Live, _, _, _, _>::test_all(Memory)).unwrap();
}

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn machine() -> (WorldMachine, Arc<ArcSwap<World>>) {
    let cell = Arc::<ArcSwap<World>>::default();
    (WorldMachine::new(cell.clone(), watch::Sender::new(0)), cell)
}

/// An API of sixty rows, deployed twice with a change between, as one Change.
fn api(number: u64) -> Change {
    let id = format!("api{number:07}");
    let scope = Scope::api(&AccountId::from("000000000000"), &Region::from("eu-west-1"), &ApiId::from(id.as_str()));
    let put = |n: u64, version: u8| Op::Put {
        scope: scope.clone(),
        table: Table::Resource.number(),
        id: format!("r{n:05}").into(),
        row: Row::from_bytes(&[&[1, version][..], id.as_bytes(), &n.to_be_bytes(), &[7; 200]].concat()),
    };
    let freeze = |name: &str| Op::Freeze { scope: scope.clone(), deployment: name.into() };
    let api = Op::Put {
        scope: scope.clone(),
        table: Table::RestApi.number(),
        id: id.as_str().into(),
        row: Row::from_bytes(&[1]),
    };
    let mut ops: Vec<Op> = (0..60).map(|n| put(n, 1)).collect();
    ops.extend([api, freeze("d1"), put(5, 2), freeze("d2"), put(6, 3)]);
    Change { prev: number, time_ms: 5, ops }
}

#[test]
fn a_state_of_many_apis_comes_back_from_its_file_and_from_a_snapshot_of_it() {
    let (apis, folder) = (300, tempfile::tempdir().unwrap());
    let place = |name: &str| folder.path().join(name);
    let (mut first, _) = machine();
    let (file, _) = StateFile::open(&place("one"), 1, &mut first).unwrap();
    let mut applied = Index::new_term_index(1, 0);
    for number in 0..apis {
        let mut writes = Vec::new();
        for entry in entries_of(&api(number)).unwrap() {
            first.apply(number, &entry, &mut writes);
        }
        applied.index = number + 1;
        file.submit(StateBatch { writes, applied, members: None }).unwrap();
    }
    let wanted: Pairs = first.pin().collect();
    assert_eq!(wanted.iter().filter(|(key, _)| key[0] == b'f').count(), 600);
    let bytes: usize = wanted.iter().map(|(key, value)| key.len() + value.len()).sum();
    assert!(bytes > 8 << 20, "it is read in several pieces: {bytes} B");
    let meta = SnapshotMeta { last_log_id: Some(applied), ..SnapshotMeta::default() };
    let body = file.build(meta.clone(), first.pin()).blocking_recv().unwrap().unwrap();
    drop(file);

    let comes_back = |name: &str| {
        let (mut again, cell) = machine();
        let (_, start) = StateFile::open(&place(name), 1, &mut again).unwrap();
        assert_eq!(start.applied, Some(applied));
        assert!(again.pin().eq(wanted.iter().cloned()), "{name} holds what was applied");
        let world = cell.load();
        assert_eq!((world.seq(), world.api_scopes().count()), (apis, 300), "{name}: what readers see");
    };
    comes_back("one");

    let (other, cell) = machine();
    let other: super::state::SharedMachine = Arc::new(Mutex::new(Box::new(other)));
    let (file, _) = StateFile::open(&place("two"), 1, &mut **other.lock().unwrap()).unwrap();
    file.install(meta, body, other.clone()).blocking_recv().unwrap().unwrap();
    assert!(other.lock().unwrap().pin().eq(wanted.iter().cloned()));
    assert_eq!(cell.load().seq(), apis);
    drop(file);
    comes_back("two");
}
