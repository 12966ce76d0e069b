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
        for (day, used) in row.settle(from, item, today) {
            self.books.count(&item.slot.who, day, used, row.remaining(), effects);
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
