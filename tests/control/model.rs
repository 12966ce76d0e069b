//! Model.

use serde_json::{Value, json};

use crate::bench::{ACCOUNT, Bench};
use crate::deployment::{bad_request, conflict, mocked, not_found};

const PET: &str = r#"{"type":"object","properties":{"name":{"type":"string"}}}"#;

fn invalid(error: &str) -> (u16, String, String) {
    bad_request(&format!("Invalid model specified: Validation Result: warnings : [], errors : [{error}]"))
}

#[test]
fn a_fresh_api_has_two_models_and_they_are_rows_like_others() {
    let bench = Bench::new();
    let models = format!("/restapis/{}/models", bench.api());
    let listed = bench.get(&models).ok(200);
    let items = listed["item"].as_array().unwrap();
    assert_eq!(items.iter().map(|m| m["name"].as_str().unwrap()).collect::<Vec<_>>(), ["Empty", "Error"]);
    assert_eq!(items[0], bench.get(&format!("{models}/Empty")).ok(200));
    assert_eq!(items[0]["description"], json!("This is a default empty schema model"));
    assert_eq!(items[1]["description"], json!("This is a default error schema model"));
    assert_eq!(items[0]["contentType"], json!("application/json"));
    assert_eq!(items[0]["id"].as_str().unwrap().len(), 6);
    let schema = |item: &Value| serde_json::from_str::<Value>(item["schema"].as_str().unwrap()).unwrap();
    let draft = "http://json-schema.org/draft-04/schema#";
    assert_eq!(schema(&items[0]), json!({"$schema": draft, "title": "Empty Schema", "type": "object"}));
    assert_eq!(
        schema(&items[1]),
        json!({"$schema": draft, "title": "Error Schema", "type": "object", "properties": {"message": {"type": "string"}}})
    );
    bench.delete(&format!("{models}/Empty")).ok(202);
    bench.post(&models, json!({"name": "Empty", "contentType": "text/plain", "schema": "anything"})).ok(201);
}

#[test]
fn a_model_shows_what_was_given() {
    let bench = Bench::new();
    let models = format!("/restapis/{}/models", bench.api());
    let made = bench
        .post(&models, json!({"name": "Pet", "contentType": "application/json", "schema": PET, "description": "d"}));
    let made = made.ok(201);
    let id = made["id"].as_str().unwrap();
    assert_eq!(
        made,
        json!({"id": id, "name": "Pet", "description": "d", "schema": PET, "contentType": "application/json"})
    );
    assert_eq!(bench.get(&format!("{models}/Pet")).ok(200), made);
    let bare = bench.post(&models, json!({"name": "Bare", "contentType": "application/json", "schema": "{}"})).ok(201);
    assert!(bare.get("description").is_none(), "{bare}");
    let page = bench.get(&format!("{models}?limit=3")).ok(200);
    assert_eq!(page["item"].as_array().unwrap().len(), 3);
    let next = bench.get(&format!("{models}?limit=3&position={}", page["position"].as_str().unwrap())).ok(200);
    assert_eq!(next, json!({"item": [made]}));
}

#[test]
fn a_create_is_refused_in_aws_words() {
    let bench = Bench::new();
    let api = bench.api();
    let models = format!("/restapis/{api}/models");
    let post = |name: &str, schema: Value| {
        bench.post(&models, json!({"name": name, "contentType": "application/json", "schema": schema})).refusal()
    };
    let empty = bad_request("Model schema must have at least 1 property or array items defined");
    assert_eq!(post("", json!(PET)), bad_request("Model name must be non-empty"));
    assert_eq!(post("a-b", json!(PET)), bad_request("Model name must be alphanumeric: a-b"));
    assert_eq!(post("Pet", json!("")), empty);
    assert_eq!(post("Pet", Value::Null), empty);
    assert_eq!(post("Empty", json!("")), conflict("Model name already exists for this REST API"));
    assert_eq!(post("Pet", json!("{")), invalid("Invalid model schema specified. It is not JSON at line 1 column 1"));
    assert_eq!(post("Pet", json!("[1]")), invalid("Invalid model schema specified. A schema is a JSON object"));
    assert_eq!(
        post("Pet", json!(r##"{"$ref":"#/definitions/Nope"}"##)),
        invalid("Invalid model reference specified: #/definitions/Nope")
    );
    let other = format!("https://apigateway.amazonaws.com/restapis/{api}/models/Nope");
    assert_eq!(
        post("Pet", json!(json!({"$ref": other}).to_string())),
        invalid(&format!("Invalid model reference specified: {other}"))
    );
    assert_eq!(
        post("Pet", json!(r#"{"$ref":"https://elsewhere.example.com/x"}"#)),
        invalid("Invalid model schema specified, Model reference must be in canonical form")
    );
    assert_eq!(post("Pet", json!("[".repeat(1000))).0, 400);
    let schema = |schema: Value| post("Pet", json!(schema.to_string()));
    assert_eq!(
        schema(json!({"$id": "x", "properties": {"a": {"const": 1}, "example": {"type": "string"}}})),
        invalid("Invalid model schema specified. Unsupported keyword(s): [\"$id\",\"const\"]")
    );
    for (odd, place, what) in [
        (json!({"required": []}), "/required", "a list of different names that is not empty"),
        (json!({"properties": {"a": {"type": "text"}}}), "/properties/a/type", "a type, or a list of different types"),
        (json!({"items": [{"minLength": -1}]}), "/items/0/minLength", "a whole number from 0 on"),
        (json!({"allOf": []}), "/allOf", "a list of schemas that is not empty"),
        (json!({"properties": []}), "/properties", "an object of schemas"),
        (json!({"dependencies": {"a": 1}}), "/dependencies/a", "a schema"),
    ] {
        let text = format!("Invalid model schema specified. The value at {place} must be {what}");
        assert_eq!(schema(odd), invalid(&text));
    }
    assert_eq!(
        bench.post("/restapis/nope/models", json!({"name": "A", "contentType": "x", "schema": "y"})).refusal(),
        not_found(&format!("Invalid API identifier specified {ACCOUNT}:nope"))
    );
    assert_eq!(
        bench.get("/restapis/nope/models").refusal(),
        not_found(&format!("Invalid API identifier specified {ACCOUNT}:nope"))
    );
    for seen in [
        bench.get(&format!("{models}/Pet")),
        bench.delete(&format!("{models}/Pet")),
        bench.get(&format!("{models}/Pet/default_template")),
        bench.patch(&format!("{models}/Pet"), &[]),
        bench.get("/restapis/nope/models/Pet"),
    ] {
        assert_eq!(seen.refusal(), not_found("Invalid model name specified: Pet"));
    }
}

#[test]
fn a_schema_is_as_deep_as_its_parser_and_no_deeper() {
    let bench = Bench::new();
    let models = format!("/restapis/{}/models", bench.api());
    let nested = |levels: usize| {
        let schema = format!("{}{{}}{}", r#"{"properties":{"a":"#.repeat(levels), "}}".repeat(levels));
        bench.post(&models, json!({"name": format!("M{levels}"), "contentType": "application/json", "schema": schema}))
    };
    nested(60).ok(201);
    bench.get(&format!("{models}/M60?flatten=true")).ok(200);
    bench.get(&format!("{models}/M60/default_template")).ok(200);
    let refused = nested(100).refusal();
    assert_eq!(refused.0, 400);
    assert!(refused.2.contains("It is nested more than 127 levels deep"), "{}", refused.2);
    assert_eq!(nested(50_000).refusal().0, 400);
}

#[test]
fn a_model_is_patched_whole_or_not_at_all() {
    let bench = Bench::new();
    let url = format!("/restapis/{}/models/Error", bench.api());
    let before = bench.get(&url).ok(200);
    let after =
        bench.patch(&url, &[("replace", "/schema", json!(PET)), ("replace", "/description", json!("new"))]).ok(200);
    assert_eq!((after["schema"].as_str(), after["description"].as_str()), (Some(PET), Some("new")));
    assert_eq!(after["id"], before["id"]);
    let one = |op: &str, path: &str, value: Value| bench.patch(&url, &[(op, path, value)]).refusal();
    assert_eq!(
        one("replace", "/name", json!("x")),
        bad_request("Invalid patch path  '/name' specified for op 'replace'. Must be one of: [/description, /schema]")
    );
    assert_eq!(
        one("add", "/schema", json!("x")),
        bad_request("Invalid patch path  '/schema' specified for op 'add'. Please choose supported operations")
    );
    assert_eq!(
        one("replace", "/schema", json!("")),
        bad_request("Model schema must have at least 1 property or array items defined")
    );
    let both = bench.patch(
        &url,
        &[
            ("replace", "/description", json!("lost")),
            ("replace", "/name", json!("x")),
            ("replace", "/schema", json!("")),
        ],
    );
    assert_eq!(
        both.refusal(),
        bad_request(
            "Invalid patch path  '/name' specified for op 'replace'. Must be one of: [/description, /schema]; Model schema must have at least 1 property or array items defined"
        )
    );
    assert_eq!(bench.get(&url).ok(200), after, "a refused PATCH changes nothing");
}

#[test]
fn a_model_in_use_stays() {
    let bench = Bench::new();
    let made = bench.post("/restapis", json!({"name": "pets"})).ok(201);
    let (api, root) = (made["id"].as_str().unwrap(), made["rootResourceId"].as_str().unwrap());
    let models = format!("/restapis/{api}/models");
    let pet = |name: &str, schema: &str| {
        bench.post(&models, json!({"name": name, "contentType": "application/json", "schema": schema})).ok(201);
    };
    pet("Pet", PET);
    let reference = format!("https://apigateway.amazonaws.com/restapis/{api}/models/Pet");
    pet("Pets", &json!({"type": "array", "items": {"$ref": reference}}).to_string());
    let child = bench.post(&format!("/restapis/{api}/resources/{root}"), json!({"pathPart": "test"})).id();
    let method = |resource: &str| format!("/restapis/{api}/resources/{resource}/methods/ANY");
    let body = json!({"authorizationType": "NONE", "requestModels": {"application/json": "Pets"}});
    bench.put(&method(&child), body.clone()).ok(201);
    assert_eq!(
        bench.delete(&format!("{models}/Pets")).refusal(),
        conflict("Cannot delete model 'Pets', is referenced in method request: /test/ANY")
    );
    bench.delete(&method(&child)).ok(204);
    bench.put(&method(root), body).ok(201);
    assert_eq!(
        bench.delete(&format!("{models}/Pets")).refusal(),
        conflict("Cannot delete model 'Pets', is referenced in method request: //ANY")
    );
    bench.patch(&method(root), &[("remove", "/requestModels/application~1json", Value::Null)]).ok(200);
    bench
        .put(&format!("{}/responses/200", method(root)), json!({"responseModels": {"application/json": "Pets"}}))
        .ok(201);
    assert_eq!(
        bench.delete(&format!("{models}/Pets")).refusal(),
        conflict("Cannot delete model 'Pets', is referenced in method response: //ANY")
    );
    assert_eq!(
        bench.delete(&format!("{models}/Pet")).refusal(),
        conflict("Cannot delete model 'Pet', is referenced in model: Pets")
    );
    bench.delete(&method(root)).ok(204);
    assert_eq!(bench.delete(&format!("{models}/Pets")).ok(202), Value::Null);
    assert_eq!(bench.delete(&format!("{models}/Pet")).ok(202), Value::Null);
    // What is gone cannot be named any more.
    bench.delete(&format!("{models}/Empty")).ok(202);
    let refused = bench
        .put(&method(root), json!({"authorizationType": "NONE", "requestModels": {"application/json": "Empty"}}))
        .refusal();
    assert_eq!(refused, bad_request("Invalid model identifier specified: Empty"));
}

#[test]
fn flatten_puts_the_models_that_are_named_inside() {
    let bench = Bench::new();
    let api = bench.api();
    let models = format!("/restapis/{api}/models");
    let to = |name: &str| format!("https://apigateway.amazonaws.com/restapis/{api}/models/{name}");
    let post = |name: &str, schema: Value| {
        let body = json!({"name": name, "contentType": "application/json", "schema": schema.to_string()});
        bench.post(&models, body).ok(201);
    };
    post("Tag", json!({"type": "object", "properties": {"word": {"type": "string"}}}));
    post("Pet", json!({"type": "object", "properties": {"tag": {"$ref": to("Tag")}, "mother": {"$ref": to("Pet")}}}));
    post("Pets", json!({"type": "array", "items": {"$ref": to("Pet")}}));
    let plain = bench.get(&format!("{models}/Pets")).ok(200);
    assert_eq!(plain["schema"], json!(json!({"type": "array", "items": {"$ref": to("Pet")}}).to_string()));
    let flat = bench.get(&format!("{models}/Pets?flatten=true")).ok(200);
    assert_eq!(
        serde_json::from_str::<Value>(flat["schema"].as_str().unwrap()).unwrap(),
        json!({
            "type": "array", "items": {"$ref": "#/definitions/Pet"},
            "definitions": {
                "Pet": {"type": "object", "properties": {"tag": {"$ref": "#/definitions/Tag"}, "mother": {"$ref": "#/definitions/Pet"}}},
                "Tag": {"type": "object", "properties": {"word": {"type": "string"}}},
            },
        })
    );
    let own = bench.get(&format!("{models}/Pet?flatten=true")).ok(200);
    assert_eq!(
        serde_json::from_str::<Value>(own["schema"].as_str().unwrap()).unwrap()["properties"]["mother"],
        json!({"$ref": "#"})
    );
    // A copy's models name each other, not those of the API they came from.
    let copy = bench.post("/restapis", json!({"name": "copy", "cloneFrom": api})).id();
    let schema = bench.get(&format!("/restapis/{copy}/models/Pets")).ok(200)["schema"].as_str().unwrap().to_owned();
    assert!(schema.contains(&format!("/restapis/{copy}/models/Pet")) && !schema.contains(&api), "{schema}");
}

#[test]
fn a_template_is_a_skeleton_of_the_schema() {
    let bench = Bench::new();
    let models = format!("/restapis/{}/models", bench.api());
    let schema = json!({"type": "object", "properties": {
        "department": {"type": "string"}, "categories": {"type": "array", "items": {"type": "string"}},
        "price": {"type": "integer"}, "new": {"type": "boolean"}, "inner": {"type": "object", "properties": {"a": {"type": "number"}}},
    }});
    let body = json!({"name": "Item", "contentType": "application/json", "schema": schema.to_string()});
    bench.post(&models, body).ok(201);
    let value = bench.get(&format!("{models}/Item/default_template")).ok(200);
    let expected = "#set($inputRoot = $input.path('$'))\n{\n  \"department\" : \"foo\",\n  \"categories\" : ##TODO: Update this foreach loop to reference array from input json\n#foreach($elem in $inputRoot)\n    \"foo\"#if($foreach.hasNext),#end\n#end,\n  \"price\" : 42,\n  \"new\" : true,\n  \"inner\" : {\n    \"a\" : 42\n  }\n}";
    assert_eq!(value, json!({"value": expected}));
    let empty = bench.get(&format!("{models}/Empty/default_template")).ok(200);
    assert_eq!(empty, json!({"value": "#set($inputRoot = $input.path('$'))\n{ }"}));
    // A schema that holds itself has an end all the same.
    let endless = json!({"type": "object", "properties": {"again": {"$ref": "#"}, "and": {"$ref": "#"}}});
    let body = json!({"name": "Endless", "contentType": "application/json", "schema": endless.to_string()});
    bench.post(&models, body).ok(201);
    let value = bench.get(&format!("{models}/Endless/default_template")).ok(200);
    assert!(value["value"].as_str().unwrap().len() < 200_000);
}

#[test]
fn a_deployment_freezes_the_models_too() {
    let bench = Bench::new();
    let api = mocked(&bench);
    let deployment = crate::deployment::deploy(&bench, &api);
    bench.delete(&format!("/restapis/{api}/models/Empty")).ok(202);
    let world = bench.memory.world.lock().unwrap().clone();
    let frozen = world.frozen(&crate::deployment::scope(&api), &deployment).unwrap();
    assert!(frozen.get::<meridian::catalog::v1::Model>("Empty").unwrap().is_some());
}
