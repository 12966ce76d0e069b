//! Makes Raft's memberships follow the node rows: one safe step at a time, on the leader, resumable after any crash.
//!
//! Rows say what is wanted ([`crate::cluster::admin`]); this loop looks at rows and memberships and takes the next step:
//! joining goes config first, then usage; leaving goes usage first (foundations §4.3).

use super::door::propose;
use crate::catalog::cluster::{Node, NodeRole};
use crate::cluster::admin::AdminCall;
use crate::cluster::{ConfigGroup, GroupStatus, MemberChange, Role, UsageGroup, draw_replica_id};
use crate::state::{Scope, World};
use std::time::Duration;
use tokio::sync::watch;

const TICK: Duration = Duration::from_millis(250);
const STEP: Duration = Duration::from_secs(15);

/// One step of one group, or a replica id that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Config(MemberChange),
    Usage(MemberChange),
    DrawUsageReplica(u64),
    DropUsageReplica(u64),
}

/// Runs until the config group stops.
pub(super) async fn keep(config: ConfigGroup, usage: watch::Receiver<Option<UsageGroup>>) {
    let mut applied = config.applied();
    loop {
        if let Ok(Err(_)) = tokio::time::timeout(TICK, applied.changed()).await {
            return;
        }
        let status = config.status();
        if !status.is_leader {
            continue;
        }
        let group = usage.borrow().clone();
        let step = next_step(&config.world(), &status, group.as_ref().map(UsageGroup::status).as_ref());
        let Some(step) = step else { continue };
        if let Err(why) = take(&config, group.as_ref(), step).await {
            tracing::debug!(?step, why, "a membership step has to be tried again");
            tokio::time::sleep(TICK).await;
        } else {
            tracing::info!(?step, "membership");
        }
    }
}

async fn take(config: &ConfigGroup, usage: Option<&UsageGroup>, step: Step) -> Result<(), String> {
    match (step, usage) {
        (Step::Config(change), _) => config.change(change, STEP).await.map_err(|cause| cause.to_string()),
        (Step::Usage(change), Some(usage)) => {
            usage.change(change, STEP).await.map_err(|cause| cause.to_string())?;
            match change {
                // A replica does not hear of its own removal: whoever removed it says so in its row.
                MemberChange::Remove { node_id } if is_learner(&config.world(), node_id) => {
                    drop_usage_replica(config, node_id).await
                }
                _ => Ok(()),
            }
        }
        (Step::Usage(_), None) => Err("this node has no usage group yet".into()),
        (Step::DropUsageReplica(node_id), _) => drop_usage_replica(config, node_id).await,
        (Step::DrawUsageReplica(node_id), _) => {
            let replica_id = draw_replica_id().map_err(|cause| cause.to_string())?;
            let call = AdminCall::SetReplica { node_id, usage: true, replica_id };
            propose(config, format!("replica:{node_id}:{replica_id}"), &call).await.map(|_| ())
        }
    }
}

fn is_learner(world: &World, node_id: u64) -> bool {
    let row = world.get::<Node>(&Scope::cluster(), &Node::row_id(node_id)).ok().flatten();
    row.is_some_and(|row| row.role == NodeRole::Learner)
}

async fn drop_usage_replica(config: &ConfigGroup, node_id: u64) -> Result<(), String> {
    let call = AdminCall::SetReplica { node_id, usage: true, replica_id: 0 };
    let id = draw_replica_id().map_err(|cause| cause.to_string())?;
    propose(config, format!("replica:{node_id}:0:{id}"), &call).await.map(|_| ())
}

/// The next step from what is to what the rows want; `None` when all is as wanted.
fn next_step(world: &World, config: &GroupStatus, usage: Option<&GroupStatus>) -> Option<Step> {
    let nodes: Vec<Node> = world.list::<Node>(&Scope::cluster(), "").ok()?.into_iter().map(|(_, node)| node).collect();
    if nodes.is_empty() {
        return None;
    }
    let wants_usage = |node: &&Node| node.role == NodeRole::Voter && node.usage_replica != 0;
    if let Some(usage) = usage {
        let voters: Vec<(&Node, u64)> =
            nodes.iter().filter(wants_usage).map(|node| (node, node.usage_replica)).collect();
        let step = leave(usage, &voters).or_else(|| enter(usage, &voters)).or_else(|| promote(usage, &voters));
        if let Some(change) = step {
            return Some(Step::Usage(change));
        }
        // Out of the group: only now may the node close its replica.
        let done = |node: &&Node| node.role == NodeRole::Learner && node.usage_replica != 0;
        if let Some(node) = nodes.iter().find(done) {
            return Some(Step::DropUsageReplica(node.id));
        }
    }
    let all: Vec<(&Node, u64)> = nodes.iter().map(|node| (node, node.config_replica)).collect();
    let voters: Vec<(&Node, u64)> = all.iter().filter(|(node, _)| node.role == NodeRole::Voter).copied().collect();
    let step = leave(config, &all)
        .or_else(|| enter(config, &all))
        .or_else(|| promote(config, &voters))
        .or_else(|| demote(config, &nodes));
    if let Some(change) = step {
        return Some(Step::Config(change));
    }
    let lacks = |(node, _): &&(&Node, u64)| node.usage_replica == 0;
    voters.iter().find(lacks).map(|(node, _)| Step::DrawUsageReplica(node.id))
}

/// A replica that no row wants any more leaves; if it leads, another voter leads first.
fn leave(group: &GroupStatus, wanted: &[(&Node, u64)]) -> Option<MemberChange> {
    let unwanted = group.members.iter().find(|member| {
        !wanted.iter().any(|(node, replica)| (node.id, *replica) == (member.node_id, member.replica_id))
    })?;
    if unwanted.role != Role::Leader {
        return Some(MemberChange::Remove { node_id: unwanted.node_id });
    }
    let heir = group.members.iter().find(|member| member.role == Role::Voter)?;
    Some(MemberChange::Transfer { node_id: heir.node_id })
}

fn enter(group: &GroupStatus, wanted: &[(&Node, u64)]) -> Option<MemberChange> {
    let (node, replica_id) = wanted.iter().find(|(node, _)| group.member(node.id).is_none())?;
    Some(MemberChange::AddLearner { node_id: node.id, replica_id: *replica_id })
}

fn promote(group: &GroupStatus, voters: &[(&Node, u64)]) -> Option<MemberChange> {
    let learns = |(node, _): &&(&Node, u64)| group.member(node.id).is_some_and(|member| member.role == Role::Learner);
    voters.iter().find(learns).map(|(node, _)| MemberChange::Promote { node_id: node.id })
}

fn demote(group: &GroupStatus, nodes: &[Node]) -> Option<MemberChange> {
    let votes = |node: &&Node| {
        let role = group.member(node.id).map(|member| member.role);
        node.role == NodeRole::Learner && matches!(role, Some(Role::Voter | Role::Leader))
    };
    let node = nodes.iter().find(votes)?;
    if group.leader != Some(node.id) {
        return Some(MemberChange::Demote { node_id: node.id });
    }
    let heir = group.members.iter().find(|member| member.role == Role::Voter)?;
    Some(MemberChange::Transfer { node_id: heir.node_id })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::MemberStatus;
    use crate::state::Ops;

    fn world(nodes: &[(u64, NodeRole, u64)]) -> World {
        let mut world = World::default();
        let mut ops = Ops::new();
        for (id, role, usage_replica) in nodes {
            let node = Node {
                id: *id,
                role: *role,
                config_replica: id * 10,
                usage_replica: *usage_replica,
                ..Node::default()
            };
            ops.put(&Scope::cluster(), &Node::row_id(*id), &node);
        }
        world.advance(1, &ops.0);
        world
    }

    fn group(number: u8, members: &[(u64, u64, Role)]) -> GroupStatus {
        GroupStatus {
            group: number,
            node_id: 1,
            replica_id: 10,
            term: 1,
            leader: Some(1),
            is_leader: true,
            leader_changes: 1,
            last_log_index: 1,
            committed_index: 1,
            applied_index: 1,
            snapshot_index: 0,
            purged_index: 0,
            quorum_contact_ms: Some(0),
            stopped: None,
            members: members
                .iter()
                .map(|(node_id, replica_id, role)| MemberStatus {
                    node_id: *node_id,
                    replica_id: *replica_id,
                    role: *role,
                    matched_index: None,
                    lag_entries: None,
                    last_contact_ms: None,
                    activated: None,
                })
                .collect(),
        }
    }

    #[test]
    fn a_node_enters_config_votes_there_then_gets_a_replica_of_usage() {
        use NodeRole::Voter;
        let alone = group(1, &[(1, 10, Role::Leader)]);
        let wanted = world(&[(1, Voter, 11), (2, Voter, 0)]);
        let usage = group(2, &[(1, 11, Role::Leader)]);
        let step = |config: &GroupStatus, world: &World| next_step(world, config, Some(&usage));
        let enters = Step::Config(MemberChange::AddLearner { node_id: 2, replica_id: 20 });
        assert_eq!(step(&alone, &wanted), Some(enters));
        let learning = group(1, &[(1, 10, Role::Leader), (2, 20, Role::Learner)]);
        assert_eq!(step(&learning, &wanted), Some(Step::Config(MemberChange::Promote { node_id: 2 })));
        let voting = group(1, &[(1, 10, Role::Leader), (2, 20, Role::Voter)]);
        assert_eq!(step(&voting, &wanted), Some(Step::DrawUsageReplica(2)));
        let drawn = world(&[(1, Voter, 11), (2, Voter, 21)]);
        let enters = Step::Usage(MemberChange::AddLearner { node_id: 2, replica_id: 21 });
        assert_eq!(step(&voting, &drawn), Some(enters));
        let both = group(2, &[(1, 11, Role::Leader), (2, 21, Role::Voter)]);
        assert_eq!(next_step(&drawn, &voting, Some(&both)), None);
    }

    #[test]
    fn a_node_leaves_usage_first_and_a_leader_hands_over_before() {
        let gone = world(&[(1, NodeRole::Voter, 11), (3, NodeRole::Voter, 31)]);
        let config = group(1, &[(1, 10, Role::Voter), (2, 20, Role::Leader), (3, 30, Role::Voter)]);
        let usage = group(2, &[(1, 11, Role::Leader), (2, 21, Role::Voter), (3, 31, Role::Voter)]);
        assert_eq!(next_step(&gone, &config, Some(&usage)), Some(Step::Usage(MemberChange::Remove { node_id: 2 })));
        let usage = group(2, &[(1, 11, Role::Leader), (3, 31, Role::Voter)]);
        assert_eq!(next_step(&gone, &config, Some(&usage)), Some(Step::Config(MemberChange::Transfer { node_id: 1 })));
        let config = group(1, &[(1, 10, Role::Leader), (2, 20, Role::Voter), (3, 30, Role::Voter)]);
        assert_eq!(next_step(&gone, &config, Some(&usage)), Some(Step::Config(MemberChange::Remove { node_id: 2 })));
    }

    #[test]
    fn a_demoted_node_closes_its_usage_replica_only_after_it_has_left_the_group() {
        use NodeRole::{Learner, Voter};
        let wanted = world(&[(1, Learner, 11), (2, Voter, 21)]);
        let config = group(1, &[(1, 10, Role::Leader), (2, 20, Role::Voter)]);
        let usage = group(2, &[(1, 11, Role::Leader), (2, 21, Role::Voter)]);
        let step = |usage: &GroupStatus, world: &World| next_step(world, &config, Some(usage));
        assert_eq!(step(&usage, &wanted), Some(Step::Usage(MemberChange::Transfer { node_id: 2 })));
        let usage = group(2, &[(1, 11, Role::Voter), (2, 21, Role::Leader)]);
        assert_eq!(step(&usage, &wanted), Some(Step::Usage(MemberChange::Remove { node_id: 1 })));
        let usage = group(2, &[(2, 21, Role::Leader)]);
        assert_eq!(step(&usage, &wanted), Some(Step::DropUsageReplica(1)));
        let dropped = world(&[(1, Learner, 0), (2, Voter, 21)]);
        assert_eq!(step(&usage, &dropped), Some(Step::Config(MemberChange::Transfer { node_id: 2 })));
    }

    #[test]
    fn a_replica_whose_id_is_not_its_rows_any_more_leaves_and_enters_anew() {
        let wanted = world(&[(1, NodeRole::Voter, 11), (2, NodeRole::Learner, 0)]);
        let usage = group(2, &[(1, 11, Role::Leader)]);
        let old = group(1, &[(1, 10, Role::Leader), (2, 99, Role::Learner)]);
        assert_eq!(next_step(&wanted, &old, Some(&usage)), Some(Step::Config(MemberChange::Remove { node_id: 2 })));
    }
}
