//! One question, one answer: the client's side and the adapter for handlers.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use quinn::{RecvStream, SendStream, VarInt};

use super::{
    Lane, PeerError, PeerHandler, PeerNet,
    error::code,
    wire::{STATUS_ERROR, STATUS_OK, reply_header, request_header},
};

/// Longest answer of a unary call, bytes.
pub(super) const REPLY_LIMIT: usize = 64 << 20;

/// Answers unary calls of one kind.
pub trait UnaryHandler: Send + Sync {
    /// The answer, or an error in words that becomes [`PeerError::Remote`] there. Dropped when nobody waits any more.
    fn call(&self, from: u64, group: u8, payload: Bytes) -> BoxFuture<'static, Result<Bytes, String>>;
}

/// Makes a [`PeerHandler`] of a [`UnaryHandler`]; requests over `limit` bytes are refused unread.
pub struct Unary<H> {
    handler: Arc<H>,
    limit: usize,
}

impl<H: UnaryHandler> Unary<H> {
    /// For `register`.
    pub fn new(handler: Arc<H>, limit: usize) -> Arc<Self> {
        Arc::new(Self { handler, limit })
    }
}

impl<H: UnaryHandler + 'static> PeerHandler for Unary<H> {
    fn handle(&self, from: u64, group: u8, mut send: SendStream, mut recv: RecvStream) -> BoxFuture<'static, ()> {
        let (handler, limit) = (self.handler.clone(), self.limit);
        Box::pin(async move {
            let payload = match read_sized(&mut recv, limit).await {
                Ok(payload) => payload,
                Err(PeerError::TooLarge { .. }) => return reject(send, recv, code::TOO_LARGE),
                Err(_) => return reject(send, recv, code::MALFORMED),
            };
            // Whoever asked and went away stops the work here.
            let gone = send.stopped();
            let answer = tokio::select! {
                answer = handler.call(from, group, payload) => answer,
                _ = gone => return,
            };
            let _ = reply(&mut send, answer).await;
        })
    }
}

fn reject(mut send: SendStream, mut recv: RecvStream, code: u32) {
    let _ = recv.stop(VarInt::from_u32(code));
    let _ = send.reset(VarInt::from_u32(code));
}

pub(super) async fn reply(send: &mut SendStream, answer: Result<Bytes, String>) -> Result<(), PeerError> {
    let (status, payload) = match answer {
        Ok(payload) => (STATUS_OK, payload),
        Err(words) => (STATUS_ERROR, Bytes::from(words)),
    };
    let length = u32::try_from(payload.len()).map_err(|_| PeerError::TooLarge { limit: REPLY_LIMIT })?;
    send.write_all_chunks(&mut [reply_header(status, length), payload]).await?;
    let _ = send.finish();
    Ok(())
}

/// `length u32 | payload`.
pub(super) async fn read_sized(recv: &mut RecvStream, limit: usize) -> Result<Bytes, PeerError> {
    let mut length = [0u8; 4];
    recv.read_exact(&mut length).await?;
    let length = u32::from_be_bytes(length) as usize;
    if length > limit {
        return Err(PeerError::TooLarge { limit });
    }
    // Grows with what arrives: a length alone costs no memory.
    let mut payload = bytes::BytesMut::with_capacity(length.min(64 << 10));
    while payload.len() < length {
        match recv.read_chunk(length - payload.len(), true).await? {
            Some(chunk) => payload.extend_from_slice(&chunk.bytes),
            None => return Err(PeerError::Malformed("the stream ended inside a frame".into())),
        }
    }
    Ok(payload.freeze())
}

pub(super) async fn ask(
    net: &Arc<PeerNet>,
    to: u64,
    lane: Lane,
    kind: u8,
    group: u8,
    payload: Bytes,
) -> Result<Bytes, PeerError> {
    let length = u32::try_from(payload.len()).map_err(|_| PeerError::TooLarge { limit: u32::MAX as usize })?;
    let (mut send, recv) = net.open_bare(to, lane, kind).await?;
    let mut recv = Cancel(Some(recv));
    send.write_all_chunks(&mut [request_header(group, kind, length), payload]).await?;
    let _ = send.finish();
    let answer = read_reply(recv.stream()?).await;
    if answer.is_ok() {
        recv.0.take();
    }
    answer
}

/// `status u8 | length u32 | payload`.
pub(super) async fn read_reply(recv: &mut RecvStream) -> Result<Bytes, PeerError> {
    let mut status = [0u8; 1];
    recv.read_exact(&mut status).await?;
    let payload = read_sized(recv, REPLY_LIMIT).await?;
    match status[0] {
        STATUS_OK => Ok(payload),
        STATUS_ERROR => Err(PeerError::Remote(String::from_utf8_lossy(&payload).into_owned())),
        other => Err(PeerError::Malformed(format!("reply status {other}"))),
    }
}

/// Tells the handler there that the answer is not wanted any more, when the asking future is dropped.
struct Cancel(Option<RecvStream>);

impl Cancel {
    fn stream(&mut self) -> Result<&mut RecvStream, PeerError> {
        self.0.as_mut().ok_or(PeerError::Closed)
    }
}

impl Drop for Cancel {
    fn drop(&mut self) {
        if let Some(recv) = &mut self.0 {
            let _ = recv.stop(VarInt::from_u32(code::CANCELLED));
        }
    }
}
