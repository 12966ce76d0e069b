//! Functions' code on this node: kept for the cluster before its row is, fetched when it is missing, collected when unwanted.
//!
//! A row is safe once a majority of the voters has it, so its code is put on a majority of the voters first; and on every
//! other node that answers, for up to two seconds, so that nobody's first call waits for it. Whoever was away, joins, or is
//! restored fetches what its rows name.

use crate::catalog::lambda::FunctionVersion;
use crate::cluster::{ConfigGroup, Role};
use crate::control::{Fault, KeptCode};
use crate::edge::{NodeState, Nodes};
use crate::function::blobs::{self, BlobError, Blobs, Digest, hex};
use crate::function::resolve::sha256_of_text;
use crate::function::run::Code;
use crate::net::peer::PeerNet;
use crate::state::{RowError, World};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a majority of the voters may take to have code on their disks.
const QUORUM: Duration = Duration::from_secs(30);
/// How long all other live nodes are waited for.
const EVERYBODY: Duration = Duration::from_secs(2);
/// How long another node may take to send code that is missing here.
const FETCH: Duration = Duration::from_secs(60);
/// How often rows are compared with what is here, and unwanted code is looked for.
const LOOK: Duration = Duration::from_secs(2);
const COLLECT: Duration = Duration::from_secs(600);
/// Code that no row has named for so long goes.
const UNWANTED: Duration = Duration::from_secs(3_600);
const BARRIER: Duration = Duration::from_secs(5);

/// The code that this node has and can get. A clone is the same.
#[derive(Clone)]
pub(super) struct CodeStore {
    pub(super) blobs: Arc<Blobs>,
    pub(super) peers: Arc<PeerNet>,
    pub(super) nodes: Arc<Nodes>,
    pub(super) config: ConfigGroup,
    /// Where code lies unpacked, by the same names.
    pub(super) unpacked: PathBuf,
    /// One fetch of a blob at a time.
    pub(super) under_way: Arc<Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>>>,
}

impl CodeStore {
    /// Keeps a zip here and elsewhere.
    ///
    /// # Errors
    /// When there is no room for it, or no majority of the voters has it in time.
    pub(super) async fn keep(&self, zip: Bytes) -> Result<KeptCode, Fault> {
        let bytes = zip.len() as u64;
        let blobs = self.blobs.clone();
        let put = tokio::task::spawn_blocking(move || blobs.put(&zip)).await;
        let sha256 = put.map_err(|cause| Fault::internal(cause.to_string()))?.map_err(refused)?;
        self.spread(sha256).await?;
        Ok(KeptCode { sha256, bytes })
    }

    async fn spread(&self, name: Digest) -> Result<(), Fault> {
        let began = Instant::now();
        let own = self.peers.node_id();
        let status = self.config.status();
        let voters: HashSet<u64> =
            status.members.iter().filter(|member| member.role != Role::Learner).map(|member| member.node_id).collect();
        let majority = voters.len() / 2 + 1;
        let mut have = usize::from(voters.contains(&own));
        let answers = |id: &u64| self.nodes.state(*id).is_some_and(|state| state != NodeState::Down);
        let others: HashSet<u64> = self.peers.roster().all().iter().map(|peer| peer.id).collect();
        let targets = others.into_iter().filter(|id| *id != own && (voters.contains(id) || answers(id)));
        let mut pushes: FuturesUnordered<_> = targets
            .map(|id| {
                let (peers, blobs) = (self.peers.clone(), self.blobs.clone());
                async move { (id, blobs::push(&peers, id, &blobs, name).await) }
            })
            .collect();
        loop {
            // A majority is waited for, then everybody who answers for a while.
            let left = if have < majority { QUORUM } else { EVERYBODY }.saturating_sub(began.elapsed());
            match tokio::time::timeout(left, pushes.next()).await {
                Ok(Some((id, Ok(())))) => have += usize::from(voters.contains(&id)),
                Ok(Some((id, Err(cause)))) => {
                    tracing::warn!(node = id, blob = hex(&name), %cause, "code did not get to a node");
                }
                Ok(None) | Err(_) => break,
            }
        }
        if have >= majority {
            return Ok(());
        }
        let text = format!(
            "The function's code could not be kept: {have} of {} voters have it, {majority} must. Nothing was changed; try \
             again when more nodes answer",
            voters.len()
        );
        Err(Fault::unavailable(text))
    }

    /// The zip of this hash, from here or from another node.
    pub(super) async fn get(&self, name: Digest) -> Result<Bytes, String> {
        if let Some(bytes) = self.read(name).await? {
            return Ok(bytes);
        }
        self.fetch(name).await?;
        self.read(name).await?.ok_or_else(|| format!("blob {} is gone again", hex(&name)))
    }

    async fn read(&self, name: Digest) -> Result<Option<Bytes>, String> {
        let blobs = self.blobs.clone();
        let read = tokio::task::spawn_blocking(move || blobs.read(&name)).await;
        read.map_err(|cause| cause.to_string())?.map_err(|cause| cause.to_string())
    }

    /// Gets a blob from whoever has it, the nearest that answer first.
    async fn fetch(&self, name: Digest) -> Result<(), String> {
        let gate = {
            let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            under_way.retain(|_, gate| Arc::strong_count(gate) > 1);
            under_way.entry(name).or_default().clone()
        };
        let _held = gate.lock().await;
        if self.blobs.size(&name).is_some() {
            return Ok(());
        }
        let own = self.peers.node_id();
        let mut from: Vec<u64> = self.peers.roster().all().iter().map(|peer| peer.id).filter(|id| *id != own).collect();
        from.sort_by_key(|id| {
            let away = self.nodes.state(*id).is_none_or(|state| state == NodeState::Down);
            (away, self.peers.rtt(*id).unwrap_or(Duration::MAX))
        });
        let mut why = Vec::new();
        for id in from {
            let fetched = tokio::time::timeout(FETCH, blobs::fetch(&self.peers, id, &self.blobs, name)).await;
            match fetched {
                Ok(Ok(())) => {
                    tracing::info!(node = id, blob = hex(&name), "code was fetched");
                    return Ok(());
                }
                Ok(Err(cause)) => why.push(format!("node {id}: {cause}")),
                Err(_) => why.push(format!("node {id}: it took too long")),
            }
        }
        Err(format!("no node gave blob {}: {}", hex(&name), why.join("; ")))
    }

    /// Follows the rows until the group stops: what they name is fetched, what none names is collected.
    pub(super) async fn follow(self) {
        let (mut seen, mut collected) = (None, Instant::now());
        let mut applied = self.config.applied();
        loop {
            if let Ok(Err(_)) = tokio::time::timeout(LOOK, applied.changed()).await {
                return;
            }
            let world = self.config.world();
            if seen != Some(world.seq()) {
                let named = wanted(&world).unwrap_or_default();
                let missing: Vec<Digest> = named.into_iter().filter(|name| self.blobs.size(name).is_none()).collect();
                let mut all = true;
                for name in missing {
                    if let Err(cause) = self.fetch(name).await {
                        tracing::warn!(cause, "code that a function needs is not here yet");
                        all = false;
                    }
                }
                // What could not be got is looked for again.
                seen = all.then(|| world.seq());
                // Rows change in swarms.
                tokio::time::sleep(LOOK).await;
            }
            if collected.elapsed() >= COLLECT {
                collected = Instant::now();
                self.collect().await;
            }
        }
    }

    async fn collect(&self) {
        // Old rows must not decide: a node that is cut off waits.
        if self.config.read_barrier(BARRIER).await.is_err() {
            return;
        }
        let Ok(wanted) = wanted(&self.config.world()) else { return };
        let blobs = self.blobs.clone();
        let unpacked = self.unpacked.clone();
        let done = tokio::task::spawn_blocking(move || {
            let gone = blobs.collect(&wanted, Instant::now(), UNWANTED)?;
            for folder in gone.iter().map(|name| unpacked.join(hex(name))).filter(|folder| folder.is_dir()) {
                std::fs::remove_dir_all(folder)?;
            }
            Ok::<usize, std::io::Error>(gone.len())
        });
        match done.await {
            Ok(Ok(0)) => {}
            Ok(Ok(removed)) => tracing::info!(removed, "code that no function has any more is gone"),
            Ok(Err(cause)) => tracing::warn!(%cause, "old code cannot be removed"),
            Err(cause) => tracing::warn!(%cause, "old code was not looked for"),
        }
    }
}

/// Every blob that a row names.
///
/// # Errors
/// When a row cannot be read by this version: then nothing is known to be unwanted.
fn wanted(world: &World) -> Result<HashSet<Digest>, RowError> {
    let mut wanted = HashSet::new();
    for scope in world.scopes().filter(|scope| scope.account().is_some() && scope.api_id().is_none()) {
        let versions = world.list::<FunctionVersion>(scope, "")?;
        wanted.extend(versions.iter().filter_map(|(_, version)| sha256_of_text(&version.code_sha256)));
    }
    Ok(wanted)
}

fn refused(cause: BlobError) -> Fault {
    match cause {
        BlobError::Full { most } => {
            let text =
                format!("Code storage limit exceeded: this node keeps {most} bytes of code ([functions] code_mib)");
            Fault::new("CodeStorageExceededException", 400, text)
        }
        BlobError::TooLarge { most } => {
            let text = format!("Request must be smaller than {most} bytes of zipped code");
            Fault::new("RequestEntityTooLargeException", 413, text)
        }
        cause => Fault::internal(format!("code cannot be kept: {cause}: {:?}", std::error::Error::source(&cause))),
    }
}

impl Code for CodeStore {
    fn zip(&self, sha256: [u8; 32]) -> BoxFuture<'_, Result<Bytes, String>> {
        Box::pin(self.get(sha256))
    }
}
