//! map and answer: templates, parameter mappings from bodies, overrides, pass-through behaviours.

use super::backends::Act;
use super::backends::{Backend, plain};
use super::site::{API, Rows, Site, mock, proxy, request};
use super::skip::skip;
use meridian::catalog::v1::{Integration, IntegrationType, PassthroughBehavior};
use std::collections::BTreeMap;

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn templates(pairs: &[(&str, &str)]) -> BTreeMap<String, Option<String>> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect()
}

/// A mock with these templates.
fn mocked(request: &str, response: &str) -> Integration {
    let mut integration = mock(request);
    let default = integration.integration_responses.get_mut("200").expect("default");
    default.response_templates = Some(templates(&[("application/json", response)]));
    integration
}

/// An HTTP integration without proxying, which answers 200 whatever the backend says.
fn http(uri: String) -> Integration {
    let answers = mock("").integration_responses;
    Integration {
        kind: IntegrationType::Http,
        uri: Some(uri),
        http_method: Some("POST".into()),
        integration_responses: answers,
        ..Integration::default()
    }
}

#[tokio::test]
async fn every_recording_of_api_gateway_is_answered_alike_by_a_real_mock() {
    let place = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/vtl-recorded.jsonl");
    let Ok(lines) = std::fs::read_to_string(place) else {
        let why = "../shared/data/vtl-recorded.jsonl, the recordings of API Gateway, is not there";
        return skip("every_recording_of_api_gateway_is_answered_alike_by_a_real_mock", why);
    };
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cases: Vec<serde_json::Value> =
        lines.lines().filter(|l| !l.trim().is_empty()).map(|l| serde_json::from_str(l).expect("a recording")).collect();
    let request = "#set($context.requestOverride.path.body = $input.body)\n{\"statusCode\": 200,}";
    let mut rows = Rows::new();
    for (index, case) in cases.iter().enumerate() {
        let mut response = String::from(
            "#set($body = $context.requestOverride.path.body)\n#set($bodyJSON = $util.parseJson($body))\n",
        );
        for key in case["context"].as_object().into_iter().flat_map(|map| map.keys()) {
            response.push_str(&format!("#set(${key} = $bodyJSON.{key})\n"));
        }
        response.push_str(case["template"].as_str().expect("text"));
        rows = rows.method(&format!("/c{index}"), "POST", mocked(request, &response));
    }
    let site = Site::new(&rows.deploy()).await;
    assert!(cases.len() >= 99, "{} recordings", cases.len());
    for (index, case) in cases.iter().enumerate() {
        let answer = site.ask("POST", &format!("/c{index}"), "", &case["context"].to_string()).await;
        let wanted = case["output"].as_str().expect("text");
        assert_eq!(words(&answer.text()), words(wanted), "{}: {}", case["case"], case["template"]);
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn templates_see_the_request_its_context_and_the_stages_variables() {
    let response = r##"{"id":"$input.params('id')","q":"$input.params('q')","h":"$input.params('x-one')","none":"$input.params('no')",
"all":[#foreach($place in ['path','querystring','header'])#foreach($name in $input.params().get($place).keySet())"$place.$name"#if($foreach.hasNext),#end#end#if($foreach.hasNext),#end#end],
"body":"$input.body","stage":"$context.stage $stageVariables.color $stageVariables.none","api":"$context.apiId","path":"$context.path $context.resourcePath $context.httpMethod",
"time":$context.requestTimeEpoch,"id2":"$context.requestId","ip":"$context.identity.sourceIp","agent":"$context.identity.userAgent","caller":"$context.identity.caller"}"##;
    let mut rows = Rows::new().method("/pets/{id}", "POST", mocked(r#"{"statusCode": 200}"#, response));
    rows.redeploy(|stage| stage.variables = Some(texts(&[("color", "blue")])));
    let site = Site::new(&rows).await;
    let headers = "X-One: 1\r\nX-One: 2\r\nUser-Agent: test\r\nTE: trailers\r\n";
    let answer = site.ask("POST", "/pets/a%20b?q=1&q=2+3&z", headers, r#"{"never": "seen"}"#).await;
    let found: serde_json::Value = serde_json::from_str(&answer.text()).unwrap_or_else(|_| panic!("{}", answer.text()));
    assert_eq!(found["id"], "a%20b");
    assert_eq!(found["q"], "2 3", "the last of several, decoded");
    assert_eq!(found["h"], "2");
    assert_eq!(found["none"], "");
    let mut all: Vec<&str> = found["all"].as_array().expect("a list").iter().filter_map(|n| n.as_str()).collect();
    all.sort_unstable();
    let wanted = ["header.User-Agent", "header.X-One", "path.id", "querystring.q", "querystring.z"];
    assert_eq!(all, wanted, "what is dropped before mapping is not seen, nor is Content-Length");
    assert_eq!(found["body"], "{}", "a mock's answer has no body");
    assert_eq!(found["stage"], "prod blue ");
    assert_eq!(found["path"], "/prod/pets/a%20b /pets/{id} POST");
    assert_eq!(found["id2"].as_str(), answer.header("x-amzn-requestid"));
    assert!(found["time"].as_i64().is_some_and(|ms| ms > 1_600_000_000_000));
    assert_eq!((found["ip"].as_str(), found["agent"].as_str()), (Some("127.0.0.1"), Some("test")));
    assert_eq!(found["caller"], "");
    for form in [format!("/_aws/execute-api/{API}/prod"), format!("/restapis/{API}/prod/_user_request_")] {
        let bytes =
            format!("POST {form}/pets/7?x=1 HTTP/1.1\r\nHost: localhost\r\nX-One: 1\r\nContent-Length: 0\r\n\r\n");
        let answer = super::sockets::ask(site.addr, bytes).await.expect("an answer");
        let found: serde_json::Value = serde_json::from_str(&answer.text()).expect("JSON");
        assert_eq!(found["path"], "/prod/pets/7 /pets/{id} POST", "{form}: as AWS would have been asked");
    }
}

/// Looks a header up in the list in two cases, asks for it by name in a third, and lists the names of all.
const NAMES: &str = "$!input.params().header.get('tEsT-HEADeR')|$!input.params().header.get('Test-Header')|\
                     $input.params('TEST-HEADER')|#foreach($name in $input.params().header.keySet())$name #end";

/// What [`NAMES`] makes of it, the names in their order as text: the map's is Java's.
fn sorted(answer: &str) -> String {
    let (found, names) = answer.rsplit_once('|').unwrap_or_else(|| panic!("{answer}"));
    let mut names: Vec<&str> = names.split_whitespace().collect();
    names.sort_unstable();
    format!("{found}| {}", names.join(" "))
}

fn names_api(backend: &Backend) -> Rows {
    let mut mapped = proxy(&backend.url("/"));
    mapped.request_parameters =
        BTreeMap::from([("integration.request.header.found".into(), "method.request.header.TEST-header".into())]);
    let heavy = format!("#foreach($i in [1..9000])#end{NAMES}");
    Rows::new()
        .method("/quick", "ANY", mocked(r#"{"statusCode": 200}"#, NAMES))
        .method("/heavy", "ANY", mocked(r#"{"statusCode": 200}"#, &heavy))
        .method("/mapped", "GET", mapped)
        .deploy()
}

#[tokio::test]
async fn header_names_are_listed_as_they_were_sent_and_found_by_name_in_any_case() {
    let backend = Backend::text("ok").await;
    let site = Site::new(&names_api(&backend)).await;
    let head = "tEsT-HEADeR: 1\r\nx-low: a\r\nX-Two: b\r\nx-two: c\r\n";
    let wanted = "1||1| X-Two tEsT-HEADeR x-low";
    for path in ["/quick", "/heavy"] {
        assert_eq!(sorted(&site.ask("GET", path, head, "").await.text()), wanted, "{path}");
    }
    site.ask("GET", "/mapped", head, "").await;
    assert!(backend.requests()[0].contains("found: 1\r\n"), "{:?}", backend.requests());

    // However the head is cut, on a connection that had other ones.
    let mut raw = site.connect().await;
    raw.stream.set_nodelay(true).expect("nodelay");
    for size in [1, 3, 7, 64] {
        let sent = request("POST", "/quick", &format!("{head}Z-{size}: z\r\n"), "body");
        for piece in sent.as_bytes().chunks(size) {
            raw.send(piece).await;
            tokio::task::yield_now().await;
        }
        let answer = raw.answer().await.expect("an answer");
        assert_eq!(sorted(&answer.text()), format!("1||1| X-Two Z-{size} tEsT-HEADeR x-low"), "in pieces of {size}");
    }
    // Sent ahead, each visit has its own.
    let other = request("GET", "/quick", "TEST-Header: 2\r\n", "");
    raw.send(format!("{}{other}{}", request("GET", "/quick", head, ""), request("GET", "/quick", "", ""))).await;
    for wanted in [wanted, "||2| TEST-Header", "||| "] {
        assert_eq!(sorted(&raw.answer().await.expect("an answer").text()), wanted);
    }
}

#[tokio::test]
async fn header_names_over_http2_are_in_lower_case() {
    let backend = Backend::text("ok").await;
    let site = Site::new(&names_api(&backend)).await;
    let io = hyper_util::rt::TokioIo::new(tokio::net::TcpStream::connect(site.addr).await.expect("listening"));
    let exec = hyper_util::rt::TokioExecutor::new();
    let (mut send, conn) = hyper::client::conn::http2::handshake(exec, io).await.expect("h2");
    let conn = tokio::spawn(conn);
    let uri = format!("http://{API}.execute-api.eu-west-1.localhost/prod/quick");
    let request = http::Request::get(uri).header("tEsT-HEADeR", "1").body(http_body_util::Empty::<bytes::Bytes>::new());
    let answer = send.send_request(request.expect("request")).await.expect("answer");
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.expect("body").to_bytes();
    assert_eq!(sorted(std::str::from_utf8(&body).expect("text")), "||1| test-header");
    conn.abort();
}

#[tokio::test]
async fn overrides_of_a_mocks_request_template_reach_its_answer() {
    let request = r#"#set($context.responseOverride.status = 444)
#set($context.responseOverride.header.x-kept = "from request")
#set($context.responseOverride.header.date = "yesterday")
#set($context.responseOverride.header.x-many = ["a", "b"])
#set($context.requestOverride.path.x = "carried")
{"statusCode": 200}"#;
    let rows = Rows::new()
        .method("/plain", "GET", mock(request))
        .method(
            "/both",
            "GET",
            mocked(request, r#"$context.requestOverride.path.x #set($context.responseOverride.status = 299)"#),
        )
        .method(
            "/odd",
            "GET",
            mock(
                r#"#set($context.responseOverride.status = 42)#set($context.responseOverride.header.bad = "a
b"){"statusCode": 200}"#,
            ),
        );
    let site = Site::new(&rows.deploy()).await;
    let answer = site.get("/plain").await;
    assert_eq!((answer.status, answer.text().as_str()), (444, ""));
    assert_eq!(answer.header("x-kept"), Some("from request"));
    assert_eq!(answer.header("x-amzn-remapped-date"), Some("yesterday"));
    let many: Vec<_> = answer.headers.iter().filter(|(name, _)| name == "x-many").map(|(_, v)| v.as_str()).collect();
    assert_eq!(many, ["a", "b"]);
    let both = site.get("/both").await;
    assert_eq!((both.status, both.text().trim()), (299, "carried"));
    let odd = site.get("/odd").await;
    assert_eq!((odd.status, odd.header("bad")), (200, None), "what is no status and no header is not set");
}

#[tokio::test]
async fn an_http_integration_is_asked_what_mappings_and_templates_say() {
    let backend = Backend::always(Act::Say(plain(
        201,
        "X-Back: b\r\nX-Back: c\r\nContent-Type: text/plain\r\nServer: theirs\r\n",
        r#"{"ok": {"n": [1, 2.0]}, "t": "a b"}"#,
    )))
    .await;
    let mut integration = http(backend.url("/v/{id}/{other}"));
    integration.request_parameters = texts(&[
        ("integration.request.path.id", "method.request.path.id"),
        ("integration.request.querystring.fixed", "'a&b'"),
        ("integration.request.querystring.many", "method.request.multivaluequerystring.m"),
        ("integration.request.header.X-Body", "method.request.body.a.b[1]"),
        ("integration.request.header.X-Object", "method.request.body.a"),
        ("integration.request.header.X-None", "method.request.body.nothing"),
        ("integration.request.header.Via", "'dropped'"),
    ]);
    integration.request_templates = templates(&[(
        "application/json",
        r#"#set($context.requestOverride.path.other = "from/template")
#set($context.requestOverride.header["X-Over"] = "one")
#set($context.requestOverride.querystring.fixed = ["1", "2"])
{"was": $input.json('$.a'), "raw": "$util.escapeJavaScript($input.body)"}"#,
    )]);
    let default = integration.integration_responses.get_mut("200").expect("default");
    default.response_parameters = Some(texts(&[
        ("method.response.header.x-last", "integration.response.header.X-Back"),
        ("method.response.header.x-all", "integration.response.multivalueheader.x-back"),
        ("method.response.header.x-n", "integration.response.body.ok.n[1]"),
        ("method.response.header.x-o", "integration.response.body.ok"),
        ("method.response.header.Server", "integration.response.header.Server"),
    ]));
    default.response_templates =
        Some(templates(&[("application/xml", "<t>$input.path('$.t') $input.params('id')</t>")]));
    let site = Site::new(&Rows::new().method("/p/{id}", "POST", integration).deploy()).await;
    let answer = site.ask("POST", "/p/7?m=1&m=2", "X-Client: no\r\n", r#"{"a": {"b": ["x", "y"]}}"#).await;
    let asked = backend.requests().pop().expect("asked");
    let (head, body) = asked.split_once("\r\n\r\n").expect("a request");
    assert!(head.starts_with("POST /v/7/from/template?many=1&many=2&fixed=1&fixed=2 HTTP/1.1\r\n"), "{head}");
    let lower = head.to_ascii_lowercase();
    for line in ["x-body: y", "x-object: {\"b\":[\"x\",\"y\"]}", "x-over: one", "content-type: application/json"] {
        assert!(lower.contains(line), "{line} in {head}");
    }
    for line in ["x-none", "x-client", "via:"] {
        assert!(!lower.contains(line), "{line} in {head}");
    }
    assert_eq!(body.trim(), r#"{"was": {"b":["x","y"]}, "raw": "{\"a\": {\"b\": [\"x\", \"y\"]}}"}"#);
    assert_eq!((answer.status, answer.text().as_str()), (200, "<t>a b 7</t>"));
    assert_eq!(answer.header("content-type"), Some("application/xml"));
    assert_eq!(answer.header("x-last"), Some("c"));
    assert_eq!(answer.header("x-all"), Some("b,c"));
    assert_eq!((answer.header("x-n"), answer.header("x-o")), (Some("2.0"), Some(r#"{"n":[1,2.0]}"#)));
    assert_eq!(answer.header("x-amzn-remapped-server"), Some("theirs"));
}

#[tokio::test]
async fn a_body_that_begins_as_an_object_and_is_none_is_refused_where_it_is_mapped() {
    let backend = Backend::text("{\"broken\"").await;
    let mut asked = proxy(&backend.url("/"));
    asked.request_parameters = texts(&[("integration.request.header.x", "method.request.body")]);
    let mut answered = http(backend.url("/"));
    answered.integration_responses.get_mut("200").expect("default").response_parameters =
        Some(texts(&[("method.response.header.x", "integration.response.body.a")]));
    let rows = Rows::new().method("/asked", "POST", asked).method("/answered", "POST", answered);
    let site = Site::new(&rows.deploy()).await;
    let refused = site.ask("POST", "/asked", "", " {\"a\": ").await;
    assert_eq!((refused.status, refused.text().as_str()), (400, r#"{"message": "Invalid JSON in request body"}"#));
    assert_eq!(backend.requests().len(), 0);
    assert_eq!(site.ask("POST", "/asked", "", "just text").await.status, 200, "other text is a text");
    assert!(backend.requests()[0].to_ascii_lowercase().contains("x: just text"));
    let answer = site.ask("POST", "/answered", "", "{}").await;
    assert_eq!((answer.status, answer.text().as_str()), (500, r#"{"message": "Internal server error"}"#));
}

#[tokio::test]
async fn pass_through_behaviours_decide_where_no_template_fits() {
    let backend = Backend::text("ok").await;
    let of = |behavior: PassthroughBehavior, with: bool| {
        let mut integration = http(backend.url("/"));
        integration.passthrough_behavior = Some(behavior);
        if with {
            integration.request_templates = templates(&[("application/json", "made $input.json('$.a')")]);
        }
        integration
    };
    use PassthroughBehavior::{Never, WhenNoMatch, WhenNoTemplates};
    type Case = (&'static str, PassthroughBehavior, bool, &'static str, Result<&'static str, u16>);
    let cases: [Case; 9] = [
        ("/a", WhenNoMatch, true, "application/json", Ok("made 1")),
        ("/b", WhenNoMatch, true, "text/plain; charset=utf-8", Ok(r#"{"a":1}"#)),
        ("/c", WhenNoMatch, false, "application/json", Ok(r#"{"a":1}"#)),
        ("/d", WhenNoTemplates, true, "APPLICATION/JSON;x=y", Ok("made 1")),
        ("/e", WhenNoTemplates, true, "text/plain", Err(415)),
        ("/f", WhenNoTemplates, false, "text/plain", Ok(r#"{"a":1}"#)),
        ("/g", Never, true, "", Ok("made 1")),
        ("/h", Never, true, "text/plain", Err(415)),
        ("/i", Never, false, "application/json", Err(415)),
    ];
    let mut rows = Rows::new();
    for (path, behavior, with, ..) in &cases {
        rows = rows.method(path, "POST", of(behavior.clone(), *with));
    }
    let site = Site::new(&rows.deploy()).await;
    for (path, _, _, media, wanted) in cases {
        let header = if media.is_empty() { String::new() } else { format!("Content-Type: {media}\r\n") };
        let before = backend.requests().len();
        let answer = site.ask("POST", path, &header, r#"{"a":1}"#).await;
        match wanted {
            Ok(body) => {
                assert_eq!(answer.status, 200, "{path}");
                let asked = backend.requests().pop().expect("asked");
                assert_eq!(asked.split_once("\r\n\r\n").map(|(_, body)| body), Some(body), "{path}");
            }
            Err(status) => {
                assert_eq!(
                    (answer.status, answer.text().as_str()),
                    (status, r#"{"message":"Unsupported Media Type"}"#)
                );
                assert_eq!(backend.requests().len(), before, "{path}: nobody was asked");
            }
        }
    }
}

#[tokio::test]
async fn a_template_that_fails_is_answered_500_and_says_nothing_of_why() {
    let rows = Rows::new()
        .method("/unparsed", "GET", mock("#if(true) {\"statusCode\": 200}"))
        .method("/response", "GET", mocked(r#"{"statusCode": 200}"#, "#foreach($x in"))
        .method("/failing", "GET", mocked(r#"{"statusCode": 200}"#, "$util.base64Decode('%%%')"))
        .method("/status", "GET", mock("#set($x = 1){\"code\": $x}"));
    let site = Site::new(&rows.deploy()).await;
    for path in ["/unparsed", "/response", "/failing", "/status"] {
        let answer = site.get(path).await;
        assert_eq!((answer.status, answer.text().as_str()), (500, r#"{"message": "Internal server error"}"#), "{path}");
        assert_eq!(answer.header("x-amzn-errortype"), Some("InternalServerErrorException"));
    }
}

#[tokio::test]
async fn selection_patterns_may_look_around() {
    let backend = Backend::always(Act::Say(plain(404, "", "gone"))).await;
    let mut integration = http(backend.url("/"));
    let mut other = integration.integration_responses["200"].clone();
    other.status_code = "201".into();
    other.selection_pattern = Some("(?!2)\\d+".into());
    integration.integration_responses.insert("201".into(), other);
    let site = Site::new(&Rows::new().method("/p", "POST", integration).deploy()).await;
    assert_eq!(site.ask("POST", "/p", "", "x").await.status, 201, "what does not begin with 2");
}

#[tokio::test]
async fn a_template_that_takes_long_ends_and_stops_nobody() {
    let endless = "#foreach($a in [1..1000])#foreach($b in [1..1000])#foreach($c in [1..1000])#set($x = $c)#end#end#end{\"statusCode\": 200}";
    let long = "#foreach($a in [1..200])#foreach($b in [1..100])#set($x = $b)#end#end{\"statusCode\": 201}";
    let rows = Rows::new().method("/endless", "GET", mock(endless)).method("/long", "GET", mock(long)).method(
        "/quick",
        "GET",
        mock(r#"{"statusCode": 200}"#),
    );
    let site = Site::new(&rows.deploy()).await;
    assert_eq!(
        site.get("/long").await.status,
        200,
        "more than the worker's share, less than all: 201 takes the default"
    );
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut raw = site.connect().await;
        raw.send(super::site::request("GET", "/endless", "", "")).await;
        slow.push(raw);
    }
    let mut worst = std::time::Duration::ZERO;
    for _ in 0..20 {
        let began = std::time::Instant::now();
        assert_eq!(site.get("/quick").await.status, 200);
        worst = worst.max(began.elapsed());
    }
    // The one worker stays free; each of the slow ones takes far longer than this.
    assert!(worst < std::time::Duration::from_secs(2), "{worst:?}");
    for mut raw in slow {
        assert_eq!(raw.answer().await.map(|a| a.status), Some(500));
    }
}
