//! Measurements of the cut between edge and region.

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

/// Label: a region, and how a forward ended there.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ForwardLabels {
    /// The region asked.
    pub region: String,
    /// `answered`, `refused`, `rejected`, `lost`, `deadline`, `unreachable`, `other_revision`, `client_gone`, `malformed`.
    pub outcome: &'static str,
}

/// Label: a region.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct RegionLabels {
    /// The region.
    pub region: String,
}

/// Label: a node.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct NodeLabels {
    /// The node's id.
    pub node: u64,
    /// Its region.
    pub region: String,
}

/// The handles.
#[derive(Clone, Debug)]
pub struct EdgeMetrics {
    /// Visits sent to another region's node, by how they ended.
    pub forwards: Family<ForwardLabels, Counter>,
    /// Visits sent a second time, because the first node provably did not process them.
    pub retries: Family<RegionLabels, Counter>,
    /// From the visit's hand-over to the answer's head, seconds.
    pub head_seconds: Family<RegionLabels, Histogram, fn() -> Histogram>,
    /// Round trip to a node, seconds.
    pub rtt_seconds: Family<NodeLabels, Gauge<f64, AtomicU64>>,
    /// 1 when the node is up, 0 when it is suspect, -1 when it is down, 2 when it drains.
    pub node_state: Family<NodeLabels, Gauge<i64, AtomicI64>>,
    /// Visits from this node that are under way in other regions.
    pub in_flight: Gauge<i64, AtomicI64>,
    /// Probes without an answer.
    pub probe_misses: Family<NodeLabels, Counter>,
}

fn latency() -> Histogram {
    // 1 ms to about 16 s.
    Histogram::new(exponential_buckets(0.001, 2.0, 15))
}

impl EdgeMetrics {
    /// Makes the handles and registers them, under `meridian_edge` when the registry has the prefix `meridian`.
    pub fn new(registry: &mut Registry) -> Self {
        let m = Self {
            forwards: Family::default(),
            retries: Family::default(),
            head_seconds: Family::new_with_constructor(latency),
            rtt_seconds: Family::default(),
            node_state: Family::default(),
            in_flight: Gauge::default(),
            probe_misses: Family::default(),
        };
        let r = registry.sub_registry_with_prefix("edge");
        r.register("forwards", "Visits sent to another region, by outcome", m.forwards.clone());
        r.register("retries", "Visits sent a second time", m.retries.clone());
        r.register_with_unit("head", "Hand-over to answer head", Unit::Seconds, m.head_seconds.clone());
        r.register_with_unit("rtt", "Round trip to a node", Unit::Seconds, m.rtt_seconds.clone());
        r.register("node_state", "1 up, 0 suspect, -1 down, 2 draining", m.node_state.clone());
        r.register("in_flight", "Visits under way in other regions", m.in_flight.clone());
        r.register("probe_misses", "Probes without an answer", m.probe_misses.clone());
        m
    }
}
