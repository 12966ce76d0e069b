//! What a group needs of the network: one question with one answer, and streams of frames. QUIC fills it, and a
//! simulation.

use crate::cluster::BoxFuture;
use crate::net::peer::Lane;
use bytes::Bytes;
use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

/// The most that one frame may take, in bytes.
pub(crate) const MOST_FRAME_BYTES: usize = 96 << 20;

/// A boxed future that borrows.
pub(crate) type Local<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A message that did not get through.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{cause}")]
pub(crate) struct SendError {
    /// Whether the other side provably saw nothing of it.
    pub(crate) unsent: bool,
    /// What happened.
    pub(crate) cause: String,
}

/// The sending half of a stream of frames.
pub(crate) trait Outgoing: Send {
    /// Sends one frame; waits while the other side does not read.
    fn send(&mut self, frame: Bytes) -> Local<'_, Result<(), SendError>>;
    /// Says that no frame follows.
    fn finish(&mut self);
}

/// The receiving half.
pub(crate) trait Incoming: Send {
    /// The next frame; `None` at the end.
    fn next(&mut self) -> Local<'_, Result<Option<Bytes>, SendError>>;
}

/// Both halves of a stream.
pub(crate) type Stream = (Box<dyn Outgoing>, Box<dyn Incoming>);

/// What a group's replica does with what comes in; the sender's node id is that of its certificate.
pub(crate) trait Receive: Send + Sync {
    /// Answers one question. An error in words means that the question was not understood or not acted upon.
    fn call(self: Arc<Self>, from: u64, kind: u8, body: Bytes) -> BoxFuture<Result<Bytes, String>>;
    /// Serves one stream.
    fn stream(
        self: Arc<Self>,
        from: u64,
        kind: u8,
        outgoing: Box<dyn Outgoing>,
        incoming: Box<dyn Incoming>,
    ) -> BoxFuture<()>;
}

/// The network as one node's group uses it.
pub(crate) trait Transport: Send + Sync {
    /// One question to a node, on the lane of Raft and control.
    fn call(&self, to: u64, kind: u8, group: u8, body: Bytes, within: Duration) -> BoxFuture<Result<Bytes, SendError>>;
    /// Opens a stream to a node.
    fn open(&self, to: u64, lane: Lane, kind: u8, group: u8) -> BoxFuture<Result<Stream, SendError>>;
    /// A node has stopped answering: connections to it are to be made anew.
    fn suspect(&self, to: u64);
}
