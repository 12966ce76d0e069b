//! A World rebuilt from its keys and values, in the order of [`World::dump`] or of a disk.
//!
//! What comes together is put in together: a scope's rows become one tree at a time, and frozen rows are found by a plain
//! hash until the last manifest has come. A draft row that a deployment froze as it is shares that row's bytes.

use super::disk::{manifest_entries, scope_and_rest};
use super::{Key, Row, Scope, Tree, World};
use std::collections::HashMap;

/// Why a World could not be rebuilt from what was stored.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The key has no form that this version knows.
    #[error("stored key {0:02x?} is unknown: a newer version wrote it, or the file is damaged")]
    Key(Vec<u8>),
    /// The value under this key is damaged.
    #[error("value under stored key {0:02x?} is damaged")]
    Value(Vec<u8>),
    /// A deployment's manifest names a row that is not there.
    #[error("deployment {0} lacks a row that its manifest names: the file is damaged")]
    Missing(String),
}

/// A World in the making.
#[derive(Debug, Default)]
pub struct Loader {
    world: World,
    /// Frozen rows, with how many trees hold them.
    blobs: HashMap<[u8; 32], (Row, u32)>,
    open: Option<Open>,
}

/// The scope whose rows come now.
#[derive(Debug)]
struct Open {
    scope: Scope,
    tree: Tree,
    /// What its deployments froze.
    frozen: Vec<Tree>,
}

impl Open {
    /// The row itself, or the same one that a deployment holds.
    fn shared(&self, key: &Key, value: &[u8]) -> Row {
        let held = |tree: &Tree| tree.0.get(key).filter(|row| row.bytes() == value).cloned();
        self.frozen.iter().rev().find_map(held).unwrap_or_else(|| Row::from_bytes(value))
    }
}

impl Loader {
    /// Takes one key and value; `b` keys must come before `f` keys, and those before `r` keys.
    ///
    /// # Errors
    /// When it is of no known form, or a manifest's row is missing.
    pub fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), LoadError> {
        let bad_key = || LoadError::Key(key.to_vec());
        let bad_value = || LoadError::Value(key.to_vec());
        let (&kind, rest) = key.split_first().ok_or_else(bad_key)?;
        match kind {
            b'b' => {
                let hash = <[u8; 32]>::try_from(rest).map_err(|_| bad_key())?;
                self.blobs.insert(hash, (Row::from_bytes(value), 0));
            }
            b'f' => {
                let (scope, deployment) = scope_and_rest(rest).ok_or_else(bad_key)?;
                let scope = Scope::from_bytes(scope).ok_or_else(bad_key)?;
                let deployment = std::str::from_utf8(deployment).map_err(|_| bad_key())?;
                let entries = manifest_entries(value).ok_or_else(bad_value)?;
                let tree = self.thawed(deployment, entries)?;
                self.world.frozen.insert((scope, deployment.into()), tree);
            }
            b'm' => {
                let (seq, time_ms) = value.split_at_checked(8).ok_or_else(bad_value)?;
                self.world.seq = u64::from_be_bytes(seq.try_into().map_err(|_| bad_value())?);
                self.world.time_ms = i64::from_be_bytes(time_ms.try_into().map_err(|_| bad_value())?);
            }
            b'r' => {
                let (scope, id) = scope_and_rest(rest).ok_or_else(bad_key)?;
                let id = Key::from_bytes(id).ok_or_else(bad_key)?;
                self.row(scope, id, value).ok_or_else(bad_key)?;
            }
            _ => return Err(bad_key()),
        }
        Ok(())
    }

    /// The World of all that was loaded.
    #[must_use]
    pub fn finish(mut self) -> World {
        self.close();
        let mut blobs: Vec<_> = self.blobs.into_iter().collect();
        blobs.sort_unstable_by_key(|(hash, _)| *hash);
        self.world.blobs = blobs.into_iter().collect();
        self.world
    }

    /// The tree of a manifest, each row shared with its blob.
    fn thawed(&mut self, deployment: &str, entries: Vec<(Key, [u8; 32])>) -> Result<Tree, LoadError> {
        let mut tree = Tree::default();
        for (key, hash) in entries {
            let (row, holders) = self.blobs.get_mut(&hash).ok_or_else(|| LoadError::Missing(deployment.to_owned()))?;
            *holders += 1;
            tree.0.insert(key, row.clone());
        }
        Ok(tree)
    }

    /// Puts a row into its scope; `None` where that is none.
    fn row(&mut self, scope: &[u8], id: Key, value: &[u8]) -> Option<()> {
        if self.open.as_ref().is_none_or(|open| open.scope.as_str().as_bytes() != scope) {
            self.close();
            let scope = Scope::from_bytes(scope)?;
            let frozen = self.world.frozen_of(&scope).map(|(_, tree)| tree.clone()).collect();
            let tree = self.world.tree(&scope);
            self.open = Some(Open { scope, tree, frozen });
        }
        let open = self.open.as_mut()?;
        let row = open.shared(&id, value);
        self.world.index(&open.scope, &id, &row);
        open.tree.0.insert(id, row);
        Some(())
    }

    fn close(&mut self) {
        if let Some(Open { scope, tree, .. }) = self.open.take() {
            self.world.scopes.insert(scope, tree);
        }
    }
}
