//! Idle connections, a list of them per worker and backend, and who looks after them.
//!
//! A connection of our own client has no task that would see its backend close it: whoever takes it looks first, and a
//! task per worker looks at all of them every second, or when calls of another worker wait for their places.

use super::gate;
use super::raw::Conn;
use super::target::Target;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How often idle connections are looked at.
const TICK: Duration = Duration::from_secs(1);

/// What a pool's idle connections have in common.
#[derive(Debug)]
pub(super) struct Rules {
    /// How long one is kept.
    pub(super) idle: Duration,
    /// How many are kept for a backend and worker.
    pub(super) most: usize,
    /// How many there are now, on all workers.
    pub(super) count: AtomicUsize,
}

/// The pool that a connection belongs to and its backend: what brings it back to the right list.
#[derive(Debug, Clone)]
pub(super) struct Home(pub(super) Arc<Rules>, pub(super) Target);

struct Idle {
    conn: Conn,
    since: Instant,
}

impl Idle {
    fn is_good(&mut self, cx: &mut Context<'_>) -> bool {
        self.since.elapsed() <= self.conn.home().0.idle && self.conn.is_quiet(cx)
    }
}

#[derive(Default)]
struct Shelf {
    /// By backend; pools are told apart within.
    lists: HashMap<Target, Vec<Idle>>,
    tended: bool,
}

thread_local! {
    static SHELF: RefCell<Shelf> = RefCell::default();
}

/// Wakes the workers' tasks.
static BELLS: Mutex<Vec<Weak<Notify>>> = Mutex::new(Vec::new());

/// An idle connection to this backend that is still good.
pub(super) fn take(rules: &Arc<Rules>, target: &Target, cx: &mut Context<'_>) -> Option<Conn> {
    SHELF.with_borrow_mut(|shelf| {
        let list = shelf.lists.get_mut(target)?;
        while let Some(at) = list.iter().rposition(|idle| Arc::ptr_eq(&idle.conn.home().0, rules)) {
            let mut idle = list.remove(at);
            rules.count.fetch_sub(1, Ordering::Relaxed);
            if idle.is_good(cx) {
                return Some(idle.conn);
            }
        }
        None
    })
}

/// Takes a connection back after a clean exchange: who waits for it gets it, else it becomes idle.
pub(super) fn give_back(conn: Conn) {
    let Some(conn) = gate::offer(conn) else { return };
    let Home(rules, target) = conn.home().clone();
    // While the thread ends its lists may be gone already; the connection then closes.
    let _ = SHELF.try_with(|shelf| {
        let Ok(mut shelf) = shelf.try_borrow_mut() else { return None };
        if !std::mem::replace(&mut shelf.tended, true) {
            tokio::task::spawn_local(tend(Tended));
        }
        let list = shelf.lists.entry(target).or_default();
        rules.count.fetch_add(1, Ordering::Relaxed);
        list.push(Idle { conn, since: Instant::now() });
        // The oldest goes; its end may wake others, so it comes after the borrow.
        let surplus = list.len() > rules.most;
        surplus.then(|| {
            rules.count.fetch_sub(1, Ordering::Relaxed);
            list.remove(0)
        })
    });
}

/// Every worker looks whether it has idle connections whose places somebody waits for.
pub(super) fn ring() {
    BELLS.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).for_each(|bell| {
        bell.notify_one();
    });
}

/// Says that nobody tends the shelf, when the task that did is gone with its runtime.
struct Tended;

impl Drop for Tended {
    fn drop(&mut self) {
        let _ = SHELF.try_with(|shelf| shelf.try_borrow_mut().map(|mut shelf| shelf.tended = false));
    }
}

async fn tend(_tended: Tended) {
    let bell = Arc::new(Notify::new());
    {
        let mut bells = BELLS.lock().unwrap_or_else(PoisonError::into_inner);
        bells.retain(|bell| bell.strong_count() > 0);
        bells.push(Arc::downgrade(&bell));
    }
    loop {
        let _ = tokio::time::timeout(TICK, bell.notified()).await;
        if std::future::poll_fn(|cx| Poll::Ready(sweep(cx))).await {
            return;
        }
    }
}

/// Closes what is old, closed or wanted elsewhere; whether nothing is left.
fn sweep(cx: &mut Context<'_>) -> bool {
    let mut gone = Vec::new();
    let empty = SHELF.with_borrow_mut(|shelf| {
        for list in shelf.lists.values_mut() {
            for at in (0..list.len()).rev() {
                let idle = &mut list[at];
                if idle.conn.permit().is_wanted() || !idle.is_good(cx) {
                    idle.conn.home().0.count.fetch_sub(1, Ordering::Relaxed);
                    gone.push(list.remove(at));
                }
            }
        }
        shelf.lists.retain(|_, list| !list.is_empty());
        shelf.lists.is_empty()
    });
    for idle in gone {
        // One that is only wanted may be what somebody here waits for.
        let mut idle = idle;
        if idle.is_good(cx) {
            drop(gate::offer(idle.conn));
        }
    }
    empty
}
