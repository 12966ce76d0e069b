//! A cluster in one process: every node has its own socket, thread, certificate and directory.

use bytes::Bytes;
use meridian::catalog::cluster::Sequence;
use meridian::cluster::{
    Activation, Call, ClusterError, ConfigGroup, Done, Evaluate, Evaluated, GroupOptions, MemberChange, OpenError,
    Opening, PeerDoor, Role, Stamp, Timing, Wait, draw_replica_id,
};
use meridian::net::peer::{Identity, PeerConfig, PeerInfo, PeerNet, Roster, sim::Links};
use meridian::net::pki::{ClusterCa, NodeKey};
use meridian::state::{Ops, Scope, World};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;

pub(crate) const LONG: Duration = Duration::from_secs(20);
const CLUSTER: &str = "testcluster";

/// Counts: the payload names a counter, the reply is its new value. A room other than 0 touches serving; the payload
/// `look NAME` changes nothing; `fill NAME BYTES` makes a large change.
pub(crate) struct Counting;

impl Evaluate for Counting {
    fn evaluate(&self, call: &Call, world: &World, _: &Stamp) -> Evaluated {
        let text = String::from_utf8_lossy(&call.payload).into_owned();
        let mut words = text.split(' ');
        let (first, second, third) = (words.next().unwrap_or_default(), words.next(), words.next());
        let name = second.unwrap_or(first);
        let row = world.get::<Sequence>(&Scope::cluster(), name).unwrap().unwrap_or_default();
        if first == "look" {
            return Evaluated { reply: Bytes::from(row.last.to_string()), ..Evaluated::default() };
        }
        let mut ops = Ops::new();
        let last = row.last + 1;
        ops.put(&Scope::cluster(), name, &Sequence { last, ..row });
        for piece in 0..third.and_then(|bytes| bytes.parse::<usize>().ok()).unwrap_or(0) / 1000 {
            let unknown = BTreeMap::from([("filler".to_owned(), "x".repeat(1000).into())]);
            ops.put(&Scope::cluster(), &format!("{name}/{piece}"), &Sequence { unknown, ..Sequence::default() });
        }
        Evaluated { ops: ops.0, reply: Bytes::from(last.to_string()), touches_serving: call.room != 0 }
    }
}

pub(crate) fn call(id: &str, payload: &str) -> Call {
    let mut payload_hash = [0; 32];
    let bytes = payload.as_bytes();
    payload_hash[..bytes.len().min(32)].copy_from_slice(&bytes[..bytes.len().min(32)]);
    Call { id: id.into(), payload_hash, room: 0, payload: Bytes::copy_from_slice(bytes) }
}

/// A node; its endpoint and its group can be stopped and made anew.
pub(crate) struct Node {
    pub(crate) id: u64,
    pub(crate) replica_id: u64,
    pub(crate) addr: SocketAddr,
    identity: Identity,
    directory: PathBuf,
    pub(crate) links: Arc<Links>,
    running: Option<(Arc<PeerDoor>, ConfigGroup)>,
}

pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) timing: Timing,
    roster: Arc<Roster>,
    folder: Place,
}

/// Where the nodes' files are.
enum Place {
    Passing(TempDir),
    Kept(PathBuf),
}

impl Place {
    fn path(&self) -> &std::path::Path {
        match self {
            Self::Passing(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }
}

impl Cluster {
    /// One node whose files are in this folder, there already or not.
    pub(crate) async fn in_folder(folder: PathBuf) -> Self {
        // The replica's id is what its log was made with.
        let opening = if folder.join("node-1").exists() { Opening::Reopen } else { Opening::Found };
        let mut cluster = Self::prepare(1, Duration::ZERO, Place::Kept(folder));
        cluster.nodes[0].replica_id = 11;
        // A kill may have come before anything was written.
        if cluster.start(1, opening).await.is_err() {
            cluster.start(1, Opening::Found).await.unwrap();
        }
        cluster
    }

    /// Nodes 1..=count: the first founds the group, the others follow and, if `vote`, get a vote.
    pub(crate) async fn of(count: u64, round_trip: Duration, vote: bool) -> Self {
        let mut cluster = Self::prepare(count, round_trip, Place::Passing(tempfile::tempdir().unwrap()));
        for id in 1..=count {
            cluster.start(id, if id == 1 { Opening::Found } else { Opening::Join }).await.unwrap();
        }
        for id in 2..=count {
            let add = MemberChange::AddLearner { node_id: id, replica_id: cluster.node(id).replica_id };
            cluster.group(1).change(add, LONG).await.unwrap();
            if vote {
                cluster.group(1).change(MemberChange::Promote { node_id: id }, LONG).await.unwrap();
            }
        }
        cluster
    }

    fn prepare(count: u64, round_trip: Duration, folder: Place) -> Self {
        let ca = ClusterCa::create(CLUSTER, now_ms()).unwrap();
        let mut nodes = Vec::new();
        for id in 1..=count {
            let key = NodeKey::generate().unwrap();
            let certificate = ca.sign(&key.csr().unwrap(), id, CLUSTER, now_ms()).unwrap();
            let identity = Identity {
                node_id: id,
                cluster_id: CLUSTER.into(),
                certificate,
                key: key.private_der(),
                ca: ca.certificate().clone(),
            };
            // A free port, which stays the node's over its restarts.
            let addr = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let directory = folder.path().join(format!("node-{id}"));
            let links = Links::new(7);
            nodes.push((
                key.spki_sha256(),
                Node { id, replica_id: draw_replica_id().unwrap(), addr, identity, directory, links, running: None },
            ));
        }
        let peers = nodes.iter().map(|(spki_sha256, node)| PeerInfo {
            id: node.id,
            name: format!("node-{}", node.id),
            region: "us-east-1".into(),
            addr: node.addr,
            spki_sha256: *spki_sha256,
        });
        let roster = Roster::new(peers.collect());
        let nodes: Vec<Node> = nodes.into_iter().map(|(_, node)| node).collect();
        for from in &nodes {
            for to in nodes.iter().filter(|to| to.id != from.id) {
                from.links.delay(to.addr, round_trip / 2);
            }
        }
        Self { nodes, timing: Timing::of(round_trip), roster, folder }
    }

    pub(crate) fn node(&self, id: u64) -> &Node {
        &self.nodes[usize::try_from(id).unwrap() - 1]
    }

    pub(crate) fn directory(&self, id: u64) -> PathBuf {
        self.folder.path().join(format!("node-{id}"))
    }

    pub(crate) async fn start(&mut self, id: u64, opening: Opening) -> Result<(), OpenError> {
        let (timing, roster) = (self.timing, self.roster.clone());
        let node = &mut self.nodes[usize::try_from(id).unwrap() - 1];
        // The socket of its former life closes on its own thread.
        let net = until("its address", || {
            let config = PeerConfig {
                listen: node.addr,
                identity: node.identity.clone(),
                roster: roster.clone(),
                links: Some(node.links.clone()),
                runtime: None,
            };
            PeerNet::bind(config).ok()
        });
        let door = PeerDoor::new(net.await);
        let options = GroupOptions {
            directory: node.directory.join("config"),
            node_id: id,
            replica_id: node.replica_id,
            opening,
            timing,
            activation: Activation::OnApply,
        };
        let group = match ConfigGroup::open(&door, options, Arc::new(Counting)).await {
            Ok(group) => group,
            Err(refused) => {
                door.net().close().await;
                return Err(refused);
            }
        };
        node.running = Some((door, group));
        Ok(())
    }

    pub(crate) fn group(&self, id: u64) -> ConfigGroup {
        self.node(id).running.as_ref().expect("the node runs").1.clone()
    }

    /// Stops a node: its raft, its files, its socket.
    pub(crate) async fn stop(&mut self, id: u64) {
        let node = &mut self.nodes[usize::try_from(id).unwrap() - 1];
        if let Some((door, group)) = node.running.take() {
            group.stop().await;
            door.net().close().await;
        }
    }

    /// Loses every datagram from and to a node, or none any more.
    pub(crate) fn cut_off(&self, id: u64, cut: bool) {
        for node in &self.nodes {
            for other in self.nodes.iter().filter(|other| other.id != node.id && (other.id == id || node.id == id)) {
                node.links.cut(other.addr, cut);
            }
        }
    }

    pub(crate) async fn count(&self, at: u64, id: &str, name: &str) -> Result<Done, ClusterError> {
        self.group(at).propose(call(id, name), LONG, Wait::Quorum).await
    }

    /// The node that leads; waits for one.
    pub(crate) async fn leader(&self) -> u64 {
        let running = self.nodes.iter().filter_map(|node| node.running.as_ref());
        let groups: Vec<ConfigGroup> = running.map(|(_, group)| group.clone()).collect();
        until("a leader", || {
            groups.iter().map(ConfigGroup::status).find(|status| status.is_leader).map(|status| status.node_id)
        })
        .await
    }

    pub(crate) fn role(&self, seen_by: u64, of: u64) -> Option<Role> {
        self.group(seen_by).status().member(of).map(|member| member.role)
    }
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// Polls until there is something, or fails after [`LONG`].
pub(crate) async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < LONG, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn text(done: &Done) -> String {
    String::from_utf8_lossy(&done.reply).into_owned()
}
