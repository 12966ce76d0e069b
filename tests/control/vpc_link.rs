//! VpcLink.

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::deployment::{bad_request, not_found};

const NLB: &str = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/x/1";
const MISSING: &str = "Invalid Vpc Link identifier specified";

#[test]
fn a_link_is_pending_at_first_and_ready_at_the_next_look() {
    let bench = Bench::new();
    let made = bench.post("/vpclinks", json!({"name": "inside", "targetArns": [NLB]})).ok(202);
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(made, json!({"id": id, "name": "inside", "targetArns": [NLB], "status": "PENDING"}));
    let ready = json!({
        "id": id, "name": "inside", "targetArns": [NLB], "status": "AVAILABLE",
        "statusMessage": "Your vpc link is ready for use", "tags": {},
    });
    let url = format!("/vpclinks/{id}");
    assert_eq!(bench.get(&url).ok(200), ready);
    let tagged = bench
        .post("/vpclinks", json!({"name": "b", "description": "d", "targetArns": [NLB], "tags": {"a": "b"}}))
        .ok(202);
    assert_eq!((&tagged["tags"], &tagged["description"]), (&json!({"a": "b"}), &json!("d")));
    let listed = bench.get("/vpclinks").ok(200);
    let item = listed["item"].as_array().unwrap().iter().find(|item| item["id"] == json!(id)).unwrap();
    assert!(item.get("tags").is_none(), "a list omits empty tags: {item}");
    let after = bench.patch(&url, &[("replace", "/name", json!("n")), ("replace", "/description", json!("d"))]).ok(200);
    assert_eq!((&after["name"], &after["description"], &after["tags"]), (&json!("n"), &json!("d"), &json!({})));
    let one = |op: &str, path: &str, value: Value| bench.patch(&url, &[(op, path, value)]).refusal();
    assert_eq!(one("replace", "/name", json!("")), bad_request("Name cannot be empty"));
    assert_eq!(
        one("replace", "/status", json!(NLB)),
        bad_request("Invalid patch path  '/status' specified for op 'replace'. Must be one of: [/name, /description]")
    );
    assert_eq!(
        one("replace", "/targetArns", json!(NLB)),
        bad_request("Target arns are not allowed to be changed/added.")
    );
    assert_eq!(bench.delete(&url).ok(202), Value::Null);
    for seen in [bench.get(&url), bench.delete(&url), bench.patch(&url, &[])] {
        assert_eq!(seen.refusal(), not_found(MISSING));
    }
}

#[test]
fn a_link_is_refused_in_aws_words() {
    let bench = Bench::new();
    let post =
        |name: &str, targets: Value| bench.post("/vpclinks", json!({"name": name, "targetArns": targets})).refusal();
    assert_eq!(post("", json!([NLB])), bad_request("Name cannot be empty"));
    assert_eq!(post("a", json!(["invalid-arn"])), bad_request("Invalid ARN. ARN is not well formed invalid-arn"));
    assert_eq!(post("a", json!([])), bad_request("At least one target arn must be specified for vpc link."));
    assert_eq!(post("a", json!([NLB, NLB])), bad_request("More than one target arn specified for vpc link."));
    assert_eq!(bench.get("/vpclinks").ok(200), json!({"item": []}));
}

#[test]
fn a_link_in_use_stays() {
    let bench = Bench::new();
    let id = bench.post("/vpclinks", json!({"name": "inside", "targetArns": [NLB]})).id();
    let made = bench.post("/restapis", json!({"name": "pets"})).ok(201);
    let (api, root) = (made["id"].as_str().unwrap(), made["rootResourceId"].as_str().unwrap());
    let method = format!("/restapis/{api}/resources/{root}/methods/GET");
    bench.put(&method, json!({"authorizationType": "NONE"})).ok(201);
    let integration = json!({
        "type": "HTTP_PROXY", "httpMethod": "GET", "uri": "http://inside.example.com/", "connectionType": "VPC_LINK",
        "connectionId": id,
    });
    bench.put(&format!("{method}/integration"), integration).ok(201);
    let refused = |stages: &[&str]| {
        let users: Vec<String> = stages.iter().map(|stage| format!("{api}:GET:{root}:{stage}")).collect();
        let users = users.join(", ");
        let text = format!(
            "Cannot delete vpc link. Vpc link '{id}', is referenced in [{users}] in format of [RESTApiId:Method:Resource:Stage]."
        );
        assert_eq!(bench.delete(&format!("/vpclinks/{id}")).refusal(), bad_request(&text));
    };
    refused(&["test-invoke-stage"]);
    bench.put(&format!("{method}/responses/200"), json!({})).ok(201);
    let deployment = bench.post(&format!("/restapis/{api}/deployments"), json!({"stageName": "prod"})).id();
    refused(&["prod", "test-invoke-stage"]);
    bench.delete(&method).ok(204);
    refused(&["prod"]);
    bench.delete(&format!("/restapis/{api}/stages/prod")).ok(202);
    bench.delete(&format!("/restapis/{api}/deployments/{deployment}")).ok(202);
    bench.delete(&format!("/vpclinks/{id}")).ok(202);
}
