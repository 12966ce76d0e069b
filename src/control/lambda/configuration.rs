//! How a version runs: what CreateFunction and UpdateFunctionConfiguration set, and the limits of it.

use super::revision::{function, guard, latest};
use super::show::{As, configuration};
use super::{invalid, name, revision, validation};
use crate::catalog::lambda::{FunctionVersion, LoggingConfig};
use crate::catalog::v1::Texts;
use crate::control::{Call, Fault, Reply, Scene, Verb};
use crate::state::Ops;
use regex::Regex;
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// The operations of this noun.
pub(super) const OPERATIONS: &[Verb] =
    &[Verb::serving("UpdateFunctionConfiguration", update), Verb::read("GetFunctionConfiguration", get)];

/// Memory and `/tmp`, MiB; time, seconds.
const MEMORY: (i64, i64) = (128, 10_240);
const EPHEMERAL: (i64, i64) = (512, 10_240);
const TIMEOUT: (i64, i64) = (1, 900);
/// Longest description, role, key ARN, handler: characters.
const TEXTS: &[(&str, &str, usize)] = &[
    ("Description", "description", 256),
    ("Role", "role", 2_048),
    ("KMSKeyArn", "kmsKeyArn", 2_048),
    ("Handler", "handler", 128),
];
/// All environment variables as JSON, bytes.
const ENVIRONMENT_BYTES: usize = 4_096;

/// Variables that the runtime sets, and nobody else.
const RESERVED: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// What a process on a node cannot have, unless it asks for nothing: refused by name rather than forgotten.
const NOT_HERE: &[&str] = &[
    "AcceleratorConfig",
    "CapacityProviderConfig",
    "CodeSigningConfigArn",
    "DeadLetterConfig",
    "DurableConfig",
    "FileSystemConfigs",
    "ImageConfig",
    "Layers",
    "PublishTo",
    "RuntimeConfig",
    "TenancyConfig",
    "VpcConfig",
];

/// The names of variables, as AWS has them.
static VARIABLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("^[a-zA-Z]([a-zA-Z0-9_])+$").ok());

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let address = name::unqualified(scene.call)?;
    function(scene, &address)?;
    let mut version = latest(scene, &address)?;
    guard(scene, &version.revision_id)?;
    set(scene, &mut version)?;
    version.revision_id = scene.mint().uuid();
    version.last_modified_ms = scene.stamp.time_ms;
    let mut ops = Ops::new();
    ops.put(&scene.call.region_scope(), &FunctionVersion::row_id(&address.name, &version.version), &version);
    Ok((ops, Reply::json(configuration(scene, &address, &version, As::Whole)?)))
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let address = name::address(scene.call)?;
    let version = revision::target(scene, &address)?.version(scene, &address)?;
    Ok((Ops::new(), Reply::json(configuration(scene, &address, &version, As::Whole)?)))
}

/// Sets what a call names; what it does not name stays.
///
/// # Errors
/// For what no function here may have, with AWS's words where AWS refuses it too.
pub(super) fn set(scene: &Scene<'_>, version: &mut FunctionVersion) -> Result<(), Fault> {
    let call = scene.call;
    refuse_what_is_not_here(call)?;
    for (member, shown, most) in TEXTS {
        if let Some(text) = call.text(member).filter(|text| text.chars().count() > *most) {
            return Err(validation(text, shown, &format!("Member must have length less than or equal to {most}")));
        }
    }
    if let Some(runtime) = call.text("Runtime") {
        version.runtime = runnable(runtime)?;
    }
    let texts = [("Role", &mut version.role), ("Description", &mut version.description)];
    for (member, place) in texts {
        if let Some(text) = call.text(member) {
            text.clone_into(place);
        }
    }
    if let Some(handler) = call.text("Handler") {
        version.handler = Some(handler.to_owned());
    }
    if let Some(key) = call.text("KMSKeyArn") {
        version.kms_key_arn = Some(key.to_owned()).filter(|key| !key.is_empty());
    }
    if let Some(seconds) = within(call.number("Timeout"), "timeout", TIMEOUT)? {
        version.timeout = seconds;
    }
    if let Some(mib) = within(call.number("MemorySize"), "memorySize", MEMORY)? {
        version.memory_size = mib;
    }
    let nested = |member: &str, inner: &str| call.object(member).and_then(|object| object.get(inner)).cloned();
    let size = nested("EphemeralStorage", "Size").and_then(|size| size.as_i64());
    if let Some(mib) = within(size, "ephemeralStorage.size", EPHEMERAL)? {
        version.ephemeral_storage.size = mib;
    }
    if let Some(mode) = nested("TracingConfig", "Mode").as_ref().and_then(Value::as_str) {
        mode.clone_into(&mut version.tracing_config.mode);
    }
    if let Some(logging) = call.object("LoggingConfig") {
        set_logging(&mut version.logging_config, logging)?;
    }
    match call.object("Environment") {
        Some(given) => set_environment(scene, version, given),
        None => Ok(()),
    }
}

/// The runtimes that the host knows, of all that the model lists.
fn runnable(runtime: &str) -> Result<String, Fault> {
    let known = ["provided", "python3.", "nodejs"].iter().any(|family| runtime.starts_with(family));
    if known && runtime != "nodejs4.3-edge" {
        return Ok(runtime.to_owned());
    }
    Err(invalid(format!(
        "Meridian does not run {runtime}: use a python3 or nodejs runtime, or provided.al2023 with a bootstrap of your own"
    )))
}

fn within(given: Option<i64>, member: &str, (least, most): (i64, i64)) -> Result<Option<u32>, Fault> {
    let constraint = match given {
        None => return Ok(None),
        Some(number) if number < least => format!("Member must have value greater than or equal to {least}"),
        Some(number) if number > most => format!("Member must have value less than or equal to {most}"),
        Some(number) => return Ok(u32::try_from(number).ok()),
    };
    Err(validation(&given.unwrap_or_default().to_string(), member, &constraint))
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.values().all(is_nothing),
        Value::Bool(flag) => !flag,
        Value::Number(_) => false,
    }
}

/// Refuses what only AWS has.
///
/// # Errors
/// InvalidParameterValue that names the member.
pub(super) fn refuse_what_is_not_here(call: &Call) -> Result<(), Fault> {
    let asked = |member: &&&str| call.input.get(**member).is_some_and(|value| !is_nothing(value));
    if let Some(member) = NOT_HERE.iter().find(asked) {
        return Err(invalid(format!("Functions that run on Meridian's nodes have no {member}: leave it out")));
    }
    let word = |member: &str, inner: &str| call.object(member).and_then(|of| of.get(inner)).and_then(Value::as_str);
    if word("SnapStart", "ApplyOn").is_some_and(|on| on != "None") {
        return Err(invalid("Functions that run on Meridian's nodes have no SnapStart: leave it out"));
    }
    if call.text("PackageType").is_some_and(|kind| kind != "Zip") {
        return Err(invalid(
            "Functions that run on Meridian's nodes are zips, no container images: PackageType must be Zip",
        ));
    }
    Ok(())
}

fn set_logging(config: &mut LoggingConfig, given: &Map<String, Value>) -> Result<(), Fault> {
    let word = |name: &str| given.get(name).and_then(Value::as_str);
    if let Some(format) = word("LogFormat") {
        format.clone_into(&mut config.log_format);
    }
    if let Some(group) = word("LogGroup") {
        if group.chars().count() > 512 {
            return Err(validation(
                group,
                "loggingConfig.logGroup",
                "Member must have length less than or equal to 512",
            ));
        }
        group.clone_into(&mut config.log_group);
    }
    let levels = [word("ApplicationLogLevel"), word("SystemLogLevel")];
    match config.log_format.as_str() {
        "JSON" => {
            for (level, place) in levels.iter().zip([&mut config.application_log_level, &mut config.system_log_level]) {
                let kept = place.take().unwrap_or_else(|| "INFO".to_owned());
                *place = Some(level.map_or(kept, str::to_owned));
            }
        }
        _ if levels.iter().any(Option::is_some) => {
            return Err(invalid("To use ApplicationLogLevel or SystemLogLevel, set LogFormat to JSON."));
        }
        _ => (config.application_log_level, config.system_log_level) = (None, None),
    }
    Ok(())
}

/// Seals the variables. Whatever is refused, no value of theirs is shown or logged.
fn set_environment(scene: &Scene<'_>, version: &mut FunctionVersion, given: &Map<String, Value>) -> Result<(), Fault> {
    let variables = given.get("Variables").and_then(Value::as_object);
    let variables: Texts = variables
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect();
    let fits = |name: &String| VARIABLE.as_ref().is_some_and(|pattern| pattern.is_match(name));
    let (reserved, other): (Vec<&str>, Vec<&String>) = (
        variables.keys().map(String::as_str).filter(|name| RESERVED.contains(name)).collect(),
        variables.keys().filter(|name| !RESERVED.contains(&name.as_str())).collect(),
    );
    if !reserved.is_empty() {
        return Err(invalid(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided contains reserved keys that are currently not supported for modification. Reserved keys used in \
             this request: {}",
            reserved.join(", ")
        )));
    }
    if let Some(name) = other.into_iter().find(|name| !fits(name)) {
        let constraint = "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: \
                          [a-zA-Z]([a-zA-Z0-9_])+]";
        return Err(validation(name, "environment.variables", constraint));
    }
    let text = serde_json::to_vec(&variables).map_err(|cause| Fault::internal(cause.to_string()))?;
    if text.len() > ENVIRONMENT_BYTES {
        return Err(invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided exceeded the 4KB limit.",
        ));
    }
    // Another stream of the mint than the revision's: the seal's nonce is nobody's id.
    let mut mint = scene.mint();
    let _revision = mint.uuid();
    version.environment_sealed = Some(scene.seal.seal(&text, mint.bytes()));
    Ok(())
}
