//! Openraft's network over the groups' transport: appends in a pipeline on one stream, snapshots on their own lane.

use super::kind;
use super::transport::{Incoming, Outgoing, SendError, Transport};
use super::wire::{
    AppendAnswer, FrameError, SnapshotAnswer, SnapshotHead, TransferAnswer, TransferAsk, VoteAnswer, VoteAsk,
    encode_append,
};
use crate::cluster::store::SnapshotBody;
use crate::cluster::types::{Ballot, Member, SnapshotMeta, Types};
use crate::net::peer::Lane;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use openraft::{
    OptionalSend, RaftNetworkFactory, RaftNetworkV2, Snapshot,
    async_runtime::Select2,
    base::{BoxFuture, BoxStream},
    errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable},
    network::RPCOption,
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendError, StreamAppendResult,
        TransferLeaderError, TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
    },
    type_config::TypeConfigExt,
};
use std::{
    future::Future,
    io::Read,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::oneshot;

/// How long an append may go unanswered before its stream is given up: fsyncs are slow at times.
const PATIENCE: Duration = Duration::from_secs(4);
const SNAPSHOT_FRAME_BYTES: usize = 256 << 10;

/// Makes a link to every replica.
pub(crate) struct Network<C> {
    transport: Arc<dyn Transport>,
    group: u8,
    types: PhantomData<C>,
}

impl<C> Network<C> {
    pub(crate) fn new(transport: Arc<dyn Transport>, group: u8) -> Self {
        Self { transport, group, types: PhantomData }
    }
}

impl<C: Types> RaftNetworkFactory<C> for Network<C> {
    type Network = Link<C>;

    async fn new_client(&mut self, target: u64, node: &Member) -> Link<C> {
        // One QUIC connection per peer is shared by all links to it: a heartbeat opens a stream, never a connection.
        Link {
            transport: self.transport.clone(),
            group: self.group,
            replica: target,
            node: node.node_id,
            types: PhantomData,
        }
    }
}

/// The way to one replica.
pub(crate) struct Link<C> {
    transport: Arc<dyn Transport>,
    group: u8,
    replica: u64,
    node: u64,
    types: PhantomData<C>,
}

fn failed<C: Types>(cause: &SendError) -> RPCError<C> {
    // `Unreachable` backs off; a stream that broke is tried again at once.
    if cause.unsent {
        RPCError::Unreachable(Unreachable::new(cause))
    } else {
        RPCError::Network(NetworkError::new(cause))
    }
}

fn malformed<C: Types>(cause: &FrameError) -> RPCError<C> {
    RPCError::Unreachable(Unreachable::new(cause))
}

impl<C: Types> Link<C> {
    async fn ask(&self, kind: u8, body: Bytes, within: Duration) -> Result<Bytes, RPCError<C>> {
        self.transport.call(self.node, kind, self.group, body, within).await.map_err(|cause| failed(&cause))
    }

    async fn ask_vote(
        &self,
        kind: u8,
        ask: &VoteRequest<C>,
        option: &RPCOption,
    ) -> Result<VoteResponse<C>, RPCError<C>> {
        let frame = VoteAsk::of(self.replica, ask).encode().map_err(|cause| malformed(&cause))?;
        let answer = self.ask(kind, frame, option.soft_ttl()).await?;
        Ok(VoteAnswer::decode(&answer).map_err(|cause| malformed(&cause))?.into_response())
    }

    async fn send_snapshot(
        &self,
        vote: Ballot,
        meta: &SnapshotMeta,
        body: &SnapshotBody,
    ) -> Result<SnapshotResponse<C>, SendError> {
        let broken = |cause: String| SendError { unsent: false, cause };
        let (mut out, mut incoming) =
            self.transport.open(self.node, Lane::Snapshot, kind::RAFT_SNAPSHOT, self.group).await?;
        let head = SnapshotHead::of(self.replica, vote, meta).encode().map_err(|cause| broken(cause.to_string()))?;
        out.send(head).await?;
        let mut reader = body.reader().map_err(|cause| broken(cause.to_string()))?;
        loop {
            let mut frame = vec![0; SNAPSHOT_FRAME_BYTES];
            let count = reader.read(&mut frame).map_err(|cause| broken(cause.to_string()))?;
            if count == 0 {
                break;
            }
            frame.truncate(count);
            out.send(frame.into()).await?;
        }
        out.finish();
        let answer = incoming.next().await?.ok_or_else(|| broken("the stream ended without an answer".into()))?;
        match SnapshotAnswer::decode(&answer).map_err(|cause| broken(cause.to_string()))? {
            SnapshotAnswer::Vote(vote) => Ok(SnapshotResponse::new(vote.into())),
            SnapshotAnswer::Refused(why) => Err(broken(why)),
        }
    }
}

/// Sends appends as they come until the answers are no longer wanted.
async fn pump<C: Types, S>(
    mut input: S,
    mut out: Box<dyn Outgoing>,
    replica: u64,
    sent: Arc<AtomicU64>,
    mut unwanted: oneshot::Receiver<()>,
) where
    S: Stream<Item = AppendEntriesRequest<C>> + OptionalSend + Unpin + 'static,
{
    loop {
        let append = match C::select2(&mut unwanted, input.next()).await {
            Select2::Second(Some(append)) => append,
            Select2::Second(None) => break out.finish(),
            Select2::First(_) => return,
        };
        let Ok(frame) = encode_append(replica, &append) else { return };
        sent.fetch_add(1, Ordering::AcqRel);
        match C::select2(&mut unwanted, out.send(frame)).await {
            Select2::Second(Ok(())) => {}
            Select2::Second(Err(_)) | Select2::First(_) => return,
        }
    }
    // Keeps the sending half until the answers are in.
    drop(unwanted.await);
}

/// The answers of one stream, in the order of its appends.
struct Answers<C> {
    incoming: Box<dyn Incoming>,
    transport: Arc<dyn Transport>,
    node: u64,
    sent: Arc<AtomicU64>,
    answered: u64,
    over: bool,
    /// Dropped with the answers: that ends the pump.
    _wanted: oneshot::Sender<()>,
    types: PhantomData<C>,
}

impl<C: Types> Answers<C> {
    async fn next(&mut self) -> Option<Result<StreamAppendResult<C>, RPCError<C>>> {
        if self.over {
            return None;
        }
        let answer = self.read().await;
        self.over = !matches!(answer, Some(Ok(Ok(_))));
        answer
    }

    async fn read(&mut self) -> Option<Result<StreamAppendResult<C>, RPCError<C>>> {
        let frame = loop {
            let before = self.sent.load(Ordering::Acquire);
            match C::timeout(PATIENCE, self.incoming.next()).await {
                Ok(Ok(Some(frame))) => break frame,
                Ok(Ok(None)) if self.sent.load(Ordering::Acquire) == self.answered => return None,
                Ok(Ok(None)) => {
                    let cause = SendError { unsent: true, cause: "the stream ended without an answer".into() };
                    return Some(Err(failed(&cause)));
                }
                Ok(Err(cause)) => return Some(Err(failed(&cause))),
                Err(_) if before > self.answered => {
                    self.transport.suspect(self.node);
                    let cause = SendError { unsent: true, cause: format!("no answer within {PATIENCE:?}") };
                    return Some(Err(failed(&cause)));
                }
                Err(_) => {}
            }
        };
        self.answered += 1;
        Some(match AppendAnswer::decode(&frame) {
            Ok(AppendAnswer::Matched(last)) => Ok(Ok(last.map(Into::into))),
            Ok(AppendAnswer::Conflict(at)) => Ok(Err(StreamAppendError::Conflict(at.into()))),
            Ok(AppendAnswer::HigherVote(vote)) => Ok(Err(StreamAppendError::HigherVote(vote.into()))),
            Ok(AppendAnswer::Refused(why)) => Err(failed(&SendError { unsent: true, cause: why })),
            Err(cause) => Err(malformed(&cause)),
        })
    }
}

impl<C: Types> RaftNetworkV2<C> for Link<C> {
    type SnapshotData = SnapshotBody;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<C>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<C>, RPCError<C>> {
        let input = futures_util::stream::iter([rpc]);
        let answer = self.stream_append(input, option).await?.next().await;
        match answer {
            Some(Ok(answer)) => Ok(answer.into()),
            Some(Err(cause)) => Err(cause),
            None => Err(failed(&SendError { unsent: false, cause: "no answer".into() })),
        }
    }

    fn stream_append<'s, S>(
        &'s mut self,
        mut input: S,
        option: RPCOption,
    ) -> BoxFuture<'s, Result<BoxStream<'s, Result<StreamAppendResult<C>, RPCError<C>>>, RPCError<C>>>
    where
        S: Stream<Item = AppendEntriesRequest<C>> + OptionalSend + Unpin + 'static,
    {
        Box::pin(async move {
            // Before opening: openraft keeps its pause after a failure inside this stream, and a peer that cannot be
            // reached would be dialled without end.
            let Some(first) = input.next().await else {
                return Ok(Box::pin(futures_util::stream::empty()) as BoxStream<'s, _>);
            };
            let input = futures_util::stream::iter([first]).chain(input);
            let opening = self.transport.open(self.node, Lane::Raft, kind::RAFT_APPEND, self.group);
            // Dialling takes round trips of its own, which one heartbeat interval does not always hold.
            let opened = C::timeout(option.hard_ttl().max(PATIENCE), opening).await;
            let (out, incoming) = match opened {
                Ok(Ok(stream)) => stream,
                Ok(Err(cause)) => return Err(failed(&cause)),
                Err(_) => return Err(failed(&SendError { unsent: true, cause: "dialling took too long".into() })),
            };
            let (wanted, unwanted) = oneshot::channel();
            let sent = Arc::new(AtomicU64::new(0));
            drop(C::spawn(pump::<C, _>(input, out, self.replica, sent.clone(), unwanted)));
            let answers = Answers {
                incoming,
                transport: self.transport.clone(),
                node: self.node,
                sent,
                answered: 0,
                over: false,
                _wanted: wanted,
                types: PhantomData,
            };
            let stream = futures_util::stream::unfold(answers, |mut answers: Answers<C>| async move {
                let answer = answers.next().await?;
                Some((answer, answers))
            });
            Ok(Box::pin(stream) as BoxStream<'s, _>)
        })
    }

    async fn vote(&mut self, rpc: VoteRequest<C>, option: RPCOption) -> Result<VoteResponse<C>, RPCError<C>> {
        self.ask_vote(kind::RAFT_VOTE, &rpc, &option).await
    }

    async fn pre_vote(&mut self, rpc: VoteRequest<C>, option: RPCOption) -> Result<VoteResponse<C>, RPCError<C>> {
        self.ask_vote(kind::RAFT_PREVOTE, &rpc, &option).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Ballot,
        snapshot: Snapshot<crate::cluster::types::Term, u64, Member, SnapshotBody>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<C>, StreamingError<C>> {
        let sending = C::timeout(option.hard_ttl(), self.send_snapshot(vote, &snapshot.meta, &snapshot.snapshot));
        match C::select2(cancel, sending).await {
            Select2::First(closed) => Err(StreamingError::Closed(closed)),
            Select2::Second(Ok(Ok(answer))) => Ok(answer),
            Select2::Second(Ok(Err(cause))) => Err(StreamingError::Unreachable(Unreachable::new(&cause))),
            Select2::Second(Err(_)) => {
                Err(StreamingError::Unreachable(Unreachable::from_string("the snapshot took too long")))
            }
        }
    }

    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<C>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<C>, RPCError<C>> {
        let frame = TransferAsk::of(self.replica, &req).encode().map_err(|cause| malformed(&cause))?;
        let answer = self.ask(kind::RAFT_TRANSFER, frame, option.soft_ttl()).await?;
        Ok(match TransferAnswer::decode(&answer).map_err(|cause| malformed(&cause))? {
            TransferAnswer::Taken => Ok(()),
            TransferAnswer::VoteChanged { expected, actual } => {
                Err(TransferLeaderError::VoteChanged { expected: expected.into(), actual: actual.into() })
            }
            TransferAnswer::NotFlushed { expected, actual } => Err(TransferLeaderError::LogNotFlushed {
                expected: expected.map(Into::into),
                actual: actual.map(Into::into),
            }),
        })
    }
}
