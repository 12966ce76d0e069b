//! A node's data directory: who it is, its keys, and the lock that keeps a second process out.
//!
//! ```text
//! identity.json  who this node is in which cluster        ca.crt, node.crt, node.key   mutual TLS between nodes
//! seeds.json     peers known before the World is here     ca.key                       on voters only
//! seal.key       the cluster's sealing key                admin-token                  this machine's admin token
//! listen.json    addresses in use                         config/ usage/ journal/      replicated state, grants spent
//! blobs/         code of functions, by its SHA-256         functions/                   the same, unpacked
//! ```

use crate::net::peer::PeerInfo;
use crate::net::pki::{read_private, write_private};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

/// Who a node is. Written once it is known, before anything is promised under it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Identity {
    /// The cluster.
    pub cluster_id: String,
    /// The node's number.
    pub node_id: u64,
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Its replica id in the `config` group.
    pub config_replica: u64,
    /// Whether its `config` replica exists: from then on a missing log is a loss, not a beginning.
    pub config_open: bool,
    /// Its replica id in the `usage` group; 0: none.
    pub usage_replica: u64,
    /// Whether its `usage` replica exists.
    pub usage_open: bool,
    /// Whether this node founded the cluster.
    pub founder: bool,
}

/// A peer known from the join, for the time until the World is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Seed {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Where its peers listener is reached.
    pub address: std::net::SocketAddr,
    /// Hex of the SHA-256 of its public key.
    pub spki_sha256: String,
}

impl Seed {
    /// What the peers endpoint needs to know; `None` where the hash is no hash.
    #[must_use]
    pub(super) fn peer(&self) -> Option<PeerInfo> {
        Some(PeerInfo {
            id: self.id,
            name: self.name.clone(),
            region: self.region.clone(),
            addr: self.address,
            spki_sha256: super::hex::decode(&self.spki_sha256)?.try_into().ok()?,
        })
    }
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Another process has it.
    #[error("{} is in use by another meridian process: stop that one, or choose another --data", .0.display())]
    InUse(PathBuf),
    /// A file cannot be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A file is not what it should be.
    #[error("{} is damaged: {cause}. Restore it from a backup, or remove this node from the cluster, empty the directory and join again", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: String,
    },
}

/// An open data directory; while it lives, no other process gets it.
#[derive(Debug)]
pub(super) struct Home {
    folder: PathBuf,
    _lock: File,
}

impl Home {
    /// Opens the directory, making it (mode 0700) where it is not there.
    ///
    /// # Errors
    /// When it cannot be made, or another process holds it.
    pub(super) fn open(folder: &Path) -> Result<Self, HomeError> {
        use std::os::unix::fs::DirBuilderExt;
        let file_error = |path: &Path| {
            let path = path.to_path_buf();
            move |cause| HomeError::File { path, cause }
        };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(file_error(folder))?;
        let folder = folder.canonicalize().map_err(file_error(folder))?;
        let path = folder.join("lock");
        let lock = File::create(&path).map_err(file_error(&path))?;
        if lock.try_lock().is_err() {
            return Err(HomeError::InUse(folder));
        }
        Ok(Self { folder, _lock: lock })
    }

    /// The directory.
    #[must_use]
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A path in it.
    #[must_use]
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A file that only this user may read, as text; `None` where it is not there.
    ///
    /// # Errors
    /// When it cannot be read, or others may read it.
    pub(super) fn secret(&self, name: &str) -> Result<Option<String>, HomeError> {
        let path = self.path(name);
        match read_private(&path) {
            Ok(text) => Ok(Some(text)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(HomeError::File { path, cause }),
        }
    }

    /// Writes a file that only this user may read: durable, and never half.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn keep(&self, name: &str, content: &[u8]) -> Result<(), HomeError> {
        let path = self.path(name);
        write_private(&path, content).map_err(|cause| HomeError::File { path, cause })
    }

    fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>, HomeError> {
        let Some(text) = self.secret(name)? else { return Ok(None) };
        let damaged = |cause: serde_json::Error| HomeError::Damaged { path: self.path(name), cause: cause.to_string() };
        serde_json::from_str(&text).map(Some).map_err(damaged)
    }

    fn keep_json<T: Serialize>(&self, name: &str, value: &T) -> Result<(), HomeError> {
        let damaged = |cause: serde_json::Error| HomeError::Damaged { path: self.path(name), cause: cause.to_string() };
        self.keep(name, &serde_json::to_vec_pretty(value).map_err(damaged)?)
    }

    /// Who this node is; `None` in a fresh directory.
    ///
    /// # Errors
    /// When the file is damaged.
    pub(super) fn identity(&self) -> Result<Option<Identity>, HomeError> {
        self.json("identity.json")
    }

    /// Writes down who this node is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn keep_identity(&self, identity: &Identity) -> Result<(), HomeError> {
        self.keep_json("identity.json", identity)
    }

    /// The peers known from the join.
    ///
    /// # Errors
    /// When the file is damaged.
    pub(super) fn seeds(&self) -> Result<Vec<Seed>, HomeError> {
        Ok(self.json("seeds.json")?.unwrap_or_default())
    }

    /// Writes down the peers known from the join.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn keep_seeds(&self, seeds: &[Seed]) -> Result<(), HomeError> {
        self.keep_json("seeds.json", &seeds)
    }

    /// A file that must be there.
    ///
    /// # Errors
    /// When it is missing or cannot be read.
    pub(super) fn must(&self, name: &str) -> Result<String, HomeError> {
        self.secret(name)?
            .ok_or_else(|| HomeError::Damaged { path: self.path(name), cause: "the file is missing".to_owned() })
    }
}
