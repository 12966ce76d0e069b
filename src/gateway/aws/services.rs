//! Where AWS services are, and with which keys they are called: what the operator says in the node file.

use crate::net::http::Target;
use crate::plan::aws::{RunAs, ServicePlan};
use crate::spec::sigv4::{Credentials, PathForm};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A text that is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no endpoint: write http://HOST[:PORT] or https://HOST[:PORT], and nothing behind it")]
pub struct EndpointError(String);

/// The operator's settings. Without any, no AWS service is called.
#[derive(Debug, Clone, Default)]
pub struct AwsServices {
    usual: Option<Target>,
    /// By service, or by `{service}.{region}`.
    endpoints: BTreeMap<String, Target>,
    /// By account, or by a role's ARN.
    credentials: BTreeMap<String, Arc<Credentials>>,
}

/// How a service is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) target: Target,
    /// What `Host` says.
    pub(super) host: String,
    /// What goes before the path: a bucket whose host cannot be named.
    pub(super) prefix: Option<Box<str>>,
}

impl AwsServices {
    /// With one endpoint for every service that has none of its own.
    ///
    /// # Errors
    /// When it is none.
    pub fn with_usual_endpoint(mut self, url: &str) -> Result<Self, EndpointError> {
        self.usual = Some(endpoint(url)?);
        Ok(self)
    }

    /// With an endpoint for a service (`lambda`), or for a service in a region (`lambda.eu-west-1`).
    ///
    /// # Errors
    /// When it is none.
    pub fn with_endpoint(mut self, service: &str, url: &str) -> Result<Self, EndpointError> {
        self.endpoints.insert(service.to_owned(), endpoint(url)?);
        Ok(self)
    }

    /// With keys for an account (twelve digits) or for a role (its ARN). What is listed for nobody is signed for nobody.
    #[must_use]
    pub fn with_credentials(mut self, whose: &str, credentials: Credentials) -> Self {
        self.credentials.insert(whose.to_owned(), Arc::new(credentials));
        self
    }

    /// The keys for a call: the role's own, else its account's.
    pub(super) fn credentials(&self, account: &str, run_as: &RunAs) -> Option<&Arc<Credentials>> {
        let of_role = match run_as {
            RunAs::Role { arn, .. } => self.credentials.get(&**arn),
            _ => None,
        };
        of_role.or_else(|| self.credentials.get(account))
    }

    /// The way to a service: the operator's endpoint, else AWS's own.
    pub(super) fn reach(&self, service: &ServicePlan) -> Option<Reached> {
        let (name, region) = (&*service.name, &*service.region);
        let own = (!self.endpoints.is_empty())
            .then(|| self.endpoints.get(&format!("{name}.{region}")).or_else(|| self.endpoints.get(name)))
            .flatten();
        let Some(target) = own.or(self.usual.as_ref()) else {
            let host = awss(name, region, service.subdomain.as_deref());
            return Some(Reached { target: Target::parse("https", &host)?, host, prefix: None });
        };
        let authority = target.authority().to_str().ok()?;
        let (host, prefix) = match &service.subdomain {
            None => (authority.to_owned(), None),
            // A stand-in has no name for each bucket.
            Some(bucket) if name == "s3" => (authority.to_owned(), Some(bucket.clone())),
            Some(subdomain) => (format!("{subdomain}.{authority}"), None),
        };
        Some(Reached { target: target.clone(), host, prefix })
    }
}

fn endpoint(url: &str) -> Result<Target, EndpointError> {
    let refused = || EndpointError(url.to_owned());
    let (scheme, authority) = url.split_once("://").ok_or_else(refused)?;
    Target::parse(scheme, authority.strip_suffix('/').unwrap_or(authority)).ok_or_else(refused)
}

/// The host of a service at AWS.
fn awss(name: &str, region: &str, subdomain: Option<&str>) -> String {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let before = subdomain.map(|subdomain| format!("{subdomain}.")).unwrap_or_default();
    match name {
        "iam" | "route53" | "cloudfront" => format!("{before}{name}.{suffix}"),
        name => format!("{before}{name}.{region}.{suffix}"),
    }
}

/// The name that a service is signed for, where it is not the one in its host.
pub(super) fn signing_name(service: &str, subdomain: Option<&str>) -> String {
    let name = match service {
        "appsync-api" => "appsync",
        "email" => "ses",
        "iot" if subdomain.is_some() => "iotdata",
        "data.iot" => "iotdata",
        "runtime.sagemaker" => "sagemaker",
        "runtime.lex" => "lex",
        "streams.dynamodb" => "dynamodb",
        "metering.marketplace" => "aws-marketplace",
        name => name,
    };
    name.to_owned()
}

/// How a service's paths are signed.
pub(super) fn path_form(service: &str) -> PathForm {
    if service == "s3" { PathForm::Raw } else { PathForm::Twice }
}

/// The region that a call is signed for: some services have only one.
pub(super) fn signing_region<'a>(service: &str, region: &'a str) -> &'a str {
    match service {
        "iam" | "route53" | "cloudfront" if !region.starts_with("cn-") => "us-east-1",
        _ => region,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Which;
    use crate::plan::uri::UriTemplate;

    fn plan(service: &str) -> ServicePlan {
        let which = Which { account: "111122223333", region: "eu-west-1", api: "a" };
        let arn = format!("arn:aws:apigateway:eu-west-1:{service}:path/x");
        ServicePlan::of(&arn, which, |uri| UriTemplate::compile(uri, &BTreeMap::new(), Vec::new(), false))
            .expect("a plan")
    }

    #[test]
    fn a_service_is_where_the_operator_says_for_its_region_itself_or_all() {
        let aws = AwsServices::default();
        let reached = |services: &AwsServices, service: &str| services.reach(&plan(service)).expect("a way");
        assert_eq!(reached(&aws, "sqs").host, "sqs.eu-west-1.amazonaws.com");
        assert_eq!(reached(&aws, "pets.s3").host, "pets.s3.eu-west-1.amazonaws.com");
        assert_eq!(
            (reached(&aws, "iam").host.as_str(), reached(&aws, "iam").target.scheme()),
            ("iam.amazonaws.com", "https")
        );
        let own = aws.with_usual_endpoint("http://127.0.0.1:5000/").expect("an endpoint");
        let own = own.with_endpoint("sqs", "http://queues:1").expect("an endpoint");
        let own = own.with_endpoint("lambda.eu-west-1", "https://functions").expect("an endpoint");
        assert_eq!(reached(&own, "sqs").host, "queues:1");
        assert_eq!(reached(&own, "lambda").host, "functions");
        assert_eq!(reached(&own, "sns").host, "127.0.0.1:5000");
        let bucket = reached(&own, "pets.s3");
        assert_eq!((bucket.host.as_str(), bucket.prefix.as_deref()), ("127.0.0.1:5000", Some("pets")));
        assert_eq!(reached(&own, "abc.appsync-api").host, "abc.127.0.0.1:5000");
        for bad in ["", "127.0.0.1:5000", "ftp://x", "http://x/path", "http://u@x", "http://"] {
            assert!(AwsServices::default().with_usual_endpoint(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_are_a_roles_own_else_its_accounts_and_nobody_elses() {
        let keys = |name: &str| Credentials { access_key: name.into(), secret: "x".into(), token: None };
        let role = RunAs::Role { arn: "arn:aws:iam::1:role/r".into(), account: "1".into() };
        let services = AwsServices::default().with_credentials("1", keys("account"));
        let key = |services: &AwsServices, account: &str, run_as: &RunAs| {
            services.credentials(account, run_as).map(|keys| keys.access_key.clone())
        };
        assert_eq!(key(&services, "1", &role).as_deref(), Some("account"));
        let services = services.with_credentials("arn:aws:iam::1:role/r", keys("role"));
        assert_eq!(key(&services, "1", &role).as_deref(), Some("role"));
        assert_eq!(key(&services, "1", &RunAs::Gateway).as_deref(), Some("account"));
        assert_eq!(key(&services, "2", &RunAs::Gateway), None);
        let shown = format!("{services:?}");
        assert!(shown.contains("role/r") && !shown.contains("secret"), "{shown}");
    }
}
