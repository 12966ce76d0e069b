//! An answer's body, and the way of its connection back to the idle list.

use super::chunks::Step;
use super::read::Framing;
use super::{Conn, Outflow, READ_BYTES, Unsent};
use crate::net::http::body::{Body, BodyError};
use bytes::Bytes;
use http_body::SizeHint;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, Sleep};

/// A body that is still being read; dropped early it closes its connection.
#[derive(Debug)]
pub struct RawBody {
    /// `None` once the body has ended, well or badly.
    conn: Option<Conn>,
    /// The rest of the request, which goes on being sent.
    out: Option<Outflow>,
    framing: Framing,
    keep: bool,
    /// What the next read may take, bytes: it doubles while reads fill it.
    room: usize,
    most: usize,
    until: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

/// The body of an answer; one that is here already gives its connection back at once.
pub(super) fn of(
    mut conn: Conn,
    out: Option<Outflow>,
    framing: Framing,
    keep: bool,
    most: usize,
    until: Instant,
) -> Body {
    if let Framing::Length(length) = framing
        && let Some(length) = usize::try_from(length).ok().filter(|length| *length <= conn.buf.len())
    {
        let data = conn.buf.split_to(length).freeze();
        // An early answer that is whole: the rest of the request is of no use.
        settle(conn, keep && out.is_none());
        return Body::full(data);
    }
    Body::Backend(Box::new(RawBody {
        conn: Some(conn),
        out,
        framing,
        keep,
        room: READ_BYTES,
        most,
        until,
        timer: None,
    }))
}

/// After a clean end: bytes behind it are nobody's, and whoever sent them cannot be trusted with another request.
fn settle(conn: Conn, keep: bool) {
    if keep && conn.buf.is_empty() {
        conn.release();
    }
}

fn cut<T>(why: impl Into<String>) -> Poll<Option<Result<T, BodyError>>> {
    Poll::Ready(Some(Err(BodyError::Cut(why.into()))))
}

impl RawBody {
    pub(in crate::net::http) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let polled = self.poll_inner(cx);
        match &polled {
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(_) => self.conn = None,
            // Most bodies are here with their head: only one that lets us wait costs a timer.
            Poll::Pending => {
                let until = self.until;
                let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
                if timer.as_mut().poll(cx).is_ready() {
                    self.conn = None;
                    return cut(super::super::sieve::OUT_OF_TIME);
                }
            }
        }
        polled
    }

    pub(in crate::net::http) fn is_end(&self) -> bool {
        self.conn.is_none()
    }

    pub(in crate::net::http) fn size_hint(&self) -> SizeHint {
        match (&self.framing, &self.conn) {
            (Framing::Length(left), _) => SizeHint::with_exact(*left),
            (_, None) => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }

    fn poll_inner(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let Some(conn) = &mut self.conn else { return Poll::Ready(None) };
        if let Some(out) = &mut self.out {
            match out.poll(&mut conn.io, &mut conn.head, cx) {
                Poll::Ready(Ok(())) => self.out = None,
                Poll::Ready(Err(Unsent::Body(error))) => return Poll::Ready(Some(Err(error))),
                // The backend has heard enough; its answer goes on.
                Poll::Ready(Err(Unsent::Io(_))) => (self.out, self.keep) = (None, false),
                Poll::Pending => {}
            }
        }
        loop {
            match &mut self.framing {
                Framing::Length(0) => return self.finish(None),
                Framing::Length(left) if !conn.buf.is_empty() => {
                    let here = usize::try_from(*left).map_or(conn.buf.len(), |left| left.min(conn.buf.len()));
                    *left -= here as u64;
                    let data = conn.buf.split_to(here).freeze();
                    return if *left == 0 { self.finish(Some(data)) } else { Poll::Ready(Some(Ok(data))) };
                }
                Framing::Chunked(chunks) => match chunks.step(&mut conn.buf) {
                    Ok(Step::Data(data)) => return Poll::Ready(Some(Ok(data))),
                    Ok(Step::Done) => return self.finish(None),
                    Ok(Step::More) => {}
                    Err(why) => return cut(why),
                },
                Framing::Close if !conn.buf.is_empty() => return Poll::Ready(Some(Ok(conn.buf.split().freeze()))),
                Framing::Length(_) | Framing::Close => {}
            }
            let room = match self.framing {
                Framing::Length(left) => self.room.min(usize::try_from(left).unwrap_or(usize::MAX)),
                _ => self.room,
            };
            match ready!(conn.poll_fill(cx, room)) {
                Ok(0) if matches!(self.framing, Framing::Close) => return self.finish(None),
                Ok(0) => return cut("the backend closed before its end"),
                Ok(n) if n >= self.room => self.room = (self.room * 2).min(self.most),
                Ok(_) => {}
                Err(error) => return cut(error.to_string()),
            }
        }
    }

    /// A clean end. While the request is still being sent its connection cannot be used again.
    fn finish(&mut self, last: Option<Bytes>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let keep = self.keep && self.out.take().is_none();
        if let Some(conn) = self.conn.take() {
            settle(conn, keep);
        }
        Poll::Ready(last.map(Ok))
    }
}
