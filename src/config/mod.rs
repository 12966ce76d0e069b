//! What an operator sets for one node: a TOML file, variables and flags, the later ones stronger; parsed once.
//!
//! ```text
//! file (unknown keys are errors) ─┐
//! MERIDIAN_* and flags (cli) ─────┴─ Settings, field by field ──▶ NodeConfig (checked: what listens, where, with what)
//! ```

mod functions;
mod listen;
mod resolve;
mod secret;
mod settings;

pub use functions::{FunctionSettings, Functions};
pub use listen::Listen;
pub use resolve::{AccessLog, ConfigError, NodeConfig, Profile, StageLogs, TlsFiles};
pub use secret::{CredentialSettings, Secret};
pub use settings::{
    AwsSettings, BackendSettings, ClusterSettings, EgressSettings, ListenSettings, LogSettings, Settings,
    StageLogSettings, TlsSettings,
};

#[cfg(test)]
mod tests;
