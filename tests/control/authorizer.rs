//! Authorizer, and the flush of what authorizers said.

use serde_json::{Value, json};

use crate::bench::{ACCOUNT, Bench};
use crate::deployment::{bad_request, conflict, deploy, mocked, not_found};

const URI: &str = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:f/invocations";
const POOL: &str = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_a";
const MISSING: &str = "Invalid Authorizer identifier specified";

fn token(name: &str) -> Value {
    json!({"name": name, "type": "TOKEN", "authorizerUri": URI, "identitySource": "method.request.header.Authorization"})
}

#[test]
fn authorizers_of_every_type_show_what_was_given() {
    let bench = Bench::new();
    let url = format!("/restapis/{}/authorizers", bench.api());
    let made = bench.post(&url, token("tokens")).ok(201);
    let id = made["id"].as_str().unwrap();
    assert_eq!(id.len(), 6);
    let mut expected = token("tokens");
    expected["id"] = json!(id);
    expected["authType"] = json!("custom");
    assert_eq!(made, expected, "no TTL where none was given");
    assert_eq!(bench.get(&format!("{url}/{id}")).ok(200), made);

    let request = json!({
        "name": "requests", "type": "REQUEST", "authorizerUri": URI, "authType": "oauth2",
        "authorizerCredentials": "arn:aws:iam::000000000000:role/x", "authorizerResultTtlInSeconds": 60,
        "identitySource": "method.request.header.A, method.request.querystring.q,context.stage,stageVariables.v",
    });
    let mut expected = request.clone();
    let made = bench.post(&url, request).ok(201);
    expected["id"] = made["id"].clone();
    assert_eq!(made, expected);

    let cognito = json!({
        "name": "pool", "type": "COGNITO_USER_POOLS", "providerARNs": [POOL],
        "identitySource": "method.request.header.Authorization", "identityValidationExpression": "app-.+",
    });
    let mut expected = cognito.clone();
    let made = bench.post(&url, cognito).ok(201);
    expected["id"] = made["id"].clone();
    expected["authType"] = json!("cognito_user_pools");
    assert_eq!(made, expected);

    let jwt = json!({
        "name": "jwt", "type": "JWT", "jwtConfiguration": {
            "issuers": [{"issuer": "https://issuer.example.com", "audiences": ["a"], "additionalClaims": [
                {"claimName": "tier", "format": "SINGLE_STRING", "required": true, "expectedValues": ["gold"]}]}],
            "defaultAlgorithms": ["RS256", "ES256"],
        },
    });
    let mut expected = jwt.clone();
    let made = bench.post(&url, jwt).ok(201);
    expected["id"] = made["id"].clone();
    expected["authType"] = json!("jwt");
    assert_eq!(made, expected);

    let first = bench.get(&format!("{url}?limit=3")).ok(200);
    assert_eq!(first["item"].as_array().unwrap().len(), 3);
    let rest = bench.get(&format!("{url}?limit=3&position={}", first["position"].as_str().unwrap())).ok(200);
    assert_eq!(rest["item"].as_array().unwrap().len(), 1);
    assert_eq!(bench.delete(&format!("{url}/{id}")).ok(202), Value::Null);
    for seen in [
        bench.get(&format!("{url}/{id}")),
        bench.delete(&format!("{url}/{id}")),
        bench.patch(&format!("{url}/{id}"), &[]),
        bench.get("/restapis/nope/authorizers/x"),
    ] {
        assert_eq!(seen.refusal(), not_found(MISSING));
    }
}

#[test]
fn a_create_is_refused_with_the_reason() {
    let bench = Bench::new();
    let url = format!("/restapis/{}/authorizers", bench.api());
    let post = |more: Value| {
        let mut body = token("a");
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        bench.post(&url, body).refusal()
    };
    let uri = |shown: &str| {
        bad_request(&format!(
            "Invalid Authorizer URI: {shown}. Authorizer URI should be a valid API Gateway ARN that represents a Lambda function invocation."
        ))
    };
    assert_eq!(post(json!({"name": " "})), bad_request("Authorizer name cannot be empty"));
    assert_eq!(post(json!({"authorizerUri": "http://x"})), uri("http://x"));
    assert_eq!(post(json!({"authorizerUri": null})), uri("null"));
    assert_eq!(
        post(json!({"identitySource": null})),
        bad_request("Identity source must be specified for authorizers of type TOKEN")
    );
    for odd in ["method.request.path.x", "method.request.header.", "method.request.header.a,method.request.header.b"] {
        assert_eq!(
            post(json!({"identitySource": odd})),
            bad_request(&format!("Invalid identity source specified: {odd}"))
        );
    }
    assert_eq!(
        post(json!({"authorizerResultTtlInSeconds": 3601})),
        bad_request("Authorizer result TTL must be between 0 and 3600 seconds")
    );
    assert_eq!(
        post(json!({"identityValidationExpression": "("})),
        bad_request("Invalid identity validation expression specified")
    );
    assert_eq!(
        post(json!({"type": "COGNITO_USER_POOLS"})),
        bad_request("Invalid Provider ARNs for COGNITO_USER_POOLS authorizer specified")
    );
    assert_eq!(
        post(json!({"type": "REQUEST", "identitySource": null})),
        bad_request("Identity source must be specified for authorizers of type REQUEST")
    );
    bench
        .post(
            &url,
            json!({"name": "uncached", "type": "REQUEST", "authorizerUri": URI, "authorizerResultTtlInSeconds": 0}),
        )
        .ok(201);
    assert!(post(json!({"type": "JWT"})).2.contains("not supported for authorizers of type JWT"));
    assert_eq!(
        post(json!({"type": "WRONG"})),
        (400, "ValidationException".into(), "1 validation error detected: Value 'WRONG' at 'createAuthorizerInput.type' failed to satisfy constraint: Member must satisfy enum value set: [TOKEN, REQUEST, COGNITO_USER_POOLS, JWT]".into())
    );
    bench.post(&url, token("a")).ok(201);
    assert_eq!(
        post(json!({})),
        bad_request("Authorizer name must be unique. Authorizer a already exists in this RestApi.")
    );
    assert_eq!(
        bench.post("/restapis/nope/authorizers", token("a")).refusal(),
        conflict("Unable to complete operation due to concurrent modification. Please try again later.")
    );
    assert_eq!(
        bench.get("/restapis/nope/authorizers").refusal(),
        not_found(&format!("Invalid API identifier specified {ACCOUNT}:nope"))
    );
}

#[test]
fn an_authorizer_is_patched_and_judged_when_all_steps_are_done() {
    let bench = Bench::new();
    let url = format!("/restapis/{}/authorizers", bench.api());
    let id = bench.post(&url, token("a")).id();
    let url = format!("{url}/{id}");
    let after = bench.patch(
        &url,
        &[
            ("replace", "/name", json!("b")),
            ("replace", "/type", json!("COGNITO_USER_POOLS")),
            ("add", "/providerARNs", json!(POOL)),
            ("add", "/providerARNs", json!(format!("{POOL}2"))),
            ("remove", "/providerARNs", json!(POOL)),
            ("replace", "/authorizerUri", json!("")),
            ("replace", "/authorizerResultTtlInSeconds", json!("0")),
            ("replace", "/identityValidationExpression", json!("x")),
            ("replace", "/identitySource", json!("method.request.header.X")),
            ("replace", "/authType", json!("mine")),
        ],
    );
    let after = after.ok(200);
    assert_eq!(
        after,
        json!({
            "id": id, "name": "b", "type": "COGNITO_USER_POOLS", "providerARNs": [format!("{POOL}2")],
            "authType": "mine", "authorizerResultTtlInSeconds": 0, "identityValidationExpression": "x",
            "identitySource": "method.request.header.X",
        })
    );
    let one = |op: &str, path: &str, value: Value| bench.patch(&url, &[(op, path, value)]).refusal();
    assert_eq!(one("replace", "/id", json!("x")), bad_request("Invalid patch path /id"));
    assert_eq!(
        one("add", "/name", json!("x")),
        bad_request("Invalid patch operation specified. Must be one of: [replace]")
    );
    assert!(one("replace", "/type", json!("TOKEN")).2.starts_with("Invalid Authorizer URI: null."));
    assert_eq!(bench.get(&url).ok(200), after);
}

#[test]
fn a_method_holds_its_authorizer() {
    let bench = Bench::new();
    let made = bench.post("/restapis", json!({"name": "pets"})).ok(201);
    let (api, root) = (made["id"].as_str().unwrap(), made["rootResourceId"].as_str().unwrap());
    let url = format!("/restapis/{api}/authorizers");
    let id = bench.post(&url, token("tokens")).id();
    let method = format!("/restapis/{api}/resources/{root}/methods/GET");
    let made = bench.put(&method, json!({"authorizationType": "CUSTOM", "authorizerId": id})).ok(201);
    assert_eq!(made["authorizerId"], json!(id));
    assert_eq!(
        bench.delete(&format!("{url}/{id}")).refusal(),
        conflict("Cannot delete authorizer 'tokens', is referenced in method: GET//")
    );
    assert!(
        bench
            .patch(&method, &[("replace", "/authorizerId", json!("nope"))])
            .refusal()
            .2
            .starts_with("Invalid authorizer ID specified.")
    );
    // A method and its authorizer are of one kind.
    let jwt =
        json!({"issuers": [{"issuer": "https://i.example.com", "audiences": ["a"]}], "defaultAlgorithms": ["RS256"]});
    let jwt = bench.post(&url, json!({"name": "jwt", "type": "JWT", "jwtConfiguration": jwt})).id();
    for (kind, authorizer) in [("COGNITO_USER_POOLS", &id), ("JWT", &id), ("CUSTOM", &jwt)] {
        let steps = [("replace", "/authorizationType", json!(kind)), ("replace", "/authorizerId", json!(authorizer))];
        assert!(bench.patch(&method, &steps).refusal().2.starts_with("Invalid authorizer ID specified."), "{kind}");
    }
    let steps = [("replace", "/authorizationType", json!("JWT")), ("replace", "/authorizerId", json!(jwt))];
    assert_eq!(bench.patch(&method, &steps).ok(200)["authorizationType"], json!("JWT"));
    bench.patch(&method, &[("replace", "/authorizationType", json!("NONE"))]).ok(200);
    bench.delete(&format!("{url}/{id}")).ok(202);
}

#[test]
fn a_flush_answers_and_touches_nothing_that_is_shown() {
    let bench = Bench::new();
    let api = mocked(&bench);
    let deployment = deploy(&bench, &api);
    let stages = format!("/restapis/{api}/stages");
    let stage = bench.post(&stages, json!({"stageName": "prod", "deploymentId": deployment})).ok(201);
    for cache in ["authorizers", "data"] {
        let row = || {
            bench
                .memory
                .world
                .lock()
                .unwrap()
                .get::<meridian::catalog::v1::Stage>(&crate::deployment::scope(&api), "prod")
        };
        let before = row().unwrap().unwrap();
        assert_eq!(bench.delete(&format!("{stages}/prod/cache/{cache}")).ok(202), Value::Null);
        let after = row().unwrap().unwrap();
        assert_eq!(after.revision, before.revision + 1, "nodes take notice");
        assert_eq!(
            after.cache_flushes + after.authorizer_flushes,
            before.cache_flushes + before.authorizer_flushes + 1
        );
        assert_eq!(
            bench.delete(&format!("{stages}/nope/cache/{cache}")).refusal(),
            not_found("Invalid stage identifier specified")
        );
    }
    assert_eq!(bench.get(&format!("{stages}/prod")).ok(200), stage);
}
