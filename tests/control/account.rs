//! Account.

use serde_json::json;

use crate::bench::Bench;

#[test]
fn an_account_shows_aws_defaults_until_a_role_is_set() {
    let bench = Bench::new();
    let fresh = json!({
        "throttleSettings": {"burstLimit": 5000, "rateLimit": 10000.0}, "features": ["UsagePlans"], "apiKeyVersion": "4",
    });
    let seen = bench.get("/account");
    assert_eq!(seen.ok(200), fresh);
    assert!(seen.text.contains("10000.0"), "a rate is printed as a double: {}", seen.text);

    let arn = "arn:aws:iam::123456789012:role/logs";
    let changed = bench
        .patch("/account", &[("replace", "/cloudwatchRoleArn", json!(arn)), ("add", "/features", json!("UsagePlans"))]);
    let mut expected = fresh.clone();
    expected["cloudwatchRoleArn"] = json!(arn);
    assert_eq!(changed.ok(200), expected);
    assert_eq!(bench.get("/account").ok(200), expected);
    assert_eq!(bench.patch("/account", &[("replace", "/cloudwatchRoleArn", json!(""))]).ok(200), fresh);
}

#[test]
fn an_account_refuses_what_it_does_not_have_and_changes_nothing_then() {
    let bench = Bench::new();
    let before = bench.get("/account").ok(200);
    let refused = |steps: &[(&str, &str, serde_json::Value)]| {
        let (status, name, message) = bench.patch("/account", steps).refusal();
        assert_eq!((status, name.as_str()), (400, "BadRequestException"), "{message}");
        assert_eq!(bench.get("/account").ok(200), before);
        message
    };
    assert_eq!(refused(&[("replace", "/cloudwatchRoleArn", json!("logs"))]), "Invalid ARN specified in the request");
    assert_eq!(refused(&[("remove", "/features", json!("UsagePlans"))]), "The feature UsagePlans cannot be removed");
    assert_eq!(
        refused(&[
            ("replace", "/cloudwatchRoleArn", json!("arn:aws:iam::123456789012:role/logs")),
            ("replace", "/throttleSettings", json!("1")),
        ]),
        "Invalid patch path  '/throttleSettings' specified for op 'replace'. Must be one of: [/cloudwatchRoleArn, /features]"
    );
}
