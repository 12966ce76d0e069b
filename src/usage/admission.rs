//! The decision (foundations §5.3): look at the quota, take a token from each bucket (plan, stage, account; each given
//! back when a later one refuses), spend the quota's right last. No network and no shared lock unless rights run out.

use super::agent::Desk;
use super::pairs::Pairs;
use super::period::period_of;
use super::request::{AdmitRequest, Level, Now, QuotaSpec, ThrottleSpec, Ticket, Verdict};
use super::slot::{Slot, Taken};
use super::throttle::{Gcra, Throttle};
use super::wire::{PlanKey, SlotId};
use crate::observe::usage::UsageMetrics;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A request without a right waits for two times this: a report and its grant, then charges.
const WAIT: Duration = Duration::from_millis(2 * 350);
/// And this much longer while a charge is under way.
const WAIT_FOR_CHARGE: Duration = Duration::from_millis(350);
/// One decision in so many is timed.
const SAMPLE: u64 = 64;
/// Requests that may wait for one key's right.
const MOST_WAITING: u32 = 4_096;

/// A plan key's quotas on this node: the present period's, and one or two around it while clocks and requests cross.
pub(super) type Slots = Vec<Arc<Slot>>;

/// Admission of one node: `Send + Sync`, made once, shared by all workers.
#[derive(Debug)]
pub struct Admission {
    pub(super) quotas: Pairs<Slots>,
    pub(super) buckets: Pairs<Arc<Gcra>>,
    pub(super) desk: Arc<Desk>,
    pub(super) metrics: UsageMetrics,
}

/// A decision, or what it takes to get one.
#[derive(Debug)]
pub enum Decision<'a> {
    /// Decided from memory.
    Now(Verdict),
    /// The quota's rights are not in hand: they may come. Dropping it gives the buckets' tokens back.
    Wait(Box<Waiter<'a>>),
}

/// A request that waits for a right, with its tokens taken.
#[derive(Debug)]
pub struct Waiter<'a> {
    home: &'a Admission,
    slot: Arc<Slot>,
    taken: Tokens<'a>,
}

/// Tokens taken so far; given back unless they are kept.
#[derive(Debug)]
struct Tokens<'a> {
    home: &'a Admission,
    taken: [Option<(&'a str, &'a str, Throttle)>; 3],
}

impl Drop for Tokens<'_> {
    fn drop(&mut self) {
        for (bucket, key, throttle) in self.taken.iter().flatten() {
            self.home.buckets.with(bucket, key, |gcra| gcra.give_back(throttle));
        }
    }
}

impl Tokens<'_> {
    fn keep(mut self) {
        self.taken = [None; 3];
    }
}

impl Admission {
    pub(super) fn new(desk: Arc<Desk>, metrics: UsageMetrics) -> Self {
        Self { quotas: Pairs::default(), buckets: Pairs::default(), desk, metrics }
    }

    /// Decides from memory; `None` where the answer needs a grant (then call [`Admission::admit`]; nothing was taken).
    pub fn try_admit(&self, request: &AdmitRequest<'_>, now: Now) -> Option<Verdict> {
        match self.decide(request, now) {
            Decision::Now(verdict) => Some(verdict),
            Decision::Wait(_) => None,
        }
    }

    /// Decides, waiting up to 700 ms (1,050 while another holder is being charged) for a right where none is in hand. Cancel-safe: a dropped wait takes nothing.
    pub async fn admit(&self, request: &AdmitRequest<'_>, now: Now) -> Verdict {
        match self.decide(request, now) {
            Decision::Now(verdict) => verdict,
            Decision::Wait(waiter) => waiter.wait(now).await,
        }
    }

    /// Decides from memory, or says what to wait for.
    pub fn decide<'a>(&'a self, request: &AdmitRequest<'a>, now: Now) -> Decision<'a> {
        // The clock's own noise draws the sample: no counter that all workers share.
        let timed = (now.mono_ns >> 4) & (SAMPLE - 1) == 0;
        let began = timed.then(std::time::Instant::now);
        let decision = self.decided(request, now);
        if let Some(began) = began {
            self.metrics.decision_seconds.observe(began.elapsed().as_secs_f64());
        }
        if let Decision::Now(verdict) = &decision {
            count(&self.metrics, verdict);
        }
        decision
    }

    fn decided<'a>(&'a self, request: &AdmitRequest<'a>, now: Now) -> Decision<'a> {
        let quota = request.quota.as_ref().map(|quota| (quota, period_of(now.utc_ms, quota.period)));
        if let Some((quota, period)) = quota
            && let Some(refusal) = self.refusal(request, quota, period, now)
        {
            return Decision::Now(refusal);
        }
        let mut taken = Tokens { home: self, taken: [None; 3] };
        let levels = [
            (Level::Plan, &request.plan_throttle, request.key),
            (Level::Stage, &request.stage_throttle, ""),
            (Level::Account, &request.account_throttle, ""),
        ];
        for (at, (level, spec, key)) in levels.into_iter().enumerate() {
            if let Some(spec) = spec {
                if !self.take_token(spec, key, now) {
                    return Decision::Now(Verdict::Throttled(level));
                }
                taken.taken[at] = Some((spec.bucket, key, spec.throttle));
            }
        }
        let Some((quota, period)) = quota else {
            taken.keep();
            return Decision::Now(Verdict::Admitted(Ticket { period: None }));
        };
        let admitted = Decision::Now(Verdict::Admitted(Ticket { period: Some(period) }));
        let spent = self.quotas.with(request.plan, request.key, |slots| {
            let slot = slots.iter().find(|slot| slot.period() == period)?;
            let taken = slot.take();
            Some((taken, (taken == Taken::YesAndTell).then(|| slot.clone())))
        });
        // Tokens were taken only where the slot exists or is made now.
        match spent.flatten() {
            Some((Taken::Yes, _)) => {
                taken.keep();
                admitted
            }
            Some((Taken::YesAndTell, slot)) => {
                taken.keep();
                if let Some(slot) = slot {
                    self.desk.tell(slot);
                }
                admitted
            }
            _ => Decision::Wait(Box::new(Waiter { home: self, slot: self.slot(request, quota, period), taken })),
        }
    }

    /// The quota's standing refusal; takes up changed numbers on the way.
    fn refusal(
        &self,
        request: &AdmitRequest<'_>,
        quota: &QuotaSpec,
        period: super::Period,
        now: Now,
    ) -> Option<Verdict> {
        let look = |slots: &Slots| {
            let slot = slots.iter().find(|slot| slot.period() == period)?;
            if !slot.knows(quota.seq) && slot.learn(quota.limit_in(period), quota.seq) && slot.hold() {
                self.desk.tell(slot.clone());
            }
            let refusal = slot.refusal();
            if refusal.is_some() && slot.refused(now.mono_ns) {
                self.desk.tell(slot.clone());
            }
            refusal
        };
        self.quotas.with(request.plan, request.key, look).flatten()
    }

    fn take_token(&self, spec: &ThrottleSpec<'_>, key: &str, now: Now) -> bool {
        let taken = self.buckets.with(spec.bucket, key, |gcra| gcra.take(&spec.throttle, now.mono_ns));
        taken.unwrap_or_else(|| {
            let gcra = self.buckets.change(spec.bucket, key, |gcra| gcra.clone());
            gcra.take(&spec.throttle, now.mono_ns)
        })
    }

    /// The slot of a period, made if it is missing.
    fn slot(&self, request: &AdmitRequest<'_>, quota: &QuotaSpec, period: super::Period) -> Arc<Slot> {
        self.quotas.change(request.plan, request.key, |slots| {
            if let Some(slot) = slots.iter().find(|slot| slot.period() == period) {
                return slot.clone();
            }
            let who = PlanKey { plan: request.plan.into(), key: request.key.into() };
            let slot = Arc::new(Slot::new(SlotId { who, period }, quota));
            slots.push(slot.clone());
            slot
        })
    }

    /// A slot that is here already.
    pub(super) fn known(&self, id: &SlotId) -> Option<Arc<Slot>> {
        let find = |slots: &Slots| slots.iter().find(|slot| slot.id.period == id.period).cloned();
        self.quotas.with(&id.who.plan, &id.who.key, find).flatten()
    }

    /// Puts a slot from the journal in its place.
    pub(super) fn restore(&self, slot: Arc<Slot>) {
        let (plan, key) = (slot.id.who.plan.clone(), slot.id.who.key.clone());
        self.quotas.change(&plan, &key, |slots| slots.push(slot));
    }

    /// Drops buckets that are full and quotas of past periods.
    pub(super) fn tidy(&self, now: Now) {
        self.buckets.retain(|gcra| Arc::strong_count(gcra) > 1 || !gcra.is_full(now.mono_ns));
        let today = super::period::day_of(now.utc_ms);
        self.quotas.retain(|slots| {
            slots.retain(|slot| !slot.is_past(today));
            !slots.is_empty()
        });
        self.metrics.keys.set(i64::try_from(self.quotas.len()).unwrap_or(i64::MAX));
        self.metrics.buckets.set(i64::try_from(self.buckets.len()).unwrap_or(i64::MAX));
    }
}

impl Waiter<'_> {
    /// Waits for a right: grants come by reports, the last rights by charges. `Unavailable` after 700 ms,
    /// 1,050 while another holder is being charged.
    pub async fn wait(self, now: Now) -> Verdict {
        let verdict = self.waited().await;
        count(&self.home.metrics, &verdict);
        if matches!(verdict, Verdict::Admitted(_)) {
            self.taken.keep();
        } else if self.slot.refused(now.mono_ns) {
            self.home.desk.tell(self.slot.clone());
        }
        verdict
    }

    async fn waited(&self) -> Verdict {
        let (mut until, mut longer) = (Instant::now() + WAIT, Some(WAIT_FOR_CHARGE));
        let Some(_waiting) = self.slot.wait(MOST_WAITING) else { return Verdict::Unavailable };
        self.home.metrics.waits.inc();
        loop {
            let changed = self.slot.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match self.slot.take() {
                Taken::Yes => return self.admitted(),
                Taken::YesAndTell => {
                    self.home.desk.tell(self.slot.clone());
                    return self.admitted();
                }
                Taken::No => {}
            }
            if let Some(refusal) = self.slot.refusal() {
                return refusal;
            }
            self.slot.hold();
            self.home.desk.tell(self.slot.clone());
            if tokio::time::timeout_at(until, changed).await.is_err() {
                // What a charge brings now would be burnt if nobody waited for it.
                if let Some(longer) = longer.take().filter(|_| self.slot.is_charging()) {
                    until += longer;
                    continue;
                }
                // The agent goes on asking; until it hears something nobody else need wait in vain.
                self.slot.deny_unavailable();
                return self.slot.refusal().unwrap_or(Verdict::Unavailable);
            }
        }
    }

    fn admitted(&self) -> Verdict {
        Verdict::Admitted(Ticket { period: Some(self.slot.period()) })
    }
}

/// Counts a verdict: one atomic, no look-up by label.
fn count(metrics: &UsageMetrics, verdict: &Verdict) {
    match verdict {
        Verdict::Admitted(_) => metrics.admitted.inc(),
        Verdict::Throttled(_) => metrics.throttled.inc(),
        Verdict::QuotaExceeded => metrics.exceeded.inc(),
        Verdict::Unavailable => metrics.unavailable.inc(),
    };
}
