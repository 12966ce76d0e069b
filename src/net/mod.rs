//! The wires: HTTP listeners, workers and backends; the QUIC endpoint between nodes; the cluster's certificates.

pub mod http;
pub mod peer;
pub mod pki;
