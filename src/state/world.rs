//! The World: every replicated row, with the look-ups that rooms above need.

use super::{Key, Op, Row, RowError, Scope, Tree};
use crate::catalog::{AccountId, ApiId, Noun, Region, Table};
use imbl::OrdMap;
use serde::Deserialize;
use std::ops::Bound;

/// All rows at one moment. A clone is a pointer; readers keep theirs while others change.
#[derive(Debug, Clone, Default)]
pub struct World {
    pub(super) scopes: OrdMap<Scope, Tree>,
    pub(super) frozen: OrdMap<(Scope, Box<str>), Tree>,
    /// Frozen rows by hash, with how many trees hold them: kept once on disk.
    pub(super) blobs: OrdMap<[u8; 32], (Row, u32)>,
    apis: OrdMap<Box<str>, Scope>,
    key_hashes: OrdMap<(Scope, [u8; 32]), Box<str>>,
    pub(super) seq: u64,
    pub(super) time_ms: i64,
}

impl World {
    /// How many Changes were applied.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The time of the last Change, milliseconds since 1970.
    #[must_use]
    pub fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// The row with this id.
    #[must_use]
    pub fn row(&self, scope: &Scope, table: Table, id: &str) -> Option<&Row> {
        self.scopes.get(scope)?.row(table, id)
    }

    /// The noun with this id.
    ///
    /// # Errors
    /// When its row cannot be read by this version.
    pub fn get<T: Noun>(&self, scope: &Scope, id: &str) -> Result<Option<T>, RowError> {
        self.row(scope, T::TABLE, id).map(Row::read).transpose()
    }

    /// The nouns of a scope whose id begins with `prefix`, with their ids, in order of id.
    ///
    /// # Errors
    /// When a row cannot be read by this version.
    pub fn list<T: Noun>(&self, scope: &Scope, prefix: &str) -> Result<Vec<(String, T)>, RowError> {
        self.scopes.get(scope).map_or_else(|| Ok(Vec::new()), |tree| tree.list(prefix))
    }

    /// All rows of a scope as they are now: for an API's scope its draft, deployments and stages.
    #[must_use]
    pub fn tree(&self, scope: &Scope) -> Tree {
        self.scopes.get(scope).cloned().unwrap_or_default()
    }

    /// What a deployment froze.
    #[must_use]
    pub fn frozen(&self, scope: &Scope, deployment: &str) -> Option<Tree> {
        self.frozen.get(&(scope.clone(), deployment.into())).cloned()
    }

    /// What the deployments of an API froze, by deployment id.
    pub(super) fn frozen_of(&self, scope: &Scope) -> impl Iterator<Item = (&str, &Tree)> {
        let of_scope = self.frozen.range((scope.clone(), "".into())..).take_while(move |((of, _), _)| of == scope);
        of_scope.map(|((_, deployment), tree)| (deployment.as_ref(), tree))
    }

    /// The APIs of an account in a region, in order of id.
    #[must_use]
    pub fn apis(&self, account: &AccountId, region: &Region) -> Vec<ApiId> {
        self.apis_after(account, region, "").collect()
    }

    /// The same, those alone whose id is greater than `after`.
    pub fn apis_after(&self, account: &AccountId, region: &Region, after: &str) -> impl Iterator<Item = ApiId> {
        let region = Scope::region(account, region);
        let first = Scope::below(&region, after);
        self.scopes
            .range((Bound::Excluded(first), Bound::Unbounded))
            .map(|(scope, _)| scope)
            .take_while(move |scope| scope.as_str().starts_with(region.as_str()))
            .filter_map(Scope::api_id)
    }

    /// Where the API with this id lives.
    #[must_use]
    pub fn api_scope(&self, api: &str) -> Option<Scope> {
        self.apis.get(api).cloned()
    }

    /// Every API's scope, in order of API id.
    pub fn api_scopes(&self) -> impl Iterator<Item = &Scope> {
        self.apis.values()
    }

    /// Every scope that has rows, in order.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.scopes.keys()
    }

    /// The id of the API key whose value has this HMAC, in a region's scope.
    #[must_use]
    pub fn api_key_by_hash(&self, region: &Scope, hash: &[u8; 32]) -> Option<&str> {
        self.key_hashes.get(&(region.clone(), *hash)).map(AsRef::as_ref)
    }

    /// Takes in effects that are not committed yet: what an operation sees of its predecessors (foundations §1.2).
    pub fn advance(&mut self, time_ms: i64, ops: &[Op]) {
        self.apply_ops(ops, &mut Vec::new());
        self.seq += 1;
        self.time_ms = self.time_ms.max(time_ms);
    }

    /// Keeps the typed indexes equal to the rows: called before a row is set or removed.
    pub(super) fn unindex(&mut self, scope: &Scope, key: &Key) {
        if key.table_number() == Table::RestApi.number() {
            self.apis.remove(key.id());
        } else if let Some(hash) = self.scopes.get(scope).and_then(|tree| value_hash(key, tree.0.get(key)?)) {
            self.key_hashes.remove(&(scope.clone(), hash));
        }
    }

    /// Keeps the typed indexes equal to the rows: called after a row was set.
    pub(super) fn index(&mut self, scope: &Scope, key: &Key, row: &Row) {
        if key.table_number() == Table::RestApi.number() {
            self.apis.insert(key.id().into(), scope.clone());
        } else if let Some(hash) = value_hash(key, row) {
            self.key_hashes.insert((scope.clone(), hash), key.id().into());
        }
    }
}

/// The one member of an API key that the index needs: apply decodes no more of it.
#[derive(Deserialize)]
struct Indexed {
    #[serde(rename = "valueHash", default)]
    value_hash: Option<serde_bytes::ByteArray<32>>,
}

fn value_hash(key: &Key, row: &Row) -> Option<[u8; 32]> {
    if key.table_number() != Table::ApiKey.number() {
        return None;
    }
    let indexed: Indexed = rmp_serde::from_slice(row.bytes().get(1..)?).ok()?;
    indexed.value_hash.map(serde_bytes::ByteArray::into_array)
}
