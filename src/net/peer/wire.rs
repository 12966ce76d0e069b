//! The first bytes of every stream between nodes, and the frames of unary calls.
//!
//! ```text
//! stream   = version u8 | group u8 | kind u8 | …the kind's own bytes
//! request  = length u32 | payload                FIN
//! reply    = status u8 | length u32 | payload    FIN        status 0: the answer, 1: an error in words
//! ```

use bytes::{BufMut, Bytes, BytesMut};

/// Version of the preamble.
pub const VERSION: u8 = 1;
/// Longest preamble, bytes.
pub const PREAMBLE: usize = 3;
/// A unary reply's first byte: an answer follows.
pub const STATUS_OK: u8 = 0;
/// A unary reply's first byte: an error in words follows.
pub const STATUS_ERROR: u8 = 1;

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preamble {
    /// Format version.
    pub version: u8,
    /// Raft group, 0 where there is none.
    pub group: u8,
    /// One of [`super::kind`].
    pub kind: u8,
}

impl Preamble {
    /// The bytes on the wire.
    pub fn bytes(self) -> [u8; PREAMBLE] {
        [self.version, self.group, self.kind]
    }

    /// From the bytes on the wire.
    pub fn read([version, group, kind]: [u8; PREAMBLE]) -> Self {
        Self { version, group, kind }
    }
}

/// A unary request up to its payload, which follows uncopied.
pub fn request_header(group: u8, kind: u8, length: u32) -> Bytes {
    let mut out = BytesMut::with_capacity(PREAMBLE + 4);
    out.put_slice(&Preamble { version: VERSION, group, kind }.bytes());
    out.put_u32(length);
    out.freeze()
}

/// A unary reply up to its payload.
pub fn reply_header(status: u8, length: u32) -> Bytes {
    let mut out = BytesMut::with_capacity(5);
    out.put_u8(status);
    out.put_u32(length);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_preamble_request_and_reply_never_change() {
        assert_eq!(Preamble { version: 1, group: 2, kind: 9 }.bytes(), [1, 2, 9]);
        assert_eq!(Preamble::read([1, 2, 9]), Preamble { version: 1, group: 2, kind: 9 });
        assert_eq!(&request_header(1, 6, 0x0102)[..], [1, 1, 6, 0, 0, 1, 2]);
        assert_eq!(&reply_header(STATUS_ERROR, 3)[..], [1, 0, 0, 0, 3]);
    }
}
