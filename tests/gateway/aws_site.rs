//! Stand-ins for AWS services: integrations that call them, and the check of what they were sent.

use super::backends::{Act, Backend, plain};
use super::site::{REGION, Rows, Site, mock};
use meridian::catalog::v1::{Integration, IntegrationType, ResponseTransferMode};
use meridian::gateway::AwsServices;
use meridian::spec::sigv4::{Claim, Credentials, PathForm, Request, Rules};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) const ACCOUNT: &str = "000000000000";
const SECRET: &str = "a-secret-that-only-the-operator-knows";

pub(crate) fn keys() -> Credentials {
    Credentials { access_key: "AKIDTEST".into(), secret: SECRET.into(), token: Some("session".into()) }
}

/// Every service at this backend, signed for the API's account.
pub(crate) fn services(backend: &Backend) -> AwsServices {
    let services = AwsServices::default().with_usual_endpoint(&backend.url("")).expect("an endpoint");
    services.with_credentials(ACCOUNT, keys())
}

pub(crate) async fn site(rows: &Rows, backend: &Backend) -> Site {
    let aws = services(backend);
    Site::with(rows, |parts| parts.aws = aws).await
}

pub(crate) const FUNCTION: &str = "arn:aws:lambda:eu-west-1:000000000000:function:pets";

pub(crate) fn function_uri(function: &str) -> String {
    format!("arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function}/invocations")
}

pub(crate) fn lambda_proxy() -> Integration {
    Integration {
        kind: IntegrationType::AwsProxy,
        uri: Some(function_uri(FUNCTION)),
        http_method: Some("POST".into()),
        ..Integration::default()
    }
}

pub(crate) fn streamed() -> Integration {
    let uri = format!(
        "arn:aws:apigateway:{REGION}:lambda:path/2021-11-15/functions/{FUNCTION}/response-streaming-invocations"
    );
    Integration { uri: Some(uri), response_transfer_mode: Some(ResponseTransferMode::Stream), ..lambda_proxy() }
}

/// An integration whose answers are mapped: 200 by default, 400 for `4\d{2}`.
pub(crate) fn aws(service_and_target: &str) -> Integration {
    Integration {
        kind: IntegrationType::Aws,
        uri: Some(format!("arn:aws:apigateway:{REGION}:{service_and_target}")),
        http_method: Some("POST".into()),
        integration_responses: mock("").integration_responses,
        ..Integration::default()
    }
}

/// A function that always answers this.
pub(crate) async fn function(payload: &str) -> Backend {
    Backend::always(Act::Say(plain(200, "Content-Type: application/json\r\n", payload))).await
}

/// What a stand-in got.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    /// `{service}/{region}` that it was signed for.
    pub(crate) scope: String,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.body))
    }
}

/// The last request, its signature verified.
pub(crate) fn got(backend: &Backend) -> Got {
    let text = backend.requests().pop().expect("a request");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.split("\r\n");
    let mut line = lines.next().expect("a first line").split(' ');
    let (method, target) = (line.next().expect("a method"), line.next().expect("a target"));
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = Request { method, path, query, headers: &headers, body: body.as_bytes() };
    let claim = Claim::read(&request).unwrap_or_else(|why| panic!("{why:?} in {text}"));
    assert_eq!(claim.access_key, "AKIDTEST");
    assert_eq!(claim.token.as_deref(), Some("session"));
    let form = if claim.service == "s3" { PathForm::Raw } else { PathForm::Twice };
    let services = [claim.service.as_str()];
    let rules = Rules { services: &services, path: form, ..Rules::default() };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    let now_ms = i64::try_from(now.as_millis()).expect("a time");
    claim.verify(&request, SECRET, now_ms, &rules).unwrap_or_else(|why| panic!("{why:?} in {text}"));
    Got {
        method: method.into(),
        target: target.into(),
        scope: format!("{}/{}", claim.service, claim.region),
        headers: headers.into_iter().collect(),
        body: body.into(),
    }
}
