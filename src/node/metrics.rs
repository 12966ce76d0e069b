//! What replication and the way to backends measure, read when somebody asks for `/metrics`.

use crate::cluster::{ConfigGroup, GroupStatus};
use crate::gateway::Gateway;
use crate::net::http::Pool;
use crate::observe::cluster::ClusterMetrics;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::{counter::ConstCounter, gauge::ConstGauge};
use prometheus_client::registry::Registry;

struct Raft(ConfigGroup);

impl std::fmt::Debug for Raft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Raft")
    }
}

/// Adds the config group's figures, and lets its evaluator count.
pub(super) fn register(registry: &mut Registry, group: &ConfigGroup) {
    group.measure(ClusterMetrics::new(registry));
    registry.register_collector(Box::new(Raft(group.clone())));
}

struct Backends(Pool);

impl std::fmt::Debug for Backends {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Backends")
    }
}

/// Adds the figures of the connections to backends.
pub(super) fn register_pool(registry: &mut Registry, pool: &Pool) {
    registry.register_collector(Box::new(Backends(pool.clone())));
}

struct Kept(Gateway);

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kept")
    }
}

/// Adds what the gateway holds.
pub(super) fn register_gateway(registry: &mut Registry, gateway: &Gateway) {
    registry.register_collector(Box::new(Kept(gateway.clone())));
}

impl Collector for Kept {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let gauge = ConstGauge::new(i64::try_from(self.0.cached_bytes()).unwrap_or(i64::MAX));
        let help = "Bytes of answers kept for stages with a cache";
        gauge.encode(encoder.encode_descriptor("gateway_cache_bytes", help, None, gauge.metric_type())?)
    }
}

impl Collector for Backends {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let counts = self.0.counts();
        let signed = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        for (name, help, value) in [
            ("backend_connections", "Open connections to backends, idle ones too", signed(counts.open)),
            ("backend_connections_idle", "Idle connections to backends", signed(counts.idle)),
            ("backend_calls_waiting", "Calls that wait for a connection to their backend", signed(counts.waiting)),
        ] {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let opened = ConstCounter::new(counts.opened);
        let help = "Connections to backends that were opened";
        opened.encode(encoder.encode_descriptor("backend_connections_opened", help, None, opened.metric_type())?)
    }
}

fn lag(status: &GroupStatus) -> u64 {
    let own = status.last_log_index.max(status.committed_index).saturating_sub(status.applied_index);
    status.members.iter().filter_map(|member| member.lag_entries).max().unwrap_or(own)
}

impl Collector for Raft {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let status = self.0.status();
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let gauges = [
            ("raft_term", "Term of the config group", signed(status.term)),
            ("raft_is_leader", "Whether this node leads the config group", i64::from(status.is_leader)),
            ("raft_has_leader", "Whether a leader of the config group is known", i64::from(status.leader.is_some())),
            ("raft_applied_index", "Last log index applied here", signed(status.applied_index)),
            ("raft_committed_index", "Last log index known to be committed", signed(status.committed_index)),
            (
                "raft_lag_entries",
                "On the leader: entries that the slowest replica misses; else those not applied here",
                signed(lag(&status)),
            ),
            ("raft_voters", "Voters of the config group", signed(status.voters() as u64)),
            ("config_index", "Changes applied here", signed(self.0.world().seq())),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let changes = ConstCounter::new(status.leader_changes);
        let help = "Times that this node saw the leader change";
        changes.encode(encoder.encode_descriptor("raft_leader_changes", help, None, changes.metric_type())?)
    }
}
