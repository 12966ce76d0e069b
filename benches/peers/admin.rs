//! `scripts/bench admin`: signed reads and fsynced writes a second, on one node and on three with 80 ms between them.

use crate::nodes::http::Client;
use crate::nodes::{Cluster, wait_for};
use crate::signer::Signer;
use crate::table::{machine, middle, print};
use crate::{Flags, Outcome};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Times of one kind of call, in ms, and calls a second.
struct Rate {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// `clients` callers of `node`, each on a connection of its own, for `seconds`.
fn drive(cluster: &Cluster, node: usize, clients: usize, seconds: f64, write: bool) -> Outcome<Rate> {
    let address = cluster.nodes[node].listen.admin;
    let signer = Signer {
        access_key_id: cluster.access_key_id.clone(),
        secret_access_key: cluster.secret_access_key.clone(),
        region: cluster.nodes[0].region.clone(),
        host: address.to_string(),
    };
    let (stop, number) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let began = Instant::now();
    let threads: Vec<_> = (0..clients)
        .map(|_| {
            let (signer, stop, number) = (signer.clone(), stop.clone(), number.clone());
            std::thread::spawn(move || -> std::io::Result<Vec<f64>> {
                let mut client = Client::connect(address)?;
                let mut times = Vec::new();
                while !stop.load(Relaxed) {
                    let (method, path, body, status) = if write {
                        let name = format!("{{\"name\":\"bench-{}\"}}", number.fetch_add(1, Relaxed));
                        ("POST", "/restapis", name.into_bytes(), 201)
                    } else {
                        ("GET", "/account", Vec::new(), 200)
                    };
                    let signed = signer.headers(method, path, &body);
                    let headers: Vec<(&str, &str)> =
                        signed.iter().map(|(name, value)| (*name, value.as_str())).collect();
                    let asked = Instant::now();
                    let answer = client.send(method, path, &headers, &body)?;
                    if answer.status != status {
                        return Err(std::io::Error::other(format!(
                            "{method} {path}: {} {}",
                            answer.status,
                            answer.text()
                        )));
                    }
                    times.push(asked.elapsed().as_secs_f64() * 1000.0);
                }
                Ok(times)
            })
        })
        .collect();
    std::thread::sleep(Duration::from_secs_f64(seconds));
    stop.store(true, Relaxed);
    let mut times = Vec::new();
    for thread in threads {
        times.extend(thread.join().map_err(|_| "a caller panicked")??);
    }
    let took = began.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    let p99_ms = times.get(times.len() * 99 / 100).copied().unwrap_or(0.0);
    Ok(Rate { per_second: times.len() as f64 / took, p50_ms: middle(&times), p99_ms })
}

fn rows(name: &str, cluster: &Cluster, node: usize, seconds: f64, rows: &mut Vec<Vec<String>>) -> Outcome<()> {
    for (kind, write) in [("signed reads", false), ("fsynced writes", true)] {
        for clients in [1, 16, 64] {
            eprintln!("{name} · {kind} · {clients} clients");
            let rate = drive(cluster, node, clients, seconds, write)?;
            rows.push(vec![
                format!("{name}, {kind}"),
                clients.to_string(),
                format!("{:.0}", rate.per_second),
                format!("{:.1}", rate.p50_ms),
                format!("{:.1}", rate.p99_ms),
            ]);
        }
    }
    Ok(())
}

/// `admin [--seconds N] [--rtt MS]`.
pub(crate) fn run(flags: &Flags) -> Outcome<()> {
    let (seconds, rtt_ms) = (flags.number("seconds", 5.0), flags.number("rtt", 80.0_f64));
    let mut table = Vec::new();
    let one = Cluster::start(&["us-east-1"]);
    rows("one node", &one, 0, seconds, &mut table)?;
    drop(one);
    let three = Cluster::start_apart(&["us-east-1", "eu-west-1", "ap-southeast-2"], rtt_ms / 2.0);
    let leader = wait_for("a leader", Duration::from_secs(30), || three.leader(0));
    rows(&format!("three nodes, {rtt_ms} ms apart, asked at the leader"), &three, leader, seconds, &mut table)?;
    rows(
        &format!("three nodes, {rtt_ms} ms apart, asked at a follower"),
        &three,
        (leader + 1) % 3,
        seconds,
        &mut table,
    )?;
    println!("{}. Nodes and callers share the machine.", machine());
    print("Control plane", &["", "clients", "calls/s", "p50 ms", "p99 ms"], &table);
    Ok(())
}
