//! The timeout of idle connections: one tick for all of a worker's instead of a timer set and cleared per request.
//!
//! hyper sets it anew before every head, and nearly always clears it unused. Kept here it costs a slot in a list; the
//! price is that it may fire up to [`TICK`] late.

use hyper::rt::{Sleep, Timer};
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// How late a timeout may be.
const TICK: Duration = Duration::from_secs(1);

/// hyper's timer on a worker. What it makes must be polled and dropped on the thread that polled it first.
#[derive(Debug, Clone, Copy)]
pub(super) struct CoarseTimer;

impl Timer for CoarseTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(CoarseSleep { deadline, place: None })
    }
}

/// Where a sleep waits: its slot, and the number that tells it from others that had the slot.
#[derive(Debug, Clone, Copy)]
struct Place {
    slot: usize,
    number: u64,
}

#[derive(Debug)]
struct CoarseSleep {
    deadline: Instant,
    place: Option<Place>,
}

impl Sleep for CoarseSleep {}

impl Future for CoarseSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(place) = self.place {
            if Instant::now() >= self.deadline {
                return Poll::Ready(());
            }
            WAITING.with_borrow_mut(|waiting| waiting.follow(place, cx.waker()));
        } else {
            let (deadline, waker) = (self.deadline, cx.waker().clone());
            self.place = Some(WAITING.with_borrow_mut(|waiting| waiting.add(deadline, waker)));
        }
        Poll::Pending
    }
}

impl Drop for CoarseSleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            // While the thread ends its list may be gone already.
            let _ = WAITING.try_with(|waiting| waiting.try_borrow_mut().map(|mut list| list.remove(place)));
        }
    }
}

#[derive(Debug)]
struct Slot {
    number: u64,
    deadline: Instant,
    waker: Waker,
}

#[derive(Debug)]
struct Waiting {
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    next: u64,
    ticking: bool,
}

thread_local! {
    static WAITING: RefCell<Waiting> = RefCell::new(Waiting::new());
}

impl Waiting {
    fn new() -> Self {
        // Numbers of two threads never meet: a sleep that strays to another thread finds nothing of its own there.
        static THREADS: AtomicU64 = AtomicU64::new(0);
        let next = THREADS.fetch_add(1, Ordering::Relaxed) << 48;
        Self { slots: Vec::new(), free: Vec::new(), next, ticking: false }
    }

    fn add(&mut self, deadline: Instant, waker: Waker) -> Place {
        self.next += 1;
        let number = self.next;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(Slot { number, deadline, waker });
        if !std::mem::replace(&mut self.ticking, true) {
            tokio::task::spawn_local(tick());
        }
        Place { slot, number }
    }

    fn own(&mut self, place: Place) -> Option<&mut Option<Slot>> {
        self.slots.get_mut(place.slot).filter(|slot| slot.as_ref().is_some_and(|held| held.number == place.number))
    }

    fn follow(&mut self, place: Place, waker: &Waker) {
        if let Some(Some(slot)) = self.own(place)
            && !slot.waker.will_wake(waker)
        {
            slot.waker.clone_from(waker);
        }
    }

    fn remove(&mut self, place: Place) {
        if let Some(slot) = self.own(place) {
            *slot = None;
            self.free.push(place.slot);
        }
    }

    /// Wakes whose time is over; tells when to look again, `None` when nobody waits.
    fn look(&mut self, now: Instant) -> Option<Duration> {
        let mut next = None;
        for slot in self.slots.iter().flatten() {
            let left = slot.deadline.saturating_duration_since(now);
            if left.is_zero() {
                slot.waker.wake_by_ref();
            }
            // One that is due is removed by whom it woke; were it not, the next tick wakes it again.
            let left = if left.is_zero() { TICK } else { left.min(TICK) };
            next = Some(next.map_or(left, |least: Duration| least.min(left)));
        }
        self.ticking = next.is_some();
        next
    }
}

async fn tick() {
    while let Some(wait) = WAITING.with_borrow_mut(|waiting| waiting.look(Instant::now())) {
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::LocalSet;

    fn waiting() -> usize {
        WAITING.with_borrow(|waiting| waiting.slots.iter().flatten().count())
    }

    #[tokio::test]
    async fn sleeps_end_in_their_order_and_leave_nothing_behind() {
        let work = async {
            let began = Instant::now();
            let [short, long] = [20, 60].map(|ms| CoarseTimer.sleep(Duration::from_millis(ms)));
            let unused = tokio::task::spawn_local(CoarseTimer.sleep(Duration::from_secs(3600)));
            short.await;
            assert!(began.elapsed() >= Duration::from_millis(20));
            long.await;
            assert!(began.elapsed() >= Duration::from_millis(60));
            assert!(began.elapsed() < TICK * 2, "{:?}", began.elapsed());
            assert_eq!(waiting(), 1, "the one that nobody waited for");
            unused.abort();
            assert!(unused.await.is_err());
            assert_eq!(waiting(), 0);
        };
        LocalSet::new().run_until(work).await;
    }

    #[test]
    fn a_slot_that_changed_hands_is_not_touched_by_its_former_owner() {
        let mut waiting = Waiting { ticking: true, ..Waiting::new() };
        let at = Instant::now() + TICK;
        let first = waiting.add(at, Waker::noop().clone());
        waiting.remove(first);
        let second = waiting.add(at, Waker::noop().clone());
        assert_eq!(first.slot, second.slot);
        waiting.remove(first);
        assert!(waiting.own(second).is_some());
        assert!(waiting.look(Instant::now()).is_some_and(|wait| wait <= TICK));
        waiting.remove(second);
        assert_eq!(waiting.look(Instant::now()), None);
        assert!(!waiting.ticking);
    }
}
