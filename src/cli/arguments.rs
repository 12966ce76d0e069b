//! The flags and variables that make a node, as the contract names them.

use super::CliError;
use crate::config::{
    AwsSettings, ClusterSettings, FunctionSettings, Listen, ListenSettings, LogSettings, NodeConfig, Settings,
    StageLogSettings, TlsSettings,
};
use clap::Args;
use std::{net::SocketAddr, path::PathBuf};

/// Settings of a node; a flag is stronger than its variable, which is stronger than the file.
#[derive(Debug, Clone, Default, Args)]
pub struct NodeArguments {
    /// Node file (TOML); samples are in config/
    #[arg(long, env = "MERIDIAN_CONFIG")]
    config: Option<PathBuf>,
    /// Where the node keeps everything [default: ./meridian-data]
    #[arg(long, env = "MERIDIAN_DATA")]
    data: Option<PathBuf>,
    /// Name in the cluster [default: the host's]
    #[arg(long, env = "MERIDIAN_NAME")]
    name: Option<String>,
    /// Where the node stands [default: us-east-1]
    #[arg(long, env = "MERIDIAN_REGION")]
    region: Option<String>,
    /// Client traffic, plain; `off` closes it [default: 127.0.0.1:8080]
    #[arg(long, env = "MERIDIAN_GATEWAY_HTTP")]
    gateway_http: Option<Listen>,
    /// Client traffic, TLS; `off` closes it [default: 127.0.0.1:8443]
    #[arg(long, env = "MERIDIAN_GATEWAY_HTTPS")]
    gateway_https: Option<Listen>,
    /// Control plane and cluster admin [default: 127.0.0.1:4566]
    #[arg(long, env = "MERIDIAN_ADMIN")]
    admin: Option<Listen>,
    /// QUIC between nodes [default: 127.0.0.1:4567]
    #[arg(long, env = "MERIDIAN_PEERS")]
    peers: Option<Listen>,
    /// Authoritative DNS [default: off]
    #[arg(long, env = "MERIDIAN_DNS")]
    dns: Option<Listen>,
    /// Where other nodes reach the peers listener [default: where it is bound]
    #[arg(long, env = "MERIDIAN_ADVERTISE")]
    advertise: Option<SocketAddr>,
    /// Suffix of the hosts that name an API [default: localhost]
    #[arg(long, env = "MERIDIAN_DOMAIN")]
    domain: Option<String>,
    /// First account, twelve digits [default: 000000000000]
    #[arg(long, env = "MERIDIAN_ACCOUNT")]
    account: Option<String>,
    /// Endpoint for AWS services that integrations call
    #[arg(long, env = "MERIDIAN_AWS_ENDPOINT")]
    aws_endpoint: Option<String>,
    /// Limits: generous, or strict as AWS's [default: generous]
    #[arg(long, env = "MERIDIAN_PROFILE")]
    profile: Option<String>,
    /// The gateway's certificate chain, PEM [default: self-signed]
    #[arg(long, env = "MERIDIAN_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, env = "MERIDIAN_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// Access log: `stdout`, `off`, or a file [default: stdout]
    #[arg(long, env = "MERIDIAN_ACCESS_LOG")]
    access_log: Option<String>,
    /// Access and execution logs of stages: `files` (in the data directory), or `stdout` [default: files]
    #[arg(long, env = "MERIDIAN_LOGS")]
    logs: Option<String>,
    /// Run Lambda functions on this node [default: off; with --dev: on]
    #[arg(long, env = "MERIDIAN_FUNCTIONS", value_name = "on|off", value_parser = clap::builder::BoolishValueParser::new())]
    functions: Option<bool>,
    /// Longest round trip between voters to reckon with until it is measured [default: 100]
    #[arg(long, env = "MERIDIAN_ROUND_TRIP_MS", hide = true)]
    round_trip_ms: Option<u64>,
}

impl NodeArguments {
    /// The data directory that flags or variables name.
    #[must_use]
    pub fn data(&self) -> Option<&PathBuf> {
        self.data.as_ref()
    }

    /// Flags, variables and file together, completed and checked.
    ///
    /// # Errors
    /// When the file cannot be read, or a setting makes no sense.
    pub fn resolve(self, dev: bool) -> Result<NodeConfig, CliError> {
        let file = match &self.config {
            None => Settings::default(),
            Some(path) => {
                let said = |cause: String| CliError::File { path: path.clone(), cause };
                let text = std::fs::read_to_string(path).map_err(|cause| said(cause.to_string()))?;
                Settings::from_toml(&text).map_err(|cause| said(cause.to_string()))?
            }
        };
        Ok(NodeConfig::resolve(file.overridden_by(self.settings()), &host_name(), dev)?)
    }

    fn settings(self) -> Settings {
        Settings {
            data: self.data,
            name: self.name,
            region: self.region,
            domain: self.domain,
            account: self.account,
            profile: self.profile,
            listen: ListenSettings {
                gateway_http: self.gateway_http,
                gateway_https: self.gateway_https,
                admin: self.admin,
                peers: self.peers,
                dns: self.dns,
                advertise: self.advertise,
            },
            tls: TlsSettings { cert: self.tls_cert, key: self.tls_key },
            log: LogSettings { access: self.access_log },
            logs: StageLogSettings { to: self.logs, ..StageLogSettings::default() },
            functions: FunctionSettings { enabled: self.functions, ..FunctionSettings::default() },
            cluster: ClusterSettings { round_trip_ms: self.round_trip_ms, ..ClusterSettings::default() },
            aws: AwsSettings { endpoint: self.aws_endpoint, ..AwsSettings::default() },
            ..Settings::default()
        }
    }
}

/// What the machine calls itself; `node` where it says nothing fit for a name.
fn host_name() -> String {
    let said = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let fit: String =
        said.trim().chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).take(63).collect();
    if fit.is_empty() { "node".to_owned() } else { fit }
}
