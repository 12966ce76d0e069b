//! What functions answer, well and badly, and what clients get of it.

use super::aws_site::{FUNCTION, aws, function, got, lambda_proxy, site};
use super::backends::{Act, Backend, plain};
use super::site::{API, Rows, Site, api_scope};
use meridian::catalog::v1::{Integration, RestApi};
use meridian::gateway::AwsServices;
use meridian::gateway::explain::{RecordId, hint};
use std::collections::BTreeMap;

const FAILED: &str = r#"{"message": "Internal server error"}"#;

async fn answered(payload: &str) -> super::sockets::Answer {
    let backend = function(payload).await;
    let site = site(&Rows::new().method("/f", "GET", lambda_proxy()).deploy(), &backend).await;
    site.get("/f").await
}

#[tokio::test]
async fn proxy_results_reach_the_client_as_recorded() {
    for (payload, status, body) in [
        (r#"{"statusCode":200}"#, 200, ""),
        ("{}", 200, ""),
        (r#"{"statusCode":"201","body":"x"}"#, 201, "x"),
        (r#"{"headers":{"a":true},"body":"y"}"#, 200, "y"),
        (r#"{"headers":null,"multiValueHeaders":null,"body":null}"#, 200, ""),
        (r#"{"statusCode":"test"}"#, 502, FAILED),
        (r#"{"statusCode":200,"wrongValue":1}"#, 502, FAILED),
        (r#"{"body":{"a":1}}"#, 502, FAILED),
        (r#"{"multiValueHeaders":{"a":"x"}}"#, 502, FAILED),
        (r#""a bare string""#, 502, FAILED),
        ("[]", 502, FAILED),
        ("null", 502, FAILED),
        ("nonsense", 502, FAILED),
        ("", 502, FAILED),
    ] {
        let answer = answered(payload).await;
        assert_eq!((answer.status, answer.text().as_str()), (status, body), "{payload}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{payload}");
        assert_eq!(answer.header("x-amzn-trace-id").is_some(), status != 502, "{payload}");
    }
}

#[tokio::test]
async fn headers_are_merged_remapped_and_dropped() {
    let payload = r#"{"headers":{"X-Two":"solo","WWW-Authenticate":"Basic","Content-Length":"99","Date":"d",
        "Transfer-Encoding":"chunked","Content-Type":"text/x","Content-Encoding":"br","flag":true},
        "multiValueHeaders":{"x-two":["m1","m2"],"Set-Cookie":["a=1","b=2"]}}"#;
    let answer = answered(payload).await;
    assert_eq!(answer.status, 200);
    let all = |name: &str| -> Vec<&str> {
        let named = answer.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!(all("x-two"), ["m1", "m2", "solo"]);
    assert_eq!(all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!((all("x-amzn-remapped-www-authenticate"), all("www-authenticate")), (vec!["Basic"], vec![]));
    assert_eq!((all("x-amzn-remapped-content-length"), all("content-length")), (vec!["99"], vec!["0"]));
    assert_eq!((all("x-amzn-remapped-date").len(), all("flag")), (1, vec!["true"]));
    assert_eq!((all("content-type"), all("content-encoding")), (vec!["text/x"], vec!["br"]));
    assert!(all("transfer-encoding").is_empty());
}

#[tokio::test]
async fn bytes_are_for_clients_whose_first_accept_is_configured() {
    let backend = function(r#"{"body":"/wBh","isBase64Encoded":true,"headers":{"Content-Type":"text/plain"}}"#).await;
    let mut rows = Rows::new().method("/f", "GET", lambda_proxy());
    let api = |types: &[&str]| RestApi {
        id: API.into(),
        binary_media_types: types.iter().map(ToString::to_string).collect(),
        ..RestApi::default()
    };
    rows.change(|ops| {
        ops.put(&api_scope(), API, &api(&["image/png"]));
    });
    let site = site(&rows.deploy(), &backend).await;
    for (accept, bytes) in [
        ("image/png", true),
        ("image/png,image/*", true),
        ("image/jpg", false),
        ("image/*", false),
        ("*/*", false),
        ("image/webp,image/png", false),
    ] {
        let answer = site.ask("GET", "/f", &format!("Accept: {accept}\r\n"), "").await;
        assert_eq!(answer.body, if bytes { &b"\xff\x00a"[..] } else { b"/wBh" }, "{accept}");
    }
    let backend = function(r#"{"body":"no base64!","isBase64Encoded":true}"#).await;
    let mut rows = Rows::new().method("/f", "GET", lambda_proxy());
    rows.change(|ops| {
        ops.put(&api_scope(), API, &api(&["*/*"]));
    });
    let site = self::site(&rows.deploy(), &backend).await;
    assert_eq!(site.ask("GET", "/f", "Accept: image/png\r\n", "").await.status, 500);
}

#[tokio::test]
async fn what_lambda_refuses_or_a_function_fails_at_is_told_as_at_aws() {
    let error = r#"{"errorMessage":"no pets","errorType":"PetError"}"#;
    for (bytes, status, body) in [
        (plain(200, "X-Amz-Function-Error: Unhandled\r\n", error), 502, FAILED),
        (plain(403, "", r#"{"Message":"not authorized"}"#), 500, FAILED),
        (plain(404, "", r#"{"Message":"not found"}"#), 500, FAILED),
        (plain(429, "", r#"{"Reason":"ConcurrentInvocationLimitExceeded"}"#), 500, FAILED),
        (plain(503, "", ""), 502, FAILED),
        (plain(307, "Location: http://127.0.0.1:1/\r\n", ""), 500, FAILED),
    ] {
        let backend = Backend::always(Act::Say(bytes)).await;
        let site = site(&Rows::new().method("/f", "GET", lambda_proxy()).deploy(), &backend).await;
        let answer = site.get("/f").await;
        assert_eq!((answer.status, answer.text().as_str()), (status, body), "{:?}", backend.requests());
        assert_eq!(backend.requests().len(), 1, "a redirect is not followed, nothing is called twice");
    }
}

#[tokio::test]
async fn a_function_that_hangs_breaks_off_or_floods_harms_its_own_client_alone() {
    let slow = Integration { timeout_in_millis: Some(100), ..lambda_proxy() };
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"statusCode\"".to_vec();
    let flood = b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n{".to_vec();
    let mut endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..12 {
        endless.extend_from_slice(b"100000\r\n");
        endless.extend_from_slice(&vec![b'x'; 1 << 20]);
        endless.extend_from_slice(b"\r\n");
    }
    for (act, status, body) in [
        (Act::Hang, 504, r#"{"message": "Endpoint request timed out"}"#),
        (Act::SayAndHang(half.clone()), 504, r#"{"message": "Endpoint request timed out"}"#),
        (Act::SayAndClose(half), 504, r#"{"message": "Network error communicating with endpoint"}"#),
        (
            Act::SayAndClose(b"garbage\r\n\r\n".to_vec()),
            504,
            r#"{"message": "Network error communicating with endpoint"}"#,
        ),
        (Act::SayAndHang(flood), 500, FAILED),
    ] {
        let backend = Backend::always(act).await;
        let site = site(&Rows::new().method("/f", "GET", slow.clone()).deploy(), &backend).await;
        let answer = site.get("/f").await;
        assert_eq!((answer.status, answer.text().as_str()), (status, body));
    }
    let backend = Backend::always(Act::SayAndHang(endless)).await;
    let patient = Integration { timeout_in_millis: Some(20_000), ..lambda_proxy() };
    let site = site(&Rows::new().method("/f", "GET", patient).deploy(), &backend).await;
    assert_eq!(site.get("/f").await.status, 500);
}

#[tokio::test]
async fn settings_that_are_missing_are_named_to_the_operator_and_not_to_clients() {
    let backend = function("{}").await;
    let role = "arn:aws:iam::000000000000:role/gateway";
    let rows = Rows::new()
        .method("/f", "GET", lambda_proxy())
        .method("/r", "GET", Integration { credentials: Some(role.into()), ..lambda_proxy() })
        .method("/g", "GET", Integration { http_method: Some("GET".into()), ..lambda_proxy() })
        .deploy();
    let nothing = Site::new(&rows).await;
    for path in ["/f", "/r", "/g"] {
        let answer = nothing.get(path).await;
        assert_eq!((answer.status, answer.text().as_str()), (500, FAILED), "{path}");
    }
    // Keys for another account sign nothing here.
    let keys = super::aws_site::keys();
    let others = AwsServices::default().with_usual_endpoint(&backend.url("")).expect("an endpoint");
    let others = Site::with(&rows, |parts| parts.aws = others.with_credentials("111122223333", keys.clone())).await;
    assert_eq!(others.get("/f").await.status, 500);
    assert!(backend.requests().is_empty());
    // A role's own keys are for that role alone.
    let roles = AwsServices::default().with_usual_endpoint(&backend.url("")).expect("an endpoint");
    let roles = Site::with(&rows, |parts| parts.aws = roles.with_credentials(role, keys)).await;
    assert_eq!((roles.get("/r").await.status, roles.get("/f").await.status), (200, 500));
    assert_eq!(got(&backend).header("x-amz-source-arn"), "", "a role's call is its account's own");
}

#[tokio::test]
async fn a_mapped_function_gets_the_body_alone_and_its_errors_choose_the_response() {
    let target = format!("lambda:path/2015-03-31/functions/{FUNCTION}/invocations");
    let mut mapped = aws(&target);
    mapped.request_templates =
        BTreeMap::from([("application/json".into(), Some(r#"{"name": $input.json('$.pet')}"#.into()))]);
    mapped.integration_responses.get_mut("400").expect("400").selection_pattern = Some(".*four hundred.*".into());
    mapped.integration_responses.get_mut("400").expect("400").response_templates =
        Some(BTreeMap::from([("application/json".into(), Some(r#"{"why": "$input.path('$.errorMessage')"}"#.into()))]));
    let mut later = aws(&target);
    later.request_parameters =
        BTreeMap::from([("integration.request.header.X-Amz-Invocation-Type".into(), "'Event'".into())]);
    let rows = Rows::new().method("/m", "POST", mapped).method("/later", "POST", later).deploy();
    let failed = |message: &str| {
        let body = format!("{{\"errorMessage\":\"{message}\"}}");
        plain(200, "X-Amz-Function-Error: Handled\r\nContent-Type: application/json\r\n", &body)
    };
    let answers = [
        plain(200, "Content-Type: application/json\r\n", "\"four hundred\""),
        failed("it was four hundred"),
        failed("something else"),
        plain(202, "", ""),
        plain(429, "", "{}"),
    ];
    let backend = Backend::start(move |n| Act::Say(answers[n].clone())).await;
    let site = self::site(&rows, &backend).await;
    let good = site.ask("POST", "/m", "", r#"{"pet": {"a": 1}}"#).await;
    assert_eq!((good.status, good.text().as_str()), (200, "\"four hundred\""), "no error, no pattern");
    let sent = got(&backend);
    assert_eq!((sent.body.as_str(), sent.header("x-amz-invocation-type")), (r#"{"name": {"a":1}}"#, ""));
    let known = site.ask("POST", "/m", "", "{}").await;
    assert_eq!((known.status, known.text().as_str()), (400, r#"{"why": "it was four hundred"}"#));
    let other = site.ask("POST", "/m", "", "{}").await;
    assert_eq!((other.status, other.text().as_str()), (200, r#"{"errorMessage":"something else"}"#));
    let taken = site.ask("POST", "/later", "", "{}").await;
    assert_eq!((taken.status, taken.text().as_str()), (200, ""));
    assert_eq!(got(&backend).header("x-amz-invocation-type"), "Event");
    assert_eq!(site.ask("POST", "/m", "", "{}").await.status, 500);
}

#[tokio::test]
async fn what_was_wrong_is_remembered_with_its_key_or_its_setting() {
    let backend = function(r#"{"statusCode":200,"headers":{"a":{}}}"#).await;
    let rows = Rows::new()
        .method("/f", "GET", lambda_proxy())
        .method("/get", "GET", Integration { http_method: Some("GET".into()), ..lambda_proxy() })
        .method("/mine", "GET", Integration { credentials: Some("arn:aws:iam::*:user/*".into()), ..lambda_proxy() })
        .deploy();
    let (good, bare) = (site(&rows, &backend).await, Site::new(&rows).await);
    for (site, path, step, cause, place, detail) in [
        (&good, "/f", "answer", "malformed_proxy_response", "headers.a", "`headers.a` must be a string"),
        (&good, "/get", "map", "function_verb", "", "its httpMethod is GET"),
        (&good, "/mine", "map", "caller_credentials", "", "its caller's own"),
        (&bare, "/f", "map", "no_credentials", "", "the node file has no [aws.credentials.\"000000000000\"]"),
    ] {
        let answer = site.get(path).await;
        let id = answer.header("x-amzn-requestid").and_then(RecordId::parse).expect("an id");
        let found = site.gateway.explain(id);
        let [record] = &found[..] else { panic!("one record of {path}: {found:?}") };
        assert_eq!((&*record.step, &*record.cause, &*record.place), (step, cause, place), "{path}");
        assert!(record.detail.contains(detail), "{detail} in {}", record.detail);
        assert!(!hint(cause).starts_with("Look at the detail here"), "{cause}");
    }
}
