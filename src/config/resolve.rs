//! Settings checked and completed: what the node is built from.

use super::{AwsSettings, Functions, Listen, Settings, StageLogSettings};
use crate::catalog::{AccountId, Region};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

/// Which limits hold where AWS has one (design §6).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Profile {
    /// Generous where that harms nobody.
    #[default]
    Generous,
    /// AWS's numbers.
    Strict,
}

/// Where one line per visit goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AccessLog {
    /// Nowhere.
    Off,
    /// Standard output, after the first line.
    #[default]
    Stdout,
    /// Appended to a file.
    File(PathBuf),
}

/// Where the stages' access and execution logs go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageLogs {
    /// To standard output, each line with its log's name before it; else to files in `logs/` of the data directory.
    pub stdout: bool,
    /// A file that would grow beyond this is set aside, bytes.
    pub file_bytes: u64,
    /// Files set aside that are kept for each log.
    pub keep: u32,
}

/// A certificate and its key, PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// A node's configuration, complete and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeConfig {
    /// Where the node keeps everything.
    pub data: PathBuf,
    /// Its name in the cluster.
    pub name: String,
    /// Where it stands.
    pub region: Region,
    /// Suffix of the hosts that name an API.
    pub domain: String,
    /// The first account.
    pub account: AccountId,
    /// Which limits hold.
    pub profile: Profile,
    /// Client traffic, plain.
    pub gateway_http: Listen,
    /// Client traffic, TLS.
    pub gateway_https: Listen,
    /// Control plane and cluster admin.
    pub admin: Listen,
    /// QUIC between nodes.
    pub peers: SocketAddr,
    /// Where other nodes reach the peers listener; `None`: where it is bound.
    pub advertise: Option<SocketAddr>,
    /// The gateway's certificate; `None`: a self-signed one.
    pub tls: Option<TlsFiles>,
    /// AWS services that integrations call.
    pub aws: AwsSettings,
    /// What integrations may reach although it is refused by default.
    pub egress_allow: Vec<String>,
    /// Who may vouch for backends besides the machine's own authorities; a PEM file.
    pub backend_ca: Option<PathBuf>,
    /// Connections to one backend, at most.
    pub backend_connections: usize,
    /// Answers that all stages with a cache keep on this node, bytes.
    pub cache_bytes: u64,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Where one line per visit goes.
    pub access_log: AccessLog,
    /// Where the stages' logs go.
    pub stage_logs: StageLogs,
    /// Lambda functions that the node runs itself.
    pub functions: Functions,
    /// The cluster that this node must belong to, if the operator names one.
    pub cluster_id: Option<String>,
    /// The longest round trip between voters to reckon with until it is measured, milliseconds.
    pub round_trip_ms: u64,
    /// Accept any credentials, on loopback only.
    pub dev: bool,
}

/// Why settings make no node. Each says which one, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A value has no meaning.
    #[error("{name} = `{value}`: {rule}")]
    Value {
        /// The setting.
        name: &'static str,
        /// What was written.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// A listener that does not exist yet was asked for.
    #[error("the {0} listener is not built yet: leave it off")]
    NotBuilt(&'static str),
    /// `--dev` beyond loopback.
    #[error(
        "--dev accepts any credentials, so {name} must be on loopback, not at {at}: drop --dev or bind to 127.0.0.1"
    )]
    DevBeyondLoopback {
        /// The listener.
        name: &'static str,
        /// Where it was put.
        at: SocketAddr,
    },
    /// The admin listener beyond loopback, without TLS.
    #[error(
        "the admin listener at {0} would be reached from outside without TLS: set --tls-cert and --tls-key, or bind it to 127.0.0.1"
    )]
    AdminWithoutTls(SocketAddr),
    /// Nobody could reach this address.
    #[error(
        "peers are bound to {0}, which other nodes cannot dial: say with --advertise IP:PORT where they reach this node"
    )]
    Advertise(SocketAddr),
    /// One of a pair.
    #[error("tls needs both a certificate and a key: set --tls-cert and --tls-key")]
    TlsPair,
}

fn local(port: u16) -> Listen {
    Listen::At(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
}

impl NodeConfig {
    /// Completes settings with their defaults (design §3) and checks them. `host_name` names the node where nothing else does.
    ///
    /// # Errors
    /// The first setting that makes no sense, and what to write instead.
    pub fn resolve(settings: Settings, host_name: &str, dev: bool) -> Result<Self, ConfigError> {
        let Settings { listen, tls, .. } = &settings;
        if listen.dns.is_some_and(|dns| dns != Listen::Off) {
            return Err(ConfigError::NotBuilt("DNS"));
        }
        let tls = match (&tls.cert, &tls.key) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert: cert.clone(), key: key.clone() }),
            (None, None) => None,
            _ => return Err(ConfigError::TlsPair),
        };
        let Some(peers) = listen.peers.unwrap_or(local(4567)).address() else {
            return Err(ConfigError::Value {
                name: "listen.peers",
                value: "off".into(),
                rule: "a node always has a peers listener, on loopback if it stands alone",
            });
        };
        let config = Self {
            data: settings.data.clone().unwrap_or_else(|| PathBuf::from("./meridian-data")),
            name: checked("name", settings.name.as_deref().unwrap_or(host_name), NAME_RULE, is_name)?,
            region: Region::from(checked(
                "region",
                settings.region.as_deref().unwrap_or("us-east-1"),
                "1–32 of a–z, 0–9 and -, such as eu-west-1",
                |text| Region::from(text).is_valid(),
            )?),
            domain: checked("domain", settings.domain.as_deref().unwrap_or("localhost"), DOMAIN_RULE, is_domain)?,
            account: AccountId::from(checked(
                "account",
                settings.account.as_deref().unwrap_or("000000000000"),
                "twelve digits",
                |text| AccountId::from(text).is_valid(),
            )?),
            profile: match settings.profile.as_deref() {
                None | Some("generous") => Profile::Generous,
                Some("strict") => Profile::Strict,
                Some(other) => {
                    let (name, value) = ("profile", other.to_owned());
                    return Err(ConfigError::Value { name, value, rule: "generous or strict" });
                }
            },
            gateway_http: listen.gateway_http.unwrap_or(local(8080)),
            gateway_https: listen.gateway_https.unwrap_or(local(8443)),
            admin: listen.admin.unwrap_or(local(4566)),
            peers,
            advertise: listen.advertise,
            tls,
            aws: settings.aws,
            egress_allow: settings.egress.allow.unwrap_or_default(),
            backend_ca: settings.backends.ca,
            backend_connections: backend_connections(settings.backends.connections)?,
            cache_bytes: cache_bytes(settings.cache.mib)?,
            trusted_proxies: settings.trusted_proxies.unwrap_or_default(),
            access_log: access_log(settings.log.access.as_deref()),
            stage_logs: stage_logs(&settings.logs)?,
            functions: settings.functions.resolve(dev)?,
            cluster_id: settings.cluster.id,
            round_trip_ms: settings.cluster.round_trip_ms.unwrap_or(100).min(2_000),
            dev,
        };
        config.check_reach()?;
        Ok(config)
    }

    /// Foundations §8.2, §8.8: what may be reached from outside, and how.
    fn check_reach(&self) -> Result<(), ConfigError> {
        if self.dev {
            let listeners = [
                ("gateway_http", self.gateway_http),
                ("gateway_https", self.gateway_https),
                ("admin", self.admin),
                ("peers", Listen::At(self.peers)),
            ];
            for (name, listen) in listeners {
                if let (false, Some(at)) = (listen.is_private(), listen.address()) {
                    return Err(ConfigError::DevBeyondLoopback { name, at });
                }
            }
        }
        if let (false, Some(at), None) = (self.admin.is_private(), self.admin.address(), &self.tls) {
            return Err(ConfigError::AdminWithoutTls(at));
        }
        if self.peers.ip().is_unspecified() && self.advertise.is_none() {
            return Err(ConfigError::Advertise(self.peers));
        }
        Ok(())
    }

    /// Whether every listener is on loopback.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.gateway_http.is_private()
            && self.gateway_https.is_private()
            && self.admin.is_private()
            && self.peers.ip().is_loopback()
    }
}

fn cache_bytes(mib: Option<u64>) -> Result<u64, ConfigError> {
    match mib.unwrap_or(256) {
        mib @ 1..=1_048_576 => Ok(mib << 20),
        other => Err(ConfigError::Value { name: "cache.mib", value: other.to_string(), rule: "1 to 1048576" }),
    }
}

fn access_log(to: Option<&str>) -> AccessLog {
    match to {
        None | Some("stdout") => AccessLog::Stdout,
        Some("off") => AccessLog::Off,
        Some(file) => AccessLog::File(PathBuf::from(file)),
    }
}

fn backend_connections(asked: Option<usize>) -> Result<usize, ConfigError> {
    match asked {
        None => Ok(1_024),
        Some(connections @ 1..=65_536) => Ok(connections),
        Some(other) => {
            let (name, value) = ("backends.connections", other.to_string());
            Err(ConfigError::Value { name, value, rule: "1–65,536" })
        }
    }
}

fn stage_logs(settings: &StageLogSettings) -> Result<StageLogs, ConfigError> {
    let stdout = match settings.to.as_deref() {
        None | Some("files") => false,
        Some("stdout") => true,
        Some(other) => {
            let (name, value) = ("logs.to", other.to_owned());
            return Err(ConfigError::Value { name, value, rule: "files or stdout" });
        }
    };
    let mib = settings.file_mib.unwrap_or(64);
    if !(1..=1 << 20).contains(&mib) {
        return Err(ConfigError::Value { name: "logs.file_mib", value: mib.to_string(), rule: "1 to 1048576" });
    }
    let keep = settings.keep.unwrap_or(4);
    if keep > 1_000 {
        return Err(ConfigError::Value { name: "logs.keep", value: keep.to_string(), rule: "at most 1000" });
    }
    Ok(StageLogs { stdout, file_bytes: mib << 20, keep })
}

const NAME_RULE: &str = "1–63 of a–z, A–Z, 0–9, -, _ and .";
const DOMAIN_RULE: &str = "a DNS name in lower case, such as api.example.com";

fn is_name(text: &str) -> bool {
    (1..=63).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn is_domain(text: &str) -> bool {
    (1..=200).contains(&text.len())
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        })
}

fn checked(
    name: &'static str,
    value: &str,
    rule: &'static str,
    holds: impl Fn(&str) -> bool,
) -> Result<String, ConfigError> {
    if holds(value) { Ok(value.to_owned()) } else { Err(ConfigError::Value { name, value: value.to_owned(), rule }) }
}
