//! Method and MethodResponse.

use serde_json::{Value, json};

use crate::bench::Bench;

fn bad_request(message: &str) -> (u16, String, String) {
    (400, "BadRequestException".into(), message.into())
}

fn not_found(message: &str) -> (u16, String, String) {
    (404, "NotFoundException".into(), message.into())
}

/// The URL of the methods of an API's root.
fn methods(bench: &Bench) -> String {
    let made = bench.post("/restapis", json!({"name": "pets"})).ok(201);
    let id = |name: &str| made[name].as_str().unwrap().to_owned();
    format!("/restapis/{}/resources/{}/methods", id("id"), id("rootResourceId"))
}

#[test]
fn a_method_shows_what_was_given_and_its_defaults() {
    let bench = Bench::new();
    let url = methods(&bench);
    let made =
        bench.put(&format!("{url}/GET"), json!({"authorizationType": "NONE", "authorizerId": "ignored"})).ok(201);
    assert_eq!(made, json!({"httpMethod": "GET", "authorizationType": "NONE", "apiKeyRequired": false}));
    assert_eq!(bench.get(&format!("{url}/GET")).ok(200), made);
    let empty = json!({"authorizationType": "NONE", "requestParameters": {}, "requestModels": {}});
    let bare = bench.put(&format!("{url}/HEAD"), empty).ok(201);
    assert_eq!(bare, json!({"httpMethod": "HEAD", "authorizationType": "NONE", "apiKeyRequired": false}));
    let full = json!({
        "authorizationType": "AWS_IAM", "apiKeyRequired": true, "operationName": "op",
        "requestParameters": {"method.request.querystring.q": true, "method.request.header.h": false},
        "requestModels": {"application/json": "Empty"}, "authorizationScopes": ["a/b"],
    });
    let made = bench.put(&format!("{url}/ANY"), full.clone()).ok(201);
    let mut expected = full;
    expected["httpMethod"] = json!("ANY");
    assert_eq!(made, expected);
    assert_eq!(bench.delete(&format!("{url}/ANY")).ok(204), Value::Null);
    assert_eq!(bench.get(&format!("{url}/ANY")).refusal(), not_found("Invalid Method identifier specified"));
}

#[test]
fn a_put_is_refused_in_aws_words() {
    let bench = Bench::new();
    let url = methods(&bench);
    let put = |method: &str, body: Value| bench.put(&format!("{url}/{method}"), body).refusal();
    let none = |more: Value| {
        let mut body = json!({"authorizationType": "NONE"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let options = "Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY";
    assert_eq!(put("get", none(json!({}))), bad_request(options));
    let authorizer = bad_request(
        "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.",
    );
    assert_eq!(put("GET", json!({"authorizationType": "CUSTOM", "authorizerId": "x"})), authorizer);
    assert_eq!(put("GET", json!({"authorizationType": "COGNITO_USER_POOLS"})), authorizer);
    assert_eq!(put("GET", json!({"authorizationType": "WRONG"})).0, 400);
    assert_eq!(
        put("GET", none(json!({"requestModels": {"application/json": "petModel"}}))),
        bad_request("Invalid model identifier specified: petModel")
    );
    assert_eq!(
        put("GET", none(json!({"requestValidatorId": "x"}))),
        bad_request("Invalid Request Validator identifier specified")
    );
    assert_eq!(
        put(
            "GET",
            none(json!({"requestParameters": {"method.request.path.a": true, "method.request.header.a": true}}))
        ),
        bad_request("Parameter names must be unique across querystring, header and path")
    );
    assert_eq!(put("GET", none(json!({"requestParameters": {"a": true}}))).0, 400);
    let gone = url.replace("/resources/", "/resources/x");
    assert_eq!(
        bench.put(&format!("{gone}/GET"), none(json!({}))).refusal(),
        not_found("Invalid Resource identifier specified")
    );
    bench.put(&format!("{url}/GET"), none(json!({}))).ok(201);
    assert_eq!(
        put("GET", none(json!({}))),
        (409, "ConflictException".into(), "Method already exists for this resource".into())
    );
}

#[test]
fn a_method_is_patched_by_rule_and_its_emptied_maps_disappear() {
    let bench = Bench::new();
    let url = format!("{}/GET", methods(&bench));
    bench.put(&url, json!({"authorizationType": "NONE"})).ok(201);
    let after = bench.patch(
        &url,
        &[
            ("replace", "/apiKeyRequired", json!("true")),
            ("replace", "/operationName", json!("op")),
            ("replace", "/authorizerId", json!("ignored")),
            ("add", "/requestParameters/method.request.header.a", json!("true")),
            ("add", "/requestParameters/method.request.header.b", json!("nonsense")),
            ("add", "/requestModels/application~1json", json!("Error")),
            ("add", "/authorizationScopes", json!("s")),
        ],
    );
    assert_eq!(
        after.ok(200),
        json!({
            "httpMethod": "GET", "authorizationType": "NONE", "apiKeyRequired": true, "operationName": "op",
            "requestParameters": {"method.request.header.a": true, "method.request.header.b": false},
            "requestModels": {"application/json": "Error"}, "authorizationScopes": ["s"],
        })
    );
    let after = bench.patch(
        &url,
        &[
            ("replace", "/apiKeyRequired", json!("perhaps")),
            ("remove", "/requestParameters/method.request.header.a", Value::Null),
            ("remove", "/requestParameters/method.request.header.b", Value::Null),
            ("remove", "/requestModels/application~1json", Value::Null),
            ("remove", "/authorizationScopes", json!("s")),
            ("replace", "/operationName", json!("")),
        ],
    );
    assert_eq!(after.ok(200), json!({"httpMethod": "GET", "authorizationType": "NONE", "apiKeyRequired": false}));
    let one = |op: &str, path: &str, value: Value| bench.patch(&url, &[(op, path, value)]).refusal();
    assert_eq!(one("replace", "/httpMethod", json!("x")), bad_request("Invalid patch path /httpMethod"));
    assert_eq!(one("add", "/requestParameters", json!("x")), bad_request("Invalid patch path /requestParameters"));
    assert_eq!(
        one("add", "/requestModels/application/json", json!("Empty")),
        bad_request("Invalid patch path /requestModels/application/json")
    );
    let only = bad_request("Invalid patch operation specified. Must be one of: [replace]");
    assert_eq!(one("add", "/apiKeyRequired", json!("true")), only);
    assert_eq!(one("remove", "/operationName", Value::Null), only);
    assert_eq!(
        one("replace", "/requestParameters/method.request.header.x", json!("true")),
        not_found("Invalid parameter name specified")
    );
    assert_eq!(
        one("remove", "/requestModels/text~1plain", Value::Null),
        not_found("Content-Type specified was not found")
    );
    assert_eq!(
        one("replace", "/requestValidatorId", json!("x")),
        bad_request("Invalid Request Validator identifier specified")
    );
    assert!(one("replace", "/authorizationType", json!("CUSTOM")).2.starts_with("Invalid authorizer ID specified."));
}

#[test]
fn a_method_response_lives_inside_its_method() {
    let bench = Bench::new();
    let method = format!("{}/GET", methods(&bench));
    let url = format!("{method}/responses/200");
    let missing = not_found("Invalid Method identifier specified");
    assert_eq!(bench.put(&url, json!({})).refusal(), missing);
    bench.put(&method, json!({"authorizationType": "NONE"})).ok(201);
    let empty = json!({"statusCode": "200", "responseParameters": {}, "responseModels": {}});
    assert_eq!(bench.put(&url, json!({"responseParameters": {}, "responseModels": {}})).ok(201), empty);
    assert_eq!(bench.get(&url).ok(200), empty);
    assert_eq!(bench.put(&url, json!({})).refusal().0, 409);
    let after = bench.patch(
        &url,
        &[
            ("add", "/responseParameters/method.response.header.a", json!("true")),
            ("add", "/responseModels/application~1json", json!("Empty")),
        ],
    );
    let full = json!({
        "statusCode": "200", "responseParameters": {"method.response.header.a": true},
        "responseModels": {"application/json": "Empty"},
    });
    assert_eq!(after.ok(201), full);
    assert_eq!(bench.get(&method).ok(200)["methodResponses"], json!({"200": full}));
    let one = |op: &str, path: &str, value: Value| bench.patch(&url, &[(op, path, value)]).refusal();
    assert_eq!(one("replace", "/statusCode", json!("201")), bad_request("Invalid patch path /statusCode"));
    assert_eq!(one("remove", "/responseModels/x~1y", Value::Null), not_found("Content-Type specified was not found"));
    assert_eq!(
        one("replace", "/responseParameters/method.response.header.x", json!("true")),
        not_found("Invalid parameter name specified")
    );
    let pattern = bench.put(&format!("{method}/responses/6xx"), json!({})).refusal();
    assert_eq!(
        pattern,
        (400, "ValidationException".into(), r"1 validation error detected: Value '6xx' at 'statusCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [1-5]\d\d".into())
    );
    let both = bench.call(
        "PATCH",
        &format!("{method}/responses/6xx"),
        json!({"patchOperations": [{"op": "wrong", "path": "/x"}]}),
    );
    assert!(both.refusal().2.starts_with(
        "2 validation errors detected: Value 'wrong' at 'updateMethodResponseInput.patchOperations.1.member.op'"
    ));
    bench.delete(&url).ok(204);
    assert_eq!(bench.delete(&url).refusal(), not_found("Invalid Response status code specified"));
}
