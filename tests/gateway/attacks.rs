//! Backends and clients that lie about framing: nothing they say may be read in two ways, look whole when it is not, or
//! reach another visit.

use super::backends::{Act, Backend, plain};
use super::site::{API, Rows, Site, proxy, request};
use super::sockets::{PATIENCE, Raw};
use http::Request;
use meridian::net::http::{Body, Egress, EgressPolicy, Pool, Target, Upstream, UpstreamError, UpstreamOptions};
use std::future::Future;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::LocalSet;
use tokio::time::Instant;

fn pool(options: UpstreamOptions) -> Pool {
    let egress = Egress::new(EgressPolicy { loopback: true, ..EgressPolicy::default() });
    Pool::new(egress, options).expect("tls")
}

fn target(backend: &Backend) -> Target {
    Target::parse("http", &backend.addr.to_string()).expect("target")
}

fn later() -> Instant {
    Instant::now() + PATIENCE
}

async fn local<T>(test: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(test).await
}

async fn get(pool: &Pool, backend: &Backend) -> Result<(u16, Result<Vec<u8>, ()>), UpstreamError> {
    let request = Request::get("/").body(Body::Empty).expect("request");
    let answer = pool.call(&target(backend), request, later()).await?;
    let status = answer.status().as_u16();
    Ok((status, answer.into_body().collect(1 << 20).await.map(|body| body.to_vec()).map_err(|_| ())))
}

async fn site(backend: &Backend) -> Site {
    Site::new(&Rows::new().method("/{proxy+}", "ANY", proxy(&backend.url("/"))).deploy()).await
}

#[tokio::test]
async fn an_answer_whose_end_can_be_read_in_two_ways_is_none_and_its_connection_ends() {
    local(async {
        for head in [
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
            "Content-Length: 3\r\nContent-Length: 3\r\n",
            "Content-Length: 3\r\nContent-Length: 4\r\n",
            "Content-Length: 3, 3\r\n",
            "Content-Length: -3\r\n",
            "Content-Length: +3\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Content-Length : 3\r\n",
            "Content-Length: 3\r\n folded\r\n",
            "Content-Length: 3\nX: y\r\n",
            "Content-Length: 3\0\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: \x0bchunked\r\n",
        ] {
            let bytes = format!("HTTP/1.1 200 OK\r\n{head}\r\nabc");
            let backend = Backend::always(Act::Say(bytes.into_bytes())).await;
            let pool = pool(UpstreamOptions::default());
            for _ in 0..2 {
                let answer = get(&pool, &backend).await;
                assert!(matches!(answer, Err(UpstreamError::Invalid { .. })), "{head:?}: {answer:?}");
            }
            assert_eq!(backend.connections(), 2, "{head:?}");
            assert_eq!(pool.counts().open, 0, "{head:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn bad_chunks_and_bodies_that_break_off_never_look_whole() {
    local(async {
        for body in [
            "3\r\nabc\r\n",
            "3\r\nabcX\r\n0\r\n\r\n",
            "3\nabc\r\n0\r\n\r\n",
            "fffffffffffffffff\r\nabc",
            "-3\r\nabc\r\n0\r\n\r\n",
            "3\r\nabc\r\n0\r\n",
            "3\r\nabc\r\n0\r\nA : b\r\n\r\n",
            "3\r\nabc\r\n0\r\nA: b\nC: d\r\n\r\n",
            "3\r\nabc\r\n0\r\nnonsense\r\n\r\n",
        ] {
            let bytes = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
            let backend = Backend::always(Act::SayAndClose(bytes.into_bytes())).await;
            let (_, body) = get(&pool(UpstreamOptions::default()), &backend).await.expect("a head");
            assert_eq!(body, Err(()));
        }
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc".to_vec();
        let backend = Backend::always(Act::SayAndClose(bytes)).await;
        assert_eq!(get(&pool(UpstreamOptions::default()), &backend).await.expect("a head").1, Err(()));
    })
    .await;
}

#[tokio::test]
async fn chunk_extensions_and_trailers_are_passed_over_and_the_connection_is_kept() {
    local(async {
        let bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-Late: 1\r\n\r\n";
        let backend = Backend::always(Act::Say(bytes.to_vec())).await;
        let pool = pool(UpstreamOptions::default());
        for _ in 0..3 {
            assert_eq!(get(&pool, &backend).await.expect("answer"), (200, Ok(b"abc".to_vec())));
        }
        assert_eq!((backend.connections(), pool.counts().idle), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn interim_answers_are_passed_over_up_to_a_limit() {
    local(async {
        let hint = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
        for (count, good) in [(16, true), (17, false)] {
            let mut bytes = hint.repeat(count).into_bytes();
            bytes.extend_from_slice(&plain(200, "", "ok"));
            let backend = Backend::always(Act::Say(bytes)).await;
            let answer = get(&pool(UpstreamOptions::default()), &backend).await;
            assert_eq!(answer.is_ok(), good, "{count}: {answer:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn heads_have_limits_in_bytes_and_in_lines() {
    local(async {
        let options = || UpstreamOptions { head_bytes: 4_096, headers: 10, ..UpstreamOptions::default() };
        let many: String = (0..11).map(|n| format!("A{n}: b\r\n")).collect();
        let long = format!("A: {}\r\n", "y".repeat(5_000));
        // Neither ends: whoever waits for the end waits in vain.
        for head in [&many, &long] {
            let bytes = format!("HTTP/1.1 200 OK\r\n{head}").into_bytes();
            let backend = Backend::always(Act::SayAndHang(bytes)).await;
            let answer = tokio::time::timeout(PATIENCE, get(&pool(options()), &backend)).await.expect("at once");
            assert!(answer.is_err(), "{answer:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_comes_byte_by_byte_is_the_same_answer() {
    local(async {
        for (bytes, wanted) in [
            (&b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\nhello"[..], "hello"),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: 1\r\n\r\n", "hello"),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
            let target = Target::parse("http", &listener.local_addr().expect("bound").to_string()).expect("target");
            let backend = tokio::spawn(async move {
                let (mut socket, _) = listener.accept().await.expect("caller");
                socket.set_nodelay(true).expect("socket");
                for _ in 0..2 {
                    let mut asked = vec![0; 4_096];
                    assert!(socket.read(&mut asked).await.expect("request") > 0);
                    for byte in bytes {
                        socket.write_all(&[*byte]).await.expect("written");
                        tokio::task::yield_now().await;
                    }
                }
            });
            let pool = pool(UpstreamOptions::default());
            for _ in 0..2 {
                let request = Request::get("/").body(Body::Empty).expect("request");
                let answer = pool.call(&target, request, later()).await.expect("answer");
                assert_eq!(answer.into_body().collect(100).await.expect("body"), wanted);
            }
            assert_eq!(pool.opened(), 1);
            backend.await.expect("backend");
        }
    })
    .await;
}

#[tokio::test]
async fn a_reset_in_the_middle_of_a_body_never_looks_like_its_end() {
    local(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let target = Target::parse("http", &listener.local_addr().expect("bound").to_string()).expect("target");
        let backend = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.expect("caller");
            let mut asked = vec![0; 4_096];
            assert!(socket.read(&mut asked).await.expect("request") > 0);
            // No length: only the connection's end says that it is whole.
            socket.write_all(b"HTTP/1.1 200 OK\r\n\r\nhalf of it").await.expect("written");
            tokio::time::sleep(Duration::from_millis(20)).await;
            socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).expect("linger");
        });
        let request = Request::get("/").body(Body::Empty).expect("request");
        let answer = pool(UpstreamOptions::default()).call(&target, request, later()).await.expect("head");
        assert!(answer.into_body().collect(100).await.is_err());
        backend.await.expect("backend");
    })
    .await;
}

#[tokio::test]
async fn an_early_answer_passes_and_its_connection_is_not_used_again() {
    local(async {
        let backend = Backend::always(Act::SayAndHang(plain(413, "", "no"))).await;
        let pool = pool(UpstreamOptions::default());
        let (sender, body) = slow_body(100_000);
        let request = Request::post("/").body(body).expect("request");
        let answer = pool.call(&target(&backend), request, later()).await.expect("answer before the body ended");
        assert_eq!(answer.status(), 413);
        assert_eq!(answer.into_body().collect(100).await.expect("body"), "no");
        assert_eq!(pool.counts().open, 0);
        drop(sender);
    })
    .await;
}

/// A body that gives a few bytes and then nothing while the sender lives.
fn slow_body(length: u64) -> (tokio::sync::oneshot::Sender<()>, Body) {
    struct Slow(u64, bool, tokio::sync::oneshot::Receiver<()>);
    impl http_body::Body for Slow {
        type Data = bytes::Bytes;
        type Error = std::io::Error;
        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, std::io::Error>>> {
            if !std::mem::replace(&mut self.1, true) {
                return std::task::Poll::Ready(Some(Ok(http_body::Frame::data(bytes::Bytes::from_static(b"abc")))));
            }
            let ended = std::pin::Pin::new(&mut self.2).poll(cx);
            ended.map(|_| Some(Err(std::io::Error::other("left"))))
        }
        fn size_hint(&self) -> http_body::SizeHint {
            http_body::SizeHint::with_exact(self.0)
        }
    }
    let (sender, receiver) = tokio::sync::oneshot::channel();
    (sender, Body::peer(Slow(length, false, receiver)))
}

#[tokio::test]
async fn a_request_body_that_breaks_off_is_never_whole_to_the_backend() {
    local(async {
        let backend = Backend::always(Act::Hang).await;
        let pool = pool(UpstreamOptions::default());
        let (sender, body) = slow_body(100_000);
        let request = Request::post("/").body(body).expect("request");
        let (target, arrived) = (target(&backend), backend.seen.arrived.notified());
        let call = pool.call(&target, request, later());
        let (answer, ()) = tokio::join!(call, async {
            arrived.await;
            drop(sender);
        });
        assert!(matches!(answer, Err(UpstreamError::RequestBody(_))), "{answer:?}");
        tokio::time::timeout(PATIENCE, backend.seen.left.notified()).await.expect("the connection ended");
        assert_eq!(pool.counts().open, 0);
    })
    .await;
}

#[tokio::test]
async fn at_most_so_many_connections_and_calls_wait_in_order() {
    local(async {
        let backend = Backend::text("x").await;
        let options = UpstreamOptions { connections_per_target: 2, waiting_per_target: 2, ..Default::default() };
        let pool = pool(options);
        let target = target(&backend);
        let ask = || pool.call(&target, Request::get("/").body(Body::Empty).expect("request"), later());
        // They are begun in this order: two open, two wait, one is too many.
        let answers = futures_util::future::join_all((0..5).map(|_| ask())).await;
        let good: Vec<bool> = answers.iter().map(Result::is_ok).collect();
        assert_eq!(good, [true, true, true, true, false], "{answers:?}");
        assert!(matches!(answers[4], Err(UpstreamError::Crowded { .. })), "{:?}", answers[4]);
        assert_eq!((pool.opened(), backend.connections()), (2, 2), "who waited got a connection that was there");
        assert_eq!(pool.counts().waiting, 0);
    })
    .await;
}

#[tokio::test]
async fn who_waits_too_long_fails_in_time_and_leaves_its_place() {
    let backend = Backend::always(Act::Hang).await;
    let impatient = meridian::catalog::v1::Integration { timeout_in_millis: Some(60), ..proxy(&backend.url("/")) };
    let rows = Rows::new().method("/{proxy+}", "ANY", impatient).deploy();
    let options = UpstreamOptions { connections_per_target: 1, ..UpstreamOptions::default() };
    let one = pool(options);
    let site = Site::with(&rows, |parts| parts.pool = one.clone()).await;
    let began = std::time::Instant::now();
    let answers = futures_util::future::join_all((0..4).map(|_| site.get("/x"))).await;
    for answer in answers {
        assert_eq!((answer.status, answer.text().as_str()), (504, r#"{"message": "Endpoint request timed out"}"#));
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let until = Instant::now() + PATIENCE;
    while one.counts().open > 0 {
        assert!(Instant::now() < until, "{:?}", one.counts());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(one.counts().waiting, 0);
}

#[tokio::test]
async fn idle_connections_are_closed_when_their_time_is_over() {
    local(async {
        let backend = Backend::text("x").await;
        let pool = pool(UpstreamOptions { idle_ms: 50, ..UpstreamOptions::default() });
        assert!(get(&pool, &backend).await.is_ok());
        assert_eq!((pool.counts().open, pool.counts().idle), (1, 1));
        let until = Instant::now() + PATIENCE;
        while pool.counts().open > 0 {
            assert!(Instant::now() < until, "still open");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(pool.counts().idle, 0);
    })
    .await;
}

#[tokio::test]
async fn clients_that_smuggle_reach_no_backend() {
    let backend = Backend::text("ok").await;
    let site = site(&backend).await;
    let host = format!("Host: {API}.execute-api.x\r\n");
    for framing in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nX",
        "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "Content-Length: 1, 2\r\n\r\nab",
        "Content-Length: -1\r\n\r\nab",
        "Content-Length: +1\r\n\r\na",
        "Content-Length: 18446744073709551616\r\n\r\na",
        "Content-Length : 1\r\n\r\na",
        "Content-Length: 1\r\n 2\r\n\r\na",
        "X: y\nContent-Length: 1\r\n\r\na",
        "X: y\0\r\n\r\n",
        "Transfer-Encoding: gzip, chunked, identity\r\n\r\n0\r\n\r\n",
    ] {
        let mut raw = site.connect().await;
        raw.send(format!("POST /prod/x HTTP/1.1\r\n{host}{framing}GET /prod/smuggled HTTP/1.1\r\n{host}\r\n")).await;
        let answer = raw.answer().await.expect("answer");
        assert_eq!(answer.status, 400, "{framing:?}");
        assert!(raw.closes().await, "{framing:?}");
    }
    assert!(backend.requests().is_empty(), "{:?}", backend.requests());
}

#[tokio::test]
async fn a_chunked_request_with_a_bad_chunk_is_never_whole_to_its_backend() {
    let backend = Backend::text("ok").await;
    let site = site(&backend).await;
    let head = format!("POST /prod/x HTTP/1.1\r\nHost: {API}.execute-api.x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for bad in ["3\r\nabc\r\nzz\r\n", "3\r\nabcX\r\n0\r\n\r\n", "fffffffffffffffff\r\n"] {
        let mut raw = site.connect().await;
        raw.send(format!("{head}{bad}")).await;
        let answer = raw.answer().await;
        assert!(answer.as_ref().is_none_or(|a| a.status == 400), "{bad:?}: {answer:?}");
    }
    assert!(backend.requests().is_empty(), "{:?}", backend.requests());
    let mut raw = site.connect().await;
    raw.send(format!("{head}3;x=y\r\nabc\r\n0\r\nX-Late: 1\r\n\r\n")).await;
    assert_eq!(raw.answer().await.expect("answer").status, 200);
    let seen = backend.requests().remove(0);
    assert!(seen.contains("transfer-encoding: chunked\r\n") && seen.ends_with("3\r\nabc\r\n0\r\n\r\n"), "{seen}");
}

#[tokio::test]
async fn an_answer_cannot_be_split_and_what_follows_it_reaches_nobody() {
    let mut bytes = plain(200, "X-A: b\r\n", "first");
    bytes.extend_from_slice(&plain(200, "Set-Cookie: stolen\r\n", "second"));
    let backend = Backend::always(Act::Say(bytes)).await;
    let site = site(&backend).await;
    let mut raw: Raw = site.connect().await;
    for _ in 0..3 {
        raw.send(request("GET", "/x", "", "")).await;
        let answer = raw.answer().await.expect("answer");
        assert_eq!((answer.text().as_str(), answer.header("set-cookie")), ("first", None));
    }
    assert_eq!(backend.connections(), 3);
    let split = Backend::always(Act::Say(plain(200, "X-A: b\rSet-Cookie: c\r\n", "x"))).await;
    let site = self::site(&split).await;
    assert_eq!(site.get("/x").await.status, 504);
}
