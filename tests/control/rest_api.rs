//! RestApi.

use serde_json::{Value, json};

use crate::bench::{ACCOUNT, Bench, NOW_MS};

fn bad_request(message: &str) -> (u16, String, String) {
    (400, "BadRequestException".to_owned(), message.to_owned())
}

#[test]
fn an_api_with_only_a_name_shows_the_defaults_that_aws_shows() {
    let bench = Bench::new();
    let made = bench.post("/restapis", json!({"name": "pets"})).ok(201);
    let id = made["id"].as_str().unwrap();
    let root = made["rootResourceId"].as_str().unwrap();
    assert!((id.len(), root.len()) == (10, 10));
    let expected = json!({
        "id": id, "name": "pets", "createdDate": NOW_MS / 1000, "apiKeySource": "HEADER",
        "endpointConfiguration": {"types": ["EDGE"], "ipAddressType": "ipv4"},
        "disableExecuteApiEndpoint": false, "rootResourceId": root,
    });
    assert_eq!(made, expected);
    let mut got = expected.clone();
    got["tags"] = json!({});
    assert_eq!(bench.get(&format!("/restapis/{id}")).ok(200), got);
    assert_eq!(bench.get("/restapis").ok(200), json!({"item": [expected]}));
    assert_eq!(bench.delete(&format!("/restapis/{id}")).ok(202), Value::Null);
    let missing = (404, "NotFoundException".to_owned(), format!("Invalid API identifier specified {ACCOUNT}:{id}"));
    assert_eq!(bench.get(&format!("/restapis/{id}")).refusal(), missing);
    assert_eq!(bench.delete(&format!("/restapis/{id}")).refusal(), missing);
    assert_eq!(bench.get("/restapis").ok(200), json!({"item": []}));
}

#[test]
fn every_member_of_a_create_comes_back() {
    let bench = Bench::new();
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Resource": "10.0.0.0/8"}]}).to_string();
    let made = bench.post(
        "/restapis",
        json!({
            "name": "all", "description": "d", "version": "v1", "binaryMediaTypes": ["image/png"],
            "minimumCompressionSize": 0, "apiKeySource": "AUTHORIZER", "policy": policy,
            "endpointConfiguration": {"types": ["PRIVATE"], "vpcEndpointIds": ["vpce-1"]},
            "tags": {"a": "b"}, "disableExecuteApiEndpoint": true, "securityPolicy": "TLS_1_2",
            "endpointAccessMode": "STRICT", "unknownMember": 1,
        }),
    );
    let made = made.ok(201);
    assert_eq!(
        made,
        json!({
            "id": made["id"], "name": "all", "description": "d", "createdDate": NOW_MS / 1000, "version": "v1",
            "binaryMediaTypes": ["image/png"], "minimumCompressionSize": 0, "apiKeySource": "AUTHORIZER",
            "endpointConfiguration": {"types": ["PRIVATE"], "ipAddressType": "dualstack", "vpcEndpointIds": ["vpce-1"]},
            "policy": "{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Statement\\\":[{\\\"Resource\\\":\\\"10.0.0.0\\/8\\\"}]}",
            "disableExecuteApiEndpoint": true, "rootResourceId": made["rootResourceId"], "securityPolicy": "TLS_1_2",
            "endpointAccessMode": "STRICT", "tags": {"a": "b"},
        })
    );
}

#[test]
fn a_create_is_refused_in_aws_order_and_words() {
    let bench = Bench::new();
    let create = |body: Value| bench.post("/restapis", body).refusal();
    let api = |more: Value| {
        let mut body = json!({"name": "x"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    assert_eq!(create(api(json!({"description": ""}))), bad_request("Description cannot be an empty string"));
    let types = |list: Value| api(json!({"endpointConfiguration": {"types": list}}));
    assert_eq!(
        create(types(json!(["EDGE", "REGIONAL"]))),
        bad_request("Cannot create an api with multiple Endpoint Types.")
    );
    assert_eq!(
        create(types(json!([]))),
        bad_request("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.")
    );
    assert_eq!(
        create(api(json!({"endpointConfiguration": {"types": ["PRIVATE"], "ipAddressType": "ipv4"}}))),
        bad_request("Only dualstack ipAddressType is supported for Private APIs.")
    );
    assert_eq!(
        create(api(json!({"minimumCompressionSize": 10_485_761}))),
        bad_request("Invalid minimum compression size, must be between 0 and 10485760")
    );
    assert_eq!(
        create(types(json!(["wrong"]))),
        (400, "ValidationException".into(), "1 validation error detected: Value '[wrong]' at 'createRestApiInput.endpointConfiguration.types' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [PRIVATE, EDGE, REGIONAL]]".into())
    );
    assert_eq!(
        create(json!({"apiKeySource": "X"})),
        (400, "ValidationException".into(), "2 validation errors detected: Value null at 'createRestApiInput.name' failed to satisfy constraint: Member must not be null; Value 'X' at 'createRestApiInput.apiKeySource' failed to satisfy constraint: Member must satisfy enum value set: [HEADER, AUTHORIZER]".into())
    );
    assert_eq!(bench.get("/restapis").ok(200), json!({"item": []}));
}

#[test]
fn every_patch_rule_does_what_it_says() {
    let bench = Bench::new();
    let url = format!("/restapis/{}", bench.api());
    let before = bench.get(&url).ok(200);
    let after = bench.patch(
        &url,
        &[
            ("replace", "/name", json!("cats")),
            ("replace", "/description", json!("text")),
            ("replace", "/version", json!("v2")),
            ("replace", "/apiKeySource", json!("AUTHORIZER")),
            ("replace", "/disableExecuteApiEndpoint", json!("true")),
            ("replace", "/minimumCompressionSize", json!("10")),
            ("add", "/binaryMediaTypes/image~1png", Value::Null),
            ("add", "/binaryMediaTypes/-", Value::Null),
            ("replace", "/binaryMediaTypes/image~1png", json!("image/gif")),
            ("replace", "/endpointConfiguration/types/0", json!("REGIONAL")),
            ("replace", "/endpointConfiguration/ipAddressType", json!("dualstack")),
            ("add", "/endpointConfiguration/vpcEndpointIds", json!("vpce-1")),
            ("replace", "/policy", json!("{\"Version\":\"2012-10-17\"}")),
            ("replace", "/securityPolicy", json!("TLS_1_2")),
            ("replace", "/endpointAccessMode", json!("BASIC")),
        ],
    );
    let mut expected = before;
    for (name, value) in [
        ("name", json!("cats")),
        ("description", json!("text")),
        ("version", json!("v2")),
        ("apiKeySource", json!("AUTHORIZER")),
        ("disableExecuteApiEndpoint", json!(true)),
        ("minimumCompressionSize", json!(10)),
        ("binaryMediaTypes", json!(["-", "image/gif"])),
        (
            "endpointConfiguration",
            json!({"types": ["REGIONAL"], "ipAddressType": "dualstack", "vpcEndpointIds": ["vpce-1"]}),
        ),
        ("policy", json!("{\\\"Version\\\":\\\"2012-10-17\\\"}")),
        ("securityPolicy", json!("TLS_1_2")),
        ("endpointAccessMode", json!("BASIC")),
    ] {
        expected[name] = value;
    }
    assert_eq!(after.ok(200), expected);
    assert_eq!(bench.get(&url).ok(200), expected);
    let after = bench.patch(
        &url,
        &[
            ("remove", "/description", Value::Null),
            ("replace", "/minimumCompressionSize", Value::Null),
            ("remove", "/binaryMediaTypes/-", Value::Null),
            ("remove", "/endpointConfiguration/vpcEndpointIds", json!("vpce-1")),
            ("replace", "/endpointConfiguration/types/REGIONAL", json!("PRIVATE")),
            ("replace", "/policy", json!("")),
        ],
    );
    let after = after.ok(200);
    assert_eq!(after["endpointConfiguration"], json!({"types": ["PRIVATE"], "ipAddressType": "dualstack"}));
    assert!(
        ["description", "minimumCompressionSize", "policy"].iter().all(|name| after.get(name).is_none()),
        "{after}"
    );
    assert_eq!(after["binaryMediaTypes"], json!(["image/gif"]));
}

#[test]
fn a_refused_patch_changes_nothing() {
    let bench = Bench::new();
    let url = format!("/restapis/{}", bench.api());
    let before = bench.get(&url).ok(200);
    let one = |op: &str, path: &str, value: Value| {
        bench.patch(&url, &[("replace", "/name", json!("changed")), (op, path, value)]).refusal()
    };
    assert_eq!(one("replace", "/id", json!("x")), bad_request("Invalid patch path /id"));
    assert_eq!(one("add", "/binaryMediaTypes", json!("x")), bad_request("Invalid patch path /binaryMediaTypes"));
    assert_eq!(
        one("add", "/binaryMediaTypes/image/png", json!("x")),
        bad_request("Invalid patch path /binaryMediaTypes/image/png")
    );
    assert_eq!(
        one("add", "/name", json!("x")),
        bad_request("Invalid patch operation specified. Must be one of: [replace]")
    );
    assert_eq!(
        one("remove", "/minimumCompressionSize", Value::Null),
        bad_request("Invalid patch operation specified. Must be one of: [replace]")
    );
    assert_eq!(
        one("remove", "/endpointConfiguration/types/0", Value::Null),
        bad_request("Invalid patch operation specified. Must be 'add'|'remove'|'replace'")
    );
    assert_eq!(
        one("replace", "/endpointConfiguration/types/0", json!("X")),
        bad_request("Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE")
    );
    assert_eq!(
        one("replace", "/endpointConfiguration/ipAddressType", json!("ipv6")),
        bad_request("ipAddressType must be either ipv4 or dualstack.")
    );
    assert!(one("replace", "/securityPolicy", json!("SSL")).2.starts_with(
        "Invalid securityPolicy specified. Valid options are TLS_1_0,TLS_1_2,SecurityPolicy_TLS13_1_3_2025_09,"
    ));
    assert_eq!(
        one("replace", "/endpointAccessMode", json!("OPEN")),
        bad_request("Invalid endpointAccessMode specified. Valid options are BASIC,STRICT")
    );
    let compression = bad_request("Invalid minimum compression size, must be between 0 and 10485760");
    assert_eq!(one("replace", "/minimumCompressionSize", json!("-1")), compression);
    assert_eq!(one("replace", "/minimumCompressionSize", json!("much")), compression);
    let steps = json!({"patchOperations": [{"op": "replace", "value": "x"}]});
    assert_eq!(bench.call("PATCH", &url, steps).refusal(), bad_request("Invalid patch path null"));
    let steps = json!({"patchOperations": [{"op": "replace", "path": "/name", "value": "x"}, {"op": "wrong", "path": "/name"}]});
    assert_eq!(
        bench.call("PATCH", &url, steps).refusal(),
        (400, "ValidationException".into(), "1 validation error detected: Value 'wrong' at 'updateRestApiInput.patchOperations.2.member.op' failed to satisfy constraint: Member must satisfy enum value set: [add, remove, move, test, replace, copy]".into())
    );
    assert_eq!(bench.get(&url).ok(200), before);
}

#[test]
fn a_policy_may_name_the_api_itself_in_short() {
    let bench = Bench::new();
    let policy = |resource: Value| {
        let statement =
            json!({"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": resource});
        json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    };
    let whole = |id: &str, path: &str| format!("arn:aws:execute-api:us-east-1:{ACCOUNT}:{id}/{path}");
    let shown = |policy: String| json!(policy.replace('"', "\\\"").replace('/', "\\/"));
    let given = policy(json!(["execute-api:/prod/GET/*", "arn:aws:execute-api:x:y:z/*", "execute-api:*"]));
    let made = bench.post("/restapis", json!({"name": "a", "policy": given})).ok(201);
    let id = made["id"].as_str().unwrap();
    let stored = policy(json!([whole(id, "prod/GET/*"), "arn:aws:execute-api:x:y:z/*", "execute-api:*"]));
    assert_eq!(made["policy"], shown(stored));
    let one = [("replace", "/policy", json!(policy(json!("execute-api:/*"))))];
    let after = bench.patch(&format!("/restapis/{id}"), &one).ok(200);
    assert_eq!(after["policy"], shown(policy(json!(whole(id, "*")))));
    let clone = bench.post("/restapis", json!({"name": "b", "cloneFrom": id})).ok(201);
    assert_eq!(clone["policy"], shown(policy(json!(whole(clone["id"].as_str().unwrap(), "*")))));
    // Without statements it stays as it is.
    let bare =
        bench.patch(&format!("/restapis/{id}"), &[("replace", "/policy", json!("{\"Version\":\"2012-10-17\"}"))]);
    assert_eq!(bare.ok(200)["policy"], shown("{\"Version\":\"2012-10-17\"}".to_owned()));
}

#[test]
fn a_private_api_becomes_regional_first_and_edge_optimized_then() {
    let bench = Bench::new();
    let private = json!({"name": "a", "endpointConfiguration": {"types": ["PRIVATE"]}});
    let url = format!("/restapis/{}", bench.post("/restapis", private).id());
    let to = |kind: &str| ("replace", "/endpointConfiguration/types/0", json!(kind));
    assert_eq!(bench.patch(&url, &[to("EDGE")]).refusal(), bad_request("Cannot update endpoint from PRIVATE to EDGE"));
    let both = bench.patch(&url, &[to("REGIONAL"), to("EDGE")]).ok(200);
    assert_eq!(both["endpointConfiguration"], json!({"types": ["EDGE"], "ipAddressType": "dualstack"}));
    let back = bench.patch(&url, &[to("REGIONAL"), to("PRIVATE")]).ok(200);
    assert_eq!(back["endpointConfiguration"], json!({"types": ["PRIVATE"], "ipAddressType": "dualstack"}));
}

#[test]
fn a_list_comes_in_pages_of_the_asked_size_without_gaps() {
    let bench = Bench::new();
    let mut all: Vec<String> = (0..30).map(|_| bench.api()).collect();
    all.sort();
    let ids = |page: &Value| {
        page["item"].as_array().unwrap().iter().map(|i| i["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = bench.get("/restapis").ok(200);
    assert_eq!(ids(&first), all[..25]);
    let mut seen = Vec::new();
    let mut target = "/restapis?limit=7".to_owned();
    loop {
        let page = bench.get(&target).ok(200);
        seen.extend(ids(&page));
        let Some(position) = page["position"].as_str() else { break };
        target = format!("/restapis?limit=7&position={position}");
    }
    assert_eq!(seen, all);
    for odd in ["0", "-1", "x", ""] {
        assert_eq!(ids(&bench.get(&format!("/restapis?limit={odd}")).ok(200)).len(), 25);
    }
    assert_eq!(bench.get("/restapis?limit=501").ok(200)["item"].as_array().unwrap().len(), 30);
    assert_eq!(bench.get("/restapis?position=%21").refusal().0, 400);
}

#[test]
fn a_clone_has_the_others_draft_under_new_ids() {
    let bench = Bench::new();
    let made = bench.post("/restapis", json!({"name": "a", "binaryMediaTypes": ["x/y"], "tags": {"k": "v"}})).ok(201);
    let clone = bench.post("/restapis", json!({"name": "b", "cloneFrom": made["id"]})).ok(201);
    assert_ne!((&clone["id"], &clone["rootResourceId"]), (&made["id"], &made["rootResourceId"]));
    assert_eq!((&clone["name"], &clone["binaryMediaTypes"]), (&json!("b"), &json!(["x/y"])));
    assert_eq!(clone.get("tags"), None);
    let missing = bench.post("/restapis", json!({"name": "b", "cloneFrom": "nothing"})).refusal();
    assert_eq!(missing, bad_request(&format!("Invalid API identifier specified {ACCOUNT}:nothing")));
}

#[test]
fn apis_belong_to_the_region_that_the_call_is_for() {
    let bench = Bench::new();
    let id = bench.api();
    let mut request = Bench::request("GET", &format!("/restapis/{id}"), "");
    request.headers_mut().insert("x-meridian-region", "eu-west-1".parse().unwrap());
    assert_eq!(bench.send(request).status, 404);
    assert_eq!(bench.get(&format!("/restapis/{}", id.to_uppercase())).status, 404);
}
