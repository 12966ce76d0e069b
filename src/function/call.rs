//! A call of a function and its answer: the shapes of Lambda's `Invoke` (API of 2015-03-31), without the wire.

use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

/// Which function, from `arn:aws:lambda:{region}:{account}:function:{name}[:{qualifier}]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// Its region.
    pub region: Box<str>,
    /// Its account, 12 digits.
    pub account: Box<str>,
    /// Its name.
    pub name: Box<str>,
    /// A version's number or an alias; none means `$LATEST`.
    pub qualifier: Option<Box<str>>,
}

/// Whether the caller waits (`X-Amz-Invocation-Type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvocationType {
    /// The caller waits for the answer.
    RequestResponse,
    /// The call is taken (202) and runs later.
    Event,
    /// Only the permission is looked at (204).
    DryRun,
}

/// Who calls, for the function's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// The account's own administrator, or a role of it: no policy is needed.
    Account(Box<str>),
    /// A service on behalf of a resource: `apigateway.amazonaws.com` and the method's ARN.
    Service {
        /// `apigateway.amazonaws.com`.
        principal: Box<str>,
        /// `arn:aws:execute-api:{region}:{account}:{api}/{stage}/{verb}/{path}`.
        source_arn: Box<str>,
        /// The account of the source.
        source_account: Box<str>,
    },
}

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    /// Which function.
    pub function: Address,
    /// Who calls.
    pub caller: Caller,
    /// Whether the caller waits.
    pub invocation: InvocationType,
    /// The event, JSON.
    pub payload: Bytes,
    /// `X-Amz-Client-Context`, base64 of JSON as it came.
    pub client_context: Option<Box<str>>,
    /// `X-Amzn-Trace-Id`.
    pub trace: Option<Box<str>>,
    /// Whether the last 4 KiB of the log are wanted (`X-Amz-Log-Type: Tail`).
    pub log_tail: bool,
    /// Whether the answer may come in pieces (`InvokeWithResponseStream`).
    pub streamed: bool,
    /// The id of this invocation, a UUID.
    pub request_id: Box<str>,
    /// When the caller stops waiting.
    pub until: Instant,
}

/// What a function said.
#[derive(Debug)]
pub struct Answer {
    /// 200, 202 or 204.
    pub status: u16,
    /// `Handled` or `Unhandled` (`X-Amz-Function-Error`): then the payload is `{"errorMessage", "errorType", …}`.
    pub function_error: Option<Box<str>>,
    /// The last of the log, base64, where it was asked for.
    pub log_tail: Option<Box<str>>,
    /// The version that ran (`X-Amz-Executed-Version`).
    pub executed_version: Option<Box<str>>,
    /// The answer's bytes.
    pub payload: Payload,
}

/// An answer's bytes.
#[derive(Debug)]
pub enum Payload {
    /// All of them.
    Whole(Bytes),
    /// In pieces, as the function writes them; an `Err` means that it failed in mid-answer.
    Pieces(tokio::sync::mpsc::Receiver<Result<Bytes, Broken>>),
}

/// A stream that ended before its end: `Lambda-Runtime-Function-Error-Type` and its body, where the function said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The error's type.
    pub error_type: Box<str>,
    /// What it said.
    pub message: Box<str>,
}

/// Why a call never reached a function's code; `kind` is Lambda's exception.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Refused {
    /// The status that Lambda answers.
    pub status: u16,
    /// `ResourceNotFoundException`, `AccessDeniedException`, `TooManyRequestsException`, …
    pub kind: &'static str,
    /// Lambda's message.
    pub message: Box<str>,
}

/// The future of a call.
pub type Calling<'a> = Pin<Box<dyn Future<Output = Result<Answer, Refused>> + Send + 'a>>;

/// What runs functions.
pub trait Invoke: Send + Sync {
    /// Whether this knows the function; what it does not know goes to the endpoint that the operator named.
    fn knows(&self, function: &Address) -> bool;

    /// Calls it. A function that fails is an answer with `function_error`, no refusal.
    fn invoke(&self, call: Call) -> Calling<'_>;
}
