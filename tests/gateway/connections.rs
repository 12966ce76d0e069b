//! Connections to backends at their edges: found stale, wanted on another worker, never accepted.

use super::backends::{Act, Backend, plain};
use super::site::{Rows, Site, proxy};
use super::sockets::{PATIENCE, find};
use http::Request;
use meridian::catalog::v1::Integration;
use meridian::net::http::{
    Body, Egress, EgressPolicy, Pool, Target, Upstream, UpstreamError, UpstreamOptions, Workers,
};
use std::future::Future;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use tokio::time::Instant;

fn pool(options: UpstreamOptions) -> Pool {
    let egress = Egress::new(EgressPolicy { loopback: true, ..EgressPolicy::default() });
    Pool::new(egress, options).expect("tls")
}

fn at(addr: SocketAddr) -> Target {
    Target::parse("http", &addr.to_string()).expect("target")
}

fn later() -> Instant {
    Instant::now() + PATIENCE
}

fn post(body: impl Into<bytes::Bytes>) -> Request<Body> {
    Request::post("/").body(Body::full(body)).expect("request")
}

async fn call(pool: &Pool, addr: SocketAddr, request: Request<Body>) -> Result<String, UpstreamError> {
    let target = at(addr);
    let answer = tokio::time::timeout(PATIENCE, pool.call(&target, request, later())).await.expect("in time")?;
    let body = answer.into_body().collect(8 << 20).await.expect("body");
    Ok(String::from_utf8_lossy(&body).into_owned())
}

async fn local<T>(test: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(test).await
}

/// One request with its body, or what came of it before `enough` bytes were there.
fn hear(stream: &mut TcpStream, enough: usize) -> String {
    let (mut heard, mut chunk) = (Vec::new(), vec![0; 8_192]);
    while heard.len() < enough {
        if let Some(end) = find(&heard, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&heard[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            if heard.len() >= end + 4 + length.parse::<usize>().expect("a length") {
                break;
            }
        }
        match stream.read(&mut chunk).expect("a request") {
            0 => break,
            n => heard.extend_from_slice(&chunk[..n]),
        }
    }
    String::from_utf8_lossy(&heard).into_owned()
}

fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("linger");
    drop(stream);
}

/// Answers the first request and, when told to, resets that connection; answers on the next one, too. It has a thread of its
/// own, so that the caller can stand still meanwhile and its runtime notices nothing.
fn resetting() -> (SocketAddr, mpsc::Sender<()>, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("free port");
    let addr = listener.local_addr().expect("bound");
    let (tell, told) = mpsc::channel();
    let (say, said) = mpsc::channel();
    std::thread::spawn(move || {
        for answer in ["first", "second"] {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let heard = hear(&mut stream, usize::MAX);
            stream.write_all(&plain(200, "", answer)).expect("an answer");
            let _ = say.send(heard);
            if told.recv().is_err() {
                return;
            }
            reset(stream);
            let _ = say.send("reset".into());
        }
    });
    (addr, tell, said)
}

#[tokio::test]
async fn a_request_that_met_a_stale_connection_before_anything_was_sent_goes_once_over_a_new_one() {
    local(async {
        let (addr, tell, said) = resetting();
        let pool = pool(UpstreamOptions::default());
        assert_eq!(call(&pool, addr, post("one")).await.expect("answer"), "first");
        assert!(said.recv().expect("heard").ends_with("\r\n\r\none"));
        tell.send(()).expect("the backend");
        // This thread stands still until the reset is there: only the write finds it.
        assert_eq!(said.recv().expect("its word"), "reset");
        assert_eq!(pool.counts().idle, 1);
        assert_eq!(call(&pool, addr, post("the whole of it")).await.expect("answer"), "second");
        let heard = said.recv().expect("heard");
        assert!(heard.starts_with("POST / HTTP/1.1\r\n") && heard.ends_with("\r\n\r\nthe whole of it"), "{heard}");
        assert_eq!((pool.opened(), pool.counts().open), (2, 1), "the stale one gave its place to the new one");
    })
    .await;
}

#[tokio::test]
async fn what_was_sent_in_part_or_whole_over_a_connection_that_then_ends_is_not_sent_again() {
    local(async {
        // In part: the backend resets the connection while the request is still being written.
        let listener = TcpListener::bind("127.0.0.1:0").expect("free port");
        let addr = listener.local_addr().expect("bound");
        let backend = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a caller");
            hear(&mut stream, usize::MAX);
            stream.write_all(&plain(200, "", "first")).expect("an answer");
            hear(&mut stream, 65_536);
            reset(stream);
            listener
        });
        let pool = pool(UpstreamOptions::default());
        assert_eq!(call(&pool, addr, post("one")).await.expect("answer"), "first");
        let lost = call(&pool, addr, post(vec![b'x'; 32 << 20])).await.expect_err("cut off");
        assert!(matches!(lost, UpstreamError::Broken(_)), "{lost:?}");
        assert_eq!((pool.opened(), pool.counts().open), (1, 0));
        drop(backend.join().expect("the backend"));
    })
    .await;
    local(async {
        // Whole: the backend closes instead of answering.
        let backend = Backend::start(|n| match n {
            0 => Act::Say(plain(200, "", "first")),
            _ => Act::SayAndClose(Vec::new()),
        })
        .await;
        let pool = pool(UpstreamOptions::default());
        assert_eq!(call(&pool, backend.addr, post("one")).await.expect("answer"), "first");
        let lost = call(&pool, backend.addr, post("two")).await.expect_err("no answer");
        assert!(matches!(lost, UpstreamError::Broken(_)), "{lost:?}");
        assert_eq!((backend.requests().len(), backend.connections(), pool.opened()), (2, 1, 1));
    })
    .await;
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = later();
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn single() -> Pool {
    pool(UpstreamOptions { connections_per_target: 1, ..UpstreamOptions::default() })
}

type Called = (std::thread::ThreadId, Result<String, UpstreamError>);

/// Calls on the worker that has the least to do.
fn call_on(workers: &Workers, pool: &Pool, addr: SocketAddr) -> oneshot::Receiver<Called> {
    let (give, given) = oneshot::channel();
    let pool = pool.clone();
    let here = || std::thread::current().id();
    assert!(workers.spawn(move || async move {
        let _ = give.send((here(), call(&pool, addr, post("x")).await));
    }));
    given
}

/// Takes the only connection on a worker and keeps it until the sender goes or speaks; then reads the answer to its end,
/// and stays for as long as the sender lives.
async fn occupy(workers: &Workers, pool: &Pool, addr: SocketAddr) -> (std::thread::ThreadId, mpsc::Sender<()>) {
    let (held, is_held) = oneshot::channel();
    let (tell, told) = mpsc::channel();
    let pool = pool.clone();
    assert!(workers.spawn(move || async move {
        let answer = pool.call(&at(addr), post("x"), later()).await.expect("an answer");
        let _ = held.send(std::thread::current().id());
        while told.try_recv() == Err(mpsc::TryRecvError::Empty) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let _ = answer.into_body().collect(8 << 20).await;
        while told.try_recv() != Err(mpsc::TryRecvError::Disconnected) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }));
    (is_held.await.expect("the connection"), tell)
}

/// A body that no socket buffer holds: its connection is free when it was read, not before.
const LONG: usize = 6 << 20;

#[tokio::test]
async fn a_place_that_becomes_free_goes_to_who_waits_on_another_worker() {
    let backend = Backend::text(&"x".repeat(LONG)).await;
    let (pool, workers) = (single(), Workers::start("pool", 2).expect("threads"));
    let (holder, tell) = occupy(&workers, &pool, backend.addr).await;
    let waiting = call_on(&workers, &pool, backend.addr);
    until("a call in line", || pool.counts().waiting == 1).await;
    assert_eq!((pool.counts().open, backend.connections()), (1, 1));
    tell.send(()).expect("the holder");
    let (thread, answer) = tokio::time::timeout(PATIENCE, waiting).await.expect("its turn").expect("a result");
    assert_ne!(thread, holder);
    assert_eq!(answer.expect("an answer").len(), LONG);
    // The connection itself cannot change its worker.
    assert_eq!((backend.connections(), pool.counts().open, pool.counts().waiting), (2, 1, 0));
}

#[tokio::test]
async fn an_idle_connection_makes_room_for_who_waits_on_another_worker() {
    let backend = Backend::text("x").await;
    let (pool, workers) = (single(), Workers::start("pool", 2).expect("threads"));
    let (holder, tell) = occupy(&workers, &pool, backend.addr).await;
    tell.send(()).expect("the holder");
    until("an idle connection", || pool.counts().idle == 1).await;
    let waiting = call_on(&workers, &pool, backend.addr);
    let (thread, answer) = tokio::time::timeout(PATIENCE, waiting).await.expect("its turn").expect("a result");
    assert_ne!(thread, holder);
    assert_eq!(answer.expect("an answer"), "x");
    assert_eq!((backend.connections(), pool.counts().open), (2, 1));
}

#[tokio::test]
async fn a_place_offered_to_one_who_left_the_line_is_not_lost() {
    let backend = Backend::text(&"x".repeat(LONG)).await;
    let (pool, workers) = (single(), Workers::start("pool", 2).expect("threads"));
    let (_, tell) = occupy(&workers, &pool, backend.addr).await;
    let impatient = pool.clone();
    let (left, has_left) = oneshot::channel();
    let addr = backend.addr;
    assert!(workers.spawn(move || async move {
        let call = call(&impatient, addr, post("x"));
        let _ = left.send(tokio::time::timeout(Duration::from_millis(50), call).await.is_err());
    }));
    assert!(has_left.await.expect("its word"), "there was no connection for it");
    let patient = call_on(&workers, &pool, backend.addr);
    until("a call in line", || pool.counts().waiting == 1).await;
    tell.send(()).expect("the holder");
    let (_, answer) = tokio::time::timeout(PATIENCE, patient).await.expect("its turn").expect("a result");
    assert_eq!(answer.expect("an answer").len(), LONG);
    assert_eq!((pool.counts().open, pool.counts().waiting), (1, 0));
}

/// A listener whose backlog is full: whoever connects now waits for ever.
fn full() -> (SocketAddr, impl Sized) {
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("free port");
    listener.listen(0).expect("listening");
    let addr = listener.local_addr().expect("bound").as_socket().expect("an address");
    let mut inside = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&addr, Duration::from_millis(300)) {
        inside.push(stream);
        assert!(inside.len() < 64, "the backlog never fills");
    }
    (addr, (listener, inside))
}

#[tokio::test]
async fn a_backend_that_never_accepts_is_answered_504_within_the_nearer_of_both_limits() {
    let (addr, _inside) = tokio::task::spawn_blocking(full).await.expect("a full backlog");
    let uri = format!("http://{addr}/");
    let impatient = Integration { timeout_in_millis: Some(60), ..proxy(&uri) };
    let rows = Rows::new().method("/connect", "GET", proxy(&uri)).method("/whole", "GET", impatient).deploy();
    let shy = pool(UpstreamOptions { connect_timeout_ms: 400, ..UpstreamOptions::default() });
    let site = Site::with(&rows, |parts| parts.pool = shy.clone()).await;
    for (path, least_ms, words) in [
        ("/connect", 400, r#"{"message": "Network error communicating with endpoint"}"#),
        ("/whole", 60, r#"{"message": "Endpoint request timed out"}"#),
    ] {
        let began = Instant::now();
        let answer = site.get(path).await;
        let took = began.elapsed();
        assert_eq!((answer.status, answer.text().as_str()), (504, words), "{path}");
        // Both are far from the 29 seconds of an integration.
        assert!(took >= Duration::from_millis(least_ms) && took < Duration::from_secs(10), "{path}: {took:?}");
    }
    until("no connection in the making", || shy.counts().open == 0).await;
    assert_eq!(shy.opened(), 0);
}
