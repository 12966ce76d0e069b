//! `scripts/bench speed`: CPU per request beside nginx, haproxy and bare hyper.
//!
//! What is measured has one core, the load generator and the backend the other. Peers take turns within a repeat, in
//! reverse order every other repeat, and every ratio is taken inside one repeat: what disturbs the machine disturbs both.

use crate::load::Seen;
use crate::nodes::Cluster;
use crate::peers::{self, KEY, Peer};
use crate::process::{LOAD_CORE, Running, cpu_seconds, resident_mib};
use crate::table::{machine, middle, print, spread};
use crate::{Flags, Outcome, gateway, tls};
use std::path::Path;

/// One way to ask one program.
struct Target {
    name: String,
    pid: u32,
    address: String,
    path: String,
    host: String,
    key: Option<String>,
}

struct Workload {
    title: &'static str,
    connections: usize,
    streams: usize,
    tls: bool,
    h2: bool,
    /// The first is the reference of the ratios.
    targets: Vec<Target>,
}

/// What one target spent in one repeat.
#[derive(Clone)]
struct Spent {
    /// CPU seconds per 100,000 requests.
    cpu: f64,
    seen: Seen,
    resident_mib: f64,
}

fn peer(peer: &Peer, path: &str, tls: bool) -> Target {
    let address = if tls { peer.tls.clone() } else { peer.plain.clone() };
    let key = (path == "/keyed").then(|| KEY.to_owned());
    Target {
        name: peer.name.to_owned(),
        pid: peer.pid,
        address,
        path: path.to_owned(),
        host: "localhost".to_owned(),
        key,
    }
}

fn measure(workload: &Workload, target: &Target, seconds: f64, cert: &Path) -> Outcome<Spent> {
    let mut arguments = vec!["load".to_owned()];
    let mut flag = |name: &str, value: String| arguments.extend([format!("--{name}"), value]);
    flag("address", target.address.clone());
    flag("path", target.path.clone());
    flag("host", target.host.clone());
    flag("connections", workload.connections.to_string());
    flag("streams", workload.streams.to_string());
    flag("seconds", seconds.to_string());
    flag("h2", u8::from(workload.h2).to_string());
    if workload.tls {
        flag("cert", cert.display().to_string());
    }
    if let Some(key) = &target.key {
        flag("header", format!("x-api-key:{key}"));
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut load = Running::role(Some(LOAD_CORE), &arguments)?;
    assert_eq!(load.line()?, "start");
    let before = cpu_seconds(target.pid);
    let seen: Seen = serde_json::from_str(&load.line()?)?;
    let spent = cpu_seconds(target.pid) - before;
    if seen.errors > 0 || seen.requests == 0 {
        return Err(format!("{} on {}: {seen:?}", target.name, workload.title).into());
    }
    Ok(Spent { cpu: spent * 1e5 / seen.requests as f64, seen, resident_mib: resident_mib(target.pid) })
}

fn compare(workload: &Workload, repeats: usize, seconds: f64, cert: &Path) -> Outcome<()> {
    let mut spent: Vec<Vec<Spent>> = workload.targets.iter().map(|_| Vec::new()).collect();
    for repeat in 0..repeats {
        let mut order: Vec<usize> = (0..workload.targets.len()).collect();
        if repeat % 2 == 1 {
            order.reverse();
        }
        for number in order {
            let target = &workload.targets[number];
            eprintln!("{} · repeat {} of {repeats} · {}", workload.title, repeat + 1, target.name);
            spent[number].push(measure(workload, target, seconds, cert)?);
        }
    }
    let of = |number: usize, pick: fn(&Spent) -> f64| spent[number].iter().map(pick).collect::<Vec<f64>>();
    let reference = of(0, |s| s.cpu);
    let rows: Vec<Vec<String>> = workload
        .targets
        .iter()
        .enumerate()
        .map(|(number, target)| {
            let ratios: Vec<f64> =
                of(number, |s| s.cpu).iter().zip(&reference).map(|(one, other)| one / other).collect();
            vec![
                target.name.clone(),
                format!("{:.2}", middle(&of(number, |s| s.cpu))),
                if number == 0 { "1".to_owned() } else { spread(&ratios) },
                format!("{:.0}", middle(&of(number, |s| s.seen.requests as f64 / s.seen.seconds))),
                format!("{:.2}", middle(&of(number, |s| s.seen.p50_us as f64 / 1000.0))),
                format!("{:.2}", middle(&of(number, |s| s.seen.p99_us as f64 / 1000.0))),
                format!("{:.0}", middle(&of(number, |s| s.resident_mib))),
            ]
        })
        .collect();
    let times = format!("× {}", workload.targets[0].name);
    print(workload.title, &["", "CPU-s/100k", &times, "requests/s", "p50 ms", "p99 ms", "RSS MiB"], &rows);
    Ok(())
}

/// `speed [--seconds N] [--repeats N] [--only WORD] [--without-meridian 1]`.
pub(crate) fn run(flags: &Flags) -> Outcome<()> {
    let (seconds, repeats) = (flags.number("seconds", 4.0), flags.number("repeats", 5));
    let folder = tempfile::tempdir()?;
    let files = tls::write(folder.path(), &[])?;
    let mut backend = Running::role(Some(LOAD_CORE), &["responder"])?;
    let backend_address = backend.line()?;
    let nginx = peers::nginx(folder.path(), &backend_address, &files)?;
    let haproxy = peers::haproxy(folder.path(), &backend_address, &files)?;
    for (name, found) in [("nginx", nginx.is_some()), ("haproxy", haproxy.is_some())] {
        if !found {
            println!("SKIPPED {name}: it is not installed (apt-get install {name}); its rows are missing");
        }
    }
    let responder = peers::hyper_responder()?;
    let (plain_proxy, tls_proxy) =
        (peers::hyper_proxy(&backend_address, None)?, peers::hyper_proxy(&backend_address, Some(&files))?);
    let certificate = ["--tls-cert", &files.cert.display().to_string(), "--tls-key", &files.key.display().to_string()];
    let cluster = flags.text("without-meridian").is_none().then(|| Cluster::start_with(&["us-east-1"], &certificate));
    let api = cluster.as_ref().map(|cluster| gateway::set_up(&cluster.owner(0), &backend_address)).transpose()?;
    let node = cluster.as_ref().map(|cluster| &cluster.nodes[0]);
    let idle = node.and_then(|node| node.pid()).map_or(0.0, resident_mib);

    let ours = |name: &str, path: &str, tls: bool, keyed: bool| {
        let (node, api) = (node?, api.as_ref()?);
        Some(Target {
            name: name.to_owned(),
            pid: node.pid()?,
            address: if tls { node.listen.gateway_https } else { node.listen.gateway_http }.to_string(),
            path: format!("/prod{path}"),
            host: api.host.clone(),
            key: keyed.then(|| api.key.clone()),
        })
    };
    let proxied = |path: &'static str, tls: bool| -> Vec<Target> {
        let bare = if tls { &tls_proxy } else { &plain_proxy };
        let others = [nginx.as_ref(), haproxy.as_ref(), Some(bare)];
        others.into_iter().flatten().map(|one| peer(one, path, tls)).chain(ours("Meridian", path, tls, false)).collect()
    };
    let mocks = [Some(&responder), nginx.as_ref(), haproxy.as_ref()];
    let mock = mocks.into_iter().flatten().map(|one| peer(one, "/mock", false));
    let keyed = [nginx.as_ref(), haproxy.as_ref()];
    let keyed = keyed.into_iter().flatten().map(|one| peer(one, "/keyed", false));
    let own_keyed = [
        ours("Meridian, plain proxy", "/1k", false, false),
        ours("Meridian, key + throttle + quota", "/keyed", false, true),
    ];
    let plain =
        |title, connections, targets| Workload { title, connections, streams: 1, tls: false, h2: false, targets };
    let workloads = [
        plain("Mock, 64 connections", 64, mock.chain(ours("Meridian", "/mock", false, false)).collect()),
        plain("Proxy 1 KiB, 64 connections", 64, proxied("/1k", false)),
        plain("Proxy 1 KiB, 1 connection", 1, proxied("/1k", false)),
        plain("Proxy 1 MiB, 16 connections", 16, proxied("/1m", false)),
        Workload { tls: true, ..plain("Proxy 1 KiB, TLS, HTTP/1.1, 64 connections", 64, proxied("/1k", true)) },
        Workload {
            tls: true,
            h2: true,
            streams: 8,
            ..plain("Proxy 1 KiB, TLS, HTTP/2, 8 connections of 8 streams", 8, proxied("/1k", true))
        },
        plain(
            "Key and limit, proxy 1 KiB, 64 connections (nginx: map and limit_req; haproxy: key alone)",
            64,
            keyed.chain(own_keyed.into_iter().flatten()).collect(),
        ),
    ];
    println!(
        "{}. One core for what is measured, one for load and backend; {repeats} repeats of {seconds} s.",
        machine()
    );
    println!("Meridian at rest: {idle:.0} MiB resident.");
    for workload in workloads.iter().filter(|one| flags.text("only").is_none_or(|word| one.title.contains(word))) {
        compare(workload, repeats, seconds, &files.cert)?;
    }
    Ok(())
}
