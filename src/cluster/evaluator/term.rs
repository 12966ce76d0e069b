//! From term to term: the evaluator's task.

use super::lane::{Lane, Over};
use super::{Ask, Confirm, Nature, Verdict};
use crate::cluster::Evaluate;
use crate::cluster::store::StateStore;
use crate::cluster::types::Types;
use crate::state::World;
use arc_swap::ArcSwap;
use openraft::{
    Raft, ServerState,
    async_runtime::{Select2, WatchReceiver},
    type_config::TypeConfigExt,
};
use std::{marker::PhantomData, sync::Arc};
use tokio::sync::mpsc;

/// What the evaluator works with.
pub(crate) struct Evaluator<C: Types> {
    pub(crate) raft: Raft<C, StateStore>,
    pub(crate) world: Arc<ArcSwap<World>>,
    pub(crate) evaluate: Arc<dyn Evaluate>,
    pub(crate) nature: Arc<dyn Nature>,
    pub(crate) confirm: Confirm,
    pub(crate) types: PhantomData<C>,
}

impl<C: Types> Evaluator<C> {
    /// The term in which this node leads and whose first entry is applied: only then is the applied World the tip.
    fn leading(&self) -> Option<u64> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let term = metrics.current_term;
        let applied = metrics.last_applied.is_some_and(|applied| applied.leader_id.term == term);
        (metrics.state == ServerState::Leader && metrics.vote.committed && applied).then_some(term)
    }

    /// Runs until nobody can ask any more.
    pub(crate) async fn run(self, mut asks: mpsc::Receiver<Ask>) {
        let evaluator = Arc::new(self);
        let mut metrics = evaluator.raft.metrics();
        loop {
            if let Some(term) = evaluator.leading() {
                match Lane::new(evaluator.clone(), term).run(&mut asks).await {
                    Over::Term => {}
                    Over::Closed => return,
                }
            }
            match C::select2(metrics.changed(), asks.recv()).await {
                Select2::First(Ok(())) => {}
                Select2::First(Err(_)) | Select2::Second(None) => return,
                Select2::Second(Some(ask)) => {
                    let leads = metrics.borrow_watched().state == ServerState::Leader;
                    let why = if leads { "the leader is settling in" } else { "this node does not lead" };
                    drop(ask.answer.send(Verdict::Again(why.into())));
                }
            }
        }
    }
}
