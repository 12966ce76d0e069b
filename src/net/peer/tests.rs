//! Endpoints that talk to each other over loopback.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use quinn::{RecvStream, SendStream};
use tokio::sync::mpsc;

use super::{
    Lane, PeerError, PeerHandler, PeerInfo, Unary, kind,
    testing::{self, Cluster, Echo},
};
use crate::net::pki::ClusterCa;

const SECOND: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(10);
const ECHO: u8 = kind::FREE;

fn echoing(regions: &[&str]) -> Cluster {
    let cluster = Cluster::new(regions);
    for n in &cluster.nodes {
        n.net.register(ECHO, Unary::new(Arc::new(Echo), 1 << 20));
    }
    cluster
}

async fn ask(cluster: &Cluster, from: usize, to: u64, words: &'static str) -> Result<Bytes, PeerError> {
    cluster.nodes[from].net.call(to, Lane::Raft, ECHO, 1, Bytes::from_static(words.as_bytes()), LONG).await
}

/// Asks until it is answered: for what comes after a change that travels.
async fn ask_until(cluster: &Cluster, from: usize, to: u64, what: impl Fn(&Result<Bytes, PeerError>) -> bool) {
    let deadline = Instant::now() + LONG;
    loop {
        let answer = cluster.nodes[from].net.call(to, Lane::Raft, ECHO, 1, Bytes::from_static(b"again"), SECOND).await;
        if what(&answer) {
            return;
        }
        assert!(Instant::now() < deadline, "the last answer was {answer:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn members_call_each_other_and_know_who_asks() {
    let c = echoing(&["a", "b", "c"]);
    assert_eq!(ask(&c, 0, 2, "hello").await.unwrap(), &b"\x01\x01hello"[..]);
    assert_eq!(ask(&c, 2, 1, "hello").await.unwrap(), &b"\x03\x01hello"[..]);
    assert!(matches!(ask(&c, 0, 2, "fail").await, Err(PeerError::Remote(w)) if w == "asked to fail"));
    let large = Bytes::from(vec![5u8; 1 << 20]);
    let back = c.nodes[0].net.call(3, Lane::Forward, ECHO, 1, large.clone(), LONG).await.unwrap();
    assert_eq!(back[2..], large);
    assert!(matches!(ask(&c, 0, 9, "x").await, Err(PeerError::NotAMember(9))));
}

#[tokio::test]
async fn a_node_of_another_ca_is_refused() {
    let c = echoing(&["a", "b"]);
    let foreign = ClusterCa::create(testing::CLUSTER, testing::now_ms()).unwrap();
    // It knows everything but the CA's key, and stands in nobody's roster by its own.
    let stranger = testing::node(testing::identity(&foreign, 2), "b", "127.0.0.1:0");
    stranger.net.roster().set(vec![c.nodes[0].info.clone()]);
    let answer = stranger.net.call(1, Lane::Raft, ECHO, 0, Bytes::new(), LONG).await;
    assert!(answer.as_ref().is_err_and(PeerError::unsent), "{answer:?}");

    // The other way round: a member does not take a stranger for the node it wants.
    let mut roster: Vec<PeerInfo> = c.nodes[0].net.roster().all().to_vec();
    roster[1].addr = stranger.info.addr;
    c.nodes[0].net.roster().set(roster);
    let answer = ask(&c, 0, 2, "x").await;
    assert!(matches!(answer, Err(PeerError::Unreachable { .. })), "{answer:?}");
}

#[tokio::test]
async fn a_certificate_of_the_ca_alone_lets_nobody_in() {
    let c = echoing(&["a"]);
    let outsider = testing::node(testing::identity(&c.ca, 7), "b", "127.0.0.1:0");
    outsider.net.roster().set(vec![c.nodes[0].info.clone()]);
    let answer = outsider.net.call(1, Lane::Raft, ECHO, 0, Bytes::new(), LONG).await;
    assert!(matches!(answer, Err(PeerError::RefusedUs(_) | PeerError::Unreachable { .. })), "{answer:?}");

    // In the roster with another key: refused too.
    let other = testing::node(testing::identity(&c.ca, 7), "b", "127.0.0.1:0");
    c.nodes[0].net.roster().set(vec![c.nodes[0].info.clone(), other.info.clone()]);
    let answer = outsider.net.call(1, Lane::Forward, ECHO, 0, Bytes::new(), LONG).await;
    assert!(answer.is_err(), "{answer:?}");
    other.net.roster().set(vec![c.nodes[0].info.clone()]);
    assert!(other.net.call(1, Lane::Raft, ECHO, 0, Bytes::new(), LONG).await.is_ok());
}

#[tokio::test]
async fn a_node_at_another_nodes_address_is_not_taken_for_it() {
    let c = echoing(&["a", "b", "c"]);
    let mut roster: Vec<PeerInfo> = c.nodes[0].net.roster().all().to_vec();
    roster[1].addr = c.addr(2);
    c.nodes[0].net.roster().set(roster);
    let answer = ask(&c, 0, 2, "x").await;
    assert!(matches!(answer, Err(PeerError::Unreachable { to: 2, .. })), "{answer:?}");
}

#[tokio::test]
async fn a_removed_node_loses_its_connections_both_ways() {
    let c = echoing(&["a", "b"]);
    ask(&c, 0, 2, "x").await.unwrap();
    ask(&c, 1, 1, "x").await.unwrap();
    c.nodes[0].net.roster().set(vec![c.nodes[0].info.clone()]);
    assert!(matches!(ask(&c, 0, 2, "x").await, Err(PeerError::NotAMember(2))));
    ask_until(&c, 1, 1, |a| a.as_ref().is_err_and(|e| !matches!(e, PeerError::Timeout(_)))).await;
    c.introduce();
    ask_until(&c, 1, 1, Result::is_ok).await;
}

#[tokio::test]
async fn unknown_kinds_and_versions_are_answered_clearly() {
    let c = echoing(&["a", "b"]);
    let net = &c.nodes[0].net;
    let answer = net.call(2, Lane::Raft, 200, 0, Bytes::new(), LONG).await;
    assert!(matches!(answer, Err(PeerError::UnknownKind)), "{answer:?}");
    let (mut send, mut recv) = net.open_bare(2, Lane::Raft, ECHO).await.unwrap();
    send.write_all(&[99, 0, ECHO]).await.unwrap();
    let read = recv.read_to_end(10).await;
    assert!(read.is_err_and(|e| match e {
        quinn::ReadToEndError::Read(e) => matches!(PeerError::from(e), PeerError::UnknownVersion),
        quinn::ReadToEndError::TooLong => false,
    }));
    // The connection is none the worse for it.
    ask(&c, 0, 2, "x").await.unwrap();
}

#[tokio::test]
async fn frames_over_the_limit_are_refused_unread() {
    let c = echoing(&["a", "b"]);
    let large = Bytes::from(vec![0u8; (1 << 20) + 1]);
    let answer = c.nodes[0].net.call(2, Lane::Raft, ECHO, 0, large, LONG).await;
    assert!(matches!(answer, Err(PeerError::TooLarge { .. })), "{answer:?}");
    // A length alone is refused at once, without the bytes.
    let (mut send, mut recv) = c.nodes[0].net.open(2, Lane::Raft, ECHO, 0).await.unwrap();
    send.write_all(&u32::MAX.to_be_bytes()).await.unwrap();
    let mut byte = [0u8; 1];
    let refused = PeerError::from(recv.read_exact(&mut byte).await.unwrap_err());
    assert!(matches!(refused, PeerError::TooLarge { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_delayed_link_has_the_round_trip_that_was_set_and_may_change() {
    let c = echoing(&["a", "b"]);
    for ms in [80u64, 150] {
        c.distance(0, 1, Duration::from_millis(ms));
        ask(&c, 0, 2, "warm").await.unwrap();
        let mut taken = Vec::new();
        for _ in 0..5 {
            let begun = Instant::now();
            ask(&c, 0, 2, "x").await.unwrap();
            taken.push(begun.elapsed());
        }
        taken.sort();
        let (least, most) = (Duration::from_millis(ms - 2), Duration::from_millis(ms + 60));
        assert!(taken[2] >= least && taken[0] < most, "{ms} ms: {taken:?}");
    }
    assert!(c.nodes[0].net.rtt(2).is_some_and(|r| r > Duration::from_millis(70)));
}

#[tokio::test]
async fn a_lossy_link_delivers_all_the_same() {
    let c = echoing(&["a", "b"]);
    c.distance(0, 1, Duration::from_millis(10));
    for (i, j) in [(0, 1), (1, 0)] {
        let link = super::sim::Link { one_way: Duration::from_millis(5), loss_percent: 5.0, cut: false };
        c.nodes[i].links.set(c.addr(j), link);
    }
    let large = Bytes::from(vec![3u8; 300 << 10]);
    let calls = (0..10).map(|_| c.nodes[0].net.call(2, Lane::Forward, ECHO, 0, large.clone(), LONG));
    for back in join_all(calls).await {
        assert_eq!(back.unwrap()[2..], large);
    }
}

#[tokio::test]
async fn a_cut_link_is_unreachable_and_heals() {
    let c = echoing(&["a", "b"]);
    for (i, j) in [(0, 1), (1, 0)] {
        c.nodes[i].links.cut(c.addr(j), true);
    }
    let answer = c.nodes[0].net.call(2, Lane::Raft, ECHO, 0, Bytes::new(), Duration::from_millis(300)).await;
    assert!(matches!(answer, Err(PeerError::Timeout(300))), "{answer:?}");
    for (i, j) in [(0, 1), (1, 0)] {
        c.nodes[i].links.cut(c.addr(j), false);
    }
    ask_until(&c, 0, 2, Result::is_ok).await;
}

#[tokio::test]
async fn a_node_that_died_and_came_back_is_dialled_again_at_once() {
    let mut c = echoing(&["a", "b"]);
    ask(&c, 0, 2, "x").await.unwrap();
    let (identity, info) = c.nodes.pop().unwrap().kill();
    // The port is free when the thread has gone.
    let deadline = Instant::now() + LONG;
    while std::net::UdpSocket::bind(info.addr).is_err() {
        assert!(Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    c.nodes.push(testing::node(identity, "b", &info.addr.to_string()));
    c.introduce();
    c.nodes[1].net.register(ECHO, Unary::new(Arc::new(Echo), 1 << 20));
    // Far below the idle timeout of 15 s: the newcomer resets what it does not know.
    let begun = Instant::now();
    ask_until(&c, 0, 2, Result::is_ok).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_graceful_close_is_heard_and_a_stop_ends_the_endpoint() {
    let c = echoing(&["a", "b"]);
    ask(&c, 0, 2, "x").await.unwrap();
    c.nodes[1].net.close().await;
    ask_until(&c, 0, 2, |a| a.is_err()).await;
    assert!(matches!(ask(&c, 1, 1, "x").await, Err(PeerError::Closed)));
}

/// Holds a stream open and says when it is dropped.
struct Holder(mpsc::UnboundedSender<&'static str>);

struct Held(mpsc::UnboundedSender<&'static str>);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

impl super::UnaryHandler for Holder {
    fn call(&self, _from: u64, _group: u8, _payload: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let held = Held(self.0.clone());
        let _ = self.0.send("asked");
        Box::pin(async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok(Bytes::new())
        })
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_cancels_the_far_side() {
    let c = echoing(&["a", "b"]);
    let (tx, mut events) = mpsc::unbounded_channel();
    c.nodes[1].net.register(ECHO + 1, Unary::new(Arc::new(Holder(tx)), 10));
    let net = c.nodes[0].net.clone();
    let call = tokio::spawn(async move { net.call(2, Lane::Raft, ECHO + 1, 0, Bytes::new(), LONG).await });
    assert_eq!(events.recv().await, Some("asked"));
    call.abort();
    assert_eq!(tokio::time::timeout(LONG, events.recv()).await.unwrap(), Some("dropped"));
    // So does a call that has waited long enough.
    let net = &c.nodes[0].net;
    let answer = net.call(2, Lane::Raft, ECHO + 1, 0, Bytes::new(), Duration::from_millis(200)).await;
    assert!(matches!(answer, Err(PeerError::Timeout(200))), "{answer:?}");
    assert_eq!(events.recv().await, Some("asked"));
    assert_eq!(tokio::time::timeout(LONG, events.recv()).await.unwrap(), Some("dropped"));
}

/// Counts streams, and panics on demand.
struct Counter(AtomicUsize);

impl PeerHandler for Counter {
    fn handle(&self, _: u64, _: u8, mut send: SendStream, mut recv: RecvStream) -> BoxFuture<'static, ()> {
        let n = self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let _ = recv.read_to_end(100).await;
            assert!(n != 0, "the first stream's handler dies");
            let _ = send.write_all(b"ok").await;
            let _ = send.finish();
        })
    }
}

#[tokio::test]
async fn many_at_once_share_one_dial_and_lanes_are_apart() {
    let c = echoing(&["a", "b"]);
    c.distance(0, 1, Duration::from_millis(30));
    let calls = (0..100).map(|_| ask(&c, 0, 2, "x"));
    assert!(join_all(calls).await.into_iter().all(|a| a.is_ok()));
    assert_eq!(c.nodes[1].net.endpoint.stats().accepted_handshakes, 1);
    for lane in Lane::ALL {
        c.nodes[0].net.call(2, lane, ECHO, 0, Bytes::new(), LONG).await.unwrap();
    }
    assert_eq!(c.nodes[1].net.endpoint.stats().accepted_handshakes, 3);
}

#[tokio::test]
async fn a_handler_that_panics_takes_only_its_stream_along() {
    let c = echoing(&["a", "b"]);
    c.nodes[1].net.register(ECHO + 2, Arc::new(Counter(AtomicUsize::new(0))));
    for i in 0..3 {
        let (mut send, mut recv) = c.nodes[0].net.open(2, Lane::Raft, ECHO + 2, 0).await.unwrap();
        let _ = send.finish();
        let read = tokio::time::timeout(LONG, recv.read_to_end(10)).await.unwrap();
        assert_eq!(read.is_ok_and(|b| b == b"ok"), i > 0, "stream {i}");
    }
}
