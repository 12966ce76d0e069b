//! The state machine of the `usage` group: applies commands to the books. Total, deterministic, reads nothing else.

use super::books::{Books, Effects};
use super::escrow::Reporter;
use super::period::day_of;
use super::wire::{
    Adjust, Command, EscrowRow, Hello, Item, ItemReply, KeyUsage, NodeRow, Read, Reply, Report, ReportReply, SlotUsage,
    decode, encode,
};
use crate::cluster::{Machine, Pinned, Write};
use arc_swap::ArcSwap;
use std::sync::Arc;

/// The ledger: the books being written and the books as readers of this node see them.
#[derive(Debug, Default)]
pub struct Ledger {
    books: Books,
    seen: Arc<ArcSwap<Books>>,
}

impl Ledger {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The books as of the last published batch, for metrics and tests; cheap to load.
    pub fn reader(&self) -> Arc<ArcSwap<Books>> {
        self.seen.clone()
    }

    /// The books as applied.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// Applies a command.
    pub fn run(&mut self, command: Command, out: &mut Vec<Write>) -> Reply {
        let mut effects = Effects::default();
        let reply = match command {
            Command::Hello(hello) => self.hello(&hello, &mut effects),
            Command::Tick(reports) => {
                Reply::Tick(reports.iter().map(|report| self.report(report, &mut effects)).collect())
            }
            Command::Adjust(adjust) => self.adjust(&adjust, &mut effects),
            Command::Read(read) => self.read(&read),
        };
        self.books.sweep(&mut effects);
        self.books.write(effects, out);
        reply
    }

    fn hello(&mut self, hello: &Hello, effects: &mut Effects) -> Reply {
        let known = self.books.node(hello.node);
        if let Some(row) = known.filter(|row| row.nonce == hello.nonce) {
            return Reply::Hello { inc: row.inc, forfeit: row.valid_from == row.inc };
        }
        let last = known.map_or(0, |row| row.inc);
        // A journal that counts fewer starts than we saw was rolled back, cloned or lost.
        let forfeit = hello.forfeit || (known.is_some() && hello.boot <= last);
        let inc = if forfeit { last.max(hello.boot).saturating_add(1) } else { hello.boot };
        let valid_from = if forfeit { inc } else { known.map_or(0, |row| row.valid_from) };
        let time_ms = known.map_or(i64::MIN, |row| row.time_ms);
        self.books.set_node(hello.node, NodeRow { inc, nonce: hello.nonce, valid_from, time_ms }, effects);
        Reply::Hello { inc, forfeit }
    }

    fn report(&mut self, report: &Report, effects: &mut Effects) -> ReportReply {
        let Some(row) = self.books.node(report.node).filter(|row| row.inc == report.inc) else {
            return ReportReply { fenced: true, items: Vec::new() };
        };
        let (node, inc, time_ms) = (report.node, report.inc, report.time_ms);
        let from = Reporter { node, inc, valid_from: row.valid_from, time_ms };
        self.books.tell_time(node, time_ms, effects);
        let items = report.items.iter().map(|item| self.item(from, item, effects)).collect();
        ReportReply { fenced: false, items }
    }

    fn item(&mut self, from: Reporter, item: &Item, effects: &mut Effects) -> ItemReply {
        if self.books.is_closed(item.slot.period) {
            // What was swept stays swept: no grant can come from a period whose numbers are gone.
            return self.books.escrow(&item.slot).map(|row| row.reply(from.node)).unwrap_or_default();
        }
        let mut row = self.books.escrow(&item.slot).cloned().unwrap_or_else(|| EscrowRow::new(item.limit, item.seq));
        let before = row.outstanding();
        let today = item.slot.period.nearest_day(day_of(from.time_ms));
        for (day, used, remaining) in row.settle(from, item, today) {
            self.books.count(&item.slot.who, day, used, remaining, effects);
        }
        let granted = row.grant(from, item.want);
        self.books.check(&row, before, granted);
        let reply = row.reply(from.node);
        self.books.set_escrow(item.slot.clone(), row, effects);
        reply
    }

    fn adjust(&mut self, adjust: &Adjust, effects: &mut Effects) -> Reply {
        if self.books.is_closed(adjust.slot.period) {
            return Reply::Bad;
        }
        let fresh = || EscrowRow::new(adjust.limit, adjust.seq);
        let mut row = self.books.escrow(&adjust.slot).cloned().unwrap_or_else(fresh);
        let fresh = row.adjust(adjust);
        let limit = row.limit();
        let day = adjust.slot.period.nearest_day(adjust.day);
        self.books.count(&adjust.slot.who, day, fresh, row.remaining(), effects);
        self.books.set_escrow(adjust.slot.clone(), row, effects);
        Reply::Adjusted { limit }
    }

    fn read(&self, read: &Read) -> Reply {
        let usage = |who: &_| {
            let mut usage = KeyUsage { days: self.books.days(who, read.first_day, read.last_day), slots: Vec::new() };
            for (id, row) in self.books.slots(who) {
                if id.period.start_day > read.last_day || id.period.end_day() <= read.first_day {
                    continue;
                }
                let holders = row.holders.iter().map(|(node, h)| (*node, h.u, h.g - h.x > h.u)).collect();
                usage.slots.push(SlotUsage { period: id.period, limit: row.limit(), holders });
            }
            usage
        };
        Reply::Read(read.who.iter().map(usage).collect())
    }
}

impl Machine for Ledger {
    fn reset(&mut self) {
        self.books = Books::default();
    }

    /// Refuses a row that this version cannot read, or that breaks the invariants.
    fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        self.books.load(key, value)
    }

    /// Bytes that are no command answer [`Reply::Bad`].
    fn apply(&mut self, _index: u64, entry: &[u8], out: &mut Vec<Write>) -> Vec<u8> {
        let reply = match decode::<Command>(entry) {
            Ok(command) => self.run(command, out),
            Err(_) => Reply::Bad,
        };
        encode(&reply)
    }

    fn publish(&mut self) {
        self.seen.store(Arc::new(self.books.clone()));
    }

    fn pin(&self) -> Pinned {
        self.books.clone().into_rows()
    }
}

#[cfg(test)]
mod tests {
    use super::super::period::{DAY_MS, Period, PeriodKind};
    use super::super::wire::{PlanKey, SlotId};
    use super::*;

    fn slot(key: &str, start_day: i32) -> SlotId {
        let period = Period { start_day, kind: PeriodKind::Day };
        SlotId { who: PlanKey { plan: "p".into(), key: key.into() }, period }
    }

    fn hello(ledger: &mut Ledger, node: u64, boot: u64, nonce: u8) -> (u64, bool) {
        let hello = Hello { node, boot, nonce: [nonce; 16], forfeit: false };
        match ledger.run(Command::Hello(hello), &mut Vec::new()) {
            Reply::Hello { inc, forfeit } => (inc, forfeit),
            other => panic!("{other:?}"),
        }
    }

    fn tick(
        ledger: &mut Ledger,
        node: u64,
        inc: u64,
        slot: SlotId,
        (u, x, want): (u64, u64, u64),
    ) -> Option<ItemReply> {
        let time_ms = i64::from(slot.period.start_day) * DAY_MS + 5;
        let days = vec![(slot.period.start_day, u)];
        let item = Item { slot, days, fresh: false, x, want, limit: 100, seq: 1 };
        let mut out = Vec::new();
        let reply = ledger.run(Command::Tick(vec![Report { node, inc, time_ms, items: vec![item] }]), &mut out);
        // What is written is what a load gives back.
        for write in out {
            if let Some(value) = write.value {
                Ledger::new().load(&write.key, &value).unwrap();
            }
        }
        let Reply::Tick(mut replies) = reply else { panic!("{reply:?}") };
        replies.pop().and_then(|mut reply| reply.items.pop())
    }

    #[test]
    fn a_start_gets_a_new_incarnation_and_a_retry_the_same() {
        let mut ledger = Ledger::new();
        assert_eq!(hello(&mut ledger, 1, 1, 7), (1, false));
        assert_eq!(hello(&mut ledger, 1, 1, 7), (1, false), "a retry");
        assert_eq!(hello(&mut ledger, 1, 2, 8), (2, false));
        assert_eq!(hello(&mut ledger, 1, 2, 9), (3, true), "the same count with another nonce: a copy");
        assert_eq!(hello(&mut ledger, 1, 1, 10), (4, true), "fewer starts than before: rolled back");
        assert!(tick(&mut ledger, 1, 3, slot("k", 9), (0, 0, 1)).is_none(), "an old incarnation is fenced");
        assert!(tick(&mut ledger, 2, 1, slot("k", 9), (0, 0, 1)).is_none(), "so is a node that never said hello");
    }

    #[test]
    fn what_a_forfeited_incarnation_held_counts_as_spent() {
        let mut ledger = Ledger::new();
        let (inc, _) = hello(&mut ledger, 1, 1, 1);
        let held = tick(&mut ledger, 1, inc, slot("k", 9), (0, 0, 40)).unwrap().g;
        let (inc, forfeit) = hello(&mut ledger, 1, 1, 2);
        assert!(forfeit);
        let reply = tick(&mut ledger, 1, inc, slot("k", 9), (0, 0, 0)).unwrap();
        assert_eq!((reply.g, reply.u), (held, held));
        let usage = ledger.books().days(&slot("k", 9).who, 0, 100);
        assert_eq!(usage, [(9, held, 100 - held)]);
    }

    #[test]
    fn a_period_that_was_swept_grants_nothing_ever_again() {
        let mut ledger = Ledger::new();
        let (one, _) = hello(&mut ledger, 1, 1, 1);
        let (two, _) = hello(&mut ledger, 2, 1, 1);
        for key in 0..200 {
            tick(&mut ledger, 1, one, slot(&key.to_string(), 10), (0, 0, 10)).unwrap();
        }
        // One clock far ahead closes nothing.
        tick(&mut ledger, 2, two, slot("far", 4_000), (0, 0, 1)).unwrap();
        let reply = tick(&mut ledger, 1, one, slot("7", 10), (5, 0, 20)).unwrap();
        assert!(reply.g > 10 && !ledger.books().is_closed(slot("7", 10).period));
        // Three days later by most clocks the day is closed; late reports and new askers get nothing.
        tick(&mut ledger, 1, one, slot("7", 14), (0, 0, 1)).unwrap();
        assert!(ledger.books().is_closed(slot("7", 10).period));
        assert_eq!(tick(&mut ledger, 2, two, slot("7", 10), (0, 0, 50)).unwrap().g, 0);
        for _ in 0..10 {
            tick(&mut ledger, 1, one, slot("7", 14), (0, 0, 1)).unwrap();
        }
        assert_eq!(ledger.books().escrows().filter(|(id, _)| id.period.start_day == 10).count(), 0);
        assert_eq!(tick(&mut ledger, 1, one, slot("7", 10), (5, 0, 50)).unwrap(), ItemReply::default());
        assert_eq!(ledger.books().days(&slot("7", 10).who, 0, 20), [(10, 5, 95)], "history outlives the period's row");
    }

    #[test]
    fn months_are_counted_by_day() {
        let mut ledger = Ledger::new();
        let (inc, _) = hello(&mut ledger, 1, 1, 1);
        let period = Period { start_day: 20_606, kind: PeriodKind::Month };
        let slot = SlotId { who: slot("k", 0).who, period };
        let mut send = |days: &[(i32, u64)], want| {
            let item = Item { slot: slot.clone(), days: days.to_vec(), fresh: false, x: 0, want, limit: 100, seq: 1 };
            let time_ms = i64::from(days[days.len() - 1].0) * DAY_MS;
            ledger.run(Command::Tick(vec![Report { node: 1, inc, time_ms, items: vec![item] }]), &mut Vec::new());
            ledger.books().days(&slot.who, 20_606, 20_640)
        };
        send(&[(20_606, 0)], 60);
        assert_eq!(send(&[(20_606, 4)], 0), [(20_606, 4, 96)]);
        assert_eq!(send(&[(20_606, 6), (20_607, 9)], 0), [(20_606, 6, 94), (20_607, 3, 91)]);
        assert_eq!(send(&[(20_606, 6), (20_607, 9)], 0), [(20_606, 6, 94), (20_607, 3, 91)], "said twice");
    }
}
