//! Heartbeats and elections follow the measured round trips between voters (foundations §4.6): measured while the node
//! runs, kept in its directory, and used from the next start on.

use super::home::Home;
use crate::cluster::{ConfigGroup, Role, Timing};
use crate::edge::Nodes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

const LOOK: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Measured {
    round_trip_ms: u64,
}

/// The timing to start with: what was measured last, else what the operator reckons with.
pub(super) fn timing(home: &Home, expected_ms: u64) -> Timing {
    let measured = std::fs::read(home.path("round-trips.json"))
        .ok()
        .and_then(|text| serde_json::from_slice::<Measured>(&text).ok());
    Timing::of(Duration::from_millis(measured.map_or(expected_ms, |measured| measured.round_trip_ms)))
}

/// Keeps the longest measured round trip to a voter, in steps of 10 ms.
pub(super) async fn keep(home: Arc<Home>, nodes: Arc<Nodes>, config: ConfigGroup) {
    let mut kept = Measured::default();
    loop {
        tokio::time::sleep(LOOK).await;
        let status = config.status();
        let votes = |id: u64| status.member(id).is_some_and(|member| member.role != Role::Learner);
        let views = nodes.view();
        let longest = views.iter().filter(|view| votes(view.id)).filter_map(|view| view.rtt_ms).fold(0.0, f64::max);
        if longest == 0.0 {
            continue;
        }
        let now = Measured { round_trip_ms: (longest / 10.0).ceil() as u64 * 10 };
        // A tenth more or less is noise; the file is for the next start.
        if now.round_trip_ms.abs_diff(kept.round_trip_ms) * 10 > kept.round_trip_ms
            && let Ok(text) = serde_json::to_vec(&now)
            && home.keep("round-trips.json", &text).is_ok()
        {
            tracing::info!(round_trip_ms = now.round_trip_ms, "longest round trip between voters, for the next start");
            kept = now;
        }
    }
}
