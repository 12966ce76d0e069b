//! Calls to backends: HTTP/1.1 over worker-local lists of idle connections.
//!
//! Our own client (`raw`) writes and reads: hyper's pooled one costs a lock and a hop per request, its bare one a
//! channel and a task. An idle connection that its backend closed, or that has bytes nobody asked for, is not used again,
//! and a request is sent a second time only when nothing of it was sent the first time.

use super::body::{Body, BodyError};
use super::conn::USUAL_HEADERS;
use super::egress::{Egress, EgressError};
use super::gate::{Gates, Given};
use super::raw::{Conn, Exchange, Failed, Io, Limits};
use super::roots::{self, Roots};
use super::shelf::{self, Home, Rules};
use super::target::{Scheme, Target};
use super::tls::TlsError;
use http::{Request, Response};
use rustls::pki_types::ServerName;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

/// Why a backend gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No connection could be made; nothing was sent.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// The TLS handshake failed; nothing was sent.
    #[error("TLS to {host}: {why}")]
    Tls {
        /// The backend.
        host: String,
        /// The cause.
        why: String,
    },
    /// What came over the connection is not HTTP, or could be read in two ways; the request may have been processed.
    #[error("no valid answer: {why}")]
    Invalid {
        /// The flaw.
        why: &'static str,
    },
    /// The connection broke before an answer; the request may have been processed.
    #[error("the connection broke before an answer")]
    Broken(#[source] std::io::Error),
    /// The request's own body failed.
    #[error("the request's body failed")]
    RequestBody(#[source] BodyError),
    /// So many calls wait for a connection that this one does not even wait; nothing was sent.
    #[error("all connections to {host} are taken, and too many calls wait for one")]
    Crowded {
        /// The backend.
        host: String,
    },
    /// The answer's headers are longer than [`UpstreamOptions::head_bytes`].
    #[error("the head of the backend's answer is longer than {limit} bytes")]
    HeadTooLong {
        /// The limit.
        limit: usize,
    },
    /// The backend switched protocols without being asked to.
    #[error("the backend answered 101 without being asked to upgrade")]
    Upgraded,
}

/// A way to send a request to a backend. The request's URI is in origin form; `Host` is added when it is absent.
pub trait Upstream {
    /// Sends and waits for the answer's head; the body streams. Its bytes must all come before `until`.
    /// Dropping the future cancels the call.
    fn call(
        &self,
        target: &Target,
        request: Request<Body>,
        until: Instant,
    ) -> impl Future<Output = Result<Response<Body>, UpstreamError>>;
}

/// How the pool behaves.
#[derive(Debug, Clone)]
pub struct UpstreamOptions {
    /// Resolution, TCP and TLS together, ms.
    pub connect_timeout_ms: u64,
    /// How long an idle connection is kept, ms.
    pub idle_ms: u64,
    /// Idle connections kept per backend and worker.
    pub idle_per_target: usize,
    /// Connections per backend, on all workers together.
    pub connections_per_target: usize,
    /// Calls that may wait for a connection to a backend; further ones are refused at once.
    pub waiting_per_target: usize,
    /// An answer's head, bytes.
    pub head_bytes: usize,
    /// An answer's headers.
    pub headers: usize,
    /// Who may vouch for a backend's certificate.
    pub roots: Roots,
}

impl Default for UpstreamOptions {
    fn default() -> Self {
        UpstreamOptions {
            connect_timeout_ms: 5_000,
            idle_ms: 55_000,
            idle_per_target: 256,
            connections_per_target: 1_024,
            waiting_per_target: 4_096,
            head_bytes: 128 * 1024,
            headers: USUAL_HEADERS,
            roots: Roots::System,
        }
    }
}

/// The upstream pool. Clones share everything; the idle lists belong to the calling thread.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    egress: Egress,
    options: UpstreamOptions,
    rules: Arc<Rules>,
    gates: Gates,
    verified: Arc<rustls::ClientConfig>,
    unverified: Arc<rustls::ClientConfig>,
    opened: AtomicU64,
}

/// A pool's connections now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolCounts {
    /// Open, idle ones too.
    pub open: usize,
    /// Idle.
    pub idle: usize,
    /// Calls that wait for one.
    pub waiting: usize,
    /// Opened so far.
    pub opened: u64,
}

/// What is read at once of a long body, at most: reads begin small and double. A third of it costs half as much CPU again.
const BUFFER_BYTES: usize = 400 * 1024;

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("options", &self.inner.options).finish_non_exhaustive()
    }
}

impl Pool {
    /// A pool over this connector.
    pub fn new(egress: Egress, options: UpstreamOptions) -> Result<Pool, TlsError> {
        let rules = Rules {
            idle: Duration::from_millis(options.idle_ms),
            most: options.idle_per_target,
            count: AtomicUsize::new(0),
        };
        let inner = Inner {
            egress,
            rules: Arc::new(rules),
            gates: Gates::new(options.connections_per_target, options.waiting_per_target),
            verified: roots::client_config(&options.roots)?,
            unverified: roots::client_config(&Roots::Anyone)?,
            opened: AtomicU64::new(0),
            options,
        };
        Ok(Pool { inner: Arc::new(inner) })
    }

    /// Connections opened so far.
    pub fn opened(&self) -> u64 {
        self.inner.opened.load(Ordering::Relaxed)
    }

    /// What there is now.
    pub fn counts(&self) -> PoolCounts {
        let counts = self.inner.gates.counts();
        let idle = self.inner.rules.count.load(Ordering::Relaxed);
        PoolCounts { open: counts.open, idle, waiting: counts.waiting, opened: self.opened() }
    }

    /// The connector.
    pub fn egress(&self) -> &Egress {
        &self.inner.egress
    }

    fn limits(&self) -> Limits {
        let UpstreamOptions { head_bytes, headers, .. } = self.inner.options;
        Limits { head_bytes, headers, read_bytes: BUFFER_BYTES }
    }

    /// Connects, plain or by TLS.
    async fn open(&self, target: &Target) -> Result<Io, UpstreamError> {
        let limit = Duration::from_millis(self.inner.options.connect_timeout_ms);
        let started = Instant::now();
        let (host, port) = (target.host(), target.port());
        let socket = self.inner.egress.connect(host, port, limit).await?;
        self.inner.opened.fetch_add(1, Ordering::Relaxed);
        let config = match target.way() {
            Scheme::Http => return Ok(Io::Plain(socket)),
            Scheme::Https => target.tls(&self.inner.verified),
            Scheme::HttpsUnverified => target.tls(&self.inner.unverified),
        };
        let tls = |why: String| UpstreamError::Tls { host: host.into(), why };
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_string();
        let name = ServerName::try_from(bare).map_err(|e| tls(e.to_string()))?;
        let left = limit.saturating_sub(started.elapsed());
        match tokio::time::timeout(left, TlsConnector::from(config).connect(name, socket)).await {
            Ok(Ok(stream)) => Ok(Io::Tls(Box::new(stream))),
            Ok(Err(error)) => Err(tls(error.to_string())),
            Err(_) => Err(tls("no handshake in time".into())),
        }
    }

    /// A connection of our own: a free one, or a new one when its turn has come.
    async fn connect(&self, target: &Target) -> Result<Conn, UpstreamError> {
        loop {
            let given = self.inner.gates.enter(target, shelf::ring).await;
            match given.ok_or_else(|| UpstreamError::Crowded { host: target.host().into() })? {
                Given::Place(permit) => {
                    let home = Home(self.inner.rules.clone(), target.clone());
                    return Ok(Conn::new(self.open(target).await?, home, permit));
                }
                Given::Conn(mut conn) => {
                    // It came from an exchange that ended well, but that was a moment ago.
                    if std::future::poll_fn(|cx| Poll::Ready(conn.is_quiet(cx))).await {
                        return Ok(*conn);
                    }
                }
            }
        }
    }

    /// Stale, and nothing of it was sent: once more, on a new connection.
    async fn again(
        &self,
        target: &Target,
        exchange: Exchange,
        until: Instant,
    ) -> Result<Response<Body>, UpstreamError> {
        // Its own place is the new one's.
        let (rest, permit) = exchange.part();
        let home = Home(self.inner.rules.clone(), target.clone());
        let conn = Conn::new(self.open(target).await?, home, permit);
        match rest.over(conn).run(until).await {
            Ok(answer) => Ok(answer),
            Err(Failed::Finally(error)) => Err(error),
            Err(Failed::Stale(_)) => {
                Err(UpstreamError::Broken(std::io::Error::other("a new connection was closed at once")))
            }
        }
    }
}

impl Upstream for Pool {
    async fn call(
        &self,
        target: &Target,
        request: Request<Body>,
        until: Instant,
    ) -> Result<Response<Body>, UpstreamError> {
        let idle = std::future::poll_fn(|cx| Poll::Ready(shelf::take(&self.inner.rules, target, cx))).await;
        let conn = match idle {
            Some(conn) => conn,
            None => Box::pin(self.connect(target)).await?,
        };
        match Exchange::new(conn, request, self.limits()).run(until).await {
            Ok(answer) => Ok(answer),
            Err(Failed::Finally(error)) => Err(error),
            Err(Failed::Stale(exchange)) => Box::pin(self.again(target, *exchange, until)).await,
        }
    }
}
