//! Calls to backends: HTTP/1.1 over worker-local lists of idle connections.
//!
//! hyper does the framing; the list is ours, since a pooled client costs a lock and a hop per request. An idle
//! connection's task watches its socket: an end of file or unsolicited bytes close it, and it is then not reused.
//! hyper hands a request back that it could not begin to send, and only such a request is sent again.

use super::body::{BackendBody, Body};
use super::conn::{LocalExec, USUAL_HEADERS};
use super::egress::{Egress, EgressError};
use super::roots::{self, Roots};
use super::tls::TlsError;
use http::header::HOST;
use http::{HeaderValue, Request, Response};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

/// How a backend is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain.
    Http,
    /// TLS, the certificate verified.
    Https,
    /// TLS, whatever certificate is shown (`tlsConfig.insecureSkipVerification`).
    HttpsUnverified,
}

/// A backend: scheme, host and port. Cheap to clone and to compare.
#[derive(Debug, Clone)]
pub struct Target(Arc<TargetParts>);

#[derive(Debug)]
struct TargetParts {
    scheme: Scheme,
    host: String,
    port: u16,
    /// What `Host` says when the request does not.
    authority: HeaderValue,
    /// Of the three that make it equal to another, so that no visit hashes a host's name.
    hash: u64,
}

impl TargetParts {
    fn new(scheme: Scheme, host: String, port: u16, authority: HeaderValue) -> TargetParts {
        static KEYS: OnceLock<RandomState> = OnceLock::new();
        let hash = KEYS.get_or_init(RandomState::new).hash_one((scheme, port, &*host));
        TargetParts { scheme, host, port, authority, hash }
    }
}

impl Target {
    /// A backend; `port` 0 means the scheme's own. `None` when the host cannot be one.
    pub fn new(scheme: Scheme, host: &str, port: u16) -> Option<Target> {
        let usual = if scheme == Scheme::Http { 80 } else { 443 };
        let port = if port == 0 { usual } else { port };
        let host = host.to_ascii_lowercase();
        let plain = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(&host);
        if plain.is_empty() || plain.len() > 255 || plain.bytes().any(|b| b <= b' ' || b"/?#@\\[]%".contains(&b)) {
            return None;
        }
        let authority = if port == usual { host.clone() } else { format!("{host}:{port}") };
        let authority = HeaderValue::try_from(authority).ok()?;
        Some(Target(Arc::new(TargetParts::new(scheme, host, port, authority))))
    }

    /// The backend of `scheme://host[:port]`, userinfo refused.
    pub fn parse(scheme: &str, authority: &str) -> Option<Target> {
        let scheme = match scheme {
            s if s.eq_ignore_ascii_case("http") => Scheme::Http,
            s if s.eq_ignore_ascii_case("https") => Scheme::Https,
            _ => return None,
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                (host, if port.is_empty() { 0 } else { port.parse().ok().filter(|p| *p != 0)? })
            }
            _ => (authority, 0),
        };
        if host.contains(':') && !host.starts_with('[') {
            return None;
        }
        Target::new(scheme, host, port)
    }

    /// The same backend without certificate verification.
    pub fn unverified(&self) -> Target {
        let scheme = if self.0.scheme == Scheme::Http { Scheme::Http } else { Scheme::HttpsUnverified };
        Target(Arc::new(TargetParts::new(scheme, self.0.host.clone(), self.0.port, self.0.authority.clone())))
    }

    /// The host as written, lower case.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.0.scheme == Scheme::Http { "http" } else { "https" }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// What `Host` says.
    pub fn authority(&self) -> &HeaderValue {
        &self.0.authority
    }
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || self.0.scheme == other.0.scheme && self.0.port == other.0.port && self.0.host == other.0.host
    }
}

impl Eq for Target {}

impl Hash for Target {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

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
    /// The connection failed, or what came over it is not HTTP; the request may have been processed.
    #[error("no valid answer")]
    Wire(#[source] hyper::Error),
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
    id: u64,
    egress: Egress,
    options: UpstreamOptions,
    verified: Arc<rustls::ClientConfig>,
    unverified: Arc<rustls::ClientConfig>,
    opened: AtomicU64,
}

/// What is read at once of a long body, at most: hyper begins small and doubles. A third of it costs half as much CPU again.
const BUFFER_BYTES: usize = 400 * 1024;

/// The pool that a connection belongs to and its backend: what brings it back to the right list.
type Home = (u64, Target);

struct Idle {
    send: SendRequest<Body>,
    since: Instant,
}

thread_local! {
    static IDLE: RefCell<HashMap<Home, Vec<Idle>>> = RefCell::new(HashMap::new());
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("options", &self.inner.options).finish_non_exhaustive()
    }
}

impl Pool {
    /// A pool over this connector.
    pub fn new(egress: Egress, options: UpstreamOptions) -> Result<Pool, TlsError> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let verified = roots::client_config(&options.roots)?;
        let unverified = roots::client_config(&Roots::Anyone)?;
        let opened = AtomicU64::new(0);
        Ok(Pool { inner: Arc::new(Inner { id, egress, options, verified, unverified, opened }) })
    }

    /// Connections opened so far.
    pub fn opened(&self) -> u64 {
        self.inner.opened.load(Ordering::Relaxed)
    }

    /// The connector.
    pub fn egress(&self) -> &Egress {
        &self.inner.egress
    }

    fn take_idle(&self, home: &Home) -> Option<SendRequest<Body>> {
        let oldest = Duration::from_millis(self.inner.options.idle_ms);
        IDLE.with_borrow_mut(|lists| {
            let list = lists.get_mut(home)?;
            while let Some(idle) = list.pop() {
                if idle.since.elapsed() > oldest {
                    // The list is a stack: what lies below is older still.
                    list.clear();
                } else if idle.send.is_ready() {
                    return Some(idle.send);
                }
            }
            lists.remove(home);
            None
        })
    }

    async fn open(&self, target: &Target) -> Result<SendRequest<Body>, UpstreamError> {
        let limit = Duration::from_millis(self.inner.options.connect_timeout_ms);
        let started = Instant::now();
        let (host, port) = (target.host(), target.port());
        let socket = self.inner.egress.connect(host, port, limit).await?;
        self.inner.opened.fetch_add(1, Ordering::Relaxed);
        let config = match target.0.scheme {
            Scheme::Http => return self.handshake(socket, host).await,
            Scheme::Https => self.inner.verified.clone(),
            Scheme::HttpsUnverified => self.inner.unverified.clone(),
        };
        let tls = |why: String| UpstreamError::Tls { host: host.into(), why };
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_string();
        let name = ServerName::try_from(bare).map_err(|e| tls(e.to_string()))?;
        let left = limit.saturating_sub(started.elapsed());
        match tokio::time::timeout(left, TlsConnector::from(config).connect(name, socket)).await {
            Ok(Ok(stream)) => self.handshake(stream, host).await,
            Ok(Err(error)) => Err(tls(error.to_string())),
            Err(_) => Err(tls("no handshake in time".into())),
        }
    }

    async fn handshake<IO>(&self, io: IO, host: &str) -> Result<SendRequest<Body>, UpstreamError>
    where
        IO: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let options = &self.inner.options;
        let mut builder = Builder::new();
        builder.max_buf_size(BUFFER_BYTES.max(options.head_bytes));
        if options.headers != USUAL_HEADERS {
            builder.max_headers(options.headers);
        }
        let (send, connection) = builder.handshake(TokioIo::new(io)).await.map_err(UpstreamError::Wire)?;
        let host = host.to_string();
        LocalExec.execute(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, host, "backend connection ended");
            }
        });
        Ok(send)
    }
}

impl Upstream for Pool {
    async fn call(
        &self,
        target: &Target,
        mut request: Request<Body>,
        until: Instant,
    ) -> Result<Response<Body>, UpstreamError> {
        if !request.headers().contains_key(HOST) {
            request.headers_mut().insert(HOST, target.authority().clone());
        }
        let home = (self.inner.id, target.clone());
        if let Some(mut send) = self.take_idle(&home) {
            match send.try_send_request(request).await {
                Ok(response) => return answer(response, send, home, &self.inner.options, until),
                Err(mut error) => match error.take_message() {
                    // Stale, and nothing of it was sent: once more, on a new connection.
                    Some(unsent) => request = unsent,
                    None => return Err(UpstreamError::Wire(error.into_error())),
                },
            }
        }
        let mut send = Box::pin(self.open(target)).await?;
        match send.try_send_request(request).await {
            Ok(response) => answer(response, send, home, &self.inner.options, until),
            Err(error) => Err(UpstreamError::Wire(error.into_error())),
        }
    }
}

fn answer(
    response: Response<hyper::body::Incoming>,
    send: SendRequest<Body>,
    home: Home,
    options: &UpstreamOptions,
    until: Instant,
) -> Result<Response<Body>, UpstreamError> {
    if response.status() == http::StatusCode::SWITCHING_PROTOCOLS {
        return Err(UpstreamError::Upgraded);
    }
    let head: usize = response.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if head > options.head_bytes {
        return Err(UpstreamError::HeadTooLong { limit: options.head_bytes });
    }
    let lease = Lease { send, home, keep: options.idle_per_target };
    let mut response = response;
    // The backend's version and reason phrase are its connection's: our server would write them on the client's.
    *response.version_mut() = http::Version::HTTP_11;
    response.extensions_mut().clear();
    Ok(response.map(|body| BackendBody::wrap(body, lease, until)))
}

/// A connection whose answer is still being read.
#[derive(Debug)]
pub(super) struct Lease {
    send: SendRequest<Body>,
    home: Home,
    keep: usize,
}

impl Lease {
    /// Gives the connection back after a clean end of the answer; called on the worker that opened it.
    pub(super) fn release(self) {
        if self.send.is_closed() {
            return;
        }
        if self.send.is_ready() {
            return self.shelve();
        }
        // The request's body is still being sent (an early answer), or the connection's task has not run yet.
        let mut lease = self;
        LocalExec.execute(async move {
            let wait = Duration::from_millis(200);
            if let Ok(Ok(())) = tokio::time::timeout(wait, lease.send.ready()).await {
                lease.shelve();
            }
        });
    }

    fn shelve(self) {
        let idle = Idle { send: self.send, since: Instant::now() };
        // While the thread ends its lists may be gone already; the connection then closes.
        let _ = IDLE.try_with(|lists| {
            if let Ok(mut lists) = lists.try_borrow_mut() {
                let list = lists.entry(self.home).or_default();
                if list.len() >= self.keep {
                    list.remove(0);
                }
                list.push(idle);
            }
        });
    }
}
