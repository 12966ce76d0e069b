//! The groups over the real peers endpoint: several nodes in one process, files, mutual TLS, simulated round trips.

mod changes;
mod harness;
mod kills;
mod membership;
mod restarts;
mod speed;
