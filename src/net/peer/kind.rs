//! The kinds of streams and the lanes that they take. Numbers are on the wire: never change one, never reuse one.

/// Raft's vote.
pub const RAFT_VOTE: u8 = 1;
/// Raft's pre-vote.
pub const RAFT_PREVOTE: u8 = 2;
/// Raft's pipelined append.
pub const RAFT_APPEND: u8 = 3;
/// A snapshot file.
pub const RAFT_SNAPSHOT: u8 = 4;
/// Leader transfer.
pub const RAFT_TRANSFER: u8 = 5;
/// A call for the leader's evaluator.
pub const PROPOSE: u8 = 6;
/// A read barrier.
pub const READ_INDEX: u8 = 7;
/// A visit that the receiving region serves.
pub const FORWARD: u8 = 8;
/// Probes between nodes, once a second.
pub const PROBE: u8 = 9;
/// Joining (its own ALPN; the number is kept free here).
pub const JOIN: u8 = 10;
/// What a node has activated.
pub const ACTIVATED: u8 = 11;
/// Usage: a holder's report.
pub const USAGE_REPORT: u8 = 12;
/// Usage: a charge.
pub const USAGE_CHARGE: u8 = 13;
/// Usage: a probe.
pub const USAGE_PROBE: u8 = 14;
/// A node's status.
pub const STATUS: u8 = 15;
/// Explain: what a node remembers of a refused request.
pub const EXPLAIN: u8 = 16;
/// A blob for the receiving node: code of a function.
pub const BLOB_PUT: u8 = 17;
/// A blob that the receiving node has.
pub const BLOB_GET: u8 = 18;
/// A change of a group's membership, for its leader.
pub const MEMBERSHIP: u8 = 32;
/// From here on numbers are free.
pub const FREE: u8 = 33;

/// Which of the connections to a peer a stream takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Raft and control: small and urgent.
    Raft,
    /// Visits.
    Forward,
    /// Snapshots: bulk.
    Snapshot,
}

impl Lane {
    /// All lanes.
    pub const ALL: [Lane; 3] = [Lane::Raft, Lane::Forward, Lane::Snapshot];

    pub(super) fn index(self) -> usize {
        match self {
            Lane::Raft => 0,
            Lane::Forward => 1,
            Lane::Snapshot => 2,
        }
    }
}

/// QUIC's send priority of a stream of this kind inside its connection (replication §3.1).
pub(super) fn priority(kind: u8) -> i32 {
    match kind {
        RAFT_VOTE | RAFT_PREVOTE | RAFT_APPEND | RAFT_TRANSFER => 200,
        FORWARD => 10,
        RAFT_SNAPSHOT | BLOB_PUT | BLOB_GET => 0,
        _ => 100,
    }
}
