//! The access log: one line of JSON per request, written by the node that faces the client.

use super::ask::{Ask, Facts};
use crate::edge::Facts as Remote;
use crate::net::http::{Body, BodyError};
use crate::observe::access::AccessLog;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use serde::Serialize;
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A worker's lines on their way to the log.
#[derive(Clone)]
pub(super) struct LineBuffer(Rc<Buffer>);

struct Buffer {
    log: AccessLog,
    bytes: RefCell<Vec<u8>>,
}

impl LineBuffer {
    const FULL: usize = 32 * 1024;
    const WAIT: Duration = Duration::from_millis(100);

    pub(super) fn new(log: AccessLog) -> LineBuffer {
        LineBuffer(Rc::new(Buffer { log, bytes: RefCell::default() }))
    }

    fn push(&self, line: &Line) {
        let mut bytes = self.0.bytes.borrow_mut();
        let first = bytes.is_empty();
        // A line of plain numbers and text always serialises.
        if serde_json::to_writer(&mut *bytes, line).is_ok() {
            bytes.push(b'\n');
        }
        if bytes.len() >= LineBuffer::FULL {
            let full = std::mem::take(&mut *bytes);
            self.0.log.write(full);
        } else if first {
            let later = self.clone();
            tokio::task::spawn_local(async move {
                tokio::time::sleep(LineBuffer::WAIT).await;
                let bytes = later.0.bytes.take();
                if !bytes.is_empty() {
                    later.0.log.write(bytes);
                }
            });
        }
    }
}

#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
struct Line {
    time_ms: i64,
    request_id: String,
    extended_request_id: String,
    ip: String,
    method: String,
    path: String,
    protocol: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_bytes: Option<u64>,
    latency_us: u64,
    api_id: String,
    stage: String,
    resource_path: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    api_key_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    usage_plan_id: String,
    user_agent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    integration_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    integration_us: Option<u64>,
    region: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
}

fn text(value: &http::HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn line(ask: &Ask, status: u16, bytes: Option<u64>, region: &str, cause: Option<&str>) -> Line {
    let facts = &ask.facts;
    let plan = facts.stage.as_ref().map(|s| &s.plan);
    let method = plan.and_then(|p| p.methods.get(facts.method?));
    Line {
        time_ms: facts.time_ms,
        request_id: text(&facts.request_id),
        extended_request_id: text(&facts.extended_id),
        ip: ask.client.ip.to_string(),
        method: ask.method.to_string(),
        path: ask.uri.path().to_owned(),
        protocol: if ask.conn.h2 { "HTTP/2.0" } else { "HTTP/1.1" },
        status,
        response_bytes: bytes,
        latency_us: elapsed_us(facts),
        api_id: plan.map(|p| p.api.to_string()).unwrap_or_default(),
        stage: plan.map(|p| p.stage.to_string()).unwrap_or_default(),
        resource_path: method.map(|m| m.resource_path.to_string()).unwrap_or_default(),
        api_key_id: facts.key_id.clone(),
        usage_plan_id: facts.plan_id.clone(),
        user_agent: facts.user_agent.as_ref().map(text).unwrap_or_default(),
        integration_status: facts.integration_status,
        integration_us: facts.integration_us,
        region: facts.served_by.as_deref().unwrap_or(region).to_owned(),
        cause: cause.map(str::to_owned),
    }
}

pub(super) fn elapsed_us(facts: &Facts) -> u64 {
    u64::try_from(facts.began.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Writes the line now, or, for an answer that comes across the cut, when its body has ended and the region's facts are
/// here.
pub(super) fn record(
    lines: &LineBuffer,
    ask: &mut Ask,
    status: u16,
    body: Body,
    region: &str,
    cause: Option<&str>,
) -> Body {
    let line = line(ask, status, body.known_len(), region, cause);
    match ask.facts.remote.take() {
        Some(remote) if !body.is_end_stream() => {
            Body::peer(Logged { body, line, remote, log: lines.0.log.clone(), written: false })
        }
        _ => {
            lines.push(&line);
            body
        }
    }
}

/// A body whose end writes a line, also when its reader leaves early.
struct Logged {
    body: Body,
    line: Line,
    remote: Remote,
    log: AccessLog,
    written: bool,
}

impl Logged {
    fn write(&mut self) {
        if std::mem::replace(&mut self.written, true) {
            return;
        }
        if let Some(end) = self.remote.get() {
            self.line.integration_status = end.integration_status;
            self.line.integration_us = end.integration_us;
            self.line.cause.clone_from(&end.cause);
        }
        if let Ok(mut bytes) = serde_json::to_vec(&self.line) {
            bytes.push(b'\n');
            self.log.write(bytes);
        }
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        self.write();
    }
}

impl http_body::Body for Logged {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.write();
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
