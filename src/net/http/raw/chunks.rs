//! The chunked coding, read strictly: sizes of at most 16 hexadecimal digits, CRLF alone ends a line, extensions and
//! trailers are bounded, looked over and dropped.

use bytes::{Bytes, BytesMut};

/// A line with a chunk's size and extensions, bytes.
const LINE_BYTES: usize = 4 * 1024;
/// All trailers together, bytes.
const TRAILER_BYTES: usize = 16 * 1024;
/// Trailers.
const TRAILERS: usize = 64;

/// Where in the coding a reader is.
#[derive(Debug, Default)]
pub(super) enum Chunks {
    /// Before a size.
    #[default]
    Size,
    /// So many bytes of a chunk are yet to come.
    Data(u64),
    /// Before the line end behind a chunk.
    End,
    /// Behind the last chunk.
    Trailers,
    /// Behind everything.
    Done,
}

/// What the bytes at hand come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Bytes of the body.
    Data(Bytes),
    /// Nothing yet: more must be read.
    More,
    /// The body has ended.
    Done,
}

impl Chunks {
    /// Takes what it can off `buf`; the error says what is wrong.
    pub(super) fn step(&mut self, buf: &mut BytesMut) -> Result<Step, &'static str> {
        loop {
            match self {
                Chunks::Size => {
                    let Some(line) = line(buf, LINE_BYTES, "a chunk's size line is too long")? else {
                        return Ok(Step::More);
                    };
                    *self = match size(&line)? {
                        0 => Chunks::Trailers,
                        size => Chunks::Data(size),
                    };
                }
                Chunks::Data(_) if buf.is_empty() => return Ok(Step::More),
                Chunks::Data(left) => {
                    let here = usize::try_from(*left).map_or(buf.len(), |left| left.min(buf.len()));
                    *left -= here as u64;
                    let data = buf.split_to(here).freeze();
                    if *left == 0 {
                        *self = Chunks::End;
                    }
                    return Ok(Step::Data(data));
                }
                Chunks::End => match buf.get(..2) {
                    Some(b"\r\n") => {
                        let _ = buf.split_to(2);
                        *self = Chunks::Size;
                    }
                    None if matches!(buf.first(), None | Some(b'\r')) => return Ok(Step::More),
                    _ => return Err("a chunk is longer than its size"),
                },
                Chunks::Trailers => {
                    if !trailers(buf)? {
                        return Ok(Step::More);
                    }
                    *self = Chunks::Done;
                }
                Chunks::Done => return Ok(Step::Done),
            }
        }
    }
}

/// Takes a line off, without its CRLF.
fn line(buf: &mut BytesMut, limit: usize, long: &'static str) -> Result<Option<Bytes>, &'static str> {
    let Some(end) = buf.iter().take(limit).position(|byte| *byte == b'\n') else {
        return if buf.len() >= limit { Err(long) } else { Ok(None) };
    };
    let mut line = buf.split_to(end + 1);
    if end == 0 || line[end - 1] != b'\r' {
        return Err("a bare line feed in the chunked coding");
    }
    line.truncate(end - 1);
    Ok(Some(line.freeze()))
}

/// `1*HEXDIG [ blanks ] [ ";" extension ]`
fn size(line: &[u8]) -> Result<u64, &'static str> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let rest = line[digits..].trim_ascii_start();
    let fits = (1..=16).contains(&digits);
    let extended = rest.is_empty() && line.len() == digits || rest.first() == Some(&b';');
    let harmless = rest.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..));
    if !fits || !extended || !harmless {
        return Err("a malformed chunk size");
    }
    let text = std::str::from_utf8(&line[..digits]).map_err(|_| "a malformed chunk size")?;
    u64::from_str_radix(text, 16).map_err(|_| "a malformed chunk size")
}

/// Takes the trailers off when they are whole.
fn trailers(buf: &mut BytesMut) -> Result<bool, &'static str> {
    if buf.starts_with(b"\r\n") {
        let _ = buf.split_to(2);
        return Ok(true);
    }
    let Some(end) = buf.windows(4).take(TRAILER_BYTES).position(|four| four == b"\r\n\r\n") else {
        return if buf.len() >= TRAILER_BYTES { Err("the trailers are too long") } else { Ok(false) };
    };
    let block = buf.split_to(end + 4);
    if (1..block.len()).any(|at| block[at] == b'\n' && block[at - 1] != b'\r') || block[0] == b'\n' {
        return Err("a bare line feed in the trailers");
    }
    let mut slots = [httparse::EMPTY_HEADER; TRAILERS];
    match httparse::parse_headers(&block, &mut slots) {
        Ok(httparse::Status::Complete((length, _))) if length == block.len() => Ok(true),
        _ => Err("malformed trailers"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body and what is left behind it.
    type Whole = (Vec<u8>, Vec<u8>);

    /// `None` when it is not whole.
    fn read(pieces: &[&[u8]]) -> Result<Option<Whole>, &'static str> {
        let (mut chunks, mut buf, mut body) = (Chunks::default(), BytesMut::new(), Vec::new());
        for piece in pieces {
            buf.extend_from_slice(piece);
            loop {
                match chunks.step(&mut buf)? {
                    Step::Data(data) => body.extend_from_slice(&data),
                    Step::More => break,
                    Step::Done => return Ok(Some((body, buf.to_vec()))),
                }
            }
        }
        Ok(None)
    }

    #[test]
    fn chunks_are_put_together_however_they_are_cut() {
        let whole =
            b"5\r\nhello\r\n0006;a=\"b\" ; c\r\n world\r\nA \t;x\r\n0123456789\r\n0\r\nX-T: v\r\nY:\r\n\r\nleft";
        let wanted = Ok(Some((b"hello world0123456789".to_vec(), b"left".to_vec())));
        assert_eq!(read(&[whole]), wanted);
        let end = whole.len() - 4;
        for at in 0..end {
            assert_eq!(read(&[&whole[..at]]), Ok(None), "cut at {at}");
            assert_eq!(read(&[&whole[..at], &whole[at..]]), wanted, "cut at {at}");
        }
        let single: Vec<&[u8]> = whole[..end].chunks(1).collect();
        assert_eq!(read(&single), Ok(Some((b"hello world0123456789".to_vec(), Vec::new()))));
    }

    #[test]
    fn what_two_readers_might_read_differently_is_an_error() {
        for bad in [
            &b"\r\n"[..],
            b"g\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b"0x5\r\nhello\r\n",
            b" 5\r\nhello\r\n",
            b"5 \r\nhello\r\n",
            b"5\nhello\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"5\r\nhelloX\r\n",
            b"5\r\nhello\rX",
            b"ffffffffffffffff0\r\n",
            b"00000000000000005\r\nhello\r\n",
            b"5;a\nb\r\nhello\r\n",
            b"5;a\0b\r\nhello\r\n",
            b"5 a\r\nhello\r\n",
            b"0\r\nA : b\r\n\r\n",
            b"0\r\nA: b\nC: d\r\n\r\n",
            b"0\r\n\nA: b\r\n\r\n",
            b"0\r\nA: b\r\n c\r\n\r\n",
            b"0\r\nA: b\0\r\n\r\n",
            b"0\r\nnonsense\r\n\r\n",
        ] {
            assert!(read(&[bad]).is_err(), "{:?}: {:?}", String::from_utf8_lossy(bad), read(&[bad]));
        }
    }

    #[test]
    fn sizes_extensions_and_trailers_have_limits() {
        let long = vec![b'x'; LINE_BYTES + 1];
        assert!(read(&[b"5;", &long]).is_err());
        assert!(read(&[b"0\r\nA: ", &vec![b'x'; TRAILER_BYTES + 1]]).is_err());
        let many = "a: b\r\n".repeat(TRAILERS + 1);
        assert!(read(&[b"0\r\n", many.as_bytes(), b"\r\n"]).is_err());
        assert_eq!(read(&[b"ffffffffffffffff\r\nabc"]), Ok(None));
    }
}
