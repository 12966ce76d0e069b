//! Visits across the cut, over loopback with simulated distance.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use tokio::sync::mpsc;

use super::{
    probe::Vitals,
    testkit::*,
    wire::{BodyHint, Fault, Head, Header, Refused, code},
    *,
};
use crate::net::peer::kind;

#[tokio::test]
async fn a_forward_costs_one_round_trip() {
    let small = b"hello";
    let w = world(&["far"], 80, fixed(small));
    // The first dials.
    answer(w.get().await);
    let mut taken = Vec::new();
    for _ in 0..9 {
        let begun = Instant::now();
        let a = answer(w.get().await);
        let facts = a.body.facts();
        assert_eq!(a.body.collect().await.unwrap().to_bytes(), &small[..]);
        taken.push(begun.elapsed());
        assert_eq!(facts.get().unwrap().integration_us, Some(1234));
        assert_eq!((facts.get().unwrap().node, facts.get().unwrap().region.as_str()), (2, "far"));
    }
    taken.sort();
    assert!(taken[4] >= Duration::from_millis(78) && taken[0] < Duration::from_millis(140), "{taken:?}");
}

#[tokio::test]
async fn an_answer_of_100_kib_comes_in_one_round_trip_even_after_small_talk() {
    static LARGE: [u8; 100 << 10] = [7; 100 << 10];
    let w = world(
        &["far"],
        80,
        Arc::new(|head: Head, _| {
            let large = head.method == "GET";
            Box::pin(async move {
                let body = if large { full(&LARGE[..]) } else { full(&b"x"[..]) };
                Served::Answer { head: ok(BodyHint::Unknown), body, end: Box::new(facts) }
            })
        }),
    );
    for _ in 0..20 {
        let post = Head { method: "POST".into(), ..head() };
        answer(w.send(post, full(&b"y"[..])).await).body.collect().await.unwrap();
    }
    let mut taken = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        let got = answer(w.get().await).body.collect().await.unwrap().to_bytes();
        assert_eq!(got.len(), LARGE.len());
        taken.push(begun.elapsed());
    }
    taken.sort();
    // A second flight would cost 80 ms more.
    assert!(taken[0] < Duration::from_millis(155), "{taken:?}");
}

#[tokio::test]
async fn both_bodies_stream_at_the_same_time() {
    let w = world(&["far"], 20, echo());
    let (tx, body) = fed();
    tx.send(Ok(Bytes::from_static(b"one"))).unwrap();
    let mut a = answer(w.send(head(), body).await);
    // The answer has begun while the request goes on.
    for word in ["one", "two", "three"] {
        if word != "one" {
            tx.send(Ok(Bytes::from(word))).unwrap();
        }
        let frame = tokio::time::timeout(LONG, a.body.frame()).await.unwrap().unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), word);
    }
    drop(tx);
    assert!(a.body.frame().await.is_none());
    assert_eq!(a.body.facts().get().unwrap().integration_status, Some(200));
    assert_eq!(w.workers[0].outcome().await, Outcome::Answered);
}

#[tokio::test]
async fn large_bodies_cross_whole_in_both_directions() {
    let w = world(&["far"], 40, echo());
    let parts: Vec<Bytes> = (0..64u8).map(|i| Bytes::from(vec![i; 100_000])).collect();
    let stream = stream::iter(parts.clone().into_iter().map(|b| Ok(Frame::data(b))));
    let body: BoxStream = Box::pin(stream);
    let hinted = Head { body: BodyHint::Known(6_400_000), ..head() };
    let a = answer(w.send(hinted, StreamBody::new(body)).await);
    let got = tokio::time::timeout(LONG * 3, a.body.collect()).await.unwrap().unwrap().to_bytes();
    assert_eq!(got, parts.concat());
}

#[tokio::test]
async fn trailers_cross_too() {
    let w = world(&["far"], 0, echo());
    let mut map = http::HeaderMap::new();
    map.insert("x-sum", "5".parse().unwrap());
    let frames = [Ok(Frame::data(Bytes::from_static(b"hi"))), Ok(Frame::trailers(map.clone()))];
    let body: BoxStream = Box::pin(stream::iter(frames));
    let got = answer(w.send(head(), StreamBody::new(body)).await).body.collect().await.unwrap();
    assert_eq!(got.trailers(), Some(&map));
}

#[tokio::test]
async fn a_client_that_goes_away_while_it_waits_cancels_the_region() {
    let (walk, mut begun) = stuck();
    let w = world(&["far"], 40, walk);
    let forward = w.get();
    let dropped = tokio::select! {
        _ = forward => panic!("nobody answers"),
        dropped = begun.recv() => dropped.unwrap(),
    };
    // Dropped by `select!`.
    tokio::time::timeout(LONG, dropped).await.unwrap().unwrap();
    assert_eq!(w.workers[0].outcome().await, Outcome::Broken(CutError::Gone));
}

#[tokio::test]
async fn a_client_that_goes_away_in_mid_answer_cancels_the_region() {
    let w = world(&["far"], 40, echo());
    let (tx, body) = fed();
    tx.send(Ok(Bytes::from_static(b"one"))).unwrap();
    let mut a = answer(w.send(head(), body).await);
    a.body.frame().await.unwrap().unwrap();
    drop(a);
    let outcome = w.workers[0].outcome().await;
    assert!(matches!(outcome, Outcome::Broken(_)), "{outcome:?}");
    assert!(tx.is_closed(), "the request's body was dropped as well");
    w.quiet().await;
}

#[tokio::test]
async fn a_broken_request_body_never_looks_like_an_end() {
    let walk: Walk = Arc::new(|_h, body: CutBody| {
        Box::pin(async move {
            let got = body.collect().await;
            let words = got.map(|b| format!("{} bytes", b.to_bytes().len())).unwrap_or_else(|e| e.to_string());
            Served::Answer { head: ok(BodyHint::Unknown), body: full(words), end: Box::new(facts) }
        })
    });
    let w = world(&["far"], 0, walk);
    let (tx, body) = fed();
    tx.send(Ok(Bytes::from_static(b"half"))).unwrap();
    tx.send(Err("reset by client".into())).unwrap();
    let failed = w.send(head(), body).await.err().unwrap();
    assert!(matches!(&failed.error, ForwardError::ClientBody(w) if w == "reset by client"), "{}", failed.error);
    assert!(!failed.error.unprocessed());
    assert_eq!(failed.body.error().map(String::as_str), Some("reset by client"));
    // Fewer bytes than the head said are no end either.
    let short = Head { body: BodyHint::Known(10), ..head() };
    let got = answer(w.send(short, full(&b"four"[..])).await).body.collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&got).contains("another length"), "{got:?}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_there_breaks_off_here() {
    let (tx, rx) = mpsc::unbounded_channel::<Result<Bytes, String>>();
    let rx = Mutex::new(Some(rx));
    let walk: Walk = Arc::new(move |_h, _b| {
        let rx = rx.lock().unwrap().take();
        Box::pin(async move {
            let stream =
                stream::unfold(rx.unwrap(), |mut rx| async move { Some((rx.recv().await?.map(Frame::data), rx)) });
            let body: BoxStream = Box::pin(stream);
            Served::Answer { head: ok(BodyHint::Unknown), body: StreamBody::new(body), end: Box::new(facts) }
        })
    });
    let w = world(&["far"], 0, walk);
    tx.send(Ok(Bytes::from_static(b"half"))).unwrap();
    let mut a = answer(w.get().await);
    assert_eq!(a.body.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
    tx.send(Err("backend died".into())).unwrap();
    let broken = a.body.frame().await.unwrap().unwrap_err();
    assert_eq!(broken, CutError::Reset(code::DIED));
    assert!(a.body.facts().get().is_none());
}

#[tokio::test]
async fn a_walk_that_panics_is_lost_and_not_tried_again() {
    let w = world(&["far", "far"], 0, Arc::new(|_h, _b| Box::pin(async { panic!("a bug in the gateway") })));
    let failed = w.get().await.err().unwrap();
    assert!(matches!(failed.error, ForwardError::Lost(_)), "{}", failed.error);
    assert_eq!(w.workers.iter().map(|w| w.seen.load(Ordering::Relaxed)).sum::<u32>(), 1);
}

#[tokio::test]
async fn a_refusal_comes_as_facts() {
    let walk: Walk = Arc::new(|_h, _b| {
        Box::pin(async {
            Served::Refused(Refused {
                response_type: "INTEGRATION_TIMEOUT".into(),
                message: "Endpoint request timed out".into(),
                ..Refused::default()
            })
        })
    });
    let w = world(&["far"], 0, walk);
    match w.get().await {
        Ok(Forwarded::Refused { node: 2, refused, .. }) => {
            assert_eq!(refused.response_type, "INTEGRATION_TIMEOUT");
            assert_eq!(refused.end.region, "far");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_was_not_processed_goes_to_another_node_with_its_body() {
    let w = world(&["far", "far"], 0, echo());
    for leaving in [0usize, 1] {
        w.receivers[leaving].drain(true);
        let a = answer(w.send(head(), full(&b"body"[..])).await);
        assert_eq!(a.node, 3 - leaving as u64);
        assert_eq!(a.body.collect().await.unwrap().to_bytes(), "body");
        w.receivers[leaving].drain(false);
        // The next probe would say so; here nobody probes.
        w.forwarder.nodes().answered(2 + leaving as u64, Duration::ZERO, Vitals::default(), 0);
    }
    // Overload is the same, at most one more node is tried, and then it is said.
    w.workers[0].room.store(0, Ordering::Relaxed);
    for _ in 0..4 {
        assert_eq!(answer(w.get().await).node, 3);
    }
    w.workers[1].room.store(0, Ordering::Relaxed);
    let failed = w.get().await.err().unwrap();
    assert!(matches!(failed.error, ForwardError::Rejected(_)) && failed.error.unprocessed(), "{}", failed.error);
}

#[tokio::test]
async fn a_rejected_body_that_was_too_large_to_keep_is_not_sent_again() {
    let w = world(&["far", "far"], 20, echo());
    for worker in &w.workers {
        worker.room.store(0, Ordering::Relaxed);
    }
    let failed = w.send(head(), full(vec![1u8; 200 << 10])).await.err().unwrap();
    assert!(matches!(failed.error, ForwardError::Rejected(_)), "{}", failed.error);
    assert!(!failed.body.can_rewind());
    assert_eq!(w.workers.iter().map(|w| w.seen.load(Ordering::Relaxed)).sum::<u32>(), 1);
}

#[tokio::test]
async fn another_revision_goes_back_to_the_edge_with_the_body_whole() {
    let walk: Walk = Arc::new(|_h, _b| {
        Box::pin(async {
            Served::Rejected(Fault { code: code::OTHER_REVISION, text: "stage prod is at revision 4".into() })
        })
    });
    let w = world(&["far", "far"], 0, walk);
    let mut failed = w.send(head(), full(&b"body"[..])).await.err().unwrap();
    assert!(matches!(&failed.error, ForwardError::OtherRevision(w) if w.contains("revision 4")));
    assert!(failed.body.rewind());
    assert_eq!(failed.body.collect().await.unwrap().to_bytes(), "body");
}

#[tokio::test]
async fn a_node_that_cannot_be_connected_is_passed_over() {
    let mut w = world(&["far", "farther"], 0, fixed(b"hello"));
    // Node 2 is gone; its region has no other.
    let gone = w.cluster.nodes.remove(1);
    gone.net.close().await;
    w.cluster.nodes[0].links.cut(gone.info.addr, true);
    let begun = Instant::now();
    let nodes = w.forwarder.nodes();
    nodes.answered(2, Duration::from_millis(10), Vitals::default(), 0);
    nodes.answered(3, Duration::from_millis(90), Vitals::default(), 0);
    let a = answer(w.get().await);
    assert_eq!((a.node, &*a.region), (3, "farther"));
    assert!(begun.elapsed() < LONG);
    assert_eq!(w.forwarder.nodes().state(2), Some(NodeState::Down));
    // The next visit does not even try.
    let begun = Instant::now();
    answer(w.get().await);
    assert!(begun.elapsed() < Duration::from_secs(1));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &w.metrics).unwrap();
    assert!(text.contains(r#"meridian_edge_forwards_total{region="farther",outcome="answered"} 2"#), "{text}");
}

#[tokio::test]
async fn a_visit_whose_fate_is_unknown_is_sent_again_only_where_the_owner_accepts_it() {
    for accepted in [false, true] {
        let (walk, mut begun) = stuck();
        let mut w = world(&["far"], 0, walk);
        let other = Worker::new(fixed(b"second"));
        let node = crate::net::peer::testing::node(
            crate::net::peer::testing::identity(&w.cluster.ca, 3),
            "farther",
            "127.0.0.1:0",
        );
        node.net.register(kind::FORWARD, Receiver::new(other, 3, "farther"));
        w.cluster.nodes.push(node);
        w.cluster.introduce();
        w.forwarder.nodes().sync(&w.cluster.nodes[0].net.roster().all());
        w.forwarder.nodes().answered(2, Duration::from_millis(1), Vitals::default(), 0);
        let (forwarder, nodes) = (w.forwarder.clone(), w.forwarder.nodes().clone());
        let visit = tokio::spawn(async move {
            let head = Head { body: BodyHint::Empty, retry_lost: accepted, ..head() };
            forwarder.forward(&["far", "farther"], head, Replay::new(Empty::<Bytes>::new())).await
        });
        begun.recv().await.unwrap();
        w.cluster.nodes.remove(1).kill();
        for _ in 0..3 {
            nodes.missed(2);
        }
        match tokio::time::timeout(LONG, visit).await.unwrap().unwrap() {
            Ok(Forwarded::Answer(a)) => assert!(accepted && a.node == 3),
            Err(f) => assert!(!accepted && matches!(f.error, ForwardError::Lost(_)), "{}", f.error),
            Ok(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_time_left_ends_a_visit_on_both_sides() {
    let (walk, mut begun) = stuck();
    let w = world(&["far"], 20, walk);
    // Warm, so that the time goes to the visit.
    w.cluster.nodes[0].net.warm(2, crate::net::peer::Lane::Forward).await.unwrap();
    let asked = Instant::now();
    let short = Head { body: BodyHint::Empty, time_left_ms: 300, ..head() };
    let failed = w.forwarder.forward(&["far"], short, Replay::new(Empty::<Bytes>::new())).await.err().unwrap();
    assert!(matches!(failed.error, ForwardError::Deadline), "{}", failed.error);
    assert!(asked.elapsed() >= Duration::from_millis(290) && asked.elapsed() < Duration::from_millis(900));
    tokio::time::timeout(LONG, begun.recv().await.unwrap()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_visit_that_went_in_circles_is_refused() {
    let w = world(&["far"], 0, fixed(b"x"));
    let far = Head { hops: wire::MAX_HOPS + 1, body: BodyHint::Empty, ..head() };
    let failed = w.forwarder.forward(&["far"], far, Replay::new(Empty::<Bytes>::new())).await.err().unwrap();
    assert!(failed.error.to_string().contains("cuts"), "{}", failed.error);
    let huge = Header { name: b"x".to_vec(), value: vec![b'v'; wire::HEAD_LIMIT] };
    let large = Head { headers: vec![huge], ..head() };
    let failed = w.send(large, full(&b""[..])).await.err().unwrap();
    assert!(matches!(failed.error, ForwardError::Malformed(_)), "{}", failed.error);
    assert_eq!(w.workers[0].seen.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_reader_that_stops_holds_the_writer_back() {
    let made = Arc::new(AtomicUsize::new(0));
    let counter = made.clone();
    let walk: Walk = Arc::new(move |_h, _b| {
        let made = counter.clone();
        Box::pin(async move {
            let stream = stream::repeat_with(move || {
                made.fetch_add(64 << 10, Ordering::Relaxed);
                Ok(Frame::data(Bytes::from_static(&[0; 64 << 10])))
            });
            let body: BoxStream = Box::pin(stream);
            Served::Answer { head: ok(BodyHint::Unknown), body: StreamBody::new(body), end: Box::new(facts) }
        })
    });
    let w = world(&["far"], 0, walk);
    let a = answer(w.get().await);
    // Until it makes no more for a while.
    let mut before = 0;
    let settled = async {
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let now = made.load(Ordering::Relaxed);
            if now == before && now > 0 {
                return now;
            }
            before = now;
        }
    };
    let settled = tokio::time::timeout(LONG, settled).await.unwrap();
    assert!(settled <= (8 << 20) + (1 << 20), "one stream window and two buffers, not {settled}");
    drop(a);
}

#[tokio::test]
async fn a_dead_node_is_left_within_four_seconds_and_silence_is_noticed_sooner() {
    let mut w = world(&["far", "farther"], 20, fixed(b"hello"));
    w.cluster.distance(0, 2, Duration::from_millis(60));
    w.probe();
    let mut changes = w.forwarder.nodes().changes();
    let measured = async {
        while !w.forwarder.nodes().view().iter().all(|n| n.rtt_ms.is_some()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, measured).await.unwrap();
    // The first measurements may carry a busy machine's own delay.
    let chosen = async {
        while w.forwarder.nodes().choose(&["far", "farther"]) != Choice::There("far".into()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LONG, chosen).await.unwrap();
    assert_eq!(w.forwarder.nodes().choose(&["far", "near"]), Choice::Here);
    assert_eq!(answer(w.get().await).node, 2);

    let died = Instant::now();
    let prober = w.probers.remove(0);
    drop(prober);
    w.cluster.nodes.remove(1).kill();
    // A visit that nobody acknowledges makes the node suspect.
    let forwarder = w.forwarder.clone();
    let lost = tokio::spawn(async move {
        let head = Head { body: BodyHint::Empty, ..head() };
        forwarder.forward(&["far"], head, Replay::new(Empty::<Bytes>::new())).await.err().unwrap().error
    });
    let mut suspected = None;
    while w.forwarder.nodes().state(2) != Some(NodeState::Down) {
        if w.forwarder.nodes().state(2) == Some(NodeState::Suspect) {
            suspected.get_or_insert(died.elapsed());
        }
        tokio::time::timeout(LONG, changes.changed()).await.unwrap().unwrap();
    }
    // 3.5 s by the clock of the probes; the rest is for a busy machine.
    let down = died.elapsed();
    assert!(down < Duration::from_secs(5), "{down:?}");
    assert!(suspected.is_some_and(|s| s + Duration::from_millis(500) < down), "{suspected:?} {down:?}");
    let lost = tokio::time::timeout(LONG, lost).await.unwrap().unwrap();
    assert!(matches!(lost, ForwardError::Lost(_)), "{lost}");
    assert_eq!(answer(w.get().await).node, 3);
    assert_eq!(w.forwarder.nodes().choose(&["far"]), Choice::Nowhere);
}

#[tokio::test]
async fn thirty_two_visits_share_the_connection() {
    let w = world(&["far"], 40, echo());
    answer(w.get().await);
    let begun = Instant::now();
    let visits = (0..32u8).map(|i| {
        let w = &w;
        async move {
            let body = vec![i; 10_000];
            let a = answer(w.send(head(), full(body.clone())).await);
            assert_eq!(a.body.collect().await.unwrap().to_bytes(), body);
        }
    });
    futures_util::future::join_all(visits).await;
    assert!(begun.elapsed() < Duration::from_millis(1000), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn clients_that_do_not_read_do_not_stop_the_others() {
    let walk: Walk = Arc::new(|head: Head, _b| {
        Box::pin(async move {
            let endless = stream::repeat_with(|| Ok(Frame::data(Bytes::from_static(&[0; 64 << 10]))));
            let body =
                if head.method == "GET" { full(&b"x"[..]) } else { StreamBody::new(Box::pin(endless) as BoxStream) };
            Served::Answer { head: ok(BodyHint::Unknown), body, end: Box::new(facts) }
        })
    });
    let w = world(&["far"], 0, walk);
    let mut stalled = Vec::new();
    for _ in 0..12 {
        let slow = Head { method: "POST".into(), ..head() };
        stalled.push(answer(w.send(slow, full(&b""[..])).await));
    }
    for _ in 0..20 {
        let a = answer(tokio::time::timeout(LONG, w.get()).await.unwrap());
        let got = tokio::time::timeout(LONG, a.body.collect()).await.unwrap().unwrap();
        assert_eq!(got.to_bytes(), "x");
    }
    drop(stalled);
}

/// Answers every visit with these bytes.
struct Babbler(&'static [u8]);

impl crate::net::peer::PeerHandler for Babbler {
    fn handle(
        &self,
        _from: u64,
        _group: u8,
        mut send: quinn::SendStream,
        recv: quinn::RecvStream,
    ) -> futures_util::future::BoxFuture<'static, ()> {
        let bytes = self.0;
        Box::pin(async move {
            let _ = send.write_all(bytes).await;
            let _ = send.finish();
            let _ = send.stopped().await;
            drop(recv);
        })
    }
}

#[tokio::test]
async fn a_region_that_babbles_is_an_error_and_no_panic() {
    let w = world(&["far"], 0, fixed(b""));
    let net = &w.cluster.nodes[1].net;
    let cases: [(&[u8], &str); 6] = [
        (&[], "without an answer"),
        (&[99, 1, 1], "type 99"),
        (&[wire::frame::DATA, 1, 1], "type 2"),
        (&[wire::frame::RESP_HEAD, 2, 7, 7], "version 7"),
        (&[wire::frame::RESP_HEAD, 2, 1], "in the middle"),
        (&[wire::frame::RESP_HEAD, 0xff, 0xff, 0xff, 0xff, 0xff], "at most"),
    ];
    for (bytes, words) in cases {
        net.register(kind::FORWARD, Arc::new(Babbler(bytes)));
        w.forwarder.nodes().answered(2, Duration::ZERO, Vitals::default(), 0);
        let failed = tokio::time::timeout(LONG, w.get()).await.unwrap().err().unwrap();
        let said = failed.error.to_string();
        assert!(said.contains(words) && !failed.error.unprocessed(), "{bytes:?}: {said}");
    }
}

#[tokio::test]
async fn an_edge_that_babbles_is_turned_away_and_the_region_serves_on() {
    let w = world(&["far"], 0, fixed(b"hello"));
    let good = wire::frame_of(wire::frame::HEAD, &head()).unwrap();
    let cases: [&[u8]; 5] = [b"", b"GET / HTTP/1.1", &[wire::frame::HEAD, 1, 9], &good[..20], &[wire::frame::END, 0]];
    for bytes in cases {
        let lane = crate::net::peer::Lane::Forward;
        let (mut send, mut recv) = w.cluster.nodes[0].net.open(2, lane, kind::FORWARD, 0).await.unwrap();
        let _ = send.write_all(bytes).await;
        let _ = send.finish();
        let said = tokio::time::timeout(LONG, recv.read_to_end(1000)).await.unwrap().unwrap();
        let fault: Fault = wire::read(&said[2..]).unwrap();
        assert_eq!((said[0], fault.code), (wire::frame::ERR, code::BAD_HEAD), "{bytes:?}: {}", fault.text);
    }
    assert_eq!(answer(w.get().await).body.collect().await.unwrap().to_bytes(), "hello");
    w.quiet().await;
}
