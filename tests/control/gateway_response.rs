//! GatewayResponse.

use serde_json::{Value, json};

use crate::bench::{ACCOUNT, Bench};
use crate::deployment::{bad_request, not_found};

const TEMPLATE: &str = "{\"message\":$context.error.messageString}";

fn default(kind: &str, status: Option<&str>) -> Value {
    let mut shown = json!({
        "responseType": kind, "responseParameters": {}, "responseTemplates": {"application/json": TEMPLATE},
        "defaultResponse": true,
    });
    if let Some(status) = status {
        shown["statusCode"] = json!(status);
    }
    shown
}

const DEFAULTS: [(&str, Option<&str>); 21] = [
    ("ACCESS_DENIED", Some("403")),
    ("API_CONFIGURATION_ERROR", Some("500")),
    ("AUTHORIZER_CONFIGURATION_ERROR", Some("500")),
    ("AUTHORIZER_FAILURE", Some("500")),
    ("BAD_REQUEST_BODY", Some("400")),
    ("BAD_REQUEST_PARAMETERS", Some("400")),
    ("DEFAULT_4XX", None),
    ("DEFAULT_5XX", None),
    ("EXPIRED_TOKEN", Some("403")),
    ("INTEGRATION_FAILURE", Some("504")),
    ("INTEGRATION_TIMEOUT", Some("504")),
    ("INVALID_API_KEY", Some("403")),
    ("INVALID_SIGNATURE", Some("403")),
    ("MISSING_AUTHENTICATION_TOKEN", Some("403")),
    ("QUOTA_EXCEEDED", Some("429")),
    ("REQUEST_TOO_LARGE", Some("413")),
    ("RESOURCE_NOT_FOUND", Some("404")),
    ("THROTTLED", Some("429")),
    ("UNAUTHORIZED", Some("401")),
    ("UNSUPPORTED_MEDIA_TYPE", Some("415")),
    ("WAF_FILTERED", Some("403")),
];

#[test]
fn a_fresh_api_answers_in_21_default_ways() {
    let bench = Bench::new();
    let url = format!("/restapis/{}/gatewayresponses", bench.api());
    let expected: Vec<Value> = DEFAULTS.iter().map(|(kind, status)| default(kind, *status)).collect();
    assert_eq!(bench.get(&url).ok(200), json!({"item": expected}));
    for (kind, status) in DEFAULTS {
        assert_eq!(bench.get(&format!("{url}/{kind}")).ok(200), default(kind, status));
        assert_eq!(
            bench.delete(&format!("{url}/{kind}")).refusal(),
            not_found("Gateway response type not defined on api")
        );
    }
    let page = bench.get(&format!("{url}?limit=20")).ok(200);
    let rest = bench.get(&format!("{url}?limit=20&position={}", page["position"].as_str().unwrap())).ok(200);
    assert_eq!(rest, json!({"item": [default("WAF_FILTERED", Some("403"))]}));
    let wrong = bench.get(&format!("{url}/WRONG")).refusal();
    assert_eq!(wrong.1, "ValidationException");
    assert!(wrong.2.starts_with("1 validation error detected: Value 'WRONG' at 'responseType' failed to satisfy constraint: Member must satisfy enum value set: [REQUEST_TOO_LARGE, "), "{}", wrong.2);
    let gone = not_found(&format!("Invalid API identifier specified {ACCOUNT}:nope"));
    for seen in [
        bench.get("/restapis/nope/gatewayresponses"),
        bench.get("/restapis/nope/gatewayresponses/THROTTLED"),
        bench.put("/restapis/nope/gatewayresponses/THROTTLED", json!({})),
        bench.delete("/restapis/nope/gatewayresponses/THROTTLED"),
        bench.patch("/restapis/nope/gatewayresponses/THROTTLED", &[]),
    ] {
        assert_eq!(seen.refusal(), gone);
    }
}

#[test]
fn a_put_keeps_defaults_where_nothing_is_said_and_a_delete_brings_them_back() {
    let bench = Bench::new();
    let url = format!("/restapis/{}/gatewayresponses/THROTTLED", bench.api());
    let mut plain = default("THROTTLED", Some("429"));
    plain["defaultResponse"] = json!(false);
    assert_eq!(bench.put(&url, json!({})).ok(201), plain);
    let full = json!({
        "statusCode": "503",
        "responseParameters": {"gatewayresponse.header.X": "'static'", "gatewayresponse.header.P": "method.request.path.id"},
        "responseTemplates": {"application/xml": "<no/>"},
    });
    let mut expected = full.clone();
    expected["responseType"] = json!("THROTTLED");
    expected["defaultResponse"] = json!(false);
    assert_eq!(bench.put(&url, full).ok(201), expected);
    assert_eq!(bench.get(&url).ok(200), expected);
    assert_eq!(bench.delete(&url).ok(202), Value::Null);
    assert_eq!(bench.get(&url).ok(200), default("THROTTLED", Some("429")));
    let mapping = |expression: &str| {
        bad_request(&format!(
            "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: {expression}]"
        ))
    };
    assert_eq!(bench.put(&url, json!({"responseParameters": {"header.X": "'a'"}})).refusal(), mapping("header.X"));
    assert_eq!(
        bench
            .put(&url, json!({"responseParameters": {"gatewayresponse.header.X": "integration.response.body"}}))
            .refusal(),
        mapping("integration.response.body")
    );
    assert_eq!(
        bench.put(&url, json!({"responseTemplates": {"123": "x"}})).refusal(),
        bad_request("Validation Result: warnings : [], errors : [Invalid content type specified: 123]")
    );
    assert_eq!(bench.put(&url, json!({"statusCode": "999"})).refusal().1, "ValidationException");
}

#[test]
fn types_without_their_own_show_what_the_class_says() {
    let bench = Bench::new();
    let url = format!("/restapis/{}/gatewayresponses", bench.api());
    bench
        .put(
            &format!("{url}/DEFAULT_5XX"),
            json!({"statusCode": "599", "responseParameters": {"gatewayresponse.header.X": "'a'"}}),
        )
        .ok(201);
    let mut inherited = default("INTEGRATION_FAILURE", Some("599"));
    inherited["responseParameters"] = json!({"gatewayresponse.header.X": "'a'"});
    assert_eq!(bench.get(&format!("{url}/INTEGRATION_FAILURE")).ok(200), inherited);
    assert_eq!(bench.get(&format!("{url}/THROTTLED")).ok(200), default("THROTTLED", Some("429")));
    let listed = bench.get(&url).ok(200);
    let failures = listed["item"].as_array().unwrap().iter().filter(|i| i["statusCode"] == json!("599")).count();
    assert_eq!(failures, 6, "DEFAULT_5XX and the five of its class");
}

#[test]
fn a_response_is_patched_by_rule() {
    let bench = Bench::new();
    let url = format!("/restapis/{}/gatewayresponses/BAD_REQUEST_BODY", bench.api());
    let after = bench.patch(
        &url,
        &[
            ("replace", "/statusCode", json!("422")),
            ("add", "/responseParameters/gatewayresponse.header.X", json!("'a'")),
            ("replace", "/responseParameters/gatewayresponse.header.X", json!("context.requestId")),
            ("add", "/responseTemplates/application~1xml", json!("<no/>")),
            ("remove", "/responseTemplates/application~1json", Value::Null),
        ],
    );
    let after = after.ok(200);
    assert_eq!(
        after,
        json!({
            "responseType": "BAD_REQUEST_BODY", "statusCode": "422", "defaultResponse": false,
            "responseParameters": {"gatewayresponse.header.X": "context.requestId"},
            "responseTemplates": {"application/xml": "<no/>"},
        })
    );
    let one = |op: &str, path: &str, value: Value| bench.patch(&url, &[(op, path, value)]).refusal();
    assert_eq!(one("add", "/statusCode", json!("400")), bad_request("Invalid patch path /statusCode"));
    assert_eq!(one("remove", "/statusCode", Value::Null), bad_request("Invalid patch path /statusCode"));
    assert_eq!(one("replace", "/responseType", json!("x")), bad_request("Invalid patch path /responseType"));
    assert_eq!(one("add", "/responseParameters", json!("x")), bad_request("Invalid patch path /responseParameters"));
    assert_eq!(
        one("add", "/responseParameters/gatewayresponse.header.Y", Value::Null),
        bad_request("Invalid null or empty value in responseParameters")
    );
    assert_eq!(
        one("add", "/responseTemplates/a~1b", json!("")),
        bad_request("Invalid null or empty value in responseTemplates")
    );
    for path in ["/responseParameters/gatewayresponse.header.Y", "/responseTemplates/a~1b"] {
        assert_eq!(one("replace", path, json!("'x'")), not_found("Invalid parameter name specified"));
        assert_eq!(one("remove", path, Value::Null), not_found("Invalid parameter name specified"));
    }
    assert_eq!(
        bench
            .patch(
                &url,
                &[("replace", "/a", json!("x")), ("add", "/statusCode", json!("x")), ("remove", "/b", Value::Null)]
            )
            .refusal(),
        bad_request("Invalid patch path /a; Invalid patch path /statusCode; Invalid patch path /b")
    );
    assert_eq!(bench.get(&url).ok(200), after);
}
