//! `scripts/bench admin`: signed reads and fsynced writes a second, on one node and on three with distance between them;
//! imports of a large document; and what many APIs cost.

use crate::caller::{Request, Until, drive};
use crate::nodes::{Cluster, wait_for};
use crate::table::{machine, print};
use crate::{Flags, Outcome, large};
use std::time::Duration;

fn rows(name: &str, cluster: &Cluster, node: usize, seconds: f64, rows: &mut Vec<Vec<String>>) -> Outcome<()> {
    let read = |_| Request::get("/account");
    let write = |n: usize| Request::post("/restapis", format!("{{\"name\":\"bench-{n}\"}}"));
    let kinds: [(&str, &(dyn Fn(usize) -> Request + Sync)); 2] = [("signed reads", &read), ("fsynced writes", &write)];
    for (kind, next) in kinds {
        for clients in [1, 16, 64] {
            eprintln!("{name} · {kind} · {clients} clients");
            let until = Until::Elapsed(Duration::from_secs_f64(seconds));
            let rate = drive(cluster, node, clients, until, next, |_, _| ())?;
            rows.push(vec![
                format!("{name}, {kind}"),
                clients.to_string(),
                format!("{:.0}", rate.per_second),
                format!("{:.0}", rate.per_cpu_second),
                format!("{:.1}", rate.p50()),
                format!("{:.1}", rate.p99()),
            ]);
        }
    }
    Ok(())
}

fn rates(seconds: f64, rtt_ms: f64, table: &mut Vec<Vec<String>>) -> Outcome<()> {
    let one = Cluster::start(&["us-east-1"]);
    rows("one node", &one, 0, seconds, table)?;
    drop(one);
    let three = Cluster::start_apart(&["us-east-1", "eu-west-1", "ap-southeast-2"], rtt_ms / 2.0);
    let leader = wait_for("a leader", Duration::from_secs(30), || three.leader(0));
    rows(&format!("three nodes, {rtt_ms} ms apart, at the leader"), &three, leader, seconds, table)?;
    rows(&format!("three nodes, {rtt_ms} ms apart, at a follower"), &three, (leader + 1) % 3, seconds, table)
}

/// `admin [--seconds N] [--rtt MS] [--apis N] [--only rates|large]`.
pub(crate) fn run(flags: &Flags) -> Outcome<()> {
    let only = flags.text("only").unwrap_or_default();
    let (mut table, mut facts) = (Vec::new(), Vec::new());
    if only != "large" {
        rates(flags.number("seconds", 5.0), flags.number("rtt", 80.0), &mut table)?;
    }
    let apis = flags.number("apis", 10_000);
    if only != "rates" {
        let mut cluster = Cluster::start(&["us-east-1"]);
        large::imports(&cluster, &mut facts)?;
        drop(cluster);
        cluster = Cluster::start(&["us-east-1"]);
        large::run(&mut cluster, apis, &mut facts)?;
    }
    println!("{}. Nodes and callers share the machine.", machine());
    if !table.is_empty() {
        let columns = ["", "clients", "calls/s", "calls/CPU-s of the node", "p50 ms", "p99 ms"];
        print("Calls (aims: 2,000 reads/s per core; 500 writes/s from one client, 1,500 from 16)", &columns, &table);
    }
    if !facts.is_empty() {
        let title = format!("One node: a large document, then {apis} APIs × 30 resources (p50 / p99 / most)");
        print(&title, &["", "measured", "aim"], &facts);
    }
    Ok(())
}
