//! Deployment, and the draft that other modules deploy.

use meridian::catalog::v1::{Integration, Method, MethodResponse};
use meridian::catalog::{AccountId, ApiId, Region};
use meridian::state::{Ops, Scope};
use serde_json::{Value, json};

use crate::bench::{ACCOUNT, Bench, NOW_MS};

pub(crate) fn bad_request(message: &str) -> (u16, String, String) {
    (400, "BadRequestException".to_owned(), message.to_owned())
}

pub(crate) fn not_found(message: &str) -> (u16, String, String) {
    (404, "NotFoundException".to_owned(), message.to_owned())
}

pub(crate) fn conflict(message: &str) -> (u16, String, String) {
    (409, "ConflictException".to_owned(), message.to_owned())
}

pub(crate) fn scope(api: &str) -> Scope {
    Scope::api(&AccountId::from(ACCOUNT), &Region::from("us-east-1"), &ApiId::from(api))
}

/// Gives a resource a mock method, past the control plane.
pub(crate) fn mock(bench: &Bench, api: &str, resource: &str, key_required: bool) {
    let method = Method {
        http_method: "GET".into(),
        authorization_type: "NONE".into(),
        api_key_required: key_required,
        method_responses: [("200".to_owned(), MethodResponse { status_code: "200".into(), ..Default::default() })]
            .into(),
        method_integration: Some(Integration::default()),
        ..Method::default()
    };
    let mut ops = Ops::new();
    ops.put(&scope(api), &Method::row_id(resource, "GET"), &method);
    bench.memory.put(&ops.0);
}

/// A new API with a mock at its root.
pub(crate) fn mocked(bench: &Bench) -> String {
    let made = bench.post("/restapis", json!({"name": "pets"})).ok(201);
    let id = made["id"].as_str().unwrap().to_owned();
    mock(bench, &id, made["rootResourceId"].as_str().unwrap(), false);
    id
}

/// A deployment of an API, without a stage.
pub(crate) fn deploy(bench: &Bench, api: &str) -> String {
    bench.post(&format!("/restapis/{api}/deployments"), json!({})).id()
}

#[test]
fn a_deployment_shows_its_id_and_time_and_what_it_froze_only_when_asked() {
    let bench = Bench::new();
    let api = mocked(&bench);
    let base = format!("/restapis/{api}/deployments");
    let made = bench.post(&base, json!({"description": "first"})).ok(201);
    let id = made["id"].as_str().unwrap();
    assert_eq!(id.len(), 6);
    assert_eq!(made, json!({"id": id, "description": "first", "createdDate": NOW_MS / 1000}));
    assert_eq!(bench.get(&format!("{base}/{id}")).ok(200), made);

    // What is summed up is what was frozen, not the draft of today.
    let root = bench.get(&format!("/restapis/{api}")).json()["rootResourceId"].as_str().unwrap().to_owned();
    mock(&bench, &api, &root, true);
    let mut whole = made.clone();
    whole["apiSummary"] = json!({"/": {"GET": {"authorizationType": "NONE", "apiKeyRequired": false}}});
    assert_eq!(bench.get(&format!("{base}/{id}?embed=apisummary")).ok(200), whole);

    let second = bench.post(&base, json!({"description": ""})).ok(201);
    assert_eq!(second, json!({"id": second["id"], "createdDate": NOW_MS / 1000}), "an empty description is none");
    let mut both = vec![made, second];
    both.sort_by_key(|deployment| deployment["id"].as_str().unwrap().to_owned());
    assert_eq!(bench.get(&base).ok(200), json!({"item": both}));
    let page = bench.get(&format!("{base}?limit=1")).ok(200);
    let next = bench.get(&format!("{base}?limit=1&position={}", page["position"].as_str().unwrap())).ok(200);
    assert_eq!((page["item"][0].clone(), next), (both[0].clone(), json!({"item": [both[1]]})));
}

#[test]
fn a_deployment_with_a_stage_name_makes_the_stage_or_moves_it() {
    let bench = Bench::new();
    let api = mocked(&bench);
    let base = format!("/restapis/{api}/deployments");
    let first = bench
        .post(
            &base,
            json!({
                "stageName": "prod", "stageDescription": "live", "variables": {"host": "a.example.com"},
                "tracingEnabled": true, "cacheClusterEnabled": true, "cacheClusterSize": "1.6",
            }),
        )
        .id();
    let stage = json!({
        "stageName": "prod", "deploymentId": first, "description": "live", "variables": {"host": "a.example.com"},
        "tracingEnabled": true, "cacheClusterEnabled": true, "cacheClusterSize": "1.6",
        "cacheClusterStatus": "AVAILABLE", "methodSettings": {},
        "createdDate": NOW_MS / 1000, "lastUpdatedDate": NOW_MS / 1000,
    });
    let target = format!("/restapis/{api}/stages/prod");
    assert_eq!(bench.get(&target).ok(200), stage);
    let second = bench.post(&base, json!({"stageName": "prod"})).id();
    let mut moved = stage.clone();
    moved["deploymentId"] = json!(second);
    assert_eq!(bench.get(&target).ok(200), moved, "what a later deployment does not name stays");
    assert_eq!(
        bench.post(&base, json!({"stageName": "no blanks"})).refusal(),
        bad_request("Stage name only allows a-zA-Z0-9_-")
    );
}

#[test]
fn a_draft_that_cannot_be_served_is_not_deployed() {
    let bench = Bench::new();
    let api = bench.api();
    let base = format!("/restapis/{api}/deployments");
    assert_eq!(bench.post(&base, json!({})).refusal(), bad_request("The REST API doesn't contain any methods"));
    let mut ops = Ops::new();
    let bare = Method { http_method: "GET".into(), authorization_type: "NONE".into(), ..Method::default() };
    let root = bench.get(&format!("/restapis/{api}")).json()["rootResourceId"].as_str().unwrap().to_owned();
    ops.put(&scope(&api), &Method::row_id(&root, "GET"), &bare);
    bench.memory.put(&ops.0);
    assert_eq!(bench.post(&base, json!({})).refusal(), bad_request("No integration defined for method"));
    let http = Integration { kind: meridian::catalog::v1::IntegrationType::Http, ..Integration::default() };
    let odd = Method { http_method: "PUT".into(), method_integration: Some(http), ..bare };
    ops.put(&scope(&api), &Method::row_id(&root, "PUT"), &odd);
    bench.memory.put(&ops.0);
    assert_eq!(
        bench.post(&base, json!({"stageName": "prod"})).refusal(),
        bad_request("No integration defined for method; PUT /: the integration has no URI"),
        "every flaw is named"
    );
    assert_eq!(bench.get(&format!("/restapis/{api}/stages")).ok(200), json!({"item": []}));
    assert_eq!(bench.get(&base).ok(200), json!({"item": []}));
    assert_eq!(
        bench.post("/restapis/nonexist/deployments", json!({})).refusal(),
        not_found(&format!("Invalid API identifier specified {ACCOUNT}:nonexist"))
    );
}

#[test]
fn a_canary_deployment_needs_a_stage_that_serves_and_leaves_its_deployment_alone() {
    let bench = Bench::new();
    let api = mocked(&bench);
    let base = format!("/restapis/{api}/deployments");
    let canary = json!({"percentTraffic": 50, "stageVariableOverrides": {"v": "new"}, "useStageCache": true});
    let refused = |body: Value| bench.post(&base, body).refusal();
    assert_eq!(
        refused(json!({"canarySettings": canary})),
        bad_request(
            "Invalid deployment content specified.Non null and non empty stageName must be provided for canary deployment. Provided value is null"
        )
    );
    assert_eq!(
        refused(json!({"canarySettings": canary, "stageName": ""})),
        bad_request(
            "Invalid deployment content specified.Non null and non empty stageName must be provided for canary deployment. Provided value is "
        )
    );
    assert_eq!(
        refused(json!({"canarySettings": canary, "stageName": "non-existing"})),
        bad_request(
            "Invalid deployment content specified.Stage non-existing must already be created before making a canary release deployment"
        )
    );
    let first = bench.post(&base, json!({"stageName": "prod"})).id();
    let second = bench.post(&base, json!({"stageName": "prod", "canarySettings": canary})).id();
    let stage = bench.get(&format!("/restapis/{api}/stages/prod")).ok(200);
    assert_eq!(stage["deploymentId"], json!(first));
    assert_eq!(
        stage["canarySettings"],
        json!({"deploymentId": second, "percentTraffic": 50.0, "stageVariableOverrides": {"v": "new"}, "useStageCache": true})
    );
    let third = bench.post(&base, json!({"stageName": "prod", "canarySettings": {"percentTraffic": 1.5}})).id();
    let stage = bench.get(&format!("/restapis/{api}/stages/prod")).ok(200);
    assert_eq!(stage["canarySettings"], json!({"deploymentId": third, "percentTraffic": 1.5, "useStageCache": false}));
    for in_use in [&first, &third] {
        assert_eq!(
            bench.delete(&format!("{base}/{in_use}")).refusal(),
            bad_request("Active stages pointing to this deployment must be moved or deleted")
        );
    }
    assert_eq!(bench.delete(&format!("{base}/{second}")).ok(202), Value::Null);
}

#[test]
fn a_deployments_description_changes_and_nothing_else_does() {
    let bench = Bench::new();
    let api = mocked(&bench);
    let id = deploy(&bench, &api);
    let target = format!("/restapis/{api}/deployments/{id}");
    let changed = bench.patch(&target, &[("replace", "/description", json!("new"))]).ok(200);
    assert_eq!(changed, json!({"id": id, "description": "new", "createdDate": NOW_MS / 1000}));
    assert_eq!(
        bench.patch(&target, &[("replace", "/description", json!("x")), ("replace", "/id", json!("x"))]).refusal(),
        bad_request("Invalid patch path  '/id' specified for op 'replace'. Must be one of: [/description]")
    );
    assert_eq!(bench.get(&target).ok(200), changed, "a refused PATCH changes nothing");
    assert_eq!(bench.delete(&target).ok(202), Value::Null);
    for seen in [bench.get(&target), bench.delete(&target), bench.patch(&target, &[])] {
        assert_eq!(seen.refusal(), not_found("Invalid Deployment identifier specified"));
    }
}
