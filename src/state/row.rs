//! A stored noun: version byte, then MessagePack with field names.

use crate::catalog::Noun;
use std::{fmt, sync::Arc};

/// The bytes of one noun. A clone shares them.
#[derive(Clone, PartialEq, Eq)]
pub struct Row(Arc<[u8]>);

/// Why a row could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// There is nothing in it.
    #[error("row is empty")]
    Empty,
    /// A newer version wrote it in a form that this one must not rewrite.
    #[error("row has version {found}, this node knows up to {known}: upgrade this node")]
    Newer {
        /// The row's version.
        found: u8,
        /// The highest version known here.
        known: u8,
    },
    /// The bytes are no noun of this kind.
    #[error("row cannot be decoded")]
    Malformed(#[source] rmp_serde::decode::Error),
}

impl Row {
    /// Encodes a noun. Cannot fail: nouns are plain structs of text, numbers, lists and maps.
    #[must_use]
    pub fn of<T: Noun>(noun: &T) -> Self {
        let mut bytes = vec![T::VERSION];
        if let Err(cause) = noun.serialize(&mut rmp_serde::Serializer::new(&mut bytes).with_struct_map()) {
            // Only a noun whose Serialize refuses can get here: a mistake in the catalog, found by its golden tests.
            unreachable!("{} cannot be encoded: {cause}", std::any::type_name::<T>());
        }
        Self(bytes.into())
    }

    /// Takes bytes that were a row before.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes as stored.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Decodes the noun.
    ///
    /// # Errors
    /// When the row is of a newer version, or no such noun.
    pub fn read<T: Noun>(&self) -> Result<T, RowError> {
        let (&version, body) = self.0.split_first().ok_or(RowError::Empty)?;
        if version > T::VERSION {
            return Err(RowError::Newer { found: version, known: T::VERSION });
        }
        rmp_serde::from_slice(body).map_err(RowError::Malformed)
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rows may hold secrets: the length is all that a log needs.
        write!(f, "Row({} B)", self.0.len())
    }
}
