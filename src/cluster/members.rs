//! Changes of the membership: one at a time, on the leader, refused where they would be unsafe.

use super::host::{Attempt, Host, Place, again};
use super::peer::kind;
use super::peer::wire::{MemberAnswer, MemberAsk};
use super::types::{Member, Members, Types};
use super::{ClusterError, MemberChange};
use openraft::{
    ChangeMembers, LogIdOptionExt,
    async_runtime::{Instant, WatchReceiver},
    errors::{ClientWriteError, RaftError},
    type_config::TypeConfigExt,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// A learner that misses no more than this has caught up.
const CAUGHT_UP: u64 = 250;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

enum Refusal {
    Unsafe(String),
    Again(String),
}

impl<C: Types> Host<C> {
    /// Changes the membership, from any node.
    pub(crate) async fn change(self: Arc<Self>, change: MemberChange, within: Duration) -> Result<(), ClusterError> {
        self.at_leader(within, |place, left| {
            let host = self.clone();
            async move {
                let answer = match place {
                    Place::Here => host.answer_change(MemberAsk::of(change, left)).await,
                    Place::There(node) => host.ask_change(node, change, left).await?,
                };
                match answer {
                    MemberAnswer::Done => Ok(Attempt::Answer(())),
                    MemberAnswer::Refused(why) => Err(ClusterError::Membership(why)),
                    MemberAnswer::Again(again) => Ok(Attempt::Again(again)),
                }
            }
        })
        .await
    }

    async fn ask_change(&self, node: u64, change: MemberChange, left: Duration) -> Result<MemberAnswer, ClusterError> {
        let frame = MemberAsk::of(change, left).encode().map_err(|cause| ClusterError::Malformed(cause.to_string()))?;
        match self.transport.call(node, kind::MEMBERSHIP, self.group, frame, left).await {
            Ok(answer) => MemberAnswer::decode(&answer).map_err(|cause| ClusterError::Malformed(cause.to_string())),
            Err(cause) => Ok(MemberAnswer::Again(again(cause))),
        }
    }

    /// The leader's side.
    pub(crate) async fn answer_change(&self, ask: MemberAsk) -> MemberAnswer {
        let (change, within) = ask.into_parts();
        if self.leader() != Some(Place::Here) {
            return MemberAnswer::Again(self.elsewhere("this node does not lead"));
        }
        let _one_at_a_time = self.changing.lock().await;
        let done = match change {
            MemberChange::AddLearner { node_id, replica_id } => self.add_learner(node_id, replica_id).await,
            MemberChange::Promote { node_id } => self.promote(node_id, within).await,
            MemberChange::Demote { node_id } => self.take_vote(node_id, false).await,
            MemberChange::Remove { node_id } => self.take_vote(node_id, true).await,
            MemberChange::Transfer { node_id } => self.transfer(node_id, within).await,
        };
        match done {
            Ok(()) => MemberAnswer::Done,
            Err(Refusal::Unsafe(why)) => MemberAnswer::Refused(why),
            Err(Refusal::Again(why)) => MemberAnswer::Again(self.elsewhere(why)),
        }
    }

    fn membership(&self) -> Members {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        metrics.membership_config.membership().clone()
    }

    fn replica_of(&self, members: &Members, node_id: u64) -> Result<u64, Refusal> {
        let mut held = members.nodes().filter(|(_, member)| member.node_id == node_id).map(|(replica, _)| *replica);
        held.next().ok_or_else(|| Refusal::Unsafe(format!("node {node_id} has no replica in group {}", self.group)))
    }

    async fn add_learner(&self, node_id: u64, replica_id: u64) -> Result<(), Refusal> {
        let members = self.membership();
        match members.get_node(&replica_id) {
            Some(member) if member.node_id == node_id => return Ok(()),
            Some(member) => {
                return Err(Refusal::Unsafe(format!("replica {replica_id} is node {}'s", member.node_id)));
            }
            None => {}
        }
        if let Ok(former) = self.replica_of(&members, node_id) {
            return Err(Refusal::Unsafe(format!("node {node_id} holds replica {former} still: remove it first")));
        }
        let nodes = BTreeMap::from([(replica_id, Member { node_id })]);
        self.write(ChangeMembers::AddNodes(nodes), true).await
    }

    async fn promote(&self, node_id: u64, within: Duration) -> Result<(), Refusal> {
        let members = self.membership();
        let replica = self.replica_of(&members, node_id)?;
        if members.voter_ids().any(|voter| voter == replica) {
            return Ok(());
        }
        // Half of the time for catching up, half for the change itself.
        let started = C::now();
        while let Err(behind) = self.caught_up(replica) {
            if started.elapsed() > within / 2 {
                return Err(Refusal::Unsafe(format!("node {node_id} cannot vote yet: {behind}")));
            }
            C::sleep(LOOK_AGAIN).await;
        }
        self.write(ChangeMembers::AddVoterIds(BTreeSet::from([replica])), true).await
    }

    fn caught_up(&self, replica: u64) -> Result<(), String> {
        if self.answers(replica) != Some(true) {
            return Err("it does not answer".into());
        }
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let at = metrics.replication.as_ref().and_then(|all| all.get(&replica)).and_then(LogIdOptionExt::index);
        let missing = metrics.last_log_index.unwrap_or(0).saturating_sub(at.unwrap_or(0));
        if missing > CAUGHT_UP { Err(format!("it misses {missing} entries")) } else { Ok(()) }
    }

    /// Takes a node's vote; with `whole`, its membership too.
    async fn take_vote(&self, node_id: u64, whole: bool) -> Result<(), Refusal> {
        let members = self.membership();
        let Ok(replica) = self.replica_of(&members, node_id) else {
            // Removed already: a repeated call is no error.
            return if whole { Ok(()) } else { self.replica_of(&members, node_id).map(|_| ()) };
        };
        let mut voters: BTreeSet<u64> = members.voter_ids().collect();
        if !voters.remove(&replica) {
            let nodes = BTreeSet::from([replica]);
            return if whole { self.write(ChangeMembers::RemoveNodes(nodes), false).await } else { Ok(()) };
        }
        if voters.is_empty() {
            return Err(Refusal::Unsafe(format!("node {node_id} is the last voter: promote another one first")));
        }
        let live = voters.iter().filter(|voter| self.answers(**voter) == Some(true)).count();
        let unknown = voters.iter().filter(|voter| self.answers(**voter).is_none()).count();
        if live <= voters.len() / 2 && live + unknown > voters.len() / 2 {
            return Err(Refusal::Again("the leader has not heard of all voters yet".into()));
        }
        if live <= voters.len() / 2 {
            return Err(Refusal::Unsafe(format!(
                "without node {node_id}, {live} of {} voters would answer, which is no majority",
                voters.len()
            )));
        }
        if replica == self.replica_id {
            // A leader does not take its own vote: an heir does.
            self.hand_over(&voters).await?;
            return Err(Refusal::Again("the leader hands over first".into()));
        }
        self.write(ChangeMembers::RemoveVoters(BTreeSet::from([replica])), !whole).await
    }

    async fn hand_over(&self, voters: &BTreeSet<u64>) -> Result<(), Refusal> {
        let heir = {
            let metrics = self.raft.metrics();
            let metrics = metrics.borrow_watched();
            let at = |voter: &u64| metrics.replication.as_ref().and_then(|all| all.get(voter)).cloned().flatten();
            voters.iter().copied().filter(|voter| self.answers(*voter) == Some(true)).max_by_key(at)
        };
        let heir = heir.ok_or_else(|| Refusal::Unsafe("no other voter answers".into()))?;
        self.transfer_to(heir, self.timing.election_max * 2).await
    }

    async fn transfer(&self, node_id: u64, within: Duration) -> Result<(), Refusal> {
        let members = self.membership();
        let replica = self.replica_of(&members, node_id)?;
        if !members.voter_ids().any(|voter| voter == replica) {
            return Err(Refusal::Unsafe(format!("node {node_id} does not vote: promote it first")));
        }
        if replica == self.replica_id {
            return Ok(());
        }
        match self.answers(replica) {
            Some(true) => {}
            Some(false) => return Err(Refusal::Unsafe(format!("node {node_id} does not answer"))),
            None => return Err(Refusal::Again(format!("node {node_id} has not answered yet"))),
        }
        self.transfer_to(replica, within.min(self.timing.election_max * 2)).await
    }

    async fn transfer_to(&self, replica: u64, within: Duration) -> Result<(), Refusal> {
        let stopped = |cause: openraft::errors::Fatal<C>| Refusal::Again(cause.to_string());
        self.raft.trigger().transfer_leader(replica).await.map_err(stopped)?;
        let led = self.raft.wait(Some(within)).current_leader(replica, "leader transfer").await;
        led.map(|_| ()).map_err(|cause| Refusal::Again(cause.to_string()))
    }

    async fn write(&self, change: ChangeMembers<u64, Member>, retain: bool) -> Result<(), Refusal> {
        match self.raft.change_membership(change, retain).await {
            Ok(_) => Ok(()),
            Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(cause))) => {
                // Another change may be on its way still: the caller comes again.
                Err(Refusal::Again(cause.to_string()))
            }
            Err(cause) => Err(Refusal::Again(cause.to_string())),
        }
    }
}
