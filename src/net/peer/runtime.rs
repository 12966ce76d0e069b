//! The peers endpoint's own thread: a current-thread runtime on which Raft and QUIC run and nothing of a visitor's.

use std::{io, pin::Pin, sync::Arc, thread, time::Instant};

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime};
use tokio::{runtime::Handle, sync::oneshot};

/// quinn's runtime bound to one tokio runtime, so that a connection dialled from a worker still lives on the peers thread.
#[derive(Debug)]
pub(super) struct PeerRuntime(pub(super) Handle);

impl Runtime for PeerRuntime {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        let _here = self.0.enter();
        TokioRuntime.new_timer(at)
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.0.spawn(future);
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let _here = self.0.enter();
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct PeerThread {
    _stop: oneshot::Sender<()>,
}

/// Starts the thread `peers` and gives its runtime.
pub(super) fn start() -> io::Result<(Handle, PeerThread)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (stop, stopped) = oneshot::channel::<()>();
    thread::Builder::new().name("peers".into()).spawn(move || {
        // Ends with an error when the sender is dropped, which is the signal.
        let _ = runtime.block_on(stopped);
    })?;
    Ok((handle, PeerThread { _stop: stop }))
}
