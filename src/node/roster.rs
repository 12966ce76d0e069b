//! Who is let in and where: the peers endpoint's list, kept equal to the World's node rows.

use super::home::Seed;
use crate::catalog::cluster::Node;
use crate::cluster::ConfigGroup;
use crate::net::peer::{PeerInfo, Roster};
use crate::state::{Scope, World};
use std::sync::Arc;

/// The nodes as the World knows them; before it is here, those known from the join.
pub(super) fn peers(world: &World, seeds: &[Seed]) -> Vec<PeerInfo> {
    let rows = world.list::<Node>(&Scope::cluster(), "").unwrap_or_default();
    if rows.is_empty() {
        return seeds.iter().filter_map(Seed::peer).collect();
    }
    rows.into_iter()
        .filter_map(|(_, node)| {
            Some(PeerInfo {
                id: node.id,
                addr: node.peers_address.parse().ok()?,
                spki_sha256: node.spki_sha256.try_into().ok()?,
                region: node.region.to_string(),
                name: node.name,
            })
        })
        .collect()
}

/// Follows the World until the group stops.
pub(super) async fn follow(config: ConfigGroup, roster: Arc<Roster>, seeds: Vec<Seed>) {
    let mut applied = config.applied();
    let mut known = Vec::new();
    loop {
        let now = peers(&config.world(), &seeds);
        if now != known {
            roster.set(now.clone());
            known = now;
        }
        if applied.changed().await.is_err() {
            return;
        }
    }
}
