//! The protocol under a seeded scheduler: loss, duplication, re-ordering, crashes that lose unsynced writes, partitions,
//! leader changes. The production ledger and holder run; only network, disk and time are made up.

mod node;
mod outcome;
mod world;

use outcome::{Faults, Flaw, Outcome};
use world::World;

const LIMITS: [u64; 6] = [1, 10, 20, 100, 500, 2_000];

fn run(seed: u64, faults: Faults, flaw: Option<Flaw>) -> Outcome {
    World::new(seed, faults, flaw).run()
}

/// The first fifth of the seeds, all of them in the long run (`MERIDIAN_TEST_ALL`).
fn share(seeds: std::ops::Range<u64>) -> std::ops::Range<u64> {
    let long = std::env::var_os("MERIDIAN_TEST_ALL").is_some();
    let count = (seeds.end - seeds.start) / if long { 1 } else { 5 };
    seeds.start..seeds.start + count
}

fn all(seeds: std::ops::Range<u64>, faults: Faults, flaw: Option<Flaw>) -> Vec<(u64, Outcome)> {
    let half = seeds.start + (seeds.end - seeds.start) / 2;
    std::thread::scope(|scope| {
        let halves = [seeds.start..half, half..seeds.end];
        let both = halves.map(|part| scope.spawn(move || part.map(|s| (s, run(s, faults, flaw))).collect::<Vec<_>>()));
        both.into_iter().flat_map(|one| one.join().unwrap()).collect()
    })
}

fn assert_never_over(outcomes: &[(u64, Outcome)]) {
    for (seed, out) in outcomes {
        assert_eq!(out.over, 0, "seed {seed}: {out:?}");
        assert_eq!(out.ledger_overshoot, 0, "seed {seed}: {out:?}");
    }
}

fn report(name: &str, outcomes: &[(u64, Outcome)]) {
    for limit in LIMITS {
        let mut under: Vec<u64> = outcomes.iter().filter(|(_, o)| o.limit == limit).map(|(_, o)| o.under()).collect();
        under.sort_unstable();
        if let Some(max) = under.last() {
            let (p50, p95) = (under[under.len() / 2], under[under.len() * 95 / 100]);
            println!("{name}: limit {limit}: runs {} under-service p50 {p50} p95 {p95} max {max}", under.len());
        }
    }
    let entries: u64 = outcomes.iter().map(|(_, o)| o.entries).sum();
    let early: u64 = outcomes.iter().map(|(_, o)| o.early_denials).sum();
    println!("{name}: entries a run {}, early denials {early}", entries / outcomes.len().max(1) as u64);
}

#[test]
fn without_faults_a_quota_is_used_up() {
    let outcomes = all(share(0..400), Faults::NONE, None);
    report("no fault", &outcomes);
    assert_never_over(&outcomes);
    // A charge may cross a grant: then its right stays in hand at the node that asked, for its next request.
    let short = outcomes.iter().filter(|(_, out)| out.under() > 0).count();
    assert!(short * 100 <= outcomes.len(), "{short} of {} runs fell short", outcomes.len());
    for (seed, out) in &outcomes {
        assert!(out.under() <= out.in_hand.min(1), "seed {seed}: {out:?}");
        assert!(out.under() <= 1, "seed {seed}: {out:?}");
        // A charge may cross a grant: then its right stays in hand at the node that asked, for its next request.
        assert!(out.under() <= out.in_hand, "seed {seed}: {out:?}");
    }
    // The last rights may lie a journal write and two round trips away, and a request waits 700 ms at most.
    let early: u64 = outcomes.iter().map(|(_, out)| out.early_denials).sum();
    let admitted: u64 = outcomes.iter().map(|(_, out)| out.admitted).sum();
    assert!(early * 100 < admitted, "{early} refused while rights were left, {admitted} admitted");
}

#[test]
fn whatever_fails_no_quota_is_exceeded_by_one_request() {
    let outcomes = all(share(10_000..11_500), Faults::ALL, None);
    report("all faults", &outcomes);
    assert_never_over(&outcomes);
}

#[test]
fn with_lost_messages_alone_next_to_nothing_is_lost() {
    let outcomes = all(share(20_000..20_300), Faults { crash: false, cut: false, ..Faults::ALL }, None);
    report("loss", &outcomes);
    assert_never_over(&outcomes);
    for (seed, out) in &outcomes {
        let most = out.burnt + out.nodes as u64;
        assert!(out.under() <= most, "seed {seed}: more is lost than lost charge replies explain: {out:?}");
    }
}

#[test]
fn a_crash_costs_no_more_than_the_reserve() {
    let outcomes = all(share(30_000..30_500), Faults { loss: false, cut: false, leaders: false, ..Faults::ALL }, None);
    report("crash", &outcomes);
    assert_never_over(&outcomes);
    for (seed, out) in &outcomes {
        assert!(out.under() <= out.forfeited + out.burnt, "seed {seed}: {out:?}");
    }
}

fn finds(flaw: Flaw, seeds: std::ops::Range<u64>) {
    let found = seeds.clone().find(|seed| run(*seed, Faults::ALL, Some(flaw)).over > 0);
    println!("{flaw:?}: first found with seed {found:?} of {seeds:?}");
    assert!(found.is_some(), "the checker does not find {flaw:?}");
}

#[test]
fn the_checker_finds_a_watermark_written_after_spending() {
    finds(Flaw::LateWatermark, 0..200);
}

#[test]
fn the_checker_finds_rights_reclaimed_by_time() {
    finds(Flaw::ReclaimByTime, 0..500);
}

#[test]
fn the_checker_finds_a_return_reported_before_it_is_durable() {
    finds(Flaw::EarlyReturn, 0..600);
}

#[test]
fn the_checker_finds_grants_sent_as_differences() {
    finds(Flaw::DeltaGrants, 0..400);
}
