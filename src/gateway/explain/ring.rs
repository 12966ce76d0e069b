//! Where a node keeps its cause records: in memory, bounded in entries and bytes, old ones go first.
//!
//! Each worker has a shard of its own, so that its lock is free but for look-ups. Server errors have their own share: a
//! flood of 403 and 429 does not push them out.

use super::wire::{Record, pack, unpack};
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What all shards of a node keep at most.
const ENTRIES: usize = 8_192;
const BYTES: usize = 4 << 20;
/// One part of so many is for server errors.
const SERVER_SHARE: usize = 4;
/// Records that a look-up gives at most: an edge's and a region's, and a few of ids that met.
const FOUND: usize = 8;

/// What a record is found by: either of a request's two ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordId {
    /// `x-amzn-RequestId`, a UUID.
    Request(u128),
    /// `x-amz-apigw-id`: 16 characters of base64 that end in `=`.
    Extended([u8; 16]),
}

impl RecordId {
    /// The id in a text; `None` where it is neither.
    #[must_use]
    pub fn parse(text: &str) -> Option<RecordId> {
        let bytes = text.as_bytes();
        if let Some(id) = uuid(bytes) {
            return Some(RecordId::Request(id));
        }
        let id: [u8; 16] = bytes.try_into().ok()?;
        let (last, letters) = id.split_last()?;
        let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        (*last == b'=' && letters.iter().all(is_base64)).then_some(RecordId::Extended(id))
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordId::Request(id) => {
                let digits = format!("{id:032x}");
                let part = |from, to| digits.get(from..to).unwrap_or_default();
                write!(f, "{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
            }
            RecordId::Extended(id) => f.write_str(&String::from_utf8_lossy(id)),
        }
    }
}

/// The number of a UUID in its usual form.
fn uuid(text: &[u8]) -> Option<u128> {
    if text.len() != 36 {
        return None;
    }
    let mut id = 0;
    for (at, byte) in text.iter().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        id = id << 4 | u128::from(char::from(*byte).to_digit(16)?);
    }
    Some(id)
}

/// A record with its ids as they are written: reading them costs more than all the rest, and few are looked for.
struct Entry {
    request: [u8; 36],
    extended: [u8; 16],
    record: Box<[u8]>,
}

impl Entry {
    fn bytes(&self) -> usize {
        size_of::<Entry>() + self.record.len()
    }

    fn is(&self, id: &[u8]) -> bool {
        self.request == id || self.extended == id
    }
}

/// One bounded queue.
struct Ring {
    entries: VecDeque<Entry>,
    bytes: usize,
    most_entries: usize,
    most_bytes: usize,
    /// Where a record is written first, so that it takes just its size.
    desk: Vec<u8>,
}

impl Ring {
    fn new(most_entries: usize, most_bytes: usize) -> Ring {
        Ring { entries: VecDeque::new(), bytes: 0, most_entries, most_bytes, desk: Vec::new() }
    }

    fn keep(&mut self, request: [u8; 36], extended: [u8; 16], record: &Record<'_>) {
        if !pack(record, &mut self.desk) {
            return;
        }
        let entry = Entry { request, extended, record: self.desk.as_slice().into() };
        self.bytes += entry.bytes();
        self.entries.push_back(entry);
        while self.entries.len() > self.most_entries || self.bytes > self.most_bytes {
            let Some(old) = self.entries.pop_front() else { break };
            self.bytes -= old.bytes();
        }
    }
}

/// A worker's part.
pub(in crate::gateway) struct Shard {
    client: Mutex<Ring>,
    server: Mutex<Ring>,
}

impl Shard {
    /// Keeps a record. One whose ids are none of ours could not be found again.
    pub(in crate::gateway) fn keep(&self, record: &Record<'_>) {
        let Ok(request) = record.request_id.as_bytes().try_into() else { return };
        let extended = record.extended_id.as_bytes().try_into().unwrap_or_default();
        let ring = if record.status >= 500 { &self.server } else { &self.client };
        ring.lock().unwrap_or_else(PoisonError::into_inner).keep(request, extended, record);
    }

    fn find(&self, id: &[u8], found: &mut Vec<Record<'static>>) {
        for ring in [&self.client, &self.server] {
            let ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
            let entries = ring.entries.iter().filter(|entry| entry.is(id));
            found.extend(entries.filter_map(|entry| unpack(&entry.record)).take(FOUND.saturating_sub(found.len())));
        }
    }
}

/// A node's cause records.
pub(in crate::gateway) struct Records {
    shards: Box<[Arc<Shard>]>,
    next: AtomicUsize,
}

impl Records {
    /// One shard a core.
    pub(in crate::gateway) fn new() -> Records {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Records::bounded(cores.min(64), ENTRIES, BYTES)
    }

    fn bounded(shards: usize, entries: usize, bytes: usize) -> Records {
        let (entries, bytes) = (entries / shards, bytes / shards);
        let (own_entries, own_bytes) = (entries / SERVER_SHARE, bytes / SERVER_SHARE);
        let shard = || Shard {
            client: Mutex::new(Ring::new(entries - own_entries, bytes - own_bytes)),
            server: Mutex::new(Ring::new(own_entries, own_bytes)),
        };
        Records { shards: (0..shards).map(|_| Arc::new(shard())).collect(), next: AtomicUsize::new(0) }
    }

    /// A shard for a worker; workers beyond the cores share.
    pub(in crate::gateway) fn shard(&self) -> Arc<Shard> {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.shards.len();
        self.shards[at].clone()
    }

    /// What is known of a request, the oldest first.
    pub(in crate::gateway) fn find(&self, id: RecordId) -> Vec<Record<'static>> {
        let mut found = Vec::new();
        let id = id.to_string();
        self.shards.iter().for_each(|shard| shard.find(id.as_bytes(), &mut found));
        found.sort_by_key(|record| record.time_ms);
        found
    }
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
