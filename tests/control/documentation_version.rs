//! DocumentationVersion.

use serde_json::{Value, json};

use crate::bench::{ACCOUNT, Bench, NOW_MS};
use crate::deployment::{bad_request, conflict, deploy, mocked, not_found, scope};

#[test]
fn a_version_keeps_the_parts_as_they_were() {
    let bench = Bench::new();
    let api = bench.api();
    let base = format!("/restapis/{api}/documentation");
    let part =
        bench.post(&format!("{base}/parts"), json!({"location": {"type": "API"}, "properties": "{\"a\":1}"})).id();
    let versions = format!("{base}/versions");
    let made = bench.post(&versions, json!({"documentationVersion": "1.0", "description": "first"})).ok(201);
    assert_eq!(made, json!({"version": "1.0", "createdDate": NOW_MS / 1000, "description": "first"}));
    bench.delete(&format!("{base}/parts/{part}")).ok(202);
    let world = bench.memory.world.lock().unwrap().clone();
    let row: meridian::catalog::v1::DocumentationVersion = world.get(&scope(&api), "1.0").unwrap().unwrap();
    assert_eq!((row.parts.len(), row.parts[0].properties.as_str()), (1, "{\"a\":1}"));
    assert_eq!(bench.get(&format!("{versions}/1.0")).ok(200), made);
    assert_eq!(bench.get(&versions).ok(200), json!({"item": [made]}));
    assert_eq!(
        bench.post(&versions, json!({"documentationVersion": "1.0"})).refusal(),
        conflict("Documentation version already exists: 1.0")
    );
    assert_eq!(bench.post(&versions, json!({"documentationVersion": ""})).refusal().0, 400);
    let url = format!("{versions}/1.0");
    let after = bench.patch(&url, &[("replace", "/description", json!("new"))]).ok(200);
    assert_eq!(after, json!({"version": "1.0", "createdDate": NOW_MS / 1000, "description": "new"}));
    assert_eq!(
        bench.patch(&url, &[("replace", "/version", json!("new"))]).refusal(),
        bad_request("Invalid patch path  '/version' specified for op 'replace'. Must be one of: [/description]")
    );
    assert_eq!(bench.delete(&url).ok(202), Value::Null);
    for seen in [bench.get(&url), bench.delete(&url), bench.patch(&url, &[])] {
        assert_eq!(seen.refusal(), not_found("Invalid Documentation version specified"));
    }
    assert_eq!(
        bench.get("/restapis/nope/documentation/versions").refusal(),
        not_found(&format!("Invalid API identifier specified {ACCOUNT}:nope"))
    );
}

#[test]
fn a_stage_shows_a_version_and_holds_it() {
    let bench = Bench::new();
    let api = mocked(&bench);
    let deployment = deploy(&bench, &api);
    let versions = format!("/restapis/{api}/documentation/versions");
    assert_eq!(
        bench.post(&versions, json!({"documentationVersion": "1", "stageName": "prod"})).refusal(),
        not_found("Invalid stage identifier specified")
    );
    let stage = format!("/restapis/{api}/stages/prod");
    bench.post(&format!("/restapis/{api}/stages"), json!({"stageName": "prod", "deploymentId": deployment})).ok(201);
    bench.post(&versions, json!({"documentationVersion": "1", "stageName": "prod"})).ok(201);
    assert_eq!(bench.get(&stage).ok(200)["documentationVersion"], json!("1"));
    assert_eq!(
        bench.delete(&format!("{versions}/1")).refusal(),
        bad_request("Cannot delete documentation version 1: the stage prod shows it; choose another one first")
    );
    bench.patch(&stage, &[("replace", "/documentationVersion", json!(""))]).ok(200);
    bench.delete(&format!("{versions}/1")).ok(202);
}
