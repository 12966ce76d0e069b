//! Custom domain names, the APIs under them, and who may reach a private one.

use super::{EndpointConfiguration, RoutingMode, Texts};
use crate::catalog::{Noun, Table, Unknown};
use serde::{Deserialize, Serialize};

/// A custom domain name; row id: [`DomainName::row_id`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DomainName {
    /// The name, in lower case; `*.example.com` stands for all names below.
    pub domain_name: String,
    /// The id of a private one, which tells it from others of the same name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain_name_id: Option<String>,
    /// The ARN of a private one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain_name_arn: Option<String>,
    /// Name of an edge certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_name: Option<String>,
    /// The certificate of an edge or private name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_arn: Option<String>,
    /// When the certificate was given, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_upload_date_ms: Option<i64>,
    /// Where DNS is to point for a regional name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regional_domain_name: Option<String>,
    /// The hosted zone of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regional_hosted_zone_id: Option<String>,
    /// Name of a regional certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regional_certificate_name: Option<String>,
    /// The certificate of a regional name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regional_certificate_arn: Option<String>,
    /// Where DNS is to point for an edge name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution_domain_name: Option<String>,
    /// The hosted zone of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution_hosted_zone_id: Option<String>,
    /// How it is reached.
    pub endpoint_configuration: EndpointConfiguration,
    /// `AVAILABLE` and its fellows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain_name_status: Option<String>,
    /// Why it is not `AVAILABLE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain_name_status_message: Option<String>,
    /// Least TLS version and ciphers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_policy: Option<String>,
    /// `BASIC` or `STRICT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_access_mode: Option<String>,
    /// Tags.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub tags: Texts,
    /// Which client certificates pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mutual_tls_authentication: Option<MutualTlsAuthentication>,
    /// A public certificate that proves ownership.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ownership_verification_certificate_arn: Option<String>,
    /// Who may associate with a private one, JSON text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_policy: Option<String>,
    /// Who may call through a private one, JSON text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Whether rules, mappings or both decide; absent: mappings only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_mode: Option<RoutingMode>,
    /// A certificate that was given by value, PEM, with its chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_pem: Option<String>,
    /// The private key of that, PEM, sealed under the cluster key.
    #[serde(with = "serde_bytes", skip_serializing_if = "Vec::is_empty")]
    pub private_key_sealed: Vec<u8>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl DomainName {
    /// The id of a domain name's row: the name, and for a private one `{name}+{id}`.
    #[must_use]
    pub fn row_id(name: &str, id: Option<&str>) -> String {
        id.map_or_else(|| name.to_owned(), |id| format!("{name}+{id}"))
    }
}

impl Noun for DomainName {
    const TABLE: Table = Table::DomainName;
}

/// Which client certificates pass; a part of [`DomainName`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MutualTlsAuthentication {
    /// `s3://bucket/key.pem`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truststore_uri: Option<String>,
    /// The object's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truststore_version: Option<String>,
    /// What is odd about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub truststore_warnings: Vec<String>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// A stage under a path of a domain name; row id: [`BasePathMapping::row_id`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BasePathMapping {
    /// The path without slashes around it; `(none)` for the root.
    pub base_path: String,
    /// The API.
    pub rest_api_id: String,
    /// The stage; absent: the request's first segment after the base path names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl BasePathMapping {
    /// The base path of the root, as AWS writes it.
    pub const NONE: &'static str = "(none)";

    /// The id of a mapping's row: the domain's row id, a slash, the base path.
    #[must_use]
    pub fn row_id(domain: &str, base_path: &str) -> String {
        format!("{domain}/{base_path}")
    }
}

impl Noun for BasePathMapping {
    const TABLE: Table = Table::BasePathMapping;
}

/// A VPC endpoint's way to a private domain name; row id: its ARN, in the scope of the account that made it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DomainNameAccessAssociation {
    /// Its ARN.
    pub domain_name_access_association_arn: String,
    /// The private domain name.
    pub domain_name_arn: String,
    /// `VPCE`.
    pub access_association_source_type: String,
    /// The VPC endpoint's id.
    pub access_association_source: String,
    /// Tags.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub tags: Texts,
    /// Whether the domain's owner refused it.
    #[serde(skip_serializing_if = "super::is_false")]
    pub rejected: bool,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Noun for DomainNameAccessAssociation {
    const TABLE: Table = Table::DomainNameAccessAssociation;
}
