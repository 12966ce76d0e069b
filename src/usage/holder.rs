//! A node's side of one quota: what it was granted, has handed out, has returned, and how far its journal lets it go.
//! Pure: the hot pool of rights, the journal and the network are the caller's.
//!
//! `issued` counts the rights that ever went into the hot pool and stayed; used = issued − what is left in the pool.
//! Rights go into the pool only up to `min(g − x, small, big)`: granted and committed, and covered by a watermark that
//! is written (survives the process) and one that is synced (survives the machine). A return counts when it is synced.

use super::policy;
use super::wire::{ItemReply, Mark};

/// A journal record under way; `order` is its place in the order of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marking {
    /// Grows with each record of the slot.
    pub order: u64,
    /// What to write.
    pub mark: Mark,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Holder {
    g: u64,
    x: u64,
    issued: u64,
    /// Heard from the ledger in this incarnation; before, nothing is held.
    known: bool,
    /// Has a record in the journal, or was heard of.
    remembered: bool,
    /// In force: written, synced.
    small: u64,
    big: u64,
    x_durable: u64,
    /// The last record made, and the order from which acknowledgements raise a watermark.
    asked: Mark,
    order: u64,
    valid_order: u64,
    /// What the ledger last said.
    acked_u: u64,
    acked_x: u64,
    scarce: bool,
}

impl Holder {
    /// After a restart: what the journal says was used at most and returned. Holds nothing until the ledger is heard.
    pub fn restored(mark: Mark, machine_stayed_up: bool) -> Self {
        let used = if machine_stayed_up { mark.small } else { mark.big };
        let asked = Mark { small: used, big: used, x: mark.x };
        Self {
            remembered: true,
            x: mark.x,
            issued: used,
            small: used,
            big: used,
            x_durable: mark.x,
            asked,
            ..Self::default()
        }
    }

    /// Numbers its records from `base`: greater than any record of an earlier holder of the same quota here.
    pub fn number_from(&mut self, base: u64) {
        self.order = base;
    }

    /// Used so far, given what is left in the pool.
    pub fn used(&self, left: u64) -> u64 {
        self.issued.saturating_sub(left)
    }

    /// Granted and neither used nor returned, whether in the pool or not.
    pub fn rights(&self, left: u64) -> u64 {
        if self.known { self.g.saturating_sub(self.x).saturating_sub(self.used(left)) } else { 0 }
    }

    /// Whether nothing is known of the quota: no record, no word of the ledger.
    pub fn is_fresh(&self) -> bool {
        !self.remembered
    }

    /// Whether the ledger was heard in this incarnation.
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// Rights that may go into the pool now; they count as issued.
    pub fn refill(&mut self) -> u64 {
        if !self.known {
            return 0;
        }
        let cap = self.g.saturating_sub(self.x).min(self.small).min(self.big);
        let fresh = cap.saturating_sub(self.issued);
        self.issued += fresh;
        fresh
    }

    /// The journal record that is due, if one is: watermarks are renewed when less than a block lies ahead.
    /// `waiting` requests stand before an empty pool.
    pub fn mark(&mut self, left: u64, rate_per_s: f64, waiting: u64) -> Option<Marking> {
        let (small, big) = policy::reserve(rate_per_s);
        let (small, big) = (small.saturating_add(waiting), big.saturating_add(waiting));
        let used = self.used(left);
        let mut mark = Mark { x: self.x, ..self.asked };
        if self.asked.small < used.saturating_add(small) {
            mark.small = used.saturating_add(small.saturating_mul(2));
        }
        if self.asked.big < used.saturating_add(big).max(mark.small) {
            mark.big = used.saturating_add(big.saturating_mul(2)).max(mark.small);
        }
        if mark == self.asked {
            return None;
        }
        Some(self.ask(mark))
    }

    fn ask(&mut self, mark: Mark) -> Marking {
        self.asked = mark;
        self.order += 1;
        Marking { order: self.order, mark }
    }

    /// A record is in the file.
    pub fn written(&mut self, marking: Marking) {
        if marking.order >= self.valid_order {
            self.small = self.small.max(marking.mark.small);
        }
    }

    /// A record is on the disk.
    pub fn synced(&mut self, marking: Marking) {
        self.written(marking);
        if marking.order >= self.valid_order {
            self.big = self.big.max(marking.mark.big);
        }
        self.x_durable = self.x_durable.max(marking.mark.x);
    }

    /// Takes `taken` unspent rights out of the pool again and lowers the watermarks to what was used; with `give_back`
    /// all rights not used are returned. The record must be synced before the return is reported (it is not, earlier).
    pub fn settle(&mut self, taken: u64, give_back: bool) -> Marking {
        self.issued = self.issued.saturating_sub(taken);
        if give_back {
            self.x += self.rights(0);
        }
        // Records made before this one would raise the watermark in memory above what the file then says.
        self.valid_order = self.order + 1;
        self.small = self.small.min(self.issued);
        self.big = self.big.min(self.issued);
        self.ask(Mark { small: self.issued, big: self.issued, x: self.x })
    }

    /// What to report: (used, returned and durable, G wanted).
    pub fn report(&self, left: u64, rate_per_s: f64, waiting: u64) -> (u64, u64, u64) {
        let used = self.used(left);
        let target = policy::target(rate_per_s, waiting, self.scarce);
        (used, self.x_durable, used.saturating_add(self.x).saturating_add(target))
    }

    /// Whether the ledger does not know yet what was used and returned.
    pub fn is_unreported(&self, left: u64) -> bool {
        self.used(left) != self.acked_u || self.x_durable != self.acked_x || !self.known
    }

    /// Whether less than half of what it likes to hold is in hand.
    pub fn is_low(&self, left: u64, rate_per_s: f64, waiting: u64) -> bool {
        let target = policy::target(rate_per_s, waiting, self.scarce);
        target > 0 && self.rights(left) <= target / 2
    }

    /// Takes in a committed answer to a report of this incarnation. `false`: the ledger knows of more than the journal
    /// does, so that the journal was rolled back or cloned: everything held so far is forfeited,
    /// and the caller must empty the pool before it lets anyone spend again.
    pub fn heard(&mut self, reply: &ItemReply) -> bool {
        let sound = reply.u <= self.issued && reply.x <= self.x;
        self.g = self.g.max(reply.g);
        if !sound {
            self.x = self.x.max(reply.x);
            self.x_durable = self.x_durable.max(reply.x);
            self.issued = self.issued.max(self.g.saturating_sub(self.x));
        } else if !self.known {
            // Reserve-ahead may have passed what was granted; what was granted bounds what was used.
            self.issued = self.issued.min(self.g.saturating_sub(self.x));
        }
        (self.known, self.remembered) = (true, true);
        (self.acked_u, self.acked_x) = (reply.u, reply.x);
        self.scarce = reply.free < reply.limit / 10;
        sound
    }

    /// Another process holds this node's incarnation: what is unspent is forfeited, nothing is held until the ledger
    /// is heard again. The caller has emptied the pool; what was in it counts as used.
    pub fn fence(&mut self) {
        self.known = false;
    }
}
