//! What must hold while nodes die: real processes, killed with SIGKILL under load and started again over what they left.
//!
//! Clients keep asking every node, administrators keep writing through every node, and a quota is being spent. Checked
//! at the end: nothing acknowledged is gone, nothing retried happened twice, nobody who asked a living node was failed,
//! and not one request more than the quota was let through.

#[path = "../nodes/mod.rs"]
mod nodes;

mod disk;
mod load;

use load::{Load, Writers};
use nodes::api::Served;
use nodes::{Cluster, START, wait_for};
use serde_json::Value;
use std::time::Duration;

const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-2"];
/// Small enough to run out during the test, so that exactness is tried at the edge.
const QUOTA: u64 = 600;

/// Every item of a list of the control plane, page by page.
fn list(cluster: &Cluster, node: usize, path: &str) -> Vec<Value> {
    let (mut items, mut position) = (Vec::new(), String::new());
    loop {
        let page = cluster.must(node, "GET", &format!("{path}?limit=500{position}"), "", 200);
        items.extend(page["item"].as_array().cloned().unwrap_or_default());
        match page["position"].as_str() {
            Some(next) => position = format!("&position={next}"),
            None => return items,
        }
    }
}

#[test]
fn nothing_is_lost_doubled_or_failed_when_each_node_in_turn_is_killed_under_load() {
    let mut cluster = Cluster::start(&REGIONS);
    let served = Served::make(&cluster.owner(0), QUOTA);
    let addresses: Vec<_> = cluster.nodes.iter().map(|node| node.listen).collect();
    let load = Load::start(&addresses, &served.api, &served.key_value);
    let writers = Writers::start(&addresses, &cluster.token, REGIONS[0]);
    load.wait_answers_everywhere(20);
    writers.wait_acknowledged(10);

    for victim in 0..cluster.nodes.len() {
        let leader = cluster.leader((victim + 1) % 3);
        println!("killing {} (the leader is {leader:?})", cluster.nodes[victim].name);
        load.expect_down(victim);
        cluster.nodes[victim].kill_9();
        load.wait_answers_everywhere(30);
        writers.wait_acknowledged(10);
        cluster.nodes[victim].restart();
        load.expect_up(victim);
        load.wait_answers_everywhere(30);
        writers.wait_acknowledged(10);
        cluster.wait_voters(3);
    }

    let written = writers.stop();
    let answered = load.stop();
    assert!(answered.failures.is_empty(), "clients of living nodes were failed:\n{}", answered.failures.join("\n"));
    assert!(written.failures.is_empty(), "writes were refused:\n{}", written.failures.join("\n"));
    println!("{} writes, {} free and {} counted answers", written.names.len(), answered.free, answered.counted);

    for node in 0..cluster.nodes.len() {
        let names: Vec<String> = list(&cluster, node, "/restapis")
            .iter()
            .filter_map(|api| api["name"].as_str().filter(|name| name.starts_with("write-")).map(str::to_owned))
            .collect();
        for name in &written.names {
            let count = names.iter().filter(|known| *known == name).count();
            assert_eq!(count, 1, "{name} was acknowledged once and is there {count} times, seen from node {node}");
        }
    }
    assert!(answered.counted > 0, "no counted request was let through");
    assert!(answered.counted <= QUOTA, "{} requests passed a quota of {QUOTA}", answered.counted);
    // What clients were given is on the books: the remainder that the cluster shows does not hide one of them.
    let day = today(&cluster);
    let usage = format!("/usageplans/{}/usage?startDate={day}&endDate={day}&keyId={}", served.plan, served.key);
    wait_for(&format!("usage to show {} of {QUOTA} as spent", answered.counted), START, || {
        let shown = cluster.must(0, "GET", &usage, "", 200);
        let remaining = shown["values"][&served.key].as_array()?.last()?[1].as_u64()?;
        (remaining + answered.counted <= QUOTA).then_some(())
    });
}

/// The day by the node's own clock, as `YYYY-MM-DD`.
fn today(cluster: &Cluster) -> String {
    let answer = cluster.admin(0, "GET", "/account", "").expect("an answer");
    let date = answer.header("date").map(str::to_owned);
    let parsed = date.as_deref().and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    parsed.map_or_else(
        || jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        |at| at.strftime("%Y-%m-%d").to_string(),
    )
}

#[test]
fn without_a_quorum_every_node_serves_what_it_had_even_after_a_restart() {
    let mut cluster = Cluster::start(&REGIONS);
    let served = Served::make(&cluster.owner(0), QUOTA);
    let ask = |cluster: &Cluster, node: usize| {
        let path = format!("/_aws/execute-api/{}/prod/free", served.api);
        nodes::http::get(cluster.nodes[node].listen.gateway_http, &path, &[]).map(|answer| answer.status).ok()
    };
    for node in 0..3 {
        wait_for(&format!("node {node} to serve"), START, || ask(&cluster, node).filter(|status| *status == 200));
    }
    cluster.nodes[1].kill_9();
    cluster.nodes[2].kill_9();
    for _ in 0..50 {
        assert_eq!(ask(&cluster, 0), Some(200), "a node without a quorum stopped serving");
    }
    let late = |cluster: &Cluster| {
        let once = [("idempotency-key", "late")];
        cluster.owner(0).call("POST", "/restapis", r#"{"name":"late"}"#, &once)
    };
    let refused = late(&cluster).expect("an answer, not silence");
    assert!(refused.status >= 500, "a write without a quorum: {} {}", refused.status, refused.text());
    let stale = [("x-meridian-consistency", "stale")];
    let read = cluster.owner(0).call("GET", &format!("/restapis/{}", served.api), "", &stale).expect("an answer");
    assert_eq!(read.status, 200, "a stale read needs no quorum: {}", read.text());

    cluster.nodes[0].kill_9();
    cluster.nodes[0].restart();
    wait_for("the lonely node to serve after its restart", Duration::from_secs(20), || {
        ask(&cluster, 0).filter(|status| *status == 200)
    });

    cluster.nodes[1].restart();
    cluster.nodes[2].restart();
    // What was refused may or may not have come to pass since; asked again under its key, it is there once.
    wait_for("writes with a quorum again", START, || late(&cluster).ok().filter(|answer| answer.status == 201));
    for node in 0..3 {
        assert_eq!(ask(&cluster, node), Some(200), "node {node}");
    }
    let names = list(&cluster, 2, "/restapis").into_iter().filter(|api| api["name"] == "late");
    assert_eq!(names.count(), 1, "a write that was retried under its key is there once");
}
