//! The Lambda Runtime API (2018-06-01) of one process, on a loopback socket of its own that only it may use.

use super::call::Broken;
use super::desk::{Desk, Job, PATIENCE, Reply};
use super::fault::Failure;
use super::peer::{self, Origin};
use crate::observe::function::FunctionMetrics;
use base64::Engine;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// Connections that a runtime may have at once.
const CONNECTIONS: usize = 16;
/// Longest description of an error, bytes.
const ERROR_BYTES: usize = 256 << 10;
/// Pieces of a streamed answer that may wait for its reader.
const PIECES: usize = 16;

const BASE: &str = "/2018-06-01/runtime/";

/// Binds a socket on a loopback address that no two processes share.
pub(super) async fn bind() -> std::io::Result<(TcpListener, SocketAddrV4)> {
    let mut random = [0; 3];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| std::io::Error::other("the system has no randomness"))?;
    let host = Ipv4Addr::new(127, 1 + random[0] % 254, random[1], 1 + random[2] % 254);
    let listener = TcpListener::bind((host, 0)).await?;
    match listener.local_addr()? {
        SocketAddr::V4(at) => Ok((listener, at)),
        SocketAddr::V6(_) => Err(std::io::ErrorKind::AddrNotAvailable.into()),
    }
}

/// Serves the process `root` until dropped.
pub(super) async fn serve(
    listener: TcpListener,
    at: SocketAddrV4,
    root: u32,
    desk: Arc<Desk>,
    metrics: FunctionMetrics,
) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, SocketAddr::V4(from))) = accepted else {
                    // Out of files: the others go on, and this one asks again.
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                    continue;
                };
                if open.len() >= CONNECTIONS {
                    continue;
                }
                open.spawn(connection(stream, from, at, root, desk.clone(), metrics.clone()));
            }
            Some(_) = open.join_next(), if !open.is_empty() => {}
        }
    }
}

async fn connection(
    stream: TcpStream,
    from: SocketAddrV4,
    at: SocketAddrV4,
    root: u32,
    desk: Arc<Desk>,
    metrics: FunctionMetrics,
) {
    let told = tokio::task::spawn_blocking(move || peer::origin(root, from, at)).await;
    match told.unwrap_or(Origin::Unknown) {
        Origin::Own => {}
        Origin::Foreign => {
            metrics.foreign.inc();
            return;
        }
        Origin::Unknown => blind(),
    }
    // Answers are small and awaited.
    let _ = stream.set_nodelay(true);
    let served = desk.clone();
    let service = hyper::service::service_fn(move |request| {
        let desk = served.clone();
        async move { Ok::<_, Infallible>(answer(&desk, request).await) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    // A runtime is silent between its questions.
    http.header_read_timeout(None);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await
        && error.is_parse()
    {
        desk.break_rule("it does not speak HTTP with its Runtime API");
    }
}

fn blind() {
    static TOLD: AtomicBool = AtomicBool::new(false);
    if !TOLD.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "this system does not tell whose a connection is: programs of this machine could take functions' events"
        );
    }
}

type Answered = Response<Full<Bytes>>;

async fn answer(desk: &Desk, request: Request<Incoming>) -> Answered {
    let path = request.uri().path().to_owned();
    let Some(rest) = path.strip_prefix(BASE) else {
        return error(StatusCode::NOT_FOUND, "InvalidPath", "no such path");
    };
    let parts: Vec<&str> = rest.split('/').collect();
    match (request.method(), parts.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => next(desk).await,
        (&Method::POST, ["invocation", id, "response"]) => response(desk, id, request).await,
        (&Method::POST, ["invocation", id, "error"]) => function_error(desk, id, request).await,
        (&Method::POST, ["init", "error"]) => {
            let (head, body) = request.into_parts();
            match collect(body, ERROR_BYTES).await {
                Collected::All(body) => {
                    desk.init_error(failure(&head.headers, body));
                    accepted()
                }
                Collected::TooLarge(_) => error(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", "too long"),
                Collected::Cut => error(StatusCode::BAD_REQUEST, "Truncated", "the body ended early"),
            }
        }
        _ => error(StatusCode::NOT_FOUND, "InvalidPath", "no such operation"),
    }
}

async fn next(desk: &Desk) -> Answered {
    let Some((job, deadline_ms)) = desk.next().await else {
        return error(StatusCode::FORBIDDEN, "InvalidStateTransition", "the last invocation has no answer");
    };
    match head(&job, deadline_ms) {
        Ok(headers) => {
            let mut response = Response::new(Full::new(job.payload));
            *response.headers_mut() = headers;
            response
        }
        // The host looks at what callers send before it comes here.
        Err(_) => {
            desk.break_rule("its invocation cannot be written");
            error(StatusCode::INTERNAL_SERVER_ERROR, "Internal", "the invocation cannot be written")
        }
    }
}

fn head(job: &Job, deadline_ms: u64) -> Result<HeaderMap, http::header::InvalidHeaderValue> {
    let mut headers = HeaderMap::with_capacity(8);
    let mut put = |name: &'static str, value: &str| -> Result<(), http::header::InvalidHeaderValue> {
        headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).or_else(|_| HeaderValue::from_str(value))?);
        Ok(())
    };
    put("content-type", "application/json")?;
    put("lambda-runtime-aws-request-id", &job.request_id)?;
    put("lambda-runtime-deadline-ms", &deadline_ms.to_string())?;
    put("lambda-runtime-invoked-function-arn", &job.arn)?;
    if let Some(trace) = &job.trace {
        put("lambda-runtime-trace-id", trace)?;
    }
    if let Some(context) = &job.client_context {
        put("lambda-runtime-client-context", context)?;
    }
    Ok(headers)
}

async fn response(desk: &Desk, id: &str, request: Request<Incoming>) -> Answered {
    let (head, body) = request.into_parts();
    let streaming = head.headers.get("lambda-runtime-function-response-mode").is_some_and(|mode| mode == "streaming");
    if streaming {
        let Some(reply) = desk.claim(id) else { return unknown() };
        return stream(desk, reply, body).await;
    }
    let collected = collect(body, desk.response_bytes).await;
    let Some(reply) = desk.claim(id) else { return unknown() };
    let (said, answered) = match collected {
        Collected::All(body) => (Reply::Whole(body), accepted()),
        Collected::TooLarge(bytes) => {
            let failure = Failure::too_large(bytes, desk.response_bytes);
            let told = error(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &failure.message);
            (Reply::Error(failure), told)
        }
        Collected::Cut => {
            let failure = Failure::new("Runtime.TruncatedResponse", "Response was truncated");
            (Reply::Error(failure), error(StatusCode::BAD_REQUEST, "Truncated", "the body ended early"))
        }
    };
    // The host may have given up by now.
    let _ = reply.send(said);
    answered
}

/// Passes an answer on as it comes.
async fn stream(desk: &Desk, reply: oneshot::Sender<Reply>, mut body: Incoming) -> Answered {
    let (pieces, receiver) = mpsc::channel(PIECES);
    let (finish, finished) = oneshot::channel();
    let said = Reply::Stream { pieces: receiver, ender: pieces.clone(), finished };
    if reply.send(said).is_err() {
        return unknown();
    }
    let mut bytes = 0;
    let failed = loop {
        match body.frame().await {
            None => break None,
            Some(Err(_)) => break Some(Failure::new("Runtime.TruncatedResponse", "Response was truncated")),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    bytes += data.len() as u64;
                    if bytes > desk.stream_bytes {
                        break Some(Failure::too_large(
                            usize::try_from(bytes).unwrap_or(usize::MAX),
                            desk.stream_bytes as usize,
                        ));
                    }
                    // Who called may have gone; the function runs to its end all the same.
                    let _ = pieces.send(Ok(data)).await;
                }
                Err(frame) => {
                    let said = frame.trailers_ref().filter(|trailers| trailers.contains_key(ERROR_TYPE)).map(trailed);
                    if said.is_some() {
                        break said;
                    }
                }
            },
        }
    };
    if let Some(failure) = &failed {
        let error = Broken { error_type: failure.error_type.clone(), message: failure.message.clone() };
        let _ = pieces.send(Err(error)).await;
    }
    let _ = finish.send(failed);
    accepted()
}

const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";

/// What a function says after its answer: the error's type, and base64 of its JSON.
fn trailed(trailers: &HeaderMap) -> Failure {
    let text = |name| trailers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let body = text(ERROR_BODY).and_then(|body| base64::engine::general_purpose::STANDARD.decode(body).ok());
    let message = body.as_deref().map(|body| String::from_utf8_lossy(body).into_owned()).unwrap_or_default();
    let mut failure = Failure::new(text(ERROR_TYPE).unwrap_or("Runtime.Unknown"), message);
    failure.payload = body.map(Bytes::from);
    failure
}

async fn function_error(desk: &Desk, id: &str, request: Request<Incoming>) -> Answered {
    let (head, body) = request.into_parts();
    let collected = collect(body, desk.response_bytes).await;
    let Some(reply) = desk.claim(id) else { return unknown() };
    let said = match collected {
        Collected::All(body) => failure(&head.headers, body),
        Collected::TooLarge(bytes) => Failure::too_large(bytes, desk.response_bytes),
        Collected::Cut => Failure::new("Runtime.TruncatedResponse", "Response was truncated"),
    };
    let _ = reply.send(Reply::Error(said));
    accepted()
}

/// What a runtime says of a failure: its body is the payload, whatever it is.
fn failure(headers: &HeaderMap, body: Bytes) -> Failure {
    let named = headers.get(ERROR_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("Runtime.Unknown");
    let mut failure = Failure::new(named, String::from_utf8_lossy(&body[..body.len().min(1_024)]));
    failure.payload = Some(body).filter(|body| !body.is_empty());
    failure
}

enum Collected {
    All(Bytes),
    TooLarge(usize),
    Cut,
}

/// A body, if it is not too large; one that is a little too large is read to its end, so that its sender reads our answer.
async fn collect(mut body: Incoming, most: usize) -> Collected {
    let mut all = Vec::with_capacity(usize::try_from(body.size_hint().lower()).unwrap_or(0).min(most));
    let mut bytes = 0;
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let frame = if bytes > most {
            match tokio::time::timeout_at(until, body.frame()).await {
                Ok(frame) if bytes <= most.saturating_mul(8) => frame,
                _ => return Collected::TooLarge(bytes),
            }
        } else {
            body.frame().await
        };
        match frame {
            None if bytes > most => return Collected::TooLarge(bytes),
            None => return Collected::All(all.into()),
            Some(Err(_)) => return Collected::Cut,
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { continue };
                bytes += data.len();
                if bytes <= most {
                    all.extend_from_slice(&data);
                } else {
                    all = Vec::new();
                }
            }
        }
    }
}

fn accepted() -> Answered {
    status(StatusCode::ACCEPTED, r#"{"status":"OK"}"#.into())
}

fn unknown() -> Answered {
    error(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
}

fn error(code: StatusCode, kind: &str, message: &str) -> Answered {
    status(code, serde_json::json!({"errorMessage": message, "errorType": kind}).to_string())
}

fn status(code: StatusCode, body: String) -> Answered {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = code;
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}
