//! Why a stage cannot be compiled, in words that its owner can act on.

use std::fmt;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// `GET /pets`, or whatever holds it.
    pub place: String,
    /// What is wrong.
    pub what: String,
}

impl Flaw {
    /// A flaw at a place.
    pub fn new(place: impl Into<String>, what: impl Into<String>) -> Flaw {
        Flaw { place: place.into(), what: what.into() }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl std::error::Error for Flaw {}
