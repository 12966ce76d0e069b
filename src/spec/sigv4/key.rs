//! Signing at speed: a key derived once for a day, a region and a service, and a canonical request written in one piece.

use super::canonical::{PathForm, canonical_path, canonical_query, hex, push_squeezed, sha256_hex};
use super::{ALGORITHM, Credentials};
use aws_lc_rs::hmac;
use std::fmt::Write as _;

/// A key for one day, region and service.
#[derive(Clone)]
pub struct SigningKey {
    /// `{day}/{region}/{service}/aws4_request`
    scope: Box<str>,
    key: hmac::Key,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub struct ToSign<'a> {
    /// `GET`, …
    pub method: &'a str,
    /// The path as it goes over the wire.
    pub path: &'a str,
    /// The query without `?`.
    pub query: &'a str,
    /// How the path is written down.
    pub form: PathForm,
    /// The headers that are signed: lower-case names in their order, each once.
    pub headers: &'a [(&'a str, &'a str)],
    /// SHA-256 of the body in hex ([`sha256_hex`](super::sha256_hex)).
    pub body_sha256: &'a str,
}

impl SigningKey {
    /// Derives the key. `date` is `x-amz-date`'s value, of which the day counts.
    #[must_use]
    pub fn derive(secret: &str, date: &str, region: &str, service: &str) -> SigningKey {
        let day = date.get(..8).unwrap_or(date);
        let mut key = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
        for part in [day, region, service, "aws4_request"] {
            key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
        }
        SigningKey { scope: format!("{day}/{region}/{service}/aws4_request").into(), key }
    }

    /// Whether it is for the day of this date.
    #[must_use]
    pub fn is_for(&self, date: &str) -> bool {
        date.get(..8).is_some_and(|day| self.scope.starts_with(day))
    }

    /// The value of `Authorization`. `x-amz-date` with this date must be among the headers.
    #[must_use]
    pub fn authorization(&self, credentials: &Credentials, request: &ToSign<'_>, date: &str) -> String {
        let mut text = String::with_capacity(512);
        let path = canonical_path(request.path, request.form);
        let query = canonical_query(request.query);
        let _ = writeln!(text, "{}\n{path}\n{query}", request.method);
        for (name, value) in request.headers {
            text.push_str(name);
            text.push(':');
            push_squeezed(value, &mut text);
            text.push('\n');
        }
        text.push('\n');
        let names_at = text.len();
        push_names(request.headers, &mut text);
        let names = names_at..text.len();
        text.push('\n');
        text.push_str(request.body_sha256);
        let to_sign = format!("{ALGORITHM}\n{date}\n{}\n{}", self.scope, sha256_hex(text.as_bytes()));
        let signature = hex(hmac::sign(&self.key, to_sign.as_bytes()).as_ref());
        format!(
            "{ALGORITHM} Credential={}/{}, SignedHeaders={}, Signature={signature}",
            credentials.access_key, self.scope, &text[names]
        )
    }
}

fn push_names(headers: &[(&str, &str)], out: &mut String) {
    for (index, (name, _)) in headers.iter().enumerate() {
        if index > 0 {
            out.push(';');
        }
        out.push_str(name);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Claim, Request, Rules, amz_date};
    use super::*;

    #[test]
    fn what_is_signed_at_speed_verifies_like_anything_else() {
        let now_ms = 1_700_000_000_000;
        let date = amz_date(now_ms);
        let credentials = Credentials { access_key: "AKID".into(), secret: "s3cret".into(), token: None };
        for (service, form, path) in
            [("sqs", PathForm::Twice, "/1/a:b//c%20d/../e"), ("s3", PathForm::Raw, "/b/a%2Fb/../c:d%20e")]
        {
            let key = SigningKey::derive(&credentials.secret, &date, "eu-west-1", service);
            assert!(key.is_for(&date) && !key.is_for("20991231T000000Z"));
            let body_sha256 = sha256_hex(b"body");
            let signed = [("host", "h:1"), ("x-amz-date", &date), ("x-amz-meta-a", "  two   blanks ")];
            let query = "b=2&a=1%2B&a=0";
            let to_sign = ToSign { method: "POST", path, query, form, headers: &signed, body_sha256: &body_sha256 };
            let authorization = key.authorization(&credentials, &to_sign, &date);
            let mut headers: Vec<(String, String)> =
                signed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            headers.push(("authorization".into(), authorization));
            let request = Request { method: "POST", path, query, headers: &headers, body: b"body" };
            let rules = Rules { services: &[service], path: form, ..Rules::default() };
            let claim = Claim::read(&request).expect("a claim");
            claim.verify(&request, &credentials.secret, now_ms, &rules).expect("verifies");
            let other = Request { body: b"other", ..request.clone() };
            assert!(claim.verify(&other, &credentials.secret, now_ms, &rules).is_err());
        }
    }
}
