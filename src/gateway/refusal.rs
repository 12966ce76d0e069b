//! Every way the gateway itself says no, in one table: AWS's gateway-response types, and what our edge adds.
//!
//! A step returns a [`Refusal`]; bytes are made here alone, by the node that faces the client (data-plane §12).

use crate::net::http::Body;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use std::borrow::Cow;

/// The types. The first 21 are AWS's; those after are ours, and dressed as their class is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are AWS's names, spelt out in the table below")]
pub enum Kind {
    AccessDenied,
    ApiConfigurationError,
    AuthorizerConfigurationError,
    AuthorizerFailure,
    BadRequestBody,
    BadRequestParameters,
    Default4xx,
    Default5xx,
    ExpiredToken,
    IntegrationFailure,
    IntegrationTimeout,
    InvalidApiKey,
    InvalidSignature,
    MissingAuthenticationToken,
    QuotaExceeded,
    RequestTooLarge,
    ResourceNotFound,
    Throttled,
    Unauthorized,
    UnsupportedMediaType,
    WafFiltered,
    /// No such API or stage under this name.
    UnknownStage,
    /// The request is not one that HTTP allows.
    Malformed,
    /// The target is longer than the limit.
    UriTooLong,
    /// The headers are larger than the limit.
    HeadersTooLarge,
    /// This node has more work in hand than it can do.
    Overloaded,
    /// No node that could serve is reachable.
    NoNode,
    /// The node that served was lost; the visit's fate is unknown.
    LostNode,
    /// Not built in this version.
    Unbuilt,
    /// A fault of ours.
    Internal,
}

/// One row: name, status, `x-amzn-ErrorType`, message, and whether AWS writes a blank behind the colon.
struct Entry {
    kind: Kind,
    name: &'static str,
    status: u16,
    error_type: &'static str,
    message: Option<&'static str>,
    blank: bool,
}

const fn entry(
    kind: Kind,
    name: &'static str,
    status: u16,
    error_type: &'static str,
    message: &'static str,
    blank: bool,
) -> Entry {
    Entry { kind, name, status, error_type, message: Some(message), blank }
}

const fn null(kind: Kind, name: &'static str, status: u16, error_type: &'static str) -> Entry {
    Entry { kind, name, status, error_type, message: None, blank: false }
}

const SERVER: &str = "InternalServerErrorException";
const WRONG_SIGNATURE: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

/// In the order of `Kind`.
#[rustfmt::skip]
static TABLE: [Entry; 30] = [
    entry(Kind::AccessDenied, "ACCESS_DENIED", 403, "AccessDeniedException", "User is not authorized to access this resource", false),
    entry(Kind::ApiConfigurationError, "API_CONFIGURATION_ERROR", 500, SERVER, "Internal server error", true),
    null(Kind::AuthorizerConfigurationError, "AUTHORIZER_CONFIGURATION_ERROR", 500, "AuthorizerConfigurationException"),
    null(Kind::AuthorizerFailure, "AUTHORIZER_FAILURE", 500, "AuthorizerFailureException"),
    entry(Kind::BadRequestBody, "BAD_REQUEST_BODY", 400, "BadRequestException", "Invalid request body", true),
    entry(Kind::BadRequestParameters, "BAD_REQUEST_PARAMETERS", 400, "BadRequestException", "Missing required request parameters: []", true),
    null(Kind::Default4xx, "DEFAULT_4XX", 400, "BadRequestException"),
    entry(Kind::Default5xx, "DEFAULT_5XX", 500, SERVER, "Internal server error", true),
    entry(Kind::ExpiredToken, "EXPIRED_TOKEN", 403, "ExpiredTokenException", "The security token included in the request is expired", false),
    entry(Kind::IntegrationFailure, "INTEGRATION_FAILURE", 504, SERVER, "Network error communicating with endpoint", true),
    entry(Kind::IntegrationTimeout, "INTEGRATION_TIMEOUT", 504, SERVER, "Endpoint request timed out", true),
    entry(Kind::InvalidApiKey, "INVALID_API_KEY", 403, "ForbiddenException", "Forbidden", false),
    entry(Kind::InvalidSignature, "INVALID_SIGNATURE", 403, "InvalidSignatureException", WRONG_SIGNATURE, false),
    entry(Kind::MissingAuthenticationToken, "MISSING_AUTHENTICATION_TOKEN", 403, "MissingAuthenticationTokenException", "Missing Authentication Token", false),
    entry(Kind::QuotaExceeded, "QUOTA_EXCEEDED", 429, "LimitExceededException", "Limit Exceeded", false),
    entry(Kind::RequestTooLarge, "REQUEST_TOO_LARGE", 413, "RequestTooLargeException", "Request Too Long", false),
    entry(Kind::ResourceNotFound, "RESOURCE_NOT_FOUND", 404, "NotFoundException", "Not Found", false),
    entry(Kind::Throttled, "THROTTLED", 429, "TooManyRequestsException", "Too Many Requests", false),
    entry(Kind::Unauthorized, "UNAUTHORIZED", 401, "UnauthorizedException", "Unauthorized", false),
    entry(Kind::UnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", 415, "UnsupportedMediaTypeException", "Unsupported Media Type", false),
    entry(Kind::WafFiltered, "WAF_FILTERED", 403, "ForbiddenException", "Forbidden", false),
    entry(Kind::UnknownStage, "UNKNOWN_STAGE", 403, "ForbiddenException", "Forbidden", false),
    entry(Kind::Malformed, "MALFORMED", 400, "BadRequestException", "Bad Request", false),
    entry(Kind::UriTooLong, "URI_TOO_LONG", 414, "RequestUriTooLongException", "Request URI too long", false),
    entry(Kind::HeadersTooLarge, "HEADERS_TOO_LARGE", 431, "RequestHeaderFieldsTooLargeException", "Request Header Fields Too Large", false),
    entry(Kind::Overloaded, "OVERLOADED", 503, "ServiceUnavailableException", "Service Unavailable", false),
    entry(Kind::NoNode, "NO_NODE", 503, "ServiceUnavailableException", "Service Unavailable", false),
    entry(Kind::LostNode, "LOST_NODE", 502, SERVER, "Internal server error", true),
    entry(Kind::Unbuilt, "NOT_IMPLEMENTED", 501, "NotImplementedException", "Not Implemented", false),
    entry(Kind::Internal, "INTERNAL", 500, SERVER, "Internal server error", true),
];

impl Kind {
    /// How many there are.
    pub const COUNT: usize = TABLE.len();

    fn entry(self) -> &'static Entry {
        &TABLE[self as usize]
    }

    /// AWS's name of the type (`THROTTLED`), or ours.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// The status that is sent.
    pub fn status(self) -> u16 {
        self.entry().status
    }

    /// Whether it is one of AWS's types.
    fn is_awss(self) -> bool {
        self as usize <= Kind::WafFiltered as usize
    }

    /// The type that stands for all of its class: what customises it where nothing else does.
    pub fn class(self) -> &'static str {
        if self.status() < 500 { Kind::Default4xx.name() } else { Kind::Default5xx.name() }
    }

    /// AWS's type (`$context.error.responseType`); ours are told as their class.
    pub fn response_type(self) -> &'static str {
        if self.is_awss() { self.name() } else { self.class() }
    }

    /// Whether an API's owner may dress it. AWS never lets REQUEST_TOO_LARGE be dressed, and who names no stage of an API
    /// meets none of its definitions.
    pub fn is_customisable(self) -> bool {
        !matches!(self, Kind::RequestTooLarge | Kind::UnknownStage)
    }

    /// Whether it says that an integration failed.
    pub fn is_integrations(self) -> bool {
        matches!(self, Kind::IntegrationFailure | Kind::IntegrationTimeout)
    }

    /// The type with this name.
    pub fn named(name: &str) -> Option<Kind> {
        TABLE.iter().find(|e| e.name == name).map(|e| e.kind)
    }

    /// Every type, in the table's order.
    pub fn all() -> impl Iterator<Item = Kind> {
        TABLE.iter().map(|e| e.kind)
    }
}

/// A no, with its reason for logs and for `explain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which type it is.
    pub kind: Kind,
    /// Machine-readable reason: a word or two in `snake_case`.
    pub cause: Cow<'static, str>,
    /// `$context.error.message` where it is not the type's own; clients see it.
    pub message: Option<Cow<'static, str>>,
    /// A status other than the type's.
    pub status: Option<u16>,
    /// Words for the log alone; clients never see them.
    pub detail: String,
    /// Where in the API's own texts the reason stands: a template's `LINE:COLUMN`, a schema's pointer, a mapping.
    pub place: Option<Box<str>>,
}

impl Refusal {
    /// A refusal of this type for this reason.
    pub fn new(kind: Kind, cause: &'static str) -> Refusal {
        Refusal { kind, cause: Cow::Borrowed(cause), message: None, status: None, detail: String::new(), place: None }
    }

    /// With words for the log.
    #[must_use]
    pub fn because(mut self, detail: impl std::fmt::Display) -> Refusal {
        self.detail = detail.to_string();
        self
    }

    /// With the place in a template, a schema or a mapping that the reason stands at.
    #[must_use]
    pub fn at(mut self, place: impl Into<Box<str>>) -> Refusal {
        self.place = Some(place.into());
        self
    }

    /// With its own message.
    #[must_use]
    pub fn saying(mut self, message: impl Into<Cow<'static, str>>) -> Refusal {
        self.message = Some(message.into());
        self
    }

    /// With its own status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Refusal {
        self.status = Some(status);
        self
    }

    /// `$context.error.message`: its own, else the type's; `None` where AWS says `null`.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref().or(self.kind.entry().message)
    }

    /// The status that is sent where nobody customised it.
    pub fn status(&self) -> u16 {
        self.status.unwrap_or_else(|| self.kind.status())
    }

    /// The answer with AWS's default body. Request ids and `Date` are added where all answers get them.
    pub fn answer(&self) -> Response<Body> {
        let entry = self.kind.entry();
        let mut response = Response::new(Body::full(body(entry, self.message())));
        *response.status_mut() =
            StatusCode::from_u16(self.status.unwrap_or(entry.status)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(ERROR_TYPE, HeaderValue::from_static(entry.error_type));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

fn body(entry: &Entry, message: Option<&str>) -> String {
    let key = if entry.kind == Kind::AccessDenied { "Message" } else { "message" };
    let blank = if entry.blank { " " } else { "" };
    match message {
        Some(text) => format!("{{\"{key}\":{blank}{}}}", serde_json::Value::from(text)),
        None => format!("{{\"{key}\":{blank}null}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(refusal: &Refusal) -> String {
        let entry = refusal.kind.entry();
        format!("{} {} {}", refusal.answer().status().as_u16(), entry.error_type, body(entry, refusal.message()))
    }

    #[test]
    fn the_table_stands_in_the_order_of_the_types() {
        for (index, entry) in TABLE.iter().enumerate() {
            assert_eq!(entry.kind as usize, index, "{}", entry.name);
            assert_eq!(Kind::named(entry.name), Some(entry.kind));
        }
    }

    #[test]
    fn default_bodies_are_awss_to_the_byte() {
        let golden = [
            (
                Kind::AccessDenied,
                r#"403 AccessDeniedException {"Message":"User is not authorized to access this resource"}"#,
            ),
            (Kind::ApiConfigurationError, r#"500 InternalServerErrorException {"message": "Internal server error"}"#),
            (Kind::AuthorizerConfigurationError, r#"500 AuthorizerConfigurationException {"message":null}"#),
            (Kind::AuthorizerFailure, r#"500 AuthorizerFailureException {"message":null}"#),
            (Kind::BadRequestBody, r#"400 BadRequestException {"message": "Invalid request body"}"#),
            (
                Kind::ExpiredToken,
                r#"403 ExpiredTokenException {"message":"The security token included in the request is expired"}"#,
            ),
            (
                Kind::IntegrationFailure,
                r#"504 InternalServerErrorException {"message": "Network error communicating with endpoint"}"#,
            ),
            (Kind::IntegrationTimeout, r#"504 InternalServerErrorException {"message": "Endpoint request timed out"}"#),
            (Kind::InvalidApiKey, r#"403 ForbiddenException {"message":"Forbidden"}"#),
            (
                Kind::MissingAuthenticationToken,
                r#"403 MissingAuthenticationTokenException {"message":"Missing Authentication Token"}"#,
            ),
            (Kind::QuotaExceeded, r#"429 LimitExceededException {"message":"Limit Exceeded"}"#),
            (Kind::RequestTooLarge, r#"413 RequestTooLargeException {"message":"Request Too Long"}"#),
            (Kind::ResourceNotFound, r#"404 NotFoundException {"message":"Not Found"}"#),
            (Kind::Throttled, r#"429 TooManyRequestsException {"message":"Too Many Requests"}"#),
            (Kind::Unauthorized, r#"401 UnauthorizedException {"message":"Unauthorized"}"#),
            (Kind::UnsupportedMediaType, r#"415 UnsupportedMediaTypeException {"message":"Unsupported Media Type"}"#),
            (Kind::WafFiltered, r#"403 ForbiddenException {"message":"Forbidden"}"#),
            (Kind::UnknownStage, r#"403 ForbiddenException {"message":"Forbidden"}"#),
        ];
        for (kind, wanted) in golden {
            assert_eq!(wire(&Refusal::new(kind, "test")), wanted);
        }
        let own =
            Refusal::new(Kind::BadRequestParameters, "test").saying("Missing required request parameters: [\"a\"]");
        assert_eq!(
            wire(&own),
            r#"400 BadRequestException {"message": "Missing required request parameters: [\"a\"]"}"#
        );
        assert_eq!(
            body(Kind::Internal.entry(), Refusal::new(Kind::Internal, "test").message()).len(),
            36,
            "the length that was recorded"
        );
    }
}
