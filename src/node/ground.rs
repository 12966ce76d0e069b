//! What a node stands on before anything replicated runs: directory, identity, bound sockets, the peers endpoint.

use super::admin::Admin;
use super::arrive::{self, Addresses};
use super::home::{Home, Identity, Seed};
use super::seal::SealKey;
use super::token::Token;
use super::{Invitation, NodeError, clock, hex, tls};
use crate::cluster::PeerDoor;
use crate::config::{Listen, NodeConfig};
use crate::net::http::{ListenOptions, Listener, Workers};
use crate::net::peer::sim::Links;
use crate::net::peer::{self, PeerConfig, PeerNet, Roster};
use crate::net::pki::{NodeKey, certificate_from_pem};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

/// The ground under a node.
pub(super) struct Ground {
    pub(super) home: Arc<Home>,
    pub(super) identity: Identity,
    pub(super) seal: Arc<SealKey>,
    pub(super) seeds: Vec<Seed>,
    pub(super) peers: Arc<PeerNet>,
    pub(super) door: Arc<PeerDoor>,
    pub(super) admin: Admin,
    pub(super) admin_listener: Option<Listener>,
    pub(super) at: Addresses,
}

/// Opens the directory, binds the admin and peers sockets, and finds out who this node is: by asking, if it must.
pub(super) async fn lay(config: &NodeConfig, invitation: Option<&Invitation>) -> Result<Ground, NodeError> {
    let home = Arc::new(Home::open(&config.data)?);
    let token = invitation.map(|invitation| Token::from_text(&invitation.token)).transpose()?;
    let known = arrive::known(&home, config, token.as_ref())?;
    arrive::admin_token(&home)?;
    let admin = Admin::default();
    let admin_listener = bind_admin(&home, config, admin.clone()).await?;
    let reserved = reserve(config.peers)?;
    let peers_at = reserved.local_addr().map_err(|cause| peers_error(config.peers, cause))?;
    let advertised = config.advertise.unwrap_or(peers_at);
    let at = Addresses { peers: advertised, admin: admin_listener.as_ref().map(Listener::local_addr) };
    let identity = match (known, &token, invitation) {
        (Some(identity), ..) => identity,
        (None, Some(token), Some(invitation)) => arrive::join(&home, config, invitation, token, at).await?,
        (None, ..) => arrive::found(&home, config, clock::now_ms())?,
    };
    let seeds = home.seeds()?;
    let roster = Roster::new(seeds.iter().filter_map(Seed::peer).collect());
    drop(reserved);
    let peers = PeerNet::bind(PeerConfig {
        listen: peers_at,
        identity: peer_identity(&home, &identity)?,
        roster,
        links: simulated_links()?,
        runtime: None,
    })
    .map_err(|cause| peers_error(peers_at, cause))?;
    let seal = hex::decode(home.must("seal.key")?.trim()).and_then(|key| SealKey::new(&key));
    let seal = seal.ok_or_else(|| NodeError::Setting("seal.key of the data directory is damaged".into()))?;
    let door = PeerDoor::new(peers.clone());
    Ok(Ground { home, identity, seal: Arc::new(seal), seeds, peers, door, admin, admin_listener, at })
}

fn peers_error(at: SocketAddr, cause: std::io::Error) -> NodeError {
    NodeError::Bind { name: "peers", flag: "peers", at, cause }
}

/// Holds the peers port (port 0: a free one) while the node finds out who it is.
fn reserve(at: SocketAddr) -> Result<UdpSocket, NodeError> {
    UdpSocket::bind(at).map_err(|cause| peers_error(at, cause))
}

async fn bind_admin(home: &Home, config: &NodeConfig, admin: Admin) -> Result<Option<Listener>, NodeError> {
    let Listen::At(at) = config.admin else { return Ok(None) };
    let failed = |cause| NodeError::Bind { name: "admin", flag: "admin", at, cause };
    let workers = Workers::start("admin", 1).map_err(failed)?;
    let tls = match config.admin.is_private() {
        true => None,
        false => Some(tls::server_config(home, config, clock::now_ms())?),
    };
    let options = ListenOptions { tls, connections: 4_096, ..ListenOptions::default() };
    Listener::start(at, options, workers, admin).await.map(Some).map_err(failed)
}

fn peer_identity(home: &Home, identity: &Identity) -> Result<peer::Identity, NodeError> {
    Ok(peer::Identity {
        node_id: identity.node_id,
        cluster_id: identity.cluster_id.clone(),
        certificate: certificate_from_pem(&home.must("node.crt")?)?,
        key: NodeKey::from_pem(&home.must("node.key")?)?.private_der(),
        ca: certificate_from_pem(&home.must("ca.crt")?)?,
    })
}

/// Distances that the demo and tests simulate: `MERIDIAN_SIMULATED_LINKS` is `ADDRESS=ONE_WAY_MS,…`.
fn simulated_links() -> Result<Option<Arc<Links>>, NodeError> {
    match std::env::var("MERIDIAN_SIMULATED_LINKS") {
        Err(_) => Ok(None),
        Ok(text) => Links::parse(&text, 1)
            .map(Some)
            .map_err(|cause| NodeError::Setting(format!("MERIDIAN_SIMULATED_LINKS: {cause}"))),
    }
}
