//! `PeerNet`: the endpoint, its handlers, and the ways to ask a peer.

use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, UdpSocket},
    sync::{Arc, Mutex, PoisonError, RwLock, Weak},
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use quinn::{Endpoint, RecvStream, Runtime, SendStream, VarInt, crypto::rustls::QuicClientConfig};
use tokio::{runtime::Handle, sync::watch};

use super::{
    Identity, Lane, PeerError, Roster,
    dial::Pool,
    error::close,
    incoming::{self, Accepted},
    join::JoinDoor,
    kind, roster,
    runtime::{self, PeerRuntime, PeerThread},
    sim::{Links, SimSocket},
    wire,
};

/// How long a caller waits for a connection to be made.
const DIAL_LIMIT: Duration = Duration::from_secs(3);
const SOCKET_BUFFER: usize = 8 << 20;

/// Serves the streams of one kind.
pub trait PeerHandler: Send + Sync {
    /// One stream from the node `from`; runs on the peers thread, so it must not compute for long.
    fn handle(&self, from: u64, group: u8, send: SendStream, recv: RecvStream) -> BoxFuture<'static, ()>;
}

/// What `bind` needs.
pub struct PeerConfig {
    /// Address of the UDP socket; port 0 works.
    pub listen: SocketAddr,
    /// The node's certificate and key.
    pub identity: Identity,
    /// Who is let in.
    pub roster: Arc<Roster>,
    /// Simulated links, for the demo and tests.
    pub links: Option<Arc<Links>>,
    /// The runtime to live on; without one the endpoint makes its own thread `peers`.
    pub runtime: Option<Handle>,
}

/// The peers endpoint of one node.
pub struct PeerNet {
    pub(super) endpoint: Endpoint,
    pub(super) handle: Handle,
    pub(super) node_id: u64,
    pub(super) cluster_id: String,
    pub(super) roster: Arc<Roster>,
    pub(super) client: ArcSwap<QuicClientConfig>,
    pub(super) pool: Pool,
    pub(super) accepted: Accepted,
    pub(super) stopping: watch::Sender<bool>,
    handlers: RwLock<HashMap<u8, Arc<dyn PeerHandler>>>,
    door: RwLock<Option<Arc<dyn JoinDoor>>>,
    pub(super) thread: Mutex<Option<PeerThread>>,
}

impl PeerNet {
    /// Binds the socket and begins to accept. Streams of a kind without a handler are refused in words that a caller
    /// can tell from a failure, so handlers may be registered after.
    ///
    /// # Errors
    /// The address cannot be bound, or the identity cannot be used.
    pub fn bind(config: PeerConfig) -> io::Result<Arc<PeerNet>> {
        let (handle, thread) = match config.runtime {
            Some(handle) => (handle, None),
            None => runtime::start().map(|(h, t)| (h, Some(t)))?,
        };
        let runtime = Arc::new(PeerRuntime(handle.clone()));
        let mut socket = runtime.wrap_udp_socket(udp(config.listen)?)?;
        if let Some(links) = config.links {
            socket = SimSocket::wrap(socket, links, &handle);
        }
        let server = config.identity.server().map_err(io::Error::other)?;
        let client = config.identity.client().map_err(io::Error::other)?;
        let endpoint = Endpoint::new_with_abstract_socket(config.identity.endpoint(), Some(server), socket, runtime)?;
        let net = Arc::new(PeerNet {
            endpoint,
            handle,
            node_id: config.identity.node_id,
            cluster_id: config.identity.cluster_id,
            roster: config.roster,
            client: ArcSwap::new(client),
            pool: Pool::default(),
            accepted: Accepted::default(),
            stopping: watch::Sender::new(false),
            handlers: RwLock::default(),
            door: RwLock::new(None),
            thread: Mutex::new(thread),
        });
        net.handle.spawn(incoming::accept(Arc::downgrade(&net), net.endpoint.clone()));
        net.handle.spawn(follow_roster(Arc::downgrade(&net), net.roster.changes(), net.stopping.subscribe()));
        Ok(net)
    }

    /// The address in use.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    /// The runtime of the peers thread; Raft runs there too (foundations §4.2).
    pub fn runtime(&self) -> &Handle {
        &self.handle
    }

    /// This node's id.
    pub fn node_id(&self) -> u64 {
        self.node_id
    }

    /// Who is let in.
    pub fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    /// Streams of `kind` go to `handler` from now on.
    pub fn register(&self, kind: u8, handler: Arc<dyn PeerHandler>) {
        self.handlers.write().unwrap_or_else(PoisonError::into_inner).insert(kind, handler);
    }

    pub(super) fn handler(&self, kind: u8) -> Option<Arc<dyn PeerHandler>> {
        self.handlers.read().unwrap_or_else(PoisonError::into_inner).get(&kind).cloned()
    }

    /// Opens the join door, or closes it with `None`.
    pub fn set_join_door(&self, door: Option<Arc<dyn JoinDoor>>) {
        *self.door.write().unwrap_or_else(PoisonError::into_inner) = door;
    }

    pub(super) fn join_door(&self) -> Option<Arc<dyn JoinDoor>> {
        self.door.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows a new certificate from now on; connections that stand go on.
    ///
    /// # Errors
    /// The identity cannot be used.
    pub fn renew(&self, identity: &Identity) -> Result<(), PeerError> {
        self.endpoint.set_server_config(Some(identity.server()?));
        self.client.store(identity.client()?);
        Ok(())
    }

    /// A stream to node `to`, its preamble written (it leaves with the first bytes of the caller). Dials where there is
    /// no connection, shared by all who wait; waits 3 s at most for it.
    ///
    /// # Errors
    /// All of them say that nothing was sent.
    pub async fn open(
        self: &Arc<Self>,
        to: u64,
        lane: Lane,
        kind: u8,
        group: u8,
    ) -> Result<(SendStream, RecvStream), PeerError> {
        let (mut send, recv) = self.open_bare(to, lane, kind).await?;
        send.write_all(&Self::preamble(kind, group)).await?;
        Ok((send, recv))
    }

    /// What every stream begins with.
    pub fn preamble(kind: u8, group: u8) -> [u8; wire::PREAMBLE] {
        wire::Preamble { version: wire::VERSION, group, kind }.bytes()
    }

    /// As [`PeerNet::open`], but the caller writes [`PeerNet::preamble`] itself, together with its own first bytes: then
    /// both leave in one packet.
    ///
    /// # Errors
    /// As [`PeerNet::open`].
    pub async fn open_bare(
        self: &Arc<Self>,
        to: u64,
        lane: Lane,
        kind: u8,
    ) -> Result<(SendStream, RecvStream), PeerError> {
        // A connection may die between being looked up and being used: then one more is made.
        for last in [false, true] {
            let connection = self.connection(to, lane, DIAL_LIMIT).await?;
            match connection.open_bi().await {
                Ok((send, recv)) => {
                    let _ = send.set_priority(kind::priority(kind));
                    return Ok((send, recv));
                }
                Err(e) if last => return Err(self.unreachable(to, PeerError::from(e).to_string())),
                Err(_) => {}
            }
        }
        Err(PeerError::Closed)
    }

    /// One question, one answer; the payload is at most 4 GiB and what the handler there allows.
    ///
    /// # Errors
    /// [`PeerError::unsent`] tells whether the peer can have acted.
    pub async fn call(
        self: &Arc<Self>,
        to: u64,
        lane: Lane,
        kind: u8,
        group: u8,
        payload: Bytes,
        timeout: Duration,
    ) -> Result<Bytes, PeerError> {
        match tokio::time::timeout(timeout, super::unary::ask(self, to, lane, kind, group, payload)).await {
            Ok(answer) => answer,
            Err(_) => Err(PeerError::Timeout(timeout.as_millis() as u64)),
        }
    }

    /// Closes the node's connections to `to`, so that the next use dials anew (a probe found it dead).
    pub fn forget(&self, to: u64) {
        self.pool.drop_peer(to, close::REPLACED, b"replaced");
    }

    /// Says goodbye to all peers, waits for it to be heard (2 s at most) and stops.
    pub async fn close(&self) {
        self.stopping.send_replace(true);
        self.endpoint.close(VarInt::from_u32(close::LEAVING), b"leaving");
        let endpoint = self.endpoint.clone();
        let idle = self.handle.spawn(async move {
            let _ = tokio::time::timeout(Duration::from_secs(2), endpoint.wait_idle()).await;
        });
        let _ = idle.await;
        // The thread ends here; nobody waits for it, since this may run on it.
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    pub(super) fn unreachable(&self, to: u64, reason: String) -> PeerError {
        match self.roster.get(to) {
            Some(p) => PeerError::Unreachable { to, addr: p.addr, reason },
            None => PeerError::NotAMember(to),
        }
    }
}

/// A UDP socket with large buffers (as large as the system lets us have).
fn udp(listen: SocketAddr) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(listen), socket2::Type::DGRAM, None)?;
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.bind(&listen.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Closes what the roster no longer allows.
async fn follow_roster(net: Weak<PeerNet>, mut changes: watch::Receiver<u64>, mut stopping: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            _ = stopping.changed() => return,
        }
        let Some(net) = net.upgrade() else { return };
        net.accepted.keep(|id, spki| net.roster.admits(id, spki));
        net.pool.keep(|peer: &roster::PeerInfo| {
            net.roster
                .get(peer.id)
                .as_ref()
                .is_some_and(|now| now.addr == peer.addr && now.spki_sha256 == peer.spki_sha256)
        });
    }
}
