//! How much is granted and asked for: the only place where rates and times count, and nothing here is needed for safety.
//!
//! `grant` runs inside apply on every replica: what it answers for entries of format version 1 never changes; a better
//! policy comes with a new version.

/// A holder that reported within this time shares in what is free.
const ACTIVE_MS: i64 = 10_000;

/// Whether a holder counts as active at an entry's time.
pub fn is_active(seen_ms: i64, time_ms: i64) -> bool {
    time_ms.saturating_sub(seen_ms) < ACTIVE_MS
}

/// How many of `free` rights an asker gets that would like `need` more: half of its part, so that grants shrink
/// geometrically and late askers find something; near the end everything it needs, since others can charge it.
pub fn grant(need: u64, free: u64, limit: u64, active: u64) -> u64 {
    let active = active.max(1);
    let part = if free <= (2 * active).max(limit / 100) { free } else { free.div_ceil(2 * active) };
    need.min(part)
}

/// Seconds of its rate that a node likes to have in hand.
const HORIZON_S: f64 = 10.0;
/// The same where less than a tenth of the limit is free.
const NEAR_HORIZON_S: f64 = 3.0;
/// Rights asked for at least while a key is in use.
const LEAST_TARGET: u64 = 4;

/// Rights that a node wants in hand for a key with this rate and these requests waiting.
pub fn target(rate_per_s: f64, waiting: u64, scarce: bool) -> u64 {
    let seconds = if scarce { NEAR_HORIZON_S } else { HORIZON_S };
    // A cast saturates; rates are finite and not negative.
    let ahead = (rate_per_s * seconds).ceil() as u64;
    if waiting == 0 && ahead == 0 {
        return 0;
    }
    ahead.saturating_add(waiting).max(if scarce { 1 } else { LEAST_TARGET })
}

/// One block of rights that may be used before the journal's next write, and one before its next sync. Two blocks are
/// kept, so that requests need not wait for the disk: a killed process loses at most 100 ms of its rate, a machine
/// that loses power one second of it.
pub fn reserve(rate_per_s: f64) -> (u64, u64) {
    let small = ((rate_per_s * 0.05).ceil() as u64).max(1);
    let big = ((rate_per_s * 0.5).ceil() as u64).max(2);
    (small, big.max(small))
}

/// What a node without rights makes of the ledger's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Rights are in hand, or more may be granted: ask again.
    Open,
    /// Nothing is free, but others hold rights: charge them, most first.
    Charge(Vec<(u64, u64)>),
    /// All rights are spent, by the reports.
    Exhausted,
}

/// Reads the answer; `rights` are those in hand after it.
pub fn outlook(reply: &super::wire::ItemReply, rights: u64) -> Outlook {
    if rights > 0 || reply.free > 0 {
        Outlook::Open
    } else if reply.others.is_empty() {
        Outlook::Exhausted
    } else {
        Outlook::Charge(reply.others.clone())
    }
}

/// One round of charges: whom to ask for how much, so that all can be asked at once and none is asked in vain.
pub fn allot(holders: &[(u64, u64)], mut n: u64) -> Vec<(u64, u64)> {
    let mut asks = Vec::new();
    for (node, rights) in holders {
        let ask = (*rights).min(n);
        if ask == 0 {
            break;
        }
        asks.push((*node, ask));
        n -= ask;
    }
    asks
}
