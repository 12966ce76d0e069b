//! The one way out: every outbound call resolves and connects here, and some places are never connected to.
//!
//! An API owner chooses the URI of an integration, so without this a tenant could read the machine's metadata service
//! or talk to the cluster's own admin and peer sockets. Names are judged after resolution, by address.

use arc_swap::ArcSwap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// Why a connection to a backend was not made.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The name has no address.
    #[error("{host} has no address: {why}")]
    Unresolvable {
        /// The host that was asked for.
        host: String,
        /// The resolver's words.
        why: String,
    },
    /// Every address is one that must not be called.
    #[error("{host} is at {addr}, which {why}")]
    Refused {
        /// The host that was asked for.
        host: String,
        /// The offending address.
        addr: SocketAddr,
        /// What the address is.
        why: &'static str,
    },
    /// Nobody answers there.
    #[error("cannot connect to {host}: {why}")]
    Connect {
        /// The host that was asked for.
        host: String,
        /// The system's words about the last address tried.
        why: String,
    },
    /// No connection within the limit.
    #[error("no connection to {host} within {limit_ms} ms")]
    Timeout {
        /// The host that was asked for.
        host: String,
        /// The limit, ms.
        limit_ms: u64,
    },
}

/// What may be called.
#[derive(Debug, Clone, Default)]
pub struct EgressPolicy {
    /// Loopback addresses are allowed (nodes that listen on loopback alone, or by `[egress] allow`).
    pub loopback: bool,
    /// Networks allowed although the rules would refuse them: address and prefix length.
    pub allow: Vec<(IpAddr, u8)>,
    /// The cluster's own admin, peer and DNS sockets: never called, whatever else is allowed.
    pub own: Vec<SocketAddr>,
}

impl EgressPolicy {
    /// Why this address must not be called; `None` when it may.
    pub fn refuses(&self, addr: SocketAddr) -> Option<&'static str> {
        if self.own.iter().any(|own| is_own(*own, addr)) {
            return Some("is one of this cluster's own sockets");
        }
        if self.allow.iter().any(|(net, bits)| in_network(addr.ip(), *net, *bits)) {
            return None;
        }
        let why = match addr.ip() {
            IpAddr::V4(ip) => refuse_v4(ip),
            IpAddr::V6(ip) => refuse_v6(ip),
        };
        match why {
            None if addr.ip().is_loopback() && !self.loopback => Some("is a loopback address"),
            why => why,
        }
    }
}

/// Whether `addr` reaches the socket `own`: the same address, or any local one when `own` listens on all of them.
fn is_own(own: SocketAddr, addr: SocketAddr) -> bool {
    own.port() == addr.port()
        && (own.ip() == addr.ip()
            || own.ip().is_unspecified() && addr.ip().is_loopback()
            || own.ip().is_loopback() && addr.ip().is_loopback())
}

fn refuse_v4(ip: Ipv4Addr) -> Option<&'static str> {
    match ip {
        _ if ip.octets()[0] == 0 => Some("is an unspecified address"),
        _ if ip.is_link_local() => Some("is link-local or a metadata service"),
        _ if ip == Ipv4Addr::new(100, 100, 100, 200) || ip == Ipv4Addr::new(192, 0, 0, 192) => {
            Some("is a metadata service")
        }
        _ if ip.is_multicast() || ip.is_broadcast() || ip.octets()[0] >= 240 => Some("is not one host's address"),
        _ => None,
    }
}

fn refuse_v6(ip: Ipv6Addr) -> Option<&'static str> {
    let s = ip.segments();
    match ip {
        _ if ip.is_unspecified() => Some("is an unspecified address"),
        // ::ffff:0:0/96, ::/96 (but ::1), 64:ff9b::/96 and 64:ff9b:1::/48, 2002::/16: a v4 address in disguise.
        _ if s[..5] == [0; 5] && s[5] == 0xffff || s[..6] == [0; 6] && !ip.is_loopback() => Some("is a mapped address"),
        _ if s[0] == 0x64 && s[1] == 0xff9b || s[0] == 0x2002 || s[0] == 0x2001 && s[1] == 0 => {
            Some("is a mapped address")
        }
        _ if s[0] & 0xffc0 == 0xfe80 || s[0] & 0xffc0 == 0xfec0 => Some("is link-local"),
        _ if s[..3] == [0xfd00, 0xec2, 0] => Some("is a metadata service"),
        _ if ip.is_multicast() => Some("is not one host's address"),
        _ => None,
    }
}

fn in_network(ip: IpAddr, net: IpAddr, bits: u8) -> bool {
    let (a, b, width) = match (ip, net) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(u32::from(a)), u128::from(u32::from(b)), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a), u128::from(b), 128),
        _ => return false,
    };
    let bits = u32::from(bits).min(width);
    bits == 0 || (a ^ b) >> (width - bits) == 0
}

/// The connector. A clone shares the policy.
#[derive(Debug, Clone, Default)]
pub struct Egress {
    policy: Arc<ArcSwap<EgressPolicy>>,
}

impl Egress {
    /// A connector that obeys this policy.
    pub fn new(policy: EgressPolicy) -> Egress {
        Egress { policy: Arc::new(ArcSwap::from_pointee(policy)) }
    }

    /// Replaces the policy, for instance when the cluster's members change.
    pub fn set_policy(&self, policy: EgressPolicy) {
        self.policy.store(Arc::new(policy));
    }

    /// The addresses of a host that may be called, in the resolver's order.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, EgressError> {
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let found: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, port)],
            Err(_) => tokio::net::lookup_host((bare, port))
                .await
                .map_err(|e| EgressError::Unresolvable { host: host.into(), why: e.to_string() })?
                .collect(),
        };
        let policy = self.policy.load();
        let mut refused = None;
        let mut allowed = Vec::with_capacity(found.len());
        for addr in found {
            match policy.refuses(addr) {
                None => allowed.push(addr),
                Some(why) => refused = Some((addr, why)),
            }
        }
        match refused {
            // One bad address among good ones is a rebinding attempt or a mistake: the good ones are still good.
            Some((addr, why)) if allowed.is_empty() => Err(EgressError::Refused { host: host.into(), addr, why }),
            _ if allowed.is_empty() => {
                Err(EgressError::Unresolvable { host: host.into(), why: "no address found".into() })
            }
            _ => Ok(allowed),
        }
    }

    /// Connects to the first address that answers, within `limit` for all of it.
    pub async fn connect(&self, host: &str, port: u16, limit: Duration) -> Result<TcpStream, EgressError> {
        let attempt = async {
            let addrs = self.resolve(host, port).await?;
            let mut why = String::new();
            // An address that drops packets must not use up the others' time.
            let each = limit / u32::try_from(addrs.len()).unwrap_or(1).max(1);
            for addr in addrs {
                match tokio::time::timeout(each, TcpStream::connect(addr)).await {
                    Ok(Ok(stream)) => {
                        let _ = stream.set_nodelay(true);
                        return Ok(stream);
                    }
                    Ok(Err(error)) => why = format!("{addr}: {error}"),
                    Err(_) => why = format!("{addr}: no answer"),
                }
            }
            Err(EgressError::Connect { host: host.into(), why })
        };
        match tokio::time::timeout(limit, attempt).await {
            Ok(result) => result,
            Err(_) => Err(EgressError::Timeout {
                host: host.into(),
                limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("socket address")
    }

    #[test]
    fn places_that_no_integration_may_call_are_refused() {
        let policy = EgressPolicy { loopback: true, ..EgressPolicy::default() };
        for bad in [
            "169.254.169.254:80",
            "169.254.1.1:80",
            "0.0.0.0:80",
            "0.1.2.3:80",
            "255.255.255.255:80",
            "224.0.0.1:80",
            "100.100.100.200:80",
            "[::]:80",
            "[::ffff:10.0.0.1]:80",
            "[::10.0.0.1]:80",
            "[64:ff9b::a9fe:a9fe]:80",
            "[2002:a9fe:a9fe::]:80",
            "[fe80::1]:80",
            "[fd00:ec2::254]:80",
            "[ff02::1]:80",
        ] {
            assert!(policy.refuses(at(bad)).is_some(), "{bad} must be refused");
        }
        for good in
            ["10.0.0.1:80", "192.168.1.1:443", "93.184.216.34:80", "[2606:4700::1]:443", "127.0.0.1:1", "[::1]:1"]
        {
            assert_eq!(policy.refuses(at(good)), None, "{good} may be called");
        }
    }

    #[test]
    fn loopback_needs_the_policy_and_own_sockets_are_never_called() {
        let closed = EgressPolicy::default();
        assert_eq!(closed.refuses(at("127.0.0.1:80")), Some("is a loopback address"));
        let open = EgressPolicy { loopback: true, own: vec![at("0.0.0.0:4566"), at("10.1.1.1:4567")], allow: vec![] };
        assert!(open.refuses(at("127.0.0.1:4566")).is_some());
        assert!(open.refuses(at("10.1.1.1:4567")).is_some());
        assert_eq!(open.refuses(at("127.0.0.1:4568")), None);
        let listed = EgressPolicy { allow: vec![("127.0.0.0".parse().expect("ip"), 8)], ..closed };
        assert_eq!(listed.refuses(at("127.9.9.9:80")), None);
    }
}
