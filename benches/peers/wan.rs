//! `scripts/bench wan`: a fresh far client, directly to the region and through the nearest edge, without and with loss.
//!
//! ```text
//! client ──2 ms── edge ──80 ms (loss)── region, with the backend
//!    └────────────80 ms (loss)────────────┘
//! ```
//!
//! Every request is a new TCP connection, a new TLS 1.3 session and one GET. Directly that is three round trips of the
//! long link; through an edge three short ones and one long.

use crate::nodes::{Cluster, Launch, Listen, Node, Owner};
use crate::process::Running;
use crate::table::{machine, print};
use crate::tun::Hosts;
use crate::{Flags, Outcome, gateway, load, on_one_thread, tls};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const SHORT_MS: f64 = 1.0;
const LONG_MS: f64 = 40.0;
const GATEWAY: u16 = 8443;
/// A fresh client that hears nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// `fresh --address A --host H --path P --cert FILE [--count N] [--clients N]`: times of whole visits, as one line of JSON.
pub(crate) fn fresh(flags: &Flags) -> Outcome<()> {
    let need = |name: &str| flags.text(name).map(str::to_owned).ok_or(format!("--{name} is missing"));
    let (address, host, path) = (need("address")?, need("host")?, need("path")?);
    let connector = TlsConnector::from(tls::client(&need("cert")?, false, false)?);
    let (count, clients) = (flags.number("count", 200_usize), flags.number("clients", 8_usize));
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let visit = async || -> Outcome<u64> {
        let began = Instant::now();
        let stream = TcpStream::connect(&address).await?;
        stream.set_nodelay(true)?;
        let name = rustls::pki_types::ServerName::try_from(host.clone())?;
        let mut stream = connector.connect(name, stream).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = vec![0_u8; 4096];
        let mut held = 0;
        // The whole small answer comes with its head.
        while !answer[..held].windows(4).any(|window| window == b"\r\n\r\n") {
            let read = stream.read(&mut answer[held..]).await?;
            if read == 0 {
                return Err("closed before an answer".into());
            }
            held += read;
        }
        if !answer.starts_with(b"HTTP/1.1 200") {
            return Err(String::from_utf8_lossy(&answer[..held]).into_owned().into());
        }
        Ok(u64::try_from(began.elapsed().as_micros())?)
    };
    let (mut times, errors) = on_one_thread(async {
        let each = (0..clients).map(|_| async {
            let (mut times, mut errors) = (Vec::new(), 0_u64);
            for _ in 0..count / clients {
                match tokio::time::timeout(PATIENCE, visit()).await {
                    Ok(Ok(time)) => times.push(time),
                    Ok(Err(error)) => {
                        eprintln!("a visit failed: {error}");
                        errors += 1;
                    }
                    Err(_) => errors += 1,
                }
            }
            (times, errors)
        });
        let all = futures_util::future::join_all(each).await;
        all.into_iter().fold((Vec::new(), 0), |(mut times, errors), (more, failed)| {
            times.extend(more);
            (times, errors + failed)
        })
    })?;
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or(0);
    let seen = load::Seen { requests: times.len() as u64, errors, seconds: 0.0, p50_us: at(0.5), p99_us: at(0.99) };
    println!("{}", serde_json::to_string(&seen)?);
    Ok(())
}

fn at(host: usize, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 77, u8::try_from(host).unwrap_or(0), 1], port))
}

/// A node on host `number`, seen by clients and peers there, administered on that host's own loopback.
fn node(hosts: &Hosts, number: usize, region: &str, data: &Path, arguments: &[&str], files: &tls::Files) -> Node {
    let own = SocketAddr::from(([127, 0, 0, 1], 0));
    let listen = Listen { gateway_http: own, gateway_https: at(number, GATEWAY), admin: own, peers: at(number, 4567) };
    let mut flags = vec!["--tls-cert".to_owned(), files.cert.display().to_string()];
    flags.extend(["--tls-key".to_owned(), files.key.display().to_string()]);
    let launch = Launch { flags, under: hosts.inside(number), listen: Some(listen), variables: Vec::new() };
    Node::launch(region, region, data.join(region), arguments, launch)
}

fn inside(hosts: &Hosts, number: usize, arguments: &[&str]) -> Outcome<Running> {
    let under = hosts.inside(number);
    Running::start(Command::new(&under[0]).args(&under[1..]).arg(std::env::current_exe()?).args(arguments))
}

fn carry(hosts: &Hosts, loss: f64) -> Outcome<Running> {
    let links = format!("1:2:{SHORT_MS}:0,2:3:{LONG_MS}:{loss},1:3:{LONG_MS}:{loss}");
    let own = std::env::current_exe()?;
    let mut carrier =
        Running::start(Command::new(own).args(["carry", "--hosts", &hosts.names().join(","), "--links", &links]))?;
    carrier.line()?;
    Ok(carrier)
}

/// nginx on host 2, with kept TLS connections to the region's gateway.
fn nginx_edge(hosts: &Hosts, folder: &Path, files: &tls::Files, host: &str) -> Outcome<Option<Running>> {
    if !crate::process::installed("nginx") {
        return Ok(None);
    }
    let at_folder = folder.display();
    let config = format!(
        "worker_processes 1; pid {at_folder}/edge.pid; error_log {at_folder}/edge.log crit; events {{}}\n\
         http {{ access_log off; client_body_temp_path {at_folder}/e1; proxy_temp_path {at_folder}/e2;\n\
         fastcgi_temp_path {at_folder}/e3; uwsgi_temp_path {at_folder}/e4; scgi_temp_path {at_folder}/e5;\n\
         ssl_certificate {cert}; ssl_certificate_key {key};\n\
         upstream region {{ server {region}; keepalive 64; }}\n\
         server {{ listen {listen} ssl; location / {{ proxy_pass https://region; proxy_http_version 1.1;\n\
         proxy_set_header Connection \"\"; proxy_set_header Host {host}; }} }} }}\n",
        cert = files.cert.display(),
        key = files.key.display(),
        region = at(3, GATEWAY),
        listen = at(2, 9443),
    );
    let file = folder.join("edge.conf");
    std::fs::write(&file, config)?;
    let under = hosts.inside(2);
    let mut command = Command::new(&under[0]);
    command
        .args(&under[1..])
        .args(["nginx", "-g", "daemon off;", "-e"])
        .arg(folder.join("edge.log"))
        .arg("-c")
        .arg(&file);
    Running::start(&mut command).map(Some)
}

/// `prepare --admin ADDRESS --token TOKEN --region R --backend ADDRESS`, run on the region's host: makes the API.
pub(crate) fn prepare(flags: &Flags) -> Outcome<()> {
    let need = |name: &str| flags.text(name).map(str::to_owned).ok_or(format!("--{name} is missing"));
    let owner = Owner { address: need("admin")?.parse()?, token: need("token")?, region: need("region")? };
    println!("{}", gateway::set_up(&owner, &need("backend")?)?.host);
    Ok(())
}

/// `wan [--count N]`.
pub(crate) fn run(flags: &Flags) -> Outcome<()> {
    let count = flags.number("count", 400_usize).to_string();
    let folder = tempfile::tempdir()?;
    let files = tls::write(folder.path(), &["*.execute-api.eu-west-1.localhost".to_owned()])?;
    let hosts = match Hosts::new(&["client", "edge", "region"]) {
        Ok(hosts) => hosts,
        Err(error) => {
            println!("SKIPPED wan: it needs root, the `ip` program and /dev/net/tun ({error})");
            return Ok(());
        }
    };
    let carrier = carry(&hosts, 0.0)?;
    let backend_at = at(3, 9000).to_string();
    let mut backend = inside(&hosts, 3, &["responder", "--listen", &backend_at])?;
    backend.line()?;
    let region = node(&hosts, 3, "eu-west-1", folder.path(), &["start"], &files);
    let mut cluster = Cluster::of(region, tempfile::tempdir()?);
    let token = cluster.join_token();
    cluster.nodes.push(node(&hosts, 2, "us-east-1", folder.path(), &["join", &token], &files));
    let admin = cluster.nodes[0].listen.admin.to_string();
    let arguments =
        ["prepare", "--admin", &admin, "--token", &cluster.token, "--region", "eu-west-1", "--backend", &backend_at];
    let host = inside(&hosts, 3, &arguments)?.line()?;
    let nginx = nginx_edge(&hosts, folder.path(), &files, &host)?;
    drop(carrier);

    let mut rows = Vec::new();
    let cert = files.cert.display().to_string();
    for loss in [0.0, 1.0] {
        let _carrier = carry(&hosts, loss)?;
        let mut ways = vec![("directly to the region", at(3, GATEWAY)), ("through Meridian's edge", at(2, GATEWAY))];
        ways.extend(nginx.is_some().then(|| ("through nginx as the edge", at(2, 9443))));
        for (way, address) in ways {
            eprintln!("{way}, {loss} % loss");
            let address = address.to_string();
            let asked =
                ["fresh", "--address", &address, "--host", &host, "--path", "/prod/1k", "--cert", &cert, "--count"];
            // A few visits first, so that the connections between nodes are warm and know their round trip.
            inside(&hosts, 1, &[&asked[..], &["40"]].concat())?.line()?;
            let seen: load::Seen =
                serde_json::from_str(&inside(&hosts, 1, &[&asked[..], &[&count]].concat())?.line()?)?;
            rows.push(vec![
                format!("{way}, {loss} % loss"),
                format!("{:.1}", seen.p50_us as f64 / 1000.0),
                format!("{:.1}", seen.p99_us as f64 / 1000.0),
                seen.requests.to_string(),
                seen.errors.to_string(),
            ]);
        }
    }
    println!(
        "{}. Round trips: client–edge {} ms, edge–region and client–region {} ms; floor through an edge {} ms.",
        machine(),
        2.0 * SHORT_MS,
        2.0 * LONG_MS,
        6.0 * SHORT_MS + 2.0 * LONG_MS
    );
    print("A fresh far client (new TCP and TLS 1.3 each time)", &["", "p50 ms", "p99 ms", "visits", "failed"], &rows);
    Ok(())
}
