//! Bodies that are not what comes over the wire: taken out of frames, or given up when nothing comes for too long.

use super::body::{Body, BodyError};
use bytes::Bytes;
use http_body::Frame;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// Why a body that did not end in time, or stood still, was given up.
pub const OUT_OF_TIME: &str = "its time is over";

/// Makes other bytes of a body's.
pub trait Sieve: Send + std::fmt::Debug {
    /// Takes bytes.
    fn push(&mut self, bytes: &[u8]);

    /// The next bytes that can be made of what came.
    ///
    /// # Errors
    /// When nothing can be made of it.
    fn take(&mut self) -> Result<Option<Bytes>, BodyError>;

    /// Called when nothing more comes.
    ///
    /// # Errors
    /// When it ended too early.
    fn end(&mut self) -> Result<(), BodyError>;
}

/// A body with a sieve.
#[derive(Debug)]
pub struct SievedBody {
    body: Body,
    sieve: Box<dyn Sieve>,
    ended: bool,
}

impl SievedBody {
    pub(super) fn new(body: Body, sieve: Box<dyn Sieve>) -> SievedBody {
        SievedBody { body, sieve, ended: false }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            match self.sieve.take() {
                Ok(Some(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Ok(None) => {}
                Err(error) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
            match ready!(self.body.poll_data(cx)) {
                Some(Ok(bytes)) => self.sieve.push(&bytes),
                Some(Err(error)) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    self.ended = true;
                    if let Err(error) = self.sieve.end() {
                        return Poll::Ready(Some(Err(error)));
                    }
                }
            }
        }
    }
}

/// A body that must not stand still.
#[derive(Debug)]
pub struct PatientBody {
    body: Body,
    idle: Duration,
    until: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl PatientBody {
    pub(super) fn new(body: Body, idle: Duration, until: Instant) -> PatientBody {
        let first = until.min(Instant::now() + idle);
        PatientBody { body, idle, until, sleep: Box::pin(tokio::time::sleep_until(first)) }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = http_body::Body::poll_frame(Pin::new(&mut self.body), cx);
        if polled.is_ready() {
            self.sleep.as_mut().reset(self.until.min(Instant::now() + self.idle));
            return polled;
        }
        ready!(self.sleep.as_mut().poll(cx));
        Poll::Ready(Some(Err(BodyError::Cut(OUT_OF_TIME.to_owned()))))
    }

    pub(super) fn is_end(&self) -> bool {
        http_body::Body::is_end_stream(&self.body)
    }

    pub(super) fn size_hint(&self) -> http_body::SizeHint {
        http_body::Body::size_hint(&self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_stands_still_is_given_up_and_a_slow_one_is_not() {
        let (send, receive) = tokio::sync::mpsc::channel::<Bytes>(1);
        struct Slow(tokio::sync::mpsc::Receiver<Bytes>);
        impl http_body::Body for Slow {
            type Data = Bytes;
            type Error = String;
            fn poll_frame(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, String>>> {
                self.0.poll_recv(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
        let until = Instant::now() + Duration::from_secs(100);
        let mut body = Body::peer(Slow(receive)).patient(Duration::from_secs(1), until);
        for _ in 0..3 {
            send.send(Bytes::from_static(b"x")).await.expect("sent");
            assert!(body.next_frame().await.expect("a frame").is_ok());
        }
        let began = Instant::now();
        let error = body.next_frame().await.expect("an end").expect_err("given up");
        assert_eq!(error.to_string(), format!("the body was cut off: {OUT_OF_TIME}"));
        assert!(began.elapsed() >= Duration::from_millis(900));
    }
}
