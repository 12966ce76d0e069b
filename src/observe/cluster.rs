//! Measurements of the evaluator. What the groups' status says (term, lag, …) is collected from it by the node.

use prometheus_client::{
    metrics::{
        counter::Counter,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

/// The handles.
#[derive(Clone, Debug)]
pub struct ClusterMetrics {
    /// From a call's arrival at the leader until its change is applied there, seconds.
    pub commit_seconds: Histogram,
    /// Calls that were told to try again: the leader changed, or no quorum answered.
    pub tried_again: Counter,
}

impl ClusterMetrics {
    /// Makes the handles and registers them, under `meridian_config` when the registry has the prefix `meridian`.
    pub fn new(registry: &mut Registry) -> Self {
        // 1 ms to about 16 s.
        let commit_seconds = Histogram::new(exponential_buckets(0.001, 2.0, 15));
        let m = Self { commit_seconds, tried_again: Counter::default() };
        let r = registry.sub_registry_with_prefix("config");
        r.register_with_unit("commit", "A call's way through the leader", Unit::Seconds, m.commit_seconds.clone());
        r.register("tried_again", "Calls that were told to try again", m.tried_again.clone());
        m
    }
}
