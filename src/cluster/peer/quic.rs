//! The groups' transport over the peers endpoint.

use super::transport::{Incoming, Local, MOST_FRAME_BYTES, Outgoing, Receive, SendError, Stream, Transport};
use crate::cluster::BoxFuture;
use crate::net::peer::{Lane, PeerError, PeerHandler, PeerNet, Unary, UnaryHandler, kind};
use bytes::Bytes;
use quinn::{RecvStream, SendStream};
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

/// Kinds with one answer; the most that a question may take.
const CALLS: [u8; 7] = [
    kind::RAFT_VOTE,
    kind::RAFT_PREVOTE,
    kind::RAFT_TRANSFER,
    kind::PROPOSE,
    kind::READ_INDEX,
    kind::ACTIVATED,
    kind::MEMBERSHIP,
];
const STREAMS: [u8; 2] = [kind::RAFT_APPEND, kind::RAFT_SNAPSHOT];

/// The groups' door on a node's peers endpoint: made once, shared by its groups.
pub struct PeerDoor {
    net: Arc<PeerNet>,
    groups: Arc<Groups>,
}

#[derive(Default)]
struct Groups(RwLock<BTreeMap<u8, Arc<dyn Receive>>>);

impl Groups {
    fn of(&self, group: u8) -> Option<Arc<dyn Receive>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&group).cloned()
    }
}

impl PeerDoor {
    /// Takes the kinds of Raft and of the calls around it on this endpoint.
    #[must_use]
    pub fn new(net: Arc<PeerNet>) -> Arc<Self> {
        let groups = Arc::new(Groups::default());
        for kind in CALLS {
            let calls = Calls { kind, groups: groups.clone() };
            net.register(kind, Unary::new(Arc::new(calls), MOST_FRAME_BYTES));
        }
        for kind in STREAMS {
            net.register(kind, Arc::new(Streams { kind, groups: groups.clone() }));
        }
        Arc::new(Self { net, groups })
    }

    /// The endpoint.
    #[must_use]
    pub fn net(&self) -> &Arc<PeerNet> {
        &self.net
    }

    /// What comes in for a group goes to its replica from now on.
    pub(crate) fn admit(&self, group: u8, receiver: Arc<dyn Receive>) {
        self.groups.0.write().unwrap_or_else(PoisonError::into_inner).insert(group, receiver);
    }

    /// What comes in for a group is refused from now on.
    pub(crate) fn dismiss(&self, group: u8) {
        self.groups.0.write().unwrap_or_else(PoisonError::into_inner).remove(&group);
    }
}

impl From<PeerError> for SendError {
    fn from(cause: PeerError) -> Self {
        Self { unsent: cause.unsent(), cause: cause.to_string() }
    }
}

impl Transport for PeerDoor {
    fn call(&self, to: u64, kind: u8, group: u8, body: Bytes, within: Duration) -> BoxFuture<Result<Bytes, SendError>> {
        let net = self.net.clone();
        Box::pin(async move { Ok(net.call(to, Lane::Raft, kind, group, body, within).await?) })
    }

    fn open(&self, to: u64, lane: Lane, kind: u8, group: u8) -> BoxFuture<Result<Stream, SendError>> {
        let net = self.net.clone();
        Box::pin(async move {
            let (send, recv) = net.open(to, lane, kind, group).await?;
            Ok((Box::new(Out(send)) as Box<dyn Outgoing>, Box::new(In(recv)) as Box<dyn Incoming>))
        })
    }

    fn suspect(&self, to: u64) {
        self.net.forget(to);
    }
}

fn lost(cause: impl Into<PeerError>) -> SendError {
    SendError { unsent: false, cause: cause.into().to_string() }
}

/// Frames on a QUIC stream: `length u32 | bytes`.
struct Out(SendStream);

impl Outgoing for Out {
    fn send(&mut self, frame: Bytes) -> Local<'_, Result<(), SendError>> {
        Box::pin(async move {
            let length = u32::try_from(frame.len()).ok().filter(|bytes| *bytes as usize <= MOST_FRAME_BYTES);
            let length = length.ok_or_else(|| lost(PeerError::TooLarge { limit: MOST_FRAME_BYTES }))?;
            let head = Bytes::copy_from_slice(&length.to_be_bytes());
            self.0.write_all_chunks(&mut [head, frame]).await.map_err(lost)
        })
    }

    fn finish(&mut self) {
        // An error says that the stream has ended already.
        drop(self.0.finish());
    }
}

struct In(RecvStream);

impl Incoming for In {
    fn next(&mut self) -> Local<'_, Result<Option<Bytes>, SendError>> {
        Box::pin(async move {
            let mut head = [0; 4];
            let mut filled = 0;
            while filled < head.len() {
                match self.0.read(&mut head[filled..]).await.map_err(lost)? {
                    Some(count) => filled += count,
                    None if filled == 0 => return Ok(None),
                    None => return Err(lost(PeerError::Malformed("a frame was cut".into()))),
                }
            }
            let length = u32::from_be_bytes(head) as usize;
            if length > MOST_FRAME_BYTES {
                return Err(lost(PeerError::TooLarge { limit: MOST_FRAME_BYTES }));
            }
            // Grows with what arrives: a length alone costs no memory.
            let mut frame = bytes::BytesMut::with_capacity(length.min(64 << 10));
            while frame.len() < length {
                match self.0.read_chunk(length - frame.len(), true).await.map_err(lost)? {
                    Some(chunk) => frame.extend_from_slice(&chunk.bytes),
                    None => return Err(lost(PeerError::Malformed("a frame was cut".into()))),
                }
            }
            Ok(Some(frame.freeze()))
        })
    }
}

struct Calls {
    kind: u8,
    groups: Arc<Groups>,
}

impl UnaryHandler for Calls {
    fn call(
        &self,
        from: u64,
        group: u8,
        payload: Bytes,
    ) -> futures_util::future::BoxFuture<'static, Result<Bytes, String>> {
        match self.groups.of(group) {
            Some(receiver) => receiver.call(from, self.kind, payload),
            None => Box::pin(async move { Err(format!("this node has no replica of group {group}")) }),
        }
    }
}

struct Streams {
    kind: u8,
    groups: Arc<Groups>,
}

impl PeerHandler for Streams {
    fn handle(
        &self,
        from: u64,
        group: u8,
        send: SendStream,
        recv: RecvStream,
    ) -> futures_util::future::BoxFuture<'static, ()> {
        match self.groups.of(group) {
            Some(receiver) => receiver.stream(from, self.kind, Box::new(Out(send)), Box::new(In(recv))),
            // Dropping both halves ends the stream without an answer, which the sender takes as a failure.
            None => Box::pin(async move { drop((send, recv)) }),
        }
    }
}
