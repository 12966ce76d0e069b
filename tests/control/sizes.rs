//! Limits of texts and collections: a call that says too much is refused by the name of the member.

use serde_json::{Map, Value, json};

use crate::bench::{Bench, Seen};
use crate::deployment::bad_request;

#[track_caller]
fn long(seen: &Seen, member: &str, most: usize) {
    let text = format!("Invalid {member} specified: it may have at most {most} characters");
    assert_eq!(seen.refusal(), bad_request(&text));
}

#[track_caller]
fn many(seen: &Seen, member: &str, most: usize) {
    let text = format!("Invalid {member} specified: it may have at most {most} entries");
    assert_eq!(seen.refusal(), bad_request(&text));
}

fn map_of(count: usize, key: impl Fn(usize) -> String, value: &Value) -> Value {
    Value::Object((0..count).map(|n| (key(n), value.clone())).collect::<Map<String, Value>>())
}

#[test]
fn a_long_text_is_refused_by_the_name_of_its_member_wherever_it_comes() {
    let bench = Bench::new();
    let two_megabytes = "d".repeat(2 << 20);
    let api = bench.api();
    let at = |rest: &str| format!("/restapis/{api}{rest}");
    for (target, input) in [
        ("/restapis".to_owned(), json!({"name": "a"})),
        (at("/deployments"), json!({})),
        (at("/models"), json!({"name": "A", "contentType": "application/json"})),
        (at("/documentation/versions"), json!({"documentationVersion": "1"})),
        ("/usageplans".to_owned(), json!({"name": "a"})),
        ("/clientcertificates".to_owned(), json!({})),
        ("/vpclinks".to_owned(), json!({"name": "a", "targetArns": ["x"]})),
    ] {
        let mut input = input;
        input["description"] = json!(two_megabytes);
        long(&bench.post(&target, input), "description", 125_000);
    }
    for target in [at(""), at("/stages/prod"), at("/models/Empty"), at("/deployments/x"), "/usageplans/x".to_owned()] {
        long(&bench.patch(&target, &[("replace", "/description", json!(two_megabytes))]), "description", 125_000);
    }
    let file = json!({"swagger": "2.0", "info": {"title": "t", "description": two_megabytes}, "paths": {}});
    long(&bench.post("/restapis?mode=import", file), "description", 125_000);
    // The last that fits, in letters and not in bytes.
    bench.post("/restapis", json!({"name": "a", "description": "ö".repeat(125_000)})).ok(201);
    long(&bench.post("/restapis", json!({"name": "n".repeat(1_025)})), "name", 1_024);
    long(&bench.patch(&at(""), &[("replace", &format!("/{}", "p".repeat(9_000)), json!("x"))]), "path", 8_192);
    let own = bench.post("/apikeys", json!({"description": two_megabytes}));
    assert_eq!(own.refusal(), bad_request("Invalid API Key description specified."));
}

#[test]
fn a_long_template_or_expression_is_refused_by_the_name_of_its_map() {
    let bench = Bench::new();
    let api = bench.post("/restapis", json!({"name": "pets"})).ok(201);
    let (api, root) = (api["id"].as_str().unwrap().to_owned(), api["rootResourceId"].as_str().unwrap().to_owned());
    let method = format!("/restapis/{api}/resources/{root}/methods/GET");
    bench.put(&method, json!({"authorizationType": "NONE"})).ok(201);
    let integration = format!("{method}/integration");
    let with = |length: usize| json!({"type": "MOCK", "requestTemplates": {"application/json": "t".repeat(length)}});
    long(&bench.put(&integration, with(307_201)), "requestTemplates", 307_200);
    bench.put(&integration, with(307_200)).ok(201);
    let patched =
        bench.patch(&integration, &[("add", "/requestTemplates/application~1json", json!("t".repeat(307_201)))]);
    long(&patched, "requestTemplates", 307_200);
    let expression = json!({"type": "MOCK", "requestParameters": {"integration.request.header.a": "e".repeat(10_241)}});
    long(&bench.put(&integration, expression), "requestParameters", 10_240);
}

#[test]
fn a_collection_is_counted_in_a_call_and_over_many_patches() {
    let bench = Bench::new();
    let api = bench.post("/restapis", json!({"name": "pets"})).ok(201);
    let (api, root) = (api["id"].as_str().unwrap().to_owned(), api["rootResourceId"].as_str().unwrap().to_owned());
    let method = format!("/restapis/{api}/resources/{root}/methods/GET");
    let header = |n: usize| format!("method.request.header.h{n}");
    let with =
        |count: usize| json!({"authorizationType": "NONE", "requestParameters": map_of(count, header, &json!(true))});
    many(&bench.put(&method, with(301)), "requestParameters", 300);
    bench.put(&method, with(299)).ok(201);
    let add = |n: usize| bench.patch(&method, &[("add", &format!("/requestParameters/{}", header(n)), json!("true"))]);
    add(299).ok(200);
    many(&add(300), "requestParameters", 300);
    let steps: Vec<_> = (0..1_001).map(|_| ("replace", "/operationName", json!("x"))).collect();
    let text = "patchOperations has 1001 members, at most 1000 are applied at once";
    assert_eq!(bench.patch(&method, &steps).refusal(), bad_request(text));
    let types: Vec<String> = (0..201).map(|n| format!("image/{n}")).collect();
    many(&bench.post("/restapis", json!({"name": "a", "binaryMediaTypes": types})), "binaryMediaTypes", 200);
    for n in 0..200 {
        bench
            .patch(&format!("/restapis/{api}"), &[("add", &format!("/binaryMediaTypes/image~1{n}"), Value::Null)])
            .ok(200);
    }
    let one_more = bench.patch(&format!("/restapis/{api}"), &[("add", "/binaryMediaTypes/image~1x", Value::Null)]);
    many(&one_more, "binaryMediaTypes", 200);
}

#[test]
fn a_refused_word_is_not_sent_back_whole() {
    let bench = Bench::new();
    let seen = bench.post("/restapis", json!({"name": "a", "apiKeySource": "k".repeat(2 << 20)}));
    assert_eq!((seen.status, seen.header("x-amzn-errortype")), (400, Some("ValidationException")));
    assert!(seen.text.len() < 2_000, "{} bytes", seen.text.len());
}

#[test]
fn a_method_does_not_grow_without_end_by_small_calls() {
    let bench = Bench::new();
    let api = bench.post("/restapis", json!({"name": "pets"})).ok(201);
    let (api, root) = (api["id"].as_str().unwrap().to_owned(), api["rootResourceId"].as_str().unwrap().to_owned());
    let method = format!("/restapis/{api}/resources/{root}/methods/GET");
    bench.put(&method, json!({"authorizationType": "NONE"})).ok(201);
    bench.put(&format!("{method}/integration"), json!({"type": "MOCK"})).ok(201);
    let templates = map_of(30, |n| format!("text/{n}"), &json!("t".repeat(300_000)));
    let answer = |code: usize| {
        bench.put(&format!("{method}/responses/{code}"), json!({})).ok(201);
        bench.put(&format!("{method}/integration/responses/{code}"), json!({"responseTemplates": templates}))
    };
    answer(200).ok(201);
    let refused = bad_request("The Method would have more than 16777216 bytes with all of its parts");
    assert_eq!(answer(201).refusal(), refused);
}
