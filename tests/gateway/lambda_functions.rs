//! Functions of the cluster itself, called without any endpoint, and what a trial call tells of an integration.

use super::aws_site::{FUNCTION, aws, function, lambda_proxy, services, streamed};
use super::site::{API, REGION, Rows, Site, api_scope};
use bytes::Bytes;
use meridian::catalog::v1::{Integration, Resource};
use meridian::function::call::{
    Address, Answer, Broken, Call, Caller, Calling, InvocationType, Invoke, Payload, Refused,
};
use meridian::gateway::{Trial, Tried};
use meridian::net::http::Workers;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

type Act = Arc<dyn Fn(&Call) -> Result<Answer, Refused> + Send + Sync>;

/// A host that knows every function but those called `elsewhere`.
struct Host {
    calls: Mutex<Vec<Call>>,
    act: Act,
}

impl Host {
    fn new(act: impl Fn(&Call) -> Result<Answer, Refused> + Send + Sync + 'static) -> Arc<Host> {
        Arc::new(Host { calls: Mutex::default(), act: Arc::new(act) })
    }

    fn last(&self) -> Call {
        self.calls.lock().expect("lock").last().expect("a call").clone()
    }
}

impl Invoke for Host {
    fn knows(&self, function: &Address) -> bool {
        &*function.name != "elsewhere"
    }

    fn invoke(&self, call: Call) -> Calling<'_> {
        let answer = (self.act)(&call);
        self.calls.lock().expect("lock").push(call);
        Box::pin(async move { answer })
    }
}

fn whole(payload: &'static str) -> Answer {
    Answer {
        status: 200,
        function_error: None,
        log_tail: None,
        executed_version: Some("3".into()),
        payload: Payload::Whole(Bytes::from_static(payload.as_bytes())),
    }
}

async fn site(rows: &Rows, host: &Arc<Host>) -> Site {
    let host: Arc<dyn Invoke> = host.clone();
    Site::with(rows, |parts| parts.functions = Some(host)).await
}

#[tokio::test]
async fn the_clusters_own_functions_are_called_without_endpoint_and_keys() {
    let host = Host::new(|_| Ok(whole(r#"{"statusCode":201,"body":"own"}"#)));
    let role = "arn:aws:iam::000000000000:role/r";
    let mut later = aws(&format!("lambda:path/2015-03-31/functions/{FUNCTION}:live/invocations"));
    later.request_parameters =
        BTreeMap::from([("integration.request.header.X-Amz-Invocation-Type".into(), "'Event'".into())]);
    let rows = Rows::new()
        .method("/f", "GET", lambda_proxy())
        .method("/r", "GET", Integration { credentials: Some(role.into()), ..lambda_proxy() })
        .method("/later", "POST", later)
        .deploy();
    let site = site(&rows, &host).await;
    let answer = site.get("/f").await;
    assert_eq!((answer.status, answer.text().as_str()), (201, "own"));
    let call = host.last();
    assert_eq!((&*call.function.name, call.function.qualifier.as_deref()), ("pets", None));
    let source = format!("arn:aws:execute-api:{REGION}:000000000000:{API}/prod/GET/f");
    let service = Caller::Service {
        principal: "apigateway.amazonaws.com".into(),
        source_arn: source.into(),
        source_account: "000000000000".into(),
    };
    assert_eq!((call.caller, call.invocation), (service, InvocationType::RequestResponse));
    let event: serde_json::Value = serde_json::from_slice(&call.payload).expect("an event");
    assert_eq!(event["resource"], "/f");
    assert_eq!(site.get("/r").await.status, 201);
    assert_eq!(host.last().caller, Caller::Account("000000000000".into()));
    assert_eq!(site.ask("POST", "/later", "", "{}").await.status, 200);
    let call = host.last();
    assert_eq!((call.invocation, call.function.qualifier.as_deref()), (InvocationType::Event, Some("live")));
    assert_eq!(&call.payload[..], b"{}");
}

#[tokio::test]
async fn refusals_and_errors_of_own_functions_are_awss() {
    for (status, kind, wanted) in [
        (403, "AccessDeniedException", 500),
        (404, "ResourceNotFoundException", 500),
        (429, "TooManyRequestsException", 500),
        (413, "RequestTooLargeException", 413),
        (500, "ServiceException", 502),
    ] {
        let host = Host::new(move |_| Err(Refused { status, kind, message: "no".into() }));
        let site = site(&Rows::new().method("/f", "GET", lambda_proxy()).deploy(), &host).await;
        assert_eq!(site.get("/f").await.status, wanted, "{kind}");
    }
    let failed =
        Host::new(|_| Ok(Answer { function_error: Some("Unhandled".into()), ..whole(r#"{"errorMessage":"x"}"#) }));
    let site = self::site(&Rows::new().method("/f", "GET", lambda_proxy()).deploy(), &failed).await;
    assert_eq!(site.get("/f").await.status, 502);
}

#[tokio::test]
async fn own_functions_stream_and_what_breaks_off_does_so_for_the_client() {
    let host = Host::new(|call| {
        assert!(call.streamed);
        let (send, receive) = tokio::sync::mpsc::channel(8);
        let event: serde_json::Value = serde_json::from_slice(&call.payload).expect("an event");
        let broken = event["path"] == "/broken";
        for piece in ["{\"statusCode\":202,", "\"headers\":{\"a\":\"b\"}}\0\0\0\0\0\0\0\0one", " two"] {
            send.try_send(Ok(Bytes::from_static(piece.as_bytes()))).expect("room");
        }
        if broken {
            let error = Broken { error_type: "Runtime.Exit".into(), message: "gone".into() };
            send.try_send(Err(error)).expect("room");
        }
        Ok(Answer { payload: Payload::Pieces(receive), ..whole("") })
    });
    let rows = Rows::new().method("/{name}", "GET", streamed()).deploy();
    let site = site(&rows, &host).await;
    let answer = site.get("/whole").await;
    assert_eq!((answer.status, answer.header("a"), answer.text().as_str()), (202, Some("b"), "one two"));
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    let mut raw = site.connect().await;
    raw.send(super::site::request("GET", "/broken", "", "")).await;
    assert!(raw.answer().await.is_none(), "the body has no end");
}

#[tokio::test]
async fn a_function_that_the_cluster_does_not_have_is_called_at_its_endpoint() {
    let backend = function(r#"{"body":"from afar"}"#).await;
    let host: Arc<dyn Invoke> = Host::new(|_| Ok(whole("{}")));
    let uri = lambda_proxy().uri.expect("a URI").replace("pets", "elsewhere");
    let rows = Rows::new().method("/f", "GET", Integration { uri: Some(uri), ..lambda_proxy() }).deploy();
    let aws = services(&backend);
    let site = Site::with(&rows, |parts| {
        parts.functions = Some(host);
        parts.aws = aws;
    })
    .await;
    assert_eq!(site.get("/f").await.text(), "from afar");
}

async fn tried(rows: &Rows, site: &Site) -> Tried {
    let resources = rows.world.list::<Resource>(&api_scope(), "").expect("rows");
    let (id, resource) = resources.into_iter().find(|(_, r)| r.path == "/f").expect("a resource");
    let trial = Trial {
        tree: rows.world.tree(&api_scope()),
        account: "000000000000".into(),
        region: REGION.into(),
        api: API.into(),
        resource_id: id,
        resource_path: resource.path,
        http_method: "GET".into(),
        target: None,
        headers: Vec::new(),
        body: Bytes::new(),
        variables: BTreeMap::new(),
    };
    let workers = Workers::start("trial", 1).expect("worker");
    site.gateway.try_out(&workers, trial).await.expect("tried")
}

#[tokio::test]
async fn a_trial_call_tells_what_was_sent_and_what_was_wrong_with_the_answer() {
    let rows = Rows::new().method("/f", "GET", lambda_proxy());
    for (payload, status, wanted) in [
        (r#"{"statusCode":200,"body":"x"}"#, 200, "Method completed with status: 200"),
        (r#"{"wrong":1}"#, 502, "Execution failed due to configuration error: Malformed Lambda proxy response"),
    ] {
        let backend = function(payload).await;
        let aws = services(&backend);
        let site = Site::with(&rows, |parts| parts.aws = aws).await;
        let tried = tried(&rows, &site).await;
        assert_eq!(tried.status, status);
        let uri = format!("http://{}/2015-03-31/functions/{FUNCTION}/invocations", backend.addr);
        for line in [
            format!("Endpoint request URI: {uri}"),
            "Endpoint request headers: {".to_owned(),
            "Endpoint request body after transformations: {\"resource\":\"/f\"".to_owned(),
            format!("Sending request to {uri}"),
            "Received response. Status: 200, Integration latency: ".to_owned(),
            format!("Endpoint response body before transformations: {payload}"),
            wanted.to_owned(),
        ] {
            assert!(tried.log.contains(&line), "{line} in {}", tried.log);
        }
        let secrets = ["Signature=", "=session"];
        assert!(!secrets.iter().any(|secret| tried.log.contains(secret)), "{}", tried.log);
    }
    for (answer, wanted) in [
        (
            super::backends::plain(403, "", "no"),
            "Execution failed due to configuration error: Invalid permissions on Lambda function",
        ),
        (
            super::backends::plain(
                200,
                "X-Amz-Function-Error: U\r\nx-amzn-RequestId: id-1\r\n",
                r#"{"errorMessage":"no"}"#,
            ),
            "Lambda execution failed with status 200 due to customer function error: no. Lambda request id: id-1",
        ),
    ] {
        let backend = super::backends::Backend::always(super::backends::Act::Say(answer)).await;
        let aws = services(&backend);
        let site = Site::with(&rows, |parts| parts.aws = aws).await;
        let log = tried(&rows, &site).await.log;
        assert!(log.contains(wanted), "{wanted} in {log}");
    }
}
