//! A node of the model: the production holder, a pool that is a number, a journal with a page cache.

use super::super::holder::{Holder, Marking};
use super::super::policy::{Outlook, outlook};
use super::super::wire::{ItemReply, Mark};
use std::collections::VecDeque;

/// One record on the made-up disk.
#[derive(Clone, Copy)]
pub(super) struct Stored {
    pub(super) marking: Marking,
    pub(super) written: bool,
    pub(super) synced: bool,
}

#[derive(Default)]
pub(super) struct Node {
    pub(super) up: bool,
    pub(super) cut: bool,
    /// Life of the process: events of an earlier one are void.
    pub(super) life: u64,
    pub(super) boot: u64,
    pub(super) nonce: u64,
    pub(super) inc: Option<u64>,
    pub(super) holder: Holder,
    pub(super) left: u64,
    pub(super) credit: u64,
    pub(super) journal: Vec<Stored>,
    /// Spent really, by anybody with this node's rights: the truth.
    pub(super) truly_used: u64,
    pub(super) waiting: VecDeque<f64>,
    pub(super) spent_since_tick: u64,
    pub(super) rate: f64,
    pub(super) denied: bool,
    pub(super) reported_at: f64,
    /// Charges under way, and who may still be charged.
    pub(super) charging: u64,
    pub(super) others: Vec<(u64, u64)>,
    pub(super) last_demand: f64,
}

impl Node {
    /// Takes one right from the pool or a credit.
    pub(super) fn take(&mut self) -> bool {
        if self.left > 0 {
            self.left -= 1;
            self.truly_used += 1;
            self.spent_since_tick += 1;
            return true;
        }
        let credit = self.credit > 0;
        self.credit -= u64::from(credit);
        credit
    }

    /// Spends for another node.
    pub(super) fn charge(&mut self, n: u64) -> u64 {
        let taken = n.min(self.left);
        self.left -= taken;
        self.truly_used += taken;
        taken
    }

    /// What the journal has after a crash.
    pub(super) fn recover(&mut self, keeps: impl Fn(usize, &Stored) -> bool, machine_stayed_up: bool) {
        let kept = self.journal.iter().enumerate().take_while(|(at, stored)| keeps(*at, stored)).count();
        self.journal.truncate(kept);
        for stored in &mut self.journal {
            (stored.written, stored.synced) = (true, true);
        }
        let mark = self.journal.last().map(|stored| stored.marking.mark);
        self.holder = mark.map_or_else(Holder::default, |mark: Mark| Holder::restored(mark, machine_stayed_up));
    }

    pub(super) fn heard(&mut self, reply: &ItemReply) -> Outlook {
        if !self.holder.heard(reply) {
            self.left = 0;
        }
        self.left += self.holder.refill();
        outlook(reply, self.holder.rights(self.left) + self.credit)
    }
}
