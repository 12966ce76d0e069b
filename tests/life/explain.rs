//! Why a request was refused, asked of a node that had no part in it.

use super::nodes::{Cluster, START, http, wait_for};
use super::{REGION, meridian};
use serde_json::Value;

/// `/broken`, whose mock names no status, and a stage that shows causes.
fn make(cluster: &Cluster) -> String {
    let broken = r#"{"responses": {"200": {"description": ""}}, "x-amazon-apigateway-integration": {"type": "mock",
        "requestTemplates": {"application/json": "{}"}, "responses": {"default": {"statusCode": "200"}}}}"#;
    let file = format!(
        r#"{{"swagger": "2.0", "info": {{"title": "pets", "version": "1"}}, "paths": {{"/broken": {{"get": {broken}}}}}}}"#
    );
    let api = cluster.must(0, "POST", "/restapis?mode=import", &file, 201)["id"].as_str().expect("an id").to_owned();
    let stage = r#"{"stageName": "prod", "variables": {"meridian_explain": "true"}}"#;
    cluster.must(0, "POST", &format!("/restapis/{api}/deployments"), stage, 201);
    api
}

/// Calls a path at n2, an edge for the API; the answer's request id and extended id.
fn call(cluster: &Cluster, api: &str, path: &str, cause: &str) -> (String, String) {
    let target = format!("/_aws/execute-api/{api}/prod{path}");
    let answer = wait_for(&format!("{cause} at n2"), START, || {
        let answer = http::get(cluster.nodes[1].listen.gateway_http, &target, &[]).ok()?;
        (answer.header("x-meridian-cause") == Some(cause)).then_some(answer)
    });
    let id = |name: &str| answer.header(name).expect("an id").to_owned();
    (id("x-amzn-requestid"), id("x-amz-apigw-id"))
}

fn nodes_of(answer: &Value) -> Vec<(&str, &str)> {
    let records = answer["records"].as_array().expect("records");
    records.iter().filter_map(|r| Some((r["node"].as_str()?, r["role"].as_str()?))).collect()
}

#[test]
fn a_refusal_at_the_edge_or_in_the_region_is_explained_by_any_node_and_a_dead_one_is_named() {
    let mut cluster = Cluster::start(&[REGION, "eu-west-1", "ap-southeast-2"]);
    let api = make(&cluster);
    let (edge, _) = call(&cluster, &api, "/nothing", "route/no_such_method");
    let (far, extended) = call(&cluster, &api, "/broken", "map/mock_status");

    // n3 is neither the edge nor in the API's region.
    let endpoint = format!("http://{}", cluster.nodes[2].listen.admin);
    let token = cluster.token.clone();
    let explain =
        |words: &[&str]| meridian(&[&["explain", "--endpoint", &endpoint, "--token", &token], words].concat());
    let json = |id: &str| -> Value {
        let (good, said, wrong) = explain(&[id, "--output", "json"]);
        assert!(good, "{said}{wrong}");
        serde_json::from_str(&said).expect("JSON")
    };
    let told = json(&edge);
    assert_eq!(
        (&told["step"], &told["cause"], &told["status"]),
        (&"route".into(), &"no_such_method".into(), &403.into())
    );
    assert_eq!(nodes_of(&told), [("n2", "edge")]);
    for id in [&far, &extended] {
        let told = json(id);
        assert_eq!(nodes_of(&told), [("n2", "edge"), ("n1", "region")], "{told}");
        assert_eq!((&told["request_id"], &told["api"]), (&far.as_str().into(), &api.as_str().into()));
        assert_eq!((&told["step"], &told["node"], &told["region"]), (&"map".into(), &"n1".into(), &REGION.into()));
        assert_eq!(
            (&told["records"][0]["refused_in"], &told["unanswered"]),
            (&REGION.into(), &Value::Array(Vec::new()))
        );
    }
    let (good, page, _) = explain(&[&far]);
    let wanted =
        ["mock_status in step map", "answered 500", "integer statusCode", "✓ forward    n2", "✗ map        n1"];
    assert!(good && wanted.iter().all(|words| page.contains(words)), "{page}");

    let (good, _, said) = explain(&["nonsense"]);
    assert!(!good && said.contains("400") && said.contains("neither"), "{said}");
    let (good, _, said) = meridian(&["explain", &far, "--endpoint", &endpoint, "--token", "mdt_guess"]);
    assert!(!good && said.contains("40"), "{said}");

    cluster.nodes[0].kill_9();
    let told = json(&far);
    assert_eq!(nodes_of(&told), [("n2", "edge")], "what is left is told: {told}");
    assert_eq!(told["unanswered"][0]["node"], "n1", "{told}");
    let (good, page, _) = explain(&[&far]);
    assert!(good && page.contains("node n1 in us-east-1 was not heard"), "{page}");
    let (good, _, said) = explain(&["00000000-0000-4000-8000-000000000000"]);
    assert!(!good && said.contains("404") && said.contains("may know it: n1"), "{said}");
}
