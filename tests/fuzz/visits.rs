//! The way in for visitors: any bytes at a gateway's socket, and any path, query, header and body at methods that map,
//! validate and convert. Whatever comes, it is answered in HTTP or closed, nothing panics, and what reaches the backend
//! was framed by us.

use crate::backends::{Act, Backend, plain};
use crate::site::{API, REGION, Rows, Site, mock, proxy};
use crate::{effort, spell};
use meridian::catalog::v1::{Integration, IntegrationType};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const BYTES: &[&str] = &[
    "GET /prod/m HTTP/1.1\r\n",
    "POST /prod/t/a HTTP/1.1\r\n",
    "POST /prod/p/a HTTP/1.1\r\n",
    "POST /prod/v HTTP/1.0\r\n",
    "Host: a1b2c3d4e5.execute-api.eu-west-1.localhost\r\n",
    "Host: other\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: 5, 5\r\n",
    "Content-Length: +5\r\n",
    "Content-Length: -1\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Content-Length : 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: xchunked\r\n",
    "transfer-encoding:\tchunked\r\n",
    "Transfer-Encoding: chunked\n",
    " folded: line\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive, Host\r\n",
    "Expect: 100-continue\r\n",
    "Content-Encoding: gzip\r\n",
    "Content-Encoding: \u{e9}\r\n",
    "X-HTTP-Method-Override: GET\r\n",
    "X-HTTP-Method-Override: G\u{1}\r\n",
    "x-meridian-hops: 9\r\n",
    "Upgrade: h2c\r\n",
    "Accept: text/html\r\n",
    "A\u{0}: b\r\n",
    ": empty\r\n",
    "\r\n",
    "\n",
    "\r",
    "0\r\n\r\n",
    "5\r\nhello\r\n",
    "5;a=\"\r\n\"\r\nhello\r\n",
    "fffffffffffffffff\r\n",
    "5\nhello\n",
    "hello",
    "{\"a\": [1]}",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

const TARGETS: &[&str] = &[
    "/t/",
    "/p/",
    "/v",
    "/m",
    "/",
    "//",
    "a",
    "%41",
    "%",
    "%2",
    "%2f",
    "%ff",
    "%00",
    "%e2%82%ac",
    ";",
    "..",
    ".",
    "?",
    "&",
    "=",
    "q",
    "q=1",
    "+",
    "#",
    "[",
    "]",
    "@",
    ":",
    "\u{e9}",
    "{x}",
    "$",
    "'",
    "\"",
    "<",
    "\\",
    "^",
    "~",
    "|",
];

const BODIES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"a\"",
    "\"b\"",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "'",
    "1e999",
    "-",
    "0",
    "null",
    "true",
    " ",
    "\n",
    "\u{e9}",
    "\u{feff}",
    "NaN",
    "\"$x\"",
    "#set($y = 1)",
    "${",
    "\\",
];

fn text(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// An API whose methods do all that the walk can do to a request.
fn rows(backend: &Backend) -> Rows {
    let template = "#set($b = $input.path('$'))$input.json('$.a') $input.params('q') $input.params().header $b.a.b $util.escapeJavaScript($input.body) $util.urlDecode($input.params('q'))#foreach($k in $b.keySet())$k#end";
    let templates = [("application/json".to_owned(), Some(template.to_owned()))];
    let mut answers = mock("").integration_responses;
    let default = answers.get_mut("200").expect("default");
    default.response_templates = Some(templates.clone().into());
    default.response_parameters = Some(text(&[("method.response.header.x", "integration.response.body.a")]));
    let templated = Integration {
        kind: IntegrationType::Http,
        uri: Some(backend.url("/{x}")),
        http_method: Some("POST".into()),
        request_templates: templates.into(),
        request_parameters: text(&[
            ("integration.request.path.x", "method.request.path.x"),
            ("integration.request.querystring.q", "method.request.multivaluequerystring.q"),
            ("integration.request.header.y", "method.request.body.a"),
            ("integration.request.header.z", "method.request.querystring.q"),
        ]),
        integration_responses: answers,
        ..Integration::default()
    };
    let mut rows = Rows::new()
        .method("/t/{x}", "POST", templated)
        .method("/p/{proxy+}", "ANY", proxy(&backend.url("/{proxy}")))
        .method("/m", "GET", mock("#set($x = $input.path('$.a'))$x{\"statusCode\": 200}"));
    crate::validators::demand(&mut rows, "/v");
    rows.deploy()
}

/// Everything that comes back on a fresh connection; `None` when it never ends. `leaves`: the client ends its side.
async fn talk(site: &Site, bytes: &[u8], leaves: bool) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(site.addr).await.expect("listening");
    let mut seen = Vec::new();
    let talk = async {
        // Nobody minds when the other side has closed already.
        let _ = stream.write_all(bytes).await;
        if leaves {
            let _ = stream.shutdown().await;
        }
        let _ = stream.read_to_end(&mut seen).await;
    };
    tokio::time::timeout(Duration::from_secs(20), talk).await.ok()?;
    Some(seen)
}

/// Whether bytes are nothing, or begin as an answer of HTTP/1 or of HTTP/2.
fn is_http(seen: &[u8]) -> bool {
    seen.is_empty() || seen.starts_with(b"HTTP/1.") || seen.get(3) == Some(&4)
}

struct Setting {
    runtime: tokio::runtime::Runtime,
    site: Site,
    backend: Backend,
}

fn setting() -> Setting {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (site, backend) = runtime.block_on(async {
        let backend = Backend::always(Act::Say(plain(200, "X-Meridian-Cause: fake\r\n", "{\"a\": \"b\"}"))).await;
        (Site::new(&rows(&backend)).await, backend)
    });
    Setting { runtime, site, backend }
}

impl Setting {
    /// Every request that reached the backend was framed by us, once.
    fn judge(&self) {
        assert_eq!(self.site.metrics.panics(), 0);
        for asked in self.backend.seen.requests.lock().expect("no panic under it").drain(..) {
            let head = asked.split("\r\n\r\n").next().unwrap_or_default().to_ascii_lowercase();
            let lines = |name: &str| head.lines().filter(|line| line.starts_with(name)).count();
            assert!(lines("content-length:") + lines("transfer-encoding:") <= 1, "{asked}");
            assert_eq!(lines("host:"), 1, "{asked}");
            assert_eq!(lines("x-meridian-") + lines("x-http-method-override"), 0, "{asked}");
        }
    }
}

#[test]
fn any_bytes_at_the_socket_are_answered_in_http_or_closed() {
    let setting = AssertUnwindSafe(setting());
    let (inputs, time) = effort(400);
    let target = bolero::check!().with_iterations(inputs).with_test_time(time);
    target.with_type::<(Vec<u8>, Vec<u8>, bool)>().for_each(|(words, raw, spelled)| {
        let setting = &setting;
        let mut bytes = spell(words, BYTES).into_bytes();
        if !*spelled {
            bytes.extend_from_slice(raw);
        }
        let seen = setting.runtime.block_on(talk(&setting.site, &bytes, true));
        let seen = seen.unwrap_or_else(|| panic!("no end after {:?}", String::from_utf8_lossy(&bytes)));
        assert!(is_http(&seen), "{:?} after {:?}", String::from_utf8_lossy(&seen), String::from_utf8_lossy(&bytes));
        setting.judge();
    });
}

#[test]
fn any_target_header_and_body_is_answered_with_a_status() {
    let setting = AssertUnwindSafe(setting());
    let (inputs, time) = effort(400);
    let target = bolero::check!().with_iterations(inputs).with_test_time(time);
    target.with_type::<(u8, Vec<u8>, Vec<u8>, Vec<u8>, bool)>().for_each(|(verb, target, value, body, raw)| {
        let setting = &setting;
        let verb = ["GET", "POST", "HEAD", "OPTIONS", "DELETE"][usize::from(*verb) % 5];
        let target = spell(target, TARGETS);
        let body = if *raw { body.clone() } else { spell(body, BODIES).into_bytes() };
        let value: Vec<u8> = value.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n' | 0)).collect();
        let mut bytes = format!(
            "{verb} /prod{target} HTTP/1.1\r\nHost: {API}.execute-api.{REGION}.localhost\r\nContent-Length: {}\r\nConnection: close\r\nX-Any: ",
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(&value);
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(&body);
        let seen = setting.runtime.block_on(talk(&setting.site, &bytes, false));
        let seen = seen.unwrap_or_else(|| panic!("no end after {:?}", String::from_utf8_lossy(&bytes)));
        assert!(seen.starts_with(b"HTTP/1.1 "), "{:?} after {:?}", seen, String::from_utf8_lossy(&bytes));
        setting.judge();
    });
}
