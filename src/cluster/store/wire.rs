//! The stored forms: log entries, votes, log ids, memberships, heads of snapshots. The first byte is the format.

use crate::cluster::types::{
    Ballot, Content, Index, Leader, LogEntry, Member, Members, Payload, SnapshotMeta, StoredMembers, Term,
};
use bincode::Options;
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_bytes::ByteBuf;
use std::collections::{BTreeMap, BTreeSet};

/// The format of everything here.
const FORMAT: u8 = 1;
/// The most that one stored form may take, in bytes.
const LIMIT: u64 = 80 << 20;

/// Why bytes are not what they should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoredError {
    /// A newer version wrote them.
    #[error("stored form {0} is newer than this version knows ({FORMAT})")]
    Format(u8),
    /// They are damaged.
    #[error("stored bytes are damaged: {0}")]
    Damaged(String),
}

impl From<StoredError> for std::io::Error {
    fn from(cause: StoredError) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, cause)
    }
}

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) struct IndexForm {
    term: u64,
    index: u64,
}

/// A vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) struct BallotForm {
    term: u64,
    replica: u64,
    committed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct MembersForm {
    configs: Vec<Vec<u64>>,
    nodes: Vec<(u64, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredMembersForm {
    at: Option<IndexForm>,
    members: MembersForm,
}

/// The head of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) struct MetaForm {
    last: Option<IndexForm>,
    members: StoredMembersForm,
}

/// A log entry; `B` is borrowed to encode and owned when decoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cluster) struct EntryForm<B> {
    at: IndexForm,
    content: ContentForm<B>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum ContentForm<B> {
    Blank,
    Normal(B),
    Membership(MembersForm),
}

/// What a replica's log says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The group's number.
    pub(crate) group: u8,
    /// The node.
    pub(crate) node_id: u64,
    /// The replica.
    pub(crate) replica_id: u64,
}

impl From<Index> for IndexForm {
    fn from(index: Index) -> Self {
        Self { term: index.leader_id.term, index: index.index }
    }
}

impl From<IndexForm> for Index {
    fn from(form: IndexForm) -> Self {
        Self { leader_id: Term::new(form.term), index: form.index }
    }
}

impl From<Ballot> for BallotForm {
    fn from(vote: Ballot) -> Self {
        Self { term: vote.leader_id.term, replica: vote.leader_id.voted_for, committed: vote.committed }
    }
}

impl From<BallotForm> for Ballot {
    fn from(form: BallotForm) -> Self {
        Self { leader_id: Leader { term: form.term, voted_for: form.replica }, committed: form.committed }
    }
}

impl From<&Members> for MembersForm {
    fn from(members: &Members) -> Self {
        Self {
            configs: members.get_joint_config().iter().map(|voters| voters.iter().copied().collect()).collect(),
            nodes: members.nodes().map(|(replica, member)| (*replica, member.node_id)).collect(),
        }
    }
}

impl TryFrom<MembersForm> for Members {
    type Error = StoredError;
    fn try_from(form: MembersForm) -> Result<Self, StoredError> {
        if form.configs.is_empty() && form.nodes.is_empty() {
            return Ok(Self::default());
        }
        let configs: Vec<BTreeSet<u64>> = form.configs.into_iter().map(|voters| voters.into_iter().collect()).collect();
        let nodes: BTreeMap<u64, Member> =
            form.nodes.into_iter().map(|(replica, node_id)| (replica, Member { node_id })).collect();
        Self::new(configs, nodes).map_err(|cause| StoredError::Damaged(cause.to_string()))
    }
}

impl From<&StoredMembers> for StoredMembersForm {
    fn from(stored: &StoredMembers) -> Self {
        Self { at: stored.log_id().map(IndexForm::from), members: MembersForm::from(stored.membership()) }
    }
}

impl TryFrom<StoredMembersForm> for StoredMembers {
    type Error = StoredError;
    fn try_from(form: StoredMembersForm) -> Result<Self, StoredError> {
        Ok(Self::new(form.at.map(Index::from), form.members.try_into()?))
    }
}

impl From<&SnapshotMeta> for MetaForm {
    fn from(meta: &SnapshotMeta) -> Self {
        Self { last: meta.last_log_id.map(IndexForm::from), members: StoredMembersForm::from(&meta.last_membership) }
    }
}

impl TryFrom<MetaForm> for SnapshotMeta {
    type Error = StoredError;
    fn try_from(form: MetaForm) -> Result<Self, StoredError> {
        Ok(Self { last_log_id: form.last.map(Index::from), last_membership: form.members.try_into()? })
    }
}

impl<'a> From<&'a LogEntry> for EntryForm<&'a serde_bytes::Bytes> {
    fn from(entry: &'a LogEntry) -> Self {
        let content = match &entry.payload {
            Content::Blank => ContentForm::Blank,
            Content::Normal(payload) => ContentForm::Normal(serde_bytes::Bytes::new(&payload.0)),
            Content::Membership(members) => ContentForm::Membership(members.into()),
        };
        Self { at: entry.log_id.into(), content }
    }
}

impl TryFrom<EntryForm<ByteBuf>> for LogEntry {
    type Error = StoredError;
    fn try_from(form: EntryForm<ByteBuf>) -> Result<Self, StoredError> {
        let payload = match form.content {
            ContentForm::Blank => Content::Blank,
            ContentForm::Normal(bytes) => Content::Normal(Payload(Bytes::from(bytes.into_vec()))),
            ContentForm::Membership(members) => Content::Membership(members.try_into()?),
        };
        Ok(Self { log_id: form.at.into(), payload })
    }
}

fn encode<T: Serialize>(form: &T) -> Result<Vec<u8>, StoredError> {
    let mut bytes = vec![FORMAT];
    let options = bincode::DefaultOptions::new().with_limit(LIMIT);
    options.serialize_into(&mut bytes, form).map_err(|cause| StoredError::Damaged(cause.to_string()))?;
    Ok(bytes)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoredError> {
    let (&format, body) = bytes.split_first().ok_or(StoredError::Damaged("empty".into()))?;
    if format != FORMAT {
        return Err(StoredError::Format(format));
    }
    let options = bincode::DefaultOptions::new().with_limit(LIMIT);
    options.deserialize(body).map_err(|cause| StoredError::Damaged(cause.to_string()))
}

/// A log entry as it lies in the log.
pub(crate) fn encode_entry(entry: &LogEntry) -> Result<Vec<u8>, StoredError> {
    encode(&EntryForm::from(entry))
}

/// The entry in these bytes.
pub(crate) fn decode_entry(bytes: &[u8]) -> Result<LogEntry, StoredError> {
    decode::<EntryForm<ByteBuf>>(bytes)?.try_into()
}

/// A vote as it lies in the log.
pub(crate) fn encode_vote(vote: &Ballot) -> Result<Vec<u8>, StoredError> {
    encode(&BallotForm::from(*vote))
}

/// The vote in these bytes.
pub(crate) fn decode_vote(bytes: &[u8]) -> Result<Ballot, StoredError> {
    decode::<BallotForm>(bytes).map(Ballot::from)
}

/// A log id as it lies in the log and the state.
pub(crate) fn encode_index(index: &Index) -> Result<Vec<u8>, StoredError> {
    encode(&IndexForm::from(*index))
}

/// The log id in these bytes.
pub(crate) fn decode_index(bytes: &[u8]) -> Result<Index, StoredError> {
    decode::<IndexForm>(bytes).map(Index::from)
}

/// A membership as it lies in the state.
pub(crate) fn encode_members(stored: &StoredMembers) -> Result<Vec<u8>, StoredError> {
    encode(&StoredMembersForm::from(stored))
}

/// The membership in these bytes.
pub(crate) fn decode_members(bytes: &[u8]) -> Result<StoredMembers, StoredError> {
    decode::<StoredMembersForm>(bytes)?.try_into()
}

/// The head of a snapshot.
pub(crate) fn encode_meta(meta: &SnapshotMeta) -> Result<Vec<u8>, StoredError> {
    encode(&MetaForm::from(meta))
}

/// The head in these bytes.
pub(crate) fn decode_meta(bytes: &[u8]) -> Result<SnapshotMeta, StoredError> {
    decode::<MetaForm>(bytes)?.try_into()
}

/// A replica's identity.
pub(crate) fn encode_identity(identity: &Identity) -> Result<Vec<u8>, StoredError> {
    encode(identity)
}

/// The identity in these bytes.
pub(crate) fn decode_identity(bytes: &[u8]) -> Result<Identity, StoredError> {
    decode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn at(term: u64, index: u64) -> Index {
        Index { leader_id: Term::new(term), index }
    }

    fn members() -> Members {
        let nodes = [(7, Member { node_id: 1 }), (300, Member { node_id: 2 })];
        Members::new(vec![BTreeSet::from([7])], BTreeMap::from(nodes)).unwrap()
    }

    #[test]
    fn stored_forms_keep_their_golden_bytes() {
        let entry = |payload| encode_entry(&LogEntry { log_id: at(3, 300), payload }).unwrap();
        assert_eq!(hex(&entry(Content::Blank)), "0103fb2c0100");
        let normal = Content::Normal(Payload(Bytes::from_static(b"abc")));
        assert_eq!(hex(&entry(normal)), "0103fb2c010103616263");
        assert_eq!(hex(&entry(Content::Membership(members()))), "0103fb2c0102010107020701fb2c0102");
        let vote = Ballot { leader_id: Leader { term: 5, voted_for: 9 }, committed: true };
        assert_eq!(hex(&encode_vote(&vote).unwrap()), "01050901");
        assert_eq!(hex(&encode_index(&at(1, 2)).unwrap()), "010102");
        let stored = StoredMembers::new(Some(at(1, 2)), members());
        assert_eq!(hex(&encode_members(&stored).unwrap()), "01010102010107020701fb2c0102");
        let meta = SnapshotMeta { last_log_id: Some(at(4, 5)), last_membership: stored };
        assert_eq!(hex(&encode_meta(&meta).unwrap()), "01010405010102010107020701fb2c0102");
        let identity = Identity { group: 1, node_id: 2, replica_id: 3 };
        assert_eq!(hex(&encode_identity(&identity).unwrap()), "01010203");
    }

    #[test]
    fn stored_forms_come_back() {
        for payload in
            [Content::Blank, Content::Normal(Payload(Bytes::from_static(b"x"))), Content::Membership(members())]
        {
            let entry = LogEntry { log_id: at(1, 9), payload };
            let back = decode_entry(&encode_entry(&entry).unwrap()).unwrap();
            assert_eq!(format!("{back:?}"), format!("{entry:?}"));
        }
        let meta = SnapshotMeta::default();
        assert_eq!(decode_meta(&encode_meta(&meta).unwrap()).unwrap(), meta);
        let joint = Members::new(
            vec![BTreeSet::from([7]), BTreeSet::from([7, 300])],
            BTreeMap::from([(7, Member { node_id: 1 }), (300, Member { node_id: 2 })]),
        )
        .unwrap();
        let stored = StoredMembers::new(None, joint);
        assert_eq!(decode_members(&encode_members(&stored).unwrap()).unwrap(), stored);
    }

    #[test]
    fn damaged_or_newer_bytes_are_an_error() {
        assert!(decode_entry(&[]).is_err());
        assert!(matches!(decode_vote(&[2, 5, 9, 1]), Err(StoredError::Format(2))));
        assert!(decode_vote(&[1, 5, 9]).is_err());
        assert!(decode_vote(&[1, 5, 9, 1, 0]).is_err(), "trailing bytes");
        assert!(decode_entry(&[1, 3, 0xfb, 0x2c, 1, 9]).is_err());
    }
}
