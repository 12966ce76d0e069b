//! Our own HTTP/1.1 client: one exchange at a time over a connection that belongs to its worker, without a task of its own.
//!
//! hyper's client costs a channel, a task and a wake-up per request; here the visit writes and reads by itself. Framing is
//! always made anew, never copied, and an answer that two readers might cut differently is no answer:
//!
//! ```text
//! write   head and framing of a request        read    an answer's head, and how its body ends
//! chunks  the chunked coding                   body    an answer's body, and the way back to the idle list
//! ```

mod body;
mod chunks;
mod read;
mod write;

pub(super) use body::RawBody;

use super::body::{Body, BodyError};
use super::gate::Permit;
use super::shelf::Home;
use super::upstream::UpstreamError;
use bytes::{Buf, Bytes, BytesMut};
use http::{Request, Response};
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

/// Room for an answer's head and a small body, read at once.
const READ_BYTES: usize = 8 * 1024;
/// Interim answers (1xx) before the real one, at most.
const INTERIM: u8 = 16;

/// The wire to a backend.
#[derive(Debug)]
pub(super) enum Io {
    /// Plain.
    Plain(TcpStream),
    /// TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Io {
    fn poll_write(&mut self, cx: &mut Context<'_>, head: &[u8], body: &[u8]) -> Poll<io::Result<usize>> {
        let both = [IoSlice::new(head), IoSlice::new(body)];
        match self {
            Io::Plain(io) if body.is_empty() => Pin::new(io).poll_write(cx, head),
            Io::Plain(io) if head.is_empty() => Pin::new(io).poll_write(cx, body),
            Io::Plain(io) => Pin::new(io).poll_write_vectored(cx, &both),
            Io::Tls(io) => Pin::new(&mut **io).poll_write_vectored(cx, &both),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Io::Plain(_) => Poll::Ready(Ok(())),
            Io::Tls(io) => Pin::new(&mut **io).poll_flush(cx),
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        match self {
            Io::Plain(io) => pin!(io.read_buf(buf)).poll(cx),
            Io::Tls(io) => pin!(io.read_buf(buf)).poll(cx),
        }
    }
}

/// A connection and what was read from it too early.
#[derive(Debug)]
pub(super) struct Conn {
    io: Io,
    buf: BytesMut,
    /// The request's head, or what frames its next chunk, while it is sent.
    head: Vec<u8>,
    /// It carried an exchange before.
    used: bool,
    home: Home,
    permit: Permit,
}

impl Conn {
    pub(super) fn new(io: Io, home: Home, permit: Permit) -> Conn {
        Conn { io, buf: BytesMut::new(), head: Vec::with_capacity(512), used: false, home, permit }
    }

    pub(super) fn home(&self) -> &Home {
        &self.home
    }

    pub(super) fn permit(&self) -> &Permit {
        &self.permit
    }

    /// Closes it; its place among the backend's connections stays taken.
    pub(super) fn into_permit(self) -> Permit {
        self.permit
    }

    /// Whether an idle connection may still be used: nothing to read, not even its end. Costs no system call while
    /// the runtime has seen nothing happen on the socket.
    pub(super) fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        let mut byte = [0u8; 1];
        match &mut self.io {
            Io::Plain(io) => matches!(io.try_read(&mut byte), Err(e) if e.kind() == io::ErrorKind::WouldBlock),
            // Session tickets come when they like, so TLS has to look at what there is.
            Io::Tls(io) => Pin::new(&mut **io).poll_read(cx, &mut ReadBuf::new(&mut byte)).is_pending(),
        }
    }

    /// Goes back to the idle list after a clean end, or to who waits for it.
    fn release(mut self) {
        self.used = true;
        if self.buf.capacity() > READ_BYTES {
            self.buf = BytesMut::new();
        }
        super::shelf::give_back(self);
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<usize>> {
        self.buf.reserve(room);
        self.io.poll_fill(cx, &mut self.buf)
    }
}

/// What of a request is still to be sent, beside its head.
#[derive(Debug)]
pub(super) struct Outflow {
    /// Bytes of the head that are sent.
    at: usize,
    body: Body,
    chunk: Bytes,
    left: Left,
    sent: bool,
}

/// What of a body is yet to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// So many bytes.
    Known(u64),
    /// Chunks; whether the next one is the first.
    Chunks(bool),
}

const NOTHING: Left = Left::Known(0);

/// Why sending stopped.
enum Unsent {
    Body(BodyError),
    Io(io::Error),
}

impl Outflow {
    fn new(body: Body, length: Option<u64>) -> Outflow {
        let left = length.map_or(Left::Chunks(true), Left::Known);
        Outflow { at: 0, body, chunk: Bytes::new(), left, sent: false }
    }

    fn poll(&mut self, io: &mut Io, head: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<Result<(), Unsent>> {
        loop {
            // A body that is here already goes out with the head, in one call.
            if self.chunk.is_empty() && self.left != NOTHING {
                match self.body.poll_data(cx) {
                    Poll::Ready(data) => self.take(data, head).map_err(Unsent::Body)?,
                    Poll::Pending if self.at < head.len() => {}
                    Poll::Pending => {
                        ready!(io.poll_flush(cx)).map_err(Unsent::Io)?;
                        return Poll::Pending;
                    }
                }
            }
            if self.at == head.len() && self.chunk.is_empty() {
                if self.left == NOTHING {
                    return io.poll_flush(cx).map_err(Unsent::Io);
                }
                continue;
            }
            let n = ready!(io.poll_write(cx, &head[self.at..], &self.chunk)).map_err(Unsent::Io)?;
            if n == 0 {
                return Poll::Ready(Err(Unsent::Io(io::ErrorKind::WriteZero.into())));
            }
            self.sent = true;
            let of_head = n.min(head.len() - self.at);
            self.at += of_head;
            self.chunk.advance(n - of_head);
        }
    }

    /// Takes what the body gave, and frames it.
    fn take(&mut self, data: Option<Result<Bytes, BodyError>>, head: &mut Vec<u8>) -> Result<(), BodyError> {
        let data = data.transpose()?;
        let wrong = |why: &str| Err(BodyError::Cut(why.into()));
        let here = data.as_ref().map_or(0, Bytes::len);
        match self.left {
            // A chunk of nothing would end the body.
            Left::Chunks(_) if here == 0 && data.is_some() => {}
            Left::Chunks(first) => {
                if self.at == head.len() {
                    head.clear();
                    self.at = 0;
                }
                write::chunk(head, here, first);
                self.left = if data.is_some() { Left::Chunks(false) } else { NOTHING };
            }
            Left::Known(_) if data.is_none() => return wrong("the body is shorter than its length"),
            Left::Known(left) => match left.checked_sub(here as u64) {
                Some(left) => self.left = Left::Known(left),
                None => return wrong("the body is longer than its length"),
            },
        }
        self.chunk = data.unwrap_or_default();
        Ok(())
    }
}

/// What an answer may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Its head, bytes.
    pub(super) head_bytes: usize,
    /// Its headers.
    pub(super) headers: usize,
    /// What is read at once of a long body, bytes.
    pub(super) read_bytes: usize,
}

/// One request and its answer.
#[derive(Debug)]
pub(super) struct Exchange {
    conn: Conn,
    out: Option<Outflow>,
    /// Sending failed: the answer, if there is one, may still come.
    failed: Option<io::Error>,
    /// HEAD: the answer has no body, whatever it says.
    bodyless: bool,
    interim: u8,
    /// How much of the buffer was parsed in vain.
    seen: usize,
    limits: Limits,
}

/// A request without a connection.
#[derive(Debug)]
pub(super) struct Unbound {
    head: Vec<u8>,
    out: Option<Outflow>,
    bodyless: bool,
    limits: Limits,
}

impl Unbound {
    /// The same request over this connection.
    pub(super) fn over(self, mut conn: Conn) -> Exchange {
        let Unbound { head, out, bodyless, limits } = self;
        conn.head = head;
        Exchange { conn, out, failed: None, bodyless, interim: 0, seen: 0, limits }
    }
}

/// Why there is no answer.
pub(super) enum Failed {
    /// The connection was stale, and nothing was sent: the request is whole.
    Stale(Box<Exchange>),
    /// For good.
    Finally(UpstreamError),
}

impl Exchange {
    /// Writes the head; nothing is sent before the first poll.
    pub(super) fn new(mut conn: Conn, request: Request<Body>, limits: Limits) -> Exchange {
        let (parts, body) = request.into_parts();
        let length = body.known_len();
        let bodyless = parts.method == http::Method::HEAD;
        conn.head.clear();
        write::head(&parts, length, &conn.home.1, &mut conn.head);
        let out = Some(Outflow::new(body, length));
        Exchange { conn, out, failed: None, bodyless, interim: 0, seen: 0, limits }
    }

    /// After [`Failed::Stale`]: the request, and the place of its connection, which is closed.
    pub(super) fn part(self) -> (Unbound, Permit) {
        let Exchange { conn, out, bodyless, limits, .. } = self;
        (Unbound { head: conn.head, out, bodyless, limits }, conn.permit)
    }

    /// Sends, and returns the answer as soon as its head is here; what is left to send goes on with its body.
    pub(super) async fn run(mut self, until: Instant) -> Result<Response<Body>, Failed> {
        let answer = match std::future::poll_fn(|cx| self.poll_answer(cx)).await {
            Ok(answer) => answer,
            Err(None) => return Err(Failed::Stale(Box::new(self))),
            Err(Some(error)) => return Err(Failed::Finally(error)),
        };
        let Exchange { conn, out, failed, limits, .. } = self;
        let read::Head { status, headers, framing, keep } = answer;
        let keep = keep && failed.is_none();
        let mut response = Response::new(body::of(conn, out, framing, keep, limits.read_bytes, until));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<read::Head, Option<UpstreamError>>> {
        if let Some(out) = &mut self.out {
            match out.poll(&mut self.conn.io, &mut self.conn.head, cx) {
                Poll::Ready(Ok(())) => self.out = None,
                Poll::Ready(Err(Unsent::Body(error))) => {
                    return Poll::Ready(Err(Some(UpstreamError::RequestBody(error))));
                }
                Poll::Ready(Err(Unsent::Io(error))) => {
                    if self.conn.used && !out.sent {
                        return Poll::Ready(Err(None));
                    }
                    // It may have answered before it stopped listening.
                    self.failed = Some(error);
                    self.out = None;
                }
                Poll::Pending => {}
            }
        }
        loop {
            if let Some(head) = self.parse().map_err(Some)? {
                return Poll::Ready(Ok(head));
            }
            match ready!(self.conn.poll_fill(cx, READ_BYTES)) {
                Ok(0) => {
                    let closed = || io::Error::new(io::ErrorKind::UnexpectedEof, "closed before an answer");
                    let error = self.failed.take().unwrap_or_else(closed);
                    return Poll::Ready(Err(Some(UpstreamError::Broken(error))));
                }
                Ok(_) => {}
                Err(error) => {
                    return Poll::Ready(Err(Some(UpstreamError::Broken(self.failed.take().unwrap_or(error)))));
                }
            }
        }
    }

    /// The final answer's head, when it is whole.
    fn parse(&mut self) -> Result<Option<read::Head>, UpstreamError> {
        let invalid = |why| UpstreamError::Invalid { why };
        loop {
            let buf = &mut self.conn.buf;
            if buf.is_empty() || !read::may_end(buf, self.seen) {
                return self.within_limit().map(|()| None);
            }
            let Some(head) = read::head(buf, self.limits, self.bodyless)? else {
                self.seen = buf.len();
                return self.within_limit().map(|()| None);
            };
            self.seen = 0;
            match head.status.as_u16() {
                101 => return Err(UpstreamError::Upgraded),
                100..=199 if self.interim == INTERIM => return Err(invalid("too many interim answers")),
                100..=199 => self.interim += 1,
                _ => return Ok(Some(head)),
            }
        }
    }

    fn within_limit(&self) -> Result<(), UpstreamError> {
        let limit = self.limits.head_bytes;
        if self.conn.buf.len() > limit { Err(UpstreamError::HeadTooLong { limit }) } else { Ok(()) }
    }
}
