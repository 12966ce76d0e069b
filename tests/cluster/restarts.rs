//! Nodes stop and come back: nothing answered is lost, and a node without its log is refused.

use super::harness::{Cluster, LONG, call, text, until};
use meridian::cluster::{OpenError, Opening, Wait};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_in_turn_stops_and_comes_back() {
    let mut cluster = Cluster::of(3, Duration::from_millis(2), true).await;
    let mut expected = 0;
    for gone in 1..=3_u64 {
        cluster.stop(gone).await;
        let at = gone % 3 + 1;
        for _ in 0..5 {
            expected += 1;
            let done = cluster.count(at, &format!("request-{expected}"), "visits").await.unwrap();
            assert_eq!(text(&done), expected.to_string());
        }
        cluster.start(gone, Opening::Reopen).await.unwrap();
        let group = cluster.group(gone);
        until("the node to catch up", || (group.world().seq() == expected).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_cluster_comes_back_with_everything_answered() {
    let mut cluster = Cluster::of(3, Duration::from_millis(2), true).await;
    for number in 1..=20 {
        cluster.count(1, &format!("request-{number}"), "visits").await.unwrap();
    }
    for id in 1..=3 {
        cluster.stop(id).await;
    }
    for id in 1..=3 {
        cluster.start(id, Opening::Reopen).await.unwrap();
    }
    for id in 1..=3 {
        assert_eq!(cluster.group(id).read_barrier(LONG).await.unwrap(), 20);
    }
    let again = cluster.count(2, "request-20", "visits").await.unwrap();
    assert_eq!(text(&again), "20", "an answered call is still known");
    let look = cluster.group(3).propose(call("look", "look visits"), LONG, Wait::Auto).await.unwrap();
    assert_eq!(text(&look), "20");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_quorum_a_restarted_node_still_has_its_world() {
    let mut cluster = Cluster::of(3, Duration::from_millis(2), true).await;
    for number in 1..=3 {
        cluster.count(1, &format!("request-{number}"), "visits").await.unwrap();
    }
    until("node 2 to follow", || (cluster.group(2).world().seq() == 3).then_some(())).await;
    for id in 1..=3 {
        cluster.stop(id).await;
    }
    cluster.start(2, Opening::Reopen).await.unwrap();
    assert_eq!(cluster.group(2).world().seq(), 3);
    let alone = cluster.group(2).propose(call("alone", "visits"), Duration::from_millis(300), Wait::Auto).await;
    assert!(matches!(alone, Err(meridian::cluster::ClusterError::Unavailable { .. })), "{alone:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_without_its_log_or_of_another_node_is_refused() {
    let mut cluster = Cluster::of(1, Duration::ZERO, true).await;
    cluster.count(1, "one", "visits").await.unwrap();
    cluster.stop(1).await;
    let log = cluster.directory(1).join("config").join("log.redb");
    let kept = std::fs::read(&log).unwrap();
    std::fs::remove_file(&log).unwrap();
    for opening in [Opening::Reopen, Opening::Found, Opening::Join] {
        let refused = cluster.start(1, opening).await;
        assert!(matches!(refused, Err(OpenError::LogMissing { .. })), "{opening:?}");
    }
    std::fs::write(&log, b"").unwrap();
    assert!(matches!(cluster.start(1, Opening::Reopen).await, Err(OpenError::LogMissing { .. })));
    let mut damaged = kept.clone();
    let third = damaged.len() / 3;
    damaged[..third].fill(0x5a);
    std::fs::write(&log, damaged).unwrap();
    assert!(matches!(cluster.start(1, Opening::Reopen).await, Err(OpenError::Damaged { .. })));
    std::fs::write(&log, kept).unwrap();
    let own = cluster.nodes[0].replica_id;
    cluster.nodes[0].replica_id = own + 1;
    assert!(matches!(cluster.start(1, Opening::Reopen).await, Err(OpenError::Foreign { .. })));
    cluster.nodes[0].replica_id = own;
    cluster.start(1, Opening::Reopen).await.unwrap();
    assert_eq!(cluster.group(1).read_barrier(LONG).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_entries_are_gone_gets_a_snapshot_and_keeps_it_over_a_restart() {
    let mut cluster = Cluster::of(3, Duration::from_millis(2), true).await;
    cluster.group(1).propose(call("large", "fill big 2500000"), LONG, Wait::Quorum).await.unwrap();
    let leader = cluster.leader().await;
    let late = if leader == 3 { 2 } else { 3 };
    cluster.stop(late).await;
    for number in 1..=30 {
        cluster.count(leader, &format!("request-{number}"), "visits").await.unwrap();
    }
    let covered = cluster.group(leader).compact(LONG).await.unwrap();
    let group = cluster.group(leader);
    until("the log to be purged", || (group.status().purged_index == covered).then_some(())).await;
    cluster.start(late, Opening::Reopen).await.unwrap();
    assert_eq!(cluster.group(late).read_barrier(LONG).await.unwrap(), 31);
    assert_eq!(cluster.group(late).status().snapshot_index, covered, "it came as a snapshot");
    cluster.stop(late).await;
    cluster.start(late, Opening::Reopen).await.unwrap();
    assert_eq!(cluster.group(late).world().seq(), 31, "from its own disk");
    let again = cluster.count(late, "request-30", "visits").await.unwrap();
    assert_eq!(text(&again), "30");
}
