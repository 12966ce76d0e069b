//! A version of a function: its code and how that runs. `$LATEST` is the one that changes.

use super::PolicyStatement;
use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};

/// The version that changes.
pub const LATEST: &str = "$LATEST";

/// AWS's `FunctionConfiguration`; row id: [`FunctionVersion::row_id`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct FunctionVersion {
    /// The function's name.
    pub function_name: String,
    /// `$LATEST`, or a number from 1.
    pub version: String,
    /// `python3.13`, `provided.al2023`, …
    pub runtime: String,
    /// A role's ARN: shown, and never assumed.
    pub role: String,
    /// `module.function`; of no use to `provided`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handler: Option<String>,
    /// Text for people, at most 256 characters.
    pub description: String,
    /// Seconds, 1 to 900.
    pub timeout: u32,
    /// MiB, 128 to 10,240.
    pub memory_size: u32,
    /// Bytes of the zip.
    pub code_size: u64,
    /// SHA-256 of the zip, base64: the name of its blob.
    pub code_sha256: String,
    /// Environment variables: a JSON object of texts, sealed under the cluster key.
    #[serde(with = "serde_bytes", skip_serializing_if = "Option::is_none")]
    pub environment_sealed: Option<Vec<u8>>,
    /// A key's ARN: shown, and never used.
    #[serde(rename = "KMSKeyArn", skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    /// `x86_64` or `arm64`.
    pub architectures: Vec<String>,
    /// How much of `/tmp`.
    pub ephemeral_storage: EphemeralStorage,
    /// Whether calls are traced.
    pub tracing_config: TracingConfig,
    /// How its log looks.
    pub logging_config: LoggingConfig,
    /// Changes with every change of the version or its policy; a UUID.
    pub revision_id: String,
    /// When it was last changed, milliseconds since 1970.
    pub last_modified_ms: i64,
    /// Who may call it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policy: Vec<PolicyStatement>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// `/tmp`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EphemeralStorage {
    /// MiB, 512 to 10,240.
    pub size: u32,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Default for EphemeralStorage {
    fn default() -> Self {
        Self { size: 512, unknown: Unknown::new() }
    }
}

/// Tracing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TracingConfig {
    /// `Active` or `PassThrough`.
    pub mode: String,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Default for TracingConfig {
    fn default() -> Self {
        Self { mode: "PassThrough".into(), unknown: Unknown::new() }
    }
}

/// Logging.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LoggingConfig {
    /// `Text` or `JSON`.
    pub log_format: String,
    /// The least level of the function's own lines; with `JSON` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_log_level: Option<String>,
    /// The least level of the platform's lines; with `JSON` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_log_level: Option<String>,
    /// `/aws/lambda/{name}` where nothing else was said.
    pub log_group: String,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for FunctionVersion {
    const TABLE: Table = Table::FunctionVersion;
}

impl FunctionVersion {
    /// `{name}/$LATEST`, or the number with zeros before it, so that `$LATEST` comes first and the numbers in their order.
    #[must_use]
    pub fn row_id(name: &str, version: &str) -> String {
        match version {
            LATEST => format!("{name}/{LATEST}"),
            number => format!("{name}/{number:0>20}"),
        }
    }

    /// What every version's row id begins with.
    #[must_use]
    pub fn prefix(name: &str) -> String {
        format!("{name}/")
    }
}
