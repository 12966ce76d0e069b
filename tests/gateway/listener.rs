//! Listeners: framing that must not be trusted, half-closed clients, early answers, HTTP/2, TLS, drain.

use super::sockets::{PATIENCE, Raw, ask, listen, loopback};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use meridian::net::http::{Body, ConnInfo, HttpLimits, ListenOptions, Listener, Serve, Workers, tls};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;

/// Answers what it was asked; `/slow` waits for the test, `/early` does not read its body.
#[derive(Clone, Default)]
struct Echo {
    entered: Arc<Notify>,
    go: Arc<Notify>,
    cancelled: Arc<Notify>,
}

struct OnDrop(Option<Arc<Notify>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        if let Some(notify) = self.0.take() {
            notify.notify_one();
        }
    }
}

impl Serve for Echo {
    async fn serve(self: Rc<Self>, request: Request<Body>, conn: Rc<ConnInfo>) -> Response<Body> {
        if let Some(flaw) = conn.take_head_flaw() {
            return status(StatusCode::BAD_REQUEST, flaw);
        }
        let (head, body) = request.into_parts();
        let path = head.uri.path().to_string();
        if path == "/early" {
            return status(StatusCode::PAYLOAD_TOO_LARGE, "no");
        }
        let body = match body.collect(1 << 20).await {
            Ok(body) => body,
            Err(error) => return status(StatusCode::BAD_REQUEST, &error.to_string()),
        };
        if path == "/slow" {
            let mut guard = OnDrop(Some(self.cancelled.clone()));
            self.entered.notify_one();
            self.go.notified().await;
            guard.0 = None;
        }
        let tls = conn.tls.as_ref().and_then(|t| t.sni.clone()).unwrap_or_default();
        let text = format!("{} {path} h2={} sni={tls} {}", head.method, conn.h2, String::from_utf8_lossy(&body));
        status(StatusCode::OK, &text)
    }
}

fn status(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::full(text.as_bytes().to_vec()));
    *response.status_mut() = status;
    response
}

#[tokio::test]
async fn a_connection_is_kept_for_many_requests_and_pipelining_works() {
    let (listener, _workers) = listen(Echo::default(), HttpLimits::default()).await;
    let mut raw = Raw::connect(listener.local_addr()).await;
    raw.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhiGET /c HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    for wanted in ["GET /a h2=false sni= ", "POST /b h2=false sni= hi", "GET /c h2=false sni= "] {
        assert_eq!(raw.answer().await.expect("answer").text(), wanted);
    }
    raw.send("GET /d HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(raw.answer().await.expect("answer").status, 200);
    assert_eq!(listener.open(), 1);
}

#[tokio::test]
async fn framing_that_two_readers_may_read_differently_is_refused_and_the_connection_ends() {
    let (listener, _workers) = listen(Echo::default(), HttpLimits::default()).await;
    let cases: [(&str, &[u8]); 14] = [
        (
            "CL and TE",
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
        ),
        (
            "TE and CL",
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nX",
        ),
        ("two CL", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n123456"),
        ("CL list", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 6\r\n\r\n123456"),
        ("signed CL", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\n12345"),
        ("CL of nothing", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \r\n\r\n"),
        ("folded header", b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n"),
        ("bare LF", b"GET / HTTP/1.1\nHost: x\n\n"),
        ("bare LF in a header", b"GET / HTTP/1.1\r\nHost: x\r\nA: b\nC: d\r\n\r\n"),
        ("blank before colon", b"GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n"),
        ("unknown coding", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ("chunked not last", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
        ("nonsense", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
        ("NUL in a value", b"GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n"),
    ];
    for (name, bytes) in cases {
        let mut raw = Raw::connect(listener.local_addr()).await;
        raw.send(bytes).await;
        let answer = raw.answer().await;
        assert_eq!(answer.as_ref().map(|a| a.status), Some(400), "{name}: {answer:?}");
        assert!(raw.closes().await, "{name}: the connection must end");
    }
}

#[tokio::test]
async fn a_bad_chunk_fails_the_body_and_not_the_listener() {
    let (listener, _workers) = listen(Echo::default(), HttpLimits::default()).await;
    let head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for bad in ["zz\r\nhello\r\n0\r\n\r\n", "ffffffffffffffffff\r\n", "5\r\nhelloX\r\n0\r\n\r\n"] {
        let answer = ask(listener.local_addr(), format!("{head}{bad}")).await;
        assert!(answer.as_ref().is_none_or(|a| a.status == 400), "{bad:?}: {answer:?}");
    }
    let answer = ask(listener.local_addr(), format!("{head}5\r\nhello\r\n0\r\n\r\n")).await;
    assert_eq!(answer.expect("still serving").text(), "POST / h2=false sni= hello");
}

#[tokio::test]
async fn heads_beyond_the_limits_are_answered_and_cut() {
    let limits = HttpLimits { head_bytes: 8192, headers: 10, ..HttpLimits::default() };
    let (listener, _workers) = listen(Echo::default(), limits).await;
    let many: String = (0..20).map(|n| format!("a{n}: b\r\n")).collect();
    let answer = ask(listener.local_addr(), format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n")).await;
    assert_eq!(answer.expect("answer").status, 431);
    let long = "y".repeat(9000);
    let answer = ask(listener.local_addr(), format!("GET / HTTP/1.1\r\nHost: x\r\na: {long}\r\n\r\n")).await;
    assert_eq!(answer.expect("answer").status, 431);
}

#[tokio::test]
async fn a_client_that_never_ends_its_head_is_cut_off() {
    let limits = HttpLimits { head_read_timeout_ms: 100, ..HttpLimits::default() };
    let (listener, _workers) = listen(Echo::default(), limits).await;
    for start in ["", "P", "PRI", "GET / HTTP/1.1\r\nHost:"] {
        let mut raw = Raw::connect(listener.local_addr()).await;
        raw.send(start).await;
        let answer = raw.answer().await;
        assert!(answer.as_ref().is_none_or(|a| a.status == 408), "{start:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_client_that_half_closes_behind_its_request_gets_its_answer() {
    let echo = Echo::default();
    let (listener, _workers) = listen(echo.clone(), HttpLimits::default()).await;
    for request in [
        "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody",
        "POST /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    ] {
        let mut raw = Raw::connect(listener.local_addr()).await;
        raw.send(request).await;
        raw.stream.shutdown().await.expect("half-closed");
        tokio::time::timeout(PATIENCE, echo.entered.notified()).await.expect("visit began");
        // The answer comes long after the end of file.
        tokio::time::sleep(Duration::from_millis(120)).await;
        echo.go.notify_one();
        assert_eq!(raw.answer().await.map(|a| a.status), Some(200), "{request:?}");
        assert!(raw.closes().await, "{request:?}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_visit() {
    let echo = Echo::default();
    let (listener, _workers) = listen(echo.clone(), HttpLimits::default()).await;
    for request in
        ["GET /slow HTTP/1.1\r\nHost: x\r\n\r\n", "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"]
    {
        let mut raw = Raw::connect(listener.local_addr()).await;
        raw.send(request).await;
        tokio::time::timeout(PATIENCE, echo.entered.notified()).await.expect("visit began");
        // Longer than what counts as a half-close.
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(raw);
        tokio::time::timeout(PATIENCE, echo.cancelled.notified()).await.expect("visit cancelled");
    }
}

#[tokio::test]
async fn a_truncated_body_fails_the_visit_and_not_later_ones() {
    let echo = Echo::default();
    let (listener, _workers) = listen(echo, HttpLimits::default()).await;
    let mut raw = Raw::connect(listener.local_addr()).await;
    raw.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc").await;
    raw.stream.shutdown().await.expect("half-closed");
    let answer = raw.answer().await;
    assert!(answer.as_ref().is_none_or(|a| a.status == 400), "{answer:?}");
    let answer = ask(listener.local_addr(), "GET /next HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(answer.expect("still serving").status, 200);
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_is_still_sending() {
    let (listener, _workers) = listen(Echo::default(), HttpLimits::default()).await;
    let mut raw = Raw::connect(listener.local_addr()).await;
    raw.send("POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n").await;
    raw.send(vec![b'x'; 300_000]).await;
    assert_eq!(raw.answer().await.expect("answer before the body ended").status, 413);
    assert!(raw.closes().await, "what follows is body: no request may be read from it");
}

#[tokio::test]
async fn http2_is_spoken_to_those_who_begin_with_its_preface() {
    let (listener, _workers) = listen(Echo::default(), HttpLimits::default()).await;
    let socket = tokio::net::TcpStream::connect(listener.local_addr()).await.expect("listening");
    assert_eq!(h2_ask(socket).await, "POST /two h2=true sni= hello");
}

async fn h2_ask<IO>(io: IO) -> String
where
    IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let exec = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(io);
    let (mut send, conn) = hyper::client::conn::http2::handshake(exec, io).await.expect("h2");
    let conn = tokio::spawn(conn);
    let request = Request::post("http://x/two").body(Full::new(Bytes::from_static(b"hello"))).expect("request");
    let answer = send.send_request(request).await.expect("answer");
    let body = answer.into_body().collect().await.expect("body").to_bytes();
    conn.abort();
    String::from_utf8(body.to_vec()).expect("text")
}

#[tokio::test]
async fn tls_offers_both_protocols_and_tells_the_name_asked_for() {
    let made = rcgen::generate_simple_self_signed(["a.example".to_string()]).expect("certificate");
    let key = tls::certified_key(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes());
    let certificates = Arc::new(tls::Certificates::with_default(key.expect("pair")));
    let options =
        ListenOptions { tls: Some(tls::server_config(certificates).expect("tls")), ..ListenOptions::default() };
    let workers = Workers::start("test", 1).expect("worker");
    let listener = Listener::start(loopback(), options, workers, Echo::default()).await.expect("free port");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("root");
    for (alpn, wanted) in
        [("h2", "POST /two h2=true sni=a.example hello"), ("http/1.1", "GET / h2=false sni=a.example ")]
    {
        let mut config = rustls::ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        let socket = tokio::net::TcpStream::connect(listener.local_addr()).await.expect("listening");
        let name = "A.example".to_string().try_into().expect("name");
        let stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, socket).await.expect("handshake");
        if alpn == "h2" {
            assert_eq!(h2_ask(stream).await, wanted);
        } else {
            let (mut send, conn) =
                hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.expect("h1");
            let conn = tokio::spawn(conn);
            let request = Request::get("/").header("host", "x").body(Full::<Bytes>::default()).expect("request");
            let answer = send.send_request(request).await.expect("answer");
            assert_eq!(answer.into_body().collect().await.expect("body").to_bytes(), wanted);
            conn.abort();
        }
    }
    // Bytes that are no TLS end the connection and nothing else.
    let mut raw = Raw::connect(listener.local_addr()).await;
    raw.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(raw.answer().await.is_none());
}

#[tokio::test]
async fn draining_finishes_visits_in_hand_and_takes_no_more() {
    let echo = Echo::default();
    let (listener, _workers) = listen(echo.clone(), HttpLimits::default()).await;
    let mut idle = Raw::connect(listener.local_addr()).await;
    idle.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(idle.answer().await.expect("answer").status, 200);
    let mut busy = Raw::connect(listener.local_addr()).await;
    busy.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    tokio::time::timeout(PATIENCE, echo.entered.notified()).await.expect("visit began");
    let addr = listener.local_addr();
    let drain = tokio::spawn(async move { listener.drain(PATIENCE).await });
    assert!(idle.closes().await, "an idle connection is closed");
    echo.go.notify_one();
    let answer = busy.answer().await.expect("the visit in hand is answered");
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert_eq!(drain.await.expect("drained"), 0);
    assert!(tokio::net::TcpStream::connect(addr).await.is_err(), "nobody listens any more");
}
