//! Which process runs a call: warm ones by key, new ones within the node's concurrency and memory, else a waiting line.
//!
//! ```text
//! acquire ─ reserved? ─ warm? ─────────────────▶ Warm
//!              │          └ room? ─────────────▶ Cold (a Place)
//!              │               └ idle ones of others end ─┐
//!              └──────────────────────────────────────────┴ line, in order ─ something is given back ─▶ again
//! ```

use super::call::Refused;
use super::fault::{Failure, refused, throttled};
use super::options::{HostOptions, Ready};
use super::process::Process;
use crate::observe::function::FunctionMetrics;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Starts that fail one after the other before the next one has to wait.
const FREE_FAILURES: u32 = 3;
/// What it waits for then, doubled with each further failure.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// Failures and retired keys are remembered so long: longer than any invocation takes.
const FORGET: Duration = Duration::from_secs(16 * 60);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Who runs a call.
pub(super) enum Lease {
    /// A process that waits for it.
    Warm(Arc<Process>),
    /// A new one, in this place.
    Cold(Place),
    /// None for now: starts fail, the last one so.
    Failing(Failure),
}

/// Room for one process; given back when dropped, which is when nothing is left of it.
#[derive(Debug)]
pub(super) struct Place {
    pool: Weak<Pool>,
    memory_mib: u64,
    /// Whether it counts as leaving.
    leaving: Arc<AtomicBool>,
}

impl Place {
    /// The mark that its process is at its end; changed by the pool alone.
    pub(super) fn leaving(&self) -> Arc<AtomicBool> {
        self.leaving.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            let mut state = pool.state();
            state.vacate(self);
            pool.empty.notify_waiters();
            pool.pump(&mut state);
        }
    }
}

#[derive(Debug, Default)]
struct Shelf {
    /// Those that wait, the last used at the end.
    idle: Vec<Arc<Process>>,
    failures: u32,
    /// The last start that failed, when, and until when no other is tried.
    failed: Option<(Failure, Instant, Instant)>,
}

struct Waiter {
    ready: Arc<Ready>,
    give: oneshot::Sender<Lease>,
}

#[derive(Default)]
struct State {
    shelves: HashMap<Box<str>, Shelf>,
    /// The key that is in use, by function and version.
    current: HashMap<String, Box<str>>,
    live: usize,
    memory_mib: u64,
    /// Of these, what is at its end already.
    leaving: usize,
    leaving_mib: u64,
    line: VecDeque<Waiter>,
    /// Keys whose processes take no more calls.
    retired: HashMap<Box<str>, Instant>,
    closed: bool,
}

impl State {
    fn vacate(&mut self, place: &Place) {
        self.live -= 1;
        self.memory_mib -= place.memory_mib;
        if place.leaving.load(Ordering::Relaxed) {
            self.leaving -= 1;
            self.leaving_mib -= place.memory_mib;
        }
    }
}

/// All processes of a node.
pub(super) struct Pool {
    state: Mutex<State>,
    own: Weak<Pool>,
    memory_mib: u64,
    concurrency: usize,
    waiting: usize,
    idle: Duration,
    metrics: FunctionMetrics,
    /// Rings when a place was given back.
    empty: tokio::sync::Notify,
}

impl Pool {
    pub(super) fn new(options: &HostOptions, metrics: FunctionMetrics) -> Arc<Pool> {
        Arc::new_cyclic(|own| Pool {
            state: Mutex::default(),
            own: own.clone(),
            memory_mib: options.memory_mib,
            concurrency: options.concurrency,
            waiting: options.waiting,
            idle: options.idle,
            metrics,
            empty: tokio::sync::Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process for a call, waited for in line until `until`.
    ///
    /// # Errors
    /// `TooManyRequestsException`: none was free in time, none may ever be, or too many wait.
    pub(super) async fn acquire(&self, ready: &Arc<Ready>, until: Instant) -> Result<Lease, Refused> {
        let waiting = {
            let mut state = self.state();
            let fits = u64::from(ready.deployed.memory_mb) <= self.memory_mib;
            if state.closed || !fits {
                self.metrics.throttles.inc();
                return Err(if fits { throttled() } else { self.never_fits(ready) });
            }
            self.replace(&mut state, ready);
            // Who came before goes before.
            let others = state
                .line
                .iter()
                .any(|waiter| waiter.ready.deployed.key == ready.deployed.key && !waiter.give.is_closed());
            if !others && let Some(lease) = self.grant(&mut state, ready) {
                self.measure(&state);
                return Ok(lease);
            }
            if state.line.len() >= self.waiting {
                state.line.retain(|waiter| !waiter.give.is_closed());
            }
            if state.line.len() >= self.waiting {
                self.metrics.throttles.inc();
                return Err(throttled());
            }
            let (give, waiting) = oneshot::channel();
            state.line.push_back(Waiter { ready: ready.clone(), give });
            self.measure(&state);
            waiting
        };
        match tokio::time::timeout_at(until.into(), waiting).await {
            Ok(Ok(lease)) => Ok(lease),
            Ok(Err(_)) | Err(_) => {
                self.metrics.throttles.inc();
                Err(throttled())
            }
        }
    }

    fn never_fits(&self, ready: &Ready) -> Refused {
        let (needs, has) = (ready.deployed.memory_mb, self.memory_mib);
        let said = format!(
            "The function needs {needs} MB and this node gives its functions {has}: raise memory_mib in [functions]"
        );
        refused(429, "TooManyRequestsException", said)
    }

    /// Processes of an older revision take no more calls.
    fn replace(&self, state: &mut State, ready: &Ready) {
        match state.current.insert(ready.version(), ready.deployed.key.clone()) {
            Some(older) if older != ready.deployed.key => self.end_idle(state, &older),
            _ => {}
        }
    }

    fn end_idle(&self, state: &mut State, key: &str) {
        if let Some(shelf) = state.shelves.remove(key) {
            for process in shelf.idle {
                leave(state, &process);
            }
        }
    }

    /// What can be given for a call right now.
    fn grant(&self, state: &mut State, ready: &Arc<Ready>) -> Option<Lease> {
        let shelf = state.shelves.entry(ready.deployed.key.clone()).or_default();
        while let Some(process) = shelf.idle.pop() {
            if !process.is_dead() {
                return Some(Lease::Warm(process));
            }
        }
        if let Some((failure, _, until)) = shelf.failed.as_ref().filter(|(_, _, until)| Instant::now() < *until) {
            tracing::debug!(function = &*ready.deployed.name, ?until, "its starts fail: no other is tried for now");
            return Some(Lease::Failing(failure.clone()));
        }
        let needs = u64::from(ready.deployed.memory_mb);
        while state.live - state.leaving >= self.concurrency
            || state.memory_mib - state.leaving_mib + needs > self.memory_mib
        {
            // What leaves makes room in a moment; until then the call waits.
            let oldest = state.shelves.values().flat_map(|shelf| &shelf.idle).min_by_key(|process| idle_since(process));
            let oldest = oldest.cloned()?;
            state.shelves.values_mut().for_each(|shelf| shelf.idle.retain(|process| !Arc::ptr_eq(process, &oldest)));
            leave(state, &oldest);
        }
        if state.live >= self.concurrency || state.memory_mib + needs > self.memory_mib {
            return None;
        }
        state.live += 1;
        state.memory_mib += needs;
        Some(Lease::Cold(Place { pool: self.own.clone(), memory_mib: needs, leaving: Arc::default() }))
    }

    /// Gives to those in line what can be given, in order.
    fn pump(&self, state: &mut State) {
        let mut in_vain: HashSet<Box<str>> = HashSet::new();
        let mut line = std::mem::take(&mut state.line);
        let mut left = VecDeque::with_capacity(line.len());
        while let Some(waiter) = line.pop_front() {
            if waiter.give.is_closed() {
                continue;
            }
            if state.closed || in_vain.contains(&waiter.ready.deployed.key) {
                left.push_back(waiter);
                continue;
            }
            match self.grant(state, &waiter.ready) {
                Some(lease) => {
                    if let Err(lease) = waiter.give.send(lease) {
                        // It left just now; what was meant for it comes back, without this lock.
                        self.return_lease(state, lease);
                    }
                }
                None => {
                    in_vain.insert(waiter.ready.deployed.key.clone());
                    left.push_back(waiter);
                }
            }
        }
        state.line = left;
        self.measure(state);
    }

    /// Undoes a grant under the lock, which dropping it would take again.
    fn return_lease(&self, state: &mut State, lease: Lease) {
        match lease {
            Lease::Warm(process) => shelve(state, process),
            Lease::Cold(mut place) => {
                state.vacate(&place);
                place.pool = Weak::new();
            }
            Lease::Failing(_) => {}
        }
    }

    /// A process ended an invocation and waits for the next.
    pub(super) fn give_back(&self, process: Arc<Process>) {
        let mut state = self.state();
        let deployed = &process.ready.deployed;
        let stale = state.current.get(&process.ready.version()).is_some_and(|key| *key != deployed.key);
        if let Some(shelf) = state.shelves.get_mut(&deployed.key) {
            shelf.failures = 0;
            shelf.failed = None;
        }
        let retired = state.retired.contains_key(&deployed.key);
        if state.closed || stale || retired || process.leaving.load(Ordering::Relaxed) {
            leave(&mut state, &process);
        } else {
            shelve(&mut state, process);
        }
        self.pump(&mut state);
    }

    /// A process at its end counts as leaving until it is gone.
    pub(super) fn give_up(&self, process: &Process) {
        leave(&mut self.state(), process);
    }

    /// A start failed: after some in a row the next one waits.
    pub(super) fn start_failed(&self, ready: &Ready, failure: &Failure) {
        let mut state = self.state();
        let shelf = state.shelves.entry(ready.deployed.key.clone()).or_default();
        shelf.failures = shelf.failures.saturating_add(1);
        let wait = shelf
            .failures
            .checked_sub(FREE_FAILURES)
            .map_or(Duration::ZERO, |further| FIRST_WAIT.saturating_mul(1 << further.min(10)).min(LONGEST_WAIT));
        let now = Instant::now();
        shelf.failed = Some((failure.clone(), now, now + wait));
        self.pump(&mut state);
    }

    /// Ends all processes of a key: those that run an invocation, after it.
    pub(super) fn retire(&self, key: &str) {
        let mut state = self.state();
        self.end_idle(&mut state, key);
        state.current.retain(|_, current| &**current != key);
        state.retired.insert(key.into(), Instant::now());
        self.measure(&state);
    }

    /// Ends processes that nobody called for long, and forgets what is dead.
    pub(super) fn sweep(&self) {
        let mut state = self.state();
        let mut gone = Vec::new();
        for shelf in state.shelves.values_mut() {
            shelf.idle.retain(|process| {
                let old = idle_since(process).elapsed() >= self.idle;
                if old {
                    gone.push(process.clone());
                }
                !old && !process.is_dead()
            });
        }
        for process in &gone {
            leave(&mut state, process);
        }
        let recent = |at: &Instant| at.elapsed() < FORGET;
        state
            .shelves
            .retain(|_, shelf| !shelf.idle.is_empty() || shelf.failed.as_ref().is_some_and(|(_, at, _)| recent(at)));
        state.retired.retain(|_, at| recent(at));
        let kept: HashSet<Box<str>> = state.shelves.keys().cloned().collect();
        state.current.retain(|_, key| kept.contains(key));
        self.pump(&mut state);
    }

    /// Takes no more calls and ends idle processes; returns when all are gone, or `patience` is over.
    pub(super) async fn close(&self, patience: Duration) -> bool {
        {
            let mut state = self.state();
            state.closed = true;
            state.line.clear();
            let keys: Vec<Box<str>> = state.shelves.keys().cloned().collect();
            for key in keys {
                self.end_idle(&mut state, &key);
            }
        }
        let gone = async {
            loop {
                let rung = self.empty.notified();
                tokio::pin!(rung);
                rung.as_mut().enable();
                if self.state().live == 0 {
                    return;
                }
                rung.await;
            }
        };
        tokio::time::timeout(patience, gone).await.is_ok()
    }

    fn measure(&self, state: &State) {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.metrics.processes.set(count(state.live));
        self.metrics.idle.set(count(state.shelves.values().map(|shelf| shelf.idle.len()).sum()));
        self.metrics.waiting.set(count(state.line.len()));
        self.metrics.memory_mib.set(i64::try_from(state.memory_mib).unwrap_or(i64::MAX));
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("live", &self.state().live).finish_non_exhaustive()
    }
}

fn idle_since(process: &Process) -> Instant {
    *process.idle_since.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shelve(state: &mut State, process: Arc<Process>) {
    *process.idle_since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    let key = process.ready.deployed.key.clone();
    state.shelves.entry(key).or_default().idle.push(process);
}

/// Ends a process; its place counts as leaving until it is gone. Once for each.
fn leave(state: &mut State, process: &Process) {
    // Whoever is gone has given its place back, or does so when this lock is free.
    if !process.is_gone() && !process.leaving.swap(true, Ordering::Relaxed) {
        state.leaving += 1;
        state.leaving_mib += u64::from(process.ready.deployed.memory_mb);
    }
    process.end();
}
