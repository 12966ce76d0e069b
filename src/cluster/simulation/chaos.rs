//! What goes wrong, and who works meanwhile.

use super::cluster::{NODES, SimCluster};
use super::verdict::{Acked, History, judge};
use super::{Dice, Sim};
use crate::cluster::{Call, ClusterError, Wait};
use openraft::{async_runtime::Instant, type_config::AsyncRuntime, type_config::TypeConfigExt};
use openraft_rt_sim::SimRuntime;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

const CLIENTS: u64 = 5;
/// How long things go wrong, virtual time.
const STORM: Duration = Duration::from_secs(40);
/// How long everything may take to come right again.
const CALM: Duration = Duration::from_secs(60);

type Shared = Arc<tokio::sync::Mutex<SimCluster>>;
type Histories = Arc<Mutex<History>>;

/// Runs one seed; what is wrong in the end.
pub(super) fn run(seed: u64, forgetful: bool) -> Result<String, String> {
    let mut runtime = SimRuntime::with_seed(seed);
    log_from();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(async move {
            let cluster = Arc::new(tokio::sync::Mutex::new(SimCluster::found(seed, forgetful).await));
            let history = Histories::default();
            let end = Sim::now() + STORM;
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| Sim::spawn(work(client, seed, cluster.clone(), history.clone(), end)))
                .collect();
            storm(seed, &cluster, end).await;
            calm(&cluster).await;
            for client in clients {
                client.await.map_err(|cause| format!("a client died: {cause:?}"))?;
            }
            settle(&cluster).await?;
            let cluster = cluster.lock().await;
            let history = history.lock().unwrap();
            judge(&cluster, &history)
        })
    }));
    outcome.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        Err(words.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default())
    })
}

/// `MERIDIAN_SIM_LOG_MS=N` prints what Raft says from that virtual time on.
fn log_from() {
    let Some(from_ms) = std::env::var("MERIDIAN_SIM_LOG_MS").ok().and_then(|text| text.parse::<u128>().ok()) else {
        return;
    };
    use tracing_subscriber::{Layer, filter::dynamic_filter_fn, layer::SubscriberExt, util::SubscriberInitExt};
    let late = dynamic_filter_fn(move |_, _| {
        let now = openraft_rt_sim::SimInstant::try_now();
        now.is_some_and(|now| now.elapsed_since_start().as_millis() >= from_ms)
    });
    let layer = tracing_subscriber::fmt::layer().without_time().with_ansi(false).with_filter(late);
    drop(tracing_subscriber::registry().with(layer).try_init());
}

/// One client: counts, looks, tries again with the same id at another node, and sometimes asks for an answer twice.
async fn work(client: u64, seed: u64, cluster: Shared, history: Histories, end: <SimRuntime as AsyncRuntime>::Instant) {
    let mut dice = Dice::new(seed.wrapping_mul(31).wrapping_add(client));
    let mut number = 0;
    while Sim::now() < end {
        number += 1;
        let counter = ["red", "green", "blue"][usize::try_from(dice.below(3)).unwrap()];
        let verb = match dice.below(20) {
            0..=3 => "look",
            4..=5 => "slow",
            6 if dice.chance(30) => "large",
            _ => "count",
        };
        let id = format!("{client}-{number}");
        let floor = history.lock().unwrap().highest(counter);
        let reply = ask(&mut dice, &cluster, &id, &format!("{verb} {counter}"), 6).await;
        if let Some((reply, index)) = &reply {
            let acked = Acked { counter: counter.into(), value: reply.parse().unwrap(), index: *index };
            if verb == "look" {
                history.lock().unwrap().looked(counter, acked.value, floor);
            } else {
                history.lock().unwrap().acked(&id, acked);
            }
        } else if verb != "look" {
            history.lock().unwrap().unknown.insert(id.clone());
        }
        if verb != "look"
            && reply.is_some()
            && dice.chance(30)
            && let Some((again, _)) = ask(&mut dice, &cluster, &id, &format!("{verb} {counter}"), 3).await
        {
            let first = reply.map(|(reply, _)| reply);
            assert_eq!(Some(again), first, "the retry of {id} got another reply");
        }
        if dice.chance(40) {
            spend(&mut dice, &cluster, &history, &format!("spend-{id}")).await;
        }
        Sim::sleep(Duration::from_millis(dice.below(300))).await;
    }
}

/// Asks nodes in turn until one answers; its reply and index.
async fn ask(dice: &mut Dice, cluster: &Shared, id: &str, payload: &str, tries: u64) -> Option<(String, u64)> {
    let mut payload_hash = [0; 32];
    payload_hash[..payload.len()].copy_from_slice(payload.as_bytes());
    for _ in 0..tries {
        let at = 1 + dice.below(NODES);
        let within = Duration::from_millis(500 + dice.below(4000));
        let life = {
            let cluster = cluster.lock().await;
            if !cluster.up().contains(&at) { None } else { Some(cluster.life(at)) }
        };
        let Some(life) = life else {
            Sim::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let call = Call { id: id.into(), payload_hash, room: 0, payload: payload.to_owned().into() };
        match life.config.propose(call, within, Wait::Auto).await {
            Ok(done) => return Some((String::from_utf8_lossy(&done.reply).into_owned(), done.index)),
            Err(ClusterError::Unavailable { .. } | ClusterError::Stopped(_)) => {}
            Err(other) => panic!("{id} {payload}: {other}"),
        }
    }
    None
}

/// One command of the usage group; tried once, as its handle promises.
async fn spend(dice: &mut Dice, cluster: &Shared, history: &Histories, id: &str) {
    let at = 1 + dice.below(NODES);
    let life = {
        let cluster = cluster.lock().await;
        if !cluster.up().contains(&at) {
            return;
        }
        cluster.life(at)
    };
    match life.usage.propose(id.to_owned().into(), Duration::from_secs(3)).await {
        Ok(reply) => {
            assert_eq!(&reply[..], 1_u64.to_be_bytes(), "{id} was applied twice");
            history.lock().unwrap().spent.insert(id.into());
        }
        Err(ClusterError::Unavailable { .. } | ClusterError::Stopped(_)) => {}
        Err(other) => panic!("{id}: {other}"),
    }
}

/// Crashes, partitions, loss, new leaders: one thing after another.
async fn storm(seed: u64, cluster: &Shared, end: <SimRuntime as AsyncRuntime>::Instant) {
    let mut dice = Dice::new(seed ^ 0x73_746f_726d);
    while Sim::now() < end {
        Sim::sleep(Duration::from_millis(200 + dice.below(2500))).await;
        let node = 1 + dice.below(NODES);
        let mut cluster = cluster.lock().await;
        match dice.below(10) {
            0 | 1 => cluster.crash(node),
            2 | 3 => {
                let down: Vec<u64> = (1..=NODES).filter(|id| !cluster.up().contains(id)).collect();
                for id in down {
                    cluster.boot(id).await;
                }
            }
            4 => {
                for other in (1..=NODES).filter(|other| *other != node) {
                    cluster.net.cut(node, other, true);
                    cluster.net.cut(other, node, true);
                }
            }
            // One-way, or between two only: the third still hears both.
            5 => cluster.net.cut(node, 1 + node % NODES, true),
            6 => {
                cluster.net.cut(node, 1 + node % NODES, true);
                cluster.net.cut(1 + node % NODES, node, true);
            }
            7 => cluster.net.weather(dice.below(8), 5 + dice.below(60)),
            8 => hand_over(&cluster, node),
            _ => cluster.net.mend(),
        }
    }
}

fn hand_over(cluster: &SimCluster, node: u64) {
    use crate::cluster::MemberChange::Transfer;
    for id in cluster.up() {
        let life = cluster.life(id);
        if life.config.status().is_leader {
            drop(Sim::spawn(async move {
                drop(life.config.change(Transfer { node_id: node }, Duration::from_secs(2)).await);
                drop(life.usage.change(Transfer { node_id: node }, Duration::from_secs(2)).await);
            }));
        }
    }
}

async fn calm(cluster: &Shared) {
    let mut cluster = cluster.lock().await;
    cluster.net.mend();
    for id in 1..=NODES {
        if !cluster.up().contains(&id) {
            cluster.boot(id).await;
        }
    }
}

/// Waits until every node holds everything.
async fn settle(cluster: &Shared) -> Result<(), String> {
    let began = Sim::now();
    loop {
        let lives: Vec<_> = {
            let cluster = cluster.lock().await;
            (1..=NODES).map(|id| cluster.life(id)).collect()
        };
        let mut whole = true;
        for life in &lives {
            whole &= life.config.read_barrier(Duration::from_secs(5)).await.is_ok();
            whole &= life.usage.read_barrier(Duration::from_secs(5)).await.is_ok();
        }
        let at: Vec<u64> = lives.iter().map(|life| life.config.world().seq()).collect();
        if whole && at.iter().all(|seq| *seq == at[0]) {
            return Ok(());
        }
        if began.elapsed() > CALM {
            let states: Vec<_> = lives.iter().map(|life| life.config.status()).collect();
            return Err(format!("the cluster did not come right again: {states:#?}"));
        }
        Sim::sleep(Duration::from_millis(200)).await;
    }
}
