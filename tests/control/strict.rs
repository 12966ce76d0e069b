//! `profile = "strict"`: AWS's throttle of the control plane, and how many of each thing there may be.

use std::sync::atomic::Ordering;

use meridian::control::Quotas;
use serde_json::{Value, json};

use crate::bench::{Bench, Seen};

const REGIONAL: &str = "REGIONAL";

fn made(name: &str, kind: &str) -> Value {
    json!({"name": name, "endpointConfiguration": {"types": [kind]}})
}

/// A node with AWS's quotas, and no throttle in the way of a test that makes hundreds of things.
fn counted(quotas: Quotas) -> Bench {
    Bench::with_quotas(|_| {}, quotas)
}

#[track_caller]
fn exceeded(seen: &Seen, things: &str, owner: &str) {
    let text = format!(
        "Maximum number of {things} for this {owner} has been reached.  Please contact AWS if you need additional {things}."
    );
    assert_eq!(seen.refusal(), (429, "LimitExceededException".to_owned(), text.clone()));
    assert_eq!(seen.json(), json!({"message": text, "retryAfterSeconds": null}));
    assert_eq!(seen.header("retry-after"), None);
}

#[test]
fn a_strict_node_throttles_and_says_when_to_come_again() {
    let bench = Bench::with(|settings| settings.strict = true);
    bench.post("/restapis", made("a", REGIONAL)).ok(201);
    let refused = bench.post("/restapis", made("b", REGIONAL));
    assert_eq!(refused.refusal(), (429, "TooManyRequestsException".to_owned(), "Too Many Requests".to_owned()));
    assert_eq!(refused.json(), json!({"message": "Too Many Requests", "retryAfterSeconds": 3}));
    assert_eq!(refused.header("retry-after"), Some("3"));
    bench.now_ms.fetch_add(3_000, Ordering::Relaxed);
    bench.post("/restapis", made("b", REGIONAL)).ok(201);
    // Reads count too: forty at once with the writes before, ten more every second.
    let served = (0..60).filter(|_| bench.get("/restapis").status == 200).count();
    assert_eq!(served, 39);
    bench.now_ms.fetch_add(1_000, Ordering::Relaxed);
    assert_eq!((0..60).filter(|_| bench.get("/account").status == 200).count(), 10);
}

#[test]
fn a_generous_node_does_not_throttle() {
    let bench = Bench::new();
    for n in 0..100 {
        bench.post("/restapis", made(&n.to_string(), "EDGE")).ok(201);
    }
}

#[test]
fn apis_are_counted_by_type() {
    let bench = counted(Quotas { regional_apis: 2, edge_apis: 1, private_apis: 0, ..Quotas::AWS });
    let edge = bench.post("/restapis", made("a", "EDGE")).id();
    bench.post("/restapis", made("b", REGIONAL)).ok(201);
    exceeded(&bench.post("/restapis", json!({"name": "c"})), "Edge APIs", "account");
    exceeded(&bench.post("/restapis", made("c", "PRIVATE")), "Private APIs", "account");
    exceeded(
        &bench.post("/restapis?mode=import", json!({"swagger": "2.0", "info": {"title": "t"}, "paths": {}})),
        "Edge APIs",
        "account",
    );
    let to = |kind: &str| {
        bench.patch(&format!("/restapis/{edge}"), &[("replace", "/endpointConfiguration/types/EDGE", json!(kind))])
    };
    exceeded(&to("PRIVATE"), "Private APIs", "account");
    to(REGIONAL).ok(200);
    exceeded(&bench.post("/restapis", made("c", REGIONAL)), "Regional APIs", "account");
    bench.post("/restapis", made("c", "EDGE")).ok(201);
}

#[test]
fn parts_of_an_api_are_counted_also_when_a_file_brings_them() {
    let bench = counted(Quotas { resources: 3, stages: 1, authorizers: 1, documentation_parts: 1, ..Quotas::AWS });
    let api = bench.post("/restapis", made("a", REGIONAL)).ok(201);
    let (api, root) = (api["id"].as_str().unwrap().to_owned(), api["rootResourceId"].as_str().unwrap().to_owned());
    let resource = |part: &str| bench.post(&format!("/restapis/{api}/resources/{root}"), json!({"pathPart": part}));
    resource("a").ok(201);
    resource("b").ok(201);
    exceeded(&resource("c"), "Resources", "API");
    let file = json!({"swagger": "2.0", "info": {"title": "t"}, "paths": {"/c": {}, "/d": {}, "/e": {}}});
    for mode in ["merge", "overwrite"] {
        exceeded(&bench.put(&format!("/restapis/{api}?mode={mode}"), file.clone()), "Resources", "API");
    }
    let uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:f/invocations";
    let authorizer = |name: &str| {
        let input =
            json!({"name": name, "type": "TOKEN", "authorizerUri": uri, "identitySource": "method.request.header.A"});
        bench.post(&format!("/restapis/{api}/authorizers"), input)
    };
    authorizer("a").ok(201);
    exceeded(&authorizer("b"), "Authorizers", "API");
    let part = |name: &str| {
        let input = json!({"location": {"type": "MODEL", "name": name}, "properties": "{\"a\":1}"});
        bench.post(&format!("/restapis/{api}/documentation/parts"), input)
    };
    part("a").ok(201);
    exceeded(&part("b"), "Documentation Parts", "API");
    let method = format!("/restapis/{api}/resources/{root}/methods/GET");
    bench.put(&method, json!({"authorizationType": "NONE"})).ok(201);
    bench.put(&format!("{method}/integration"), json!({"type": "MOCK"})).ok(201);
    let deploy = |stage: &str| bench.post(&format!("/restapis/{api}/deployments"), json!({"stageName": stage}));
    let first = deploy("one").id();
    deploy("one").ok(201);
    exceeded(&deploy("two"), "Stages", "API");
    let stage = json!({"stageName": "two", "deploymentId": first});
    exceeded(&bench.post(&format!("/restapis/{api}/stages"), stage), "Stages", "API");
}

#[test]
fn an_integration_takes_no_longer_than_aws_lets_it() {
    for (quotas, most) in [(Quotas::AWS, 29_000), (Quotas::GENEROUS, 300_000)] {
        let bench = counted(quotas);
        let api = bench.post("/restapis", made("a", REGIONAL)).ok(201);
        let (api, root) = (api["id"].as_str().unwrap().to_owned(), api["rootResourceId"].as_str().unwrap().to_owned());
        let method = format!("/restapis/{api}/resources/{root}/methods/GET");
        bench.put(&method, json!({"authorizationType": "NONE"})).ok(201);
        let url = format!("{method}/integration");
        let put = |ms: i32| bench.put(&url, json!({"type": "MOCK", "timeoutInMillis": ms}));
        let patch = |ms: i32| bench.patch(&url, &[("replace", "/timeoutInMillis", json!(ms.to_string()))]);
        let file = |ms: i32| {
            let integration = json!({"type": "mock", "timeoutInMillis": ms});
            let method = json!({"x-amazon-apigateway-integration": integration});
            let file = json!({"swagger": "2.0", "info": {"title": "t"}, "paths": {"/": {"get": method}}});
            bench.put(&format!("/restapis/{api}"), file)
        };
        put(most).ok(201);
        patch(most).ok(200);
        file(most).ok(200);
        let text = format!("Timeout should be between 50 ms and {most} ms");
        for refused in [put(most + 1), patch(most + 1)] {
            assert_eq!(refused.refusal(), (400, "BadRequestException".to_owned(), text.clone()));
        }
        assert!(file(most + 1).refusal().2.contains(&text));
    }
}

#[test]
fn things_of_an_account_are_counted() {
    let bench = counted(Quotas {
        api_keys: 2,
        usage_plans: 1,
        plans_per_key: 0,
        client_certificates: 1,
        vpc_links: 0,
        public_domain_names: 0,
        private_domain_names: 0,
        policy_chars: 40,
        ..Quotas::AWS
    });
    let key = bench.post("/apikeys", json!({"name": "a"})).id();
    let file = "Key,Name\nabcdefghij0123456789x,b\nabcdefghij0123456789y,c\n";
    let imported = bench.send(Bench::request("POST", "/apikeys?mode=import&format=csv", file));
    exceeded(&imported, "API Keys", "account");
    bench.post("/apikeys", json!({"name": "b"})).ok(201);
    exceeded(&bench.post("/apikeys", json!({"name": "c"})), "API Keys", "account");
    let plan = bench.post("/usageplans", json!({"name": "a"})).id();
    exceeded(&bench.post("/usageplans", json!({"name": "b"})), "Usage Plans", "account");
    let join = bench.post(&format!("/usageplans/{plan}/keys"), json!({"keyId": key, "keyType": "API_KEY"}));
    exceeded(&join, "Usage Plans per API Key", "account");
    bench.post("/clientcertificates", json!({})).ok(201);
    exceeded(&bench.post("/clientcertificates", json!({})), "Client Certificates", "account");
    let nlb = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/x/1";
    exceeded(&bench.post("/vpclinks", json!({"name": "a", "targetArns": [nlb]})), "VPC Links", "account");
    let certificate = "arn:aws:acm:us-east-1:000000000000:certificate/c";
    let domain = |kind: &str, things: &str| {
        let input = json!({
            "domainName": "a.example.com", "certificateArn": certificate, "endpointConfiguration": {"types": [kind]},
        });
        exceeded(&bench.post("/domainnames", input), things, "account");
    };
    domain("EDGE", "Domain Names");
    domain("PRIVATE", "Private Domain Names");
    let long = json!({"name": "a", "policy": "{\"Version\":\"2012-10-17\",\"Statement\":[]  }"});
    let refused = bench.post("/restapis", long).refusal();
    assert_eq!((refused.0, refused.2.as_str()), (429, "Policy exceeds the maximum size of 40 characters"));
}
