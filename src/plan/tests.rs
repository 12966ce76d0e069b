//! Plans from rows: routes, URIs, responses, flaws.

use super::context::{Context, Variable};
use super::mapping::View;
use super::*;
use crate::catalog::v1::{Integration, IntegrationResponse, IntegrationType, MethodResponse, MethodSetting};
use crate::state::{Key, Row};
use http::HeaderMap;
use std::borrow::Cow;

#[test]
fn routes_prefer_exact_to_parameter_to_the_deepest_greedy() {
    let mut routes = Routes::default();
    let rows = [
        ("/", "GET"),
        ("/pets", "POST"),
        ("/pets/{id}", "GET"),
        ("/pets/{id}/toys", "ANY"),
        ("/pets/mine", "GET"),
        ("/pets/{id}/toys/{toy+}", "GET"),
        ("/{proxy+}", "ANY"),
        ("/way/through/here", "GET"),
        ("/a b", "GET"),
    ];
    for (index, (path, verb)) in rows.iter().enumerate() {
        routes.add(path, Some((verb, index))).expect("path");
    }
    routes.add("/way/through", None).expect("path");
    type Wanted = Option<(usize, &'static [(&'static str, &'static str)])>;
    let cases: &[(&str, &str, Wanted)] = &[
        ("GET", "/", Some((0, &[]))),
        ("GET", "", Some((0, &[]))),
        ("POST", "/", None),
        ("POST", "/pets", Some((1, &[]))),
        ("POST", "/pets/", Some((1, &[]))),
        ("POST", "//pets", Some((1, &[]))),
        ("GET", "/pets", None),
        ("GET", "/pets/7", Some((2, &[("id", "7")]))),
        ("GET", "/pets/a%2Fb", Some((2, &[("id", "a%2Fb")]))),
        ("GET", "/pets/mine", Some((4, &[]))),
        ("PATCH", "/pets/7/toys", Some((3, &[("id", "7")]))),
        ("GET", "/pets/7/toys/x/y/", Some((5, &[("id", "7"), ("toy", "x/y")]))),
        ("GET", "/pets/7/toys/x//y", Some((5, &[("id", "7"), ("toy", "x//y")]))),
        ("GET", "/pets/7/nothing", Some((6, &[("proxy", "pets/7/nothing")]))),
        ("GET", "/way", Some((6, &[("proxy", "way")]))),
        ("GET", "/way/through", Some((6, &[("proxy", "way/through")]))),
        ("GET", "/way/through/here", Some((7, &[]))),
        ("GET", "/else%20where/", Some((6, &[("proxy", "else%20where")]))),
        ("GET", "/a%20b", Some((8, &[]))),
        ("HEAD", "/pets/7", None),
        ("OPTIONS", "/pets/7/toys", Some((3, &[("id", "7")]))),
        ("CONNECT", "/pets/7/toys", None),
        ("TRACE", "/x", None),
        ("get", "/x", None),
        ("ANY", "/x", None),
    ];
    for (verb, path, wanted) in cases {
        let found = routes.find(verb, path).map(|f| (f.method, f.parameters));
        let wanted = wanted.map(|(method, parameters)| (method, parameters.to_vec()));
        assert_eq!(found, wanted, "{verb} {path}");
    }
}

#[test]
fn a_greedy_resource_at_the_root_does_not_answer_for_the_root() {
    let mut routes = Routes::default();
    routes.add("/{proxy+}", Some(("ANY", 0))).expect("path");
    assert!(routes.find("GET", "/").is_none());
    assert!(routes.find("GET", "//").is_none());
    assert!(routes.find("GET", "/x").is_some());
    assert!(routes.add("/{proxy+}/more", None).is_err());
    assert!(routes.add("/a//b", None).is_err());
}

struct Fixed;

impl Context for Fixed {
    fn value(&self, variable: &Variable) -> Option<Cow<'_, str>> {
        (*variable == Variable::RequestId).then_some(Cow::Borrowed("req-1"))
    }
}

struct Api {
    rows: Vec<(Key, Row)>,
    stage: Stage,
}

impl Api {
    fn new() -> Api {
        let api = RestApi { id: "api1".into(), ..RestApi::default() };
        let stage = Stage { stage_name: "prod".into(), deployment_id: "dep1".into(), revision: 3, ..Stage::default() };
        Api { rows: vec![(Key::new(crate::catalog::Table::RestApi, "api1"), Row::of(&api))], stage }
    }

    fn with(mut self, path: &str, verb: &str, integration: Option<Integration>) -> Api {
        let id = format!("r{}", self.rows.len());
        let resource = Resource { id: id.clone(), path: path.into(), ..Resource::default() };
        let ok = MethodResponse { status_code: "200".into(), ..MethodResponse::default() };
        let method = Method {
            http_method: verb.into(),
            authorization_type: "NONE".into(),
            method_responses: BTreeMap::from([("200".into(), ok)]),
            method_integration: integration,
            ..Method::default()
        };
        self.rows.push((Key::new(crate::catalog::Table::Resource, &id), Row::of(&resource)));
        self.rows.push((Key::new(crate::catalog::Table::Method, &Method::row_id(&id, verb)), Row::of(&method)));
        self
    }

    fn compile(self) -> Result<ServingPlan, Vec<Flaw>> {
        let which = Which { account: "000000000000", region: "eu-west-1", api: "api1" };
        ServingPlan::compile(&self.rows.into_iter().collect(), &self.stage, which)
    }
}

fn http(uri: &str, parameters: &[(&str, &str)]) -> Integration {
    Integration {
        kind: IntegrationType::HttpProxy,
        uri: Some(uri.into()),
        http_method: Some("ANY".into()),
        request_parameters: parameters.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        ..Integration::default()
    }
}

fn called(integration: Integration, variables: &[(&str, &str)], query: &str) -> Result<uri::Called, String> {
    let mut api = Api::new().with("/{proxy+}", "ANY", Some(integration));
    api.stage.variables = Some(variables.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect());
    let plan = api.compile().expect("compiles");
    let Backend::Http(http) = &plan.methods[0].backend else { panic!("an HTTP backend") };
    let mut headers = HeaderMap::new();
    headers.append("x-a", "first".parse().expect("value"));
    headers.append("x-a", "la st".parse().expect("value"));
    let view = View { path: &[("proxy", "a/b%20c")], query, headers: &headers, body: &[], context: &Fixed };
    http.uri.call(&view, query, &uri::UriOverrides::default())
}

#[test]
fn uris_take_path_values_stage_variables_and_queries() {
    let proxy = ("integration.request.path.proxy", "method.request.path.proxy");
    let ok = |integration, variables: &[(&str, &str)], query: &str| {
        let called = called(integration, variables, query).expect("renders");
        (called.dynamic, called.path_and_query.to_string())
    };
    assert_eq!(ok(http("http://h:1/base/{proxy}", &[proxy]), &[], ""), (None, "/base/a/b%20c".into()));
    assert_eq!(ok(http("http://h", &[]), &[], "x=1&y"), (None, "/?x=1&y".into()));
    assert_eq!(ok(http("http://h/{other}", &[proxy]), &[], ""), (None, "/%7Bother%7D".into()));
    assert_eq!(
        ok(
            http("http://${stageVariables.host}/v${stageVariables.n}?k=1", &[]),
            &[("host", "h.x:8"), ("n", "2")],
            "a=b"
        ),
        (None, "/v2?k=1&a=b".into())
    );
    let header = ("integration.request.path.h", "method.request.header.X-A");
    assert_eq!(
        ok(http("http://{h}.example/x", &[header]), &[], "").0.expect("dynamic").1,
        "la%20st.example",
        "it is refused when it is called"
    );
    let mapped = [
        ("integration.request.querystring.fixed", "'a b&c'"),
        ("integration.request.querystring.id", "context.requestId"),
        ("integration.request.querystring.last", "method.request.querystring.m"),
        ("integration.request.querystring.none", "method.request.querystring.nope"),
        ("integration.request.querystring.all", "method.request.multivaluequerystring.m"),
    ];
    assert_eq!(
        ok(http("http://h/p", &mapped), &[], "m=1&m=t%2Bw+o").1,
        "/p?m=1&m=t%2Bw+o&all=1&all=t%2Bw%20o&fixed=a%20b%26c&id=req-1&last=t%2Bw%20o"
    );
    assert!(called(http("${stageVariables.gone}", &[]), &[], "").is_err(), "no URL is left");
}

#[test]
fn responses_are_chosen_by_the_whole_status() {
    let response = |status: &str, pattern: &str| IntegrationResponse {
        status_code: status.into(),
        selection_pattern: Some(pattern.into()),
        ..IntegrationResponse::default()
    };
    let integration = Integration {
        integration_responses: ["200,", "400,4\\d{2}", "404,404", "502,5.*"]
            .iter()
            .filter_map(|t| t.split_once(','))
            .map(|(s, p)| (s.to_string(), response(s, p)))
            .collect(),
        ..Integration::default()
    };
    let plan = Api::new().with("/", "GET", Some(integration)).compile().expect("compiles");
    let Backend::Mock(mock) = &plan.methods[0].backend else { panic!("a mock") };
    let chosen = |status| mock.responses.select(status).map(|r| (r.status, r.declared));
    assert_eq!(chosen(200), Some((200, true)));
    assert_eq!(chosen(201), Some((200, true)));
    assert_eq!(chosen(404), Some((400, false)), "the first whose pattern fits");
    assert_eq!(chosen(503), Some((502, false)));
}

#[test]
fn every_flaw_is_named_at_once() {
    let bad = Integration {
        integration_responses: BTreeMap::from([("OK".into(), IntegrationResponse::default())]),
        ..http("http://h", &[("integration.request.header.x", "nonsense"), ("wrong", "'x'")])
    };
    let flaws = Api::new()
        .with("/a", "GET", None)
        .with("/b", "GET", Some(bad))
        .with("/c", "PUT", Some(Integration { uri: None, ..http("", &[]) }))
        .compile()
        .expect_err("flaws");
    let words: Vec<String> = flaws.iter().map(ToString::to_string).collect();
    for wanted in [
        "GET /a: No integration defined for method",
        "GET /b: `OK` is no status code",
        "GET /b: `nonsense` is no mapping expression",
        "GET /b: `wrong` is no request parameter",
        "PUT /c: the integration has no URI",
    ] {
        assert!(words.iter().any(|w| w.starts_with(wanted)), "{wanted} in {words:#?}");
    }
}

#[test]
fn what_is_not_built_yet_is_named_and_harms_no_other_method() {
    let link =
        Integration { connection_type: Some(crate::catalog::v1::ConnectionType::VpcLink), ..http("http://h/", &[]) };
    let firehose = Some("arn:aws:apigateway:eu-west-1:firehose:action/PutRecord".into());
    let aws = Integration { kind: IntegrationType::AwsProxy, uri: firehose, ..Integration::default() };
    let plan = Api::new().with("/a", "GET", Some(link)).with("/b", "GET", Some(aws)).compile().expect("compiles");
    let named: Vec<_> = plan
        .methods
        .iter()
        .map(|m| match &m.backend {
            Backend::Unbuilt(what) => &**what,
            _ => panic!("not built"),
        })
        .collect();
    assert_eq!(named, ["VPC link integrations", "AWS_PROXY integrations with Firehose"]);
}

#[test]
fn what_aws_integrations_cannot_do_is_known_before_they_are_called() {
    let functions = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions";
    let good = format!("{functions}/arn:aws:lambda:eu-west-1:${{stageVariables.account}}:function:f/invocations");
    let cases = [
        (good.as_str(), "POST", None, None),
        (&good, "GET", None, Some("its httpMethod is GET, and a Lambda function is invoked by POST alone")),
        (&good, "POST", Some("arn:aws:iam::*:user/*"), Some("its credentials are its caller's own")),
        (&good, "POST", Some("arn:aws:iam::${stageVariables.account}:role/r"), None),
        (&good, "POST", Some("arn:aws:iam::999999999999:role/r"), Some("is of another account than the API")),
        ("arn:x", "POST", None, Some("its URI `arn:x` is no arn:aws:apigateway")),
        ("arn:aws:apigateway:eu-west-1:s3:path/x", "POST", None, Some("its URI invokes no Lambda function")),
    ];
    for (uri, verb, credentials, wanted) in cases {
        let integration = Integration {
            kind: IntegrationType::AwsProxy,
            uri: Some(uri.into()),
            http_method: Some(verb.into()),
            credentials: credentials.map(Into::into),
            ..Integration::default()
        };
        let mut api = Api::new().with("/b", "GET", Some(integration));
        api.stage.variables = Some(BTreeMap::from([("account".into(), "000000000000".into())]));
        let plan = api.compile().expect("compiles");
        let Backend::AwsProxy(aws) = &plan.methods[0].backend else { panic!("an AWS_PROXY") };
        match (&aws.service, wanted) {
            (Ok(_), None) => {}
            (Err(why), Some(wanted)) => assert!(why.to_string().contains(wanted), "{why}"),
            (is, wanted) => panic!("{uri} {verb}: {is:?} is not {wanted:?}"),
        }
    }
}

#[test]
fn a_stages_throttle_is_the_methods_own_or_the_default() {
    let setting = |rate, burst| MethodSetting {
        throttling_rate_limit: rate,
        throttling_burst_limit: burst,
        ..MethodSetting::default()
    };
    let mut api = Api::new();
    for path in ["/", "/a/b", "/c", "/d"] {
        api = api.with(path, "GET", Some(Integration::default()));
    }
    api.stage.method_settings = BTreeMap::from([
        ("*/*".into(), setting(1.5, 2)),
        ("~1a~1b/GET".into(), setting(3.0, 4)),
        ("c/GET".into(), setting(-1.0, -1)),
        ("~1/GET".into(), setting(5.0, 6)),
    ]);
    let plan = api.compile().expect("compiles");
    let of = |path: &str| {
        let method = plan.methods.iter().find(|m| &*m.resource_path == path).expect("method");
        method.throttle.as_ref().map(|t| (t.rate, t.burst, t.bucket.to_string()))
    };
    assert_eq!(of("/"), Some((5.0, 6, "api1:prod//GET".into())));
    assert_eq!(of("/a/b"), Some((3.0, 4, "api1:prod/a/b/GET".into())));
    assert_eq!(of("/c"), None);
    assert_eq!(of("/d"), Some((1.5, 2, "api1:prod/d/GET".into())));
}
