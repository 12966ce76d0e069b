//! `application/vnd.amazon.eventstream`: frames with typed headers and two checksums, as Lambda streams answers.
//!
//! ```text
//! length of all, 4 │ length of headers, 4 │ CRC-32 of both, 4 │ headers │ payload │ CRC-32 of all before, 4
//! ```
//! Source: "Event stream encoding" of the AWS documentation; numbers are big-endian.

use bytes::{Buf, Bytes, BytesMut};

const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;
/// The longest frame that is read, bytes: Lambda's chunks are a few megabytes at most.
pub const MOST_BYTES: usize = 16 << 20;
/// Bytes of headers in one frame at most, as the encoding says.
const MOST_HEADER_BYTES: usize = 128 << 10;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Headers that are texts; others are passed over.
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// What it carries.
    pub payload: Bytes,
}

impl Frame {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| **known == *name).map(|(_, value)| &**value)
    }
}

/// Why bytes are no frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Lengths that do not fit each other, or a frame beyond [`MOST_BYTES`].
    #[error("a frame's lengths cannot be true")]
    Lengths,
    /// The checksum of the lengths is another.
    #[error("the checksum of a frame's lengths is wrong")]
    PreludeChecksum,
    /// The checksum of the frame is another.
    #[error("the checksum of a frame is wrong")]
    Checksum,
    /// Headers that end in their midst, or of no known type.
    #[error("a frame's headers cannot be read")]
    Headers,
}

/// Makes frames of bytes as they come.
#[derive(Debug, Default)]
pub struct Decoder {
    held: BytesMut,
}

impl Decoder {
    /// Takes bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// Whether a frame has begun and not ended.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        !self.held.is_empty()
    }

    /// The next whole frame, if it is here.
    ///
    /// # Errors
    /// What came is no frame; nothing after it can be read.
    pub fn take(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(prelude) = self.held.get(..PRELUDE) else { return Ok(None) };
        let number = |at: usize| u32::from_be_bytes([prelude[at], prelude[at + 1], prelude[at + 2], prelude[at + 3]]);
        let (total, headers) = (number(0) as usize, number(4) as usize);
        if crc32fast::hash(&prelude[..8]) != number(8) {
            return Err(FrameError::PreludeChecksum);
        }
        let least = PRELUDE + CHECKSUM;
        if total > MOST_BYTES || headers > MOST_HEADER_BYTES || total < least || headers > total - least {
            return Err(FrameError::Lengths);
        }
        if self.held.len() < total {
            return Ok(None);
        }
        let mut frame = self.held.split_to(total).freeze();
        let mut end = frame.split_off(total - CHECKSUM);
        if crc32fast::hash(&frame) != end.get_u32() {
            return Err(FrameError::Checksum);
        }
        let payload = frame.split_off(PRELUDE + headers);
        let headers = read_headers(&frame[PRELUDE..]).ok_or(FrameError::Headers)?;
        Ok(Some(Frame { headers, payload }))
    }
}

fn read_headers(mut rest: &[u8]) -> Option<Vec<(Box<str>, Box<str>)>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let name = usize::from(take(&mut rest, 1)?[0]);
        let name = std::str::from_utf8(take(&mut rest, name)?).ok()?;
        match take(&mut rest, 1)?[0] {
            // Truth values.
            0 | 1 => {}
            2 => drop(take(&mut rest, 1)?),
            3 => drop(take(&mut rest, 2)?),
            4 => drop(take(&mut rest, 4)?),
            5 | 8 => drop(take(&mut rest, 8)?),
            9 => drop(take(&mut rest, 16)?),
            kind @ (6 | 7) => {
                let length = take(&mut rest, 2)?;
                let value = take(&mut rest, usize::from(u16::from_be_bytes([length[0], length[1]])))?;
                if kind == 7 {
                    found.push((name.into(), std::str::from_utf8(value).ok()?.into()));
                }
            }
            _ => return None,
        }
    }
    Some(found)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

/// A frame as bytes; `None` when its headers or its payload are too long for one.
#[must_use]
pub fn encode(headers: &[(&str, &str)], payload: &[u8]) -> Option<Vec<u8>> {
    let mut written = Vec::new();
    for (name, value) in headers {
        written.push(u8::try_from(name.len()).ok()?);
        written.extend_from_slice(name.as_bytes());
        written.push(7);
        written.extend_from_slice(&u16::try_from(value.len()).ok()?.to_be_bytes());
        written.extend_from_slice(value.as_bytes());
    }
    let total = PRELUDE + written.len() + payload.len() + CHECKSUM;
    if total > MOST_BYTES || written.len() > MOST_HEADER_BYTES {
        return None;
    }
    let mut out = Vec::with_capacity(total);
    out.extend_from_slice(&u32::try_from(total).ok()?.to_be_bytes());
    out.extend_from_slice(&u32::try_from(written.len()).ok()?.to_be_bytes());
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(&written);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documentation's example of an empty message, and one with a header and a payload.
    const EMPTY: [u8; 16] = [0, 0, 0, 0x10, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff];

    #[test]
    fn frames_are_read_however_they_are_cut() {
        assert_eq!(encode(&[], b"").expect("a frame"), EMPTY);
        let one = encode(&[(":message-type", "event"), (":event-type", "PayloadChunk")], b"hello").expect("a frame");
        let all = [&one[..], &EMPTY].concat();
        for at in 0..=all.len() {
            let mut decoder = Decoder::default();
            let mut found = Vec::new();
            for piece in [&all[..at], &all[at..]] {
                decoder.push(piece);
                while let Some(frame) = decoder.take().expect("frames") {
                    found.push(frame);
                }
            }
            assert!(!decoder.is_inside(), "cut at {at}");
            assert_eq!(found.len(), 2, "cut at {at}");
            assert_eq!((found[0].header(":event-type"), &found[0].payload[..]), (Some("PayloadChunk"), &b"hello"[..]));
        }
    }

    #[test]
    fn what_was_changed_on_its_way_is_refused() {
        let good = encode(&[("a", "b")], b"payload").expect("a frame");
        let refused = |bytes: &[u8]| {
            let mut decoder = Decoder::default();
            decoder.push(bytes);
            decoder.take()
        };
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x20;
            assert!(refused(&bad).is_err(), "byte {at}");
        }
        let mut long = Vec::new();
        long.extend_from_slice(&u32::MAX.to_be_bytes());
        long.extend_from_slice(&0u32.to_be_bytes());
        long.extend_from_slice(&crc32fast::hash(&long).to_be_bytes());
        assert_eq!(refused(&long), Err(FrameError::Lengths));
        assert!(encode(&[("a", &"x".repeat(70_000))], b"").is_none());
    }
}
