//! A small cluster of peers endpoints in one process, for this room's tests and those above.

use std::{
    net::SocketAddr,
    sync::{Arc, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::{
    Identity, PeerConfig, PeerInfo, PeerNet, Roster, UnaryHandler,
    sim::{Link, Links},
};
use crate::net::pki::{ClusterCa, NodeKey, spki_sha256};

pub(crate) const CLUSTER: &str = "c-test";

/// Today, since certificates are checked against the real clock.
pub(crate) fn now_ms() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64
}

pub(crate) struct Node {
    pub(crate) net: Arc<PeerNet>,
    pub(crate) identity: Identity,
    pub(crate) info: PeerInfo,
    pub(crate) links: Arc<Links>,
}

pub(crate) struct Cluster {
    pub(crate) ca: ClusterCa,
    pub(crate) nodes: Vec<Node>,
}

pub(crate) fn identity(ca: &ClusterCa, id: u64) -> Identity {
    let key = NodeKey::generate().unwrap();
    Identity {
        node_id: id,
        cluster_id: CLUSTER.into(),
        certificate: ca.sign(&key.csr().unwrap(), id, CLUSTER, now_ms()).unwrap(),
        key: key.private_der(),
        ca: ca.certificate().clone(),
    }
}

/// An endpoint of its own, with an empty roster.
pub(crate) fn node(identity: Identity, region: &str, listen: &str) -> Node {
    let links = Links::new(7);
    let net = PeerNet::bind(PeerConfig {
        listen: listen.parse().unwrap(),
        identity: identity.clone(),
        roster: Roster::new(Vec::new()),
        links: Some(links.clone()),
        runtime: None,
    })
    .unwrap();
    let info = PeerInfo {
        id: identity.node_id,
        name: format!("n{}", identity.node_id),
        region: region.into(),
        addr: net.local_addr().unwrap(),
        spki_sha256: spki_sha256(&identity.certificate).unwrap(),
    };
    Node { net, identity, info, links }
}

impl Cluster {
    /// Nodes 1, 2, … in these regions, all knowing each other.
    pub(crate) fn new(regions: &[&str]) -> Self {
        let ca = ClusterCa::create(CLUSTER, now_ms()).unwrap();
        let nodes = (1..).zip(regions).map(|(id, region)| node(identity(&ca, id), region, "127.0.0.1:0")).collect();
        let cluster = Self { ca, nodes };
        cluster.introduce();
        cluster
    }

    /// Puts everybody into everybody's roster.
    pub(crate) fn introduce(&self) {
        let all: Vec<PeerInfo> = self.nodes.iter().map(|n| n.info.clone()).collect();
        for n in &self.nodes {
            n.net.roster().set(all.clone());
        }
    }

    pub(crate) fn addr(&self, i: usize) -> SocketAddr {
        self.nodes[i].info.addr
    }

    /// Half of `rtt` in each direction between two nodes.
    pub(crate) fn distance(&self, a: usize, b: usize, rtt: Duration) {
        let link = Link { one_way: rtt / 2, ..Link::default() };
        self.nodes[a].links.set(self.addr(b), link);
        self.nodes[b].links.set(self.addr(a), link);
    }
}

impl Node {
    /// As `kill -9`: the thread ends, nobody is told.
    pub(crate) fn kill(self) -> (Identity, PeerInfo) {
        self.net.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        (self.identity, self.info)
    }
}

/// Answers what it is asked, with the asker's id before it.
pub(crate) struct Echo;

impl UnaryHandler for Echo {
    fn call(&self, from: u64, group: u8, payload: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        Box::pin(async move {
            if payload == "fail"[..] {
                return Err("asked to fail".into());
            }
            Ok(Bytes::from([&[from as u8, group], &payload[..]].concat()))
        })
    }
}
