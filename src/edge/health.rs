//! Whether a node may be given visits: probes, errors on the way, ejection. Pure; times are ms of any steady clock.

/// Missed probes in a row that make a node down.
const DOWN_AFTER: u32 = 3;
/// Failures in a row of visits that eject a node.
const EJECT_AFTER: u32 = 5;
const EJECT_MS: u64 = 30_000;
const EJECT_MAX_MS: u64 = 300_000;

/// What a node is to its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// It answers.
    Ok,
    /// It missed a probe, or has been silent where it should have acknowledged: used only where there is no other.
    Suspect,
    /// Three probes missed, or it cannot be connected: not used.
    Down,
    /// It asked for no more visits.
    Draining,
}

/// What is known of a node.
#[derive(Clone, Debug)]
pub(super) struct Health {
    state: NodeState,
    misses: u32,
    failures: u32,
    ejections: u64,
    ejected_until_ms: u64,
    answered_once: bool,
    /// Since when it answers again, after it was down.
    back_since_ms: Option<u64>,
}

impl Default for Health {
    /// A node that nobody has probed yet gets the benefit of the doubt.
    fn default() -> Self {
        Self {
            state: NodeState::Ok,
            misses: 0,
            failures: 0,
            ejections: 0,
            ejected_until_ms: 0,
            answered_once: false,
            back_since_ms: None,
        }
    }
}

impl Health {
    /// A probe was answered.
    pub(super) fn answered(&mut self, draining: bool, now_ms: u64) {
        // A node that was merely slow to start has not failed.
        if self.state == NodeState::Down && self.answered_once {
            self.back_since_ms = Some(now_ms);
        }
        self.answered_once = true;
        self.misses = 0;
        self.state = if draining { NodeState::Draining } else { NodeState::Ok };
    }

    /// A probe was not answered in time. Gives whether the node is down since this one.
    pub(super) fn missed(&mut self) -> bool {
        self.misses = self.misses.saturating_add(1);
        if self.misses >= DOWN_AFTER {
            return self.down();
        }
        self.suspect();
        false
    }

    /// A visit was sent and not even acknowledged, or its connection broke: wait for the next probe.
    pub(super) fn suspect(&mut self) {
        if matches!(self.state, NodeState::Ok | NodeState::Draining) {
            self.state = NodeState::Suspect;
        }
    }

    /// It cannot be connected. Gives whether that is news.
    pub(super) fn down(&mut self) -> bool {
        let news = self.state != NodeState::Down;
        self.state = NodeState::Down;
        self.back_since_ms = None;
        news
    }

    /// It turned a visit away since it is leaving.
    pub(super) fn drains(&mut self) {
        if self.state != NodeState::Down {
            self.state = NodeState::Draining;
        }
    }

    /// A visit went well.
    pub(super) fn went_well(&mut self) {
        self.failures = 0;
    }

    /// A visit failed by the node's own fault (not the integration's): five in a row eject it for 30 s, then longer.
    pub(super) fn failed(&mut self, now_ms: u64) {
        self.failures += 1;
        if self.failures >= EJECT_AFTER {
            self.failures = 0;
            self.ejections += 1;
            self.ejected_until_ms = now_ms + (EJECT_MS * self.ejections).min(EJECT_MAX_MS);
        }
    }

    /// The state, as `members` shows it.
    pub(super) fn state(&self) -> NodeState {
        self.state
    }

    /// Whether it is ejected just now.
    pub(super) fn ejected(&self, now_ms: u64) -> bool {
        now_ms < self.ejected_until_ms
    }

    /// Whether it is among the first choice.
    pub(super) fn good(&self, now_ms: u64) -> bool {
        self.state == NodeState::Ok && !self.ejected(now_ms)
    }

    /// Whether it may be tried where nothing better is left.
    pub(super) fn possible(&self) -> bool {
        matches!(self.state, NodeState::Ok | NodeState::Suspect)
    }

    /// Since when it is back after having been down.
    pub(super) fn back_since_ms(&self) -> Option<u64> {
        self.back_since_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_missed_probes_are_down_and_one_answer_is_back() {
        let mut h = Health::default();
        assert!(h.good(0));
        for _ in 0..3 {
            h.missed();
        }
        h.answered(false, 0);
        assert_eq!(h.back_since_ms(), None, "it had not been there before");
        assert!(!h.missed());
        assert_eq!(h.state(), NodeState::Suspect);
        assert!(h.possible() && !h.good(0));
        assert!(!h.missed());
        assert!(h.missed());
        assert!(!h.missed(), "down only once");
        assert!(!h.possible());
        h.answered(false, 5_000);
        assert!(h.good(5_000));
        assert_eq!(h.back_since_ms(), Some(5_000));
        h.answered(true, 6_000);
        assert_eq!(h.state(), NodeState::Draining);
    }

    #[test]
    fn five_failures_in_a_row_eject_for_thirty_seconds_then_longer() {
        let mut h = Health::default();
        for _ in 0..4 {
            h.failed(0);
        }
        h.went_well();
        for _ in 0..4 {
            h.failed(0);
        }
        assert!(h.good(0));
        h.failed(0);
        assert!(h.ejected(29_999) && !h.ejected(30_000));
        for _ in 0..5 {
            h.failed(40_000);
        }
        assert!(h.ejected(99_999) && !h.ejected(100_000));
    }
}
