//! TLS for listeners: which certificate a client is shown, by the name it asks for.

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::sync::Arc;

/// Why a certificate or a TLS configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The PEM text holds no usable certificate chain or key.
    #[error("{what} is not usable PEM: {why}")]
    Pem {
        /// `certificate` or `key`.
        what: &'static str,
        /// The parser's words.
        why: String,
    },
    /// rustls refuses the pair.
    #[error("the certificate and key cannot be used: {0}")]
    Refused(#[from] rustls::Error),
}

/// The one crypto provider of this program.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A chain (leaf first) and its key from PEM text.
pub fn certified_key(chain_pem: &[u8], key_pem: &[u8]) -> Result<CertifiedKey, TlsError> {
    let pem = |what: &'static str| move |e: rustls::pki_types::pem::Error| TlsError::Pem { what, why: e.to_string() };
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(chain_pem).collect::<Result<_, _>>().map_err(pem("certificate"))?;
    if chain.is_empty() {
        return Err(TlsError::Pem { what: "certificate", why: "no certificate in it".into() });
    }
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(pem("key"))?;
    Ok(CertifiedKey::from_der(chain, key, &provider())?)
}

/// Certificates by name, replaceable while connections come in.
#[derive(Debug, Default)]
pub struct Certificates {
    table: ArcSwap<Table>,
}

#[derive(Debug, Default, Clone)]
struct Table {
    by_name: HashMap<String, Arc<CertifiedKey>>,
    default: Option<Arc<CertifiedKey>>,
}

impl Certificates {
    /// Shows this certificate to whoever asks for no name, or for one that is not here.
    pub fn with_default(key: CertifiedKey) -> Certificates {
        let table = Table { by_name: HashMap::new(), default: Some(Arc::new(key)) };
        Certificates { table: ArcSwap::from_pointee(table) }
    }

    /// Adds or replaces the certificate for a name (`api.example.com`) or a wildcard (`*.example.com`).
    pub fn put(&self, name: &str, key: CertifiedKey) {
        let (name, key) = (name.to_ascii_lowercase(), Arc::new(key));
        self.table.rcu(|old| {
            let mut table = Table::clone(old);
            table.by_name.insert(name.clone(), key.clone());
            table
        });
    }

    /// Takes a name's certificate away.
    pub fn remove(&self, name: &str) {
        let name = name.to_ascii_lowercase();
        self.table.rcu(|old| {
            let mut table = Table::clone(old);
            table.by_name.remove(&name);
            table
        });
    }

    /// The certificate for a name: exact, then its wildcard, then the default.
    pub fn find(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let table = self.table.load();
        let named = name.and_then(|name| {
            let name = name.to_ascii_lowercase();
            table.by_name.get(&name).or_else(|| {
                let (_, parent) = name.split_once('.')?;
                table.by_name.get(&format!("*.{parent}"))
            })
        });
        named.or(table.default.as_ref()).cloned()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.find(hello.server_name())
    }
}

/// A listener's TLS: 1.2 and 1.3, HTTP/2 preferred by ALPN.
pub fn server_config(certificates: Arc<dyn ResolvesServerCert>) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> CertifiedKey {
        let made = rcgen::generate_simple_self_signed([name.to_string()]).expect("certificate");
        certified_key(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes()).expect("pair")
    }

    #[test]
    fn a_name_finds_its_own_certificate_then_its_wildcard_then_the_default() {
        let (default, exact, wild) = (key("d"), key("e"), key("w"));
        let ders: Vec<_> = [&default, &exact, &wild].map(|k| k.cert[0].clone()).into();
        let table = Certificates::with_default(default);
        table.put("Api.Example.com", exact);
        table.put("*.example.com", wild);
        let shown = |name| table.find(name).expect("default at least").cert[0].clone();
        assert_eq!(shown(Some("api.example.com")), ders[1]);
        assert_eq!(shown(Some("other.EXAMPLE.com")), ders[2]);
        assert_eq!(shown(Some("a.b.example.com")), ders[0]);
        assert_eq!(shown(None), ders[0]);
    }

    #[test]
    fn text_that_is_not_pem_names_what_it_should_have_been() {
        let error = certified_key(b"nonsense", b"nonsense").expect_err("no certificate");
        assert!(error.to_string().starts_with("certificate is not usable PEM"), "{error}");
    }
}
