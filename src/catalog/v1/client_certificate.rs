//! A client certificate: how a stage shows backends who it is.

use super::Texts;
use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};

/// A client certificate; row id: its id. Its private key is never stored in the clear.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientCertificate {
    /// Six of `[a-z0-9]`.
    pub client_certificate_id: String,
    /// Text for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The certificate, PEM: what backends are told to trust.
    pub pem_encoded_certificate: String,
    /// The private key (PKCS #8, DER), sealed under the cluster key.
    #[serde(with = "serde_bytes", skip_serializing_if = "Vec::is_empty")]
    pub private_key_sealed: Vec<u8>,
    /// Tags.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub tags: Texts,
    /// When it was made, milliseconds since 1970.
    pub created_date_ms: i64,
    /// When it ends, milliseconds since 1970.
    pub expiration_date_ms: i64,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for ClientCertificate {
    const TABLE: Table = Table::ClientCertificate;
}
