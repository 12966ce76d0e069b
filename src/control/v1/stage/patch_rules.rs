//! What a PATCH of a stage may do, and the words in which AWS refuses the rest.

use super::{certified, check_variable, deployed, documented, percent, set_cache};
use crate::catalog::v1::{CanarySettings, MethodSetting, Stage, Texts, UnauthorizedCacheControlHeaderStrategy};
use crate::control::patch::{self, Op, Step};
use crate::control::{Fault, Scene};
use std::str::FromStr;

/// The settings of one method, as a path names them.
const SETTINGS: [&str; 10] = [
    "metrics/enabled",
    "logging/dataTrace",
    "logging/loglevel",
    "throttling/burstLimit",
    "throttling/rateLimit",
    "caching/ttlInSeconds",
    "caching/enabled",
    "caching/dataEncrypted",
    "caching/requireAuthorizationForCacheControl",
    "caching/unauthorizedCacheControlHeaderStrategy",
];
const SCALARS: [&str; 7] = [
    "/deploymentId",
    "/description",
    "/cacheClusterEnabled",
    "/cacheClusterSize",
    "/clientCertificateId",
    "/documentationVersion",
    "/tracingEnabled",
];
const METHODS: [&str; 9] = ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY", "*"];

/// The paths as AWS lists them when it refuses one; the entries that run together do so in the original.
const PATHS: &str = "/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, \
    /accessLogSettings, /accessLogSettings/destinationArn, /accessLogSettings/format, \
    /{resourcePath}/{httpMethod}/metrics/enabled, /{resourcePath}/{httpMethod}/logging/dataTrace, \
    /{resourcePath}/{httpMethod}/logging/loglevel, /{resourcePath}/{httpMethod}/throttling/burstLimit\
    /{resourcePath}/{httpMethod}/throttling/rateLimit/{resourcePath}/{httpMethod}/caching/ttlInSeconds, \
    /{resourcePath}/{httpMethod}/caching/enabled, /{resourcePath}/{httpMethod}/caching/dataEncrypted, \
    /{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl, \
    /{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, \
    /*/*/metrics/enabled, /*/*/logging/dataTrace, /*/*/logging/loglevel, /*/*/throttling/burstLimit \
    /*/*/throttling/rateLimit /*/*/caching/ttlInSeconds, /*/*/caching/enabled, /*/*/caching/dataEncrypted, \
    /*/*/caching/requireAuthorizationForCacheControl, /*/*/caching/unauthorizedCacheControlHeaderStrategy, \
    /variables/{variable_name}, /tracingEnabled";

/// Applies one step to a stage in the making.
///
/// # Errors
/// BadRequest in AWS's words.
pub(super) fn apply(stage: &mut Stage, step: &Step, scene: &Scene<'_>) -> Result<(), Fault> {
    let path = step.path.as_str();
    match step.op {
        Op::Add | Op::Replace if under(path, "/canarySettings") => set_canary(stage, step, scene),
        Op::Add | Op::Replace if under(path, "/accessLogSettings") => set_access_log(stage, step),
        Op::Add | Op::Replace => set(stage, step, scene),
        Op::Remove => remove(stage, path),
        Op::Copy => copy(stage, path, step.from.as_deref()),
        Op::Move | Op::Test => Err(patch::bad_op(&[Op::Add, Op::Remove, Op::Replace, Op::Copy])),
    }
}

fn under(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn unknown(path: &str) -> Fault {
    Fault::bad_request(format!("Invalid method setting path: {path}. Must be one of: [{PATHS}]"))
}

fn no_setting(path: &str) -> Fault {
    let key = path.trim_start_matches('/');
    Fault::bad_request(format!(
        "Cannot remove method setting {key} because there is no method setting for this method "
    ))
}

fn set(stage: &mut Stage, step: &Step, scene: &Scene<'_>) -> Result<(), Fault> {
    let path = step.path.as_str();
    if let Some((key, setting)) = method_setting(path) {
        return set_method(stage, key, setting, step.text());
    }
    if let Some(name) = path.strip_prefix("/variables/") {
        let name = unescape(name);
        check_variable(&name, step.value.as_deref())?;
        stage.variables.get_or_insert_default().insert(name, step.text().to_owned());
        return Ok(());
    }
    if step.op == Op::Add && SCALARS.contains(&path) {
        return Err(patch::bad_op(&[Op::Replace]));
    }
    match path {
        "/deploymentId" => stage.deployment_id = deployed(scene, step.text())?,
        "/description" => stage.description = step.cleared(),
        "/cacheClusterEnabled" => set_cache(stage, step.flag()),
        "/cacheClusterSize" => stage.cache_cluster_size = step.cleared().map(cache_size).transpose()?,
        "/clientCertificateId" => {
            stage.client_certificate_id = step.cleared().map(|id| certified(scene, id)).transpose()?;
        }
        "/documentationVersion" => {
            stage.documentation_version = step.cleared().map(|version| documented(scene, version)).transpose()?;
        }
        "/tracingEnabled" => stage.tracing_enabled = step.flag(),
        _ => return Err(unknown(path)),
    }
    Ok(())
}

fn unescape(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

fn cache_size(size: String) -> Result<String, Fault> {
    let sizes = ["0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237"];
    if sizes.contains(&size.as_str()) {
        return Ok(size);
    }
    Err(Fault::bad_request(format!("Invalid cacheClusterSize specified. Must be one of: [{}]", sizes.join(", "))))
}

/// `/{resourcePath}/{METHOD}/{group}/{name}` → the key in `methodSettings` and the setting. A resource path may hold
/// bare slashes: that is how Terraform sends it.
fn method_setting(path: &str) -> Option<(&str, &'static str)> {
    let whole = path.strip_prefix('/')?;
    let setting = SETTINGS.into_iter().find(|setting| whole.ends_with(setting))?;
    let key = whole.strip_suffix(setting)?.strip_suffix('/')?;
    let (resource, method) = key.rsplit_once('/')?;
    (!resource.is_empty() && METHODS.contains(&method)).then_some((key, setting))
}

/// The first setting of a method makes its whole record, as a copy of `*/*` where there is one.
fn set_method(stage: &mut Stage, key: &str, setting: &'static str, value: &str) -> Result<(), Fault> {
    let mut record = match stage.method_settings.get(key) {
        Some(record) => record.clone(),
        None => stage.method_settings.get("*/*").cloned().unwrap_or_default(),
    };
    set_one(&mut record, setting, value)?;
    stage.method_settings.insert(key.to_owned(), record);
    Ok(())
}

fn set_one(record: &mut MethodSetting, setting: &'static str, value: &str) -> Result<(), Fault> {
    match setting {
        "metrics/enabled" => record.metrics_enabled = truth(value),
        "logging/dataTrace" => record.data_trace_enabled = truth(value),
        "logging/loglevel" => {
            let level = value.to_ascii_uppercase();
            if !["OFF", "ERROR", "INFO"].contains(&level.as_str()) {
                return Err(refused(setting, value, "one of: [OFF, ERROR, INFO]"));
            }
            record.logging_level = Some(level);
        }
        "throttling/burstLimit" => {
            record.throttling_burst_limit =
                number(setting, value, |limit: &i32| *limit >= -1, "a whole number from -1 on")?;
        }
        "throttling/rateLimit" => {
            let fits = |rate: &f64| rate.is_finite() && (*rate >= 0.0 || *rate == -1.0);
            record.throttling_rate_limit = number(setting, value, fits, "a number from 0 on, or -1")?;
        }
        "caching/ttlInSeconds" => {
            let fits = |seconds: &i32| (0..=3600).contains(seconds);
            record.cache_ttl_in_seconds = number(setting, value, fits, "between 0 and 3600")?;
        }
        "caching/enabled" => record.caching_enabled = truth(value),
        "caching/dataEncrypted" => record.cache_data_encrypted = truth(value),
        "caching/requireAuthorizationForCacheControl" => {
            record.require_authorization_for_cache_control = truth(value);
        }
        _ => {
            let known = UnauthorizedCacheControlHeaderStrategy::known(value);
            let words: Vec<&str> =
                UnauthorizedCacheControlHeaderStrategy::KNOWN.iter().map(|word| word.as_str()).collect();
            record.unauthorized_cache_control_header_strategy =
                known.ok_or_else(|| refused(setting, value, &format!("one of: [{}]", words.join(", "))))?;
        }
    }
    Ok(())
}

fn truth(value: &str) -> bool {
    value.eq_ignore_ascii_case("true")
}

fn number<N: FromStr>(setting: &str, value: &str, fits: impl Fn(&N) -> bool, wanted: &str) -> Result<N, Fault> {
    value.parse().ok().filter(fits).ok_or_else(|| refused(setting, value, wanted))
}

fn refused(setting: &str, value: &str, wanted: &str) -> Fault {
    let shown: String = value.chars().take(64).collect();
    Fault::bad_request(format!("Invalid value specified for {setting}: {shown}. Must be {wanted}"))
}

fn set_access_log(stage: &mut Stage, step: &Step) -> Result<(), Fault> {
    let member = step.path.trim_start_matches("/accessLogSettings");
    if !["/destinationArn", "/format"].contains(&member) {
        return Err(Fault::bad_request(
            "Invalid accessLogSettings path. Must be one of : [/accessLogSettings/destinationArn, /accessLogSettings/format]",
        ));
    }
    let text = step.cleared().ok_or_else(|| Fault::bad_request("Access Log value must not be empty"))?;
    let settings = stage.access_log_settings.get_or_insert_default();
    match member {
        "/format" => settings.format = Some(text),
        _ => settings.destination_arn = Some(text),
    }
    Ok(())
}

fn set_canary(stage: &mut Stage, step: &Step, scene: &Scene<'_>) -> Result<(), Fault> {
    let path = step.path.as_str();
    let member = path.trim_start_matches("/canarySettings");
    let overridden = member.strip_prefix("/stageVariableOverrides/").filter(|name| !name.is_empty());
    if overridden.is_none() && !["/percentTraffic", "/deploymentId", "/useStageCache"].contains(&member) {
        return Err(unknown(path));
    }
    if step.op == Op::Add {
        return Err(Fault::bad_request(format!("Invalid add operation with path: {path}")));
    }
    // A stage without a canary gets one that changes nothing, and then the change.
    let own = stage.deployment_id.clone();
    let mut canary =
        stage.canary_settings.clone().unwrap_or(CanarySettings { deployment_id: own, ..Default::default() });
    match member {
        "/percentTraffic" => {
            canary.percent_traffic = percent(step.text().parse().unwrap_or(f64::NAN))?;
        }
        "/deploymentId" => canary.deployment_id = deployed(scene, step.text())?,
        "/useStageCache" => canary.use_stage_cache = step.flag(),
        _ => {
            let name = unescape(overridden.unwrap_or_default());
            check_variable(&name, step.value.as_deref())?;
            canary.stage_variable_overrides.get_or_insert_default().insert(name, step.text().to_owned());
        }
    }
    stage.canary_settings = Some(canary);
    Ok(())
}

fn remove(stage: &mut Stage, path: &str) -> Result<(), Fault> {
    if let Some(name) = path.strip_prefix("/variables/") {
        let name = unescape(name);
        if let Some(variables) = stage.variables.as_mut() {
            variables.remove(&name);
        }
        stage.variables = stage.variables.take().filter(|variables| !variables.is_empty());
        return Ok(());
    }
    if let Some(name) = path.strip_prefix("/canarySettings/stageVariableOverrides/") {
        let canary = stage.canary_settings.as_mut().ok_or_else(|| no_setting(path))?;
        let overrides = canary.stage_variable_overrides.as_mut();
        overrides.and_then(|overrides| overrides.remove(&unescape(name))).ok_or_else(|| no_setting(path))?;
        return Ok(());
    }
    match path {
        "/accessLogSettings" => stage.access_log_settings = None,
        "/canarySettings" => stage.canary_settings = None,
        "/canarySettings/percentTraffic" | "/canarySettings/deploymentId" | "/canarySettings/useStageCache" => {
            return Err(Fault::bad_request(format!("Invalid remove operation with path: {path}")));
        }
        _ => {
            let key = path.strip_prefix('/').filter(|key| key.contains('/')).ok_or_else(|| unknown(path))?;
            stage.method_settings.remove(key).ok_or_else(|| no_setting(path))?;
        }
    }
    Ok(())
}

/// Promotion: a canary's deployment, or its overrides merged into the stage's variables.
fn copy(stage: &mut Stage, path: &str, from: Option<&str>) -> Result<(), Fault> {
    let from = from.unwrap_or("null");
    let target = ["/deploymentId", "/variables"].contains(&path);
    let source = ["/canarySettings/deploymentId", "/canarySettings/stageVariableOverrides"].contains(&from);
    if !target || !source || path.ends_with("Id") != from.ends_with("Id") {
        return Err(Fault::bad_request(format!(
            "Invalid copy operation with path: {path} and from {from}. Valid copy:path are [/deploymentId, /variables] and \
             valid copy:from are [/canarySettings/deploymentId, /canarySettings/stageVariableOverrides]"
        )));
    }
    let Some(canary) = &stage.canary_settings else {
        return Err(Fault::bad_request("Promotion not available. Canary does not exist."));
    };
    if path == "/deploymentId" {
        stage.deployment_id.clone_from(&canary.deployment_id);
    } else {
        let overrides: Texts = canary.stage_variable_overrides.clone().unwrap_or_default();
        stage.variables.get_or_insert_default().extend(overrides);
        stage.variables = stage.variables.take().filter(|variables| !variables.is_empty());
    }
    Ok(())
}
