//! Learners, votes, removal, transfer; and that a node which comes back does not disturb the others.

use super::harness::{Cluster, LONG};
use meridian::cluster::{ClusterError, MemberChange, Role};
use std::time::Duration;

fn refused(outcome: Result<(), ClusterError>) -> String {
    match outcome {
        Err(ClusterError::Membership(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_learns_votes_loses_its_vote_and_leaves() {
    let cluster = Cluster::of(3, Duration::from_millis(2), false).await;
    assert_eq!(cluster.role(1, 2), Some(Role::Learner));
    // From a learner: the change is made by the leader all the same.
    cluster.group(3).change(MemberChange::Promote { node_id: 2 }, LONG).await.unwrap();
    assert_eq!(cluster.role(1, 2), Some(Role::Voter));
    cluster.group(1).change(MemberChange::Promote { node_id: 2 }, LONG).await.unwrap();
    cluster.group(2).change(MemberChange::Demote { node_id: 2 }, LONG).await.unwrap();
    assert_eq!(cluster.role(1, 2), Some(Role::Learner));
    cluster.group(1).change(MemberChange::Remove { node_id: 2 }, LONG).await.unwrap();
    assert_eq!(cluster.role(1, 2), None);
    cluster.group(1).change(MemberChange::Remove { node_id: 2 }, LONG).await.unwrap();
    assert!(refused(cluster.group(1).change(MemberChange::Promote { node_id: 2 }, LONG).await).contains("no replica"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unsafe_changes_are_refused_with_the_reason() {
    let mut cluster = Cluster::of(3, Duration::from_millis(2), false).await;
    let last = cluster.group(1).change(MemberChange::Demote { node_id: 1 }, LONG).await;
    assert!(refused(last).contains("last voter"));
    let learner = cluster.group(1).change(MemberChange::Transfer { node_id: 2 }, LONG).await;
    assert!(refused(learner).contains("does not vote"));
    let twice = MemberChange::AddLearner { node_id: 2, replica_id: 99 };
    assert!(refused(cluster.group(1).change(twice, LONG).await).contains("remove it first"));
    let stolen = MemberChange::AddLearner { node_id: 9, replica_id: cluster.node(2).replica_id };
    assert!(refused(cluster.group(1).change(stolen, LONG).await).contains("is node 2's"));
    cluster.stop(3).await;
    let silent = cluster.group(1).change(MemberChange::Promote { node_id: 3 }, Duration::from_secs(3)).await;
    assert!(refused(silent).contains("does not answer"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_is_handed_over_fast_and_the_leader_can_be_removed() {
    let cluster = Cluster::of(3, Duration::from_millis(4), true).await;
    assert_eq!(cluster.leader().await, 1);
    let started = std::time::Instant::now();
    cluster.group(3).change(MemberChange::Transfer { node_id: 2 }, LONG).await.unwrap();
    let took = started.elapsed();
    assert!(cluster.group(2).status().is_leader);
    assert!(took < cluster.timing.election_min, "a transfer waits for no election timeout, this one took {took:?}");
    cluster.count(1, "after-transfer", "visits").await.unwrap();
    cluster.group(1).change(MemberChange::Remove { node_id: 2 }, LONG).await.unwrap();
    let leader = cluster.leader().await;
    assert_ne!(leader, 2);
    assert_eq!(cluster.group(leader).status().voters(), 2);
    cluster.count(1, "after-removal", "visits").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_cut_off_comes_back_without_an_election() {
    let cluster = Cluster::of(3, Duration::from_millis(2), true).await;
    let leader = cluster.leader().await;
    let cut = if leader == 3 { 2 } else { 3 };
    let before = cluster.group(leader).status();
    cluster.cut_off(cut, true);
    // Long enough for it to stand several times, would pre-vote let it.
    let silent = cluster.timing.election_max * 5;
    tokio::time::sleep(silent).await;
    cluster.count(leader, "meanwhile", "visits").await.unwrap();
    assert_eq!(cluster.group(cut).status().term, before.term, "pre-vote keeps its term where it was");
    cluster.cut_off(cut, false);
    super::harness::until("it to catch up", || (cluster.group(cut).world().seq() == 1).then_some(())).await;
    let after = cluster.group(leader).status();
    assert_eq!((after.term, after.leader), (before.term, Some(leader)));
}
