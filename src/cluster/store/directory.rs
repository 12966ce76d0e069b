//! A replica's directory: who it belongs to, and the refusal to come back without its log.

use super::log::{LogDisk, LogStore};
use super::log_file::LogFile;
use super::state::{SharedMachine, StateDisk, StateStore};
use super::state_file::{StateFile, sync_folder};
use super::wire::Identity;
use crate::cluster::{GroupOptions, Machine, OpenError, Opening};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

const LOG: &str = "log.redb";
const MARK: &str = "replica";
const INCOMING: &str = "incoming";

/// The stores of an opened replica.
pub(crate) struct Opened {
    pub(crate) log: LogStore,
    pub(crate) state: StateStore,
    /// Whether the log has never held anything.
    pub(crate) fresh: bool,
    /// Where snapshots are received.
    pub(crate) incoming: PathBuf,
}

fn mark_of(identity: &Identity) -> String {
    format!("group {} node {} replica {}\n", identity.group, identity.node_id, identity.replica_id)
}

/// Opens or makes the stores of a replica, and loads its machine.
///
/// # Errors
/// When the directory belonged to a replica whose log is gone, to another replica, or is damaged.
pub(crate) fn open_directory(
    options: &GroupOptions,
    group: u8,
    name: &str,
    mut machine: Box<dyn Machine>,
) -> Result<Opened, OpenError> {
    let directory = options.directory.as_path();
    let io = |path: &Path| {
        let path = path.to_owned();
        move |cause: io::Error| OpenError::Io { path, cause }
    };
    let identity = Identity { group, node_id: options.node_id, replica_id: options.replica_id };
    fs::create_dir_all(directory).map_err(io(directory))?;
    let (log_path, mark) = (directory.join(LOG), directory.join(MARK));
    let marked = match fs::read_to_string(&mark) {
        Ok(found) if found == mark_of(&identity) => true,
        Ok(found) => {
            return Err(OpenError::Foreign {
                directory: directory.to_owned(),
                found: found.trim().to_owned(),
                expected: mark_of(&identity).trim().to_owned(),
            });
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => false,
        Err(cause) => return Err(io(&mark)(cause)),
    };
    // An empty file is no log either: redb would quietly make a new one of it.
    let has_log = fs::metadata(&log_path).is_ok_and(|meta| meta.len() > 0);
    if !has_log && (marked || options.opening == Opening::Reopen) {
        return Err(OpenError::LogMissing {
            group: name.to_owned(),
            directory: directory.to_owned(),
            replica_id: options.replica_id,
        });
    }
    let (log_file, start) = LogFile::open(&log_path, &identity)?;
    if !marked {
        write_mark(directory, &mark, &mark_of(&identity)).map_err(io(&mark))?;
    }
    let fresh = start.last.is_none() && start.vote.is_none() && start.purged.is_none();
    let (state_file, state_start) = StateFile::open(directory, group, &mut *machine)
        .map_err(|cause| OpenError::Damaged { file: directory.join("state.redb"), cause: cause.to_string() })?;
    let incoming = directory.join(INCOMING);
    drop(fs::remove_dir_all(&incoming));
    fs::create_dir_all(&incoming).map_err(io(&incoming))?;
    let state_file = Arc::new(state_file);
    let machine: SharedMachine = Arc::new(Mutex::new(machine));
    let disk: Arc<dyn LogDisk> = Arc::new(log_file);
    let log = LogStore::new(disk, state_file.clone(), start);
    let state_disk: Arc<dyn StateDisk> = state_file;
    let state = StateStore::new(machine, state_disk, state_start.applied, state_start.members);
    Ok(Opened { log, state, fresh, incoming })
}

/// Only after the log is there: from now on its absence is a loss.
fn write_mark(directory: &Path, path: &Path, text: &str) -> io::Result<()> {
    let partial = path.with_extension("tmp");
    let mut file = File::create(&partial)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    sync_folder(directory)
}
