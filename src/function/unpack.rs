//! A function's code: zip bytes → a directory named by their SHA-256, made once.
//!
//! ```text
//! bytes ─ limits, names ─▶ .unpacking-{sha}-XXXX/ ─ rename ─▶ {sha}/
//! ```
//! What an archive says about itself is not believed: sizes are counted while they are written, names are taken apart, and
//! nothing but plain files and directories comes out. The folder is a cache: what is lost is unpacked again.

use aws_lc_rs::digest::{SHA256, digest};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Cursor, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What code may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeLimits {
    /// All files together, bytes; AWS: 262,144,000.
    pub unzipped_bytes: u64,
    /// Files and directories.
    pub entries: usize,
    /// How much larger than the archive its content may be, as a factor, once the content is beyond 16 MiB.
    pub ratio: u64,
}

impl Default for CodeLimits {
    fn default() -> Self {
        CodeLimits { unzipped_bytes: 262_144_000, entries: 50_000, ratio: 200 }
    }
}

/// Below this, content is not compared with its archive's size, bytes.
const RATIO_FROM: u64 = 16 << 20;
/// Longest name of an entry, bytes.
const LONGEST_NAME: usize = 1_024;
/// Deepest path of an entry, parts.
const DEEPEST: usize = 64;
/// The mark of a central directory's entry.
const ENTRY_MARK: &[u8] = b"PK\x01\x02";

/// Why code cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// No archive, or a damaged one.
    #[error("Could not unzip uploaded file. Please check your file, then try to upload again.")]
    NotZip(#[source] zip::result::ZipError),
    /// Too large, declared or in truth.
    #[error("Unzipped size must be smaller than {0} bytes")]
    TooLarge(u64),
    /// Too many entries.
    #[error("the archive has more than {0} entries")]
    TooMany(usize),
    /// A name that leads elsewhere, or that no file can have.
    #[error("the archive's entry `{0}` has a name that cannot be unpacked")]
    Name(String),
    /// A link, a device, something encrypted.
    #[error("the archive's entry `{0}` is {1}, which is not unpacked: only files and directories are")]
    Kind(String, &'static str),
    /// Two entries with the same name, or a file where another entry has a directory.
    #[error("the archive's entry `{0}` is there twice")]
    Twice(String),
    /// The node's disk.
    #[error("code cannot be written")]
    Disk(#[from] io::Error),
}

/// The folder of unpacked code. A clone shares it.
#[derive(Debug, Clone)]
pub struct CodeFolder(Arc<Folder>);

#[derive(Debug)]
struct Folder {
    root: PathBuf,
    limits: CodeLimits,
    /// One lock for each code that is being unpacked, so that first calls at the same time unpack once.
    under_way: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

/// The name of code: SHA-256 of its archive, hexadecimal.
#[must_use]
pub fn code_name(archive: &[u8]) -> String {
    digest(&SHA256, archive).as_ref().iter().fold(String::with_capacity(64), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn is_code_name(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

impl CodeFolder {
    /// Opens the folder, and drops what an earlier process left half unpacked.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub fn open(root: PathBuf, limits: CodeLimits) -> io::Result<CodeFolder> {
        DirBuilder::new().recursive(true).mode(0o755).create(&root)?;
        for entry in std::fs::read_dir(&root)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(".unpacking-") {
                std::fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(CodeFolder(Arc::new(Folder { root, limits, under_way: Mutex::default() })))
    }

    /// Where the code of this name lies, if it is unpacked.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        let at = self.0.root.join(name);
        (is_code_name(name) && at.is_dir()).then_some(at)
    }

    /// Unpacks an archive where that was not done before, and says where. Blocks: not for a worker of the gateway.
    ///
    /// # Errors
    /// What is wrong with the archive, or with the disk; nothing stays behind then.
    pub fn unpack(&self, archive: &[u8]) -> Result<PathBuf, CodeError> {
        let name = code_name(archive);
        let at = self.0.root.join(&name);
        let gate = self.gate(&name);
        let held = gate.lock().unwrap_or_else(PoisonError::into_inner);
        if !at.is_dir() {
            let temporary = tempfile::Builder::new().prefix(".unpacking-").tempdir_in(&self.0.root)?;
            extract(archive, temporary.path(), self.0.limits)?;
            // Another user than the node's may run it.
            std::fs::set_permissions(temporary.path(), std::fs::Permissions::from_mode(0o755))?;
            std::fs::rename(temporary.path(), &at)?;
            let _gone = temporary.keep();
        }
        drop(held);
        drop(gate);
        let mut under_way = self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|_, gate| Arc::strong_count(gate) > 1);
        Ok(at)
    }

    fn gate(&self, name: &str) -> Arc<Mutex<()>> {
        let mut under_way = self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.entry(name.to_owned()).or_default().clone()
    }

    /// Drops the code of this name. Processes that run it keep what they have open.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match self.find(name) {
            Some(at) => std::fs::remove_dir_all(at),
            None => Ok(()),
        }
    }
}

/// Checks an archive and says how large it is unpacked, bytes, without a disk.
///
/// # Errors
/// What is wrong with it.
pub fn check(archive: &[u8], limits: CodeLimits) -> Result<u64, CodeError> {
    let mut zip = open(archive, limits)?;
    let mut total = 0;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(CodeError::NotZip)?;
        let name = entry.name().map_err(CodeError::NotZip)?.into_owned();
        place(&name)?;
        kind(&name, &entry)?;
        if !entry.is_dir() {
            total = copy(&mut entry, &mut io::sink(), total, archive.len(), limits)?;
        }
    }
    Ok(total)
}

fn open(archive: &[u8], limits: CodeLimits) -> Result<zip::ZipArchive<Cursor<&[u8]>>, CodeError> {
    // The directory is read into memory as a whole; archives within archives have entries, too.
    let marks = archive.windows(ENTRY_MARK.len()).filter(|window| *window == ENTRY_MARK).count();
    if marks > limits.entries.saturating_mul(4) {
        return Err(CodeError::TooMany(limits.entries));
    }
    let zip = zip::ZipArchive::new(Cursor::new(archive)).map_err(CodeError::NotZip)?;
    if zip.len() > limits.entries {
        return Err(CodeError::TooMany(limits.entries));
    }
    if zip.decompressed_size().is_some_and(|size| size > u128::from(limits.unzipped_bytes)) {
        return Err(CodeError::TooLarge(limits.unzipped_bytes));
    }
    Ok(zip)
}

fn extract(archive: &[u8], root: &Path, limits: CodeLimits) -> Result<(), CodeError> {
    let mut zip = open(archive, limits)?;
    let mut total = 0;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(CodeError::NotZip)?;
        let name = entry.name().map_err(CodeError::NotZip)?.into_owned();
        let path = root.join(place(&name)?);
        let mode = kind(&name, &entry)?;
        let folder = if entry.is_dir() { Some(path.as_path()) } else { path.parent() };
        if let Some(folder) = folder {
            DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(|error| taken(&name, error))?;
        }
        if !entry.is_dir() {
            let mut file = create(&path, mode).map_err(|error| taken(&name, error))?;
            total = copy(&mut entry, &mut file, total, archive.len(), limits)?;
        }
    }
    Ok(())
}

/// Two entries that want the same place.
fn taken(name: &str, error: io::Error) -> CodeError {
    match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
            CodeError::Twice(shown(name))
        }
        _ => CodeError::Disk(error),
    }
}

fn create(path: &Path, mode: u32) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    // The node's umask may be stricter than what runs the code needs.
    file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    Ok(file)
}

/// An entry's place below the root.
fn place(name: &str) -> Result<PathBuf, CodeError> {
    let bad = || CodeError::Name(shown(name));
    if name.is_empty() || name.len() > LONGEST_NAME || name.starts_with('/') || name.contains(['\0', '\\']) {
        return Err(bad());
    }
    let mut path = PathBuf::new();
    for (depth, part) in name.split('/').filter(|part| !part.is_empty() && *part != ".").enumerate() {
        if part == ".." || part.len() > 255 || depth >= DEEPEST {
            return Err(bad());
        }
        path.push(part);
    }
    Ok(path)
}

/// The mode that a plain file gets; everything else is refused.
fn kind<R: Read>(name: &str, entry: &zip::read::ZipFile<'_, R>) -> Result<u32, CodeError> {
    let no = |what| Err(CodeError::Kind(shown(name), what));
    if entry.encrypted() {
        return no("encrypted");
    }
    let mode = entry.unix_mode().unwrap_or(0o644);
    match mode & 0o170_000 {
        0 | 0o100_000 | 0o040_000 => Ok(if mode & 0o111 == 0 { 0o644 } else { 0o755 }),
        0o120_000 => no("a link"),
        _ => no("a device, a pipe or a socket"),
    }
}

/// Copies one entry, counting what really comes out; returns the new total.
fn copy(
    entry: &mut impl Read,
    out: &mut impl Write,
    mut total: u64,
    archive: usize,
    limits: CodeLimits,
) -> Result<u64, CodeError> {
    let by_ratio = (archive as u64).saturating_mul(limits.ratio).max(RATIO_FROM);
    let most = limits.unzipped_bytes.min(by_ratio);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = entry.read(&mut buffer).map_err(|error| CodeError::NotZip(error.into()))?;
        if read == 0 {
            return Ok(total);
        }
        total += read as u64;
        if total > most {
            return Err(CodeError::TooLarge(most));
        }
        out.write_all(&buffer[..read])?;
    }
}

fn shown(name: &str) -> String {
    name.chars().take(200).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
#[path = "unpack_tests.rs"]
mod tests;
