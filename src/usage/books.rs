//! The ledger's rows in memory: persistent maps, so that readers and snapshots hold a state while apply goes on.

use super::period::{Period, day_of};
use super::row_key::RowKey;
use super::wire::{DayRow, EscrowRow, MetaRow, NodeRow, PlanKey, SlotId, Sweep, decode, encode};
use crate::cluster::{Pinned, Write};
use imbl::OrdMap;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Closed periods stay readable this many days after their end, so that late reports still settle them.
const LATE_DAYS: i32 = 3;
/// Daily history is kept this long (GetUsage reaches back 90 days).
const HISTORY_DAYS: i32 = 92;
/// Rows that a sweep looks at per entry.
const SWEEP_STEP: usize = 64;
/// A node's clock is written down when it moved this far.
const CLOCK_STEP_MS: i64 = 3_600_000;

/// All rows.
#[derive(Clone, Debug, Default)]
pub struct Books {
    escrows: OrdMap<SlotId, Arc<EscrowRow>>,
    days: OrdMap<(PlanKey, i32), Arc<DayRow>>,
    nodes: OrdMap<u64, NodeRow>,
    meta: MetaRow,
    /// Rights granted since this process applied its first entry.
    pub granted: u64,
    /// Grants that broke INV-1: must stay 0.
    pub overshoot: u64,
}

/// Rows that an entry changed; written once each.
#[derive(Debug, Default)]
pub struct Effects {
    escrows: BTreeSet<SlotId>,
    days: BTreeSet<(PlanKey, i32)>,
    nodes: BTreeSet<u64>,
    meta: bool,
}

impl Books {
    /// One quota's row.
    pub fn escrow(&self, slot: &SlotId) -> Option<&EscrowRow> {
        self.escrows.get(slot).map(|row| &**row)
    }

    /// All quotas, in order.
    pub fn escrows(&self) -> impl Iterator<Item = (&SlotId, &EscrowRow)> {
        self.escrows.iter().map(|(id, row)| (id, &**row))
    }

    /// All periods of one key, in order.
    pub fn slots<'a>(&'a self, who: &'a PlanKey) -> impl Iterator<Item = (&'a SlotId, &'a EscrowRow)> {
        let kind = super::period::PeriodKind::Day;
        let first = SlotId { who: who.clone(), period: Period { start_day: i32::MIN, kind } };
        self.escrows.range(first..).take_while(move |(id, _)| id.who == *who).map(|(id, row)| (id, &**row))
    }

    pub(super) fn set_escrow(&mut self, slot: SlotId, row: EscrowRow, effects: &mut Effects) {
        effects.escrows.insert(slot.clone());
        self.escrows.insert(slot, Arc::new(row));
    }

    /// A node's row.
    pub fn node(&self, node: u64) -> Option<&NodeRow> {
        self.nodes.get(&node)
    }

    pub(super) fn set_node(&mut self, node: u64, row: NodeRow, effects: &mut Effects) {
        effects.nodes.insert(node);
        self.nodes.insert(node, row);
    }

    /// Days with use, in order: (day, used, remaining at its end).
    pub fn days(&self, who: &PlanKey, first: i32, last: i32) -> DayRow {
        if first > last {
            return DayRow::new();
        }
        let chunks = self.days.range((who.clone(), first.div_euclid(32))..=(who.clone(), last.div_euclid(32)));
        chunks.flat_map(|(_, row)| row.iter()).filter(|(day, _, _)| (first..=last).contains(day)).copied().collect()
    }

    /// Counts use on a day.
    pub(super) fn count(&mut self, who: &PlanKey, day: i32, used: u64, remaining: u64, effects: &mut Effects) {
        let key = (who.clone(), day.div_euclid(32));
        let mut row = self.days.get(&key).map(|row| (**row).clone()).unwrap_or_default();
        match row.binary_search_by_key(&day, |(day, _, _)| *day) {
            Ok(at) => {
                row[at].1 = row[at].1.saturating_add(used);
                row[at].2 = remaining;
            }
            Err(at) => row.insert(at, (day, used, remaining)),
        }
        effects.days.insert(key.clone());
        self.days.insert(key, Arc::new(row));
    }

    /// Whether a period is over for good.
    pub fn is_closed(&self, period: Period) -> bool {
        period.end_day() <= self.meta.floor_day
    }

    /// INV-1, after every grant.
    pub(super) fn check(&mut self, row: &EscrowRow, before: u128, granted: u64) {
        self.granted = self.granted.saturating_add(granted);
        if granted > 0 && row.outstanding() > before.max(u128::from(row.limit())) {
            self.overshoot += 1;
        }
    }

    /// A node's clock moves the floor below which periods are swept: the median of the nodes' clocks, less three days,
    /// so that one wrong clock closes nothing.
    pub(super) fn tell_time(&mut self, node: u64, time_ms: i64, effects: &mut Effects) {
        let Some(row) = self.nodes.get_mut(&node) else { return };
        if time_ms < row.time_ms.saturating_add(CLOCK_STEP_MS) {
            return;
        }
        row.time_ms = time_ms;
        effects.nodes.insert(node);
        let mut clocks: Vec<i64> = self.nodes.values().map(|row| row.time_ms).filter(|ms| *ms != i64::MIN).collect();
        clocks.sort_unstable();
        let Some(median) = clocks.get(clocks.len().saturating_sub(1) / 2) else { return };
        let floor = day_of(*median) - LATE_DAYS;
        if floor > self.meta.floor_day {
            self.meta.floor_day = floor;
            self.meta.sweep = Some(Sweep::Escrows(None));
            effects.meta = true;
        }
    }

    /// Drops a few old rows, when there are any.
    pub(super) fn sweep(&mut self, effects: &mut Effects) {
        let Some(sweep) = self.meta.sweep.take() else { return };
        effects.meta = true;
        let floor = self.meta.floor_day;
        self.meta.sweep = match sweep {
            Sweep::Escrows(after) => {
                let seen = page(&self.escrows, after.as_ref());
                for id in seen.iter().filter(|id| id.period.end_day() <= floor) {
                    self.escrows.remove(id);
                    effects.escrows.insert(id.clone());
                }
                let whole = seen.len() == SWEEP_STEP;
                Some(if whole { Sweep::Escrows(seen.into_iter().last()) } else { Sweep::Days(None) })
            }
            Sweep::Days(after) => {
                let seen = page(&self.days, after.as_ref());
                for key in seen.iter().filter(|(_, chunk)| (chunk + 1).saturating_mul(32) <= floor - HISTORY_DAYS) {
                    self.days.remove(key);
                    effects.days.insert(key.clone());
                }
                (seen.len() == SWEEP_STEP).then(|| Sweep::Days(seen.into_iter().last()))
            }
        };
    }

    /// Writes the rows that changed.
    pub(super) fn write(&self, effects: Effects, out: &mut Vec<Write>) {
        for id in effects.escrows {
            let value = self.escrows.get(&id).map(|row| encode(&**row));
            out.push(Write { key: RowKey::Escrow(id).to_bytes(), value });
        }
        for (who, chunk) in effects.days {
            let key = (who, chunk);
            let value = self.days.get(&key).map(|row| encode(&**row));
            out.push(Write { key: RowKey::Days(key.0, chunk).to_bytes(), value });
        }
        for node in effects.nodes {
            out.push(Write { key: RowKey::Node(node).to_bytes(), value: self.nodes.get(&node).map(encode) });
        }
        if effects.meta {
            out.push(Write { key: RowKey::Meta.to_bytes(), value: Some(encode(&self.meta)) });
        }
    }

    /// Takes in one stored row.
    pub(super) fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let name = |error: super::wire::WireError| error.to_string();
        match RowKey::parse(key).ok_or("a usage row's key cannot be read")? {
            RowKey::Escrow(id) => {
                let row: EscrowRow = decode(value).map_err(name)?;
                if row.holders.iter().any(|(_, h)| h.u.checked_add(h.x).is_none_or(|sum| sum > h.g)) {
                    return Err(format!("quota row of key {} holds impossible numbers", id.who.key));
                }
                self.escrows.insert(id, Arc::new(row));
            }
            RowKey::Days(who, chunk) => {
                self.days.insert((who, chunk), Arc::new(decode::<DayRow>(value).map_err(name)?));
            }
            RowKey::Node(node) => {
                self.nodes.insert(node, decode(value).map_err(name)?);
            }
            RowKey::Meta => self.meta = decode(value).map_err(name)?,
        }
        Ok(())
    }

    /// All rows as stored.
    pub(super) fn into_rows(self) -> Pinned {
        let escrows = self.escrows.into_iter().map(|(id, row)| (RowKey::Escrow(id).to_bytes(), encode(&*row)));
        let days =
            self.days.into_iter().map(|((who, chunk), row)| (RowKey::Days(who, chunk).to_bytes(), encode(&*row)));
        let nodes = self.nodes.into_iter().map(|(node, row)| (RowKey::Node(node).to_bytes(), encode(&row)));
        let meta = std::iter::once((RowKey::Meta.to_bytes(), encode(&self.meta)));
        Box::new(escrows.chain(days).chain(nodes).chain(meta))
    }
}

/// The next keys after a row.
fn page<K: Ord + Clone, V>(map: &OrdMap<K, V>, after: Option<&K>) -> Vec<K> {
    match after {
        None => map.keys().take(SWEEP_STEP).cloned().collect(),
        Some(after) => {
            let rest = (std::ops::Bound::Excluded(after.clone()), std::ops::Bound::Unbounded);
            map.range(rest).take(SWEEP_STEP).map(|(key, _)| key.clone()).collect()
        }
    }
}
