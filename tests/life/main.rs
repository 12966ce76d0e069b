//! A node's life as an operator meets it: started, invited, looked at, taken out, lost; by the command line alone.

mod backends;
mod explain;
mod functions;
#[path = "../nodes/mod.rs"]
mod nodes;
mod output;
mod templates;

use nodes::{Cluster, Launch, Node, START, http, wait_for};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

const REGION: &str = "us-east-1";

/// Runs the program without a node's variables; what it printed, and whether it was content.
fn meridian(arguments: &[&str]) -> (bool, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meridian"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MERIDIAN_")) {
        command.env_remove(name);
    }
    let Output { status, stdout, stderr } = command.args(arguments).output().expect("the program runs");
    (status.success(), String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr).into_owned())
}

#[test]
fn a_file_is_looked_at_before_it_is_imported() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("api.yaml");
    let file = path.to_string_lossy().into_owned();
    let check = |text: &str, more: &[&str]| {
        std::fs::write(&path, text).expect("written");
        meridian(&[&["import", "--check", file.as_str()], more].concat())
    };
    let good =
        "openapi: 3.0.1\ninfo: {title: t, version: '1'}\npaths:\n  /a: {get: {deprecated: true, responses: {}}}\n";
    let (content, said, _) = check(good, &[]);
    assert!(content, "{said}");
    assert_eq!(
        said,
        "SEVERITY  POINTER                    TEXT\nignored   /paths/~1a/get/deprecated  the keyword has no effect on an API\nThe file can be imported: 0 errors, 0 warnings, 1 without effect\n"
    );
    let (content, said, _) =
        check(&format!("{good}  /a/{{x}}: {{trace: {{}}}}\n  /a/{{y}}: {{}}\n"), &["--output", "json"]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert!(!content && said["importable"] == false, "{said}");
    let pointers: Vec<&str> =
        said["findings"].as_array().unwrap().iter().filter_map(|f| f["pointer"].as_str()).collect();
    assert_eq!(pointers, ["/paths/~1a/get/deprecated", "/paths/~1a~1{x}/trace", "/paths/~1a~1{y}"]);
    let (content, _, said) = check("[", &[]);
    assert!(!content && said.contains("neither JSON nor YAML"), "{said}");
}

/// Starts a node that must not come up; what it said.
fn refused(data: &Path, arguments: &[&str]) -> String {
    let mut all: Vec<&str> = arguments.to_vec();
    let data = data.to_string_lossy().into_owned();
    all.extend(["--data", &data, "--admin", "127.0.0.1:0", "--peers", "127.0.0.1:0"]);
    all.extend(["--gateway-http", "127.0.0.1:0", "--gateway-https", "127.0.0.1:0"]);
    let (content, _, said) = meridian(&all);
    assert!(!content, "{all:?} should have been refused");
    said
}

#[test]
fn operators_see_who_is_in_what_is_wrong_and_what_to_do_and_take_nodes_out() {
    let mut cluster = Cluster::start(&[REGION, "eu-west-1", "ap-southeast-2"]);
    let endpoint = format!("http://{}", cluster.nodes[0].listen.admin);
    let data = cluster.nodes[0].data.to_string_lossy().into_owned();
    // On the node's own machine its directory is enough: the token is found there.
    let ask = |words: &[&str]| meridian(&[words, &["--endpoint", &endpoint, "--data", &data]].concat());

    let (_, table, _) = ask(&["members"]);
    for word in ["NAME", "ROLE", "n1", "n2", "n3", "leader", "voter", "ap-southeast-2"] {
        assert!(table.contains(word), "{word} is not in:\n{table}");
    }
    let wanted = [
        "name",
        "id",
        "region",
        "address",
        "role",
        "state",
        "lag_entries",
        "applied_index",
        "rtt_ms",
        "clock_offset_ms",
        "version",
    ];
    wait_for("members that say everything of themselves", START, || {
        let (_, json, _) = ask(&["members", "--output", "json"]);
        let members: Value = serde_json::from_str(&json).ok()?;
        let whole = |member: &Value| wanted.iter().all(|name| !member[*name].is_null());
        members["members"].as_array()?.iter().all(whole).then_some(())
    });
    let (_, status, _) = ask(&["status", "--output", "json"]);
    let status: Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!((&status["nodes"], &status["voters"]), (&Value::from(3), &Value::from(3)), "{status}");
    wait_for("round trips measured by every node", START, || {
        let (_, rtt, _) = ask(&["rtt", "--output", "json"]);
        let rows: Value = serde_json::from_str(&rtt).ok()?;
        let measured = rows["rtt"].as_array()?.iter().filter(|row| row["rtt_ms"].is_number()).count();
        (measured == 6).then_some(())
    });
    let (good, said, _) = ask(&["check"]);
    assert!(good && said.contains("nothing is wrong"), "{said}");

    cluster.nodes[2].kill_9();
    wait_for("a finding about the dead node", START, || {
        let (good, said, _) = ask(&["check"]);
        (!good && said.contains("n3 does not answer") && said.contains("meridian remove n3")).then_some(())
    });
    let (good, _, said) = ask(&["remove", "nobody"]);
    assert!(!good && said.contains("no node named `nobody`"), "{said}");
    let (good, _, said) = ask(&["remove", "n3"]);
    assert!(good, "{said}");
    wait_for("two members", START, || (cluster.members(0)?.len() == 2).then_some(()));
    // A removed node's certificate is worth nothing, and its admin token neither.
    let token = std::fs::read_to_string(cluster.nodes[2].data.join("admin-token")).expect("its token");
    let (good, _, said) = meridian(&["members", "--endpoint", &endpoint, "--token", token.trim()]);
    assert!(!good && said.contains("40"), "a removed node's token was taken: {said}");
    let (good, _, said) = meridian(&["members", "--endpoint", &endpoint, "--token", "mdt_guess"]);
    assert!(!good, "{said}");

    let (good, _, said) = ask(&["demote", "n1"]);
    assert!(good, "{said}");
    wait_for("n2 alone votes and leads", START, || {
        let members = cluster.members(1)?;
        let role = |name: &str| members.iter().find(|member| member["name"] == name).map(|m| m["role"].clone());
        (role("n1")? == "learner" && role("n2")? == "leader").then_some(())
    });
    let (good, _, said) = ask(&["demote", "n2"]);
    assert!(!good && said.contains("only voter"), "{said}");
    let (good, _, said) = ask(&["promote", "n1"]);
    assert!(good, "{said}");
    cluster.wait_voters(2);
}

#[test]
fn owners_see_what_a_deployment_would_change_and_a_pipeline_stops_before_it_breaks_clients() {
    let cluster = Cluster::start(&[REGION]);
    let endpoint = format!("http://{}", cluster.nodes[0].listen.admin);
    let data = cluster.nodes[0].data.to_string_lossy().into_owned();
    let method = |more: &str| {
        format!(
            r#"{{{more} "responses": {{"200": {{"description": ""}}}}, "x-amazon-apigateway-integration": {{"type": "mock",
            "requestTemplates": {{"application/json": "{{statusCode: 200}}"}}, "responses": {{"default": {{"statusCode": "200"}}}}}}}}"#
        )
    };
    let file = |paths: &str| {
        let key = r#""securityDefinitions": {"key": {"type": "apiKey", "name": "x-api-key", "in": "header"}}"#;
        format!(r#"{{"swagger": "2.0", "info": {{"title": "pets", "version": "1"}}, {key}, "paths": {{{paths}}}}}"#)
    };
    let plain = method("");
    let first = file(&format!(r#""/pets": {{"get": {plain}, "put": {plain}}}"#));
    let api = cluster.must(0, "POST", "/restapis?mode=import", &first, 201)["id"].as_str().expect("an id").to_owned();
    cluster.must(0, "POST", &format!("/restapis/{api}/deployments"), r#"{"stageName": "prod"}"#, 201);
    let diff = |more: &[&str]| {
        meridian(&[&["api", "diff", &api, "--stage", "prod", "--endpoint", &endpoint, "--data", &data], more].concat())
    };
    assert_eq!(
        diff(&["--fail-on", "any"]),
        (true, format!("Stage prod serves what the draft of API {api} says\n"), String::new())
    );
    let locked = method(r#""security": [{"key": []}],"#);
    let second = file(&format!(r#""/pets": {{"get": {locked}}}, "/toys": {{"get": {plain}}}"#));
    cluster.must(0, "PUT", &format!("/restapis/{api}?mode=overwrite"), &second, 200);
    let (content, said, _) = diff(&[]);
    assert!(content, "{said}");
    let wanted = [
        "CHANGE   WHAT                       BEFORE  AFTER  BREAKS CLIENTS",
        "changed  GET /pets /apiKeyRequired  false   true   callers need an API key",
        "removed  PUT /pets                  -       -      PUT /pets is answered 403",
        "added    GET /toys                  -       -      -",
        "",
        &format!("3 undeployed changes between the draft of API {api} and stage prod; 2 break clients"),
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), wanted);
    assert!(!diff(&["--fail-on", "breaking"]).0 && !diff(&["--fail-on", "any"]).0);
    let (_, said, _) = diff(&["--output", "json"]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((&said["breaking"], said["changes"].as_array().map(Vec::len)), (&Value::from(2), Some(3)), "{said}");
    cluster.must(0, "POST", &format!("/restapis/{api}/deployments"), r#"{"stageName": "prod"}"#, 201);
    assert!(diff(&["--fail-on", "any"]).0);
    let (content, _, said) =
        meridian(&["api", "diff", &api, "--stage", "no/such", "--endpoint", &endpoint, "--data", &data]);
    assert!(!content && said.contains("has no stage `no/such`; it has prod"), "{said}");
}

#[test]
fn tokens_make_one_node_and_a_node_that_lost_its_data_says_how_to_come_back() {
    let mut cluster = Cluster::start(&[REGION]);
    let folder = tempfile::tempdir().expect("a directory");
    let said = refused(&folder.path().join("a"), &["join", "nonsense"]);
    assert!(said.contains("nonsense"), "{said}");
    let said = refused(&folder.path().join("a"), &["join", "mdn1.AAAA"]);
    assert!(said.contains("no join token"), "{said}");

    let token = cluster.join_token();
    let second = folder.path().join("n2");
    let mut node = Node::launch("n2", "eu-west-1", second.clone(), &["join", &token], Launch::default());
    let other = refused(&folder.path().join("n3"), &["join", &token, "--name", "n3", "--region", "eu-west-1"]);
    assert!(other.contains("used already"), "{other}");
    let in_use = refused(&second, &["start"]);
    assert!(in_use.contains("in use by another meridian process"), "{in_use}");

    // The same command again resumes the node that there is, with or without the token.
    node.kill_9();
    node.restart();
    let same = |member: &Value| member["name"] == "n2" && member["id"] == 2;
    assert!(cluster.members(0).expect("members").iter().any(same));
    node.kill_9();
    let elsewhere = refused(&second, &["start", "--config", &cluster_file(folder.path(), "another")]);
    assert!(elsewhere.contains("belongs to cluster"), "{elsewhere}");

    // Its log is gone: it must not come back under its old id.
    for entry in std::fs::read_dir(second.join("config")).expect("its replica").flatten() {
        if entry.file_name().to_string_lossy().contains("log") {
            std::fs::remove_file(entry.path()).expect("its log");
        }
    }
    let lost = refused(&second, &["start"]);
    assert!(lost.contains("join again"), "{lost}");

    // An empty directory under a cluster's name founds nothing.
    let founding = refused(&folder.path().join("empty"), &["start", "--config", &cluster_file(folder.path(), "mine")]);
    assert!(founding.contains("must not found a second cluster") && founding.contains("token create"), "{founding}");
    cluster.nodes[0].kill_9();
}

fn cluster_file(folder: &Path, id: &str) -> String {
    let file = folder.join(format!("{id}.toml"));
    std::fs::write(&file, format!("[cluster]\nid = \"{id}\"\n")).expect("a node file");
    file.to_string_lossy().into_owned()
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_bound() {
    let folder = tempfile::tempdir().expect("a directory");
    let data = folder.path().join("n");
    for (flags, words) in [
        (&["start", "--region", "Not A Region"][..], "region"),
        (&["start", "--dns", "127.0.0.1:0"], "not built yet"),
        (&["start", "--account", "1"], "twelve digits"),
        (&["start", "--tls-cert", "x.pem"], "--tls-key"),
    ] {
        let said = refused(&data, flags);
        assert!(said.contains(words), "{flags:?}: {said}");
    }
    let beyond = Command::new(env!("CARGO_BIN_EXE_meridian"))
        .args(["start", "--dev", "--gateway-http", "0.0.0.0:0", "--admin", "127.0.0.1:0", "--peers", "127.0.0.1:0"])
        .output()
        .expect("the program runs");
    assert!(String::from_utf8_lossy(&beyond.stderr).contains("--dev"));
    let (good, _, said) = meridian(&["snapshot", "save", "x"]);
    assert!(!good && said.contains("not built yet"), "{said}");
    let (good, _, said) = meridian(&["members", "--endpoint", "http://127.0.0.1:9", "--token", "t"]);
    assert!(!good && said.contains("meridian start"), "{said}");
}

#[test]
fn a_development_node_takes_any_credentials_and_forgets_on_demand() {
    let folder = tempfile::tempdir().expect("a directory");
    let node = Node::launch("dev", REGION, folder.path().join("dev"), &["start", "--dev"], Launch::default());
    let call = |method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        let mut client = http::Client::connect(node.listen.admin).expect("the admin listener");
        client.send(method, path, headers, body.as_bytes()).expect("an answer")
    };
    let anybody = "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/apigateway/aws4_request, \
                   SignedHeaders=host;x-amz-date, Signature=00";
    let signed = [("authorization", anybody), ("x-amz-date", "20260101T000000Z")];
    assert_eq!(call("POST", "/restapis", &signed, "{\"name\":\"pets\"}").status, 201);
    let listed = call("GET", "/restapis", &signed, "").json().expect("JSON");
    assert_eq!(listed["item"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(call("POST", "/_dev/reset", &[], "").status, 403, "the header is missing");
    assert_eq!(call("POST", "/_dev/reset", &[("x-meridian-dev", "1")], "").status, 200);
    let listed = call("GET", "/restapis", &signed, "").json().expect("JSON");
    assert_eq!(listed["item"].as_array().map(Vec::len), Some(0), "{listed}");
    let foreign = call("GET", "/restapis", &[("origin", "http://evil.example")], "");
    assert_eq!(foreign.status, 403, "{}", foreign.text());
    let mut visitor = http::Client::connect(node.listen.gateway_http).expect("the gateway's listener");
    assert_eq!(visitor.send("GET", "/", &[], b"").expect("an answer").status, 403, "no API has this host");
    let metrics = call("GET", "/metrics", &[], "").text();
    let named = |wanted: &str| metrics.lines().any(|line| line.starts_with(wanted));
    for family in [
        "meridian_gateway_requests_total{status=\"403\"} 1",
        "meridian_gateway_latency_seconds_count ",
        "meridian_gateway_integration_latency_seconds_count ",
        "meridian_raft_term ",
        "meridian_raft_lag_entries ",
        "meridian_raft_leader_changes_total ",
        "meridian_config_commit_seconds_count ",
        "meridian_edge_in_flight ",
        "meridian_usage_grants_total ",
        "meridian_backend_connections ",
        "meridian_backend_connections_idle ",
        "meridian_backend_calls_waiting ",
        "meridian_backend_connections_opened_total ",
    ] {
        assert!(named(family), "{family} is not in:\n{metrics}");
    }
    assert!(!metrics.contains("meridian_meridian"), "a prefix stands twice in:\n{metrics}");
}

#[test]
fn a_strict_node_has_the_numbers_of_aws_on_its_control_plane() {
    let folder = tempfile::tempdir().expect("a directory");
    let start = ["start", "--dev", "--profile", "strict"];
    let node = Node::launch("strict", REGION, folder.path().join("strict"), &start, Launch::default());
    let call = |method: &str, path: &str, body: &str| {
        let mut client = http::Client::connect(node.listen.admin).expect("the admin listener");
        client.send(method, path, &[], body.as_bytes()).expect("an answer")
    };
    let made = call("POST", "/restapis", "{\"name\":\"pets\"}");
    assert_eq!(made.status, 201);
    let refused = call("POST", "/restapis", "{\"name\":\"cats\"}");
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("30")), "{}", refused.text());
    assert_eq!(refused.header("x-amzn-errortype"), Some("TooManyRequestsException"));
    // The leader's quotas are AWS's too.
    let id = made.json().expect("JSON")["id"].as_str().expect("an id").to_owned();
    let policy = format!("{{\\\"a\\\":\\\"{}\\\"}}", "x".repeat(8_192));
    let patch = format!("{{\"patchOperations\":[{{\"op\":\"replace\",\"path\":\"/policy\",\"value\":\"{policy}\"}}]}}");
    let long = call("PATCH", &format!("/restapis/{id}"), &patch);
    assert_eq!(
        (long.status, long.header("x-amzn-errortype")),
        (429, Some("LimitExceededException")),
        "{}",
        long.text()
    );
}

/// Whether a process runs that was told `what` among its arguments.
fn runs(what: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).into_owned()).any(|line| line.contains(what))
}

#[test]
fn a_demo_leaves_no_process_behind_however_it_ends() {
    for (signal, cleans_up) in [("-INT", true), ("-TERM", true), ("-HUP", true), ("-KILL", false)] {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let place = folder.path().to_string_lossy().into_owned();
        let mut demo = Command::new(env!("CARGO_BIN_EXE_meridian"))
            .args(["demo", "--regions", "us-east-1,eu-west-1"])
            .env("TMPDIR", folder.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the demo");
        wait_for("two nodes of the demo", START, || {
            let made = std::fs::read_dir(folder.path()).ok()?.flatten().next()?;
            made.path().join("eu-west-1/listen.json").exists().then_some(())
        });
        let pid = demo.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill").success());
        let ended = demo.wait().expect("the demo's end");
        assert!(!ended.success(), "{signal}: {ended}");
        wait_for(&format!("the demo's nodes to end after {signal}"), START, || (!runs(&place)).then_some(()));
        let left = std::fs::read_dir(folder.path()).expect("the folder").count();
        assert!(!cleans_up || left == 0, "{signal} left {left} directories behind");
    }
}
