//! A process and all that came from it, as `/proc` tells.

use rustix::process::Pid;
use std::fs;

/// Most processes that are looked at: more than a function may have.
const MOST: usize = 8_192;

/// The children of a process and theirs, without itself; none where the system does not tell.
pub(in crate::function) fn descendants(root: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        for child in children(pid) {
            if found.len() < MOST {
                found.push(child);
                open.push(child);
            }
        }
    }
    found
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let mut all = Vec::new();
    for thread in threads.flatten() {
        let text = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        all.extend(text.split_ascii_whitespace().filter_map(|word| word.parse::<u32>().ok()));
    }
    all
}

/// What these processes use, KiB: what each has for itself, and the largest that they share.
pub(super) fn memory_kib(processes: &[u32]) -> u64 {
    let page_kib = rustix::param::page_size() as u64 / 1_024;
    let (mut own, mut shared) = (0, 0);
    for pid in processes {
        let text = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
        let mut words = text.split_ascii_whitespace().skip(1).map_while(|word| word.parse::<u64>().ok());
        if let (Some(resident), Some(common)) = (words.next(), words.next()) {
            own += resident.saturating_sub(common);
            shared = common.max(shared);
        }
    }
    (own + shared) * page_kib
}

/// A process id in rustix's type.
pub(super) fn pid(raw: u32) -> Option<Pid> {
    i32::try_from(raw).ok().and_then(Pid::from_raw)
}
