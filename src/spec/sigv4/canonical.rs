//! The canonical request: what both sides hash.

use aws_lc_rs::digest;
use percent_encoding::percent_decode_str;

/// A request as it came (or will go) over the wire. Text stays encoded as it is there.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// `GET`, …
    pub method: &'a str,
    /// Path without the query.
    pub path: &'a str,
    /// Query without `?`; empty when there is none.
    pub query: &'a str,
    /// Headers in order, names in any case.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: &'a [u8],
}

/// How the path is written down before it is hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathForm {
    /// Normalised, then every segment encoded once more: all services but S3.
    #[default]
    Twice,
    /// Normalised, encoded once: what the published test suite uses.
    Once,
    /// Encoded once, not normalised: S3.
    Raw,
}

impl Request<'_> {
    /// Values of a header, joined as the canonical form joins them; `None` when it is absent.
    pub fn header(&self, name: &str) -> Option<String> {
        let mut values = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| squeeze(v));
        let first = values.next()?;
        Some(values.fold(first, |all, v| all + "," + &v))
    }

    /// Decoded value of the first query key of that name.
    pub fn query_value(&self, name: &str) -> Option<String> {
        pairs(self.query).find(|(k, _)| decode(k) == name.as_bytes()).map(|(_, v)| lossy(v))
    }

    /// The canonical request over `signed` (lower-case, sorted header names), without the query's own signature.
    pub fn canonical(&self, form: PathForm, signed: &[String]) -> String {
        let mut text =
            format!("{}\n{}\n{}\n", self.method, canonical_path(self.path, form), canonical_query(self.query));
        for name in signed {
            text += name;
            text.push(':');
            text += &self.header(name).unwrap_or_default();
            text.push('\n');
        }
        text + "\n" + &signed.join(";") + "\n" + &sha256_hex(self.body)
    }
}

/// Trims, and makes one blank of every run of them.
fn squeeze(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    push_squeezed(value, &mut out);
    out
}

pub(super) fn push_squeezed(value: &str, out: &mut String) {
    for (index, word) in value.split_ascii_whitespace().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        out.push_str(word);
    }
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap_or((p, "")))
}

/// Percent-decoding; `+` is a blank, as the router reads it.
fn decode(text: &str) -> Vec<u8> {
    percent_decode_str(&text.replace('+', " ")).collect()
}

fn lossy(text: &str) -> String {
    String::from_utf8_lossy(&decode(text)).into_owned()
}

pub(super) fn canonical_query(query: &str) -> String {
    if query.is_empty() {
        return String::new();
    }
    let mut all: Vec<(String, String)> = pairs(query)
        .map(|(k, v)| (encode(&decode(k), false), encode(&decode(v), false)))
        .filter(|(k, _)| k != "X-Amz-Signature")
        .collect();
    all.sort();
    all.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("&")
}

pub(super) fn canonical_path(path: &str, form: PathForm) -> String {
    let path = if path.is_empty() { "/" } else { path };
    match form {
        PathForm::Twice => encode(normal(path).as_bytes(), true),
        PathForm::Once => encode(&percent_decode_str(&normal(path)).collect::<Vec<_>>(), true),
        PathForm::Raw => encode(&percent_decode_str(path).collect::<Vec<_>>(), true),
    }
}

/// Without empty, `.` and `..` segments; a last slash stays.
fn normal(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    let tail = if kept.is_empty() || !path.ends_with('/') { "" } else { "/" };
    format!("/{}{tail}", kept.join("/"))
}

/// Percent-encodes all but RFC 3986's unreserved characters (and slashes, where they separate).
pub fn encode(bytes: &[u8], keep_slash: bool) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(bytes.len());
    for &b in bytes {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) || (keep_slash && b == b'/') {
            out.push(b as char);
        } else {
            out.push('%');
            out.push(HEX[usize::from(b >> 4)] as char);
            out.push(HEX[usize::from(b & 15)] as char);
        }
    }
    out
}

/// Lower-case hex of SHA-256.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(2 * bytes.len());
    for b in bytes {
        out.push(HEX[usize::from(b >> 4)] as char);
        out.push(HEX[usize::from(b & 15)] as char);
    }
    out
}
