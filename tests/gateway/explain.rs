//! What a node remembers of its refusals, and what clients may see of it: each cause that one process can provoke.

use super::backends::{Act, Backend, plain};
use super::site::{API, Rows, Site, api_scope, mock, proxy};
use super::sockets::Answer;
use meridian::catalog::v1::{
    ApiStage, Integration, IntegrationType, MethodSetting, Model, PassthroughBehavior, QuotaPeriod, QuotaSettings,
    RequestValidator, ThrottleSettings, UsagePlan,
};
use meridian::gateway::explain::{Record, RecordId, hint};
use std::collections::BTreeMap;

const SECRET: &str = "secret-key-value-1234";

fn validator(id: &str, body: bool) -> RequestValidator {
    RequestValidator {
        id: id.into(),
        validate_request_body: body,
        validate_request_parameters: !body,
        ..RequestValidator::default()
    }
}

fn model(name: &str, schema: &str) -> Model {
    Model {
        id: name.into(),
        name: name.into(),
        content_type: "application/json".into(),
        schema: Some(schema.into()),
        ..Model::default()
    }
}

fn http(uri: &str) -> Integration {
    Integration { kind: IntegrationType::Http, integration_responses: BTreeMap::new(), ..proxy(uri) }
}

fn validated(rows: &mut Rows) {
    let good = || mock(r#"{"statusCode": 200}"#);
    rows.change(|ops| {
        ops.put(&api_scope(), "parameters", &validator("parameters", false))
            .put(&api_scope(), "body", &validator("body", true))
            .put(&api_scope(), "Pet", &model("Pet", r#"{"type": "object", "required": ["a"]}"#))
            .put(&api_scope(), "Odd", &model("Odd", r#"{"properties": {"a": {"type": "nothing"}}}"#));
    });
    rows.put_method("/parameters", "POST", good(), |m| {
        m.request_validator_id = Some("parameters".into());
        m.request_parameters = Some([("method.request.header.X-Needed".to_owned(), true)].into());
    });
    for (path, name) in [("/body", "Pet"), ("/odd", "Odd")] {
        rows.put_method(path, "POST", good(), |m| {
            m.request_validator_id = Some("body".into());
            m.request_models = Some([("application/json".to_owned(), name.to_owned())].into());
        });
    }
    rows.put_method("/validator", "POST", good(), |m| m.request_validator_id = Some("gone".into()));
}

/// An API whose calls are refused in every way, one path each.
fn faulty(hanging: &Backend, answering: &Backend) -> Rows {
    let good = || mock(r#"{"statusCode": 200}"#);
    let mut rows = Rows::new();
    validated(&mut rows);
    for path in ["/key", "/quota", "/plan"] {
        rows.put_method(path, "POST", good(), |m| m.api_key_required = true);
    }
    rows.put_method("/media", "POST", good(), |m| {
        if let Some(integration) = &mut m.method_integration {
            integration.passthrough_behavior = Some(PassthroughBehavior::Never);
        }
    });
    rows.put_method("/mock", "POST", mock("{}"), |_| {});
    rows.put_method("/template", "POST", mock("{}\n #if( $a"), |_| {});
    rows.put_method("/fine", "POST", good(), |_| {});
    rows.put_method("/gone", "POST", proxy("http://127.0.0.1:1/"), |_| {});
    rows.put_method("/name", "POST", proxy("http://no-such-host.invalid/"), |_| {});
    let slow = Integration { timeout_in_millis: Some(50), ..proxy(&hanging.url("/")) };
    rows.put_method("/slow", "POST", slow, |_| {});
    rows.put_method("/output", "POST", http(&answering.url("/")), |_| {});
    rows.put_method("/passed", "POST", proxy(&answering.url("/")), |_| {});
    rows.put_method("/throttled", "POST", good(), |_| {});
    rows.put_method("/iam", "POST", good(), |m| m.authorization_type = "AWS_IAM".into());
    let quota = QuotaSettings { limit: 0, offset: 0, period: QuotaPeriod::Day, ..QuotaSettings::default() };
    rows.key("spent", SECRET, UsagePlan { quota: Some(quota), ..UsagePlan::default() });
    let none = ThrottleSettings { rate_limit: Some(0.0), burst_limit: Some(0), ..ThrottleSettings::default() };
    rows.key("slowed", "slowed-key-value-1234", UsagePlan { throttle: Some(none), ..UsagePlan::default() });
    let elsewhere = vec![ApiStage { api_id: "other".into(), stage: "prod".into(), ..ApiStage::default() }];
    rows.key("stray", "strays-key-value-1234", UsagePlan { api_stages: elsewhere, ..UsagePlan::default() });
    rows
}

fn deploy(rows: &mut Rows, explain: Option<&str>) {
    rows.redeploy(|stage| {
        let none = MethodSetting { throttling_rate_limit: 0.0, throttling_burst_limit: 0, ..MethodSetting::default() };
        stage.method_settings = [("throttled/POST".to_owned(), none)].into();
        stage.variables = explain.map(|value| [("meridian_explain".to_owned(), value.to_owned())].into());
    });
}

/// Path, headers, body; step, cause, place.
const CALLS: &[(&str, &str, &str, &str, &str, &str)] = &[
    ("/x?a=|", "", "", "place", "query_characters", ""),
    ("/nothing", "", "", "route", "no_such_method", ""),
    ("/fine", "X-HTTP-Method-Override: a b\r\n", "", "route", "method_override", ""),
    ("/iam", "", "", "authorize", "not_built", ""),
    ("/key", "", "", "key", "no_key", ""),
    ("/key", "x-api-key: nobodys-key-value-1\r\n", "", "key", "unknown_key", ""),
    ("/key", "x-api-key: strays-key-value-1234\r\n", "", "key", "no_plan_for_stage", ""),
    ("/quota", "x-api-key: secret-key-value-1234\r\n", "", "admit", "quota_exceeded", ""),
    ("/plan", "x-api-key: slowed-key-value-1234\r\n", "", "admit", "plan_throttle", ""),
    ("/throttled", "", "", "admit", "stage_throttle", ""),
    ("/fine", "", "a body that is over the limit of this site", "validate", "body_too_large", ""),
    ("/fine", "Content-Encoding: zip\r\n", "a", "validate", "content_encoding", ""),
    ("/validator", "", "", "validate", "validator_gone", ""),
    ("/parameters", "", "", "validate", "missing_parameters", "method.request.header.X-Needed"),
    ("/odd", "", "{}", "validate", "model_unusable", "Odd#/properties/a"),
    ("/body", "", "{}", "validate", "invalid_body", "#"),
    ("/media", "Content-Type: text/csv\r\n", "a,b", "map", "no_request_template", ""),
    ("/mock", "", "", "map", "mock_status", ""),
    ("/template", "", "", "map", "template_failed", "2:"),
    ("/gone", "", "", "integrate", "connect_failed", ""),
    ("/name", "", "", "integrate", "endpoint_unresolvable", ""),
    ("/slow", "", "", "integrate", "integration_timeout", ""),
    ("/output", "", "", "answer", "no_output_mapping", ""),
];

struct Broken {
    site: Site,
    _backends: [Backend; 2],
}

async fn broken(explain: Option<&str>) -> Broken {
    let hanging = Backend::always(Act::Hang).await;
    let faked = "x-meridian-cause: admit/faked\r\nX-Meridian-Y: 1\r\n";
    let answering = Backend::always(Act::Say(plain(503, faked, "theirs"))).await;
    let mut rows = faulty(&hanging, &answering);
    deploy(&mut rows, explain);
    let site = Site::with(&rows, |parts| parts.limits.body_bytes = 32).await;
    Broken { site, _backends: [hanging, answering] }
}

fn remembered(site: &Site, answer: &Answer, header: &str) -> Vec<Record<'static>> {
    let id = answer.header(header).expect("an id");
    site.gateway.explain(RecordId::parse(id).unwrap_or_else(|| panic!("{header}: {id}")))
}

#[tokio::test]
async fn every_refusal_leaves_a_record_with_its_step_cause_and_place() {
    let broken = broken(None).await;
    let site = &broken.site;
    for (path, headers, body, step, cause, place) in CALLS {
        let answer = site.ask("POST", path, headers, body).await;
        let found = remembered(site, &answer, "x-amzn-requestid");
        let [record] = &found[..] else { panic!("{cause}: one record of {}: {found:?}", answer.text()) };
        assert_eq!((&*record.step, &*record.cause), (*step, *cause), "{path}: {record:?}");
        assert!(record.place.starts_with(place) && record.place.is_empty() == place.is_empty(), "{cause}: {record:?}");
        assert_eq!((record.status, record.method.as_ref()), (answer.status, "POST"), "{cause}");
        assert_eq!(record.path, format!("/prod{}", path.split('?').next().unwrap_or_default()), "{cause}");
        assert!(!format!("{record:?}").contains("key-value"), "{cause}: a key's value: {record:?}");
        assert!(hint(cause).len() > 20 && !record.resumed && record.time_ms > 0, "{cause}");
        if *step != "place" {
            assert_eq!((record.api.as_ref(), record.stage.as_ref()), (API, "prod"), "{cause}");
        }
        if !matches!(*step, "place" | "route") {
            assert_eq!(record.resource_path, *path, "{cause}");
        }
        assert_eq!(remembered(site, &answer, "x-amz-apigw-id"), found, "{cause}: by its other id");
        assert_eq!(answer.header("x-meridian-cause"), None, "{cause}: clients see nothing unless they are to");
        assert!(!answer.text().contains(cause), "{cause}: {}", answer.text());
    }
}

#[tokio::test]
async fn records_say_key_plan_integration_and_what_the_validator_said() {
    let broken = broken(None).await;
    let site = &broken.site;
    let one = async |path: &str, headers: &str, body: &str| {
        let answer = site.ask("POST", path, headers, body).await;
        remembered(site, &answer, "x-amzn-requestid").pop().unwrap_or_else(|| panic!("{path}"))
    };
    let quota = one("/quota", "x-api-key: secret-key-value-1234\r\n", "").await;
    assert_eq!((quota.key_id.as_ref(), quota.plan_id.as_ref()), ("spent", "plan-spent"));
    assert_eq!((quota.response_type.as_ref(), quota.resource_path.as_ref()), ("QUOTA_EXCEEDED", "/quota"));
    let slow = one("/slow", "", "").await;
    assert!(slow.integration_us.is_some_and(|us| us >= 50_000) && slow.latency_us >= 50_000, "{slow:?}");
    let output = one("/output", "", "").await;
    assert_eq!(output.integration_status, Some(503));
    let body = one("/body", "", "{}").await;
    assert!(body.detail.contains(r#"missing required properties (["a"])"#), "{body:?}");
    assert_eq!(body.message, "Invalid request body");
}

#[tokio::test]
async fn what_is_answered_well_or_by_a_backend_leaves_nothing_and_no_backend_fakes_a_cause() {
    for explain in [None, Some("true")] {
        let broken = broken(explain).await;
        let site = &broken.site;
        let fine = site.ask("POST", "/fine", "x-meridian-cause: a/b\r\n", "").await;
        assert_eq!((fine.status, remembered(site, &fine, "x-amzn-requestid")), (200, Vec::new()));
        let passed = site.ask("POST", "/passed", "x-meridian-cause: a/b\r\n", "").await;
        assert_eq!((passed.status, passed.text().as_str()), (503, "theirs"));
        assert!(remembered(site, &passed, "x-amzn-requestid").is_empty());
        for name in ["x-meridian-cause", "x-meridian-y"] {
            assert_eq!((fine.header(name), passed.header(name)), (None, None), "{name}");
        }
        let seen = broken._backends[1].seen.requests.lock().expect("lock").join("\n").to_lowercase();
        assert!(!seen.is_empty() && !seen.contains("x-meridian"), "{seen}");
    }
}

#[tokio::test]
async fn a_stage_that_wants_it_shows_causes_to_its_clients() {
    let shown = broken(Some("true")).await;
    for (path, headers, body, step, cause, place) in CALLS {
        let headers = format!("x-meridian-cause: place/faked\r\n{headers}");
        let answer = shown.site.ask("POST", path, &headers, body).await;
        let all: Vec<&str> =
            answer.headers.iter().filter(|(n, _)| n.starts_with("x-meridian")).map(|(_, v)| v.as_str()).collect();
        // Before its stage is known nobody can want it.
        if *step == "place" {
            assert!(all.is_empty(), "{cause}");
            continue;
        }
        let wanted = if place.is_empty() { format!("{step}/{cause}") } else { format!("{step}/{cause}; {place}") };
        assert!(all.len() == 1 && all[0].starts_with(&wanted), "{cause}: {all:?}");
    }
    let hidden = broken(Some("yes")).await;
    let answer = hidden.site.ask("POST", "/mock", "", "").await;
    assert_eq!((answer.status, answer.header("x-meridian-cause")), (500, None));
}
