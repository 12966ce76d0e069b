//! Round trips as choices need them: a rise counts at once, a fall is believed slowly.

use std::time::Duration;

/// How fast an old peak is forgotten.
const DECAY_MS: f64 = 10_000.0;

/// A peak-biased moving estimate (replication §3.3). Times are ms of any steady clock.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Estimate {
    ms: f64,
    at_ms: u64,
    known: bool,
}

impl Estimate {
    /// Takes a measured round trip in.
    pub(super) fn observe(&mut self, rtt: Duration, now_ms: u64) {
        let sample = rtt.as_secs_f64() * 1000.0;
        if !self.known || sample >= self.ms {
            self.ms = sample;
        } else {
            let age = now_ms.saturating_sub(self.at_ms) as f64;
            self.ms = sample + (self.ms - sample) * (-age / DECAY_MS).exp();
        }
        (self.at_ms, self.known) = (now_ms, true);
    }

    /// The estimate in ms; `None` before the first measurement.
    pub(super) fn ms(&self) -> Option<f64> {
        self.known.then_some(self.ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_counts_at_once_and_fades_with_ten_seconds() {
        let mut e = Estimate::default();
        assert_eq!(e.ms(), None);
        e.observe(Duration::from_millis(80), 0);
        e.observe(Duration::from_millis(200), 1_000);
        assert_eq!(e.ms(), Some(200.0));
        e.observe(Duration::from_millis(80), 11_000);
        let after = e.ms().unwrap();
        assert!((after - (80.0 + 120.0 / std::f64::consts::E)).abs() < 0.01, "{after}");
        for s in 12..80 {
            e.observe(Duration::from_millis(80), s * 1000);
        }
        assert!(e.ms().unwrap() < 81.0);
    }
}
