//! Usage: what the control plane asks the usage room, and how it shows what it is told.

use meridian::control::UsageQuestion;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::deployment::{bad_request, not_found};

/// 2023-11-14, the day of the bench, in days since 1970.
const TODAY: i64 = 19_675;

fn planned(bench: &Bench, quota: Value) -> (String, Vec<String>) {
    let plan = bench.post("/usageplans", json!({"name": "p", "quota": quota})).id();
    let mut keys: Vec<String> = ["a", "b"].map(|name| bench.post("/apikeys", json!({"name": name})).id()).to_vec();
    keys.sort_unstable();
    for key in &keys {
        bench.post(&format!("/usageplans/{plan}/keys"), json!({"keyId": key, "keyType": "API_KEY"})).ok(201);
    }
    (plan, keys)
}

#[test]
fn usage_is_one_pair_per_day_and_key() {
    let bench = Bench::new();
    let (plan, keys) = planned(&bench, json!({"limit": 100, "period": "DAY"}));
    let target = format!("/usageplans/{plan}/usage?startDate=2023-11-13&endDate=2023-11-14");
    let days = json!([[0, 100], [1, 100]]);
    assert_eq!(
        bench.get(&target).ok(200),
        json!({
            "usagePlanId": plan, "startDate": "2023-11-13", "endDate": "2023-11-14",
            "values": {(keys[0].as_str()): days, (keys[1].as_str()): days},
        })
    );
    let asked = bench.book.0.lock().unwrap().pop();
    let Some(UsageQuestion::Read { first_day, last_day, plan: asked_plan, keys: asked_keys, .. }) = asked else {
        panic!("{asked:?}")
    };
    assert_eq!((first_day, last_day, asked_plan, &asked_keys), (TODAY - 1, TODAY, plan.clone(), &keys));
    let one = bench.get(&format!("{target}&keyId={}", keys[1])).ok(200);
    assert_eq!(one["values"], json!({(keys[1].as_str()): days}));
    let page = bench.get(&format!("{target}&limit=1")).ok(200);
    assert_eq!(page["values"], json!({(keys[0].as_str()): days}));
    let next = bench.get(&format!("{target}&limit=1&position={}", page["position"].as_str().unwrap())).ok(200);
    assert_eq!((next["values"].clone(), next.get("position")), (json!({(keys[1].as_str()): days}), None));
}

#[test]
fn usage_of_what_there_is_not_or_of_no_dates_is_refused_and_nobody_is_asked() {
    let bench = Bench::new();
    let (plan, keys) = planned(&bench, json!({"limit": 100, "period": "DAY"}));
    let ask = |query: &str| bench.get(&format!("/usageplans/{plan}/usage?{query}")).refusal();
    let range = "startDate=2023-11-13&endDate=2023-11-14";
    assert_eq!(
        bench.get(&format!("/usageplans/nope/usage?{range}")).refusal(),
        not_found("Invalid Usage Plan ID specified")
    );
    assert_eq!(ask(&format!("{range}&keyId=nope")), not_found("Invalid API Key identifier specified"));
    assert_eq!(
        ask("startDate=2023-11-14&endDate=2023-11-13"),
        bad_request("Invalid date range specified: endDate is before startDate")
    );
    assert_eq!(
        ask("startDate=2023-01-01&endDate=2023-11-13"),
        bad_request("Invalid date range specified: at most 90 days can be asked for")
    );
    for odd in ["2023-02-30", "yesterday", "20231114", "2023-11-14T00:00:00", "-99999-01-01", "%F0%9F%90%BE23-11"] {
        let (status, name, message) = ask(&format!("startDate={odd}&endDate=2023-11-14"));
        assert_eq!((status, name.as_str()), (400, "BadRequestException"), "{odd}: {message}");
        assert!(message.starts_with("Invalid startDate specified: "), "{message}");
    }
    let (status, name, _) = ask("endDate=2023-11-14");
    assert_eq!((status, name.as_str()), (400, "ValidationException"));
    let update = |steps: &[(&str, &str, Value)]| {
        bench.patch(&format!("/usageplans/{plan}/keys/{}/usage", keys[0]), steps).refusal()
    };
    assert_eq!(
        update(&[("add", "/remaining", json!("1"))]),
        bad_request("Invalid patch path  '/remaining' specified for op 'add'. Must be one of: []")
    );
    assert_eq!(
        update(&[("replace", "/used", json!("1"))]),
        bad_request("Invalid patch path  '/used' specified for op 'replace'. Must be one of: [/remaining]")
    );
    for odd in ["-1", "much", "", "99999999999"] {
        assert_eq!(update(&[("replace", "/remaining", json!(odd))]).0, 400, "{odd}");
    }
    assert_eq!(update(&[]).0, 400);
    assert!(bench.book.0.lock().unwrap().is_empty());
}

#[test]
fn what_is_left_of_a_quota_is_set_and_shown_for_today() {
    let bench = Bench::new();
    let (plan, keys) = planned(&bench, json!({"limit": 100, "period": "DAY"}));
    let target = format!("/usageplans/{plan}/keys/{}/usage", keys[0]);
    assert_eq!(
        bench.patch(&target, &[("replace", "/remaining", json!("7"))]).ok(200),
        json!({
            "usagePlanId": plan, "startDate": "2023-11-14", "endDate": "2023-11-14",
            "values": {(keys[0].as_str()): [[0, 7]]},
        })
    );
    let (bare, members) = {
        let plan = bench.post("/usageplans", json!({"name": "no quota"})).id();
        let key = bench.post("/apikeys", json!({})).id();
        bench.post(&format!("/usageplans/{plan}/keys"), json!({"keyId": key, "keyType": "API_KEY"})).ok(201);
        (plan, key)
    };
    let seen =
        bench.patch(&format!("/usageplans/{bare}/keys/{members}/usage"), &[("replace", "/remaining", json!("7"))]);
    assert_eq!(seen.refusal(), bad_request(&format!("Usage Plan {bare} has no quota that could be extended")));
    let seen =
        bench.patch(&format!("/usageplans/{plan}/keys/{members}/usage"), &[("replace", "/remaining", json!("7"))]);
    assert_eq!(seen.refusal(), not_found("Invalid API Key identifier specified"));
}
