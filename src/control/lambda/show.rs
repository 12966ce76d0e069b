//! Versions as AWS shows them.

use super::not_found;
use crate::catalog::lambda::{EphemeralStorage, FunctionVersion, LoggingConfig};
use crate::control::render::{Object, texts};
use crate::control::{Fault, Scene};
use crate::function::call::Address;
use std::collections::BTreeMap;

/// In a list less is shown than alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    /// One of many.
    Entry,
    /// The answer itself.
    Whole,
}

/// A version's `FunctionConfiguration`. The qualifier of `address` is the one in its ARN.
pub(super) fn configuration(
    scene: &Scene<'_>,
    address: &Address,
    version: &FunctionVersion,
    form: As,
) -> Result<Object, Fault> {
    let EphemeralStorage { size, .. } = &version.ephemeral_storage;
    let mut shown = Object::new()
        .set("FunctionName", version.function_name.as_str())
        .set("FunctionArn", address.arn())
        .set("Runtime", version.runtime.as_str())
        .set("Role", version.role.as_str())
        .maybe("Handler", version.handler.as_deref())
        .set("CodeSize", version.code_size)
        .set("Description", version.description.as_str())
        .set("Timeout", version.timeout)
        .set("MemorySize", version.memory_size)
        .set("LastModified", time(version.last_modified_ms))
        .set("CodeSha256", version.code_sha256.as_str())
        .set("Version", version.version.as_str())
        .maybe("KMSKeyArn", version.kms_key_arn.as_deref())
        .set("TracingConfig", Object::new().set("Mode", version.tracing_config.mode.as_str()))
        .set("RevisionId", version.revision_id.as_str())
        .set("PackageType", "Zip")
        .set("Architectures", version.architectures.clone())
        .set("EphemeralStorage", Object::new().set("Size", *size))
        .set("SnapStart", Object::new().set("ApplyOn", "None").set("OptimizationStatus", "Off"))
        .set("LoggingConfig", logging(&version.logging_config));
    if let Some(variables) = environment(scene, version)? {
        shown = shown.set("Environment", Object::new().set("Variables", texts(&variables)));
    }
    if form == As::Whole {
        shown = shown.set("State", "Active").set("LastUpdateStatus", "Successful");
    }
    Ok(shown)
}

fn logging(config: &LoggingConfig) -> Object {
    Object::new()
        .set("LogFormat", config.log_format.as_str())
        .maybe("ApplicationLogLevel", config.application_log_level.as_deref())
        .maybe("SystemLogLevel", config.system_log_level.as_deref())
        .set("LogGroup", config.log_group.as_str())
}

/// A version's environment variables; `None` where none were ever given.
///
/// # Errors
/// Internal where this node cannot open them.
pub(super) fn environment(
    scene: &Scene<'_>,
    version: &FunctionVersion,
) -> Result<Option<BTreeMap<String, String>>, Fault> {
    let Some(sealed) = &version.environment_sealed else { return Ok(None) };
    let opened = scene.seal.open(sealed).and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let name = &version.function_name;
    opened.map(Some).ok_or_else(|| Fault::internal(format!("the environment of function {name} cannot be opened")))
}

/// `2015-03-31T09:14:35.123+0000`.
fn time(time_ms: i64) -> String {
    let stamp = jiff::Timestamp::from_millisecond(time_ms).unwrap_or_default();
    stamp.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string()
}

/// 404 for an alias.
pub(super) fn no_alias(address: &Address, alias: &str) -> Fault {
    let arn = Address { qualifier: Some(alias.into()), ..address.clone() }.arn();
    not_found(format!("Cannot find alias arn: {arn}"))
}
