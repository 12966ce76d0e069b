//! The client's side of an HTTP/1 connection, with three looks at the bytes that hyper does not take.
//!
//! 1. Half-close: a client that ends its side right behind its request waits for the answer (`nc -N`); one that ends it
//!    later went away. hyper knows one of both for all, so this socket keeps an early end of file back.
//! 2. Heads: hyper's parser takes a bare LF for a line end, and drops Content-Length beside Transfer-Encoding. Another
//!    proxy in front of us may have read them otherwise, which is how requests are smuggled: such a head is marked.
//! 3. Names: hyper keeps those of headers in lower case alone; as they were sent they are kept here (`names`).

use super::body::{Body, ClientBody};
use super::names::{NameTrail, SentNames};
use http::Request;
use http_body::Body as _;
use hyper::body::Incoming;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// An end of file this soon after its request's head is a half-close; later the client went away.
const HALF_CLOSE_WITHIN: Duration = Duration::from_millis(20);
/// How long a socket lingers for bytes that nobody reads.
const LINGER: Duration = Duration::from_secs(2);

/// What the socket and the visits of one connection tell each other.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch(Rc<State>);

#[derive(Debug, Default)]
struct State {
    /// When the visit in hand began, or its body's last bytes came.
    fresh: Cell<Option<Instant>>,
    /// Whether the body of the visit in hand was read to its end; `None` when it has none.
    whole: RefCell<Option<Arc<AtomicBool>>>,
    /// The connection must end after the answer in hand.
    ending: Cell<bool>,
    /// Bytes of a body were left unread: the socket must linger, or the client may lose the answer to a reset.
    unread: Cell<bool>,
    flaw: Cell<Option<&'static str>>,
    head: RefCell<HeadScan>,
    reader: RefCell<Option<Waker>>,
}

/// A visit in hand; dropping it says that its answer's head is made.
#[derive(Debug)]
pub(super) struct Visit(Watch);

impl Drop for Visit {
    fn drop(&mut self) {
        let state = &self.0.0;
        state.fresh.set(None);
        let whole = state.whole.take();
        if whole.as_ref().is_some_and(|whole| !whole.load(Ordering::Relaxed)) {
            // Answered early: what still comes is body, and no head may be looked for in it.
            state.ending.set(true);
            state.unread.set(true);
        } else {
            state.head.borrow_mut().answered(whole.is_some());
        }
        if let Some(waker) = state.reader.borrow_mut().take() {
            waker.wake();
        }
    }
}

impl Watch {
    /// Marks the start of a visit.
    pub(super) fn visit(&self, request: Request<Incoming>) -> (Visit, Request<Body>) {
        self.0.fresh.set(Some(Instant::now()));
        let whole = (!request.body().is_end_stream()).then(Arc::<AtomicBool>::default);
        self.0.whole.replace(whole.clone());
        self.0.head.borrow_mut().names.begin();
        (Visit(self.clone()), request.map(|body| ClientBody::watched(body, whole)))
    }

    /// The names of the headers of the visit in hand.
    pub(super) fn names(&self) -> SentNames {
        self.0.head.borrow().names.names()
    }

    /// Whether the connection must end after the answer in hand.
    pub(super) fn wants_end(&self) -> bool {
        self.0.ending.get()
    }

    pub(super) fn take_flaw(&self) -> Option<&'static str> {
        let flaw = self.0.flaw.take();
        if flaw.is_some() {
            self.0.ending.set(true);
        }
        flaw
    }
}

impl State {
    fn body_missing(&self) -> bool {
        self.whole.borrow().as_ref().is_some_and(|whole| !whole.load(Ordering::Relaxed))
    }
}

/// A client's stream under hyper's HTTP/1 server.
pub(super) struct ClientSocket<IO> {
    stream: IO,
    watch: Watch,
    timer: Option<Pin<Box<Sleep>>>,
    shut: bool,
}

impl<IO> ClientSocket<IO> {
    pub(super) fn new(stream: IO, watch: Watch) -> Self {
        ClientSocket { stream, watch, timer: None, shut: false }
    }
}

impl<IO: Unpin> ClientSocket<IO> {
    /// Decides about an end of file: `Ready` passes it to hyper, `Pending` keeps it back.
    fn at_eof(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(fresh) = self.watch.0.fresh.get() else { return Poll::Ready(()) };
        if !self.watch.0.ending.get() {
            let missing = self.watch.0.body_missing();
            // The body's last bytes may still wait in hyper for the visit to read them.
            if missing && self.timer(HALF_CLOSE_WITHIN).as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if missing || fresh.elapsed() > HALF_CLOSE_WITHIN * 2 {
                return Poll::Ready(());
            }
            self.watch.0.ending.set(true);
            // Polled once more, the connection's driver asks hyper to end after this visit.
            cx.waker().wake_by_ref();
        }
        *self.watch.0.reader.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    fn timer(&mut self, wait: Duration) -> &mut Pin<Box<Sleep>> {
        self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(wait)))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for ClientSocket<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, buf)) {
            Ok(()) => {}
            // A TLS client that leaves without close_notify has ended its side all the same.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
        if buf.filled().len() == before && buf.remaining() > 0 {
            return self.at_eof(cx).map(Ok);
        }
        let state = &self.watch.0;
        if state.fresh.get().is_some() && state.body_missing() {
            state.fresh.set(Some(Instant::now()));
        } else if let Some(flaw) = state.head.borrow_mut().scan(&buf.filled()[before..]) {
            state.flaw.set(Some(flaw));
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ClientSocket<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.shut {
            std::task::ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.shut = true;
            this.timer = None;
        }
        if !this.watch.0.unread.get() {
            return Poll::Ready(Ok(()));
        }
        // Linger: closing over unread bytes resets the connection, and the client loses the answer.
        let mut sink = [0u8; 4096];
        for _ in 0..64 {
            if this.timer(LINGER).as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buf = ReadBuf::new(&mut sink);
            match std::task::ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {}
                _ => return Poll::Ready(Ok(())),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Looks over the lines of a request's head as its bytes arrive, until the blank line.
#[derive(Debug, Default)]
struct HeadScan {
    /// The beginning of a line that a read cut off.
    cut: Vec<u8>,
    done: bool,
    started: bool,
    length: bool,
    transfer: bool,
    names: NameTrail,
}

/// Of a line that a read cut off so much is kept: enough for its name.
const LINE_START: usize = 1024;

impl HeadScan {
    /// The visit in hand is over, its body whole. Behind a head without a body the next one may be looked over already.
    fn answered(&mut self, had_body: bool) {
        self.names.finish();
        if std::mem::take(&mut self.done) || had_body {
            self.cut.clear();
            (self.started, self.length, self.transfer) = (false, false, false);
        }
    }

    /// Returns what is wrong with the head so far.
    fn scan(&mut self, bytes: &[u8]) -> Option<&'static str> {
        let mut rest = bytes;
        while !self.done && !rest.is_empty() {
            let Some(end) = memchr::memchr(b'\n', rest) else {
                // Only a line's name and its last byte matter.
                if self.cut.len() < LINE_START {
                    self.cut.extend_from_slice(&rest[..rest.len().min(LINE_START)]);
                } else if let (Some(last), Some(slot)) = (rest.last(), self.cut.last_mut()) {
                    *slot = *last;
                }
                return None;
            };
            let (line, after) = rest.split_at(end);
            rest = &after[1..];
            let flaw = if self.cut.is_empty() {
                self.line(line)
            } else {
                let mut whole = std::mem::take(&mut self.cut);
                whole.extend_from_slice(line);
                self.line(&whole)
            };
            if flaw.is_some() {
                self.done = true;
                return flaw;
            }
        }
        None
    }

    fn line(&mut self, line: &[u8]) -> Option<&'static str> {
        let Some(line) = line.strip_suffix(b"\r") else { return Some("a line of the head ends in a bare LF") };
        if line.is_empty() {
            // Blank lines before the request line are allowed; behind a head without a body stands the next head.
            if self.started {
                self.names.end();
            }
            self.done = self.started && (self.length || self.transfer);
            (self.started, self.length, self.transfer) = (false, false, false);
            return None;
        }
        if std::mem::replace(&mut self.started, true) {
            self.names.add(line);
        }
        let names = |name: &[u8]| line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name);
        match line[0] | 0x20 {
            b'c' if names(b"content-length:") => self.length = true,
            b't' if names(b"transfer-encoding:") => self.transfer = true,
            _ => {}
        }
        (self.length && self.transfer).then_some("Content-Length beside Transfer-Encoding")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw(pieces: &[&str]) -> Option<&'static str> {
        let mut scan = HeadScan::default();
        pieces.iter().fold(None, |found, piece| found.or(scan.scan(piece.as_bytes())))
    }

    #[test]
    fn heads_are_looked_over_however_they_are_cut() {
        let good = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na\nb";
        for at in 0..good.len() {
            assert_eq!(flaw(&[&good[..at], &good[at..]]), None, "cut at {at}");
        }
        let bare = "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n";
        let both = "POST / HTTP/1.1\r\nhost: a\r\nTRANSFER-encoding: chunked\r\ncontent-length: 3\r\n\r\n";
        for at in 0..bare.len() {
            assert!(flaw(&[&bare[..at], &bare[at..]]).is_some(), "cut at {at}");
        }
        for at in 0..both.len() {
            assert!(flaw(&[&both[..at], &both[at..]]).is_some(), "cut at {at}");
        }
    }

    #[test]
    fn what_follows_the_head_is_not_looked_at() {
        assert_eq!(
            flaw(&["POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n", "Content-Length: 1\nTransfer-Encoding: x\n"]),
            None
        );
    }
}
