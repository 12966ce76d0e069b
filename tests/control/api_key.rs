//! ApiKey: create, list, PATCH, delete, import of CSV.

use bytes::Bytes;
use http::Request;
use meridian::catalog::Table;
use meridian::catalog::{AccountId, Region};
use meridian::state::Scope;
use serde_json::{Value, json};

use crate::bench::{ACCOUNT, Bench, NOW_MS, Seen};
use crate::deployment::{bad_request, not_found};

const VALUE: &str = "0123456789abcdefghij";

fn import(bench: &Bench, more: &str, csv: impl Into<Bytes>) -> Seen {
    let target = format!("/apikeys?mode=import&format=csv{more}");
    let request = Request::builder().method("POST").uri(target).header("host", "127.0.0.1:4566");
    bench.send(request.header("content-type", "text/csv").body(csv.into()).unwrap())
}

fn names(seen: &Value) -> Vec<&str> {
    let mut names: Vec<_> = seen["item"].as_array().unwrap().iter().map(|k| k["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_key_shows_its_value_once_and_later_only_when_asked() {
    let bench = Bench::new();
    let made = bench.post("/apikeys", json!({})).ok(201);
    let (id, value) = (made["id"].as_str().unwrap(), made["value"].as_str().unwrap());
    assert!(id.len() == 10 && value.len() == 40 && value.bytes().all(|b| b.is_ascii_alphanumeric()));
    let mut expected = json!({
        "id": id, "value": value, "enabled": false, "stageKeys": [],
        "createdDate": NOW_MS / 1000, "lastUpdatedDate": NOW_MS / 1000,
    });
    assert_eq!(made, expected);
    assert_eq!(bench.get("/apikeys?includeValues=true").ok(200), json!({"item": [expected]}));
    expected["tags"] = json!({});
    assert_eq!(bench.get(&format!("/apikeys/{id}?includeValue=true")).ok(200), expected);
    expected.as_object_mut().unwrap().remove("value");
    assert_eq!(bench.get(&format!("/apikeys/{id}")).ok(200), expected);
    let full = json!({
        "name": "mobile", "description": "the app", "enabled": true, "value": VALUE, "customerId": "c",
        "tags": {"team": "pets"}, "generateDistinctId": true,
    });
    let made = bench.post("/apikeys", full).ok(201);
    assert_eq!(
        made,
        json!({
            "id": made["id"], "value": VALUE, "name": "mobile", "description": "the app", "enabled": true,
            "customerId": "c", "tags": {"team": "pets"}, "stageKeys": [],
            "createdDate": NOW_MS / 1000, "lastUpdatedDate": NOW_MS / 1000,
        })
    );
    assert_eq!(bench.delete(&format!("/apikeys/{id}")).ok(202), Value::Null);
    for seen in [bench.get(&format!("/apikeys/{id}")), bench.delete(&format!("/apikeys/{id}"))] {
        assert_eq!(seen.refusal(), not_found("Invalid API Key identifier specified"));
    }
}

#[test]
fn a_value_is_stored_sealed_and_belongs_to_one_key() {
    let bench = Bench::new();
    let id = bench.post("/apikeys", json!({"value": VALUE, "name": "a"})).id();
    let region = Scope::region(&AccountId::from(ACCOUNT), &Region::from("us-east-1"));
    let row = bench.memory.world.lock().unwrap().row(&region, Table::ApiKey, &id).unwrap().bytes().to_vec();
    let found = |part: &[u8]| row.windows(part.len()).any(|window| window == part);
    assert!(!found(VALUE.as_bytes()), "the row holds the value in the clear");
    assert!(found(&VALUE.bytes().rev().collect::<Vec<u8>>()), "the row holds the sealed value");
    assert_eq!(
        bench.post("/apikeys", json!({"value": VALUE})).refusal(),
        (409, "ConflictException".to_owned(), "API Key already exists".to_owned())
    );
    bench.delete(&format!("/apikeys/{id}")).ok(202);
    bench.post("/apikeys", json!({"value": VALUE})).ok(201);
}

#[test]
fn the_reply_that_is_kept_for_retries_is_sealed_too() {
    use meridian::cluster::{self, Evaluate, Stamp};
    use meridian::control::{Call, Evaluator, ROOM, model::Operation, model::Service, wire};
    let call = Call {
        operation: Operation::named(Service::V1, "CreateApiKey").unwrap(),
        account: AccountId::from(ACCOUNT),
        region: Region::from("us-east-1"),
        caller: "test".into(),
        input: json!({"value": VALUE}).as_object().unwrap().clone(),
        body: Bytes::new(),
    };
    let payload = wire::encode_call(&call).unwrap();
    let proposal = cluster::Call { id: "a".into(), payload_hash: [0; 32], room: ROOM, payload };
    let evaluator = Evaluator::new(std::sync::Arc::new(crate::bench::Reverse));
    let stamp = Stamp { time_ms: NOW_MS, seed: [1; 16] };
    let done = evaluator.evaluate(&proposal, &meridian::state::World::default(), &stamp);
    assert_eq!(done.ops.len(), 1);
    assert!(!done.reply.windows(VALUE.len()).any(|window| window == VALUE.as_bytes()), "the reply is in the clear");
}

#[test]
fn a_key_out_of_bounds_is_refused() {
    let bench = Bench::new();
    let create = |body: Value| bench.post("/apikeys", body).refusal();
    assert_eq!(create(json!({"value": "short"})), bad_request("API Key value should be at least 20 characters"));
    assert_eq!(
        create(json!({"value": "x".repeat(129)})),
        bad_request("API Key value exceeds maximum size of 128 characters")
    );
    assert_eq!(
        create(json!({"name": "x".repeat(1025)})),
        bad_request("Invalid API Key name, can be at most 1024 characters.")
    );
    assert_eq!(
        create(json!({"description": "x".repeat(125_001)})),
        bad_request("Invalid API Key description specified.")
    );
    assert_eq!(
        create(json!({"value": "with a blank in the middle"})),
        bad_request("API Key value contains characters that a header cannot carry")
    );
    assert_eq!(
        create(json!({"stageKeys": [{"restApiId": "a", "stageName": "b"}]})),
        not_found("Invalid stage identifier specified")
    );
    let (status, name, message) = create(json!({"enabled": "true"}));
    assert_eq!((status, name.as_str()), (400, "SerializationException"), "{message}");
    let (status, name, message) = create(json!({"name": 5}));
    assert_eq!(
        (status, name.as_str(), message.as_str()),
        (
            400,
            "SerializationException",
            "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String"
        )
    );
    for edge in [json!({"value": "x".repeat(20)}), json!({"value": "x".repeat(128)}), json!({"value": "", "name": ""})]
    {
        let made = bench.post("/apikeys", edge).ok(201);
        assert_eq!(made.get("name"), None, "an empty name is dropped");
    }
    assert_eq!(bench.get("/apikeys").ok(200)["item"].as_array().unwrap().len(), 3);
}

#[test]
fn the_list_is_filtered_by_a_prefix_of_the_name_and_by_customer_and_comes_in_pages() {
    let bench = Bench::new();
    for (name, customer) in [("pets-a", "c1"), ("pets-b", "c2"), ("Pets-c", "c1"), ("my-pets", "c1")] {
        bench.post("/apikeys", json!({"name": name, "customerId": customer})).ok(201);
    }
    let list = |query: &str| bench.get(&format!("/apikeys?{query}")).ok(200);
    assert_eq!(names(&list("name=pets")), ["pets-a", "pets-b"]);
    assert_eq!(names(&list("customerId=c1&name=Pets")), ["Pets-c"]);
    assert_eq!(names(&list("customerId=nobody")), Vec::<&str>::new());
    let (mut seen, mut position, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = list(&format!("limit=3&position={position}"));
        seen.extend(names(&page).into_iter().map(str::to_owned));
        pages += 1;
        match page["position"].as_str() {
            Some(next) => position = next.to_owned(),
            None => break,
        }
    }
    seen.sort_unstable();
    assert_eq!((pages, seen), (2, ["Pets-c", "my-pets", "pets-a", "pets-b"].map(str::to_owned).to_vec()));
    assert_eq!(list("limit=0")["item"].as_array().unwrap().len(), 4, "a limit of nothing is the default");
    assert_eq!(bench.get("/apikeys?position=%25").status, 400);
}

#[test]
fn a_key_changes_by_patch() {
    let bench = Bench::new();
    let id = bench.post("/apikeys", json!({"name": "a", "value": VALUE})).id();
    let target = format!("/apikeys/{id}");
    let changed = bench.patch(
        &target,
        &[
            ("replace", "/name", json!("b")),
            ("replace", "/description", json!("d")),
            ("replace", "/enabled", json!("true")),
            ("replace", "/customerId", json!("c")),
            ("add", "/labels", json!("x")),
        ],
    );
    let expected = json!({
        "id": id, "name": "b", "description": "d", "enabled": true, "customerId": "c", "stageKeys": [], "tags": {},
        "createdDate": NOW_MS / 1000, "lastUpdatedDate": NOW_MS / 1000,
    });
    assert_eq!(changed.ok(200), expected);
    assert_eq!(bench.get(&target).ok(200), expected);
    let off = bench.patch(&target, &[("replace", "/enabled", json!("nonsense"))]).ok(200);
    assert_eq!(off["enabled"], json!(false));
    assert_eq!(
        bench.patch(&target, &[("replace", "/name", json!("c")), ("replace", "/id", json!("x"))]).refusal(),
        bad_request(
            "Invalid patch path  '/id' specified for op 'replace'. Must be one of: [/description, /enabled, /name, /customerId]"
        )
    );
    assert_eq!(
        bench.patch(&target, &[("replace", "/value", json!("x"))]).refusal().2,
        "Invalid patch path  '/value' specified for op 'replace'. Must be one of: [/description, /enabled, /name, /customerId]"
    );
    assert_eq!(
        bench.patch(&target, &[("replace", "/description", json!("x".repeat(125_001)))]).refusal(),
        bad_request("Invalid API Key description specified.")
    );
    assert_eq!(bench.get(&target).ok(200)["name"], json!("b"), "a refused PATCH changes nothing");
    let emptied = bench.patch(&target, &[("replace", "/name", json!("")), ("replace", "/customerId", Value::Null)]);
    let emptied = emptied.ok(200);
    assert_eq!((emptied.get("name"), emptied.get("customerId")), (None, None));
}

#[test]
fn a_file_of_keys_is_imported_and_bad_rows_are_warnings() {
    let bench = Bench::new();
    let plan = bench.post("/usageplans", json!({"name": "p"})).id();
    let csv = format!(
        "Name,key,description,Enabled,UsagePlanIds,Extra\n\
         first, aaaaaaaaaaaaaaaaaaaa ,one,,{plan},x\n\
         short,tooshort,,,,\n\
         second,bbbbbbbbbbbbbbbbbbbb,two,FALSE,\"{plan},nope\",x\n\
         third,cccccccccccccccccccc,,perhaps,,\n\
         again,aaaaaaaaaaaaaaaaaaaa,over,TRUE,,\n"
    );
    let seen = import(&bench, "", csv.clone()).ok(201);
    let ids = seen["ids"].as_array().unwrap().clone();
    assert_eq!(ids.len(), 2);
    assert_eq!(
        seen["warnings"],
        json!([
            "Row 3: API Key value should be at least 20 characters",
            "Row 4: Invalid Usage Plan ID specified nope",
            "Row 5: Enabled must be true or false",
        ])
    );
    let shown = |id: &Value| bench.get(&format!("/apikeys/{}?includeValue=true", id.as_str().unwrap())).ok(200);
    let first = shown(&ids[0]);
    assert_eq!(
        (&first["name"], &first["description"], &first["enabled"], &first["value"]),
        (&json!("again"), &json!("over"), &json!(true), &json!("aaaaaaaaaaaaaaaaaaaa")),
        "a later row of the same value overwrites"
    );
    assert_eq!(shown(&ids[1])["enabled"], json!(false));
    let members = bench.get(&format!("/usageplans/{plan}/keys")).ok(200);
    assert_eq!(names(&members), ["again", "second"]);

    let again = import(&bench, "", "Key,Name\naaaaaaaaaaaaaaaaaaaa,renamed\n").ok(201);
    assert_eq!(again, json!({"ids": [ids[0]], "warnings": []}), "a known value keeps its id");
    assert_eq!(names(&bench.get("/apikeys").ok(200)), ["renamed", "second"]);
    assert_eq!(names(&bench.get(&format!("/usageplans/{plan}/keys")).ok(200)), ["renamed", "second"]);
}

#[test]
fn an_imported_key_does_not_join_a_second_plan_of_the_same_stage() {
    let bench = Bench::new();
    let api = crate::deployment::mocked(&bench);
    bench.post(&format!("/restapis/{api}/deployments"), json!({"stageName": "prod"})).ok(201);
    let stages = json!([{"apiId": api, "stage": "prod"}]);
    let plans = ["a", "b"].map(|name| bench.post("/usageplans", json!({"name": name, "apiStages": stages})).id());
    let csv = format!("Key,Name,UsagePlanIds\n{VALUE},n,'{},{}'\n", plans[0], plans[1]);
    let seen = import(&bench, "", csv).ok(201);
    let id = seen["ids"][0].as_str().unwrap();
    let warning = format!(
        "Row 2: Usage Plan {} cannot be added because API Key {id} cannot reference multiple Usage Plans with the same API stage: {api}:prod",
        plans[1]
    );
    assert_eq!(seen["warnings"], json!([warning]));
    let of_key = bench.get(&format!("/usageplans?keyId={id}")).ok(200);
    assert_eq!(of_key["item"].as_array().unwrap().iter().map(|p| &p["id"]).collect::<Vec<_>>(), [&json!(plans[0])]);
}

#[test]
fn keys_of_one_region_are_nothing_to_another() {
    let bench = Bench::new();
    let body = json!({"value": VALUE, "name": "here"}).to_string();
    let id = bench.send(Bench::request("POST", "/apikeys", body.clone())).id();
    let there = |method: &str, target: &str, body: String| {
        let mut request = Bench::request(method, target, body);
        request.headers_mut().insert("x-meridian-region", http::HeaderValue::from_static("eu-west-1"));
        request.headers_mut().insert("authorization", http::HeaderValue::from_static("Bearer any"));
        bench.send(request)
    };
    let missing = not_found("Invalid API Key identifier specified");
    assert_eq!(there("GET", &format!("/apikeys/{id}"), String::new()).refusal(), missing);
    assert_eq!(there("DELETE", &format!("/apikeys/{id}"), String::new()).refusal(), missing);
    assert_eq!(there("GET", "/apikeys", String::new()).ok(200), json!({"item": []}));
    there("POST", "/apikeys", body).ok(201);
    assert_eq!(names(&bench.get("/apikeys").ok(200)), ["here"]);
}

#[test]
fn an_import_that_fails_imports_nothing() {
    let bench = Bench::new();
    let csv = "Key,Name\naaaaaaaaaaaaaaaaaaaa,good\nshort,bad\n";
    let (status, name, message) = import(&bench, "&failonwarnings=true", csv).refusal();
    assert_eq!((status, name.as_str()), (400, "BadRequestException"));
    assert_eq!(message, "Failed to import API keys: Row 3: API Key value should be at least 20 characters");
    for odd in ["", "\n", "Name\nx\n", "Key,Nom\na,b\n", "not a csv \"at all"] {
        let (status, name, message) = import(&bench, "", odd).refusal();
        assert_eq!((status, name.as_str()), (400, "BadRequestException"), "{odd:?}: {message}");
    }
    let (status, _, message) = import(&bench, "", Bytes::from_static(&[0xff, 0xfe, 0])).refusal();
    assert_eq!((status, message.as_str()), (400, "The file is not UTF-8 text"));
    let xml = bench.send(Bench::request("POST", "/apikeys?mode=import&format=xml", "x"));
    assert_eq!((xml.status, xml.refusal().1.as_str()), (400, "ValidationException"));
    let many = format!("Key,Name\n{}", "aaaaaaaaaaaaaaaaaaaa,n\n".repeat(10_001));
    assert_eq!(import(&bench, "", many).refusal(), bad_request("The file has more than 10000 rows of keys"));
    let quoted = import(&bench, "", "Key,Name\n\"unclosed,\n").ok(201);
    assert_eq!(quoted["ids"], json!([]), "an unclosed quote is one bad row: {quoted}");
    assert_eq!(bench.get("/apikeys").ok(200), json!({"item": []}));
}
