//! A statement of a function's policy: who may do what with it.

use crate::catalog::Unknown;
use serde::{Deserialize, Serialize};

/// One permission, as AddPermission gave it; it always allows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PolicyStatement {
    /// Its name, unique in the policy.
    pub statement_id: String,
    /// `lambda:InvokeFunction`, `lambda:*`, …
    pub action: String,
    /// A service (`apigateway.amazonaws.com`), an account, an ARN, or `*`.
    pub principal: String,
    /// The resource on whose behalf a service calls, with `*` and `?`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_arn: Option<String>,
    /// The account of that resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_account: Option<String>,
    /// A token of Alexa's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_source_token: Option<String>,
    /// An organization of AWS's.
    #[serde(rename = "PrincipalOrgID", skip_serializing_if = "Option::is_none")]
    pub principal_org_id: Option<String>,
    /// `NONE` or `AWS_IAM`, for function URLs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_url_auth_type: Option<String>,
    /// Whether only calls by the function's URL are meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoked_via_function_url: Option<bool>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}
