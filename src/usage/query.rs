//! GetUsage and UpdateUsage: the ledger's figures, made fresh by asking the nodes that may still spend.

use super::links::Links;
use super::period::{Period, day_of, period_of, period_of_day};
use super::request::QuotaSpec;
use super::wire::{Adjust, Command, KeyUsage, PlanKey, Probe, Probed, Read, Reply, SlotId, decode, encode};
use crate::net::peer::kind;
use bytes::Bytes;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::time::Duration;

/// The ledger is asked this long.
const ORDER_WITHIN: Duration = Duration::from_secs(5);
/// A holder is asked this long.
const PROBE_WITHIN: Duration = Duration::from_millis(400);
/// Most keys of one question to the ledger.
const MOST_KEYS: usize = 50;
/// Most days of one question (AWS's limit).
pub const MOST_DAYS: i32 = 90;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// No usage leader answered; an UpdateUsage may have happened all the same.
    #[error("the usage group did not answer; try again")]
    Unavailable,
    /// The period is over.
    #[error("the period is closed")]
    Closed,
    /// More days than [`MOST_DAYS`], or the last before the first.
    #[error("usage is kept and shown for at most 90 days")]
    Days,
}

/// Usage of keys, one (used, remaining) per day asked for, by key id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// By key id, days in order.
    pub values: BTreeMap<String, Vec<(u64, u64)>>,
    /// Nodes that hold rights and did not answer: what they used since their last report is missing.
    pub unreachable: Vec<u64>,
}

/// Usage of a plan's keys from `first_day` to `last_day` (days since 1970, both included). Every key asked for is in the
/// answer. `quota` is the plan's at present; without one nothing is counted and the pairs are (0, 0).
pub async fn usage_of(
    links: &dyn Links,
    plan: &str,
    keys: &[String],
    quota: Option<&QuotaSpec>,
    days: (i32, i32),
    now_ms: i64,
) -> Result<Usage, UsageError> {
    let (first_day, last_day) = days;
    if last_day < first_day || i64::from(last_day) - i64::from(first_day) >= i64::from(MOST_DAYS) {
        return Err(UsageError::Days);
    }
    let mut usage = Usage::default();
    for keys in keys.chunks(MOST_KEYS) {
        let who: Vec<_> = keys.iter().map(|key| PlanKey { plan: plan.into(), key: key.as_str().into() }).collect();
        // The whole of the present period counts for what remains.
        let from = quota.map_or(first_day, |quota| first_day.min(period_of_day(first_day, quota.period).start_day));
        let read = Command::Read(Read { who: who.clone(), first_day: from, last_day });
        let Reply::Read(mut rows) = order(links, &read).await? else { return Err(UsageError::Unavailable) };
        if rows.len() != who.len() {
            return Err(UsageError::Unavailable);
        }
        freshen(links, &who, &mut rows, now_ms, &mut usage.unreachable).await;
        for (key, row) in keys.iter().zip(&rows) {
            usage.values.insert(key.clone(), fill(row, quota, first_day, last_day));
        }
    }
    usage.unreachable.sort_unstable();
    usage.unreachable.dedup();
    Ok(usage)
}

/// UpdateUsage: sets what remains of a key's quota in the present period.
pub async fn extend(
    links: &dyn Links,
    plan: &str,
    key: &str,
    quota: &QuotaSpec,
    remaining: u64,
    now_ms: i64,
    id: [u8; 16],
) -> Result<(), UsageError> {
    let who = PlanKey { plan: plan.into(), key: key.into() };
    let period = period_of(now_ms, quota.period);
    let slot = SlotId { who: who.clone(), period };
    let (first_day, last_day) = (period.start_day, period.end_day() - 1);
    let read = Command::Read(Read { who: vec![who], first_day, last_day });
    let Reply::Read(rows) = order(links, &read).await? else { return Err(UsageError::Unavailable) };
    let holders: Vec<u64> = rows
        .iter()
        .flat_map(|row| &row.slots)
        .filter(|row| row.period == period)
        .flat_map(|row| row.holders.iter().map(|(node, _, _)| *node))
        .collect();
    let (used, _) = probe(links, &holders, std::slice::from_ref(&slot), false).await;
    let used = used.into_iter().filter_map(|(node, used)| Some((node, (*used.first()?)?))).collect();
    let (limit, seq) = (quota.limit_in(period), quota.seq);
    let adjust = Command::Adjust(Adjust { id, slot: slot.clone(), remaining, day: day_of(now_ms), used, limit, seq });
    let Reply::Adjusted { .. } = order(links, &adjust).await? else { return Err(UsageError::Closed) };
    // Rights that lie about may be more than remains now: call them back.
    probe(links, &holders, &[slot], true).await;
    Ok(())
}

async fn order(links: &dyn Links, command: &Command) -> Result<Reply, UsageError> {
    let answer = links.order(Bytes::from(encode(command)), ORDER_WITHIN).await.ok_or(UsageError::Unavailable)?;
    decode(&answer).map_err(|_| UsageError::Unavailable)
}

type ProbedNodes = Vec<(u64, Vec<Option<u64>>)>;

/// Asks nodes what they used; gives the answers and the nodes that gave none.
async fn probe(links: &dyn Links, nodes: &[u64], slots: &[SlotId], recall: bool) -> (ProbedNodes, Vec<u64>) {
    let message = Bytes::from(encode(&Probe { slots: slots.to_vec(), recall }));
    let asked = nodes.iter().map(|node| {
        let asked = links.ask(*node, kind::USAGE_PROBE, message.clone(), PROBE_WITHIN);
        async move { (*node, asked.await.and_then(|bytes| decode::<Probed>(&bytes).ok())) }
    });
    let (mut probed, mut silent) = (Vec::new(), Vec::new());
    for (node, answer) in join_all(asked).await {
        match answer {
            Some(answer) => probed.push((node, answer.used)),
            None => silent.push(node),
        }
    }
    (probed, silent)
}

/// Adds what holders used since their last report to today's figures.
async fn freshen(links: &dyn Links, who: &[PlanKey], rows: &mut [KeyUsage], now_ms: i64, silent: &mut Vec<u64>) {
    let today = day_of(now_ms);
    let mut slots = Vec::new();
    let mut at = Vec::new();
    let mut nodes = Vec::new();
    for (row, (who, usage)) in who.iter().zip(rows.iter()).enumerate() {
        for (slot, usage) in usage.slots.iter().enumerate().filter(|(_, slot)| slot.period.has_day(today)) {
            slots.push(SlotId { who: who.clone(), period: usage.period });
            at.push((row, slot));
            nodes.extend(usage.holders.iter().filter(|(_, _, may_spend)| *may_spend).map(|(node, _, _)| *node));
        }
    }
    nodes.sort_unstable();
    nodes.dedup();
    let (probed, unreachable) = probe(links, &nodes, &slots, false).await;
    silent.extend(unreachable);
    for (node, used) in probed {
        for ((row, slot), used) in at.iter().zip(used) {
            let usage = &mut rows[*row];
            let Some(holder) = usage.slots[*slot].holders.iter_mut().find(|(id, _, _)| *id == node) else { continue };
            let fresh = used.unwrap_or(0).saturating_sub(holder.1);
            if fresh > 0 {
                holder.1 += fresh;
                let (limit, holders) = (usage.slots[*slot].limit, &usage.slots[*slot].holders);
                let total = holders.iter().fold(0u64, |sum, (_, used, _)| sum.saturating_add(*used));
                add_today(&mut usage.days, today, fresh, limit.saturating_sub(total));
            }
        }
    }
}

fn add_today(days: &mut Vec<(i32, u64, u64)>, today: i32, fresh: u64, remaining: u64) {
    match days.last_mut().filter(|(day, _, _)| *day == today) {
        Some(last) => (last.1, last.2) = (last.1.saturating_add(fresh), remaining),
        None => days.push((today, fresh, remaining)),
    }
}

/// One pair per day: days without use keep what remained the day before, or begin their period with the whole limit.
fn fill(row: &KeyUsage, quota: Option<&QuotaSpec>, first_day: i32, last_day: i32) -> Vec<(u64, u64)> {
    let limit = |period: Period| {
        let slot = row.slots.iter().find(|slot| slot.period == period);
        slot.map(|slot| slot.limit).or(quota.map(|quota| quota.limit_in(period))).unwrap_or(0)
    };
    let mut pairs = Vec::new();
    for day in first_day..=last_day {
        let period = quota.map(|quota| period_of_day(day, quota.period));
        let known = row.days.iter().rev().find(|(seen, _, _)| *seen <= day);
        pairs.push(match (known, period) {
            (Some((seen, used, remaining)), _) if *seen == day => (*used, *remaining),
            (Some((seen, _, remaining)), Some(period)) if period.has_day(*seen) => (0, *remaining),
            (_, Some(period)) => (0, limit(period)),
            (_, None) => (0, 0),
        });
    }
    pairs
}
