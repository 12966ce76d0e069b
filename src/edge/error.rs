//! What can go wrong on a stream across the cut.

use super::wire::{WireError, code};

/// A stream across the cut broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CutError {
    /// The stream ended before its END frame.
    #[error("the other side stopped in the middle")]
    Truncated,
    /// The other side reset or stopped the stream with this code ([`code`]).
    #[error("the other side broke off with code {0:#x}")]
    Reset(u32),
    /// The connection is gone.
    #[error("the connection between edge and region was lost: {0}")]
    Lost(String),
    /// A frame that cannot be read.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The body's length is not the one that its head said.
    #[error("the body has another length than its head said")]
    Length,
    /// The body that was to be sent broke on this side.
    #[error("the body broke off: {0}")]
    Body(String),
    /// The time left ran out.
    #[error("the time left for the visit ran out")]
    Deadline,
    /// The edge no longer wants the answer: its client went away.
    #[error("the client went away")]
    Gone,
}

impl CutError {
    /// Whether the other side said that nothing was processed.
    pub fn unprocessed(&self) -> bool {
        matches!(self, CutError::Reset(c) if code::unprocessed(*c))
    }
}
