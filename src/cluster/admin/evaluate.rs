//! What each of the cluster's own operations does to the World.

use super::wire::{AdminCall, AdminFault, AdminReply, NewAdminKey, NewNode, decode_call, encode_reply};
use crate::catalog::cluster::{AdminKey, Cluster, JoinToken, Node, NodeRole, Sequence};
use crate::catalog::{AccountId, Region};
use crate::cluster::{Evaluated, Stamp};
use crate::state::{Ops, RowError, Scope, World};

type Outcome = Result<(Ops, AdminReply), AdminFault>;

impl From<RowError> for AdminFault {
    fn from(cause: RowError) -> Self {
        Self::Malformed(cause.to_string())
    }
}

/// Runs one operation of this room.
#[must_use]
pub fn evaluate(payload: &[u8], world: &World, stamp: &Stamp) -> Evaluated {
    let (ops, reply) = decode_call(payload)
        .and_then(|call| run(call, world, stamp))
        .unwrap_or_else(|fault| (Ops::new(), AdminReply::Fault(fault)));
    Evaluated { ops: ops.0, reply: encode_reply(&reply).into(), touches_serving: false }
}

fn run(call: AdminCall, world: &World, stamp: &Stamp) -> Outcome {
    match call {
        AdminCall::Found { cluster_id, account, node, root } => found(world, stamp, cluster_id, &account, node, root),
        AdminCall::CreateToken { secret_sha256, region, ttl_ms } => {
            let token = JoinToken {
                region: Region::from(region),
                expires_ms: stamp.time_ms.saturating_add(ttl_ms.clamp(1_000, 30 * 86_400_000)),
                ..JoinToken::default()
            };
            put(|ops| ops.put(&Scope::cluster(), &secret_sha256, &token))
        }
        AdminCall::Join { secret_sha256, node } => join(world, stamp, &secret_sha256, node),
        AdminCall::Announce { node_id, peers_address, admin_address, version } => change_id(world, node_id, |node| {
            node.peers_address = peers_address;
            node.admin_address = admin_address;
            node.version = version;
        }),
        AdminCall::SetRole { name, voter } => set_role(world, &name, voter),
        AdminCall::SetReplica { node_id, usage, replica_id } => change_id(world, node_id, |node| {
            if usage {
                node.usage_replica = replica_id;
            } else {
                node.config_replica = replica_id;
            }
        }),
        AdminCall::Drain { name, draining } => {
            let (id, _) = by_name(world, &name)?;
            change_id(world, id, |node| node.draining = draining)
        }
        AdminCall::Remove { name } => remove(world, &name),
        AdminCall::Reset => reset(world),
    }
}

fn put(write: impl FnOnce(&mut Ops) -> &mut Ops) -> Outcome {
    let mut ops = Ops::new();
    write(&mut ops);
    Ok((ops, AdminReply::Done))
}

fn nodes(world: &World) -> Result<Vec<Node>, AdminFault> {
    Ok(world.list::<Node>(&Scope::cluster(), "")?.into_iter().map(|(_, node)| node).collect())
}

fn by_name(world: &World, name: &str) -> Result<(u64, Node), AdminFault> {
    let found = nodes(world)?.into_iter().find(|node| node.name == name);
    found.map(|node| (node.id, node)).ok_or_else(|| AdminFault::NoNode(name.to_owned()))
}

fn change_id(world: &World, node_id: u64, change: impl FnOnce(&mut Node)) -> Outcome {
    let id = Node::row_id(node_id);
    let mut node: Node =
        world.get(&Scope::cluster(), &id)?.ok_or_else(|| AdminFault::NoNode(format!("(number {node_id})")))?;
    let before = node.clone();
    change(&mut node);
    if node == before {
        return Ok((Ops::new(), AdminReply::Done));
    }
    put(|ops| ops.put(&Scope::cluster(), &id, &node))
}

/// Draws the next node number: numbers never come back.
fn next_node_id(world: &World) -> Result<u64, AdminFault> {
    Ok(world.get::<Sequence>(&Scope::cluster(), "node")?.unwrap_or_default().last + 1)
}

fn put_node(ops: &mut Ops, id: u64, new: NewNode, role: NodeRole, time_ms: i64, account: AccountId) -> AdminReply {
    let cluster = Scope::cluster();
    ops.put(&cluster, "node", &Sequence { last: id, ..Sequence::default() });
    let token =
        AdminKey { account, name: format!("admin token of {}", new.name), created_ms: time_ms, ..AdminKey::default() };
    ops.put(&cluster, &format!("token:{}", new.admin_token_sha256), &token);
    let node = Node {
        id,
        name: new.name,
        region: Region::from(new.region),
        peers_address: new.peers_address,
        admin_address: new.admin_address,
        spki_sha256: new.spki_sha256.to_vec(),
        admin_token_sha256: new.admin_token_sha256,
        role,
        config_replica: new.config_replica,
        usage_replica: new.usage_replica,
        version: new.version,
        joined_ms: time_ms,
        ..Node::default()
    };
    ops.put(&cluster, &Node::row_id(id), &node);
    AdminReply::Node { id, name: node.name, region: node.region.to_string(), config_replica: node.config_replica }
}

fn found(world: &World, stamp: &Stamp, cluster_id: String, account: &str, node: NewNode, root: NewAdminKey) -> Outcome {
    if let Some(there) = world.get::<Cluster>(&Scope::cluster(), "")? {
        return Err(AdminFault::Founded(there.id));
    }
    let account = AccountId::from(account);
    let mut ops = Ops::new();
    let cluster =
        Cluster { id: cluster_id, epoch: 1, account: account.clone(), founded_ms: stamp.time_ms, ..Cluster::default() };
    ops.put(&Scope::cluster(), "", &cluster);
    let root_key = AdminKey {
        account: AccountId::from(root.account),
        name: "root".into(),
        secret_sealed: root.secret_sealed,
        created_ms: stamp.time_ms,
        ..AdminKey::default()
    };
    ops.put(&Scope::cluster(), &root.id, &root_key);
    let reply = put_node(&mut ops, 1, node, NodeRole::Voter, stamp.time_ms, account);
    Ok((ops, reply))
}

fn join(world: &World, stamp: &Stamp, secret_sha256: &str, new: NewNode) -> Outcome {
    let token_fault = |why: &str| Err(AdminFault::Token(why.into()));
    let Some(mut token) = world.get::<JoinToken>(&Scope::cluster(), secret_sha256)? else {
        return token_fault("is not known to this cluster");
    };
    if token.node_id != 0 {
        // Only the key that used it may retry, and gets what it got (foundations §8.4).
        let node = world.get::<Node>(&Scope::cluster(), &Node::row_id(token.node_id))?;
        return match node.filter(|_| token.used_by_spki_sha256 == new.spki_sha256) {
            Some(Node { id, name, region, config_replica, .. }) => {
                Ok((Ops::new(), AdminReply::Node { id, name, region: region.to_string(), config_replica }))
            }
            None => token_fault("was used already"),
        };
    }
    if token.expires_ms < stamp.time_ms {
        return token_fault("has expired");
    }
    if !token.region.as_str().is_empty() && token.region.as_str() != new.region {
        return token_fault(&format!("is good for region {} only", token.region));
    }
    if !Region::from(new.region.as_str()).is_valid() {
        return Err(AdminFault::Unsafe(format!("`{}` is no region name", new.region)));
    }
    let others = nodes(world)?;
    if others.iter().any(|node| node.name == new.name) {
        let name = &new.name;
        return Err(AdminFault::Unsafe(format!("there is a node named `{name}` already: choose another with --name")));
    }
    let account = world.get::<Cluster>(&Scope::cluster(), "")?.unwrap_or_default().account;
    let mut ops = Ops::new();
    let id = next_node_id(world)?;
    (token.node_id, token.used_by_spki_sha256) = (id, new.spki_sha256.to_vec());
    ops.put(&Scope::cluster(), secret_sha256, &token);
    let role = if new.voter || others.len() == 2 { NodeRole::Voter } else { NodeRole::Learner };
    if others.len() == 2 {
        // Two voters bear no failure more than one: the second node votes from the third on (design §5).
        for mut second in others.into_iter().filter(|node| node.role == NodeRole::Learner) {
            second.role = NodeRole::Voter;
            ops.put(&Scope::cluster(), &Node::row_id(second.id), &second);
        }
    }
    let reply = put_node(&mut ops, id, new, role, stamp.time_ms, account);
    Ok((ops, reply))
}

fn voters(world: &World) -> Result<usize, AdminFault> {
    Ok(nodes(world)?.iter().filter(|node| node.role == NodeRole::Voter).count())
}

fn set_role(world: &World, name: &str, voter: bool) -> Outcome {
    let (id, node) = by_name(world, name)?;
    if !voter && node.role == NodeRole::Voter && voters(world)? <= 1 {
        return Err(AdminFault::Unsafe(format!("`{name}` is the only voter: promote another node first")));
    }
    // Its usage replica leaves the group first; then the keeper takes the replica's id from the row.
    change_id(world, id, |node| node.role = if voter { NodeRole::Voter } else { NodeRole::Learner })
}

fn remove(world: &World, name: &str) -> Outcome {
    let (id, node) = by_name(world, name)?;
    if node.role == NodeRole::Voter && voters(world)? <= 1 {
        return Err(AdminFault::Unsafe(format!("`{name}` is the only voter: promote another node first")));
    }
    let token = format!("token:{}", node.admin_token_sha256);
    put(|ops| ops.drop::<Node>(&Scope::cluster(), &Node::row_id(id)).drop::<AdminKey>(&Scope::cluster(), &token))
}

fn reset(world: &World) -> Outcome {
    put(|ops| {
        for scope in world.scopes().filter(|scope| !scope.as_str().is_empty()) {
            ops.drop_scope(scope);
        }
        ops
    })
}
