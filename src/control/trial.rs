//! What TestInvokeMethod asks of the gateway; `node` fills in who asks it.

use futures_util::future::BoxFuture;

use super::Fault;
use crate::gateway::{Trial, Tried};

/// Tries a method's draft on this node.
pub trait TestBench: Send + Sync {
    /// Runs one trial. A method that fails is an answer; a [`Fault`] says that nothing could be tried.
    fn try_out(&self, trial: Trial) -> BoxFuture<'_, Result<Tried, Fault>>;
}
