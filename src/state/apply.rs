//! Changes put into a World, and the same effects as key-value writes for the disk.

use super::disk::{Write, blob_key, frozen_key, manifest_of, meta_write, row_key};
use super::{Change, Key, Op, Row, Scope, Tree, World, tree::row_hash};
use crate::catalog::Table;

/// Why a Change had no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("change was made for {prev} applied changes, there are {seq}: it is refused without effect")]
pub struct ApplyError {
    /// What the Change was made for.
    pub prev: u64,
    /// What there is.
    pub seq: u64,
}

impl World {
    /// Applies a Change, adds its disk effects to `out`, and says how many Changes there are now.
    ///
    /// # Errors
    /// When its `prev` is not the count of Changes applied: nothing happened then.
    pub fn apply(&mut self, change: &Change, out: &mut Vec<Write>) -> Result<u64, ApplyError> {
        if change.prev != self.seq {
            return Err(ApplyError { prev: change.prev, seq: self.seq });
        }
        self.apply_ops(&change.ops, out);
        self.seq += 1;
        self.time_ms = self.time_ms.max(change.time_ms);
        out.push(meta_write(self.seq, self.time_ms));
        Ok(self.seq)
    }

    pub(super) fn apply_ops(&mut self, ops: &[Op], out: &mut Vec<Write>) {
        for op in ops {
            match op {
                Op::Put { scope, table, id, row } => self.put(scope, &Key::of_number(*table, id), row, out),
                Op::Drop { scope, table, id } => self.remove(scope, &Key::of_number(*table, id), out),
                Op::DropScope { scope } => self.drop_scope(scope, out),
                Op::Freeze { scope, deployment } => self.freeze(scope, deployment, out),
                Op::Thaw { scope, deployment } => self.thaw(scope, deployment, out),
            }
        }
    }

    fn put(&mut self, scope: &Scope, key: &Key, row: &Row, out: &mut Vec<Write>) {
        self.unindex(scope, key);
        self.scopes.entry(scope.clone()).or_default().0.insert(key.clone(), row.clone());
        self.index(scope, key, row);
        out.push(Write { key: row_key(scope, key), value: Some(row.bytes().to_vec()) });
    }

    fn remove(&mut self, scope: &Scope, key: &Key, out: &mut Vec<Write>) {
        self.unindex(scope, key);
        let Some(tree) = self.scopes.get_mut(scope) else { return };
        if tree.0.remove(key).is_some() {
            out.push(Write { key: row_key(scope, key), value: None });
        }
        if tree.is_empty() {
            self.scopes.remove(scope);
        }
    }

    fn drop_scope(&mut self, scope: &Scope, out: &mut Vec<Write>) {
        let keys: Vec<Key> = self.tree(scope).all().map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.remove(scope, &key, out);
        }
        let deployments: Vec<Box<str>> = self.frozen_of(scope).map(|(deployment, _)| deployment.into()).collect();
        for deployment in deployments {
            self.thaw(scope, &deployment, out);
        }
    }

    fn freeze(&mut self, scope: &Scope, deployment: &str, out: &mut Vec<Write>) {
        self.thaw(scope, deployment, out);
        let (draft, _) = self.tree(scope).0.split(&Key::of_number(Table::FIRST_DELIVERY, ""));
        let tree = Tree(draft);
        for (_, row) in tree.all() {
            let hash = row_hash(row);
            let (_, holders) = self.blobs.entry(hash).or_insert_with(|| {
                out.push(Write { key: blob_key(&hash), value: Some(row.bytes().to_vec()) });
                (row.clone(), 0)
            });
            *holders += 1;
        }
        out.push(Write { key: frozen_key(scope, deployment), value: Some(manifest_of(&tree)) });
        self.frozen.insert((scope.clone(), deployment.into()), tree);
    }

    fn thaw(&mut self, scope: &Scope, deployment: &str, out: &mut Vec<Write>) {
        let Some(tree) = self.frozen.remove(&(scope.clone(), deployment.into())) else { return };
        out.push(Write { key: frozen_key(scope, deployment), value: None });
        for (_, row) in tree.all() {
            let hash = row_hash(row);
            let Some((_, holders)) = self.blobs.get_mut(&hash) else { continue };
            *holders = holders.saturating_sub(1);
            if *holders == 0 {
                self.blobs.remove(&hash);
                out.push(Write { key: blob_key(&hash), value: None });
            }
        }
    }
}
