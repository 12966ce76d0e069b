//! A request on its way through the walk, and what is known of it for logs, mappings and the cut.

use super::execution::ExecutionLog;
use super::stage::StagePlan;
use super::step::Step;
use crate::net::http::{Body, ConnInfo, SentNames, TlsInfo};
use crate::plan::context::{Context, Variable};
use crate::plan::{MethodPlan, ServingPlan};
use crate::spec::vtl::Overrides;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};
use std::borrow::Cow;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::time::Instant;

/// The header that overrides the verb.
pub(super) const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");
/// The chain of client and proxies.
pub(super) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The trace header.
pub(super) const TRACE: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// A request. Steps take from it what they need; headers and body leave it for the backend without a copy.
#[derive(Debug)]
pub(super) struct Ask {
    /// The verb that counts: the client's, or what `X-HTTP-Method-Override` says.
    pub method: Method,
    /// The target as it was sent.
    pub uri: Uri,
    pub version: Version,
    pub headers: HeaderMap,
    /// The headers' names as they were sent, where the connection does not tell them; [`Ask::names`] does in any case.
    pub names: Option<SentNames>,
    pub body: Body,
    /// The client waits for 100 before it sends its body.
    pub expects_continue: bool,
    pub conn: Rc<ConnInfo>,
    pub client: Client,
    /// Path parameters, as they were sent; empty before `route`.
    pub parameters: Vec<(Box<str>, Box<str>)>,
    /// What templates wrote for the gateway to apply, once one has run.
    pub overrides: Option<Box<Overrides>>,
    /// What is written of the visit's course, where somebody wants that.
    pub execution: Option<Box<ExecutionLog>>,
    pub facts: Facts,
}

/// Where the request came from; across a cut this is what the edge saw.
#[derive(Debug, Clone)]
pub(super) struct Client {
    /// Present on TLS connections.
    pub tls: Option<TlsInfo>,
    /// The client's address: the socket's, or what a trusted proxy says.
    pub ip: IpAddr,
    /// `Host` or `:authority` as sent.
    pub authority: String,
    /// Cuts crossed.
    pub hops: u8,
}

impl Client {
    pub(super) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// The host without its port.
    pub(super) fn domain(&self) -> &str {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => &self.authority,
        }
    }
}

/// What the walk learnt, for the log line, the metrics and the end frame.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub request_id: HeaderValue,
    pub extended_id: HeaderValue,
    pub time_ms: i64,
    pub began: Instant,
    /// Where the walk stands, or stopped.
    pub step: Step,
    pub stage: Option<Arc<StagePlan>>,
    /// Index of the method in the plan.
    pub method: Option<usize>,
    pub key_id: String,
    pub key_value: String,
    pub plan_id: String,
    pub integration_status: Option<u16>,
    pub integration_us: Option<u64>,
    /// The region that served, where it is not ours.
    pub served_by: Option<Arc<str>>,
    /// What that region tells when its answer has ended.
    pub remote: Option<crate::edge::Facts>,
    pub trace: String,
    pub user_agent: Option<HeaderValue>,
    /// `$context.path`, where the target that was sent has a form of our own.
    pub path: Option<Box<str>>,
    /// Whether the stage's canary serves the visit: decided once.
    pub canary: Option<bool>,
    /// What the validator said of the body.
    pub validation_error: Option<String>,
    /// What gateway responses may want to know of the request.
    pub kept: super::dress::Kept,
}

impl Ask {
    /// Path and query as sent.
    pub(super) fn path(&self) -> &str {
        self.uri.path()
    }

    pub(super) fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    /// What context variables are made of.
    pub(super) fn known(&self) -> Known<'_> {
        Known { method: &self.method, path: self.uri.path(), client: &self.client, facts: &self.facts }
    }

    /// The headers' names as their client wrote them: for what lists names, since making them costs.
    pub(super) fn names(&self) -> SentNames {
        self.names.clone().unwrap_or_else(|| self.conn.sent_names())
    }

    pub(super) fn header_text(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// `$context.path` of a target in one of the forms for tools that cannot set a host: what AWS would have been sent.
pub(super) fn context_path(path: &str, below: usize, stage: &str) -> Option<Box<str>> {
    let own = ["/_aws/", "/restapis/"].iter().any(|form| path[..below.min(path.len())].starts_with(form));
    own.then(|| format!("/{stage}{}", path.get(below..).unwrap_or_default()).into())
}

/// The client's address: the last one in `X-Forwarded-For` that no trusted proxy has, when the socket is one's own.
pub(super) fn client_ip(socket: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    if !trusted.contains(&socket) {
        return socket;
    }
    let lines: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().filter_map(|v| v.to_str().ok()).collect();
    let mut nearest = socket;
    for text in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        // What cannot be read cannot be trusted, nor can anything before it.
        let Ok(ip) = text.trim().parse() else { break };
        nearest = ip;
        if !trusted.contains(&ip) {
            break;
        }
    }
    nearest
}

/// `04/Mar/2020:19:15:17 +0000`
pub(super) fn request_time(time_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(time_ms)
        .map(|t| t.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string())
        .unwrap_or_default()
}

/// The context variables of a visit.
pub(super) struct Known<'a> {
    pub method: &'a Method,
    pub path: &'a str,
    pub client: &'a Client,
    pub facts: &'a Facts,
}

impl Known<'_> {
    fn plan(&self) -> Option<&ServingPlan> {
        self.facts.stage.as_ref().map(|stage| &stage.plan)
    }

    fn matched(&self) -> Option<&MethodPlan> {
        self.plan()?.methods.get(self.facts.method?)
    }
}

impl Context for Known<'_> {
    /// What authorizers, identities, client certificates and web ACLs would tell is not known yet; what is known of a
    /// refusal or of the answer's end, `gateway::refusal` and the access log add.
    fn value(&self, variable: &Variable) -> Option<Cow<'_, str>> {
        let facts = self.facts;
        let lossy = |value: &'_ HeaderValue| Cow::Owned(String::from_utf8_lossy(value.as_bytes()).into_owned());
        let filled = |text: &'_ str| (!text.is_empty()).then(|| Cow::Owned(text.to_owned()));
        match variable {
            Variable::AccountId => Some(Cow::Borrowed(&*self.plan()?.account)),
            Variable::ApiId => Some(Cow::Borrowed(&*self.plan()?.api)),
            Variable::DeploymentId => Some(Cow::Borrowed(&*self.plan()?.deployment)),
            Variable::Stage => Some(Cow::Borrowed(&*self.plan()?.stage)),
            Variable::ResourceId => Some(Cow::Borrowed(&*self.matched()?.resource_id)),
            Variable::ResourcePath => Some(Cow::Borrowed(&*self.matched()?.resource_path)),
            Variable::DomainName => Some(Cow::Borrowed(self.client.domain())),
            Variable::DomainPrefix => self.client.domain().split('.').next().map(Cow::Borrowed),
            Variable::HttpMethod => Some(Cow::Borrowed(self.method.as_str())),
            Variable::Path => Some(Cow::Borrowed(self.facts.path.as_deref().unwrap_or(self.path))),
            // AWS says this of HTTP/2 requests, too.
            Variable::Protocol => Some(Cow::Borrowed("HTTP/1.1")),
            Variable::RequestId => Some(lossy(&facts.request_id)),
            Variable::ExtendedRequestId => Some(lossy(&facts.extended_id)),
            Variable::RequestTime => Some(Cow::Owned(request_time(facts.time_ms))),
            Variable::RequestTimeEpoch => Some(Cow::Owned(facts.time_ms.to_string())),
            Variable::ApiKey => filled(&facts.key_value),
            Variable::ApiKeyId => filled(&facts.key_id),
            Variable::SourceIp => Some(Cow::Owned(self.client.ip.to_string())),
            Variable::UserAgent => facts.user_agent.as_ref().map(lossy),
            Variable::IsCanaryRequest => {
                Some(Cow::Borrowed(if self.plan().is_some_and(|plan| plan.canary) { "true" } else { "false" }))
            }
            // Both are the backend's but for Lambda functions, whose service answers with a status of its own.
            Variable::IntegrationStatus | Variable::IntegrationServiceStatus => {
                facts.integration_status.map(|status| Cow::Owned(status.to_string()))
            }
            Variable::IntegrationLatency => facts.integration_us.map(|us| Cow::Owned((us / 1_000).to_string())),
            Variable::TlsVersion => self.client.tls.as_ref().map(|tls| Cow::Borrowed(tls.version)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed_about_their_clients() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("address");
        let trusted = [ip("10.0.0.1"), ip("10.0.0.2")];
        let seen = |socket: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, line.parse().expect("value"));
            }
            client_ip(ip(socket), &headers, &trusted).to_string()
        };
        assert_eq!(seen("9.9.9.9", &["1.2.3.4"]), "9.9.9.9");
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["6.6.6.6, 1.2.3.4"]), "1.2.3.4");
        assert_eq!(seen("10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.0.0.2"]), "1.2.3.4");
        assert_eq!(seen("10.0.0.1", &["6.6.6.6", "1.2.3.4"]), "1.2.3.4");
        assert_eq!(seen("10.0.0.1", &["1.2.3.4, nonsense"]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["2001:db8::1"]), "2001:db8::1");
    }
}
