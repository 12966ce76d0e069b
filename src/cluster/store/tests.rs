//! Openraft's storage suite over both disks, and what a replica finds after a crash.

use super::memory::{Pace, Platter, open_platter};
use super::{LogStore, StateStore, open_directory};
use crate::cluster::machine::{Machine, Pinned, Write};
use crate::cluster::types::Live;
use crate::cluster::{GroupOptions, Opening, Timing};
use openraft::{
    StorageError,
    testing::log::{StoreBuilder, Suite},
};
use std::{collections::BTreeMap, path::Path};

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
