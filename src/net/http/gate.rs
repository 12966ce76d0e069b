//! How many connections a backend has on this node, and who waits for one.
//!
//! Workers share a gate. Only opening, closing and waiting take its lock: a visit that finds an idle connection of its own
//! worker asks nothing. Who waits is served in order. A connection that becomes free goes to the first in line where
//! that one is on the same worker; elsewhere it is closed, and its place goes there.

use super::raw::Conn;
use super::target::Target;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::ThreadId;
use tokio::sync::oneshot;

/// A place among a backend's connections; dropping it gives it to the next in line.
#[derive(Debug)]
pub(super) struct Permit(Option<Arc<Gate>>);

/// What the next in line is given.
#[derive(Debug)]
pub(super) enum Given {
    /// A place for a connection of its own.
    Place(Permit),
    /// A connection that has one.
    Conn(Box<Conn>),
}

#[derive(Debug)]
struct Waiter {
    /// The worker whose connections it can take.
    thread: ThreadId,
    give: oneshot::Sender<Given>,
}

#[derive(Debug, Default)]
struct State {
    open: usize,
    line: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Gate {
    most: usize,
    state: Mutex<State>,
    /// The length of the line, so that a connection that nobody waits for takes no lock.
    waiting: AtomicUsize,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first in line; where there is none, `leaving` frees a place.
    fn next(&self, leaving: bool) -> Option<Waiter> {
        let mut state = self.lock();
        let next = state.line.pop_front();
        self.waiting.store(state.line.len(), Ordering::Relaxed);
        if leaving && next.is_none() {
            state.open -= 1;
        }
        next
    }

    /// A place, or a place in line; `None` when the line is full.
    fn ask(self: &Arc<Self>, line: usize) -> Option<Asked> {
        let mut state = self.lock();
        // Who went away stands in line until somebody looks.
        if state.line.len() >= line || state.open < self.most {
            state.line.retain(|waiter| !waiter.give.is_closed());
        }
        if state.open < self.most && state.line.is_empty() {
            state.open += 1;
            return Some(Asked::Place(Permit(Some(self.clone()))));
        }
        if state.line.len() >= line {
            return None;
        }
        let (give, given) = oneshot::channel();
        let thread = std::thread::current().id();
        state.line.push_back(Waiter { thread, give });
        self.waiting.store(state.line.len(), Ordering::Relaxed);
        Some(Asked::Line(given))
    }
}

enum Asked {
    Place(Permit),
    Line(oneshot::Receiver<Given>),
}

impl Permit {
    /// Whether somebody waits for this place.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.as_ref().is_some_and(|gate| gate.waiting.load(Ordering::Relaxed) > 0)
    }

    /// Gives it to the first in line that still waits.
    fn pass_on(&mut self) {
        let Some(gate) = self.0.take() else { return };
        while let Some(waiter) = gate.next(true) {
            match waiter.give.send(Given::Place(Permit(Some(gate.clone())))) {
                Ok(()) => return,
                // It went away, and its place must not be given twice.
                Err(Given::Place(mut unwanted)) => unwanted.0 = None,
                Err(Given::Conn(_)) => {}
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.pass_on();
    }
}

/// Gives a free connection to who waits for it, if somebody does; `Some` when nobody did.
pub(super) fn offer(mut conn: Conn) -> Option<Conn> {
    while conn.permit().is_wanted() {
        let gate = conn.permit().0.clone()?;
        let waiter = gate.next(false)?;
        if waiter.thread != std::thread::current().id() {
            // The connection cannot leave its worker; its place can.
            let mut permit = conn.into_permit();
            if let Err(Given::Place(unwanted)) = waiter.give.send(Given::Place(Permit(permit.0.take()))) {
                drop(unwanted);
            }
            return None;
        }
        match waiter.give.send(Given::Conn(Box::new(conn))) {
            Err(Given::Conn(back)) => conn = *back,
            _ => return None,
        }
    }
    Some(conn)
}

/// The gates of a pool's backends.
#[derive(Debug)]
pub(super) struct Gates {
    most: usize,
    line: usize,
    by_target: Mutex<HashMap<Target, Weak<Gate>>>,
}

/// How many connections there are, and how many calls wait for one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) open: usize,
    pub(super) waiting: usize,
}

impl Gates {
    /// At most `most` connections for each backend, and `line` calls that wait for one.
    pub(super) fn new(most: usize, line: usize) -> Gates {
        Gates { most: most.max(1), line, by_target: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Target, Weak<Gate>>> {
        self.by_target.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gate(&self, target: &Target) -> Arc<Gate> {
        let mut gates = self.lock();
        if let Some(gate) = gates.get(target).and_then(Weak::upgrade) {
            return gate;
        }
        if gates.len() == gates.capacity() {
            gates.retain(|_, gate| gate.strong_count() > 0);
        }
        let gate = Arc::new(Gate { most: self.most, state: Mutex::default(), waiting: AtomicUsize::new(0) });
        gates.insert(target.clone(), Arc::downgrade(&gate));
        gate
    }

    /// A place for a new connection, or a free connection of this worker; waits for one as long as it is polled.
    /// `crowded` is called before waiting. `None` at once when too many wait already.
    pub(super) async fn enter(&self, target: &Target, crowded: fn()) -> Option<Given> {
        let given = match self.gate(target).ask(self.line)? {
            Asked::Place(permit) => return Some(Given::Place(permit)),
            Asked::Line(given) => given,
        };
        crowded();
        given.await.ok()
    }

    pub(super) fn counts(&self) -> Counts {
        let gates: Vec<Arc<Gate>> = self.lock().values().filter_map(Weak::upgrade).collect();
        gates.iter().fold(Counts::default(), |sum, gate| {
            let state = gate.lock();
            let waiting = state.line.iter().filter(|waiter| !waiter.give.is_closed()).count();
            Counts { open: sum.open + state.open, waiting: sum.waiting + waiting }
        })
    }
}
