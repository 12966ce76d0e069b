//! The event that a Lambda proxy integration sends, from the client's socket to the function's.

use super::aws_site::{FUNCTION, function, function_uri, got, lambda_proxy, services, site};
use super::backends::Backend;
use super::site::{API, REGION, Rows, Site, api_scope, request};
use super::sockets::ask;
use meridian::catalog::v1::{Integration, RestApi, UsagePlan};
use serde_json::{Value, json};

fn rows() -> Rows {
    Rows::new().method("/{proxy+}", "ANY", lambda_proxy()).method("/", "GET", lambda_proxy())
}

async fn event(site: &Site, backend: &Backend, text: String) -> Value {
    let answer = ask(site.addr, text).await.expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    got(backend).json()
}

#[tokio::test]
async fn an_event_is_awss_member_by_member() {
    let backend = function("{}").await;
    let site = site(&rows().deploy(), &backend).await;
    let headers =
        "User-Agent: test/1\r\nX-mUlTi: one\r\nX-mUlTi: two\r\nTE: trailers\r\nExpect-Not: x\r\nVia: 1.1 edge\r\n";
    let text = request("PATCH", "/proxy-value/?a=1&b=%2B+x&a=2", headers, "{\"x\": \"\u{e9}\\\"\"}");
    let mut event = event(&site, &backend, text).await;
    let sent = got(&backend);
    assert_eq!(sent.target, format!("/2015-03-31/functions/{FUNCTION}/invocations"));
    assert_eq!((sent.method.as_str(), sent.scope.as_str()), ("POST", "lambda/eu-west-1"));
    assert_eq!(sent.header("content-type"), "application/json");
    let source = format!("arn:aws:execute-api:{REGION}:000000000000:{API}/prod/PATCH/{{proxy+}}");
    assert_eq!(sent.header("x-amz-source-arn"), source);
    let host = format!("{API}.execute-api.{REGION}.localhost");
    let trace = event["headers"]["X-Amzn-Trace-Id"].as_str().expect("a trace").to_owned();
    assert!(trace.starts_with("Root=1-") && sent.header("x-amzn-trace-id") == trace, "{trace}");
    let port = site.addr.port().to_string();
    // What differs from run to run.
    for member in ["requestId", "extendedRequestId", "requestTime", "requestTimeEpoch"] {
        let value = event["requestContext"][member].take();
        assert!(value.is_string() && member != "requestTimeEpoch" || value.is_u64(), "{member} = {value}");
    }
    let single = json!({
        "User-Agent": "test/1", "X-mUlTi": "two", "Expect-Not": "x", "Via": "1.1 edge",
        "Host": host, "X-Amzn-Trace-Id": trace, "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Port": port,
        "X-Forwarded-Proto": "http",
    });
    let mut multi = json!({});
    for (name, value) in single.as_object().expect("headers") {
        multi[name] = json!([value]);
    }
    multi["X-mUlTi"] = json!(["one", "two"]);
    assert_eq!(
        event,
        json!({
            "resource": "/{proxy+}", "path": "/proxy-value/", "httpMethod": "PATCH",
            "headers": single, "multiValueHeaders": multi,
            "queryStringParameters": {"a": "2", "b": "+ x"},
            "multiValueQueryStringParameters": {"a": ["1", "2"], "b": ["+ x"]},
            "pathParameters": {"proxy": "proxy-value"}, "stageVariables": null,
            "requestContext": {
                "accountId": "000000000000", "apiId": API, "deploymentId": "dep1", "domainName": host,
                "domainPrefix": API, "extendedRequestId": null, "httpMethod": "PATCH",
                "identity": {
                    "accessKey": null, "accountId": null, "caller": null, "cognitoAuthenticationProvider": null,
                    "cognitoAuthenticationType": null, "cognitoIdentityId": null, "cognitoIdentityPoolId": null,
                    "principalOrgId": null, "sourceIp": "127.0.0.1", "user": null, "userAgent": "test/1", "userArn": null,
                },
                "path": "/prod/proxy-value/", "protocol": "HTTP/1.1", "requestId": null, "requestTime": null,
                "requestTimeEpoch": null, "resourceId": "r0", "resourcePath": "/{proxy+}", "stage": "prod",
            },
            "body": "{\"x\": \"\u{e9}\\\"\"}", "isBase64Encoded": false,
        })
    );
}

#[tokio::test]
async fn paths_keep_what_was_sent_and_lose_only_slashes_at_their_beginning() {
    let backend = function("{}").await;
    let site = site(&rows().deploy(), &backend).await;
    for (sent, path, proxy, context) in [
        ("/test%2Balias@x", "/test%2Balias@x", json!("test%2Balias@x"), "/prod/test%2Balias@x"),
        ("/test+alias@x", "/test+alias@x", json!("test+alias@x"), "/prod/test+alias@x"),
        ("/a//double", "/a//double", json!("a//double"), "/prod/a//double"),
        ("//x", "/x", json!("x"), "/prod//x"),
        ("/x/", "/x/", json!("x"), "/prod/x/"),
        ("/", "/", Value::Null, "/prod/"),
        ("", "/", Value::Null, "/prod"),
    ] {
        let event = event(&site, &backend, request("GET", sent, "", "")).await;
        assert_eq!(
            (event["path"].as_str(), event["requestContext"]["path"].as_str()),
            (Some(path), Some(context)),
            "{sent}"
        );
        let found =
            if proxy.is_null() { event["pathParameters"].clone() } else { event["pathParameters"]["proxy"].clone() };
        assert_eq!(found, proxy, "{sent}");
        assert_eq!((&event["body"], &event["queryStringParameters"]), (&Value::Null, &Value::Null), "{sent}");
    }
}

#[tokio::test]
async fn bodies_are_text_unless_the_api_says_that_they_are_bytes() {
    let backend = function("{}").await;
    let mut rows = rows();
    let api = RestApi { id: API.into(), binary_media_types: vec!["image/png".into()], ..RestApi::default() };
    rows.change(|ops| {
        ops.put(&api_scope(), API, &api);
    });
    let site = site(&rows.deploy(), &backend).await;
    for (media, body, wanted, base64) in [
        ("image/png", &b"\xff\x00"[..], "/wA=", true),
        ("text/plain", &b"h\xff"[..], "h\u{fffd}", false),
        ("application/json", "\u{e9}".as_bytes(), "\u{e9}", false),
    ] {
        let headers = format!("Content-Type: {media}\r\nContent-Length: {}\r\n", body.len());
        let mut bytes = request("POST", "/x", &headers, "").into_bytes();
        bytes.extend_from_slice(body);
        assert_eq!(ask(site.addr, bytes).await.expect("an answer").status, 200);
        let event = got(&backend).json();
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!(wanted), &json!(base64)), "{media}");
    }
    // A large one is written off the worker, and is whole.
    let large = "\"\\\u{e9}".repeat(60_000);
    let event = event(&site, &backend, request("POST", "/x", "", &large)).await;
    assert_eq!(event["body"], json!(large));
    let most = "x".repeat(6 << 20);
    let answer = site.ask("POST", "/x", "", &most).await;
    assert_eq!((answer.status, answer.text().as_str()), (413, r#"{"message":"Request Too Long"}"#));
}

#[tokio::test]
async fn stage_variables_name_the_function_and_are_in_the_event() {
    let backend = function("{}").await;
    let named =
        function_uri("arn:aws:lambda:eu-west-1:000000000000:function:${stageVariables.name}:${stageVariables.alias}");
    let mut rows = Rows::new().method("/f", "GET", Integration { uri: Some(named), ..lambda_proxy() });
    rows.redeploy(|stage| {
        stage.variables = Some([("name", "cats"), ("alias", "live")].map(|(n, v)| (n.into(), v.into())).into());
    });
    let site = Site::with(&rows, |parts| parts.aws = services(&backend)).await;
    let sent = event(&site, &backend, request("GET", "/f", "", "")).await;
    assert_eq!(sent["stageVariables"], json!({"alias": "live", "name": "cats"}));
    assert!(got(&backend).target.ends_with("function:cats:live/invocations"));
    // Without its variable the ARN is none.
    rows.redeploy(|stage| stage.variables = None);
    site.publish(&rows);
    let answer = site.get("/f").await;
    assert_eq!((answer.status, answer.text().as_str()), (500, r#"{"message": "Internal server error"}"#));
    assert_eq!(answer.header("x-amzn-errortype"), Some("InternalServerErrorException"));
}

#[tokio::test]
async fn a_method_that_wants_a_key_tells_the_function_which_one_came() {
    let backend = function("{}").await;
    let mut rows = Rows::new();
    rows.put_method("/k", "GET", lambda_proxy(), |method| {
        method.api_key_required = true;
        method.operation_name = Some("ListPets".into());
    });
    rows.key("kid", "the-value-of-the-key", UsagePlan::default());
    let site = site(&rows.deploy(), &backend).await;
    let event = event(&site, &backend, request("GET", "/k", "x-api-key: the-value-of-the-key\r\n", "")).await;
    let identity = &event["requestContext"]["identity"];
    assert_eq!((&identity["apiKey"], &identity["apiKeyId"]), (&json!("the-value-of-the-key"), &json!("kid")));
    assert_eq!(event["requestContext"]["operationName"], json!("ListPets"));
}
