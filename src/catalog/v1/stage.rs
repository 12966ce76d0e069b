//! A named place where a deployment is served.

use super::{Texts, UnauthorizedCacheControlHeaderStrategy, is_false};
use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A stage; row id: its name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stage {
    /// `[a-zA-Z0-9_-]`, at most 128 characters.
    pub stage_name: String,
    /// The deployment that it serves.
    pub deployment_id: String,
    /// The certificate shown to backends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate_id: Option<String>,
    /// Text for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether answers may be cached.
    #[serde(skip_serializing_if = "is_false")]
    pub cache_cluster_enabled: bool,
    /// `0.5` … `237`, gigabytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_cluster_size: Option<String>,
    /// `AVAILABLE` and its fellows; absent: `NOT_AVAILABLE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_cluster_status: Option<String>,
    /// `*/*`, `pets/GET` or `~1a~1b/GET` → settings.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub method_settings: BTreeMap<String, MethodSetting>,
    /// Stage variables. Some and empty when they were given empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variables: Option<Texts>,
    /// The documentation that it shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documentation_version: Option<String>,
    /// Where its access log goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log_settings: Option<AccessLogSettings>,
    /// A part of its traffic for another deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary_settings: Option<CanarySettings>,
    /// Whether requests are traced.
    #[serde(skip_serializing_if = "is_false")]
    pub tracing_enabled: bool,
    /// The web ACL before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_acl_arn: Option<String>,
    /// Tags.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub tags: Texts,
    /// Grows by one with every write: edge and region agree on (deployment, revision).
    pub revision: u64,
    /// When it was made, milliseconds since 1970.
    pub created_date_ms: i64,
    /// When it was last changed, milliseconds since 1970.
    pub last_updated_date_ms: i64,
    /// How often its cache was flushed: what was cached under another count is stale.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub cache_flushes: u64,
    /// The same for the verdicts of its authorizers.
    #[serde(skip_serializing_if = "super::is_zero")]
    pub authorizer_flushes: u64,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for Stage {
    const TABLE: Table = Table::Stage;
}

/// Settings of one method, or of all (`*/*`); a part of [`Stage`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MethodSetting {
    /// Whether metrics are kept.
    pub metrics_enabled: bool,
    /// `OFF`, `ERROR` or `INFO`; absent until set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging_level: Option<String>,
    /// Whether requests are logged whole.
    pub data_trace_enabled: bool,
    /// Requests at once; -1: no limit here.
    pub throttling_burst_limit: i32,
    /// Requests per second; -1: no limit here.
    pub throttling_rate_limit: f64,
    /// Whether answers are cached.
    pub caching_enabled: bool,
    /// How long, seconds.
    pub cache_ttl_in_seconds: i32,
    /// Whether cached answers are encrypted.
    pub cache_data_encrypted: bool,
    /// Whether invalidation by a client needs permission.
    pub require_authorization_for_cache_control: bool,
    /// What a client without that permission gets.
    pub unauthorized_cache_control_header_strategy: UnauthorizedCacheControlHeaderStrategy,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Default for MethodSetting {
    /// What AWS shows when the first setting makes the record.
    fn default() -> Self {
        Self {
            metrics_enabled: false,
            logging_level: None,
            data_trace_enabled: false,
            throttling_burst_limit: 5_000,
            throttling_rate_limit: 10_000.0,
            caching_enabled: false,
            cache_ttl_in_seconds: 300,
            cache_data_encrypted: false,
            require_authorization_for_cache_control: true,
            unauthorized_cache_control_header_strategy:
                UnauthorizedCacheControlHeaderStrategy::SucceedWithResponseHeader,
            unknown: Unknown::new(),
        }
    }
}

/// A part of a stage's traffic for another deployment; a part of [`Stage`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CanarySettings {
    /// How much of the traffic, 0–100.
    pub percent_traffic: f64,
    /// The deployment that it gets.
    pub deployment_id: String,
    /// Stage variables that differ. Some and empty when they were given empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage_variable_overrides: Option<Texts>,
    /// Whether it shares the stage's cache.
    pub use_stage_cache: bool,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Where a stage's access log goes; a part of [`Stage`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AccessLogSettings {
    /// The line, with `$context` variables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The log group or stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_arn: Option<String>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}
