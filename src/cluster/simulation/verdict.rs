//! What must be true in the end, whatever went wrong; and the seeds that are run.

use super::chaos::run;
use super::cluster::{NODES, SimCluster, hash_of};
use crate::catalog::cluster::{Request, Sequence};
use crate::state::Scope;
use std::collections::{BTreeMap, BTreeSet};

/// An answered count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Acked {
    pub(super) counter: String,
    pub(super) value: u64,
    pub(super) index: u64,
}

/// What clients were told.
#[derive(Debug, Default)]
pub(super) struct History {
    acked: BTreeMap<String, Acked>,
    /// Counts that were never answered: applied once or not at all.
    pub(super) unknown: BTreeSet<String>,
    /// Usage commands that were answered.
    pub(super) spent: BTreeSet<String>,
}

impl History {
    /// The highest value of a counter that anybody was told.
    pub(super) fn highest(&self, counter: &str) -> u64 {
        self.acked.values().filter(|acked| acked.counter == counter).map(|acked| acked.value).max().unwrap_or(0)
    }

    pub(super) fn acked(&mut self, id: &str, acked: Acked) {
        self.acked.insert(id.into(), acked);
    }

    /// A look that began when `floor` had been answered must not see less.
    pub(super) fn looked(&mut self, counter: &str, value: u64, floor: u64) {
        assert!(value >= floor, "a look at {counter} saw {value} after {floor} had been answered");
    }
}

/// Judges the end; a line of figures when all is well.
pub(super) fn judge(cluster: &SimCluster, history: &History) -> Result<String, String> {
    let world = cluster.life(1).config.world();
    for id in 2..=NODES {
        let other = cluster.life(id).config.world();
        if (other.seq(), hash_of(&other)) != (world.seq(), hash_of(&world)) {
            return Err(format!("nodes 1 and {id} differ in the end"));
        }
    }
    let requests = world.list::<Request>(&Scope::cluster(), "").map_err(|cause| cause.to_string())?;
    if requests.len() as u64 != world.seq() {
        return Err(format!("{} Changes were applied for {} requests", world.seq(), requests.len()));
    }
    let counters = world.list::<Sequence>(&Scope::cluster(), "").map_err(|cause| cause.to_string())?;
    let counted: u64 = counters.iter().filter(|(name, _)| name != "filler").map(|(_, row)| row.last).sum();
    if counted != world.seq() {
        return Err(format!("{counted} counts for {} Changes", world.seq()));
    }
    let requests: BTreeMap<String, Request> = requests.into_iter().collect();
    for (id, acked) in &history.acked {
        let row = requests.get(id).ok_or_else(|| format!("{id} was answered and is lost: {acked:?}"))?;
        if row.reply != acked.value.to_string().as_bytes() {
            return Err(format!("{id} was answered {} and is remembered as {:?}", acked.value, row.reply));
        }
        if acked.index > world.seq() {
            return Err(format!("{id} was answered at {}, beyond the end {}", acked.index, world.seq()));
        }
    }
    if let Some(stranger) =
        requests.keys().find(|id| !history.acked.contains_key(*id) && !history.unknown.contains(*id))
    {
        return Err(format!("{stranger} was applied and nobody asked"));
    }
    let mut values = BTreeSet::new();
    for acked in history.acked.values() {
        if !values.insert((&acked.counter, acked.value)) {
            return Err(format!("two requests were told the same: {acked:?}"));
        }
    }
    let ledgers: Vec<_> = (1..=NODES).map(|id| cluster.life(id).ledger.lock().unwrap().clone()).collect();
    for ledger in &ledgers {
        if let Some(lost) = history.spent.iter().find(|id| ledger.get(id.as_bytes()) != Some(&1)) {
            return Err(format!("{lost} was answered and counted {:?} times", ledger.get(lost.as_bytes())));
        }
        if let Some((id, count)) = ledger.iter().find(|(_, count)| **count != 1) {
            return Err(format!("{} was applied {count} times", String::from_utf8_lossy(id)));
        }
        if *ledger != ledgers[0] {
            return Err("the ledgers differ in the end".into());
        }
    }
    let (config, usage) = (cluster.life(1).config.status(), cluster.life(1).usage.status());
    Ok(format!(
        "{} answered, {} unknown, {} applied, {} spent; terms {} and {}, log {} (purged {})",
        history.acked.len(),
        history.unknown.len(),
        world.seq(),
        history.spent.len(),
        config.term,
        usage.term,
        config.last_log_index,
        config.purged_index,
    ))
}

fn seeds(default_runs: u64) -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let long = std::env::var_os("MERIDIAN_TEST_ALL").is_some();
    let usual = if long { default_runs * 10 } else { default_runs };
    match number("MERIDIAN_SIM_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("MERIDIAN_SIM_RUNS").unwrap_or(usual)).collect(),
    }
}

#[test]
fn nothing_answered_is_lost_or_applied_twice_whatever_goes_wrong() {
    for seed in seeds(6) {
        match run(seed, false) {
            Ok(figures) => println!("seed {seed}: {figures}"),
            Err(wrong) => panic!("seed {seed} (MERIDIAN_SIM_SEED={seed}): {wrong}"),
        }
    }
}

#[test]
fn the_simulation_notices_an_evaluator_that_forgets_answered_requests() {
    let caught = seeds(12).into_iter().find(|seed| run(*seed, true).is_err());
    assert!(caught.is_some(), "the planted bug went unnoticed");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let seed = 4;
    assert_eq!(run(seed, false), run(seed, false), "seed {seed}");
}
