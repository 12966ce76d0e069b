//! Gateway responses as their owner wants them, from sockets: every type that can be provoked.

use super::backends::{Act, Backend};
use super::site::{API, Rows, Site, api_scope, mock, proxy};
use meridian::catalog::v1::{
    GatewayResponse, Integration, MethodSetting, Model, PassthroughBehavior, QuotaPeriod, QuotaSettings,
    RequestValidator, UsagePlan,
};

fn definition(status: Option<&str>, parameters: &[(&str, &str)], templates: &[(&str, &str)]) -> GatewayResponse {
    let texts = |of: &[(&str, &str)]| of.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    GatewayResponse {
        status_code: status.map(str::to_owned),
        response_parameters: texts(parameters),
        response_templates: (!templates.is_empty()).then(|| texts(templates)),
        ..GatewayResponse::default()
    }
}

trait Dress {
    fn dress(&mut self, kind: &str, definition: &GatewayResponse);
}

impl Dress for Rows {
    fn dress(&mut self, kind: &str, definition: &GatewayResponse) {
        self.change(|ops| {
            ops.put(&api_scope(), kind, definition);
        });
    }
}

/// An API whose calls are refused in every way, one path each.
async fn faulty(hanging: &Backend) -> Rows {
    let good = || mock(r#"{"statusCode": 200}"#);
    let mut rows = Rows::new();
    for (id, body) in [("parameters", false), ("body", true)] {
        let validator = RequestValidator {
            id: id.into(),
            validate_request_body: body,
            validate_request_parameters: !body,
            ..RequestValidator::default()
        };
        rows.change(|ops| {
            ops.put(&api_scope(), id, &validator);
        });
    }
    let schema = r#"{"$schema": "http://json-schema.org/draft-04/schema#", "type": "object", "required": ["a"]}"#;
    let model = Model {
        id: "m1".into(),
        name: "Pet".into(),
        content_type: "application/json".into(),
        schema: Some(schema.into()),
        ..Model::default()
    };
    rows.change(|ops| {
        ops.put(&api_scope(), "Pet", &model);
    });
    rows.put_method("/parameters/{id}", "POST", good(), |m| {
        m.request_validator_id = Some("parameters".into());
        m.request_parameters = Some([("method.request.header.X-Needed".to_owned(), true)].into());
    });
    rows.put_method("/body/{id}", "POST", good(), |m| {
        m.request_validator_id = Some("body".into());
        m.request_models = Some([("application/json".to_owned(), "Pet".to_owned())].into());
    });
    rows.put_method("/key/{id}", "POST", good(), |m| m.api_key_required = true);
    rows.put_method("/quota/{id}", "POST", good(), |m| m.api_key_required = true);
    rows.put_method("/media/{id}", "POST", good(), |m| {
        if let Some(integration) = &mut m.method_integration {
            integration.passthrough_behavior = Some(PassthroughBehavior::Never);
        }
    });
    rows.put_method("/configured/{id}", "POST", mock("{}"), |_| {});
    rows.put_method("/gone/{id}", "POST", proxy("http://127.0.0.1:1/"), |_| {});
    let slow = Integration { timeout_in_millis: Some(50), ..proxy(&hanging.url("/")) };
    rows.put_method("/slow/{id}", "POST", slow, |_| {});
    rows.put_method("/throttled/{id}", "POST", good(), |_| {});
    rows.put_method("/iam/{id}", "POST", good(), |m| m.authorization_type = "AWS_IAM".into());
    rows.put_method("/large/{id}", "POST", proxy("http://127.0.0.1:1/"), |_| {});
    let quota = QuotaSettings { limit: 0, offset: 0, period: QuotaPeriod::Day, ..QuotaSettings::default() };
    rows.key("k1", "secret-key-value-1234", UsagePlan { quota: Some(quota), ..UsagePlan::default() });
    rows
}

fn deploy(rows: &mut Rows) {
    rows.redeploy(|stage| {
        let none = MethodSetting { throttling_rate_limit: 0.0, throttling_burst_limit: 0, ..MethodSetting::default() };
        stage.method_settings = [("throttled~1{id}/POST".to_owned(), none)].into();
        stage.variables = Some([("color".to_owned(), "blue".to_owned())].into());
    });
}

const KEY: &str = "x-api-key: secret-key-value-1234\r\n";

/// Path, headers, body; the type, the built-in status, and whether a path parameter is known by then.
const CALLS: [(&str, &str, &str, &str, u16, bool); 13] = [
    ("/nothing", "", "", "MISSING_AUTHENTICATION_TOKEN", 403, false),
    ("/parameters/7", "", "", "BAD_REQUEST_PARAMETERS", 400, true),
    ("/body/7", "", "{}", "BAD_REQUEST_BODY", 400, true),
    ("/key/7", "", "", "INVALID_API_KEY", 403, true),
    ("/quota/7", KEY, "", "QUOTA_EXCEEDED", 429, true),
    ("/media/7", "Content-Type: text/csv\r\n", "a,b", "UNSUPPORTED_MEDIA_TYPE", 415, true),
    ("/configured/7", "", "", "API_CONFIGURATION_ERROR", 500, true),
    ("/gone/7", "", "", "INTEGRATION_FAILURE", 504, true),
    ("/slow/7", "", "", "INTEGRATION_TIMEOUT", 504, true),
    ("/throttled/7", "", "", "THROTTLED", 429, true),
    // Ours are told, and dressed, as their class.
    ("/iam/7", "", "", "DEFAULT_5XX", 501, true),
    ("/iam/7", "X-HTTP-Method-Override: a b\r\n", "", "DEFAULT_4XX", 400, false),
    ("/large/7", "", "a body over the limit", "REQUEST_TOO_LARGE", 413, true),
];

async fn site(rows: &Rows) -> Site {
    Site::with(rows, |parts| parts.limits.body_bytes = 16).await
}

#[tokio::test]
async fn every_type_that_can_be_provoked_wears_its_own_definition() {
    let hanging = Backend::always(Act::Hang).await;
    let mut rows = faulty(&hanging).await;
    let template = r#"{"t":"$context.error.responseType","m":$context.error.messageString,"s":"$context.stage/$stageVariables.color","h":"$method.request.header.x-sent"}"#;
    for (at, (_, _, _, kind, ..)) in CALLS.iter().enumerate() {
        let status = (430 + at).to_string();
        let parameters = [
            ("gatewayresponse.header.X-Type", "context.error.responseType"),
            ("gatewayresponse.header.X-Id", "method.request.path.id"),
            ("gatewayresponse.header.X-Query", "method.request.querystring.q"),
            ("gatewayresponse.header.X-Sent", "method.request.header.X-Sent"),
            ("gatewayresponse.header.X-Color", "stageVariables.color"),
            ("gatewayresponse.header.X-Fixed", "'a b'"),
            ("gatewayresponse.path.ignored", "'x'"),
        ];
        rows.dress(kind, &definition(Some(&status), &parameters, &[("application/json", template)]));
    }
    deploy(&mut rows);
    let site = site(&rows).await;
    for (at, (path, headers, body, kind, built_in, has_path)) in CALLS.into_iter().enumerate() {
        let headers = format!("{headers}X-Sent: one\r\nX-Sent: two\r\n");
        let answer = site.ask("POST", &format!("{path}?q=a%20b"), &headers, body).await;
        if kind == "REQUEST_TOO_LARGE" {
            assert_eq!((answer.status, answer.text().as_str()), (built_in, r#"{"message":"Request Too Long"}"#));
            assert_eq!(answer.header("x-type"), None, "it cannot be customised");
            continue;
        }
        assert_eq!(usize::from(answer.status), 430 + at, "{kind}: {}", answer.text());
        assert_eq!(answer.header("x-type"), Some(kind));
        assert_eq!(answer.header("x-id"), has_path.then_some("7"), "{kind}");
        assert_eq!(answer.header("x-query"), Some("a b"), "{kind}");
        assert_eq!(answer.header("x-sent"), Some("two"), "{kind}: the last of several");
        assert_eq!((answer.header("x-color"), answer.header("x-fixed")), (Some("blue"), Some("a b")), "{kind}");
        assert_eq!(answer.header("x-amzn-requestid").map(str::len), Some(36), "{kind}");
        let text: serde_json::Value = serde_json::from_str(&answer.text()).expect("JSON");
        assert_eq!((&text["t"], &text["s"], &text["h"]), (&kind.into(), &"prod/blue".into(), &"two".into()), "{kind}");
        assert!(text["m"].is_string(), "{kind}: {text}");
    }
}

#[tokio::test]
async fn headers_on_both_classes_reach_every_refusal_and_change_nothing_else() {
    let hanging = Backend::always(Act::Hang).await;
    let mut plain = faulty(&hanging).await;
    deploy(&mut plain);
    let mut rows = faulty(&hanging).await;
    for class in ["DEFAULT_4XX", "DEFAULT_5XX"] {
        rows.dress(class, &definition(None, &[("gatewayresponse.header.Access-Control-Allow-Origin", "'*'")], &[]));
    }
    deploy(&mut rows);
    let (plain, dressed) = (site(&plain).await, site(&rows).await);
    for (path, headers, body, kind, status, _) in CALLS {
        let (bare, answer) =
            (plain.ask("POST", path, headers, body).await, dressed.ask("POST", path, headers, body).await);
        assert_eq!((bare.status, answer.status), (status, status), "{kind}");
        assert_eq!(answer.text(), bare.text(), "{kind}");
        assert_eq!(answer.header("x-amzn-errortype"), bare.header("x-amzn-errortype"), "{kind}");
        let wanted = (kind != "REQUEST_TOO_LARGE").then_some("*");
        assert_eq!(answer.header("access-control-allow-origin"), wanted, "{kind}");
    }
    let elsewhere = format!("GET /nostage/x HTTP/1.1\r\nHost: {API}.execute-api.x\r\n\r\n");
    let unknown = super::sockets::ask(dressed.addr, elsewhere).await.expect("answer");
    assert_eq!(unknown.header("access-control-allow-origin"), None, "no stage, no definition");
}

#[tokio::test]
async fn the_clients_accept_chooses_the_template() {
    let mut rows = Rows::new().method("/", "GET", mock(r#"{"statusCode": 200}"#));
    let templates =
        [("application/xml", "<m>$context.error.message</m>"), ("application/json", "{}"), ("text/html", "<b>")];
    rows.dress("DEFAULT_4XX", &definition(None, &[], &templates));
    rows.dress("DEFAULT_5XX", &definition(None, &[], &[("text/html", "<i>")]));
    rows.put_method("/broken", "GET", mock("{}"), |_| {});
    deploy(&mut rows);
    let site = Site::new(&rows).await;
    for (path, accept, body, media) in [
        ("/none", "", "{}", "application/json"),
        ("/none", "application/xml", "<m>Missing Authentication Token</m>", "application/xml"),
        ("/none", "text/HTML;q=0.5, application/xml", "<b>", "text/html"),
        ("/none", "*/*", "{}", "application/json"),
        ("/none", "image/png, text/html", "{}", "application/json"),
        ("/broken", "text/html", "<i>", "text/html"),
        ("/broken", "text/plain", r#"{"message": "Internal server error"}"#, "application/json"),
    ] {
        let headers = if accept.is_empty() { String::new() } else { format!("Accept: {accept}\r\n") };
        let answer = site.ask("GET", path, &headers, "").await;
        assert_eq!((answer.text().as_str(), answer.header("content-type")), (body, Some(media)), "{path} {accept}");
    }
}

#[tokio::test]
async fn what_the_validator_said_can_be_told() {
    let hanging = Backend::always(Act::Hang).await;
    let mut rows = faulty(&hanging).await;
    let template = r#"{"why":"$context.error.validationErrorString","id":"$context.requestId"}"#;
    rows.dress("BAD_REQUEST_BODY", &definition(None, &[], &[("application/json", template)]));
    deploy(&mut rows);
    let site = Site::new(&rows).await;
    let answer = site.ask("POST", "/body/7", "", "{}").await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().starts_with(r#"{"why":"[object has missing required properties (["a"])]"#),
        "{}",
        answer.text()
    );
    let id = answer.header("x-amzn-requestid").expect("id").to_owned();
    assert!(answer.text().contains(&id), "{}", answer.text());
}

#[tokio::test]
async fn a_clients_value_cannot_split_an_answer() {
    let mut rows = Rows::new().method("/{id}", "GET", mock("{}"));
    let parameters = [
        ("gatewayresponse.header.X-Query", "method.request.querystring.q"),
        ("gatewayresponse.header.X-Good", "method.request.querystring.good"),
        ("gatewayresponse.header.Content-Length", "method.request.querystring.length"),
    ];
    rows.dress("API_CONFIGURATION_ERROR", &definition(None, &parameters, &[("application/json", "four")]));
    deploy(&mut rows);
    let site = Site::new(&rows).await;
    let answer = site.get("/7?q=a%0d%0aSet-Cookie:%20x=1&good=%C3%A9%20%22&length=1").await;
    assert_eq!((answer.status, answer.text().as_str()), (500, "four"));
    assert_eq!((answer.header("set-cookie"), answer.header("x-query")), (None, None));
    assert_eq!(answer.header("content-length"), Some("4"));
}

#[tokio::test]
async fn a_deployment_freezes_its_gateway_responses() {
    let mut rows = Rows::new().method("/", "GET", mock("{}"));
    rows.dress("DEFAULT_5XX", &definition(Some("503"), &[], &[]));
    deploy(&mut rows);
    let site = Site::new(&rows).await;
    assert_eq!(site.get("/").await.status, 503);
    rows.dress("DEFAULT_5XX", &definition(Some("507"), &[], &[]));
    site.publish(&rows);
    assert_eq!(site.get("/").await.status, 503, "a draft changes nothing");
    deploy(&mut rows);
    site.publish(&rows);
    assert_eq!(site.get("/").await.status, 507);
}
