//! The peers, set up to do the same as we: nginx, haproxy, and bare hyper. Each runs on the measured core.

use crate::process::{Running, free_port, installed};
use crate::responder::SMALL;
use crate::{Outcome, tls};
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The key that peers with a key check know.
pub(crate) const KEY: &str = "a-key-of-the-bench-0123456789";

/// A program that answers on a plain and a TLS port.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) plain: String,
    pub(crate) tls: String,
    /// Its process, or nothing when somebody else owns it.
    pub(crate) pid: u32,
    _running: Vec<Running>,
}

fn wait(address: &str) -> Outcome<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_err() {
        if Instant::now() > deadline {
            return Err(format!("nothing listens on {address}").into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn ready(name: &'static str, running: Running, plain: u16, tls: u16) -> Outcome<Peer> {
    let (plain, tls) = (format!("127.0.0.1:{plain}"), format!("127.0.0.1:{tls}"));
    wait(&plain)?;
    wait(&tls)?;
    Ok(Peer { name, plain, tls, pid: running.id(), _running: vec![running] })
}

/// nginx, one worker: `/mock`, `/1k` and `/1m` by kept connections, `/keyed` behind a key check and `limit_req`.
pub(crate) fn nginx(folder: &Path, backend: &str, files: &tls::Files) -> Outcome<Option<Peer>> {
    if !installed("nginx") {
        return Ok(None);
    }
    let (plain, tls) = (free_port()?, free_port()?);
    let folder = folder.join("nginx");
    fs::create_dir_all(&folder)?;
    let at = folder.display();
    let body = SMALL;
    let pass = "proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection \"\";";
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {at}/{kind};\n"))
        .collect();
    let config = format!(
        r#"
worker_processes 1;
pid {at}/pid;
error_log {at}/error.log crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    {temporary}
    keepalive_requests 1000000000;
    tcp_nodelay on;
    proxy_buffers 16 64k;
    proxy_max_temp_file_size 0;
    ssl_certificate {cert};
    ssl_certificate_key {key};
    upstream backend {{ server {backend}; keepalive 128; keepalive_requests 1000000000; }}
    map $http_x_api_key $known {{ default 0; "{KEY}" 1; }}
    limit_req_zone $http_x_api_key zone=keys:1m rate=1000000r/s;
    server {{
        listen 127.0.0.1:{plain};
        listen 127.0.0.1:{tls} ssl http2;
        location /mock {{ default_type application/json; return 200 '{body}'; }}
        location /keyed {{
            if ($known = 0) {{ return 403; }}
            limit_req zone=keys burst=1000000 nodelay;
            rewrite ^ /1k break;
            {pass}
        }}
        location / {{ {pass} }}
    }}
}}
"#,
        cert = files.cert.display(),
        key = files.key.display(),
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, config)?;
    let mut command = Command::new("nginx");
    command.args(["-g", "daemon off;", "-p"]).arg(&folder).arg("-c").arg(&file).arg("-e").arg(folder.join("error.log"));
    ready("nginx", Running::start(&mut command)?, plain, tls).map(Some)
}

/// haproxy, one thread.
pub(crate) fn haproxy(folder: &Path, backend: &str, files: &tls::Files) -> Outcome<Option<Peer>> {
    if !installed("haproxy") {
        return Ok(None);
    }
    let (plain, tls) = (free_port()?, free_port()?);
    let config = format!(
        r#"
global
    nbthread 1
    maxconn 2000
defaults
    mode http
    http-reuse always
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend all
    bind 127.0.0.1:{plain}
    bind 127.0.0.1:{tls} ssl crt {both} alpn h2,http/1.1
    http-request return status 200 content-type application/json string '{SMALL}' if {{ path /mock }}
    http-request return status 403 if {{ path /keyed }} !{{ req.hdr(x-api-key) {KEY} }}
    http-request set-path /1k if {{ path /keyed }}
    default_backend backend
backend backend
    server one {backend}
"#,
        both = files.both.display(),
    );
    let file = folder.join("haproxy.cfg");
    fs::write(&file, config)?;
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(&file);
    ready("haproxy", Running::start(&mut command)?, plain, tls).map(Some)
}

/// The bare hyper responder, as a peer of mocks.
pub(crate) fn hyper_responder() -> Outcome<Peer> {
    let mut running = Running::role(None, &["responder"])?;
    let plain = running.line()?;
    Ok(Peer { name: "bare hyper", tls: plain.clone(), plain, pid: running.id(), _running: vec![running] })
}

/// The bare hyper proxy; plain and TLS are two processes, so `tls` picks which one is asked and counted.
pub(crate) fn hyper_proxy(backend: &str, files: Option<&tls::Files>) -> Outcome<Peer> {
    let mut arguments = vec!["proxy".to_owned(), "--upstream".to_owned(), backend.to_owned()];
    if let Some(files) = files {
        for (flag, file) in [("--cert", &files.cert), ("--key", &files.key)] {
            arguments.extend([flag.to_owned(), file.display().to_string()]);
        }
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut running = Running::role(None, &arguments)?;
    let address = running.line()?;
    Ok(Peer { name: "bare hyper", plain: address.clone(), tls: address, pid: running.id(), _running: vec![running] })
}
