//! One client connection on its worker: TLS handshake, HTTP/1 or HTTP/2, visits, drain.

use super::body::Body;
use super::idle::CoarseTimer;
use super::names::SentNames;
use super::socket::{ClientSocket, Watch};
use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::cell::OnceCell;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// What answers requests. It is cloned for every connection and called on the connection's worker.
pub trait Serve: Clone + Send + 'static {
    /// Answers one request. Dropping the future means that the client went away.
    fn serve(
        self: Rc<Self>,
        request: Request<Body>,
        conn: Rc<ConnInfo>,
    ) -> impl Future<Output = Response<Body>> + 'static;
}

/// Where a request came in.
#[derive(Debug, Clone)]
pub struct ConnInfo {
    /// The client's socket.
    pub peer: SocketAddr,
    /// Our socket.
    pub local: SocketAddr,
    /// Present on TLS connections.
    pub tls: Option<TlsInfo>,
    /// HTTP/2 (else HTTP/1).
    pub h2: bool,
    /// Flaws of the request head that hyper lets pass; a service must answer 400 when it finds one.
    pub(super) watch: Watch,
    /// The client's address and our port as header values, made when they are first asked for.
    values: OnceCell<(HeaderValue, HeaderValue)>,
}

/// What the TLS handshake settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsInfo {
    /// The server name the client asked for, lower case.
    pub sni: Option<String>,
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
}

impl ConnInfo {
    /// For requests that no socket brought (tests, in-process callers).
    pub fn synthetic(peer: SocketAddr, local: SocketAddr) -> ConnInfo {
        ConnInfo::new(peer, local, None, false)
    }

    fn new(peer: SocketAddr, local: SocketAddr, tls: Option<TlsInfo>, h2: bool) -> ConnInfo {
        ConnInfo { peer, local, tls, h2, watch: Watch::default(), values: OnceCell::new() }
    }

    fn values(&self) -> &(HeaderValue, HeaderValue) {
        self.values.get_or_init(|| {
            // An address has only digits, letters, colons and dots.
            let ip = HeaderValue::try_from(self.peer.ip().to_string());
            (ip.unwrap_or_else(|_| HeaderValue::from_static("")), HeaderValue::from(self.local.port()))
        })
    }

    /// The client's address as `X-Forwarded-For` has it.
    pub fn peer_ip_value(&self) -> HeaderValue {
        self.values().0.clone()
    }

    /// Our port as `X-Forwarded-Port` has it.
    pub fn local_port_value(&self) -> HeaderValue {
        self.values().1.clone()
    }

    /// The names of the request's headers as its client wrote them. Only while its answer is being made; over HTTP/2 there
    /// are none, since they are in lower case anyway.
    pub fn sent_names(&self) -> SentNames {
        self.watch.names()
    }

    /// Takes the flaw of the request just parsed: a reason to answer 400 and close (bare LF, Content-Length beside
    /// Transfer-Encoding), though hyper's parser accepted it.
    pub fn take_head_flaw(&self) -> Option<&'static str> {
        self.watch.take_flaw()
    }
}

/// hyper's own limit: it parses so many without an allocation, and any other number with two.
pub(super) const USUAL_HEADERS: usize = 100;

/// Limits of one client connection.
#[derive(Debug, Clone)]
pub struct HttpLimits {
    /// Request line and headers together, bytes.
    pub head_bytes: usize,
    /// Number of headers.
    pub headers: usize,
    /// From the first byte we wait for to the end of the head; also how long an idle connection is kept, ms.
    pub head_read_timeout_ms: u64,
    /// The TLS handshake, ms.
    pub handshake_timeout_ms: u64,
    /// Concurrent streams of one HTTP/2 connection.
    pub h2_streams: u32,
}

impl Default for HttpLimits {
    fn default() -> Self {
        HttpLimits {
            head_bytes: 64 * 1024,
            headers: USUAL_HEADERS,
            head_read_timeout_ms: 30_000,
            handshake_timeout_ms: 10_000,
            h2_streams: 250,
        }
    }
}

/// hyper's executor on a `LocalSet`.
#[derive(Clone, Copy, Debug)]
pub struct LocalExec;

impl<F> hyper::rt::Executor<F> for LocalExec
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

/// Serves a connection to its end; returns when it is closed. `drain` turning true lets visits in hand finish.
pub async fn serve_socket<S: Serve>(
    socket: TcpStream,
    tls: Option<Arc<rustls::ServerConfig>>,
    limits: Arc<HttpLimits>,
    drain: watch::Receiver<bool>,
    service: S,
) {
    let (Ok(peer), Ok(local)) = (socket.peer_addr(), socket.local_addr()) else { return };
    let _ = socket.set_nodelay(true);
    let wait = Duration::from_millis(limits.handshake_timeout_ms);
    match tls {
        None => {
            let first = Duration::from_millis(limits.head_read_timeout_ms);
            let Ok(Ok(h2)) = tokio::time::timeout(first, speaks_h2(&socket)).await else { return };
            let info = ConnInfo::new(peer, local, None, h2);
            serve_stream(socket, info, limits, drain, service).await;
        }
        Some(config) => {
            let handshake = TlsAcceptor::from(config).accept(socket);
            let Ok(Ok(stream)) = tokio::time::timeout(wait, handshake).await else { return };
            let session = stream.get_ref().1;
            let tls = TlsInfo {
                sni: session.server_name().map(str::to_ascii_lowercase),
                version: match session.protocol_version() {
                    Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
                    _ => "TLSv1.3",
                },
            };
            let h2 = session.alpn_protocol() == Some(b"h2");
            let info = ConnInfo::new(peer, local, Some(tls), h2);
            serve_stream(stream, info, limits, drain, service).await;
        }
    }
}

/// Whether a plain connection begins with HTTP/2's preface (`PRI `); looks without taking a byte.
async fn speaks_h2(socket: &TcpStream) -> std::io::Result<bool> {
    const PREFACE: &[u8] = b"PRI ";
    loop {
        let mut first = [0u8; 4];
        let n = socket.peek(&mut first).await?;
        if n == 0 || first[..n] != PREFACE[..n] {
            return Ok(false);
        }
        if n == PREFACE.len() {
            return Ok(true);
        }
        // A part of the preface: the socket stays readable, so look again a little later.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn serve_stream<IO, S>(
    stream: IO,
    info: ConnInfo,
    limits: Arc<HttpLimits>,
    drain: watch::Receiver<bool>,
    service: S,
) where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Serve,
{
    let h2 = info.h2;
    let watch = info.watch.clone();
    let (info, service) = (Rc::new(info), Rc::new(service));
    if h2 {
        let serve = service_fn(move |request: Request<Incoming>| {
            let answer = service.clone().serve(request.map(Body::from), info.clone());
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let mut builder = hyper::server::conn::http2::Builder::new(LocalExec);
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.h2_streams)
            .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
            .initial_stream_window_size(256 * 1024)
            .initial_connection_window_size(1024 * 1024)
            .keep_alive_interval(Duration::from_millis(limits.head_read_timeout_ms))
            .keep_alive_timeout(Duration::from_secs(20));
        let conn = pin!(builder.serve_connection(TokioIo::new(stream), serve));
        drive(conn, drain, |conn| conn.graceful_shutdown(), None).await;
    } else {
        let visits = watch.clone();
        let ends = watch.clone();
        let serve = service_fn(move |request: Request<Incoming>| {
            let (visit, request) = visits.visit(request);
            let answer = service.clone().serve(request, info.clone());
            let ends = ends.clone();
            async move {
                let mut answer = answer.await;
                drop(visit);
                if ends.wants_end() {
                    // Said here, hyper reads no further: a request may lie in its buffer already.
                    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(answer)
            }
        });
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder
            .timer(CoarseTimer)
            .header_read_timeout(Duration::from_millis(limits.head_read_timeout_ms))
            .max_buf_size(limits.head_bytes.max(8192));
        if limits.headers != USUAL_HEADERS {
            builder.max_headers(limits.headers);
        }
        let socket = TokioIo::new(ClientSocket::new(stream, watch.clone()));
        let conn = pin!(builder.serve_connection(socket, serve));
        drive(conn, drain, |conn| conn.graceful_shutdown(), Some(watch)).await;
    }
}

/// Polls a connection to its end, asking it to finish when the listener drains, its client half-closed or left a body unread.
async fn drive<C, E>(
    mut conn: Pin<&mut C>,
    mut drain: watch::Receiver<bool>,
    mut finish: impl FnMut(Pin<&mut C>),
    watch: Option<Watch>,
) where
    C: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let mut asked = false;
    // Cheap to ask, where polling the change itself at every turn is not; the first poll leaves the waker there.
    let changes = drain.clone();
    let mut first = true;
    let mut draining = pin!(async move {
        // A sender that is gone will not drain us any more: serve on.
        if drain.wait_for(|on| *on).await.is_err() {
            std::future::pending::<()>().await;
        }
    });
    std::future::poll_fn(|cx| {
        let leaves = || watch.as_ref().is_some_and(Watch::wants_end);
        // Asked before it is polled, so that an answer made now already says `Connection: close`.
        let look = std::mem::take(&mut first) || changes.has_changed().is_ok_and(|changed| changed);
        if !asked && (look && draining.as_mut().poll(cx).is_ready() || leaves()) {
            asked = true;
            finish(conn.as_mut());
        }
        let mut polled = conn.as_mut().poll(cx);
        if polled.is_pending() && !asked && leaves() {
            asked = true;
            finish(conn.as_mut());
            // Nothing else would wake it.
            polled = conn.as_mut().poll(cx);
        }
        let ended = std::task::ready!(polled);
        if let Err(error) = ended {
            tracing::debug!(%error, "client connection ended");
        }
        Poll::Ready(())
    })
    .await;
}
