//! The walk up to admission: naming a stage, routes, keys, throttles, refusals, deployments.

use super::backends::Backend;
use super::site::{API, REGION, Rows, Site, api_scope, mock, proxy, region_scope, request};
use super::sockets::ask;
use meridian::catalog::v1::{ApiKey, MethodSetting, QuotaSettings, RestApi, ThrottleSettings, UsagePlan};

fn pets() -> Rows {
    Rows::new()
        .method("/", "GET", mock(r#"{"statusCode": 200}"#))
        .method("/pets", "GET", mock("{statusCode: 201}"))
        .method("/pets/{id}", "GET", mock(r#"{"statusCode": 400}"#))
        .deploy()
}

#[tokio::test]
async fn every_way_to_name_a_stage_reaches_it() {
    let site = Site::new(&pets()).await;
    let host = format!("{API}.execute-api.{REGION}.localhost");
    for (host, path, header) in [
        (host.as_str(), "/prod/pets".to_string(), ""),
        (host.as_str(), "//prod//pets/".to_string(), ""),
        (host.to_uppercase().as_str(), "/prod/pets".to_string(), ""),
        ("127.0.0.1", format!("/_aws/execute-api/{API}/prod/pets"), ""),
        ("localhost:9", format!("/restapis/{API}/prod/_user_request_/pets"), ""),
        ("127.0.0.1", "/prod/pets".to_string(), "x-apigw-api-id: a1b2c3d4e5\r\n"),
    ] {
        let answer = ask(site.addr, format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{header}\r\n")).await;
        assert_eq!(answer.map(|a| a.status), Some(200), "{host}{path}");
    }
    let absolute = format!("GET http://{host}/prod/pets HTTP/1.1\r\nHost: {host}\r\n\r\n");
    assert_eq!(ask(site.addr, absolute).await.map(|a| a.status), Some(200));
}

#[tokio::test]
async fn refusals_carry_awss_bodies_types_and_ids() {
    let site = Site::new(&pets()).await;
    let host = format!("{API}.execute-api.x");
    let forbidden = (403, r#"{"message":"Forbidden"}"#, "ForbiddenException");
    let missing = (403, r#"{"message":"Missing Authentication Token"}"#, "MissingAuthenticationTokenException");
    let bad = (400, r#"{"message":"Bad Request"}"#, "BadRequestException");
    let long = format!("/prod/{}", "x".repeat(20_000));
    for (host, target, wanted) in [
        ("zzzzzzzzzz.execute-api.x", "/prod/pets", forbidden),
        (&host, "/nostage/pets", forbidden),
        (&host, "/", forbidden),
        ("unknown.example.com", "/prod/pets", forbidden),
        (&host, "/prod/nothing", missing),
        (&host, "/prod/pets/1/2", missing),
        (&host, "/prod/pets?a=b|c", bad),
        (&host, &long, (414, r#"{"message":"Request URI too long"}"#, "RequestUriTooLongException")),
    ] {
        let answer = ask(site.addr, format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await.expect("answer");
        let found = (answer.status, answer.text(), answer.header("x-amzn-errortype").unwrap_or_default().to_owned());
        assert_eq!((found.0, found.1.as_str(), found.2.as_str()), wanted, "{host}{target}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("x-amzn-requestid").map(str::len), Some(36));
        assert_eq!(answer.header("x-amz-apigw-id").map(|id| id.ends_with('=')), Some(true));
        assert!(answer.header("date").is_some());
    }
    let post = site.ask("POST", "/pets", "", "").await;
    assert_eq!(post.text(), r#"{"message":"Missing Authentication Token"}"#);
    let none = ask(site.addr, "GET /prod/pets HTTP/1.1\r\n\r\n").await.expect("answer");
    assert_eq!(none.status, 400, "a request without Host");
    let two = ask(site.addr, "GET /prod/pets HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").await.expect("answer");
    assert_eq!(two.status, 400, "a request with two Hosts");
    let both =
        "POST /prod/pets HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(ask(site.addr, both).await.expect("answer").status, 400);
}

#[tokio::test]
async fn mocks_answer_by_their_templates_status() {
    let site = Site::new(&pets()).await;
    let root = site.get("/").await;
    assert_eq!((root.status, root.text()), (200, String::new()));
    assert_eq!(root.header("content-type"), Some("application/json"));
    assert_eq!(root.header("content-length"), Some("0"));
    assert_eq!(root.header("x-amzn-trace-id"), None, "mocks have none");
    assert_eq!(site.get("/pets/7").await.status, 400, "the pattern 4.. chose it");
    let refused = site.ask("GET", "/pets", "Content-Type: text/plain\r\n", "").await;
    assert_eq!(refused.status, 500, "no template for it, and the empty body names no status");
    assert_eq!(refused.text(), r#"{"message": "Internal server error"}"#);
    assert_eq!(refused.header("content-length"), Some("36"));
    let passed = site.ask("GET", "/pets", "Content-Type: text/plain\r\n", r#"{"statusCode": 402}"#).await;
    assert_eq!(passed.status, 400, "the body passes through and names one");
}

#[tokio::test]
async fn a_mocks_response_may_have_headers_and_text() {
    let mut integration = mock(r#"{"statusCode": 200}"#);
    let response = integration.integration_responses.get_mut("200").expect("default");
    response.response_parameters = Some(
        [
            ("method.response.header.X-Fixed", "'a b'"),
            ("method.response.header.X-Id", "context.requestId"),
            ("method.response.header.X-Var", "stageVariables.color"),
            ("method.response.header.X-None", "stageVariables.nothing"),
            ("method.response.header.Date", "'yesterday'"),
            ("method.response.header.Transfer-Encoding", "'chunked'"),
            ("method.response.header.WWW-Authenticate", "'Basic'"),
        ]
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .into(),
    );
    response.response_templates = Some(
        [("application/json", r#"{"price": "$5"}"#), ("text/html", "<b>hi</b>")]
            .map(|(k, v)| (k.to_string(), Some(v.to_string())))
            .into(),
    );
    let mut rows = Rows::new().method("/", "GET", integration);
    rows.redeploy(|stage| stage.variables = Some([("color".to_string(), "blue".to_string())].into()));
    let site = Site::new(&rows).await;
    let answer = site.get("/").await;
    assert_eq!(answer.text(), r#"{"price": "$5"}"#);
    assert_eq!(answer.header("x-fixed"), Some("a b"));
    assert_eq!(answer.header("x-id"), answer.header("x-amzn-requestid"));
    assert_eq!(answer.header("x-var"), Some("blue"));
    assert_eq!(answer.header("x-none"), None);
    assert_eq!(answer.header("x-amzn-remapped-date"), Some("yesterday"));
    assert_eq!(answer.header("x-amzn-remapped-www-authenticate"), Some("Basic"));
    assert_eq!(answer.header("transfer-encoding"), None);
    let html = site.ask("GET", "/", "Accept: text/html, */*\r\n", "").await;
    assert_eq!((html.text().as_str(), html.header("content-type")), ("<b>hi</b>", Some("text/html")));
}

#[tokio::test]
async fn what_is_not_built_names_itself() {
    let mut rows = Rows::new();
    rows.put_method("/iam", "GET", mock("{}"), |m| m.authorization_type = "AWS_IAM".into());
    rows.put_method("/link", "GET", proxy("http://h/"), |m| {
        let integration = m.method_integration.as_mut().expect("one");
        integration.connection_type = Some(meridian::catalog::v1::ConnectionType::VpcLink);
    });
    let site = Site::new(&rows.deploy()).await;
    for (path, what) in [("/iam", "AWS_IAM authorization"), ("/link", "VPC link integrations")] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, 501);
        assert_eq!(answer.text(), format!("{{\"message\":\"Meridian does not implement {what} yet\"}}"));
        assert_eq!(answer.header("x-amzn-errortype"), Some("NotImplementedException"));
    }
}

#[tokio::test]
async fn an_api_with_a_resource_policy_lets_nobody_in_until_policies_are_built() {
    let mut rows = pets();
    let api = RestApi { id: API.into(), policy: Some("{}".into()), ..RestApi::default() };
    rows.change(|ops| {
        ops.put(&api_scope(), API, &api);
    });
    let site = Site::new(&rows.deploy()).await;
    assert_eq!(site.get("/pets").await.status, 501);
}

#[tokio::test]
async fn keys_are_asked_for_found_and_refused() {
    let mut rows = Rows::new();
    rows.put_method("/k", "GET", mock(r#"{"statusCode": 200}"#), |m| m.api_key_required = true);
    let mut rows = rows.deploy();
    rows.key("good", "good-value-good-value", UsagePlan::default());
    let other = meridian::catalog::v1::ApiStage { api_id: API.into(), stage: "other".into(), ..Default::default() };
    rows.key("elsewhere", "elsewhere-value-value", UsagePlan { api_stages: vec![other], ..UsagePlan::default() });
    let site = Site::new(&rows).await;
    let with = async |value: &str| {
        let answer = site.ask("GET", "/k", &format!("x-api-key: {value}\r\n"), "").await;
        (answer.status, answer.text())
    };
    let forbidden = (403, r#"{"message":"Forbidden"}"#.to_string());
    for _ in 0..2 {
        assert_eq!(with("good-value-good-value").await.0, 200);
        assert_eq!(with("unknown").await, forbidden);
        assert_eq!(with("elsewhere-value-value").await, forbidden);
        assert_eq!(site.get("/k").await.status, 403);
    }
    // Disabled now; nobody restarts anything.
    let mut key: ApiKey = rows.world.get(&region_scope(), "good").expect("row").expect("key");
    key.enabled = false;
    rows.change(|ops| {
        ops.put(&region_scope(), "good", &key);
    });
    site.publish(&rows);
    assert_eq!(with("good-value-good-value").await, forbidden);
    key.enabled = true;
    rows.change(|ops| {
        ops.put(&region_scope(), "good", &key).drop::<UsagePlan>(&region_scope(), "plan-good");
    });
    site.publish(&rows);
    assert_eq!(with("good-value-good-value").await, forbidden, "its plan is gone");
}

#[tokio::test]
async fn quota_and_throttles_refuse_with_their_own_words() {
    let throttle =
        |rate, burst| Some(ThrottleSettings { rate_limit: Some(rate), burst_limit: Some(burst), ..Default::default() });
    let mut rows = Rows::new();
    for path in ["/k", "/own"] {
        rows.put_method(path, "GET", mock(r#"{"statusCode": 200}"#), |m| m.api_key_required = true);
    }
    rows.put_method("/slow", "GET", mock(r#"{"statusCode": 200}"#), |_| {});
    rows.redeploy(|stage| {
        let setting = MethodSetting { throttling_rate_limit: 0.0001, throttling_burst_limit: 2, ..Default::default() };
        stage.method_settings = [("slow/GET".to_string(), setting)].into();
    });
    let quota = QuotaSettings { limit: 3, ..QuotaSettings::default() };
    rows.key("q", "quota-quota-quota-quota", UsagePlan { quota: Some(quota), ..UsagePlan::default() });
    let mut covered =
        meridian::catalog::v1::ApiStage { api_id: API.into(), stage: "prod".into(), ..Default::default() };
    covered.throttle = [("/own/GET".to_string(), throttle(0.0001, 1).expect("throttle"))].into();
    let plan = UsagePlan { throttle: throttle(0.0001, 2), api_stages: vec![covered], ..UsagePlan::default() };
    rows.key("t", "throttle-throttle-value", plan);
    let site = Site::new(&rows).await;
    let statuses = async |path: &str, key: &str, times: usize| {
        let mut seen = Vec::new();
        for _ in 0..times {
            seen.push(site.ask("GET", path, &format!("x-api-key: {key}\r\n"), "").await);
        }
        seen
    };
    let codes = |answers: &[super::sockets::Answer]| answers.iter().map(|a| a.status).collect::<Vec<_>>();
    let quota = statuses("/k", "quota-quota-quota-quota", 5).await;
    assert_eq!(codes(&quota), [200, 200, 200, 429, 429]);
    assert_eq!(quota[3].text(), r#"{"message":"Limit Exceeded"}"#);
    assert_eq!(quota[3].header("x-amzn-errortype"), Some("LimitExceededException"));
    let plan = statuses("/k", "throttle-throttle-value", 4).await;
    assert_eq!(codes(&plan), [200, 200, 429, 429]);
    assert_eq!(plan[2].text(), r#"{"message":"Too Many Requests"}"#);
    let own = statuses("/own", "throttle-throttle-value", 2).await;
    assert_eq!(codes(&own), [200, 429], "the method's own throttle in the plan");
    assert_eq!(codes(&statuses("/slow", "x", 3).await), [200, 200, 429], "the stage's throttle");
}

#[tokio::test]
async fn a_deployment_is_served_whole_or_not_at_all() {
    let mut rows = pets();
    let site = Site::new(&rows).await;
    assert_eq!(site.get("/new").await.status, 403);
    rows.put_method("/new", "GET", mock(r#"{"statusCode": 200}"#), |_| {});
    site.publish(&rows);
    assert_eq!(site.get("/new").await.status, 403, "a draft is not served");
    rows.redeploy(|_| {});
    site.publish(&rows);
    assert_eq!(site.get("/new").await.status, 200, "a deployment is, at once");
    rows.change(|ops| {
        ops.drop_scope(&api_scope());
    });
    site.publish(&rows);
    assert_eq!(site.get("/new").await.text(), r#"{"message":"Forbidden"}"#, "a deleted API is not");
}

#[tokio::test]
async fn the_method_override_header_counts_and_is_not_forwarded() {
    let backend = Backend::text("ok").await;
    let site = Site::new(&Rows::new().method("/x", "PUT", proxy(&backend.url("/"))).deploy()).await;
    let answer = site.ask("POST", "/x", "X-HTTP-Method-Override: PUT\r\n", "").await;
    assert_eq!(answer.status, 200);
    let seen = backend.requests().remove(0);
    assert!(seen.starts_with("PUT / "), "{seen}");
    assert!(!seen.to_lowercase().contains("override"), "{seen}");
}

#[tokio::test]
async fn http2_visits_the_same_gateway() {
    let site = Site::new(&pets()).await;
    let socket = tokio::net::TcpStream::connect(site.addr).await.expect("listening");
    let io = hyper_util::rt::TokioIo::new(socket);
    let exec = hyper_util::rt::TokioExecutor::new();
    let (mut send, conn) = hyper::client::conn::http2::handshake(exec, io).await.expect("h2");
    tokio::spawn(conn);
    let uri = format!("http://{API}.execute-api.x/prod/pets");
    let ask = http::Request::get(uri).body(http_body_util::Empty::<bytes::Bytes>::new()).expect("request");
    let answer = send.send_request(ask).await.expect("answer");
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn the_crumbs_of_an_http2_cookie_reach_a_backend_as_one() {
    let backend = Backend::text("ok").await;
    let site = Site::new(&Rows::new().method("/", "GET", proxy(&backend.url("/"))).deploy()).await;
    let socket = tokio::net::TcpStream::connect(site.addr).await.expect("listening");
    let io = hyper_util::rt::TokioIo::new(socket);
    let exec = hyper_util::rt::TokioExecutor::new();
    let (mut send, conn) = hyper::client::conn::http2::handshake(exec, io).await.expect("h2");
    tokio::spawn(conn);
    let mut ask = http::Request::get(format!("http://{API}.execute-api.x/prod"));
    for crumb in ["a=1", "b=2", "c=3"] {
        ask = ask.header("cookie", crumb);
    }
    let ask = ask.body(http_body_util::Empty::<bytes::Bytes>::new()).expect("request");
    assert_eq!(send.send_request(ask).await.expect("answer").status(), 200);
    let seen = backend.requests().remove(0);
    assert!(seen.contains("\r\ncookie: a=1; b=2; c=3\r\n"), "{seen}");
    assert_eq!(seen.matches("cookie: ").count(), 1, "{seen}");
}

#[tokio::test]
async fn requests_are_counted_and_logged_line_by_line() {
    let lines = super::site::Lines::default();
    let log = lines.log();
    let site = Site::with(&pets(), |parts| parts.access_log = Some(log)).await;
    let mut raw = site.connect().await;
    for (path, status) in [("/pets", 200), ("/none", 403)] {
        raw.send(request("GET", path, "User-Agent: a\"b\r\n", "")).await;
        assert_eq!(raw.answer().await.expect("answer").status, status);
    }
    let text = loop {
        let text = lines.text();
        if text.lines().count() >= 2 {
            break text;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    let logged: Vec<serde_json::Value> =
        text.lines().map(|l| serde_json::from_str(l).expect("a line is JSON")).collect();
    assert_eq!(logged[0]["status"], 200);
    assert_eq!(logged[0]["resourcePath"], "/pets");
    assert_eq!(logged[0]["apiId"], API);
    assert_eq!(logged[0]["userAgent"], "a\"b");
    assert_eq!((&logged[1]["status"], &logged[1]["cause"]), (&403.into(), &"no_such_method".into()));
    assert_eq!((site.metrics.answered(200), site.metrics.answered(403)), (1, 1));
}

#[tokio::test]
async fn a_body_that_no_step_wants_does_not_cost_the_connection() {
    let site = Site::new(&Rows::new().method("/", "POST", mock(r#"{"statusCode": 200}"#)).deploy()).await;
    let mut raw = site.connect().await;
    for (path, status) in [("/", 200), ("/none", 403), ("/", 200)] {
        raw.send(request("POST", path, "", "some body")).await;
        let answer = raw.answer().await.expect("answer");
        assert_eq!((answer.status, answer.header("connection")), (status, None));
    }
}

#[tokio::test]
async fn a_client_that_expects_100_is_answered_without_its_body_or_asked_for_it() {
    let backend = Backend::text("ok").await;
    let site = Site::new(&Rows::new().method("/x", "POST", proxy(&backend.url("/"))).deploy()).await;
    let mut raw = site.connect().await;
    let head = |path: &str| {
        format!(
            "POST /prod{path} HTTP/1.1\r\nHost: {API}.execute-api.x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        )
    };
    raw.send(head("/none")).await;
    assert_eq!(raw.answer().await.expect("answer").status, 403);
    let mut raw = site.connect().await;
    raw.send(head("/x")).await;
    assert_eq!(raw.answer().await.expect("interim").status, 100);
    raw.send("body").await;
    assert_eq!(raw.answer().await.expect("answer").text(), "ok");
    assert!(!backend.requests()[0].to_lowercase().contains("expect"), "{}", backend.requests()[0]);
}

/// Panics on every request.
struct Broken;

impl meridian::gateway::Admit for Broken {
    fn admit<'a>(
        &'a self,
        request: meridian::usage::AdmitRequest<'a>,
        _now: meridian::usage::Now,
    ) -> meridian::gateway::Admitting<'a> {
        panic!("admission broke on {}", request.key)
    }
}

#[tokio::test]
async fn a_panic_in_a_visit_is_caught_counted_and_answered() {
    let mut rows = pets();
    rows.redeploy(|stage| stage.method_settings = [("*/*".to_string(), MethodSetting::default())].into());
    let site = Site::with(&rows, |parts| parts.admission = std::sync::Arc::new(Broken)).await;
    let mut raw = site.connect().await;
    for _ in 0..2 {
        raw.send(request("GET", "/pets", "", "")).await;
        let answer = raw.answer().await.expect("answer on the same connection");
        assert_eq!((answer.status, answer.text().as_str()), (500, r#"{"message": "Internal server error"}"#));
    }
    assert_eq!(site.metrics.panics(), 2);
}

#[tokio::test]
async fn a_target_and_a_host_that_differ_are_refused() {
    let site = Site::new(&pets()).await;
    let both = format!("GET http://{API}.execute-api.x/prod/pets HTTP/1.1\r\nHost: other.execute-api.x\r\n\r\n");
    assert_eq!(ask(site.addr, both).await.expect("answer").status, 400);
}
