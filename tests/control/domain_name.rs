//! DomainName.

use meridian::catalog::v1::DomainName;
use meridian::catalog::{AccountId, Region};
use meridian::state::{Ops, Scope};
use serde_json::{Value, json};

use crate::bench::{Bench, NOW_MS};
use crate::deployment::{bad_request, not_found};

pub(crate) const CERTIFICATE: &str = "arn:aws:acm:us-east-1:000000000000:certificate/x";
const MISSING: &str = "Invalid domain name identifier specified";

pub(crate) fn regional(bench: &Bench, name: &str) -> Value {
    let body = json!({
        "domainName": name, "regionalCertificateArn": CERTIFICATE, "endpointConfiguration": {"types": ["REGIONAL"]},
    });
    bench.post("/domainnames", body).ok(201)
}

/// Name and id of a new private domain name.
pub(crate) fn private(bench: &Bench, name: &str) -> Value {
    let body =
        json!({"domainName": name, "certificateArn": CERTIFICATE, "endpointConfiguration": {"types": ["PRIVATE"]}});
    bench.post("/domainnames", body).ok(201)
}

#[test]
fn a_regional_name_shows_where_dns_is_to_point() {
    let bench = Bench::new();
    let made = regional(&bench, "api.example.com");
    let target = made["regionalDomainName"].as_str().unwrap().to_owned();
    assert!(target.starts_with("d-") && target.ends_with(".execute-api.us-east-1.gateway.example.com"), "{target}");
    let mut expected = json!({
        "domainName": "api.example.com", "domainNameArn": "arn:aws:apigateway:us-east-1::/domainnames/api.example.com",
        "regionalCertificateArn": CERTIFICATE, "regionalDomainName": target, "regionalHostedZoneId": "Z1UJRXOUMOOFQ8",
        "endpointConfiguration": {"types": ["REGIONAL"], "ipAddressType": "ipv4"}, "domainNameStatus": "AVAILABLE",
        "securityPolicy": "TLS_1_2", "routingMode": "BASE_PATH_MAPPING_ONLY",
    });
    assert_eq!(made, expected);
    assert_eq!(bench.get("/domainnames").ok(200), json!({"item": [expected]}));
    expected["tags"] = json!({});
    assert_eq!(bench.get("/domainnames/api.example.com").ok(200), expected);
    assert_eq!(bench.delete("/domainnames/api.example.com").ok(202), Value::Null);
    let url = "/domainnames/api.example.com";
    for seen in [bench.get(url), bench.delete(url), bench.patch(url, &[])] {
        assert_eq!(seen.refusal(), not_found(MISSING));
    }
}

#[test]
fn edge_and_private_names_have_their_own_members() {
    let bench = Bench::new();
    let edge = bench.post(
        "/domainnames",
        json!({"domainName": "*.example.com", "certificateArn": CERTIFICATE, "tags": {"a": "b"}}),
    );
    let edge = edge.ok(201);
    let target = edge["distributionDomainName"].as_str().unwrap();
    assert_eq!(
        edge,
        json!({
            "domainName": "*.example.com", "domainNameArn": "arn:aws:apigateway:us-east-1::/domainnames/*.example.com",
            "certificateArn": CERTIFICATE, "certificateUploadDate": NOW_MS / 1000, "distributionDomainName": target,
            "distributionHostedZoneId": "Z2FDTNDATAQYW2", "domainNameStatus": "AVAILABLE", "securityPolicy": "TLS_1_2",
            "endpointConfiguration": {"types": ["EDGE"], "ipAddressType": "ipv4"}, "tags": {"a": "b"},
            "routingMode": "BASE_PATH_MAPPING_ONLY",
        })
    );
    let made = private(&bench, "in.example.com");
    let id = made["domainNameId"].as_str().unwrap();
    assert_eq!(
        made["domainNameArn"],
        json!(format!("arn:aws:apigateway:us-east-1:000000000000:/domainnames/in.example.com+{id}"))
    );
    assert_eq!(made["endpointConfiguration"], json!({"types": ["PRIVATE"], "ipAddressType": "dualstack"}));
    // The same private name may be there twice; the id tells them apart.
    let twin = private(&bench, "in.example.com");
    assert_ne!(twin["domainNameId"], made["domainNameId"]);
    assert_eq!(bench.get("/domainnames/in.example.com").refusal(), not_found(MISSING));
    let mut expected = made.clone();
    expected["tags"] = json!({});
    assert_eq!(bench.get(&format!("/domainnames/in.example.com?domainNameId={id}")).ok(200), expected);
    assert_eq!(bench.get("/domainnames?resourceOwner=OTHER_ACCOUNTS").ok(200), json!({"item": []}));
}

#[test]
fn a_certificate_by_value_is_kept_sealed_and_not_shown() {
    let bench = Bench::new();
    let pem = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----");
    let body = json!({
        "domainName": "api.example.com", "certificateName": "mine", "certificateBody": pem("CERTIFICATE"),
        "certificatePrivateKey": pem("PRIVATE KEY"), "certificateChain": pem("CERTIFICATE"),
    });
    let made = bench.post("/domainnames", body).ok(201);
    assert_eq!(made["certificateName"], json!("mine"));
    assert!(!made.to_string().contains("BEGIN"), "{made}");
    let odd = json!({
        "domainName": "b.example.com", "certificateBody": "x", "certificatePrivateKey": pem("PRIVATE KEY"),
    });
    assert_eq!(
        bench.post("/domainnames", odd).refusal(),
        bad_request("Invalid certificateBody specified: it is not PEM")
    );
}

#[test]
fn a_name_is_refused_with_the_reason() {
    let bench = Bench::new();
    regional(&bench, "api.example.com");
    let post = |more: Value| {
        let mut body = json!({"domainName": "b.example.com", "certificateArn": CERTIFICATE});
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        bench.post("/domainnames", body).refusal()
    };
    assert_eq!(
        post(json!({"domainName": "api.example.com"})),
        bad_request("The domain name you provided already exists.")
    );
    for odd in ["", "localhost", "API.example.com", "a..b", "-a.b", "a/b.c", "*.*.b", "ä.example.com"] {
        assert_eq!(post(json!({"domainName": odd})), bad_request(&format!("Invalid domain name specified: {odd}")));
    }
    assert_eq!(
        post(json!({"certificateArn": null})),
        bad_request("A certificate must be specified for an EDGE domain name")
    );
    assert_eq!(
        post(json!({"endpointConfiguration": {"types": ["REGIONAL"]}})),
        bad_request("A regional certificate must be specified for a REGIONAL domain name")
    );
    assert_eq!(
        post(json!({"certificateArn": "x"})),
        bad_request("Invalid certificate ARN specified for certificateArn: x")
    );
    assert_eq!(
        post(json!({"endpointConfiguration": {"types": ["EDGE", "REGIONAL"]}})),
        bad_request("Cannot create an api with multiple Endpoint Types.")
    );
    assert!(
        post(json!({"mutualTlsAuthentication": {"truststoreUri": "s3://b/k"}})).2.starts_with("Mutual TLS is only")
    );
    assert_eq!(post(json!({"policy": "x"})).0, 400);
    assert_eq!(post(json!({"securityPolicy": "SSL"})).1, "ValidationException");
}

#[test]
fn a_name_is_patched_by_rule() {
    let bench = Bench::new();
    let made = regional(&bench, "api.example.com");
    let url = "/domainnames/api.example.com";
    let policy = "{\"Statement\":[]}";
    let after = bench.patch(
        url,
        &[
            ("replace", "/regionalCertificateName", json!("n")),
            ("replace", "/ownershipVerificationCertificateArn", json!(CERTIFICATE)),
            ("replace", "/mutualTlsAuthentication/truststoreUri", json!("s3://bucket/key.pem")),
            ("replace", "/mutualTlsAuthentication/truststoreVersion", json!("2")),
            ("replace", "/routingMode", json!("ROUTING_RULE_ONLY")),
            ("replace", "/endpointConfiguration/ipAddressType", json!("dualstack")),
            ("replace", "/policy", json!(policy)),
        ],
    );
    let mut expected = made.clone();
    let more = json!({
        "regionalCertificateName": "n", "ownershipVerificationCertificateArn": CERTIFICATE,
        "mutualTlsAuthentication": {"truststoreUri": "s3://bucket/key.pem", "truststoreVersion": "2"},
        "routingMode": "ROUTING_RULE_ONLY", "tags": {}, "policy": "{\\\"Statement\\\":[]}",
        "endpointConfiguration": {"types": ["REGIONAL"], "ipAddressType": "dualstack"},
    });
    expected.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    assert_eq!(after.ok(200), expected);
    // Regional becomes edge: one type is added with its certificate, the other removed.
    let after = bench.patch(
        url,
        &[
            ("replace", "/mutualTlsAuthentication/truststoreUri", json!("")),
            ("add", "/endpointConfiguration/types", json!("EDGE")),
            ("replace", "/certificateArn", json!(CERTIFICATE)),
        ],
    );
    let both = after.ok(200);
    assert_eq!(both["endpointConfiguration"]["types"], json!(["REGIONAL", "EDGE"]));
    assert!(both["distributionDomainName"].is_string() && both["regionalDomainName"] == made["regionalDomainName"]);
    assert!(both.get("mutualTlsAuthentication").is_none());
    let edge = bench.patch(url, &[("remove", "/endpointConfiguration/types/REGIONAL", Value::Null)]).ok(200);
    assert_eq!(edge["endpointConfiguration"]["types"], json!(["EDGE"]));
    assert!(
        edge.get("regionalDomainName").is_none() && edge["distributionDomainName"] == both["distributionDomainName"]
    );
    let back = bench.patch(url, &[("replace", "/endpointConfiguration/types/0", json!("REGIONAL"))]).ok(200);
    assert_eq!(back["endpointConfiguration"]["types"], json!(["REGIONAL"]));

    refused_patches(&bench, url);
    assert_eq!(bench.get(url).ok(200), back);
}

fn refused_patches(bench: &Bench, url: &str) {
    let one = |op: &str, path: &str, value: Value| bench.patch(url, &[(op, path, value)]).refusal();
    assert_eq!(one("replace", "/domainName", json!("x")), bad_request("Invalid patch path /domainName"));
    assert_eq!(
        one("add", "/policy", json!("x")),
        bad_request("Invalid patch operation specified. Must be one of: [replace]")
    );
    assert_eq!(
        one("replace", "/endpointConfiguration/types/0", json!("PRIVATE")),
        bad_request("A domain name cannot be changed to or from the endpoint type PRIVATE")
    );
    assert_eq!(
        one("remove", "/endpointConfiguration/types/REGIONAL", Value::Null),
        bad_request("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.")
    );
    assert_eq!(
        one("replace", "/endpointConfiguration/types/EDGE", json!("EDGE")),
        bad_request("Invalid patch path /endpointConfiguration/types/EDGE")
    );
    assert!(
        one("replace", "/securityPolicy", json!("x"))
            .2
            .starts_with("Invalid securityPolicy specified. Valid options are TLS_1_0,")
    );
    assert_eq!(one("replace", "/securityPolicy", json!("")), bad_request("Invalid security policy specified"));
    assert_eq!(
        one("replace", "/endpointAccessMode", json!("X")),
        bad_request("Invalid endpointAccessMode specified. Valid options are BASIC,STRICT")
    );
}

#[test]
fn a_name_and_a_wildcard_over_it_belong_to_one_account() {
    let bench = Bench::new();
    let other = Scope::region(&AccountId::from("111122223333"), &Region::from("us-east-1"));
    let mut ops = Ops::new();
    for name in ["*.wide.example.com", "deep.narrow.example.com", "x+id.private.example.com"] {
        ops.put(&other, name, &DomainName { domain_name: name.to_owned(), ..DomainName::default() });
    }
    bench.memory.put(&ops.0);
    let post = |name: &str| {
        let certificate = "arn:aws:acm:us-east-1:000000000000:certificate/c";
        bench.post("/domainnames", json!({"domainName": name, "certificateArn": certificate}))
    };
    let taken = bad_request("The domain name you provided already exists.");
    for name in ["*.wide.example.com", "a.wide.example.com", "deep.narrow.example.com", "*.narrow.example.com"] {
        assert_eq!(post(name).refusal(), taken, "{name}");
    }
    for name in ["a.b.wide.example.com", "wide.example.com", "narrow.example.com", "*.example.com", "a.example.com"] {
        post(name).ok(201);
    }
}
