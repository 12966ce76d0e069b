//! Every later state must open what this one wrote: a data directory of a finished state, kept beside this file.
//!
//! `state-a.tar.gz` is a one-node cluster with a deployed API, a key and a plan, left by SIGKILL. `facts.json` in it says
//! what must be found again. To keep another one: `MERIDIAN_KEEP_STATE=state-b scripts/test --test opens`.

#[path = "../nodes/mod.rs"]
mod nodes;

use nodes::api::{BODY, Served};
use nodes::{Cluster, Launch, Node, Owner, START, http, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const REGION: &str = "us-east-1";
const QUOTA: u64 = 1000;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/opens")
}

fn tar(arguments: &[&str], folder: &Path) {
    let status = Command::new("tar").args(arguments).current_dir(folder).status().expect("tar");
    assert!(status.success(), "tar {arguments:?}: {status}");
}

/// Writes the data directory of this state, as it is while it runs and after a kill.
fn keep(name: &str) {
    let mut cluster = Cluster::start(&[REGION]);
    let served = Served::make(&cluster.owner(0), QUOTA);
    let api = cluster.must(0, "GET", &format!("/restapis/{}", served.api), "", 200);
    let stage = cluster.must(0, "GET", &format!("/restapis/{}/stages/prod", served.api), "", 200);
    let plan = cluster.must(0, "GET", &format!("/usageplans/{}", served.plan), "", 200);
    let facts = json!({
        "api": api, "stage": stage, "plan": plan, "key": served.key, "keyValue": served.key_value, "token": cluster.token,
    });
    cluster.nodes[0].kill_9();
    let data = cluster.nodes[0].data.clone();
    fs::write(data.join("facts.json"), facts.to_string()).expect("facts.json");
    for said in ["stdout.log", "stderr.log"] {
        let _ = fs::remove_file(data.join(said));
    }
    let archive = here().join(format!("{name}.tar.gz"));
    tar(&["--owner=0", "--group=0", "-czf", &archive.to_string_lossy(), "."], &data);
}

#[test]
fn a_data_directory_of_every_earlier_state_opens_and_serves() {
    if let Ok(name) = std::env::var("MERIDIAN_KEEP_STATE") {
        keep(&name);
    }
    let mut states: Vec<PathBuf> = fs::read_dir(here())
        .expect("tests/opens")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".tar.gz"))
        .collect();
    states.sort();
    assert!(!states.is_empty(), "no kept state in tests/opens");
    for state in states {
        opens(&state);
    }
}

fn opens(state: &Path) {
    println!("opening {}", state.display());
    let folder = tempfile::tempdir().expect("a temporary directory");
    tar(&["-xzf", &state.to_string_lossy()], folder.path());
    let read = fs::read(folder.path().join("facts.json")).expect("facts.json");
    let facts: Value = serde_json::from_slice(&read).expect("facts.json is JSON");
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let node = Node::launch("n1", REGION, folder.path().to_owned(), &["start"], Launch::default());
    let owner = Owner { address: node.listen.admin, token: text(&facts["token"]), region: REGION.to_owned() };
    let api = text(&facts["api"]["id"]);
    assert_eq!(owner.must("GET", &format!("/restapis/{api}"), "", 200), facts["api"]);
    assert_eq!(owner.must("GET", &format!("/restapis/{api}/stages/prod"), "", 200), facts["stage"]);
    assert_eq!(owner.must("GET", &format!("/usageplans/{}", text(&facts["plan"]["id"])), "", 200), facts["plan"]);
    let key = text(&facts["keyValue"]);
    for (part, headers) in [("free", &[][..]), ("keyed", &[("x-api-key", key.as_str())][..])] {
        let path = format!("/_aws/execute-api/{api}/prod/{part}");
        let answer = wait_for(&format!("{part} to be served"), START, || {
            http::get(node.listen.gateway_http, &path, headers).ok().filter(|answer| answer.status == 200)
        });
        assert_eq!(answer.text(), BODY);
    }
    owner.must("POST", "/restapis", r#"{"name":"written by a later state"}"#, 201);
}
