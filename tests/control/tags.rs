//! Tags, on everything that has an ARN.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::bench::{ACCOUNT, Bench};
use crate::deployment::{bad_request, deploy, mocked, not_found};

fn target(arn: &str) -> String {
    format!("/tags/{}", utf8_percent_encode(arn, NON_ALPHANUMERIC))
}

fn arn(path: &str) -> String {
    format!("arn:aws:apigateway:us-east-1::{path}")
}

#[test]
fn every_noun_with_an_arn_is_tagged_untagged_and_shows_it() {
    let bench = Bench::new();
    let api = mocked(&bench);
    let deployment = deploy(&bench, &api);
    bench.post(&format!("/restapis/{api}/stages"), json!({"stageName": "prod", "deploymentId": deployment})).ok(201);
    let key = bench.post("/apikeys", json!({})).id();
    let plan = bench.post("/usageplans", json!({"name": "p"})).id();
    let certificate = bench.post("/clientcertificates", json!({})).ok(201);
    let certificate = certificate["clientCertificateId"].as_str().unwrap();
    let link = bench.post("/vpclinks", json!({"name": "l", "targetArns": ["arn:aws:a:b:c:d"]})).id();
    crate::domain_name::regional(&bench, "api.example.com");
    for path in [
        format!("/clientcertificates/{certificate}"),
        format!("/vpclinks/{link}"),
        "/domainnames/api.example.com".to_owned(),
        format!("/restapis/{api}"),
        format!("/restapis/{api}/stages/prod"),
        format!("/apikeys/{key}"),
        format!("/usageplans/{plan}"),
    ] {
        let tags = target(&arn(&path));
        assert_eq!(bench.get(&tags).ok(200), json!({"tags": {}}));
        assert_eq!(bench.put(&tags, json!({"tags": {"a": "1", "b": "2"}})).ok(204), Value::Null);
        assert_eq!(bench.put(&tags, json!({"tags": {"b": "3", "meridian:regions": "*"}})).ok(204), Value::Null);
        let merged = json!({"a": "1", "b": "3", "meridian:regions": "*"});
        assert_eq!(bench.get(&tags).ok(200), json!({"tags": merged}));
        assert_eq!(bench.get(&path).ok(200)["tags"], merged, "{path}");
        let untag = format!("{tags}?tagKeys=a&tagKeys=b&tagKeys=never");
        assert_eq!(bench.delete(&untag).ok(204), Value::Null);
        assert_eq!(bench.get(&tags).ok(200), json!({"tags": {"meridian:regions": "*"}}));
    }
}

#[test]
fn an_arn_of_nothing_is_refused() {
    let bench = Bench::new();
    let get = |arn: &str| bench.get(&target(arn)).refusal();
    assert_eq!(get(&arn("/restapis/nope")), not_found(&format!("Invalid API identifier specified {ACCOUNT}:nope")));
    assert_eq!(get(&arn("/restapis/nope/stages/x")), not_found("Invalid stage identifier specified"));
    assert_eq!(get(&arn("/apikeys/nope")), not_found("Invalid API Key identifier specified"));
    assert_eq!(get(&arn("/usageplans/nope")), not_found("Invalid Usage Plan ID specified"));
    assert_eq!(get(&arn("/vpclinks/nope")), not_found("Invalid Vpc Link identifier specified"));
    for odd in [
        "nonsense",
        "arn:aws:s3:::bucket",
        "arn:aws:apigateway:eu-west-1::/restapis/x",
        "arn:aws:apigateway:us-east-1:123456789012:/restapis/x",
        "arn:aws:apigateway:us-east-1::/restapis",
        "arn:aws:apigateway:us-east-1::restapis/x",
        "arn:aws:apigateway:us-east-1::/restapis/x/resources/y",
    ] {
        assert_eq!(get(odd), bad_request(&format!("Invalid ARN specified in the request: {odd}")));
    }
}

#[test]
fn tags_out_of_bounds_are_refused_and_none_is_set() {
    let bench = Bench::new();
    let api = bench.api();
    let tags = target(&arn(&format!("/restapis/{api}")));
    let put = |map: Value| bench.put(&tags, json!({"tags": map})).refusal();
    assert_eq!(
        put(json!({"good": "x", "aws:cloudformation:stack": "x"})),
        bad_request("Tag keys cannot begin with the reserved prefix aws: aws:cloudformation:stack")
    );
    let many: serde_json::Map<String, Value> = (0..51).map(|n| (format!("k{n}"), json!("v"))).collect();
    assert_eq!(put(Value::Object(many.clone())), bad_request("The maximum number of tags per resource is 50"));
    for (key, value) in [("", "x"), (&*"k".repeat(129), "x"), ("a*b", "x"), ("k", &*"v".repeat(257)), ("k", "a\u{7}")] {
        let (status, name, message) = put(json!({(key): value}));
        assert_eq!((status, name.as_str()), (400, "BadRequestException"), "{key}: {message}");
    }
    assert_eq!(put(json!({"k": 1})).1, "SerializationException");
    assert_eq!(bench.get(&tags).ok(200), json!({"tags": {}}));
    // Fifty are allowed, and one more is not, however they came.
    let fifty: serde_json::Map<String, Value> = many.into_iter().take(50).collect();
    bench.put(&tags, json!({"tags": fifty})).ok(204);
    assert_eq!(put(json!({"one": "more"})), bad_request("The maximum number of tags per resource is 50"));
}
