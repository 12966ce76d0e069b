//! Signers that are not ours against a listener that asks for credentials: boto3, the AWS CLI, curl, presigned queries.

use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use meridian::catalog::AccountId;
use meridian::catalog::cluster::AdminKey;
use meridian::control::Seal;
use meridian::state::{Ops, Scope};
use serde_json::{Value, json};

use crate::bench::{Bench, Reverse};
use crate::skip::skip;

fn guarded() -> Bench {
    let bench = Bench::with(|s| s.dev = false);
    let mut ops = Ops::new();
    let key = AdminKey {
        account: AccountId::from("111122223333"),
        secret_sealed: Reverse.seal(b"root/secret+key", [0; 16]),
        ..AdminKey::default()
    };
    ops.put(&Scope::cluster(), "AKROOT", &key);
    bench.memory.put(&ops.0);
    bench
}

#[test]
fn boto3_the_aws_cli_curl_and_presigned_queries_are_verified() {
    let Ok(python) = std::env::var("MERIDIAN_TEST_PYTHON") else {
        let why = "MERIDIAN_TEST_PYTHON names no python with boto3; run ./scripts/test";
        return skip("boto3_the_aws_cli_curl_and_presigned_queries_are_verified", why);
    };
    let bench = guarded();
    // They sign for the time that it is.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    bench.now_ms.store(i64::try_from(now.as_millis()).expect("a clock"), Ordering::Relaxed);
    let endpoint = format!("http://{}", bench.address());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/control/signers.py");
    let run =
        Command::new(python).args([script, &endpoint, "AKROOT", "root/secret+key"]).output().expect("python runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let mut seen: Value = serde_json::from_slice(&run.stdout).expect("JSON");
    if seen["curl"] == json!("SKIPPED: no curl") {
        skip("curl among the signers", "no curl");
        seen["curl"] = json!("curl");
    }
    let invalid = "The security token included in the request is invalid.";
    for (what, expected) in [
        (
            "made",
            json!({"name": "péts & co", "binaryMediaTypes": ["image/png"], "tags": {"a b": "c/d+e=f"}, "apiKeySource": "HEADER"}),
        ),
        ("tags", json!({"k": "v w"})),
        ("paged", json!(4)),
        ("odd_label", json!([404, "NotFoundException", "Invalid API identifier specified 111122223333:a/b c%+é"])),
        ("odd_query", json!([400, "BadRequestException", "Invalid position parameter"])),
        ("unknown_key", json!([403, "UnrecognizedClientException", invalid])),
        ("token", json!([403, "UnrecognizedClientException", invalid])),
        ("absent", json!([501, "NotImplementedException", "Meridian does not implement GetSdkTypes yet"])),
        ("presigned", json!(true)),
        ("presigned_changed", json!([403, "InvalidSignatureException"])),
        ("cli", json!("péts & co")),
        ("curl", json!("curl")),
    ] {
        assert_eq!(seen[what], expected, "{what}");
    }
    assert_eq!(seen["wrong_secret"][1], json!("InvalidSignatureException"));
    assert!(seen["created"].as_f64().is_some_and(|s| s > 1.6e9), "{}", seen["created"]);
}
