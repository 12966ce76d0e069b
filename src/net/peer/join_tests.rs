//! The join door from both sides.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use quinn::crypto::rustls::QuicClientConfig;

use super::*;
use crate::net::{
    peer::{
        kind,
        testing::{Cluster, identity, node, now_ms},
    },
    pki::ClusterCa,
};

const LONG: Duration = Duration::from_secs(10);

struct Door;

impl JoinDoor for Door {
    fn join(&self, request: Bytes, _from: SocketAddr) -> BoxFuture<'static, Result<Bytes, String>> {
        Box::pin(async move {
            if request == "wrong token"[..] {
                return Err("the token is not known".into());
            }
            Ok(Bytes::from([b"welcome ", &request[..]].concat()))
        })
    }
}

fn cluster() -> Cluster {
    let c = Cluster::new(&["a"]);
    c.nodes[0].net.set_join_door(Some(Arc::new(Door)));
    c
}

#[tokio::test]
async fn a_joiner_without_a_certificate_is_heard_by_the_cluster_that_its_token_pins() {
    let c = cluster();
    let pin = c.ca.spki_sha256().unwrap();
    let answer = join_request(&[c.addr(0)], pin, Bytes::from_static(b"n2"), LONG).await.unwrap();
    assert_eq!(answer, "welcome n2");
    let refused = join_request(&[c.addr(0)], pin, Bytes::from_static(b"wrong token"), LONG).await;
    assert!(matches!(refused, Err(PeerError::Remote(w)) if w == "the token is not known"));
}

#[tokio::test]
async fn the_joiner_refuses_a_cluster_with_another_ca_and_an_impostor_that_only_shows_the_ca() {
    let c = cluster();
    let other = ClusterCa::create("c-test", now_ms()).unwrap();
    let answer = join_request(&[c.addr(0)], other.spki_sha256().unwrap(), Bytes::new(), LONG).await;
    assert!(matches!(&answer, Err(PeerError::Unreachable { reason, .. }) if reason.contains("token")), "{answer:?}");

    // Shows the right CA certificate beside a leaf of its own.
    let mut forged = identity(&other, 1);
    forged.ca = c.ca.certificate().clone();
    let impostor = node(forged, "a", "127.0.0.1:0");
    impostor.net.set_join_door(Some(Arc::new(Door)));
    let answer = join_request(&[impostor.info.addr], c.ca.spki_sha256().unwrap(), Bytes::new(), LONG).await;
    assert!(matches!(answer, Err(PeerError::Unreachable { .. })), "{answer:?}");
}

#[tokio::test]
async fn a_dead_address_in_the_token_is_passed_over() {
    let c = cluster();
    let dead = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let addrs = [dead.local_addr().unwrap(), c.addr(0)];
    let pin = c.ca.spki_sha256().unwrap();
    let answer = join_request(&addrs, pin, Bytes::from_static(b"n2"), Duration::from_secs(20)).await.unwrap();
    assert_eq!(answer, "welcome n2");
}

#[tokio::test]
async fn a_request_over_16_kib_is_refused_in_words() {
    let c = cluster();
    let pin = c.ca.spki_sha256().unwrap();
    let answer = join_request(&[c.addr(0)], pin, Bytes::from(vec![0; REQUEST_LIMIT + 1]), LONG).await;
    assert!(matches!(&answer, Err(PeerError::Remote(w)) if w.contains("16384")), "{answer:?}");
}

#[tokio::test]
async fn a_closed_door_says_so() {
    let c = Cluster::new(&["a"]);
    let answer = join_request(&[c.addr(0)], c.ca.spki_sha256().unwrap(), Bytes::new(), LONG).await;
    assert!(matches!(&answer, Err(PeerError::RefusedUs(w)) if w.contains("no joins")), "{answer:?}");
}

#[tokio::test]
async fn without_a_certificate_no_other_protocol_is_spoken() {
    let c = cluster();
    let pin = c.ca.spki_sha256().unwrap();
    for (alpn, joins) in [(&b"meridian/1"[..], false), (ALPN_JOIN, true)] {
        let mut tls = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(PinnedCa { pin }))
            .with_no_client_auth();
        tls.alpn_protocols = vec![alpn.to_vec()];
        let config = client_config(Arc::new(QuicClientConfig::try_from(tls).unwrap()), None);
        let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let connection = endpoint.connect_with(config, c.addr(0), "x").unwrap().await.unwrap();
        let talk = async {
            let (mut send, mut recv) = connection.open_bi().await?;
            // A peer's preamble: on the join door it is a request's length, far too long.
            send.write_all(&[1, 0, kind::PROBE, 0]).await?;
            read_reply(&mut recv).await
        };
        let answer = talk.await;
        match answer {
            Err(PeerError::Remote(_)) => assert!(joins),
            Err(PeerError::RefusedUs(words)) => assert!(!joins && words.contains("certificate"), "{words}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn joins_are_rate_limited() {
    let rate = Rate(Mutex::new(None));
    let t = Instant::now();
    assert_eq!((0..100).filter(|_| rate.admit(t)).count(), BURST as usize);
    assert!(!rate.admit(t));
    assert!(rate.admit(t + Duration::from_secs(1)));
}
