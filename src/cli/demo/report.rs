//! What the demo tells people.

use super::fall::Fall;
use super::fleet::Fleet;
use super::round_trip;
use super::sample::Sample;
use super::traffic::{Seen, host};
use crate::cli::{CliError, table};
use serde_json::json;

/// Who is there and how far apart.
pub(super) fn network(fleet: &Fleet) -> Result<(), CliError> {
    say!(
        "\nThree processes, one cluster: nodes and simulated round trips between them (delay made on the peers' sockets)\n"
    )?;
    for (a, node) in fleet.nodes.iter().enumerate() {
        let ways: Vec<String> = (0..fleet.nodes.len())
            .filter(|b| *b != a)
            .map(|b| format!("{} {} ms", fleet.nodes[b].region, round_trip(a, b).as_millis()))
            .collect();
        say!("  {:<16} {}", node.region, ways.join(", "))?;
    }
    Ok(())
}

/// The table.
pub(super) fn traffic(fleet: &Fleet, seen: &[Seen]) -> Result<(), CliError> {
    say!("\nWhat clients saw, each at its nearest node over a warm TLS connection\n")?;
    let ms = |value: f64| format!("{value:.1}");
    let rows: Vec<_> = seen
        .iter()
        .map(|seen| {
            json!({
                "client in": fleet.nodes[seen.client].region, "endpoint": seen.kind, "answered by": seen.answered,
                "served in": seen.served, "p50 ms": ms(seen.p50_ms), "p99 ms": ms(seen.p99_ms),
                "direct ms *": seen.direct_ms.map_or_else(|| "-".to_owned(), ms),
            })
        })
        .collect();
    table::print(&rows, &["client in", "endpoint", "answered by", "served in", "p50 ms", "p99 ms", "direct ms *"])?;
    say!(
        "\n* median of the same visit without an edge: a new TLS connection straight to the far region, through a relay that\n  \
         simulates the distance (one round trip for the SYN, one for TLS 1.3, one for the request)"
    )?;
    Ok(())
}

/// The leader's end.
pub(super) fn fall(fall: &Fall) -> Result<(), CliError> {
    say!("\nThe leader ({}) was killed under traffic\n", fall.killed)?;
    say!("  clients   {} visits answered, {} errors", fall.answered, fall.errors)?;
    say!(
        "            {} visits were sent again, to the next nearest node, by the killed node's own clients",
        fall.moved
    )?;
    say!("  writes    paused for {} ms, then {} led", fall.pause_ms, fall.heir)?;
    if !fall.writes_resumed {
        say!("            and were not acknowledged again: this is a fault")?;
    }
    Ok(())
}

/// Commands for a cluster that is left running.
pub(super) fn play_with(fleet: &Fleet, sample: &Sample) -> Result<(), CliError> {
    let alive = fleet.nodes.last();
    let Some(node) = alive else { return Ok(()) };
    let api = &sample.everywhere;
    say!("\nThe cluster runs until Ctrl-C (the killed node stays dead). Try:\n")?;
    say!("  curl -H 'host: {}' http://{}{}", host(api), node.http, api.path)?;
    say!("  curl -H 'host: {}' -H 'x-api-key: {}' http://{}/prod/keyed", host(api), sample.key, node.http)?;
    say!("  meridian members --endpoint http://{} --data {}", node.admin, fleet.data(&node.region).display())?;
    say!(
        "  AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={} AWS_DEFAULT_REGION={} \\\n    aws --endpoint-url http://{} apigateway get-rest-apis",
        fleet.access_key.0,
        fleet.access_key.1,
        api.region,
        node.admin
    )?;
    Ok(())
}
