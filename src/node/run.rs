//! A node's life: laid, replicated, served, stopped in reverse.

use super::build::{self, Built, Own};
use super::functions::NodeFunctions;
use super::groups::{self, RootKey};
use super::home::Home;
use super::usage::UsageSide;
use super::{Invitation, NodeError, NodeShared, ground, keeper, roster, round_trips, voter};
use crate::cluster::MemberChange;
use crate::config::NodeConfig;
use crate::edge::probe::Prober;
use crate::net::http::Listener;
use crate::observe::log_files::LogRoom;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

/// How long visits in hand may take at a stop.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long handing over the lead may take at a stop.
const HAND_OVER: Duration = Duration::from_secs(3);
/// How long the last lines of the stages' logs may take at a stop.
const LAST_LINES: Duration = Duration::from_secs(2);
/// How long a node that joins waits for the World before it serves.
const FIRST_WORLD: Duration = Duration::from_secs(60);

/// The variable that ties a node's life to its standard input.
pub const STOP_WITH_STDIN: &str = "MERIDIAN_STOP_WITH_STDIN";

/// Runs a node until it is told to stop (SIGINT, SIGTERM); told twice, it stops without waiting for visits in hand.
///
/// # Errors
/// When it cannot start; what to do next is in the words.
pub fn run(config: NodeConfig, invitation: Option<Invitation>, json: bool) -> Result<(), NodeError> {
    // Another provider cannot be there: this is the process's first act.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    crate::observe::start_logs();
    let failed = |cause| NodeError::System { what: "the system gives no threads", cause };
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).thread_name("node").enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let failed = |cause| NodeError::System { what: "signals cannot be heard", cause };
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let running = start(config, invitation).await?;
        running.say(json)?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
            () = orphaned() => tracing::warn!("whoever started this node is gone"),
        }
        tokio::select! {
            () = running.stop() => {}
            // Nothing acknowledged hangs on a clean stop.
            _ = terminate.recv() => tracing::warn!("told to stop twice: visits in hand are cut off"),
            _ = tokio::signal::ctrl_c() => tracing::warn!("told to stop twice: visits in hand are cut off"),
        }
        Ok(())
    })
}

/// Ends with standard input, for who holds its other end (the demo): however that process ends, nobody is left behind.
async fn orphaned() {
    if std::env::var_os(STOP_WITH_STDIN).is_none() {
        return std::future::pending().await;
    }
    let (gone, heard) = tokio::sync::oneshot::channel();
    // A thread of its own: a read of the runtime's would hold up the stop.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = gone.send(());
    });
    let _ = heard.await;
}

/// A node that serves.
struct Running {
    shared: Arc<NodeShared>,
    usage: Arc<UsageSide>,
    admin: Option<Listener>,
    visitors: Vec<(&'static str, Listener)>,
    root: Option<RootKey>,
    prober: Prober,
    tasks: JoinSet<()>,
    logs: LogRoom,
    functions: Option<Arc<NodeFunctions>>,
}

async fn start(config: NodeConfig, invitation: Option<Invitation>) -> Result<Running, NodeError> {
    let mut ground = ground::lay(&config, invitation.as_ref()).await?;
    let timing = round_trips::timing(&ground.home, config.round_trip_ms);
    let group = groups::open_config(&mut ground, timing, &config).await?;
    let mut tasks = JoinSet::new();
    tasks.spawn(roster::follow(group.clone(), ground.peers.roster().clone(), ground.seeds.clone()));
    let root = groups::found(&ground.home, &config, &ground.identity, &group, &ground.seal, ground.at).await?;
    if invitation.is_some() {
        first_world(&ground.identity.cluster_id, &group).await?;
    }
    let built = build::build(&ground, &config, &group)?;
    let prober = Prober::start(ground.peers.clone(), built.shared.nodes.clone(), Arc::new(Own(built.shared.clone())));
    tasks.spawn(groups::announce(group.clone(), ground.identity.clone(), ground.at));
    tasks.spawn(keeper::keep(group.clone(), built.usage.watch()));
    tasks.spawn(round_trips::keep(ground.home.clone(), built.shared.nodes.clone(), group.clone()));
    let follow = voter::Follow {
        home: ground.home.clone(),
        identity: ground.identity.clone(),
        peers: ground.peers.clone(),
        config: group,
        usage: built.usage.clone(),
        receiver: built.shared.receiver.clone(),
        timing,
    };
    tasks.spawn(follow.run());
    let visitors = build::listen(&ground, &config, &built).await?;
    tasks.spawn(build::guard_own_sockets(built.pool, built.policy, built.shared.config.clone()));
    tasks.spawn(built.code.clone().follow());
    let Built { shared, usage, logs, functions, .. } = built;
    // From here on the admin listener answers.
    let _ = ground.admin.node.set(shared.clone());
    Ok(Running { shared, usage, admin: ground.admin_listener, visitors, root, prober, tasks, logs, functions })
}

/// A node that has just been let in serves nothing until the cluster's rows are here.
async fn first_world(cluster_id: &str, group: &crate::cluster::ConfigGroup) -> Result<(), NodeError> {
    let mut applied = group.applied();
    let arrived = async {
        while super::identity_of(&group.world()).id != cluster_id {
            if applied.changed().await.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(FIRST_WORLD, arrived).await.map_err(|_| {
        NodeError::Refused(
            "it was let in, but no leader sent the cluster's state within a minute: run the same command again".into(),
        )
    })
}

impl Running {
    /// The first line on standard output, and `listen.json`: where this node listens.
    fn say(&self, as_json: bool) -> Result<(), NodeError> {
        let mut said = Map::new();
        for (name, listener) in &self.visitors {
            said.insert((*name).to_owned(), json!(listener.local_addr().to_string()));
        }
        if let Some(admin) = &self.admin {
            said.insert("admin".into(), json!(admin.local_addr().to_string()));
        }
        let failed = |cause| NodeError::System { what: "the peers socket is gone", cause };
        said.insert("peers".into(), json!(self.shared.peers.local_addr().map_err(failed)?.to_string()));
        said.insert("data".into(), json!(self.shared.home.folder().display().to_string()));
        keep_listen(&self.shared.home, &said)?;
        said.insert("node".into(), json!(self.shared.identity.name));
        said.insert("region".into(), json!(self.shared.identity.region));
        if let Some(root) = &self.root {
            said.insert("access_key_id".into(), json!(root.id));
            said.insert("secret_access_key".into(), json!(root.secret));
        }
        let mut out = std::io::stdout().lock();
        // Nobody may be reading: the node serves all the same.
        let _ = if as_json { writeln!(out, "{}", Value::Object(said)) } else { writeln!(out, "{}", for_people(&said)) };
        let _ = out.flush();
        tracing::info!(node = self.shared.identity.name, region = self.shared.identity.region, "serving");
        Ok(())
    }

    /// Stops in reverse: no new visits, visits in hand end, rights go back, the lead is handed over, all is durable.
    async fn stop(mut self) {
        tracing::info!("stopping");
        self.shared.receiver.drain(true);
        let drains = self.visitors.iter().map(|(_, listener)| listener.drain(PATIENCE));
        let left: usize = futures_util::future::join_all(drains).await.into_iter().sum();
        if left > 0 {
            tracing::warn!(left, "connections were still open when the patience ended");
        }
        if let Some(functions) = self.functions.take()
            && !tokio::task::spawn_blocking(move || functions.stop()).await.unwrap_or(false)
        {
            tracing::warn!("calls of functions were still running when the patience ended");
        }
        self.usage.stop().await;
        let status = self.shared.config.status();
        let heir = status.members.iter().find(|member| member.role == crate::cluster::Role::Voter);
        if let (true, Some(heir)) = (status.is_leader, heir) {
            let _ = self.shared.config.change(MemberChange::Transfer { node_id: heir.node_id }, HAND_OVER).await;
        }
        if let Some(admin) = &self.admin {
            admin.drain(Duration::from_secs(1)).await;
        }
        drop(self.prober);
        self.tasks.shutdown().await;
        self.shared.config.stop().await;
        self.shared.peers.close().await;
        // Nobody visits any more.
        let logs = self.logs;
        if !tokio::task::spawn_blocking(move || logs.stop(LAST_LINES)).await.unwrap_or(false) {
            tracing::warn!("the last lines of the stages' logs could not be written in time");
        }
        tracing::info!("stopped");
    }
}

fn keep_listen(home: &Home, said: &Map<String, Value>) -> Result<(), NodeError> {
    Ok(home.keep("listen.json", format!("{}\n", Value::Object(said.clone())).as_bytes())?)
}

/// One line: what listens where; the root key on lines of its own.
fn for_people(said: &Map<String, Value>) -> String {
    let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or("off");
    let mut line = format!(
        "node {} in {} · gateway http://{} https://{} · admin http://{} · peers {} (udp) · data {}",
        text("node"),
        text("region"),
        text("gateway_http"),
        text("gateway_https"),
        text("admin"),
        text("peers"),
        text("data"),
    );
    if said.contains_key("access_key_id") {
        line.push_str("\n\nA new cluster. Its root access key, shown only this once:\n");
        line.push_str(&format!("  AWS_ACCESS_KEY_ID={}\n", text("access_key_id")));
        line.push_str(&format!("  AWS_SECRET_ACCESS_KEY={}\n", text("secret_access_key")));
    }
    line
}
