//! The `config` group on one node: the way of a call to the evaluator and back, and what comes in for the group.

use super::activation::Served;
use super::call::{Call, Done, Wait};
use super::evaluator::{Ask, Evaluator, Nature, Verdict};
use super::handle::{ConfigCore, GroupCore};
use super::host::{Attempt, Host, Place, again};
use super::peer::wire::{Activated, MemberAsk, ProposeAnswer, ProposeAsk};
use super::peer::{Incoming, Outgoing, Receive, kind};
use super::types::Types;
use super::{Activation, BoxFuture, ClusterError, Evaluate, GroupStatus, MemberChange};
use crate::observe::cluster::ClusterMetrics;
use crate::state::World;
use arc_swap::ArcSwap;
use bytes::Bytes;
use openraft::{async_runtime::Instant, type_config::TypeConfigExt};
use serde_bytes::ByteBuf;
use std::{
    marker::PhantomData,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot, watch};

/// Calls that wait for the lane.
const ASKS: usize = 4096;
/// How long an answer waits for nodes to serve it (foundations §1.10).
const SERVED_WITHIN: Duration = Duration::from_secs(2);
/// How long an answer waits for the node that it passes.
const APPLIED_WITHIN: Duration = Duration::from_secs(2);

/// The cells that a node's World is published through.
#[derive(Clone)]
pub(crate) struct Cells {
    pub(crate) world: Arc<ArcSwap<World>>,
    pub(crate) applied: watch::Receiver<u64>,
}

/// The group on one node.
pub(crate) struct ConfigHost<C: Types> {
    host: Arc<Host<C>>,
    asks: mpsc::Sender<Ask>,
    served: Arc<Served>,
    activated: Arc<watch::Sender<u64>>,
    applied: watch::Receiver<u64>,
    metrics: OnceLock<ClusterMetrics>,
}

impl<C: Types> ConfigHost<C> {
    /// Starts the evaluator and the reports of what this node serves. Must run inside `C`'s runtime.
    pub(crate) fn start(
        host: Arc<Host<C>>,
        cells: &Cells,
        evaluate: Arc<dyn Evaluate>,
        nature: Arc<dyn Nature>,
        activation: Activation,
    ) -> Arc<Self> {
        let (asks, queue) = mpsc::channel(ASKS);
        let confirming = host.clone();
        let evaluator = Evaluator::<C> {
            raft: host.raft.clone(),
            world: cells.world.clone(),
            evaluate,
            nature,
            confirm: Arc::new(move || {
                let host = confirming.clone();
                Box::pin(async move { host.confirm().await })
            }),
            types: PhantomData,
        };
        drop(C::spawn(evaluator.run(queue)));
        let activated = Arc::new(watch::Sender::new(*cells.applied.borrow()));
        let served = Arc::new(Served::default());
        drop(C::spawn(host.clone().report_served(served.clone(), activated.subscribe())));
        if activation == Activation::OnApply {
            drop(C::spawn(follow(cells.applied.clone(), activated.clone())));
        }
        let applied = cells.applied.clone();
        Arc::new(Self { host, asks, served, activated, applied, metrics: OnceLock::new() })
    }

    /// What this node serves.
    pub(crate) fn activated(&self) -> watch::Receiver<u64> {
        self.activated.subscribe()
    }

    /// Runs a call on the leader, from any node.
    async fn propose_anywhere(self: Arc<Self>, call: Call, within: Duration, wait: Wait) -> Result<Done, ClusterError> {
        let started = C::now();
        let id = call.id.clone();
        let answer = self.host.at_leader(within, |place, left| {
            let (this, call) = (self.clone(), call.clone());
            async move {
                let answer = match place {
                    Place::Here => this.propose_here(call, left, wait).await,
                    Place::There(node) => this.forward(node, &call, left, wait).await?,
                };
                Ok(match answer {
                    ProposeAnswer::Again(again) => Attempt::Again(again),
                    answer => Attempt::Answer(answer),
                })
            }
        });
        match answer.await? {
            ProposeAnswer::Done { reply, index, laggards } => {
                let left = within.saturating_sub(started.elapsed()).min(APPLIED_WITHIN);
                let mut applied = self.applied.clone();
                // Whoever asks this node next finds its write; a node that is far behind answers all the same.
                drop(C::timeout(left, applied.wait_for(|at| *at >= index)).await);
                let lagging = u32::try_from(laggards.len()).unwrap_or(u32::MAX);
                Ok(Done { reply: reply.into_vec().into(), index, lagging, laggards })
            }
            ProposeAnswer::IdReused => Err(ClusterError::IdReused { id }),
            ProposeAnswer::TooLarge { bytes, limit } => Err(ClusterError::TooLarge { bytes, limit }),
            ProposeAnswer::Broken(why) => Err(ClusterError::Internal(why)),
            ProposeAnswer::Again(again) => Err(ClusterError::Internal(again.why)),
        }
    }

    async fn forward(&self, node: u64, call: &Call, left: Duration, wait: Wait) -> Result<ProposeAnswer, ClusterError> {
        let malformed = |cause: &dyn std::fmt::Display| ClusterError::Malformed(cause.to_string());
        let frame = ProposeAsk::of(call, left, wait).encode().map_err(|cause| malformed(&cause))?;
        match self.host.transport.call(node, kind::PROPOSE, self.host.group, frame, left).await {
            Ok(answer) => ProposeAnswer::decode(&answer).map_err(|cause| malformed(&cause)),
            Err(cause) => Ok(ProposeAnswer::Again(again(cause))),
        }
    }

    /// The leader's side: the evaluator's verdict, then the nodes that are to serve it.
    async fn propose_here(&self, call: Call, within: Duration, wait: Wait) -> ProposeAnswer {
        if self.host.leader() != Some(Place::Here) {
            return ProposeAnswer::Again(self.host.elsewhere("this node does not lead"));
        }
        let began = C::now();
        let (answer, verdict) = oneshot::channel();
        if self.asks.send(Ask { call, answer, again: 0 }).await.is_err() {
            return ProposeAnswer::Again(again("the evaluator has stopped"));
        }
        let verdict = match C::timeout(within, verdict).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(_)) => Verdict::Again("the evaluator has stopped".into()),
            Err(_) => Verdict::Again("the change was not committed in time".into()),
        };
        if let Some(metrics) = self.metrics.get() {
            match &verdict {
                Verdict::Again(_) => drop(metrics.tried_again.inc()),
                _ => metrics.commit_seconds.observe(began.elapsed().as_secs_f64()),
            }
        }
        match verdict {
            Verdict::Done { reply, index, touches_serving } => {
                let at_most = match wait {
                    Wait::Auto if touches_serving => SERVED_WITHIN,
                    Wait::All { at_most } => at_most,
                    Wait::Auto | Wait::Quorum => Duration::ZERO,
                };
                let laggards = self.wait_served(index, at_most).await;
                ProposeAnswer::Done { reply: ByteBuf::from(reply.to_vec()), index, laggards }
            }
            Verdict::Again(why) => ProposeAnswer::Again(self.host.elsewhere(why)),
            Verdict::IdReused => ProposeAnswer::IdReused,
            Verdict::TooLarge { bytes, limit } => ProposeAnswer::TooLarge { bytes, limit },
            Verdict::Broken(why) => ProposeAnswer::Broken(why),
        }
    }

    async fn wait_served(&self, index: u64, at_most: Duration) -> Vec<u64> {
        if at_most.is_zero() {
            return Vec::new();
        }
        self.host.wait_served(&self.served, index, at_most).await
    }

    async fn answer(self: Arc<Self>, from: u64, kind: u8, body: Bytes) -> Result<Bytes, String> {
        let words = |cause: &dyn std::fmt::Display| cause.to_string();
        if let Some(answer) = self.host.protocol.call(from, kind, &body).await {
            return answer;
        }
        let answer = match kind {
            kind::PROPOSE => {
                let (call, within, wait) = ProposeAsk::decode(&body).map_err(|cause| words(&cause))?.into_parts();
                self.propose_here(call, within, wait).await.encode()
            }
            kind::READ_INDEX => self.host.answer_read().await.encode(),
            kind::MEMBERSHIP => {
                let ask = MemberAsk::decode(&body).map_err(|cause| words(&cause))?;
                self.host.answer_change(ask).await.encode()
            }
            kind::ACTIVATED => {
                let report = Activated::decode(&body).map_err(|cause| words(&cause))?;
                self.served.note(from, report.index);
                Ok(Bytes::new())
            }
            other => return Err(format!("kind {other} is not for a group")),
        };
        answer.map_err(|cause| words(&cause))
    }
}

/// What is applied is served.
async fn follow(mut applied: watch::Receiver<u64>, activated: Arc<watch::Sender<u64>>) {
    loop {
        let index = *applied.borrow_and_update();
        activated.send_if_modified(|at| std::mem::replace(at, index) != index);
        if applied.changed().await.is_err() {
            return;
        }
    }
}

impl<C: Types> Receive for ConfigHost<C> {
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
pub(crate) struct ConfigShare<C: Types>(pub(crate) Arc<ConfigHost<C>>);

impl<C: Types> GroupCore for ConfigShare<C> {
    fn status(&self) -> GroupStatus {
        self.0.host.status(&self.0.served.all())
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

impl<C: Types> ConfigCore for ConfigShare<C> {
    fn propose(&self, call: Call, within: Duration, wait: Wait) -> BoxFuture<Result<Done, ClusterError>> {
        Box::pin(self.0.clone().propose_anywhere(call, within, wait))
    }

    fn measure(&self, metrics: ClusterMetrics) {
        // The first caller's are kept.
        drop(self.0.metrics.set(metrics));
    }

    fn activate(&self, index: u64) {
        self.0.activated.send_if_modified(|at| {
            let higher = index > *at;
            *at = index.max(*at);
            higher
        });
    }
}
