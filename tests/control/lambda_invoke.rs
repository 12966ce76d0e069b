//! Invoke and InvokeWithResponseStream over real HTTP: whole answers, headers, errors, events.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use meridian::function::call::{Caller, InvocationType};
use serde_json::{Value, json};

use crate::bench::{Bench, Seen};
use crate::functions::missing;

const AT: &str = "/2015-03-31/functions/pets/invocations";
const STREAM: &str = "/2021-11-15/functions/pets/response-streaming-invocations";

fn bench() -> Bench {
    let bench = Bench::new();
    bench.function("pets", json!({"Environment": {"Variables": {"AB": "1"}}}));
    bench
}

fn invoke(bench: &Bench, target: &str, headers: &[(&'static str, &str)], body: impl Into<bytes::Bytes>) -> Seen {
    let mut request = Bench::request("POST", target, body);
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    bench.send(request)
}

#[test]
fn a_call_is_answered_with_what_the_function_said() {
    let bench = bench();
    let seen = invoke(&bench, AT, &[], r#"{"say":{"a":1}}"#);
    assert_eq!((seen.status, seen.text.as_str()), (200, r#"{"a":1}"#));
    assert_eq!(seen.header("x-amz-executed-version"), Some("$LATEST"));
    assert_eq!((seen.header("x-amz-function-error"), seen.header("x-amz-log-result")), (None, None));
    let ran = bench.functions.host.0.lock().unwrap();
    let (deployed, call) = &ran[0];
    assert_eq!(seen.header("x-amzn-requestid"), Some(&*call.request_id));
    assert_eq!((&*deployed.name, deployed.environment["AB"].as_str()), ("pets", "1"));
    assert_eq!(call.caller, Caller::Account("000000000000".into()));
    assert_eq!((call.invocation, call.streamed, call.log_tail), (InvocationType::RequestResponse, false, false));
}

#[test]
fn a_function_that_failed_is_an_answer_of_200_that_says_so_with_its_log() {
    let seen = invoke(&bench(), AT, &[("x-amz-log-type", "Tail")], r#"{"fail":true}"#);
    assert_eq!((seen.status, seen.header("x-amz-function-error")), (200, Some("Unhandled")));
    assert_eq!(seen.header("x-amz-log-result"), Some(STANDARD.encode("START\nEND\n").as_str()));
    assert_eq!(seen.json(), json!({"errorMessage": "no", "errorType": "Error"}));
    assert_eq!(seen.header("x-amzn-errortype"), None);
}

#[test]
fn an_event_is_taken_with_202_and_a_dry_run_answered_with_204() {
    let bench = bench();
    let seen = invoke(&bench, AT, &[("x-amz-invocation-type", "Event")], r#"{"fail":true}"#);
    assert_eq!((seen.status, seen.text.as_str()), (202, ""));
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while bench.functions.host.0.lock().unwrap().len() < 3 {
        assert!(std::time::Instant::now() < until, "the event was not tried three times");
        std::thread::yield_now();
    }
    let seen = invoke(&bench, AT, &[("x-amz-invocation-type", "DryRun")], "{}");
    assert_eq!((seen.status, seen.text.as_str()), (204, ""));
    assert_eq!(bench.functions.host.0.lock().unwrap().len(), 3);
    let wrong = invoke(&bench, AT, &[("x-amz-invocation-type", "Later")], "{}").refused();
    assert_eq!((wrong.0, wrong.1.as_str()), (400, "ValidationException"));
    assert!(
        wrong.2.contains("'invocationType'") && wrong.2.contains("[Event, RequestResponse, DryRun]"),
        "{}",
        wrong.2
    );
}

#[test]
fn a_qualifier_says_which_version_runs_and_an_alias_shares_calls_out() {
    let bench = bench();
    let at = "/2015-03-31/functions/pets";
    bench.post(&format!("{at}/versions"), json!({})).ok(201);
    bench.put(&format!("{at}/code"), json!({"ZipFile": STANDARD.encode(b"PK two")})).ok(200);
    bench.post(&format!("{at}/versions"), json!({})).ok(201);
    bench.post(&format!("{at}/aliases"), json!({"Name": "live", "FunctionVersion": "1"})).ok(201);
    let ran = |target: &str| {
        let seen = invoke(&bench, target, &[], "{}");
        assert_eq!(seen.status, 200, "{}", seen.text);
        seen.header("x-amz-executed-version").unwrap().to_owned()
    };
    assert_eq!(ran(&format!("{AT}?Qualifier=2")), "2");
    assert_eq!(ran(&AT.replace("pets", "pets%3Alive")), "1");
    assert_eq!(ran(&AT.replace("pets", "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Apets%3A2")), "2");
    // The bench throws one half: below the weight the other version runs.
    for (weight, version) in [(0.6, "2"), (0.4, "1")] {
        let weights = json!({"RoutingConfig": {"AdditionalVersionWeights": {"2": weight}}});
        bench.put(&format!("{at}/aliases/live"), weights).ok(200);
        assert_eq!(ran(&format!("{AT}?Qualifier=live")), version);
    }
    let arn = bench.functions.host.0.lock().unwrap().last().unwrap().0.arn.clone();
    assert_eq!(&*arn, "arn:aws:lambda:us-east-1:000000000000:function:pets:live");
    assert_eq!(invoke(&bench, &format!("{AT}?Qualifier=9"), &[], "{}").refused(), missing("pets:9"));
    assert_eq!(invoke(&bench, &AT.replace("pets", "cats"), &[], "{}").refused(), missing("cats"));
}

#[test]
fn what_is_no_event_is_refused_and_nothing_runs() {
    let bench = bench();
    for body in ["{", "{}x", "nope", "\u{feff}{}"] {
        let (status, name, message, kind) = invoke(&bench, AT, &[], body).refused();
        assert_eq!((status, name.as_str(), kind), (400, "InvalidRequestContentException", json!("User")), "{body}");
        assert!(message.starts_with("Could not parse request body into json"), "{message}");
    }
    assert_eq!(invoke(&bench, AT, &[], vec![0xff]).refused().1, "InvalidRequestContentException");
    let large = format!("\"{}\"", "x".repeat(1_048_576));
    let (status, name, message, _) = invoke(&bench, AT, &[("x-amz-invocation-type", "Event")], large.clone()).refused();
    assert_eq!((status, name.as_str()), (413, "RequestTooLargeException"));
    assert_eq!(message, "1048578 byte payload is too large for the Event invocation type (limit 1048576 bytes)");
    let huge = format!("\"{}\"", "x".repeat(6_291_456));
    assert_eq!(invoke(&bench, AT, &[], huge).refused().0, 413);
    for context in ["%%%", &STANDARD.encode("{"), &"A".repeat(3_584)] {
        assert_eq!(invoke(&bench, AT, &[("x-amz-client-context", context)], "{}").status, 400, "{context}");
    }
    let tenant = invoke(&bench, AT, &[("x-amz-tenant-id", "t")], "{}").refused();
    assert_eq!(tenant.1, "InvalidParameterValueException");
    assert!(bench.functions.host.0.lock().unwrap().is_empty());
    let context = STANDARD.encode(r#"{"custom":{"a":"b"}}"#);
    assert_eq!(invoke(&bench, AT, &[("x-amz-client-context", &context)], large).status, 200);
    assert_eq!(bench.functions.host.0.lock().unwrap()[0].1.client_context.as_deref(), Some(context.as_str()));
    invoke(&bench, AT, &[], "");
    assert_eq!(&bench.functions.host.0.lock().unwrap()[1].1.payload[..], b"{}", "no event is an empty one");
    assert_eq!(invoke(&bench, AT, &[], "[".repeat(1_000_000)).refused().1, "InvalidRequestContentException");
}

#[test]
fn too_many_calls_are_refused_with_the_reason() {
    let bench = bench();
    let seen = invoke(&bench, AT, &[], r#"{"refuse":429}"#);
    assert_eq!(seen.refused().1, "TooManyRequestsException");
    assert_eq!(seen.json()["Reason"], "ConcurrentInvocationLimitExceeded");
    assert_eq!(seen.header("retry-after"), Some("1"));
    bench.put("/2017-10-31/functions/pets/concurrency", json!({"ReservedConcurrentExecutions": 0})).ok(200);
    let seen = invoke(&bench, AT, &[], "{}");
    let body = json!({
        "Type": "User", "message": "Rate Exceeded.", "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
    });
    assert_eq!((seen.status, seen.json()), (429, body));
}

/// The events of an answer: type and payload.
fn events(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut rest = bytes;
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
    while !rest.is_empty() {
        let (total, named) = (number(rest), number(&rest[4..]));
        assert_eq!(number(&rest[8..]), crc32fast::hash(&rest[..8]) as usize);
        assert_eq!(number(&rest[total - 4..]), crc32fast::hash(&rest[..total - 4]) as usize);
        let mut headers = &rest[12..12 + named];
        let mut kind = String::new();
        while !headers.is_empty() {
            let name = usize::from(headers[0]);
            let value = usize::from(u16::from_be_bytes([headers[2 + name], headers[3 + name]]));
            if &headers[1..=name] == b":event-type" {
                kind = String::from_utf8(headers[4 + name..4 + name + value].to_vec()).unwrap();
            }
            headers = &headers[4 + name + value..];
        }
        found.push((kind, rest[12 + named..total - 4].to_vec()));
        rest = &rest[total..];
    }
    found
}

#[test]
fn a_streamed_answer_comes_as_events() {
    let bench = bench();
    let said = |body: Value| {
        let seen = invoke(&bench, STREAM, &[], body.to_string());
        assert_eq!((seen.status, seen.header("content-type")), (200, Some("application/vnd.amazon.eventstream")));
        let events = events(&seen.bytes);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        events.iter().map(|(kind, payload)| (kind.clone(), text(payload))).collect::<Vec<_>>()
    };
    let chunk = |text: &str| ("PayloadChunk".to_owned(), text.to_owned());
    let end = |body: Value| ("InvokeComplete".to_owned(), body.to_string());
    assert_eq!(said(json!({"stream": ["one", "two"]})), [chunk("one"), chunk("two"), end(json!({}))]);
    assert_eq!(said(json!({"say": 7})), [chunk("7"), end(json!({}))]);
    let broken = json!({"ErrorCode": "Runtime.ExitError", "ErrorDetails": "exit 1"});
    assert_eq!(said(json!({"stream": ["one"], "break": true})), [chunk("one"), end(broken)]);
    let failed = json!({"ErrorCode": "Unhandled", "ErrorDetails": r#"{"errorMessage":"no","errorType":"Error"}"#});
    assert_eq!(said(json!({"fail": true})), [end(failed)]);
    assert!(bench.functions.host.0.lock().unwrap().iter().all(|(_, call)| call.streamed));
    assert_eq!(invoke(&bench, &STREAM.replace("pets", "cats"), &[], "{}").refused(), missing("cats"));
    let dry = invoke(&bench, STREAM, &[("x-amz-invocation-type", "DryRun")], "{}");
    assert_eq!((dry.status, dry.text.as_str()), (204, ""));
}
