//! How a call fails in a function's hands: Lambda's payloads, word for word.

use super::call::{Answer, Payload, Refused};
use bytes::Bytes;
use serde_json::json;
use std::time::Duration;

/// What became of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Death {
    /// It ended by itself.
    Exited(i32),
    /// A signal ended it.
    Signaled(i32),
    /// It used more than its memory.
    OutOfMemory,
    /// It could not be started.
    Cannot {
        /// Whether the program is not there.
        absent: bool,
        /// The system's words.
        why: Box<str>,
    },
    /// The host ended it, since it broke the rules.
    Ended(&'static str),
}

/// A failure, without the request that saw it: `errorType`, and what stands after `RequestId: … Error: `.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) error_type: Box<str>,
    pub(super) message: Box<str>,
    /// The payload, where the runtime itself gave one.
    pub(super) payload: Option<Bytes>,
}

impl Failure {
    pub(super) fn new(error_type: impl Into<Box<str>>, message: impl Into<Box<str>>) -> Failure {
        Failure { error_type: error_type.into(), message: message.into(), payload: None }
    }

    /// An invocation, or the start before it, took too long.
    pub(super) fn timed_out(after: Duration) -> Failure {
        Failure::new("Sandbox.Timedout", format!("Task timed out after {:.2} seconds", after.as_secs_f64()))
    }

    pub(super) fn too_large(bytes: usize, most: usize) -> Failure {
        let said =
            format!("Response payload size ({bytes} bytes) exceeded maximum allowed payload size ({most} bytes).");
        Failure::new("Function.ResponseSizeTooLarge", said)
    }

    /// `message` as a caller reads it.
    pub(super) fn text(&self, request_id: &str) -> String {
        match &*self.error_type {
            // Of this one alone Lambda tells no request.
            "Function.ResponseSizeTooLarge" => self.message.to_string(),
            _ => format!("RequestId: {request_id} Error: {}", self.message),
        }
    }

    /// The payload of the answer.
    pub(super) fn payload(&self, request_id: &str) -> Bytes {
        let made = || {
            let whole = json!({"errorType": *self.error_type, "errorMessage": self.text(request_id)});
            Bytes::from(whole.to_string())
        };
        self.payload.clone().unwrap_or_else(made)
    }

    /// The whole answer.
    pub(super) fn answer(&self, request_id: &str, version: &str) -> Answer {
        Answer {
            status: 200,
            function_error: Some("Unhandled".into()),
            log_tail: None,
            executed_version: Some(version.into()),
            payload: Payload::Whole(self.payload(request_id)),
        }
    }
}

impl Death {
    pub(super) fn failure(&self) -> Failure {
        match self {
            Death::Exited(0) => Failure::new("Runtime.ExitError", "Runtime exited without providing a reason"),
            Death::Exited(code) => {
                Failure::new("Runtime.ExitError", format!("Runtime exited with error: exit status {code}"))
            }
            Death::Signaled(signal) => Failure::new(
                "Runtime.ExitError",
                format!("Runtime exited with error: signal: {}", signal_name(*signal)),
            ),
            Death::OutOfMemory => Failure::new("Runtime.OutOfMemory", "Runtime exited with error: signal: killed"),
            Death::Ended(_) => Failure::new("Runtime.ExitError", "Runtime exited with error: signal: killed"),
            Death::Cannot { absent: true, .. } => {
                let said = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]";
                Failure::new("Runtime.InvalidEntrypoint", said)
            }
            Death::Cannot { why, .. } => {
                Failure::new("Runtime.InvalidEntrypoint", format!("the runtime cannot be started: {why}"))
            }
        }
    }
}

fn signal_name(signal: i32) -> String {
    let known = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        25 => "file size limit exceeded",
        other => return format!("signal {other}"),
    };
    known.to_owned()
}

/// No process is to be had.
pub(super) fn throttled() -> Refused {
    refused(429, "TooManyRequestsException", "Rate Exceeded.")
}

pub(super) fn refused(status: u16, kind: &'static str, message: impl Into<Box<str>>) -> Refused {
    Refused { status, kind, message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_lambdas() {
        let text = |failure: Failure| String::from_utf8(failure.payload("r-1").to_vec()).expect("text");
        for (failure, expected) in [
            (
                Failure::timed_out(Duration::from_secs(3)),
                r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: r-1 Error: Task timed out after 3.00 seconds"}"#,
            ),
            (
                Death::Exited(7).failure(),
                r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: r-1 Error: Runtime exited with error: exit status 7"}"#,
            ),
            (
                Death::Signaled(11).failure(),
                r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: r-1 Error: Runtime exited with error: signal: segmentation fault"}"#,
            ),
            (
                Failure::too_large(7_000_000, 6_291_556),
                r#"{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size (7000000 bytes) exceeded maximum allowed payload size (6291556 bytes)."}"#,
            ),
        ] {
            assert_eq!(text(failure), expected);
        }
    }
}
