//! A node follows its own row: it takes up what a voter holds (usage replica, CA key) and lays it down again.

use super::groups::options;
use super::home::{Home, Identity};
use super::usage::UsageSide;
use crate::catalog::cluster::{Node, NodeRole};
use crate::cluster::{ConfigGroup, Timing};
use crate::edge::Receiver;
use crate::net::peer::{Lane, PeerNet, UnaryHandler, kind};
use crate::net::pki::ClusterCa;
use crate::state::Scope;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// Peer kind: a voter asks the leader for the CA's key.
pub(super) const CA_KEY: u8 = kind::FREE;

const AGAIN: Duration = Duration::from_secs(1);
const ASK: Duration = Duration::from_secs(5);

/// What follows this node's row.
pub(super) struct Follow {
    pub(super) home: Arc<Home>,
    pub(super) identity: Identity,
    pub(super) peers: Arc<PeerNet>,
    pub(super) config: ConfigGroup,
    pub(super) usage: Arc<UsageSide>,
    pub(super) receiver: Arc<Receiver>,
    pub(super) timing: Timing,
}

impl Follow {
    /// Runs until the config group stops.
    pub(super) async fn run(mut self) {
        let mut applied = self.config.applied();
        let (mut open, mut draining) = (0, false);
        loop {
            let id = Node::row_id(self.identity.node_id);
            let row = self.config.world().get::<Node>(&Scope::cluster(), &id).ok().flatten();
            let settled = match row {
                Some(row) => {
                    // Only what changed: a node that stops drains by itself.
                    if row.draining != draining {
                        self.receiver.drain(row.draining);
                        draining = row.draining;
                    }
                    self.follow(&row, &mut open).await
                }
                None => true,
            };
            let wait = if settled { Duration::from_secs(60) } else { AGAIN };
            if let Ok(Err(_)) = tokio::time::timeout(wait, applied.changed()).await {
                return;
            }
        }
    }

    /// Takes the next step towards the row; false when it has to be tried again.
    async fn follow(&mut self, row: &Node, open: &mut u64) -> bool {
        if *open != row.usage_replica && *open != 0 {
            self.usage.close().await;
            *open = 0;
        }
        if row.usage_replica != *open {
            if let Err(cause) = self.open_usage(row.usage_replica).await {
                tracing::error!(%cause, "this node's replica of the usage group does not open");
                return false;
            }
            *open = row.usage_replica;
        }
        match (row.role, self.home.secret("ca.key").ok().flatten().is_some()) {
            (NodeRole::Voter, false) => self.fetch_ca_key().await,
            (NodeRole::Learner, true) => std::fs::remove_file(self.home.path("ca.key")).is_ok(),
            _ => true,
        }
    }

    async fn open_usage(&mut self, replica: u64) -> Result<(), super::NodeError> {
        if self.identity.usage_replica != replica {
            // A promotion after a demotion: the old replica's promises are void with its id.
            (self.identity.usage_replica, self.identity.usage_open) = (replica, false);
            self.home.keep_identity(&self.identity)?;
        }
        let mut options = options(&self.home, &self.identity, true, self.timing);
        if !self.identity.usage_open && self.identity.founder && self.identity.node_id != 1 {
            options.opening = crate::cluster::Opening::Join;
        }
        self.usage.open(options).await?;
        self.identity.usage_open = true;
        self.home.keep_identity(&self.identity)?;
        Ok(())
    }

    async fn fetch_ca_key(&self) -> bool {
        let Some(leader) = self.config.status().leader.filter(|leader| *leader != self.identity.node_id) else {
            return false;
        };
        let answer = self.peers.call(leader, Lane::Raft, CA_KEY, 0, Bytes::new(), ASK).await;
        let Ok(key) = answer else { return false };
        let usable = std::str::from_utf8(&key)
            .is_ok_and(|key| self.home.must("ca.crt").is_ok_and(|ca| ClusterCa::from_pem(&ca, key).is_ok()));
        usable && self.home.keep("ca.key", &key).is_ok()
    }
}

/// Gives the CA's key to nodes whose row says that they vote, over mutual TLS (foundations §8.3).
pub(super) struct CaKeys {
    pub(super) home: Arc<Home>,
    pub(super) config: ConfigGroup,
}

impl UnaryHandler for CaKeys {
    fn call(&self, from: u64, _group: u8, _payload: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let row = self.config.world().get::<Node>(&Scope::cluster(), &Node::row_id(from)).ok().flatten();
        let votes = row.is_some_and(|row| row.role == NodeRole::Voter);
        let key = if votes {
            self.home.must("ca.key").map_err(|_| "this node has no CA key")
        } else {
            Err("you do not vote")
        };
        let answer = key.map(Bytes::from).map_err(str::to_owned);
        Box::pin(async move { answer })
    }
}
