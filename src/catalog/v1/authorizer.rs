//! An authorizer: who decides whether a caller may pass.

use super::{AuthorizerType, JwtAlgorithm};
use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};

/// An authorizer; row id: its id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Authorizer {
    /// Six of `[a-z0-9]`.
    pub id: String,
    /// Name for people and for OpenAPI; unique in its API.
    pub name: String,
    /// What it looks at.
    #[serde(rename = "type")]
    pub kind: AuthorizerType,
    /// The user pools of a Cognito authorizer.
    #[serde(rename = "providerARNs", skip_serializing_if = "Vec::is_empty")]
    pub provider_arns: Vec<String>,
    /// Free text that only OpenAPI shows; absent: the type's own word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_type: Option<String>,
    /// The Lambda function of a `TOKEN` or `REQUEST` authorizer, as an API Gateway path ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer_uri: Option<String>,
    /// The role that calls the function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer_credentials: Option<String>,
    /// Where the identity stands: `method.request.header.Authorization`, or a comma-separated list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_source: Option<String>,
    /// A regular expression that the whole token must match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_validation_expression: Option<String>,
    /// How long its verdict is kept, seconds; absent: 300, 0: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer_result_ttl_in_seconds: Option<i32>,
    /// The issuers of a `JWT` authorizer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt_configuration: Option<JwtConfiguration>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Default for Authorizer {
    fn default() -> Self {
        Self {
            id: String::new(),
            name: String::new(),
            kind: AuthorizerType::Token,
            provider_arns: Vec::new(),
            auth_type: None,
            authorizer_uri: None,
            authorizer_credentials: None,
            identity_source: None,
            identity_validation_expression: None,
            authorizer_result_ttl_in_seconds: None,
            jwt_configuration: None,
            unknown: Unknown::new(),
        }
    }
}

impl Noun for Authorizer {
    const TABLE: Table = Table::Authorizer;
}

/// Whose tokens pass; a part of [`Authorizer`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JwtConfiguration {
    /// The issuers.
    pub issuers: Vec<JwtIssuer>,
    /// Signature algorithms that are believed.
    pub default_algorithms: Vec<JwtAlgorithm>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// One issuer of tokens; a part of [`JwtConfiguration`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JwtIssuer {
    /// The claim `iss`, a URL.
    pub issuer: String,
    /// The audiences, one of which the token must name.
    pub audiences: Vec<String>,
    /// What else the token must claim.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub additional_claims: Vec<JwtClaim>,
    /// Where its keys are, once discovery has found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// A claim that a token must or may carry; a part of [`JwtIssuer`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JwtClaim {
    /// The claim.
    pub claim_name: String,
    /// `SINGLE_STRING`.
    pub format: String,
    /// Whether a token without it is refused.
    pub required: bool,
    /// The values that pass; none: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expected_values: Vec<String>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}
