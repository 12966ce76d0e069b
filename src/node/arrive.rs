//! How a directory becomes a node: founded, invited, or back from a stop (foundations §8.4, §8.7).

use super::home::{Home, Identity, Seed};
use super::token::Token;
use super::wire::{JoinGrant, JoinRequest, decode, encode};
use super::{Invitation, NodeError, hex};
use crate::catalog::Mint;
use crate::cluster::draw_replica_id;
use crate::config::NodeConfig;
use crate::net::peer::{PeerError, join::join_request};
use crate::net::pki::{ClusterCa, NodeKey, certificate_from_pem, certificate_pem};
use aws_lc_rs::digest::{SHA256, digest};
use std::{net::SocketAddr, time::Duration};

const JOIN_TIMEOUT: Duration = Duration::from_secs(40);

/// Where this node will be reached: known once its sockets are bound.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addresses {
    pub(super) peers: SocketAddr,
    pub(super) admin: Option<SocketAddr>,
}

/// Fresh randomness, or a system that has none.
pub(super) fn random<const N: usize>() -> Result<[u8; N], NodeError> {
    let mut bytes = [0; N];
    let cause = || std::io::Error::other("no randomness");
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| NodeError::System { what: "the system gives no randomness", cause: cause() })?;
    Ok(bytes)
}

/// The SHA-256 of a text.
pub(super) fn sha256(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

/// The same as hexadecimal text.
pub(super) fn sha256_hex(text: &str) -> String {
    hex::encode(&sha256(text))
}

/// Who the directory says this node is, if it may go on as that one.
pub(super) fn known(home: &Home, config: &NodeConfig, token: Option<&Token>) -> Result<Option<Identity>, NodeError> {
    let Some(identity) = home.identity()? else {
        return match &config.cluster_id {
            Some(cluster) if token.is_none() => Err(NodeError::Lost(cluster.clone(), config.name.clone())),
            _ => Ok(None),
        };
    };
    if let Some(wanted) = config.cluster_id.as_ref().filter(|wanted| **wanted != identity.cluster_id) {
        return Err(NodeError::OtherCluster { found: identity.cluster_id, wanted: wanted.clone() });
    }
    if let Some(token) = token.filter(|token| token.cluster_id != identity.cluster_id) {
        return Err(NodeError::Invited { found: identity.cluster_id, invited: token.cluster_id.clone() });
    }
    Ok(Some(identity))
}

/// The admin token of this machine, made at the first start.
pub(super) fn admin_token(home: &Home) -> Result<String, NodeError> {
    if let Some(token) = home.secret("admin-token")? {
        return Ok(token.trim().to_owned());
    }
    let token = format!("mdt_{}", Mint::new(random()?).mixed(40));
    home.keep("admin-token", format!("{token}\n").as_bytes())?;
    Ok(token)
}

/// Makes a new cluster's keys and its first node. The identity is written last: a crash before begins anew.
pub(super) fn found(home: &Home, config: &NodeConfig, now_ms: i64) -> Result<Identity, NodeError> {
    let cluster_id = Mint::new(random()?).lower(16);
    let ca = ClusterCa::create(&cluster_id, now_ms)?;
    let key = NodeKey::generate()?;
    let certificate = ca.sign(&key.csr()?, 1, &cluster_id, now_ms)?;
    home.keep("ca.crt", certificate_pem(ca.certificate()).as_bytes())?;
    home.keep("ca.key", ca.key_pem().as_bytes())?;
    home.keep("node.key", key.to_pem().as_bytes())?;
    home.keep("node.crt", certificate_pem(&certificate).as_bytes())?;
    home.keep("seal.key", hex::encode(&random::<32>()?).as_bytes())?;
    let identity = Identity {
        cluster_id,
        node_id: 1,
        name: config.name.clone(),
        region: config.region.to_string(),
        config_replica: draw_replica_id()?,
        usage_replica: draw_replica_id()?,
        founder: true,
        ..Identity::default()
    };
    home.keep_identity(&identity)?;
    Ok(identity)
}

/// Asks a cluster to let this machine in, and writes down what it grants. Asking again after a crash gets the same
/// node, since the key and the drawn replica id are kept.
pub(super) async fn join(
    home: &Home,
    config: &NodeConfig,
    invitation: &Invitation,
    token: &Token,
    at: Addresses,
) -> Result<Identity, NodeError> {
    let key = match home.secret("node.key")? {
        Some(pem) => NodeKey::from_pem(&pem)?,
        None => {
            let key = NodeKey::generate()?;
            home.keep("node.key", key.to_pem().as_bytes())?;
            key
        }
    };
    let request = JoinRequest {
        secret: token.secret.clone(),
        csr: key.csr()?,
        spki_sha256: key.spki_sha256(),
        name: config.name.clone(),
        region: config.region.to_string(),
        peers_address: at.peers.to_string(),
        admin_address: at.admin.map(|at| at.to_string()).unwrap_or_default(),
        voter: invitation.voter,
        version: super::VERSION.to_owned(),
        config_replica: draw_replica_id()?,
        admin_token_sha256: sha256_hex(&admin_token(home)?),
    };
    let malformed = |cause: super::wire::WireError| NodeError::Refused(cause.to_string());
    let payload = encode(&request).map_err(malformed)?.into();
    let answer = join_request(&token.addresses, token.ca_pin()?, payload, JOIN_TIMEOUT).await;
    let answer = answer.map_err(|cause| match cause {
        PeerError::Remote(words) => NodeError::Refused(words),
        cause => {
            let addresses: Vec<String> = token.addresses.iter().map(SocketAddr::to_string).collect();
            NodeError::Knock { addresses: addresses.join(", "), cause }
        }
    })?;
    keep_grant(home, decode(&answer).map_err(malformed)?)
}

fn keep_grant(home: &Home, grant: JoinGrant) -> Result<Identity, NodeError> {
    certificate_from_pem(&grant.certificate)?;
    home.keep("ca.crt", grant.ca.as_bytes())?;
    home.keep("node.crt", grant.certificate.as_bytes())?;
    home.keep("seal.key", hex::encode(&grant.seal_key).as_bytes())?;
    let seeds: Vec<Seed> = grant
        .peers
        .into_iter()
        .filter_map(|(id, name, region, address, spki_sha256)| {
            Some(Seed { id, name, region, address: address.parse().ok()?, spki_sha256 })
        })
        .collect();
    home.keep_seeds(&seeds)?;
    let identity = Identity {
        cluster_id: grant.cluster_id,
        node_id: grant.node_id,
        name: grant.name,
        region: grant.region,
        config_replica: grant.config_replica,
        ..Identity::default()
    };
    home.keep_identity(&identity)?;
    Ok(identity)
}
