//! Blobs between nodes: pushed before their row is, fetched by who lacks them; in pieces, checked by whoever receives.
//!
//! ```text
//! push   → sha256[32] size:u64          ← HAVE | SEND | REFUSED
//!        → the bytes, then the end      ← STORED | REFUSED
//! fetch  → sha256[32]                   ← NONE | FOUND size:u64 the bytes
//! ```
//! Numbers are big-endian. A refusal's reason stays in the log of the node that refuses.

use super::store::{BlobError, Blobs, Digest, hex};
use crate::net::peer::{Lane, PeerError, PeerHandler, PeerNet, kind};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use quinn::{RecvStream, SendStream};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};

const HAVE: u8 = 1;
const SEND: u8 = 2;
const REFUSED: u8 = 3;
const STORED: u8 = 4;
const NONE: u8 = 5;
const FOUND: u8 = 6;

/// Bytes of one piece.
const PIECE: usize = 256 << 10;
/// Pieces between the wire and the disk.
const QUEUE: usize = 4;
/// Blobs that a node receives or sends at once; further ones wait.
const AT_ONCE: usize = 8;
/// How long the next piece may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a blob did not get across.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The other node cannot be reached, or hung up.
    #[error("the other node: {0}")]
    Peer(#[from] PeerError),
    /// The stream broke, ended early, or stood still.
    #[error("the stream: {0}")]
    Stream(String),
    /// This node cannot keep or read it.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The other node would not have it; why is in its log.
    #[error("the other node refused the blob")]
    Refused,
    /// The other node does not have it.
    #[error("the other node does not have the blob")]
    None,
}

fn broken(cause: impl std::fmt::Display) -> ExchangeError {
    ExchangeError::Stream(cause.to_string())
}

async fn soon<T, E: std::fmt::Display>(step: impl Future<Output = Result<T, E>>) -> Result<T, ExchangeError> {
    match tokio::time::timeout(PATIENCE, step).await {
        Ok(done) => done.map_err(broken),
        Err(_) => Err(broken("the next piece took too long")),
    }
}

/// Gives a blob that is here to another node; returns once it is on that node's disk.
///
/// # Errors
/// When it did not get there.
pub async fn push(peers: &Arc<PeerNet>, to: u64, blobs: &Arc<Blobs>, name: Digest) -> Result<(), ExchangeError> {
    let size = blobs.size(&name).ok_or(ExchangeError::None)?;
    let (mut send, mut recv) = peers.open(to, Lane::Snapshot, kind::BLOB_PUT, 0).await?;
    soon(send.write_all(&[name.as_slice(), &size.to_be_bytes()].concat())).await?;
    match soon(byte(&mut recv)).await? {
        HAVE => return Ok(()),
        SEND => {}
        _ => return Err(ExchangeError::Refused),
    }
    send_file(blobs, name, &mut send).await?;
    send.finish().map_err(broken)?;
    match soon(byte(&mut recv)).await? {
        STORED => Ok(()),
        _ => Err(ExchangeError::Refused),
    }
}

/// Takes a blob from another node; returns once it is on this node's disk.
///
/// # Errors
/// When it is not there, or did not come whole.
pub async fn fetch(peers: &Arc<PeerNet>, from: u64, blobs: &Arc<Blobs>, name: Digest) -> Result<(), ExchangeError> {
    let (mut send, mut recv) = peers.open(from, Lane::Snapshot, kind::BLOB_GET, 0).await?;
    soon(send.write_all(&name)).await?;
    send.finish().map_err(broken)?;
    match soon(byte(&mut recv)).await? {
        FOUND => {}
        NONE => return Err(ExchangeError::None),
        _ => return Err(ExchangeError::Refused),
    }
    let size = soon(number(&mut recv)).await?;
    receive(blobs, name, size, &mut recv).await
}

async fn byte(recv: &mut RecvStream) -> Result<u8, quinn::ReadExactError> {
    let mut bytes = [0; 1];
    recv.read_exact(&mut bytes).await.map(|()| bytes[0])
}

async fn number(recv: &mut RecvStream) -> Result<u64, quinn::ReadExactError> {
    let mut bytes = [0; 8];
    recv.read_exact(&mut bytes).await.map(|()| u64::from_be_bytes(bytes))
}

async fn name_of(recv: &mut RecvStream) -> Result<Digest, quinn::ReadExactError> {
    let mut bytes = [0; 32];
    recv.read_exact(&mut bytes).await.map(|()| bytes)
}

/// The bytes of a blob go out; the disk is read on a thread for such work.
async fn send_file(blobs: &Arc<Blobs>, name: Digest, send: &mut SendStream) -> Result<(), ExchangeError> {
    let blobs = blobs.clone();
    let read = tokio::task::spawn_blocking(move || blobs.read(&name));
    let bytes = read.await.map_err(broken)?.map_err(BlobError::from)?.ok_or(ExchangeError::None)?;
    for at in (0..bytes.len()).step_by(PIECE) {
        let piece = bytes.slice(at..bytes.len().min(at + PIECE));
        soon(send.write_chunk(piece)).await?;
    }
    Ok(())
}

/// The bytes of a blob come in; hashing and the disk are on a thread for such work.
async fn receive(blobs: &Arc<Blobs>, name: Digest, size: u64, recv: &mut RecvStream) -> Result<(), ExchangeError> {
    let (pieces, mut queue) = mpsc::channel::<Bytes>(QUEUE);
    let blobs = blobs.clone();
    let writer = tokio::task::spawn_blocking(move || {
        let mut writing = blobs.begin(name, size)?;
        while let Some(piece) = queue.blocking_recv() {
            writing.write(&piece)?;
        }
        // A stream that broke ends short of what was announced.
        writing.finish()
    });
    let mut wire = Ok(());
    loop {
        match soon(recv.read_chunk(PIECE, true)).await {
            Ok(Some(chunk)) => {
                if pieces.send(chunk.bytes).await.is_err() {
                    // The writer has given up: it knows why.
                    break;
                }
            }
            Ok(None) => break,
            Err(cause) => {
                wire = Err(cause);
                break;
            }
        }
    }
    drop(pieces);
    let kept = writer.await.map_err(broken)?;
    wire?;
    Ok(kept?)
}

/// Serves both kinds to other nodes.
pub struct BlobPeer {
    blobs: Arc<Blobs>,
    at_once: Arc<Semaphore>,
}

impl BlobPeer {
    /// For `register`, under [`kind::BLOB_PUT`] and [`kind::BLOB_GET`]: one of each.
    pub fn handlers(blobs: Arc<Blobs>) -> (Arc<dyn PeerHandler>, Arc<dyn PeerHandler>) {
        let one = || BlobPeer { blobs: blobs.clone(), at_once: Arc::new(Semaphore::new(AT_ONCE)) };
        (Arc::new(Puts(one())), Arc::new(Gets(one())))
    }
}

struct Puts(BlobPeer);
struct Gets(BlobPeer);

impl PeerHandler for Puts {
    fn handle(&self, from: u64, _group: u8, mut send: SendStream, mut recv: RecvStream) -> BoxFuture<'static, ()> {
        let (blobs, at_once) = (self.0.blobs.clone(), self.0.at_once.clone());
        Box::pin(async move {
            let Ok(_permit) = at_once.acquire().await else { return };
            let taken = take(&blobs, &mut send, &mut recv).await;
            let answer = match &taken {
                Ok(true) => STORED,
                // The first byte has said it all.
                Ok(false) => return,
                Err(cause) => {
                    tracing::warn!(from, %cause, "a blob was not taken");
                    REFUSED
                }
            };
            if soon(send.write_all(&[answer])).await.is_ok() {
                let _ = send.finish();
                // Whoever asked must read it before the stream goes.
                let _ = tokio::time::timeout(PATIENCE, send.stopped()).await;
            }
        })
    }
}

/// Whether bytes were taken: they are not where they are here already.
async fn take(blobs: &Arc<Blobs>, send: &mut SendStream, recv: &mut RecvStream) -> Result<bool, ExchangeError> {
    let name = soon(name_of(recv)).await?;
    let size = soon(number(recv)).await?;
    if size > blobs.most_each() {
        return Err(BlobError::TooLarge { most: blobs.most_each() }.into());
    }
    if blobs.size(&name) == Some(size) {
        soon(send.write_all(&[HAVE])).await?;
        send.finish().map_err(broken)?;
        return Ok(false);
    }
    soon(send.write_all(&[SEND])).await?;
    receive(blobs, name, size, recv).await?;
    Ok(true)
}

impl PeerHandler for Gets {
    fn handle(&self, from: u64, _group: u8, mut send: SendStream, mut recv: RecvStream) -> BoxFuture<'static, ()> {
        let (blobs, at_once) = (self.0.blobs.clone(), self.0.at_once.clone());
        Box::pin(async move {
            let Ok(_permit) = at_once.acquire().await else { return };
            match give(&blobs, &mut send, &mut recv).await {
                Ok(()) => drop(send.finish()),
                Err(cause) => {
                    tracing::warn!(from, %cause, "a blob was not given");
                    let _ = send.reset(quinn::VarInt::from_u32(0));
                }
            }
        })
    }
}

async fn give(blobs: &Arc<Blobs>, send: &mut SendStream, recv: &mut RecvStream) -> Result<(), ExchangeError> {
    let name = soon(name_of(recv)).await?;
    let Some(size) = blobs.size(&name) else {
        tracing::debug!(blob = hex(&name), "a blob that was asked for is not here");
        return soon(send.write_all(&[NONE])).await;
    };
    soon(send.write_all(&[[FOUND].as_slice(), &size.to_be_bytes()].concat())).await?;
    send_file(blobs, name, send).await
}

impl From<io::Error> for ExchangeError {
    fn from(cause: io::Error) -> Self {
        BlobError::from(cause).into()
    }
}
