//! The receiving side of Raft's protocol: who may speak for which replica, and what openraft answers.

use super::kind;
use super::transport::{Incoming, Outgoing};
use super::wire::{
    AppendAnswer, SnapshotAnswer, SnapshotHead, TransferAnswer, TransferAsk, VoteAnswer, VoteAsk, decode_append,
};
use crate::cluster::store::{SnapshotBody, SnapshotFile, SnapshotReader, StateStore};
use crate::cluster::types::{Ballot, SnapshotMeta, Types};
use bytes::Bytes;
use futures_util::StreamExt;
use openraft::{
    Raft, Snapshot,
    async_runtime::WatchReceiver,
    errors::Fatal,
    raft::{AppendEntriesRequest, StreamAppendError, StreamAppendResult, TransferLeaderError},
    type_config::TypeConfigExt,
};
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::{mpsc, oneshot};

/// How many appends of one stream wait in memory for openraft.
const QUEUE: usize = 64;

/// Where received snapshots go.
#[derive(Debug, Clone)]
pub(crate) enum Inbox {
    /// Into files of this folder.
    Folder(PathBuf),
    /// Into memory (simulation).
    #[cfg_attr(not(test), allow(dead_code))]
    Memory,
}

/// One replica's side of the protocol.
pub(crate) struct Protocol<C: Types> {
    raft: Raft<C, StateStore>,
    replica: u64,
    inbox: Inbox,
    received: AtomicU64,
}

impl<C: Types> Protocol<C> {
    pub(crate) fn new(raft: Raft<C, StateStore>, replica: u64, inbox: Inbox) -> Self {
        Self { raft, replica, inbox, received: AtomicU64::new(0) }
    }

    /// Refuses what is meant for another replica (this node's former one, say), and a vote in the name of a replica that
    /// another node holds. A replica that this one does not know yet may speak: its membership entry may be on the way.
    fn admit(&self, from: u64, to: u64, vote: &Ballot) -> Result<(), String> {
        if to != self.replica {
            return Err(format!("this is replica {}, not {to}", self.replica));
        }
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let holder = metrics.membership_config.get_node(&vote.leader_id.voted_for);
        match holder {
            Some(member) if member.node_id != from => {
                Err(format!("replica {} is not node {from}'s", vote.leader_id.voted_for))
            }
            _ => Ok(()),
        }
    }

    /// Answers a call of Raft's protocol; `None` for other kinds.
    pub(crate) async fn call(&self, from: u64, kind: u8, body: &Bytes) -> Option<Result<Bytes, String>> {
        Some(match kind {
            kind::RAFT_VOTE => self.vote(from, body, false).await,
            kind::RAFT_PREVOTE => self.vote(from, body, true).await,
            kind::RAFT_TRANSFER => self.transfer(from, body).await,
            _ => return None,
        })
    }

    async fn vote(&self, from: u64, body: &Bytes, pre: bool) -> Result<Bytes, String> {
        let ask = VoteAsk::decode(body).map_err(|cause| cause.to_string())?;
        self.admit(from, ask.to, &ask.vote())?;
        let request = ask.into_request();
        let answer = if pre { self.raft.pre_vote(request).await } else { self.raft.vote(request).await };
        VoteAnswer::of(&answer.map_err(|cause| cause.to_string())?).encode().map_err(|cause| cause.to_string())
    }

    async fn transfer(&self, from: u64, body: &Bytes) -> Result<Bytes, String> {
        let ask = TransferAsk::decode(body).map_err(|cause| cause.to_string())?;
        self.admit(from, ask.to, &ask.vote())?;
        let answer = self.raft.handle_transfer_leader(ask.into_request()).await.map_err(|cause| cause.to_string())?;
        let answer = match answer {
            Ok(()) => TransferAnswer::Taken,
            Err(TransferLeaderError::VoteChanged { expected, actual }) => {
                TransferAnswer::VoteChanged { expected: expected.into(), actual: actual.into() }
            }
            Err(TransferLeaderError::LogNotFlushed { expected, actual }) => {
                TransferAnswer::NotFlushed { expected: expected.map(Into::into), actual: actual.map(Into::into) }
            }
        };
        answer.encode().map_err(|cause| cause.to_string())
    }

    /// Serves a stream of Raft's protocol; other kinds are dropped.
    pub(crate) async fn stream(
        self: Arc<Self>,
        from: u64,
        kind: u8,
        mut out: Box<dyn Outgoing>,
        incoming: Box<dyn Incoming>,
    ) {
        match kind {
            kind::RAFT_APPEND => self.appends(from, out, incoming).await,
            kind::RAFT_SNAPSHOT => {
                let answer = match self.snapshot(from, incoming).await {
                    Ok(vote) => SnapshotAnswer::Vote(vote.into()),
                    Err(why) => SnapshotAnswer::Refused(why),
                };
                if let Ok(frame) = answer.encode() {
                    drop(out.send(frame).await);
                    out.finish();
                }
            }
            _ => {}
        }
    }

    /// Appends go to openraft as they arrive; answers go back as they become durable.
    async fn appends(self: Arc<Self>, from: u64, mut out: Box<dyn Outgoing>, mut incoming: Box<dyn Incoming>) {
        let (sender, receiver) = mpsc::channel::<AppendEntriesRequest<C>>(QUEUE);
        let requests = futures_util::stream::unfold(receiver, |mut receiver| async move {
            let append = receiver.recv().await?;
            Some((append, receiver))
        });
        let mut answers = Box::pin(self.raft.stream_append(Box::pin(requests)));
        let (refuse, refused) = oneshot::channel::<String>();
        let protocol = self.clone();
        drop(C::spawn(async move {
            while let Ok(Some(frame)) = incoming.next().await {
                let append = decode_append::<C>(&frame).map_err(|cause| cause.to_string());
                let admitted = append.and_then(|(to, append)| {
                    protocol.admit(from, to, &append.vote)?;
                    Ok(append)
                });
                match admitted {
                    Ok(append) => {
                        if sender.send(append).await.is_err() {
                            return;
                        }
                    }
                    Err(why) => return drop(refuse.send(why)),
                }
            }
        }));
        while let Some(answer) = answers.next().await {
            let over = !matches!(answer, Ok(Ok(_)));
            let Ok(frame) = answer_of(answer).encode() else { return };
            if out.send(frame).await.is_err() {
                return;
            }
            if over {
                break;
            }
        }
        if let Ok(why) = refused.await
            && let Ok(frame) = AppendAnswer::Refused(why).encode()
        {
            drop(out.send(frame).await);
        }
        out.finish();
    }

    async fn snapshot(&self, from: u64, mut incoming: Box<dyn Incoming>) -> Result<Ballot, String> {
        let words = |cause: &dyn std::fmt::Display| cause.to_string();
        let head = incoming.next().await.map_err(|cause| words(&cause))?.ok_or("the stream is empty")?;
        let head = SnapshotHead::decode(&head).map_err(|cause| words(&cause))?;
        self.admit(from, head.to, &head.vote())?;
        let meta = head.meta().map_err(|cause| words(&cause))?;
        let body = self.receive(&mut *incoming).await.map_err(|cause| words(&cause))?;
        check::<C>(body.clone(), &meta).await?;
        let snapshot = Snapshot { meta, snapshot: body };
        let answer = self.raft.install_full_snapshot(head.vote(), snapshot).await.map_err(|cause| words(&cause))?;
        Ok(answer.vote)
    }

    async fn receive(&self, incoming: &mut dyn Incoming) -> io::Result<SnapshotBody> {
        match &self.inbox {
            Inbox::Folder(folder) => {
                let name = format!("{}.part", self.received.fetch_add(1, Ordering::Relaxed));
                let file = Arc::new(SnapshotFile { path: folder.join(name), passing: true });
                let mut out = BufWriter::new(File::create(&file.path)?);
                while let Some(frame) = incoming.next().await.map_err(io::Error::other)? {
                    out.write_all(&frame)?;
                }
                out.flush()?;
                Ok(SnapshotBody::File(file))
            }
            Inbox::Memory => {
                let mut bytes = Vec::new();
                while let Some(frame) = incoming.next().await.map_err(io::Error::other)? {
                    bytes.extend_from_slice(&frame);
                }
                Ok(SnapshotBody::Memory(Arc::new(bytes)))
            }
        }
    }
}

/// Reads a received snapshot through, on a thread of its own where it is a file: it may be large.
async fn check<C: Types>(body: SnapshotBody, meta: &SnapshotMeta) -> Result<(), String> {
    let read = |body: SnapshotBody| body.reader().and_then(|reader| SnapshotReader::open(reader)?.check());
    let found = match body {
        body @ SnapshotBody::Memory(_) => read(body),
        body @ SnapshotBody::File(_) => {
            let (sender, receiver) = oneshot::channel();
            let spawned =
                std::thread::Builder::new().name("snapshot".into()).spawn(move || drop(sender.send(read(body))));
            spawned.map_err(|cause| cause.to_string())?;
            receiver.await.unwrap_or_else(|_| Err(io::Error::other("the check died")))
        }
    };
    let found = found.map_err(|cause| cause.to_string())?;
    if found == *meta { Ok(()) } else { Err("the snapshot is not the one that was announced".into()) }
}

fn answer_of<C: Types>(answer: Result<StreamAppendResult<C>, Fatal<C>>) -> AppendAnswer {
    match answer {
        Ok(Ok(last)) => AppendAnswer::Matched(last.map(Into::into)),
        Ok(Err(StreamAppendError::Conflict(at))) => AppendAnswer::Conflict(at.into()),
        Ok(Err(StreamAppendError::HigherVote(vote))) => AppendAnswer::HigherVote(vote.into()),
        Err(cause) => AppendAnswer::Refused(cause.to_string()),
    }
}
