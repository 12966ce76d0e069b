//! What strangers send: other people's HTTP clients, which must be served, and nonsense, which must be refused in words.

use crate::nodes::api::{BODY, Served};
use crate::nodes::http::{self, Client};
use crate::nodes::{Cluster, skip};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

/// What a program printed, or nothing (said aloud) when it is not installed.
fn run(test: &str, program: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => {
            let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success(), "{program} {arguments:?}: {}\n{said}{complained}", output.status);
            Some(said.into_owned())
        }
        Err(error) => {
            skip(
                test,
                &format!("{program} is not installed ({error}); on Debian it is in curl, nghttp2-client or wrk"),
            );
            None
        }
    }
}

#[test]
fn curl_h2load_and_wrk_are_served_over_every_protocol() {
    let test = "curl_h2load_and_wrk_are_served_over_every_protocol";
    let cluster = Cluster::start(&["us-east-1"]);
    let served = Served::make(&cluster.owner(0), 1000);
    let listen = cluster.nodes[0].listen;
    let host = format!("{}.execute-api.us-east-1.localhost", served.api);
    let (plain, tls) = (listen.gateway_http.port(), listen.gateway_https.port());
    let resolve = [format!("{host}:{plain}:127.0.0.1"), format!("{host}:{tls}:127.0.0.1")];
    let ways = [
        ("--http1.1", format!("http://{host}:{plain}/prod/free"), "1.1 200"),
        ("--http2-prior-knowledge", format!("http://{host}:{plain}/prod/free"), "2 200"),
        ("--http1.1", format!("https://{host}:{tls}/prod/free"), "1.1 200"),
        ("--http2", format!("https://{host}:{tls}/prod/free"), "2 200"),
    ];
    for (protocol, url, said) in &ways {
        let written = "\n%{http_version} %{http_code}";
        let arguments = ["-sk", protocol, "--resolve", &resolve[0], "--resolve", &resolve[1], "-w", written, url];
        let Some(printed) = run(test, "curl", &arguments) else { return };
        assert_eq!(printed, format!("{BODY}\n{said}"), "{protocol} {url}");
    }
    let path = served.path("free");
    if let Some(printed) = run(test, "h2load", &["-n400", "-c4", "-m10", &format!("https://127.0.0.1:{tls}{path}")]) {
        assert!(printed.contains("400 succeeded, 0 failed, 0 errored"), "{printed}");
        assert!(printed.contains("status codes: 400 2xx"), "{printed}");
    }
    if let Some(printed) = run(test, "wrk", &["-t1", "-c8", "-d1", &format!("http://127.0.0.1:{plain}{path}")]) {
        assert!(printed.contains("requests in") && !printed.contains("Non-2xx"), "{printed}");
    }
}

/// Sends bytes as they are and gives what comes back until the other side closes or is silent.
fn raw(address: SocketAddr, bytes: &[u8], half_close: bool) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a deadline");
    // The node may refuse before it has read all.
    let _ = stream.write_all(bytes);
    if half_close {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read) = stream.read(&mut buffer) {
        if read == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..read]);
        if !half_close && answer.windows(4).any(|window| window == b"\r\n\r\n") {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of a raw answer; 0 when the connection was closed without one.
fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

#[test]
fn nonsense_is_refused_and_leaves_the_node_serving() {
    let cluster = Cluster::start(&["us-east-1"]);
    let served = Served::make(&cluster.owner(0), 1000);
    let listen = cluster.nodes[0].listen;
    let path = served.path("free");
    let mut requests: Vec<Vec<u8>> = [
        "GARBAGE\r\n\r\n".to_owned(),
        "\0\0\0\0\r\n\r\n".to_owned(),
        format!("GET {path} HTTP/9.9\r\nHost: x\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n"),
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"),
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n"),
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
        "GET /nowhere HTTP/1.1\r\nHost: stranger.example\r\n\r\n".to_owned(),
        "GET /%zz/%00 HTTP/1.1\r\nHost: aaaaaaaaaa.execute-api.localhost\r\n\r\n".to_owned(),
        "GET /prod/x HTTP/1.1\r\nHost: .execute-api.\r\n\r\n".to_owned(),
        "GET /_aws/execute-api//prod HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /_aws/execute-api/aaaaaaaaaa HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /restapis/x/y/_user_request_ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec();
    requests.push(format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(1 << 20)).into_bytes());
    requests.push(format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(1 << 20)).into_bytes());
    for request in &requests {
        let shown = String::from_utf8_lossy(&request[..request.len().min(90)]).into_owned();
        let answer = raw(listen.gateway_http, request, false);
        assert!(matches!(status(&answer), 0 | 400..=499), "{shown:?} was answered {answer:?}");
    }
    // A client that closes its half is still told.
    let half = raw(listen.gateway_http, format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes(), true);
    assert!(status(&half) == 200 && half.ends_with(BODY), "{half:?}");

    let bearer = format!("Bearer {}", cluster.token);
    let signed =
        "AWS4-HMAC-SHA256 Credential=x/20200101/us-east-1/apigateway/aws4_request, SignedHeaders=host, Signature=0";
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let admin: [(&str, &str, Headers<'_>, &str); 10] = [
        ("GET", "/restapis", &[], ""),
        ("GET", "/restapis", &[("authorization", "Bearer wrong")], ""),
        ("GET", "/restapis", &[("authorization", signed)], ""),
        ("GET", "/restapis", &[("authorization", "AWS4-HMAC-SHA256 ,,,=")], ""),
        ("POST", "/restapis", &[("authorization", &bearer)], "{\"name\":"),
        ("POST", "/restapis", &[("authorization", &bearer)], "[1]"),
        ("POST", "/restapis", &[("authorization", &bearer)], "{\"name\":{\"a\":1}}"),
        ("GET", "/restapis/%00%ff", &[("authorization", &bearer)], ""),
        ("GET", "/restapis?limit=-1&position=%25%25nonsense", &[("authorization", &bearer)], ""),
        ("GET", "/restapis", &[("authorization", &bearer), ("origin", "https://stranger.example")], ""),
    ];
    for (method, path, headers, body) in admin {
        let answer = Client::connect(listen.admin)
            .and_then(|mut client| client.send(method, path, headers, body.as_bytes()))
            .unwrap_or_else(|error| panic!("{method} {path} {headers:?}: {error}"));
        let tolerated = answer.status == 200 && path.contains("limit=");
        let refused = (400..500).contains(&answer.status) && answer.json().is_some();
        assert!(tolerated || refused, "{method} {path} {headers:?} {body}: {} {}", answer.status, answer.text());
    }

    let answer = http::get(listen.gateway_http, &path, &[]).expect("an answer after all that");
    assert_eq!((answer.status, answer.text().as_str()), (200, BODY));
    let said = std::fs::read_to_string(cluster.nodes[0].data.join("stderr.log")).unwrap_or_default();
    assert!(!said.contains("panicked at"), "the node panicked:\n{said}");
}
