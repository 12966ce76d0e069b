//! The upstream pool: reuse, stale connections, misbehaving backends, cancellation, egress.

use super::backends::{Act, Backend, plain};
use super::sockets::PATIENCE;
use http::{Request, Response};
use meridian::net::http::{
    Body, Egress, EgressError, EgressPolicy, Pool, Target, Upstream, UpstreamError, UpstreamOptions,
};
use std::future::Future;
use std::time::Duration;
use tokio::task::LocalSet;
use tokio::time::Instant;

fn pool() -> Pool {
    let egress = Egress::new(EgressPolicy { loopback: true, ..EgressPolicy::default() });
    Pool::new(egress, UpstreamOptions { connect_timeout_ms: 2_000, ..UpstreamOptions::default() }).expect("tls")
}

fn target(backend: &Backend) -> Target {
    Target::parse("http", &backend.addr.to_string()).expect("target")
}

fn later() -> Instant {
    Instant::now() + PATIENCE
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::Empty).expect("request")
}

async fn call(pool: &Pool, backend: &Backend, path: &str) -> Result<(u16, String), UpstreamError> {
    let answer = pool.call(&target(backend), get(path), later()).await?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect(1 << 20).await.expect("body");
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

async fn local<T>(test: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(test).await
}

/// Lets the connections' tasks notice what their sockets brought.
async fn until_noticed() {
    tokio::time::sleep(Duration::from_millis(30)).await;
}

#[tokio::test]
async fn one_connection_serves_calls_that_follow_each_other() {
    local(async {
        let (backend, pool) = (Backend::text("hello").await, pool());
        for n in 0..20 {
            assert_eq!(call(&pool, &backend, &format!("/{n}")).await.expect("answer"), (200, "hello".into()));
        }
        assert_eq!((pool.opened(), backend.connections()), (1, 1));
        let first = &backend.requests()[0];
        assert!(first.starts_with("GET /0 HTTP/1.1\r\n"), "{first}");
        assert!(first.contains(&format!("host: {}\r\n", backend.addr)), "{first}");
    })
    .await;
}

#[tokio::test]
async fn an_answer_without_a_body_gives_its_connection_back_at_once() {
    local(async {
        let backend = Backend::start(|n| match n {
            0 => Act::Say(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
            1 => Act::Say(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n".to_vec()),
            2 => Act::Say(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()),
            _ => Act::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_vec()),
        })
        .await;
        let pool = pool();
        for wanted in [204, 304, 200] {
            assert_eq!(call(&pool, &backend, "/").await.expect("answer"), (wanted, String::new()));
        }
        let head = Request::head("/").body(Body::Empty).expect("request");
        let answer: Response<Body> = pool.call(&target(&backend), head, later()).await.expect("answer");
        assert_eq!(answer.headers()["content-length"], "5");
        assert_eq!(backend.connections(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_its_backend_closed_is_not_reused() {
    local(async {
        let backend = Backend::always(Act::SayAndClose(plain(200, "", "bye"))).await;
        let pool = pool();
        for _ in 0..3 {
            assert_eq!(call(&pool, &backend, "/").await.expect("answer").1, "bye");
            until_noticed().await;
        }
        assert_eq!(backend.connections(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_connection_with_bytes_nobody_asked_for_is_not_reused() {
    local(async {
        let mut answer = plain(200, "", "ok");
        answer.extend_from_slice(&plain(200, "", "poison"));
        let backend = Backend::always(Act::Say(answer)).await;
        let pool = pool();
        for _ in 0..3 {
            assert_eq!(call(&pool, &backend, "/").await.expect("answer").1, "ok");
            until_noticed().await;
        }
        assert_eq!(backend.connections(), 3, "each answer came over its own connection");
    })
    .await;
}

#[tokio::test]
async fn what_is_no_http_answer_is_an_error_and_is_not_sent_twice() {
    local(async {
        for bad in [
            &b"nonsense\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            b"HTTP/1.1 999999 X\r\n\r\n",
            b"",
        ] {
            let backend = Backend::always(Act::SayAndClose(bad.to_vec())).await;
            let answer = call(&pool(), &backend, "/").await;
            assert!(answer.is_err(), "{:?}: {answer:?}", String::from_utf8_lossy(bad));
            assert_eq!(backend.requests().len(), 1);
        }
        let long = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "y".repeat(300_000));
        let backend = Backend::always(Act::SayAndClose(long.into_bytes())).await;
        assert!(call(&pool(), &backend, "/").await.is_err());
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_cut_off_never_looks_whole() {
    local(async {
        for cut in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        ] {
            let backend = Backend::always(Act::SayAndClose(cut.to_vec())).await;
            let answer = pool().call(&target(&backend), get("/"), later()).await.expect("head");
            assert!(answer.into_body().collect(1 << 20).await.is_err());
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_that_stalls_is_cut_when_its_time_is_over() {
    local(async {
        let backend =
            Backend::always(Act::SayAndHang(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_vec())).await;
        let until = Instant::now() + Duration::from_millis(100);
        let answer = pool().call(&target(&backend), get("/"), until).await.expect("head");
        let body = tokio::time::timeout(PATIENCE, answer.into_body().collect(1 << 20)).await.expect("in time");
        assert!(body.is_err());
    })
    .await;
}

#[tokio::test]
async fn dropping_a_call_closes_its_connection() {
    local(async {
        let backend = Backend::always(Act::Hang).await;
        let pool = pool();
        {
            let target = target(&backend);
            let call = pool.call(&target, get("/"), later());
            tokio::select! {
                _ = call => panic!("nobody answers"),
                () = backend.seen.arrived.notified() => {}
            }
        }
        tokio::time::timeout(PATIENCE, backend.seen.left.notified()).await.expect("the backend saw us leave");
    })
    .await;
}

#[tokio::test]
async fn nobody_listening_and_unknown_names_are_told_apart() {
    local(async {
        let backend = Backend::text("x").await;
        let gone = target(&backend);
        let addr = backend.addr;
        drop(backend);
        // The port is free once the backend's task is gone.
        while tokio::net::TcpStream::connect(addr).await.is_ok() {
            tokio::task::yield_now().await;
        }
        let error = pool().call(&gone, get("/"), later()).await.expect_err("nobody listens");
        assert!(matches!(error, UpstreamError::Egress(EgressError::Connect { .. })), "{error:?}");
        let nowhere = Target::parse("http", "no-such-host.invalid").expect("target");
        let error = pool().call(&nowhere, get("/"), later()).await.expect_err("no such name");
        assert!(matches!(error, UpstreamError::Egress(EgressError::Unresolvable { .. })), "{error:?}");
        let metadata = Target::parse("http", "169.254.169.254").expect("target");
        let error = pool().call(&metadata, get("/"), later()).await.expect_err("refused");
        assert!(matches!(error, UpstreamError::Egress(EgressError::Refused { .. })), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn an_idle_list_is_bounded() {
    local(async {
        let backend = Backend::text("x").await;
        let egress = Egress::new(EgressPolicy { loopback: true, ..EgressPolicy::default() });
        let pool =
            Pool::new(egress, UpstreamOptions { idle_per_target: 2, ..UpstreamOptions::default() }).expect("tls");
        let target = target(&backend);
        for opened in [4, 6] {
            let calls = (0..4).map(|_| pool.call(&target, get("/"), later()));
            for answer in futures_util::future::join_all(calls).await {
                answer.expect("answer").into_body().collect(100).await.expect("body");
            }
            assert_eq!(pool.opened(), opened);
        }
        assert_eq!(pool.counts().idle, 2);
    })
    .await;
}

#[test]
fn targets_are_hosts_and_ports_and_nothing_else() {
    for good in ["a.b", "a.b:8080", "127.0.0.1:1", "[::1]:80", "[::1]"] {
        assert!(Target::parse("http", good).is_some(), "{good}");
    }
    for bad in ["", ":80", "a:b", "a:0", "a:99999", "u@a", "a/b", "a b", "::1", "a%20b"] {
        assert!(Target::parse("http", bad).is_none(), "{bad}");
    }
    assert!(Target::parse("ftp", "a").is_none());
    assert_eq!(Target::parse("https", "A.b:443"), Target::parse("https", "a.b"));
}
