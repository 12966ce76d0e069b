//! Connections that this node made: one per peer and lane, dialled when first needed and again when lost.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use quinn::{Connection, VarInt};
use tokio::sync::watch;

use super::{
    Lane, PeerError, PeerInfo, PeerNet,
    error::close,
    tls::{client_config, peer_of},
};
use crate::net::pki;

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// A connection that dies younger than this counts as a failed dial: the peer refused us right after the handshake.
const PROVEN_AFTER: Duration = Duration::from_secs(1);
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);

type Dialled = Option<Result<Connection, PeerError>>;

enum Slot {
    Idle,
    Dialling(watch::Receiver<Dialled>),
    Up { connection: Connection, peer: PeerInfo, since: Instant },
}

struct Line {
    slot: Slot,
    failures: u32,
    // Nobody dials before.
    not_before: Option<Instant>,
    last_error: String,
}

impl Default for Line {
    fn default() -> Self {
        Self { slot: Slot::Idle, failures: 0, not_before: None, last_error: String::new() }
    }
}

impl Line {
    fn failed(&mut self, now: Instant, why: String) {
        let wait = FIRST_WAIT.saturating_mul(1 << self.failures.min(6)).min(LONGEST_WAIT);
        self.failures += 1;
        self.not_before = Some(now + wait);
        self.last_error = why;
        self.slot = Slot::Idle;
    }

    /// Notices that a connection has died since.
    fn settle(&mut self, now: Instant) {
        if let Slot::Up { connection, since, .. } = &self.slot
            && let Some(reason) = connection.close_reason()
        {
            if now.duration_since(*since) < PROVEN_AFTER {
                self.failed(now, PeerError::from(reason).to_string());
            } else {
                self.slot = Slot::Idle;
            }
        }
    }
}

#[derive(Default)]
pub(super) struct Pool {
    lines: Mutex<HashMap<(u64, usize), Line>>,
    // Survives connections: the next handshake begins with a good guess.
    rtt: Mutex<HashMap<u64, Duration>>,
}

impl Pool {
    fn lines(&self) -> std::sync::MutexGuard<'_, HashMap<(u64, usize), Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rtts(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Duration>> {
        self.rtt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the connections of peers that `good` does not hold good.
    pub(super) fn keep(&self, good: impl Fn(&PeerInfo) -> bool) {
        for line in self.lines().values_mut() {
            if let Slot::Up { connection, peer, .. } = &line.slot
                && !good(peer)
            {
                connection.close(VarInt::from_u32(close::REPLACED), b"the roster changed");
                line.slot = Slot::Idle;
            }
            // A changed address deserves a try at once.
            line.not_before = None;
        }
    }

    pub(super) fn drop_peer(&self, to: u64, code: u32, reason: &[u8]) {
        for lane in Lane::ALL {
            if let Some(line) = self.lines().get_mut(&(to, lane.index()))
                && let Slot::Up { connection, .. } = std::mem::replace(&mut line.slot, Slot::Idle)
            {
                connection.close(VarInt::from_u32(code), reason);
            }
        }
    }

    fn live(&self, to: u64, lane: Lane) -> Option<Connection> {
        match self.lines().get(&(to, lane.index()))?.slot {
            Slot::Up { ref connection, .. } if connection.close_reason().is_none() => Some(connection.clone()),
            _ => None,
        }
    }
}

enum Next {
    Ready(Connection),
    Wait(watch::Receiver<Dialled>),
    Dial(watch::Sender<Dialled>, watch::Receiver<Dialled>),
}

impl PeerNet {
    /// The round trip to a peer as QUIC measures it, on the freshest of its connections; `None` before the first.
    pub fn rtt(&self, to: u64) -> Option<Duration> {
        let live = Lane::ALL.into_iter().find_map(|lane| self.pool.live(to, lane)).map(|c| c.rtt());
        if let Some(rtt) = live {
            self.pool.rtts().insert(to, rtt);
        }
        live.or_else(|| self.pool.rtts().get(&to).copied())
    }

    /// Whether a connection to the peer stands on this lane.
    pub fn is_warm(&self, to: u64, lane: Lane) -> bool {
        self.pool.live(to, lane).is_some()
    }

    /// Datagrams received so far on the lane's connection, with an id of the connection: a caller that waits for an
    /// answer sees whether the peer is silent (even acknowledgements) or only slow.
    pub fn heard(&self, to: u64, lane: Lane) -> Option<(usize, u64)> {
        self.pool.live(to, lane).map(|c| (c.stable_id(), c.stats().udp_rx.datagrams))
    }

    /// Makes the connection ahead of need.
    ///
    /// # Errors
    /// As [`PeerNet::open`].
    pub async fn warm(self: &Arc<Self>, to: u64, lane: Lane) -> Result<(), PeerError> {
        self.connection(to, lane, HANDSHAKE_LIMIT).await.map(|_| ())
    }

    pub(super) async fn connection(
        self: &Arc<Self>,
        to: u64,
        lane: Lane,
        limit: Duration,
    ) -> Result<Connection, PeerError> {
        if *self.stopping.borrow() {
            return Err(PeerError::Closed);
        }
        let peer = self.roster.get(to).ok_or(PeerError::NotAMember(to))?;
        let mut wait = match self.next(&peer, lane)? {
            Next::Ready(connection) => return Ok(connection),
            Next::Wait(receiver) => receiver,
            Next::Dial(sender, receiver) => {
                // On the peers thread, and on its own: a caller that gives up does not stop it for the others.
                self.handle.spawn(dial(self.clone(), peer, lane, sender));
                receiver
            }
        };
        let done = tokio::time::timeout(limit, wait.wait_for(Option::is_some)).await;
        match done {
            Ok(Ok(result)) => result.clone().unwrap_or(Err(PeerError::Closed)),
            Ok(Err(_)) => Err(PeerError::Closed),
            Err(_) => Err(self.unreachable(to, format!("no connection within {} ms", limit.as_millis()))),
        }
    }

    fn next(&self, peer: &PeerInfo, lane: Lane) -> Result<Next, PeerError> {
        let now = Instant::now();
        let mut lines = self.pool.lines();
        let line = lines.entry((peer.id, lane.index())).or_default();
        line.settle(now);
        match &line.slot {
            Slot::Up { connection, peer: there, .. } if there.addr == peer.addr => Ok(Next::Ready(connection.clone())),
            Slot::Dialling(receiver) => Ok(Next::Wait(receiver.clone())),
            _ => {
                if line.not_before.is_some_and(|t| now < t) {
                    let reason = format!("waiting before the next try; the last ended with: {}", line.last_error);
                    return Err(PeerError::Unreachable { to: peer.id, addr: peer.addr, reason });
                }
                let (sender, receiver) = watch::channel(None);
                line.slot = Slot::Dialling(receiver.clone());
                Ok(Next::Dial(sender, receiver))
            }
        }
    }
}

async fn dial(net: Arc<PeerNet>, peer: PeerInfo, lane: Lane, done: watch::Sender<Dialled>) {
    let result = handshake(&net, &peer).await;
    {
        let mut lines = net.pool.lines();
        let line = lines.entry((peer.id, lane.index())).or_default();
        match &result {
            Ok(connection) => {
                line.slot = Slot::Up { connection: connection.clone(), peer: peer.clone(), since: Instant::now() };
                tracing::debug!(to = peer.id, ?lane, rtt_ms = connection.rtt().as_millis() as u64, "peer connected");
            }
            Err(e) => {
                line.failed(Instant::now(), e.to_string());
                tracing::debug!(to = peer.id, ?lane, error = %e, "peer not reached");
            }
        }
    }
    if let Ok(connection) = &result {
        net.pool.rtts().insert(peer.id, connection.rtt());
        net.handle.spawn(prove(Arc::downgrade(&net), peer.id, lane, connection.clone()));
    }
    done.send_replace(Some(result));
}

/// Forgets earlier failures once the connection has stood for a while.
async fn prove(net: std::sync::Weak<PeerNet>, to: u64, lane: Lane, connection: Connection) {
    if tokio::time::timeout(PROVEN_AFTER, connection.closed()).await.is_err()
        && let Some(net) = net.upgrade()
        && let Some(line) = net.pool.lines().get_mut(&(to, lane.index()))
    {
        line.failures = 0;
        line.not_before = None;
    }
}

async fn handshake(net: &PeerNet, peer: &PeerInfo) -> Result<Connection, PeerError> {
    let unreachable = |reason: String| PeerError::Unreachable { to: peer.id, addr: peer.addr, reason };
    let rtt = net.pool.rtts().get(&peer.id).copied();
    let config = client_config(net.client.load_full(), rtt);
    let name = pki::node_name(peer.id, &net.cluster_id);
    let connecting = net.endpoint.connect_with(config, peer.addr, &name).map_err(|e| unreachable(e.to_string()))?;
    let connection = match tokio::time::timeout(HANDSHAKE_LIMIT, connecting).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(e)) => return Err(unreachable(e.to_string())),
        Err(_) => return Err(unreachable(format!("no handshake within {} ms", HANDSHAKE_LIMIT.as_millis()))),
    };
    // The chain and the name are checked by TLS; the key must also be the roster's.
    match peer_of(connection.peer_identity(), &net.cluster_id) {
        Some((id, spki)) if id == peer.id && spki == peer.spki_sha256 => Ok(connection),
        _ => {
            connection.close(VarInt::from_u32(close::WRONG_KEY), b"not the key of the roster");
            Err(unreachable("its key is not the one in the roster".into()))
        }
    }
}
