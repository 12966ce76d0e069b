//! Files that hold secrets: readable by their owner alone.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

/// Writes a secret: mode 0600 from the first byte, durable, and never half written (a new file, renamed).
///
/// # Errors
/// As the file system says, with the path.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let fail = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = Path::new(&new);
    match fs::remove_file(new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(fail(e)),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(new).map_err(fail)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(fail)?;
    fs::rename(new, path).map_err(fail)?;
    if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        fs::File::open(dir).and_then(|d| d.sync_all()).map_err(fail)?;
    }
    Ok(())
}

/// Reads a secret, and refuses one that others may read.
///
/// # Errors
/// As the file system says, or that the file's mode is too open, with the path.
pub fn read_private(path: &Path) -> io::Result<String> {
    use std::os::unix::fs::PermissionsExt;
    let fail = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    let mode = fs::metadata(path).map_err(fail)?.permissions().mode();
    if mode & 0o077 != 0 {
        let words = format!("{}: others may read this secret (mode {:o}); run chmod 600", path.display(), mode & 0o777);
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, words));
    }
    fs::read_to_string(path).map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_0600_replaced_whole_and_refused_when_open() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        write_private(&path, b"one").unwrap();
        write_private(&path, b"two").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_private(&path).unwrap(), "two");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read_private(&path).unwrap_err().to_string().contains("chmod 600"));
    }
}
