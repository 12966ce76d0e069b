//! The door of the admin listener: who may speak to it at all, before anybody is authenticated (foundations §8.2).
//!
//! A page in an administrator's browser must not reach it, neither by a foreign origin nor by a host name that was
//! rebound to this machine.

use std::net::{IpAddr, SocketAddr};

use http::Request;

use super::Fault;

/// Names that the admin listener answers to, beside `localhost`, `*.localhost` and the address that it was reached at.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The cluster's domain, and what the operator configured.
    pub names: Vec<String>,
}

/// Lets a request in, or says why not. `local` is the address that the connection reached.
///
/// # Errors
/// 403 for a host that is not ours, a foreign origin, or a browser that says it comes from another site.
pub fn admit<B>(request: &Request<B>, names: &Names, local: SocketAddr) -> Result<(), Fault> {
    let authority = authority(request).ok_or_else(|| forbidden("the request names no host"))?;
    if !names.has(host_of(&authority), local.ip()) {
        let reason = format!(
            "the host {:?} is none of this listener's; use its address, localhost, or configure the name",
            host_of(&authority)
        );
        return Err(forbidden(&reason));
    }
    let header = |name: &str| request.headers().get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    if let Some(origin) = header("origin") {
        let same = origin.split_once("://").is_some_and(|(_, o)| o.eq_ignore_ascii_case(&authority));
        if !same {
            return Err(forbidden("a page of another origin sent it"));
        }
    }
    match header("sec-fetch-site").as_deref() {
        None | Some("none" | "same-origin") => Ok(()),
        Some(_) => Err(forbidden("a page of another site sent it")),
    }
}

fn forbidden(why: &str) -> Fault {
    Fault::new("ForbiddenException", 403, format!("The admin listener refuses this request: {why}"))
}

/// The authority that a request is for: `:authority` of HTTP/2 (or of an absolute target), else `Host`. Two hosts, or two
/// that differ, are none: one would be judged and the other signed.
pub fn authority<B>(request: &Request<B>) -> Option<String> {
    let mut hosts = request.headers().get_all(http::header::HOST).iter();
    match (request.uri().authority(), hosts.next(), hosts.next()) {
        (_, _, Some(_)) => None,
        (Some(authority), Some(host), None) => {
            let same = host.to_str().is_ok_and(|h| h.eq_ignore_ascii_case(authority.as_str()));
            same.then(|| authority.as_str().to_owned())
        }
        (Some(authority), None, None) => Some(authority.as_str().to_owned()),
        (None, Some(host), None) => host.to_str().ok().map(str::to_owned),
        (None, None, None) => None,
    }
}

fn host_of(authority: &str) -> &str {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    host.trim_start_matches('[').trim_end_matches(']')
}

impl Names {
    fn has(&self, host: &str, local: IpAddr) -> bool {
        if let Ok(ip) = host.parse::<IpAddr>() {
            let ip = ip.to_canonical();
            return ip == local.to_canonical() || (ip.is_loopback() && local.to_canonical().is_loopback());
        }
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        host == "localhost" || host.ends_with(".localhost") || self.names.iter().any(|n| n.eq_ignore_ascii_case(&host))
    }
}
