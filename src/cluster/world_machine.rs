//! The machine of the `config` group: Changes applied to a World that readers see through one cell.
//!
//! An entry begins `format, form`: a whole Change, a part of a large one, or the commit that puts parts together
//! (foundations §1.8). Parts of one Change follow each other; whatever else comes in between makes them void.

use super::machine::{Machine, Pinned, Write};
use crate::state::{Change, Loader, MAX_CHANGE_BYTES, World, decode_change, encode_change};
use arc_swap::ArcSwap;
use bytes::{BufMut, Bytes, BytesMut};
use std::sync::Arc;
use tokio::sync::watch;

const FORMAT: u8 = 1;
const WHOLE: u8 = 0;
const PART: u8 = 1;
const COMMIT: u8 = 2;
/// A larger Change travels in parts of this size.
pub(crate) const PART_BYTES: usize = 256 << 10;
/// Keys of waiting parts; the World's own keys begin with letters.
const WAITING: u8 = b'~';

const APPLIED: u8 = 0;
const WRONG_PREV: u8 = 1;
const MALFORMED: u8 = 2;
const WAITS: u8 = 3;

/// What became of an entry; what a proposer gets as its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Applied; so many Changes are applied now.
    Applied(u64),
    /// Refused without effect: made for another count than there is.
    WrongPrev(u64),
    /// Refused without effect: it cannot be read.
    Malformed,
    /// A part that waits for its commit.
    Waits,
}

impl Outcome {
    fn encode(self) -> Vec<u8> {
        let (tag, seq) = match self {
            Self::Applied(seq) => (APPLIED, seq),
            Self::WrongPrev(seq) => (WRONG_PREV, seq),
            Self::Malformed => (MALFORMED, 0),
            Self::Waits => (WAITS, 0),
        };
        let mut bytes = vec![FORMAT, tag];
        bytes.extend_from_slice(&seq.to_be_bytes());
        bytes
    }

    /// From a machine's reply.
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        let Some((&[FORMAT, tag], seq)) = bytes.split_first_chunk::<2>() else { return Self::Malformed };
        let seq = <[u8; 8]>::try_from(seq).map_or(0, u64::from_be_bytes);
        match tag {
            APPLIED => Self::Applied(seq),
            WRONG_PREV => Self::WrongPrev(seq),
            WAITS => Self::Waits,
            _ => Self::Malformed,
        }
    }
}

/// The entries that carry a Change, in order; only the last one's outcome counts.
///
/// # Errors
/// Its length, where it is longer than a Change may be.
pub(crate) fn entries_of(change: &Change) -> Result<Vec<Bytes>, u64> {
    let length = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    let bytes = encode_change(change).map_err(|_| MAX_CHANGE_BYTES + 1)?;
    if length(bytes.len()) > MAX_CHANGE_BYTES {
        return Err(length(bytes.len()));
    }
    if bytes.len() <= PART_BYTES {
        let mut entry = BytesMut::with_capacity(2 + bytes.len());
        entry.put_slice(&[FORMAT, WHOLE]);
        entry.put_slice(&bytes);
        return Ok(vec![entry.freeze()]);
    }
    let mut entries = Vec::new();
    for (number, part) in (0_u32..).zip(bytes.chunks(PART_BYTES)) {
        let mut entry = BytesMut::with_capacity(6 + part.len());
        entry.put_slice(&[FORMAT, PART]);
        entry.put_u32(number);
        entry.put_slice(part);
        entries.push(entry.freeze());
    }
    let mut commit = BytesMut::new();
    commit.put_slice(&[FORMAT, COMMIT]);
    commit.put_u32(u32::try_from(entries.len()).unwrap_or(u32::MAX));
    commit.put_u32(crc32fast::hash(&bytes));
    entries.push(commit.freeze());
    Ok(entries)
}

/// Applies Changes and publishes the World.
pub(crate) struct WorldMachine {
    world: World,
    /// What replaces the World once it is loaded.
    loading: Option<Loader>,
    parts: Vec<Vec<u8>>,
    cell: Arc<ArcSwap<World>>,
    applied: watch::Sender<u64>,
}

impl WorldMachine {
    /// A machine that publishes into `cell` and tells the index.
    pub(crate) fn new(cell: Arc<ArcSwap<World>>, applied: watch::Sender<u64>) -> Self {
        Self { world: World::default(), loading: None, parts: Vec::new(), cell, applied }
    }

    fn change(&mut self, change: &[u8], out: &mut Vec<Write>) -> Outcome {
        let Ok(change) = decode_change(change) else { return Outcome::Malformed };
        match self.world.apply(&change, out) {
            Ok(seq) => Outcome::Applied(seq),
            Err(refused) => Outcome::WrongPrev(refused.seq),
        }
    }

    /// Ends a load.
    fn settle(&mut self) {
        if let Some(loader) = self.loading.take() {
            self.world = loader.finish();
        }
    }

    fn drop_parts(&mut self, out: &mut Vec<Write>) -> Vec<Vec<u8>> {
        let parts = std::mem::take(&mut self.parts);
        out.extend((0_u32..).zip(&parts).map(|(number, _)| Write { key: part_key(number), value: None }));
        parts
    }

    fn part(&mut self, rest: &[u8], out: &mut Vec<Write>) -> Outcome {
        let Some((number, part)) = rest.split_first_chunk::<4>() else { return Outcome::Malformed };
        let number = u32::from_be_bytes(*number);
        if number == 0 {
            self.drop_parts(out);
        }
        let waiting: usize = self.parts.iter().map(Vec::len).sum();
        let fits = (waiting + part.len()) as u64 <= MAX_CHANGE_BYTES;
        if number as usize != self.parts.len() || !fits {
            self.drop_parts(out);
            return Outcome::Malformed;
        }
        self.parts.push(part.to_vec());
        out.push(Write { key: part_key(number), value: Some(part.to_vec()) });
        Outcome::Waits
    }

    fn commit(&mut self, rest: &[u8], out: &mut Vec<Write>) -> Outcome {
        let parts = self.drop_parts(out);
        let Ok(rest) = <[u8; 8]>::try_from(rest) else { return Outcome::Malformed };
        let (count, crc) = ((u64::from_be_bytes(rest) >> 32) as usize, u64::from_be_bytes(rest) as u32);
        let whole = parts.concat();
        if parts.len() != count || crc32fast::hash(&whole) != crc {
            return Outcome::Malformed;
        }
        self.change(&whole, out)
    }
}

fn part_key(number: u32) -> Vec<u8> {
    [&[WAITING], number.to_be_bytes().as_slice()].concat()
}

impl Machine for WorldMachine {
    fn reset(&mut self) {
        self.world = World::default();
        self.loading = None;
        self.parts.clear();
    }

    fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        if key.first() == Some(&WAITING) {
            // In key order, which is the order of the numbers.
            self.parts.push(value.to_vec());
            return Ok(());
        }
        self.loading.get_or_insert_default().load(key, value).map_err(|cause| cause.to_string())
    }

    fn apply(&mut self, _index: u64, entry: &[u8], out: &mut Vec<Write>) -> Vec<u8> {
        self.settle();
        let outcome = match entry.split_first_chunk::<2>() {
            Some((&[FORMAT, WHOLE], change)) => {
                self.drop_parts(out);
                self.change(change, out)
            }
            Some((&[FORMAT, PART], rest)) => self.part(rest, out),
            Some((&[FORMAT, COMMIT], rest)) => self.commit(rest, out),
            _ => Outcome::Malformed,
        };
        outcome.encode()
    }

    fn publish(&mut self) {
        self.settle();
        self.cell.store(Arc::new(self.world.clone()));
        let seq = self.world.seq();
        self.applied.send_if_modified(|applied| std::mem::replace(applied, seq) != seq);
    }

    fn pin(&self) -> Pinned {
        let parts = (0_u32..).zip(self.parts.clone()).map(|(number, part)| (part_key(number), part));
        Box::new(self.world.dump().chain(parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Op, Row, Scope};

    fn machine() -> WorldMachine {
        WorldMachine::new(Arc::default(), watch::Sender::new(0))
    }

    fn change(prev: u64, bytes: usize) -> Change {
        let row = Row::from_bytes(&vec![7; bytes]);
        Change { prev, time_ms: 5, ops: vec![Op::Put { scope: Scope::cluster(), table: 205, id: "x".into(), row }] }
    }

    fn apply(machine: &mut WorldMachine, entry: &[u8], out: &mut Vec<Write>) -> Outcome {
        Outcome::decode(&machine.apply(1, entry, out))
    }

    #[test]
    fn a_whole_change_is_one_entry_and_a_wrong_prev_has_no_effect() {
        let (mut machine, mut out) = (machine(), Vec::new());
        let entries = entries_of(&change(0, 10)).unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(apply(&mut machine, &entries[0], &mut out), Outcome::Applied(1));
        let written = out.len();
        assert_eq!(apply(&mut machine, &entries[0], &mut out), Outcome::WrongPrev(1));
        assert_eq!(apply(&mut machine, b"", &mut out), Outcome::Malformed);
        assert_eq!(apply(&mut machine, &[1, 9], &mut out), Outcome::Malformed);
        assert_eq!(out.len(), written);
    }

    #[test]
    fn a_large_change_travels_in_parts_that_survive_a_restart() {
        let (mut one, mut out) = (machine(), Vec::new());
        let entries = entries_of(&change(0, 700_000)).unwrap();
        assert_eq!(entries.len(), 4);
        for part in &entries[..2] {
            assert_eq!(apply(&mut one, part, &mut out), Outcome::Waits);
        }
        let mut two = machine();
        for (key, value) in one.pin() {
            two.load(&key, &value).unwrap();
        }
        assert_eq!(apply(&mut two, &entries[2], &mut out), Outcome::Waits);
        assert_eq!(apply(&mut two, &entries[3], &mut out), Outcome::Applied(1));
        assert_eq!(two.pin().filter(|(key, _)| key[0] == WAITING).count(), 0);
        let gone = out.iter().filter(|write| write.key[0] == WAITING && write.value.is_none()).count();
        assert_eq!(gone, 3, "their keys leave the disk too");
    }

    #[test]
    fn parts_that_another_change_interrupts_are_void() {
        let (mut machine, mut out) = (machine(), Vec::new());
        let large = entries_of(&change(0, 700_000)).unwrap();
        let small = entries_of(&change(0, 1)).unwrap();
        assert_eq!(apply(&mut machine, &large[0], &mut out), Outcome::Waits);
        assert_eq!(apply(&mut machine, &small[0], &mut out), Outcome::Applied(1));
        assert_eq!(apply(&mut machine, &large[1], &mut out), Outcome::Malformed);
        assert_eq!(apply(&mut machine, &large[3], &mut out), Outcome::Malformed);
    }

    #[test]
    fn outcomes_keep_their_golden_bytes() {
        for (outcome, bytes) in [
            (Outcome::Applied(258), [1, 0, 0, 0, 0, 0, 0, 0, 1, 2]),
            (Outcome::WrongPrev(1), [1, 1, 0, 0, 0, 0, 0, 0, 0, 1]),
            (Outcome::Malformed, [1, 2, 0, 0, 0, 0, 0, 0, 0, 0]),
            (Outcome::Waits, [1, 3, 0, 0, 0, 0, 0, 0, 0, 0]),
        ] {
            assert_eq!(outcome.encode(), bytes);
            assert_eq!(Outcome::decode(&bytes), outcome);
        }
        assert_eq!(Outcome::decode(&[9]), Outcome::Malformed);
    }

    #[test]
    fn entries_keep_their_golden_beginnings() {
        let entries = entries_of(&change(0, 700_000)).unwrap();
        assert_eq!(&entries[1][..6], [1, 1, 0, 0, 0, 1]);
        assert_eq!(&entries[3][..6], [1, 2, 0, 0, 0, 3]);
        assert_eq!(entries_of(&change(0, 1)).unwrap()[0][..3], [1, 0, 1]);
    }
}
