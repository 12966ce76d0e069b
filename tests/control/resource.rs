//! Resource.

use serde_json::{Value, json};

use crate::bench::Bench;

fn not_found() -> (u16, String, String) {
    (404, "NotFoundException".into(), "Invalid Resource identifier specified".into())
}

fn bad_request(message: &str) -> (u16, String, String) {
    (400, "BadRequestException".into(), message.into())
}

/// An API, the URL of its resources, its root.
fn tree(bench: &Bench) -> (String, String) {
    let made = bench.post("/restapis", json!({"name": "pets"})).ok(201);
    (
        format!("/restapis/{}/resources", made["id"].as_str().unwrap()),
        made["rootResourceId"].as_str().unwrap().to_owned(),
    )
}

fn child(bench: &Bench, url: &str, parent: &str, part: &str) -> String {
    bench.post(&format!("{url}/{parent}"), json!({"pathPart": part})).id()
}

#[test]
fn resources_form_a_tree_whose_paths_are_shown() {
    let bench = Bench::new();
    let (url, root) = tree(&bench);
    assert_eq!(bench.get(&format!("{url}/{root}")).ok(200), json!({"id": root, "path": "/"}));
    let pets = child(&bench, &url, &root, "pets");
    assert_eq!(pets.len(), 6);
    let made = bench.post(&format!("{url}/{pets}"), json!({"pathPart": "{petId}"})).ok(201);
    assert_eq!(made, json!({"id": made["id"], "parentId": pets, "pathPart": "{petId}", "path": "/pets/{petId}"}));
    assert_eq!(bench.get(&format!("{url}/{}", made["id"].as_str().unwrap())).ok(200), made);
    let list = bench.get(&url).ok(200);
    let mut paths: Vec<&str> = list["item"].as_array().unwrap().iter().map(|r| r["path"].as_str().unwrap()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/", "/pets", "/pets/{petId}"]);
    bench.put(&format!("{url}/{pets}/methods/GET"), json!({"authorizationType": "NONE"})).ok(201);
    assert_eq!(bench.get(&format!("{url}/{pets}")).ok(200)["resourceMethods"], json!({"GET": {}}));
    let method = json!({"httpMethod": "GET", "authorizationType": "NONE", "apiKeyRequired": false});
    assert_eq!(bench.get(&format!("{url}/{pets}?embed=methods")).ok(200)["resourceMethods"], json!({"GET": method}));
    let list = bench.get(&format!("{url}?embed=methods&limit=500")).ok(200);
    let embedded: Vec<&Value> =
        list["item"].as_array().unwrap().iter().filter_map(|r| r.get("resourceMethods")).collect();
    assert_eq!(embedded, [&json!({"GET": method})]);
}

#[test]
fn a_resource_that_does_not_fit_is_refused() {
    let bench = Bench::new();
    let (url, root) = tree(&bench);
    let create = |parent: &str, part: &str| bench.post(&format!("{url}/{parent}"), json!({"pathPart": part})).refusal();
    let pets = child(&bench, &url, &root, "pets");
    let conflict = "Another resource with the same parent already has this name: pets";
    assert_eq!(create(&root, "pets"), (409, "ConflictException".into(), conflict.into()));
    let proxy = child(&bench, &url, &pets, "{proxy+}");
    let sibling = "A sibling ({proxy+}) of this resource already has a variable path part -- only one is allowed";
    assert_eq!(create(&pets, "{other}"), bad_request(sibling));
    let greedy = "Cannot create a child of a resource with a greedy path variable: {proxy+}";
    assert_eq!(create(&proxy, "x"), bad_request(greedy));
    assert_eq!(create("nobody", "x"), not_found());
    assert_eq!(bench.post("/restapis/nobody/resources/x", json!({"pathPart": "x"})).refusal(), not_found());
    for part in ["a/b", "", "a b", "{a", "a}", "{}", "{+}", "x{a}", "é", "{a+b}"] {
        let (status, _, message) = create(&root, part);
        assert_eq!(status, 400, "{part}: {message}");
        assert!(message.starts_with("Resource's path part only allow"), "{message}");
    }
    for part in ["a:b", "a,b", "A-._z", "{x.y}", "{id}:batch"] {
        let made = bench.post(&format!("{url}/{root}"), json!({"pathPart": part})).status;
        assert_eq!(made, if part.contains(":batch") { 400 } else { 201 }, "{part}");
    }
}

#[test]
fn moving_a_resource_rewrites_the_paths_below_it() {
    let bench = Bench::new();
    let (url, root) = tree(&bench);
    let a = child(&bench, &url, &root, "a");
    let b = child(&bench, &url, &a, "b");
    let c = child(&bench, &url, &b, "c");
    let other = child(&bench, &url, &root, "ab");
    let path = |id: &str| bench.get(&format!("{url}/{id}")).ok(200)["path"].as_str().unwrap().to_owned();
    let patch =
        |id: &str, name: &str, value: &str| bench.patch(&format!("{url}/{id}"), &[("replace", name, json!(value))]);
    let moved = patch(&b, "/parentId", &other).ok(200);
    assert_eq!(moved, json!({"id": b, "parentId": other, "pathPart": "b", "path": "/ab/b"}));
    assert_eq!(path(&c), "/ab/b/c");
    patch(&other, "/pathPart", "xy").ok(200);
    assert_eq!((path(&b).as_str(), path(&c).as_str(), path(&a).as_str()), ("/xy/b", "/xy/b/c", "/a"));
    assert_eq!(patch(&other, "/parentId", &c).refusal(), bad_request("Resources cannot be cyclical."));
    assert_eq!(patch(&b, "/parentId", &b).refusal(), bad_request("Resources cannot be cyclical."));
    assert_eq!(patch(&root, "/pathPart", "x").refusal(), bad_request("Root resource cannot update its pathPart."));
    assert_eq!(patch(&root, "/parentId", &a).refusal(), bad_request("Root resource cannot update its parentId."));
    assert_eq!(patch(&a, "/parentId", "nobody").refusal(), not_found());
    assert_eq!(patch(&a, "/pathPart", "xy").refusal().0, 409);
    let path_error = "Invalid patch path  '/id' specified for op 'replace'. Must be one of: [/parentId, /pathPart]";
    assert_eq!(patch(&a, "/id", "x").refusal(), bad_request(path_error));
    let op_error = "Invalid patch path  '/pathPart' specified for op 'add'. Please choose supported operations";
    assert_eq!(
        bench.patch(&format!("{url}/{a}"), &[("add", "/pathPart", json!("x"))]).refusal(),
        bad_request(op_error)
    );
}

#[test]
fn deleting_a_resource_takes_all_below_it_and_no_other() {
    let bench = Bench::new();
    let (url, root) = tree(&bench);
    let a = child(&bench, &url, &root, "a");
    let b = child(&bench, &url, &a, "b");
    let ab = child(&bench, &url, &root, "ab");
    bench.put(&format!("{url}/{b}/methods/ANY"), json!({"authorizationType": "NONE"})).ok(201);
    assert_eq!(bench.delete(&format!("{url}/{root}")).refusal().0, 400);
    bench.delete(&format!("{url}/{a}")).ok(202);
    assert_eq!(bench.get(&format!("{url}/{b}")).refusal(), not_found());
    assert_eq!(bench.delete(&format!("{url}/{a}")).refusal(), not_found());
    bench.get(&format!("{url}/{ab}")).ok(200);
    assert_eq!(bench.get(&url).ok(200)["item"].as_array().unwrap().len(), 2);
    let rows = bench.memory.world.lock().unwrap().scopes().count();
    assert_eq!(rows, 1);
}
