//! DocumentationPart, and its import.

use serde_json::{Value, json};

use crate::bench::{ACCOUNT, Bench};
use crate::deployment::{bad_request, conflict, mocked, not_found};

const MISSING: &str = "Invalid Documentation part identifier specified";
const TEXT: &str = "{\"description\":\"x\"}";

#[test]
fn a_part_shows_its_location_with_what_is_meant_where_nothing_is_said() {
    let bench = Bench::new();
    let url = format!("/restapis/{}/documentation/parts", bench.api());
    let post = |location: Value| bench.post(&url, json!({"location": location, "properties": TEXT})).ok(201);
    for (given, shown) in [
        (json!({"type": "API"}), json!({"type": "API"})),
        (json!({"type": "MODEL", "name": "Pet"}), json!({"type": "MODEL", "name": "Pet"})),
        (json!({"type": "RESOURCE"}), json!({"type": "RESOURCE", "path": "/"})),
        (
            json!({"type": "METHOD", "path": "/pets", "method": "get"}),
            json!({"type": "METHOD", "path": "/pets", "method": "GET"}),
        ),
        (json!({"type": "RESPONSE"}), json!({"type": "RESPONSE", "path": "/", "method": "*", "statusCode": "*"})),
        (
            json!({"type": "RESPONSE_HEADER", "path": "/a", "statusCode": "200", "name": "X"}),
            json!({"type": "RESPONSE_HEADER", "path": "/a", "method": "*", "statusCode": "200", "name": "X"}),
        ),
    ] {
        let made = post(given);
        assert_eq!(made, json!({"id": made["id"], "location": shown, "properties": TEXT}));
        assert_eq!(bench.get(&format!("{url}/{}", made["id"].as_str().unwrap())).ok(200), made);
    }
    let count = |query: &str| bench.get(&format!("{url}?{query}")).ok(200)["item"].as_array().unwrap().len();
    assert_eq!(
        (count(""), count("type=MODEL"), count("name=X"), count("path=%2Fpets"), count("type=API&path=%2F")),
        (6, 1, 1, 1, 0)
    );
    assert_eq!(
        bench
            .post(&url, json!({"location": {"type": "METHOD", "path": "/pets", "method": "GET"}, "properties": TEXT}))
            .refusal(),
        conflict(
            "Documentation part already exists for the specified location: type 'METHOD', path '/pets', method 'GET'"
        )
    );
}

#[test]
fn a_part_is_refused_with_the_reason() {
    let bench = Bench::new();
    let url = format!("/restapis/{}/documentation/parts", bench.api());
    let post =
        |location: Value, text: &str| bench.post(&url, json!({"location": location, "properties": text})).refusal();
    assert_eq!(post(json!({"type": "API"}), ""), bad_request("Documentation part properties must be non-empty"));
    assert_eq!(post(json!({"type": "API"}), "[1]"), bad_request("Documentation part properties must be a JSON object"));
    assert_eq!(
        post(json!({"type": "API", "path": "/"}), TEXT),
        bad_request("Invalid location specified: 'path' is not valid for type 'API'")
    );
    assert_eq!(
        post(json!({"type": "MODEL"}), TEXT),
        bad_request("Invalid location specified: type 'MODEL' needs a name")
    );
    assert_eq!(
        post(json!({"type": "WRONG"}), TEXT).2,
        "1 validation error detected: Value 'WRONG' at 'createDocumentationPartInput.location.type' failed to satisfy constraint: Member must satisfy enum value set: [RESPONSE_BODY, RESPONSE, METHOD, MODEL, AUTHORIZER, RESPONSE_HEADER, RESOURCE, PATH_PARAMETER, REQUEST_BODY, QUERY_PARAMETER, API, REQUEST_HEADER]"
    );
    let gone = not_found(&format!("Invalid API identifier specified {ACCOUNT}:nope"));
    let nope = "/restapis/nope/documentation/parts";
    assert_eq!(bench.get(nope).refusal(), gone);
    assert_eq!(bench.post(nope, json!({"location": {"type": "API"}, "properties": TEXT})).refusal(), gone);
    assert_eq!(bench.get(&format!("{nope}/x")).refusal(), not_found(MISSING));
}

#[test]
fn a_part_is_patched_and_deleted() {
    let bench = Bench::new();
    let parts = format!("/restapis/{}/documentation/parts", bench.api());
    let made = bench.post(&parts, json!({"location": {"type": "API"}, "properties": TEXT})).ok(201);
    let url = format!("{parts}/{}", made["id"].as_str().unwrap());
    let after = bench.patch(&url, &[("replace", "/properties", json!("{\"a\":1}"))]).ok(200);
    assert_eq!(after, json!({"id": made["id"], "location": {"type": "API"}, "properties": "{\"a\":1}"}));
    let one = |op: &str, path: &str, value: Value| bench.patch(&url, &[(op, path, value)]).refusal();
    assert_eq!(
        one("replace", "/location", json!("x")),
        bad_request("Invalid patch path  '/location' specified for op 'replace'. Must be one of: [/properties]")
    );
    assert_eq!(
        one("add", "/properties", json!("x")),
        bad_request("Invalid patch path  '/properties' specified for op 'add'. Please choose supported operations")
    );
    assert_eq!(
        one("replace", "/properties", json!("")),
        bad_request("Documentation part properties must be non-empty")
    );
    assert_eq!(bench.delete(&url).ok(202), Value::Null);
    for seen in [bench.get(&url), bench.delete(&url), bench.patch(&url, &[])] {
        assert_eq!(seen.refusal(), not_found(MISSING));
    }
}

#[test]
fn what_has_no_part_is_listed_when_asked_for() {
    let bench = Bench::new();
    let api = mocked(&bench);
    let parts = format!("/restapis/{api}/documentation/parts");
    bench.post(&parts, json!({"location": {"type": "API"}, "properties": TEXT})).ok(201);
    let open = bench.get(&format!("{parts}?locationStatus=UNDOCUMENTED")).ok(200);
    assert_eq!(
        open,
        json!({"item": [
            {"location": {"type": "METHOD", "path": "/", "method": "GET"}},
            {"location": {"type": "MODEL", "name": "Empty"}},
            {"location": {"type": "MODEL", "name": "Error"}},
            {"location": {"type": "RESOURCE", "path": "/"}},
            {"location": {"type": "RESPONSE", "path": "/", "method": "GET", "statusCode": "200"}},
        ]})
    );
    let done = bench.get(&format!("{parts}?locationStatus=DOCUMENTED")).ok(200);
    assert_eq!(done["item"].as_array().unwrap().len(), 1);
}

#[test]
fn an_import_merges_or_overwrites() {
    let bench = Bench::new();
    let parts = format!("/restapis/{}/documentation/parts", bench.api());
    let old = bench.post(&parts, json!({"location": {"type": "API"}, "properties": TEXT})).id();
    bench.post(&parts, json!({"location": {"type": "MODEL", "name": "Kept"}, "properties": TEXT})).ok(201);
    let file = json!({
        "swagger": "2.0", "info": {"title": "pets", "version": "1"}, "paths": {},
        "x-amazon-apigateway-documentation": {"version": "1", "documentationParts": [
            {"location": {"type": "API"}, "properties": {"description": "new"}},
            {"location": {"type": "METHOD", "path": "/pets", "method": "GET"}, "properties": {"summary": "all"}},
            {"location": {"type": "MODEL"}, "properties": {}},
        ]},
    });
    let merged = bench.put(&format!("{parts}?mode=merge"), file.clone()).ok(200);
    assert_eq!(merged["ids"][0], json!(old), "the same location keeps its id");
    assert_eq!(merged["ids"].as_array().unwrap().len(), 2);
    assert_eq!(
        merged["warnings"],
        json!(["Documentation part 2 is ignored: Invalid location specified: type 'MODEL' needs a name"])
    );
    assert_eq!(bench.get(&format!("{parts}/{old}")).ok(200)["properties"], json!("{\"description\":\"new\"}"));
    let count = || bench.get(&parts).ok(200)["item"].as_array().unwrap().len();
    assert_eq!(count(), 3);
    assert_eq!(bench.put(&format!("{parts}?mode=overwrite&failonwarnings=true"), file.clone()).refusal().0, 400);
    assert_eq!(count(), 3, "a refused import changes nothing");
    let fresh = bench.put(&format!("{parts}?mode=overwrite"), file).ok(200);
    assert_eq!((count(), fresh["ids"].as_array().unwrap().len()), (2, 2));
    assert!(!fresh["ids"].as_array().unwrap().contains(&json!(old)), "an overwrite gives new ids");
    for odd in ["nonsense", "{}", "[1]"] {
        let request = Bench::request("PUT", &format!("{parts}?mode=merge"), odd.to_owned());
        assert_eq!(bench.send(request).refusal(), bad_request("Unable to build importer with provided input."));
    }
}

#[test]
fn an_import_reads_yaml_too() {
    let bench = Bench::new();
    let parts = format!("/restapis/{}/documentation/parts", bench.api());
    let file = "openapi: 3.0.1\ninfo: {title: pets, version: '1'}\nx-amazon-apigateway-documentation:\n  documentationParts:\n    - location: {type: METHOD, path: /pets, method: get}\n      properties:\n        summary: all\n";
    let done = bench.send(Bench::request("PUT", &parts, file)).ok(200);
    let id = done["ids"][0].as_str().unwrap();
    assert_eq!(
        bench.get(&format!("{parts}/{id}")).ok(200),
        json!({
            "id": id, "location": {"type": "METHOD", "path": "/pets", "method": "GET"}, "properties": "{\"summary\":\"all\"}",
        })
    );
    let bomb = "a: &a [x, x]\nb: &b [*a, *a]\n".to_owned()
        + &(0..40)
            .map(|n| format!("c{n}: &c{n} [*{0}, *{0}]\n", if n == 0 { "b".to_owned() } else { format!("c{}", n - 1) }))
            .collect::<String>();
    let refused = bench.send(Bench::request("PUT", &parts, bomb)).refusal();
    assert_eq!(refused.0, 400);
    assert!(refused.2.starts_with("Unable to build importer with provided input. /"), "{}", refused.2);
}
