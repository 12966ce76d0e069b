//! The peers endpoint: one UDP socket, mutual TLS, streams by kind.
//!
//! A node is let in when its certificate chains to the cluster's CA *and* its node id and key stand in the [`Roster`];
//! so removing the row is revocation. Each stream begins `version, group, kind` and goes to the handler of its kind.
//! Raft, forwarding and snapshots have their own warm connections ([`Lane`]), so that a heartbeat never queues behind a
//! body. Everything here runs on one thread with its own runtime, where no visitor's work runs.

mod dial;
mod endpoint;
mod error;
mod incoming;
pub mod join;
pub mod kind;
mod roster;
mod runtime;
pub mod sim;
mod tls;
mod transport;
mod unary;
pub mod wire;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use endpoint::{PeerConfig, PeerHandler, PeerNet};
pub use error::PeerError;
pub use kind::Lane;
pub use roster::{PeerInfo, Roster};
pub use tls::Identity;
pub use unary::{Unary, UnaryHandler};
