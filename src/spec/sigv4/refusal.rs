//! Why a signature is refused, in AWS's words.

use super::{ALGORITHM, MAX_EXPIRES_S};

/// A refused signature. `Display` is the message that AWS sends; [`Refusal::name`] is the exception.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Neither an `Authorization` header nor a presigned query.
    #[error("Missing Authentication Token")]
    Missing,
    /// Parts of the header form are absent.
    #[error("{}", incomplete(missing, sent))]
    IncompleteHeader {
        /// Which parts, as AWS lists them.
        missing: Vec<&'static str>,
        /// The header's value, without its signature.
        sent: String,
    },
    /// Parts of the query form are absent.
    #[error("AWS query-string parameters must include {}. Re-examine the query-string parameters.", list(missing))]
    IncompleteQuery {
        /// Which parts.
        missing: Vec<&'static str>,
    },
    /// More than one `Authorization` header, or a header and a presigned query.
    #[error("Only one authentication mechanism is allowed in a request.")]
    Ambiguous,
    /// An algorithm that is not ours.
    #[error("Unsupported AWS 'algorithm': '{0}' (only {ALGORITHM} is supported).")]
    Algorithm(String),
    /// A credential without five parts.
    #[error("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{0}'")]
    Credential(String),
    /// The date is not `YYYYMMDDThhmmssZ`.
    #[error("Date must be in ISO-8601 'basic format'. Got '{0}'. See http://en.wikipedia.org/wiki/ISO_8601")]
    Date(String),
    /// `X-Amz-Expires` is no number of seconds up to a week.
    #[error("X-Amz-Expires must be a number of seconds between 1 and {MAX_EXPIRES_S}, got '{0}'")]
    Expires(String),
    /// The scope's day is not the date's.
    #[error(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{scope}' != '{day}', from '{date}'."
    )]
    ScopeDate {
        /// Day in the scope.
        scope: String,
        /// Day of the date.
        day: String,
        /// The date.
        date: String,
    },
    /// Another service's signature.
    #[error("Credential should be scoped to correct service: '{0}'. ")]
    ScopeService(String),
    /// The scope ends in something else.
    #[error("Credential should be scoped with a valid terminator: 'aws4_request', not '{0}'. ")]
    ScopeEnd(String),
    /// The host is not signed.
    #[error("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")]
    HostUnsigned,
    /// A header that must be signed is not.
    #[error("'{0}' must be a 'SignedHeader' in the AWS Authorization.")]
    HeaderUnsigned(String),
    /// Too old.
    #[error("Signature expired: {date} is now earlier than {limit} ({now} - {allowed}.)")]
    Expired {
        /// When it was signed (or until when it was good).
        date: String,
        /// The oldest that would do.
        limit: String,
        /// Our clock.
        now: String,
        /// What is allowed, as text.
        allowed: String,
    },
    /// From the future.
    #[error("Signature not yet current: {date} is still later than {limit} ({now} + {allowed}.)")]
    NotYet {
        /// When it was signed.
        date: String,
        /// The newest that would do.
        limit: String,
        /// Our clock.
        now: String,
        /// What is allowed, as text.
        allowed: String,
    },
    /// Nobody has this access key.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// The signature is another.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for this request should have been\n'{canonical}'\n\nThe String-to-Sign should have been\n'{to_sign}'\n"
    )]
    Mismatch {
        /// Our canonical request.
        canonical: String,
        /// Our string to sign.
        to_sign: String,
    },
}

impl Refusal {
    /// AWS's name of the exception; the status of each is 403.
    pub fn name(&self) -> &'static str {
        match self {
            Refusal::Missing => "MissingAuthenticationTokenException",
            Refusal::UnknownKey => "UnrecognizedClientException",
            Refusal::IncompleteHeader { .. }
            | Refusal::IncompleteQuery { .. }
            | Refusal::Ambiguous
            | Refusal::Algorithm(_)
            | Refusal::Credential(_)
            | Refusal::Date(_)
            | Refusal::Expires(_) => "IncompleteSignatureException",
            _ => "InvalidSignatureException",
        }
    }
}

fn incomplete(missing: &[&str], sent: &str) -> String {
    let mut text = String::new();
    for part in missing {
        text += &match *part {
            "Date" => {
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ".to_owned()
            }
            other => format!("Authorization header requires '{other}' parameter. "),
        };
    }
    text + "Authorization=" + sent
}

fn list(missing: &[&str]) -> String {
    missing.iter().map(|m| format!("'{m}'")).collect::<Vec<_>>().join(", ")
}
