//! TLS to backends: who may vouch for them, and who we are to those that ask.

use super::site::{API, Digest, Rows, Site, api_scope, proxy, region_scope};
use super::sockets::loopback;
use meridian::catalog::v1::{ClientCertificate, Integration, TlsConfig};
use meridian::gateway::KeyHash;
use meridian::net::http::roots::Roots;
use meridian::net::http::{Egress, EgressPolicy, Pool, UpstreamOptions, tls};
use meridian::net::pki::stage_certificate;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const NETWORK: (u16, &str) = (504, r#"{"message": "Network error communicating with endpoint"}"#);

/// A certificate authority and what it signs.
struct Authority(rcgen::CertifiedIssuer<'static, rcgen::KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).expect("params");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("key");
        Authority(rcgen::CertifiedIssuer::self_signed(params, key).expect("ca"))
    }

    fn sign(&self, name: &str, until_year: i32) -> (CertificateDer<'static>, Vec<u8>) {
        let mut params = rcgen::CertificateParams::new(vec![name.to_string()]).expect("params");
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(until_year, 1, 1);
        let key = rcgen::KeyPair::generate().expect("key");
        let certificate = params.signed_by(&key, &self.0).expect("signed");
        (certificate.der().clone(), key.serialize_der())
    }
}

/// Answers every request with the serial number of the certificate it was shown, or `nobody`.
async fn backend(pair: (CertificateDer<'static>, Vec<u8>), clients: Option<CertificateDer<'static>>) -> SocketAddr {
    let builder = rustls::ServerConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(certificate) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(certificate).expect("root");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), tls::provider());
            builder.with_client_cert_verifier(verifier.allow_unauthenticated().build().expect("verifier"))
        }
    };
    let config = builder.with_single_cert(vec![pair.0], PrivatePkcs8KeyDer::from(pair.1).into()).expect("certificate");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(loopback()).await.expect("port");
    let addr = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(socket).await else { return };
                let shown = stream.get_ref().1.peer_certificates().map_or(0, |c| c[0].len());
                let body = if shown == 0 { "nobody".to_string() } else { format!("a certificate of {shown}") };
                let answer = super::backends::plain(200, "", &body);
                let mut asked = vec![0; 8_192];
                while stream.read(&mut asked).await.is_ok_and(|n| n > 0) {
                    if stream.write_all(&answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    addr
}

fn pool(roots: Roots) -> Pool {
    let egress = Egress::new(EgressPolicy { loopback: true, ..EgressPolicy::default() });
    Pool::new(egress, UpstreamOptions { roots, ..UpstreamOptions::default() }).expect("tls")
}

fn skipping(uri: &str) -> Integration {
    Integration {
        tls_config: Some(TlsConfig { insecure_skip_verification: Some(true), ..Default::default() }),
        ..proxy(uri)
    }
}

#[tokio::test]
async fn only_a_backend_that_a_known_authority_vouches_for_is_called_unless_nobody_needs_to() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let good = backend(ours.sign("localhost", 2090), None).await;
    let other_name = backend(ours.sign("elsewhere.example", 2090), None).await;
    let expired = backend(ours.sign("localhost", 2001), None).await;
    let unknown = backend(theirs.sign("localhost", 2090), None).await;
    let own = rcgen::generate_simple_self_signed(["localhost".to_string()]).expect("certificate");
    let self_signed = backend((own.cert.der().clone(), own.signing_key.serialize_der()), None).await;
    let mut rows = Rows::new();
    let all = [("good", good), ("name", other_name), ("expired", expired), ("unknown", unknown), ("self", self_signed)];
    for (name, addr) in all {
        let uri = format!("https://localhost:{}/", addr.port());
        rows = rows.method(&format!("/{name}"), "GET", proxy(&uri));
        rows = rows.method(&format!("/{name}-skip"), "GET", skipping(&uri));
    }
    let rows = rows.deploy();
    let site = Site::with(&rows, |parts| parts.pool = pool(Roots::Also(ours.0.pem().into_bytes()))).await;
    for (name, _) in all {
        let answer = site.get(&format!("/{name}")).await;
        let wanted = if name == "good" { (200, "nobody") } else { NETWORK };
        assert_eq!((answer.status, answer.text().as_str()), wanted, "{name}");
        // What was trusted blindly is not trusted for that in the next call.
        assert_eq!(site.get(&format!("/{name}-skip")).await.status, 200, "{name}");
        assert_eq!(site.get(&format!("/{name}")).await.status, wanted.0, "{name}");
    }
}

/// Opens what is sealed by turning every bit.
struct Turning;

impl KeyHash for Turning {
    fn hash(&self, value: &[u8]) -> [u8; 32] {
        Digest.hash(value)
    }

    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        Some(sealed.iter().map(|byte| !byte).collect())
    }
}

#[tokio::test]
async fn a_stage_shows_backends_its_certificate_and_no_other_stages_connections_carry_it() {
    let made = stage_certificate(&[0x42, 1, 2], 1_790_000_000_000).expect("certificate");
    let row = ClientCertificate {
        client_certificate_id: "abc123".into(),
        pem_encoded_certificate: made.pem.clone(),
        private_key_sealed: made.key_der.iter().map(|byte| !byte).collect(),
        ..ClientCertificate::default()
    };
    let trusted = rustls::pki_types::pem::PemObject::from_pem_slice(made.pem.as_bytes()).expect("pem");
    let own = rcgen::generate_simple_self_signed(["localhost".to_string()]).expect("certificate");
    let addr = backend((own.cert.der().clone(), own.signing_key.serialize_der()), Some(trusted)).await;
    let uri = format!("https://localhost:{}/", addr.port());
    let mut rows = Rows::new().method("/x", "GET", skipping(&uri)).deploy();
    let turning = |parts: &mut meridian::gateway::Parts| parts.key_hash = Arc::new(Turning);
    let site = Site::with(&rows, turning).await;
    assert_eq!(site.get("/x").await.text(), "nobody");
    rows.change(|ops| {
        ops.put(&region_scope(), "abc123", &row);
    });
    rows.redeploy(|stage| stage.client_certificate_id = Some("abc123".into()));
    site.publish(&rows);
    let shown = site.get("/x").await.text();
    assert!(shown.starts_with("a certificate of"), "{shown}");
    assert_eq!(site.get("/x").await.text(), shown);
    assert_eq!(site.pool.opened(), 2, "the connection of nobody was not used for somebody");
    rows.redeploy(|stage| stage.client_certificate_id = None);
    site.publish(&rows);
    assert_eq!(site.get("/x").await.text(), "nobody");
    // One that cannot be opened must not turn into nobody.
    rows.redeploy(|stage| stage.client_certificate_id = Some("gone99".into()));
    site.publish(&rows);
    assert_eq!(site.get("/x").await.status, 500, "{API} {:?}", api_scope());
}
