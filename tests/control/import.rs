//! ImportRestApi and PutRestApi: what a file becomes, and that a bad one becomes nothing.

use serde_json::{Value, json};

use crate::bench::{Bench, NOW_MS, Seen};
use crate::deployment::{bad_request, not_found};

pub(crate) const PETSTORE: &str = include_str!("samples/petstore.json");
pub(crate) const SHOP: &str = include_str!("samples/shop.yaml");

/// Sends a file.
pub(crate) fn import(bench: &Bench, query: &str, file: &str) -> Seen {
    bench.send(Bench::request("POST", &format!("/restapis?mode=import{query}"), file.to_owned()))
}

pub(crate) fn put(bench: &Bench, api: &str, query: &str, file: &str) -> Seen {
    bench.send(Bench::request("PUT", &format!("/restapis/{api}?{query}"), file.to_owned()))
}

/// The resources of an API: path → resource.
fn resources(bench: &Bench, api: &str) -> Value {
    let list = bench.get(&format!("/restapis/{api}/resources?limit=500&embed=methods")).ok(200);
    let by_path = list["item"].as_array().unwrap().iter().map(|r| (r["path"].as_str().unwrap().to_owned(), r.clone()));
    Value::Object(by_path.collect())
}

fn paths(bench: &Bench, api: &str) -> Vec<String> {
    let mut paths: Vec<String> = resources(bench, api).as_object().unwrap().keys().cloned().collect();
    paths.sort();
    paths
}

/// A file of one mock at a path, with something changed.
fn small(change: impl FnOnce(&mut Value)) -> String {
    let mut file = json!({
        "openapi": "3.0.1", "info": {"title": "small", "version": "1"},
        "paths": {"/e": {"get": {"responses": {"200": {"description": "ok"}}, "x-amazon-apigateway-integration": {
            "type": "mock", "requestTemplates": {"application/json": "{\"statusCode\": 200}"},
            "responses": {"default": {"statusCode": "200"}},
        }}}},
    });
    change(&mut file);
    file.to_string()
}

#[test]
fn a_file_becomes_an_api_with_all_its_parts() {
    let bench = Bench::new();
    let made = import(&bench, "&endpointConfigurationTypes=REGIONAL", PETSTORE).ok(201);
    let id = made["id"].as_str().unwrap();
    let short = "{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Statement\\\":[{\\\"Effect\\\":\\\"Allow\\\",\\\"Principal\\\":\\\"*\\\",\\\"Action\\\":\\\"execute-api:Invoke\\\",\\\"Resource\\\":\\\"execute-api:\\/*\\\"}]}";
    let policy = &short.replace("execute-api:\\/*", &format!("arn:aws:execute-api:us-east-1:000000000000:{id}\\/*"));
    let wanted = json!({
        "id": id, "name": "PetStore", "description": "Pets for sale", "version": "2026-01-02",
        "createdDate": NOW_MS / 1000, "apiKeySource": "AUTHORIZER",
        "binaryMediaTypes": ["image/png", "application/zip"], "minimumCompressionSize": 1024,
        "endpointConfiguration": {"types": ["REGIONAL"], "ipAddressType": "ipv4"},
        "disableExecuteApiEndpoint": false, "policy": policy, "rootResourceId": made["rootResourceId"],
    });
    assert_eq!(made, wanted);
    assert_eq!(paths(&bench, id), ["/", "/pets", "/pets/{petId}"]);
    let all = resources(&bench, id);
    let pets = &all["/pets"];
    let get = json!({
        "httpMethod": "GET", "authorizationType": "NONE", "apiKeyRequired": true, "operationName": "ListPets",
        "requestParameters": {"method.request.header.X-Trace": true, "method.request.querystring.limit": false},
        "methodResponses": {"200": {
            "statusCode": "200", "responseModels": {"application/json": "Pets"},
            "responseParameters": {"method.response.header.X-Total": false},
        }},
        "methodIntegration": {
            "type": "HTTP", "httpMethod": "GET", "uri": "http://127.0.0.1:9/pets", "connectionType": "INTERNET",
            "requestParameters": {"integration.request.querystring.limit": "method.request.querystring.limit"},
            "passthroughBehavior": "WHEN_NO_TEMPLATES", "timeoutInMillis": 29000, "cacheNamespace": pets["id"],
            "cacheKeyParameters": ["method.request.querystring.limit"],
            "integrationResponses": {"200": {
                "statusCode": "200", "selectionPattern": "2\\d{2}",
                "responseParameters": {"method.response.header.X-Total": "integration.response.header.total"},
                "responseTemplates": {"application/json": "$input.json('$')"},
            }},
        },
    });
    assert_eq!(pets["resourceMethods"]["GET"], get);
    let post = &pets["resourceMethods"]["POST"];
    assert_eq!(post["authorizationType"], "CUSTOM");
    assert_eq!(post["requestModels"], json!({"application/json": "Pet"}));
    assert_eq!(
        post["methodIntegration"]["uri"],
        "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:pets/invocations"
    );
    let one = &all["/pets/{petId}"]["resourceMethods"];
    assert_eq!(one["GET"]["authorizationType"], "COGNITO_USER_POOLS");
    assert_eq!(one["GET"]["authorizationScopes"], json!(["pets/read"]));
    assert_eq!(one["GET"]["requestParameters"], json!({"method.request.path.petId": true}));
    assert_eq!(one["ANY"]["authorizationType"], "AWS_IAM");
    assert_eq!(one["ANY"]["methodIntegration"]["tlsConfig"], json!({"insecureSkipVerification": true}));
    assert_eq!(one["ANY"]["methodIntegration"]["httpMethod"], "ANY");
}

#[test]
fn base_paths_are_ignored_prepended_or_split() {
    let bench = Bench::new();
    let of = |query: &str, file: &str| paths(&bench, &import(&bench, query, file).id());
    assert_eq!(of("", SHOP), ["/", "/items", "/items/{id+}"]);
    assert_eq!(of("&basepath=ignore", SHOP), ["/", "/items", "/items/{id+}"]);
    assert_eq!(of("&basepath=prepend", SHOP), ["/", "/a", "/a/b", "/a/b/c", "/a/b/c/items", "/a/b/c/items/{id+}"]);
    assert_eq!(of("&basepath=split", SHOP), ["/", "/b", "/b/c", "/b/c/items", "/b/c/items/{id+}"]);
    assert_eq!(of("&basepath=split", PETSTORE), ["/", "/shop", "/shop/pets", "/shop/pets/{petId}"]);
    assert_eq!(
        import(&bench, "&basepath=odd", SHOP).refusal(),
        bad_request("Invalid basepath parameter specified. Valid options are ignore,prepend,split")
    );
}

#[test]
fn a_merge_adds_and_an_overwrite_replaces_and_ids_stay() {
    let bench = Bench::new();
    let api = import(&bench, "", PETSTORE).id();
    let before = resources(&bench, &api);
    let merged = put(&bench, &api, "", SHOP).ok(200);
    assert_eq!(merged["name"], "Shop");
    assert_eq!(merged["tags"], json!({}));
    assert_eq!(merged["binaryMediaTypes"], json!(["image/png", "application/zip", "image/gif"]));
    assert_eq!(paths(&bench, &api), ["/", "/items", "/items/{id+}", "/pets", "/pets/{petId}"]);
    assert_eq!(resources(&bench, &api)["/pets"], before["/pets"], "what the file does not name stays as it was");
    let over = put(&bench, &api, "mode=overwrite&basepath=prepend", PETSTORE).ok(200);
    assert_eq!(over["binaryMediaTypes"], json!(["image/png", "application/zip"]));
    assert_eq!(paths(&bench, &api), ["/", "/v1", "/v1/shop", "/v1/shop/pets", "/v1/shop/pets/{petId}"]);
    put(&bench, &api, "mode=overwrite", PETSTORE).ok(200);
    put(&bench, &api, "mode=overwrite", PETSTORE).ok(200);
    let again = resources(&bench, &api);
    let first = put(&bench, &api, "mode=overwrite", PETSTORE).ok(200);
    assert_eq!(resources(&bench, &api), again, "a path that survives keeps its id, an authorizer too");
    assert_eq!((&first["rootResourceId"], &first["createdDate"]), (&merged["rootResourceId"], &merged["createdDate"]));
    assert_eq!(again["/"]["id"], before["/"]["id"]);
    assert_eq!(
        put(&bench, "nothere", "mode=merge", SHOP).refusal(),
        not_found("Invalid API identifier specified 000000000000:nothere")
    );
    let odd = put(&bench, &api, "mode=odd", SHOP).refusal();
    assert_eq!((odd.0, odd.1.as_str()), (400, "ValidationException"));
}

#[test]
fn warnings_are_kept_or_refuse_the_file() {
    let bench = Bench::new();
    let file = small(|file| {
        file["paths"]["/e"]["get"]["x-amazon-apigateway-integration"]["requestParameters"] =
            json!({"integration.request.header.nothing": true});
    });
    let text = "Invalid format for 'requestParameters'. Expected type string for property 'integration.request.header.nothing' of resource '/e' and method 'GET' but got 'true'";
    let made = import(&bench, "", &file).ok(201);
    assert_eq!(made["warnings"], json!([text]));
    let seq = bench.memory.world.lock().unwrap().seq();
    let refused = import(&bench, "&failonwarnings=true", &file).refusal();
    assert_eq!(refused, bad_request(&format!("Warnings found during import:\n\t{text}")));
    assert_eq!(bench.memory.world.lock().unwrap().seq(), seq, "nothing happened");
}

#[test]
fn what_cannot_be_done_is_refused_all_at_once_and_changes_nothing() {
    let bench = Bench::new();
    let api = import(&bench, "", PETSTORE).id();
    let before = resources(&bench, &api);
    let file = small(|file| {
        file["paths"]["/e/{a}"] = json!({});
        file["paths"]["/e/{b}"] = json!({});
        file["paths"]["/{all+}/x"] = json!({});
        file["paths"]["/x y"] = json!({});
        file["paths"]["/e"]["post"] =
            json!({"responses": {}, "x-amazon-apigateway-integration": {"type": "http", "uri": "http://e"}});
        file["paths"]["/e"]["put"] = json!({"responses": {}, "x-amazon-apigateway-integration": {"type": "http", "uri": "e", "httpMethod": "GET"}});
        file["paths"]["/e"]["get"]["x-amazon-apigateway-integration"]["responses"]["5"] = json!({"statusCode": "500"});
    });
    let wanted = [
        "Errors found during import:",
        "Unable to put integration response on 'GET' for resource at path '/e': Invalid Response status code specified",
        "Unable to put integration on 'POST' for resource at path '/e': Enumeration value for HttpMethod must be non-empty",
        "Unable to put integration on 'PUT' for resource at path '/e': Invalid HTTP endpoint specified for URI",
        "Unable to create resource at path '/e/{b}': A sibling ({a}) of this resource already has a variable path part -- only one is allowed",
        "Unable to create resource at path '/{all+}/x': Cannot create a child of a resource with a greedy path variable: {all+}",
        "Unable to create resource at path '/x y': Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning and the end.",
    ];
    for mode in ["merge", "overwrite"] {
        let refused = put(&bench, &api, &format!("mode={mode}"), &file).refusal();
        assert_eq!(refused, bad_request(&wanted.join("\n\t")));
    }
    assert_eq!(resources(&bench, &api), before);
    assert_eq!(import(&bench, "", &file).refusal(), bad_request(&wanted.join("\n\t")));
    assert_eq!(bench.get("/restapis").ok(200)["item"].as_array().unwrap().len(), 1);
}

#[test]
fn a_file_that_is_none_is_refused_in_aws_words() {
    let bench = Bench::new();
    let api = bench.api();
    for file in ["{", "fake", "", "[]", "\"x\"", "{}", "a: [", "swagger: 2.0\nopenapi: 3.0.0\n", "\u{0}", "null"] {
        assert_eq!(import(&bench, "", file).refusal(), bad_request("Invalid OpenAPI input."), "{file:?}");
        assert_eq!(put(&bench, &api, "", file).refusal(), bad_request("Invalid OpenAPI input."), "{file:?}");
    }
    let message = |file: &str| {
        let (status, name, message) = import(&bench, "", file).refusal();
        assert_eq!((status, name.as_str()), (400, "BadRequestException"), "{message}");
        message
    };
    assert_eq!(
        message("{\"swagger\":\"1.2\"}"),
        "Errors found during import:\n\t/swagger: version \"1.2\" is not supported, 2.0 is"
    );
    assert_eq!(
        message("{\"openapi\":\"3.0.1\",\"paths\":{\"/a\":{},\"/a\":{}}}"),
        "Invalid OpenAPI input. /paths/~1a: the key is given twice"
    );
    assert_eq!(
        message(&small(|file| file["paths"]["/e/"] = json!({}))),
        "Errors found during import:\n\t/paths/~1e~1: the same path stands at /paths/~1e"
    );
    assert_eq!(
        message(&small(|file| file["components"]["schemas"]["a-b"] = json!({}))),
        "Errors found during import:\n\tUnable to create model for 'a-b': Model name must be alphanumeric: a-b"
    );
    assert_eq!(
        message(&small(|file| file["paths"]["/e"]["get"]["x-amazon-apigateway-integration"]["type"] = json!("teapot"))),
        "Errors found during import:\n\tUnable to put integration on 'GET' for resource at path '/e': unknown integration type \"TEAPOT\""
    );
}

#[test]
fn what_openapi_3_1_says_and_models_cannot_is_refused_by_its_place() {
    let bench = Bench::new();
    let new = |change: &dyn Fn(&mut Value)| {
        small(|file| {
            file["openapi"] = json!("3.1.0");
            file["components"]["schemas"]["A"] = json!({"type": ["string", "null"]});
            change(file);
        })
    };
    import(&bench, "", &new(&|_| {})).ok(201);
    let refused = import(
        &bench,
        "",
        &new(&|file| {
            file["webhooks"] = json!({"x": {}});
            file["components"]["schemas"]["B"] = json!({"properties": {"p": {"const": 1}}, "if": {}});
        }),
    );
    assert_eq!(
        refused.refusal(),
        bad_request(concat!(
            "Errors found during import:",
            "\n\t/webhooks: this part of OpenAPI 3.1 cannot be represented",
            "\n\t/components/schemas/B/properties/p/const: this keyword cannot be represented in JSON Schema draft 4",
            "\n\t/components/schemas/B/if: this keyword cannot be represented in JSON Schema draft 4",
        ))
    );
}
