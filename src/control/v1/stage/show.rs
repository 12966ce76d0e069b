//! A stage as AWS shows it.

use crate::catalog::v1::{AccessLogSettings, CanarySettings, MethodSetting, Stage, Texts};
use crate::control::render::{Object, texts};
use serde_json::Value;

/// The stage's JSON: absent members omitted, settings always there.
pub(super) fn show(stage: &Stage) -> Object {
    let settings = stage.method_settings.iter().map(|(key, setting)| (key.clone(), show_setting(setting)));
    Object::new()
        .set("deploymentId", stage.deployment_id.as_str())
        .maybe("clientCertificateId", stage.client_certificate_id.as_deref())
        .set("stageName", stage.stage_name.as_str())
        .maybe("description", stage.description.as_deref())
        .set("cacheClusterEnabled", stage.cache_cluster_enabled)
        .maybe("cacheClusterSize", stage.cache_cluster_size.as_deref())
        .set("cacheClusterStatus", stage.cache_cluster_status.as_deref().unwrap_or("NOT_AVAILABLE"))
        .set("methodSettings", Value::Object(settings.collect()))
        .maybe("variables", stage.variables.as_ref().map(texts))
        .maybe("documentationVersion", stage.documentation_version.as_deref())
        .maybe("accessLogSettings", stage.access_log_settings.as_ref().map(show_access_log))
        .maybe("canarySettings", stage.canary_settings.as_ref().map(show_canary))
        .set("tracingEnabled", stage.tracing_enabled)
        .maybe("webAclArn", stage.web_acl_arn.as_deref())
        .map("tags", &stage.tags)
        .time("createdDate", stage.created_date_ms)
        .time("lastUpdatedDate", stage.last_updated_date_ms)
}

fn show_setting(setting: &MethodSetting) -> Value {
    Object::new()
        .set("metricsEnabled", setting.metrics_enabled)
        .maybe("loggingLevel", setting.logging_level.as_deref())
        .set("dataTraceEnabled", setting.data_trace_enabled)
        .set("throttlingBurstLimit", setting.throttling_burst_limit)
        .set("throttlingRateLimit", setting.throttling_rate_limit)
        .set("cachingEnabled", setting.caching_enabled)
        .set("cacheTtlInSeconds", setting.cache_ttl_in_seconds)
        .set("cacheDataEncrypted", setting.cache_data_encrypted)
        .set("requireAuthorizationForCacheControl", setting.require_authorization_for_cache_control)
        .set("unauthorizedCacheControlHeaderStrategy", setting.unauthorized_cache_control_header_strategy.as_str())
        .into_value()
}

fn show_access_log(settings: &AccessLogSettings) -> Value {
    Object::new()
        .maybe("format", settings.format.as_deref())
        .maybe("destinationArn", settings.destination_arn.as_deref())
        .into_value()
}

fn show_canary(canary: &CanarySettings) -> Value {
    let overrides = canary.stage_variable_overrides.as_ref().filter(|overrides: &&Texts| !overrides.is_empty());
    Object::new()
        .set("percentTraffic", canary.percent_traffic)
        .set("deploymentId", canary.deployment_id.as_str())
        .maybe("stageVariableOverrides", overrides.map(texts))
        .set("useStageCache", canary.use_stage_cache)
        .into_value()
}
