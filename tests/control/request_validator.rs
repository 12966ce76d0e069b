//! RequestValidator.

use serde_json::{Value, json};

use crate::bench::{ACCOUNT, Bench};
use crate::deployment::{bad_request, conflict, not_found};

const MISSING: &str = "Invalid Request Validator identifier specified";

#[test]
fn a_validator_shows_both_flags_and_its_name_when_it_has_one() {
    let bench = Bench::new();
    let url = format!("/restapis/{}/requestvalidators", bench.api());
    let bare = bench.post(&url, json!({})).ok(201);
    let id = bare["id"].as_str().unwrap();
    assert_eq!(id.len(), 6);
    assert_eq!(bare, json!({"id": id, "validateRequestBody": false, "validateRequestParameters": false}));
    let full = bench.post(&url, json!({"name": "all", "validateRequestBody": true, "validateRequestParameters": true}));
    let full = full.ok(201);
    assert_eq!(
        full,
        json!({"id": full["id"], "name": "all", "validateRequestBody": true, "validateRequestParameters": true})
    );
    assert_eq!(bench.get(&format!("{url}/{id}")).ok(200), bare);
    let listed = bench.get(&url).ok(200);
    assert_eq!(listed["item"].as_array().unwrap().len(), 2);
    assert!(listed.get("position").is_none());
    assert_eq!(bench.delete(&format!("{url}/{id}")).ok(202), Value::Null);
    assert_eq!(bench.get(&url).ok(200), json!({"item": [full]}));
    for seen in [
        bench.get(&format!("{url}/{id}")),
        bench.delete(&format!("{url}/{id}")),
        bench.patch(&format!("{url}/{id}"), &[]),
        bench.get("/restapis/nope/requestvalidators/x"),
    ] {
        assert_eq!(seen.refusal(), not_found(MISSING));
    }
    assert_eq!(
        bench.post("/restapis/nope/requestvalidators", json!({})).refusal(),
        bad_request("Invalid REST API identifier specified")
    );
    assert_eq!(
        bench.get("/restapis/nope/requestvalidators").refusal(),
        not_found(&format!("Invalid API identifier specified {ACCOUNT}:nope"))
    );
}

#[test]
fn a_validator_is_patched_by_rule() {
    let bench = Bench::new();
    let url = format!("/restapis/{}/requestvalidators", bench.api());
    let id = bench.post(&url, json!({"name": "a", "validateRequestBody": true})).id();
    let url = format!("{url}/{id}");
    let after = bench.patch(
        &url,
        &[
            ("replace", "/name", json!("b")),
            ("replace", "/validateRequestParameters", json!("true")),
            ("replace", "/validateRequestBody", Value::Null),
        ],
    );
    let after = after.ok(200);
    assert_eq!(after, json!({"id": id, "name": "b", "validateRequestBody": false, "validateRequestParameters": true}));
    let one = |op: &str, path: &str, value: Value| bench.patch(&url, &[(op, path, value)]).refusal();
    assert_eq!(one("replace", "/name", json!("")), bad_request("Request Validator name cannot be blank"));
    assert_eq!(
        one("replace", "/id", json!("x")),
        bad_request(
            "Invalid patch path  '/id' specified for op 'replace'. Must be one of: [/name, /validateRequestParameters, /validateRequestBody]"
        )
    );
    assert_eq!(
        one("add", "/name", json!("x")),
        bad_request("Invalid patch path  '/name' specified for op 'add'. Please choose supported operations")
    );
    assert_eq!(bench.get(&url).ok(200), after);
}

#[test]
fn a_method_takes_only_a_validator_that_there_is_and_holds_it() {
    let bench = Bench::new();
    let made = bench.post("/restapis", json!({"name": "pets"})).ok(201);
    let (api, root) = (made["id"].as_str().unwrap(), made["rootResourceId"].as_str().unwrap());
    let url = format!("/restapis/{api}/requestvalidators");
    let id = bench.post(&url, json!({"name": "all"})).id();
    let method = format!("/restapis/{api}/resources/{root}/methods/GET");
    assert_eq!(
        bench.put(&method, json!({"authorizationType": "NONE", "requestValidatorId": "nope"})).refusal(),
        bad_request(MISSING)
    );
    bench.put(&method, json!({"authorizationType": "NONE", "requestValidatorId": id})).ok(201);
    assert_eq!(
        bench.delete(&format!("{url}/{id}")).refusal(),
        conflict("Cannot delete request validator 'all', is referenced in method: GET//")
    );
    bench.patch(&method, &[("replace", "/requestValidatorId", json!(""))]).ok(200);
    bench.delete(&format!("{url}/{id}")).ok(202);
}
