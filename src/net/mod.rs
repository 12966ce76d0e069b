//! The wires: HTTP listeners, workers and backends; QUIC between nodes.

pub mod http;
