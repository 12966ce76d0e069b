//! Code that is none, too much or in the wrong place; what it leaves behind; and any input at all.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::functions::{MOST_ZIP, invalid};

const FUNCTIONS: &str = "/2015-03-31/functions";

fn body(code: Value) -> Value {
    let mut body = Bench::function_body("pets");
    body["Code"] = code;
    body
}

#[test]
fn code_that_is_no_code_is_refused_and_leaves_no_file() {
    let bench = Bench::new();
    let refused = |code: Value| bench.post(FUNCTIONS, body(code)).refused();
    assert_eq!(refused(json!({"ZipFile": "%%%"})).1, "SerializationException");
    assert_eq!(refused(json!({"ZipFile": "QUJD=QUJD"})).1, "SerializationException");
    assert_eq!(refused(json!({"ZipFile": ""})), invalid("Uploaded file must be a non-empty zip"));
    let text = "Could not unzip uploaded file. Please check your file, then try to upload again.";
    assert_eq!(refused(json!({"ZipFile": STANDARD.encode("no zip")})), invalid(text));
    assert_eq!(refused(json!({})), invalid("Please provide a source for function code."));
    assert_eq!(refused(Value::Null).1, "ValidationException");
    assert_eq!(refused(json!("UEs=")).1, "SerializationException");
    assert_eq!(refused(json!({"ZipFile": 7})).1, "SerializationException");
    let elsewhere = json!({"S3Bucket": "bucket", "S3Key": "key"});
    let text = "Meridian takes a function's code by value only: give ZipFile instead of S3Bucket";
    assert_eq!(refused(elsewhere), invalid(text));
    let text = "Meridian takes a function's code by value only: give ZipFile instead of ImageUri";
    assert_eq!(refused(json!({"ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/a:b"})), invalid(text));
    assert_eq!(bench.functions.files(), 0);
    assert_eq!(bench.get(FUNCTIONS).ok(200), json!({"Functions": []}));
}

#[test]
fn a_zip_may_be_so_large_and_a_body_no_larger() {
    let bench = Bench::with(|settings| settings.max_body_bytes = 4_096);
    let zip = |bytes: u64| {
        let mut zip = vec![7; bytes as usize];
        zip[..2].copy_from_slice(b"PK");
        json!({"ZipFile": STANDARD.encode(zip)})
    };
    bench.post(FUNCTIONS, body(zip(MOST_ZIP))).ok(201);
    for over in [1, 2, 3, 4, 4_096] {
        let (status, name, message, _) = bench.post(FUNCTIONS, body(zip(MOST_ZIP + over))).refused();
        assert_eq!((status, name.as_str()), (413, "RequestEntityTooLargeException"), "{over}: {message}");
    }
    // Larger than any zip could make it: refused before anything is read of it.
    let seen = bench.post(FUNCTIONS, body(zip(2 * MOST_ZIP))).refused();
    assert!(seen.0 == 413 && seen.2.starts_with("The request body is longer than"), "{seen:?}");
    // Where no code belongs, the usual limit holds.
    for (method, path) in [("PUT", "/2015-03-31/functions/pets/configuration"), ("POST", "/restapis")] {
        assert_eq!(bench.call(method, path, json!({"x": "x".repeat(5_000)})).status, 413, "{path}");
    }
    let full = |n: u8| {
        let mut zip = vec![n; MOST_ZIP as usize];
        zip[..2].copy_from_slice(b"PK");
        bench.put("/2015-03-31/functions/pets/code", json!({"ZipFile": STANDARD.encode(zip)})).status
    };
    assert_eq!([1, 2, 3, 4].map(full), [200, 200, 200, 503], "the disk has its limit too");
    assert_eq!(bench.functions.files(), 4);
}

#[test]
fn nobody_brings_the_hash_of_code_that_is_not_there() {
    let bench = Bench::new();
    let mut forged = body(json!({}));
    forged["meridian:codeSha256"] = json!(STANDARD.encode([7; 32]));
    forged["meridian:codeSize"] = json!(5);
    let text = "Please provide a source for function code.";
    assert_eq!(bench.post(FUNCTIONS, forged).refused(), invalid(text));
}

#[test]
fn the_same_code_is_kept_once() {
    let bench = Bench::new();
    for name in ["a", "b", "c"] {
        bench.function(name, json!({}));
    }
    assert_eq!(bench.functions.files(), 1);
}

/// JSON of any form, no deeper than it takes to confuse.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
        Just(json!("arn:aws:lambda:us-east-1:000000000000:function:pets:1")),
        Just(json!("$LATEST")),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("[A-Za-z0-9:$_]{0,12}", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

#[test]
fn whatever_is_said_is_answered_in_lambdas_form_and_never_with_a_fault_of_ours() {
    let bench = Bench::new();
    bench.function("pets", json!({"Publish": true}));
    let members = [
        "FunctionName",
        "Runtime",
        "Role",
        "Handler",
        "Code",
        "Timeout",
        "MemorySize",
        "Environment",
        "Tags",
        "Layers",
        "RevisionId",
        "ZipFile",
        "Name",
        "FunctionVersion",
        "RoutingConfig",
        "StatementId",
        "Action",
        "Principal",
        "SourceArn",
        "ReservedConcurrentExecutions",
        "CodeSha256",
        "Description",
        "LoggingConfig",
        "Publish",
        "EphemeralStorage",
        "TracingConfig",
    ];
    let calls = [
        ("POST", FUNCTIONS),
        ("PUT", "/2015-03-31/functions/pets/code"),
        ("PUT", "/2015-03-31/functions/pets/configuration"),
        ("POST", "/2015-03-31/functions/pets/versions"),
        ("POST", "/2015-03-31/functions/pets/aliases"),
        ("PUT", "/2015-03-31/functions/pets/aliases/live"),
        ("POST", "/2015-03-31/functions/pets/policy"),
        ("PUT", "/2017-10-31/functions/pets/concurrency"),
        ("POST", "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Apets"),
    ];
    let body = proptest::collection::vec((0..members.len(), any_json()), 0..6);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(1_500));
    runner
        .run(&(0..calls.len(), body), |(call, body)| {
            let (method, path) = calls[call];
            let body: serde_json::Map<String, Value> =
                body.into_iter().map(|(member, value)| (members[member].to_owned(), value)).collect();
            let seen = bench.call(method, path, Value::Object(body));
            prop_assert!(seen.status < 500, "{} {}", seen.status, seen.text);
            if seen.status >= 400 {
                prop_assert!(!seen.refused().1.is_empty() && !seen.refused().2.is_empty(), "{}", seen.text);
                prop_assert_ne!(seen.refused().1, "BadRequestException");
            }
            Ok(())
        })
        .unwrap();
}
