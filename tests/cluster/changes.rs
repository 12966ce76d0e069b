//! Calls from any node: applied once, seen everywhere, answered with an index.

use super::harness::{Cluster, LONG, call, text, until};
use meridian::cluster::{ClusterError, Wait};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_node_takes_a_call_and_every_node_sees_its_effect() {
    let cluster = Cluster::of(3, Duration::from_millis(4), true).await;
    for (number, at) in [(1, 1), (2, 2), (3, 3)] {
        let done = cluster.count(at, &format!("request-{number}"), "visits").await.unwrap();
        assert_eq!(text(&done), number.to_string());
        assert_eq!(done.index, number);
        assert!(cluster.group(at).world().seq() >= done.index, "the node that was asked has applied it");
    }
    for at in 1..=3 {
        assert_eq!(cluster.group(at).read_barrier(LONG).await.unwrap(), 3);
        let look =
            cluster.group(at).propose(call(&format!("look-{at}"), "look visits"), LONG, Wait::Auto).await.unwrap();
        assert_eq!((text(&look), look.index), ("3".into(), 3), "a call without effects is answered and not replicated");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retried_call_is_applied_once_and_another_payload_is_a_conflict() {
    let cluster = Cluster::of(3, Duration::from_millis(2), true).await;
    let first = cluster.count(2, "the-same", "visits").await.unwrap();
    let again = cluster.count(3, "the-same", "visits").await.unwrap();
    assert_eq!((text(&first), text(&again)), ("1".into(), "1".into()));
    let reused = cluster.count(1, "the-same", "other").await;
    assert_eq!(reused, Err(ClusterError::IdReused { id: "the-same".into() }));
    assert_eq!(cluster.group(1).world().seq(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_touches_serving_waits_for_every_live_node_and_names_the_laggards() {
    let cluster = Cluster::of(3, Duration::from_millis(2), true).await;
    let mut touching = call("touching", "visits");
    touching.room = 1;
    let done = cluster.group(2).propose(touching.clone(), LONG, Wait::Auto).await.unwrap();
    assert_eq!((done.lagging, done.laggards.as_slice()), (0, [].as_slice()));
    for at in 1..=3 {
        assert!(*cluster.group(at).activated().borrow() >= done.index, "node {at} serves it");
    }
    let leader = cluster.leader().await;
    let (other, gone) = if leader == 3 { (1, 2) } else { (leader, 3) };
    cluster.cut_off(gone, true);
    touching.id = "touching-2".into();
    let wait = Wait::All { at_most: Duration::from_millis(100) };
    let done = cluster.group(other).propose(touching.clone(), LONG, wait).await.unwrap();
    assert_eq!((done.lagging, done.laggards), (1, vec![gone]), "it counts as live for a while");
    let group = cluster.group(leader);
    let silent = u64::try_from(cluster.timing.silence().as_millis()).unwrap();
    until("its silence", || group.status().member(gone)?.last_contact_ms.filter(|ms| *ms > silent)).await;
    touching.id = "touching-3".into();
    assert_eq!(cluster.group(other).propose(touching, LONG, wait).await.unwrap().lagging, 0, "now it is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_change_travels_in_parts_and_is_one_change() {
    let cluster = Cluster::of(3, Duration::from_millis(2), true).await;
    let done = cluster.group(2).propose(call("large", "fill big 1500000"), LONG, Wait::Quorum).await.unwrap();
    assert_eq!(done.index, 1);
    for at in 1..=3 {
        cluster.group(at).read_barrier(LONG).await.unwrap();
        let world = cluster.group(at).world();
        let rows =
            world.list::<meridian::catalog::cluster::Sequence>(&meridian::state::Scope::cluster(), "big").unwrap();
        assert_eq!((world.seq(), rows.len()), (1, 1501));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_for_an_index_ends_when_it_is_served_or_with_where_the_node_stands() {
    let cluster = Cluster::of(1, Duration::ZERO, true).await;
    let group = cluster.group(1);
    let early = group.wait_activated(1, Duration::from_millis(50)).await;
    assert_eq!(early, Err(ClusterError::Behind { wanted: 1, reached: 0, waited_ms: 50 }));
    let waiting = tokio::spawn(async move { group.wait_activated(1, LONG).await });
    cluster.count(1, "one", "visits").await.unwrap();
    assert_eq!(waiting.await.unwrap(), Ok(1));
}
