//! Builds the rooms bottom-up, owns every task, and drains in reverse.
//!
//! ```text
//! Home (data directory) ─ arrive (found │ join │ known) ─ PeerNet ─ config group ─ World ─┬─ roster, keeper, door
//!                                                                  usage group ───────────┤
//!            admin listener ─ Control + operate                                           ├─ edge: nodes, prober, receiver
//!            gateway listeners ─ workers ─ Gateway ◀──────────────────────────────────────┘
//! ```

mod admin;
mod arrive;
mod book;
mod build;
mod clock;
mod code;
mod door;
mod error;
mod explain;
mod functions;
mod ground;
mod groups;
mod hex;
mod home;
mod invoke;
mod keeper;
mod look;
mod metrics;
mod operate;
mod roster;
mod round_trips;
mod run;
mod seal;
mod services;
mod tls;
mod token;
mod trial;
mod usage;
mod voter;
mod wire;

pub use error::NodeError;
pub use home::HomeError;
pub use run::{STOP_WITH_STDIN, run};
pub use token::{Token, TokenError};

use crate::catalog::AccountId;
use crate::catalog::cluster::Cluster;
use crate::cluster::{ConfigGroup, UsageGroup};
use crate::config::Listen;
use crate::control::Control;
use crate::edge::{Nodes, Receiver};
use crate::gateway::Gateway;
use crate::net::peer::PeerNet;
use crate::state::{Scope, World};
use home::{Home, Identity};
use prometheus_client::registry::Registry;
use std::sync::Arc;
use tokio::sync::watch;

/// This program's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What `meridian join` was given.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// The token's text.
    pub token: String,
    /// Whether the operator wishes this node to vote.
    pub voter: bool,
}

/// What the admin listener must know of the operator's settings.
#[derive(Debug, Clone)]
struct AdminSettings {
    dev: bool,
    account: AccountId,
    max_body_bytes: usize,
    /// Turns of requests whose body is larger than that.
    large_bodies: Arc<tokio::sync::Semaphore>,
    gateway_http: Listen,
    /// Whether the admin listener answers the gateway's forms (foundations §8.1).
    invoke: bool,
}

/// A running node, as its listeners and peer handlers see it.
struct NodeShared {
    settings: AdminSettings,
    identity: Identity,
    home: Arc<Home>,
    peers: Arc<PeerNet>,
    config: ConfigGroup,
    usage: watch::Receiver<Option<UsageGroup>>,
    nodes: Arc<Nodes>,
    receiver: Arc<Receiver>,
    control: Control,
    gateway: Gateway,
    registry: Registry,
}

/// The cluster that a World belongs to; empty before it is founded.
fn identity_of(world: &World) -> Cluster {
    world.get::<Cluster>(&Scope::cluster(), "").ok().flatten().unwrap_or_default()
}
