//! Everything of this room that is stored or sent: commands of the `usage` group and their replies, rows of the
//! ledger, messages between holders, records of the node's journal. bincode, first byte = format version.

use super::period::Period;
use bincode::{DefaultOptions, Options};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Version of every form below.
pub const VERSION: u8 = 1;
/// Most bytes of one command or reply.
pub const MOST_BYTES: u64 = 4 << 20;
/// Most items that a node puts into one command.
pub const MOST_ITEMS: usize = 2_000;

/// Why bytes are not one of our forms.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Nothing, or a format version that this binary does not read.
    #[error("usage format version {0:?} is not known here")]
    Version(Option<u8>),
    /// Broken or over the limit.
    #[error("usage bytes do not decode")]
    Broken(#[source] bincode::Error),
}

/// Encodes a form: version byte, then bincode with varints.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    // Writing to memory fails only beyond the limit; then the reader refuses the empty rest.
    if DefaultOptions::new().with_limit(MOST_BYTES).serialize_into(&mut bytes, value).is_err() {
        bytes.truncate(1);
    }
    bytes
}

/// Decodes what [`encode`] wrote; trailing bytes are an error.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => {
            DefaultOptions::new().with_limit(MOST_BYTES).deserialize(rest).map_err(WireError::Broken)
        }
        first => Err(WireError::Version(first.map(|(version, _)| *version))),
    }
}

/// Whose quota it is: a key in a usage plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlanKey {
    /// Usage plan id, unique in the cluster.
    pub plan: Box<str>,
    /// API key id.
    pub key: Box<str>,
}

/// One quota of one period.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SlotId {
    /// Plan and key.
    pub who: PlanKey,
    /// The period.
    pub period: Period,
}

/// An entry of the `usage` group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// A node asks for an incarnation before it holds anything.
    Hello(Hello),
    /// What nodes spent, gave back and want; several nodes' reports may share an entry.
    Tick(Vec<Report>),
    /// UpdateUsage: what remains of one period is set.
    Adjust(Adjust),
    /// GetUsage: an entry, so that any node can ask and the answer is linearizable.
    Read(Read),
}

/// See [`Command::Hello`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The node.
    pub node: u64,
    /// Count of its starts by its own journal, this one included.
    pub boot: u64,
    /// Drawn once per start: a retry carries the same, a clone another.
    pub nonce: [u8; 16],
    /// The journal is lost or damaged: what the node held counts as spent.
    pub forfeit: bool,
}

/// One node's cumulative numbers: losing, doubling or re-ordering reports changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The node.
    pub node: u64,
    /// Its incarnation.
    pub inc: u64,
    /// Its clock, for policy and clean-up only.
    pub time_ms: i64,
    /// One per quota.
    pub items: Vec<Item>,
}

/// One quota at one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Which quota.
    pub slot: SlotId,
    /// (UTC day, used so far in the period at the end of it), in order; the last is today's.
    pub days: Vec<(i32, u64)>,
    /// The node has no memory of this quota: what earlier incarnations of it were granted counts as spent.
    pub fresh: bool,
    /// Returned so far; durable at the node before it is said here.
    pub x: u64,
    /// The G that the node would like: used + returned + what it wants in hand.
    pub want: u64,
    /// The period's limit by configuration.
    pub limit: u64,
    /// Where in the configuration's history that limit was read.
    pub seq: u64,
}

/// UpdateUsage for one period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adjust {
    /// Drawn once per call, so that a retry does not grant twice.
    pub id: [u8; 16],
    /// Which quota.
    pub slot: SlotId,
    /// What shall remain.
    pub remaining: u64,
    /// Today, for the history.
    pub day: i32,
    /// (node, used) as just probed: fresher than the last reports.
    pub used: Vec<(u64, u64)>,
    /// Limit by configuration, and where it was read.
    pub limit: u64,
    /// See [`Item::seq`].
    pub seq: u64,
}

/// Usage of some keys over some days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Read {
    /// Keys.
    pub who: Vec<PlanKey>,
    /// First UTC day.
    pub first_day: i32,
    /// Last UTC day, included.
    pub last_day: i32,
}

/// What an entry answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// To Hello: the incarnation, and whether what was held before is forfeited.
    Hello {
        /// The node's incarnation from now on.
        inc: u64,
        /// Earlier rights count as spent.
        forfeit: bool,
    },
    /// To Tick: one per report, in order.
    Tick(Vec<ReportReply>),
    /// To Adjust: the limit now in force for the period.
    Adjusted {
        /// Limit with extension.
        limit: u64,
    },
    /// To Read: one per key, in order.
    Read(Vec<KeyUsage>),
    /// The entry was not one of ours.
    Bad,
}

/// To one report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportReply {
    /// The incarnation is not the node's last one: it holds nothing.
    pub fenced: bool,
    /// One per item, in order; empty when fenced.
    pub items: Vec<ItemReply>,
}

/// The ledger's numbers of one quota, as committed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemReply {
    /// G of the node.
    pub g: u64,
    /// U of the node.
    pub u: u64,
    /// X of the node.
    pub x: u64,
    /// Limit in force, with extension.
    pub limit: u64,
    /// Not granted to anybody.
    pub free: u64,
    /// More is granted than the limit allows since it was lowered: give back what is unused.
    pub over: bool,
    /// Others that hold unspent rights by their last reports, most first: (node, rights).
    pub others: Vec<(u64, u64)>,
}

/// One key's usage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeyUsage {
    /// Days that saw use, in order: (day, used, remaining at its end).
    pub days: Vec<(i32, u64, u64)>,
    /// Periods that touch the days asked for.
    pub slots: Vec<SlotUsage>,
}

/// One period of one key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlotUsage {
    /// Which.
    pub period: Period,
    /// Limit in force.
    pub limit: u64,
    /// (node, used as reported, may still spend).
    pub holders: Vec<(u64, u64, bool)>,
}

/// A holder's numbers in the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderRow {
    /// Granted.
    pub g: u64,
    /// Used, as reported.
    pub u: u64,
    /// Returned.
    pub x: u64,
    /// Incarnation that last reported.
    pub inc: u64,
    /// When, by its own clock (policy only).
    pub seen_ms: i64,
}

/// Row of one quota in one period.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EscrowRow {
    /// Limit by configuration.
    pub base: u64,
    /// Where it was read.
    pub seq: u64,
    /// Extension by UpdateUsage; may be negative.
    pub extension: i128,
    /// The last UpdateUsage.
    pub adjust_id: [u8; 16],
    /// By node, ascending.
    pub holders: Vec<(u64, HolderRow)>,
}

/// Daily use: (day, used, remaining at its end), ascending.
pub type DayRow = Vec<(i32, u64, u64)>;

/// What the ledger knows of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRow {
    /// Its incarnation.
    pub inc: u64,
    /// The nonce that got it.
    pub nonce: [u8; 16],
    /// Rights of earlier incarnations are spent.
    pub valid_from: u64,
    /// Its clock when it last told a new hour.
    pub time_ms: i64,
}

/// Clean-up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetaRow {
    /// Periods that ended on this day or before are closed for ever.
    pub floor_day: i32,
    /// Where the sweep over old rows stands; none when it is through.
    pub sweep: Option<Sweep>,
}

/// Where a sweep goes on: after this row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sweep {
    /// Among escrows.
    Escrows(Option<SlotId>),
    /// Among days.
    Days(Option<(PlanKey, i32)>),
}

/// Holder to holder: spend `n` of your rights for me. No retry: a lost answer burns them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Charge {
    /// Which quota.
    pub slot: SlotId,
    /// How many at most.
    pub n: u64,
    /// The limit that the asker knows, and where it was read: a holder that knows an older, larger one gives back.
    pub limit: u64,
    /// See [`Item::seq`].
    pub seq: u64,
}

/// To a charge: how many were spent for the asker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Charged {
    /// 0..=n
    pub n: u64,
}

/// What have you used by now? With `recall`: give back what is unused, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Which quotas.
    pub slots: Vec<SlotId>,
    /// Return unused rights (UpdateUsage downwards).
    pub recall: bool,
}

/// Used so far, one per slot of the probe; `None` where the node knows nothing of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    /// In order of the question.
    pub used: Vec<Option<u64>>,
}

/// What a node must know of a quota after a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// It has used no more than this, if the machine stayed up.
    pub small: u64,
    /// It has used no more than this, whatever happened.
    pub big: u64,
    /// It has returned this much.
    pub x: u64,
}

/// A record of the node's journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// A start of the process: the machine's boot id and the node's own count of starts (its incarnation, once known).
    Boot {
        /// Of the operating system; all zero where it has none.
        machine: [u8; 16],
        /// Count of starts.
        boot: u64,
    },
    /// The last one of a slot holds.
    Mark(SlotId, Mark),
}

#[cfg(test)]
mod tests {
    use super::super::period::PeriodKind;
    use super::*;
    use proptest::prelude::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn slot() -> SlotId {
        let period = Period { start_day: 20_606, kind: PeriodKind::Month };
        SlotId { who: PlanKey { plan: "p1".into(), key: "k1".into() }, period }
    }

    fn report() -> Report {
        let days = vec![(20_606, 5), (20_607, 300)];
        let item = Item { slot: slot(), days, fresh: false, x: 2, want: 70_000, limit: 1 << 40, seq: 9 };
        Report { node: 3, inc: 2, time_ms: 1_780_000_000_000, items: vec![item] }
    }

    #[test]
    fn stored_and_sent_forms_keep_their_bytes() {
        let mark = Mark { small: 1, big: 2, x: 3 };
        let item = ItemReply { g: 9, u: 8, x: 1, limit: 10, free: 0, over: true, others: vec![(4, 2)] };
        let holder = HolderRow { g: 5, u: 3, x: 1, inc: 2, seen_ms: 7 };
        let row = EscrowRow { base: 10, seq: 4, extension: -3, adjust_id: [1; 16], holders: vec![(2, holder)] };
        let adjust = Adjust { id: [2; 16], slot: slot(), remaining: 7, day: 1, used: vec![(1, 2)], limit: 3, seq: 4 };
        let usage = SlotUsage { period: slot().period, limit: 10, holders: vec![(1, 2, true)] };
        let forms = [
            encode(&Command::Hello(Hello { node: 1, boot: 2, nonce: [3; 16], forfeit: false })),
            encode(&Command::Tick(vec![report()])),
            encode(&Command::Adjust(adjust)),
            encode(&Command::Read(Read { who: vec![slot().who], first_day: -1, last_day: 20_606 })),
            encode(&Reply::Hello { inc: 3, forfeit: true }),
            encode(&Reply::Tick(vec![ReportReply { fenced: false, items: vec![item] }])),
            encode(&Reply::Adjusted { limit: 12 }),
            encode(&Reply::Read(vec![KeyUsage { days: vec![(20_606, 1, 9)], slots: vec![usage] }])),
            encode(&Reply::Bad),
            encode(&row),
            encode(&vec![(20_606i32, 1u64, 9u64)]),
            encode(&NodeRow { inc: 1, nonce: [4; 16], valid_from: 1, time_ms: -1 }),
            encode(&MetaRow { floor_day: 20_000, sweep: Some(Sweep::Days(Some((slot().who, 644)))) }),
            encode(&Charge { slot: slot(), n: 1, limit: 10, seq: 9 }),
            encode(&Charged { n: 1 }),
            encode(&Probe { slots: vec![slot()], recall: true }),
            encode(&Probed { used: vec![Some(300), None] }),
            encode(&Record::Boot { machine: [5; 16], boot: 6 }),
            encode(&Record::Mark(slot(), mark)),
        ];
        let golden: Vec<&str> = include_str!("wire.golden").lines().collect();
        let now: Vec<String> = forms.iter().map(|form| hex(form)).collect();
        assert_eq!(now, golden);
    }

    #[test]
    fn another_version_and_trailing_bytes_are_refused() {
        let mut bytes = encode(&Charged { n: 1 });
        bytes.push(0);
        assert!(matches!(decode::<Charged>(&bytes), Err(WireError::Broken(_))));
        bytes[0] = 2;
        assert!(matches!(decode::<Charged>(&bytes), Err(WireError::Version(Some(2)))));
        assert!(matches!(decode::<Charged>(&[]), Err(WireError::Version(None))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(mut bytes in proptest::collection::vec(any::<u8>(), 1..200)) {
            bytes[0] = VERSION;
            let _ = decode::<Command>(&bytes);
            let _ = decode::<Reply>(&bytes);
            let _ = decode::<EscrowRow>(&bytes);
            let _ = decode::<Record>(&bytes);
        }
    }
}
