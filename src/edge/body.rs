//! A body that comes across the cut, in either direction, as an `http_body::Body`.

use std::{
    pin::{Pin, pin},
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use quinn::{ReadError, RecvStream, VarInt};

use super::{
    CutError,
    wire::{self, BodyHint, End, Header, frame},
};

/// Bytes taken from QUIC at once.
const READ: usize = 128 << 10;

/// What stands in a stream next.
#[derive(Debug)]
pub(super) enum Piece {
    /// Some bytes of a body, as they came.
    Data(Bytes),
    /// A whole frame of another type.
    Frame(u8, Bytes),
    /// The stream's end.
    Fin,
}

enum At {
    Header,
    Data(usize),
    Payload(u8, usize),
}

/// Reads frames from a stream; DATA without a copy.
pub(super) struct FrameReader {
    recv: RecvStream,
    chunk: Bytes,
    small: BytesMut,
    at: At,
}

impl FrameReader {
    pub(super) fn new(recv: RecvStream) -> Self {
        Self { recv, chunk: Bytes::new(), small: BytesMut::new(), at: At::Header }
    }

    pub(super) fn stop(&mut self, code: u32) {
        let _ = self.recv.stop(VarInt::from_u32(code));
    }

    /// More bytes into `chunk`; false at the stream's end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, CutError>> {
        match ready!(pin!(self.recv.read_chunk(READ, true)).poll(cx)) {
            Ok(Some(chunk)) => {
                self.chunk = chunk.bytes;
                Poll::Ready(Ok(true))
            }
            Ok(None) => Poll::Ready(Ok(false)),
            Err(ReadError::Reset(code)) => {
                Poll::Ready(Err(CutError::Reset(u32::try_from(code.into_inner()).unwrap_or(u32::MAX))))
            }
            Err(e) => Poll::Ready(Err(CutError::Lost(e.to_string()))),
        }
    }

    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, CutError>> {
        loop {
            if self.chunk.is_empty() && !matches!(self.at, At::Payload(_, 0)) && !ready!(self.poll_fill(cx))? {
                let between = matches!(self.at, At::Header) && self.small.is_empty();
                return Poll::Ready(if between { Ok(Piece::Fin) } else { Err(CutError::Truncated) });
            }
            match &mut self.at {
                At::Header => {
                    self.small.put_u8(self.chunk.get_u8());
                    match wire::take_header(&mut self.small)? {
                        Some((frame::DATA, 0)) | None => {}
                        Some((frame::DATA, length)) => self.at = At::Data(length),
                        Some((kind, length)) => self.at = At::Payload(kind, length),
                    }
                }
                At::Data(left) => {
                    let data = self.chunk.split_to(self.chunk.len().min(*left));
                    *left -= data.len();
                    if *left == 0 {
                        self.at = At::Header;
                    }
                    return Poll::Ready(Ok(Piece::Data(data)));
                }
                At::Payload(kind, left) => {
                    let some = self.chunk.split_to(self.chunk.len().min(*left));
                    *left -= some.len();
                    self.small.extend_from_slice(&some);
                    if *left == 0 {
                        let kind = *kind;
                        self.at = At::Header;
                        return Poll::Ready(Ok(Piece::Frame(kind, self.small.split().freeze())));
                    }
                }
            }
        }
    }

    pub(super) async fn piece(&mut self) -> Result<Piece, CutError> {
        std::future::poll_fn(|cx| self.poll_piece(cx)).await
    }
}

/// The facts of an answer; there once its body has ended well.
#[derive(Clone, Debug, Default)]
pub struct Facts(Arc<OnceLock<End>>);

impl Facts {
    /// The END frame's content; `None` while the body is under way, or when it broke off.
    pub fn get(&self) -> Option<&End> {
        self.0.get()
    }
}

/// Work that goes on while the body is read: the upload of the request.
pub(super) trait Pump: Send {
    fn poll_pump(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CutError>>;
}

/// A body that comes across the cut. At the edge it is the answer's, and reading it also drives what is left of the
/// request's upload. Dropped before its end, it tells the other side, which stops its work.
pub struct CutBody {
    reader: FrameReader,
    ended: bool,
    left: Option<u64>,
    drop_code: u32,
    facts: Facts,
    pump: Option<Box<dyn Pump>>,
    // Lives as long as the visit does.
    _guard: Option<Box<dyn Send>>,
}

impl std::fmt::Debug for CutBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CutBody").field("ended", &self.ended).field("left", &self.left).finish_non_exhaustive()
    }
}

impl CutBody {
    pub(super) fn new(reader: FrameReader, hint: BodyHint, drop_code: u32) -> Self {
        let left = match hint {
            BodyHint::Empty => Some(0),
            BodyHint::Known(n) => Some(n),
            BodyHint::Unknown => None,
        };
        Self { reader, ended: false, left, drop_code, facts: Facts::default(), pump: None, _guard: None }
    }

    pub(super) fn with_pump(mut self, pump: Option<Box<dyn Pump>>) -> Self {
        self.pump = pump;
        self
    }

    pub(super) fn with_guard(mut self, guard: Box<dyn Send>) -> Self {
        self._guard = Some(guard);
        self
    }

    /// Where the facts will be.
    pub fn facts(&self) -> Facts {
        self.facts.clone()
    }

    /// Takes the END of an empty body, which comes in the same packet as the head, so that dropping the body later
    /// tells nobody anything, and its facts are there.
    pub(super) fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.left == Some(0) && !self.ended {
            let _ = ready!(self.poll_body(cx));
        }
        Poll::Ready(())
    }

    fn end(&mut self, cx: &mut Context<'_>) {
        self.ended = true;
        // The FIN mostly comes with END; once it is seen, QUIC forgets the stream without another word.
        let _ = self.reader.poll_fill(cx);
    }

    fn took(&mut self, length: usize) -> Result<(), CutError> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(length as u64).ok_or(CutError::Length)?;
        }
        Ok(())
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match ready!(self.reader.poll_piece(cx))? {
            Piece::Data(data) => {
                self.took(data.len())?;
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Piece::Frame(frame::TRAILERS, payload) => {
                let list: Vec<Header> = wire::read(&payload)?;
                Poll::Ready(Some(Ok(Frame::trailers(wire::to_map(&list)?))))
            }
            Piece::Frame(frame::END, payload) => {
                if self.left.is_some_and(|left| left > 0) {
                    return Poll::Ready(Some(Err(CutError::Length)));
                }
                if !payload.is_empty() {
                    let _ = self.facts.0.set(wire::read(&payload)?);
                }
                self.end(cx);
                Poll::Ready(None)
            }
            Piece::Frame(kind, _) => Poll::Ready(Some(Err(wire::WireError::Unexpected(kind).into()))),
            Piece::Fin => Poll::Ready(Some(Err(CutError::Truncated))),
        }
    }
}

impl Body for CutBody {
    type Data = Bytes;
    type Error = CutError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Some(pump) = &mut self.pump
            && pump.poll_pump(cx).is_ready()
        {
            // Whatever ended the upload, the answer says how it went on.
            self.pump = None;
        }
        self.poll_body(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

impl Drop for CutBody {
    fn drop(&mut self) {
        if !self.ended {
            self.reader.stop(self.drop_code);
        }
    }
}
