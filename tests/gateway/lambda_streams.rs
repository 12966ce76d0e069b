//! Answers that are passed on piece by piece: from functions over Lambda's frames, and from HTTP backends.

use super::aws_site::{services, streamed};
use super::backends::{Act, Backend};
use super::site::{API, Rows, Site, api_scope, proxy, request};
use meridian::catalog::v1::{Integration, ResponseTransferMode, RestApi};
use meridian::spec::event_stream::encode;

fn event(kind: &str, payload: &[u8]) -> Vec<u8> {
    encode(&[(":message-type", "event"), (":event-type", kind)], payload).expect("a frame")
}

/// An answer of Lambda without an end: frames follow as chunks.
fn head() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nTransfer-Encoding: chunked\r\n\r\n"
        .to_vec()
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut out = format!("{:x}\r\n", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
    out
}

async fn site(integration: Integration, act: Act, idle_ms: u64) -> (Site, Backend) {
    let backend = Backend::always(act).await;
    let mut rows = Rows::new().method("/s", "GET", integration);
    let api = RestApi { id: API.into(), minimum_compression_size: Some(0), ..RestApi::default() };
    rows.change(|ops| {
        ops.put(&api_scope(), API, &api);
    });
    let aws = services(&backend);
    let site = Site::with(&rows.deploy(), |parts| {
        parts.aws = aws;
        parts.limits.stream_idle_ms = idle_ms;
    })
    .await;
    (site, backend)
}

#[tokio::test]
async fn a_streamed_function_answers_before_it_ends_and_is_never_compressed() {
    let metadata =
        b"{\"statusCode\":203,\"headers\":{\"Content-Type\":\"text/plain\"},\"cookies\":[\"a=1\"]}\0\0\0\0\0\0\0\0";
    let mut bytes = head();
    bytes.extend(chunk(&event("PayloadChunk", &[metadata, &b"first"[..]].concat())));
    let (site, backend) = site(streamed(), Act::SayAndHang(bytes), 300_000).await;
    let mut raw = site.connect().await;
    raw.send(request("GET", "/s", "Accept-Encoding: gzip\r\n", "")).await;
    // The function never ends; what it said is here.
    let seen = read_until(&mut raw, b"first").await;
    assert!(seen.starts_with("HTTP/1.1 203 "), "{seen}");
    assert!(seen.contains("set-cookie: a=1") && !seen.contains("content-encoding"), "{seen}");
    let sent = backend.requests().pop().expect("a request");
    assert!(
        sent.starts_with("POST /2021-11-15/functions/") && sent.contains("/eu-west-1/lambda/aws4_request"),
        "{sent}"
    );
}

async fn read_until(raw: &mut super::sockets::Raw, what: &[u8]) -> String {
    use tokio::io::AsyncReadExt;
    let mut seen = Vec::new();
    let read = async {
        while super::sockets::find(&seen, what).is_none() {
            assert!(raw.stream.read_buf(&mut seen).await.expect("bytes") > 0, "closed after {seen:?}");
        }
    };
    tokio::time::timeout(super::sockets::PATIENCE, read).await.expect("in time");
    String::from_utf8_lossy(&seen).to_lowercase().replacen("http", "HTTP", 1)
}

#[tokio::test]
async fn a_streamed_answer_ends_with_its_function_and_breaks_off_with_it() {
    let metadata = event("PayloadChunk", b"{}\0\0\0\0\0\0\0\0");
    let mut good = head();
    for frame in
        [&metadata, &event("PayloadChunk", b"one "), &event("PayloadChunk", b"two"), &event("InvokeComplete", b"{}")]
    {
        good.extend(chunk(frame));
    }
    good.extend_from_slice(b"0\r\n\r\n");
    let (site_, _backend) = site(streamed(), Act::Say(good), 300_000).await;
    let answer = site_.get("/s").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "one two"));
    let mut changed = event("PayloadChunk", b"one");
    changed[14] ^= 1;
    for (name, last) in [
        ("failed", event("InvokeComplete", br#"{"ErrorCode":"Runtime.ExitError"}"#)),
        ("changed on its way", changed),
        ("cut", event("PayloadChunk", b"one")[..20].to_vec()),
    ] {
        let mut bytes = head();
        bytes.extend(chunk(&metadata));
        bytes.extend(chunk(&last));
        bytes.extend_from_slice(b"0\r\n\r\n");
        let (site, _backend) = site(streamed(), Act::Say(bytes), 300_000).await;
        let mut raw = site.connect().await;
        raw.send(request("GET", "/s", "", "")).await;
        assert!(raw.answer().await.is_none(), "{name}: an answer without an end is none");
    }
}

#[tokio::test]
async fn metadata_that_is_none_is_a_bad_gateway_and_silence_a_timeout() {
    for (payload, status) in [
        (&b"{\"wrong\":1}\0\0\0\0\0\0\0\0"[..], 502),
        (b"no json\0\0\0\0\0\0\0\0", 502),
        (b"{}", 502),
        (&[b' '; 20_000], 502),
    ] {
        let mut bytes = head();
        bytes.extend(chunk(&event("PayloadChunk", payload)));
        bytes.extend(chunk(&event("InvokeComplete", b"{}")));
        bytes.extend_from_slice(b"0\r\n\r\n");
        let (site, _backend) = site(streamed(), Act::Say(bytes), 300_000).await;
        assert_eq!(site.get("/s").await.status, status);
    }
    let (site, _backend) = site(streamed(), Act::SayAndHang(head()), 50).await;
    let answer = site.get("/s").await;
    assert_eq!((answer.status, answer.text().as_str()), (504, r#"{"message": "Endpoint request timed out"}"#));
}

#[tokio::test]
async fn a_streamed_http_backend_may_take_its_time_but_not_stand_still() {
    let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    bytes.extend(chunk(b"first"));
    let stand_in = Backend::always(Act::SayAndHang(bytes)).await;
    let streamed =
        Integration { response_transfer_mode: Some(ResponseTransferMode::Stream), ..proxy(&stand_in.url("/")) };
    let rows = Rows::new().method("/s", "GET", streamed).deploy();
    let site = Site::with(&rows, |parts| parts.limits.stream_idle_ms = 100).await;
    let mut raw = site.connect().await;
    raw.send(request("GET", "/s", "", "")).await;
    assert!(raw.answer().await.is_none(), "it began, and was given up");
}
