//! One API's rows: its draft, or what a deployment froze of it.

use super::{Key, Row, RowError};
use crate::catalog::{Noun, Table};
use aws_lc_rs::digest::{Context, SHA256, digest};
use imbl::OrdMap;

/// Rows of one API, in key order. A clone is a pointer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree(pub(super) OrdMap<Key, Row>);

impl Tree {
    /// The row with this id.
    #[must_use]
    pub fn row(&self, table: Table, id: &str) -> Option<&Row> {
        self.0.get(&Key::new(table, id))
    }

    /// The noun with this id.
    ///
    /// # Errors
    /// When its row cannot be read by this version.
    pub fn get<T: Noun>(&self, id: &str) -> Result<Option<T>, RowError> {
        self.row(T::TABLE, id).map(Row::read).transpose()
    }

    /// The nouns whose id begins with `prefix`, with their ids, in order of id.
    ///
    /// # Errors
    /// When a row cannot be read by this version.
    pub fn list<T: Noun>(&self, prefix: &str) -> Result<Vec<(String, T)>, RowError> {
        self.rows(T::TABLE, prefix).map(|(id, row)| Ok((id.to_owned(), row.read()?))).collect()
    }

    /// The rows of a table whose id begins with `prefix`, with their ids, in order of id.
    pub fn rows(&self, table: Table, prefix: &str) -> impl Iterator<Item = (&str, &Row)> {
        let first = Key::new(table, prefix);
        let wanted = first.clone();
        self.0
            .range(first..)
            .take_while(move |(key, _)| key.bytes().starts_with(wanted.bytes()))
            .map(|(key, row)| (key.id(), row))
    }

    /// Every row, in key order.
    pub fn all(&self) -> impl Iterator<Item = (&Key, &Row)> {
        self.0.iter()
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A hash of the whole content: two trees are the same exactly when theirs are.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        for (key, row) in &self.0 {
            context.update(&(key.bytes().len() as u64).to_be_bytes());
            context.update(key.bytes());
            context.update(&row_hash(row));
        }
        into_array(context.finish().as_ref())
    }
}

impl FromIterator<(Key, Row)> for Tree {
    fn from_iter<I: IntoIterator<Item = (Key, Row)>>(rows: I) -> Self {
        Self(rows.into_iter().collect())
    }
}

/// The name of a row's content.
pub(super) fn row_hash(row: &Row) -> [u8; 32] {
    into_array(digest(&SHA256, row.bytes()).as_ref())
}

fn into_array(bytes: &[u8]) -> [u8; 32] {
    let mut array = [0; 32];
    array.copy_from_slice(bytes);
    array
}
