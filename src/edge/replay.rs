//! A request body that can be sent once more, as long as little of it has been read.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// What is kept for a second try, bytes.
const KEEP: usize = 64 << 10;

/// A body that remembers its first 64 KiB.
pub struct Replay<B: Body> {
    inner: B,
    error: Option<B::Error>,
    kept: Vec<Bytes>,
    kept_bytes: usize,
    next: usize,
    // More was read than is kept, or trailers were.
    lost: bool,
    keeping: bool,
    ended: bool,
}

impl<B: Body> std::fmt::Debug for Replay<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay").field("kept_bytes", &self.kept_bytes).field("lost", &self.lost).finish_non_exhaustive()
    }
}

// Nothing is pinned: the inner body is `Unpin` wherever it is polled.
impl<B: Body + Unpin> Unpin for Replay<B> {}

impl<B: Body<Data = Bytes> + Unpin> Replay<B> {
    /// Nothing of `inner` has been read yet.
    pub fn new(inner: B) -> Self {
        Self { inner, error: None, kept: Vec::new(), kept_bytes: 0, next: 0, lost: false, keeping: true, ended: false }
    }

    /// Goes back to the first byte, if that can be done.
    pub fn rewind(&mut self) -> bool {
        self.next = 0;
        !self.lost
    }

    /// Whether `rewind` would work.
    pub fn can_rewind(&self) -> bool {
        !self.lost
    }

    /// How the inner body broke, after [`super::ForwardError::ClientBody`]: the client went away, or it sent too much.
    pub fn error(&self) -> Option<&B::Error> {
        self.error.as_ref()
    }

    /// Keeps no more: the answer has begun.
    pub(super) fn forget(&mut self) {
        self.keeping = false;
        // What was read but not yet sent again stays in place.
        self.lost |= self.next > 0;
        self.kept.drain(..self.next);
        self.next = 0;
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Replay<B>
where
    B::Error: std::fmt::Display,
{
    type Data = Bytes;
    // Words; the error itself is kept for `error`.
    type Error = String;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Some(data) = self.kept.get(self.next).cloned() {
            if self.keeping {
                self.next += 1;
            } else {
                self.kept.remove(0);
            }
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let frame = match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(e)) => {
                let words = e.to_string();
                (self.lost, self.error) = (true, Some(e));
                return Poll::Ready(Some(Err(words)));
            }
            None => {
                self.ended = true;
                return Poll::Ready(None);
            }
        };
        if self.keeping {
            match frame.data_ref() {
                Some(data) if !self.lost && self.kept_bytes + data.len() <= KEEP => {
                    let data = data.clone();
                    self.kept_bytes += data.len();
                    self.kept.push(data);
                    self.next += 1;
                }
                _ => {
                    self.lost = true;
                    self.kept.clear();
                    self.next = 0;
                }
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.next >= self.kept.len() && (self.ended || self.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let ahead: u64 = self.kept.iter().skip(self.next).map(|b| b.len() as u64).sum();
        let inner = self.inner.size_hint();
        let mut hint = SizeHint::new();
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + ahead);
        }
        hint.set_lower((inner.lower() + ahead).min(hint.upper().unwrap_or(u64::MAX)));
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use http_body_util::{BodyExt, StreamBody};

    type Item = Result<Frame<Bytes>, std::convert::Infallible>;

    fn body(sizes: &[usize]) -> Replay<impl Body<Data = Bytes, Error = std::convert::Infallible> + Unpin + use<>> {
        let frames: Vec<Item> = sizes.iter().map(|n| Ok(Frame::data(Bytes::from(vec![b'x'; *n])))).collect();
        Replay::new(StreamBody::new(stream::iter(frames)))
    }

    #[tokio::test]
    async fn a_small_body_can_be_sent_again_and_a_large_one_cannot() {
        let mut small = body(&[10, 20, 30]);
        let _ = small.frame().await;
        let _ = small.frame().await;
        assert!(small.rewind());
        assert_eq!(small.collect().await.unwrap().to_bytes().len(), 60);

        let mut large = body(&[40 << 10, 40 << 10]);
        let _ = large.frame().await;
        assert!(large.can_rewind());
        let _ = large.frame().await;
        assert!(!large.rewind());
    }

    #[tokio::test]
    async fn forgetting_loses_no_byte_that_was_not_sent_again() {
        let mut b = body(&[10, 20, 30]);
        let _ = b.frame().await;
        let _ = b.frame().await;
        assert!(b.rewind());
        let _ = b.frame().await;
        b.forget();
        assert_eq!(b.collect().await.unwrap().to_bytes().len(), 50);
    }
}
