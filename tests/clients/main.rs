//! The AWS clients judge the control plane: boto3 and the AWS CLI drive every operation that is built, against three
//! nodes; the SDK for JavaScript goes through what differs between SDKs; and AWS's model makes inputs, good and bad.
//!
//! The scripts beside this file do the asking: they write on one node, read on another and invoke on a third, and look
//! at status, headers, exact bodies and error texts. Those of every operation compare what they called with AWS's model,
//! without what the census says is absent, so that none is forgotten.

#[path = "../nodes/mod.rs"]
mod nodes;
mod services;
mod visitors;

use nodes::{Cluster, skip};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-2"];
const SCRIPT: Duration = Duration::from_secs(300);

/// The project's own folder.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A program that a variable names, or that `scripts/test` put below `target`.
fn program(variable: &str, made: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    named.or_else(|| Some(root().join("target").join(made))).filter(|path| path.exists())
}

/// Runs a script of clients that are missing nowhere but where nobody ran `scripts/test`: never in CI.
fn python(script: &str, regions: &[&str]) {
    let Some(python) = program("MERIDIAN_TEST_PYTHON", "venv/bin/python") else {
        return missing(script, "target/venv with the pinned AWS clients");
    };
    let mut command = Command::new(python);
    run(script, command.arg("-B").arg(root().join("tests/clients").join(script)), regions);
}

/// Runs a script of the SDK for JavaScript, which `scripts/test` puts beside a link to the Node.js that is there.
fn node(script: &str, regions: &[&str]) {
    let node = program("MERIDIAN_TEST_NODE", "node/node").filter(|node| node.with_file_name("installed.json").exists());
    let Some(node) = node else {
        return missing(script, "target/node with the pinned AWS SDK for JavaScript and Node.js");
    };
    let modules = node.with_file_name("node_modules");
    let mut command = Command::new(node);
    run(script, command.arg(root().join("tests/clients").join(script)).env("NODE_PATH", modules), regions);
}

fn missing(script: &str, what: &str) {
    assert!(std::env::var_os("CI").is_none(), "CI must have the clients: run scripts/test");
    skip(script, &format!("{what} is missing; scripts/test makes it"));
}

/// Runs a client's script against a cluster of `regions`, which it finds described in the file of its last argument.
fn run(script: &str, command: &mut Command, regions: &[&str]) {
    let cluster = Cluster::start(regions);
    run_on(script, command, &cluster, &described(&cluster));
}

/// The same against a cluster that runs already; `told` is what the script finds.
fn run_on(script: &str, command: &mut Command, cluster: &Cluster, told: &Value) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("cluster.json");
    fs::write(&file, told.to_string()).expect("cluster.json");
    let log = folder.path().join("output.txt");
    let output = fs::File::create(&log).expect("output.txt");
    let mut child = command
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a second handle"))
        .stderr(output)
        .spawn()
        .expect("the client's process");
    let deadline = Instant::now() + SCRIPT;
    let status = loop {
        if let Some(status) = child.try_wait().expect("the script's status") {
            break Some(status);
        }
        if Instant::now() > deadline {
            child.kill().expect("SIGKILL");
            break child.wait().ok().and(None);
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let said = fs::read_to_string(&log).unwrap_or_default();
    println!("{said}");
    match status {
        Some(status) => assert!(status.success(), "{script} ended with {status}:\n{said}"),
        None => panic!("{script} did not end within {SCRIPT:?}:\n{said}"),
    }
    for node in &cluster.nodes {
        let words = fs::read_to_string(node.data.join("stderr.log")).unwrap_or_default();
        assert!(!words.contains("panicked at"), "{} panicked:\n{words}", node.name);
    }
}

fn described(cluster: &Cluster) -> Value {
    json!({
        "account": "000000000000",
        "access_key_id": cluster.access_key_id,
        "secret_access_key": cluster.secret_access_key,
        "token": cluster.token,
        "nodes": cluster.nodes.iter().map(|node| json!({
            "name": node.name,
            "region": node.region,
            "admin": node.listen.admin.to_string(),
            "gateway_http": node.listen.gateway_http.to_string(),
            "gateway_https": node.listen.gateway_https.to_string(),
        })).collect::<Vec<_>>(),
    })
}

#[test]
fn boto3_drives_every_operation_on_three_nodes() {
    python("with_boto3.py", &REGIONS);
}

#[test]
fn the_aws_cli_drives_every_operation_on_three_nodes() {
    python("with_aws_cli.py", &REGIONS);
}

#[test]
fn every_operation_takes_and_refuses_what_its_model_says() {
    python("from_model.py", &REGIONS[..1]);
}

#[test]
fn the_sdk_for_javascript_tells_pages_errors_and_files_as_from_aws() {
    node("with_js_sdk.cjs", &REGIONS);
}

#[test]
fn boto3_and_the_aws_cli_keep_and_call_functions_on_three_nodes() {
    let script = "with_lambda.py";
    let Some(python) = program("MERIDIAN_TEST_PYTHON", "venv/bin/python") else {
        return missing(script, "target/venv with the pinned AWS clients");
    };
    let cluster = Cluster::start_with(&REGIONS, &["--functions", "on"]);
    let mut command = Command::new(python);
    command.arg("-B").arg(root().join("tests/clients").join(script));
    run_on(script, &mut command, &cluster, &described(&cluster));
}
