//! Integration and IntegrationResponse.

use serde_json::{Value, json};

use crate::bench::Bench;

fn bad_request(message: &str) -> (u16, String, String) {
    (400, "BadRequestException".into(), message.into())
}

fn not_found(message: &str) -> (u16, String, String) {
    (404, "NotFoundException".into(), message.into())
}

fn mapping(error: &str) -> (u16, String, String) {
    bad_request(&format!("Invalid mapping expression specified: Validation Result: warnings : [], errors : [{error}]"))
}

/// The URL of a method that declares one header, and the id of its resource.
fn method(bench: &Bench) -> (String, String) {
    let made = bench.post("/restapis", json!({"name": "pets"})).ok(201);
    let id = |name: &str| made[name].as_str().unwrap().to_owned();
    let url = format!("/restapis/{}/resources/{}/methods/GET", id("id"), id("rootResourceId"));
    let body = json!({"authorizationType": "NONE", "requestParameters": {"method.request.header.h": false}});
    bench.put(&url, body).ok(201);
    (url, id("rootResourceId"))
}

#[test]
fn an_integration_shows_what_was_given_and_its_defaults() {
    let bench = Bench::new();
    let (method, root) = method(&bench);
    let url = format!("{method}/integration");
    assert_eq!(bench.get(&url).refusal(), not_found("Invalid Integration identifier specified"));
    let mock =
        bench.put(&url, json!({"type": "MOCK", "requestTemplates": {"application/json": "{\"statusCode\": 200}"}}));
    assert_eq!(
        mock.ok(201),
        json!({
            "type": "MOCK", "requestTemplates": {"application/json": "{\"statusCode\": 200}"},
            "passthroughBehavior": "WHEN_NO_MATCH", "timeoutInMillis": 29000, "cacheNamespace": root, "cacheKeyParameters": [],
        })
    );
    let full = json!({
        "type": "HTTP", "httpMethod": "POST", "uri": "https://example.com/{x}", "credentials": "arn:aws:iam::1:role/r",
        "requestParameters": {"integration.request.header.a": "'b'", "integration.request.path.x": "method.request.header.h"},
        "requestTemplates": {"application/json": "x", "text/plain": "", "text/html": null},
        "passthroughBehavior": "NEVER", "contentHandling": "CONVERT_TO_TEXT", "timeoutInMillis": 50,
        "cacheNamespace": "ns", "cacheKeyParameters": ["method.request.header.h"], "connectionType": "INTERNET",
        "tlsConfig": {"insecureSkipVerification": true},
    });
    let mut expected = full.clone();
    expected["requestTemplates"]["text/plain"] = Value::Null;
    assert_eq!(bench.put(&url, full).ok(201), expected);
    assert_eq!(bench.get(&url).ok(200), expected);
    let proxy =
        bench.put(&url, json!({"type": "HTTP_PROXY", "httpMethod": "ANY", "uri": "http://localhost:9/"})).ok(201);
    assert_eq!(proxy["connectionType"], json!("INTERNET"));
    assert_eq!(proxy.get("requestTemplates"), None);
    assert_eq!(bench.get(&method).ok(200)["methodIntegration"], proxy);
    bench.delete(&url).ok(204);
    assert_eq!(bench.delete(&url).refusal(), not_found("Invalid Integration identifier specified"));
}

#[test]
fn a_put_is_refused_in_aws_words() {
    let bench = Bench::new();
    let (method, _) = method(&bench);
    let put = |body: Value| bench.put(&format!("{method}/integration"), body).refusal();
    assert_eq!(put(json!({"type": "HTTP"})), bad_request("Enumeration value for HttpMethod must be non-empty"));
    let of = |kind: &str, uri: &str| json!({"type": kind, "httpMethod": "GET", "uri": uri});
    for uri in ["", "example.com", "ftp://x", "http://", "http:///x", "http://a b"] {
        assert_eq!(put(of("HTTP_PROXY", uri)), bad_request("Invalid HTTP endpoint specified for URI"), "{uri}");
    }
    assert_eq!(put(of("AWS", "x")), bad_request("Invalid ARN specified in the request"));
    assert_eq!(
        put(of("AWS", "arn:aws:lambda:us-east-1:1:function:f")),
        bad_request("Invalid ARN specified in the request")
    );
    assert_eq!(
        put(of("AWS", "arn:aws:apigateway:us-east-1:sqs:x")),
        bad_request("AWS ARN for integration must contain path or action")
    );
    assert_eq!(
        put(of("AWS_PROXY", "arn:aws:apigateway:us-east-1:sqs:path/x")),
        bad_request(
            "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations."
        )
    );
    let with = |target: &str, source: &str| json!({"type": "HTTP", "httpMethod": "GET", "uri": "http://x", "requestParameters": {target: source}});
    assert_eq!(
        put(with("integration.request.header.a", "true")),
        mapping("Invalid mapping expression specified: true")
    );
    assert_eq!(put(with("header.a", "'x'")), mapping("Invalid mapping expression specified: header.a"));
    assert_eq!(
        put(with("integration.request.path.a", "method.request.path.a")),
        mapping("Invalid mapping expression parameter specified: method.request.path.a")
    );
    assert_eq!(
        put(json!({"type": "MOCK", "requestTemplates": {"123": "x"}})),
        bad_request("Validation Result: warnings : [], errors : [Invalid content type specified: 123]")
    );
    assert_eq!(put(json!({"type": "MOCK", "timeoutInMillis": 49})).0, 400);
    assert_eq!(put(json!({"type": "MOCK", "passthroughBehavior": "X"})).0, 400);
    assert_eq!(
        put(json!({"type": "X"})),
        (400, "ValidationException".into(), "1 validation error detected: Value 'X' at 'putIntegrationInput.type' failed to satisfy constraint: Member must satisfy enum value set: [HTTP, MOCK, AWS_PROXY, HTTP_PROXY, AWS]".into())
    );
    let other = method.replace("GET", "POST");
    let unknown = bench.put(&format!("{other}/integration"), json!({"type": "MOCK"})).refusal();
    assert_eq!(unknown, not_found("Invalid Method identifier specified"));
}

#[test]
fn every_patch_rule_of_an_integration_does_what_it_says() {
    let bench = Bench::new();
    let (method, root) = method(&bench);
    let url = format!("{method}/integration");
    let nlb = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/x/1";
    let link = bench.post("/vpclinks", json!({"name": "a", "targetArns": [nlb]})).id();
    bench.put(&url, json!({"type": "HTTP", "httpMethod": "GET", "uri": "http://a"})).ok(201);
    let after = bench.patch(
        &url,
        &[
            ("replace", "/uri", json!("http://b")),
            ("replace", "/httpMethod", json!("POST")),
            ("replace", "/credentials", json!("arn:aws:iam::1:role/r")),
            ("replace", "/passthroughBehavior", json!("WHEN_NO_TEMPLATES")),
            ("replace", "/contentHandling", json!("CONVERT_TO_BINARY")),
            ("replace", "/connectionType", json!("VPC_LINK")),
            ("replace", "/connectionId", json!(link)),
            ("replace", "/timeoutInMillis", json!("100")),
            ("replace", "/cacheNamespace", json!("ns")),
            ("replace", "/responseTransferMode", json!("STREAM")),
            ("replace", "/integrationTarget", json!("arn:x")),
            ("replace", "/tlsConfig/insecureSkipVerification", json!("true")),
            ("add", "/requestParameters/integration.request.header.a", json!("method.request.header.h")),
            ("add", "/requestTemplates/application~1json", json!("t")),
            ("add", "/cacheKeyParameters/method.request.header.h", Value::Null),
        ],
    );
    assert_eq!(
        after.ok(200),
        json!({
            "type": "HTTP", "httpMethod": "POST", "uri": "http://b", "connectionType": "VPC_LINK", "connectionId": link,
            "credentials": "arn:aws:iam::1:role/r",
            "requestParameters": {"integration.request.header.a": "method.request.header.h"},
            "requestTemplates": {"application/json": "t"}, "passthroughBehavior": "WHEN_NO_TEMPLATES",
            "contentHandling": "CONVERT_TO_BINARY", "timeoutInMillis": 100, "cacheNamespace": "ns",
            "cacheKeyParameters": ["method.request.header.h"], "tlsConfig": {"insecureSkipVerification": true},
            "responseTransferMode": "STREAM", "integrationTarget": "arn:x",
        })
    );
    let after = bench.patch(
        &url,
        &[
            ("remove", "/requestParameters/integration.request.header.a", Value::Null),
            ("remove", "/requestTemplates/application~1json", Value::Null),
            ("remove", "/cacheKeyParameters/method.request.header.h", Value::Null),
            ("replace", "/cacheNamespace", json!("")),
            ("replace", "/connectionType", json!("INTERNET")),
        ],
    );
    let after = after.ok(200);
    assert_eq!(after["cacheNamespace"], json!(root));
    assert!(
        ["requestParameters", "requestTemplates", "connectionId"].iter().all(|n| after.get(n).is_none()),
        "{after}"
    );
    let one = |op: &str, path: &str, value: Value| bench.patch(&url, &[(op, path, value)]).refusal();
    assert_eq!(one("replace", "/type", json!("MOCK")), bad_request("Invalid patch path /type"));
    assert_eq!(
        one("remove", "/uri", Value::Null),
        bad_request("Invalid patch operation specified. Must be one of: [replace]")
    );
    assert_eq!(one("replace", "/uri", json!("x")), bad_request("Invalid HTTP endpoint specified for URI"));
    assert_eq!(one("replace", "/timeoutInMillis", json!("x")).0, 400);
    assert_eq!(
        one("replace", "/requestParameters/integration.request.header.x", json!("'x'")),
        not_found("Invalid parameter name specified")
    );
    assert_eq!(one("remove", "/requestTemplates/x~1y", Value::Null), not_found("Content-Type specified was not found"));
}

#[test]
fn an_integration_response_feeds_a_method_response_and_its_declared_headers() {
    let bench = Bench::new();
    let (method, _) = method(&bench);
    let url = format!("{method}/integration/responses/200");
    assert_eq!(bench.put(&url, json!({})).refusal(), not_found("Invalid Integration identifier specified"));
    bench.put(&format!("{method}/integration"), json!({"type": "MOCK"})).ok(201);
    assert_eq!(bench.put(&url, json!({})).refusal(), not_found("Invalid Response status code specified"));
    bench
        .put(&format!("{method}/responses/200"), json!({"responseParameters": {"method.response.header.a": false}}))
        .ok(201);
    assert_eq!(bench.put(&url, json!({})).ok(201), json!({"statusCode": "200"}));
    let echoed = bench.put(&url, json!({"selectionPattern": "", "responseTemplates": {}})).ok(201);
    assert_eq!(echoed, json!({"statusCode": "200", "selectionPattern": "", "responseTemplates": {}}));
    let full = json!({
        "selectionPattern": "2..", "responseParameters": {"method.response.header.a": "integration.response.header.b"},
        "responseTemplates": {"application/json": "t", "text/plain": null}, "contentHandling": "CONVERT_TO_TEXT",
    });
    let mut expected = full.clone();
    expected["statusCode"] = json!("200");
    assert_eq!(bench.put(&url, full).ok(201), expected);
    assert_eq!(bench.get(&url).ok(200), expected);
    assert_eq!(bench.get(&format!("{method}/integration")).ok(200)["integrationResponses"], json!({"200": expected}));
    let put = |body: Value| bench.put(&url, body).refusal();
    assert_eq!(
        put(json!({"responseTemplates": {"123": "x"}})),
        bad_request("Validation Result: warnings : [], errors : [Invalid content type specified: 123]")
    );
    assert_eq!(
        put(json!({"responseParameters": {"method.response.header.z": "'x'"}})),
        mapping("Invalid mapping expression parameter specified: method.response.header.z")
    );
    assert_eq!(
        put(json!({"responseParameters": {"method.response.header.a": "x"}})),
        mapping("Invalid mapping expression specified: x")
    );
    let after = bench.patch(
        &url,
        &[
            ("replace", "/selectionPattern", json!("4..")),
            ("replace", "/contentHandling", json!("")),
            ("replace", "/responseParameters/method.response.header.a", json!("'c'")),
            ("remove", "/responseTemplates/text~1plain", Value::Null),
            ("replace", "/responseTemplates/application~1json", json!("")),
        ],
    );
    assert_eq!(
        after.ok(200),
        json!({
            "statusCode": "200", "selectionPattern": "4..", "responseParameters": {"method.response.header.a": "'c'"},
            "responseTemplates": {"application/json": null},
        })
    );
    assert_eq!(bench.patch(&url, &[("replace", "/x", json!("y"))]).refusal(), bad_request("Invalid patch path /x"));
    let wrong = url.replace("GET", "POST");
    assert_eq!(bench.delete(&wrong).refusal(), not_found("Invalid Integration identifier specified"));
    bench.delete(&url).ok(204);
    assert_eq!(bench.get(&url).refusal(), not_found("Invalid Response status code specified"));
}

#[test]
fn a_private_integration_names_a_link_that_there_is_or_a_stage_variable() {
    let bench = Bench::new();
    let (method, _) = method(&bench);
    let url = format!("{method}/integration");
    let put = |id: Value| {
        let mut input =
            json!({"type": "HTTP_PROXY", "httpMethod": "GET", "uri": "http://a", "connectionType": "VPC_LINK"});
        input["connectionId"] = id;
        bench.put(&url, input)
    };
    let none = bad_request("ConnectionId must be set to vpcLinkId for ConnectionType VPC_LINK");
    let unknown = bad_request("Invalid Vpc Link identifier specified");
    assert_eq!(put(Value::Null).refusal(), none);
    assert_eq!(put(json!("abc123")).refusal(), unknown);
    assert_eq!(put(json!("${stageVariables.link}")).ok(201)["connectionId"], json!("${stageVariables.link}"));
    assert_eq!(bench.patch(&url, &[("replace", "/connectionId", json!("abc123"))]).refusal(), unknown);
    assert_eq!(bench.patch(&url, &[("replace", "/connectionId", json!(""))]).refusal(), none);
    bench.patch(&url, &[("replace", "/timeoutInMillis", json!("100"))]).ok(200);
}
