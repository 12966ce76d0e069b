//! The head of an answer, and where its body ends (RFC 9112 §6.3, read strictly).
//!
//! What may be read in two ways is an error: two lengths, a length beside a transfer coding, a coding that is not plain
//! `chunked`, a bare line feed, a folded line.

use super::{Limits, chunks::Chunks};
use crate::net::http::upstream::UpstreamError;
use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use std::mem::MaybeUninit;

/// Headers of an answer that are parsed without an allocation.
const USUAL: usize = 100;

/// How a body ends.
#[derive(Debug)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// With its last chunk.
    Chunked(Chunks),
    /// When the backend closes.
    Close,
}

/// An answer's head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    /// Whether the connection may carry another exchange.
    pub(super) keep: bool,
}

/// Whether a head may end in `buf`, of which `seen` bytes were looked at before: so that one that comes byte by byte is
/// not parsed as often.
pub(super) fn may_end(buf: &[u8], seen: usize) -> bool {
    seen == 0 || buf[seen.saturating_sub(2).min(buf.len())..].windows(2).any(|two| two == b"\n\r" || two == b"\n\n")
}

/// Where a header's name and value begin and end in the head.
type Place = [usize; 4];

/// Takes the head off `buf` when it is whole.
pub(super) fn head(buf: &mut BytesMut, limits: Limits, bodyless: bool) -> Result<Option<Head>, UpstreamError> {
    if limits.headers <= USUAL {
        let mut slots = [const { MaybeUninit::uninit() }; USUAL];
        let mut places = [Place::default(); USUAL];
        let found = places_of(buf, &mut slots[..limits.headers], &mut places)?;
        return found.map(|found| take(buf, &found, &places, limits, bodyless)).transpose();
    }
    let mut slots = vec![MaybeUninit::uninit(); limits.headers];
    let mut places = vec![Place::default(); limits.headers];
    let found = places_of(buf, &mut slots, &mut places)?;
    found.map(|found| take(buf, &found, &places, limits, bodyless)).transpose()
}

struct Found {
    length: usize,
    status: u16,
    old: bool,
    count: usize,
}

fn invalid(why: &'static str) -> UpstreamError {
    UpstreamError::Invalid { why }
}

/// Parses the head and notes where its headers are.
fn places_of<'b>(
    buf: &'b [u8],
    slots: &mut [MaybeUninit<httparse::Header<'b>>],
    places: &mut [Place],
) -> Result<Option<Found>, UpstreamError> {
    // The parser would skip blank lines: bytes behind the last answer.
    if !buf.starts_with(b"HTTP/1.") && !b"HTTP/1.".starts_with(buf) {
        return Err(invalid("not an HTTP/1 answer"));
    }
    let mut answer = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut answer, buf, slots);
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(invalid("too many headers")),
        Err(_) => return Err(invalid("a malformed head")),
    };
    let (Some(status), Some(version)) = (answer.code, answer.version) else { return Err(invalid("no status")) };
    let base = buf.as_ptr() as usize;
    // Names and values hold no line feed, so every line ends just before a name, or at the head's end.
    let ends_well = |at: usize| at >= 2 && buf[at - 2..at] == *b"\r\n";
    for (header, place) in answer.headers.iter().zip(&mut *places) {
        let (name, value) = (header.name.as_ptr() as usize - base, header.value.as_ptr() as usize - base);
        if !ends_well(name) {
            return Err(invalid("a bare line feed"));
        }
        *place = [name, name + header.name.len(), value, value + header.value.len()];
    }
    if !ends_well(length) || !ends_well(length - 2) {
        return Err(invalid("a bare line feed"));
    }
    Ok(Some(Found { length, status, old: version == 0, count: answer.headers.len() }))
}

/// Splits the head off and makes headers of it, without copying values.
fn take(
    buf: &mut BytesMut,
    found: &Found,
    places: &[Place],
    limits: Limits,
    bodyless: bool,
) -> Result<Head, UpstreamError> {
    if found.length > limits.head_bytes {
        return Err(UpstreamError::HeadTooLong { limit: limits.head_bytes });
    }
    let status = StatusCode::from_u16(found.status).map_err(|_| invalid("no such status"))?;
    let head = buf.split_to(found.length).freeze();
    let mut headers = HeaderMap::with_capacity(found.count);
    let mut claims = Claims::default();
    for [name, name_end, value, value_end] in &places[..found.count] {
        let name = HeaderName::from_bytes(&head[*name..*name_end]).map_err(|_| invalid("a malformed name"))?;
        let value = head.slice(*value..*value_end);
        claims.hear(&name, &value)?;
        let value = HeaderValue::from_maybe_shared(value).map_err(|_| invalid("a malformed value"))?;
        headers.append(name, value);
    }
    let (framing, keep) = claims.settle(status, found.old, bodyless)?;
    Ok(Head { status, headers, framing, keep })
}

/// What the headers say about the body's end and the connection's.
#[derive(Debug, Default)]
struct Claims {
    length: Option<u64>,
    chunked: bool,
    close: bool,
}

impl Claims {
    fn hear(&mut self, name: &HeaderName, value: &Bytes) -> Result<(), UpstreamError> {
        match *name {
            header::CONTENT_LENGTH => {
                if self.length.is_some() {
                    return Err(invalid("two lengths"));
                }
                self.length = Some(decimal(value).ok_or_else(|| invalid("a malformed length"))?);
            }
            header::TRANSFER_ENCODING => {
                if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(invalid("a transfer coding that is not chunked"));
                }
                self.chunked = true;
            }
            header::CONNECTION => {
                let close = |option: &[u8]| option.trim_ascii().eq_ignore_ascii_case(b"close");
                self.close |= value.split(|byte| *byte == b',').any(close);
            }
            _ => {}
        }
        Ok(())
    }

    fn settle(self, status: StatusCode, old: bool, bodyless: bool) -> Result<(Framing, bool), UpstreamError> {
        // HTTP/1.0 keeps connections by an extension that proxies get wrong: one answer each.
        let keep = !self.close && !old;
        if self.chunked && (old || self.length.is_some()) {
            return Err(invalid("a transfer coding beside a length, or in HTTP/1.0"));
        }
        if bodyless || status.is_informational() || matches!(status.as_u16(), 204 | 304) {
            return Ok((Framing::Length(0), keep));
        }
        Ok(match self.length {
            _ if self.chunked => (Framing::Chunked(Chunks::default()), keep),
            Some(length) => (Framing::Length(length), keep),
            None => (Framing::Close, false),
        })
    }
}

/// Digits alone: no sign, no list, no blank.
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 20 {
        return None;
    }
    text.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { head_bytes: 16_384, headers: 100, read_bytes: 8_192 };

    fn read(text: &str) -> Result<Option<Head>, UpstreamError> {
        head(&mut BytesMut::from(text), LIMITS, false)
    }

    fn framing(headers: &str) -> String {
        match read(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n")) {
            Ok(Some(head)) => match head.framing {
                Framing::Length(length) => format!("{length} keep={}", head.keep),
                Framing::Chunked(_) => format!("chunked keep={}", head.keep),
                Framing::Close => format!("close keep={}", head.keep),
            },
            Ok(None) => "partial".into(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn a_body_ends_in_one_way_or_the_answer_is_none() {
        for (headers, wanted) in [
            ("Content-Length: 5\r\n", "5 keep=true"),
            ("content-length:5\r\nConnection: keep-alive, Close\r\n", "5 keep=false"),
            ("Content-Length: 18446744073709551615\r\n", "18446744073709551615 keep=true"),
            ("Transfer-Encoding: Chunked\r\n", "chunked keep=true"),
            ("", "close keep=false"),
        ] {
            assert_eq!(framing(headers), wanted, "{headers}");
        }
        for bad in [
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: -5\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length: 5 5\r\n",
            "Content-Length:\r\n",
            "Content-Length: 18446744073709551616\r\n",
            "Content-Length: 000000000000000000005\r\n",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding:\r\n",
            "A: b\r\n c\r\n",
            "A : b\r\n",
            "A: b\nC: d\r\n",
            "A: b\0c\r\n",
            "A: b\rc\r\n",
            ": b\r\n",
            "A\r\n",
        ] {
            assert!(framing(bad).starts_with("error"), "{bad:?}: {}", framing(bad));
        }
    }

    #[test]
    fn only_a_whole_head_is_taken_and_what_follows_stays() {
        let whole = "HTTP/1.1 204 No Content\r\nA: b\r\nX: \x20 c \r\n\r\n";
        for cut in 0..whole.len() {
            assert!(read(&whole[..cut]).expect("a beginning").is_none(), "cut at {cut}");
            let ends = (1..cut).any(|seen| may_end(&whole.as_bytes()[..cut], seen));
            assert!(!ends || cut > whole.len() - 2, "cut at {cut}");
        }
        assert!((1..whole.len()).all(|seen| may_end(whole.as_bytes(), seen)));
        let mut buf = BytesMut::from(&*format!("{whole}rest"));
        let found = head(&mut buf, LIMITS, false).expect("valid").expect("whole");
        assert_eq!(
            (found.status.as_u16(), &found.headers["x"], &buf[..]),
            (204, &HeaderValue::from_static("c"), &b"rest"[..])
        );
    }

    #[test]
    fn what_is_no_answer_is_refused_at_once() {
        for bad in [
            "220 smtp ready\r\n",
            "\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 200 OK\nA: b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n\n",
            "HTTP/1.1 200 OK\n\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        let many: String = (0..101).map(|n| format!("a{n}: b\r\n")).collect();
        assert!(framing(&many).contains("too many headers"));
        assert!(framing(&format!("a: {}\r\n", "y".repeat(20_000))).contains("longer"));
    }

    #[test]
    fn answers_that_have_no_body_have_none_whatever_they_say() {
        for status in [204, 304] {
            let text = format!("HTTP/1.1 {status} X\r\nContent-Length: 5\r\n\r\n");
            assert!(matches!(read(&text).expect("valid").expect("whole").framing, Framing::Length(0)));
        }
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        let to_head = head(&mut BytesMut::from(text), LIMITS, true).expect("valid").expect("whole");
        assert!(matches!(to_head.framing, Framing::Length(0)));
        assert_eq!(to_head.headers["content-length"], "5");
    }
}
