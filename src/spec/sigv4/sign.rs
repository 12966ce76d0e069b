//! The signer: for our own command line, demo and benches, and for calls to AWS services.

use aws_lc_rs::hmac;

use super::canonical::{PathForm, Request, encode, hex, sha256_hex};
use super::{ALGORITHM, amz_date};

/// An access key.
#[derive(Clone)]
pub struct Credentials {
    /// The access key id.
    pub access_key: String,
    /// The secret access key.
    pub secret: String,
    /// The session token of temporary credentials.
    pub token: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// Who signs, and for what.
#[derive(Clone, Debug)]
pub struct Signer {
    /// The key.
    pub credentials: Credentials,
    /// Region of the credential scope.
    pub region: String,
    /// Service of the credential scope.
    pub service: String,
    /// How the path is hashed.
    pub path: PathForm,
}

/// Headers to add to a request.
pub type Signed = Vec<(String, String)>;

impl Signer {
    /// A signer for the control plane.
    pub fn new(credentials: Credentials, region: &str) -> Self {
        Self { credentials, region: region.to_owned(), service: "apigateway".to_owned(), path: PathForm::Twice }
    }

    /// Signs with an `Authorization` header over all headers given (which must hold `host`); returns what to add.
    pub fn sign(&self, request: &Request<'_>, now_ms: i64) -> Signed {
        let date = amz_date(now_ms);
        let mut added = vec![("x-amz-date".to_owned(), date.clone())];
        if let Some(token) = &self.credentials.token {
            added.push(("x-amz-security-token".to_owned(), token.clone()));
        }
        let headers: Vec<(String, String)> = request.headers.iter().cloned().chain(added.iter().cloned()).collect();
        let names = names(&headers);
        let canonical = Request { headers: &headers, ..request.clone() }.canonical(self.path, &names);
        let scope = self.scope(&date);
        let signature = signature(&self.credentials.secret, &date, &scope, &canonical);
        let key = &self.credentials.access_key;
        let list = names.join(";");
        added.push((
            "authorization".to_owned(),
            format!("{ALGORITHM} Credential={key}/{scope}, SignedHeaders={list}, Signature={signature}"),
        ));
        added
    }

    /// Signs in the query, for `expires_s` seconds; returns the whole query.
    pub fn presign(&self, request: &Request<'_>, now_ms: i64, expires_s: i64) -> String {
        let date = amz_date(now_ms);
        let scope = self.scope(&date);
        let names = names(request.headers);
        let credential = format!("{}/{scope}", self.credentials.access_key);
        let mut query = request.query.to_owned();
        let mut add = |name: &str, value: &str| {
            if !query.is_empty() {
                query.push('&');
            }
            query += &format!("{name}={}", encode(value.as_bytes(), false));
        };
        add("X-Amz-Algorithm", ALGORITHM);
        add("X-Amz-Credential", &credential);
        add("X-Amz-Date", &date);
        add("X-Amz-Expires", &expires_s.to_string());
        if let Some(token) = &self.credentials.token {
            add("X-Amz-Security-Token", token);
        }
        add("X-Amz-SignedHeaders", &names.join(";"));
        let canonical = Request { query: &query, ..request.clone() }.canonical(self.path, &names);
        let signature = signature(&self.credentials.secret, &date, &scope, &canonical);
        query + "&X-Amz-Signature=" + &signature
    }

    fn scope(&self, date: &str) -> String {
        format!("{}/{}/{}/aws4_request", &date[..8], self.region, self.service)
    }
}

fn names(headers: &[(String, String)]) -> Vec<String> {
    let mut names: Vec<String> = headers.iter().map(|(n, _)| n.to_ascii_lowercase()).collect();
    names.sort();
    names.dedup();
    names
}

pub(super) fn string_to_sign(date: &str, scope: &str, canonical: &str) -> String {
    format!("{ALGORITHM}\n{date}\n{scope}\n{}", sha256_hex(canonical.as_bytes()))
}

/// The signature in hex. `scope` is `date/region/service/aws4_request`.
pub(super) fn signature(secret: &str, date: &str, scope: &str, canonical: &str) -> String {
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in scope.split('/') {
        key = mac(&key, part.as_bytes());
    }
    hex(&mac(&key, string_to_sign(date, scope, canonical).as_bytes()))
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref().to_vec()
}
