//! TestInvokeMethod: what is asked of the gateway, and how its answer is shown.

use serde_json::json;

use crate::bench::Bench;

#[test]
fn a_trial_is_of_the_draft_and_shows_status_headers_body_and_log() {
    let bench = Bench::new();
    let api = bench.api();
    let root = bench.get(&format!("/restapis/{api}/resources")).json()["item"][0]["id"].clone();
    let root = root.as_str().expect("an id").to_owned();
    let pets = bench.post(&format!("/restapis/{api}/resources/{root}"), json!({"pathPart": "{id}"})).id();
    let method = format!("/restapis/{api}/resources/{pets}/methods/GET");
    let missing = bench.post(&method, json!({}));
    assert_eq!(
        (missing.status, missing.json()["message"].as_str()),
        (404, Some("Invalid Method identifier specified"))
    );
    bench.put(&method, json!({"authorizationType": "NONE"}));
    let bare = bench.post(&method, json!({}));
    assert_eq!((bare.status, bare.json()["message"].as_str()), (400, Some("No integration defined for method")));
    bench.put(&format!("{method}/integration"), json!({"type": "MOCK"}));
    let tried = bench.post(
        &method,
        json!({
            "pathWithQueryString": "/7?a=b",
            "body": "text",
            "headers": {"X-One": "1", "X-Two": "2"},
            "multiValueHeaders": {"X-One": ["0", "1"]},
            "stageVariables": {"color": "blue"},
        }),
    );
    assert_eq!(tried.status, 200);
    assert_eq!(
        tried.json(),
        json!({
            "status": 299,
            "body": "made",
            "headers": {"Content-Type": "a/b", "Set-Cookie": "two"},
            "multiValueHeaders": {"Content-Type": ["a/b"], "Set-Cookie": ["one", "two"]},
            "log": "a log\n",
            "latency": 7,
        })
    );
    let asked = bench.trials.0.lock().unwrap().pop().expect("asked");
    assert_eq!((asked.api.as_str(), asked.resource_id.as_str()), (api.as_str(), pets.as_str()));
    assert_eq!((asked.resource_path.as_str(), asked.http_method.as_str()), ("/{id}", "GET"));
    assert_eq!((asked.target.as_deref(), &asked.body[..]), (Some("/7?a=b"), &b"text"[..]));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(asked.headers, [pair("X-One", "0"), pair("X-One", "1"), pair("X-Two", "2")]);
    assert_eq!(asked.variables.get("color").map(String::as_str), Some("blue"));
    assert!(asked.tree.len() >= 3, "the draft");
    let plain = bench.post(&method, json!({}));
    assert_eq!(plain.status, 200);
    assert_eq!(bench.trials.0.lock().unwrap().pop().expect("asked").target, None);
}
