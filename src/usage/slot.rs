//! One quota of one period on this node: a hot pool of rights that every worker takes from with one atomic, and the
//! holder behind it, which only the agent and slow paths lock.

use super::holder::{Holder, Marking};
use super::journal::Marked;
use super::period::{Period, day_of};
use super::policy::{self, Outlook};
use super::request::{Now, QuotaSpec, Verdict};
use super::wire::{Item, ItemReply, Mark, SlotId};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

const OPEN: u8 = 0;
const EXCEEDED: u8 = 1;
const UNAVAILABLE: u8 = 2;

/// A report that grants nothing is not repeated sooner than this.
const ASK_NS: u64 = 100_000_000;
/// Use and returns are reported within this time.
const TELL_NS: u64 = 1_000_000_000;
/// While requests wait, reports keep this distance.
const PRESSED_NS: u64 = 10_000_000;
/// Rights that were not touched for this long are given back.
const IDLE_RETURN_NS: u64 = 600_000_000_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: SlotId,
    /// Rights ready to be spent.
    left: AtomicU64,
    /// Rights that others spent for us and nobody here has used yet.
    credit: AtomicU64,
    /// Falling to this many wakes the agent.
    low: AtomicU64,
    /// Where the limit was read (`QuotaSpec::seq`).
    seq: AtomicU64,
    denied: AtomicU8,
    /// Last refused request, monotonic ns.
    refused_ns: AtomicU64,
    /// In the agent's hands.
    busy: AtomicBool,
    waiting: AtomicU32,
    /// Rights came, or the outlook changed.
    pub(super) changed: Notify,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    holder: Holder,
    limit: u64,
    rate_per_s: f64,
    rated_ns: u64,
    rated_used: u64,
    used_ns: u64,
    reported_ns: u64,
    /// Days that ended since the last answered report: (day, used by its end).
    past_days: Vec<(i32, u64)>,
    day: Option<i32>,
    over: bool,
    charging: bool,
    /// Rights that a charge waits for.
    charged: u64,
}

/// What came of reaching for a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// One is spent.
    Yes,
    /// One is spent, and the agent should look at the slot.
    YesAndTell,
    /// None is in hand.
    No,
}

/// What the agent has to do for a slot.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// To be written into the journal.
    pub(super) marking: Option<Marking>,
    /// Somebody waits for that record.
    pub(super) urgent: bool,
    /// To be reported.
    pub(super) item: Option<Item>,
    /// Nothing is going on; the agent may let go of it.
    pub(super) idle: bool,
}

impl Slot {
    pub(super) fn new(id: SlotId, quota: &QuotaSpec) -> Self {
        let inner = Inner { limit: quota.limit_in(id.period), ..Inner::default() };
        Self::with(id, quota.seq, inner)
    }

    /// From the journal, after a restart: the limit is learnt from the ledger or from the next request.
    pub(super) fn restored(id: SlotId, mark: Mark) -> Self {
        // The journal was rewritten at start with one watermark for both cases.
        let holder = Holder::restored(mark, true);
        Self::with(id, 0, Inner { rated_used: holder.used(0), holder, ..Inner::default() })
    }

    fn with(id: SlotId, seq: u64, mut inner: Inner) -> Self {
        // The journal keeps a quota's records in the order of their numbers, also when its slot was made anew.
        static MADE: AtomicU64 = AtomicU64::new(1);
        inner.holder.number_from(MADE.fetch_add(1, Ordering::Relaxed) << 32);
        Self {
            id,
            left: AtomicU64::new(0),
            credit: AtomicU64::new(0),
            low: AtomicU64::new(0),
            seq: AtomicU64::new(seq),
            denied: AtomicU8::new(OPEN),
            refused_ns: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            waiting: AtomicU32::new(0),
            changed: Notify::new(),
            inner: Mutex::new(inner),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up the plan's numbers when they were read later than ours; `true` if the limit changed.
    pub(super) fn learn(&self, limit: u64, seq: u64) -> bool {
        let mut inner = self.lock();
        if seq <= self.seq.load(Ordering::Acquire) {
            return false;
        }
        let changed = inner.limit != limit;
        inner.over |= limit < inner.limit;
        inner.limit = limit;
        inner.reported_ns = 0;
        self.seq.store(seq, Ordering::Release);
        if changed {
            self.denied.store(OPEN, Ordering::Release);
        }
        changed
    }

    /// Whether the plan's numbers were read later than ours: one load.
    pub(super) fn knows(&self, seq: u64) -> bool {
        seq <= self.seq.load(Ordering::Acquire)
    }

    /// Whether a right could be taken now.
    pub(super) fn has_rights(&self) -> bool {
        self.left.load(Ordering::Acquire) > 0 || self.credit.load(Ordering::Acquire) > 0
    }

    /// The standing refusal, if there is one and no right is in hand.
    pub(super) fn refusal(&self) -> Option<Verdict> {
        match self.denied.load(Ordering::Acquire) {
            _ if self.has_rights() => None,
            EXCEEDED => Some(Verdict::QuotaExceeded),
            UNAVAILABLE => Some(Verdict::Unavailable),
            _ => None,
        }
    }

    /// Counts a refused request: the agent goes on asking for as long as there are any. `true`: tell the agent.
    pub(super) fn refused(&self, now_ns: u64) -> bool {
        self.refused_ns.store(now_ns.max(1), Ordering::Release);
        !self.busy.swap(true, Ordering::AcqRel)
    }

    /// Nobody answered in time: refuse until somebody does.
    pub(super) fn deny_unavailable(&self) {
        if !self.has_rights() {
            let _ = self.denied.compare_exchange(OPEN, UNAVAILABLE, Ordering::AcqRel, Ordering::Acquire);
        }
    }

    /// Spends one right.
    pub(super) fn take(&self) -> Taken {
        match self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1)) {
            Ok(before) => {
                let first = !self.busy.load(Ordering::Acquire) && !self.busy.swap(true, Ordering::AcqRel);
                if first || before - 1 == self.low.load(Ordering::Relaxed) { Taken::YesAndTell } else { Taken::Yes }
            }
            Err(_) => {
                let credit = self.credit.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| n.checked_sub(1));
                if credit.is_ok() { Taken::Yes } else { Taken::No }
            }
        }
    }

    /// Spends up to `n` rights for another node.
    pub(super) fn charge(&self, n: u64) -> u64 {
        let mut taken = 0;
        let _ = self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
            taken = left.min(n);
            Some(left - taken)
        });
        taken
    }

    /// Whether rights exist that wait for the journal; a charge of `n` says that it waits for them too.
    pub(super) fn await_rights(&self, n: u64) -> bool {
        let mut inner = self.lock();
        let more = inner.holder.rights(self.left.load(Ordering::Acquire)) > 0;
        if more {
            inner.charged = inner.charged.max(n);
        }
        more
    }

    /// What others spent for us.
    pub(super) fn credit(&self, n: u64) {
        if n > 0 {
            self.credit.fetch_add(n, Ordering::AcqRel);
            self.refused_ns.store(0, Ordering::Release);
            self.denied.store(OPEN, Ordering::Release);
            self.changed.notify_waiters();
        }
    }

    /// One more request waits, if no more than `most` do; ends with the guard.
    pub(super) fn wait(&self, most: u32) -> Option<Waiting<'_>> {
        let waiting = Waiting(self);
        (self.waiting.fetch_add(1, Ordering::AcqRel) < most).then_some(waiting)
    }

    /// Marks it as in the agent's hands; `true` if it was not.
    pub(super) fn hold(&self) -> bool {
        !self.busy.swap(true, Ordering::AcqRel)
    }

    /// Used so far by this node's rights.
    pub(super) fn used(&self) -> u64 {
        let inner = self.lock();
        inner.holder.used(self.left.load(Ordering::Acquire))
    }

    /// Rights held and not used.
    pub(super) fn rights(&self) -> u64 {
        let inner = self.lock();
        inner.holder.rights(self.left.load(Ordering::Acquire))
    }

    /// Limit and where it was read.
    pub(super) fn limit(&self) -> (u64, u64) {
        let inner = self.lock();
        (inner.limit, self.seq.load(Ordering::Acquire))
    }

    /// How many waited or were refused within the last second.
    fn demand(&self, now_ns: u64) -> u64 {
        let refused = self.refused_ns.load(Ordering::Acquire);
        let recent = refused != 0 && now_ns.saturating_sub(refused) < TELL_NS && !self.has_rights();
        u64::from(self.waiting.load(Ordering::Acquire)).max(u64::from(recent))
    }

    /// The agent's look: what the journal and the ledger must be told. `tell` is false while no report can be sent.
    pub(super) fn look(&self, now: Now, tell: bool) -> Look {
        let mut inner = self.lock();
        let inner = &mut *inner;
        inner.rate(self.left.load(Ordering::Acquire), now.mono_ns);
        let mut look = Look::default();
        let waiting = u64::from(self.waiting.load(Ordering::Acquire));
        let unused = now.mono_ns.saturating_sub(inner.used_ns) > IDLE_RETURN_NS && waiting == 0;
        let left = self.left.load(Ordering::Acquire);
        if inner.over || (unused && inner.holder.rights(left) > 0) {
            look.marking = Some(self.settle(inner, true));
            look.urgent = inner.over;
            inner.over = false;
        }
        let left = self.left.load(Ordering::Acquire);
        let pressed = waiting.saturating_add(std::mem::take(&mut inner.charged));
        if look.marking.is_none() && (inner.rate_per_s > 0.0 || pressed > 0) {
            look.marking = inner.holder.mark(left, inner.rate_per_s, pressed);
            look.urgent = left == 0 && pressed > 0;
        }
        let demand = self.demand(now.mono_ns);
        let age = now.mono_ns.saturating_sub(inner.reported_ns);
        let low = inner.holder.is_low(left, inner.rate_per_s, demand);
        let due = inner.reported_ns == 0
            || (waiting > 0 && age >= PRESSED_NS)
            || (low && self.denied.load(Ordering::Acquire) == OPEN && age >= ASK_NS)
            || ((inner.holder.is_unreported(left) || demand > 0) && age >= TELL_NS);
        if tell && due {
            inner.reported_ns = now.mono_ns.max(1);
            look.item = Some(inner.item(self, left, demand, now));
        }
        look.idle = demand == 0
            && !inner.holder.is_unreported(left)
            && look.marking.is_none()
            && inner.rate_per_s == 0.0
            && (inner.holder.rights(left) == 0 || unused);
        look
    }

    /// Lets go of it, unless something happened meanwhile. `true`: the agent may drop it.
    pub(super) fn release(&self) -> bool {
        let inner = self.lock();
        let before = inner.holder.used(self.left.load(Ordering::Acquire));
        self.busy.store(false, Ordering::Release);
        let same = inner.holder.used(self.left.load(Ordering::Acquire)) == before && inner.rated_used == before;
        // Whoever spent before the flag fell did not tell the agent.
        same || self.busy.swap(true, Ordering::AcqRel)
    }

    fn settle(&self, inner: &mut Inner, give_back: bool) -> Marking {
        let taken = self.left.swap(0, Ordering::AcqRel);
        let marking = inner.holder.settle(taken, give_back);
        self.refill(inner);
        marking
    }

    /// The last report of a node that stops: it wants nothing.
    pub(super) fn last_word(&self, now: Now) -> Option<Item> {
        let mut inner = self.lock();
        let left = self.left.load(Ordering::Acquire);
        let mut item = inner.item(self, left, 0, now);
        item.want = 0;
        inner.holder.is_unreported(left).then_some(item)
    }

    /// Gives everything unused back; the record must be synced before the return is reported.
    pub(super) fn give_back(&self) -> Marking {
        let mut inner = self.lock();
        inner.reported_ns = 0;
        self.settle(&mut inner, true)
    }

    fn refill(&self, inner: &mut Inner) {
        let fresh = inner.holder.refill();
        if fresh > 0 {
            let left = self.left.fetch_add(fresh, Ordering::AcqRel) + fresh;
            self.low.store(left / 2, Ordering::Relaxed);
            self.refused_ns.store(0, Ordering::Release);
            self.denied.store(OPEN, Ordering::Release);
            self.changed.notify_waiters();
        }
    }

    /// Takes in the ledger's answer. Returns whom to charge for how much, if that is to be done, and whether the
    /// journal turned out to be older than what the ledger knows.
    pub(super) fn heard(&self, reply: &ItemReply) -> (Vec<(u64, u64)>, bool) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let sound = inner.holder.heard(reply);
        if !sound {
            self.left.store(0, Ordering::Release);
        }
        inner.past_days.retain(|(_, used)| *used > reply.u);
        inner.over |= reply.over && inner.holder.rights(self.left.load(Ordering::Acquire)) > 0;
        self.refill(inner);
        let left = self.left.load(Ordering::Acquire);
        let rights = inner.holder.rights(left).saturating_add(self.credit.load(Ordering::Acquire));
        let mut charges = Vec::new();
        match policy::outlook(reply, rights) {
            Outlook::Open => {
                if rights > 0 || reply.free > 0 {
                    self.denied.store(OPEN, Ordering::Release);
                }
            }
            // What charges bring counts as used already: those who wait for it must not be sent away.
            Outlook::Exhausted if inner.charging => {}
            Outlook::Exhausted => {
                self.denied.store(EXCEEDED, Ordering::Release);
                self.changed.notify_waiters();
            }
            Outlook::Charge(others) => {
                // Only for those who wait: a right charged for nobody is burnt. Who was refused may try again.
                if self.waiting.load(Ordering::Acquire) == 0 {
                    self.denied.store(OPEN, Ordering::Release);
                } else if !inner.charging {
                    inner.charging = true;
                    charges = others;
                }
            }
        }
        (charges, !sound)
    }

    /// Whether others are being asked to spend for us.
    pub(super) fn is_charging(&self) -> bool {
        self.lock().charging
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> u64 {
        u64::from(self.waiting.load(Ordering::Acquire))
    }

    /// The charges are over. `dry`: everybody who held rights answered that none are left, or did not answer.
    pub(super) fn charged(&self, dry: Option<Verdict>) {
        let mut inner = self.lock();
        inner.charging = false;
        if let Some(verdict) = dry.filter(|_| !self.has_rights()) {
            let why = if verdict == Verdict::QuotaExceeded { EXCEEDED } else { UNAVAILABLE };
            self.denied.store(why, Ordering::Release);
            self.changed.notify_waiters();
        }
    }

    /// Another process holds our incarnation: nothing here may be spent until the ledger is heard again.
    pub(super) fn fence(&self) {
        let mut inner = self.lock();
        self.left.store(0, Ordering::Release);
        inner.holder.fence();
        inner.reported_ns = 0;
    }

    /// Whether its period is over by more than a day and nothing is left to say.
    pub(super) fn is_past(&self, today: i32) -> bool {
        self.id.period.end_day() < today && !self.busy.load(Ordering::Acquire)
    }

    pub(super) fn period(&self) -> Period {
        self.id.period
    }
}

impl Inner {
    /// Rate of use: an average over about a second.
    fn rate(&mut self, left: u64, now_ns: u64) {
        let used = self.holder.used(left);
        let dt = now_ns.saturating_sub(self.rated_ns);
        if dt < 20_000_000 {
            return;
        }
        let fresh = used.saturating_sub(self.rated_used);
        if fresh > 0 || self.used_ns == 0 {
            self.used_ns = now_ns.max(1);
        }
        let seconds = dt as f64 / 1e9;
        // The first look has no beginning to measure from.
        if self.rated_ns != 0 {
            let weight = 1.0 - (-seconds).exp();
            self.rate_per_s += weight * (fresh as f64 / seconds - self.rate_per_s);
        }
        if self.rate_per_s < 0.01 && fresh == 0 {
            self.rate_per_s = 0.0;
        }
        (self.rated_ns, self.rated_used) = (now_ns.max(1), used);
    }

    fn item(&mut self, slot: &Slot, left: u64, demand: u64, now: Now) -> Item {
        let (used, x, want) = self.holder.report(left, self.rate_per_s, demand);
        let today = slot.id.period.nearest_day(day_of(now.utc_ms));
        if let Some(day) = self.day.filter(|day| *day < today)
            && self.past_days.len() < 8
        {
            // Within a tick of midnight; the period itself is exact.
            self.past_days.push((day, self.rated_used.min(used)));
        }
        self.day = Some(today);
        let mut days = self.past_days.clone();
        days.push((today, used));
        let (fresh, seq) = (self.holder.is_fresh(), slot.seq.load(Ordering::Acquire));
        Item { slot: slot.id.clone(), days, fresh, x, want, limit: self.limit, seq }
    }
}

impl Marked for Slot {
    fn id(&self) -> &SlotId {
        &self.id
    }

    fn written(&self, marking: Marking) {
        let mut inner = self.lock();
        inner.holder.written(marking);
        self.refill(&mut inner);
    }

    fn synced(&self, marking: Marking) {
        let mut inner = self.lock();
        inner.holder.synced(marking);
        self.refill(&mut inner);
    }
}

/// A request that waits for a right.
pub(super) struct Waiting<'a>(&'a Slot);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}
