//! Connections that peers made: who may come in, and which handler gets a stream.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use quinn::{Connection, Endpoint, Incoming, RecvStream, SendStream, VarInt, crypto::rustls::HandshakeData};
use tokio::sync::Semaphore;

use super::{
    PeerNet,
    error::{close, code},
    join,
    tls::{ALPN_JOIN, ALPN_PEER, peer_of},
    wire::{PREAMBLE, Preamble, VERSION},
};

/// Handshakes at once; beyond, newcomers are refused.
const HANDSHAKES: usize = 256;
/// From here on a newcomer must show that its address is its own (a retry packet).
const RETRY_FROM: usize = 32;
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
const PREAMBLE_LIMIT: Duration = Duration::from_secs(10);

/// A member's connection: its node id, its key, the connection.
type Member = (u64, [u8; 32], Connection);

/// The connections of members, to be closed when one ceases to be.
#[derive(Default)]
pub(super) struct Accepted {
    open: Mutex<HashMap<usize, Member>>,
}

impl Accepted {
    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<usize, Member>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn keep(&self, admits: impl Fn(u64, &[u8; 32]) -> bool) {
        for (id, spki, connection) in self.open().values() {
            if !admits(*id, spki) {
                connection.close(VarInt::from_u32(close::NOT_A_MEMBER), b"not a member any more");
            }
        }
    }
}

/// Accepts until the endpoint closes.
pub(super) async fn accept(net: Weak<PeerNet>, endpoint: Endpoint) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    while let Some(incoming) = endpoint.accept().await {
        let Some(net) = net.upgrade() else { return };
        let Ok(permit) = handshakes.clone().try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        let under_way = HANDSHAKES - handshakes.available_permits();
        if under_way > RETRY_FROM && !incoming.remote_address_validated() && incoming.may_retry() {
            let _ = incoming.retry();
            continue;
        }
        let weak = Arc::downgrade(&net);
        net.handle.spawn(async move {
            let connected = tokio::time::timeout(HANDSHAKE_LIMIT, shake(incoming)).await;
            drop(permit);
            if let (Ok(Some(connection)), Some(net)) = (connected, weak.upgrade()) {
                admit(net, connection).await;
            }
        });
    }
}

async fn shake(incoming: Incoming) -> Option<Connection> {
    let from = incoming.remote_address();
    match incoming.accept() {
        Ok(connecting) => match connecting.await {
            Ok(connection) => Some(connection),
            Err(e) => {
                tracing::debug!(%from, error = %e, "handshake failed");
                None
            }
        },
        Err(e) => {
            tracing::debug!(%from, error = %e, "not accepted");
            None
        }
    }
}

fn refuse(connection: &Connection, code: u32, reason: &str) {
    tracing::info!(from = %connection.remote_address(), reason, "peer refused");
    connection.close(VarInt::from_u32(code), reason.as_bytes());
}

async fn admit(net: Arc<PeerNet>, connection: Connection) {
    let alpn = connection
        .handshake_data()
        .and_then(|d| d.downcast::<HandshakeData>().ok())
        .and_then(|d| d.protocol)
        .unwrap_or_default();
    if alpn == ALPN_JOIN {
        return match net.join_door() {
            Some(door) => join::serve(&net, door, connection).await,
            None => refuse(&connection, close::BUSY, "this node takes no joins"),
        };
    }
    if alpn != ALPN_PEER {
        return refuse(&connection, close::NO_CERTIFICATE, "this protocol is not served");
    }
    let Some((id, spki)) = peer_of(connection.peer_identity(), &net.cluster_id) else {
        return refuse(&connection, close::NO_CERTIFICATE, "a node certificate of this cluster is required");
    };
    let key = connection.stable_id();
    // Entered first, looked up after: a roster change in between still finds it.
    net.accepted.open().insert(key, (id, spki, connection.clone()));
    if net.roster.admits(id, &spki) {
        streams(&net, id, &connection).await;
    } else {
        refuse(&connection, close::NOT_A_MEMBER, "this node is not a member, or its key is another");
    }
    net.accepted.open().remove(&key);
}

async fn streams(net: &Arc<PeerNet>, from: u64, connection: &Connection) {
    let weak = Arc::downgrade(net);
    // `net` is held by the caller for the connection's life; the streams hold it only while they begin.
    while let Ok((send, recv)) = connection.accept_bi().await {
        net.handle.spawn(stream(weak.clone(), from, send, recv));
    }
}

async fn stream(net: Weak<PeerNet>, from: u64, send: SendStream, mut recv: RecvStream) {
    let mut bytes = [0u8; PREAMBLE];
    let reject = |mut send: SendStream, mut recv: RecvStream, code: u32| {
        let _ = recv.stop(VarInt::from_u32(code));
        let _ = send.reset(VarInt::from_u32(code));
    };
    match tokio::time::timeout(PREAMBLE_LIMIT, recv.read_exact(&mut bytes)).await {
        Ok(Ok(())) => {}
        _ => return reject(send, recv, code::MALFORMED),
    }
    let preamble = Preamble::read(bytes);
    if preamble.version != VERSION {
        return reject(send, recv, code::VERSION);
    }
    let Some(handler) = net.upgrade().and_then(|n| n.handler(preamble.kind)) else {
        tracing::debug!(from, kind = preamble.kind, "no handler for this kind");
        return reject(send, recv, code::KIND);
    };
    let _ = send.set_priority(super::kind::priority(preamble.kind));
    let serving = handler.handle(from, preamble.group, send, recv);
    drop(handler);
    serving.await;
}
