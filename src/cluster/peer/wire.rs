//! What replicas send each other. The first byte of every frame is the format.

use crate::cluster::store::wire::{BallotForm, EntryForm, IndexForm, MetaForm};
use crate::cluster::types::{Ballot, Index, LogEntry, SnapshotMeta, Types};
use crate::cluster::{Call, MemberChange, Wait};
use bincode::Options;
use bytes::Bytes;
use openraft::raft::{AppendEntriesRequest, TransferLeaderRequest, VoteRequest, VoteResponse};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_bytes::ByteBuf;
use std::time::Duration;

const FORMAT: u8 = 1;
const LIMIT: u64 = 96 << 20;

/// A frame that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("frame cannot be read: {0}")]
pub(crate) struct FrameError(String);

fn encode<T: Serialize>(form: &T) -> Result<Bytes, FrameError> {
    let mut bytes = vec![FORMAT];
    let options = bincode::DefaultOptions::new().with_limit(LIMIT);
    options.serialize_into(&mut bytes, form).map_err(|cause| FrameError(cause.to_string()))?;
    Ok(bytes.into())
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    match bytes.split_first() {
        Some((&FORMAT, body)) => bincode::DefaultOptions::new()
            .with_limit(LIMIT)
            .deserialize(body)
            .map_err(|cause| FrameError(cause.to_string())),
        Some((format, _)) => Err(FrameError(format!("format {format}, this version knows {FORMAT}"))),
        None => Err(FrameError("it is empty".into())),
    }
}

/// A form that is sent as it is.
macro_rules! frame {
    ($($name:ident),*) => {$(
        impl $name {
            /// The frame.
            pub(crate) fn encode(&self) -> Result<Bytes, FrameError> {
                encode(self)
            }
            /// From a frame.
            pub(crate) fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
                decode(bytes)
            }
        }
    )*};
}

frame!(
    VoteAsk,
    VoteAnswer,
    AppendAnswer,
    SnapshotHead,
    SnapshotAnswer,
    TransferAsk,
    TransferAnswer,
    ProposeAsk,
    ProposeAnswer,
    CommandAsk,
    CommandAnswer,
    ReadAnswer,
    Activated,
    MemberAsk,
    MemberAnswer
);

/// Asks for a vote, or whether it would be given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VoteAsk {
    /// The replica that is asked.
    pub(crate) to: u64,
    vote: BallotForm,
    last: Option<IndexForm>,
    transfer: bool,
}

impl VoteAsk {
    pub(crate) fn of<C: Types>(to: u64, ask: &VoteRequest<C>) -> Self {
        let last = ask.last_log_id.map(IndexForm::from);
        Self { to, vote: ask.vote.into(), last, transfer: ask.leadership_transfer }
    }

    pub(crate) fn into_request<C: Types>(self) -> VoteRequest<C> {
        let mut request = VoteRequest::new(self.vote.into(), self.last.map(Index::from));
        request.leadership_transfer = self.transfer;
        request
    }

    pub(crate) fn vote(&self) -> Ballot {
        self.vote.into()
    }
}

/// The answer to [`VoteAsk`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VoteAnswer {
    vote: BallotForm,
    granted: bool,
    last: Option<IndexForm>,
}

impl VoteAnswer {
    pub(crate) fn of<C: Types>(answer: &VoteResponse<C>) -> Self {
        let last = answer.last_log_id.map(IndexForm::from);
        Self { vote: answer.vote.into(), granted: answer.vote_granted, last }
    }

    pub(crate) fn into_response<C: Types>(self) -> VoteResponse<C> {
        let vote: Ballot = self.vote.into();
        VoteResponse::new(vote, self.last.map(Index::from), self.granted)
    }
}

/// Entries for a follower; `B` is borrowed to encode and owned when decoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct AppendForm<B> {
    to: u64,
    vote: BallotForm,
    prev: Option<IndexForm>,
    commit: Option<IndexForm>,
    entries: Vec<EntryForm<B>>,
}

/// An append for the replica `to`.
pub(crate) fn encode_append<C: Types>(to: u64, append: &AppendEntriesRequest<C>) -> Result<Bytes, FrameError> {
    encode(&AppendForm {
        to,
        vote: append.vote.into(),
        prev: append.prev_log_id.map(IndexForm::from),
        commit: append.leader_commit.map(IndexForm::from),
        entries: append.entries.iter().map(EntryForm::from).collect(),
    })
}

/// An append and the replica that it is for.
pub(crate) fn decode_append<C: Types>(bytes: &[u8]) -> Result<(u64, AppendEntriesRequest<C>), FrameError> {
    let form: AppendForm<ByteBuf> = decode(bytes)?;
    let entries = form.entries.into_iter().map(LogEntry::try_from).collect::<Result<_, _>>();
    let append = AppendEntriesRequest {
        vote: form.vote.into(),
        prev_log_id: form.prev.map(Index::from),
        entries: entries.map_err(|cause| FrameError(cause.to_string()))?,
        leader_commit: form.commit.map(Index::from),
    };
    Ok((form.to, append))
}

/// The answer to one append; answers come in the order of the appends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AppendAnswer {
    /// The log matches up to here, durably.
    Matched(Option<IndexForm>),
    /// The log differs here.
    Conflict(IndexForm),
    /// There is a newer vote.
    HigherVote(BallotForm),
    /// Not for this replica, or it has stopped.
    Refused(String),
}

/// The beginning of a snapshot; the bytes of its file follow in frames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SnapshotHead {
    /// The replica that it is for.
    pub(crate) to: u64,
    vote: BallotForm,
    meta: MetaForm,
}

impl SnapshotHead {
    pub(crate) fn of(to: u64, vote: Ballot, meta: &SnapshotMeta) -> Self {
        Self { to, vote: vote.into(), meta: meta.into() }
    }

    pub(crate) fn vote(&self) -> Ballot {
        self.vote.into()
    }

    pub(crate) fn meta(&self) -> Result<SnapshotMeta, FrameError> {
        self.meta
            .clone()
            .try_into()
            .map_err(|cause: crate::cluster::store::wire::StoredError| FrameError(cause.to_string()))
    }
}

/// The answer to a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SnapshotAnswer {
    /// Installed, or refused for this newer vote.
    Vote(BallotForm),
    /// Not installed.
    Refused(String),
}

/// The leader hands its office over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TransferAsk {
    /// The replica that is told.
    pub(crate) to: u64,
    from: BallotForm,
    heir: u64,
    last: Option<IndexForm>,
}

impl TransferAsk {
    pub(crate) fn of<C: Types>(to: u64, ask: &TransferLeaderRequest<C>) -> Self {
        let last = ask.last_log_id().copied().map(IndexForm::from);
        Self { to, from: (*ask.from_leader()).into(), heir: *ask.to_node_id(), last }
    }

    pub(crate) fn into_request<C: Types>(self) -> TransferLeaderRequest<C> {
        TransferLeaderRequest::new(self.from.into(), self.heir, self.last.map(Index::from))
    }

    pub(crate) fn vote(&self) -> Ballot {
        self.from.into()
    }
}

/// The answer to [`TransferAsk`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TransferAnswer {
    /// Understood.
    Taken,
    /// The vote has changed meanwhile.
    VoteChanged {
        /// What the leader had.
        expected: BallotForm,
        /// What is.
        actual: BallotForm,
    },
    /// The log is not there yet.
    NotFlushed {
        /// What the leader has.
        expected: Option<IndexForm>,
        /// What is.
        actual: Option<IndexForm>,
    },
}

/// A call for the leader's evaluator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProposeAsk {
    id: String,
    payload_hash: [u8; 32],
    room: u8,
    payload: ByteBuf,
    within_ms: u64,
    wait: WaitForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum WaitForm {
    Auto,
    Quorum,
    All { at_most_ms: u64 },
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl ProposeAsk {
    pub(crate) fn of(call: &Call, within: Duration, wait: Wait) -> Self {
        Self {
            id: call.id.clone(),
            payload_hash: call.payload_hash,
            room: call.room,
            payload: ByteBuf::from(call.payload.to_vec()),
            within_ms: millis(within),
            wait: match wait {
                Wait::Auto => WaitForm::Auto,
                Wait::Quorum => WaitForm::Quorum,
                Wait::All { at_most } => WaitForm::All { at_most_ms: millis(at_most) },
            },
        }
    }

    pub(crate) fn into_parts(self) -> (Call, Duration, Wait) {
        let Self { id, payload_hash, room, payload, within_ms, wait } = self;
        let wait = match wait {
            WaitForm::Auto => Wait::Auto,
            WaitForm::Quorum => Wait::Quorum,
            WaitForm::All { at_most_ms } => Wait::All { at_most: Duration::from_millis(at_most_ms) },
        };
        let call = Call { id, payload_hash, room, payload: payload.into_vec().into() };
        (call, Duration::from_millis(within_ms), wait)
    }
}

/// The leader's answer to [`ProposeAsk`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ProposeAnswer {
    /// Answered.
    Done {
        /// The reply.
        reply: ByteBuf,
        /// The index at which it holds.
        index: u64,
        /// Live nodes that had not activated it.
        laggards: Vec<u64>,
    },
    /// Not here, or not now; the fate of the call may be unknown, and the same id may be tried again.
    Again(Again),
    /// The id was used for another request.
    IdReused,
    /// The change does not fit.
    TooLarge {
        /// Its length.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The operation died.
    Broken(String),
}

/// Where to try next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Again {
    /// The node that leads, as far as is known.
    pub(crate) leader: Option<u64>,
    /// Why not here.
    pub(crate) why: String,
}

/// A command for the `usage` group's leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CommandAsk {
    /// The command.
    pub(crate) command: ByteBuf,
}

/// The leader's answer to [`CommandAsk`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CommandAnswer {
    /// Applied.
    Reply(ByteBuf),
    /// Provably not ordered.
    Again(Again),
    /// Ordered, and then the leader changed: nobody knows.
    Unknown(String),
}

/// The leader's answer to a read barrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ReadAnswer {
    /// Whoever has applied this log index may read.
    Index(u64),
    /// Not here, or not now.
    Again(Again),
}

/// What a node serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Activated {
    /// Up to this index.
    pub(crate) index: u64,
}

/// A change of the membership, for the leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MemberAsk {
    change: ChangeForm,
    within_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum ChangeForm {
    AddLearner { node_id: u64, replica_id: u64 },
    Promote { node_id: u64 },
    Demote { node_id: u64 },
    Remove { node_id: u64 },
    Transfer { node_id: u64 },
}

impl MemberAsk {
    pub(crate) fn of(change: MemberChange, within: Duration) -> Self {
        let change = match change {
            MemberChange::AddLearner { node_id, replica_id } => ChangeForm::AddLearner { node_id, replica_id },
            MemberChange::Promote { node_id } => ChangeForm::Promote { node_id },
            MemberChange::Demote { node_id } => ChangeForm::Demote { node_id },
            MemberChange::Remove { node_id } => ChangeForm::Remove { node_id },
            MemberChange::Transfer { node_id } => ChangeForm::Transfer { node_id },
        };
        Self { change, within_ms: millis(within) }
    }

    pub(crate) fn into_parts(self) -> (MemberChange, Duration) {
        let change = match self.change {
            ChangeForm::AddLearner { node_id, replica_id } => MemberChange::AddLearner { node_id, replica_id },
            ChangeForm::Promote { node_id } => MemberChange::Promote { node_id },
            ChangeForm::Demote { node_id } => MemberChange::Demote { node_id },
            ChangeForm::Remove { node_id } => MemberChange::Remove { node_id },
            ChangeForm::Transfer { node_id } => MemberChange::Transfer { node_id },
        };
        (change, Duration::from_millis(self.within_ms))
    }
}

/// The leader's answer to [`MemberAsk`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MemberAnswer {
    /// It is so.
    Done,
    /// It would be unsafe, or makes no sense.
    Refused(String),
    /// Not here, or not now.
    Again(Again),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::types::{Content, Leader, Live, Payload, Term};

    fn hex(bytes: &Bytes) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn at(term: u64, index: u64) -> Index {
        Index { leader_id: Term::new(term), index }
    }

    fn vote() -> Ballot {
        Ballot { leader_id: Leader { term: 5, voted_for: 9 }, committed: true }
    }

    #[test]
    fn frames_of_elections_keep_their_golden_bytes() {
        let mut ask = VoteRequest::<Live>::new(vote(), Some(at(4, 300)));
        ask.leadership_transfer = true;
        assert_eq!(hex(&VoteAsk::of(7, &ask).encode().unwrap()), "01070509010104fb2c0101");
        let answer = VoteResponse::<Live>::new(vote(), None, true);
        assert_eq!(hex(&VoteAnswer::of(&answer).encode().unwrap()), "010509010100");
        let transfer = TransferLeaderRequest::<Live>::new(vote(), 8, Some(at(4, 3)));
        assert_eq!(hex(&TransferAsk::of(7, &transfer).encode().unwrap()), "010705090108010403");
        assert_eq!(hex(&TransferAnswer::Taken.encode().unwrap()), "0100");
        let changed = TransferAnswer::VoteChanged { expected: vote().into(), actual: vote().into() };
        assert_eq!(hex(&changed.encode().unwrap()), "0101050901050901");
        let behind = TransferAnswer::NotFlushed { expected: Some(at(1, 2).into()), actual: None };
        assert_eq!(hex(&behind.encode().unwrap()), "010201010200");
    }

    #[test]
    fn frames_of_replication_keep_their_golden_bytes() {
        let entry = LogEntry { log_id: at(5, 11), payload: Content::Normal(Payload(Bytes::from_static(b"abc"))) };
        let append = AppendEntriesRequest::<Live> {
            vote: vote(),
            prev_log_id: Some(at(4, 10)),
            entries: vec![entry],
            leader_commit: Some(at(4, 9)),
        };
        let frame = encode_append(7, &append).unwrap();
        assert_eq!(hex(&frame), "010705090101040a0104090105 0b0103616263".replace(' ', ""));
        let (to, back) = decode_append::<Live>(&frame).unwrap();
        assert_eq!((to, format!("{back:?}")), (7, format!("{append:?}")));
        assert_eq!(hex(&AppendAnswer::Matched(Some(at(5, 11).into())).encode().unwrap()), "010001050b");
        assert_eq!(hex(&AppendAnswer::Conflict(at(5, 11).into()).encode().unwrap()), "0101050b");
        assert_eq!(hex(&AppendAnswer::HigherVote(vote().into()).encode().unwrap()), "0102050901");
        assert_eq!(hex(&AppendAnswer::Refused("no".into()).encode().unwrap()), "0103026e6f");
        let head = SnapshotHead::of(7, vote(), &SnapshotMeta::default());
        assert_eq!(hex(&head.encode().unwrap()), "010705090100000000");
        assert_eq!(head.meta().unwrap(), SnapshotMeta::default());
        assert_eq!(hex(&SnapshotAnswer::Vote(vote().into()).encode().unwrap()), "0100050901");
        assert_eq!(hex(&SnapshotAnswer::Refused("no".into()).encode().unwrap()), "0101026e6f");
    }

    #[test]
    fn frames_of_calls_keep_their_golden_bytes() {
        let call = Call { id: "i".into(), payload_hash: [0xab; 32], room: 3, payload: Bytes::from_static(b"p") };
        let wait = Wait::All { at_most: Duration::from_secs(30) };
        let ask = ProposeAsk::of(&call, Duration::from_millis(5), wait);
        let hash = "ab".repeat(32);
        assert_eq!(hex(&ask.encode().unwrap()), format!("010169{hash}0301700502fb3075"));
        assert_eq!(ask.into_parts(), (call, Duration::from_millis(5), wait));
        let done = ProposeAnswer::Done { reply: ByteBuf::from(b"r".to_vec()), index: 2, laggards: vec![3] };
        assert_eq!(hex(&done.encode().unwrap()), "01000172020103");
        let again = ProposeAnswer::Again(Again { leader: Some(2), why: "w".into() });
        assert_eq!(hex(&again.encode().unwrap()), "010101020177");
        assert_eq!(hex(&ProposeAnswer::IdReused.encode().unwrap()), "0102");
        assert_eq!(hex(&ProposeAnswer::TooLarge { bytes: 2, limit: 1 }.encode().unwrap()), "01030201");
        assert_eq!(hex(&ProposeAnswer::Broken("w".into()).encode().unwrap()), "01040177");
        assert_eq!(hex(&CommandAsk { command: ByteBuf::from(b"c".to_vec()) }.encode().unwrap()), "010163");
        assert_eq!(hex(&CommandAnswer::Reply(ByteBuf::from(b"r".to_vec())).encode().unwrap()), "01000172");
        assert_eq!(hex(&CommandAnswer::Again(Again::default()).encode().unwrap()), "01010000");
        assert_eq!(hex(&CommandAnswer::Unknown("w".into()).encode().unwrap()), "01020177");
        assert_eq!(hex(&ReadAnswer::Index(300).encode().unwrap()), "0100fb2c01");
        assert_eq!(hex(&ReadAnswer::Again(Again::default()).encode().unwrap()), "01010000");
        assert_eq!(hex(&Activated { index: 7 }.encode().unwrap()), "0107");
    }

    #[test]
    fn frames_of_membership_keep_their_golden_bytes() {
        for (change, bytes) in [
            (MemberChange::AddLearner { node_id: 2, replica_id: 3 }, "0100020309"),
            (MemberChange::Promote { node_id: 2 }, "01010209"),
            (MemberChange::Demote { node_id: 2 }, "01020209"),
            (MemberChange::Remove { node_id: 2 }, "01030209"),
            (MemberChange::Transfer { node_id: 2 }, "01040209"),
        ] {
            let ask = MemberAsk::of(change, Duration::from_millis(9));
            assert_eq!(hex(&ask.encode().unwrap()), bytes);
            assert_eq!(ask.into_parts(), (change, Duration::from_millis(9)));
        }
        assert_eq!(hex(&MemberAnswer::Done.encode().unwrap()), "0100");
        assert_eq!(hex(&MemberAnswer::Refused("w".into()).encode().unwrap()), "01010177");
        assert_eq!(hex(&MemberAnswer::Again(Again::default()).encode().unwrap()), "01020000");
    }

    #[test]
    fn a_frame_of_another_format_or_with_more_behind_it_is_an_error() {
        assert!(Activated::decode(&[]).is_err());
        assert!(Activated::decode(&[2, 7]).is_err());
        assert!(Activated::decode(&[1, 7, 7]).is_err());
        assert!(decode_append::<Live>(&[1, 7]).is_err());
        // A length that promises more than the limit allocates nothing.
        assert!(CommandAsk::decode(&[1, 0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]).is_err());
    }
}
