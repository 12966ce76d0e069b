//! Who may vouch for a backend's certificate.

use super::tls::{TlsError, provider};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// Certificate authorities for outbound TLS.
#[derive(Debug, Clone)]
pub enum Roots {
    /// The machine's own (`SSL_CERT_FILE`, else the usual bundle files).
    System,
    /// These, as PEM text, besides the machine's own.
    Also(Vec<u8>),
    /// Nobody needs to: any certificate passes.
    Anyone,
}

/// Where Linux distributions and BSDs keep the bundle.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

fn system() -> RootCertStore {
    let mut store = RootCertStore::empty();
    let named = std::env::var("SSL_CERT_FILE").ok();
    let files = named.iter().map(String::as_str).chain(BUNDLES);
    for file in files {
        if let Ok(pem) = std::fs::read(file) {
            store.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
            if !store.is_empty() {
                break;
            }
        }
    }
    store
}

/// A client configuration for HTTP/1.1 that trusts these authorities.
pub(super) fn client_config(roots: &Roots) -> Result<Arc<ClientConfig>, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut config = match roots {
        Roots::Anyone => {
            let anyone = Anyone { schemes: provider().signature_verification_algorithms.supported_schemes() };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(anyone)).with_no_client_auth()
        }
        Roots::System => builder.with_root_certificates(system()).with_no_client_auth(),
        Roots::Also(pem) => {
            let mut store = system();
            if CertificateDer::pem_slice_iter(pem).next().is_none() {
                return Err(TlsError::Pem { what: "certificate", why: "no certificate in it".into() });
            }
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|e| TlsError::Pem { what: "certificate", why: e.to_string() })?;
                store.add(certificate)?;
            }
            builder.with_root_certificates(store).with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Lets every certificate pass.
#[derive(Debug)]
struct Anyone {
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
