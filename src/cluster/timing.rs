//! Heartbeats and elections from measured round trips (foundations §4.6).

use std::time::Duration;

/// How long a group waits for what. All whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Between two heartbeats of a leader.
    pub heartbeat: Duration,
    /// The shortest silence after which a follower stands for election, beyond the lease.
    pub election_min: Duration,
    /// The longest; also the lease during which nobody stands against a leader that was heard.
    pub election_max: Duration,
}

const HEARTBEAT_FLOOR_MS: u64 = 100;

impl Timing {
    /// For the largest round trip between voters: `heartbeat = max(100 ms, 1.5 × RTT + 50)`,
    /// `election_min = max(5 × heartbeat, 10 × RTT)`, `election_max = 1.5 × election_min`.
    #[must_use]
    pub fn of(largest_round_trip: Duration) -> Self {
        let rtt_ms = u64::try_from(largest_round_trip.as_micros().div_ceil(1000)).unwrap_or(60_000).min(60_000);
        let heartbeat_ms = (rtt_ms * 3 / 2 + 50).max(HEARTBEAT_FLOOR_MS);
        let min_ms = (5 * heartbeat_ms).max(10 * rtt_ms);
        Self {
            heartbeat: Duration::from_millis(heartbeat_ms),
            election_min: Duration::from_millis(min_ms),
            election_max: Duration::from_millis(min_ms * 3 / 2),
        }
    }

    /// When a member that has not answered counts as gone.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.election_max
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::of(Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(timing: Timing) -> (u128, u128, u128) {
        (timing.heartbeat.as_millis(), timing.election_min.as_millis(), timing.election_max.as_millis())
    }

    #[test]
    fn the_table_of_profiles_comes_out() {
        assert_eq!(ms(Timing::of(Duration::from_millis(2))), (100, 500, 750));
        assert_eq!(ms(Timing::of(Duration::from_millis(80))), (170, 850, 1275));
        assert_eq!(ms(Timing::of(Duration::from_millis(300))), (500, 3000, 4500));
    }

    #[test]
    fn a_nonsensical_round_trip_is_bounded() {
        assert_eq!(Timing::of(Duration::MAX).election_min.as_millis(), 600_000);
        assert_eq!(ms(Timing::default()), (100, 500, 750));
    }
}
