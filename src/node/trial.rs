//! TestInvokeMethod on this node: its gateway, on its gateway's workers.

use crate::control::{Fault, TestBench};
use crate::gateway::{Gateway, Trial, TrialError, Tried};
use crate::net::http::Workers;
use futures_util::future::BoxFuture;

/// Where trials run.
pub(super) struct Trials {
    pub(super) gateway: Gateway,
    pub(super) workers: Workers,
}

impl TestBench for Trials {
    fn try_out(&self, trial: Trial) -> BoxFuture<'_, Result<Tried, Fault>> {
        Box::pin(async move {
            self.gateway.try_out(&self.workers, trial).await.map_err(|error| match error {
                TrialError::Stopping => Fault::new("ServiceUnavailableException", 503, error.to_string()),
                TrialError::Flaws(_) | TrialError::Malformed(_) => Fault::bad_request(error.to_string()),
            })
        })
    }
}
