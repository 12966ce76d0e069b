//! A folder of log files that are set aside when they are full.

use super::log_files::{LogName, LogOptions};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The folder, with the files in use.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    file_bytes: u64,
    keep: u32,
    most_open: usize,
    open: HashMap<LogName, Open>,
    /// Counts uses, so that the file that was used longest ago is known.
    uses: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
    used: u64,
}

impl Folder {
    pub(super) fn open(path: PathBuf, options: &LogOptions) -> io::Result<Folder> {
        make(&path)?;
        Ok(Folder {
            path,
            file_bytes: options.file_bytes.max(1),
            keep: options.keep,
            most_open: options.open_files.max(1),
            open: HashMap::new(),
            uses: 0,
        })
    }

    /// Appends whole lines. On an error some of them may have been written, never a part of one.
    pub(super) fn write(&mut self, name: &LogName, mut lines: &[u8]) -> io::Result<()> {
        while !lines.is_empty() {
            let bytes = self.file(name)?.bytes;
            let fits = fitting(lines, self.file_bytes.saturating_sub(bytes), bytes == 0);
            if fits == 0 {
                self.set_aside(name)?;
                continue;
            }
            self.append(name, &lines[..fits])?;
            lines = &lines[fits..];
        }
        Ok(())
    }

    fn append(&mut self, name: &LogName, lines: &[u8]) -> io::Result<()> {
        let open = self.file(name)?;
        let before = open.bytes;
        match open.file.write_all(lines) {
            Ok(()) => {
                open.bytes += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Half a line would make the next one unreadable, too.
                let _ = open.file.set_len(before);
                self.open.remove(name);
                Err(error)
            }
        }
    }

    /// The file of a log, opened if it is not.
    fn file(&mut self, name: &LogName) -> io::Result<&mut Open> {
        self.uses += 1;
        if !self.open.contains_key(name) {
            if self.open.len() >= self.most_open {
                let oldest = self.open.iter().min_by_key(|(_, open)| open.used).map(|(name, _)| name.clone());
                oldest.and_then(|name| self.open.remove(&name));
            }
            let file = opened(&self.at(name, 0)).or_else(|error| {
                // Somebody may have removed the whole folder.
                if error.kind() == io::ErrorKind::NotFound { make(&self.path) } else { Err(error) }?;
                opened(&self.at(name, 0))
            })?;
            let bytes = file.metadata()?.len();
            self.open.insert(name.clone(), Open { file, bytes, used: 0 });
        }
        let used = self.uses;
        let open = self.open.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
        open.used = used;
        Ok(open)
    }

    /// `x.log` becomes `x.log.1`, `x.log.1` becomes `x.log.2` and so on; the last one goes.
    fn set_aside(&mut self, name: &LogName) -> io::Result<()> {
        self.open.remove(name);
        if self.keep == 0 {
            return std::fs::remove_file(self.at(name, 0));
        }
        for age in (0..self.keep).rev() {
            match std::fs::rename(self.at(name, age), self.at(name, age + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn at(&self, name: &LogName, age: u32) -> PathBuf {
        let name = name.as_str();
        self.path.join(if age == 0 { format!("{name}.log") } else { format!("{name}.log.{age}") })
    }
}

/// How much of `lines` still goes into a file with this much space: whole lines, and into an empty file at least one.
fn fitting(lines: &[u8], space: u64, empty: bool) -> usize {
    if lines.len() as u64 <= space {
        return lines.len();
    }
    let space = usize::try_from(space).unwrap_or(usize::MAX).min(lines.len());
    let whole = lines[..space].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if whole > 0 || !empty {
        return whole;
    }
    lines.iter().position(|byte| *byte == b'\n').map_or(lines.len(), |at| at + 1)
}

/// Logs may hold what API keys and callers are called: they are their owner's alone.
fn opened(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn make(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
