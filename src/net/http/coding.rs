//! Content codings (RFC 9110 §8.4): bodies that are compressed or decompressed while they stream, a slice at a time.

use super::body::{Body, BodyError};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzDecoder, GzEncoder, ZlibDecoder, ZlibEncoder};
use http_body::{Body as _, Frame};
use std::collections::VecDeque;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Bytes that are coded before the worker may turn to others: about a third of a millisecond. Of compressed ones an
/// eighth: they may become a thousand times as many.
const SLICE: usize = 16 * 1024;
/// Bytes that come out at once, at most: a slice of zeros inflates a thousandfold.
const OUT: usize = 64 * 1024;

/// A coding that we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952
    Gzip,
    /// zlib's format (RFC 1950), which HTTP calls `deflate`
    Deflate,
}

impl Coding {
    /// By its name in `Content-Encoding` or `Accept-Encoding`.
    #[must_use]
    pub fn named(name: &str) -> Option<Coding> {
        match name {
            n if n.eq_ignore_ascii_case("gzip") || n.eq_ignore_ascii_case("x-gzip") => Some(Coding::Gzip),
            n if n.eq_ignore_ascii_case("deflate") => Some(Coding::Deflate),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
        }
    }
}

/// What is done to the bytes.
enum Coder {
    Gzip(GzEncoder<Vec<u8>>),
    Deflate(ZlibEncoder<Vec<u8>>),
    Gunzip(GzDecoder<Vec<u8>>),
    Inflate(ZlibDecoder<Vec<u8>>),
    /// Reads bytes as UTF-8; holds a letter whose end has not come.
    Text(Vec<u8>),
}

impl Coder {
    /// Takes some of `input`, at most a slice; returns how much.
    fn write(&mut self, input: &[u8], out: &mut Vec<u8>) -> std::io::Result<usize> {
        let most = if matches!(self, Coder::Gunzip(_) | Coder::Inflate(_)) { SLICE / 8 } else { SLICE };
        let slice = &input[..input.len().min(most)];
        fn coded<W: Write>(coder: &mut W, slice: &[u8]) -> std::io::Result<usize> {
            let taken = coder.write(slice)?;
            if taken == 0 && !slice.is_empty() {
                return Err(std::io::Error::other("bytes behind the end of the compressed data"));
            }
            Ok(taken)
        }
        let (taken, made) = match self {
            Coder::Gzip(coder) => (coded(coder, slice)?, coder.get_mut()),
            Coder::Deflate(coder) => (coded(coder, slice)?, coder.get_mut()),
            Coder::Gunzip(coder) => (coded(coder, slice)?, coder.get_mut()),
            Coder::Inflate(coder) => (coded(coder, slice)?, coder.get_mut()),
            Coder::Text(rest) => {
                rest.extend_from_slice(slice);
                let kept = rest.split_off(rest.len() - unfinished(rest));
                out.extend_from_slice(String::from_utf8_lossy(rest).as_bytes());
                *rest = kept;
                return Ok(slice.len());
            }
        };
        out.append(made);
        Ok(taken)
    }

    /// The last bytes; compressed data that ends too early is an error.
    fn finish(self, out: &mut Vec<u8>) -> std::io::Result<()> {
        let mut made = match self {
            Coder::Gzip(coder) => coder.finish()?,
            Coder::Deflate(coder) => coder.finish()?,
            Coder::Gunzip(coder) => coder.finish()?,
            Coder::Inflate(coder) => coder.finish()?,
            Coder::Text(rest) => String::from_utf8_lossy(&rest).into_owned().into_bytes(),
        };
        out.append(&mut made);
        Ok(())
    }
}

/// How many bytes at the end begin a letter that is not whole.
fn unfinished(bytes: &[u8]) -> usize {
    (1..=bytes.len().min(3))
        .find(|back| {
            let (lead, have) = (bytes[bytes.len() - back], *back);
            have < match lead {
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf4 => 4,
                _ => 0,
            }
        })
        .unwrap_or(0)
}

/// A body on its way through a coder.
pub struct CodedBody {
    body: Box<Body>,
    /// `None` after its end.
    coder: Option<Coder>,
    /// Bytes that have come and are not coded yet.
    input: Bytes,
    /// What came out and has not left.
    output: VecDeque<Bytes>,
    /// Trailers that came before the end.
    trailers: Option<Frame<Bytes>>,
}

impl std::fmt::Debug for CodedBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CodedBody").field("body", &self.body).finish_non_exhaustive()
    }
}

impl CodedBody {
    fn over(body: Body, coder: Coder) -> Body {
        if body.is_end_stream() {
            // Nothing is what nothing becomes, also where a coder would write a head of its own.
            return Body::Empty;
        }
        let body = Box::new(body);
        let coder = Some(coder);
        Body::Coded(Box::new(CodedBody { body, coder, input: Bytes::new(), output: VecDeque::new(), trailers: None }))
    }

    /// Compresses.
    pub(super) fn encoded(body: Body, coding: Coding) -> Body {
        // Six is what everybody uses; four costs half and gives a few percent more bytes.
        let level = Compression::new(4);
        CodedBody::over(
            body,
            match coding {
                Coding::Gzip => Coder::Gzip(GzEncoder::new(Vec::new(), level)),
                Coding::Deflate => Coder::Deflate(ZlibEncoder::new(Vec::new(), level)),
            },
        )
    }

    /// Decompresses.
    pub(super) fn decoded(body: Body, coding: Coding) -> Body {
        CodedBody::over(
            body,
            match coding {
                Coding::Gzip => Coder::Gunzip(GzDecoder::new(Vec::new())),
                Coding::Deflate => Coder::Inflate(ZlibDecoder::new(Vec::new())),
            },
        )
    }

    /// Reads as UTF-8.
    pub(super) fn as_text(body: Body) -> Body {
        CodedBody::over(body, Coder::Text(Vec::new()))
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.coder.is_none() && self.output.is_empty() && self.trailers.is_none()
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let failed = |error: std::io::Error| Poll::Ready(Some(Err(BodyError::Coding(error.to_string()))));
        loop {
            if let Some(bytes) = self.output.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            let Some(coder) = self.coder.as_mut() else {
                return Poll::Ready(self.trailers.take().map(Ok));
            };
            if !self.input.is_empty() {
                let mut out = Vec::new();
                match coder.write(&self.input, &mut out) {
                    Ok(taken) => drop(self.input.split_to(taken)),
                    Err(error) => {
                        self.coder = None;
                        return failed(error);
                    }
                }
                self.put(out);
                if self.output.is_empty() && !self.input.is_empty() {
                    // A slice is done and gave nothing: others on this worker come first.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                continue;
            }
            match std::task::ready!(Pin::new(&mut *self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.input = data,
                    Err(trailers) => self.trailers = Some(trailers),
                },
                Some(Err(error)) => {
                    self.coder = None;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    let mut out = Vec::new();
                    if let Some(coder) = self.coder.take()
                        && let Err(error) = coder.finish(&mut out)
                    {
                        return failed(error);
                    }
                    self.put(out);
                }
            }
        }
    }

    fn put(&mut self, out: Vec<u8>) {
        let mut out = Bytes::from(out);
        while !out.is_empty() {
            self.output.push_back(out.split_to(out.len().min(OUT)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn through(bytes: &[u8], step: impl Fn(Body) -> Body) -> Result<Bytes, BodyError> {
        step(Body::full(Bytes::copy_from_slice(bytes))).collect(64 << 20).await
    }

    #[tokio::test]
    async fn what_is_compressed_comes_back() {
        let long: Vec<u8> = (0..300_000u32).map(|n| (n.wrapping_mul(n) % 251) as u8).collect();
        for coding in [Coding::Gzip, Coding::Deflate] {
            for text in [&b"a"[..], b"some text", &long, &vec![0; 1_000_000]] {
                let packed = through(text, |body| body.encoded(coding)).await.expect("packed");
                let back = through(&packed, |body| body.decoded(coding)).await.expect("unpacked");
                assert!(back == text, "{coding:?}, {} bytes", text.len());
                let cut = through(&packed[..packed.len() - 1], |body| body.decoded(coding)).await;
                assert!(matches!(cut, Err(BodyError::Coding(_))), "cut short: {cut:?}");
            }
            assert!(matches!(through(b"no such thing", |body| body.decoded(coding)).await, Err(BodyError::Coding(_))));
        }
    }

    #[tokio::test]
    async fn a_bomb_is_stopped_at_the_limit_and_never_held_whole() {
        let bomb = through(&vec![0; 50 << 20], |body| body.encoded(Coding::Gzip)).await.expect("packed");
        assert!(bomb.len() < 400_000, "{}", bomb.len());
        let opened = through(&bomb, |body| body.decoded(Coding::Gzip).capped(1 << 20)).await;
        assert!(matches!(opened, Err(BodyError::TooLong { limit: 1_048_576 })), "{opened:?}");
    }

    #[tokio::test]
    async fn bytes_that_are_no_text_become_replacement_characters_wherever_they_are_cut() {
        let whole = [&b"a\xff\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z\xe2\x82"[..], b"!\xf0\x9f"].concat();
        let wanted = String::from_utf8_lossy(&whole).into_owned();
        for cut in 0..whole.len() {
            let mut coder = Coder::Text(Vec::new());
            let mut out = Vec::new();
            for part in [&whole[..cut], &whole[cut..]] {
                assert_eq!(coder.write(part, &mut out).expect("never fails"), part.len());
            }
            coder.finish(&mut out).expect("never fails");
            assert_eq!(String::from_utf8(out).expect("text"), wanted, "cut at {cut}");
        }
        let text = through(&whole, Body::as_text).await.expect("text");
        assert_eq!(text, wanted.as_bytes());
    }
}
