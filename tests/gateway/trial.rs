//! Trial calls of a draft, and the execution log that they and live visits leave.

use super::backends::{Act, Backend, plain};
use super::site::{API, REGION, Rows, Site, api_scope, mock, proxy};
use meridian::catalog::v1::{Integration, Method, Resource};
use meridian::gateway::{Trial, TrialError, Tried};
use meridian::net::http::Workers;
use std::collections::BTreeMap;

fn trial(rows: &Rows, path: &str, verb: &str, target: Option<&str>) -> Trial {
    let resources = rows.world.list::<Resource>(&api_scope(), "").expect("rows");
    let (id, resource) = resources.into_iter().find(|(_, r)| r.path == path).expect("a resource");
    Trial {
        tree: rows.world.tree(&api_scope()),
        account: "000000000000".into(),
        region: REGION.into(),
        api: API.into(),
        resource_id: id,
        resource_path: resource.path,
        http_method: verb.into(),
        target: target.map(Into::into),
        headers: Vec::new(),
        body: bytes::Bytes::new(),
        variables: BTreeMap::new(),
    }
}

async fn tried(rows: &Rows, trial: Trial) -> Result<Tried, TrialError> {
    let site = Site::new(rows).await;
    let workers = Workers::start("trial", 1).expect("worker");
    site.gateway.try_out(&workers, trial).await
}

/// The log's lines without their times.
fn lines(log: &str) -> Vec<&str> {
    let mut lines = log.lines();
    let first = lines.next().expect("a first line");
    std::iter::once(first).chain(lines.map(|line| line.split_once(" : ").expect("a time").1)).collect()
}

fn text(template: &str) -> Integration {
    let mut integration = mock(r#"{"statusCode": 200}"#);
    integration.integration_responses.get_mut("200").expect("default").response_templates =
        Some(BTreeMap::from([("application/json".to_owned(), Some(template.to_owned()))]));
    integration
}

#[tokio::test]
async fn a_mock_is_tried_as_a_draft_and_its_log_is_awss() {
    let mut rows = Rows::new();
    rows.put_method(
        "/pets/{petId}",
        "GET",
        text("id $input.params('petId') $stageVariables.color $context.stage"),
        |m| {
            m.api_key_required = true;
            m.authorization_type = "CUSTOM".into();
        },
    );
    // Nothing is deployed, and another method of the draft is half made.
    rows.change(|ops| {
        let half = Method { http_method: "POST".into(), authorization_type: "NONE".into(), ..Method::default() };
        ops.put(&api_scope(), &Method::row_id("r0", "POST"), &half);
    });
    let mut asked = trial(&rows, "/pets/{petId}", "GET", Some("/pets/123?foo=bar"));
    asked.variables = BTreeMap::from([("color".to_owned(), "blue".to_owned())]);
    asked.headers = vec![("x-API-Key".to_owned(), "a-secret-value-of-a-key".to_owned())];
    let answer = tried(&rows, asked).await.expect("tried");
    assert_eq!((answer.status, &answer.body[..]), (200, &b"id 123 blue test-invoke-stage"[..]));
    assert_eq!(answer.headers, [("Content-Type".to_owned(), "application/json".to_owned())]);
    let lines = lines(&answer.log);
    let id = lines[0].strip_prefix("Execution log for request ").expect("an id");
    let stars = "*".repeat(26);
    assert_eq!(
        lines[1..],
        [
            format!("Starting execution for request: {id}").as_str(),
            "HTTP Method: GET, Resource Path: /pets/123",
            "Method request path: {petId=123}",
            "Method request query string: {foo=bar}",
            format!("Method request headers: {{x-API-Key={stars}-a-key, Content-Type=application/json}}").as_str(),
            "Method request body before transformations: ",
            "Method response body after transformations: id 123 blue test-invoke-stage",
            "Method response headers: {Content-Type=application/json}",
            "Successfully completed execution",
            "Method completed with status: 200",
        ]
    );
    assert!(answer.log.ends_with("status: 200\n"));
    let unfit = tried(&rows, trial(&rows, "/pets/{petId}", "GET", Some("/else/where"))).await.expect("tried");
    assert_eq!(&unfit.body[..], b"id   test-invoke-stage", "a path that does not fit runs without parameters");
    let bare = tried(&rows, trial(&rows, "/pets/{petId}", "GET", None)).await.expect("tried");
    assert_eq!(&bare.body[..], b"id {petId}  test-invoke-stage");
    assert!(bare.log.contains("Resource Path: /pets/{petId}\n"), "{}", bare.log);
    let half = tried(&rows, trial(&rows, "/pets/{petId}", "POST", None)).await;
    assert!(matches!(half, Err(TrialError::Flaws(_))), "{half:?}");
}

#[tokio::test]
async fn a_backend_is_really_called_and_a_failure_is_an_answer() {
    let backend = Backend::always(Act::Say(plain(201, "X-Back: b\r\n", "from the backend"))).await;
    let rows = Rows::new()
        .method("/p/{proxy+}", "ANY", proxy(&backend.url("/{proxy}")))
        .method("/nowhere", "GET", proxy("http://nowhere.invalid/"))
        .method("/template", "GET", text("\n#foreach($x in"));
    let mut asked = trial(&rows, "/p/{proxy+}", "ANY", Some("/p/a/b"));
    asked.body = "hello".into();
    let answer = tried(&rows, asked).await.expect("tried");
    assert_eq!((answer.status, &answer.body[..]), (201, &b"from the backend"[..]));
    assert!(answer.headers.contains(&("X-Back".to_owned(), "b".to_owned())), "{:?}", answer.headers);
    assert!(backend.requests()[0].starts_with("GET /a/b HTTP/1.1") && backend.requests()[0].ends_with("hello"));
    for line in [
        format!("Endpoint request URI: {}", backend.url("/a/b")).as_str(),
        "Endpoint request body after transformations: hello",
        "Received response. Status: 201, Integration latency: ",
        "Endpoint response body before transformations: from the backend",
        "Method response body after transformations: from the backend",
    ] {
        assert!(answer.log.contains(line), "{line} in {}", answer.log);
    }
    let lost = tried(&rows, trial(&rows, "/nowhere", "GET", None)).await.expect("tried");
    assert_eq!((lost.status, &lost.body[..]), (500, &br#"{"message": "Internal server error"}"#[..]));
    let lines = lines(&lost.log);
    assert!(
        lines[lines.len() - 2].starts_with("Execution failed due to configuration error: Invalid endpoint address")
    );
    assert_eq!(lines[lines.len() - 1], "Method completed with status: 500");
    let error = ("x-amzn-ErrorType".to_owned(), "InternalServerErrorException".to_owned());
    assert!(lost.headers.contains(&error), "{:?}", lost.headers);
    let broken = tried(&rows, trial(&rows, "/template", "GET", None)).await.expect("tried");
    assert_eq!(broken.status, 500);
    assert!(broken.log.contains("line 2, column"), "the owner sees where: {}", broken.log);
    let mut odd = trial(&rows, "/nowhere", "GET", Some("/a b"));
    assert!(matches!(tried(&rows, odd.clone()).await, Err(TrialError::Malformed(_))));
    odd.target = None;
    odd.headers = vec![("bad name".to_owned(), "x".to_owned())];
    assert!(matches!(tried(&rows, odd).await, Err(TrialError::Malformed(_))));
}
