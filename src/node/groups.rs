//! The two replicated groups of a node: opened, and their parts of the World begun.

use super::arrive::{random, sha256_hex};
use super::door::propose;
use super::ground::Ground;
use super::home::{Home, Identity};
use super::seal::SealKey;
use super::{NodeError, VERSION, identity_of};
use crate::catalog::Mint;
use crate::catalog::cluster::Node;
use crate::cluster::admin::{self, AdminCall, AdminReply, CLUSTER_ROOM, NewAdminKey, NewNode};
use crate::cluster::{Call, ConfigGroup, Evaluate, Evaluated, GroupOptions, Opening, Stamp, Timing};
use crate::config::NodeConfig;
use crate::control::{self, Seal};
use crate::net::pki::NodeKey;
use crate::state::{Scope, World};
use std::sync::Arc;
use std::time::Duration;

/// The leader's evaluator: which room a call belongs to.
pub(super) struct Rooms {
    pub(super) control: control::Evaluator,
}

impl Evaluate for Rooms {
    fn evaluate(&self, call: &Call, world: &World, stamp: &Stamp) -> Evaluated {
        match call.room {
            CLUSTER_ROOM => admin::evaluate(&call.payload, world, stamp),
            _ => self.control.evaluate(call, world, stamp),
        }
    }
}

/// How long the first replica may take to lead itself.
const LEAD: Duration = Duration::from_secs(20);

/// The options of a replica of this node.
pub(super) fn options(home: &Home, identity: &Identity, usage: bool, timing: Timing) -> GroupOptions {
    let (replica_id, open) = match usage {
        false => (identity.config_replica, identity.config_open),
        true => (identity.usage_replica, identity.usage_open),
    };
    let opening = match (open, identity.founder) {
        (true, _) => Opening::Reopen,
        (false, true) => Opening::Found,
        (false, false) => Opening::Join,
    };
    let folder = if usage { format!("usage-{replica_id:014x}") } else { "config".to_owned() };
    GroupOptions {
        directory: home.path(&folder),
        node_id: identity.node_id,
        replica_id,
        opening,
        timing,
        activation: crate::cluster::Activation::default(),
    }
}

/// The root credentials of a new cluster, shown once.
#[derive(Debug, Clone)]
pub(super) struct RootKey {
    pub(super) id: String,
    pub(super) secret: String,
}

/// Puts the first rows into a World that has none: the cluster, this node, the root credentials. `None` when they are there.
pub(super) async fn found(
    home: &Home,
    config: &NodeConfig,
    identity: &Identity,
    group: &ConfigGroup,
    seal: &SealKey,
    at: super::arrive::Addresses,
) -> Result<Option<RootKey>, NodeError> {
    if !identity.founder || !identity_of(&group.world()).id.is_empty() {
        return Ok(None);
    }
    group.read_barrier(LEAD).await?;
    if !identity_of(&group.world()).id.is_empty() {
        return Ok(None);
    }
    let mut mint = Mint::new(random()?);
    let root = RootKey { id: format!("AKIA{}", mint.mixed(16).to_uppercase()), secret: mint.mixed(40) };
    let key = NodeKey::from_pem(&home.must("node.key")?)?;
    let call = AdminCall::Found {
        cluster_id: identity.cluster_id.clone(),
        account: config.account.to_string(),
        node: NewNode {
            name: identity.name.clone(),
            region: identity.region.clone(),
            peers_address: at.peers.to_string(),
            admin_address: at.admin.map(|at| at.to_string()).unwrap_or_default(),
            spki_sha256: key.spki_sha256(),
            voter: true,
            version: VERSION.to_owned(),
            config_replica: identity.config_replica,
            usage_replica: identity.usage_replica,
            admin_token_sha256: sha256_hex(&super::arrive::admin_token(home)?),
        },
        root: NewAdminKey {
            id: root.id.clone(),
            secret_sealed: seal.seal(root.secret.as_bytes(), random()?),
            account: config.account.to_string(),
        },
    };
    match propose(group, format!("found:{}", identity.cluster_id), &call).await.map_err(NodeError::Refused)? {
        AdminReply::Fault(fault) => Err(NodeError::Refused(fault.to_string())),
        AdminReply::Done | AdminReply::Node { .. } => Ok(Some(root)),
    }
}

/// Tells the cluster where this node is now, again and again until it is heard.
pub(super) async fn announce(group: ConfigGroup, identity: Identity, at: super::arrive::Addresses) {
    let call = AdminCall::Announce {
        node_id: identity.node_id,
        peers_address: at.peers.to_string(),
        admin_address: at.admin.map(|at| at.to_string()).unwrap_or_default(),
        version: VERSION.to_owned(),
    };
    let mut wait = Duration::from_millis(250);
    loop {
        let row = group.world().get::<Node>(&Scope::cluster(), &Node::row_id(identity.node_id)).ok().flatten();
        let same = row.is_some_and(|row| {
            row.peers_address == at.peers.to_string()
                && row.version == VERSION
                && row.admin_address == at.admin.map(|at| at.to_string()).unwrap_or_default()
        });
        if same {
            return;
        }
        let id = random::<16>().map(|seed| Mint::new(seed).uuid()).unwrap_or_default();
        match propose(&group, format!("announce:{id}"), &call).await {
            Ok(_) => return,
            Err(why) => tracing::debug!(why, "the cluster does not know yet where this node is"),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(Duration::from_secs(5));
    }
}

/// Opens this node's replica of the config group; from then on a missing log is a loss.
pub(super) async fn open_config(
    ground: &mut Ground,
    timing: Timing,
    config: &NodeConfig,
) -> Result<ConfigGroup, NodeError> {
    let rooms = Arc::new(Rooms { control: super::build::evaluator(ground, config) });
    let group = ConfigGroup::open(&ground.door, options(&ground.home, &ground.identity, false, timing), rooms).await?;
    if !ground.identity.config_open {
        ground.identity.config_open = true;
        ground.home.keep_identity(&ground.identity)?;
    }
    Ok(group)
}
