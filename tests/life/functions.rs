//! Functions of a cluster: code that outlives the node that took it, and a method that calls it.

use crate::nodes::{Cluster, Launch, START, http, wait_for};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;

const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-2"];
const AT: &str = "/2015-03-31/functions/pets";

/// Answers every event with what a proxy integration wants, and the event's `say` or path in it.
const BOOTSTRAP: &str = r#"#!/usr/bin/python3 -ES
import http.client, json, os
link = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    link.request("GET", "/2018-06-01/runtime/invocation/next")
    asked = link.getresponse()
    event, id = json.loads(asked.read()), asked.headers["Lambda-Runtime-Aws-Request-Id"]
    said = {"statusCode": 200, "body": event.get("say") or event.get("path") or "nothing"}
    link.request("POST", f"/2018-06-01/runtime/invocation/{id}/response", json.dumps(said))
    link.getresponse().read()
"#;

fn zip() -> Vec<u8> {
    let mut out = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    out.start_file("bootstrap", options).expect("an entry");
    out.write_all(BOOTSTRAP.as_bytes()).expect("its bytes");
    out.finish().expect("an archive").into_inner()
}

fn blobs(data: &Path) -> usize {
    std::fs::read_dir(data.join("blobs")).map_or(0, |entries| {
        entries.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.file_name().len() == 64)).count()
    })
}

fn create(cluster: &Cluster, node: usize) {
    let body = json!({
        "FunctionName": "pets", "Runtime": "provided.al2023", "Handler": "none", "Timeout": 20,
        "Role": "arn:aws:iam::000000000000:role/run", "Code": {"ZipFile": STANDARD.encode(zip())},
    });
    cluster.must(node, "POST", "/2015-03-31/functions", &body.to_string(), 201);
}

fn call(cluster: &Cluster, node: usize) -> Value {
    cluster.must(node, "POST", &format!("{AT}/invocations"), r#"{"say":"hello"}"#, 200)
}

fn with_functions() -> Launch {
    Launch { flags: vec!["--functions".into(), "on".into()], ..Launch::default() }
}

#[test]
fn code_outlives_the_node_that_took_it_and_comes_back_to_one_that_lost_it() {
    let nodes: Vec<(&str, Launch)> = REGIONS.iter().map(|region| (*region, with_functions())).collect();
    let mut cluster = Cluster::start_each(&nodes);
    create(&cluster, 1);
    assert_eq!(blobs(&cluster.nodes[1].data), 1);
    assert!(cluster.nodes.iter().filter(|node| blobs(&node.data) == 1).count() >= 2, "a majority has it on the answer");
    cluster.nodes[1].kill_9();
    for node in [0, 2] {
        let said = wait_for("a call on a node that is left", START, || {
            let answer = cluster.admin(node, "POST", &format!("{AT}/invocations"), r#"{"say":"hello"}"#).ok()?;
            (answer.status == 200).then(|| answer.json())?
        });
        assert_eq!(said, json!({"statusCode": 200, "body": "hello"}));
    }
    // A disk that was restored without its blobs gets them from the others.
    std::fs::remove_dir_all(cluster.nodes[1].data.join("blobs")).expect("its blobs");
    cluster.nodes[1].restart();
    let data = cluster.nodes[1].data.clone();
    wait_for("the code on the node that lost it", START, || (blobs(&data) == 1).then_some(()));
    assert_eq!(call(&cluster, 1), json!({"statusCode": 200, "body": "hello"}));
}

#[test]
fn a_method_calls_a_function_of_the_cluster_where_its_policy_lets_it() {
    let cluster = Cluster::start_each(&[(REGIONS[0], with_functions())]);
    create(&cluster, 0);
    let must =
        |method: &str, path: &str, body: Value, status: u16| cluster.must(0, method, path, &body.to_string(), status);
    let api = must("POST", "/restapis", json!({"name": "pets"}), 201);
    let (id, root) = (api["id"].as_str().expect("its id"), api["rootResourceId"].as_str().expect("its root"));
    let method = format!("/restapis/{id}/resources/{root}/methods/ANY");
    must("PUT", &method, json!({"authorizationType": "NONE"}), 201);
    let function = "arn:aws:lambda:us-east-1:000000000000:function:pets";
    let uri = format!("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations");
    let integration = json!({"type": "AWS_PROXY", "httpMethod": "POST", "uri": uri});
    must("PUT", &format!("{method}/integration"), integration, 201);
    must("POST", &format!("/restapis/{id}/deployments"), json!({"stageName": "prod"}), 201);
    let gateway = cluster.nodes[0].listen.gateway_http;
    let get = || http::get(gateway, &format!("/_aws/execute-api/{id}/prod/"), &[]).expect("an answer");
    let forbidden = get();
    assert_eq!(forbidden.status, 500, "without a permission: {}", forbidden.text());
    let permission = json!({
        "StatementId": "gateway", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com",
        "SourceArn": format!("arn:aws:execute-api:us-east-1:000000000000:{id}/*"),
    });
    must("POST", &format!("{AT}/policy"), permission, 201);
    let answer = get();
    assert_eq!((answer.status, answer.text().as_str()), (200, "/"), "{}", answer.text());
}
