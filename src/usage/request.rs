//! What the gateway asks admission and what it is told: plain borrowed values, built per request from a compiled plan.

use super::period::{Period, PeriodKind, period_of};
use super::throttle::Throttle;

/// The two clocks of a decision: throttles run on the monotonic one, periods on UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Monotonic nanoseconds since any fixed moment of this process.
    pub mono_ns: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub utc_ms: i64,
}

/// A usage plan's quota (`quota` of the plan), and where it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaSpec {
    /// Requests in one period (`quota.limit`).
    pub limit: u64,
    /// Requests subtracted from the limit in the plan's first period (`quota.offset`).
    pub offset: u64,
    /// DAY, WEEK or MONTH.
    pub period: PeriodKind,
    /// When the plan was made, in ms since 1970: says which period is the first.
    pub created_ms: i64,
    /// `World::seq` that these numbers were read at. Where nodes disagree, the numbers read later hold.
    pub seq: u64,
}

impl QuotaSpec {
    /// The limit of one period, before extensions: `limit`, less `offset` in the first.
    pub fn limit_in(&self, period: Period) -> u64 {
        let first = period_of(self.created_ms, period.kind);
        if period == first { self.limit.saturating_sub(self.offset) } else { self.limit }
    }
}

/// A bucket and the settings that hold for it now; the bucket keeps its level when the settings change.
#[derive(Clone, Copy, Debug)]
pub struct ThrottleSpec<'a> {
    /// Names the bucket, uniquely in the node: `{plan}` or `{plan}/{api}:{stage}/{path}/{METHOD}` for a plan's, which
    /// admission splits by key; `{api}:{stage}/{path}/{METHOD}` for a stage's; `{account}/{region}` for an account's.
    pub bucket: &'a str,
    /// Rate and burst.
    pub throttle: Throttle,
}

/// One request that stands before admission.
#[derive(Clone, Copy, Debug)]
pub struct AdmitRequest<'a> {
    /// Id of the API key; empty where the method needs none (then `quota` and `plan_throttle` are `None`).
    pub key: &'a str,
    /// Id of the usage plan, unique in the cluster (qualify it by account and region where it is not).
    pub plan: &'a str,
    /// The plan's quota.
    pub quota: Option<QuotaSpec>,
    /// The plan's throttle for this method, else the plan's own; counted per key.
    pub plan_throttle: Option<ThrottleSpec<'a>>,
    /// The stage's method setting, shared by all callers.
    pub stage_throttle: Option<ThrottleSpec<'a>>,
    /// The account's, shared by all its APIs.
    pub account_throttle: Option<ThrottleSpec<'a>>,
}

/// Which level of the hierarchy throttled a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The plan's throttle, per key.
    Plan,
    /// The stage's method setting.
    Stage,
    /// The account's.
    Account,
}

/// Proof of admission: made once, reused when the request is forwarded or tried again elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The period whose right was spent; `None` where no quota applies.
    pub period: Option<Period>,
}

/// The answer. `Throttled` is 429 `Too Many Requests`; `QuotaExceeded` and `Unavailable` are 429 `Limit Exceeded`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on; the quota's right, if any, is spent.
    Admitted(Ticket),
    /// A bucket is empty; no right was spent and the other buckets have their token back.
    Throttled(Level),
    /// The quota of this period is used up.
    QuotaExceeded,
    /// No right is in hand and none could be had in time: no usage leader, or the last rights lie on nodes out of reach.
    Unavailable,
}
