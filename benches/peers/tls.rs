//! One certificate for all who are compared, and a client that believes it.

use crate::Outcome;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) fn install_provider() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Files that nginx, haproxy (both in one) and we read.
pub(crate) struct Files {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) both: PathBuf,
}

/// Writes a certificate for `localhost` and any API host under it, ECDSA P-256.
pub(crate) fn write(folder: &Path, more: &[String]) -> Outcome<Files> {
    let mut names =
        vec!["localhost".to_owned(), "*.execute-api.us-east-1.localhost".to_owned(), "127.0.0.1".to_owned()];
    names.extend_from_slice(more);
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names)?;
    let files = Files { cert: folder.join("cert.pem"), key: folder.join("key.pem"), both: folder.join("both.pem") };
    fs::write(&files.cert, cert.pem())?;
    fs::write(&files.key, signing_key.serialize_pem())?;
    fs::write(&files.both, cert.pem() + &signing_key.serialize_pem())?;
    Ok(files)
}

pub(crate) fn server(cert: &str, key: &str) -> Outcome<Arc<ServerConfig>> {
    let chain = vec![CertificateDer::from_pem_file(cert)?];
    let mut config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Trusts exactly `cert`; offers one protocol. `resume` keeps session tickets, which a fresh client has not.
pub(crate) fn client(cert: &str, h2: bool, resume: bool) -> Outcome<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(cert)?)?;
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![if h2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    if !resume {
        config.resumption = rustls::client::Resumption::disabled();
    }
    Ok(Arc::new(config))
}
