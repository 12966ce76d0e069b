//! What goes wrong in a run of the model, and what the run came to.

/// What goes wrong in a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Faults {
    pub(super) loss: bool,
    pub(super) crash: bool,
    pub(super) cut: bool,
    pub(super) leaders: bool,
}

impl Faults {
    pub(super) const NONE: Self = Self { loss: false, crash: false, cut: false, leaders: false };
    pub(super) const ALL: Self = Self { loss: true, crash: true, cut: true, leaders: true };
}

/// Deliberately broken variants, which the checker must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    LateWatermark,
    ReclaimByTime,
    EarlyReturn,
    DeltaGrants,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) limit: u64,
    pub(super) nodes: usize,
    pub(super) demand: u64,
    pub(super) admitted: u64,
    /// Admitted beyond the limit: must be 0.
    pub(super) over: u64,
    pub(super) ledger_overshoot: u64,
    /// Refused while rights were left somewhere.
    pub(super) early_denials: u64,
    /// Reserved or held by processes that crashed, and not used by them.
    pub(super) forfeited: u64,
    /// Spent for a charge whose answer was lost, or that nobody waited for any more.
    pub(super) burnt: u64,
    pub(super) entries: u64,
    /// Charged for and in hand at a node at the end, where no request came for it.
    pub(super) in_hand: u64,
}

impl Outcome {
    /// Requests that the quota had room for and that were refused.
    pub(super) fn under(&self) -> u64 {
        self.limit.min(self.demand).saturating_sub(self.admitted)
    }
}
