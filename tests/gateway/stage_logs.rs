//! The stages' own access logs, from sockets to files.

use super::backends::{Act, Backend, plain};
use super::site::{API, REGION, Rows, Site, api_scope, mock, proxy, request};
use meridian::catalog::v1::{AccessLogSettings, GatewayResponse, MethodSetting, QuotaSettings, UsagePlan};
use meridian::observe::log_files::{LogOptions, LogRoom, LogTo};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

struct Logged {
    site: Site,
    room: LogRoom,
    folder: tempfile::TempDir,
}

impl Logged {
    async fn new(rows: &Rows) -> Logged {
        let folder = tempfile::tempdir().expect("folder");
        let room = LogRoom::start(LogTo::Files(folder.path().join("logs")), &LogOptions::default()).expect("room");
        let logs = room.clone();
        let site = Site::with(rows, |parts| parts.logs = Some(logs)).await;
        Logged { site, room, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join(format!("logs/access-{API}-prod.log"))
    }

    /// The log, once it has this many lines.
    async fn lines(&self, many: usize) -> Vec<String> {
        lines(&self.file(), many).await
    }
}

async fn lines(file: &Path, many: usize) -> Vec<String> {
    let began = Instant::now();
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if text.lines().count() >= many {
            return text.lines().map(str::to_owned).collect();
        }
        assert!(began.elapsed() < LONG, "{many} lines in {file:?}:\n{text}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn logged(rows: &mut Rows, format: &str) {
    rows.redeploy(|stage| {
        stage.access_log_settings = Some(AccessLogSettings {
            format: Some(format.into()),
            destination_arn: Some("arn:aws:firehose:eu-west-1:000000000000:deliverystream/amazon-apigateway-x".into()),
            ..AccessLogSettings::default()
        });
    });
}

/// What a line tells under AWS's names.
const NAMES: [&str; 27] = [
    "accountId",
    "apiId",
    "deploymentId",
    "stage",
    "resourceId",
    "resourcePath",
    "httpMethod",
    "path",
    "protocol",
    "domainName",
    "domainPrefix",
    "requestId",
    "extendedRequestId",
    "requestTimeEpoch",
    "identity.sourceIp",
    "identity.userAgent",
    "identity.apiKeyId",
    "identity.caller",
    "authorizer.principalId",
    "status",
    "responseLength",
    "integrationStatus",
    "integration.status",
    "error.message",
    "error.responseType",
    "wafResponseCode",
    "xrayTraceId",
];

/// All of [`NAMES`] as JSON, and what has no text of its own.
fn as_json() -> String {
    let fields: Vec<String> = NAMES.iter().map(|name| format!("\"{name}\":\"$context.{name}\"")).collect();
    format!(
        "{{{},\"latency\":$context.responseLatency,\"backend\":\"$context.integrationLatency\",\
         \"said\":$context.error.messageString,\"at\":\"[$context.requestTime]\"}}",
        fields.join(",")
    )
}

#[tokio::test]
async fn a_line_tells_of_each_request_field_by_field() {
    let backend = Backend::always(Act::Say(plain(201, "", "12345"))).await;
    let mut rows = Rows::new().method("/pets/{id}", "GET", proxy(&backend.url("/")));
    rows.put_method("/key", "GET", mock(r#"{"statusCode": 200}"#), |m| m.api_key_required = true);
    rows.key("k1", "secret-key-value-1234", UsagePlan { quota: None::<QuotaSettings>, ..UsagePlan::default() });
    logged(&mut rows, &as_json());
    let logged = Logged::new(&rows).await;
    let site = &logged.site;
    let served = site.ask("GET", "/pets/7", "User-Agent: a\"b\\c\r\n", "").await;
    assert_eq!((served.status, served.text().as_str()), (201, "12345"));
    site.ask("GET", "/key", "x-api-key: secret-key-value-1234\r\n", "").await;
    let refused = site.get("/none").await;
    let lines = logged.lines(3).await;
    assert_eq!(lines.len(), 3);
    let line = |at: usize| lines[at].replace("\"said\":-", "\"said\":\"-\"");
    let read = |at: usize| serde_json::from_str::<serde_json::Value>(&line(at)).expect("a line is JSON");
    let first = read(0);
    let id = served.header("x-amzn-requestid").expect("id");
    for (name, wanted) in [
        ("accountId", "000000000000"),
        ("apiId", API),
        ("deploymentId", "dep1"),
        ("stage", "prod"),
        ("resourceId", "r0"),
        ("resourcePath", "/pets/{id}"),
        ("httpMethod", "GET"),
        ("path", "/prod/pets/7"),
        ("protocol", "HTTP/1.1"),
        ("domainName", &format!("{API}.execute-api.{REGION}.localhost")),
        ("domainPrefix", API),
        ("requestId", id),
        ("extendedRequestId", served.header("x-amz-apigw-id").expect("id")),
        ("identity.sourceIp", "127.0.0.1"),
        ("identity.userAgent", "a\"b\\c"),
        ("identity.apiKeyId", "-"),
        ("identity.caller", "-"),
        ("authorizer.principalId", "-"),
        ("status", "201"),
        ("responseLength", "5"),
        ("integrationStatus", "201"),
        ("integration.status", "201"),
        ("error.message", "-"),
        ("said", "-"),
        ("wafResponseCode", "-"),
        ("xrayTraceId", "-"),
    ] {
        assert_eq!(first[name], wanted, "{name}");
    }
    assert!(first["latency"].is_u64(), "{first}");
    assert!(first["backend"].as_str().is_some_and(|ms| ms.parse::<u64>().is_ok()), "{first}");
    assert!(first["requestTimeEpoch"].as_str().is_some_and(|ms| ms.len() == 13), "{first}");
    assert!(first["at"].as_str().is_some_and(|at| at.ends_with(" +0000]")), "{first}");
    let second = read(1);
    assert_eq!((&second["identity.apiKeyId"], &second["responseLength"]), (&"k1".into(), &"0".into()));
    assert_eq!(second["integrationStatus"], "-", "a mock calls nobody");
    let third = read(2);
    assert_eq!((&third["status"], &third["resourcePath"], &third["apiId"]), (&"403".into(), &"-".into(), &API.into()));
    assert_eq!(third["error.responseType"], "MISSING_AUTHENTICATION_TOKEN");
    assert_eq!((&third["error.message"], &third["said"]), (&third["said"], &"Missing Authentication Token".into()));
    assert_eq!(third["responseLength"], refused.text().len().to_string());
}

#[tokio::test]
async fn a_clients_values_begin_no_line_of_their_own() {
    let mut rows = Rows::new().method("/", "GET", mock(r#"{"statusCode": 200}"#));
    logged(&mut rows, "$context.identity.userAgent|$context.path|$context.domainName\n");
    let logged = Logged::new(&rows).await;
    let mut raw = logged.site.connect().await;
    // What HTTP lets through: a tab, a quote, bytes beyond ASCII; and a line separator that only Unicode knows.
    raw.send(request("GET", "/%0d%0aforged", "User-Agent: a\tb\"\u{2028}\u{85}c\r\n", "")).await;
    assert_eq!(raw.answer().await.expect("answer").status, 403);
    raw.send(request("GET", "/", "", "")).await;
    assert_eq!(raw.answer().await.expect("answer").status, 200);
    let lines = logged.lines(2).await;
    let host = format!("{API}.execute-api.{REGION}.localhost");
    assert_eq!(lines[0], format!(r#"a\tb\"\u2028\u0085c|/prod/%0d%0aforged|{host}"#));
    assert_eq!(lines[1], format!("-|/prod/|{host}"));
}

#[tokio::test]
async fn a_streamed_answer_is_logged_at_its_end_also_when_its_client_leaves() {
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n".to_vec();
    let whole = [chunked.as_slice(), b"0\r\n\r\n"].concat();
    let backend =
        Backend::start(move |n| if n == 0 { Act::Say(whole.clone()) } else { Act::SayAndHang(chunked.clone()) }).await;
    let mut rows = Rows::new().method("/", "GET", proxy(&backend.url("/")));
    logged(&mut rows, "$context.status $context.responseLength");
    let logged = Logged::new(&rows).await;
    assert_eq!(logged.site.get("/").await.text(), "hello");
    assert_eq!(logged.lines(1).await, ["200 5"]);
    let mut raw = logged.site.connect().await;
    raw.send(request("GET", "/", "", "")).await;
    assert_eq!(raw.answer_to("HEAD").await.expect("the head").status, 200);
    assert_eq!(std::fs::read_to_string(logged.file()).expect("log").lines().count(), 1, "it has not ended");
    drop(raw);
    let lines = logged.lines(2).await;
    assert!(lines[1].starts_with("200 "), "{lines:?}");
}

#[tokio::test]
async fn only_stages_with_format_and_destination_are_logged_and_a_stop_loses_nothing() {
    let mut rows = Rows::new().method("/", "GET", mock(r#"{"statusCode": 200}"#));
    rows.redeploy(|stage| {
        let format = Some("$context.requestId".to_owned());
        stage.access_log_settings = Some(AccessLogSettings { format, ..AccessLogSettings::default() });
    });
    let logged_site = Logged::new(&rows).await;
    assert_eq!(logged_site.site.get("/").await.status, 200);
    logged(&mut rows, "$context.requestId");
    logged_site.site.publish(&rows);
    let id = logged_site.site.get("/").await.header("x-amzn-requestid").map(str::to_owned);
    assert!(logged_site.room.stop(LONG), "the writer ends");
    let text = std::fs::read_to_string(logged_site.file()).expect("log");
    assert_eq!(Some(text.trim_end().to_owned()), id, "one line, of the second request");
}

#[tokio::test]
async fn a_full_disk_costs_lines_and_no_request() {
    let mut rows = Rows::new().method("/", "GET", mock(r#"{"statusCode": 200}"#));
    logged(&mut rows, "$context.requestId");
    let logged = Logged::new(&rows).await;
    std::os::unix::fs::symlink("/dev/full", logged.file()).expect("link");
    for _ in 0..20 {
        assert_eq!(logged.site.get("/").await.status, 200);
    }
    assert!(logged.room.stop(LONG));
    assert_eq!(logged.room.lost(), 20, "each is counted");
}

#[tokio::test]
async fn methods_that_log_leave_the_course_of_each_visit() {
    let backend = Backend::always(Act::Say(plain(200, "", "from the backend"))).await;
    let mut rows = Rows::new()
        .method("/all", "POST", proxy(&backend.url("/")))
        .method("/course", "GET", mock(r#"{"statusCode": 200}"#))
        .method("/failures", "GET", mock(r#"{"statusCode": 200}"#))
        .method("/failures", "POST", mock("#set($x = 1)no status"))
        .method("/quiet", "GET", mock("no status"));
    rows.redeploy(|stage| {
        let setting = |path: &str, level: &str, data: bool| {
            let setting = MethodSetting {
                logging_level: Some(level.into()),
                data_trace_enabled: data,
                ..MethodSetting::default()
            };
            (path.to_owned(), setting)
        };
        stage.method_settings = [
            setting("all/POST", "INFO", true),
            setting("course/GET", "INFO", false),
            setting("failures/GET", "ERROR", true),
            setting("failures/POST", "ERROR", true),
            setting("quiet/GET", "OFF", true),
        ]
        .into();
    });
    let logged = Logged::new(&rows).await;
    for (verb, path, status) in
        [("GET", "/quiet", 500), ("GET", "/failures", 200), ("GET", "/course", 200), ("POST", "/failures", 500)]
    {
        assert_eq!(logged.site.ask(verb, path, "", "").await.status, status, "{path}");
    }
    let last =
        logged.site.ask("POST", "/all", "X-Api-Key: a-secret-value-of-a-key\r\nX-Odd: a\u{9}b\r\n", "two\nlines").await;
    let id = last.header("x-amzn-requestid").expect("an id").to_owned();
    let file = logged.folder.path().join(format!("logs/execution-{API}-prod.log"));
    let lines = lines(&file, 18).await;
    let words: Vec<&str> = lines
        .iter()
        .map(|line| line.split_once(") ").unwrap_or_else(|| panic!("time and request: {lines:?}")).1)
        .collect();
    assert!(words[0].starts_with("Starting execution for request: "), "{words:?}");
    assert_eq!(
        words[1..6],
        [
            "HTTP Method: GET, Resource Path: /course",
            "Successfully completed execution",
            "Method completed with status: 200",
            "Execution failed due to configuration error: statusCode should be an integer which defined in request template",
            "Method completed with status: 500",
        ],
        "nothing of bodies, nothing of a visit that went well where only failures are logged, nothing of /quiet"
    );
    assert!(lines[6..].iter().all(|line| line.contains(&format!(" ({id}) "))), "{lines:?}");
    for wanted in [
        "Method request body before transformations: two\\nlines",
        "Endpoint response body before transformations: from the backend",
        "Method response body after transformations: from the backend",
        "Method completed with status: 200",
    ] {
        assert!(words[6..].contains(&wanted), "{wanted} in {words:?}");
    }
    let text = lines.join("\n");
    assert!(!text.contains("a-secret-value") && text.contains("X-Api-Key=**************************-a-key"), "{text}");
}

#[tokio::test]
async fn an_execution_log_goes_to_a_file_of_its_own_and_knows_customised_statuses() {
    let mut rows = Rows::new().method("/", "GET", mock(r#"{"statusCode": 200}"#));
    rows.put_method("/broken", "GET", mock("{}"), |_| {});
    let dressed = GatewayResponse { status_code: Some("599".into()), ..GatewayResponse::default() };
    rows.change(|ops| {
        ops.put(&api_scope(), "DEFAULT_5XX", &dressed);
    });
    rows.redeploy(|stage| {
        let info = MethodSetting { logging_level: Some("INFO".into()), ..MethodSetting::default() };
        stage.method_settings = [("*/*".to_owned(), info)].into();
    });
    let logged = Logged::new(&rows).await;
    let id = logged.site.get("/").await.header("x-amzn-requestid").map(str::to_owned).expect("id");
    assert_eq!(logged.site.get("/broken").await.status, 599);
    assert!(logged.room.stop(LONG), "the writer ends");
    let file = logged.folder.path().join(format!("logs/execution-{API}-prod.log"));
    let text = std::fs::read_to_string(file).expect("log");
    assert!(text.lines().next().is_some_and(|line| line.contains(&format!("({id}) Starting execution"))), "{text}");
    assert!(text.contains("Method completed with status: 200"), "{text}");
    assert!(text.contains("Method completed with status: 599"), "{text}");
}
