//! The join door (foundations §8.4): one small request from a machine that has no certificate yet.
//!
//! The server shows the cluster's chain; the client checks it against the CA's key hash in its token. What stands in
//! request and answer is not known here.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use quinn::{Connection, Endpoint, VarInt, crypto::rustls::QuicClientConfig};
use rustls::{
    DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use super::{
    PeerError, PeerNet,
    error::{close, code},
    tls::{ALPN_JOIN, client_config, provider},
    unary::{read_reply, read_sized, reply},
};
use crate::net::pki;

/// Longest request, bytes.
pub const REQUEST_LIMIT: usize = 16 << 10;
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// The answer waits for a Raft commit and may be passed on to the leader.
const ANSWER_TIME: Duration = Duration::from_secs(30);
const PER_SECOND: f64 = 5.0;
const BURST: f64 = 20.0;
const TRY_LIMIT: Duration = Duration::from_secs(5);

/// Decides about a joiner's request.
pub trait JoinDoor: Send + Sync {
    /// The answer, or why not, in words for the operator.
    fn join(&self, request: Bytes, from: SocketAddr) -> BoxFuture<'static, Result<Bytes, String>>;
}

/// A bucket for all joiners together: a token has 128 bits or more, so this only spares the CPU.
pub(super) struct Rate(Mutex<Option<(Instant, f64)>>);

static RATE: Rate = Rate(Mutex::new(None));

impl Rate {
    fn admit(&self, now: Instant) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (then, left) = state.unwrap_or((now, BURST));
        let left = (left + now.duration_since(then).as_secs_f64() * PER_SECOND).min(BURST);
        let admitted = left >= 1.0;
        *state = Some((now, if admitted { left - 1.0 } else { left }));
        admitted
    }
}

pub(super) async fn serve(net: &Arc<PeerNet>, door: Arc<dyn JoinDoor>, connection: Connection) {
    if !RATE.admit(Instant::now()) {
        return connection.close(VarInt::from_u32(close::BUSY), b"too many joins at once; try again in a second");
    }
    let from = connection.remote_address();
    let asked = tokio::time::timeout(REQUEST_TIME, async {
        let (send, mut recv) = connection.accept_bi().await.ok()?;
        Some((send, read_sized(&mut recv, REQUEST_LIMIT).await))
    });
    let Ok(Some((mut send, request))) = asked.await else {
        return connection.close(VarInt::from_u32(close::BUSY), b"no request came");
    };
    let answer = match request {
        Ok(request) => tokio::time::timeout(ANSWER_TIME, door.join(request, from))
            .await
            .unwrap_or_else(|_| Err("the cluster did not decide in time; try again with the same token".into())),
        Err(PeerError::TooLarge { limit }) => Err(format!("a join request has at most {limit} bytes")),
        Err(_) => {
            let _ = send.reset(VarInt::from_u32(code::MALFORMED));
            return;
        }
    };
    if reply(&mut send, answer).await.is_ok() {
        // Until the joiner has it and closes.
        let _ = tokio::time::timeout(REQUEST_TIME, connection.closed()).await;
    }
    let _ = net;
}

/// Knocks at the addresses in turn until one answers; the server's chain must lead to the CA whose key has the hash
/// `ca_sha256`. Gives the door's answer.
///
/// # Errors
/// [`PeerError::Remote`] when a door refused (the others are not asked then); else the last address's error.
pub async fn join_request(
    addrs: &[SocketAddr],
    ca_sha256: [u8; 32],
    request: Bytes,
    timeout: Duration,
) -> Result<Bytes, PeerError> {
    let deadline = Instant::now() + timeout;
    let mut last = PeerError::Malformed("the token names no address".into());
    for (i, addr) in addrs.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let connect = if i + 1 < addrs.len() { left.min(TRY_LIMIT) } else { left };
        match tokio::time::timeout(left, knock(*addr, ca_sha256, request.clone(), connect)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(PeerError::Remote(words))) => return Err(PeerError::Remote(words)),
            Ok(Err(e)) => last = e,
            Err(_) => return Err(PeerError::Timeout(timeout.as_millis() as u64)),
        }
    }
    Err(last)
}

async fn knock(addr: SocketAddr, pin: [u8; 32], request: Bytes, connect: Duration) -> Result<Bytes, PeerError> {
    let unreachable = |reason: String| PeerError::Unreachable { to: 0, addr, reason };
    let any: IpAddr = if addr.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let endpoint = Endpoint::client(SocketAddr::new(any, 0)).map_err(|e| unreachable(e.to_string()))?;
    let mut tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| unreachable(e.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedCa { pin }))
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN_JOIN.to_vec()];
    let tls = QuicClientConfig::try_from(tls).map_err(|e| unreachable(e.to_string()))?;
    let connecting = endpoint
        .connect_with(client_config(Arc::new(tls), None), addr, "join.meridian")
        .map_err(|e| unreachable(e.to_string()))?;
    let connection = match tokio::time::timeout(connect, connecting).await {
        Ok(done) => done.map_err(|e| unreachable(e.to_string()))?,
        Err(_) => return Err(unreachable(format!("no handshake within {} ms", connect.as_millis()))),
    };
    let (mut send, mut recv) = connection.open_bi().await?;
    let length = u32::try_from(request.len()).unwrap_or(u32::MAX);
    send.write_all_chunks(&mut [Bytes::copy_from_slice(&length.to_be_bytes()), request]).await?;
    let _ = send.finish();
    let answer = read_reply(&mut recv).await;
    connection.close(VarInt::from_u32(close::LEAVING), b"done");
    endpoint.wait_idle().await;
    answer
}

/// Trusts exactly the CA whose key has this hash.
#[derive(Debug)]
struct PinnedCa {
    pin: [u8; 32],
}

impl ServerCertVerifier for PinnedCa {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let refuse = |words: &str| rustls::Error::General(words.into());
        let ca = intermediates
            .iter()
            .find(|c| pki::spki_sha256(c).is_ok_and(|hash| hash == self.pin))
            .ok_or_else(|| refuse("the server does not belong to the cluster that the token names"))?;
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        let leaf = ParsedCertificate::try_from(end_entity)?;
        let algorithms = provider().signature_verification_algorithms.all;
        rustls::client::verify_server_cert_signed_by_trust_anchor(&leaf, &roots, &[], now, algorithms)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[path = "join_tests.rs"]
mod tests;
