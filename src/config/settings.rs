//! The settings as somebody wrote them: every one may be absent, and a stronger source overrides a weaker one.

use super::{CredentialSettings, FunctionSettings, Listen};
use serde::Deserialize;
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

/// A node file, or what flags and variables say. Names are those of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where the node keeps everything.
    pub data: Option<PathBuf>,
    /// Its name in the cluster.
    pub name: Option<String>,
    /// Where it stands.
    pub region: Option<String>,
    /// Suffix of the hosts that name an API.
    pub domain: Option<String>,
    /// The first account, twelve digits.
    pub account: Option<String>,
    /// `generous` or `strict`.
    pub profile: Option<String>,
    /// What listens where.
    pub listen: ListenSettings,
    /// Certificates of the gateway.
    pub tls: TlsSettings,
    /// AWS services that integrations call.
    pub aws: AwsSettings,
    /// Where integrations may go.
    pub egress: EgressSettings,
    /// How backends are called.
    pub backends: BackendSettings,
    /// The stages' caches.
    pub cache: CacheSettings,
    /// Proxies whose `X-Forwarded-For` is believed, as addresses.
    pub trusted_proxies: Option<Vec<std::net::IpAddr>>,
    /// The cluster that this node belongs to.
    pub cluster: ClusterSettings,
    /// Where the node's own access log goes.
    pub log: LogSettings,
    /// Where the stages' logs go.
    pub logs: StageLogSettings,
    /// Lambda functions that the node runs itself.
    pub functions: FunctionSettings,
}

/// `[logs]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StageLogSettings {
    /// `files` (in `logs/` of the data directory) or `stdout`.
    pub to: Option<String>,
    /// A file that would grow beyond this is set aside, MiB.
    pub file_mib: Option<u64>,
    /// Files set aside that are kept for each log.
    pub keep: Option<u32>,
}

/// `[log]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// The access log: `stdout`, `off`, or a file.
    pub access: Option<String>,
}

/// `[listen]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenSettings {
    /// Client traffic, plain.
    pub gateway_http: Option<Listen>,
    /// Client traffic, TLS.
    pub gateway_https: Option<Listen>,
    /// Control plane and cluster admin.
    pub admin: Option<Listen>,
    /// QUIC between nodes.
    pub peers: Option<Listen>,
    /// Authoritative DNS.
    pub dns: Option<Listen>,
    /// Where other nodes reach the peers listener.
    pub advertise: Option<SocketAddr>,
}

/// `[tls]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    /// Certificate chain, PEM.
    pub cert: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
}

/// `[aws]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AwsSettings {
    /// Default endpoint for every service.
    pub endpoint: Option<String>,
    /// Endpoints by service (`lambda`), or by service and region (`lambda.eu-west-1`).
    pub endpoints: BTreeMap<String, String>,
    /// Access keys by account, by a role's ARN, or `default`.
    pub credentials: BTreeMap<String, CredentialSettings>,
}

/// `[egress]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EgressSettings {
    /// Addresses or networks (`10.0.0.0/8`) that integrations may reach although they are refused by default.
    pub allow: Option<Vec<String>>,
}

/// `[backends]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackendSettings {
    /// Certificate authorities that may vouch for backends, besides the machine's own; PEM.
    pub ca: Option<PathBuf>,
    /// Connections to one backend, at most.
    pub connections: Option<usize>,
}

/// `[cache]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSettings {
    /// Answers that all stages with a cache keep on this node, MiB.
    pub mib: Option<u64>,
}

/// `[cluster]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterSettings {
    /// The cluster's id: a node with an empty data directory then refuses to found another one.
    pub id: Option<String>,
    /// The longest round trip between voters to reckon with until it is measured, milliseconds.
    pub round_trip_ms: Option<u64>,
}

impl Settings {
    /// The settings of a node file.
    ///
    /// # Errors
    /// The TOML parser's words, with line and key: unknown keys are errors.
    pub fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// These settings, where `stronger` says nothing.
    #[must_use]
    pub fn overridden_by(self, stronger: Self) -> Self {
        Self {
            data: stronger.data.or(self.data),
            name: stronger.name.or(self.name),
            region: stronger.region.or(self.region),
            domain: stronger.domain.or(self.domain),
            account: stronger.account.or(self.account),
            profile: stronger.profile.or(self.profile),
            listen: ListenSettings {
                gateway_http: stronger.listen.gateway_http.or(self.listen.gateway_http),
                gateway_https: stronger.listen.gateway_https.or(self.listen.gateway_https),
                admin: stronger.listen.admin.or(self.listen.admin),
                peers: stronger.listen.peers.or(self.listen.peers),
                dns: stronger.listen.dns.or(self.listen.dns),
                advertise: stronger.listen.advertise.or(self.listen.advertise),
            },
            tls: TlsSettings { cert: stronger.tls.cert.or(self.tls.cert), key: stronger.tls.key.or(self.tls.key) },
            aws: AwsSettings {
                endpoint: stronger.aws.endpoint.or(self.aws.endpoint),
                endpoints: self.aws.endpoints.into_iter().chain(stronger.aws.endpoints).collect(),
                credentials: self.aws.credentials.into_iter().chain(stronger.aws.credentials).collect(),
            },
            egress: EgressSettings { allow: stronger.egress.allow.or(self.egress.allow) },
            backends: BackendSettings {
                ca: stronger.backends.ca.or(self.backends.ca),
                connections: stronger.backends.connections.or(self.backends.connections),
            },
            cache: CacheSettings { mib: stronger.cache.mib.or(self.cache.mib) },
            trusted_proxies: stronger.trusted_proxies.or(self.trusted_proxies),
            log: LogSettings { access: stronger.log.access.or(self.log.access) },
            logs: StageLogSettings {
                to: stronger.logs.to.or(self.logs.to),
                file_mib: stronger.logs.file_mib.or(self.logs.file_mib),
                keep: stronger.logs.keep.or(self.logs.keep),
            },
            functions: self.functions.overridden_by(stronger.functions),
            cluster: ClusterSettings {
                id: stronger.cluster.id.or(self.cluster.id),
                round_trip_ms: stronger.cluster.round_trip_ms.or(self.cluster.round_trip_ms),
            },
        }
    }
}
