//! Schemas against the JSON-Schema test suite for draft 4, and schemas out of random parts.

#[path = "../nodes/skip.rs"]
mod skip;

use meridian::spec::schema::{Instance, Schema};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use skip::skip;
use std::path::Path;

const FUEL: u64 = 1_000_000;

/// Groups whose schemas lead to documents that only the suite's own server has, or to the schema of schemas.
const REMOTE: &str = "names no model of this API";

#[test]
fn the_draft_4_suite_is_judged_as_it_judges() {
    let Some(folder) = std::env::var_os("MERIDIAN_SCHEMA_SUITE") else {
        let why = "MERIDIAN_SCHEMA_SUITE does not name the folder tests/draft4 of the JSON-Schema test suite (scripts/test --all)";
        return skip("the_draft_4_suite_is_judged_as_it_judges", why);
    };
    let (mut count, mut remote, mut wrong) = (0, 0, Vec::new());
    for entry in std::fs::read_dir(Path::new(&folder)).expect("a folder") {
        let path = entry.expect("an entry").path();
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let groups: Vec<Json> = serde_json::from_str(&text).expect("a suite's file");
        for group in &groups {
            let compiled = Schema::compile("M", &[("M", &group["schema"])]);
            for case in group["tests"].as_array().into_iter().flatten() {
                let name = format!("{}: {}: {}", path.display(), group["description"], case["description"]);
                let wanted = case["valid"] == true;
                match &compiled {
                    Err(error) if error.message.contains(REMOTE) => remote += 1,
                    Err(error) => wrong.push(format!("{name}: {error}")),
                    Ok(schema) => {
                        count += 1;
                        let found = schema.validate(&of(&case["data"]), FUEL);
                        if found.is_ok() != wanted {
                            wrong.push(format!("{name}: {found:?}"));
                        }
                    }
                }
            }
        }
    }
    eprintln!("{count} cases, {remote} with remote references");
    assert!(count > 500, "{count} cases");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Random JSON that looks like a schema.
fn schema() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(json!({})),
        Just(json!(true)),
        Just(json!({"type": "string"})),
        Just(json!({"type": ["integer", "null"]})),
        Just(json!({"$ref": "#"})),
        Just(json!({"$ref": "#/definitions/a"})),
        Just(json!({"pattern": "^(a|b)+$"})),
        Just(json!({"enum": [1, "a", null]})),
        Just(json!({"minimum": 1, "multipleOf": 0.5})),
        Just(json!({"required": ["a"], "maxLength": -1})),
        Just(json!({"uniqueItems": true, "id": "x"})),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|parts| json!({"allOf": parts})),
            prop::collection::vec(inner.clone(), 0..3).prop_map(|parts| json!({"oneOf": parts, "items": parts})),
            prop::collection::vec(inner.clone(), 0..3).prop_map(|parts| json!({"anyOf": parts})),
            inner.clone().prop_map(|part| json!({"not": part, "definitions": {"a": part}})),
            inner.clone().prop_map(|part| json!({"properties": {"a": part}, "additionalProperties": part})),
            inner.prop_map(|part| json!({"patternProperties": {"^a": part}, "dependencies": {"a": part}})),
        ]
    })
}

fn instance() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![Just(json!(null)), Just(json!(1)), Just(json!(1.5)), Just(json!("a")), Just(json!(false))];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Json::Array),
            inner.clone().prop_map(|part| json!({"a": part})),
            inner.prop_map(|part| json!({"a": part, "b": 1})),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("MERIDIAN_TEST_ALL").is_some() { 20_000 } else { 500 }))]

    #[test]
    fn any_schema_judges_any_instance_or_is_refused(schema in schema(), instance in instance()) {
        if let Ok(compiled) = Schema::compile("M", &[("M", &schema)]) {
            let first = compiled.validate(&of(&instance), FUEL);
            prop_assert_eq!(&first, &compiled.validate(&of(&instance), FUEL));
            prop_assert!(first.map_or_else(|invalid| !invalid.messages.is_empty(), |()| true));
        }
    }
}

#[test]
fn schemas_and_instances_that_grow_out_of_hand_are_stopped() {
    let patterns: serde_json::Map<String, Json> =
        (0..20_000).map(|n| (format!("p{n}"), json!({"pattern": format!("[ab]{{{n}}}")}))).collect();
    let refused = Schema::compile("M", &[("M", &json!({"properties": patterns}))]).expect_err("too many patterns");
    assert_eq!(refused.message, "the patterns of this model are too large");
    let members: serde_json::Map<String, Json> = (0..10_000).map(|n| (format!("m{n}"), json!({}))).collect();
    let long = json!({"properties": {"x".repeat(300_000): {"properties": members}}});
    assert!(Schema::compile("M", &[("M", &long)]).is_err());

    let words: Vec<String> = (0..100).map(|n| format!("{n}{}", "w".repeat(150))).collect();
    let schema = Schema::compile("M", &[("M", &json!({"items": {"enum": words}}))]).expect("a schema");
    let invalid = schema.validate(&of(&json!(vec![1; 500_000])), 100_000_000).expect_err("none of them");
    let bytes: usize = invalid.messages.iter().map(String::len).sum();
    assert!(bytes < 2 << 20, "{bytes} bytes of messages");
    assert_eq!(invalid.messages.last().map(String::as_str), Some("and more"));

    let rows: Vec<Vec<u32>> = (0..200).map(|n| (0..1000).map(|at| if at == 999 { n } else { 0 }).collect()).collect();
    let schema = Schema::compile("M", &[("M", &json!({"items": {"enum": rows}}))]).expect("a schema");
    let invalid = schema.validate(&of(&json!(vec![vec![0; 1000]; 500])), FUEL);
    assert_eq!(invalid, Ok(()));
    let invalid = schema.validate(&of(&json!(vec![vec![500; 1000]; 5000])), FUEL).expect_err("not in it");
    assert!(!invalid.messages.is_empty());
    let last: Vec<Vec<u32>> = vec![(0..1000).map(|at| if at == 999 { 500 } else { 0 }).collect(); 500];
    let invalid = schema.validate(&of(&json!(last)), FUEL).expect_err("too much");
    assert_eq!(invalid.messages, ["instance takes too long to validate"]);
}

/// The same value as an instance.
fn of(json: &Json) -> Instance<'_> {
    serde::Deserialize::deserialize(json).expect("an instance")
}
