//! The production evaluator and both groups on a virtual clock, with loss, delay, partitions, crashes and new leaders,
//! all from one seed. A failure prints its seed; `MERIDIAN_SIM_SEED=N` runs that one alone, `MERIDIAN_SIM_RUNS=N` more.

mod chaos;
mod cluster;
mod network;
mod verdict;

use super::types::raft_types;

raft_types!(
    /// The config that is simulated: one thread, virtual time.
    pub(crate) Sim,
    openraft_rt_sim::SimRuntime
);

/// SplitMix64: the same everywhere, from a seed.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// One of a hundred, `percent` times.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}
