//! Quotas over real groups: Raft on disk, QUIC with simulated round trips, journals; nodes with a replica and one without.

mod nodes;

use meridian::usage::{PeriodKind, QuotaSpec, Verdict, query};
use nodes::{LONG, Nodes, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

fn quota(limit: u64) -> QuotaSpec {
    QuotaSpec { limit, offset: 0, period: PeriodKind::Month, created_ms: 0, seq: 1 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_a_replica_uses_a_small_quota_to_the_last_request() {
    let nodes = Nodes::start(4, 3, Duration::from_millis(40)).await;
    let mut waits = Vec::new();
    for n in 0..10 {
        let began = Instant::now();
        let verdict = nodes.call(4, "key", quota(10)).await;
        assert!(matches!(verdict, Verdict::Admitted(_)), "request {n}: {verdict:?}");
        waits.push(began.elapsed().as_millis());
    }
    println!("waited ms: {waits:?}");
    for id in 1..=4 {
        assert_eq!(nodes.call(id, "key", quota(10)).await, Verdict::QuotaExceeded, "node {id}");
    }
    let links = nodes.links(4);
    let day = meridian::usage::period::day_of(nodes.now(4).utc_ms);
    let now_ms = nodes.now(4).utc_ms;
    let usage = query::usage_of(&*links, "plan", &["key".into()], Some(&quota(10)), (day, day), now_ms).await.unwrap();
    assert_eq!(usage.values["key"], [(10, 0)]);
    query::extend(&*links, "plan", "key", &quota(10), 2, now_ms, [1; 16]).await.unwrap();
    let mut more = 0;
    let began = Instant::now();
    while more < 2 && began.elapsed() < LONG {
        more += u64::from(matches!(nodes.call(2, "key", quota(10)).await, Verdict::Admitted(_)));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(more, 2);
    assert_eq!(nodes.call(2, "key", quota(10)).await, Verdict::QuotaExceeded);
    nodes.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_dies_under_load_and_the_quota_holds() {
    let limit = 3_000;
    let mut nodes = Nodes::start(4, 3, Duration::from_millis(40)).await;
    let leader = nodes.leader().await;
    let (admitted, run) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(true)));
    let mut clients = Vec::new();
    for id in (1..=4).filter(|id| *id != leader) {
        let (admission, clock) = nodes.admission(id);
        let (admitted, run) = (admitted.clone(), run.clone());
        clients.push(tokio::spawn(async move {
            while run.load(Ordering::Relaxed) {
                let request = nodes::request("key", quota(limit));
                if matches!(admission.admit(&request, clock()).await, Verdict::Admitted(_)) {
                    admitted.fetch_add(1, Ordering::Relaxed);
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }));
    }
    until("some use", || (admitted.load(Ordering::Relaxed) > 200).then_some(())).await;
    nodes.kill(leader).await;
    let at_death = admitted.load(Ordering::Relaxed);
    until("another leads", || nodes.leads().filter(|id| *id != leader)).await;
    // Grants flow again; the dead node held at most what it was granted, which stays counted.
    until("grants after the election", || (admitted.load(Ordering::Relaxed) > at_death + 1_000).then_some(())).await;
    nodes.restart(leader).await;
    let mut rest = 0;
    let began = Instant::now();
    loop {
        rest += u64::from(matches!(nodes.call(leader, "key", quota(limit)).await, Verdict::Admitted(_)));
        let total = admitted.load(Ordering::Relaxed) + rest;
        assert!(total <= limit, "{total} of {limit}");
        if nodes.call(leader, "key", quota(limit)).await == Verdict::QuotaExceeded || began.elapsed() > LONG {
            break;
        }
    }
    run.store(false, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let total = admitted.load(Ordering::Relaxed) + rest;
    println!("{total} of {limit} admitted, {at_death} when the leader died");
    assert!(total <= limit && total > limit * 9 / 10, "{total} of {limit}");
    nodes.stop_all().await;
}
