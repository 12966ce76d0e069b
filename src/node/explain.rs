//! `GET /cluster/v1/explain/{request_id}`: why a request was refused, from what all nodes remember of it.

use super::NodeShared;
use super::operate::answer;
use crate::edge::NodeState;
use crate::gateway::explain::wire::{ANSWER_LIMIT, question, read_answer, read_question};
use crate::gateway::explain::{Record, RecordId, hint};
use crate::gateway::{Kind, Step};
use crate::net::peer::{Lane, PeerInfo, UnaryHandler, kind};
use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use http::{Response, StatusCode};
use serde_json::{Value, json};
use std::{sync::Weak, time::Duration};

/// How long other nodes have for their answers.
const ASK: Duration = Duration::from_secs(2);

/// Answers other nodes with what this one remembers.
pub(super) struct RememberedHere(pub(super) Weak<NodeShared>);

impl UnaryHandler for RememberedHere {
    fn call(&self, _from: u64, _group: u8, payload: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let records = read_question(&payload).map(|id| self.0.upgrade().map(|node| node.gateway.explain(id)));
        let told = records.and_then(|found| crate::gateway::explain::wire::answer(&found.unwrap_or_default()));
        Box::pin(async move { told.map(Bytes::from).map_err(|error| error.to_string()) })
    }
}

/// A record, and the node that made it.
struct Found {
    node: String,
    region: String,
    record: Record<'static>,
}

/// A node that could not be asked, and why.
struct Silent {
    node: String,
    region: String,
    why: String,
}

/// The answer for a path's last segment, percent-encoded as it came.
pub(super) async fn explain(node: &NodeShared, raw: &str) -> Response<Bytes> {
    let text = percent_encoding::percent_decode_str(raw).decode_utf8().unwrap_or_default();
    let Some(id) = RecordId::parse(&text) else {
        let message = "the id is neither a request id (the header x-amzn-RequestId, a UUID) nor an extended one \
                       (x-amz-apigw-id, 16 characters that end in =)";
        return answer(StatusCode::BAD_REQUEST, &json!({ "message": message }));
    };
    let own = (&node.identity.name, &node.identity.region);
    let mut found: Vec<Found> = node.gateway.explain(id).into_iter().map(|record| made_by(own, record)).collect();
    let others = node.peers.roster().all();
    let others = others.iter().filter(|peer| peer.id != node.identity.node_id);
    let mut silent = Vec::new();
    for answered in join_all(others.map(|peer| ask(node, peer, id))).await {
        match answered {
            Ok(records) => found.extend(records),
            Err(one) => silent.push(one),
        }
    }
    if found.is_empty() {
        return answer(StatusCode::NOT_FOUND, &unknown(id, &silent));
    }
    answer(StatusCode::OK, &explained(&mut found, &silent))
}

fn made_by((node, region): (&String, &String), record: Record<'static>) -> Found {
    Found { node: node.clone(), region: region.clone(), record }
}

async fn ask(node: &NodeShared, peer: &PeerInfo, id: RecordId) -> Result<Vec<Found>, Silent> {
    let silent = |why: String| Silent { node: peer.name.clone(), region: peer.region.clone(), why };
    // Whoever has missed its probes would only be waited for.
    if node.nodes.view().iter().any(|view| view.id == peer.id && view.state == NodeState::Down) {
        return Err(silent("it is down".into()));
    }
    let asked = node.peers.call(peer.id, Lane::Raft, kind::EXPLAIN, 0, question(id).into(), ASK).await;
    let bytes = asked.map_err(|error| silent(error.to_string()))?;
    if bytes.len() > ANSWER_LIMIT {
        return Err(silent(format!("its answer is longer than {ANSWER_LIMIT} bytes")));
    }
    let records = read_answer(&bytes).map_err(|error| silent(error.to_string()))?;
    Ok(records.into_iter().map(|record| made_by((&peer.name, &peer.region), record)).collect())
}

fn unanswered(silent: &[Silent]) -> Value {
    let one = |s: &Silent| json!({ "node": s.node, "region": s.region, "why": s.why });
    silent.iter().map(one).collect()
}

fn unknown(id: RecordId, silent: &[Silent]) -> Value {
    let mut message = format!(
        "no node remembers a refusal of request {id}: nodes keep causes only of what the gateway itself refused, in \
         bounded memory, until newer ones push them out or the node restarts; a request that was answered well, or \
         whose error came from its integration, leaves none"
    );
    if !silent.is_empty() {
        let names: Vec<&str> = silent.iter().map(|s| s.node.as_str()).collect();
        message.push_str(&format!("; these nodes did not answer and may know it: {}", names.join(", ")));
    }
    json!({ "message": message, "unanswered": unanswered(silent) })
}

/// The records of an edge and a region as one answer. `found` is not empty.
fn explained(found: &mut [Found], silent: &[Silent]) -> Value {
    found.sort_by_key(|one| (one.record.resumed, one.record.time_ms));
    let records: Vec<Value> = found.iter().map(shown).collect();
    // The region knows best what it refused, the edge what the client was sent.
    let (Some(first), Some(last)) = (found.first(), found.last()) else { return Value::Null };
    let (edge, r) = (&first.record, &last.record);
    let either = |of: for<'r> fn(&'r Record<'static>) -> &'r str| match of(r) {
        "" => of(edge).to_owned(),
        text => text.to_owned(),
    };
    json!({
        "request_id": r.request_id, "extended_request_id": r.extended_id,
        "time": time(edge.time_ms), "time_ms": edge.time_ms,
        "api": either(|r| &r.api), "stage": either(|r| &r.stage), "method": either(|r| &r.method),
        "resource_path": either(|r| &r.resource_path), "path": either(|r| &r.path),
        "step": r.step, "cause": r.cause, "detail": either(|r| &r.detail), "place": either(|r| &r.place),
        "response_type": r.response_type, "status": edge.status, "message": either(|r| &r.message),
        "consequence": consequence(edge.status, r), "hint": hint(&r.cause),
        "api_key_id": either(|r| &r.key_id), "usage_plan_id": either(|r| &r.plan_id),
        "node": last.node, "region": last.region,
        "integration_status": r.integration_status, "integration_us": r.integration_us, "latency_us": edge.latency_us,
        "walk": walk(first, last), "records": records, "unanswered": unanswered(silent),
    })
}

fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|time| format!("{time:.3}")).unwrap_or_default()
}

fn shown(found: &Found) -> Value {
    let r = &found.record;
    json!({
        "node": found.node, "region": found.region, "role": if r.resumed { "region" } else { "edge" },
        "request_id": r.request_id, "extended_request_id": r.extended_id, "time_ms": r.time_ms,
        "api": r.api, "stage": r.stage, "method": r.method, "resource_path": r.resource_path, "path": r.path,
        "step": r.step, "cause": r.cause, "detail": r.detail, "place": r.place,
        "response_type": r.response_type, "status": r.status, "message": r.message, "hint": hint(&r.cause),
        "api_key_id": r.key_id, "usage_plan_id": r.plan_id, "refused_in": r.refused_in,
        "integration_status": r.integration_status, "integration_us": r.integration_us, "latency_us": r.latency_us,
    })
}

/// What the refusal meant for the client and for the integration.
fn consequence(status: u16, r: &Record<'_>) -> String {
    let integration = match Step::named(&r.step) {
        Some(Step::Integrate) => "the integration may have been called",
        Some(Step::Answer) => "the integration was called, and its answer was not passed on",
        Some(Step::Forward) if Kind::named(&r.response_type) != Some(Kind::NoNode) => {
            "the integration may have been called"
        }
        Some(_) => "the integration was not called",
        None => "whether the integration was called is not known",
    };
    format!("the client was answered {status} ({}); {integration}", r.response_type)
}

/// Every step in order: passed, stopped, or not reached; and the node that ran it.
fn walk(first: &Found, last: &Found) -> Vec<Value> {
    let (edge, stop) = (&first.record, Step::named(&last.record.step));
    let crossed = last.record.resumed || !edge.refused_in.is_empty() || stop == Some(Step::Forward);
    let steps = Step::all().filter(|step| *step != Step::Forward || crossed);
    let node_of = |step: Step| match (step > Step::Forward && crossed, last.record.resumed, edge.resumed) {
        // Where only one of two records was found, the other's node is not known.
        (true, true, _) => Some(&last.node),
        (true, false, _) | (false, _, true) => None,
        (false, _, false) => Some(&first.node),
    };
    let said = |step: Step| match stop {
        Some(stop) if step < stop => "passed",
        Some(stop) if step == stop => "stopped",
        Some(_) => "not_reached",
        None => "unknown",
    };
    let row = |step: Step| {
        let state = said(step);
        let node = node_of(step).filter(|_| state != "not_reached");
        json!({ "step": step.name(), "state": state, "node": node })
    };
    steps.map(row).collect()
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
