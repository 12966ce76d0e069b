//! UsagePlan and UsagePlanKey: create, the PATCH grammar, which key may be in which plan.

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::deployment::{bad_request, deploy, mocked, not_found};

/// An API with stages `prod` and `test`, and a plan without any.
struct Planned {
    bench: Bench,
    api: String,
    plan: String,
    target: String,
}

impl Planned {
    fn new() -> Planned {
        let bench = Bench::new();
        let api = mocked(&bench);
        let deployment = deploy(&bench, &api);
        for stage in ["prod", "test"] {
            let body = json!({"stageName": stage, "deploymentId": deployment});
            bench.post(&format!("/restapis/{api}/stages"), body).ok(201);
        }
        let plan = bench.post("/usageplans", json!({"name": "gold"})).id();
        Planned { bench, api, target: format!("/usageplans/{plan}"), plan }
    }

    fn stage(&self, name: &str) -> String {
        format!("{}:{name}", self.api)
    }

    fn patch(&self, steps: &[(&str, &str, Value)]) -> Value {
        let seen = self.bench.patch(&self.target, steps).ok(200);
        assert_eq!(self.bench.get(&self.target).ok(200), seen);
        seen
    }

    #[track_caller]
    fn refused(&self, op: &str, path: &str, value: Value) -> (u16, String, String) {
        let before = self.bench.get(&self.target).ok(200);
        let seen = self.bench.patch(&self.target, &[("replace", "/name", json!("never kept")), (op, path, value)]);
        assert_eq!(self.bench.get(&self.target).ok(200), before);
        seen.refusal()
    }

    fn key(&self, name: &str) -> String {
        self.bench.post("/apikeys", json!({"name": name, "enabled": true})).id()
    }

    fn join(&self, plan: &str, key: &str) -> crate::bench::Seen {
        self.bench.post(&format!("/usageplans/{plan}/keys"), json!({"keyId": key, "keyType": "API_KEY"}))
    }
}

#[test]
fn a_plan_shows_what_it_was_given_and_nothing_else() {
    let p = Planned::new();
    let bare = json!({"id": p.plan, "name": "gold", "apiStages": []});
    let mut got = bare.clone();
    got["tags"] = json!({});
    assert_eq!(p.plan.len(), 6);
    assert_eq!(p.bench.get(&p.target).ok(200), got);
    assert_eq!(p.bench.get("/usageplans").ok(200), json!({"item": [bare]}));
    let full = p.bench.post(
        "/usageplans",
        json!({
            "name": "full", "description": "d", "throttle": {"burstLimit": 5, "rateLimit": 2}, "tags": {"a": "b"},
            "quota": {"limit": 100, "offset": 6, "period": "WEEK"},
            "apiStages": [{"apiId": p.api, "stage": "prod", "throttle": {"/pets/GET": {"rateLimit": 0.1}, "//GET": {"burstLimit": 1}}}],
        }),
    );
    let seen = full.ok(201);
    assert_eq!(
        seen,
        json!({
            "id": seen["id"], "name": "full", "description": "d", "throttle": {"burstLimit": 5, "rateLimit": 2.0},
            "quota": {"limit": 100, "offset": 6, "period": "WEEK"}, "tags": {"a": "b"},
            "apiStages": [{"apiId": p.api, "stage": "prod", "throttle": {"/pets/GET": {"rateLimit": 0.1}, "//GET": {"burstLimit": 1}}}],
        })
    );
    assert!(full.text.contains("\"rateLimit\":2.0"), "a rate is printed as a double: {}", full.text);
    assert_eq!(p.bench.delete(&p.target).ok(202), Value::Null);
    for seen in [p.bench.get(&p.target), p.bench.delete(&p.target), p.bench.patch(&p.target, &[])] {
        assert_eq!(seen.refusal(), not_found("Invalid Usage Plan ID specified"));
    }
}

#[test]
fn a_plan_that_cannot_be_is_not_made() {
    let p = Planned::new();
    let create = |more: Value| {
        let mut body = json!({"name": "x"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        p.bench.post("/usageplans", body).refusal()
    };
    assert_eq!(create(json!({"name": ""})), bad_request("Usage Plan name must be non-empty"));
    let (status, name, message) = create(json!({"apiStages": [{"apiId": p.api, "stage": "nope"}]}));
    assert_eq!((status, name.as_str()), (404, "NotFoundException"));
    assert!(
        message.starts_with(&format!("Invalid API Stage {{api: {}, stage: nope}} specified for usageplan ", p.api))
    );
    assert_eq!(create(json!({"apiStages": [{"stage": "prod"}]})), bad_request("Invalid API Stage specified"));
    for (quota, message) in [
        (json!({"limit": 1}), "Usage Plan quota must have a period of either DAY, WEEK or MONTH"),
        (json!({"period": "DAY"}), "Usage Plan quota must have a limit: a whole number from 0 on"),
        (json!({"limit": -1, "period": "DAY"}), "Usage Plan quota must have a limit: a whole number from 0 on"),
        (
            json!({"limit": 9, "offset": 1, "period": "DAY"}),
            "Usage Plan quota offset must be between 0 and 0 for the period DAY",
        ),
        (
            json!({"limit": 9, "offset": 7, "period": "WEEK"}),
            "Usage Plan quota offset must be between 0 and 6 for the period WEEK",
        ),
        (
            json!({"limit": 9, "offset": 28, "period": "MONTH"}),
            "Usage Plan quota offset must be between 0 and 27 for the period MONTH",
        ),
    ] {
        assert_eq!(create(json!({"quota": quota})), bad_request(message));
    }
    assert_eq!(
        create(json!({"throttle": {"rateLimit": -0.5}})),
        bad_request("Usage Plan throttle rate limit must be a number from 0 on")
    );
    assert_eq!(
        create(json!({"throttle": {"burstLimit": -1}})),
        bad_request("Usage Plan throttle burst limit must be a whole number from 0 on")
    );
    let (status, name, message) = create(json!({"quota": {"limit": 1, "period": "YEAR"}}));
    assert_eq!((status, name.as_str()), (400, "ValidationException"));
    assert!(message.starts_with("1 validation error detected: Value 'YEAR' at 'createUsagePlanInput.quota.period'"));
    let (status, name, _) = create(json!({"quota": {"limit": "1", "period": "DAY"}}));
    assert_eq!((status, name.as_str()), (400, "SerializationException"), "a number as a string is no number");
    assert_eq!(p.bench.get("/usageplans").ok(200)["item"].as_array().unwrap().len(), 1);
}

#[test]
fn quota_throttle_and_scalars_change_by_patch_in_any_order() {
    let p = Planned::new();
    let seen = p.patch(&[
        ("replace", "/name", json!("silver")),
        ("replace", "/description", json!("d")),
        ("add", "/productCode", json!("code")),
        ("replace", "/quota/limit", json!("10")),
        ("replace", "/quota/offset", json!("3")),
        ("add", "/quota/period", json!("MONTH")),
        ("replace", "/throttle/rateLimit", json!("2")),
        ("add", "/throttle/burstLimit", json!("7")),
    ]);
    let expected = json!({
        "id": p.plan, "name": "silver", "description": "d", "productCode": "code", "apiStages": [], "tags": {},
        "quota": {"limit": 10, "offset": 3, "period": "MONTH"}, "throttle": {"rateLimit": 2.0, "burstLimit": 7},
    });
    assert_eq!(seen, expected);
    let bad = |op: &str, path: &str, value: Value| p.refused(op, path, value).2;
    assert_eq!(
        bad("replace", "/quota/period", json!("DAY")),
        "Usage Plan quota offset must be between 0 and 0 for the period DAY"
    );
    assert_eq!(
        bad("replace", "/quota/period", json!("year")),
        "Usage Plan quota must have a period of either DAY, WEEK or MONTH"
    );
    assert_eq!(
        bad("replace", "/quota/limit", json!("many")),
        "Invalid value 'many' specified for path /quota/limit: must be a whole number"
    );
    for rate in ["-1", "NaN", "inf", "", "fast"] {
        assert_eq!(
            bad("replace", "/throttle/rateLimit", json!(rate)),
            "Usage Plan throttle rate limit must be a number from 0 on"
        );
    }
    assert_eq!(
        bad("remove", "/apiStages/x:dev", Value::Null),
        "Invalid patch path  '/apiStages/x:dev' specified for op 'remove'. Must be one of: [/apiStages, /quota, /throttle, /productCode, /apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>, /apiStages/<apidId:stageName>/throttle]"
    );
    for (op, path) in
        [("add", "/name"), ("remove", "/name"), ("replace", "/quota"), ("replace", "/tags"), ("copy", "/name")]
    {
        let message = bad(op, path, json!("x"));
        assert!(message.starts_with(&format!("Invalid patch path  '{path}' specified for op '{op}'. ")), "{message}");
    }
    let seen = p.patch(&[
        ("remove", "/quota", Value::Null),
        ("remove", "/throttle", Value::Null),
        ("remove", "/productCode", Value::Null),
        ("replace", "/description", json!("")),
    ]);
    assert_eq!(seen, json!({"id": p.plan, "name": "silver", "apiStages": [], "tags": {}}));
    assert_eq!(
        bad("add", "/quota/offset", json!("0")),
        "Usage Plan quota must have a period of either DAY, WEEK or MONTH",
        "a quota of which only a part is there"
    );
}

#[test]
fn stages_and_their_method_throttles_come_and_go_by_patch() {
    let p = Planned::new();
    let (prod, test) = (p.stage("prod"), p.stage("test"));
    let seen = p.patch(&[("add", "/apiStages", json!(prod)), ("add", "/apiStages", json!(test))]);
    assert_eq!(seen["apiStages"], json!([{"apiId": p.api, "stage": "prod"}, {"apiId": p.api, "stage": "test"}]));
    for value in [json!("nonsense"), json!(":prod"), json!(""), Value::Null] {
        assert_eq!(p.refused("add", "/apiStages", value.clone()), bad_request("Invalid API Stage specified"));
        assert_eq!(p.refused("remove", "/apiStages", value), bad_request("Invalid API Stage specified"));
    }
    let unknown = |stage: &str| {
        not_found(&format!("Invalid API Stage {{api: {}, stage: {stage}}} specified for usageplan {}", p.api, p.plan))
    };
    assert_eq!(p.refused("add", "/apiStages", json!(p.stage("nope"))), unknown("nope"));
    assert_eq!(p.refused("remove", "/apiStages", json!(p.stage("nope"))), unknown("nope"));

    let at = |rest: &str| format!("/apiStages/{prod}/throttle{rest}");
    let throttles = |seen: &Value| seen["apiStages"][0].get("throttle").cloned();
    // As the guide writes it, and as Terraform sends it.
    let seen = p.patch(&[
        ("replace", &at("/~1pets~1{id}/GET/rateLimit"), json!("1.5")),
        ("add", &at("/~1pets~1{id}/GET/burstLimit"), json!("3")),
        ("replace", &at("//test/GET/rateLimit"), json!("2")),
        ("replace", &at("/~1/GET/rateLimit"), json!("4")),
    ]);
    let expected = json!({
        "/pets/{id}/GET": {"rateLimit": 1.5, "burstLimit": 3}, "/test/GET": {"rateLimit": 2.0}, "//GET": {"rateLimit": 4.0},
    });
    assert_eq!(throttles(&seen), Some(expected));
    let seen =
        p.patch(&[("remove", &at("/~1pets~1{id}/GET"), Value::Null), ("remove", &at("//test/GET"), Value::Null)]);
    assert_eq!(throttles(&seen), Some(json!({"//GET": {"rateLimit": 4.0}})));
    let map = json!({"/a/POST": {"rateLimit": 9, "burstLimit": 8}}).to_string();
    let seen = p.patch(&[("replace", &at(""), json!(map))]);
    assert_eq!(throttles(&seen), Some(json!({"/a/POST": {"rateLimit": 9.0, "burstLimit": 8}})));
    assert_eq!(p.refused("replace", &at(""), json!("[1]")).0, 400);
    assert_eq!(p.refused("replace", &at("/~1a/FETCH/rateLimit"), json!("1")).0, 400);
    assert_eq!(p.refused("replace", &at("/~1a/GET/other"), json!("1")).0, 400);
    let elsewhere = format!("/apiStages/{}/throttle", p.stage("nope"));
    assert_eq!(p.refused("remove", &elsewhere, Value::Null), unknown("nope"));
    let seen = p.patch(&[("remove", &at(""), Value::Null)]);
    assert_eq!(throttles(&seen), None);

    assert_eq!(
        p.bench.delete(&p.target).refusal(),
        bad_request(&format!("Cannot delete usage plan {} because it has API stages associated", p.plan))
    );
    let stage = format!("/restapis/{}/stages/prod", p.api);
    let (status, name, message) = p.bench.delete(&stage).refusal();
    assert_eq!((status, name.as_str()), (400, "BadRequestException"), "{message}");
    p.patch(&[("remove", "/apiStages", json!(prod)), ("remove", "/apiStages", json!(test))]);
    assert_eq!(p.bench.delete(&stage).ok(202), Value::Null);
    assert_eq!(p.bench.delete(&p.target).ok(202), Value::Null);
}

#[test]
fn a_key_joins_and_leaves_plans_and_always_shows_its_value() {
    let p = Planned::new();
    let key = p.key("mobile-a");
    let value = p.bench.get(&format!("/apikeys/{key}?includeValue=true")).ok(200)["value"].clone();
    let shown = json!({"id": key, "type": "API_KEY", "value": value, "name": "mobile-a"});
    assert_eq!(p.join(&p.plan, &key).ok(201), shown);
    let other = p.key("web");
    p.join(&p.plan, &other).ok(201);
    let keys = format!("{}/keys", p.target);
    assert_eq!(p.bench.get(&format!("{keys}/{key}")).ok(200), shown);
    assert_eq!(p.bench.get(&keys).ok(200)["item"].as_array().unwrap().len(), 2);
    assert_eq!(p.bench.get(&format!("{keys}?name=mobile")).ok(200), json!({"item": [shown]}));
    assert_eq!(p.bench.get(&format!("{keys}?name=bile")).ok(200), json!({"item": []}));
    assert_eq!(p.bench.get("/usageplans/nope/keys").ok(200), json!({"item": []}));
    let ids = |key: &str| p.bench.get(&format!("/usageplans?keyId={key}")).ok(200)["item"].as_array().unwrap().len();
    assert_eq!((ids(&key), ids("nope")), (1, 0));
    assert_eq!(
        p.join(&p.plan, &key).refusal(),
        (409, "ConflictException".into(), format!("API Key {key} is already subscribed to Usage Plan {}", p.plan))
    );
    assert_eq!(p.join("nope", &key).refusal(), not_found("Invalid Usage Plan ID specified"));
    assert_eq!(p.join(&p.plan, "nope").refusal(), not_found("Invalid API Key identifier specified"));
    let odd = p.bench.post(&keys, json!({"keyId": key, "keyType": "TOKEN"})).refusal();
    assert_eq!(odd, bad_request("Invalid key type specified. Must be one of: [API_KEY]"));
    assert_eq!(p.bench.delete(&format!("{keys}/{key}")).ok(202), Value::Null);
    for seen in [p.bench.get(&format!("{keys}/{key}")), p.bench.delete(&format!("{keys}/{key}"))] {
        assert_eq!(seen.refusal(), not_found("Invalid API Key identifier specified"));
    }
    p.bench.delete(&format!("/apikeys/{other}")).ok(202);
    assert_eq!(p.bench.get(&keys).ok(200), json!({"item": []}), "a deleted key leaves its plans");
    p.join(&p.plan, &key).ok(201);
    p.bench.delete(&p.target).ok(202);
    assert_eq!(ids(&key), 0, "a deleted plan leaves its keys");
}

#[test]
fn a_key_reaches_a_stage_through_one_plan_only() {
    let p = Planned::new();
    let (key, other) = (p.key("a"), p.bench.post("/usageplans", json!({"name": "other"})).id());
    p.patch(&[("add", "/apiStages", json!(p.stage("prod")))]);
    p.join(&p.plan, &key).ok(201);
    p.join(&other, &key).ok(201);
    let twice = |plan: &str| {
        let text = format!(
            "Usage Plan {plan} cannot be added because API Key {key} cannot reference multiple Usage Plans with the same API stage: {}:prod",
            p.api
        );
        (409, "ConflictException".to_owned(), text)
    };
    let target = format!("/usageplans/{other}");
    assert_eq!(p.bench.patch(&target, &[("add", "/apiStages", json!(p.stage("prod")))]).refusal(), twice(&other));
    p.bench.patch(&target, &[("add", "/apiStages", json!(p.stage("test")))]).ok(200);
    p.bench.delete(&format!("{target}/keys/{key}")).ok(202);
    p.bench.patch(&target, &[("add", "/apiStages", json!(p.stage("prod")))]).ok(200);
    assert_eq!(p.join(&other, &key).refusal(), twice(&other));
    let stranger = p.key("b");
    p.join(&other, &stranger).ok(201);
}
