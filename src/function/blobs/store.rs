//! The files of a node: written beside, synced, renamed; read only with their hash checked; collected when nobody wants them.

use aws_lc_rs::digest::{Context, SHA256, digest};
use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// SHA-256 of a blob: its name.
pub type Digest = [u8; 32];

/// Why a blob cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The disk says no.
    #[error("the blob's file cannot be used")]
    Disk(#[from] io::Error),
    /// What came is not what was announced.
    #[error("the bytes are not those of the blob that was announced")]
    Mismatch,
    /// One blob is larger than may be.
    #[error("the blob has more than {most} bytes")]
    TooLarge {
        /// The most, bytes.
        most: u64,
    },
    /// All blobs together would be larger than may be.
    #[error("blobs would take more than the {most} bytes that this node gives them")]
    Full {
        /// The most, bytes.
        most: u64,
    },
}

/// The blobs of a node.
#[derive(Debug)]
pub struct Blobs {
    folder: PathBuf,
    most_each: u64,
    most_together: u64,
    parts: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes of all blobs, and of those that are being written.
    bytes: u64,
    /// Since when nobody wants a blob, as far as was looked.
    unwanted: HashMap<Digest, Instant>,
}

/// Lower-case hexadecimal: a blob's file name.
#[must_use]
pub fn hex(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn of_hex(name: &str) -> Option<Digest> {
    let nibble = |at: usize| {
        let digit = *name.as_bytes().get(at)?;
        // One name for one blob: capitals are none of ours.
        if digit.is_ascii_uppercase() { None } else { char::from(digit).to_digit(16) }
    };
    let mut digest = [0; 32];
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::try_from(nibble(2 * at)? * 16 + nibble(2 * at + 1)?).ok()?;
    }
    (name.len() == 64).then_some(digest)
}

impl Blobs {
    /// Opens the folder (made with mode 0700), without what an earlier process left half written.
    ///
    /// # Errors
    /// As the file system says.
    pub fn open(folder: &Path, most_each: u64, most_together: u64) -> io::Result<Blobs> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut bytes = 0;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|ending| ending == "part") {
                fs::remove_file(entry.path())?;
            } else if of_hex(&entry.file_name().to_string_lossy()).is_some() {
                bytes += entry.metadata()?.len();
            }
        }
        let state = Mutex::new(State { bytes, unwanted: HashMap::new() });
        Ok(Blobs { folder: folder.to_owned(), most_each, most_together, parts: AtomicU64::new(0), state })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(hex(digest))
    }

    /// The most that one blob may have, bytes.
    #[must_use]
    pub fn most_each(&self) -> u64 {
        self.most_each
    }

    /// How many bytes a blob has, if it is here. Whoever asks wants it: it is not collected for a while.
    #[must_use]
    pub fn size(&self, digest: &Digest) -> Option<u64> {
        let size = fs::metadata(self.path(digest)).ok()?.len();
        self.state().unwanted.remove(digest);
        Some(size)
    }

    /// Keeps these bytes, durably.
    ///
    /// # Errors
    /// When there is no room, or the disk fails.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, BlobError> {
        let mut name = [0; 32];
        name.copy_from_slice(digest(&SHA256, bytes).as_ref());
        if self.size(&name) != Some(bytes.len() as u64) {
            let mut writing = self.begin(name, bytes.len() as u64)?;
            writing.write(bytes)?;
            writing.finish()?;
        }
        Ok(name)
    }

    /// Begins to write a blob of a known name and size.
    ///
    /// # Errors
    /// When there is no room, or the disk fails.
    pub fn begin(&self, name: Digest, size: u64) -> Result<Writing<'_>, BlobError> {
        if size > self.most_each {
            return Err(BlobError::TooLarge { most: self.most_each });
        }
        {
            let mut state = self.state();
            if state.bytes.saturating_add(size) > self.most_together {
                return Err(BlobError::Full { most: self.most_together });
            }
            state.bytes += size;
        }
        let path = self.folder.join(format!("{}.part", self.parts.fetch_add(1, Ordering::Relaxed)));
        let mut writing =
            Writing { blobs: self, name, size, path, file: None, written: 0, hash: Context::new(&SHA256), kept: false };
        writing.file = Some(OpenOptions::new().write(true).create_new(true).mode(0o600).open(&writing.path)?);
        Ok(writing)
    }

    /// A blob's bytes; `None` where it is not here. One whose bytes are not its own any more is removed, and not here.
    ///
    /// # Errors
    /// As the file system says.
    pub fn read(&self, name: &Digest) -> io::Result<Option<Bytes>> {
        self.state().unwanted.remove(name);
        let bytes = match fs::read(self.path(name)) {
            Ok(bytes) => bytes,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(cause),
        };
        if digest(&SHA256, &bytes).as_ref() == name {
            return Ok(Some(bytes.into()));
        }
        tracing::error!(
            blob = hex(name),
            "a blob's file is damaged: it is removed, and fetched again when it is needed"
        );
        self.remove(name)?;
        Ok(None)
    }

    /// Every blob that is here.
    ///
    /// # Errors
    /// As the file system says.
    pub fn list(&self) -> io::Result<Vec<Digest>> {
        let entries = fs::read_dir(&self.folder)?.collect::<io::Result<Vec<_>>>()?;
        Ok(entries.iter().filter_map(|entry| of_hex(&entry.file_name().to_string_lossy())).collect())
    }

    fn remove(&self, name: &Digest) -> io::Result<()> {
        let path = self.path(name);
        let size = fs::metadata(&path).map_or(0, |facts| facts.len());
        match fs::remove_file(path) {
            Ok(()) => {
                let mut state = self.state();
                state.bytes = state.bytes.saturating_sub(size);
                state.unwanted.remove(name);
                Ok(())
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(cause) => Err(cause),
        }
    }

    /// Removes what nobody has wanted for `age`, and says what. Whatever was put, asked for or read in between counts as
    /// wanted, so that a call which has just put its code and waits for its row does not lose it.
    ///
    /// # Errors
    /// As the file system says.
    pub fn collect(&self, wanted: &HashSet<Digest>, now: Instant, age: Duration) -> io::Result<Vec<Digest>> {
        let here = self.list()?;
        let old: Vec<Digest> = {
            let mut state = self.state();
            state.unwanted.retain(|name, _| !wanted.contains(name));
            for name in here.iter().filter(|name| !wanted.contains(*name)) {
                state.unwanted.entry(*name).or_insert(now);
            }
            let old = state.unwanted.iter().filter(|(_, since)| now.duration_since(**since) >= age);
            old.map(|(name, _)| *name).collect()
        };
        old.iter().try_for_each(|name| self.remove(name))?;
        Ok(old)
    }
}

/// A blob on its way into its file; gone when dropped before its end.
pub struct Writing<'a> {
    blobs: &'a Blobs,
    name: Digest,
    size: u64,
    path: PathBuf,
    file: Option<File>,
    written: u64,
    hash: Context,
    kept: bool,
}

impl Writing<'_> {
    /// The next bytes.
    ///
    /// # Errors
    /// When they are more than were announced, or the disk fails.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        self.written += bytes.len() as u64;
        let Some(file) = self.file.as_mut().filter(|_| self.written <= self.size) else {
            return Err(BlobError::Mismatch);
        };
        self.hash.update(bytes);
        Ok(file.write_all(bytes)?)
    }

    /// The end: checked, synced, and then in its place.
    ///
    /// # Errors
    /// When the bytes are not those that were announced, or the disk fails.
    pub fn finish(mut self) -> Result<(), BlobError> {
        let hash = std::mem::replace(&mut self.hash, Context::new(&SHA256)).finish();
        if self.written != self.size || hash.as_ref() != self.name {
            return Err(BlobError::Mismatch);
        }
        if let Some(file) = self.file.take() {
            file.sync_all()?;
        }
        let place = self.blobs.path(&self.name);
        let before = fs::metadata(&place).map_or(0, |facts| facts.len());
        fs::rename(&self.path, place)?;
        self.kept = true;
        File::open(&self.blobs.folder)?.sync_all()?;
        let mut state = self.blobs.state();
        state.bytes = state.bytes.saturating_sub(before);
        state.unwanted.remove(&self.name);
        Ok(())
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.kept {
            drop(fs::remove_file(&self.path));
            let mut state = self.blobs.state();
            state.bytes = state.bytes.saturating_sub(self.size);
        }
    }
}
