//! The wires: HTTP listeners, workers and backends; QUIC between nodes.

pub mod http;
//! The wires: the QUIC endpoint between nodes, and the cluster's certificates.

pub mod peer;
pub mod pki;
