//! The nouns of `lambda`, one file each, for functions that the cluster runs itself; and how Lambda words a refusal.

mod alias;
mod code;
mod concurrency;
mod configuration;
mod function;
pub(super) mod invoke;
mod location;
mod name;
mod permission;
mod revision;
mod show;
mod stream;
mod tags;
mod version;

pub(super) use code::keep;
pub(super) use location::{is_download, open as open_download};

use std::collections::HashMap;
use std::sync::LazyLock;

use super::model::{Operation, Service};
use super::render::{Answer, Object};
use super::{Fault, Verb};

/// Every noun's operations: the one list of what is built.
pub const NOUNS: &[&[Verb]] = &[
    alias::OPERATIONS,
    concurrency::OPERATIONS,
    function::OPERATIONS,
    configuration::OPERATIONS,
    invoke::OPERATIONS,
    permission::OPERATIONS,
    tags::OPERATIONS,
    version::OPERATIONS,
];

static BY_NAME: LazyLock<HashMap<&'static str, &'static Verb>> =
    LazyLock::new(|| NOUNS.iter().flat_map(|verbs| verbs.iter()).map(|verb| (verb.name, verb)).collect());

/// The home of an operation; `None` while it has none.
pub fn verb(operation: &Operation) -> Option<&'static Verb> {
    BY_NAME.get(operation.name).copied().filter(|_| operation.service == Service::Lambda)
}

/// What every operation answers on a node without functions.
pub(super) fn off() -> Fault {
    let text = "This node runs no functions: its operator turns them on with `enabled = true` under [functions] in the \
                node file, or with MERIDIAN_FUNCTIONS=on";
    Fault::new("AccessDeniedException", 403, text)
}

/// 400 InvalidParameterValueException.
fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterValueException", 400, message)
}

/// 404 ResourceNotFoundException.
fn not_found(message: impl Into<String>) -> Fault {
    Fault::new("ResourceNotFoundException", 404, message)
}

/// 409 ResourceConflictException.
fn conflict(message: impl Into<String>) -> Fault {
    Fault::new("ResourceConflictException", 409, message)
}

/// 400 ValidationException with one constraint that a value breaks.
fn validation(value: &str, member: &str, constraint: &str) -> Fault {
    let shown: String = value.chars().take(1_024).collect();
    Fault::validation(1, &[format!("Value '{shown}' at '{member}' failed to satisfy constraint: {constraint}")])
}

/// Exceptions whose text is called `Message`; the others call it `message`.
const CAPITAL: &[&str] = &[
    "AccessDeniedException",
    "InvalidRuntimeException",
    "InvalidZipFileException",
    "ResourceNotFoundException",
    "ServiceException",
];
/// What comes from before Lambda itself, and carries no `Type`.
const UNTYPED: &[&str] = &[
    "AccessDeniedException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "NotImplementedException",
    "SerializationException",
    "UnrecognizedClientException",
    "ValidationException",
];

/// The reason beside a 429 for a function whose reserved calls all run.
pub(super) const RESERVED: &str = "Rate Exceeded.";

/// A refusal in Lambda's form.
pub(super) fn refusal(fault: Fault) -> Answer {
    let name = match fault.name.as_str() {
        "BadRequestException" => "InvalidParameterValueException",
        "InternalFailure" => "ServiceException",
        name => name,
    };
    let mut body = Object::new();
    if !UNTYPED.contains(&name) {
        body = body.set("Type", if fault.status < 500 { "User" } else { "Service" });
    }
    body = body.set(if CAPITAL.contains(&name) { "Message" } else { "message" }, fault.message.as_str());
    if name == "TooManyRequestsException" {
        let reserved = fault.message == RESERVED;
        let reason = ["ConcurrentInvocationLimitExceeded", "ReservedFunctionConcurrentInvocationLimitExceeded"];
        body = body.set("Reason", reason[usize::from(reserved)]);
    }
    Answer {
        status: fault.status,
        error: Some(name.to_owned()),
        retry_after_s: fault.retry_after_s,
        headers: Vec::new(),
        body: body.into_text().into_bytes(),
    }
}
