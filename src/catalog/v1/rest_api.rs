//! An API.

use super::{ApiKeySource, EndpointType, IpAddressType, Texts, is_false};
use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};

/// A REST API; row id: its id, in its own scope.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestApi {
    /// Ten of `[a-z0-9]`.
    pub id: String,
    /// Name for people; need not be unique.
    pub name: String,
    /// Text for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Version for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What the import complained about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Media types that are passed as bytes, in the order they were given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub binary_media_types: Vec<String>,
    /// Answers from this size on are compressed, bytes; absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_compression_size: Option<i32>,
    /// Where keys are looked for; absent: the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_source: Option<ApiKeySource>,
    /// How it is reached.
    pub endpoint_configuration: EndpointConfiguration,
    /// The resource policy, JSON text as it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Tags. `meridian:regions` adds regions that serve it.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub tags: Texts,
    /// Whether only custom domains reach it.
    #[serde(skip_serializing_if = "is_false")]
    pub disable_execute_api_endpoint: bool,
    /// The resource `/`.
    pub root_resource_id: String,
    /// Least TLS version and ciphers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_policy: Option<String>,
    /// `BASIC` or `STRICT`: whether the host must be the one that the certificate names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_access_mode: Option<String>,
    /// `AVAILABLE` and its fellows, where AWS shows one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_status: Option<String>,
    /// Why `api_status` is not `AVAILABLE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_status_message: Option<String>,
    /// When it was made, milliseconds since 1970.
    pub created_date_ms: i64,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for RestApi {
    const TABLE: Table = Table::RestApi;
}

/// How an API is reached; a part of [`RestApi`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointConfiguration {
    /// One endpoint type.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<EndpointType>,
    /// The address families.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address_type: Option<IpAddressType>,
    /// The VPC endpoints of a private API.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vpc_endpoint_ids: Vec<String>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}
