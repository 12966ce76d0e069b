//! What can go wrong between two nodes, and the codes that say so on the wire.

use std::net::SocketAddr;

use quinn::{ConnectionError, ReadError, ReadExactError, VarInt, WriteError};

/// Codes of resets and stops that the multiplexer itself uses (handlers' own codes are below 0x100).
pub(super) mod code {
    /// The preamble's version is not known.
    pub(crate) const VERSION: u32 = 0x100;
    /// No handler is registered for the kind.
    pub(crate) const KIND: u32 = 0x101;
    /// A frame is over its limit.
    pub(crate) const TOO_LARGE: u32 = 0x102;
    /// The stream did not begin with a preamble in time, or a frame was cut short.
    pub(crate) const MALFORMED: u32 = 0x103;
    /// The handler died.
    pub(crate) const DIED: u32 = 0x104;
    /// The one who asked no longer wants the answer.
    pub(crate) const CANCELLED: u32 = 0x105;
}

/// Codes of closed connections.
pub(super) mod close {
    /// The node shuts down.
    pub(crate) const LEAVING: u32 = 0;
    /// The node is not in the roster, or its key is another.
    pub(crate) const NOT_A_MEMBER: u32 = 0x200;
    /// No client certificate, or an ALPN that is not served.
    pub(crate) const NO_CERTIFICATE: u32 = 0x201;
    /// Replaced by a newer connection or address.
    pub(crate) const REPLACED: u32 = 0x202;
    /// Too many at once.
    pub(crate) const BUSY: u32 = 0x203;
    /// The server's key is not the roster's.
    pub(crate) const WRONG_KEY: u32 = 0x204;
}

/// Why a peer could not be asked, or did not answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PeerError {
    /// The node id is not in the roster.
    #[error("node {0} is not a member of the cluster")]
    NotAMember(u64),
    /// No connection; nothing was sent.
    #[error("node {to} at {addr} cannot be reached: {reason}")]
    Unreachable {
        /// The node asked for.
        to: u64,
        /// Where it should be.
        addr: SocketAddr,
        /// What happened.
        reason: String,
    },
    /// The peer refused this node: it is not in the peer's roster (any more), or its certificate is not good.
    #[error("the peer refused this node: {0}")]
    RefusedUs(String),
    /// The connection was lost after something may have been sent.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The peer does not know this version of the preamble.
    #[error("the peer does not speak this version of the peer protocol")]
    UnknownVersion,
    /// The peer has no handler for the kind (older, or still starting).
    #[error("the peer does not serve streams of this kind")]
    UnknownKind,
    /// A frame is over its limit, here or there.
    #[error("a frame is over the limit of {limit} bytes")]
    TooLarge {
        /// The limit, bytes; 0 where the peer said so.
        limit: usize,
    },
    /// The peer reset the stream with a code of the kind's own.
    #[error("the peer reset the stream with code {0:#x}")]
    Reset(u32),
    /// A frame that cannot be read.
    #[error("malformed frame: {0}")]
    Malformed(String),
    /// The handler there answered with an error.
    #[error("the peer answered: {0}")]
    Remote(String),
    /// No answer in time; the peer may have acted.
    #[error("no answer within {0} ms")]
    Timeout(u64),
    /// This endpoint is closed.
    #[error("the peers endpoint is closed")]
    Closed,
}

impl PeerError {
    /// Whether provably nothing of the request was acted upon, so that it may be sent elsewhere.
    pub fn unsent(&self) -> bool {
        matches!(
            self,
            PeerError::NotAMember(_)
                | PeerError::Unreachable { .. }
                | PeerError::RefusedUs(_)
                | PeerError::UnknownVersion
                | PeerError::UnknownKind
                | PeerError::Closed
        )
    }

    /// Whether a reset's code says that the multiplexer there did not hand the stream to any handler.
    pub fn unread(raw: u32) -> bool {
        matches!(raw, code::VERSION | code::KIND)
    }

    pub(super) fn of_code(raw: VarInt) -> Self {
        match u32::try_from(raw.into_inner()) {
            Ok(code::VERSION) => PeerError::UnknownVersion,
            Ok(code::KIND) => PeerError::UnknownKind,
            Ok(code::TOO_LARGE) => PeerError::TooLarge { limit: 0 },
            Ok(code::MALFORMED) => PeerError::Malformed("the peer could not read our frame".into()),
            Ok(code::DIED) => PeerError::Remote("the handler died".into()),
            Ok(other) => PeerError::Reset(other),
            Err(_) => PeerError::Reset(u32::MAX),
        }
    }
}

impl From<ConnectionError> for PeerError {
    fn from(e: ConnectionError) -> Self {
        match &e {
            ConnectionError::LocallyClosed => PeerError::Closed,
            ConnectionError::ApplicationClosed(c) => match u32::try_from(c.error_code.into_inner()) {
                Ok(close::NOT_A_MEMBER | close::NO_CERTIFICATE | close::BUSY) => {
                    PeerError::RefusedUs(String::from_utf8_lossy(&c.reason).into_owned())
                }
                _ => PeerError::Lost(e.to_string()),
            },
            // The other side's TLS stack judged our certificate (alert 42 … 49 as QUIC crypto errors).
            ConnectionError::ConnectionClosed(c) if (0x12a..=0x131).contains(&u64::from(c.error_code)) => {
                PeerError::RefusedUs(e.to_string())
            }
            _ => PeerError::Lost(e.to_string()),
        }
    }
}

impl From<WriteError> for PeerError {
    fn from(e: WriteError) -> Self {
        match e {
            WriteError::Stopped(code) => PeerError::of_code(code),
            WriteError::ConnectionLost(e) => e.into(),
            WriteError::ClosedStream => PeerError::Lost("the stream is closed".into()),
            WriteError::ZeroRttRejected => PeerError::Lost("0-RTT rejected".into()),
        }
    }
}

impl From<ReadError> for PeerError {
    fn from(e: ReadError) -> Self {
        match e {
            ReadError::Reset(code) => PeerError::of_code(code),
            ReadError::ConnectionLost(e) => e.into(),
            other => PeerError::Lost(other.to_string()),
        }
    }
}

impl From<ReadExactError> for PeerError {
    fn from(e: ReadExactError) -> Self {
        match e {
            ReadExactError::FinishedEarly(n) => PeerError::Malformed(format!("the stream ended after {n} bytes")),
            ReadExactError::ReadError(e) => e.into(),
        }
    }
}
