//! The gateway's certificate: the operator's, or one that this node makes for itself.

use super::NodeError;
use super::home::Home;
use crate::config::{NodeConfig, TlsFiles};
use crate::net::pki::gateway_certificate;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::sync::Arc;

/// What TLS listeners use: HTTP/2 and HTTP/1.1 by ALPN.
pub(super) fn server_config(
    home: &Home,
    config: &NodeConfig,
    now_ms: i64,
) -> Result<Arc<rustls::ServerConfig>, NodeError> {
    let (cert, key) = match &config.tls {
        Some(TlsFiles { cert, key }) => (read(cert)?, read(key)?),
        None => own(home, config, now_ms)?,
    };
    let said = |what: &str| {
        let what = what.to_owned();
        move |cause: &dyn std::fmt::Display| NodeError::Tls { what: what.clone(), cause: cause.to_string() }
    };
    let chain = CertificateDer::pem_slice_iter(cert.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|cause| said("the gateway's certificate")(&cause))?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|cause| said("the gateway's key")(&cause))?;
    let mut tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|cause| said("the gateway's certificate and key together")(&cause))?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(tls))
}

fn read(path: &std::path::Path) -> Result<String, NodeError> {
    std::fs::read_to_string(path)
        .map_err(|cause| NodeError::Tls { what: path.display().to_string(), cause: cause.to_string() })
}

/// Self-signed, kept for as long as the directory, so that a client who trusts it once goes on doing so.
fn own(home: &Home, config: &NodeConfig, now_ms: i64) -> Result<(String, String), NodeError> {
    if let (Some(cert), Some(key)) = (home.secret("gateway.crt")?, home.secret("gateway.key")?) {
        return Ok((cert, key));
    }
    let mut regions =
        vec![config.region.as_str(), "us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-2"];
    regions.dedup();
    let (cert, key) = gateway_certificate(&config.domain, &regions, now_ms)?;
    home.keep("gateway.key", key.as_bytes())?;
    home.keep("gateway.crt", cert.as_bytes())?;
    Ok((cert, key))
}
