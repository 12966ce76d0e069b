//! What the cluster looks like from here, as JSON: status, members, round trips, findings.

use super::{NodeShared, identity_of};
use crate::catalog::cluster::Node;
use crate::cluster::{GroupStatus, Role};
use crate::edge::{NodeState, NodeView};
use crate::net::peer::{Lane, UnaryHandler, kind};
use crate::state::Scope;
use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use serde_json::{Value, json};
use std::{sync::Weak, time::Duration};

const ASK: Duration = Duration::from_millis(1_500);
const LAG_WARNING: u64 = 1_000;
const CLOCK_WARNING_MS: i64 = 500;

fn nodes(node: &NodeShared) -> Vec<Node> {
    let rows = node.config.world().list::<Node>(&Scope::cluster(), "").unwrap_or_default();
    rows.into_iter().map(|(_, node)| node).collect()
}

fn group_json(status: &GroupStatus) -> Value {
    json!({
        "leader": status.leader, "term": status.term, "leader_changes": status.leader_changes,
        "last_log_index": status.last_log_index, "committed_index": status.committed_index,
        "applied_index": status.applied_index, "snapshot_index": status.snapshot_index,
        "purged_index": status.purged_index, "stopped": status.stopped,
    })
}

/// `GET /cluster/v1/status`.
pub(super) fn status(node: &NodeShared) -> Value {
    let world = node.config.world();
    let cluster = identity_of(&world);
    let config = node.config.status();
    let usage = node.usage.borrow().as_ref().map(|group| group_json(&group.status()));
    let nodes = nodes(node);
    let leader = nodes.iter().find(|node| Some(node.id) == config.leader).map(|node| node.name.clone());
    json!({
        "cluster_id": cluster.id, "epoch": cluster.epoch, "index": world.seq(), "leader": leader,
        "node": node.identity.name, "node_id": node.identity.node_id, "region": node.identity.region,
        "version": NodeShared::version(), "nodes": nodes.len(), "voters": config.voters(),
        "apis": world.api_scopes().count(), "config": group_json(&config), "usage": usage,
    })
}

fn state_of(row: &Node, view: Option<&NodeView>, me: u64) -> NodeState {
    if row.draining {
        return NodeState::Draining;
    }
    if row.id == me { NodeState::Ok } else { view.map_or(NodeState::Down, |view| view.state) }
}

/// `GET /cluster/v1/members`, the list in it.
pub(super) fn members(node: &NodeShared) -> Vec<Value> {
    let (me, views, config) = (node.identity.node_id, node.nodes.view(), node.config.status());
    let own_applied = node.config.world().seq();
    let applied_of = |id: u64| {
        if id == me {
            return Some(own_applied);
        }
        views.iter().find(|view| view.id == id).and_then(|view| Some(view.vitals.as_ref()?.applied_index))
    };
    let rows = nodes(node);
    let newest = rows.iter().filter_map(|row| applied_of(row.id)).max().unwrap_or(own_applied);
    rows.iter()
        .map(|row| {
            let view = views.iter().find(|view| view.id == row.id);
            let member = config.member(row.id);
            let role = match member.map(|member| member.role) {
                _ if config.leader == Some(row.id) => "leader",
                Some(Role::Leader | Role::Voter) => "voter",
                _ => "learner",
            };
            let applied = applied_of(row.id);
            let lag = member.and_then(|member| member.lag_entries).or(applied.map(|at| newest.saturating_sub(at)));
            json!({
                "name": row.name, "id": row.id, "region": row.region, "address": row.peers_address,
                "role": role, "state": state_of(row, view, me), "lag_entries": lag, "applied_index": applied,
                "rtt_ms": if row.id == me { Some(0.0) } else { view.and_then(|view| view.rtt_ms) },
                "clock_offset_ms": if row.id == me { Some(0) } else { view.and_then(|view| view.clock_offset_ms) },
                "version": row.version, "admin": row.admin_address,
            })
        })
        .collect()
}

fn rtt_from_here(node: &NodeShared) -> Vec<Value> {
    let from = &node.identity.name;
    let row = |view: &NodeView| json!({ "from": from, "to": view.name, "rtt_ms": view.rtt_ms, "state": view.state });
    node.nodes.view().iter().map(row).collect()
}

/// `GET /cluster/v1/rtt`, the list in it: what every node that answers has measured.
pub(super) async fn rtt_of_all(node: &NodeShared) -> Vec<Value> {
    let others = node.peers.roster().all();
    let asked = others.iter().filter(|peer| peer.id != node.identity.node_id).map(|peer| async move {
        let answer = node.peers.call(peer.id, Lane::Raft, kind::STATUS, 0, Bytes::new(), ASK).await;
        match answer.ok().and_then(|bytes| serde_json::from_slice::<Vec<Value>>(&bytes).ok()) {
            Some(rows) => rows,
            None => vec![json!({ "from": peer.name, "to": Value::Null, "rtt_ms": Value::Null, "state": "down" })],
        }
    });
    let mut rows = rtt_from_here(node);
    rows.extend(join_all(asked).await.into_iter().flatten());
    rows
}

/// The payload of a STATUS call that asks for [`stopped_here`]; an empty one asks for round trips.
const WHAT_STOPPED: &[u8] = b"stopped";

/// Answers other nodes' `rtt` and `check` with what is known here alone.
pub(super) struct LookAtThisNode(pub(super) Weak<NodeShared>);

impl UnaryHandler for LookAtThisNode {
    fn call(&self, _from: u64, _group: u8, payload: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let look = if payload == WHAT_STOPPED { stopped_here } else { rtt_from_here };
        let rows = self.0.upgrade().map(|node| look(&node)).unwrap_or_default();
        let rows = Value::from(rows).to_string();
        Box::pin(async move { Ok(rows.into()) })
    }
}

fn finding(severity: &str, cause: String, consequence: &str, next: String) -> Value {
    json!({ "severity": severity, "cause": cause, "consequence": consequence, "next": next })
}

/// `GET /cluster/v1/check`: `ok` is false when something is wrong.
pub(super) async fn check(node: &NodeShared) -> Value {
    let mut findings = stopped_here(node);
    findings.extend(stopped_elsewhere(node).await);
    let config = node.config.status();
    check_group(node, &config, &mut findings);
    for member in members(node) {
        check_member(&member, &mut findings);
    }
    if !node.settings.gateway_http.is_private() {
        findings.push(finding(
            "warning",
            format!("gateway HTTP is reached from outside at {} without TLS", node.settings.gateway_http),
            "API keys and bodies travel readable",
            "close it with --gateway-http off, or put it behind a proxy that speaks TLS".into(),
        ));
    }
    let ok = findings.iter().all(|finding| finding["severity"] == "info");
    json!({ "ok": ok, "findings": findings })
}

/// Groups that have stopped on this node, as findings.
fn stopped_here(node: &NodeShared) -> Vec<Value> {
    let name = &node.identity.name;
    let found = |what: &str, consequence: &str, why: &str| {
        let next = format!("look at the log and the disk of {name}, then start it again");
        finding("error", format!("{what} has stopped on {name}: {why}"), consequence, next)
    };
    let mut findings = Vec::new();
    if let Some(why) = node.config.status().stopped {
        findings.push(found("replication", "that node serves what it has and hears of no change", &why));
    }
    let usage = node.usage.borrow().as_ref().and_then(|group| group.status().stopped);
    if let Some(why) = usage {
        findings.push(found("the ledger of quotas", "keys there run dry when what was granted is spent", &why));
    }
    findings
}

/// The same of every other node that answers.
async fn stopped_elsewhere(node: &NodeShared) -> Vec<Value> {
    let others = node.peers.roster().all();
    let asked = others.iter().filter(|peer| peer.id != node.identity.node_id).map(|peer| {
        let question = Bytes::from_static(WHAT_STOPPED);
        node.peers.call(peer.id, Lane::Raft, kind::STATUS, 0, question, ASK)
    });
    // A node that does not answer is a finding of its own.
    let answers = join_all(asked).await.into_iter().filter_map(Result::ok);
    answers.filter_map(|bytes| serde_json::from_slice::<Vec<Value>>(&bytes).ok()).flatten().collect()
}

fn check_group(node: &NodeShared, config: &GroupStatus, findings: &mut Vec<Value>) {
    if config.leader.is_none() {
        findings.push(finding(
            "error",
            "the cluster has no leader".into(),
            "clients are served; nothing can be changed, and no new quota is granted",
            "bring back a majority of the voters: meridian members says which are down".into(),
        ));
    }
    match config.voters() {
        1 if nodes(node).len() == 1 => findings.push(finding(
            "info",
            "this cluster is one node".into(),
            "when it is down, nobody is served",
            "meridian token create, then meridian join TOKEN on two other machines".into(),
        )),
        voters if voters % 2 == 0 => findings.push(finding(
            "warning",
            format!("{voters} voters bear no more failures than {}", voters - 1),
            "one more failure stops changes",
            "promote another node, or demote one: meridian promote NODE".into(),
        )),
        _ => {}
    }
}

fn check_member(member: &Value, findings: &mut Vec<Value>) {
    let name = member["name"].as_str().unwrap_or("?");
    if member["state"] == "down" {
        findings.push(finding(
            "error",
            format!("node {name} does not answer"),
            "its clients go to other nodes; a voter that is down counts against the majority",
            format!("start it, or take it out for good: meridian remove {name}"),
        ));
    }
    if let Some(lag) = member["lag_entries"].as_u64().filter(|lag| *lag > LAG_WARNING) {
        findings.push(finding(
            "warning",
            format!("node {name} trails by {lag} entries"),
            "its clients see old configuration",
            format!("look at the disk and the network of {name}"),
        ));
    }
    if let Some(offset) = member["clock_offset_ms"].as_i64().filter(|ms| ms.abs() > CLOCK_WARNING_MS) {
        findings.push(finding(
            "warning",
            format!("the clock of node {name} is {offset} ms off"),
            "quota periods begin early or late there, and signatures may be refused",
            format!("synchronise the clock of {name} (NTP)"),
        ));
    }
}
