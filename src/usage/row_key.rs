//! Keys of the ledger's rows as bytes, in an order that is the order of their parts: a snapshot runs in key order.

use super::period::{Period, PeriodKind};
use super::wire::{PlanKey, SlotId, VERSION};

/// Which row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKey {
    /// → [`super::wire::EscrowRow`]
    Escrow(SlotId),
    /// → [`super::wire::DayRow`]: 32 days (the day divided by 32).
    Days(PlanKey, i32),
    /// → [`super::wire::NodeRow`]
    Node(u64),
    /// → [`super::wire::MetaRow`]
    Meta,
}

const KINDS: [PeriodKind; 3] = [PeriodKind::Day, PeriodKind::Week, PeriodKind::Month];

impl RowKey {
    /// Version, tag, parts; texts end in 0 1, a zero inside is 0 255.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        match self {
            RowKey::Escrow(slot) => {
                out.push(0);
                put_who(&mut out, &slot.who);
                put_day(&mut out, slot.period.start_day);
                out.push(slot.period.kind as u8);
            }
            RowKey::Days(who, chunk) => {
                out.push(1);
                put_who(&mut out, who);
                put_day(&mut out, *chunk);
            }
            RowKey::Node(node) => {
                out.push(2);
                out.extend(node.to_be_bytes());
            }
            RowKey::Meta => out.push(3),
        }
        out
    }

    /// Reads what [`RowKey::to_bytes`] wrote; `None` for anything else.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = &mut bytes.strip_prefix(&[VERSION])?;
        let key = match take::<1>(rest)?[0] {
            0 => {
                let (who, start_day) = (take_who(rest)?, take_day(rest)?);
                let kind = *KINDS.get(usize::from(take::<1>(rest)?[0]))?;
                RowKey::Escrow(SlotId { who, period: Period { start_day, kind } })
            }
            1 => RowKey::Days(take_who(rest)?, take_day(rest)?),
            2 => RowKey::Node(u64::from_be_bytes(take(rest)?)),
            3 => RowKey::Meta,
            _ => return None,
        };
        rest.is_empty().then_some(key)
    }
}

fn put_who(out: &mut Vec<u8>, who: &PlanKey) {
    for text in [&who.plan, &who.key] {
        for byte in text.bytes() {
            out.push(byte);
            if byte == 0 {
                out.push(255);
            }
        }
        out.extend([0, 1]);
    }
}

/// The sign bit turned, so that days before 1970 come first.
fn put_day(out: &mut Vec<u8>, day: i32) {
    out.extend((day as u32 ^ 0x8000_0000).to_be_bytes());
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

fn take_day(rest: &mut &[u8]) -> Option<i32> {
    Some((u32::from_be_bytes(take(rest)?) ^ 0x8000_0000) as i32)
}

fn take_text(rest: &mut &[u8]) -> Option<Box<str>> {
    let mut text = Vec::new();
    loop {
        match take::<1>(rest)?[0] {
            0 => match take::<1>(rest)?[0] {
                1 => return String::from_utf8(text).ok().map(String::into_boxed_str),
                255 => text.push(0),
                _ => return None,
            },
            byte => text.push(byte),
        }
    }
}

fn take_who(rest: &mut &[u8]) -> Option<PlanKey> {
    Some(PlanKey { plan: take_text(rest)?, key: take_text(rest)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> impl Strategy<Value = RowKey> {
        let text = prop_oneof!["[\0a-c]{0,4}", "\\PC{0,6}"];
        (0..4u8, text.clone(), text, any::<i32>(), 0..3usize, any::<u64>()).prop_map(
            |(tag, plan, key, day, kind, node)| {
                let who = PlanKey { plan: plan.into(), key: key.into() };
                match tag {
                    0 => RowKey::Escrow(SlotId { who, period: Period { start_day: day, kind: KINDS[kind] } }),
                    1 => RowKey::Days(who, day),
                    2 => RowKey::Node(node),
                    _ => RowKey::Meta,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn keys_come_back_and_keep_their_order(a in key(), b in key()) {
            prop_assert_eq!(RowKey::parse(&a.to_bytes()), Some(a.clone()));
            prop_assert_eq!(a.cmp(&b), a.to_bytes().cmp(&b.to_bytes()));
        }

        #[test]
        fn broken_keys_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(key) = RowKey::parse(&bytes) {
                prop_assert_eq!(key.to_bytes(), bytes);
            }
        }
    }
}
