//! The stage's own access log: a line in the words of its format for each request, written by the node that faces the
//! client when the answer has ended, however it ended.

use super::ask::{Ask, Client, Facts, Known};
use super::dress::Refused;
use super::log::elapsed_us;
use super::refusal::Refusal;
use super::worker::Worker;
use crate::net::http::{Body, BodyError};
use crate::observe::log_files::LogShelf;
use crate::plan::context::{Context as Values, Variable};
use bytes::Bytes;
use http::Uri;
use http_body::{Body as _, Frame, SizeHint};
use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long a region's facts may follow the last byte of its answer.
const LATE: Duration = Duration::from_secs(1);

/// A visit whose answer is under way.
struct Visit {
    method: http::Method,
    uri: Uri,
    client: Client,
    facts: Facts,
    refusal: Option<Refusal>,
    status: u16,
    shelf: LogShelf,
}

/// What is known of a visit at the end of its answer.
struct Ended<'a> {
    visit: &'a Visit,
    bytes: u64,
    latency_ms: u64,
}

impl Values for Ended<'_> {
    fn value(&self, variable: &Variable) -> Option<Cow<'_, str>> {
        let Visit { method, uri, client, facts, refusal, status, .. } = self.visit;
        match variable {
            Variable::Status => return Some(Cow::Owned(status.to_string())),
            Variable::ResponseLength => return Some(Cow::Owned(self.bytes.to_string())),
            Variable::ResponseLatency => return Some(Cow::Owned(self.latency_ms.to_string())),
            _ => {}
        }
        let owned = |value: Cow<'_, str>| Cow::Owned(value.into_owned());
        let known = Known { method, path: uri.path(), client, facts };
        match refusal {
            Some(refusal) => Refused { known, refusal }.value(variable).map(owned),
            None => known.value(variable).map(owned),
        }
    }
}

impl Visit {
    fn latency_ms(&self) -> u64 {
        elapsed_us(&self.facts) / 1_000
    }

    fn write(&mut self, bytes: u64, latency_ms: u64) {
        // What a region knows of its integration comes with the end of its answer.
        if let Some(end) = self.facts.remote.as_ref().and_then(crate::edge::Facts::get) {
            self.facts.integration_status = end.integration_status;
            self.facts.integration_us = end.integration_us;
        }
        let Some(stage) = self.facts.stage.clone() else { return };
        let Some(format) = &stage.plan.access_log else { return };
        let ended = Ended { visit: self, bytes, latency_ms };
        let mut line = String::new();
        format.render_line(&ended, &mut line);
        self.shelf.push(&stage.access_log, &line);
    }
}

/// Writes the line now, or when the body has ended, where it is yet to come.
pub(super) fn follow(worker: &Worker, ask: &Ask, refusal: Option<Refusal>, status: u16, body: Body) -> Body {
    let (Some(shelf), Some(stage)) = (&worker.shelf, &ask.facts.stage) else { return body };
    if stage.plan.access_log.is_none() {
        return body;
    }
    let mut visit = Visit {
        method: ask.method.clone(),
        uri: ask.uri.clone(),
        client: ask.client.clone(),
        facts: ask.facts.clone(),
        refusal,
        status,
        shelf: shelf.clone(),
    };
    let silent = ask.method == http::Method::HEAD;
    if silent || body.is_end_stream() || matches!(body, Body::Full(_)) {
        let latency_ms = visit.latency_ms();
        visit.write(if silent { 0 } else { body.known_len().unwrap_or(0) }, latency_ms);
        return body;
    }
    let whole = body.known_len();
    Body::peer(Followed { body, visit: Some(Box::new(visit)), bytes: 0, whole })
}

/// A body whose end writes a line, also when its reader leaves early.
struct Followed {
    body: Body,
    /// `None` once its line is written.
    visit: Option<Box<Visit>>,
    bytes: u64,
    /// The length that was announced.
    whole: Option<u64>,
}

impl Followed {
    fn write(&mut self) {
        if let Some(mut visit) = self.visit.take() {
            let latency_ms = visit.latency_ms();
            visit.write(self.bytes, latency_ms);
        }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        // Nobody reads on when all bytes are here, yet what a region tells of its integration comes just behind them.
        let told = |visit: &Visit| visit.facts.remote.as_ref().is_none_or(|remote| remote.get().is_some());
        let late = self.whole == Some(self.bytes) && self.visit.as_ref().is_some_and(|visit| !told(visit));
        let (true, Ok(runtime)) = (late, tokio::runtime::Handle::try_current()) else { return self.write() };
        let (body, bytes) = (std::mem::take(&mut self.body), self.bytes);
        if let Some(mut visit) = self.visit.take() {
            let latency_ms = visit.latency_ms();
            runtime.spawn(async move {
                let _ = tokio::time::timeout(LATE, body.collect(0)).await;
                visit.write(bytes, latency_ms);
            });
        }
    }
}

impl http_body::Body for Followed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            Poll::Ready(None | Some(Err(_))) => self.write(),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
