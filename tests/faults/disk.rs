//! A disk that is full: one node stops replicating and serves on, nobody is refused elsewhere, every node says what is
//! wrong, and the node comes back with everything once there is room.

use super::list;
use super::nodes::api::{BODY, Served};
use super::nodes::{Cluster, Launch, START, http, wait_for};
use serde_json::json;
use std::collections::BTreeSet;

/// What a file may grow to, in the shell's blocks of 1 KiB: writes beyond it fail as on a full disk, without any rights.
const BLOCKS: &str = "1536";

/// A launch whose files cannot grow beyond [`BLOCKS`].
fn cramped() -> Launch {
    let shell = format!("trap '' XFSZ; ulimit -f {BLOCKS}; exec \"$0\" \"$@\"");
    Launch { under: vec!["bash".into(), "-c".into(), shell], ..Launch::default() }
}

/// What `check` of a node finds to be an error.
fn errors(cluster: &Cluster, node: usize) -> Vec<String> {
    let found = cluster.must(node, "GET", "/cluster/v1/check", "", 200);
    let findings = found["findings"].as_array().cloned().unwrap_or_default();
    let errors = findings.iter().filter(|finding| finding["severity"] == "error");
    errors.map(|finding| finding["cause"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_full_disk_stops_one_node_and_every_node_says_which() {
    let roomy = Launch::default();
    let launches = [("us-east-1", roomy.clone()), ("eu-west-1", roomy.clone()), ("ap-southeast-2", cramped())];
    let mut cluster = Cluster::start_each(&launches);
    let served = Served::make(&cluster.owner(0), 100);
    let small = |cluster: &Cluster| http::get(cluster.nodes[2].listen.gateway_http, &served.path("free"), &[]).ok();
    wait_for("the small API on the cramped node", START, || {
        small(&cluster).filter(|answer| answer.status == 200).map(drop)
    });

    // Every write is acknowledged, before, while and after the node's disk fills.
    let mut written = BTreeSet::new();
    let body = json!({"name": "large", "description": "d".repeat(8_000)}).to_string();
    let stopped = |cluster: &Cluster| {
        let status = cluster.must(2, "GET", "/cluster/v1/status", "", 200);
        status["config"]["stopped"].is_string()
    };
    while !stopped(&cluster) {
        assert!(written.len() < 2_000, "the disk of the cramped node never filled");
        for _ in 0..10 {
            let made = cluster.must(0, "POST", "/restapis", &body, 201);
            written.insert(made["id"].as_str().unwrap_or_default().to_owned());
        }
    }
    println!("the disk was full after {} writes", written.len());

    for node in 0..3 {
        wait_for(&format!("node {node} to say that n3 has stopped"), START, || {
            errors(&cluster, node).iter().any(|cause| cause.starts_with("replication has stopped on n3")).then_some(())
        });
    }
    let answer = small(&cluster).expect("the cramped node still serves");
    assert_eq!((answer.status, answer.text()), (200, BODY.to_owned()));
    let refused = cluster.admin(2, "POST", "/restapis", &body).expect("an answer, at once");
    assert_eq!(refused.status, 503, "{}", refused.text());

    cluster.nodes[2].kill_9();
    cluster.nodes[2].restart_as(roomy);
    wait_for("the node to be whole again", START, || errors(&cluster, 2).is_empty().then_some(()));
    for node in 0..3 {
        let there: BTreeSet<String> =
            list(&cluster, node, "/restapis").iter().filter_map(|api| api["id"].as_str().map(str::to_owned)).collect();
        let lost: Vec<&String> = written.difference(&there).collect();
        assert!(lost.is_empty(), "node {node} lacks {lost:?}");
    }
    assert_eq!(errors(&cluster, 0), Vec::<String>::new());
}
