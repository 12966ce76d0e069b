//! The one evaluator: how an admin call becomes a replicated Change (foundations §1).
//!
//! Only the leader's runs. Its `tip` is the applied World plus its own Changes that are not applied yet; each Change is
//! proposed in order, bound to the term, and carries the count of Changes before it. A reply, also a refusal, leaves only
//! when the tip that it saw is applied.

mod lane;
mod slow;
mod term;

pub(crate) use term::Evaluator;

use super::{BoxFuture, Call, Stamp};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::oneshot;

/// A call that waits for its verdict.
pub(crate) struct Ask {
    pub(crate) call: Call,
    pub(crate) answer: oneshot::Sender<Verdict>,
    /// How often it was run again after a refusal.
    pub(crate) again: u32,
}

/// What the evaluator says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Answered, and applied here at this index.
    Done {
        reply: Bytes,
        index: u64,
        /// Whether nodes serve differently from that index on.
        touches_serving: bool,
    },
    /// Not now: this node does not lead, or stopped leading. The call may have been ordered.
    Again(String),
    /// The id was used for another request.
    IdReused,
    /// The change does not fit.
    TooLarge { bytes: u64, limit: u64 },
    /// The operation died.
    Broken(String),
}

/// Time and randomness, which a simulation replaces.
pub(crate) trait Nature: Send + Sync {
    /// Now, and something random.
    fn stamp(&self) -> Stamp;
    /// A planted bug: calls are not looked up among the answered requests.
    #[cfg(test)]
    fn forgetful(&self) -> bool {
        false
    }
    /// Runs work beside the lane.
    fn beside(&self, work: Box<dyn FnOnce() + Send>);
}

/// Confirms that this node still led when it was called.
pub(crate) type Confirm = Arc<dyn Fn() -> BoxFuture<Result<(), String>> + Send + Sync>;
