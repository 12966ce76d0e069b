//! The way in: method, path, query and body become arguments, arguments become frames, lists become pages.

use crate::{effort, spell};
use bytes::Bytes;
use http::HeaderMap;
use meridian::control::model::{Operation, Service};
use meridian::control::router::{NoRoute, query, route};
use meridian::control::{Call, bind, page, wire};
use serde_json::{Map, Value};

const METHODS: [&str; 6] = ["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"];
const TARGETS: &[&str] = &[
    "/restapis",
    "/resources",
    "/methods",
    "/GET",
    "/responses",
    "/integration",
    "/200",
    "/a1b2c3",
    "/stages",
    "/apikeys",
    "/usageplans",
    "/tags/",
    "/v2",
    "/apis",
    "/models",
    "/authorizers",
    "/domainnames",
    "/account",
    "/",
    "?",
    "&",
    "=",
    "mode=import",
    "mode=merge",
    "limit=",
    "position=",
    "tagKeys=",
    "99999999999999999999",
    "-1",
    "+",
    "%41",
    "%",
    "%2",
    "%2f",
    "%ff",
    "%00",
    "%e2%82%ac",
    ";",
    "#",
    "x",
    "arn:aws:apigateway",
    "X-Amz-Signature=",
];
const BODIES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"name\"",
    "\"patchOperations\"",
    "\"op\"",
    "\"path\"",
    "\"value\"",
    "\"type\"",
    "\"tags\"",
    "\"endpointConfiguration\"",
    "\"types\"",
    "\"EDGE\"",
    "\"replace\"",
    "\"/name\"",
    "\"pathPart\"",
    "\"quota\"",
    "\"limit\"",
    "null",
    "true",
    "-1",
    "1.5",
    "1e400",
    "9223372036854775808",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\"é\"",
    " ",
    "\\",
    "\"",
];

#[test]
fn any_request_becomes_a_call_or_is_refused_and_a_call_crosses_the_wire() {
    let (inputs, time) = effort(20_000);
    let target = bolero::check!().with_iterations(inputs).with_test_time(time);
    target.with_type::<(u8, Vec<u8>, Vec<u8>, bool)>().for_each(|(method, target, body, raw)| {
        let method = METHODS[usize::from(*method) % METHODS.len()];
        let target = spell(target, TARGETS);
        let (path, rest) = target.split_once('?').unwrap_or((&target, ""));
        let query = match query(rest) {
            Ok(query) => query,
            Err(refused) => return assert_eq!(refused, NoRoute::Malformed),
        };
        let Ok(route) = route(method, path, &query) else { return };
        let body = if *raw { Bytes::from(body.clone()) } else { Bytes::from(spell(body, BODIES)) };
        match bind::bind(&route, &query, &HeaderMap::new(), &body) {
            Ok((input, body)) => crosses(route.operation, input, body),
            Err(fault) => {
                assert_eq!(fault.status, 400);
                assert!(["SerializationException", "ValidationException"].contains(&fault.name.as_str()), "{fault}");
                assert!(!fault.message.is_empty());
            }
        }
    });
}

fn crosses(operation: &'static Operation, input: Map<String, Value>, body: Bytes) {
    let call = Call { operation, account: "1".into(), region: "r".into(), caller: "c".into(), input, body };
    let back = wire::decode_call(&wire::encode_call(&call).expect("it fits")).expect("it is ours");
    assert!(std::ptr::eq(back.operation, call.operation));
    assert_eq!((back.input, back.body, back.caller), (call.input, call.body, call.caller));
}

#[test]
fn any_frame_is_decoded_or_refused() {
    let (inputs, time) = effort(20_000);
    bolero::check!().with_iterations(inputs).with_test_time(time).for_each(|bytes: &[u8]| {
        for frame in [bytes.to_vec(), [&[1], bytes].concat()] {
            drop(wire::decode_call(&frame));
            drop(wire::decode_answer(&frame));
        }
    });
}

#[test]
fn any_position_is_a_place_in_the_list_or_refused_and_pages_put_together_are_the_list() {
    let operation = Operation::named(Service::V1, "GetApiKeys").expect("in the table");
    let rows: Vec<(String, usize)> = (0..60).map(|n| (format!("k{n:03}"), n)).collect();
    let cut = |limit: Option<i64>, position: Option<&str>| {
        let mut input = Map::new();
        limit.map(|limit| input.insert("limit".to_owned(), limit.into()));
        position.map(|position| input.insert("position".to_owned(), position.into()));
        let call =
            Call { operation, account: "1".into(), region: "r".into(), caller: "c".into(), input, body: Bytes::new() };
        page::cut(&call, rows.clone())
    };
    let (inputs, time) = effort(1_500);
    let target = bolero::check!().with_iterations(inputs).with_test_time(time);
    target.with_type::<(i64, u8, String)>().for_each(|(any, limit, position)| {
        if let Err(fault) = cut(Some(*any), Some(position)) {
            assert_eq!((fault.status, fault.message.as_str()), (400, "Invalid position parameter"));
        }
        let (mut all, mut position) = (Vec::new(), None);
        loop {
            let page = cut(Some(i64::from(*limit)), position.as_deref()).expect("a position of ours");
            assert!(page.rows.len() <= if *limit == 0 { 25 } else { usize::from(*limit) });
            all.extend(page.rows);
            position = page.position;
            if position.is_none() {
                break;
            }
        }
        assert_eq!(all, rows);
    });
}
