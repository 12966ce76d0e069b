//! An alias: a name for one version, or for two with a weight.

use super::PolicyStatement;
use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// AWS's `AliasConfiguration`; row id: [`Alias::row_id`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Alias {
    /// 1 to 128 of `[a-zA-Z0-9-_]`, no number.
    pub name: String,
    /// The version that it names.
    pub function_version: String,
    /// Text for people, at most 256 characters.
    pub description: String,
    /// A second version with its share of the calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_config: Option<RoutingConfig>,
    /// Changes with every change of the alias or its policy; a UUID.
    pub revision_id: String,
    /// Who may call it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policy: Vec<PolicyStatement>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Where calls of an alias go besides.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RoutingConfig {
    /// Version → its share of the calls, 0 to 1; one at most.
    pub additional_version_weights: BTreeMap<String, f64>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for Alias {
    const TABLE: Table = Table::FunctionAlias;
}

impl Alias {
    /// `{function}/{alias}`.
    #[must_use]
    pub fn row_id(function: &str, alias: &str) -> String {
        format!("{function}/{alias}")
    }

    /// What every alias's row id begins with.
    #[must_use]
    pub fn prefix(function: &str) -> String {
        format!("{function}/")
    }

    /// The version that a call goes to; `chance` is random, 0 to 1 without 1.
    #[must_use]
    pub fn version_for(&self, chance: f64) -> &str {
        let weights = self.routing_config.iter().flat_map(|routing| &routing.additional_version_weights);
        let mut below = 0.0;
        for (version, weight) in weights {
            below += weight;
            if chance < below {
                return version;
            }
        }
        &self.function_version
    }
}
