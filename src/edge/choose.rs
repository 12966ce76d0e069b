//! Which region, and which of its nodes: pure rules over measured round trips (replication §3.3).

/// Another region must be below this share of the present one's round trip …
const BETTER_SHARE: f64 = 0.8;
/// … and this much better …
const BETTER_MS: f64 = 10.0;
/// … for this long.
const BETTER_FOR_MS: u64 = 10_000;
/// A region that failed is not returned to before it was well for so long.
const WELL_FOR_MS: u64 = 30_000;
/// Then its share of visits grows from a tenth to all in this time.
const RAMP_MS: u64 = 30_000;
const RAMP_FROM: f64 = 0.1;

/// A region that could serve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate<'a> {
    /// Its name.
    pub(super) region: &'a str,
    /// Round trip plus queue of its best node, ms; `None` before the first measurement.
    pub(super) score_ms: Option<f64>,
    /// Whether any of its nodes may be given visits.
    pub(super) usable: bool,
    /// Since when it is back, if it had failed.
    pub(super) back_since_ms: Option<u64>,
}

/// Remembers the region chosen for one set of candidates.
#[derive(Clone, Debug, Default)]
pub(super) struct Chooser {
    current: Option<Box<str>>,
    better: Option<(Box<str>, u64)>,
    ramp: Option<(Box<str>, u64)>,
    // Chosen before all candidates were measured.
    provisional: bool,
}

impl Chooser {
    /// The index of the region for this visit; `draw` is a random number in 0.0..1.0.
    pub(super) fn choose(&mut self, candidates: &[Candidate<'_>], now_ms: u64, draw: f64) -> Option<usize> {
        let unmeasured = candidates.iter().any(|c| c.usable && c.score_ms.is_none());
        if self.provisional && !unmeasured {
            self.current = None;
        }
        let current = self.current.as_deref().and_then(|name| position(candidates, name));
        let Some(current) = current else {
            // Nothing chosen, or what was chosen has failed: the best at once.
            (self.better, self.ramp, self.provisional) = (None, None, unmeasured);
            let best = best(candidates, |_| true)?;
            self.current = Some(candidates[best].region.into());
            return Some(best);
        };
        if let Some(ramped) = self.ramping(candidates, current, now_ms, draw) {
            return Some(ramped);
        }
        self.compare(candidates, current, now_ms);
        Some(self.current.as_deref().and_then(|name| position(candidates, name)).unwrap_or(current))
    }

    fn ramping(&mut self, candidates: &[Candidate<'_>], current: usize, now_ms: u64, draw: f64) -> Option<usize> {
        let (name, since) = self.ramp.as_ref()?;
        let Some(to) = position(candidates, name) else {
            self.ramp = None;
            return None;
        };
        let share = RAMP_FROM + (1.0 - RAMP_FROM) * now_ms.saturating_sub(*since) as f64 / RAMP_MS as f64;
        if share >= 1.0 {
            self.current = Some(name.clone());
            self.ramp = None;
            return Some(to);
        }
        Some(if draw < share { to } else { current })
    }

    fn compare(&mut self, candidates: &[Candidate<'_>], current: usize, now_ms: u64) {
        let challenger = best(candidates, |c| {
            let well = c.back_since_ms.is_none_or(|since| now_ms.saturating_sub(since) >= WELL_FOR_MS);
            well && clearly_better(c.score_ms, candidates[current].score_ms)
        })
        .filter(|&i| i != current);
        let Some(challenger) = challenger else {
            self.better = None;
            return;
        };
        let region = candidates[challenger].region;
        match &self.better {
            Some((name, since)) if **name == *region => {
                if now_ms.saturating_sub(*since) >= BETTER_FOR_MS {
                    self.better = None;
                    if candidates[challenger].back_since_ms.is_some() {
                        self.ramp = Some((region.into(), now_ms));
                    } else {
                        self.current = Some(region.into());
                    }
                }
            }
            _ => self.better = Some((region.into(), now_ms)),
        }
    }
}

fn clearly_better(other: Option<f64>, current: Option<f64>) -> bool {
    match (other, current) {
        (Some(other), Some(current)) => other < current * BETTER_SHARE && current - other >= BETTER_MS,
        // A measured one beats one that was never measured.
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// The place of a usable candidate.
fn position(candidates: &[Candidate<'_>], region: &str) -> Option<usize> {
    candidates.iter().position(|c| c.usable && c.region == region)
}

/// The usable candidate with the least score, of those that `fit`; the first of equals.
fn best(candidates: &[Candidate<'_>], fit: impl Fn(&Candidate<'_>) -> bool) -> Option<usize> {
    let score = |i: usize| candidates[i].score_ms.unwrap_or(f64::INFINITY);
    (0..candidates.len())
        .filter(|&i| candidates[i].usable && fit(&candidates[i]))
        .min_by(|&a, &b| score(a).total_cmp(&score(b)))
}

/// Power of two choices: of two drawn at random the one that costs less (round trip × visits under way + 1).
pub(super) fn two_choices(costs: &[f64], draw: u64) -> Option<usize> {
    let n = costs.len() as u64;
    match n {
        0 => None,
        1 => Some(0),
        _ => {
            let a = draw % n;
            let b = (a + 1 + (draw >> 32) % (n - 1)) % n;
            let (a, b) = (a as usize, b as usize);
            Some(if costs[b] < costs[a] { b } else { a })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regions `a`, `b`, `c` with these scores; 0 is unusable.
    fn world(scores: [f64; 3]) -> [Candidate<'static>; 3] {
        let mut i = 0;
        ["a", "b", "c"].map(|region| {
            let score = scores[i];
            i += 1;
            Candidate { region, score_ms: Some(score), usable: score > 0.0, back_since_ms: None }
        })
    }

    #[test]
    fn a_region_is_left_only_for_a_clearly_better_one_or_when_it_fails() {
        // (second, scores, chosen): one chooser walks through each table.
        type Table<'a> = &'a [(u64, [f64; 3], Option<usize>)];
        let steps: [(&str, Table<'_>); 6] = [
            ("the nearest first", &[(0, [80.0, 20.0, 150.0], Some(1))]),
            (
                "a little better is not enough",
                &[(0, [80.0, 90.0, 0.0], Some(0)), (60, [80.0, 70.0, 0.0], Some(0)), (90, [80.0, 70.0, 0.0], Some(0))],
            ),
            (
                "20 % better but under 10 ms is not enough",
                &[(0, [20.0, 0.0, 0.0], Some(0)), (1, [20.0, 11.0, 0.0], Some(0)), (60, [20.0, 11.0, 0.0], Some(0))],
            ),
            (
                "clearly better for ten seconds",
                &[
                    (0, [80.0, 90.0, 0.0], Some(0)),
                    (1, [80.0, 40.0, 0.0], Some(0)),
                    (10, [80.0, 40.0, 0.0], Some(0)),
                    (11, [80.0, 40.0, 0.0], Some(1)),
                ],
            ),
            (
                "an interruption starts anew",
                &[
                    (0, [80.0, 90.0, 0.0], Some(0)),
                    (1, [80.0, 40.0, 0.0], Some(0)),
                    (9, [80.0, 79.0, 0.0], Some(0)),
                    (12, [80.0, 40.0, 0.0], Some(0)),
                    (21, [80.0, 40.0, 0.0], Some(0)),
                    (22, [80.0, 40.0, 0.0], Some(1)),
                ],
            ),
            (
                "failure switches at once, and nothing left is nothing",
                &[
                    (0, [20.0, 80.0, 150.0], Some(0)),
                    (1, [0.0, 80.0, 150.0], Some(1)),
                    (2, [0.0, 0.0, 150.0], Some(2)),
                    (3, [0.0, 0.0, 0.0], None),
                ],
            ),
        ];
        for (what, table) in steps {
            let mut chooser = Chooser::default();
            for (second, scores, chosen) in table {
                assert_eq!(chooser.choose(&world(*scores), second * 1000, 0.5), *chosen, "{what}, at {second} s");
            }
        }
    }

    #[test]
    fn a_region_that_failed_comes_back_after_thirty_seconds_and_by_and_by() {
        let mut chooser = Chooser::default();
        let at = |second: u64, back: Option<u64>, a: f64| {
            let mut w = world([a, 100.0, 0.0]);
            w[0].back_since_ms = back.map(|s| s * 1000);
            (w, second * 1000)
        };
        let mut run = |(w, now): ([Candidate<'static>; 3], u64), draw| chooser.choose(&w, now, draw);
        assert_eq!(run(at(0, None, 20.0), 0.5), Some(0));
        assert_eq!(run(at(1, None, 0.0), 0.5), Some(1));
        // Back at 10 s: not considered before 40 s, then ten seconds of comparison, then the ramp.
        assert_eq!(run(at(39, Some(10), 20.0), 0.0), Some(1));
        assert_eq!(run(at(40, Some(10), 20.0), 0.0), Some(1));
        assert_eq!(run(at(50, Some(10), 20.0), 0.0), Some(1));
        assert_eq!(run(at(51, Some(10), 20.0), 0.05), Some(0));
        assert_eq!(run(at(51, Some(10), 20.0), 0.5), Some(1));
        assert_eq!(run(at(66, Some(10), 20.0), 0.5), Some(0));
        assert_eq!(run(at(66, Some(10), 20.0), 0.9), Some(1));
        assert_eq!(run(at(80, Some(10), 20.0), 0.99), Some(0));
        assert_eq!(chooser.current.as_deref(), Some("a"));
    }

    #[test]
    fn an_unmeasured_region_is_the_last_choice() {
        let mut w = world([50.0, 60.0, 70.0]);
        w[0].score_ms = None;
        let mut chooser = Chooser::default();
        assert_eq!(chooser.choose(&w, 0, 0.0), Some(1));
        // Once all are measured the choice is made anew, without waiting for ten seconds.
        w[0].score_ms = Some(59.0);
        assert_eq!(chooser.choose(&w, 1, 0.0), Some(0));
        w[0].score_ms = None;
        w[1].usable = false;
        w[2].usable = false;
        assert_eq!(Chooser::default().choose(&w, 0, 0.0), Some(0));
    }

    #[test]
    fn of_two_different_nodes_the_cheaper_is_taken() {
        assert_eq!(two_choices(&[], 7), None);
        assert_eq!(two_choices(&[3.0], 7), Some(0));
        for draw in 0..64u64 {
            let draw = draw.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            assert_eq!(two_choices(&[5.0, 1.0], draw), Some(1));
            assert_ne!(two_choices(&[1.0, 9.0, 1.0], draw), Some(1));
        }
    }
}
