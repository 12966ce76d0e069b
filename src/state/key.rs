//! A row's key within its scope: the table's number, then the id.

use crate::catalog::Table;

/// Table and id in one ordered byte string.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Box<[u8]>);

impl Key {
    /// The key of the row with this id.
    #[must_use]
    pub fn new(table: Table, id: &str) -> Self {
        Self::of_number(table.number(), id)
    }

    /// The same for a table that this version may not know.
    #[must_use]
    pub fn of_number(table: u8, id: &str) -> Self {
        let mut bytes = Vec::with_capacity(1 + id.len());
        bytes.push(table);
        bytes.extend_from_slice(id.as_bytes());
        Self(bytes.into())
    }

    /// Takes bytes that were a key before. Empty bytes are none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (!bytes.is_empty() && std::str::from_utf8(&bytes[1..]).is_ok()).then(|| Self(bytes.into()))
    }

    /// The key as stored.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The table's number, also of a table that this version does not know.
    #[must_use]
    pub fn table_number(&self) -> u8 {
        self.0[0]
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        std::str::from_utf8(&self.0[1..]).unwrap_or_default()
    }
}
