//! HTTP and HTTP_PROXY: what backends see, what clients get, and backends that misbehave.

use super::backends::{Act, Backend, plain};
use super::site::{API, Rows, Site, proxy, request};
use super::sockets::{PATIENCE, find};
use meridian::catalog::v1::{Integration, IntegrationResponse, IntegrationType};
use std::time::Duration;

async fn site(backend: &Backend) -> Site {
    let rows = Rows::new()
        .method("/", "ANY", proxy(&backend.url("/root")))
        .method("/{proxy+}", "ANY", proxy(&backend.url("/base/{proxy}?fixed=1")))
        .deploy();
    Site::new(&rows).await
}

/// The header lines of a request as a backend saw it.
fn header<'a>(seen: &'a str, name: &str) -> Option<&'a str> {
    seen.lines().find_map(|l| l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v))
}

#[tokio::test]
async fn a_proxied_request_arrives_as_it_was_but_for_what_is_the_connections() {
    let backend = Backend::text("hello").await;
    let site = site(&backend).await;
    let headers = "X-Custom: a\r\nX-Custom: b\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\nTE: trailers\r\nVia: 1.1 x\r\nx-meridian-hops: 3\r\nAuthorization: Bearer t\r\nX-Forwarded-For: 9.9.9.9\r\n";
    let answer = site.ask("POST", "/a%20b/c//d/?x=1&y=%2B", headers, "body").await;
    assert_eq!((answer.status, answer.text()), (200, "hello".into()));
    let seen = backend.requests().remove(0);
    assert!(seen.starts_with("POST /base/a%20b/c//d?fixed=1&x=1&y=%2B HTTP/1.1\r\n"), "{seen}");
    assert!(seen.ends_with("\r\n\r\nbody"), "{seen}");
    assert_eq!(seen.matches("x-custom: ").count(), 2);
    assert_eq!(header(&seen, "host"), Some(backend.addr.to_string().as_str()));
    assert_eq!(header(&seen, "content-length"), Some("4"));
    assert_eq!(header(&seen, "authorization"), Some("Bearer t"));
    assert_eq!(header(&seen, "x-forwarded-for"), Some("9.9.9.9, 127.0.0.1"));
    assert_eq!(header(&seen, "x-forwarded-proto"), Some("http"));
    assert_eq!(header(&seen, "x-forwarded-port"), Some(site.addr.port().to_string().as_str()));
    assert_eq!(header(&seen, "x-amzn-apigateway-api-id"), Some(API));
    assert!(header(&seen, "x-amzn-trace-id").is_some_and(|t| t.starts_with("Root=1-")));
    for gone in ["connection", "x-hop", "te", "via", "x-meridian-hops"] {
        assert_eq!(header(&seen, gone), None, "{gone} in {seen}");
    }
}

#[tokio::test]
async fn a_proxied_answer_is_passed_on_with_awss_renames() {
    let answer = plain(
        404,
        "Date: then\r\nServer: s\r\nWWW-Authenticate: Basic\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nx-amzn-RequestId: theirs\r\nContent-Type: text/x\r\nVia: v\r\n",
        "gone",
    );
    let backend = Backend::always(Act::Say(answer)).await;
    let site = site(&backend).await;
    let answer = site.get("/x").await;
    assert_eq!((answer.status, answer.text()), (404, "gone".into()));
    assert_eq!(answer.header("x-amzn-remapped-date"), Some("then"));
    assert_eq!(answer.header("x-amzn-remapped-server"), Some("s"));
    assert_eq!(answer.header("x-amzn-remapped-www-authenticate"), Some("Basic"));
    assert_eq!(answer.header("x-amzn-remapped-x-amzn-requestid"), Some("theirs"));
    assert_eq!(answer.header("x-amzn-remapped-content-length"), Some("4"));
    assert_eq!(answer.header("content-type"), Some("text/x"));
    assert_eq!(answer.header("via"), None);
    assert_eq!(answer.headers.iter().filter(|(n, _)| n == "set-cookie").count(), 2);
    assert_eq!(answer.header("x-amzn-requestid").map(str::len), Some(36));
    assert!(answer.header("date").is_some_and(|d| d.ends_with("GMT")));
}

#[tokio::test]
async fn answers_without_a_body_keep_their_framing() {
    let backend = Backend::start(|n| match n {
        0 => Act::Say(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        1 => Act::Say(b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n".to_vec()),
        2 => Act::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n".to_vec()),
        3 => Act::Say(
            b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec(),
        ),
        _ => Act::Say(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n".to_vec(),
        ),
    })
    .await;
    let site = site(&backend).await;
    let mut raw = site.connect().await;
    for (verb, status, body) in
        [("GET", 204, ""), ("GET", 304, ""), ("HEAD", 200, ""), ("GET", 200, "ok"), ("GET", 200, "abcdefg")]
    {
        raw.send(request(verb, "/x", "", "")).await;
        let answer = raw.answer_to(verb).await.expect("answer");
        assert_eq!((answer.status, answer.text().as_str()), (status, body), "{verb}");
        if verb == "HEAD" {
            assert_eq!(answer.header("content-length"), Some("1234"));
        }
    }
    assert_eq!((site.pool.opened(), backend.connections()), (1, 1), "one connection carried them all");
}

#[tokio::test]
async fn a_backends_version_and_reason_phrase_are_not_the_clients() {
    let backend = Backend::start(|n| match n {
        0 => Act::SayAndClose(b"HTTP/1.0 200 OK\r\n\r\nold".to_vec()),
        _ => Act::Say(b"HTTP/1.1 404 Nothing \xc3\xbcber\r\nContent-Length: 2\r\n\r\nno".to_vec()),
    })
    .await;
    let site = site(&backend).await;
    let mut raw = site.connect().await;
    for (line, body) in [("HTTP/1.1 200 OK", "old"), ("HTTP/1.1 404 Not Found", "no")] {
        raw.send(request("GET", "/x", "", "")).await;
        let answer = raw.answer().await.expect("the same connection goes on");
        assert_eq!((answer.line.as_str(), answer.text().as_str()), (line, body));
    }
}

#[tokio::test]
async fn verbs_that_any_does_not_mean_reach_no_backend() {
    let backend = Backend::text("ok").await;
    let site = site(&backend).await;
    for (verb, header) in [
        ("TRACE", ""),
        ("CONNECT", ""),
        ("get", ""),
        ("BREW", ""),
        ("POST", "X-HTTP-Method-Override: CONNECT\r\n"),
        ("POST", "X-HTTP-Method-Override: TRACE\r\n"),
    ] {
        let answer = site.ask(verb, "/x", header, "").await;
        assert_eq!(answer.status, 403, "{verb} {header}");
        assert_eq!(answer.text(), r#"{"message":"Missing Authentication Token"}"#, "{verb} {header}");
    }
    assert!(backend.requests().is_empty(), "{:?}", backend.requests());
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let backend = Backend::always(Act::SayAndHang(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n".to_vec(),
    ))
    .await;
    let site = site(&backend).await;
    let mut raw = site.connect().await;
    // Neither the request's body nor the answer's ever ends, and still the first bytes arrive on both sides.
    raw.send(format!(
        "POST /prod/x HTTP/1.1\r\nHost: {API}.execute-api.x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n"
    ))
    .await;
    let mut seen = Vec::new();
    while find(&seen, b"first").is_none() {
        let mut buffer = [0u8; 1024];
        let read = tokio::io::AsyncReadExt::read(&mut raw.stream, &mut buffer);
        let n = tokio::time::timeout(PATIENCE, read).await.expect("in time").expect("read");
        assert!(n > 0, "closed after {:?}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..n]);
    }
    drop(raw);
    tokio::time::timeout(PATIENCE, backend.seen.left.notified()).await.expect("the backend saw the client leave");
}

#[tokio::test]
async fn a_large_body_arrives_whole_and_one_over_the_limit_is_refused() {
    let backend = Backend::text("ok").await;
    let rows = Rows::new().method("/", "ANY", proxy(&backend.url("/"))).deploy();
    let site = Site::with(&rows, |parts| parts.limits.body_bytes = 1_000_000).await;
    let body = "x".repeat(900_000);
    assert_eq!(site.ask("POST", "/", "", &body).await.status, 200);
    assert!(backend.requests()[0].ends_with(&body[..1000]));
    assert!(backend.requests()[0].matches('x').count() > 899_000);
    let mut raw = site.connect().await;
    raw.send(format!("POST /prod HTTP/1.1\r\nHost: {API}.execute-api.x\r\nContent-Length: 2000000\r\n\r\n")).await;
    let answer = raw.answer().await.expect("answered before the body came");
    assert_eq!((answer.status, answer.text().as_str()), (413, r#"{"message":"Request Too Long"}"#));
    let mut raw = site.connect().await;
    raw.send(format!("POST /prod HTTP/1.1\r\nHost: {API}.execute-api.x\r\nTransfer-Encoding: chunked\r\n\r\n")).await;
    let chunk = "y".repeat(100_000);
    for _ in 0..12 {
        raw.send(format!("{:x}\r\n{chunk}\r\n", chunk.len())).await;
    }
    assert_eq!(raw.answer().await.expect("answer").status, 413);
}

#[tokio::test]
async fn backends_that_fail_become_awss_answers() {
    let network = (504, r#"{"message": "Network error communicating with endpoint"}"#);
    let timeout = (504, r#"{"message": "Endpoint request timed out"}"#);
    let config = (500, r#"{"message": "Internal server error"}"#);
    let garbage = Backend::always(Act::SayAndClose(b"220 smtp ready\r\n\r\n".to_vec())).await;
    let silent = Backend::always(Act::SayAndClose(Vec::new())).await;
    let huge = Backend::always(Act::SayAndClose(
        format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "y".repeat(400_000)).into_bytes(),
    ))
    .await;
    let slow = Backend::always(Act::Hang).await;
    let gone = {
        let backend = Backend::text("x").await;
        backend.url("/")
    };
    let impatient = Integration { timeout_in_millis: Some(100), ..proxy(&slow.url("/")) };
    let rows = Rows::new()
        .method("/garbage", "ANY", proxy(&garbage.url("/")))
        .method("/silent", "ANY", proxy(&silent.url("/")))
        .method("/huge", "ANY", proxy(&huge.url("/")))
        .method("/slow", "ANY", impatient)
        .method("/gone", "ANY", proxy(&gone))
        .method("/nowhere", "ANY", proxy("http://no-such-host.invalid/"))
        .method("/metadata", "ANY", proxy("http://169.254.169.254/latest/meta-data"))
        .method("/nourl", "ANY", proxy("http://${stageVariables.undefined}/x"))
        .deploy();
    let site = Site::new(&rows).await;
    for (path, wanted) in [
        ("/garbage", network),
        ("/silent", network),
        ("/huge", network),
        ("/gone", network),
        ("/slow", timeout),
        ("/nowhere", config),
        ("/metadata", config),
        ("/nourl", config),
    ] {
        let answer = site.get(path).await;
        assert_eq!((answer.status, answer.text().as_str()), wanted, "{path}");
        assert_eq!(answer.header("x-amzn-errortype"), Some("InternalServerErrorException"), "{path}");
    }
    assert_eq!(site.metrics.panics(), 0);
    tokio::time::timeout(PATIENCE, slow.seen.left.notified()).await.expect("a call that timed out is cancelled");
}

#[tokio::test]
async fn an_answer_that_breaks_off_never_ends_cleanly() {
    let backend = Backend::always(Act::SayAndClose(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n".to_vec(),
    ))
    .await;
    let site = site(&backend).await;
    let mut raw = site.connect().await;
    raw.send(request("GET", "/x", "", "")).await;
    assert_eq!(raw.answer().await, None, "the chunked body has no end");
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_backend_call() {
    let backend = Backend::always(Act::Hang).await;
    let site = site(&backend).await;
    let mut raw = site.connect().await;
    raw.send(request("GET", "/x", "", "")).await;
    tokio::time::timeout(PATIENCE, backend.seen.arrived.notified()).await.expect("called");
    // Longer than what counts as a half-close.
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(raw);
    tokio::time::timeout(PATIENCE, backend.seen.left.notified()).await.expect("cancelled");
    while site.metrics.cancelled() == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_early_answer_of_a_backend_reaches_a_client_that_still_sends() {
    let backend = Backend::always(Act::SayAndHang(plain(401, "", "no"))).await;
    let site = site(&backend).await;
    let mut raw = site.connect().await;
    raw.send(format!("POST /prod/x HTTP/1.1\r\nHost: {API}.execute-api.x\r\nContent-Length: 100000\r\n\r\n")).await;
    raw.send("x".repeat(1000)).await;
    let answer = raw.answer().await.expect("answer");
    assert_eq!((answer.status, answer.text().as_str()), (401, "no"));
}

#[tokio::test]
async fn an_http_integration_sends_only_what_is_mapped() {
    let backend = Backend::start(|n| {
        Act::Say(plain(
            if n == 1 { 404 } else { 200 },
            "X-Back: v1\r\nX-Back: v2\r\nContent-Type: text/plain\r\n",
            "raw",
        ))
    })
    .await;
    let response = |status: &str, pattern: &str, template: Option<&str>| IntegrationResponse {
        status_code: status.into(),
        selection_pattern: Some(pattern.into()),
        response_parameters: Some(
            [("method.response.header.X-Front", "integration.response.header.X-Back")]
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .into(),
        ),
        response_templates: template.map(|t| [("application/json".to_string(), Some(t.to_string()))].into()),
        ..IntegrationResponse::default()
    };
    let integration = Integration {
        kind: IntegrationType::Http,
        http_method: Some("POST".into()),
        uri: Some(backend.url("/call/{id}")),
        request_parameters: [
            ("integration.request.path.id", "method.request.path.id"),
            ("integration.request.header.X-Mapped", "method.request.header.x-in"),
            ("integration.request.header.X-None", "method.request.header.x-absent"),
            ("integration.request.querystring.q", "method.request.querystring.s"),
        ]
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .into(),
        integration_responses: [
            ("200".to_string(), response("200", "", None)),
            ("400".to_string(), response("400", "404", Some("{\"gone\":true}"))),
        ]
        .into(),
        ..Integration::default()
    };
    let site = Site::new(&Rows::new().method("/i/{id}", "GET", integration).deploy()).await;
    let headers = "X-In: one\r\nX-In: two\r\nX-Secret: s\r\nCookie: c\r\n";
    let answer = site.ask("GET", "/i/42?s=a+b&t=2", headers, "").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "raw"));
    assert_eq!(answer.header("x-front"), Some("v2"), "the last value");
    assert_eq!(answer.header("x-back"), None);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.header("x-amzn-trace-id").is_some());
    let seen = backend.requests().remove(0);
    assert!(seen.starts_with("POST /call/42?q=a%20b HTTP/1.1\r\n"), "{seen}");
    assert_eq!(header(&seen, "x-mapped"), Some("two"));
    assert_eq!(header(&seen, "accept"), Some("application/json"));
    assert_eq!(header(&seen, "user-agent"), Some(format!("AmazonAPIGateway_{API}").as_str()));
    for gone in ["x-secret", "cookie", "x-none", "x-in"] {
        assert_eq!(header(&seen, gone), None, "{gone}");
    }
    let answer = site.ask("GET", "/i/42", "", "").await;
    assert_eq!((answer.status, answer.text().as_str()), (400, "{\"gone\":true}"));
}

#[tokio::test]
async fn mapped_headers_obey_awss_table() {
    let backend = Backend::text("ok").await;
    let with = |name: &str| {
        let mut integration = proxy(&backend.url("/"));
        integration.request_parameters.insert(format!("integration.request.header.{name}"), "'v'".into());
        integration
    };
    let rows = Rows::new()
        .method("/sent", "GET", with("Authorization"))
        .method("/dropped", "GET", with("TE"))
        .method("/refused", "GET", with("Content-Length"))
        .method("/added", "GET", with("X-Both"))
        .deploy();
    let site = Site::new(&rows).await;
    assert_eq!(site.get("/sent").await.status, 200);
    assert_eq!(site.get("/dropped").await.status, 200);
    assert_eq!(site.get("/refused").await.status, 500);
    assert_eq!(site.ask("GET", "/added", "X-Both: client\r\n", "").await.status, 200);
    let seen = backend.requests();
    assert_eq!(header(&seen[0], "authorization"), Some("v"));
    assert_eq!(header(&seen[1], "te"), None);
    assert_eq!(seen[2].matches("x-both: ").count(), 2, "a mapping adds to what the client sent");
}
