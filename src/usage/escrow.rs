//! One quota in one period, as the ledger keeps it: who was granted, used and returned how much. Pure.
//!
//! INV-1: Σ(G − X) ≤ limit at every grant. Numbers only grow, so a report that is lost, doubled, late or out of order
//! does no harm; nothing is ever taken back on grounds of time.

use super::policy;
use super::wire::{Adjust, EscrowRow, HolderRow, Item, ItemReply};

/// A node as the ledger sees it at this entry.
#[derive(Clone, Copy, Debug)]
pub struct Reporter {
    /// Its id.
    pub node: u64,
    /// Its incarnation, the current one.
    pub inc: u64,
    /// Rights granted to earlier incarnations than this count as spent.
    pub valid_from: u64,
    /// Its clock (policy only).
    pub time_ms: i64,
}

/// How many other holders a reply names.
const MOST_OTHERS: usize = 8;

impl EscrowRow {
    /// A new period's row with its limit by configuration.
    pub fn new(limit: u64, seq: u64) -> Self {
        Self { base: limit, seq, ..Self::default() }
    }

    /// Limit in force: by configuration, plus the extension.
    pub fn limit(&self) -> u64 {
        let limit = i128::from(self.base).saturating_add(self.extension);
        u64::try_from(limit.max(0)).unwrap_or(u64::MAX)
    }

    /// Σ(G − X): what nodes may have spent or may still spend.
    pub fn outstanding(&self) -> u128 {
        self.holders.iter().map(|(_, h)| u128::from(h.g - h.x)).sum()
    }

    /// What nobody holds.
    pub fn free(&self) -> u64 {
        let free = u128::from(self.limit()).saturating_sub(self.outstanding());
        u64::try_from(free).unwrap_or(u64::MAX)
    }

    /// ΣU: used by the nodes' reports.
    pub fn used(&self) -> u64 {
        let used: u128 = self.holders.iter().map(|(_, h)| u128::from(h.u)).sum();
        u64::try_from(used).unwrap_or(u64::MAX)
    }

    /// What remains by the reports.
    pub fn remaining(&self) -> u64 {
        self.limit().saturating_sub(self.used())
    }

    /// The limit by configuration, if it was read later than the one we have.
    pub fn learn_limit(&mut self, limit: u64, seq: u64) {
        if seq > self.seq {
            (self.base, self.seq) = (limit, seq);
        }
    }

    fn holder(&mut self, node: u64) -> &mut HolderRow {
        let at = match self.holders.binary_search_by_key(&node, |(id, _)| *id) {
            Ok(at) => at,
            Err(at) => {
                self.holders.insert(at, (node, HolderRow::default()));
                at
            }
        };
        &mut self.holders[at].1
    }

    /// Takes in what a node says it used and returned. Gives (day, newly used, remaining then) for the history.
    pub fn settle(&mut self, from: Reporter, item: &Item, today: i32) -> Vec<(i32, u64, u64)> {
        self.learn_limit(item.limit, item.seq);
        let limit = self.limit();
        let before = self.used();
        let holder = self.holder(from.node);
        let others = before.saturating_sub(holder.u);
        let mut fresh = Vec::new();
        let mut use_up = |holder: &mut HolderRow, day: i32, u: u64| {
            let more = u.saturating_sub(holder.u);
            holder.u += more;
            if more > 0 {
                fresh.push((day, more, limit.saturating_sub(others.saturating_add(holder.u))));
            }
        };
        if holder.inc < from.valid_from || (item.fresh && holder.inc < from.inc) {
            use_up(holder, today, holder.g - holder.x);
        } else {
            // Clamped to what was ever granted, so that broken numbers cannot break INV-1.
            holder.x = holder.x.max(item.x.min(holder.g - holder.u));
            for (day, u) in &item.days {
                use_up(holder, *day, (*u).min(holder.g - holder.x));
            }
        }
        holder.inc = from.inc;
        holder.seen_ms = holder.seen_ms.max(from.time_ms);
        fresh
    }

    /// Grants towards `want` as far as policy and INV-1 allow; returns how much.
    pub fn grant(&mut self, from: Reporter, want: u64) -> u64 {
        let free = self.free();
        let active = self.holders.iter().filter(|(_, h)| policy::is_active(h.seen_ms, from.time_ms)).count() as u64;
        let limit = self.limit();
        let holder = self.holder(from.node);
        let granted = policy::grant(want.saturating_sub(holder.g), free, limit, active);
        let granted = granted.min(free).min(u64::MAX - holder.g);
        holder.g += granted;
        granted
    }

    /// What a node is told.
    pub fn reply(&self, node: u64) -> ItemReply {
        let mine = self.holders.iter().find(|(id, _)| *id == node).map(|(_, h)| h.clone()).unwrap_or_default();
        let mut others: Vec<(u64, u64)> = Vec::new();
        if self.free() == 0 {
            others.extend(self.holders.iter().filter(|(id, _)| *id != node).map(|(id, h)| (*id, h.g - h.x - h.u)));
            others.retain(|(_, rights)| *rights > 0);
            others.sort_by_key(|(id, rights)| (std::cmp::Reverse(*rights), *id));
            others.truncate(MOST_OTHERS);
        }
        ItemReply {
            g: mine.g,
            u: mine.u,
            x: mine.x,
            limit: self.limit(),
            free: self.free(),
            over: self.outstanding() > u128::from(self.limit()),
            others,
        }
    }

    /// UpdateUsage: the limit becomes what is used plus `remaining`. A retry (same id) changes nothing.
    /// Returns how much use the probed numbers added.
    pub fn adjust(&mut self, adjust: &Adjust) -> u64 {
        self.learn_limit(adjust.limit, adjust.seq);
        if self.adjust_id == adjust.id {
            return 0;
        }
        let before = self.used();
        self.adjust_id = adjust.id;
        for (node, u) in &adjust.used {
            if let Some((_, h)) = self.holders.iter_mut().find(|(id, _)| id == node) {
                h.u = h.u.max((*u).min(h.g - h.x));
            }
        }
        let target = i128::from(self.used()) + i128::from(adjust.remaining);
        self.extension = target - i128::from(self.base);
        self.used().saturating_sub(before)
    }
}
