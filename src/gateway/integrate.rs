//! integrate: the mock's answer or the backend's.

use super::ask::Ask;
use super::aws;
use super::execution;
use super::map::{Mapped, Work};
use super::payload;
use super::refusal::{Kind, Refusal};
use super::route::Matched;
use super::worker::Worker;
use crate::net::http::{Body, EgressError, Upstream, UpstreamError};
use crate::plan::method::STREAM_TIMEOUT_MS;
use http::{HeaderValue, Response};
use std::time::Duration;
use tokio::time::Instant;

/// An answer of what stands behind a method.
pub(super) struct Integrated {
    pub matched: Matched,
    pub accept: Option<HeaderValue>,
    pub answer: Response<Body>,
}

pub(super) async fn integrate(worker: &Worker, mapped: Mapped, ask: &mut Ask) -> Result<Integrated, Refusal> {
    let Mapped { matched, accept, work } = mapped;
    let began = Instant::now();
    let until = began + limit(worker, &matched);
    let called = match work {
        Work::Mock(status) => {
            let mut answer = Response::new(Body::Empty);
            *answer.status_mut() = http::StatusCode::from_u16(status)
                .map_err(|_| Refusal::new(Kind::ApiConfigurationError, "mock_status"))?;
            return Ok(Integrated { matched, accept, answer });
        }
        Work::Call(call) => {
            let (target, request) = *call;
            let called = tokio::time::timeout_at(until, worker.shared.pool.call(&target, request, until)).await;
            called.map(|called| called.map_err(|error| failure(&error)))
        }
        Work::Function(call) => Box::pin(tokio::time::timeout_at(until, aws::called(worker, *call))).await,
    };
    let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    ask.facts.integration_us = Some(took);
    worker.shard.integration(took);
    match called {
        Ok(Ok(answer)) => {
            ask.facts.integration_status = Some(answer.status().as_u16());
            execution::note(worker, ask, |_| {
                format!(
                    "Received response. Status: {}, Integration latency: {} ms",
                    answer.status().as_u16(),
                    took / 1000
                )
            });
            let answer = if matched.method().backend.is_streamed() {
                let idle = Duration::from_millis(worker.shared.limits.stream_idle_ms);
                aws::opened(answer.map(|body| body.patient(idle, until)))
            } else {
                answer
            };
            Ok(Integrated { matched, accept, answer })
        }
        Ok(Err(refusal)) => Err(refusal),
        Err(_) => Err(Refusal::new(Kind::IntegrationTimeout, "integration_timeout")),
    }
}

/// How long a method's integration may take.
pub(super) fn limit(worker: &Worker, matched: &Matched) -> Duration {
    let backend = &matched.method().backend;
    // What is passed on piece by piece may take longer than what somebody waits for.
    let most = if backend.is_streamed() { STREAM_TIMEOUT_MS } else { worker.shared.limits.integration_ms };
    Duration::from_millis(u64::from(backend.timeout_ms().min(most)))
}

/// What a failed call means to the client.
fn failure(error: &UpstreamError) -> Refusal {
    let detail = |r: Refusal| r.because(chain(error));
    detail(match error {
        UpstreamError::Egress(EgressError::Unresolvable { .. }) => {
            Refusal::new(Kind::ApiConfigurationError, "endpoint_unresolvable")
        }
        UpstreamError::Egress(EgressError::Refused { .. }) => {
            Refusal::new(Kind::ApiConfigurationError, "endpoint_refused")
        }
        UpstreamError::Egress(EgressError::Connect { .. }) => Refusal::new(Kind::IntegrationFailure, "connect_failed"),
        UpstreamError::Egress(EgressError::Timeout { .. }) => Refusal::new(Kind::IntegrationFailure, "connect_timeout"),
        UpstreamError::Tls { .. } => Refusal::new(Kind::IntegrationFailure, "tls_failed"),
        UpstreamError::HeadTooLong { .. } => Refusal::new(Kind::IntegrationFailure, "answer_head_too_long"),
        UpstreamError::Upgraded => Refusal::new(Kind::IntegrationFailure, "unasked_upgrade"),
        UpstreamError::Invalid { .. } => Refusal::new(Kind::IntegrationFailure, "invalid_answer"),
        UpstreamError::Broken(_) => Refusal::new(Kind::IntegrationFailure, "connection_lost"),
        UpstreamError::Crowded { .. } => Refusal::new(Kind::IntegrationTimeout, "backend_crowded"),
        UpstreamError::RequestBody(error) => payload::broken(error),
    })
}

/// An error with its causes, for logs.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
