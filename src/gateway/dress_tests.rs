//! Every type of refusal in every kind of dress, without sockets.

use super::*;
use crate::catalog::v1::{GatewayResponse, Texts};
use crate::gateway::ask::{Client, Facts};
use crate::gateway::refusal::Kind;
use crate::plan::gateway_response::GatewayResponses;
use std::collections::BTreeMap;

fn facts() -> Facts {
    Facts {
        request_id: HeaderValue::from_static("id-1"),
        extended_id: HeaderValue::from_static("ext="),
        time_ms: 1_583_349_317_135,
        began: tokio::time::Instant::now(),
        step: crate::gateway::Step::default(),
        stage: None,
        method: None,
        key_id: String::new(),
        key_value: String::new(),
        plan_id: String::new(),
        integration_status: None,
        integration_us: None,
        served_by: None,
        remote: None,
        trace: String::new(),
        user_agent: None,
        path: None,
        canary: None,
        validation_error: Some("[object has missing required properties ([\"a\"])]".to_owned()),
        kept: Kept::default(),
    }
}

fn row(status: Option<&str>, headers: &[(&str, &str)], template: Option<&str>) -> GatewayResponse {
    let headers = headers.iter().map(|(name, source)| (format!("gatewayresponse.header.{name}"), (*source).to_owned()));
    GatewayResponse {
        status_code: status.map(str::to_owned),
        response_parameters: headers.collect(),
        response_templates: template.map(|text| Texts::from([("application/json".to_owned(), text.to_owned())])),
        ..GatewayResponse::default()
    }
}

/// The answer of a refusal where these rows are deployed, and its body.
async fn dressed(
    refusal: &Refusal,
    rows: &[(&str, GatewayResponse)],
    kept: &[Option<String>],
) -> (Response<()>, String) {
    let rows: Vec<_> = rows.iter().map(|(kind, row)| ((*kind).to_owned(), row.clone())).collect();
    let responses = GatewayResponses::compile(&rows, &BTreeMap::new());
    let client = Client { tls: None, ip: [192, 0, 2, 1].into(), authority: "api.example.com".into(), hops: 0 };
    let (facts, method) = (facts(), http::Method::GET);
    let known = Known { method: &method, path: "/prod/pets", client: &client, facts: &facts };
    let context = Refused { known, refusal };
    let mut response = refusal.answer();
    if let Some(definition) = responses.find(refusal.kind.response_type(), refusal.kind.class()) {
        apply(definition, None, &Values { context: &context, asked: kept }, &mut response);
    }
    let (head, body) = response.into_parts();
    let body = body.collect(1 << 20).await.expect("a body that is here");
    (Response::from_parts(head, ()), String::from_utf8(body.to_vec()).expect("text"))
}

#[tokio::test]
async fn every_type_is_dressed_by_its_own_definition_and_else_by_its_classs() {
    let text = "$context.error.responseType $context.error.messageString";
    let classes =
        [("DEFAULT_4XX", row(Some("418"), &[], Some(text))), ("DEFAULT_5XX", row(Some("599"), &[], Some(text)))];
    for kind in Kind::all() {
        let refusal = Refusal::new(kind, "test");
        let wanted = if kind.status() < 500 { 418 } else { 599 };
        let (answer, body) = dressed(&refusal, &classes, &[]).await;
        let message = refusal.message().map_or("null".to_owned(), |m| serde_json::Value::from(m).to_string());
        assert_eq!((answer.status().as_u16(), body), (wanted, format!("{} {message}", kind.response_type())));
        let own = row(Some("444"), &[], Some("own"));
        let rows: Vec<_> = classes.iter().cloned().chain([(kind.response_type(), own)]).collect();
        let (answer, body) = dressed(&refusal, &rows, &[]).await;
        assert_eq!((answer.status().as_u16(), body.as_str()), (444, "own"), "{}", kind.name());
        assert!(answer.headers().contains_key("x-amzn-errortype"));
    }
    let never: Vec<_> = Kind::all().filter(|kind| !kind.is_customisable()).collect();
    assert_eq!(never, [Kind::RequestTooLarge, Kind::UnknownStage]);
    let aws: Vec<_> = Kind::all().filter(|kind| kind.response_type() == kind.name()).collect();
    assert_eq!(aws.len(), 21, "AWS's types are told by their own names");
    assert_eq!(Kind::Malformed.response_type(), "DEFAULT_4XX");
    assert_eq!(Kind::Unbuilt.response_type(), "DEFAULT_5XX");
}

#[tokio::test]
async fn what_a_definition_does_not_say_the_default_says() {
    let refusal = Refusal::new(Kind::AccessDenied, "test");
    let cors = [("DEFAULT_4XX", row(None, &[("Access-Control-Allow-Origin", "'*'")], None))];
    let (answer, body) = dressed(&refusal, &cors, &[]).await;
    assert_eq!(answer.status(), 403);
    assert_eq!(body, r#"{"Message":"User is not authorized to access this resource"}"#, "to the byte");
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    assert_eq!(answer.headers()["content-type"], "application/json");
    let null = Refusal::new(Kind::AuthorizerFailure, "test");
    let rows = [("AUTHORIZER_FAILURE", row(None, &[], Some("{\"message\":$context.error.messageString}")))];
    assert_eq!(dressed(&null, &rows, &[]).await.1, r#"{"message":null}"#);
}

#[tokio::test]
async fn a_failed_integration_is_answered_500_or_504_unless_its_status_is_customised() {
    let network = Refusal::new(Kind::IntegrationFailure, "test");
    let configured = Refusal::new(Kind::IntegrationFailure, "test").with_status(500).saying("Internal server error");
    for (rows, wanted) in [
        (vec![], (504, 500)),
        (vec![("INTEGRATION_FAILURE", row(None, &[], None))], (504, 500)),
        (vec![("INTEGRATION_FAILURE", row(Some("504"), &[], None))], (504, 504)),
        (vec![("DEFAULT_5XX", row(Some("503"), &[], None))], (503, 503)),
    ] {
        let found = (dressed(&network, &rows, &[]).await.0.status(), dressed(&configured, &rows, &[]).await.0.status());
        assert_eq!((found.0.as_u16(), found.1.as_u16()), wanted, "{rows:?}");
    }
}

#[tokio::test]
async fn hostile_values_break_neither_headers_nor_json() {
    let refusal = Refusal::new(Kind::BadRequestParameters, "test").saying("say \"no\"\r\n\\ \u{1}");
    let rows = [(
        "BAD_REQUEST_PARAMETERS",
        row(
            None,
            &[
                ("X-Message", "context.error.message"),
                ("X-Sent", "method.request.header.x-sent"),
                ("X-Why", "context.error.validationErrorString"),
                ("X-Ip", "context.identity.sourceIp"),
                ("X-Key", "context.identity.apiKey"),
                ("Content-Length", "'1'"),
                ("Transfer-Encoding", "'chunked'"),
                ("Connection", "'close'"),
                ("Content-Type", "'text/plain'"),
                ("WWW-Authenticate", "'Basic'"),
            ],
            Some("{\"m\":$context.error.messageString}"),
        ),
    )];
    let (answer, body) = dressed(&refusal, &rows, &[Some("a\r\nSet-Cookie: x".to_owned())]).await;
    let value: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(value["m"], "say \"no\"\r\n\\ \u{1}");
    let header = |name: &str| answer.headers().get(name).map(|v| v.to_str().expect("text").to_owned());
    assert_eq!(header("x-message"), None, "no header can carry it");
    assert_eq!((header("x-sent"), header("set-cookie")), (None, None));
    assert_eq!(header("x-why").as_deref(), Some("[object has missing required properties ([\"a\"])]"));
    assert_eq!(header("x-ip").as_deref(), Some("192.0.2.1"));
    assert_eq!(header("x-key"), None, "what the visit does not have is left out");
    assert_eq!((header("content-length"), header("transfer-encoding"), header("connection")), (None, None, None));
    assert_eq!(header("content-type").as_deref(), Some("text/plain"));
    assert_eq!(header("www-authenticate").as_deref(), Some("Basic"), "browsers ask for a password then");
}

#[tokio::test]
async fn a_status_that_ends_no_answer_is_not_sent() {
    let refusal = Refusal::new(Kind::Throttled, "test");
    for code in ["100", "199", "1", "99999", "x"] {
        let (answer, _) = dressed(&refusal, &[("THROTTLED", row(Some(code), &[], None))], &[]).await;
        assert_eq!(answer.status(), 429, "{code}");
    }
}
