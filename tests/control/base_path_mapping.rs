//! BasePathMapping.

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::deployment::{bad_request, conflict, deploy, mocked, not_found};
use crate::domain_name::{private, regional};

const MAPPINGS: &str = "/domainnames/api.example.com/basepathmappings";
const MISSING: &str = "Invalid base path mapping identifier specified";

/// A domain and an API with a stage `prod`.
fn site() -> (Bench, String) {
    let bench = Bench::new();
    regional(&bench, "api.example.com");
    let api = mocked(&bench);
    let deployment = deploy(&bench, &api);
    bench.post(&format!("/restapis/{api}/stages"), json!({"stageName": "prod", "deploymentId": deployment})).ok(201);
    (bench, api)
}

#[test]
fn the_root_is_called_none() {
    let (bench, api) = site();
    let root = bench.post(MAPPINGS, json!({"restApiId": api})).ok(201);
    assert_eq!(root, json!({"basePath": "(none)", "restApiId": api}));
    let pets = bench.post(MAPPINGS, json!({"restApiId": api, "basePath": "pets", "stage": "prod"})).ok(201);
    assert_eq!(pets, json!({"basePath": "pets", "restApiId": api, "stage": "prod"}));
    assert_eq!(bench.get(&format!("{MAPPINGS}/%28none%29")).ok(200), root);
    assert_eq!(bench.get(&format!("{MAPPINGS}/(none)")).ok(200), root);
    assert_eq!(bench.get(&format!("{MAPPINGS}/pets")).ok(200), pets);
    assert_eq!(bench.get(MAPPINGS).ok(200), json!({"item": [root, pets]}));
    for path in ["", "(none)", "pets"] {
        assert_eq!(
            bench.post(MAPPINGS, json!({"restApiId": api, "basePath": path})).refusal(),
            conflict("Base path already exists for this domain name")
        );
    }
    assert_eq!(bench.delete(&format!("{MAPPINGS}/pets")).ok(202), Value::Null);
    assert_eq!(bench.delete(&format!("{MAPPINGS}/pets")).refusal(), not_found(MISSING));
    // The domain takes its mappings along.
    bench.delete("/domainnames/api.example.com").ok(202);
    assert_eq!(bench.get(MAPPINGS).refusal(), not_found("Invalid domain name identifier specified"));
    regional(&bench, "api.example.com");
    assert_eq!(bench.get(MAPPINGS).ok(200), json!({"item": []}));
}

#[test]
fn a_mapping_is_refused_with_the_reason() {
    let (bench, api) = site();
    let post = |body: Value| bench.post(MAPPINGS, body).refusal();
    assert_eq!(post(json!({"restApiId": "nope"})), bad_request("Invalid REST API identifier specified"));
    assert_eq!(post(json!({"restApiId": api, "stage": "nope"})), bad_request("Invalid stage identifier specified"));
    assert_eq!(
        post(json!({"restApiId": api, "basePath": "a/b"})),
        bad_request(
            "API Gateway V1 doesn't support the slash character (/) in base path mappings. To create a multi-level base path mapping, use API Gateway V2."
        )
    );
    assert_eq!(post(json!({"restApiId": api, "basePath": "a b"})), bad_request("Invalid base path specified: a b"));
    let made = private(&bench, "in.example.com");
    let inner =
        format!("/domainnames/in.example.com/basepathmappings?domainNameId={}", made["domainNameId"].as_str().unwrap());
    assert!(bench.post(&inner, json!({"restApiId": api})).refusal().2.starts_with("A private domain name"));
    let closed = bench.post("/restapis", json!({"name": "in", "endpointConfiguration": {"types": ["PRIVATE"]}})).id();
    bench.post(&inner, json!({"restApiId": closed})).ok(201);
    assert_eq!(bench.get(&inner).ok(200), json!({"item": [{"basePath": "(none)", "restApiId": closed}]}));
    assert!(post(json!({"restApiId": closed})).2.starts_with("A private domain name"));
}

#[test]
fn a_mapping_moves_and_holds_its_stage() {
    let (bench, api) = site();
    bench.post(MAPPINGS, json!({"restApiId": api, "stage": "prod"})).ok(201);
    bench.post(MAPPINGS, json!({"restApiId": api, "basePath": "taken"})).ok(201);
    let moved = bench.patch(&format!("{MAPPINGS}/(none)"), &[("replace", "/basePath", json!("v1"))]).ok(200);
    assert_eq!(moved, json!({"basePath": "v1", "restApiId": api, "stage": "prod"}));
    assert_eq!(bench.get(&format!("{MAPPINGS}/(none)")).refusal(), not_found(MISSING));
    let url = format!("{MAPPINGS}/v1");
    let one = |path: &str, value: Value| bench.patch(&url, &[("replace", path, value)]).refusal();
    assert_eq!(one("/basePath", json!("taken")), conflict("Base path already exists for this domain name"));
    assert_eq!(one("/stage", json!("nope")), bad_request("Invalid stage identifier specified"));
    assert_eq!(one("/restapiId", json!("nope")), bad_request("Invalid REST API identifier specified"));
    assert_eq!(one("/x", json!("nope")), bad_request("Invalid patch path /x"));
    assert_eq!(
        bench.delete(&format!("/restapis/{api}/stages/prod")).refusal(),
        bad_request(
            "Deleting stage prod failed. Please remove all base path mappings related to the stage prod in your domains: api.example.com."
        )
    );
    assert_eq!(
        bench.delete(&format!("/restapis/{api}")).refusal(),
        bad_request(&format!(
            "Deleting RestApi {api} failed. Please remove all base path mappings related to the RestApi in your domains: api.example.com."
        ))
    );
    assert_eq!(
        bench.patch(&url, &[("replace", "/stage", json!(""))]).ok(200),
        json!({"basePath": "v1", "restApiId": api})
    );
    bench.delete(&format!("/restapis/{api}/stages/prod")).ok(202);
    bench.delete(&url).ok(202);
    bench.delete(&format!("{MAPPINGS}/taken")).ok(202);
    bench.delete(&format!("/restapis/{api}")).ok(202);
}
