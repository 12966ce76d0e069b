//! Backends that say exactly what a test wants, byte by byte, and remember what they were told.

use super::sockets::find;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// What a backend does with one request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Writes these bytes and waits for the next request.
    Say(Vec<u8>),
    /// Writes these bytes and closes.
    SayAndClose(Vec<u8>),
    /// Says nothing until the caller goes away.
    Hang,
    /// Writes these bytes, then hangs until the caller goes away.
    SayAndHang(Vec<u8>),
}

/// What a backend saw.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) requests: Mutex<Vec<String>>,
    pub(crate) connections: AtomicUsize,
    pub(crate) arrived: Notify,
    /// A caller went away while we hung.
    pub(crate) left: Notify,
}

pub(crate) struct Backend {
    pub(crate) addr: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    task: JoinHandle<()>,
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Backend {
    /// Does the same for every request.
    pub(crate) async fn always(act: Act) -> Backend {
        Backend::start(move |_| act.clone()).await
    }

    /// Answers 200 with this text.
    pub(crate) async fn text(body: &str) -> Backend {
        Backend::always(Act::Say(plain(200, "", body))).await
    }

    /// Does what `choose` says for the n-th request (from 0).
    pub(crate) async fn start(choose: impl Fn(usize) -> Act + Send + Sync + 'static) -> Backend {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("free port");
        let addr = listener.local_addr().expect("bound");
        let seen = Arc::new(Seen::default());
        let shared = seen.clone();
        let choose = Arc::new(choose);
        let count = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(socket, shared.clone(), choose.clone(), count.clone()));
            }
        });
        Backend { addr, seen, task }
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().expect("no panic under it").clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

/// A well-formed answer; `headers` are whole lines.
pub(crate) fn plain(status: u16, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

async fn serve(
    mut socket: TcpStream,
    seen: Arc<Seen>,
    choose: Arc<impl Fn(usize) -> Act + Send + Sync + 'static>,
    count: Arc<AtomicUsize>,
) {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = find(&buffer, b"\r\n\r\n") {
                break at + 4;
            }
            match socket.read_buf(&mut buffer).await {
                Ok(n) if n > 0 => {}
                _ => return,
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
        let length: usize = head
            .lines()
            .find_map(|l| l.strip_prefix("content-length: "))
            .and_then(|v| v.trim().parse().ok())
            .unwrap_or(0);
        let chunked = head.contains("transfer-encoding: chunked");
        let act = choose(count.fetch_add(1, Ordering::SeqCst));
        if matches!(act, Act::Say(_) | Act::SayAndClose(_)) {
            while !chunked && buffer.len() < end + length || chunked && find(&buffer, b"0\r\n\r\n").is_none() {
                match socket.read_buf(&mut buffer).await {
                    Ok(n) if n > 0 => {}
                    _ => return,
                }
            }
        }
        seen.requests.lock().expect("no panic under it").push(String::from_utf8_lossy(&buffer).into_owned());
        buffer.clear();
        seen.arrived.notify_one();
        match act {
            Act::Say(bytes) => {
                if socket.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Act::SayAndClose(bytes) => {
                let _ = socket.write_all(&bytes).await;
                return;
            }
            Act::Hang => return hang(&mut socket, &seen).await,
            Act::SayAndHang(bytes) => {
                let _ = socket.write_all(&bytes).await;
                return hang(&mut socket, &seen).await;
            }
        }
    }
}

async fn hang(socket: &mut TcpStream, seen: &Seen) {
    let mut sink = vec![0; 65536];
    while socket.read(&mut sink).await.is_ok_and(|n| n > 0) {}
    seen.left.notify_one();
}
