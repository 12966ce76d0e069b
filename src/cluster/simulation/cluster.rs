//! Simulated nodes: both groups of each over memory disks; crashes lose what was not synced.

use super::network::Net;
use super::{Dice, Sim};
use crate::catalog::cluster::Sequence;
use crate::cluster::config_host::{Cells, ConfigHost, ConfigShare};
use crate::cluster::evaluator::Nature;
use crate::cluster::machine::{Machine, Pinned, Write};
use crate::cluster::peer::{Inbox, Receive, Transport};
use crate::cluster::start::{Replica, start};
use crate::cluster::store::memory::{Pace, Platter, Power, open_platter};
use crate::cluster::usage_host::{UsageHost, UsageShare};
use crate::cluster::world_machine::WorldMachine;
use crate::cluster::{
    Activation, CONFIG, Call, ConfigGroup, Evaluate, Evaluated, Opening, Stamp, Timing, USAGE, UsageGroup,
};
use crate::state::{Ops, Scope, World};
use arc_swap::ArcSwap;
use bytes::Bytes;
use openraft::{async_runtime::Instant, type_config::TypeConfigExt, type_config::alias::InstantOf};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::watch;

pub(super) const NODES: u64 = 3;
/// Small, so that followers that were away meet snapshots.
const SNAPSHOT_EVERY: u64 = 25;

/// What nodes saw at each index: hash of the World, first to say it is right.
pub(super) type Sightings = Arc<Mutex<BTreeMap<u64, u32>>>;

/// One node's disks, and its life if it is up.
pub(super) struct SimNode {
    pub(super) id: u64,
    replicas: (u64, u64),
    platters: (Platter, Platter),
    lives: u64,
    pub(super) life: Option<Life>,
}

/// A running node.
#[derive(Clone)]
pub(super) struct Life {
    pub(super) config: ConfigGroup,
    pub(super) usage: UsageGroup,
    pub(super) ledger: Arc<Mutex<BTreeMap<Vec<u8>, u64>>>,
    powers: (Power, Power),
}

pub(super) struct SimCluster {
    pub(super) net: Net,
    pub(super) nodes: Vec<SimNode>,
    pub(super) sightings: Sightings,
    began: InstantOf<Sim>,
    forgetful: bool,
    seed: u64,
}

impl SimCluster {
    /// Three voters, the first of which founded both groups. `forgetful` plants the bug.
    pub(super) async fn found(seed: u64, forgetful: bool) -> Self {
        let nodes = (1..=NODES).map(|id| SimNode {
            id,
            replicas: (100 + id, 200 + id),
            platters: (Platter::default(), Platter::default()),
            lives: 0,
            life: None,
        });
        let mut cluster = Self {
            net: Net::new(seed),
            nodes: nodes.collect(),
            sightings: Sightings::default(),
            began: Sim::now(),
            forgetful,
            seed,
        };
        for id in 1..=NODES {
            cluster.boot(id).await;
        }
        let within = Duration::from_secs(60);
        for id in 2..=NODES {
            let first = cluster.life(1);
            let replicas = cluster.nodes[usize::try_from(id).unwrap() - 1].replicas;
            use crate::cluster::MemberChange::{AddLearner, Promote};
            first.config.change(AddLearner { node_id: id, replica_id: replicas.0 }, within).await.unwrap();
            first.config.change(Promote { node_id: id }, within).await.unwrap();
            first.usage.change(AddLearner { node_id: id, replica_id: replicas.1 }, within).await.unwrap();
            first.usage.change(Promote { node_id: id }, within).await.unwrap();
        }
        cluster
    }

    pub(super) fn life(&self, id: u64) -> Life {
        self.nodes[usize::try_from(id).unwrap() - 1].life.clone().expect("the node is up")
    }

    pub(super) fn up(&self) -> Vec<u64> {
        self.nodes.iter().filter(|node| node.life.is_some()).map(|node| node.id).collect()
    }

    /// Starts a node over what its platters hold.
    pub(super) async fn boot(&mut self, id: u64) {
        let (net, forgetful, sightings) = (self.net.clone(), self.forgetful, self.sightings.clone());
        let (began, seed) = (self.began, self.seed);
        let node = &mut self.nodes[usize::try_from(id).unwrap() - 1];
        node.lives += 1;
        let life = node.lives;
        let socket = net.of(id, life);
        let first = id == 1 && life == 1;
        let world: Arc<ArcSwap<World>> = Arc::default();
        let (sender, applied) = watch::channel(0);
        let machine = Seen { inner: WorldMachine::new(world.clone(), sender), world: world.clone(), sightings };
        let pace = Pace { sync: Duration::from_millis(2), state: Duration::from_secs(1) };
        let (log, state, config_power) = open_platter::<Sim>(&node.platters.0, pace, Box::new(machine)).unwrap();
        let replica = |group, replica_id, log, state| Replica {
            group,
            name: if group == CONFIG { "config" } else { "usage" },
            node_id: id,
            replica_id,
            opening: if first { Opening::Found } else { Opening::Join },
            fresh: first,
            timing: Timing::of(Duration::from_millis(40)),
            log,
            state,
            inbox: Inbox::Memory,
            transport: socket.clone() as Arc<dyn Transport>,
            snapshot_every: SNAPSHOT_EVERY,
        };
        let host = start::<Sim>(replica(CONFIG, node.replicas.0, log, state)).await.unwrap();
        let cells = Cells { world: world.clone(), applied: applied.clone() };
        let skew_ms = i64::try_from(id * 400).unwrap() - 800;
        let dice = Mutex::new(Dice::new(seed ^ (id << 32) ^ life));
        let nature = Arc::new(Ether { began, skew_ms, dice, forgetful });
        let config = ConfigHost::<Sim>::start(host, &cells, Arc::new(Counting), nature, Activation::OnApply);
        net.plug_in(id, life, CONFIG, config.clone() as Arc<dyn Receive>);
        let activated = config.activated();
        let config = ConfigGroup { core: Arc::new(ConfigShare(config)), world, applied, activated };

        let ledger = Ledger::default();
        let entries = ledger.0.clone();
        let (log, state, usage_power) = open_platter::<Sim>(&node.platters.1, pace, Box::new(ledger)).unwrap();
        let usage = UsageHost::<Sim>::new(start::<Sim>(replica(USAGE, node.replicas.1, log, state)).await.unwrap());
        net.plug_in(id, life, USAGE, usage.clone() as Arc<dyn Receive>);
        let usage = UsageGroup { core: Arc::new(UsageShare(usage)) };
        node.life = Some(Life { config, usage, ledger: entries, powers: (config_power, usage_power) });
    }

    /// Kills a node: nothing more leaves it, nothing more reaches its disks.
    pub(super) fn crash(&mut self, id: u64) {
        let node = &mut self.nodes[usize::try_from(id).unwrap() - 1];
        let Some(life) = node.life.take() else { return };
        life.powers.0.cut();
        life.powers.1.cut();
        self.net.pull_out(id);
        drop(Sim::spawn(async move {
            life.config.stop().await;
            life.usage.stop().await;
        }));
    }
}

/// Counts: the payload names a counter; the reply is its new value. `look NAME` changes nothing; `slow NAME` counts
/// beside the lane; `large NAME` counts in several parts.
struct Counting;

impl Evaluate for Counting {
    fn evaluate(&self, call: &Call, world: &World, stamp: &Stamp) -> Evaluated {
        assert!(stamp.time_ms >= world.time_ms(), "time never goes back");
        let text = String::from_utf8_lossy(&call.payload).into_owned();
        let (verb, name) = text.split_once(' ').unwrap();
        let row = world.get::<Sequence>(&Scope::cluster(), name).unwrap().unwrap_or_default();
        if verb == "look" {
            return Evaluated { reply: row.last.to_string().into(), ..Evaluated::default() };
        }
        let (mut ops, last) = (Ops::new(), row.last + 1);
        ops.put(&Scope::cluster(), name, &Sequence { last, ..row });
        if verb == "large" {
            let unknown = BTreeMap::from([("filler".to_owned(), "x".repeat(300_000).into())]);
            ops.put(&Scope::cluster(), "filler", &Sequence { last, unknown });
        }
        Evaluated { ops: ops.0, reply: Bytes::from(last.to_string()), touches_serving: last % 5 == 0 }
    }

    fn slow_scopes(&self, call: &Call, _: &World) -> Option<Vec<Scope>> {
        call.payload.starts_with(b"slow").then(|| vec![Scope::cluster()])
    }
}

/// Virtual time, a clock that is off, and dice.
struct Ether {
    began: InstantOf<Sim>,
    skew_ms: i64,
    dice: Mutex<Dice>,
    forgetful: bool,
}

impl Nature for Ether {
    fn stamp(&self) -> Stamp {
        let mut dice = self.dice.lock().unwrap();
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&dice.next().to_le_bytes());
        let now_ms = i64::try_from(self.began.elapsed().as_millis()).unwrap();
        Stamp { time_ms: 1_795_000_000_000 + now_ms + self.skew_ms, seed }
    }

    fn forgetful(&self) -> bool {
        self.forgetful
    }

    fn beside(&self, work: Box<dyn FnOnce() + Send>) {
        let wait = Duration::from_millis(self.dice.lock().unwrap().below(50));
        drop(Sim::spawn(async move {
            Sim::sleep(wait).await;
            work();
        }));
    }
}

/// The production machine, watched: nodes that stand at the same index must hold the same.
struct Seen {
    inner: WorldMachine,
    world: Arc<ArcSwap<World>>,
    sightings: Sightings,
}

impl Machine for Seen {
    fn reset(&mut self) {
        self.inner.reset();
    }
    fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        self.inner.load(key, value)
    }
    fn apply(&mut self, index: u64, entry: &[u8], out: &mut Vec<Write>) -> Vec<u8> {
        self.inner.apply(index, entry, out)
    }
    fn publish(&mut self) {
        self.inner.publish();
        let world = self.world.load();
        if !world.seq().is_multiple_of(4) {
            return;
        }
        let hash = hash_of(&world);
        let first = *self.sightings.lock().unwrap().entry(world.seq()).or_insert(hash);
        assert_eq!(first, hash, "two nodes differ at index {}", world.seq());
    }
    fn pin(&self) -> Pinned {
        self.inner.pin()
    }
}

/// A hash over everything in a World.
pub(super) fn hash_of(world: &World) -> u32 {
    let mut pairs: Vec<_> = world.dump().collect();
    pairs.sort();
    let mut hasher = crc32fast::Hasher::new();
    for (key, value) in pairs {
        hasher.update(&key);
        hasher.update(&value.len().to_be_bytes());
        // The filler of large Changes is the same everywhere, and hashing it would take the time of the whole run.
        hasher.update(&value[..value.len().min(256)]);
    }
    hasher.finalize()
}

/// The `usage` group's machine in simulation: counts how often each command was applied.
#[derive(Default)]
struct Ledger(Arc<Mutex<BTreeMap<Vec<u8>, u64>>>);

impl Machine for Ledger {
    fn reset(&mut self) {
        self.0.lock().unwrap().clear();
    }
    fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let count = value.try_into().map(u64::from_be_bytes).map_err(|_| "no count".to_owned())?;
        self.0.lock().unwrap().insert(key.to_vec(), count);
        Ok(())
    }
    fn apply(&mut self, _: u64, entry: &[u8], out: &mut Vec<Write>) -> Vec<u8> {
        let mut ledger = self.0.lock().unwrap();
        let count = ledger.entry(entry.to_vec()).or_insert(0);
        *count += 1;
        out.push(Write { key: entry.to_vec(), value: Some(count.to_be_bytes().to_vec()) });
        count.to_be_bytes().to_vec()
    }
    fn publish(&mut self) {}
    fn pin(&self) -> Pinned {
        let ledger = self.0.lock().unwrap().clone();
        Box::new(ledger.into_iter().map(|(key, count)| (key, count.to_be_bytes().to_vec())))
    }
}
