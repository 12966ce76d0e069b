//! What a group of keys may do, where, how fast and how often.

use super::{QuotaPeriod, Texts};
use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A usage plan; row id: its id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UsagePlan {
    /// Six of `[a-z0-9]`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Text for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where its keys are good, in the order they were added.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub api_stages: Vec<ApiStage>,
    /// How fast each key may be; absent: no limit by the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttle: Option<ThrottleSettings>,
    /// How often each key may call in a period; absent: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<QuotaSettings>,
    /// AWS Marketplace's product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_code: Option<String>,
    /// Tags.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub tags: Texts,
    /// When it was made, milliseconds since 1970: the quota's offset counts in the period of this moment.
    pub created_date_ms: i64,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for UsagePlan {
    const TABLE: Table = Table::UsagePlan;
}

/// A stage that a plan covers; a part of [`UsagePlan`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiStage {
    /// The API.
    pub api_id: String,
    /// The stage's name.
    pub stage: String,
    /// `{path}/{METHOD}` (root: `//GET`) → how fast each key may call that method.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub throttle: BTreeMap<String, ThrottleSettings>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// A token bucket.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ThrottleSettings {
    /// The bucket's size, requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst_limit: Option<i32>,
    /// Requests per second; may be a fraction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<f64>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Requests per period; a part of [`UsagePlan`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QuotaSettings {
    /// Requests in one period.
    pub limit: i32,
    /// Requests that the plan's first period has less.
    pub offset: i32,
    /// How long a period is.
    pub period: QuotaPeriod,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Default for QuotaSettings {
    /// Nothing per day.
    fn default() -> Self {
        Self { limit: 0, offset: 0, period: QuotaPeriod::Day, unknown: Unknown::new() }
    }
}
