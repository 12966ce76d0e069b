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
    /// Bytes of the body that is posted; 0: GET.
    body: usize,
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
        body: 0,
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
    if target.body > 0 {
        flag("body", target.body.to_string());
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

/// Everybody who runs, all at once; who is not asked sleeps.
struct Field {
    nginx: Option<Peer>,
    haproxy: Option<Peer>,
    responder: Peer,
    plain_proxy: Peer,
    tls_proxy: Peer,
    ours: Option<(Cluster, gateway::Api)>,
    _backend: Running,
}

impl Field {
    fn start(folder: &Path, files: &tls::Files, with_us: bool) -> Outcome<Self> {
        let mut backend = Running::role(Some(LOAD_CORE), &["responder"])?;
        let address = backend.line()?;
        let (cert, key) = (files.cert.display().to_string(), files.key.display().to_string());
        let ours = if with_us {
            // The peers keep no access log here, so neither do we.
            let flags = ["--tls-cert", &cert, "--tls-key", &key, "--access-log", "off"];
            let cluster = Cluster::start_with(&["us-east-1"], &flags);
            let api = gateway::set_up(&cluster.owner(0), &address)?;
            Some((cluster, api))
        } else {
            None
        };
        Ok(Self {
            nginx: peers::nginx(folder, &address, files)?,
            haproxy: peers::haproxy(folder, &address, files)?,
            responder: peers::hyper_responder()?,
            plain_proxy: peers::hyper_proxy(&address, None)?,
            tls_proxy: peers::hyper_proxy(&address, Some(files))?,
            ours,
            _backend: backend,
        })
    }

    fn pid(&self) -> Option<u32> {
        self.ours.as_ref()?.0.nodes[0].pid()
    }

    fn ours(&self, name: &str, path: &str, tls: bool) -> Option<Target> {
        let (cluster, api) = self.ours.as_ref()?;
        let listen = cluster.nodes[0].listen;
        Some(Target {
            name: name.to_owned(),
            pid: self.pid()?,
            address: if tls { listen.gateway_https } else { listen.gateway_http }.to_string(),
            path: format!("/prod{path}"),
            host: api.host.clone(),
            key: matches!(path, "/keyed" | "/full").then(|| api.key.clone()),
            body: if matches!(path, "/full" | "/order") { 4_096 } else { 0 },
        })
    }

    /// The named peers that are here, and then ourselves, each asked for `path`.
    fn targets<const N: usize>(&self, peers: [Option<&Peer>; N], path: &str, tls: bool) -> Vec<Target> {
        let others = peers.into_iter().flatten().map(|one| peer(one, path, tls));
        others.chain(self.ours("Meridian", path, tls)).collect()
    }

    fn proxies(&self, path: &str, tls: bool) -> Vec<Target> {
        let bare = if tls { &self.tls_proxy } else { &self.plain_proxy };
        self.targets([self.nginx.as_ref(), self.haproxy.as_ref(), Some(bare)], path, tls)
    }

    fn workloads(&self) -> Vec<Workload> {
        let plain =
            |title, connections, targets| Workload { title, connections, streams: 1, tls: false, h2: false, targets };
        let tls = |title, connections, targets| Workload { tls: true, ..plain(title, connections, targets) };
        let mocks = self.targets([Some(&self.responder), self.nginx.as_ref(), self.haproxy.as_ref()], "/mock", false);
        let h2 = tls("Proxy 1 KiB, TLS, HTTP/2, 8 connections of 8 streams", 8, self.proxies("/1k", true));
        let mut keyed = self.targets([self.nginx.as_ref(), self.haproxy.as_ref()], "/keyed", false);
        keyed.extend(self.ours("Meridian, its plain proxy", "/1k", false));
        let whole =
            [("Meridian, its plain proxy of the same body", "/order"), ("Meridian, the whole pipeline", "/full")];
        let whole = whole.into_iter().filter_map(|(name, path)| self.ours(name, path, false)).collect();
        let kept = [("Meridian, a mock", "/mock"), ("Meridian, a kept answer", "/kept")];
        let kept = kept.into_iter().filter_map(|(name, path)| self.ours(name, path, false)).collect();
        vec![
            plain("Mock, 64 connections", 64, mocks),
            plain("A kept answer of the same size as the mock's, 64 connections", 64, kept),
            plain("Proxy 1 KiB, 64 connections", 64, self.proxies("/1k", false)),
            plain("Proxy 1 KiB, 1 connection", 1, self.proxies("/1k", false)),
            plain("Proxy 1 MiB, 16 connections", 16, self.proxies("/1m", false)),
            tls("Proxy 1 KiB, TLS, HTTP/1.1, 64 connections", 64, self.proxies("/1k", true)),
            Workload { h2: true, streams: 8, ..h2 },
            plain(
                "Key, throttle and quota, proxy 1 KiB, 64 connections (nginx: map and limit_req; haproxy: key alone)",
                64,
                keyed,
            ),
            plain("The whole pipeline with a 4 KB body (key, validate, map, proxy, map), 64 connections", 64, whole),
        ]
    }
}

/// `speed [--seconds N] [--repeats N] [--only WORD] [--without-meridian 1]`.
pub(crate) fn run(flags: &Flags) -> Outcome<()> {
    let (seconds, repeats) = (flags.number("seconds", 4.0), flags.number("repeats", 5));
    let folder = tempfile::tempdir()?;
    let files = tls::write(folder.path(), &[])?;
    let field = Field::start(folder.path(), &files, flags.text("without-meridian").is_none())?;
    for (name, found) in [("nginx", field.nginx.is_some()), ("haproxy", field.haproxy.is_some())] {
        if !found {
            println!("SKIPPED {name}: it is not installed (apt-get install {name}); its rows are missing");
        }
    }
    let split = "one core for what is measured, one for load and backend";
    println!("{}; {split}; {repeats} repeats of {seconds} s.", machine());
    println!("Meridian at rest: {:.0} MiB resident.", field.pid().map_or(0.0, resident_mib));
    let wanted = flags.text("only").unwrap_or_default();
    for workload in field.workloads().iter().filter(|one| one.title.contains(wanted)) {
        compare(workload, repeats, seconds, &files.cert)?;
    }
    Ok(())
}
