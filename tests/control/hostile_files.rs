//! Hostile files at the door of the import: AWS's refusal or one that names the place, nothing half done, no panic.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::import::{PETSTORE, SHOP, import, put};

/// Sends a file as a new API and onto an old one: both must be refused or done whole.
#[track_caller]
fn refused(bench: &Bench, api: &str, file: &str) -> String {
    let before = bench.memory.world.lock().unwrap().seq();
    let made = import(bench, "", file);
    let over = put(bench, api, "mode=overwrite", file);
    for seen in [&made, &over] {
        assert!(matches!(seen.status, 400 | 413), "{} {}", seen.status, seen.text);
    }
    assert_eq!(made.text, over.text);
    assert_eq!(bench.memory.world.lock().unwrap().seq(), before, "nothing happened");
    made.refusal().2
}

fn whole(bench: &Bench, api: &str) -> String {
    bench.get(&format!("/restapis/{api}/resources?embed=methods")).text
}

fn with_schema(schema: Value) -> String {
    json!({
        "openapi": "3.0.1", "info": {"title": "deep", "version": "1"}, "paths": {},
        "components": {"schemas": {"A": schema}},
    })
    .to_string()
}

#[test]
fn bombs_and_depths_are_refused_with_their_place() {
    let bench = Bench::new();
    let api = import(&bench, "", PETSTORE).id();
    let before = whole(&bench, &api);
    let mut bomb = "swagger: '2.0'\ninfo: {title: t}\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    let text = refused(&bench, &api, &bomb);
    assert!(text.starts_with("Invalid OpenAPI input. /a") && text.ends_with("values"), "{text}");
    let deep =
        |levels: usize| (0..levels).fold(json!({"type": "string"}), |inner, _| json!({"properties": {"p": inner}}));
    let text = refused(&bench, &api, &with_schema(deep(100)));
    assert!(
        text.contains("/components/schemas/A/properties/p/properties/p") && text.contains("nested deeper"),
        "{text}"
    );
    let lists = (0..100).fold(json!({"type": "string"}), |inner, _| json!({"items": inner}));
    let text = refused(&bench, &api, &with_schema(lists));
    assert!(text.contains("/components/schemas/A/items/items") && text.contains("nested deeper"), "{text}");
    import(&bench, "", &with_schema(deep(45))).ok(201);
    let long = format!("{PETSTORE}{}", " ".repeat(6 << 20));
    let text = refused(&bench, &api, &long);
    assert_eq!(text, format!("The file has {} bytes, at most 6291456 are read", long.len()));
    assert_eq!(whole(&bench, &api), before);
}

#[test]
fn a_file_of_six_megabytes_is_read_or_refused_in_time() {
    let bench = Bench::new();
    let mut paths = serde_json::Map::new();
    let mut size = 0;
    while size < 5_900_000 {
        let path = format!("/p{}", paths.len());
        let item = json!({"get": {"description": "x".repeat(20_000), "responses": {"200": {"description": "ok"}}}});
        size += 20_100;
        paths.insert(path, item);
    }
    let file = json!({"openapi": "3.0.1", "info": {"title": "large", "version": "1"}, "paths": paths}).to_string();
    assert!(file.len() < 6 << 20 && file.len() > 5 << 20);
    let api = import(&bench, "", &file).id();
    let list = bench.get(&format!("/restapis/{api}/resources?limit=500")).ok(200);
    assert_eq!(list["item"].as_array().unwrap().len(), paths.len() + 1);
    let api = bench.api();
    let zeros = format!("{{\"swagger\":\"2.0\",\"x\":[{}0]}}", "0,".repeat(2_900_000));
    let text = refused(&bench, &api, &zeros);
    assert_eq!(text, "Invalid OpenAPI input. /x/999997: the file has more than 1000000 values");
}

#[test]
fn references_that_lead_nowhere_or_round_in_a_circle_are_refused_with_their_place() {
    let bench = Bench::new();
    let api = bench.api();
    let file = json!({
        "openapi": "3.0.1", "info": {"title": "refs", "version": "1"},
        "paths": {
            "/a": {"get": {"parameters": [{"$ref": "#/components/parameters/a"}], "responses": {
                "200": {"$ref": "https://example.com/r.json"}, "201": {"$ref": "#/components/responses/none"},
                "202": {"description": "x", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/None"}}}},
            }}},
            "/b": {"$ref": "#/paths/~1c"}, "/c": {"$ref": "#/paths/~1b"},
        },
        "components": {
            "parameters": {"a": {"$ref": "#/components/parameters/b"}, "b": {"$ref": "#/components/parameters/a"}},
            "schemas": {"A": {"properties": {"x": {"$ref": "#/components/schemas/B/properties/y"}}}, "B": {"$ref": "file.json"}},
        },
    });
    let text = refused(&bench, &api, &file.to_string());
    let wanted = [
        "Errors found during import:",
        "/components/schemas/A/properties/x/$ref: \"#/components/schemas/B/properties/y\" is no model: only whole models can be referred to",
        "/components/schemas/B/$ref: \"file.json\" is not in this file",
        "/paths/~1a/get/parameters/0: the references go round in a circle",
        "/paths/~1a/get/responses/200/$ref: \"https://example.com/r.json\" is not in this file",
        "/paths/~1a/get/responses/201/$ref: \"#/components/responses/none\" names nothing in this file",
        "/paths/~1a/get/responses/202/content/application~1json/schema/$ref: \"#/components/schemas/None\" names no model of this file",
        "/paths/~1b: the references go round in a circle",
        "/paths/~1c: the references go round in a circle",
    ];
    let lines: Vec<&str> = text.split("\n\t").collect();
    assert_eq!(lines, wanted);
    // Models may name themselves and each other.
    let circle = json!({"properties": {"next": {"$ref": "#/components/schemas/A"}, "all": {"items": {"$ref": "#/components/schemas/A"}}}});
    import(&bench, "", &with_schema(circle)).ok(201);
}

#[test]
fn unknown_words_of_closed_vocabularies_are_refused_with_their_place() {
    let bench = Bench::new();
    let api = bench.api();
    let mut file: Value = serde_json::from_str(PETSTORE).unwrap();
    let integration = &mut file["paths"]["/pets"]["get"]["x-amazon-apigateway-integration"];
    integration["passthroughBehavior"] = json!("sometimes");
    integration["connectionType"] = json!("WIRE");
    integration["responses"]["default"] = json!({"statusCode": "abc"});
    file["x-amazon-apigateway-api-key-source"] = json!("COOKIE");
    file["x-amazon-apigateway-gateway-responses"]["TEAPOT"] = json!({});
    file["x-amazon-apigateway-minimum-compression-size"] = json!(-1);
    file["securityDefinitions"]["tokens"]["x-amazon-apigateway-authorizer"]["type"] = json!("oracle");
    file["paths"]["/pets"]["post"]["x-amazon-apigateway-request-validator"] = json!("nobody");
    file["paths"]["/pets"]["get"]["parameters"][0]["in"] = json!("soup");
    let text = refused(&bench, &api, &file.to_string());
    for wanted in [
        "integration/passthroughBehavior: \"sometimes\" is none of the words for passthroughBehavior",
        "integration/connectionType: \"WIRE\" is none of the words for connectionType",
        "Unable to put integration response on 'GET' for resource at path '/pets': Invalid status code \"abc\"",
        "/x-amazon-apigateway-api-key-source: \"COOKIE\" is neither HEADER nor AUTHORIZER",
        "/x-amazon-apigateway-gateway-responses/TEAPOT: \"TEAPOT\" is no type of gateway response",
        "Invalid minimum compression size, must be between 0 and 10485760",
        "Unable to create authorizer 'tokens': unknown type \"oracle\"",
        "no request validator of this file has the name \"nobody\"",
        "/paths/~1pets/get/parameters/0/in: \"soup\" is no place for a parameter",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
}

/// A sample with one value somewhere replaced by another kind.
fn bent(mut file: Value, turns: &[usize], by: Value) -> Value {
    let mut here = &mut file;
    for turn in turns {
        let size = match here {
            Value::Object(map) => map.len(),
            Value::Array(items) => items.len(),
            _ => 0,
        };
        if size == 0 {
            break;
        }
        here = match here {
            Value::Object(map) => map.values_mut().nth(turn % size).unwrap(),
            Value::Array(items) => &mut items[turn % size],
            _ => break,
        };
    }
    *here = by;
    file
}

fn odd() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!(true)),
        Just(json!(-1)),
        Just(json!(1e300)),
        Just(json!("")),
        Just(json!("#/")),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[{}]])),
        Just(json!({"$ref": "#/paths"})),
        Just(json!({"$ref": 5})),
        Just(json!({"": {"/": "~"}})),
        "\\PC{0,12}".prop_map(Value::from),
    ]
}

/// Whatever comes: an answer that is no fault of ours, and the API as it was or as the file says, not between.
fn stands(file: &str) -> Result<(), TestCaseError> {
    let bench = Bench::new();
    let api = import(&bench, "", PETSTORE).id();
    let before = whole(&bench, &api);
    let made = import(&bench, "", file);
    prop_assert!(made.status == 201 || made.status == 400, "{} {}", made.status, made.text);
    prop_assert_eq!(whole(&bench, &api), before.clone());
    let over = put(&bench, &api, "mode=overwrite", file);
    prop_assert_eq!(over.status == 200, made.status == 201, "{} {}", over.text, made.text);
    if over.status != 200 {
        prop_assert_eq!(whole(&bench, &api), before);
        return Ok(());
    }
    rests(&bench, &api, if file.len().is_multiple_of(2) { "swagger" } else { "oas30" })
}

/// What a stage of the API exports is taken back without a warning, and exported again as it was.
fn rests(bench: &Bench, api: &str, kind: &str) -> Result<(), TestCaseError> {
    let deploy = || bench.post(&format!("/restapis/{api}/deployments"), json!({"stageName": "prod"})).status == 201;
    let shown = || crate::export::export(bench, api, kind, "application/json", "?extensions=apigateway");
    if !deploy() || shown().status != 200 {
        return Ok(());
    }
    let first = shown().text;
    let back = put(bench, api, "mode=overwrite&failonwarnings=true", &first);
    prop_assert_eq!(back.status, 200, "{}\n{}", back.text, first);
    prop_assert!(deploy(), "what was deployed is deployed again");
    prop_assert_eq!(first, shown().text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_bent_file_is_refused_or_taken_whole(turns in prop::collection::vec(0..40_usize, 1..9), by in odd()) {
        let file: Value = serde_json::from_str(PETSTORE).unwrap();
        stands(&bent(file, &turns, by).to_string())?;
    }

    #[test]
    fn a_torn_file_is_refused_or_taken_whole(at in 0..1500_usize, cut in 0..40_usize, by in "[ -~\n]{0,6}") {
        let mut file: Vec<char> = SHOP.chars().collect();
        let at = at.min(file.len());
        let end = (at + cut).min(file.len());
        file.splice(at..end, by.chars());
        stands(&file.into_iter().collect::<String>())?;
    }

    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let bench = Bench::new();
        let seen = bench.send(Bench::request("POST", "/restapis?mode=import", bytes));
        prop_assert_eq!(seen.refusal().2, "Invalid OpenAPI input.");
    }
}
