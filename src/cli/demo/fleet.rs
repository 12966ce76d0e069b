//! The demo's node processes: started, asked, killed, and gone when this is dropped.

use super::{ROUND_TRIPS_MS, backend::Backend, round_trip, step};
use crate::cli::{
    CliError,
    http::{Answer, Connection},
};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const START: Duration = Duration::from_secs(40);

/// One node process.
pub(super) struct Node {
    pub(super) region: String,
    pub(super) admin: SocketAddr,
    pub(super) https: SocketAddr,
    pub(super) http: SocketAddr,
    pub(super) backend: Backend,
    child: Mutex<Child>,
}

/// All node processes and their directory.
pub(super) struct Fleet {
    pub(super) nodes: Vec<Node>,
    /// What clients trust: each node's own certificate.
    pub(super) trust: Arc<rustls::ClientConfig>,
    pub(super) access_key: (String, String),
    token: String,
    folder: tempfile::TempDir,
}

/// Sockets on free ports, held until all are known: the delays are between ports.
fn free_ports(count: usize) -> std::io::Result<Vec<SocketAddr>> {
    let sockets: Vec<UdpSocket> = (0..count).map(|_| UdpSocket::bind("127.0.0.1:0")).collect::<std::io::Result<_>>()?;
    sockets.iter().map(UdpSocket::local_addr).collect()
}

/// Starts one process and reads its first line.
fn launch(
    arguments: &[&str],
    region: &str,
    data: &std::path::Path,
    peers: &[SocketAddr],
    index: usize,
) -> Result<(Child, Value), CliError> {
    let links: Vec<String> = (0..peers.len())
        .filter(|other| *other != index)
        .map(|other| format!("{}={}", peers[other], round_trip(index, other).as_millis() as f64 / 2.0))
        .collect();
    std::fs::create_dir_all(data)?;
    let log = std::fs::File::create(data.join("node.log"))?;
    let mut command = Command::new(std::env::current_exe()?);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MERIDIAN_")) {
        command.env_remove(name);
    }
    let mut child = command
        .args(arguments)
        .args(["--name", region, "--region", region, "--output", "json", "--data"])
        .arg(data)
        .args(["--gateway-http", "127.0.0.1:0", "--gateway-https", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
        .args(["--peers", &peers[index].to_string()])
        .env("MERIDIAN_SIMULATED_LINKS", links.join(","))
        .env("MERIDIAN_FUNCTIONS", "on")
        .env("MERIDIAN_ROUND_TRIP_MS", ROUND_TRIPS_MS.iter().max().unwrap_or(&100).to_string())
        // Held by this process alone: when it ends, however it does, so do the nodes.
        .stdin(Stdio::piped())
        .env(crate::node::STOP_WITH_STDIN, "1")
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    match serde_json::from_str(&line) {
        Ok(ready) => Ok((child, ready)),
        Err(_) => {
            let _ = child.kill();
            let _ = child.wait();
            let said = std::fs::read_to_string(data.join("node.log")).unwrap_or_default();
            let last: Vec<&str> = said.lines().rev().take(5).collect();
            Err(CliError::Demo(format!("the node of {region} did not start: {}", last.join(" | "))))
        }
    }
}

impl Node {
    fn new(region: &str, child: Child, ready: &Value, backend: Backend) -> Result<Self, CliError> {
        let at = |name: &str| {
            let text = ready[name].as_str().unwrap_or_default();
            text.parse::<SocketAddr>().map_err(|_| CliError::Demo(format!("the node of {region} did not say {name}")))
        };
        Ok(Self {
            region: region.to_owned(),
            admin: at("admin")?,
            https: at("gateway_https")?,
            http: at("gateway_http")?,
            backend,
            child: Mutex::new(child),
        })
    }

    /// Ends the process at once, as a power cut would.
    pub(super) fn kill(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Fleet {
    /// Founds a cluster in the first region and joins a node for each other; returns when all vote (or learn).
    pub(super) async fn start(regions: &[String]) -> Result<Self, CliError> {
        let folder = tempfile::Builder::new().prefix("meridian-demo-").tempdir()?;
        let peers = free_ports(regions.len())?;
        step(&format!("founding a cluster in {} …", regions[0]));
        let (child, ready) = launch(&["start"], &regions[0], &folder.path().join(&regions[0]), &peers, 0)?;
        let first = Node::new(&regions[0], child, &ready, Backend::start(&regions[0]).await?)?;
        let text = |name: &str| ready[name].as_str().unwrap_or_default().to_owned();
        let token = std::fs::read_to_string(folder.path().join(&regions[0]).join("admin-token"))?.trim().to_owned();
        let mut fleet = Self {
            nodes: vec![first],
            trust: Arc::new(trust(&[])?),
            access_key: (text("access_key_id"), text("secret_access_key")),
            token,
            folder,
        };
        for (index, region) in regions.iter().enumerate().skip(1) {
            step(&format!("a node in {region} joins by token …"));
            let invitation = fleet.must(0, "POST", "/cluster/v1/tokens", &json!({}), 201).await?;
            let token = invitation["token"].as_str().unwrap_or_default().to_owned();
            let data = fleet.data(region);
            let (child, ready) = launch(&["join", &token], region, &data, &peers, index)?;
            fleet.nodes.push(Node::new(region, child, &ready, Backend::start(region).await?)?);
        }
        let folders: Vec<PathBuf> = regions.iter().map(|region| fleet.data(region)).collect();
        fleet.trust = Arc::new(trust(&folders)?);
        fleet.settle().await?;
        step("");
        Ok(fleet)
    }

    /// The data directory of a region's node.
    pub(super) fn data(&self, region: &str) -> PathBuf {
        self.folder.path().join(region)
    }

    async fn settle(&self) -> Result<(), CliError> {
        let wanted = if self.nodes.len() == 2 { 1 } else { 3 };
        let until = Instant::now() + START;
        step("the nodes catch up and get their votes …");
        loop {
            let members = self.members(0).await.unwrap_or_default();
            let votes = |member: &&Value| matches!(member["role"].as_str(), Some("voter" | "leader"));
            if members.len() == self.nodes.len() && members.iter().filter(votes).count() == wanted {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(CliError::Demo(format!("the cluster did not settle: {}", Value::from(members))));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The members as a node sees them.
    pub(super) async fn members(&self, node: usize) -> Result<Vec<Value>, CliError> {
        let answer = self.must(node, "GET", "/cluster/v1/members", &Value::Null, 200).await?;
        Ok(answer["members"].as_array().cloned().unwrap_or_default())
    }

    /// The node that leads, as the node `asked` sees it.
    pub(super) async fn leader(&self, asked: usize) -> Option<usize> {
        let members = self.members(asked).await.ok()?;
        let leader = members.into_iter().find(|member| member["role"] == "leader")?;
        self.nodes.iter().position(|node| leader["name"] == node.region.as_str())
    }

    /// One call on a node's admin listener; `region` is the region it is for.
    pub(super) async fn ask(
        &self,
        node: usize,
        region: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> std::io::Result<Answer> {
        let address = self.nodes[node].admin.to_string();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &address)
            .header("authorization", format!("Bearer {}", self.token))
            .header("x-meridian-region", region)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(std::io::Error::other)?;
        Connection::plain(&address).await?.send(request).await
    }

    /// A call that must succeed.
    pub(super) async fn must(
        &self,
        node: usize,
        method: &str,
        path: &str,
        body: &Value,
        status: u16,
    ) -> Result<Value, CliError> {
        let region = self.nodes[node].region.clone();
        self.must_in(node, &region, method, path, body, status).await
    }

    /// A call for a region that must succeed.
    pub(super) async fn must_in(
        &self,
        node: usize,
        region: &str,
        method: &str,
        path: &str,
        body: &Value,
        status: u16,
    ) -> Result<Value, CliError> {
        let answer = self.ask(node, region, method, path, body).await?;
        if answer.status != status {
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            return Err(CliError::Demo(format!("{method} {path} was answered {}: {said}", answer.status)));
        }
        Ok(serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    /// What a node has measured, as text.
    pub(super) async fn metrics(&self, node: usize) -> String {
        let answer = self.ask(node, "", "GET", "/metrics", &Value::Null).await;
        answer.map(|answer| String::from_utf8_lossy(&answer.body).into_owned()).unwrap_or_default()
    }

    /// Ends all processes.
    pub(super) async fn stop(self) {
        for node in &self.nodes {
            node.kill();
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for node in &self.nodes {
            node.kill();
        }
    }
}

/// Trusts the certificates that the nodes made for themselves.
fn trust(folders: &[PathBuf]) -> Result<rustls::ClientConfig, CliError> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = rustls::RootCertStore::empty();
    for folder in folders {
        let said = |cause: String| CliError::File { path: folder.join("gateway.crt"), cause };
        let certificate =
            CertificateDer::from_pem_file(folder.join("gateway.crt")).map_err(|cause| said(cause.to_string()))?;
        roots.add(certificate).map_err(|cause| said(cause.to_string()))?;
    }
    Ok(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}
