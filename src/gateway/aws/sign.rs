//! Signs calls of AWS services. Deriving a key takes longer than signing with it, so each worker keeps those of the day.

use super::services::{Reached, path_form, signing_name, signing_region};
use crate::gateway::heavy;
use crate::gateway::refusal::{Kind, Refusal};
use crate::gateway::worker::Worker;
use crate::plan::aws::ServicePlan;
use crate::spec::sigv4::{Credentials, SigningKey, ToSign, amz_date, sha256_hex};
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use std::sync::Arc;

const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const AMZ_HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const AMZ_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Keys that a worker has derived.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Keys(Vec<Derived>);

#[derive(Debug)]
struct Derived {
    credentials: Arc<Credentials>,
    region: Box<str>,
    service: Box<str>,
    key: SigningKey,
}

/// So many are kept; one that is missing costs its derivation.
const MOST_KEYS: usize = 256;

impl Keys {
    fn find(&mut self, credentials: &Arc<Credentials>, region: &str, service: &str, date: &str) -> &SigningKey {
        let same = |known: &Derived| {
            Arc::ptr_eq(&known.credentials, credentials) && *known.region == *region && *known.service == *service
        };
        let at = match self.0.iter().position(same) {
            Some(at) => at,
            None => {
                if self.0.len() >= MOST_KEYS {
                    self.0.clear();
                }
                let key = SigningKey::derive(&credentials.secret, date, region, service);
                let credentials = credentials.clone();
                self.0.push(Derived { credentials, region: region.into(), service: service.into(), key });
                self.0.len() - 1
            }
        };
        let known = &mut self.0[at];
        if !known.key.is_for(date) {
            known.key = SigningKey::derive(&credentials.secret, date, region, service);
        }
        &known.key
    }
}

/// What is called.
pub(super) struct Unsigned<'a> {
    pub(super) service: &'a ServicePlan,
    pub(super) reached: &'a Reached,
    pub(super) method: &'a Method,
    pub(super) target: &'a PathAndQuery,
    pub(super) body: &'a Bytes,
}

/// Puts `Host`, the date, the token, the body's hash and the signature among the headers. Signed are `Host`, `Content-Type`
/// and all that begins with `x-amz-`.
pub(super) async fn sign(
    worker: &Worker,
    credentials: &Arc<Credentials>,
    call: &Unsigned<'_>,
    headers: &mut HeaderMap,
) -> Result<(), Refusal> {
    let broken = |_| Refusal::new(Kind::ApiConfigurationError, "own_header");
    let hash = if call.body.len() > heavy::LARGE {
        let body = call.body.clone();
        heavy::run(worker, move || sha256_hex(&body)).await?
    } else {
        sha256_hex(call.body)
    };
    let date = amz_date(worker.shared.clock.now().utc_ms);
    headers.insert(header::HOST, HeaderValue::try_from(&*call.reached.host).map_err(broken)?);
    headers.insert(AMZ_DATE, HeaderValue::try_from(&*date).map_err(broken)?);
    headers.insert(AMZ_HASH, HeaderValue::try_from(&*hash).map_err(broken)?);
    if let Some(token) = &credentials.token {
        let mut token = HeaderValue::try_from(&**token).map_err(broken)?;
        token.set_sensitive(true);
        headers.insert(AMZ_TOKEN, token);
    }
    let region = signing_region(&call.service.name, &call.service.region);
    let name = signing_name(&call.service.name, call.service.subdomain.as_deref());
    let authorization = {
        let signed = signed(headers)?;
        let signed: Vec<(&str, &str)> = signed.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let request = ToSign {
            method: call.method.as_str(),
            path: call.target.path(),
            query: call.target.query().unwrap_or_default(),
            form: path_form(&call.service.name),
            headers: &signed,
            body_sha256: &hash,
        };
        let mut keys = worker.signing.borrow_mut();
        keys.find(credentials, region, &name, &date).authorization(credentials, &request, &date)
    };
    let mut authorization = HeaderValue::try_from(authorization).map_err(broken)?;
    authorization.set_sensitive(true);
    headers.insert(header::AUTHORIZATION, authorization);
    Ok(())
}

/// The headers that are signed, in the order of their names, several values joined.
fn signed(headers: &HeaderMap) -> Result<Vec<(&str, String)>, Refusal> {
    let wanted = |name: &HeaderName| {
        *name == header::HOST || *name == header::CONTENT_TYPE || name.as_str().starts_with("x-amz-")
    };
    let mut found = Vec::with_capacity(8);
    for name in headers.keys().filter(|name| wanted(name)) {
        let mut whole = String::new();
        for (index, value) in headers.get_all(name).iter().enumerate() {
            if index > 0 {
                whole.push(',');
            }
            let text = std::str::from_utf8(value.as_bytes());
            let wrong = |_| Refusal::new(Kind::ApiConfigurationError, "mapped_header").because(name);
            whole.push_str(text.map_err(wrong)?);
        }
        found.push((name.as_str(), whole));
    }
    found.sort_unstable_by_key(|(name, _)| *name);
    Ok(found)
}
