//! How replicas of a group speak to each other: frames, the transport under them, openraft's network over it.

mod network;
mod quic;
mod receive;
mod transport;
pub(crate) mod wire;

pub(crate) use network::Network;
pub use quic::PeerDoor;
pub(crate) use receive::{Inbox, Protocol};
pub(crate) use transport::{Incoming, Outgoing, Receive, SendError, Transport};
#[cfg(test)]
pub(crate) use transport::{Local, Stream};

/// What Raft's protocol and the calls around it are called on the wire.
pub(crate) use crate::net::peer::kind;
