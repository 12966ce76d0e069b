//! What API Gateway's validator says, circles of models, and schemas that mean harm.

use super::*;
use serde_json::json;

const FUEL: u64 = 1_000_000;

fn said(schema: Json, instance: Json) -> String {
    match Schema::compile("M", &[("M", &schema)]) {
        Ok(compiled) => match compiled.validate(&of(&instance), FUEL) {
            Ok(()) => "valid".to_owned(),
            Err(invalid) => invalid.to_string(),
        },
        Err(error) => format!("schema: {error}"),
    }
}

#[test]
fn messages_are_those_of_the_java_validator() {
    for (schema, instance, expected) in [
        (json!({"required": ["b", "a"]}), json!({}), r#"[object has missing required properties (["a","b"])]"#),
        (
            json!({"type": "number"}),
            json!("x"),
            r#"[instance type (string) does not match any allowed primitive type (allowed: ["integer","number"])]"#,
        ),
        (
            json!({"enum": ["a", 1]}),
            json!("b"),
            r#"[instance value ("b") not found in enum (possible values: ["a",1])]"#,
        ),
        (
            json!({"minimum": 2}),
            json!(1),
            "[numeric instance is lower than the required minimum (minimum: 2, found: 1)]",
        ),
        (
            json!({"maximum": 2, "exclusiveMaximum": true}),
            json!(2),
            "[numeric instance is not strictly lower than the required maximum 2]",
        ),
        (json!({"minLength": 2}), json!("é"), r#"[string "é" is too short (length: 1, required minimum: 2)]"#),
        (json!({"maxLength": 2}), json!("abc"), r#"[string "abc" is too long (length: 3, maximum allowed: 2)]"#),
        (json!({"pattern": "^\\d+$"}), json!("a"), r#"[ECMA 262 regex "^\\d+$" does not match input string "a"]"#),
        (
            json!({"minItems": 1}),
            json!([]),
            "[array is too short: must have at least 1 elements but instance has 0 elements]",
        ),
        (json!({"uniqueItems": true}), json!([1, 1.0]), "[array must not contain duplicate elements]"),
    ] {
        assert_eq!(said(schema.clone(), instance), expected, "{schema}");
    }
}

#[test]
fn messages_about_objects_and_several_schemas_are_the_validators_too() {
    for (schema, instance, expected) in [
        (
            json!({"additionalProperties": false}),
            json!({"x": 1}),
            r#"[object instance has properties which are not allowed by the schema: ["x"]]"#,
        ),
        (
            json!({"minProperties": 2}),
            json!({"x": 1}),
            "[object has too few properties (found 1 but schema requires at least 2)]",
        ),
        (
            json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
            json!(1),
            "[instance failed to match at least one required schema among 2]",
        ),
        (
            json!({"oneOf": [{}, {"type": "integer"}]}),
            json!(1),
            "[instance failed to match exactly one schema (matched 2 out of 2)]",
        ),
        (
            json!({"allOf": [{}, {"type": "null"}]}),
            json!(1),
            "[instance failed to match all required schemas (matched only 1 out of 2)]",
        ),
        (json!({"not": {}}), json!(1), "[instance matched a schema which it should not have]"),
        (
            json!({"dependencies": {"a": ["b"]}}),
            json!({"a": 1}),
            r#"[property "a" of object has missing property dependencies (schema requires ["b"]; missing: ["b"])]"#,
        ),
        (
            json!({"properties": {"a": {"type": "string"}, "b": {"minimum": 3}}}),
            json!({"a": 1, "b": 2}),
            r#"[instance type (integer) does not match any allowed primitive type (allowed: ["string"]), numeric instance is lower than the required minimum (minimum: 3, found: 2)]"#,
        ),
        (
            json!({"required": ["x"], "properties": {"a": {"type": "string"}}}),
            json!({"a": 1}),
            r#"[object has missing required properties (["x"])]"#,
        ),
    ] {
        assert_eq!(said(schema.clone(), instance), expected, "{schema}");
    }
}

#[test]
fn schemas_that_are_none_are_refused_with_their_place() {
    for (schema, instance, expected) in [
        (json!({"type": "strin"}), json!(1), r#"schema: M#: "strin" is no type"#),
        (
            json!({"properties": {"a": {"pattern": "\\Gx"}}}),
            json!(1),
            r#"schema: M#/properties/a: the regular expression "\\Gx" uses an escape that is rarely used, which is not supported"#,
        ),
        (json!({"$ref": "#/definitions/x"}), json!(1), "schema: M#: a $ref leads to #/definitions/x, where nothing is"),
        (json!({"$ref": "#"}), json!(1), "schema: M#: a $ref leads back to itself"),
        (
            json!({"$ref": "https://apigateway.amazonaws.com/restapis/a1/models/Other"}),
            json!(1),
            r#"schema: M#: "https://apigateway.amazonaws.com/restapis/a1/models/Other" names no model of this API"#,
        ),
    ] {
        assert_eq!(said(schema.clone(), instance), expected, "{schema}");
    }
}

#[test]
fn models_refer_to_one_another_in_circles() {
    let link =
        |name: &str| json!({"$ref": format!("https://apigateway.amazonaws.com/restapis/a1b2c3d4e5/models/{name}")});
    let person = json!({
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string"}, "home": link("House"), "boss": {"oneOf": [{"type": "null"}, link("Person")]}}
    });
    let house = json!({"type": "object", "properties": {"owner": link("Person"), "size": {"$ref": "#/definitions/size"}}, "definitions": {"size": {"minimum": 1}}});
    let models = [("Person", &person), ("House", &house)];
    let schema = Schema::compile("Person", &models).expect("it compiles");
    let good = json!({"name": "a", "boss": {"name": "b", "boss": null}, "home": {"owner": {"name": "c"}, "size": 1}});
    assert_eq!(schema.validate(&of(&good), FUEL), Ok(()));
    let bad = json!({"name": "a", "home": {"owner": {"home": {}}, "size": 0}});
    assert_eq!(
        schema.validate(&of(&bad), FUEL).map_err(|invalid| invalid.to_string()),
        Err(r#"[object has missing required properties (["name"]), numeric instance is lower than the required minimum (minimum: 1, found: 0)]"#.to_owned())
    );
}

#[test]
fn schemas_that_mean_harm_come_to_an_end() {
    let endless = json!({"allOf": [{"$ref": "#"}]});
    assert_eq!(said(endless, json!(1)), "[instance takes too long to validate]");
    let mut branching = json!({"type": "string"});
    for _ in 0..40 {
        branching = json!({"anyOf": [{"allOf": [branching]}], "oneOf": [{"$ref": "#/anyOf/0"}]});
    }
    assert!(said(branching, json!(1)).starts_with("schema: M"));
    let exponential = json!({"anyOf": [
        {"required": ["x"], "properties": {"x": {"$ref": "#"}}}, {"properties": {"x": {"$ref": "#"}}, "required": ["x", "y"]}
    ]});
    let mut nested = json!(1);
    for _ in 0..60 {
        nested = json!({"x": nested});
    }
    let schema = Schema::compile("M", &[("M", &exponential)]).expect("it compiles");
    assert!(schema.validate(&of(&nested), 100_000).is_err() || schema.validate(&of(&nested), 100_000).is_ok());
    let pattern = json!({"pattern": "^(a|a|aa)*$"});
    assert!(said(pattern, json!("a".repeat(100_000) + "b")).starts_with("[ECMA 262"));
    let deep = (0..100).fold(json!({}), |inner, _| json!({"not": inner}));
    assert_eq!(said(deep, json!(1)).split(": ").last(), Some("schemas lie more than 64 deep in one another"));
}

#[test]
fn the_first_value_that_fails_is_pointed_to() {
    let item = json!({"type": "object", "required": ["n"], "properties": {"n": {"allOf": [{"type": "integer"}]}}});
    let schema = json!({"properties": {"a/b": {"items": item}}, "additionalProperties": {"maxLength": 2}});
    for (instance, pointer) in [
        (json!({"a/b": [{"n": 1}, {}]}), "#/a~1b/1"),
        (json!({"a/b": [{"n": 1}, {"n": 2}, {"n": "x"}, {}]}), "#/a~1b/2/n"),
        (json!({"long": "abc", "longer": "abcd"}), "#/long"),
        (json!({"z": "", "x".repeat(100): "abc"}), &format!("#/{}", "x".repeat(64))),
    ] {
        let compiled = Schema::compile("M", &[("M", &schema)]).expect("a schema");
        let invalid = compiled.validate(&of(&instance), FUEL).expect_err("invalid");
        assert_eq!(invalid.pointer, pointer, "{instance}");
    }
    let root = Schema::compile("M", &[("M", &json!({"type": "object"}))]).expect("a schema");
    assert_eq!(root.validate(&of(&json!(1)), FUEL).expect_err("invalid").pointer, "#");
}

/// The same value as an instance.
fn of(json: &Json) -> Instance<'_> {
    serde::Deserialize::deserialize(json).expect("an instance")
}

/// JSON of few names, so that they repeat, and of many members now and then; some of it is broken.
fn written() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("\"a\\u00e9\\n\"".to_owned()),
        Just("\"é\"".to_owned()),
        Just("1.0".to_owned()),
        Just("18446744073709551615".to_owned()),
        Just("-1e400".to_owned()),
        Just("}".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| json!(number).to_string()),
    ];
    leaf.prop_recursive(4, 64, 24, |inner| {
        let member = (0..30u8, inner.clone()).prop_map(|(name, value)| format!("\"n\\u00{name:02}\": {value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..24).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..40).prop_map(|members| format!("{{{}}}", members.join(" ,"))),
        ]
    })
}

proptest::proptest! {
    #[test]
    fn an_instance_is_read_as_a_tree_is_read(text in written()) {
        let tree: Option<Json> = serde_json::from_str(&text).ok();
        let row = Instance::read(text.as_bytes());
        proptest::prop_assert_eq!(row.as_ref().ok().map(|row| row.root().json()), tree.clone(), "{}", text);
        if let Some(tree) = &tree {
            let again = of(tree);
            proptest::prop_assert_eq!(&again.root().json(), tree);
            let instance::Kind::Map(members) = again.root().kind() else { return Ok(()) };
            let names: Vec<&str> = members.members().map(|(name, _)| name).collect();
            proptest::prop_assert_eq!(names.len(), members.count);
            let lookup = instance::Lookup::of(members, 2);
            proptest::prop_assert!(names.iter().all(|name| lookup.holds(name)) && !lookup.holds("absent"));
        }
    }
}

#[test]
fn of_members_with_one_name_the_last_counts() {
    let schema = json!({"properties": {"a": {"type": "string"}}, "maxProperties": 1, "additionalProperties": false});
    let compiled = Schema::compile("M", &[("M", &schema)]).expect("compiles");
    let judged = |text: &str| compiled.validate(&Instance::read(text.as_bytes()).expect("JSON"), FUEL).is_ok();
    assert!(judged(r#"{"a": 1, "\u0061": {"a": 2}, "a": "x"}"#));
    assert!(!judged(r#"{"a": "x", "a": 1}"#));
}
