//! The `usage` group on one node: commands go to the leader and are ordered there, once at most.

use super::handle::{GroupCore, UsageCore};
use super::host::{Attempt, Host, Place, again};
use super::peer::wire::{CommandAnswer, CommandAsk, MemberAsk, millis};
use super::peer::{Incoming, Outgoing, Receive, SendError, kind};
use super::types::{Payload, Types};
use super::{BoxFuture, ClusterError, GroupStatus, MemberChange};
use bytes::Bytes;
use openraft::{
    async_runtime::Instant,
    errors::{ClientWriteError, RaftError},
    type_config::TypeConfigExt,
};
use serde_bytes::ByteBuf;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// The group on one node.
pub(crate) struct UsageHost<C: Types> {
    host: Arc<Host<C>>,
}

impl<C: Types> UsageHost<C> {
    pub(crate) fn new(host: Arc<Host<C>>) -> Arc<Self> {
        Arc::new(Self { host })
    }

    async fn propose_anywhere(self: Arc<Self>, command: Bytes, within: Duration) -> Result<Bytes, ClusterError> {
        let started = C::now();
        loop {
            // Only finding the leader is repeated: from the moment that a command leaves, its fate may be unknown.
            let left = within.saturating_sub(started.elapsed());
            let place = self.host.at_leader(left, |place, _| async move { Ok(Attempt::Answer(place)) }).await?;
            let left = within.saturating_sub(started.elapsed());
            let answer = match place {
                Place::Here => self.propose_here(command.clone(), left).await,
                Place::There(node) => self.forward(node, &command, left).await?,
            };
            match answer {
                CommandAnswer::Reply(reply) => return Ok(reply.into_vec().into()),
                CommandAnswer::Unknown(last) => {
                    return Err(ClusterError::Unavailable { waited_ms: millis(started.elapsed()), last });
                }
                CommandAnswer::Again(_) => C::sleep(Duration::from_millis(50).min(left)).await,
            }
        }
    }

    async fn forward(&self, node: u64, command: &Bytes, left: Duration) -> Result<CommandAnswer, ClusterError> {
        let malformed = |cause: &dyn std::fmt::Display| ClusterError::Malformed(cause.to_string());
        let frame =
            CommandAsk { command: ByteBuf::from(command.to_vec()) }.encode().map_err(|cause| malformed(&cause))?;
        match self.host.transport.call(node, kind::PROPOSE, self.host.group, frame, left).await {
            Ok(answer) => CommandAnswer::decode(&answer).map_err(|cause| malformed(&cause)),
            Err(SendError { unsent: true, cause }) => Ok(CommandAnswer::Again(again(cause))),
            Err(SendError { cause, .. }) => Ok(CommandAnswer::Unknown(cause)),
        }
    }

    async fn propose_here(&self, command: Bytes, within: Duration) -> CommandAnswer {
        match C::timeout(within, self.host.raft.client_write(Payload(command))).await {
            Ok(Ok(response)) => CommandAnswer::Reply(ByteBuf::from(response.data.0)),
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(cause)))) => {
                CommandAnswer::Again(self.host.elsewhere(cause))
            }
            Ok(Err(cause)) => CommandAnswer::Unknown(cause.to_string()),
            Err(_) => CommandAnswer::Unknown("the command was not committed in time".into()),
        }
    }

    async fn answer(self: Arc<Self>, from: u64, kind: u8, body: Bytes) -> Result<Bytes, String> {
        let words = |cause: &dyn std::fmt::Display| cause.to_string();
        if let Some(answer) = self.host.protocol.call(from, kind, &body).await {
            return answer;
        }
        let answer = match kind {
            kind::PROPOSE => {
                let ask = CommandAsk::decode(&body).map_err(|cause| words(&cause))?;
                // The caller's patience ends the call: then this is dropped.
                self.propose_here(ask.command.into_vec().into(), Duration::from_secs(60)).await.encode()
            }
            kind::READ_INDEX => self.host.answer_read().await.encode(),
            kind::MEMBERSHIP => {
                let ask = MemberAsk::decode(&body).map_err(|cause| words(&cause))?;
                self.host.answer_change(ask).await.encode()
            }
            other => return Err(format!("kind {other} is not for this group")),
        };
        answer.map_err(|cause| words(&cause))
    }
}

impl<C: Types> Receive for UsageHost<C> {
    fn call(self: Arc<Self>, from: u64, kind: u8, body: Bytes) -> BoxFuture<Result<Bytes, String>> {
        Box::pin(self.answer(from, kind, body))
    }

    fn stream(
        self: Arc<Self>,
        from: u64,
        kind: u8,
        outgoing: Box<dyn Outgoing>,
        incoming: Box<dyn Incoming>,
    ) -> BoxFuture<()> {
        Box::pin(self.host.protocol.clone().stream(from, kind, outgoing, incoming))
    }
}

/// The core of a handle is a shared host.
pub(crate) struct UsageShare<C: Types>(pub(crate) Arc<UsageHost<C>>);

impl<C: Types> GroupCore for UsageShare<C> {
    fn status(&self) -> GroupStatus {
        self.0.host.status(&BTreeMap::new())
    }

    fn change(&self, change: MemberChange, within: Duration) -> BoxFuture<Result<(), ClusterError>> {
        Box::pin(self.0.host.clone().change(change, within))
    }

    fn read_barrier(&self, within: Duration) -> BoxFuture<Result<(), ClusterError>> {
        let host = self.0.host.clone();
        Box::pin(async move { host.read_barrier(within).await })
    }

    fn compact(&self, within: Duration) -> BoxFuture<Result<u64, ClusterError>> {
        let this = self.0.clone();
        Box::pin(async move { this.host.compact(within).await })
    }

    fn stop(&self) -> BoxFuture<()> {
        let this = self.0.clone();
        Box::pin(async move { this.host.stop().await })
    }
}

impl<C: Types> UsageCore for UsageShare<C> {
    fn propose(&self, command: Bytes, within: Duration) -> BoxFuture<Result<Bytes, ClusterError>> {
        Box::pin(self.0.clone().propose_anywhere(command, within))
    }
}
