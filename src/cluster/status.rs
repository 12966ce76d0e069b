//! How a group stands, as this node sees it.

/// A replica's part in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Orders the log; a voter.
    Leader,
    /// Votes.
    Voter,
    /// Follows without a vote.
    Learner,
}

/// One replica of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberStatus {
    /// The node that holds it.
    pub node_id: u64,
    /// Its id in this group: drawn when the replica was made, never used again.
    pub replica_id: u64,
    /// Its part, as this node knows.
    pub role: Role,
    /// The last log index known to be on its disk; only the leader knows.
    pub matched_index: Option<u64>,
    /// How many entries it misses; only the leader knows.
    pub lag_entries: Option<u64>,
    /// Milliseconds since it last answered the leader; only the leader knows.
    pub last_contact_ms: Option<u64>,
    /// The index that it serves; only the leader of the `config` group knows those of others.
    pub activated: Option<u64>,
}

/// How a group stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupStatus {
    /// The group's number.
    pub group: u8,
    /// This node.
    pub node_id: u64,
    /// This node's replica.
    pub replica_id: u64,
    /// The term.
    pub term: u64,
    /// The node that leads, as far as this node knows.
    pub leader: Option<u64>,
    /// Whether this node leads and may order entries.
    pub is_leader: bool,
    /// How many times this node saw the leader change since it started.
    pub leader_changes: u64,
    /// Last log index on this node.
    pub last_log_index: u64,
    /// Last log index known to be committed.
    pub committed_index: u64,
    /// Last log index applied on this node.
    pub applied_index: u64,
    /// Last log index in the newest snapshot.
    pub snapshot_index: u64,
    /// Log indexes up to this one are no longer kept.
    pub purged_index: u64,
    /// Milliseconds since a quorum last answered; only on the leader.
    pub quorum_contact_ms: Option<u64>,
    /// Every replica, ordered by node.
    pub members: Vec<MemberStatus>,
    /// Why the group stopped on this node; `None` while it runs.
    pub stopped: Option<String>,
}

impl GroupStatus {
    /// The replica that a node holds.
    #[must_use]
    pub fn member(&self, node_id: u64) -> Option<&MemberStatus> {
        self.members.iter().find(|member| member.node_id == node_id)
    }

    /// How many replicas vote.
    #[must_use]
    pub fn voters(&self) -> usize {
        self.members.iter().filter(|member| member.role != Role::Learner).count()
    }
}
