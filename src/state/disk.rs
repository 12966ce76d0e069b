//! A World as keys and values: what a disk or a snapshot holds.
//!
//! `b` hash → frozen row · `f` scope `\0` deployment → manifest (length, key, hash)* · `m` → (applied Changes, time) ·
//! `r` scope `\0` key → row. In byte order `b` precedes `f`, so that a load in key order finds a manifest's rows.

use super::{Key, Row, Scope, Tree, World, tree::row_hash};

/// One effect on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The key.
    pub key: Vec<u8>,
    /// The value; `None` removes the key.
    pub value: Option<Vec<u8>>,
}

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

impl World {
    /// Every key and value of this World: what a snapshot holds and [`World::load`] takes, in an order fit for it.
    pub fn dump(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + Send + 'static {
        let Self { scopes, frozen, blobs, seq, time_ms, .. } = self.clone();
        let blobs = blobs.into_iter().map(|(hash, (row, _))| (blob_key(&hash), row.bytes().to_vec()));
        let frozen =
            frozen.into_iter().map(|((scope, deployment), tree)| (frozen_key(&scope, &deployment), manifest_of(&tree)));
        let meta = std::iter::once_with(move || {
            let Write { key, value } = meta_write(seq, time_ms);
            (key, value.unwrap_or_default())
        });
        let rows = scopes.into_iter().flat_map(|(scope, tree)| {
            tree.0.into_iter().map(move |(key, row)| (row_key(&scope, &key), row.bytes().to_vec()))
        });
        blobs.chain(frozen).chain(meta).chain(rows)
    }

    /// Takes back one key and value of [`World::dump`]; `b` keys must come before `f` keys.
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
                let deployment = std::str::from_utf8(deployment).map_err(|_| bad_key())?;
                let entries = manifest_entries(value).ok_or_else(bad_value)?;
                let tree = self.thawed(deployment, entries)?;
                self.frozen.insert((scope, deployment.into()), tree);
            }
            b'm' => {
                let (seq, time_ms) = value.split_at_checked(8).ok_or_else(bad_value)?;
                self.seq = u64::from_be_bytes(seq.try_into().map_err(|_| bad_value())?);
                self.time_ms = i64::from_be_bytes(time_ms.try_into().map_err(|_| bad_value())?);
            }
            b'r' => {
                let (scope, id) = scope_and_rest(rest).ok_or_else(bad_key)?;
                let id = Key::from_bytes(id).ok_or_else(bad_key)?;
                let row = Row::from_bytes(value);
                self.scopes.entry(scope.clone()).or_default().0.insert(id.clone(), row.clone());
                self.index(&scope, &id, &row);
            }
            _ => return Err(bad_key()),
        }
        Ok(())
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
}

pub(super) fn manifest_of(tree: &Tree) -> Vec<u8> {
    let mut manifest = Vec::new();
    for (key, row) in tree.all() {
        manifest.extend_from_slice(&(key.bytes().len() as u32).to_be_bytes());
        manifest.extend_from_slice(key.bytes());
        manifest.extend_from_slice(&row_hash(row));
    }
    manifest
}

fn manifest_entries(mut bytes: &[u8]) -> Option<Vec<(Key, [u8; 32])>> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_at_checked(4)?;
        let length = u32::from_be_bytes(length.try_into().ok()?);
        let (key, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        let (hash, rest) = rest.split_at_checked(32)?;
        entries.push((Key::from_bytes(key)?, hash.try_into().ok()?));
        bytes = rest;
    }
    Some(entries)
}

pub(super) fn row_key(scope: &Scope, key: &Key) -> Vec<u8> {
    [b"r", scope.as_str().as_bytes(), b"\0", key.bytes()].concat()
}

pub(super) fn blob_key(hash: &[u8; 32]) -> Vec<u8> {
    [b"b".as_slice(), hash].concat()
}

pub(super) fn frozen_key(scope: &Scope, deployment: &str) -> Vec<u8> {
    [b"f", scope.as_str().as_bytes(), b"\0", deployment.as_bytes()].concat()
}

pub(super) fn meta_write(seq: u64, time_ms: i64) -> Write {
    let mut value = seq.to_be_bytes().to_vec();
    value.extend_from_slice(&time_ms.to_be_bytes());
    Write { key: b"m".to_vec(), value: Some(value) }
}

fn scope_and_rest(bytes: &[u8]) -> Option<(Scope, &[u8])> {
    let end = bytes.iter().position(|b| *b == 0)?;
    let scope = Scope::from_text(std::str::from_utf8(&bytes[..end]).ok()?)?;
    Some((scope, &bytes[end + 1..]))
}
