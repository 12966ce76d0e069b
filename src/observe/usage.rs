//! Measurements of quotas and throttles.

use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

/// Label: how a decision ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct VerdictLabels {
    /// `admitted`, `throttled`, `quota_exceeded`, `unavailable`.
    pub verdict: &'static str,
}

/// Label: how an exchange ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OutcomeLabels {
    /// `ok`, `failed`, `fenced`; for charges `ok`, `dry`, `unreachable`.
    pub outcome: &'static str,
}

/// The handles.
#[derive(Clone, Debug)]
pub struct UsageMetrics {
    /// Decisions: admitted.
    pub admitted: Counter,
    /// Decisions: a bucket was empty.
    pub throttled: Counter,
    /// Decisions: the quota is used up.
    pub exceeded: Counter,
    /// Decisions: no right could be had in time.
    pub unavailable: Counter,
    /// Requests that waited for a grant.
    pub waits: Counter,
    /// Time of a decision from memory, seconds; one in 64 is measured.
    pub decision_seconds: Histogram,
    /// Reports to the usage group, by outcome.
    pub reports: Family<OutcomeLabels, Counter>,
    /// Rights granted to this node.
    pub granted: Counter,
    /// Rights that this node holds and has not used.
    pub held: Gauge<i64, AtomicI64>,
    /// Charges that this node asked of others, by outcome.
    pub charges: Family<OutcomeLabels, Counter>,
    /// Rights spent here for other nodes.
    pub charged_here: Counter,
    /// Grants beyond a limit, as the ledger's replica on this node counts them: must stay 0.
    pub overshoot: Counter,
    /// Quotas whose journal turned out older than the ledger; what was held is forfeited.
    pub forfeits: Counter,
    /// Plan keys known here.
    pub keys: Gauge<i64, AtomicI64>,
    /// Token buckets that are not full.
    pub buckets: Gauge<i64, AtomicI64>,
    /// When the usage group last answered, seconds since 1970; 0: not yet.
    pub answered_time: Gauge<f64, AtomicU64>,
}

impl UsageMetrics {
    /// Makes the handles and registers them, under `meridian_usage` when the registry has the prefix `meridian`.
    pub fn new(registry: &mut Registry) -> Self {
        let decisions = Family::<VerdictLabels, Counter>::default();
        let verdict = |verdict| decisions.get_or_create_owned(&VerdictLabels { verdict });
        let own = Self {
            admitted: verdict("admitted"),
            throttled: verdict("throttled"),
            exceeded: verdict("quota_exceeded"),
            unavailable: verdict("unavailable"),
            waits: Counter::default(),
            decision_seconds: Histogram::new(exponential_buckets(100e-9, 2.0, 16)),
            reports: Family::default(),
            granted: Counter::default(),
            held: Gauge::default(),
            charges: Family::default(),
            charged_here: Counter::default(),
            overshoot: Counter::default(),
            forfeits: Counter::default(),
            keys: Gauge::default(),
            buckets: Gauge::default(),
            answered_time: Gauge::default(),
        };
        let registry = registry.sub_registry_with_prefix("usage");
        registry.register("decisions", "Admission decisions by verdict", decisions);
        registry.register("waits", "Requests that waited for a grant", own.waits.clone());
        registry.register_with_unit(
            "quota_decision",
            "Time of an admission decision from memory, one in 64",
            Unit::Seconds,
            own.decision_seconds.clone(),
        );
        registry.register("reports", "Reports to the usage group by outcome", own.reports.clone());
        registry.register("grants", "Quota rights granted to this node", own.granted.clone());
        registry.register("held_rights", "Quota rights held and not used", own.held.clone());
        registry.register("charges", "Charges asked of other holders by outcome", own.charges.clone());
        registry.register("charged_here", "Rights spent here for other nodes", own.charged_here.clone());
        registry.register("overshoot", "Grants beyond a limit; must stay 0", own.overshoot.clone());
        registry.register(
            "forfeits",
            "Quotas forfeited because the journal was older than the ledger",
            own.forfeits.clone(),
        );
        registry.register("keys", "Plan keys known to this node", own.keys.clone());
        registry.register("buckets", "Token buckets that are not full", own.buckets.clone());
        registry.register_with_unit(
            "answered_time",
            "When the usage group last answered",
            Unit::Seconds,
            own.answered_time.clone(),
        );
        own
    }

    /// Counts a report.
    pub fn reported(&self, outcome: &'static str) {
        self.reports.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Counts a charge.
    pub fn charged(&self, outcome: &'static str) {
        self.charges.get_or_create(&OutcomeLabels { outcome }).inc();
    }
}
