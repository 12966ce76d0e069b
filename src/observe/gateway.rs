//! Measurements of visits: each worker counts for itself, and a scrape sums them up.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Upper bounds of latency buckets, µs.
const BOUNDS_US: [u64; 18] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000, 60_000_000,
];
/// Statuses 100–599 are counted one by one.
const STATUSES: usize = 500;
/// Kinds of refusals that can be told apart.
const KINDS: usize = 64;

/// Latencies of one worker.
#[derive(Debug, Default)]
struct Latency {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Latency {
    fn observe(&self, us: u64) {
        let bucket = BOUNDS_US.partition_point(|bound| *bound < us);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }
}

/// One worker's counters: written by it alone, so they cost no more than plain memory.
#[derive(Debug)]
#[repr(align(128))]
pub struct Shard {
    statuses: [AtomicU64; STATUSES],
    refusals: [AtomicU64; KINDS],
    latency: Latency,
    integration: Latency,
    in_flight: AtomicI64,
    cancelled: AtomicU64,
    panics: AtomicU64,
    resumed: AtomicU64,
    cache_hits: AtomicU64,
    cache_misses: AtomicU64,
}

impl Shard {
    fn new() -> Shard {
        Shard {
            statuses: std::array::from_fn(|_| AtomicU64::new(0)),
            refusals: std::array::from_fn(|_| AtomicU64::new(0)),
            latency: Latency::default(),
            integration: Latency::default(),
            in_flight: AtomicI64::new(0),
            cancelled: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            resumed: AtomicU64::new(0),
            cache_hits: AtomicU64::new(0),
            cache_misses: AtomicU64::new(0),
        }
    }

    /// A request begins; one that is dropped without an answer counts as cancelled by its client.
    pub fn enter(self: &Arc<Self>) -> Open {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Open { shard: self.clone(), answered: false }
    }

    /// A refusal of a kind, by its place in the gateway's table.
    pub fn refused(&self, kind: usize) {
        if let Some(count) = self.refusals.get(kind) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// An integration was called and took this long, µs.
    pub fn integration(&self, us: u64) {
        self.integration.observe(us);
    }

    /// A visit panicked.
    pub fn panicked(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// An answer was found in its stage's cache.
    pub fn cache_hit(&self) {
        self.cache_hits.fetch_add(1, Ordering::Relaxed);
    }

    /// An answer could have been kept and was not found.
    pub fn cache_missed(&self) {
        self.cache_misses.fetch_add(1, Ordering::Relaxed);
    }

    /// A visit came across the cut.
    pub fn resumed(&self) {
        self.resumed.fetch_add(1, Ordering::Relaxed);
    }
}

/// A request in hand.
#[derive(Debug)]
pub struct Open {
    shard: Arc<Shard>,
    answered: bool,
}

impl Open {
    /// It got its answer.
    pub fn answered(mut self, status: u16, latency_us: u64) {
        self.answered = true;
        if let Some(count) = self.shard.statuses.get(usize::from(status).wrapping_sub(100)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.shard.latency.observe(latency_us);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shard.in_flight.fetch_sub(1, Ordering::Relaxed);
        if !self.answered {
            self.shard.cancelled.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// All workers' counters. A clone shares them.
#[derive(Clone, Debug)]
pub struct GatewayMetrics(Arc<Sum>);

#[derive(Debug)]
struct Sum {
    shards: Mutex<Vec<Arc<Shard>>>,
    kinds: Vec<&'static str>,
}

/// A counter's name, its help, and where a worker keeps it.
type Counted = (&'static str, &'static str, fn(&Shard) -> u64);

#[derive(Debug)]
struct Scrape(Arc<Sum>);

impl GatewayMetrics {
    /// Registers the counters; `kinds` names the refusals in their table's order.
    pub fn new(registry: &mut Registry, kinds: impl IntoIterator<Item = &'static str>) -> GatewayMetrics {
        let sum = Arc::new(Sum { shards: Mutex::default(), kinds: kinds.into_iter().take(KINDS).collect() });
        registry.register_collector(Box::new(Scrape(sum.clone())));
        GatewayMetrics(sum)
    }

    /// A new worker's counters.
    pub fn shard(&self) -> Arc<Shard> {
        let shard = Arc::new(Shard::new());
        self.0.lock().push(shard.clone());
        shard
    }

    /// Requests answered with this status so far.
    pub fn answered(&self, status: u16) -> u64 {
        let index = usize::from(status).wrapping_sub(100);
        self.0.sum(|s| s.statuses.get(index).map_or(0, |c| c.load(Ordering::Relaxed)))
    }

    /// Requests whose client left before an answer.
    pub fn cancelled(&self) -> u64 {
        self.0.sum(|s| s.cancelled.load(Ordering::Relaxed))
    }

    /// Visits that panicked.
    pub fn panics(&self) -> u64 {
        self.0.sum(|s| s.panics.load(Ordering::Relaxed))
    }
}

impl Sum {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Shard>>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sum(&self, of: impl Fn(&Shard) -> u64) -> u64 {
        self.lock().iter().map(|shard| of(shard)).sum()
    }

    fn histogram(&self, encoder: MetricEncoder<'_>, of: impl Fn(&Shard) -> &Latency) -> fmt::Result {
        let mut encoder = encoder;
        let count = |n: usize| self.sum(|s| of(s).buckets[n].load(Ordering::Relaxed));
        let mut buckets: Vec<(f64, u64)> =
            BOUNDS_US.iter().enumerate().map(|(n, us)| (*us as f64 / 1e6, count(n))).collect();
        buckets.push((f64::INFINITY, count(BOUNDS_US.len())));
        let total = buckets.iter().map(|(_, n)| n).sum();
        let sum = self.sum(|s| of(s).sum_us.load(Ordering::Relaxed)) as f64 / 1e6;
        encoder.encode_histogram::<[(&str, &str); 0]>(sum, total, &buckets, None)
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let sum = &self.0;
        let mut family =
            encoder.encode_descriptor("gateway_requests", "Requests answered, by status", None, MetricType::Counter)?;
        for index in 0..STATUSES {
            let count = sum.sum(|s| s.statuses[index].load(Ordering::Relaxed));
            if count > 0 {
                let labels = [("status", (index + 100).to_string())];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        let mut family = encoder.encode_descriptor(
            "gateway_refusals",
            "Refusals, by gateway response type",
            None,
            MetricType::Counter,
        )?;
        for (index, kind) in sum.kinds.iter().enumerate() {
            let count = sum.sum(|s| s.refusals[index].load(Ordering::Relaxed));
            if count > 0 {
                ConstCounter::new(count).encode(family.encode_family(&[("type", *kind)])?)?;
            }
        }
        let counters: [Counted; 5] = [
            ("gateway_cancelled", "Requests whose client left before an answer", |s| {
                s.cancelled.load(Ordering::Relaxed)
            }),
            ("gateway_panics", "Visits that panicked", |s| s.panics.load(Ordering::Relaxed)),
            ("gateway_cache_hits", "Answers found in their stage's cache", |s| s.cache_hits.load(Ordering::Relaxed)),
            ("gateway_cache_misses", "Answers not found in their stage's cache", |s| {
                s.cache_misses.load(Ordering::Relaxed)
            }),
            ("gateway_resumed", "Visits taken over from an edge", |s| s.resumed.load(Ordering::Relaxed)),
        ];
        for (name, help, of) in counters {
            let counter = ConstCounter::new(sum.sum(of));
            counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        let now: i64 = sum.lock().iter().map(|s| s.in_flight.load(Ordering::Relaxed)).sum();
        let help = "Requests in hand";
        let gauge = encoder.encode_descriptor("gateway_in_flight", help, None, MetricType::Gauge)?;
        ConstGauge::new(now).encode(gauge)?;
        let unit = Some(&Unit::Seconds);
        let help = "From a request's head to its answer's";
        let latency = encoder.encode_descriptor("gateway_latency", help, unit, MetricType::Histogram)?;
        sum.histogram(latency, |s| &s.latency)?;
        let help = "From an integration's call to its answer's head";
        let latency = encoder.encode_descriptor("gateway_integration_latency", help, unit, MetricType::Histogram)?;
        sum.histogram(latency, |s| &s.integration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_sums_all_workers() {
        let mut registry = Registry::default();
        let metrics = GatewayMetrics::new(&mut registry, ["A", "B"]);
        for _ in 0..2 {
            let shard = metrics.shard();
            shard.enter().answered(200, 700);
            shard.enter().answered(503, 70_000_000);
            drop(shard.enter());
            shard.refused(1);
            shard.integration(90);
        }
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("encodes");
        for line in [
            "gateway_requests_total{status=\"200\"} 2",
            "gateway_refusals_total{type=\"B\"} 2",
            "gateway_cancelled_total 2",
            "gateway_in_flight 0",
            "gateway_latency_seconds_bucket{le=\"0.001\"} 2",
            "gateway_latency_seconds_bucket{le=\"+Inf\"} 4",
            "gateway_integration_latency_seconds_count 2",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
        assert_eq!((metrics.answered(503), metrics.cancelled()), (2, 2));
    }
}
