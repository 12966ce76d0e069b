//! `api diff`: draft against stage, what breaks clients, what would be refused, what would fail when it is called.

use futures_util::FutureExt;
use serde_json::{Value, json};

use crate::bench::Bench;

fn diff(bench: &Bench, api: &str, stage: &str) -> Value {
    bench.control.diff(api, stage).now_or_never().expect("nothing to wait for").expect("a diff")
}

/// `place member: change; why it breaks clients`, one line each.
fn lines(diff: &Value) -> Vec<String> {
    let text = |change: &Value, member: &str| change[member].as_str().unwrap_or_default().to_owned();
    let line = |change: &Value| {
        let head = format!("{} {}", text(change, "place"), text(change, "member"));
        format!("{}: {}; {}", head.trim_end(), text(change, "change"), text(change, "breaking"))
            .trim_end_matches("; ")
            .to_owned()
    };
    diff["changes"].as_array().expect("a list").iter().map(line).collect()
}

fn mock() -> Value {
    json!({
        "type": "mock", "requestTemplates": {"application/json": "{\"statusCode\": 200}"},
        "responses": {"default": {"statusCode": "200"}},
    })
}

/// A file with two paths, a model that is checked on the way in and shown on the way out, a key and an authorizer.
fn file() -> Value {
    let pet = json!({"$ref": "#/definitions/Pet"});
    json!({
        "swagger": "2.0", "info": {"title": "pets", "version": "1"},
        "x-amazon-apigateway-request-validators": {
            "all": {"validateRequestBody": true, "validateRequestParameters": true},
            "none": {"validateRequestBody": false, "validateRequestParameters": false},
        },
        "securityDefinitions": {
            "key": {"type": "apiKey", "name": "x-api-key", "in": "header"},
            "who": {
                "type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "custom",
                "x-amazon-apigateway-authorizer": {
                    "type": "token",
                    "authorizerUri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:who/invocations",
                },
            },
        },
        "definitions": {"Pet": {
            "type": "object", "required": ["name"],
            "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer"}, "kind": {"enum": ["cat", "dog"]}},
        }},
        "paths": {
            "/pets": {
                "get": {
                    "responses": {"200": {"description": "", "schema": pet, "headers": {"x-next": {"type": "string"}}}, "404": {"description": ""}},
                    "parameters": [{"name": "limit", "in": "query", "type": "string"}],
                    "x-amazon-apigateway-request-validator": "all", "x-amazon-apigateway-integration": mock(),
                },
                "post": {
                    "consumes": ["application/json"], "parameters": [{"name": "body", "in": "body", "schema": pet}],
                    "responses": {"200": {"description": ""}},
                    "x-amazon-apigateway-request-validator": "all", "x-amazon-apigateway-integration": mock(),
                },
            },
            "/toys/{id}": {"get": {"responses": {"200": {"description": ""}}, "x-amazon-apigateway-integration": mock()}},
            "/any/{proxy+}": {"x-amazon-apigateway-any-method": {
                "responses": {"200": {"description": ""}}, "x-amazon-apigateway-integration": mock(),
            }},
        },
    })
}

/// The file, imported and served by the stage `prod`.
fn served(bench: &Bench) -> String {
    let api = bench.post("/restapis?mode=import", file()).id();
    bench.post(&format!("/restapis/{api}/deployments"), json!({"stageName": "prod"})).ok(201);
    assert_eq!(lines(&diff(bench, &api, "prod")), [""; 0], "a deployment of the draft is the draft");
    api
}

/// What the changed file would bring.
fn after(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let bench = Bench::new();
    let api = served(&bench);
    let mut changed = file();
    change(&mut changed);
    bench.put(&format!("/restapis/{api}?mode=overwrite"), changed).ok(200);
    let found = diff(&bench, &api, "prod");
    let lines = lines(&found);
    assert_eq!(found["breaking"], lines.iter().filter(|line| line.contains("; ")).count(), "{lines:#?}");
    // What a file brings and takes away again leaves nothing.
    bench.put(&format!("/restapis/{api}?mode=overwrite"), file()).ok(200);
    assert_eq!(self::lines(&diff(&bench, &api, "prod")), [""; 0]);
    lines
}

#[test]
fn what_callers_must_bring_breaks_them() {
    let lines = after(|file| {
        let get = &mut file["paths"]["/pets"]["get"];
        get["security"] = json!([{"key": []}]);
        get["parameters"] = json!([
            {"name": "limit", "in": "query", "type": "string", "required": true},
            {"name": "x-a", "in": "header", "type": "string"},
        ]);
        file["paths"]["/toys/{id}"]["get"]["security"] = json!([{"who": []}]);
        file["paths"]["/toys/{id}"]["get"]["x-amazon-apigateway-integration"]["passthroughBehavior"] = json!("never");
    });
    assert_eq!(
        lines,
        [
            "GET /pets /apiKeyRequired: changed; callers need an API key",
            "GET /pets /requestParameters/method.request.header.x-a: added",
            "GET /pets /requestParameters/method.request.querystring.limit: changed; requests without method.request.querystring.limit are refused",
            "GET /toys/{id} /authorizationType: changed; callers must be authorized",
            "GET /toys/{id} /authorizer: added",
            "GET /toys/{id} /methodIntegration/passthroughBehavior: changed; requests of media types without a template may be answered 415",
        ]
    );
}

#[test]
fn what_a_parameter_demands_matters_only_where_it_is_checked() {
    let lines = after(|file| {
        let get = &mut file["paths"]["/pets"]["get"];
        get["x-amazon-apigateway-request-validator"] = json!("none");
        get["parameters"][0]["required"] = json!(true);
        file["paths"]["/pets"]["post"]["x-amazon-apigateway-request-validator"] = json!("none");
        file["definitions"]["Pet"]["required"] = json!(["name", "age"]);
    });
    assert_eq!(
        lines,
        [
            "GET /pets /requestParameters/method.request.querystring.limit: changed",
            "GET /pets /requestValidator/name: changed",
            "GET /pets /requestValidator/validateRequestBody: changed",
            "GET /pets /requestValidator/validateRequestParameters: changed",
            "POST /pets /requestValidator/name: changed",
            "POST /pets /requestValidator/validateRequestBody: changed",
            "POST /pets /requestValidator/validateRequestParameters: changed",
            "model Pet /schema/required: changed",
        ]
    );
}

#[test]
fn a_models_change_breaks_those_who_send_it_or_those_who_read_it() {
    let lines = after(|file| {
        let pet = &mut file["definitions"]["Pet"];
        pet["required"] = json!(["age", "name"]);
        pet["properties"]["name"]["maxLength"] = json!(10);
        pet["properties"]["age"] = json!({"type": "number"});
        pet["properties"]["kind"]["enum"] = json!(["dog", "cat", "bird"]);
        pet["properties"]["note"] = json!({"type": "string"});
    });
    assert_eq!(
        lines,
        [
            "model Pet /schema/properties/age/type: changed; `age` has another type",
            "model Pet /schema/properties/kind/enum: changed; `kind` may be bird",
            "model Pet /schema/properties/name/maxLength: changed; `name` has a lower maxLength",
            "model Pet /schema/properties/note: added",
            "model Pet /schema/required: changed; bodies without age are refused",
        ]
    );
    let lines = after(|file| {
        let pet = &mut file["definitions"]["Pet"];
        pet.as_object_mut().unwrap().remove("required");
        let kept = json!({"name": {"type": "string"}, "kind": {"enum": ["cat"]}});
        pet["properties"] = kept;
    });
    assert_eq!(
        lines,
        [
            "model Pet /schema/properties/age: removed; clients may read `age`",
            "model Pet /schema/properties/kind/enum: changed; `kind` no longer takes dog",
            "model Pet /schema/properties/name/maxLength: removed",
            "model Pet /schema/required: removed; clients may count on name",
        ]
    );
}

#[test]
fn what_clients_may_read_breaks_them_when_it_goes() {
    let lines = after(|file| {
        let responses = &mut file["paths"]["/pets"]["get"]["responses"];
        responses["200"].as_object_mut().unwrap().remove("headers");
        responses.as_object_mut().unwrap().remove("404");
        file["x-amazon-apigateway-gateway-responses"] = json!({"DEFAULT_4XX": {"statusCode": "418"}});
        file["x-amazon-apigateway-binary-media-types"] = json!(["image/png"]);
    });
    assert_eq!(
        lines,
        [
            "API /binaryMediaTypes: added; bodies of these media types reach both sides in another form",
            "GET /pets /methodResponses/200/responseParameters/method.response.header.x-next: removed; clients may read header.x-next",
            "GET /pets /methodResponses/404: removed; clients may expect the status 404",
            "gateway response DEFAULT_4XX: added",
        ]
    );
}

#[test]
fn methods_that_come_and_go_break_the_calls_that_lose_their_answer() {
    let lines = after(|file| {
        let paths = file["paths"].as_object_mut().unwrap();
        // Another name for a parameter is nothing to clients.
        let toys = paths.remove("/toys/{id}").unwrap();
        paths.insert("/toys/{toy}".into(), toys);
        paths.get_mut("/pets").unwrap().as_object_mut().unwrap().remove("post");
        // A new resource hides what the greedy one answered.
        let mut one = json!({"get": {"responses": {"200": {"description": ""}}, "security": [{"key": []}]}});
        one["get"]["x-amazon-apigateway-integration"] = mock();
        paths.insert("/any/one".into(), one);
    });
    assert_eq!(
        lines,
        [
            "resource /any: added",
            "GET /any/one: added; POST, PUT, PATCH, DELETE, HEAD, OPTIONS /any/one is answered 403",
            "POST /pets: removed; POST /pets is answered 403",
            "GET /toys/{id}: removed",
            "GET /toys/{toy}: added",
        ]
        .iter()
        .filter(|line| !line.starts_with("resource"))
        .copied()
        .collect::<Vec<_>>()
    );
    let lines = after(|file| {
        let mut any = file["paths"]["/any/{proxy+}"]["x-amazon-apigateway-any-method"].clone();
        any["security"] = json!([{"key": []}]);
        file["paths"]["/any/one"] = json!({"x-amazon-apigateway-any-method": any});
    });
    assert_eq!(lines, ["ANY /any/one: added; GET /any/one is answered by ANY /any/one, which needs an API key"]);
}

#[test]
fn the_answer_is_whole_and_says_what_would_be_refused_and_what_would_fail() {
    let bench = Bench::new();
    let api = served(&bench);
    let base = format!("/restapis/{api}");
    let items = bench.get(&format!("{base}/resources?limit=500")).ok(200);
    let pets = items["item"].as_array().unwrap().iter().find(|r| r["path"] == "/pets").unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let method = format!("{base}/resources/{pets}/methods/GET");
    bench.patch(&format!("{method}/integration"), &[("replace", "/timeoutInMillis", json!("1000"))]).ok(200);
    bench.delete(&format!("{method}/responses/200")).ok(204);
    bench.put(&format!("{base}/resources/{pets}/methods/PUT"), json!({"authorizationType": "NONE"})).ok(201);
    let found = diff(&bench, &api, "prod");
    let response = json!({
        "statusCode": "200", "responseModels": {"application/json": "Pet"},
        "responseParameters": {"method.response.header.x-next": false},
    });
    let deployment = found["deployment"].clone();
    assert!(deployment.is_string());
    assert_eq!(
        found,
        json!({
            "api": api, "region": "us-east-1", "stage": "prod", "deployment": deployment, "canary": null,
            "changes": [
                {"place": "GET /pets", "member": "/methodIntegration/timeoutInMillis", "change": "changed",
                 "before": 29_000, "after": 1_000, "breaking": null},
                {"place": "GET /pets", "member": "/methodResponses/200", "change": "removed", "before": response,
                 "after": null, "breaking": "clients may expect the status 200"},
                {"place": "PUT /pets", "member": "", "change": "added", "before": null, "after": {
                    "httpMethod": "PUT", "authorizationType": "NONE", "apiKeyRequired": false,
                }, "breaking": null},
            ],
            "breaking": 1, "refusals": ["No integration defined for method"],
            "warnings": [
                {"place": "GET /pets", "text": "integration response 200 has no method response 200: it is answered 500"},
            ],
        })
    );
    let refused = |api: &str, stage: &str| {
        let fault = bench.control.diff(api, stage).now_or_never().expect("at once").expect_err("refused");
        (fault.status, fault.message)
    };
    assert_eq!(refused("nope", "prod"), (404, "There is no API `nope`".to_owned()));
    let message = format!("Invalid stage identifier specified: API `{api}` has no stage `beta`; it has prod");
    assert_eq!(refused(&api, "beta"), (404, message));
}

#[test]
fn all_that_would_fail_when_it_is_called_is_a_warning_and_no_refusal() {
    let bench = Bench::new();
    let mut faulty = file();
    let http = |uri: &str, responses: Value| {
        json!({"type": "http", "httpMethod": "GET", "uri": uri, "responses": responses,
               "requestParameters": {"integration.request.path.a": "method.request.path.a", "integration.request.header.h": "stageVariables.h"}})
    };
    let method = |integration: Value| json!({"responses": {"200": {"description": ""}, "201": {"description": ""}}, "x-amazon-apigateway-integration": integration});
    let patterns = json!({"4..": {"statusCode": "200"}, "\\Gy": {"statusCode": "201"}});
    faulty["x-amazon-apigateway-policy"] = json!({"Version": "2012-10-17", "Statement": []});
    faulty["x-amazon-apigateway-gateway-responses"] =
        json!({"THROTTLED": {"statusCode": "420"}, "REQUEST_TOO_LARGE": {}});
    faulty["paths"] = json!({
        "/{a}": {"get": method(http("http://${stageVariables.host}/{a}/{b}", patterns))},
        "/b": {"get": method(json!({"type": "mock", "requestTemplates": {"application/json": "{}"}}))},
        "/c": {"get": method(json!({"type": "aws_proxy", "httpMethod": "GET", "uri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:f/invocations"}))},
    });
    faulty["paths"]["/{a}"]["get"]["parameters"] =
        json!([{"name": "a", "in": "path", "required": true, "type": "string"}]);
    let api = bench.post("/restapis?mode=import", faulty).id();
    let items = bench.get(&format!("/restapis/{api}/resources")).ok(200);
    let found = items["item"].as_array().unwrap().iter().find(|r| r["path"] == "/{a}").unwrap();
    let resource = format!("/restapis/{api}/resources/{}", found["id"].as_str().unwrap());
    bench.patch(&resource, &[("replace", "/pathPart", json!("{z}"))]).ok(200);
    bench.post(&format!("/restapis/{api}/deployments"), json!({"stageName": "prod", "variables": {"h": "x"}})).ok(201);
    let found = diff(&bench, &api, "prod");
    assert_eq!(found["refusals"], json!([]));
    let said: Vec<String> = found["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| format!("{}: {}", w["place"].as_str().unwrap(), w["text"].as_str().unwrap()))
        .collect();
    assert_eq!(
        said,
        [
            "GET /b: it has no integration response: every call is answered 500",
            "GET /b: the request template of application/json names no statusCode: it is answered 500",
            "GET /c: its httpMethod is GET, and a Lambda function is invoked by POST alone: it is answered 500",
            "GET /{z}: it has no default integration response: an answer that no selection pattern fits is answered 500",
            "GET /{z}: the stage has no variable host, which its integration names",
            "GET /{z}: nothing is mapped to {b} of its URI",
            "GET /{z}: integration.request.path.a is mapped from the path parameter a, which the path does not have",
            "GET /{z}: selection patterns that only Java can read are not built yet: it is answered 501",
            "gateway response REQUEST_TOO_LARGE: it cannot be customised: the default is sent",
            "API: resource policies are not built yet: every call is answered 501",
        ]
    );
}
