//! Real node processes for tests that look at Meridian from outside: start, join, kill, restart, ask.
//!
//! Nothing here knows the crate: it goes by the contract alone (flags, `listen.json`, `/readyz`, `/cluster/v1/…`).
//! Every wait is a poll of a condition with a deadline; what a node printed is shown when a wait fails.

#![allow(dead_code)] // each test binary uses its part

pub(crate) mod api;
pub(crate) mod http;
mod skip;

#[allow(unused_imports)] // as above
pub(crate) use skip::skip;

use http::Answer;
use serde_json::Value;
use std::fs;

use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a node may take to serve, in debug builds on a loaded machine.
pub(crate) const START: Duration = Duration::from_secs(60);

/// The variable that puts a simulated distance before peers: `ADDRESS=ONE_WAY_MS,…`.
const DISTANCE: &str = "MERIDIAN_SIMULATED_LINKS";
/// What the nodes take for the round trip between them until they have measured it.
const ROUND_TRIP: &str = "MERIDIAN_ROUND_TRIP_MS";

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
    pub(crate) gateway_http: SocketAddr,
    pub(crate) gateway_https: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) peers: SocketAddr,
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

/// How a node's process is started, beyond its name and place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Launch {
    /// Further flags.
    pub(crate) flags: Vec<String>,
    /// Further variables.
    pub(crate) variables: Vec<(String, String)>,
    /// A program to run it under, with its arguments (`ip netns exec NAME`); the node's loopback may not be ours then.
    pub(crate) under: Vec<String>,
    /// Addresses for its listeners, instead of free ports on loopback.
    pub(crate) listen: Option<Listen>,
}

pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) region: String,
    pub(crate) data: PathBuf,
    pub(crate) listen: Listen,
    /// The line of JSON that the node printed when it was ready.
    pub(crate) ready: Value,
    launch: Launch,
    child: Option<Child>,
}

pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    /// The bearer token of the cluster admin API.
    pub(crate) token: String,
    folder: TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// One cluster at a time in a test binary: tests run in threads, and a machine of two cores does not carry several.
static ALONE: Mutex<()> = Mutex::new(());

fn meridian(under: &[String]) -> Command {
    let own = env!("CARGO_BIN_EXE_meridian");
    let mut command = match under.split_first() {
        None => Command::new(own),
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments).arg(own);
            command
        }
    };
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MERIDIAN_") || name.starts_with("AWS_")) {
        command.env_remove(name);
    }

    command
}

impl Node {
    /// Starts the process with `arguments` (`start …` or `join …`) and waits until it says where it listens.
    pub(crate) fn launch(name: &str, region: &str, data: PathBuf, arguments: &[&str], launch: Launch) -> Self {
        fs::create_dir_all(&data).expect("a data directory");
        let listen = launch.listen;
        let at =
            |pick: fn(&Listen) -> SocketAddr| listen.as_ref().map_or("127.0.0.1:0".to_owned(), |l| pick(l).to_string());
        let stdout = data.join("stdout.log");
        let child = meridian(&launch.under)
            .args(arguments)
            .args(["--name", name, "--region", region, "--output", "json", "--data"])
            .arg(&data)
            .args(["--gateway-http", &at(|l| l.gateway_http), "--gateway-https", &at(|l| l.gateway_https)])
            .args(["--admin", &at(|l| l.admin), "--peers", &at(|l| l.peers)])
            .args(&launch.flags)
            .envs(launch.variables.clone())
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
            launch,
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
        if node.launch.under.is_empty() {
            node.wait_ready();
        }
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
        self.restart_as(self.launch.clone());
    }

    /// The same, launched in another way.
    pub(crate) fn restart_as(&mut self, launch: Launch) {
        assert!(self.child.is_none(), "{} still runs", self.name);
        let launch = Launch { listen: Some(self.listen), ..launch };
        *self = Self::launch(&self.name, &self.region, self.data.clone(), &["start"], launch);
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
    /// Founds a cluster in the first region and joins one node for each other; returns when all of them vote.
    pub(crate) fn start(regions: &[&str]) -> Self {
        Self::start_with(regions, &[])
    }

    /// The same, each node with further flags.
    pub(crate) fn start_with(regions: &[&str], flags: &[&str]) -> Self {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Self::launch(regions, &vec![Launch { flags, ..Launch::default() }; regions.len()])
    }

    /// The same, each node with a launch of its own.
    pub(crate) fn start_each(nodes: &[(&str, Launch)]) -> Self {
        let (regions, launches): (Vec<&str>, Vec<Launch>) = nodes.iter().cloned().unzip();
        Self::launch(&regions, &launches)
    }

    /// The same, with a simulated distance between any two nodes.
    pub(crate) fn start_apart(regions: &[&str], one_way_ms: f64) -> Self {
        // The delay goes by address, so the peers' ports are chosen here; all are held until the last is known.
        let held: Vec<UdpSocket> = regions.iter().map(|_| UdpSocket::bind("127.0.0.1:0").expect("a port")).collect();
        let peers: Vec<SocketAddr> = held.iter().map(|socket| socket.local_addr().expect("its address")).collect();
        drop(held);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let launches: Vec<Launch> = peers
            .iter()
            .map(|own| {
                let others = peers.iter().filter(|peer| *peer != own).map(|peer| format!("{peer}={one_way_ms}"));
                let links = others.collect::<Vec<_>>().join(",");
                let listen = Listen { gateway_http: any, gateway_https: any, admin: any, peers: *own };
                let round_trip = format!("{:.0}", 2.0 * one_way_ms);
                let variables = vec![(DISTANCE.to_owned(), links), (ROUND_TRIP.to_owned(), round_trip)];
                Launch { variables, listen: Some(listen), ..Launch::default() }
            })
            .collect();
        Self::launch(regions, &launches)
    }

    fn launch(regions: &[&str], launches: &[Launch]) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::Builder::new().prefix("meridian-test-").tempdir().expect("a temporary directory");
        let first = Node::launch("n1", regions[0], folder.path().join("n1"), &["start"], launches[0].clone());
        let mut cluster = Self::founded(first, folder, alone);
        for (number, region) in regions.iter().enumerate().skip(1) {
            let name = format!("n{}", number + 1);
            let token = cluster.join_token();
            let data = cluster.folder.path().join(&name);
            cluster.nodes.push(Node::launch(&name, region, data, &["join", &token], launches[number].clone()));
        }
        cluster.wait_voters(regions.len());
        cluster
    }

    /// A cluster of the node that founded it.
    pub(crate) fn of(first: Node, folder: TempDir) -> Self {
        Self::founded(first, folder, ALONE.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn founded(first: Node, folder: TempDir, alone: MutexGuard<'static, ()>) -> Self {
        let secret = |name: &str| {
            let nested = || first.ready.get("access_key")?.get(name);
            let found = first.ready.get(name).or_else(nested).and_then(Value::as_str);
            found.unwrap_or_else(|| panic!("the founding node did not print {name}: {}", first.ready)).to_owned()
        };
        let token = fs::read_to_string(first.data.join("admin-token")).expect("admin-token in the data directory");
        Self {
            access_key_id: secret("access_key_id"),
            secret_access_key: secret("secret_access_key"),
            token: token.trim().to_owned(),
            nodes: vec![first],
            folder,
            _alone: alone,
        }
    }

    /// A single-use token from the command line tool, asked on the first node.
    pub(crate) fn join_token(&self) -> String {
        let endpoint = format!("http://{}", self.nodes[0].listen.admin);
        let output = meridian(&self.nodes[0].launch.under)
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

    /// Speaks to a node with the bearer token, in the first node's region.
    pub(crate) fn owner(&self, node: usize) -> Owner {
        let (address, region) = (self.nodes[node].listen.admin, self.nodes[0].region.clone());
        Owner { address, token: self.token.clone(), region }
    }

    /// One admin call, for the cluster API or the control plane.
    pub(crate) fn admin(&self, node: usize, method: &str, path: &str, body: &str) -> std::io::Result<Answer> {
        self.owner(node).call(method, path, body, &[])
    }

    /// An admin call that must succeed with `status`; gives its body.
    pub(crate) fn must(&self, node: usize, method: &str, path: &str, body: &str, status: u16) -> Value {
        self.owner(node).must(method, path, body, status)
    }
}

/// Who makes admin calls, with what, and where.
pub(crate) struct Owner {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    pub(crate) region: String,
}

impl Owner {
    pub(crate) fn call(&self, method: &str, path: &str, body: &str, more: &[(&str, &str)]) -> std::io::Result<Answer> {
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![
            ("authorization", bearer.as_str()),
            ("x-meridian-region", self.region.as_str()),
            ("content-type", "application/json"),
        ];
        headers.extend_from_slice(more);
        http::Client::connect(self.address)?.send(method, path, &headers, body.as_bytes())
    }

    pub(crate) fn must(&self, method: &str, path: &str, body: &str, status: u16) -> Value {
        let answer = self.call(method, path, body, &[]).unwrap_or_else(|e| panic!("{method} {path}: {e}"));
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        if answer.body.is_empty() { Value::Null } else { answer.json().expect("a JSON body") }
    }
}
