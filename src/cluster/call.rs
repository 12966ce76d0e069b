//! What an administrator's call looks like on its way through the evaluator, and what comes back.

use crate::state::{Op, World};
use bytes::Bytes;
use std::time::Duration;

/// A call that somebody has authenticated; the leader's evaluator runs it (foundations §1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Request id: the same id with the same payload is applied once, and a retry gets the same reply.
    pub id: String,
    /// SHA-256 of what the caller asked for; the same id with another hash is [`super::ClusterError::IdReused`].
    pub payload_hash: [u8; 32],
    /// Which evaluator understands the payload; the owner of the rooms above gives the numbers.
    pub room: u8,
    /// The operation and its arguments, encoded by that room.
    pub payload: Bytes,
}

/// What the leader draws for one evaluation, so that evaluators need neither clock nor randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Milliseconds since 1970; never goes back, across leaders too.
    pub time_ms: i64,
    /// For ids.
    pub seed: [u8; 16],
}

/// The outcome of one evaluation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evaluated {
    /// Effects. None: a refusal or a look; nothing is replicated.
    pub ops: Vec<Op>,
    /// What the caller gets, encoded by the room; a refusal is a reply too.
    pub reply: Bytes,
    /// Whether nodes serve differently afterwards: then the answer waits for the nodes (see [`Wait::Auto`]).
    pub touches_serving: bool,
}

/// Pure operations: `(Call, &World) → (effects, reply)`. Runs on the leader, one call after another.
pub trait Evaluate: Send + Sync + 'static {
    /// Runs one call. Must not panic; must give the same outcome for the same arguments.
    fn evaluate(&self, call: &Call, world: &World, stamp: &Stamp) -> Evaluated;

    /// For a slow call: the scopes that it reads and writes. It is then run beside the lane on a pinned World, and again
    /// where one of these scopes moved meanwhile (twice at most, then in the lane). `None`: quick, runs in the lane.
    fn slow_scopes(&self, call: &Call, world: &World) -> Option<Vec<crate::state::Scope>> {
        let _ = (call, world);
        None
    }
}

/// When a write is answered (foundations §1.10).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wait {
    /// Drafts at commit; what nodes serve when every live node has activated it, two seconds at most.
    #[default]
    Auto,
    /// At commit.
    Quorum,
    /// When every live node has activated it, or at the end of this time.
    All {
        /// How long to wait for the nodes.
        at_most: Duration,
    },
}

/// An answered call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The evaluator's reply.
    pub reply: Bytes,
    /// The index ([`World::seq`]) at which the reply holds; applied on the leader and on this node.
    pub index: u64,
    /// How many live nodes had not activated that index when the waiting ended.
    pub lagging: u32,
    /// Their node ids, in order.
    pub laggards: Vec<u64>,
}
