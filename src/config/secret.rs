//! Secrets in the node file: given there, in a file of their own, or in a variable; never shown.

use serde::Deserialize;
use std::path::PathBuf;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// `[aws.credentials.NAME]`: an access key. Each part is given as it is, or by the file or the variable that holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CredentialSettings {
    /// The access key's id.
    pub access_key: Option<String>,
    /// A file that holds it.
    pub access_key_file: Option<PathBuf>,
    /// A variable that holds it.
    pub access_key_variable: Option<String>,
    /// The secret access key.
    pub secret: Option<Secret>,
    /// A file that holds it.
    pub secret_file: Option<PathBuf>,
    /// A variable that holds it.
    pub secret_variable: Option<String>,
    /// The session token of temporary credentials.
    pub token: Option<Secret>,
    /// A file that holds it.
    pub token_file: Option<PathBuf>,
    /// A variable that holds it.
    pub token_variable: Option<String>,
    /// Further accounts that it is for; only with `default`.
    pub accounts: Option<Vec<String>>,
}
