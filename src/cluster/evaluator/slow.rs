//! Slow operations run beside the lane on a pinned tip, and again where one of their scopes moved meanwhile.

use super::{Ask, Nature};
use crate::cluster::{Evaluate, Evaluated, Stamp};
use crate::state::{Op, Scope, World};
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::mpsc;

/// How often an operation runs beside the lane before it runs in it.
pub(super) const TRIES: u32 = 2;

/// An operation that ran beside the lane.
pub(super) struct Ran {
    pub(super) ask: Ask,
    pub(super) stamp: Stamp,
    pub(super) scopes: Vec<Scope>,
    /// The count of Changes in the World that it saw.
    pub(super) seen: u64,
    pub(super) tries: u32,
    /// `None`: it panicked.
    pub(super) evaluated: Option<Evaluated>,
}

/// The operations beside one lane, and which scopes moved while they ran.
pub(super) struct Beside {
    sender: mpsc::UnboundedSender<Ran>,
    pub(super) receiver: mpsc::UnboundedReceiver<Ran>,
    running: usize,
    moves: VecDeque<(u64, Scope)>,
}

/// Runs one operation; a panic in it is its own affair.
pub(super) fn run_one(evaluate: &dyn Evaluate, ask: &Ask, world: &World, stamp: &Stamp) -> Option<Evaluated> {
    let run = || evaluate.evaluate(&ask.call, world, stamp);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).ok()
}

impl Beside {
    pub(super) fn new() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { sender, receiver, running: 0, moves: VecDeque::new() }
    }

    /// Starts an operation on a World that stays as it is.
    pub(super) fn start(
        &mut self,
        nature: &dyn Nature,
        evaluate: Arc<dyn Evaluate>,
        world: World,
        ask: Ask,
        scopes: Vec<Scope>,
        (stamp, tries): (Stamp, u32),
    ) {
        self.running += 1;
        let sender = self.sender.clone();
        nature.beside(Box::new(move || {
            let evaluated = run_one(&*evaluate, &ask, &world, &stamp);
            // A lane that ended has answered that the call may be tried again.
            drop(sender.send(Ran { ask, stamp, scopes, seen: world.seq(), tries: tries + 1, evaluated }));
        }));
    }

    /// Notes the scopes that a Change touches.
    pub(super) fn moved(&mut self, seq: u64, ops: &[Op]) {
        if self.running > 0 {
            self.moves.extend(ops.iter().map(|op| (seq, scope_of(op).clone())));
        }
    }

    /// Takes an operation back: whether what it saw still holds.
    pub(super) fn finished(&mut self, ran: &Ran) -> bool {
        let stale = self.moves.iter().any(|(seq, scope)| *seq > ran.seen && ran.scopes.contains(scope));
        self.running -= 1;
        if self.running == 0 {
            self.moves.clear();
        }
        !stale
    }
}

fn scope_of(op: &Op) -> &Scope {
    match op {
        Op::Put { scope, .. }
        | Op::Drop { scope, .. }
        | Op::DropScope { scope }
        | Op::Freeze { scope, .. }
        | Op::Thaw { scope, .. } => scope,
    }
}
