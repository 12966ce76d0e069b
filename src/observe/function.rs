//! Measurements of the host of functions.

use prometheus_client::metrics::{
    counter::Counter,
    gauge::Gauge,
    histogram::{Histogram, exponential_buckets},
};
use prometheus_client::registry::{Registry, Unit};

/// The handles.
#[derive(Clone, Debug)]
pub struct FunctionMetrics {
    /// Invocations that reached a process.
    pub invocations: Counter,
    /// Invocations that ended with a function error.
    pub errors: Counter,
    /// Invocations that took too long.
    pub timeouts: Counter,
    /// Calls for which no process was to be had.
    pub throttles: Counter,
    /// Processes started.
    pub cold_starts: Counter,
    /// Processes that did not come to their first invocation.
    pub failed_starts: Counter,
    /// Processes ended for using more than their memory.
    pub out_of_memory: Counter,
    /// Connections to a Runtime API that came from elsewhere.
    pub foreign: Counter,
    /// Log lines of functions that were dropped, since they were too many.
    pub log_lines_dropped: Counter,
    /// From the delivery of an event to its answer, seconds.
    pub duration_seconds: Histogram,
    /// From a process's start to its first question, seconds.
    pub init_seconds: Histogram,
    /// Processes that live.
    pub processes: Gauge,
    /// Processes that wait for a call.
    pub idle: Gauge,
    /// Calls that wait for a process.
    pub waiting: Gauge,
    /// Memory that the functions of all processes declare, MiB.
    pub memory_mib: Gauge,
}

impl FunctionMetrics {
    /// Makes the handles and registers them, under `meridian_function` when the registry has the prefix `meridian`.
    pub fn new(registry: &mut Registry) -> Self {
        let times = || Histogram::new(exponential_buckets(0.000_5, 2.0, 20));
        let own = Self {
            invocations: Counter::default(),
            errors: Counter::default(),
            timeouts: Counter::default(),
            throttles: Counter::default(),
            cold_starts: Counter::default(),
            failed_starts: Counter::default(),
            out_of_memory: Counter::default(),
            foreign: Counter::default(),
            log_lines_dropped: Counter::default(),
            duration_seconds: times(),
            init_seconds: times(),
            processes: Gauge::default(),
            idle: Gauge::default(),
            waiting: Gauge::default(),
            memory_mib: Gauge::default(),
        };
        let to = registry.sub_registry_with_prefix("function");
        for (name, help, counter) in [
            ("invocations", "Invocations that reached a process", &own.invocations),
            ("errors", "Invocations that ended with a function error", &own.errors),
            ("timeouts", "Invocations that took too long", &own.timeouts),
            ("throttles", "Calls for which no process was to be had", &own.throttles),
            ("cold_starts", "Processes started", &own.cold_starts),
            ("failed_starts", "Processes that did not come to their first invocation", &own.failed_starts),
            ("out_of_memory", "Processes ended for using more than their memory", &own.out_of_memory),
            ("foreign_connections", "Connections to a Runtime API that came from elsewhere", &own.foreign),
            ("log_lines_dropped", "Log lines of functions that were too many", &own.log_lines_dropped),
        ] {
            to.register(name, help, counter.clone());
        }
        for (name, help, gauge) in [
            ("processes", "Processes that live", &own.processes),
            ("idle", "Processes that wait for a call", &own.idle),
            ("waiting", "Calls that wait for a process", &own.waiting),
            ("memory_mebibytes", "Memory that the functions of all processes declare", &own.memory_mib),
        ] {
            to.register(name, help, gauge.clone());
        }
        let help = "From the delivery of an event to its answer";
        to.register_with_unit("duration", help, Unit::Seconds, own.duration_seconds.clone());
        let help = "From a process's start to its first question";
        to.register_with_unit("init", help, Unit::Seconds, own.init_seconds.clone());
        own
    }
}
