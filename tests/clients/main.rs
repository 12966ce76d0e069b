//! The AWS clients judge the control plane: boto3 and the AWS CLI drive every operation that is built, against three nodes.
//!
//! The scripts beside this file do the asking: they write on one node, read on another and invoke on a third, and look
//! at status, headers, exact bodies and error texts. Each ends by comparing the operations that it called with AWS's
//! model, without what the census says is absent, so that none is forgotten.

#[path = "../nodes/mod.rs"]
mod nodes;
mod visitors;

use nodes::{Cluster, skip};
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-2"];
const SCRIPT: Duration = Duration::from_secs(300);

/// The interpreter with the pinned clients: what `scripts/test` made, or what `MERIDIAN_TEST_PYTHON` says.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("MERIDIAN_TEST_PYTHON").map(PathBuf::from);
    let made = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
    named.or(Some(made)).filter(|path| path.exists())
}

fn run(script: &str) {
    let Some(python) = python() else {
        assert!(std::env::var_os("CI").is_none(), "CI must have the clients: run scripts/test");
        return skip(script, "target/venv with the pinned AWS clients is missing; scripts/test makes it");
    };
    let cluster = Cluster::start(&REGIONS);
    let folder = tempfile::tempdir().expect("a temporary directory");
    let described = json!({
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
    });
    let file = folder.path().join("cluster.json");
    fs::write(&file, described.to_string()).expect("cluster.json");
    let log = folder.path().join("output.txt");
    let output = fs::File::create(&log).expect("output.txt");
    let mut child = Command::new(python)
        .arg("-B")
        .arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script))
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a second handle"))
        .stderr(output)
        .spawn()
        .expect("python");
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
}

#[test]
fn boto3_drives_every_operation_on_three_nodes() {
    run("with_boto3.py");
}

#[test]
fn the_aws_cli_drives_every_operation_on_three_nodes() {
    run("with_aws_cli.py");
}
