//! Stage: create, PATCH with all its rules, canaries, delete.

use serde_json::{Value, json};

use crate::bench::{ACCOUNT, Bench, NOW_MS};
use crate::deployment::{bad_request, deploy, mocked, not_found};

const LONG: &str = "Must be one of: [/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, /accessLogSettings, /accessLogSettings/destinationArn, /accessLogSettings/format, /{resourcePath}/{httpMethod}/metrics/enabled, /{resourcePath}/{httpMethod}/logging/dataTrace, /{resourcePath}/{httpMethod}/logging/loglevel, /{resourcePath}/{httpMethod}/throttling/burstLimit/{resourcePath}/{httpMethod}/throttling/rateLimit/{resourcePath}/{httpMethod}/caching/ttlInSeconds, /{resourcePath}/{httpMethod}/caching/enabled, /{resourcePath}/{httpMethod}/caching/dataEncrypted, /{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl, /{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, /*/*/metrics/enabled, /*/*/logging/dataTrace, /*/*/logging/loglevel, /*/*/throttling/burstLimit /*/*/throttling/rateLimit /*/*/caching/ttlInSeconds, /*/*/caching/enabled, /*/*/caching/dataEncrypted, /*/*/caching/requireAuthorizationForCacheControl, /*/*/caching/unauthorizedCacheControlHeaderStrategy, /variables/{variable_name}, /tracingEnabled]";

/// An API with a deployment and the bare stage `prod`.
struct Staged {
    bench: Bench,
    deployment: String,
    stages: String,
    prod: String,
}

impl Staged {
    fn new() -> Staged {
        let bench = Bench::new();
        let api = mocked(&bench);
        let deployment = deploy(&bench, &api);
        let stages = format!("/restapis/{api}/stages");
        bench.post(&stages, json!({"stageName": "prod", "deploymentId": deployment})).ok(201);
        Staged { bench, deployment, prod: format!("{stages}/prod"), stages }
    }

    fn bare(&self) -> Value {
        json!({
            "stageName": "prod", "deploymentId": self.deployment, "cacheClusterEnabled": false,
            "cacheClusterStatus": "NOT_AVAILABLE", "methodSettings": {}, "tracingEnabled": false,
            "createdDate": NOW_MS / 1000, "lastUpdatedDate": NOW_MS / 1000,
        })
    }

    fn patch(&self, steps: &[(&str, &str, Value)]) -> Value {
        let seen = self.bench.patch(&self.prod, steps).ok(200);
        assert_eq!(self.bench.get(&self.prod).ok(200), seen, "what a PATCH answers is what there is");
        seen
    }

    /// One step that is refused, and leaves everything as it was, also what a good step before it did.
    #[track_caller]
    fn refused(&self, op: &str, path: &str, value: Value) -> String {
        let before = self.bench.get(&self.prod).ok(200);
        let steps = [("replace", "/description", json!("never kept")), (op, path, value)];
        let (status, name, message) = self.bench.patch(&self.prod, &steps).refusal();
        assert_eq!((status, name.as_str()), (400, "BadRequestException"), "{op} {path}: {message}");
        assert_eq!(self.bench.get(&self.prod).ok(200), before);
        message
    }

    fn copy(&self, path: &str, from: &str) -> crate::bench::Seen {
        let step = json!({"patchOperations": [{"op": "copy", "path": path, "from": from}]});
        self.bench.call("PATCH", &self.prod, step)
    }
}

fn setting() -> Value {
    json!({
        "metricsEnabled": false, "dataTraceEnabled": false, "throttlingBurstLimit": 5000,
        "throttlingRateLimit": 10000.0, "cachingEnabled": false, "cacheTtlInSeconds": 300, "cacheDataEncrypted": false,
        "requireAuthorizationForCacheControl": true,
        "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
    })
}

#[test]
fn a_stage_shows_its_defaults_and_every_member_that_was_given() {
    let s = Staged::new();
    assert_eq!(s.bench.get(&s.prod).ok(200), s.bare());
    let full = s.bench.post(
        &s.stages,
        json!({
            "stageName": "full", "deploymentId": s.deployment, "description": "d", "cacheClusterEnabled": true,
            "cacheClusterSize": "6.1", "variables": {"a": "b"}, "tracingEnabled": true, "tags": {"team": "pets"},
            "canarySettings": {"percentTraffic": 10, "deploymentId": s.deployment},
        }),
    );
    let expected = json!({
        "stageName": "full", "deploymentId": s.deployment, "description": "d", "cacheClusterEnabled": true,
        "cacheClusterSize": "6.1", "cacheClusterStatus": "AVAILABLE", "methodSettings": {}, "variables": {"a": "b"},
        "tracingEnabled": true, "tags": {"team": "pets"},
        "canarySettings": {"percentTraffic": 10.0, "deploymentId": s.deployment, "useStageCache": false},
        "createdDate": NOW_MS / 1000, "lastUpdatedDate": NOW_MS / 1000,
    });
    assert_eq!(full.ok(201), expected);
    assert_eq!(s.bench.get(&s.stages).ok(200), json!({"item": [expected, s.bare()]}));
    let only = |id: &str| s.bench.get(&format!("{}?deploymentId={id}", s.stages)).ok(200)["item"].clone();
    assert_eq!(only(&s.deployment).as_array().unwrap().len(), 2);
    assert_eq!(only("nothing"), json!([]));
    assert_eq!(s.bench.delete(&s.prod).ok(202), Value::Null);
    for seen in [s.bench.get(&s.prod), s.bench.delete(&s.prod), s.bench.patch(&s.prod, &[])] {
        assert_eq!(seen.refusal(), not_found("Invalid stage identifier specified"));
    }
    let missing = not_found(&format!("Invalid API identifier specified {ACCOUNT}:missing"));
    assert_eq!(s.bench.get("/restapis/missing/stages").refusal(), missing);
    assert_eq!(s.bench.get("/restapis/missing/stages/x").refusal(), not_found("Invalid stage identifier specified"));
}

#[test]
fn a_stage_that_cannot_be_is_not_made() {
    let s = Staged::new();
    let create = |more: Value| {
        let mut body = json!({"stageName": "new", "deploymentId": s.deployment});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        s.bench.post(&s.stages, body).refusal()
    };
    assert_eq!(create(json!({"deploymentId": "nope"})), bad_request("Deployment id does not exist"));
    assert_eq!(
        create(json!({"canarySettings": {"deploymentId": "nope"}})),
        bad_request("Deployment id does not exist")
    );
    assert_eq!(
        create(json!({"stageName": "prod"})),
        (409, "ConflictException".to_owned(), "Stage already exists".to_owned())
    );
    for name in ["a b", "ä", "a/b", &"x".repeat(129)] {
        assert_eq!(create(json!({"stageName": name})), bad_request("Stage name only allows a-zA-Z0-9_-"), "{name}");
    }
    assert_eq!(create(json!({"stageName": ""})), bad_request("Stage name should not be null or empty"));
    assert_eq!(
        create(json!({"variables": {"a:b": "x"}})),
        bad_request("Invalid stage variable name: a:b.  Please use names with only word characters.")
    );
    assert_eq!(
        create(json!({"variables": {"a": "$LATEST"}})),
        bad_request(
            "Invalid stage variable value: $LATEST.  Please use values with alphanumeric characters and the symbols ' ', -', '.', '_', ':', '/', '?', '&', '=', and ','."
        )
    );
    assert_eq!(create(json!({"documentationVersion": "1"})), not_found("Invalid Documentation version specified"));
    let (status, name, message) = create(json!({"cacheClusterSize": "7"}));
    assert_eq!((status, name.as_str()), (400, "ValidationException"), "{message}");
    assert!(message.starts_with("1 validation error detected: Value '7' at 'createStageInput.cacheClusterSize'"));
    let (status, name, message) = create(json!({"variables": {"a": true}}));
    assert_eq!(
        (status, name.as_str(), message.as_str()),
        (400, "SerializationException", "class java.lang.Boolean can not be converted to an String")
    );
    let many: serde_json::Map<String, Value> = (0..101).map(|n| (format!("v{n}"), json!("x"))).collect();
    let (status, name, _) = create(json!({"variables": many}));
    assert_eq!((status, name.as_str()), (429, "LimitExceededException"));
    let stages = s.bench.get(&s.stages).ok(200);
    assert_eq!(stages["item"].as_array().unwrap().len(), 1, "nothing of it was made");
}

#[test]
fn scalars_are_replaced_and_emptied() {
    let s = Staged::new();
    let other = deploy(&s.bench, s.stages.split('/').nth(2).unwrap());
    let certificate = s.bench.post("/clientcertificates", json!({})).ok(201)["clientCertificateId"].clone();
    let changed = s.patch(&[
        ("replace", "/deploymentId", json!(other)),
        ("replace", "/description", json!("d")),
        ("replace", "/cacheClusterEnabled", json!("true")),
        ("replace", "/clientCertificateId", certificate.clone()),
        ("replace", "/tracingEnabled", json!("TRUE")),
        ("add", "/accessLogSettings/format", json!("$context.requestId")),
        ("replace", "/accessLogSettings/destinationArn", json!("arn:aws:logs:us-east-1:0:log-group:x")),
        ("replace", "/variables/host", json!("example.com")),
        ("add", "/variables/port", json!("80")),
    ]);
    let mut expected = s.bare();
    let more = json!({
        "deploymentId": other, "description": "d", "cacheClusterEnabled": true, "cacheClusterSize": "0.5",
        "cacheClusterStatus": "AVAILABLE", "clientCertificateId": certificate, "tracingEnabled": true,
        "accessLogSettings": {"format": "$context.requestId", "destinationArn": "arn:aws:logs:us-east-1:0:log-group:x"},
        "variables": {"host": "example.com", "port": "80"},
    });
    expected.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    assert_eq!(changed, expected);
    let emptied = s.patch(&[
        ("replace", "/deploymentId", json!(s.deployment)),
        ("replace", "/description", json!("")),
        ("replace", "/cacheClusterEnabled", json!("nonsense")),
        ("replace", "/cacheClusterSize", json!("")),
        ("replace", "/clientCertificateId", json!("")),
        ("replace", "/tracingEnabled", json!("no")),
        ("remove", "/accessLogSettings", Value::Null),
        ("remove", "/variables/host", Value::Null),
        ("remove", "/variables/port", Value::Null),
    ]);
    assert_eq!(emptied, s.bare());
}

#[test]
fn a_method_setting_makes_its_whole_record_and_a_method_starts_from_all_methods() {
    let s = Staged::new();
    let seen = s.patch(&[("replace", "/*/*/caching/enabled", json!("true"))]);
    let mut all = setting();
    all["cachingEnabled"] = json!(true);
    assert_eq!(seen["methodSettings"], json!({"*/*": all}));
    let seen = s.patch(&[
        ("replace", "/test/GET/logging/loglevel", json!("INFO")),
        ("replace", "/~1a~1b/GET/throttling/rateLimit", json!("2.5")),
        ("replace", "/a/b/POST/throttling/burstLimit", json!("-1")),
        ("replace", "/*/*/metrics/enabled", json!("true")),
    ]);
    let with = |name: &str, value: Value| {
        let mut record = all.clone();
        record[name] = value;
        record
    };
    assert_eq!(
        seen["methodSettings"],
        json!({
            "*/*": with("metricsEnabled", json!(true)),
            "test/GET": with("loggingLevel", json!("INFO")),
            "~1a~1b/GET": with("throttlingRateLimit", json!(2.5)),
            "a/b/POST": with("throttlingBurstLimit", json!(-1)),
        }),
        "a later change of all methods does not reach a method's own record"
    );
    let seen = s.patch(&[
        ("remove", "/*/*", Value::Null),
        ("remove", "/test/GET", Value::Null),
        ("remove", "/a/b/POST", Value::Null),
        ("remove", "/~1a~1b/GET", Value::Null),
    ]);
    assert_eq!(seen["methodSettings"], json!({}));
    let seen = s.patch(&[
        ("replace", "/~1/GET/logging/dataTrace", json!("true")),
        ("replace", "/~1/GET/caching/ttlInSeconds", json!("0")),
        ("replace", "/~1/GET/caching/dataEncrypted", json!("true")),
        ("replace", "/~1/GET/caching/requireAuthorizationForCacheControl", json!("false")),
        ("replace", "/~1/GET/caching/unauthorizedCacheControlHeaderStrategy", json!("FAIL_WITH_403")),
    ]);
    let mut root = setting();
    root["dataTraceEnabled"] = json!(true);
    root["cacheTtlInSeconds"] = json!(0);
    root["cacheDataEncrypted"] = json!(true);
    root["requireAuthorizationForCacheControl"] = json!(false);
    root["unauthorizedCacheControlHeaderStrategy"] = json!("FAIL_WITH_403");
    assert_eq!(seen["methodSettings"], json!({"~1/GET": root}));
}

#[test]
fn a_step_that_a_stage_does_not_know_is_refused_in_aws_words() {
    let s = Staged::new();
    for (op, path) in [
        ("replace", "/stageName"),
        ("add", "/nothing"),
        ("replace", "/tags/x"),
        ("replace", "/documentation_version"),
        ("replace", "/*/*/caching"),
        ("replace", "/test/FETCH/caching/enabled"),
        ("replace", "/variables"),
        ("replace", "/canarySettings/badPath"),
    ] {
        let message = s.refused(op, path, json!("x"));
        assert_eq!(message, format!("Invalid method setting path: {path}. {LONG}"));
    }
    for path in [
        "/*/*",
        "/a/b",
        "/accessLogSettings/destinationArn",
        "/canarySettings/badPath",
        "/canarySettings/stageVariableOverrides",
        "/canarySettings/stageVariableOverrides/x",
    ] {
        let key = &path[1..];
        assert_eq!(
            s.refused("remove", path, Value::Null),
            format!("Cannot remove method setting {key} because there is no method setting for this method ")
        );
    }
    assert_eq!(
        s.refused("replace", "/accessLogSettings", json!("x")),
        "Invalid accessLogSettings path. Must be one of : [/accessLogSettings/destinationArn, /accessLogSettings/format]"
    );
    assert_eq!(s.refused("add", "/accessLogSettings/format", json!("")), "Access Log value must not be empty");
    assert_eq!(
        s.refused("add", "/description", json!("x")),
        "Invalid patch operation specified. Must be one of: [replace]"
    );
    for op in ["move", "test"] {
        assert_eq!(
            s.refused(op, "/description", json!("x")),
            "Invalid patch operation specified. Must be one of: [add, remove, replace, copy]"
        );
    }
    assert_eq!(s.refused("replace", "/deploymentId", json!("nope")), "Deployment id does not exist");
    assert_eq!(s.refused("replace", "/deploymentId", Value::Null), "Deployment id does not exist");
    assert_eq!(
        s.refused("replace", "/variables/x", Value::Null),
        "Invalid stage variable value: null.  Please use values with alphanumeric characters and the symbols ' ', -', '.', '_', ':', '/', '?', '&', '=', and ','."
    );
    for (path, value) in [
        ("/*/*/throttling/burstLimit", "-2"),
        ("/*/*/throttling/burstLimit", "99999999999"),
        ("/*/*/throttling/rateLimit", "NaN"),
        ("/*/*/throttling/rateLimit", "inf"),
        ("/*/*/caching/ttlInSeconds", "3601"),
        ("/*/*/logging/loglevel", "LOUD"),
        ("/*/*/caching/unauthorizedCacheControlHeaderStrategy", "x"),
        ("/cacheClusterSize", "7"),
    ] {
        let message = s.refused("replace", path, json!(value));
        assert!(message.starts_with("Invalid "), "{path}: {message}");
    }
    let seen = s.bench.patch(&s.prod, &[("fly", "/description", json!("x"))]);
    let (status, name, message) = seen.refusal();
    assert_eq!((status, name.as_str()), (400, "ValidationException"));
    assert_eq!(
        message,
        "1 validation error detected: Value 'fly' at 'updateStageInput.patchOperations.1.member.op' failed to satisfy constraint: Member must satisfy enum value set: [add, remove, move, test, replace, copy]"
    );
}

#[test]
fn a_canary_is_made_changed_promoted_and_removed_by_patch() {
    let s = Staged::new();
    let next = deploy(&s.bench, s.stages.split('/').nth(2).unwrap());
    assert_eq!(
        s.copy("/deploymentId", "/canarySettings/deploymentId").refusal(),
        bad_request("Promotion not available. Canary does not exist.")
    );
    let seen = s.patch(&[("replace", "/canarySettings/percentTraffic", json!("50"))]);
    assert_eq!(
        seen["canarySettings"],
        json!({"deploymentId": s.deployment, "percentTraffic": 50.0, "useStageCache": false})
    );
    s.patch(&[("remove", "/canarySettings", Value::Null)]);
    let seen = s.patch(&[
        ("replace", "/canarySettings/deploymentId", json!(next)),
        ("replace", "/canarySettings/useStageCache", json!("true")),
        ("replace", "/canarySettings/stageVariableOverrides/host", json!("next.example.com")),
        ("replace", "/canarySettings/stageVariableOverrides/gone", json!("x")),
        ("remove", "/canarySettings/stageVariableOverrides/gone", Value::Null),
        ("replace", "/variables/host", json!("example.com")),
        ("replace", "/variables/kept", json!("yes")),
    ]);
    let canary = json!({
        "deploymentId": next, "percentTraffic": 0.0, "useStageCache": true,
        "stageVariableOverrides": {"host": "next.example.com"},
    });
    assert_eq!(seen["canarySettings"], canary);
    assert_eq!(
        s.refused("add", "/canarySettings/deploymentId", json!(next)),
        "Invalid add operation with path: /canarySettings/deploymentId"
    );
    assert_eq!(
        s.refused("remove", "/canarySettings/percentTraffic", Value::Null),
        "Invalid remove operation with path: /canarySettings/percentTraffic"
    );
    assert_eq!(s.refused("replace", "/canarySettings/deploymentId", json!("nope")), "Deployment id does not exist");
    for share in ["100.1", "-1", "much", ""] {
        let message = s.refused("replace", "/canarySettings/percentTraffic", json!(share));
        assert!(message.starts_with("Invalid percentTraffic specified: "), "{message}");
    }
    for (path, from) in [("/description", "/canarySettings/deploymentId"), ("/variables", "/deploymentId")] {
        assert_eq!(
            s.copy(path, from).refusal(),
            bad_request(&format!(
                "Invalid copy operation with path: {path} and from {from}. Valid copy:path are [/deploymentId, /variables] and valid copy:from are [/canarySettings/deploymentId, /canarySettings/stageVariableOverrides]"
            ))
        );
    }
    s.copy("/deploymentId", "/canarySettings/deploymentId").ok(200);
    let seen = s.copy("/variables", "/canarySettings/stageVariableOverrides").ok(200);
    assert_eq!(seen["deploymentId"], json!(next));
    assert_eq!(seen["variables"], json!({"host": "next.example.com", "kept": "yes"}), "overrides are merged in");
    assert_eq!(seen["canarySettings"], canary, "a promoted canary stays until it is removed");
    let seen = s.patch(&[("remove", "/canarySettings", Value::Null)]);
    assert_eq!(seen.get("canarySettings"), None);
}

#[test]
fn every_write_of_a_stage_counts_as_a_revision() {
    use meridian::catalog::v1::Stage;
    let s = Staged::new();
    let api = s.stages.split('/').nth(2).unwrap().to_owned();
    let revision = || {
        let world = s.bench.memory.world.lock().unwrap().clone();
        world.get::<Stage>(&crate::deployment::scope(&api), "prod").unwrap().unwrap().revision
    };
    assert_eq!(revision(), 1);
    s.patch(&[("replace", "/description", json!("a")), ("replace", "/description", json!("b"))]);
    assert_eq!(revision(), 2);
    s.bench.post(&format!("/restapis/{api}/deployments"), json!({"stageName": "prod"})).ok(201);
    assert_eq!(revision(), 3);
    s.refused("replace", "/nothing", json!("x"));
    assert_eq!(revision(), 3, "a refused PATCH is no write");
}
