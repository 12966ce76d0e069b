//! The join door: any node takes a request, the leader decides and signs (foundations §8.4).

use super::home::Home;
use super::wire::{JoinGrant, JoinRequest, decode, encode};
use super::{arrive::sha256_hex, clock, hex, roster};
use crate::cluster::admin::{AdminCall, AdminReply, CLUSTER_ROOM, NewNode, decode_reply, encode_call};
use crate::cluster::{Call, ConfigGroup, Wait};
use crate::net::peer::join::JoinDoor;
use crate::net::peer::{Lane, PeerNet, UnaryHandler, kind};
use crate::net::pki::{ClusterCa, certificate_pem};
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::{
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

const DEADLINE: Duration = Duration::from_secs(20);

/// The door of one node.
pub(super) struct Door {
    pub(super) home: Arc<Home>,
    pub(super) config: ConfigGroup,
    pub(super) peers: Weak<PeerNet>,
    pub(super) seeds: Vec<super::home::Seed>,
}

/// One operation on the cluster itself, from any node.
pub(super) async fn propose(config: &ConfigGroup, id: String, call: &AdminCall) -> Result<AdminReply, String> {
    let payload = Bytes::from(encode_call(call));
    let mut payload_hash = [0; 32];
    payload_hash.copy_from_slice(digest(&SHA256, &payload).as_ref());
    let call = Call { id, payload_hash, room: CLUSTER_ROOM, payload };
    let done = config.propose(call, DEADLINE, Wait::Quorum).await.map_err(|cause| cause.to_string())?;
    Ok(decode_reply(&done.reply))
}

impl Door {
    /// Decides here if this node leads, else asks the leader.
    async fn decide(&self, request: Bytes) -> Result<Bytes, String> {
        let status = self.config.status();
        let peers = self.peers.upgrade().ok_or("this node is stopping")?;
        match status.leader {
            Some(leader) if leader != peers.node_id() => {
                let answer = peers.call(leader, Lane::Raft, kind::JOIN, 0, request, DEADLINE).await;
                answer.map_err(|cause| match cause {
                    crate::net::peer::PeerError::Remote(words) => words,
                    cause => format!("the leader did not answer ({cause}): run the same command again"),
                })
            }
            Some(_) => self.grant(&request).await,
            None => Err("the cluster has no leader at the moment: run the same command again".into()),
        }
    }

    async fn grant(&self, request: &[u8]) -> Result<Bytes, String> {
        let request: JoinRequest = decode(request).map_err(|cause| cause.to_string())?;
        let said = |cause: &dyn std::fmt::Display| format!("the cluster's keys cannot be used: {cause}");
        let pem = |name: &str| self.home.must(name).map_err(|cause| said(&cause));
        let ca = ClusterCa::from_pem(&pem("ca.crt")?, &pem("ca.key")?).map_err(|cause| said(&cause))?;
        let secret_sha256 = sha256_hex(&request.secret);
        let call = AdminCall::Join {
            secret_sha256: secret_sha256.clone(),
            node: NewNode {
                name: request.name,
                region: request.region,
                peers_address: request.peers_address,
                admin_address: request.admin_address,
                spki_sha256: request.spki_sha256,
                voter: request.voter,
                version: request.version,
                config_replica: request.config_replica,
                usage_replica: 0,
                admin_token_sha256: request.admin_token_sha256,
            },
        };
        // A retry is decided by the token's row, which knows the key: so each attempt has an id of its own.
        let id = format!("join:{}:{}", secret_sha256, request.config_replica);
        let (node_id, name, region, config_replica) = match propose(&self.config, id, &call).await? {
            AdminReply::Node { id, name, region, config_replica } => (id, name, region, config_replica),
            AdminReply::Fault(fault) => return Err(fault.to_string()),
            AdminReply::Done => return Err("the leader answered something else".into()),
        };
        let world = self.config.world();
        let cluster_id = super::identity_of(&world).id;
        let certificate = ca.sign(&request.csr, node_id, &cluster_id, clock::now_ms()).map_err(|cause| said(&cause))?;
        let signed = crate::net::pki::spki_sha256(&certificate).map_err(|cause| said(&cause))?;
        if signed != request.spki_sha256 {
            return Err("the request names another key than it is signed with".into());
        }
        let peers = roster::peers(&world, &self.seeds)
            .into_iter()
            .map(|peer| (peer.id, peer.name, peer.region, peer.addr.to_string(), hex::encode(&peer.spki_sha256)))
            .collect();
        let grant = JoinGrant {
            cluster_id,
            node_id,
            name,
            region,
            config_replica,
            certificate: certificate_pem(&certificate),
            ca: pem("ca.crt")?,
            seal_key: hex::decode(pem("seal.key")?.trim()).unwrap_or_default(),
            peers,
        };
        encode(&grant).map(Bytes::from).map_err(|cause| cause.to_string())
    }
}

/// What a door is on the wires: open to strangers with a token, and to other nodes that pass a request on.
pub(super) struct OpenDoor(pub(super) Arc<Door>);

impl JoinDoor for OpenDoor {
    fn join(&self, request: Bytes, from: SocketAddr) -> BoxFuture<'static, Result<Bytes, String>> {
        let door = self.0.clone();
        Box::pin(async move {
            let answer = door.decide(request).await;
            match &answer {
                Ok(_) => tracing::info!(%from, "a node was let in"),
                Err(why) => tracing::warn!(%from, why, "a join was refused"),
            }
            answer
        })
    }
}

impl UnaryHandler for OpenDoor {
    fn call(&self, _from: u64, _group: u8, payload: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let door = self.0.clone();
        Box::pin(async move {
            if !door.config.status().is_leader {
                return Err("this node does not lead any more: run the same command again".into());
            }
            door.grant(&payload).await
        })
    }
}
