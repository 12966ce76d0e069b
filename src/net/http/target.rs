//! A backend: where it is, how it is spoken to, and as whom. Two that are equal may share connections.

use super::tls::{TlsError, provider};
use http::HeaderValue;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, OnceLock};

/// Who we are to a backend that asks for a certificate. A clone is the same identity; one made anew is another.
#[derive(Clone)]
pub struct Identity(Arc<SingleCertAndKey>);

impl Identity {
    /// From a certificate chain (PEM, leaf first) and its private key (PKCS #8, DER).
    ///
    /// # Errors
    /// What rustls cannot use: text that is no certificate, a key of an unknown kind or of another certificate.
    pub fn new(chain_pem: &[u8], key_der: &[u8]) -> Result<Identity, TlsError> {
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(chain_pem)
                .collect::<Result<_, _>>()
                .map_err(|e| TlsError::Pem { what: "certificate", why: e.to_string() })?;
        if chain.is_empty() {
            return Err(TlsError::Pem { what: "certificate", why: "no certificate in it".into() });
        }
        let key = PrivatePkcs8KeyDer::from(key_der.to_vec()).into();
        let pair = CertifiedKey::from_der(chain, key, &provider())?;
        Ok(Identity(Arc::new(SingleCertAndKey::from(pair))))
    }

    /// This configuration, showing the certificate. TLS sessions are not shared with other identities': a resumed one
    /// would carry the certificate that it began with.
    pub(super) fn shown_by(&self, config: &rustls::ClientConfig) -> rustls::ClientConfig {
        let mut config = config.clone();
        config.client_auth_cert_resolver = self.0.clone();
        config.resumption = rustls::client::Resumption::in_memory_sessions(32);
        config
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Identity {}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// How a backend is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain.
    Http,
    /// TLS, the certificate verified.
    Https,
    /// TLS, whatever certificate is shown (`tlsConfig.insecureSkipVerification`).
    HttpsUnverified,
}

/// A backend: scheme, host and port. Cheap to clone and to compare.
#[derive(Debug, Clone)]
pub struct Target(Arc<TargetParts>);

#[derive(Debug)]
struct TargetParts {
    scheme: Scheme,
    host: String,
    port: u16,
    /// What `Host` says when the request does not.
    authority: HeaderValue,
    /// Of what makes it equal to another, so that no visit hashes a host's name.
    hash: u64,
    /// As whom; only with TLS.
    identity: Option<Identity>,
    /// The TLS configuration that shows the identity, made at the first connection.
    tls: OnceLock<Arc<rustls::ClientConfig>>,
}

impl TargetParts {
    fn new(scheme: Scheme, host: String, port: u16, authority: HeaderValue) -> TargetParts {
        static KEYS: OnceLock<RandomState> = OnceLock::new();
        let hash = KEYS.get_or_init(RandomState::new).hash_one((scheme, port, &*host));
        TargetParts { scheme, host, port, authority, hash, identity: None, tls: OnceLock::new() }
    }
}

impl Target {
    /// A backend; `port` 0 means the scheme's own. `None` when the host cannot be one.
    pub fn new(scheme: Scheme, host: &str, port: u16) -> Option<Target> {
        let usual = if scheme == Scheme::Http { 80 } else { 443 };
        let port = if port == 0 { usual } else { port };
        let host = host.to_ascii_lowercase();
        let plain = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(&host);
        if plain.is_empty() || plain.len() > 255 || plain.bytes().any(|b| b <= b' ' || b"/?#@\\[]%".contains(&b)) {
            return None;
        }
        let authority = if port == usual { host.clone() } else { format!("{host}:{port}") };
        let authority = HeaderValue::try_from(authority).ok()?;
        Some(Target(Arc::new(TargetParts::new(scheme, host, port, authority))))
    }

    /// The backend of `scheme://host[:port]`, userinfo refused.
    pub fn parse(scheme: &str, authority: &str) -> Option<Target> {
        let scheme = match scheme {
            s if s.eq_ignore_ascii_case("http") => Scheme::Http,
            s if s.eq_ignore_ascii_case("https") => Scheme::Https,
            _ => return None,
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                (host, if port.is_empty() { 0 } else { port.parse().ok().filter(|p| *p != 0)? })
            }
            _ => (authority, 0),
        };
        if host.contains(':') && !host.starts_with('[') {
            return None;
        }
        Target::new(scheme, host, port)
    }

    /// The same backend without certificate verification.
    pub fn unverified(&self) -> Target {
        let scheme = if self.0.scheme == Scheme::Http { Scheme::Http } else { Scheme::HttpsUnverified };
        let mut parts = self.parts(scheme);
        parts.identity.clone_from(&self.0.identity);
        Target(Arc::new(parts))
    }

    /// The same backend, shown this identity when it asks for one; without TLS nobody can ask.
    pub fn shown(&self, identity: &Identity) -> Target {
        let mut parts = self.parts(self.0.scheme);
        parts.identity = (self.0.scheme != Scheme::Http).then(|| identity.clone());
        Target(Arc::new(parts))
    }

    fn parts(&self, scheme: Scheme) -> TargetParts {
        TargetParts::new(scheme, self.0.host.clone(), self.0.port, self.0.authority.clone())
    }

    /// How it is spoken to.
    pub(super) fn way(&self) -> Scheme {
        self.0.scheme
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.0.scheme == Scheme::Http { "http" } else { "https" }
    }

    /// `base`, showing the identity that there may be. Always asked with the same pool's configuration of the scheme.
    pub(super) fn tls(&self, base: &Arc<rustls::ClientConfig>) -> Arc<rustls::ClientConfig> {
        match &self.0.identity {
            None => base.clone(),
            Some(identity) => self.0.tls.get_or_init(|| Arc::new(identity.shown_by(base))).clone(),
        }
    }

    /// The host as written, lower case.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// What `Host` says.
    pub fn authority(&self) -> &HeaderValue {
        &self.0.authority
    }
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || self.0.scheme == other.0.scheme
                && self.0.port == other.0.port
                && self.0.host == other.0.host
                && self.0.identity == other.0.identity
    }
}

impl Eq for Target {}

impl Hash for Target {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}
