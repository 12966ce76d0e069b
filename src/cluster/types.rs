//! The one set of openraft types, for both groups, in life and in simulation.

use bytes::Bytes;
use openraft::{
    Entry, EntryPayload, LogId, Membership, RaftTypeConfig, StoredMembership, Vote, impls::leader_id_std::LeaderId,
    type_config::alias::WriteResponderOf, vote::leader_id_std::CommittedLeaderId,
};
use serde::{Deserialize, Serialize};
use std::{fmt, future::Future, pin::Pin};

/// What a log entry carries: opaque here, the group's machine reads it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "serde_bytes::ByteBuf", into = "serde_bytes::ByteBuf")]
pub(crate) struct Payload(pub(crate) Bytes);

impl From<serde_bytes::ByteBuf> for Payload {
    fn from(bytes: serde_bytes::ByteBuf) -> Self {
        Self(bytes.into_vec().into())
    }
}

impl From<Payload> for serde_bytes::ByteBuf {
    fn from(payload: Payload) -> Self {
        Self::from(payload.0.to_vec())
    }
}

/// What a machine answers to its proposer: opaque here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reply(#[serde(with = "serde_bytes")] pub(crate) Vec<u8>);

/// Who holds a replica. Replica ids are openraft's node ids; where a node is reached is the roster's business.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) node_id: u64,
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Entries may hold secrets: the length is all that a log needs.
        write!(f, "{} B", self.0.len())
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

pub(crate) type Leader = LeaderId<u64, u64>;
pub(crate) type Term = CommittedLeaderId<u64>;
pub(crate) type Index = LogId<Term>;
pub(crate) type Ballot = Vote<Leader>;
pub(crate) type Content = EntryPayload<Payload, u64, Member>;
pub(crate) type LogEntry = Entry<Term, Content>;
pub(crate) type Members = Membership<u64, Member>;
pub(crate) type StoredMembers = StoredMembership<Term, u64, Member>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<Term, u64, Member>;

/// The outcome of a proposal, as openraft's responder gives it.
pub(crate) type WriteResult<C> = openraft::raft::ClientWriteResult<C>;
/// Waits for that outcome; `None` when Raft stopped without giving one.
pub(crate) type WriteOutcome<C> = Pin<Box<dyn Future<Output = Option<WriteResult<C>>> + Send>>;

/// Everything of openraft's type config but the runtime, which a simulation replaces.
pub(crate) trait Types:
    RaftTypeConfig<
        D = Payload,
        R = Reply,
        NodeId = u64,
        Node = Member,
        Term = u64,
        LeaderId = Leader,
        Vote = Ballot,
        Payload = Content,
        Entry = LogEntry,
    >
{
    /// A responder for one proposal, and what waits for it.
    fn responder() -> (WriteResponderOf<Self>, WriteOutcome<Self>);
}

/// Declares a config over a runtime.
macro_rules! raft_types {
    ($(#[$meta:meta])* $visibility:vis $name:ident, $runtime:ty) => {
        openraft::declare_raft_types!(
            $(#[$meta])*
            $visibility $name:
                D = $crate::cluster::types::Payload,
                R = $crate::cluster::types::Reply,
                Node = $crate::cluster::types::Member,
                LeaderId = openraft::impls::leader_id_std::LeaderId<Self::Term, Self::NodeId>,
                AsyncRuntime = $runtime,
        );

        impl $crate::cluster::types::Types for $name {
            fn responder() -> (
                openraft::type_config::alias::WriteResponderOf<Self>,
                $crate::cluster::types::WriteOutcome<Self>,
            ) {
                let (responder, outcome) = openraft::impls::ProgressResponder::complete_only();
                (responder, Box::pin(async move { outcome.await.ok() }))
            }
        }
    };
}
#[cfg(test)]
pub(crate) use raft_types;

raft_types!(
    /// The config that runs: tokio.
    pub(crate) Live,
    openraft::impls::TokioRuntime
);
