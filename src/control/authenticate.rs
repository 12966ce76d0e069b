//! Authenticate: a SigV4 signature, a bearer token, or, on a development node, anything.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::{HeaderMap, Request};

use super::{Fault, Seal, Settings, door, router};
use crate::catalog::cluster::AdminKey;
use crate::catalog::{AccountId, Region};
use crate::spec::sigv4;
use crate::state::{Scope, World};

/// Who calls, for which region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Whose things.
    pub account: AccountId,
    /// The access key id; `token` for a bearer token.
    pub access_key: String,
    /// The region of the credential scope, or of `x-meridian-region`.
    pub region: Region,
}

/// Finds out who calls.
///
/// # Errors
/// 403 in AWS's words; 400 for a region that can be none.
pub(super) fn authenticate(
    request: &Request<Bytes>,
    world: &World,
    seal: &dyn Seal,
    settings: &Settings,
    now_ms: i64,
) -> Result<Principal, Fault> {
    let principal = match bearer(request.headers()) {
        Some(token) => by_token(token, request.headers(), world, settings)?,
        None => by_signature(request, world, seal, settings, now_ms)?,
    };
    if principal.region.is_valid() {
        Ok(principal)
    } else {
        Err(Fault::bad_request(format!("{:?} cannot name a region", principal.region.as_str())))
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(http::header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn by_token(token: &str, headers: &HeaderMap, world: &World, settings: &Settings) -> Result<Principal, Fault> {
    let hash = digest(&SHA256, token.as_bytes());
    let local = settings.admin_token_sha256.is_some_and(|ours| verify_slices_are_equal(&ours, hash.as_ref()).is_ok());
    let hex: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    let row = world.get::<AdminKey>(&Scope::cluster(), &format!("token:{hex}"))?;
    let account = match row {
        Some(row) => row.account,
        None if local || settings.dev => settings.account.clone(),
        None => {
            return Err(Fault::new(
                "UnrecognizedClientException",
                403,
                "The admin token is not one of this cluster's.",
            ));
        }
    };
    Ok(Principal { account, access_key: "token".to_owned(), region: named_region(headers, settings) })
}

fn named_region(headers: &HeaderMap, settings: &Settings) -> Region {
    let named = headers.get("x-meridian-region").and_then(|v| v.to_str().ok());
    named.map_or_else(|| settings.region.clone(), Region::from)
}

fn by_signature(
    request: &Request<Bytes>,
    world: &World,
    seal: &dyn Seal,
    settings: &Settings,
    now_ms: i64,
) -> Result<Principal, Fault> {
    let headers = header_list(request);
    let request_ = sigv4::Request {
        method: request.method().as_str(),
        path: request.uri().path(),
        query: request.uri().query().unwrap_or_default(),
        headers: &headers,
        body: request.body(),
    };
    let claim = match sigv4::Claim::read(&request_) {
        Ok(claim) => claim,
        Err(_) if settings.dev => {
            let region = named_region(request.headers(), settings);
            return Ok(Principal { account: settings.account.clone(), access_key: "anonymous".to_owned(), region });
        }
        Err(refusal) => return Err(refusal.into()),
    };
    let region = Region::from(claim.region.as_str());
    if settings.dev {
        return Ok(Principal { account: settings.account.clone(), access_key: claim.access_key, region });
    }
    let row = world.get::<AdminKey>(&Scope::cluster(), &claim.access_key)?;
    // A key of ours has no session token: one that comes with a token is none of ours.
    let key = row.filter(|row| claim.token.is_none() && !row.secret_sealed.is_empty());
    let key = key.ok_or(sigv4::Refusal::UnknownKey)?;
    let secret = seal.open(&key.secret_sealed).and_then(|bytes| String::from_utf8(bytes).ok());
    let secret =
        secret.ok_or_else(|| Fault::internal("the secret of an access key cannot be unsealed on this node"))?;
    let services: &[&str] = if router::is_lambda(request.uri().path()) { &["lambda"] } else { &["apigateway"] };
    claim.verify(&request_, &secret, now_ms, &sigv4::Rules { services, ..sigv4::Rules::default() })?;
    Ok(Principal { account: key.account, access_key: claim.access_key, region })
}

/// Headers as text; the host of HTTP/2 as the header that clients sign.
fn header_list(request: &Request<Bytes>) -> Vec<(String, String)> {
    let text = |v: &http::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
    let mut list: Vec<(String, String)> =
        request.headers().iter().map(|(n, v)| (n.as_str().to_owned(), text(v))).collect();
    if !request.headers().contains_key(http::header::HOST) {
        list.extend(door::authority(request).map(|host| ("host".to_owned(), host)));
    }
    list
}
