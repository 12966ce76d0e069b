//! `$context`: the variables that templates, mappings, gateway responses and access logs may name (vtl §8).

use std::borrow::Cow;
use std::cmp::Ordering;

/// A variable. Two names of one value (`integrationLatency`, `integration.latency`) are one variable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are AWS's names, listed in `NAMES`")]
pub enum Variable {
    AccessKey,
    AccountId,
    ApiId,
    ApiKey,
    ApiKeyId,
    AuthenticateError,
    AuthenticateLatency,
    AuthenticateStatus,
    AuthorizeError,
    AuthorizeLatency,
    AuthorizeStatus,
    AuthorizerError,
    AuthorizerIntegrationLatency,
    AuthorizerIntegrationStatus,
    AuthorizerLatency,
    AuthorizerRequestId,
    AuthorizerStatus,
    AwsEndpointRequestId,
    BasePathMatched,
    Caller,
    CallerAccountId,
    CipherSuite,
    ClientCertIssuer,
    ClientCertNotAfter,
    ClientCertNotBefore,
    ClientCertPem,
    ClientCertSerialNumber,
    ClientCertSubject,
    CognitoAuthenticationProvider,
    CognitoAuthenticationType,
    CognitoIdentityId,
    CognitoIdentityPoolId,
    DeploymentId,
    DomainName,
    DomainPrefix,
    ErrorMessage,
    ErrorMessageString,
    ErrorResponseType,
    ExtendedRequestId,
    HttpMethod,
    IntegrationError,
    IntegrationLatency,
    IntegrationRequestId,
    IntegrationServiceStatus,
    IntegrationStatus,
    IsCanaryRequest,
    Path,
    PrincipalId,
    PrincipalOrgId,
    Protocol,
    RequestId,
    RequestTime,
    RequestTimeEpoch,
    ResourceId,
    ResourcePath,
    ResponseLatency,
    ResponseLength,
    SourceIp,
    Stage,
    Status,
    TlsVersion,
    User,
    UserAgent,
    UserArn,
    ValidationErrorString,
    VpcId,
    VpceId,
    WafError,
    WafLatency,
    WafResponseCode,
    WafStatus,
    WebAclArn,
    XrayTraceId,
    /// `authorizer.NAME`: what an authorizer answered under a name of its own.
    Authorizer(Box<str>),
    /// `authorizer.claims.NAME`: a claim of the caller's token.
    Claim(Box<str>),
}

/// Who may name a variable; each sees all that the ones before it see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// Mapping templates, parameter mappings, and all below.
    Everywhere,
    /// Gateway responses and access logs.
    Refusals,
    /// Access logs alone.
    AccessLogs,
}

/// Every fixed name, in the order of its bytes.
static NAMES: [(&str, Variable, Seen); 76] = [
    ("accountId", Variable::AccountId, Seen::Everywhere),
    ("apiId", Variable::ApiId, Seen::Everywhere),
    ("authenticate.error", Variable::AuthenticateError, Seen::AccessLogs),
    ("authenticate.latency", Variable::AuthenticateLatency, Seen::AccessLogs),
    ("authenticate.status", Variable::AuthenticateStatus, Seen::AccessLogs),
    ("authorize.error", Variable::AuthorizeError, Seen::AccessLogs),
    ("authorize.latency", Variable::AuthorizeLatency, Seen::AccessLogs),
    ("authorize.status", Variable::AuthorizeStatus, Seen::AccessLogs),
    ("authorizer.error", Variable::AuthorizerError, Seen::AccessLogs),
    ("authorizer.integrationLatency", Variable::AuthorizerIntegrationLatency, Seen::AccessLogs),
    ("authorizer.integrationStatus", Variable::AuthorizerIntegrationStatus, Seen::AccessLogs),
    ("authorizer.latency", Variable::AuthorizerLatency, Seen::AccessLogs),
    ("authorizer.principalId", Variable::PrincipalId, Seen::Everywhere),
    ("authorizer.requestId", Variable::AuthorizerRequestId, Seen::AccessLogs),
    ("authorizer.status", Variable::AuthorizerStatus, Seen::AccessLogs),
    ("awsEndpointRequestId", Variable::AwsEndpointRequestId, Seen::Everywhere),
    ("cipherSuite", Variable::CipherSuite, Seen::AccessLogs),
    ("customDomain.basePathMatched", Variable::BasePathMatched, Seen::AccessLogs),
    ("deploymentId", Variable::DeploymentId, Seen::Everywhere),
    ("domainName", Variable::DomainName, Seen::Everywhere),
    ("domainPrefix", Variable::DomainPrefix, Seen::Everywhere),
    ("error.message", Variable::ErrorMessage, Seen::Refusals),
    ("error.messageString", Variable::ErrorMessageString, Seen::Refusals),
    ("error.responseType", Variable::ErrorResponseType, Seen::Refusals),
    ("error.validationErrorString", Variable::ValidationErrorString, Seen::Refusals),
    ("extendedRequestId", Variable::ExtendedRequestId, Seen::Everywhere),
    ("httpMethod", Variable::HttpMethod, Seen::Everywhere),
    ("identity.accessKey", Variable::AccessKey, Seen::Everywhere),
    ("identity.accountId", Variable::CallerAccountId, Seen::Everywhere),
    ("identity.apiKey", Variable::ApiKey, Seen::Everywhere),
    ("identity.apiKeyId", Variable::ApiKeyId, Seen::Everywhere),
    ("identity.caller", Variable::Caller, Seen::Everywhere),
    ("identity.clientCert.clientCertPem", Variable::ClientCertPem, Seen::Everywhere),
    ("identity.clientCert.issuerDN", Variable::ClientCertIssuer, Seen::Everywhere),
    ("identity.clientCert.serialNumber", Variable::ClientCertSerialNumber, Seen::Everywhere),
    ("identity.clientCert.subjectDN", Variable::ClientCertSubject, Seen::Everywhere),
    ("identity.clientCert.validity.notAfter", Variable::ClientCertNotAfter, Seen::Everywhere),
    ("identity.clientCert.validity.notBefore", Variable::ClientCertNotBefore, Seen::Everywhere),
    ("identity.cognitoAuthenticationProvider", Variable::CognitoAuthenticationProvider, Seen::Everywhere),
    ("identity.cognitoAuthenticationType", Variable::CognitoAuthenticationType, Seen::Everywhere),
    ("identity.cognitoIdentityId", Variable::CognitoIdentityId, Seen::Everywhere),
    ("identity.cognitoIdentityPoolId", Variable::CognitoIdentityPoolId, Seen::Everywhere),
    ("identity.principalOrgId", Variable::PrincipalOrgId, Seen::Everywhere),
    ("identity.sourceIp", Variable::SourceIp, Seen::Everywhere),
    ("identity.user", Variable::User, Seen::Everywhere),
    ("identity.userAgent", Variable::UserAgent, Seen::Everywhere),
    ("identity.userArn", Variable::UserArn, Seen::Everywhere),
    ("identity.vpcId", Variable::VpcId, Seen::Everywhere),
    ("identity.vpceId", Variable::VpceId, Seen::Everywhere),
    ("integration.error", Variable::IntegrationError, Seen::AccessLogs),
    ("integration.integrationStatus", Variable::IntegrationServiceStatus, Seen::AccessLogs),
    ("integration.latency", Variable::IntegrationLatency, Seen::AccessLogs),
    ("integration.requestId", Variable::IntegrationRequestId, Seen::AccessLogs),
    ("integration.status", Variable::IntegrationStatus, Seen::AccessLogs),
    ("integrationErrorMessage", Variable::IntegrationError, Seen::AccessLogs),
    ("integrationLatency", Variable::IntegrationLatency, Seen::AccessLogs),
    ("integrationStatus", Variable::IntegrationServiceStatus, Seen::AccessLogs),
    ("isCanaryRequest", Variable::IsCanaryRequest, Seen::Everywhere),
    ("path", Variable::Path, Seen::Everywhere),
    ("protocol", Variable::Protocol, Seen::Everywhere),
    ("requestId", Variable::RequestId, Seen::Everywhere),
    ("requestTime", Variable::RequestTime, Seen::Everywhere),
    ("requestTimeEpoch", Variable::RequestTimeEpoch, Seen::Everywhere),
    ("resourceId", Variable::ResourceId, Seen::Everywhere),
    ("resourcePath", Variable::ResourcePath, Seen::Everywhere),
    ("responseLatency", Variable::ResponseLatency, Seen::AccessLogs),
    ("responseLength", Variable::ResponseLength, Seen::AccessLogs),
    ("stage", Variable::Stage, Seen::Everywhere),
    ("status", Variable::Status, Seen::AccessLogs),
    ("tlsVersion", Variable::TlsVersion, Seen::AccessLogs),
    ("waf.error", Variable::WafError, Seen::AccessLogs),
    ("waf.latency", Variable::WafLatency, Seen::AccessLogs),
    ("waf.status", Variable::WafStatus, Seen::AccessLogs),
    ("wafResponseCode", Variable::WafResponseCode, Seen::Everywhere),
    ("webaclArn", Variable::WebAclArn, Seen::Everywhere),
    ("xrayTraceId", Variable::XrayTraceId, Seen::AccessLogs),
];

const AUTHORIZER: &str = "authorizer.";
const CLAIMS: &str = "authorizer.claims.";

impl Variable {
    /// The variable that templates and mappings call so; `name` comes without `$context.`.
    pub fn named(name: &str) -> Option<Variable> {
        Variable::named_for(Seen::Everywhere, name)
    }

    /// The variable that this reader calls so. A name that only access logs know as AWS's own (`authorizer.status`) is,
    /// for others, what the authorizer answered under it.
    pub fn named_for(reader: Seen, name: &str) -> Option<Variable> {
        if let Some(fixed) = fixed(reader, |known| known.as_bytes().cmp(name.as_bytes())) {
            return Some(fixed);
        }
        if let Some(claim) = name.strip_prefix(CLAIMS) {
            return (!claim.is_empty()).then(|| Variable::Claim(claim.into()));
        }
        let own = name.strip_prefix(AUTHORIZER)?;
        (!own.is_empty() && own != "claims").then(|| Variable::Authorizer(own.into()))
    }

    /// The variable that templates and mappings find under `branch.name`, without putting the two together; an empty
    /// branch is `$context` itself. A name with dots in it is one name here.
    pub fn below(branch: &str, name: &str) -> Option<Variable> {
        match branch {
            "" if name.contains('.') => None,
            "" => fixed(Seen::Everywhere, |known| known.as_bytes().cmp(name.as_bytes())),
            "authorizer" if name == "principalId" => Some(Variable::PrincipalId),
            "authorizer" => (!name.is_empty() && name != "claims").then(|| Variable::Authorizer(name.into())),
            "authorizer.claims" => (!name.is_empty()).then(|| Variable::Claim(name.into())),
            _ if name.contains('.') => None,
            _ => fixed(Seen::Everywhere, |known| {
                let whole = branch.bytes().chain(std::iter::once(b'.')).chain(name.bytes());
                known.bytes().cmp(whole)
            }),
        }
    }
}

/// The fixed name at which `compare` says equal, if the reader may see it.
fn fixed(reader: Seen, mut compare: impl FnMut(&str) -> Ordering) -> Option<Variable> {
    let at = NAMES.binary_search_by(|(known, ..)| compare(known)).ok()?;
    let (_, variable, seen) = &NAMES[at];
    (*seen <= reader).then(|| variable.clone())
}

/// Values of a visit.
pub trait Context {
    /// The variable's value; `None` when the visit has none.
    fn value(&self, variable: &Variable) -> Option<Cow<'_, str>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_in_order_and_is_found_by_whoever_may_see_it() {
        assert!(NAMES.is_sorted_by(|(a, ..), (b, ..)| a.as_bytes() < b.as_bytes()));
        for (name, variable, seen) in &NAMES {
            assert_eq!(Variable::named_for(Seen::AccessLogs, name).as_ref(), Some(variable), "{name}");
            assert_eq!(Variable::named_for(*seen, name).as_ref(), Some(variable), "{name}");
            if *seen == Seen::Everywhere {
                let (branch, last) = name.rsplit_once('.').unwrap_or(("", name));
                assert_eq!(Variable::below(branch, last).as_ref(), Some(variable), "{name}");
            } else {
                assert_ne!(Variable::named(name).as_ref(), Some(variable), "{name}");
            }
        }
    }

    #[test]
    fn free_names_belong_to_authorizers_and_their_claims() {
        let own = |name: &str| Some(Variable::Authorizer(name.into()));
        let claim = |name: &str| Some(Variable::Claim(name.into()));
        assert_eq!(Variable::named("authorizer.tenant"), own("tenant"));
        assert_eq!(Variable::named("authorizer.a.b"), own("a.b"));
        assert_eq!(Variable::named("authorizer.status"), own("status"), "a log's name is free to others");
        assert_eq!(Variable::named_for(Seen::AccessLogs, "authorizer.status"), Some(Variable::AuthorizerStatus));
        assert_eq!(Variable::named("authorizer.claims.custom:role"), claim("custom:role"));
        assert_eq!(Variable::below("authorizer", "tenant"), own("tenant"));
        assert_eq!(Variable::below("authorizer", "status"), own("status"));
        assert_eq!(Variable::below("authorizer.claims", "https://x/role"), claim("https://x/role"));
        for none in
            ["", "authorizer", "authorizer.", "authorizer.claims", "authorizer.claims.", "identity", "nope", "status"]
        {
            assert_eq!(Variable::named(none), None, "{none}");
        }
        for (branch, name) in [
            ("", "identity.sourceIp"),
            ("identity", "clientCert.subjectDN"),
            ("authorizer", "claims"),
            ("", ""),
            ("identity", ""),
        ] {
            assert_eq!(Variable::below(branch, name), None, "{branch} {name}");
        }
    }
}
