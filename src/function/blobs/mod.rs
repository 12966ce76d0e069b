//! Code as blobs: files named by the SHA-256 of what they hold, beside the replicated rows and never in the log.
//!
//! ```text
//! CreateFunction ─ store (here, fsynced) ─ exchange: push ─▶ a majority of voters ─▶ only then the row is proposed
//! first call     ─ store has it? ─ no ─▶ exchange: fetch from whoever has it ─ hash checked on the way in and at each read
//! ```
//! A snapshot or a backup carries rows alone: a node that is restored or joins fetches what its rows name from its peers.

mod exchange;
mod store;

pub use exchange::{BlobPeer, ExchangeError, fetch, push};
pub use store::{BlobError, Blobs, Digest, Writing, hex};

#[cfg(test)]
mod tests;
