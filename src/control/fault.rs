//! Why a call is refused: AWS's exception name, its status and its message.

use crate::cluster::ClusterError;
use crate::spec::sigv4;
use crate::state::RowError;

/// A refused call. The message goes to the client; the cause stays in our logs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} ({status}): {message}")]
pub struct Fault {
    /// AWS's name of the exception, for `x-amzn-ErrorType`.
    pub name: String,
    /// HTTP status.
    pub status: u16,
    /// What the client reads.
    pub message: String,
    /// `Retry-After`, seconds.
    pub retry_after_s: Option<u32>,
    /// What only our logs may say.
    pub cause: Option<String>,
}

impl Fault {
    /// A fault of any name.
    pub fn new(name: &str, status: u16, message: impl Into<String>) -> Fault {
        Fault { name: name.to_owned(), status, message: message.into(), retry_after_s: None, cause: None }
    }

    /// 400 BadRequestException.
    pub fn bad_request(message: impl Into<String>) -> Fault {
        Fault::new("BadRequestException", 400, message)
    }

    /// 404 NotFoundException.
    pub fn not_found(message: impl Into<String>) -> Fault {
        Fault::new("NotFoundException", 404, message)
    }

    /// 409 ConflictException.
    pub fn conflict(message: impl Into<String>) -> Fault {
        Fault::new("ConflictException", 409, message)
    }

    /// 429 LimitExceededException: a limit on how much there may be.
    pub fn limit_exceeded(message: impl Into<String>) -> Fault {
        Fault::new("LimitExceededException", 429, message)
    }

    /// 400 ValidationException over what [`super::bind`] found: how many errors, and the first of them.
    pub fn validation(count: usize, told: &[String]) -> Fault {
        let noun = if count == 1 { "error" } else { "errors" };
        let text = format!("{count} validation {noun} detected: {}", told.join("; "));
        Fault::new("ValidationException", 400, text)
    }

    /// 400 SerializationException.
    pub fn serialization(message: impl Into<String>) -> Fault {
        Fault::new("SerializationException", 400, message)
    }

    /// 503 ServiceUnavailableException: worth another try.
    pub fn unavailable(message: impl Into<String>) -> Fault {
        Fault { retry_after_s: Some(1), ..Fault::new("ServiceUnavailableException", 503, message) }
    }

    /// 500 InternalFailure; the cause is for the log.
    pub fn internal(cause: impl Into<String>) -> Fault {
        let fault = Fault::new("InternalFailure", 500, "Internal server error");
        Fault { cause: Some(cause.into()), ..fault }
    }

    /// 501 for an operation that is in AWS's model and not in ours.
    pub fn not_implemented(operation: &str) -> Fault {
        Fault::new("NotImplementedException", 501, format!("Meridian does not implement {operation} yet"))
    }
}

impl From<RowError> for Fault {
    fn from(error: RowError) -> Fault {
        match &error {
            RowError::Newer { .. } => Fault {
                cause: Some(error.to_string()),
                ..Fault::unavailable(
                    "This node is older than the data it was asked for; upgrade it, or ask another node",
                )
            },
            _ => Fault::internal(error.to_string()),
        }
    }
}

impl From<sigv4::Refusal> for Fault {
    fn from(refusal: sigv4::Refusal) -> Fault {
        Fault::new(refusal.name(), 403, refusal.to_string())
    }
}

impl From<ClusterError> for Fault {
    fn from(error: ClusterError) -> Fault {
        let cause = Some(error.to_string());
        let fault = match &error {
            ClusterError::IdReused { .. } => Fault::conflict(error.to_string()),
            ClusterError::TooLarge { .. } => Fault::bad_request(error.to_string()),
            ClusterError::Behind { .. } => Fault::new("IndexNotReachedException", 504, error.to_string()),
            ClusterError::Membership(_) => Fault::conflict(error.to_string()),
            ClusterError::Unavailable { .. } => Fault::unavailable(
                "No leader answered in time: the cluster may have lost its quorum. A retry with the same Idempotency-Key is safe",
            ),
            ClusterError::Stopped(_) => Fault::unavailable("Replication has stopped on this node; ask another node"),
            ClusterError::Malformed(_) | ClusterError::Internal(_) => Fault::internal(error.to_string()),
        };
        Fault { cause, ..fault }
    }
}
