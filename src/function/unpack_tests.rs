//! Archives as people and enemies make them.

use super::*;
use std::os::unix::fs::MetadataExt;
use zip::write::SimpleFileOptions;

fn archive(make: impl FnOnce(&mut zip::ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    make(&mut zip);
    zip.finish().expect("an archive").into_inner()
}

fn files(entries: &[(&str, &[u8], u32)]) -> Vec<u8> {
    archive(|zip| {
        for (name, bytes, mode) in entries {
            zip.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode)).expect("an entry");
            zip.write_all(bytes).expect("its bytes");
        }
    })
}

fn folder(limits: CodeLimits) -> (tempfile::TempDir, CodeFolder) {
    let root = tempfile::tempdir().expect("a directory");
    let folder = CodeFolder::open(root.path().join("code"), limits).expect("a folder");
    (root, folder)
}

/// What stays in the folder after an archive was refused.
fn refused(archive: &[u8], limits: CodeLimits) -> CodeError {
    let (root, folder) = folder(limits);
    let error = folder.unpack(archive).expect_err("refused");
    let left: Vec<_> = std::fs::read_dir(root.path().join("code")).expect("listed").collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    let outside: Vec<_> = std::fs::read_dir(root.path()).expect("listed").collect();
    assert_eq!(outside.len(), 1, "written outside: {outside:?}");
    error
}

/// Writes another name of the same length over every place where `from` stands: writers refuse bad names.
fn renamed(mut archive: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> =
        archive.windows(from.len()).enumerate().filter(|(_, window)| *window == from).map(|(at, _)| at).collect();
    assert!(places.len() >= 2, "an entry has its name twice");
    for at in places {
        archive[at..at + to.len()].copy_from_slice(to);
    }
    archive
}

#[test]
fn files_come_out_with_their_folders_and_executables_stay_so() {
    let (_root, folder) = folder(CodeLimits::default());
    let zip = files(&[("bootstrap", b"#!/bin/true", 0o755), ("lib/deep/a.py", b"x = 1", 0o600)]);
    let at = folder.unpack(&zip).expect("unpacked");
    assert_eq!(at.file_name().and_then(|name| name.to_str()), Some(code_name(&zip).as_str()));
    assert_eq!(std::fs::read(at.join("lib/deep/a.py")).expect("read"), b"x = 1");
    let mode = |name: &str| std::fs::metadata(at.join(name)).expect("there").mode() & 0o777;
    assert_eq!((mode("bootstrap"), mode("lib/deep/a.py"), mode("lib")), (0o755, 0o644, 0o755));
    assert_eq!(check(&zip, CodeLimits::default()).expect("good"), 16);
    assert_eq!(folder.find(&code_name(&zip)), Some(at));
    assert_eq!(folder.find("../code"), None);
}

#[test]
fn first_calls_at_the_same_time_unpack_once() {
    let (_root, folder) = folder(CodeLimits::default());
    let zip = files(&[("a", &[7; 100_000], 0o644)]);
    let places: Vec<(PathBuf, u64)> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let at = folder.unpack(&zip).expect("unpacked");
                    let inode = std::fs::metadata(&at).expect("there").ino();
                    (at, inode)
                })
            })
            .collect();
        all.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(places.windows(2).all(|pair| pair[0] == pair[1]), "{places:?}");
    assert!(folder.0.under_way.lock().expect("a lock").is_empty());
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let zip = files(&[("aaaaaaaaaa", b"x", 0o644)]);
    for name in ["../../evil", "/etc/evil1", "a/../../ev", "a\\..\\evil1", "a/b/../../"] {
        let error = refused(&renamed(zip.clone(), b"aaaaaaaaaa", name.as_bytes()), CodeLimits::default());
        assert!(matches!(error, CodeError::Name(_)), "{name}: {error}");
    }
}

#[test]
fn links_and_devices_are_refused() {
    let link = archive(|zip| zip.add_symlink("etc", "/etc", SimpleFileOptions::default()).expect("a link"));
    assert!(matches!(refused(&link, CodeLimits::default()), CodeError::Kind(_, "a link")));
    let mut device = files(&[("sda", b"", 0o644)]);
    let at = device.windows(4).position(|window| window == ENTRY_MARK).expect("a directory");
    device[at + 38..at + 42].copy_from_slice(&(0o060_644_u32 << 16).to_le_bytes());
    assert!(matches!(refused(&device, CodeLimits::default()), CodeError::Kind(_, what) if what.contains("device")));
}

#[test]
fn the_same_name_twice_is_refused() {
    // A writer refuses that, too; and a reader may keep one of two equal names, so they differ by a dot.
    let zip = files(&[("./aa", b"1", 0o644), ("bb", b"2", 0o644)]);
    let zip = renamed(zip, b"bb", b"aa");
    assert!(matches!(refused(&zip, CodeLimits::default()), CodeError::Twice(_)));
    let zip = files(&[("a", b"1", 0o644), ("a/b", b"2", 0o644)]);
    assert!(matches!(refused(&zip, CodeLimits::default()), CodeError::Twice(_)));
}

#[test]
fn bombs_are_found_by_what_they_say_and_by_what_they_are() {
    let limits = CodeLimits { unzipped_bytes: 1 << 20, ..CodeLimits::default() };
    let bomb = files(&[("zeros", &vec![0; 2 << 20], 0o644)]);
    assert!(matches!(refused(&bomb, limits), CodeError::TooLarge(_)), "said");
    // The same, with sizes that lie: 1,000 in the directory and in the local head.
    let mut liar = bomb;
    let size = (2_u32 << 20).to_le_bytes();
    let places: Vec<usize> = (0..liar.len() - 4).filter(|at| liar[*at..*at + 4] == size).collect();
    for at in places {
        liar[at..at + 4].copy_from_slice(&1_000_u32.to_le_bytes());
    }
    assert!(matches!(refused(&liar, limits), CodeError::TooLarge(_) | CodeError::NotZip(_)), "lied");
    let ratio = CodeLimits { ratio: 10, ..CodeLimits::default() };
    let bomb = files(&[("zeros", &vec![0; 20 << 20], 0o644)]);
    assert!(matches!(refused(&bomb, ratio), CodeError::TooLarge(_)), "ratio");
    let many = archive(|zip| {
        for index in 0..50 {
            zip.start_file(format!("f{index}"), SimpleFileOptions::default()).expect("an entry");
        }
    });
    assert!(matches!(refused(&many, CodeLimits { entries: 49, ..limits }), CodeError::TooMany(49)));
}

#[test]
fn what_is_no_archive_is_refused_and_damage_is_noticed() {
    assert!(matches!(refused(b"no archive", CodeLimits::default()), CodeError::NotZip(_)));
    let zip = archive(|zip| {
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        zip.start_file("a", stored).expect("an entry");
        zip.write_all(b"some bytes that are stored").expect("its bytes");
    });
    let at = zip.windows(10).position(|window| window == b"some bytes").expect("stored");
    let mut damaged = zip.clone();
    damaged[at] ^= 1;
    assert!(matches!(refused(&damaged, CodeLimits::default()), CodeError::NotZip(_)));
    for end in (0..zip.len()).step_by(7) {
        refused(&zip[..end], CodeLimits::default());
    }
}

#[test]
fn what_was_left_half_unpacked_goes_at_the_next_start() {
    let root = tempfile::tempdir().expect("a directory");
    let half = root.path().join(".unpacking-abc");
    std::fs::create_dir_all(half.join("x")).expect("made");
    CodeFolder::open(root.path().to_owned(), CodeLimits::default()).expect("opened");
    assert!(!half.exists());
}
