//! Real node processes for tests that look at Meridian from outside: start, join, kill, restart, ask.
//!
//! Nothing here knows the crate: it goes by the contract alone (flags, `listen.json`, `/readyz`, `/cluster/v1/…`).
//! Every wait is a poll of a condition with a deadline; what a node printed is shown when a wait fails.

#![allow(dead_code)] // each test binary uses its part

pub(crate) mod http;

use http::Answer;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a node may take to serve, in debug builds on a loaded machine.
pub(crate) const START: Duration = Duration::from_secs(60);

/// Says on the terminal, past the test runner's capture, that a test did not run and why.
pub(crate) fn skip(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "\nSKIPPED {test}: {why}\n");
}

/// Polls `condition` until it gives a value; panics with `what` when `within` has passed.
pub(crate) fn wait_for<T>(what: &str, within: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {within:?} in vain for: {what}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// The addresses of a running node, as `listen.json` says them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listen {
    pub gateway_http: SocketAddr,
    pub gateway_https: SocketAddr,
    pub admin: SocketAddr,
    pub peers: SocketAddr,
}

impl Listen {
    fn read(value: &Value) -> Option<Self> {
        let address = |name: &str| value.get(name).and_then(Value::as_str)?.parse().ok();
        Some(Self {
            gateway_http: address("gateway_http")?,
            gateway_https: address("gateway_https")?,
            admin: address("admin")?,
            peers: address("peers")?,
        })
    }
}

pub(crate) struct Node {
    pub name: String,
    pub region: String,
    pub data: PathBuf,
    pub listen: Listen,
    /// The line of JSON that the node printed when it was ready.
    pub ready: Value,
    child: Option<Child>,
}

pub(crate) struct Cluster {
    pub nodes: Vec<Node>,
    pub access_key_id: String,
    pub secret_access_key: String,
    /// The bearer token of the cluster admin API.
    pub token: String,
    folder: TempDir,
}

fn meridian() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meridian"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MERIDIAN_") || name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("RUST_LOG", std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned()));
    command
}

impl Node {
    /// Starts the process with `arguments` (`start …` or `join …`) and waits until it says where it listens.
    fn launch(name: &str, region: &str, data: PathBuf, arguments: &[&str], listen: Option<Listen>) -> Self {
        fs::create_dir_all(&data).expect("a data directory");
        let at =
            |pick: fn(&Listen) -> SocketAddr| listen.as_ref().map_or("127.0.0.1:0".to_owned(), |l| pick(l).to_string());
        let stdout = data.join("stdout.log");
        let child = meridian()
            .args(arguments)
            .args(["--name", name, "--region", region, "--output", "json", "--data"])
            .arg(&data)
            .args(["--gateway-http", &at(|l| l.gateway_http), "--gateway-https", &at(|l| l.gateway_https)])
            .args(["--admin", &at(|l| l.admin), "--peers", &at(|l| l.peers)])
            .stdin(Stdio::null())
            .stdout(fs::File::create(&stdout).expect("stdout.log"))
            .stderr(fs::OpenOptions::new().create(true).append(true).open(data.join("stderr.log")).expect("stderr.log"))
            .spawn()
            .expect("the node's process");
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let nowhere = Listen { gateway_http: unknown, gateway_https: unknown, admin: unknown, peers: unknown };
        let mut node = Self {
            name: name.to_owned(),
            region: region.to_owned(),
            data,
            listen: nowhere,
            ready: Value::Null,
            child: Some(child),
        };
        let deadline = Instant::now() + START;
        node.ready = loop {
            let printed = fs::read_to_string(&stdout).unwrap_or_default();
            if let Some((line, _)) = printed.split_once('\n') {
                break serde_json::from_str(line)
                    .unwrap_or_else(|e| panic!("first line of {name} is not JSON ({e}): {line}"));
            }
            if let Some(status) = node.exited() {
                panic!("node {name} ended with {status} before it was ready:\n{}", node.said());
            }
            assert!(Instant::now() < deadline, "node {name} was not ready within {START:?}:\n{}", node.said());
            std::thread::sleep(Duration::from_millis(10));
        };
        let written = fs::read(node.data.join("listen.json")).expect("listen.json in the data directory");
        let written: Value = serde_json::from_slice(&written).expect("listen.json is JSON");
        node.listen = Listen::read(&written).unwrap_or_else(|| panic!("listen.json lacks an address: {written}"));
        node.wait_ready();
        node
    }

    fn exited(&mut self) -> Option<std::process::ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    /// The last of what the node printed.
    pub(crate) fn said(&self) -> String {
        let text = fs::read_to_string(self.data.join("stderr.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    pub(crate) fn wait_ready(&self) {
        let what = format!("/readyz of {}:\n{}", self.name, self.said());
        wait_for(&what, START, || {
            http::get(self.listen.admin, "/readyz", &[]).ok().filter(|answer| answer.status == 200)
        });
    }

    /// Ends the process with SIGKILL and waits until it is gone.
    pub(crate) fn kill_9(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("SIGKILL");
            child.wait().expect("the dead process");
        }
    }

    /// Starts a killed node again, on the addresses that it had, over the data that it left.
    pub(crate) fn restart(&mut self) {
        assert!(self.child.is_none(), "{} still runs", self.name);
        *self = Self::launch(&self.name, &self.region, self.data.clone(), &["start"], Some(self.listen));
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the last words of {} ---\n{}", self.name, self.said());
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Cluster {
    /// Founds a cluster in the first region and joins one node for each other; returns when all three vote.
    pub(crate) fn start(regions: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("meridian-test-").tempdir().expect("a temporary directory");
        let first = Node::launch("n1", regions[0], folder.path().join("n1"), &["start"], None);
        let secret = |name: &str| {
            let found =
                first.ready.get(name).or_else(|| first.ready.get("access_key")?.get(name)).and_then(Value::as_str);
            found.unwrap_or_else(|| panic!("the founding node did not print {name}: {}", first.ready)).to_owned()
        };
        let token = fs::read_to_string(first.data.join("admin-token")).expect("admin-token in the data directory");
        let mut cluster = Self {
            access_key_id: secret("access_key_id"),
            secret_access_key: secret("secret_access_key"),
            token: token.trim().to_owned(),
            nodes: vec![first],
            folder,
        };
        for (number, region) in regions.iter().enumerate().skip(1) {
            let name = format!("n{}", number + 1);
            let token = cluster.join_token();
            let data = cluster.folder.path().join(&name);
            cluster.nodes.push(Node::launch(&name, region, data, &["join", &token], None));
        }
        cluster.wait_voters(regions.len());
        cluster
    }

    /// A single-use token from the command line tool, asked on the first node.
    pub(crate) fn join_token(&self) -> String {
        let endpoint = format!("http://{}", self.nodes[0].listen.admin);
        let output = meridian()
            .args(["token", "create", "--output", "json", "--endpoint", &endpoint, "--token", &self.token])
            .output()
            .expect("meridian token create");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "token create: {printed}{}", String::from_utf8_lossy(&output.stderr));
        let value: Value = serde_json::from_str(&printed).unwrap_or_else(|e| panic!("token create ({e}): {printed}"));
        value["token"].as_str().unwrap_or_else(|| panic!("token create has no token: {printed}")).to_owned()
    }

    /// The members as `node` sees them.
    pub(crate) fn members(&self, node: usize) -> Option<Vec<Value>> {
        let answer = self.admin(node, "GET", "/cluster/v1/members", "").ok().filter(|answer| answer.status == 200)?;
        answer.json()?.get("members")?.as_array().cloned()
    }

    pub(crate) fn wait_voters(&self, count: usize) {
        let votes = |member: &Value| matches!(member["role"].as_str(), Some("voter" | "leader"));
        wait_for(&format!("{count} voters, of {:?}", self.members(0)), START, || {
            let voters = self.members(0)?.iter().filter(|member| votes(member)).count();
            (voters == count).then_some(())
        });
    }

    /// The position of the node that leads, as the running node `asked` sees it.
    pub(crate) fn leader(&self, asked: usize) -> Option<usize> {
        let members = self.members(asked)?;
        let leader = members.iter().find(|member| member["role"] == "leader")?;
        self.nodes.iter().position(|node| leader["name"] == node.name.as_str())
    }

    /// One admin call with the bearer token, for the cluster API or the control plane in the first node's region.
    pub(crate) fn admin(&self, node: usize, method: &str, path: &str, body: &str) -> std::io::Result<Answer> {
        self.admin_with(node, method, path, body, &[])
    }

    pub(crate) fn admin_with(
        &self,
        node: usize,
        method: &str,
        path: &str,
        body: &str,
        more: &[(&str, &str)],
    ) -> std::io::Result<Answer> {
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![
            ("authorization", bearer.as_str()),
            ("x-meridian-region", self.nodes[0].region.as_str()),
            ("content-type", "application/json"),
        ];
        headers.extend_from_slice(more);
        http::Client::connect(self.nodes[node].listen.admin)?.send(method, path, &headers, body.as_bytes())
    }

    /// An admin call that must succeed with `status`; gives its body.
    pub(crate) fn must(&self, node: usize, method: &str, path: &str, body: &str, status: u16) -> Value {
        let answer = self.admin(node, method, path, body).unwrap_or_else(|e| panic!("{method} {path}: {e}"));
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        if answer.body.is_empty() { Value::Null } else { answer.json().expect("a JSON body") }
    }
}
