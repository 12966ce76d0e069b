//! Which node serves a visitor, and how the visit gets there.
//!
//! The visitor's walk is cut once (foundations §5): the edge runs the steps that it can decide, writes what it decided
//! into a [`wire::Head`], and the [`Forwarder`] carries head and body to a node of the nearest region over a warm QUIC
//! stream; there the [`Receiver`] hands the [`Visit`] to whatever [`Resume`] is, and the answer comes back the same way.
//! Both bodies stream under the stream's back-pressure; who goes away is noticed on the other side at once.

mod body;
mod choose;
mod error;
mod forward;
mod health;
mod latency;
mod nodes;
mod outflow;
pub mod probe;
mod replay;
mod serve;
pub mod wire;

#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;

pub use body::{CutBody, Facts};
pub use error::CutError;
pub use forward::{Answer, Failed, ForwardError, Forwarded, Forwarder};
pub use health::NodeState;
pub use nodes::{Choice, NodeView, Nodes};
pub use replay::Replay;
pub use serve::{Outcome, Receiver, Reply, Resume, Served, Visit};
