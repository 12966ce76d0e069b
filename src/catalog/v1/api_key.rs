//! An API key: what a client sends in `x-api-key`.

use super::{Texts, is_false};
use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};

/// An API key; row id: its id. Its value is never stored in the clear.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiKey {
    /// Ten of `[a-z0-9]`.
    pub id: String,
    /// Name for people; need not be unique.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// AWS Marketplace's customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// Text for people, at most 125,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether requests with it pass.
    #[serde(skip_serializing_if = "is_false")]
    pub enabled: bool,
    /// Legacy links to stages, `{apiId}/{stageName}`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stage_keys: Vec<String>,
    /// Tags.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub tags: Texts,
    /// The value, sealed under the cluster key.
    #[serde(with = "serde_bytes", skip_serializing_if = "Vec::is_empty")]
    pub value_sealed: Vec<u8>,
    /// HMAC-SHA-256 of the value under the cluster key: how a request's key is found. Unique per account and region.
    #[serde(with = "serde_bytes", skip_serializing_if = "Option::is_none")]
    pub value_hash: Option<[u8; 32]>,
    /// The usage plans it belongs to: the same facts as the [`super::UsagePlanKey`] rows, kept here so that admission
    /// of a request reads one row. Both are always written together.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plan_ids: Vec<String>,
    /// When it was made, milliseconds since 1970.
    pub created_date_ms: i64,
    /// When it was last changed, milliseconds since 1970.
    pub last_updated_date_ms: i64,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for ApiKey {
    const TABLE: Table = Table::ApiKey;
}
