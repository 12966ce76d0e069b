//! Integrations with services beyond Lambda: what they are sent, signed, and what becomes of their answers.

use super::aws_site::{aws, got, site};
use super::backends::{Act, Backend, plain};
use super::site::{Rows, request};
use super::sockets::ask;
use meridian::catalog::v1::Integration;
use std::collections::BTreeMap;

fn mapped(mut integration: Integration, parameters: &[(&str, &str)]) -> Integration {
    let named = parameters.iter().map(|(to, from)| (format!("integration.request.{to}"), (*from).to_owned()));
    integration.request_parameters = named.collect();
    integration
}

fn templated(mut integration: Integration, template: &str) -> Integration {
    integration.request_templates = BTreeMap::from([("application/json".into(), Some(template.into()))]);
    integration
}

#[tokio::test]
async fn json_services_get_a_target_and_query_services_an_action() {
    let rows = Rows::new()
        .method("/dynamodb", "POST", templated(aws("dynamodb:action/PutItem"), r#"{"TableName": "pets"}"#))
        .method("/states", "POST", aws("states:action/StartExecution"))
        .method("/kinesis", "POST", aws("kinesis:action/PutRecord"))
        .method("/events", "POST", aws("events:action/PutEvents"))
        .method("/ssm", "POST", aws("ssm:action/GetParameter"))
        .method(
            "/own",
            "POST",
            mapped(aws("dynamodb:action/PutItem"), &[("header.Content-Type", "'application/json'")]),
        )
        .method("/sns", "POST", mapped(aws("sns:action/Publish"), &[("querystring.Message", "method.request.body.m")]))
        .method(
            "/got",
            "POST",
            Integration { http_method: Some("GET".into()), ..aws("sns:action/ListTopics&NextToken=x") },
        )
        .method(
            "/sqs",
            "POST",
            templated(
                mapped(
                    aws("sqs:path/000000000000/pets"),
                    &[("header.Content-Type", "'application/x-www-form-urlencoded'")],
                ),
                "Action=SendMessage&MessageBody=$util.urlEncode($input.body)",
            ),
        )
        .deploy();
    let backend = Backend::text("{}").await;
    let site = site(&rows, &backend).await;
    for (path, target, media, scope) in [
        ("/dynamodb", "DynamoDB_20120810.PutItem", "application/x-amz-json-1.0", "dynamodb/eu-west-1"),
        ("/states", "AWSStepFunctions.StartExecution", "application/x-amz-json-1.0", "states/eu-west-1"),
        ("/kinesis", "Kinesis_20131202.PutRecord", "application/x-amz-json-1.1", "kinesis/eu-west-1"),
        ("/events", "AWSEvents.PutEvents", "application/x-amz-json-1.1", "events/eu-west-1"),
        ("/ssm", "AmazonSSM.GetParameter", "application/x-amz-json-1.1", "ssm/eu-west-1"),
        ("/own", "DynamoDB_20120810.PutItem", "application/json", "dynamodb/eu-west-1"),
    ] {
        assert_eq!(site.ask("POST", path, "X-Client: 1\r\n", r#"{"a": 1}"#).await.status, 200, "{path}");
        let sent = got(&backend);
        assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/"), "{path}");
        assert_eq!((sent.header("x-amz-target"), sent.header("content-type")), (target, media), "{path}");
        assert_eq!((sent.scope.as_str(), sent.header("x-client")), (scope, ""), "{path}");
        let body = if path == "/dynamodb" { r#"{"TableName": "pets"}"# } else { r#"{"a": 1}"# };
        assert_eq!(sent.body, body, "{path}");
    }
    assert_eq!(site.ask("POST", "/sns", "", r#"{"m": "a b&c"}"#).await.status, 200);
    let sent = got(&backend);
    assert_eq!((sent.target.as_str(), sent.header("content-type")), ("/", "application/x-www-form-urlencoded"));
    assert_eq!(sent.body, "Action=Publish&Version=2010-03-31&Message=a%20b%26c", "it takes the body's place");
    assert_eq!(site.ask("POST", "/got", "", "").await.status, 200);
    let sent = got(&backend);
    assert_eq!(
        (sent.method.as_str(), sent.target.as_str()),
        ("GET", "/?Action=ListTopics&Version=2010-03-31&NextToken=x")
    );
    assert_eq!(site.ask("POST", "/sqs", "", r#"{"m": 1}"#).await.status, 200);
    let sent = got(&backend);
    assert_eq!((sent.target.as_str(), sent.scope.as_str()), ("/000000000000/pets", "sqs/eu-west-1"));
    assert_eq!(sent.body, "Action=SendMessage&MessageBody=%7B%22m%22%3A+1%7D");
}

#[tokio::test]
async fn objects_are_put_and_got_by_a_path_that_is_encoded_once() {
    let parameters = [
        ("path.bucket", "method.request.path.bucket"),
        ("path.key", "method.request.path.key"),
        ("header.x-amz-meta-owner", "method.request.header.owner"),
        ("querystring.versionId", "method.request.querystring.v"),
    ];
    let put = Integration { http_method: Some("PUT".into()), ..mapped(aws("s3:path/{bucket}/{key}"), &parameters) };
    let bucket = Integration { http_method: Some("GET".into()), ..aws("pets.s3:path/list?list-type=2") };
    let rows = Rows::new().method("/{bucket}/{key+}", "PUT", put).method("/list", "GET", bucket).deploy();
    let backend = Backend::text("done").await;
    let site = site(&rows, &backend).await;
    let headers = "owner: two   blanks\r\nContent-Type: image/png\r\n";
    let answer =
        ask(site.addr, request("PUT", "/pets/a%20b/c%2Bd:e?v=1%2B2", headers, "bytes")).await.expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = got(&backend);
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("PUT", "/pets/a%20b/c%2Bd:e?versionId=1%2B2"));
    assert_eq!(
        (sent.scope.as_str(), sent.header("content-type"), sent.body.as_str()),
        ("s3/eu-west-1", "image/png", "bytes")
    );
    assert_eq!(sent.header("x-amz-content-sha256").len(), 64);
    assert_eq!(site.get("/list").await.status, 200);
    assert_eq!(got(&backend).target, "/pets/list?list-type=2", "a stand-in has no name for each bucket");
}

#[tokio::test]
async fn answers_are_chosen_by_status_and_redirects_are_answers() {
    let mut integration = aws("s3:path/x");
    let response = integration.integration_responses.get_mut("400").expect("400");
    response.selection_pattern = Some("3\\d{2}|4\\d{2}".into());
    response.response_parameters = Some(BTreeMap::from([
        ("method.response.header.Location".into(), "integration.response.header.location".into()),
        ("method.response.header.Server".into(), "integration.response.header.x-service".into()),
    ]));
    let rows = Rows::new().method("/x", "POST", integration).deploy();
    let answers = [
        plain(200, "Content-Type: application/xml\r\n", "<ok/>"),
        plain(307, "Location: http://127.0.0.1:9/elsewhere\r\nX-Service: s\r\n", "<moved/>"),
        plain(404, "", "<gone/>"),
        plain(503, "", "slow down"),
    ];
    let backend = Backend::start(move |n| Act::Say(answers[n].clone())).await;
    let site = site(&rows, &backend).await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        let answer = site.ask("POST", "/x", "", "").await;
        assert!(answer.header("x-amzn-trace-id").is_some());
        seen.push((answer.status, answer.text(), answer.header("location").map(str::to_owned)));
        assert_eq!(answer.header("x-amzn-remapped-server"), answer.header("location").map(|_| "s"));
    }
    let location = Some("http://127.0.0.1:9/elsewhere".to_owned());
    let wanted = [
        (200, "<ok/>".to_owned(), None),
        (400, "<moved/>".to_owned(), location),
        (400, "<gone/>".to_owned(), None),
        (200, "slow down".to_owned(), None),
    ];
    assert_eq!(seen, wanted);
    assert_eq!(backend.requests().len(), 4);
}

#[tokio::test]
async fn headers_that_would_frame_or_sign_are_no_mappings_to_say() {
    let names = [
        "Connection",
        "Proxy-Authenticate",
        "TE",
        "Expect",
        "Content-Length",
        "Transfer-Encoding",
        "Authorization",
        // Those that are sent.
        "Via",
        "Accept",
        "Accept-Encoding",
        "Age",
        "Content-Encoding",
        "Content-MD5",
        "Date",
        "Max-Forwards",
        "Pragma",
        "Range",
        "Referer",
        "Server",
        "User-Agent",
        "Warn",
        "WWW-Authenticate",
        // Those that are taken, and are ours to say.
        "Host",
        "Upgrade",
        "Trailer",
        "X-Amz-Date",
        "X-Amz-Security-Token",
        "X-Amz-Content-Sha256",
    ];
    let mut rows = Rows::new();
    for name in names {
        let header = format!("header.{name}");
        rows = rows.method(&format!("/{name}"), "POST", mapped(aws("sqs:path/q"), &[(header.as_str(), "'mapped'")]));
    }
    let backend = Backend::text("{}").await;
    let site = site(&rows.deploy(), &backend).await;
    for (index, name) in names.iter().enumerate() {
        let answer = site.ask("POST", &format!("/{name}"), "", "x").await;
        if index < 7 {
            assert_eq!(
                (answer.status, answer.text().as_str()),
                (500, r#"{"message": "Internal server error"}"#),
                "{name}"
            );
            continue;
        }
        assert_eq!(answer.status, 200, "{name}");
        let sent = got(&backend);
        assert_eq!(sent.header(&name.to_ascii_lowercase()) == "mapped", index < 22, "{name}: {sent:?}");
    }
}

#[tokio::test]
async fn a_service_that_hangs_breaks_off_or_talks_nonsense_is_told_as_any_backend() {
    for (act, status) in [
        (Act::Hang, 504),
        (Act::SayAndClose(b"HTTP/1.1 200 OK\r\nContent-Len".to_vec()), 504),
        (Act::SayAndClose(b"\x16\x03\x01nonsense\r\n\r\n".to_vec()), 504),
    ] {
        let backend = Backend::always(act).await;
        let slow = Integration { timeout_in_millis: Some(100), ..aws("sqs:path/q") };
        let site = site(&Rows::new().method("/q", "POST", slow).deploy(), &backend).await;
        assert_eq!(site.ask("POST", "/q", "", "x").await.status, status);
        assert_eq!(backend.requests().len(), 1, "nothing is sent twice");
    }
    let mut flood = aws("s3:path/x");
    let response = flood.integration_responses.get_mut("200").expect("200");
    response.response_templates = Some(BTreeMap::from([("application/json".into(), Some("$input.body".into()))]));
    let backend =
        Backend::always(Act::SayAndHang(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\nx".to_vec())).await;
    let site = site(&Rows::new().method("/x", "POST", flood).deploy(), &backend).await;
    assert_eq!(site.ask("POST", "/x", "", "").await.status, 500);
}
