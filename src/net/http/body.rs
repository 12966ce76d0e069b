//! One body type for everything that flows through a worker, without a box.
//!
//! The proxy path moves hyper's own body (`Incoming`) to the backend and our client's back; an answer that came whole with
//! its head is plain bytes.

use super::coding::{CodedBody, Coding};
use super::raw::RawBody;
use super::sieve::{PatientBody, Sieve, SievedBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection that carried it failed or was closed.
    #[error("the connection that carried the body failed")]
    Wire(#[from] hyper::Error),
    /// More bytes than the limit allows.
    #[error("the body is longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: u64,
    },
    /// It is not coded as it says.
    #[error("the body is not coded as it says: {0}")]
    Coding(String),
    /// Another node stopped before the end, or the time was over.
    #[error("the body was cut off: {0}")]
    Cut(String),
}

/// A request or response body.
#[derive(Debug, Default)]
pub enum Body {
    /// No bytes.
    #[default]
    Empty,
    /// Bytes that are all here; `None` after they were read.
    Full(Option<Bytes>),
    /// A body as hyper reads it from a client.
    Client(ClientBody),
    /// A backend's body; at its end the connection goes back to the idle list.
    Backend(Box<RawBody>),
    /// A body of a foreign type: a peer's stream.
    Peer(PeerBody),
    /// Any of the above with a limit on what may still come.
    Capped(CappedBody),
    /// Any of the above on its way through a coder.
    Coded(Box<CodedBody>),
    /// A body whose first frames somebody has read already.
    Begun(Box<BegunBody>),
    /// Any of the above, taken out of frames.
    Sieved(Box<SievedBody>),
    /// Any of the above, given up when it stands still.
    Patient(Box<PatientBody>),
}

impl Body {
    /// A body of these bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Body {
        let bytes = bytes.into();
        if bytes.is_empty() { Body::Empty } else { Body::Full(Some(bytes)) }
    }

    /// A body that another node sends, or any other that is none of the above: the one kind that is boxed.
    pub fn peer<B>(body: B) -> Body
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::fmt::Display,
    {
        Body::Peer(PeerBody(Box::pin(Foreign(body))))
    }

    /// The same body, failing with `TooLong` after `limit` bytes.
    pub fn capped(self, limit: u64) -> Body {
        match self {
            Body::Empty => Body::Empty,
            body => Body::Capped(CappedBody { body: Box::new(body), left: limit, limit }),
        }
    }

    /// `capped`, unless the length is known: whoever knows it has looked at it already.
    pub fn capped_unless_known(self, limit: u64) -> Body {
        if self.known_len().is_some() { self } else { self.capped(limit) }
    }

    /// The same body behind what was read of it already.
    #[must_use]
    pub fn after(self, frames: Vec<Result<Frame<Bytes>, BodyError>>) -> Body {
        Body::Begun(Box::new(BegunBody { frames: frames.into(), rest: self }))
    }

    /// The same body compressed.
    #[must_use]
    pub fn encoded(self, coding: Coding) -> Body {
        CodedBody::encoded(self, coding)
    }

    /// The same body decompressed; what comes out has no limit of its own.
    #[must_use]
    pub fn decoded(self, coding: Coding) -> Body {
        CodedBody::decoded(self, coding)
    }

    /// The same body read as UTF-8: what is none becomes U+FFFD.
    #[must_use]
    pub fn as_text(self) -> Body {
        CodedBody::as_text(self)
    }

    /// What a sieve makes of the same body.
    #[must_use]
    pub fn sieved(self, sieve: Box<dyn Sieve>) -> Body {
        Body::Sieved(Box::new(SievedBody::new(self, sieve)))
    }

    /// The same body, failing when nothing comes for so long, or when it has not ended by then.
    #[must_use]
    pub fn patient(self, idle: std::time::Duration, until: tokio::time::Instant) -> Body {
        match self {
            Body::Empty | Body::Full(_) => self,
            body => Body::Patient(Box::new(PatientBody::new(body, idle, until))),
        }
    }

    /// The length in bytes when it is known before reading.
    pub fn known_len(&self) -> Option<u64> {
        http_body::Body::size_hint(self).exact()
    }

    /// Reads to the end, at most `limit` bytes.
    pub async fn collect(mut self, limit: u64) -> Result<Bytes, BodyError> {
        match &mut self {
            Body::Empty => return Ok(Bytes::new()),
            Body::Full(bytes) => {
                let bytes = bytes.take().unwrap_or_default();
                return if bytes.len() as u64 > limit { Err(BodyError::TooLong { limit }) } else { Ok(bytes) };
            }
            _ => {}
        }
        if self.known_len().is_some_and(|len| len > limit) {
            return Err(BodyError::TooLong { limit });
        }
        let mut first: Option<Bytes> = None;
        let mut rest: Vec<u8> = Vec::new();
        let mut total = 0u64;
        while let Some(frame) = self.next_frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            total += data.len() as u64;
            if total > limit {
                return Err(BodyError::TooLong { limit });
            }
            match (&first, rest.is_empty()) {
                (None, true) => first = Some(data),
                (Some(head), true) => {
                    rest.extend_from_slice(head);
                    rest.extend_from_slice(&data);
                }
                _ => rest.extend_from_slice(&data),
            }
        }
        Ok(if rest.is_empty() { first.unwrap_or_default() } else { rest.into() })
    }

    /// The next frame, or `None` at the end.
    pub async fn next_frame(&mut self) -> Option<Result<Frame<Bytes>, BodyError>> {
        std::future::poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut *self), cx)).await
    }
}

impl Body {
    /// The next bytes; trailers are passed over.
    pub(super) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            match std::task::ready!(http_body::Body::poll_frame(Pin::new(&mut *self), cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }
}

impl From<Incoming> for Body {
    fn from(incoming: Incoming) -> Self {
        ClientBody::watched(incoming, None)
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Body::full(bytes)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Body::Empty => Poll::Ready(None),
            Body::Full(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Body::Client(client) => client.poll(cx),
            Body::Backend(backend) => backend.poll(cx).map(|polled| polled.map(|data| data.map(Frame::data))),
            Body::Peer(peer) => peer.0.as_mut().poll_frame(cx),
            Body::Capped(capped) => capped.poll(cx),
            Body::Coded(coded) => coded.poll(cx),
            Body::Begun(begun) => begun.poll(cx),
            Body::Sieved(sieved) => sieved.poll(cx),
            Body::Patient(patient) => patient.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Empty => true,
            Body::Full(bytes) => bytes.is_none(),
            Body::Client(client) => client.incoming.is_end_stream(),
            Body::Backend(backend) => backend.is_end(),
            Body::Peer(peer) => peer.0.is_end_stream(),
            Body::Capped(capped) => capped.body.is_end_stream(),
            Body::Coded(coded) => coded.is_end_stream(),
            Body::Begun(begun) => begun.frames.is_empty() && begun.rest.is_end_stream(),
            // Its sieve may hold bytes back, or complain of the end.
            Body::Sieved(_) => false,
            Body::Patient(patient) => patient.is_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Empty => SizeHint::with_exact(0),
            Body::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Body::Client(client) => client.incoming.size_hint(),
            Body::Backend(backend) => backend.size_hint(),
            Body::Peer(peer) => peer.0.size_hint(),
            Body::Capped(capped) => capped.body.size_hint(),
            Body::Coded(_) | Body::Begun(_) | Body::Sieved(_) => SizeHint::default(),
            Body::Patient(patient) => patient.size_hint(),
        }
    }
}

/// A client's request body; when it was read to its end it says so to the connection.
#[derive(Debug)]
pub struct ClientBody {
    incoming: Incoming,
    whole: Option<Arc<AtomicBool>>,
}

impl ClientBody {
    /// Wraps hyper's body; `whole` turns true at its clean end.
    pub(super) fn watched(incoming: Incoming, whole: Option<Arc<AtomicBool>>) -> Body {
        if http_body::Body::is_end_stream(&incoming) {
            return Body::Empty;
        }
        Body::Client(ClientBody { incoming, whole })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        use http_body::Body as _;
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        let ended = match &polled {
            Poll::Ready(None) => true,
            Poll::Ready(Some(Ok(_))) => self.incoming.is_end_stream(),
            _ => false,
        };
        if ended && let Some(whole) = self.whole.take() {
            whole.store(true, Ordering::Relaxed);
        }
        polled.map_err(BodyError::Wire)
    }
}

/// A body of a foreign type.
pub struct PeerBody(Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError> + Send>>);

impl std::fmt::Debug for PeerBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PeerBody")
    }
}

/// Gives a foreign body our errors.
struct Foreign<B>(B);

impl<B> http_body::Body for Foreign<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.0).poll_frame(cx).map_err(|error| BodyError::Cut(error.to_string()))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// A body whose first frames were read.
#[derive(Debug)]
pub struct BegunBody {
    frames: VecDeque<Result<Frame<Bytes>, BodyError>>,
    rest: Body,
}

impl BegunBody {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.frames.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => http_body::Body::poll_frame(Pin::new(&mut self.rest), cx),
        }
    }
}

/// A body with a limit.
#[derive(Debug)]
pub struct CappedBody {
    body: Box<Body>,
    left: u64,
    limit: u64,
}

impl CappedBody {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = std::task::ready!(http_body::Body::poll_frame(Pin::new(&mut *self.body), cx));
        if let Some(Ok(frame)) = &polled
            && let Some(data) = frame.data_ref()
        {
            match self.left.checked_sub(data.len() as u64) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(BodyError::TooLong { limit: self.limit }))),
            }
        }
        Poll::Ready(polled)
    }
}
