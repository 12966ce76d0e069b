//! The leader's process is killed under traffic: what clients saw, and how long writes paused.

use super::fleet::Fleet;
use super::sample::Sample;
use super::traffic::{host, request};
use crate::cli::{CliError, http::Connection};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

const BEFORE: Duration = Duration::from_millis(1_500);
/// How long writes may take to go on.
const AFTER: Duration = Duration::from_secs(20);
/// How long traffic goes on after they did.
const CALM: Duration = Duration::from_secs(2);

/// What happened.
#[derive(Debug, Clone)]
pub(super) struct Fall {
    /// Region of the killed leader.
    pub(super) killed: String,
    /// Region of the new leader.
    pub(super) heir: String,
    /// Visits answered 200.
    pub(super) answered: u64,
    /// Visits that a client of the killed node's region sent again, to the next nearest node.
    pub(super) moved: u64,
    /// Visits that ended in an error.
    pub(super) errors: u64,
    /// The longest time between two acknowledged writes.
    pub(super) pause_ms: u64,
    /// Whether writes were acknowledged again.
    pub(super) writes_resumed: bool,
}

#[derive(Default)]
struct Count {
    stop: AtomicBool,
    answered: AtomicU64,
    moved: AtomicU64,
    errors: AtomicU64,
    written: AtomicU64,
}

/// Runs clients and a writer, kills the leader in between.
pub(super) async fn run(fleet: &Fleet, sample: &Sample) -> Result<Fall, CliError> {
    let leader = fleet.leader(0).await.ok_or_else(|| CliError::Demo("there is no leader to kill".into()))?;
    let survivor = (leader + 1) % fleet.nodes.len();
    let count = Count::default();
    let clients =
        futures_util::future::join_all((0..fleet.nodes.len()).map(|region| client(fleet, sample, region, &count)));
    let writes = write(fleet, sample, survivor, &count);
    let kill = async {
        tokio::time::sleep(BEFORE).await;
        super::step("the leader dies …");
        fleet.nodes[leader].kill();
        let dead = count.written.load(Relaxed);
        let until = Instant::now() + AFTER;
        while count.written.load(Relaxed) < dead + 2 && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(CALM).await;
        super::step("");
        let heir = fleet.leader(survivor).await;
        count.stop.store(true, Relaxed);
        heir
    };
    let (_, acknowledged, heir) = tokio::join!(clients, writes, kill);
    let pauses = acknowledged.windows(2).map(|pair| pair[1] - pair[0]);
    let pause = pauses.max().unwrap_or_default();
    let resumed = acknowledged.last().is_some_and(|last| last.elapsed() < CALM);
    Ok(Fall {
        killed: fleet.nodes[leader].region.clone(),
        heir: heir.map_or_else(|| "none".into(), |heir| fleet.nodes[heir].region.clone()),
        answered: count.answered.load(Relaxed),
        moved: count.moved.load(Relaxed),
        errors: count.errors.load(Relaxed),
        pause_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
        writes_resumed: resumed,
    })
}

/// A client that goes to the next nearest node when its own does not answer, as name resolution would send it.
async fn client(fleet: &Fleet, sample: &Sample, region: usize, count: &Count) {
    let api = &sample.everywhere;
    let mut at = region;
    let mut connection = None;
    while !count.stop.load(Relaxed) {
        let mut done = false;
        for attempt in 0..fleet.nodes.len() {
            if connection.is_none() {
                let address = fleet.nodes[at].https.to_string();
                connection = Connection::tls(&address, &host(api), &fleet.trust).await.ok();
            }
            let answer = match (&mut connection, request(api, &sample.key)) {
                (Some(open), Ok(request)) => open.send(request).await.ok(),
                _ => None,
            };
            match answer {
                Some(answer) if answer.status == 200 => {
                    count.answered.fetch_add(1, Relaxed);
                    count.moved.fetch_add(u64::from(attempt > 0), Relaxed);
                    done = true;
                    break;
                }
                Some(_) => break,
                None => {
                    connection = None;
                    at = (at + 1) % fleet.nodes.len();
                }
            }
        }
        count.errors.fetch_add(u64::from(!done), Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Changes the API's description again and again through a node that lives, and notes when each was acknowledged.
async fn write(fleet: &Fleet, sample: &Sample, node: usize, count: &Count) -> Vec<Instant> {
    let path = format!("/restapis/{}", sample.everywhere.id);
    let mut acknowledged = Vec::new();
    let mut number = 0;
    while !count.stop.load(Relaxed) {
        number += 1;
        let operation = json!({ "op": "replace", "path": "/description", "value": format!("write {number}") });
        let body = json!({ "patchOperations": [operation] });
        let answer = fleet.ask(node, &sample.everywhere.region, "PATCH", &path, &body).await;
        if answer.is_ok_and(|answer| answer.status == 200) {
            acknowledged.push(Instant::now());
            count.written.fetch_add(1, Relaxed);
        }
    }
    acknowledged
}
