//! Who belongs to the cluster: the node keeps it equal to the World's Node rows.

use std::{net::SocketAddr, sync::Arc};

use arc_swap::ArcSwap;
use tokio::sync::watch;

/// A member as the peers endpoint needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// The node's id: never given out twice.
    pub id: u64,
    /// Its name, for people.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Its peers address (UDP).
    pub addr: SocketAddr,
    /// SHA-256 of its certificate's SubjectPublicKeyInfo, DER.
    pub spki_sha256: [u8; 32],
}

/// The members. A peer that is not in it is refused, and its connections are closed when it leaves it.
#[derive(Debug)]
pub struct Roster {
    peers: ArcSwap<Vec<PeerInfo>>,
    version: watch::Sender<u64>,
}

impl Roster {
    /// A roster with these members.
    pub fn new(peers: Vec<PeerInfo>) -> Arc<Self> {
        Arc::new(Self { peers: ArcSwap::from_pointee(peers), version: watch::Sender::new(0) })
    }

    /// Replaces the members. Connections of those who left or changed their key or address are closed soon after.
    pub fn set(&self, peers: Vec<PeerInfo>) {
        if **self.peers.load() == peers {
            return;
        }
        self.peers.store(Arc::new(peers));
        self.version.send_modify(|v| *v += 1);
    }

    /// The members now.
    pub fn all(&self) -> Arc<Vec<PeerInfo>> {
        self.peers.load_full()
    }

    /// The member with this id.
    pub fn get(&self, id: u64) -> Option<PeerInfo> {
        self.peers.load().iter().find(|p| p.id == id).cloned()
    }

    /// Whether this id with this key is a member.
    pub fn admits(&self, id: u64, spki_sha256: &[u8; 32]) -> bool {
        self.peers.load().iter().any(|p| p.id == id && p.spki_sha256 == *spki_sha256)
    }

    /// Wakes at each change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}
