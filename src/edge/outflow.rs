//! Writing a body across the cut, with the back-pressure of the stream.

use std::{
    collections::VecDeque,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::Body;
use quinn::{SendStream, VarInt, WriteError};

use super::{
    CutError,
    body::Pump,
    wire::{self, DATA_LIMIT, Header, frame},
};

/// Bytes queued here before the source is left alone.
const QUEUE: usize = 64 << 10;

/// A send half that resets the stream when it is dropped unfinished: a dropped `SendStream` would look like an end.
pub(super) struct Sink {
    send: SendStream,
    queue: VecDeque<Bytes>,
    queued: usize,
    finished: bool,
    drop_code: u32,
}

impl Sink {
    pub(super) fn new(send: SendStream, drop_code: u32) -> Self {
        Self { send, queue: VecDeque::new(), queued: 0, finished: false, drop_code }
    }

    pub(super) fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.queued += bytes.len();
            self.queue.push_back(bytes);
        }
    }

    /// Bytes of a body as DATA frames.
    pub(super) fn push_data(&mut self, mut data: Bytes) {
        while !data.is_empty() {
            let part = data.split_to(data.len().min(DATA_LIMIT));
            self.push(wire::frame_header(frame::DATA, part.len()));
            self.push(part);
        }
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CutError>> {
        while !self.queue.is_empty() {
            let written = match pin!(self.send.write_chunks(self.queue.make_contiguous())).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(written)) => written,
                Poll::Ready(Err(WriteError::Stopped(code))) => {
                    return Poll::Ready(Err(CutError::Reset(u32::try_from(code.into_inner()).unwrap_or(u32::MAX))));
                }
                Poll::Ready(Err(e)) => return Poll::Ready(Err(CutError::Lost(e.to_string()))),
            };
            self.queued = self.queued.saturating_sub(written.bytes);
            self.queue.drain(..written.chunks);
        }
        Poll::Ready(Ok(()))
    }

    pub(super) async fn flush(&mut self) -> Result<(), CutError> {
        std::future::poll_fn(|cx| self.poll_flush(cx)).await
    }

    pub(super) fn finish(&mut self) {
        let _ = self.send.finish();
        self.finished = true;
    }

    pub(super) fn reset(&mut self, code: u32) {
        let _ = self.send.reset(VarInt::from_u32(code));
        self.finished = true;
    }

    /// Resolves when the other side wants no more, or is gone.
    pub(super) fn gone(&self) -> impl Future<Output = ()> + Send + use<> {
        let stopped = self.send.stopped();
        async move {
            let _ = stopped.await;
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if !self.finished {
            let _ = self.send.reset(VarInt::from_u32(self.drop_code));
        }
    }
}

/// A body on its way out.
pub(super) struct Outflow<B> {
    pub(super) source: B,
    pub(super) sink: Sink,
    ended: bool,
}

impl<B> Outflow<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    pub(super) fn new(source: B, sink: Sink) -> Self {
        Self { source, sink, ended: false }
    }

    /// Moves what can be moved; `end` makes the END frame after the body's last byte.
    pub(super) fn poll_out(
        &mut self,
        cx: &mut Context<'_>,
        end: &mut dyn FnMut() -> Result<Bytes, CutError>,
    ) -> Poll<Result<(), CutError>> {
        loop {
            // First take what the source has, so that head and first bytes leave in one packet.
            let mut waiting = false;
            while self.sink.queued < QUEUE && !self.ended && !waiting {
                match Pin::new(&mut self.source).poll_frame(cx) {
                    Poll::Pending => waiting = true,
                    Poll::Ready(None) => {
                        self.sink.push(end()?);
                        self.ended = true;
                    }
                    Poll::Ready(Some(Err(e))) => return Poll::Ready(Err(CutError::Body(e.to_string()))),
                    Poll::Ready(Some(Ok(f))) => match f.into_data() {
                        Ok(data) => self.sink.push_data(data),
                        Err(f) => {
                            if let Ok(map) = f.into_trailers() {
                                let list: Vec<Header> = wire::from_map(&map);
                                self.sink.push(wire::frame_of(frame::TRAILERS, &list)?);
                            }
                        }
                    },
                }
            }
            match self.sink.poll_flush(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Ready(Ok(())) if self.ended => {
                    self.sink.finish();
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(())) if waiting => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
            }
        }
    }
}

/// The END frame towards the region: nothing but its type.
pub(super) fn bare_end() -> Result<Bytes, CutError> {
    Ok(wire::frame_header(frame::END, 0))
}

impl<B> Pump for Outflow<B>
where
    B: Body<Data = Bytes> + Send + Unpin,
    B::Error: std::fmt::Display,
{
    fn poll_pump(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CutError>> {
        self.poll_out(cx, &mut bare_end)
    }
}
