//! The walk itself: the door, who calls, unknown and absent operations, bodies, indexes.

use meridian::catalog::cluster::{AdminKey, Node};
use meridian::catalog::{AccountId, Region};
use meridian::cluster::Wait;
use meridian::control::Seal;
use meridian::spec::sigv4::{self, Credentials, Signer};
use meridian::state::{Ops, Scope};
use serde_json::{Value, json};

use crate::bench::{Bench, NOW_MS, Reverse};

const SECRET: &str = "root-secret";

/// A node that asks for credentials, with one access key and one bearer token.
fn guarded() -> Bench {
    let bench = Bench::with(|s| s.dev = false);
    let mut ops = Ops::new();
    let key = AdminKey {
        account: AccountId::from("111122223333"),
        secret_sealed: Reverse.seal(SECRET.as_bytes(), [0; 16]),
        ..AdminKey::default()
    };
    ops.put(&Scope::cluster(), "AKROOT", &key);
    let token = AdminKey { account: AccountId::from("111122223333"), ..AdminKey::default() };
    ops.put(&Scope::cluster(), &format!("token:{}", sigv4::sha256_hex(b"bearer-token")), &token);
    bench.memory.put(&ops.0);
    bench
}

fn signed(
    method: &str,
    target: &str,
    body: &str,
    region: &str,
    secret: &str,
    at_ms: i64,
) -> http::Request<bytes::Bytes> {
    let mut request = Bench::request(method, target, body.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = vec![("host".to_owned(), "127.0.0.1:4566".to_owned())];
    let credentials = Credentials { access_key: "AKROOT".into(), secret: secret.into(), token: None };
    let what = sigv4::Request { method, path, query, headers: &headers, body: body.as_bytes() };
    for (name, value) in Signer::new(credentials, region).sign(&what, at_ms) {
        request.headers_mut().insert(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    }
    request
}

#[test]
fn a_signed_call_acts_in_the_account_of_its_key_and_the_region_of_its_scope() {
    let bench = guarded();
    let made = bench.send(signed("POST", "/restapis", "{\"name\":\"pets\"}", "eu-west-1", SECRET, NOW_MS)).ok(201);
    let id = made["id"].as_str().unwrap();
    let world = bench.memory.world.lock().unwrap().clone();
    let scope = world.api_scope(id).unwrap();
    assert_eq!(scope.as_str(), format!("111122223333/eu-west-1/{id}"));
    let target = format!("/restapis/{id}?limit=1&a=b%20c");
    assert_eq!(bench.send(signed("GET", &target, "", "eu-west-1", SECRET, NOW_MS)).status, 200);
    assert_eq!(bench.send(signed("GET", &target, "", "us-east-1", SECRET, NOW_MS)).status, 404);
}

#[test]
fn a_call_without_good_credentials_is_refused_in_aws_words() {
    let bench = guarded();
    let name = |request| bench.send(request).refusal();
    let none = name(Bench::request("GET", "/restapis", ""));
    assert_eq!(none, (403, "MissingAuthenticationTokenException".into(), "Missing Authentication Token".into()));
    let wrong = name(signed("GET", "/restapis", "", "us-east-1", "wrong", NOW_MS));
    assert_eq!((wrong.0, wrong.1.as_str()), (403, "InvalidSignatureException"));
    let other = name(signed("GET", "/2015-03-31/functions", "", "us-east-1", SECRET, NOW_MS));
    assert_eq!(other.2, "Credential should be scoped to correct service: 'lambda'. ");
    let late = name(signed("GET", "/restapis", "", "us-east-1", SECRET, NOW_MS - 600_000));
    assert!(late.2.starts_with("Signature expired: "), "{late:?}");
    let mut stranger = signed("GET", "/restapis", "", "us-east-1", SECRET, NOW_MS);
    let authorization = stranger.headers()["authorization"].to_str().unwrap().replace("AKROOT", "AKNOBODY");
    stranger.headers_mut().insert("authorization", authorization.parse().unwrap());
    assert_eq!(
        name(stranger),
        (403, "UnrecognizedClientException".into(), "The security token included in the request is invalid.".into())
    );
    let mut token = Bench::request("GET", "/restapis", "");
    token.headers_mut().insert("authorization", "Bearer guess".parse().unwrap());
    assert_eq!(name(token).1, "UnrecognizedClientException");
    let region = name(signed("GET", "/restapis", "", "US_EAST", SECRET, NOW_MS));
    assert_eq!(region.0, 400, "{region:?}");
    assert_eq!(bench.get("/nothing").refusal().1, "MissingAuthenticationTokenException");
}

#[test]
fn a_bearer_token_names_its_region_in_a_header() {
    let bench = guarded();
    let mut request = Bench::request("POST", "/restapis", "{\"name\":\"pets\"}");
    request.headers_mut().insert("authorization", "Bearer bearer-token".parse().unwrap());
    request.headers_mut().insert("x-meridian-region", "ap-southeast-2".parse().unwrap());
    let id = bench.send(request).id();
    let scope = bench.memory.world.lock().unwrap().api_scope(&id).unwrap();
    assert_eq!(scope.as_str(), format!("111122223333/ap-southeast-2/{id}"));
}

#[test]
fn a_region_without_nodes_is_refused_with_the_regions_that_there_are() {
    let bench = guarded();
    let mut ops = Ops::new();
    for (id, region) in [(1, "us-east-1"), (2, "eu-west-1"), (3, "eu-west-1")] {
        ops.put(&Scope::cluster(), &Node::row_id(id), &Node { id, region: Region::from(region), ..Node::default() });
    }
    bench.memory.put(&ops.0);
    let refused = bench.send(signed("GET", "/restapis", "", "ap-southeast-2", SECRET, NOW_MS)).refusal();
    assert_eq!(refused.0, 400);
    assert_eq!(
        refused.2,
        "No node of this cluster is in the region ap-southeast-2. It has nodes in: eu-west-1, us-east-1"
    );
    assert_eq!(bench.send(signed("GET", "/restapis", "", "eu-west-1", SECRET, NOW_MS)).status, 200);
}

#[test]
fn what_a_page_in_a_browser_sends_is_refused_at_the_door() {
    let bench = Bench::new();
    let status = |headers: &[(&'static str, &str)]| {
        let mut request = Bench::request("GET", "/restapis", "");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        bench.send(request).status
    };
    for host in ["127.0.0.1", "127.0.0.1:80", "localhost:4566", "aws.localhost", "[::1]:4566", "API.example.com"] {
        assert_eq!(status(&[("host", host)]), 200, "{host}");
    }
    for host in ["evil.example", "10.0.0.1", "localhost.evil.example", "", "api.example.com.evil"] {
        assert_eq!(status(&[("host", host)]), 403, "{host}");
    }
    assert_eq!(status(&[("origin", "http://127.0.0.1:4566")]), 200);
    for origin in ["http://evil.example", "null", "http://127.0.0.1:9999"] {
        assert_eq!(status(&[("origin", origin)]), 403, "{origin}");
    }
    assert_eq!(status(&[("sec-fetch-site", "same-origin")]), 200);
    assert_eq!(status(&[("sec-fetch-site", "cross-site")]), 403);
    let http2 = |target: &str, host: Option<&str>| {
        let mut request = http::Request::builder().uri(target);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        bench.send(request.body(bytes::Bytes::new()).unwrap()).status
    };
    assert_eq!(http2("http://localhost:4566/restapis", None), 200);
    assert_eq!(http2("http://localhost:4566/restapis", Some("localhost:4566")), 200);
    assert_eq!(http2("http://localhost:4566/restapis", Some("127.0.0.1:4566")), 403);
    assert_eq!(http2("http://evil.example/restapis", None), 403);
    let two = http::Request::builder().uri("/restapis").header("host", "localhost").header("host", "localhost");
    assert_eq!(bench.send(two.body(bytes::Bytes::new()).unwrap()).status, 403);
}

#[test]
fn an_operation_that_is_not_built_says_so_and_an_unknown_one_too() {
    let bench = Bench::new();
    let absent = bench.get("/v2/apis");
    assert_eq!(absent.status, 501);
    assert_eq!(absent.header("x-amzn-errortype"), Some("NotImplementedException"));
    assert_eq!(absent.text, "{\"message\":\"Meridian does not implement GetApis yet\"}");
    assert_eq!(bench.get("/restapi").refusal().1, "UnknownOperationException");
    assert_eq!(bench.call("PUT", "/restapis", Value::Null).refusal().0, 404);
    assert_eq!(bench.get("/restapis/%ff").refusal().0, 400);
}

#[test]
fn bodies_of_the_wrong_kind_are_refused_by_name() {
    let bench = Bench::new();
    let message = |body: &str| {
        let (status, name, message) = bench.send(Bench::request("POST", "/restapis", body.to_owned())).refusal();
        assert_eq!((status, name.as_str()), (400, "SerializationException"), "{body}");
        message
    };
    assert_eq!(message("{\"name\":true}"), "class java.lang.Boolean can not be converted to an String");
    assert_eq!(
        message("{\"name\":\"x\",\"tags\":{\"a\":1}}"),
        "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String"
    );
    assert_eq!(
        message("{\"name\":\"x\",\"disableExecuteApiEndpoint\":\"true\"}"),
        "class java.lang.String can not be converted to an Boolean"
    );
    assert_eq!(message("{\"name\":[]}"), "Start of list found where not expected");
    assert_eq!(message("{\"name\":\"x\",\"tags\":[]}"), "Unrecognized collection type class java.util.ArrayList");
    assert_eq!(message("{\"name\":"), "Unable to parse the request body as JSON at line 1 column 8");
    message("[]");
    message("\"text\"");
    message("\u{0}");
    message(&"[".repeat(100_000));
    let small = Bench::with(|s| s.max_body_bytes = 10);
    let large = small.post("/restapis", json!({"name": "0123456789"})).refusal();
    assert_eq!(
        large,
        (413, "RequestEntityTooLargeException".into(), "The request body is longer than 10 bytes".into())
    );
}

#[test]
fn answers_carry_a_request_id_and_the_index_that_they_hold_at() {
    let bench = Bench::new();
    let made = bench.post("/restapis", json!({"name": "pets"}));
    assert_eq!(made.header("x-meridian-index"), Some("0.1"));
    assert_eq!(made.header("content-type"), Some("application/json"));
    let other = bench.get("/restapis");
    assert_eq!(other.header("x-meridian-index"), Some("0.1"));
    assert_ne!(made.header("x-amzn-requestid").unwrap(), other.header("x-amzn-requestid").unwrap());
    let asked = |name: &'static str, value: &str| {
        let mut request = Bench::request("GET", "/restapis", "");
        request.headers_mut().insert(name, value.parse().unwrap());
        bench.send(request).status
    };
    assert_eq!(asked("x-meridian-min-index", "0.1"), 200);
    assert_eq!(asked("x-meridian-min-index", "0.2"), 504);
    assert_eq!(asked("x-meridian-min-index", "1.1"), 412);
    assert_eq!(asked("x-meridian-min-index", "1"), 400);
    assert_eq!(asked("x-meridian-consistency", "stale"), 200);
    assert_eq!(asked("x-meridian-consistency", "perhaps"), 400);
    assert_eq!(asked("x-meridian-wait", "some"), 400);
}

#[test]
fn a_write_is_proposed_under_an_id_that_its_retry_has_too() {
    let bench = Bench::new();
    let send = |headers: &[(&'static str, &str)], body: &str| {
        let mut request = Bench::request("POST", "/restapis", body.to_owned());
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let status = bench.send(request).status;
        (status, bench.memory.proposed.lock().unwrap().last().cloned())
    };
    let id = |headers: &[(&'static str, &str)]| send(headers, "{\"name\":\"x\"}").1.unwrap().0.id;
    assert_eq!(id(&[("idempotency-key", "k1")]), "key/000000000000/k1");
    assert_eq!(id(&[("amz-sdk-invocation-id", "i1")]), "sdk/anonymous/i1");
    assert_eq!(id(&[("idempotency-key", "k1"), ("amz-sdk-invocation-id", "i1")]), "key/000000000000/k1");
    assert_ne!(id(&[]), id(&[]));
    assert_eq!(send(&[("idempotency-key", "")], "{\"name\":\"x\"}").0, 400);
    let hash = |body: &str| send(&[], body).1.unwrap().0.payload_hash;
    assert_eq!(hash("{\"name\":\"x\"}"), hash("{ \"name\": \"x\" }"));
    assert_ne!(hash("{\"name\":\"x\"}"), hash("{\"name\":\"y\"}"));
}

#[test]
fn the_wish_to_wait_goes_along_and_laggards_are_told() {
    let bench = Bench::new();
    let send = |wait: Option<&str>| {
        let mut request = Bench::request("POST", "/restapis", "{\"name\":\"x\"}");
        if let Some(wait) = wait {
            request.headers_mut().insert("x-meridian-wait", wait.parse().unwrap());
        }
        let seen = bench.send(request);
        (seen, bench.memory.proposed.lock().unwrap().last().unwrap().1)
    };
    assert_eq!(send(None).1, Wait::Auto);
    assert_eq!(send(Some("quorum")).1, Wait::Quorum);
    assert!(matches!(send(Some("all")).1, Wait::All { .. }));
    bench.memory.lagging.store(2, std::sync::atomic::Ordering::Relaxed);
    let (seen, _) = send(None);
    assert_eq!((seen.status, seen.header("x-meridian-lagging")), (201, Some("2")));
    let (seen, _) = send(Some("all"));
    assert_eq!((seen.status, seen.header("x-meridian-lagging")), (202, Some("2")));
}
