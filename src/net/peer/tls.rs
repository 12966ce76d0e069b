//! Mutual TLS of the peers endpoint: what a node shows, and what it demands.

use std::{any::Any, sync::Arc};

use quinn::{
    ClientConfig, ConnectionId, ConnectionIdGenerator, EndpointConfig, ServerConfig,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use rustls::{
    RootCertStore,
    client::WebPkiServerVerifier,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};

use super::PeerError;
use crate::net::pki;

/// ALPN of streams between members.
pub(super) const ALPN_PEER: &[u8] = b"meridian/1";
/// ALPN of the join door: the only one that asks for no client certificate.
pub(super) const ALPN_JOIN: &[u8] = b"meridian-join/1";

/// What a node is to its peers.
#[derive(Debug)]
pub struct Identity {
    /// The node's id, as in its certificate.
    pub node_id: u64,
    /// The cluster's id: one DNS label.
    pub cluster_id: String,
    /// The node's certificate, DER.
    pub certificate: CertificateDer<'static>,
    /// Its private key.
    pub key: PrivateKeyDer<'static>,
    /// The cluster's CA certificate, DER.
    pub ca: CertificateDer<'static>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self {
            node_id: self.node_id,
            cluster_id: self.cluster_id.clone(),
            certificate: self.certificate.clone(),
            key: self.key.clone_key(),
            ca: self.ca.clone(),
        }
    }
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn failed(e: impl std::fmt::Display) -> PeerError {
    PeerError::Malformed(format!("the node's certificate or key cannot be used: {e}"))
}

impl Identity {
    fn roots(&self) -> Result<Arc<RootCertStore>, PeerError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.clone()).map_err(failed)?;
        Ok(Arc::new(roots))
    }

    /// The chain carries the CA too: the join door's visitor pins the CA, not the leaf.
    fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.clone(), self.ca.clone()]
    }

    pub(super) fn server(&self) -> Result<ServerConfig, PeerError> {
        let demand = WebPkiClientVerifier::builder_with_provider(self.roots()?, provider())
            // The join door has none; `incoming` refuses the others without a certificate before any stream.
            .allow_unauthenticated()
            .build()
            .map_err(failed)?;
        let mut tls = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(failed)?
            .with_client_cert_verifier(demand)
            .with_single_cert(self.chain(), self.key.clone_key())
            .map_err(failed)?;
        tls.alpn_protocols = vec![ALPN_PEER.to_vec(), ALPN_JOIN.to_vec()];
        let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).map_err(failed)?));
        config.migration(false).transport_config(super::transport::config(None, true));
        Ok(config)
    }

    pub(super) fn client(&self) -> Result<Arc<QuicClientConfig>, PeerError> {
        let demand = WebPkiServerVerifier::builder_with_provider(self.roots()?, provider()).build().map_err(failed)?;
        let mut tls = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(failed)?
            .with_webpki_verifier(demand)
            .with_client_auth_cert(self.chain(), self.key.clone_key())
            .map_err(failed)?;
        tls.alpn_protocols = vec![ALPN_PEER.to_vec()];
        Ok(Arc::new(QuicClientConfig::try_from(tls).map_err(failed)?))
    }

    /// Stateless resets keyed by the node's own key: after a restart the peers learn at once that their connections
    /// are gone, instead of after the idle timeout.
    pub(super) fn endpoint(&self) -> EndpointConfig {
        let mut seed = b"meridian stateless reset 1".to_vec();
        seed.extend_from_slice(self.key.secret_der());
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &seed);
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, digest.as_ref());
        let mut config = EndpointConfig::new(Arc::new(key));
        // quinn's own generator drops ids of an earlier process unanswered, which would be no reset at all.
        config.cid_generator(|| Box::new(RandomIds));
        config
    }
}

/// Connection ids of eight random bytes.
struct RandomIds;

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut bytes = [0u8; 8];
        // Without randomness no handshake succeeds either.
        let _ = aws_lc_rs::rand::fill(&mut bytes);
        ConnectionId::new(&bytes)
    }

    fn cid_len(&self) -> usize {
        8
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}

/// A client's settings for one connection.
pub(super) fn client_config(tls: Arc<QuicClientConfig>, rtt: Option<std::time::Duration>) -> ClientConfig {
    let mut config = ClientConfig::new(tls);
    config.transport_config(super::transport::config(rtt, false));
    config
}

/// Node id and key hash of the certificate that the other side showed.
pub(super) fn peer_of(identity: Option<Box<dyn Any>>, cluster_id: &str) -> Option<(u64, [u8; 32])> {
    let chain = identity?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    let leaf = chain.first()?;
    let id = pki::node_id_of(leaf, cluster_id)?;
    Some((id, pki::spki_sha256(leaf).ok()?))
}
