//! Integrations with AWS: what `arn:aws:apigateway:{region}:{service}:path|action/…` asks for (data-plane §5).
//!
//! An ARN that asks for nothing is no flaw of the plan: its stage variables may be given another value, and AWS too finds
//! out when the method is called.

use super::Which;
use super::mapping::Source;
use super::method::RequestBody;
use super::response::Responses;
use super::template::Template;
use super::uri::UriTemplate;
use crate::catalog::v1::ContentHandling;
use http::HeaderName;
use std::sync::Arc;

/// The role name by which an integration is called with its caller's own credentials.
const CALLER: &str = "arn:aws:iam::*:user/*";

/// Why an integration can only fail when it is called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cannot {
    /// Its ARN asks for nothing.
    #[error("its URI {0}")]
    Arn(String),
    /// A function is invoked by POST alone.
    #[error("its httpMethod is {0}, and a Lambda function is invoked by POST alone")]
    Verb(String),
    /// The transfer mode and the ARN do not fit each other.
    #[error("its responseTransferMode is {0}, and its URI ends in {1}")]
    Transfer(&'static str, &'static str),
    /// Its caller's own credentials, which nobody but the caller has.
    #[error("its credentials are its caller's own, which Meridian does not have")]
    Caller,
    /// Its credentials are no role.
    #[error("its credentials `{0}` are no role's ARN")]
    Role(String),
    /// Its role is another account's.
    #[error("its role `{0}` is of another account than the API")]
    Foreign(String),
}

/// An integration with an AWS service.
#[derive(Debug)]
pub struct AwsPlan {
    /// What is called; or why it can only fail.
    pub service: Result<ServicePlan, Cannot>,
    /// The verb to call with; `None`: the client's.
    pub verb: Option<http::Method>,
    /// With whose credentials.
    pub run_as: RunAs,
    /// Whether the answer is passed on piece by piece (`responseTransferMode`).
    pub streamed: bool,
    /// How long it may take, ms.
    pub timeout_ms: u32,
    /// Headers that are added.
    pub headers: Vec<(HeaderName, Source)>,
    /// What mappings read from the body.
    pub reads: Arc<super::body_read::BodyReads>,
    /// What becomes of the body; AWS_PROXY makes an event of it.
    pub body: RequestBody<Template>,
    /// What is done to the request's payload.
    pub content_handling: Option<ContentHandling>,
    /// What becomes of the answer; AWS_PROXY reads it as a proxy result.
    pub responses: Responses,
}

/// Where a call goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePlan {
    /// The service's region.
    pub region: Box<str>,
    /// The service as the ARN names it: `sqs`, `states`, `lambda`.
    pub name: Box<str>,
    /// What stands before the service in its host's name: `{subdomain}.s3`.
    pub subdomain: Option<Box<str>>,
    /// Path and query.
    pub uri: UriTemplate,
    /// What kind of call it is.
    pub call: ServiceCall,
}

/// What kind of call a service gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceCall {
    /// A Lambda function.
    Function(Function),
    /// A Lambda function whose path only the request tells.
    FunctionOfPath,
    /// `path/…`: as it is mapped.
    Path,
    /// `action/{name}` of a service that takes actions in its query.
    Query,
    /// `action/{name}` of a service that takes JSON.
    Json {
        /// `X-Amz-Target`.
        target: Box<str>,
        /// `Content-Type`, where none is mapped.
        content_type: &'static str,
    },
}

/// A function and how it is invoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its region.
    pub region: Box<str>,
    /// Its account.
    pub account: Box<str>,
    /// Its name.
    pub name: Box<str>,
    /// A version or an alias.
    pub qualifier: Option<Box<str>>,
    /// By `response-streaming-invocations`.
    pub streamed: bool,
}

/// With whose credentials a service is called (`credentials`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunAs {
    /// None are named: the service lets API Gateway in by its own policy.
    Gateway,
    /// This role.
    Role {
        /// The role's ARN.
        arn: Box<str>,
        /// The role's account.
        account: Box<str>,
    },
    /// The caller's own.
    Caller,
    /// A text that is no role's ARN.
    Unreadable(Box<str>),
}

impl AwsPlan {
    /// What makes `service` fail beyond its ARN. `proxy`: AWS_PROXY.
    pub(super) fn judged(
        service: Result<ServicePlan, String>,
        verb: Option<&http::Method>,
        run_as: &RunAs,
        modes: (bool, bool),
        account: &str,
    ) -> Result<ServicePlan, Cannot> {
        let (proxy, streamed) = modes;
        let service = service.map_err(Cannot::Arn)?;
        let function = match &service.call {
            ServiceCall::Function(function) => Some(function.streamed),
            ServiceCall::FunctionOfPath => Some(streamed),
            _ => None,
        };
        if let Some(streams) = function {
            if verb != Some(&http::Method::POST) {
                return Err(Cannot::Verb(verb.map_or("ANY", http::Method::as_str).to_owned()));
            }
            if streams != streamed {
                let mode = if streamed { "STREAM" } else { "BUFFERED" };
                let end = if streams { "response-streaming-invocations" } else { "invocations" };
                return Err(Cannot::Transfer(mode, end));
            }
        } else if proxy {
            return Err(Cannot::Arn("invokes no Lambda function, as AWS_PROXY must".to_owned()));
        }
        match run_as {
            RunAs::Caller => Err(Cannot::Caller),
            RunAs::Unreadable(text) => Err(Cannot::Role(text.to_string())),
            RunAs::Role { arn, account: of } if **of != *account => Err(Cannot::Foreign(arn.to_string())),
            RunAs::Role { .. } | RunAs::Gateway => Ok(service),
        }
    }
}

impl RunAs {
    /// Of an integration's `credentials`, stage variables put in.
    pub fn of(text: Option<&str>) -> RunAs {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return RunAs::Gateway };
        if text == CALLER {
            return RunAs::Caller;
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        match parts[..] {
            ["arn", _, "iam", "", account, role] if role.strip_prefix("role/").is_some_and(|name| !name.is_empty()) => {
                RunAs::Role { arn: text.into(), account: account.into() }
            }
            _ => RunAs::Unreadable(text.into()),
        }
    }
}

/// An ARN taken apart.
struct Parts<'a> {
    region: &'a str,
    name: &'a str,
    subdomain: Option<&'a str>,
    action: bool,
    rest: &'a str,
}

fn parts(arn: &str) -> Result<Parts<'_>, String> {
    let no = |why: &str| format!("`{arn}` {why}");
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, "apigateway", region, service, target] = fields[..] else {
        return Err(no("is no arn:aws:apigateway:REGION:SERVICE:path/… or :action/…"));
    };
    let (action, rest) = match (target.strip_prefix("path/"), target.strip_prefix("action/")) {
        (Some(path), _) => (false, path),
        (_, Some(action)) => (true, action),
        _ => return Err(no("names neither path/ nor action/")),
    };
    let (subdomain, name) = match service.rsplit_once('.') {
        // Some services have a dot in their own name.
        Some((before, name)) if !OWN_DOT.contains(&service) => (Some(before), name),
        _ => (None, service),
    };
    let word = |text: &str, more: &[u8]| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || more.contains(&b))
    };
    if !word(region, b"") || !word(name, b".") || subdomain.is_some_and(|before| !word(before, b".")) {
        return Err(no("has a region or a service that cannot be one"));
    }
    if action && rest.split('&').next().is_none_or(str::is_empty) {
        return Err(no("names no action"));
    }
    Ok(Parts { region, name, subdomain, action, rest })
}

impl ServicePlan {
    /// Takes an integration's ARN apart, stage variables put in. `compile` makes its path and query ready.
    ///
    /// # Errors
    /// Why it asks for nothing.
    pub fn of(arn: &str, which: Which<'_>, compile: impl FnOnce(&str) -> UriTemplate) -> Result<ServicePlan, String> {
        let Parts { region, name, subdomain, action, rest } = parts(arn)?;
        let (path, call) = if action { acted(name, rest) } else { pathed(name, rest, which)? };
        // The host is the operator's to say; a template is compiled as a whole URL.
        let uri = compile(&format!("https://service/{path}"));
        Ok(ServicePlan { region: region.into(), name: name.into(), subdomain: subdomain.map(Into::into), uri, call })
    }
}

fn pathed(name: &str, path: &str, which: Which<'_>) -> Result<(String, ServiceCall), String> {
    if name != "lambda" {
        return Ok((path.to_owned(), ServiceCall::Path));
    }
    let call = match Function::of_path(path, which.region, which.account) {
        Some(function) => ServiceCall::Function(function),
        None if path.contains('{') => ServiceCall::FunctionOfPath,
        // Lambda's other operations are a service like any other.
        None if !path.ends_with("invocations") => ServiceCall::Path,
        None => return Err(format!("`{path}` names no function")),
    };
    Ok((path.to_owned(), call))
}

/// Path and query of `action/{name}[&{parameter}={value}…]`.
fn acted(service: &str, rest: &str) -> (String, ServiceCall) {
    let (action, parameters) = rest.split_once('&').unwrap_or((rest, ""));
    if let Some((_, prefix, version)) = JSON.iter().find(|(known, ..)| *known == service) {
        let query = if parameters.is_empty() { String::new() } else { format!("?{parameters}") };
        let target = format!("{prefix}.{action}").into();
        let content_type = if *version == 0 { "application/x-amz-json-1.0" } else { "application/x-amz-json-1.1" };
        return (query, ServiceCall::Json { target, content_type });
    }
    let mut query = format!("?Action={action}");
    let version = QUERY.iter().find(|(known, _)| *known == service).map(|(_, version)| version);
    if let Some(version) = version.filter(|_| !parameters.contains("Version=")) {
        query = format!("{query}&Version={version}");
    }
    if !parameters.is_empty() {
        query = format!("{query}&{parameters}");
    }
    (query, ServiceCall::Query)
}

impl Function {
    /// Of `2015-03-31/functions/{function}/invocations` or `2021-11-15/functions/{function}/response-streaming-invocations`,
    /// where the function is an ARN, or a name in this region and account. A query's `Qualifier` counts, too.
    pub fn of_path(path: &str, region: &str, account: &str) -> Option<Function> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut segments = path.trim_start_matches('/').split('/');
        let (date, functions) = (segments.next()?, segments.next()?);
        let (function, verb) = (segments.next()?, segments.next()?);
        let streamed = match (date, verb) {
            ("2015-03-31", "invocations") => false,
            ("2021-11-15", "response-streaming-invocations") => true,
            _ => return None,
        };
        if functions != "functions" || segments.next().is_some() {
            return None;
        }
        let function = percent_encoding::percent_decode_str(function).decode_utf8().ok()?;
        let fields: Vec<&str> = function.split(':').collect();
        let (region, account, name, qualifier) = match fields[..] {
            ["arn", _, "lambda", region, account, "function", name] => (region, account, name, None),
            ["arn", _, "lambda", region, account, "function", name, qualifier] => {
                (region, account, name, Some(qualifier))
            }
            [account, "function", name] => (region, account, name, None),
            [name] => (region, account, name, None),
            [name, qualifier] => (region, account, name, Some(qualifier)),
            _ => return None,
        };
        let asked = query.split('&').find_map(|pair| pair.strip_prefix("Qualifier="));
        let qualifier = asked.or(qualifier);
        let word = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'$'))
        };
        let twelve = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        if !word(region) || !twelve || !word(name) || !qualifier.is_none_or(word) {
            return None;
        }
        Some(Function {
            region: region.into(),
            account: account.into(),
            name: name.into(),
            qualifier: qualifier.map(Into::into),
            streamed,
        })
    }
}

/// Services with a dot in their name.
const OWN_DOT: &[&str] = &["streams.dynamodb", "runtime.sagemaker", "data.iot", "runtime.lex", "metering.marketplace"];

/// Services that take `Action` in a query, with the version that it is asked of.
#[rustfmt::skip]
const QUERY: &[(&str, &str)] = &[
    ("autoscaling", "2011-01-01"), ("cloudformation", "2010-05-15"), ("ec2", "2016-11-15"), ("elasticache", "2015-02-02"),
    ("elasticbeanstalk", "2010-12-01"), ("elasticloadbalancing", "2015-12-01"), ("email", "2010-12-01"), ("iam", "2010-05-08"),
    ("monitoring", "2010-08-01"), ("rds", "2014-10-31"), ("redshift", "2012-12-01"), ("sns", "2010-03-31"),
    ("sqs", "2012-11-05"), ("sts", "2011-06-15"),
];

/// Services that take JSON: the prefix of `X-Amz-Target`, and the minor version of their protocol 1.
#[rustfmt::skip]
const JSON: &[(&str, &str, u8)] = &[
    ("athena", "AmazonAthena", 1), ("codebuild", "CodeBuild_20161006", 1), ("codepipeline", "CodePipeline_20150709", 1),
    ("cognito-identity", "AWSCognitoIdentityService", 1), ("cognito-idp", "AWSCognitoIdentityProviderService", 1),
    ("comprehend", "Comprehend_20171127", 1), ("dynamodb", "DynamoDB_20120810", 0), ("ecs", "AmazonEC2ContainerServiceV20141113", 1),
    ("events", "AWSEvents", 1), ("firehose", "Firehose_20150804", 1), ("glue", "AWSGlue", 1), ("kinesis", "Kinesis_20131202", 1),
    ("kms", "TrentService", 1), ("logs", "Logs_20140328", 1), ("rekognition", "RekognitionService", 1), ("sagemaker", "SageMaker", 1),
    ("secretsmanager", "secretsmanager", 1), ("ssm", "AmazonSSM", 1), ("states", "AWSStepFunctions", 0),
    ("streams.dynamodb", "DynamoDBStreams_20120810", 0), ("swf", "SimpleWorkflowService", 0), ("textract", "Textract", 1),
    ("transcribe", "Transcribe", 1), ("translate", "AWSShineFrontendService_20170701", 1),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::mapping::View;
    use crate::plan::uri::UriOverrides;
    use std::collections::BTreeMap;

    const WHICH: Which<'_> = Which { account: "111122223333", region: "eu-west-1", api: "a" };

    fn service(arn: &str) -> Result<ServicePlan, String> {
        ServicePlan::of(arn, WHICH, |uri| UriTemplate::compile(uri, &BTreeMap::new(), Vec::new(), false))
    }

    fn path(plan: &ServicePlan) -> String {
        struct Nothing;
        impl crate::plan::context::Context for Nothing {
            fn value(&self, _: &crate::plan::context::Variable) -> Option<std::borrow::Cow<'_, str>> {
                None
            }
        }
        let headers = http::HeaderMap::new();
        let view = View { path: &[], query: "", headers: &headers, body: &[], context: &Nothing };
        plan.uri.call(&view, "", &UriOverrides::default()).expect("a path").path_and_query.to_string()
    }

    #[test]
    fn arns_name_services_by_path_and_by_action() {
        let s3 = service("arn:aws:apigateway:eu-west-1:pets.s3:path/a/b%20c?list-type=2").expect("s3");
        assert_eq!(
            (&*s3.name, s3.subdomain.as_deref(), path(&s3)),
            ("s3", Some("pets"), "/a/b%20c?list-type=2".into())
        );
        assert_eq!(s3.call, ServiceCall::Path);
        let json = service("arn:aws:apigateway:eu-west-1:dynamodb:action/PutItem").expect("dynamodb");
        let target = "DynamoDB_20120810.PutItem".into();
        assert_eq!(json.call, ServiceCall::Json { target, content_type: "application/x-amz-json-1.0" });
        assert_eq!(path(&json), "/");
        let query = service("arn:aws:apigateway:eu-west-1:sns:action/Publish&TopicArn=x").expect("sns");
        assert_eq!(path(&query), "/?Action=Publish&Version=2010-03-31&TopicArn=x");
        let own = service("arn:aws:apigateway:eu-west-1:sqs:action/SendMessage&Version=2011-10-01").expect("sqs");
        assert_eq!(path(&own), "/?Action=SendMessage&Version=2011-10-01");
        let dots = service("arn:aws:apigateway:eu-west-1:streams.dynamodb:action/ListStreams").expect("streams");
        assert_eq!((&*dots.name, dots.subdomain), ("streams.dynamodb", None));
        for bad in [
            "arn:x",
            "arn:aws:apigateway:eu-west-1:s3:nowhere/x",
            "arn:aws:apigateway::s3:path/x",
            "arn:aws:apigateway:eu-west-1:s3 x:path/x",
            "arn:aws:apigateway:eu-west-1:a/b.s3:path/x",
            "arn:aws:apigateway:eu-west-1:sqs:action/",
            "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions//invocations",
        ] {
            assert!(service(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn functions_are_named_by_arn_by_part_and_by_name() {
        let of = |function: &str| {
            let path = format!("2015-03-31/functions/{function}/invocations");
            let found = Function::of_path(&path, "eu-west-1", "111122223333")?;
            let Function { region, account, name, qualifier, .. } = found;
            Some(format!("{region} {account} {name} {}", qualifier.unwrap_or_default()))
        };
        let arn = "arn:aws:lambda:us-east-1:444455556666:function:f";
        assert_eq!(of(arn).as_deref(), Some("us-east-1 444455556666 f "));
        assert_eq!(of(&format!("{arn}:live")).as_deref(), Some("us-east-1 444455556666 f live"));
        assert_eq!(
            of(&format!("{arn}:$LATEST").replace(':', "%3A")).as_deref(),
            Some("us-east-1 444455556666 f $LATEST")
        );
        assert_eq!(of("444455556666:function:f").as_deref(), Some("eu-west-1 444455556666 f "));
        assert_eq!(of("f").as_deref(), Some("eu-west-1 111122223333 f "));
        // What a stage variable left empty.
        for bad in ["", "arn:aws:lambda:us-east-1:444455556666:function:", &format!("{arn}:"), "a b", "a/b", "f:x:y:z"]
        {
            assert_eq!(of(bad), None, "{bad}");
        }
        let streamed = "2021-11-15/functions/f/response-streaming-invocations?Qualifier=7";
        let streamed = Function::of_path(streamed, "eu-west-1", "111122223333").expect("a function");
        assert!(streamed.streamed && streamed.qualifier.as_deref() == Some("7"));
    }

    #[test]
    fn credentials_name_a_role_the_caller_or_nobody() {
        assert_eq!(RunAs::of(None), RunAs::Gateway);
        assert_eq!(RunAs::of(Some("")), RunAs::Gateway);
        assert_eq!(RunAs::of(Some("arn:aws:iam::*:user/*")), RunAs::Caller);
        let arn = "arn:aws:iam::111122223333:role/service/x";
        assert_eq!(RunAs::of(Some(arn)), RunAs::Role { arn: arn.into(), account: "111122223333".into() });
        assert!(matches!(RunAs::of(Some("arn:aws:iam::111122223333:role/")), RunAs::Unreadable(_)));
    }
}
