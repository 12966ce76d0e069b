//! Payloads: binary media types and content handling, compression both ways.

use super::backends::{Act, Backend, plain};
use super::site::{API, Rows, Site, api_scope, mock, proxy, request};
use super::sockets::ask;
use meridian::catalog::v1::{ContentHandling, Integration, IntegrationType, RestApi};
use std::collections::BTreeMap;
use std::io::{Read, Write};

fn rows(types: &[&str], compress: Option<i32>) -> Rows {
    let mut rows = Rows::new();
    let api = RestApi {
        id: API.into(),
        binary_media_types: types.iter().map(ToString::to_string).collect(),
        minimum_compression_size: compress,
        ..RestApi::default()
    };
    rows.change(|ops| {
        ops.put(&api_scope(), API, &api);
    });
    rows
}

fn http(uri: String, asked: Option<ContentHandling>, answered: Option<ContentHandling>) -> Integration {
    let mut answers = mock("").integration_responses;
    answers.get_mut("200").expect("default").content_handling = answered;
    Integration {
        kind: IntegrationType::Http,
        uri: Some(uri),
        http_method: Some("POST".into()),
        content_handling: asked,
        integration_responses: answers,
        ..Integration::default()
    }
}

/// A request with any bytes as its body.
fn bytes(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = request("POST", path, &format!("{headers}Content-Length: {}\r\n", body.len()), "").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

use ContentHandling::{ConvertToBinary, ConvertToText};

#[tokio::test]
async fn request_payloads_are_converted_as_recorded() {
    let backend = Backend::text("ok").await;
    let mut rows = rows(&["image/png"], None);
    for (path, handling) in [("/none", None), ("/text", Some(ConvertToText)), ("/binary", Some(ConvertToBinary))] {
        rows = rows.method(path, "POST", http(backend.url(path), handling, None));
    }
    let site = Site::new(&rows.deploy()).await;
    let (png, txt) = ("Content-Type: image/png\r\n", "Content-Type: text/plain\r\n");
    let cases: [(&str, &str, &[u8], Option<&str>); 7] = [
        ("/none", txt, "h\u{e9}".as_bytes(), Some("h\u{e9}")),
        ("/none", png, b"raw", Some("raw")),
        ("/text", txt, b"raw", Some("raw")),
        ("/text", png, b"\xff\x00raw", Some("/wByYXc=")),
        ("/binary", txt, b"cmF3", Some("raw")),
        ("/binary", txt, b"no base64!", None),
        ("/binary", png, b"raw", Some("raw")),
    ];
    for (path, headers, body, wanted) in cases {
        let answer = ask(site.addr, bytes(path, headers, body)).await.expect("an answer");
        match wanted {
            Some(text) => {
                assert_eq!(answer.status, 200, "{path} {headers}");
                let asked = backend.requests().pop().expect("asked");
                assert_eq!(asked.split_once("\r\n\r\n").map(|(_, body)| body), Some(text), "{path} {headers}");
            }
            None => assert_eq!(answer.status, 500, "{path} {headers}"),
        }
    }
}

#[tokio::test]
async fn response_payloads_are_converted_as_recorded() {
    // (integration's Content-Type, its body, contentHandling, Accept, what the client gets)
    let text: (&str, &[u8]) = ("text/plain", b"cmF3");
    let image: (&str, &[u8]) = ("image/png", b"raw");
    let bad: (&str, &[u8]) = ("text/plain", b"no base64!");
    let (wants_text, wants_png) = ("text/plain", "image/png, */*");
    let cases = [
        (text, None, wants_text, Some("cmF3")),
        (text, None, wants_png, Some("raw")),
        (bad, None, wants_png, None),
        (image, None, wants_text, Some("cmF3")),
        (image, None, wants_png, Some("raw")),
        (text, Some(ConvertToText), wants_text, Some("cmF3")),
        (text, Some(ConvertToText), wants_png, Some("cmF3")),
        (image, Some(ConvertToText), wants_text, Some("cmF3")),
        (image, Some(ConvertToText), wants_png, Some("cmF3")),
        (text, Some(ConvertToBinary), wants_text, Some("raw")),
        (text, Some(ConvertToBinary), wants_png, Some("raw")),
        (bad, Some(ConvertToBinary), wants_text, None),
        (image, Some(ConvertToBinary), wants_text, Some("raw")),
        (image, Some(ConvertToBinary), wants_png, Some("raw")),
    ];
    let mut rows = rows(&["image/png"], None);
    let mut backends = Vec::new();
    for (index, ((media, body), handling, ..)) in cases.iter().enumerate() {
        let body = std::str::from_utf8(body).expect("text");
        let backend = Backend::always(Act::Say(plain(200, &format!("Content-Type: {media}\r\n"), body))).await;
        rows = rows.method(&format!("/h{index}"), "POST", http(backend.url("/"), None, handling.clone()));
        rows = rows.method(&format!("/p{index}"), "POST", proxy(&backend.url("/")));
        backends.push(backend);
    }
    let site = Site::new(&rows.deploy()).await;
    for (index, (from, handling, accept, wanted)) in cases.into_iter().enumerate() {
        let headers = format!("Accept: {accept}\r\n");
        let mut paths = vec![format!("/h{index}")];
        if handling.is_none() {
            paths.push(format!("/p{index}"));
        }
        for path in paths {
            let answer = site.ask("POST", &path, &headers, "x").await;
            match wanted {
                Some(text) => assert_eq!(
                    (answer.status, answer.text().as_str()),
                    (200, text),
                    "{path} {from:?} {handling:?} {accept}"
                ),
                None => assert_eq!(answer.status, 500, "{path} {from:?} {handling:?} {accept}"),
            }
        }
    }
}

#[tokio::test]
async fn no_template_reads_bytes() {
    let with = |handling: Option<ContentHandling>| Integration {
        content_handling: handling,
        ..mock(r#"{"statusCode": 200}"#)
    };
    let rows = rows(&["*/*"], None).method("/cors", "OPTIONS", with(None)).method(
        "/text",
        "OPTIONS",
        with(Some(ConvertToText)),
    );
    let site = Site::new(&rows.deploy()).await;
    assert_eq!(site.ask("OPTIONS", "/cors", "", "").await.status, 500, "everything is binary, the empty body too");
    assert_eq!(site.ask("OPTIONS", "/text", "", "").await.status, 200);
}

#[tokio::test]
async fn text_that_is_no_utf8_passes_as_it_is_but_in_the_strict_profile() {
    let backend = Backend::always(Act::Say(b"HTTP/1.1 200 X\r\nContent-Length: 3\r\n\r\na\xffb".to_vec())).await;
    let rows = Rows::new().method("/p", "POST", proxy(&backend.url("/"))).deploy();
    let site = Site::new(&rows).await;
    let answer = site.ask("POST", "/p", "", "x").await;
    assert_eq!(answer.body, b"a\xffb");
    let strict = Site::with(&rows, |parts| parts.limits.text_only = true).await;
    let answer = ask(strict.addr, bytes("/p", "", b"\xffz")).await.expect("an answer");
    assert_eq!(answer.body, "a\u{fffd}b".as_bytes());
    assert!(backend.requests().pop().expect("asked").contains('\u{fffd}'));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

#[tokio::test]
async fn compressed_requests_are_decoded_and_bombs_are_stopped() {
    let backend = Backend::text("ok").await;
    let mut templated = http(backend.url("/t"), None, None);
    templated.request_templates =
        BTreeMap::from([("application/json".to_owned(), Some("got $input.path('$.a')".to_owned()))]);
    let rows = Rows::new().method("/p", "POST", proxy(&backend.url("/p"))).method("/t", "POST", templated).deploy();
    let site = Site::new(&rows).await;
    let json = br#"{"a": "b"}"#;
    let cases: [(&str, &str, Vec<u8>, u16); 9] = [
        ("/t", "gzip", gzip(json), 200),
        ("/t", "deflate", zlib(json), 200),
        ("/t", "identity", json.to_vec(), 200),
        ("/t", "br", json.to_vec(), 415),
        ("/t", "gzip", json.to_vec(), 415),
        ("/t", "gzip", gzip(json)[..12].to_vec(), 415),
        ("/t", "gzip, gzip, gzip", json.to_vec(), 415),
        ("/t", "deflate, gzip", gzip(&zlib(json)), 200),
        ("/t", "gzip", gzip(&vec![b' '; 12 << 20]), 413),
    ];
    for (path, coding, body, wanted) in cases {
        let answer =
            ask(site.addr, bytes(path, &format!("Content-Encoding: {coding}\r\n"), &body)).await.expect("an answer");
        assert_eq!(answer.status, wanted, "{coding}: {}", answer.text());
        if wanted == 200 {
            assert!(backend.requests().pop().expect("asked").ends_with("got b"), "{coding}");
        }
    }
    let answer = ask(site.addr, bytes("/p", "Content-Encoding: gzip\r\n", &gzip(json))).await.expect("an answer");
    assert_eq!(answer.status, 200);
    let asked = backend.requests().pop().expect("asked");
    assert!(asked.contains(r#"{"a": "b"}"#) && !asked.to_ascii_lowercase().contains("content-encoding"), "{asked}");
}

#[tokio::test]
async fn answers_are_compressed_for_clients_that_ask_from_the_apis_size_on() {
    let long = "a long answer ".repeat(100);
    let backend = Backend::text(&long).await;
    let chunked = Backend::always(Act::Say(
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n0123456789012345678901234567890123456789012345678901234567890123\r\n40\r\n0123456789012345678901234567890123456789012345678901234567890123\r\n0\r\n\r\n".to_vec(),
    ))
    .await;
    let coded = Backend::always(Act::Say(plain(200, "Content-Encoding: br\r\n", &long))).await;
    let mut templated = mock(r#"{"statusCode": 200}"#);
    templated.integration_responses.get_mut("200").expect("default").response_templates =
        Some(BTreeMap::from([("application/json".to_owned(), Some(format!("#set($x = 1)$x {long}")))]));
    let rows = rows(&[], Some(100))
        .method("/p", "ANY", proxy(&backend.url("/")))
        .method("/chunked", "ANY", proxy(&chunked.url("/")))
        .method("/coded", "ANY", proxy(&coded.url("/")))
        .method("/t", "GET", templated)
        .method("/short", "GET", mock(r#"{"statusCode": 200}"#))
        .deploy();
    let site = Site::new(&rows).await;
    let open = |answer: &super::sockets::Answer| {
        let mut text = String::new();
        match answer.header("content-encoding") {
            Some("gzip") => flate2::read::GzDecoder::new(&answer.body[..]).read_to_string(&mut text).expect("gzip"),
            Some("deflate") => {
                flate2::read::ZlibDecoder::new(&answer.body[..]).read_to_string(&mut text).expect("zlib")
            }
            _ => return None,
        };
        Some(text)
    };
    for coding in ["gzip", "deflate"] {
        let headers = format!("Accept-Encoding: {coding}\r\n");
        let answer = site.ask("GET", "/p", &headers, "").await;
        assert_eq!(answer.header("content-encoding"), Some(coding));
        assert_eq!(open(&answer), Some(long.clone()));
        assert_eq!(open(&site.ask("GET", "/t", &headers, "").await), Some(format!("1 {long}")));
        assert_eq!(open(&site.ask("GET", "/chunked", &headers, "").await).map(|t| t.len()), Some(128));
    }
    for (path, headers, why) in [
        ("/p", "", "nobody asked"),
        ("/p", "Accept-Encoding: br, gzip\r\n", "the client likes another better"),
        ("/p", "Accept-Encoding: *\r\n", "a coding must be named"),
        ("/short", "Accept-Encoding: gzip\r\n", "too short"),
        ("/coded", "Accept-Encoding: gzip\r\n", "coded already"),
    ] {
        let answer = site.ask("GET", path, headers, "").await;
        assert_ne!(answer.header("content-encoding"), Some("gzip"), "{path}: {why}");
    }
    let head = ask(site.addr, request("HEAD", "/p", "Accept-Encoding: gzip\r\n", "")).await.expect("an answer");
    assert_eq!(head.header("content-encoding"), None);
}
