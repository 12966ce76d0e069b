//! The head of a request. Its framing is made here, whatever its headers say.

use crate::net::http::target::Target;
use http::header::{self, HeaderName};
use http::request::Parts;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// What belongs to a connection, not to a request: never copied.
fn is_framing(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::CONTENT_LENGTH
            | header::TRANSFER_ENCODING
            | header::CONNECTION
            | header::UPGRADE
            | header::TE
            | header::TRAILER
            | header::EXPECT
    ) || *name == KEEP_ALIVE
        || *name == PROXY_CONNECTION
}

/// Writes a request's head for a body of `length` bytes, or for a chunked one. Methods, targets, names and values are of types that hold no
/// line ends, so nothing in them can end a line.
pub(super) fn head(parts: &Parts, length: Option<u64>, target: &Target, to: &mut Vec<u8>) {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    to.extend_from_slice(parts.method.as_str().as_bytes());
    to.push(b' ');
    if !path.starts_with('/') && path != "*" {
        to.push(b'/');
    }
    to.extend_from_slice(path.as_bytes());
    to.extend_from_slice(b" HTTP/1.1\r\n");
    if !parts.headers.contains_key(header::HOST) {
        line(to, b"host", target.authority().as_bytes());
    }
    for (name, value) in &parts.headers {
        if !is_framing(name) {
            line(to, name.as_str().as_bytes(), value.as_bytes());
        }
    }
    // A method that usually has a body says that this one has none.
    let usual = || matches!(parts.method, http::Method::POST | http::Method::PUT | http::Method::PATCH);
    match length {
        None => to.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Some(length) if length > 0 || usual() => {
            to.extend_from_slice(b"content-length: ");
            decimal(to, length);
            to.extend_from_slice(b"\r\n");
        }
        Some(_) => {}
    }
    to.extend_from_slice(b"\r\n");
}

fn line(to: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    to.reserve(name.len() + value.len() + 4);
    to.extend_from_slice(name);
    to.extend_from_slice(b": ");
    to.extend_from_slice(value);
    to.extend_from_slice(b"\r\n");
}

/// What stands before a chunk of so many bytes, behind the `first` or another one; 0 ends the body.
pub(super) fn chunk(to: &mut Vec<u8>, length: usize, first: bool) {
    use std::io::Write as _;
    let before = if first { "" } else { "\r\n" };
    let after = if length == 0 { "\r\n" } else { "" };
    // A vector takes everything.
    let _ = write!(to, "{before}{length:x}\r\n{after}");
}

fn decimal(to: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    to.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn written(request: http::request::Builder, length: Option<u64>) -> String {
        let (parts, ()) = request.body(()).expect("request").into_parts();
        let target = Target::parse("http", "back.example:81").expect("target");
        let mut bytes = Vec::new();
        head(&parts, length, &target, &mut bytes);
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn framing_is_made_and_never_copied() {
        let mut request = Request::post("/a?b=c").header("x-one", "1").header("x-one", "2");
        for name in [
            "content-length",
            "transfer-encoding",
            "connection",
            "keep-alive",
            "proxy-connection",
            "upgrade",
            "te",
            "trailer",
            "expect",
        ] {
            request = request.header(name, "7");
        }
        assert_eq!(
            written(request, Some(12)),
            "POST /a?b=c HTTP/1.1\r\nhost: back.example:81\r\nx-one: 1\r\nx-one: 2\r\ncontent-length: 12\r\n\r\n"
        );
    }

    #[test]
    fn a_length_of_nothing_is_said_only_where_a_body_is_usual() {
        assert_eq!(written(Request::get("/").header("host", "a"), Some(0)), "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        assert!(written(Request::put("/"), Some(0)).ends_with("\r\ncontent-length: 0\r\n\r\n"));
        assert!(written(Request::put("/"), None).ends_with("\r\ntransfer-encoding: chunked\r\n\r\n"));
        assert!(
            written(Request::get("/"), Some(u64::MAX)).ends_with("\r\ncontent-length: 18446744073709551615\r\n\r\n")
        );
    }
}
