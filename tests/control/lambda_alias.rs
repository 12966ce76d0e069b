//! Versions and aliases.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::functions::{invalid, missing, validation};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:pets";
const AT: &str = "/2015-03-31/functions/pets";

fn code(bench: &Bench, bytes: &[u8]) -> Value {
    bench.put(&format!("{AT}/code"), json!({"ZipFile": STANDARD.encode(bytes)})).ok(200)
}

fn publish(bench: &Bench, body: Value) -> Value {
    bench.post(&format!("{AT}/versions"), body).ok(201)
}

/// A function with versions 1 and 2.
fn two_versions() -> Bench {
    let bench = Bench::new();
    bench.function("pets", json!({"Publish": true}));
    code(&bench, b"PK two");
    publish(&bench, json!({}));
    bench
}

#[test]
fn a_version_is_latest_under_a_number_and_stays_as_it_was() {
    let bench = Bench::new();
    let made = bench.function("pets", json!({"Environment": {"Variables": {"AB": "1"}}}));
    let one = publish(&bench, json!({"Description": "first"}));
    let mut expected = made.clone();
    expected["Version"] = json!("1");
    expected["FunctionArn"] = json!(format!("{ARN}:1"));
    expected["Description"] = json!("first");
    expected["RevisionId"] = one["RevisionId"].clone();
    assert_eq!(one, expected);
    assert_ne!(one["RevisionId"], made["RevisionId"]);
    assert_eq!(publish(&bench, json!({"Description": "again"})), one, "nothing has changed");
    code(&bench, b"PK two");
    bench.put(&format!("{AT}/configuration"), json!({"Environment": {"Variables": {"AB": "2"}}})).ok(200);
    let two = publish(&bench, json!({}));
    assert_eq!((&two["Version"], &two["Environment"]["Variables"]["AB"]), (&json!("2"), &json!("2")));
    for path in [format!("{AT}?Qualifier=1"), format!("{AT}%3A1")] {
        assert_eq!(bench.get(&path).ok(200)["Configuration"], one);
    }
    // Variables that say the same are sealed anew, and are no change.
    bench.put(&format!("{AT}/configuration"), json!({"Environment": {"Variables": {"AB": "2"}}})).ok(200);
    assert_eq!(publish(&bench, json!({}))["Version"], "2");
    assert_eq!(bench.get(&format!("{AT}?Qualifier=3")).refused(), missing("pets:3"));
    assert_eq!(bench.get(&format!("{AT}?Qualifier=01")).refused(), missing("pets:01"));
}

#[test]
fn a_version_is_published_only_of_the_code_and_revision_that_were_meant() {
    let bench = Bench::new();
    let made = bench.function("pets", json!({}));
    let refused = |body: Value| bench.post(&format!("{AT}/versions"), body).refused();
    let there = made["CodeSha256"].as_str().unwrap();
    let text = format!(
        "CodeSHA256 (x) is different from current CodeSHA256 in $LATEST ({there}). Please try again with the CodeSHA256 \
         in $LATEST."
    );
    assert_eq!(refused(json!({"CodeSha256": "x"})), invalid(&text));
    assert_eq!(refused(json!({"RevisionId": "x"})).0, 412);
    assert_eq!(refused(json!({"PublishTo": "LATEST_PUBLISHED"})).1, "InvalidParameterValueException");
    publish(&bench, json!({"CodeSha256": there, "RevisionId": made["RevisionId"]}));
    assert_eq!(bench.post("/2015-03-31/functions/cats/versions", json!({})).refused(), missing("cats"));
}

#[test]
fn versions_are_listed_with_latest_first_and_numbers_in_their_order() {
    let bench = Bench::new();
    bench.function("pets", json!({"Publish": true}));
    for n in 2..=12 {
        code(&bench, format!("PK {n}").as_bytes());
        publish(&bench, json!({}));
    }
    let list = |query: &str| bench.get(&format!("{AT}/versions?{query}")).ok(200);
    let numbers = |page: &Value| -> Vec<String> {
        page["Versions"].as_array().unwrap().iter().map(|v| v["Version"].as_str().unwrap().to_owned()).collect()
    };
    let first = list("MaxItems=3");
    assert_eq!(numbers(&first), ["$LATEST", "1", "2"]);
    assert_eq!(first["Versions"][0]["FunctionArn"], format!("{ARN}:$LATEST"));
    let rest = list(&format!("Marker={}", first["NextMarker"].as_str().unwrap()));
    assert_eq!(numbers(&rest).last().unwrap(), "12");
    assert_eq!(numbers(&rest).len(), 10);
}

#[test]
fn an_alias_is_made_shown_changed_listed_and_deleted() {
    let bench = two_versions();
    let at = format!("{AT}/aliases");
    let made = bench.post(&at, json!({"Name": "live", "FunctionVersion": "1", "Description": "now"})).ok(201);
    let mut expected = json!({
        "AliasArn": format!("{ARN}:live"), "Name": "live", "FunctionVersion": "1", "Description": "now",
        "RevisionId": made["RevisionId"],
    });
    assert_eq!(made, expected);
    assert_eq!(bench.get(&format!("{at}/live")).ok(200), made);
    let weights = json!({"RoutingConfig": {"AdditionalVersionWeights": {"2": 0.25}}});
    let changed = bench.put(&format!("{at}/live"), weights).ok(200);
    expected["RoutingConfig"] = json!({"AdditionalVersionWeights": {"2": 0.25}});
    expected["RevisionId"] = changed["RevisionId"].clone();
    assert_eq!(changed, expected);
    let stale = bench.put(&format!("{at}/live"), json!({"RevisionId": made["RevisionId"]})).refused();
    assert_eq!((stale.0, stale.1.as_str()), (412, "PreconditionFailedException"));
    let alone = json!({"FunctionVersion": "2", "RoutingConfig": {"AdditionalVersionWeights": {}}});
    let alone = bench.put(&format!("{at}/live"), alone).ok(200);
    assert_eq!((&alone["FunctionVersion"], alone.get("RoutingConfig")), (&json!("2"), None));
    bench.post(&at, json!({"Name": "old", "FunctionVersion": "1"})).ok(201);
    let names = |query: &str| -> Vec<String> {
        let page = bench.get(&format!("{at}?{query}")).ok(200);
        page["Aliases"].as_array().unwrap().iter().map(|a| a["Name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((names(""), names("FunctionVersion=1")), (vec!["live".into(), "old".into()], vec!["old".into()]));
    let shown = bench.get(&format!("{AT}?Qualifier=live")).ok(200)["Configuration"].clone();
    assert_eq!((&shown["FunctionArn"], &shown["Version"]), (&json!(format!("{ARN}:live")), &json!("2")));
    assert_eq!(bench.delete(&format!("{at}/live")).ok(204), Value::Null);
    bench.delete(&format!("{at}/live")).ok(204);
    let text = format!("Cannot find alias arn: {ARN}:live");
    assert_eq!(bench.get(&format!("{at}/live")).refused().2, text);
    assert_eq!(bench.put(&format!("{at}/live"), json!({})).refused().2, text);
}

#[test]
fn an_alias_that_leads_nowhere_is_refused() {
    let bench = two_versions();
    let at = format!("{AT}/aliases");
    let refused = |body: Value| bench.post(&at, body).refused();
    assert_eq!(refused(json!({"Name": "a", "FunctionVersion": "9"})), missing("pets:9"));
    assert_eq!(refused(json!({"Name": "7", "FunctionVersion": "1"})).1, "ValidationException");
    assert_eq!(refused(json!({"Name": "a b", "FunctionVersion": "1"})).1, "ValidationException");
    assert!(refused(json!({"Name": "a".repeat(129), "FunctionVersion": "1"})).2.ends_with("equal to 128"));
    let routed = |version: &str, weights: Value| {
        refused(
            json!({"Name": "a", "FunctionVersion": version, "RoutingConfig": {"AdditionalVersionWeights": weights}}),
        )
    };
    assert_eq!(routed("1", json!({"9": 0.5})), missing("pets:9"));
    let text = "Invalid function version 1. Function version 1 is already included in routing configuration.";
    assert_eq!(routed("1", json!({"1": 0.5})), invalid(text));
    let text = "$LATEST is not supported for an alias pointing to more than 1 version";
    assert_eq!(routed("$LATEST", json!({"1": 0.5})), invalid(text));
    let text = "Number of items in AdditionalVersionWeights cannot be greater than 1";
    assert_eq!(routed("1", json!({"1": 0.5, "2": 0.5})), invalid(text));
    let text = "Value '{2=2.0}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must \
                satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than \
                or equal to 0.0, Member must not be null]";
    assert_eq!(routed("1", json!({"2": 2.0})), validation(text));
    assert_eq!(routed("1", json!({"live": 0.5})).1, "ValidationException");
    bench.post(&at, json!({"Name": "a", "FunctionVersion": "$LATEST"})).ok(201);
    let (status, name, message, _) = refused(json!({"Name": "a", "FunctionVersion": "1"}));
    assert_eq!((status, name.as_str()), (409, "ResourceConflictException"));
    assert_eq!(message, format!("Alias already exists: {ARN}:a"));
}

#[test]
fn a_version_that_an_alias_needs_is_not_deleted() {
    let bench = two_versions();
    let at = format!("{AT}/aliases");
    bench.post(&at, json!({"Name": "live", "FunctionVersion": "1"})).ok(201);
    let weights = json!({"RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1}}});
    bench.put(&format!("{at}/live"), weights).ok(200);
    let text = "Unable to delete version because the following aliases reference it: [live]";
    for path in [format!("{AT}?Qualifier=1"), format!("{AT}%3A1"), format!("{AT}?Qualifier=2")] {
        let (status, name, message, _) = bench.delete(&path).refused();
        assert_eq!((status, name.as_str(), message.as_str()), (409, "ResourceConflictException", text), "{path}");
    }
    let text = "$LATEST version cannot be deleted without deleting the function.";
    assert_eq!(bench.delete(&format!("{AT}?Qualifier=$LATEST")).refused(), invalid(text));
    let text = "Deletion of aliases is not currently supported.";
    assert_eq!(bench.delete(&format!("{AT}?Qualifier=live")).refused(), invalid(text));
    bench.delete(&format!("{at}/live")).ok(204);
    bench.delete(&format!("{AT}?Qualifier=1")).ok(204);
    assert_eq!(bench.delete(&format!("{AT}?Qualifier=1")).refused(), missing("pets:1"));
}
