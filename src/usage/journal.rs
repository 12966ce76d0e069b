//! The node's journal of watermarks, as bytes: framing, recovery, and what a restart may believe. Pure.
//!
//! `magic u16 | length u16 | crc32 u32 | record`. A torn tail is expected after power loss; a bad record
//! with a good one behind it is damage, and then everything that the node held is forfeited.

use super::holder::Marking;
use super::wire::{Mark, Record, SlotId, decode, encode};
use std::collections::BTreeMap;

const MAGIC: [u8; 2] = [0xa7, 0x5e];
const HEAD: usize = 8;

/// Who is told that a record is stored.
pub(super) trait Marked: Send + Sync {
    /// The quota.
    fn id(&self) -> &SlotId;
    /// The record is in the file: it survives the process.
    fn written(&self, marking: Marking);
    /// The record is on the disk: it survives the machine.
    fn synced(&self, marking: Marking);
}

/// Appends a record's frame; a record too long to frame (ids of more than 60 KiB) is refused.
pub(super) fn frame(record: &Record, out: &mut Vec<u8>) -> bool {
    let body = encode(record);
    let Ok(length) = u16::try_from(body.len()) else { return false };
    out.extend(MAGIC);
    out.extend(length.to_le_bytes());
    out.extend(crc32fast::hash(&body).to_le_bytes());
    out.extend(body);
    true
}

/// Reads the frame at the front: the record and its length, or `None` if there is no whole and sound one.
fn read_frame(bytes: &[u8]) -> Option<(Record, usize)> {
    let head = bytes.first_chunk::<HEAD>()?;
    let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
    let body = bytes.get(HEAD..HEAD + length)?;
    let crc = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    if head[..2] != MAGIC || crc32fast::hash(body) != crc {
        return None;
    }
    Some((decode(body).ok()?, HEAD + length))
}

/// What a journal says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Recovered {
    /// Count of starts, or incarnation: the largest seen.
    pub(super) boot: u64,
    /// The machine's boot id at the last start.
    pub(super) machine: [u8; 16],
    /// The last mark of each quota.
    pub(super) marks: BTreeMap<SlotId, Mark>,
    /// Damaged inside: what it says may be too little.
    pub(super) damaged: bool,
}

/// Reads a journal, whatever is in it.
pub(super) fn recover(bytes: &[u8]) -> Recovered {
    let mut found = Recovered::default();
    let mut rest = bytes;
    while let Some((record, length)) = read_frame(rest) {
        match record {
            Record::Boot { machine, boot } => {
                found.machine = machine;
                found.boot = found.boot.max(boot);
            }
            Record::Mark(slot, mark) => {
                found.marks.insert(slot, mark);
            }
        }
        rest = &rest[length..];
    }
    found.damaged = (1..rest.len()).any(|at| rest[at..].starts_with(&MAGIC) && read_frame(&rest[at..]).is_some());
    found
}

/// What a new start makes of it: one watermark for both kinds of crash, and no period that is over.
pub(super) fn settled(found: Recovered, machine: [u8; 16], today: i32) -> BTreeMap<SlotId, Mark> {
    let stayed_up = machine != [0; 16] && machine == found.machine;
    let used = |mark: Mark| if stayed_up { mark.small } else { mark.big };
    let kept = found.marks.into_iter().filter(|(slot, _)| slot.period.end_day() + 2 > today);
    kept.map(|(slot, mark)| (slot, Mark { small: used(mark), big: used(mark), x: mark.x })).collect()
}

#[cfg(test)]
mod tests {
    use super::super::period::{Period, PeriodKind};
    use super::super::wire::PlanKey;
    use super::*;
    use proptest::prelude::*;

    fn slot(key: &str) -> SlotId {
        let period = Period { start_day: 20_000, kind: PeriodKind::Month };
        SlotId { who: PlanKey { plan: "plan".into(), key: key.into() }, period }
    }

    fn mark(n: u64) -> Mark {
        Mark { small: n, big: n + 10, x: n / 2 }
    }

    /// A journal of some marks; and after how many bytes each record is whole.
    fn journal() -> (Vec<u8>, Vec<(usize, SlotId, Mark)>) {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        assert!(frame(&Record::Boot { machine: [7; 16], boot: 3 }, &mut bytes));
        for n in 0..12 {
            let id = slot(if n % 3 == 0 { "one" } else { "two\0\u{a7}^" });
            assert!(frame(&Record::Mark(id.clone(), mark(n)), &mut bytes));
            ends.push((bytes.len(), id, mark(n)));
        }
        (bytes, ends)
    }

    #[test]
    fn cut_anywhere_a_journal_gives_its_last_whole_records() {
        let (bytes, ends) = journal();
        for cut in 0..=bytes.len() {
            let found = recover(&bytes[..cut]);
            assert!(!found.damaged, "cut at {cut}");
            let mut marks = BTreeMap::new();
            for (_, id, mark) in ends.iter().filter(|(end, _, _)| *end <= cut) {
                marks.insert(id.clone(), *mark);
            }
            assert_eq!(found.marks, marks, "cut at {cut}");
        }
    }

    #[test]
    fn damage_before_sound_records_is_noticed() {
        let (bytes, ends) = journal();
        let last = ends[ends.len() - 2].0;
        for at in 0..last {
            let mut broken = bytes.clone();
            broken[at] ^= 0x20;
            let found = recover(&broken);
            assert!(found.damaged, "a flipped bit at {at} of {last}");
        }
    }

    #[test]
    fn what_is_trusted_depends_on_whether_the_machine_stayed_up() {
        let (bytes, _) = journal();
        let trusted = |machine| settled(recover(&bytes), machine, 20_001)[&slot("one")];
        assert_eq!(trusted([7; 16]), Mark { small: 9, big: 9, x: 4 });
        assert_eq!(trusted([8; 16]), Mark { small: 19, big: 19, x: 4 });
        assert_eq!(trusted([0; 16]), Mark { small: 19, big: 19, x: 4 });
        assert!(settled(recover(&bytes), [7; 16], 20_100).is_empty(), "the month is over");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = recover(&bytes);
        }
    }
}
