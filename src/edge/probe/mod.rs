//! Probes: once a second to every node, on the control connection, with the visits' connection kept warm beside it.

pub mod wire;

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::{task::AbortHandle, time::MissedTickBehavior};

pub use wire::Vitals;

use super::Nodes;
use crate::net::peer::{Lane, PeerError, PeerNet, Unary, UnaryHandler, kind};

const EVERY: Duration = Duration::from_secs(1);
/// Least and most time for an answer: the third miss must come within 4 s of a node's death.
const LEAST: Duration = Duration::from_millis(500);
const MOST: Duration = Duration::from_millis(900);
/// A node that was never reached gets time for the handshake too.
const FIRST: Duration = Duration::from_secs(3);

/// Says how this node is; the node fills it in.
pub trait OwnVitals: Send + Sync {
    /// A snapshot, made without waiting.
    fn vitals(&self) -> Vitals;
}

struct Answerer(Arc<dyn OwnVitals>);

impl UnaryHandler for Answerer {
    fn call(&self, _from: u64, _group: u8, payload: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let vitals = self.0.vitals();
        Box::pin(async move {
            wire::read::<wire::Ask>(&payload)?;
            Ok(wire::bytes_of(&wire::Answer { time_ms: wall_ms(), vitals }))
        })
    }
}

fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

/// Probing stops when this is dropped.
pub struct Prober(AbortHandle);

impl Prober {
    /// Answers probes from now on, and asks every node of the roster once a second.
    pub fn start(net: Arc<PeerNet>, nodes: Arc<Nodes>, own: Arc<dyn OwnVitals>) -> Self {
        net.register(kind::PROBE, Unary::new(Arc::new(Answerer(own)), wire::LIMIT));
        let runtime = net.runtime().clone();
        nodes.sync(&net.roster().all());
        Prober(runtime.spawn(probe_all(net, nodes)).abort_handle())
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn probe_all(net: Arc<PeerNet>, nodes: Arc<Nodes>) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut roster_changes = net.roster().changes();
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            // A newcomer is measured at once.
            changed = roster_changes.changed() => if changed.is_err() { return },
        }
        let roster = net.roster().all();
        nodes.sync(&roster);
        for peer in roster.iter().filter(|p| p.id != net.node_id()) {
            let (net, nodes, id) = (net.clone(), nodes.clone(), peer.id);
            tokio::spawn(async move {
                probe(&net, &nodes, id).await;
            });
        }
    }
}

async fn probe(net: &Arc<PeerNet>, nodes: &Nodes, id: u64) {
    let timeout = net.rtt(id).map_or(FIRST, |rtt| (rtt * 3).clamp(LEAST, MOST.max(rtt * 2)));
    let ask = wire::bytes_of(&wire::Ask { time_ms: wall_ms() });
    let asked = Instant::now();
    let answer = net.call(id, Lane::Raft, kind::PROBE, 0, ask, timeout).await;
    let measured = asked.elapsed();
    match answer.map_err(Some).and_then(|bytes| wire::read::<wire::Answer>(&bytes).map_err(|_| None)) {
        Ok(answer) => {
            // QUIC's own figure leaves out what the two runtimes add; the call bounds it from above.
            let rtt = net.rtt(id).unwrap_or(measured).min(measured);
            let offset = answer.time_ms + (rtt.as_millis() / 2) as i64 - wall_ms();
            nodes.answered(id, rtt, answer.vitals, offset);
        }
        // An older or younger peer that does not know probes is alive all the same.
        Err(Some(PeerError::UnknownKind | PeerError::UnknownVersion | PeerError::Remote(_)) | None) => {}
        Err(Some(e)) => {
            tracing::debug!(node = id, error = %e, "probe missed");
            nodes.missed(id);
        }
    }
    if !net.is_warm(id, Lane::Forward) {
        let _ = net.warm(id, Lane::Forward).await;
    }
}
