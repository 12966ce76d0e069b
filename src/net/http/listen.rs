//! Listeners: one acceptor each, which hands every socket to the least-loaded worker, and a graceful end.

use super::conn::{HttpLimits, Serve, serve_socket};
use super::worker::Workers;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// How a listener treats its sockets.
#[derive(Clone)]
pub struct ListenOptions {
    /// TLS, or plain.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Limits of one connection.
    pub limits: HttpLimits,
    /// Open connections at most; further ones wait in the kernel's queue.
    pub connections: usize,
}

impl Default for ListenOptions {
    fn default() -> Self {
        ListenOptions { tls: None, limits: HttpLimits::default(), connections: 65_536 }
    }
}

/// A bound, accepting listener.
#[derive(Debug)]
pub struct Listener {
    local: SocketAddr,
    accept: JoinHandle<()>,
    drain: watch::Sender<bool>,
    open: Arc<AtomicUsize>,
}

impl Listener {
    /// Binds and serves. Must be called inside a tokio runtime, which then runs the acceptor.
    /// Port 0 takes a free one; see `local_addr`.
    pub async fn start<S: Serve + Sync>(
        addr: SocketAddr,
        options: ListenOptions,
        workers: Workers,
        service: S,
    ) -> std::io::Result<Listener> {
        let listener = bind(addr)?;
        let local = listener.local_addr()?;
        let (drain, draining) = watch::channel(false);
        let open = Arc::new(AtomicUsize::new(0));
        let accept = tokio::spawn(accept(listener, options, workers, service, draining, open.clone()));
        Ok(Listener { local, accept, drain, open })
    }

    /// The address in use.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Open connections.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Accepts no more, lets visits in hand finish, and returns when all are done or `patience` is over:
    /// the number of connections still open then.
    pub async fn drain(&self, patience: Duration) -> usize {
        self.accept.abort();
        let _ = self.drain.send(true);
        let until = tokio::time::Instant::now() + patience;
        while self.open() > 0 && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.open()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.accept.abort();
        let _ = self.drain.send(true);
    }
}

/// A listening socket that can be rebound at once after a restart.
fn bind(addr: SocketAddr) -> std::io::Result<TcpListener> {
    let domain = socket2::Domain::for_address(addr);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(4096)?;
    TcpListener::from_std(socket.into())
}

async fn accept<S: Serve + Sync>(
    listener: TcpListener,
    options: ListenOptions,
    workers: Workers,
    service: S,
    drain: watch::Receiver<bool>,
    open: Arc<AtomicUsize>,
) {
    let room = Arc::new(Semaphore::new(options.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let limits = Arc::new(options.limits);
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let socket = match listener.accept().await {
            // The worker's own runtime must watch the socket: take it out of this one's.
            Ok((socket, _)) => match socket.into_std() {
                Ok(socket) => socket,
                Err(_) => continue,
            },
            Err(error) => {
                // Out of descriptors, mostly: what is open goes on, and the queue waits.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (tls, limits, drain, service) = (options.tls.clone(), limits.clone(), drain.clone(), service.clone());
        let held = Open::hold(&open);
        let taken = workers.spawn(move || async move {
            let _held = (held, permit);
            match tokio::net::TcpStream::from_std(socket) {
                Ok(socket) => serve_socket(socket, tls, limits, drain, service).await,
                Err(error) => tracing::warn!(%error, "cannot serve a connection"),
            }
        });
        if !taken {
            return;
        }
    }
}

/// Counts an open connection.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn hold(count: &Arc<AtomicUsize>) -> Open {
        count.fetch_add(1, Ordering::Relaxed);
        Open(count.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
