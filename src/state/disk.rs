//! A World as keys and values: what a disk or a snapshot holds.
//!
//! `b` hash → frozen row · `f` scope `\0` deployment → manifest (length, key, hash)* · `m` → (applied Changes, time) ·
//! `r` scope `\0` key → row. In byte order `b` precedes `f`, so that a load in key order finds a manifest's rows.

use super::{Key, Scope, Tree, World, tree::row_hash};

/// One effect on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The key.
    pub key: Vec<u8>,
    /// The value; `None` removes the key.
    pub value: Option<Vec<u8>>,
}

impl World {
    /// Every key and value of this World: what a snapshot holds and [`super::Loader`] takes, in an order fit for it.
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

pub(super) fn manifest_entries(mut bytes: &[u8]) -> Option<Vec<(Key, [u8; 32])>> {
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

/// The bytes of a scope, and what follows it.
pub(super) fn scope_and_rest(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|b| *b == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}
