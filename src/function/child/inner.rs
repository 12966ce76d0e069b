//! The second step: mounts and limits, then the runtime, whose parent and watch this process stays.

use super::family::{descendants, memory_kib, pid};
use super::{BOUND, LONGEST_SPEC, Said, Spec, failed, mounts, outer};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions};
use rustix::thread::UnshareFlags;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

/// How often memory is looked at while an invocation runs, and while none does.
const LOOK: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];
/// Larger files cannot be written, bytes.
const FILE_BYTES: u64 = 1 << 30;
/// What one process may map beyond twice its memory: runtimes map much that they never touch, bytes.
const MAPPED_BYTES: u64 = 1 << 30;
/// Whom the function takes itself for.
const INSIDE_USER: &str = "993";

/// `function-inner boxed` or why there is no box; the description comes by the socket that is our stdin.
pub(super) fn run(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let boxed = arguments.next().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let mut missing = Vec::new();
    if boxed != "boxed" {
        missing.push(boxed);
    }
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
        return failed("the parent's end", error);
    }
    let mut socket = match rustix::stdio::stdin().try_clone_to_owned() {
        Ok(fd) => File::from(fd),
        Err(error) => return failed("the socket", error),
    };
    let spec = match receive(&mut socket) {
        Ok(spec) => spec,
        Err(error) => return failed("its description", error),
    };
    let in_box = missing.is_empty();
    let runtime = arrange(&spec, in_box, &mut missing).and_then(|()| start(&spec, in_box, &missing, &mut socket));
    match runtime {
        Ok(Some(runtime)) => watch(runtime, &spec, in_box, socket),
        Ok(None) => ExitCode::FAILURE,
        Err(why) => {
            say(&mut socket, &Said::Cannot { absent: false, why });
            ExitCode::FAILURE
        }
    }
}

/// `function-bound PROGRAM ARGUMENTS…`: becomes a program that ends with its parent.
pub(super) fn bound(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(program) = arguments.next() else { return failed("arguments", "PROGRAM is missing") };
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
        return failed("the parent's end", error);
    }
    failed("the runtime", Command::new(program).args(arguments).exec())
}

/// Length (4 bytes, big-endian) and JSON.
fn receive(socket: &mut File) -> io::Result<Spec> {
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > LONGEST_SPEC {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut text = vec![0; length];
    socket.read_exact(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

fn arrange(spec: &Spec, in_box: bool, missing: &mut Vec<String>) -> Result<(), String> {
    // Without a box the outer process leads our session, and signals to the group would reach it.
    rustix::process::setsid().map_err(|error| format!("setsid: {error}"))?;
    if in_box {
        let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        mounts::arrange(spec, missing)?;
        // In a namespace below this one nothing can undo the mounts.
        outer::unshare(UnshareFlags::NEWUSER).map_err(|error| format!("a second namespace of users: {error}"))?;
        outer::map(INSIDE_USER, user, group).map_err(|error| format!("its map of users: {error}"))?;
    } else {
        // Orphans come to us, so that they can be found and ended.
        rustix::process::set_child_subreaper(pid(std::process::id()))
            .map_err(|error| format!("orphans would be lost: {error}"))?;
    }
    let mapped = spec.memory_mib.saturating_mul(2 << 20).saturating_add(MAPPED_BYTES);
    let mut limits = vec![
        (Resource::Core, 0),
        (Resource::Nofile, spec.open_files),
        (Resource::Fsize, FILE_BYTES),
        (Resource::Data, mapped),
    ];
    if in_box {
        // Counted within the namespace; without one, the node's own threads count, too.
        limits.push((Resource::Nproc, spec.processes));
    }
    for (resource, most) in limits {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        rustix::process::setrlimit(resource, limit).map_err(|error| format!("{resource:?}: {error}"))?;
    }
    rustix::thread::set_no_new_privs(true).map_err(|error| format!("no_new_privs: {error}"))
}

/// Starts the runtime and says so, or why not.
fn start(spec: &Spec, in_box: bool, missing: &[String], socket: &mut File) -> Result<Option<Pid>, String> {
    let (program, arguments) = spec.command.split_first().ok_or("no command")?;
    let mut command = if in_box {
        Command::new(program)
    } else {
        let mut bound = Command::new("/proc/self/exe");
        bound.arg(BOUND).arg(program);
        bound
    };
    command.args(arguments).env_clear().envs(spec.environment.iter().map(|(name, value)| (name, value)));
    command.current_dir(&spec.code).stdin(Stdio::null());
    match command.spawn() {
        Ok(child) => {
            say(socket, &Said::Started { missing: missing.to_vec() });
            Ok(pid(child.id()))
        }
        Err(error) => {
            let absent = error.kind() == io::ErrorKind::NotFound;
            say(socket, &Said::Cannot { absent, why: error.to_string() });
            Ok(None)
        }
    }
}

/// Nobody listens any more where this fails; then the socket's end is seen next.
fn say(socket: &mut File, said: &Said) {
    if let Ok(mut line) = serde_json::to_vec(said) {
        line.push(b'\n');
        let _ = socket.write_all(&line);
    }
}

/// Waits for the end of the runtime, of the node, or of the memory.
fn watch(runtime: Pid, spec: &Spec, in_box: bool, mut socket: File) -> ExitCode {
    let pidfd = rustix::process::pidfd_open(runtime, PidfdFlags::empty()).ok();
    let (mut most, mut told, mut busy) = (0, 0, true);
    loop {
        let every = if busy { LOOK[0] } else { LOOK[1] };
        let (heard, _) = wait(&socket, pidfd.as_ref(), every);
        if heard {
            match hear(&mut socket) {
                Some(now) => busy = now,
                None => break,
            }
        }
        if let Some(end) = reap(runtime) {
            say(&mut socket, &Said::Memory(most));
            say(&mut socket, &end);
            break;
        }
        let used = memory_kib(&descendants(std::process::id()));
        most = used.max(most);
        if most > told + 1_024 {
            told = most;
            say(&mut socket, &Said::Memory(most));
        }
        if used > spec.memory_mib * 1_024 {
            say(&mut socket, &Said::OutOfMemory);
            break;
        }
    }
    if !in_box {
        end_all();
    }
    // With the first process of its namespace the kernel ends all others.
    ExitCode::SUCCESS
}

/// Whether the socket and the runtime have something to say.
fn wait(socket: &File, runtime: Option<&OwnedFd>, most: Duration) -> (bool, bool) {
    let mut fds = vec![PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN)];
    fds.extend(runtime.map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)));
    let timeout = Timespec::try_from(most).ok();
    if poll(&mut fds, timeout.as_ref()).is_err() {
        return (false, false);
    }
    (!fds[0].revents().is_empty(), fds.get(1).is_some_and(|fd| !fd.revents().is_empty()))
}

/// The node says `b` when an invocation begins and `i` when it ended; `None`: it is gone, or wants an end.
fn hear(socket: &mut File) -> Option<bool> {
    let mut words = [0; 64];
    match socket.read(&mut words) {
        Ok(0) | Err(_) => None,
        Ok(read) => Some(words[read - 1] == b'b'),
    }
}

/// Takes the ends of all processes that ended; says how the runtime did.
fn reap(runtime: Pid) -> Option<Said> {
    while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        if pid == runtime {
            let by_signal = status.terminating_signal().map(Said::Signaled);
            return by_signal.or_else(|| status.exit_status().map(Said::Exited));
        }
    }
    None
}

/// Ends all that came from us, until nothing is left: what forks faster than we look is caught by the next look.
fn end_all() {
    for _ in 0..1_000 {
        let left = descendants(std::process::id());
        if left.is_empty() {
            return;
        }
        for process in left.into_iter().filter_map(pid) {
            let _ = rustix::process::kill_process(process, Signal::KILL);
        }
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
        let _ = poll(&mut [], Timespec::try_from(Duration::from_millis(1)).ok().as_ref());
    }
}
