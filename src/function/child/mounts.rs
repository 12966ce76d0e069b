//! What a function sees of the machine's files: all of it read-only, but for what is hidden, and a `/tmp` of its own.

use super::Spec;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change, mount_remount};
use std::ffi::CString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Changes the mounts of this process's own namespace; the working directory is the code. Says what did not work.
///
/// # Errors
/// Where something would stay visible that must not, or the code cannot be reached.
pub(super) fn arrange(spec: &Spec, missing: &mut Vec<String>) -> Result<(), String> {
    let told = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .map_err(|error| told("mounts cannot be made ours", &error))?;
    for path in &spec.hide {
        hide(path).map_err(|error| told(&format!("{} cannot be hidden", path.display()), &error))?;
    }
    empty("/tmp", spec.tmp_mib, "1777").map_err(|error| told("no /tmp of its own", &error))?;
    code(&spec.code).map_err(|error| told("the code's directory", &error))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    if let Err(error) = mount("proc", "/proc", "proc", flags, None) {
        missing.push(told("no /proc of its own", &error));
    }
    match read_only() {
        Ok(0) => {}
        Ok(left) => missing.push(format!("{left} mounts stay writable to their owner")),
        Err(error) => missing.push(told("mounts stay writable to their owner", &error)),
    }
    Ok(())
}

/// Puts an empty file system over a directory, or nothing over a file.
fn hide(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => empty(path, 1, "755"),
        Ok(_) => Ok(mount_bind("/dev/null", path)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // Whom it is closed to need not be kept from it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

fn empty(path: impl AsRef<Path>, mib: u64, mode: &str) -> io::Result<()> {
    let options = CString::new(format!("size={mib}m,mode={mode},nr_inodes=65536"))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    Ok(mount("tmpfs", path.as_ref(), "tmpfs", flags, options.as_c_str())?)
}

/// Makes the code, which is the working directory, appear under its own name, though something above it may be hidden now.
fn code(path: &Path) -> io::Result<()> {
    if !same(path) {
        fs::create_dir_all(path)?;
        mount_bind(".", path)?;
    }
    // The working directory is beneath what hides it otherwise.
    std::env::set_current_dir(path)
}

fn same(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |path: &Path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
    id(path).is_some_and(|there| id(Path::new(".")) == Some(there))
}

/// Makes every mount read-only but the function's own; says how many could not be.
fn read_only() -> io::Result<usize> {
    let mut left = 0;
    for line in fs::read_to_string("/proc/self/mountinfo")?.lines() {
        let mut words = line.split(' ').skip(4);
        let (Some(at), Some(options)) = (words.next().map(unescaped), words.next()) else { continue };
        if at == Path::new("/tmp") || at.starts_with("/proc") || options.split(',').any(|option| option == "ro") {
            continue;
        }
        let flags = MountFlags::BIND | MountFlags::RDONLY | kept(options);
        match mount_remount(&at, flags, "") {
            Ok(()) => {}
            // What lies beneath another mount cannot be reached by its name, by nobody.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT | rustix::io::Errno::ACCESS) if covered(&at) => {}
            Err(_) => left += 1,
        }
    }
    Ok(left)
}

/// Whether nothing is mounted at this path as it is seen now.
fn covered(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev()).ok();
    match (device(path), path.parent().and_then(device)) {
        (Some(here), Some(above)) => here == above,
        _ => true,
    }
}

/// Options that a mount must keep when it is changed from within a user namespace.
fn kept(options: &str) -> MountFlags {
    options.split(',').fold(MountFlags::empty(), |flags, option| {
        flags
            | match option {
                "nosuid" => MountFlags::NOSUID,
                "nodev" => MountFlags::NODEV,
                "noexec" => MountFlags::NOEXEC,
                "noatime" => MountFlags::NOATIME,
                "nodiratime" => MountFlags::NODIRATIME,
                "relatime" => MountFlags::RELATIME,
                _ => MountFlags::empty(),
            }
    })
}

/// `/proc/self/mountinfo` writes blanks and the like in octal.
fn unescaped(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let octal = bytes
            .get(at + 1..at + 4)
            .filter(|_| *byte == b'\\')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        out.push(octal.unwrap_or(*byte));
        at += if octal.is_some() { 4 } else { 1 };
    }
    PathBuf::from(std::ffi::OsString::from_vec(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_names_are_read() {
        assert_eq!(unescaped("/a\\040b\\134c"), Path::new("/a b\\c"));
        assert_eq!(unescaped("/end\\04"), Path::new("/end\\04"));
    }

    #[test]
    fn options_are_kept() {
        assert_eq!(kept("rw,nosuid,relatime"), MountFlags::NOSUID | MountFlags::RELATIME);
    }
}
