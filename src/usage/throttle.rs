//! A token bucket as GCRA: one word of state, exact for fractional rates, on a clock that never goes back.
//!
//! The state is the theoretical arrival time (TAT) in ticks of 1/64 ns since the process's origin: the bucket is full
//! at `tat ≤ now` and lacks `(tat − now) / interval` tokens otherwise. One compare-and-swap takes a token.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Ticks of a nanosecond: at 10⁹ requests a second an interval is still exact to 1/64.
const TICKS: u64 = 64;
/// Cap of an interval and of a span: a year and more of ticks, so that sums never overflow.
const FOREVER: u64 = 1 << 61;

/// Why numbers make no throttle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadThrottle {
    /// A rate that is no number.
    #[error("the rate limit is not a number")]
    NotANumber,
    /// A rate below zero.
    #[error("the rate limit is negative")]
    Negative,
}

/// Steady rate and burst, ready for use: `rate` tokens a second into a bucket of `burst`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throttle {
    rate: f64,
    burst: u32,
    interval: u64,
    span: u64,
}

impl Throttle {
    /// `rate` may be fractional (0.1: one request in ten seconds) or infinite; a rate or burst of 0 refuses everything.
    /// A burst is worth at most a year of the rate (and at least one token): the state is one 64-bit word.
    pub fn new(rate: f64, burst: u32) -> Result<Self, BadThrottle> {
        if rate.is_nan() {
            return Err(BadThrottle::NotANumber);
        }
        if rate < 0.0 {
            return Err(BadThrottle::Negative);
        }
        let burst = if rate == 0.0 { 0 } else { burst };
        let exact = 1e9 * TICKS as f64 / rate;
        let interval = if exact >= FOREVER as f64 { FOREVER } else { exact.round() as u64 };
        let span = interval.saturating_mul(u64::from(burst)).min(FOREVER);
        Ok(Self { rate, burst, interval, span })
    }

    /// Tokens a second.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Size of the bucket.
    pub fn burst(&self) -> u32 {
        self.burst
    }

    /// A word that differs whenever the settings do, so that a bucket notices a change with one load.
    fn stamp(&self) -> u64 {
        self.rate.to_bits().rotate_left(32).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(self.burst)
    }
}

/// The state of one bucket. `Default` is full.
#[derive(Debug, Default)]
pub struct Gcra {
    tat: AtomicU64,
    stamp: AtomicU64,
    /// The interval that `tat` was computed with; locked only when settings change.
    interval: Mutex<u64>,
}

impl Gcra {
    /// Takes one token at monotonic time `now_ns`; `false` if there is none.
    pub fn take(&self, throttle: &Throttle, now_ns: u64) -> bool {
        if throttle.burst == 0 {
            return false;
        }
        let now = now_ns.saturating_mul(TICKS).min(FOREVER);
        if self.stamp.load(Ordering::Acquire) != throttle.stamp() {
            self.resettle(throttle, now);
        }
        let taken = self.tat.fetch_update(Ordering::AcqRel, Ordering::Acquire, |tat| {
            let next = tat.max(now) + throttle.interval;
            (next - now <= throttle.span).then_some(next)
        });
        taken.is_ok()
    }

    /// Gives back a token that was taken for a request which a later check refused.
    pub fn give_back(&self, throttle: &Throttle) {
        let _ = self
            .tat
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |tat| Some(tat.saturating_sub(throttle.interval)));
    }

    /// Whether the bucket is full at `now_ns`: then it says no more than a new one does and may be dropped.
    pub fn is_full(&self, now_ns: u64) -> bool {
        self.tat.load(Ordering::Acquire) <= now_ns.saturating_mul(TICKS)
    }

    /// New settings: the tokens that were missing stay missing, at the new interval; none are missing beyond a burst.
    fn resettle(&self, throttle: &Throttle, now: u64) {
        let mut interval = self.interval.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.stamp.load(Ordering::Acquire) == throttle.stamp() {
            return;
        }
        let before = *interval;
        if before != 0 && before != throttle.interval {
            let _ = self.tat.fetch_update(Ordering::AcqRel, Ordering::Acquire, |tat| {
                let missing = u128::from(tat.saturating_sub(now));
                let moved = missing * u128::from(throttle.interval) / u128::from(before);
                Some(now + u64::try_from(moved).unwrap_or(FOREVER).min(throttle.span))
            });
        }
        *interval = throttle.interval.max(1);
        self.stamp.store(throttle.stamp(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    fn taken(gcra: &Gcra, throttle: &Throttle, at_ns: u64, tries: u32) -> u32 {
        (0..tries).filter(|_| gcra.take(throttle, at_ns)).count() as u32
    }

    #[test]
    fn the_burst_then_the_rate() {
        // rate, burst, [(at ns, tries, admitted)]
        type Steps = &'static [(u64, u32, u32)];
        let table: &[(f64, u32, Steps)] = &[
            (10.0, 5, &[(0, 9, 5), (SECOND / 10 - 1, 1, 0), (SECOND / 10, 2, 1), (SECOND, 20, 5), (9 * SECOND, 20, 5)]),
            (0.1, 1, &[(0, 2, 1), (9 * SECOND, 1, 0), (10 * SECOND, 2, 1)]),
            (3.0, 3, &[(0, 4, 3), (SECOND, 9, 3), (2 * SECOND, 9, 3)]),
            (10_000.0, 5_000, &[(0, 6_000, 5_000), (SECOND / 100, 200, 100)]),
            (f64::INFINITY, 7, &[(0, 1_000, 1_000)]),
            (0.0, 5, &[(0, 3, 0), (SECOND, 3, 0)]),
            (5.0, 0, &[(0, 3, 0), (SECOND, 3, 0)]),
            (f64::MIN_POSITIVE, 2, &[(0, 5, 1), (1_000 * SECOND, 5, 0)]),
            (f64::MAX, u32::MAX, &[(0, 100, 100)]),
        ];
        for (rate, burst, steps) in table {
            let (throttle, gcra) = (Throttle::new(*rate, *burst).unwrap(), Gcra::default());
            for (at, tries, admitted) in *steps {
                assert_eq!(taken(&gcra, &throttle, *at, *tries), *admitted, "rate {rate} burst {burst} at {at}");
            }
        }
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        assert_eq!(Throttle::new(f64::NAN, 1), Err(BadThrottle::NotANumber));
        assert_eq!(Throttle::new(-0.5, 1), Err(BadThrottle::Negative));
        assert_eq!(Throttle::new(f64::NEG_INFINITY, 1), Err(BadThrottle::Negative));
        assert!(Throttle::new(-0.0, 1).is_ok());
    }

    #[test]
    fn a_token_given_back_can_be_taken_again() {
        let (throttle, gcra) = (Throttle::new(1.0, 3).unwrap(), Gcra::default());
        assert_eq!(taken(&gcra, &throttle, 0, 9), 3);
        gcra.give_back(&throttle);
        assert_eq!(taken(&gcra, &throttle, 0, 9), 1);
    }

    #[test]
    fn changed_settings_keep_the_tokens_that_are_missing() {
        let gcra = Gcra::default();
        let fast = Throttle::new(1_000.0, 10).unwrap();
        assert_eq!(taken(&gcra, &fast, 0, 8), 8);
        let slow = Throttle::new(1.0, 10).unwrap();
        assert_eq!(taken(&gcra, &slow, 0, 9), 2, "eight of ten are gone, at any rate");
        let small = Throttle::new(1.0, 4).unwrap();
        assert_eq!(taken(&gcra, &small, 0, 9), 0);
        assert_eq!(taken(&gcra, &small, SECOND, 9), 0, "ten are missing, four of them in this bucket");
        assert_eq!(taken(&gcra, &fast, 30 * SECOND, 99), 10);
    }

    #[test]
    fn many_threads_never_take_more_than_the_burst() {
        let (throttle, gcra) = (Throttle::new(0.001, 1_000).unwrap(), Gcra::default());
        let total: u32 = std::thread::scope(|scope| {
            let all: Vec<_> = (0..4).map(|_| scope.spawn(|| taken(&gcra, &throttle, 5, 600))).collect();
            all.into_iter().map(|one| one.join().unwrap()).sum()
        });
        assert_eq!(total, 1_000);
    }

    proptest! {
        #[test]
        fn hostile_numbers_never_panic_nor_pass_the_burst(rate in any::<f64>(), burst in any::<u32>(), times in proptest::collection::vec(any::<u64>(), 1..40)) {
            let Ok(throttle) = Throttle::new(rate, burst) else { return Ok(()) };
            let gcra = Gcra::default();
            for at in &times {
                let before = gcra.take(&throttle, *at);
                prop_assert!(!(before && burst == 0));
                gcra.give_back(&throttle);
                let _ = gcra.is_full(*at);
            }
        }

        #[test]
        fn over_any_window_no_more_than_burst_and_rate(rate in 0.05f64..5_000.0, burst in 1u32..50, gaps in proptest::collection::vec(0u64..400_000_000, 1..200)) {
            let (throttle, gcra) = (Throttle::new(rate, burst).unwrap(), Gcra::default());
            let (mut now, mut admitted) = (0u64, 0u64);
            for gap in gaps {
                now += gap;
                admitted += u64::from(gcra.take(&throttle, now));
                let most = f64::from(burst) + rate * now as f64 / 1e9;
                prop_assert!(admitted as f64 <= most + 1e-3 * admitted as f64 + 1e-6, "{admitted} > {most}");
            }
        }
    }
}
