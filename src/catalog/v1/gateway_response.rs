//! A gateway response of one's own: how the gateway itself says no.

use super::{GatewayResponseType, Texts};
use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};

/// A customised gateway response; row id: its type. Types without a row answer by their defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayResponse {
    /// Which refusal it dresses.
    pub response_type: GatewayResponseType,
    /// Three digits; absent: the type's own status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<String>,
    /// `gatewayresponse.header.{name}` → where its value comes from.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub response_parameters: Texts,
    /// Media type → template; absent: the default template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_templates: Option<Texts>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Default for GatewayResponse {
    fn default() -> Self {
        Self {
            response_type: GatewayResponseType::Default4xx,
            status_code: None,
            response_parameters: Texts::new(),
            response_templates: None,
            unknown: Unknown::new(),
        }
    }
}

impl Noun for GatewayResponse {
    const TABLE: Table = Table::GatewayResponse;
}
