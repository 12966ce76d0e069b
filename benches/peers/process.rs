//! Other programs: started on a core, asked what they spent, ended by their own handle.

use crate::Outcome;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// The core of everything that makes load and answers as a backend; what is measured inherits ours (`scripts/bench`).
pub(crate) const LOAD_CORE: &str = "1";

/// A running program, ended when dropped.
pub(crate) struct Running {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Outcome<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{program}: {error}"))?;
        let stdout = child.stdout.take().map(BufReader::new);
        Ok(Self { child, stdout })
    }

    /// This same program in another role, on the measured core (`None`) or another.
    pub(crate) fn role(core: Option<&str>, arguments: &[&str]) -> Outcome<Self> {
        let own = std::env::current_exe()?;
        let mut command = match core {
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["-c", core]).arg(own);
                command
            }
            None => Command::new(own),
        };
        Self::start(command.args(arguments))
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.stdout.as_mut().ok_or("no stdout")?.read_line(&mut line)?;
        if line.is_empty() {
            return Err(format!("a program ended early: {:?}", self.child.wait()?).into());
        }
        Ok(line.trim_end().to_owned())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for pid in tree(self.child.id()).into_iter().rev().filter(|pid| *pid != self.child.id()) {
            let _ = Command::new("kill").arg(pid.to_string()).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The fields of `/proc/PID/stat` after the name, which may hold blanks; the first is the state.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

/// A process and all that descend from it.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, stat(pid)?.get(1)?.parse().ok()?)))
        .collect();
    let mut found = vec![root];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found
}

/// Seconds of CPU that a process and its descendants have spent, user and system.
pub(crate) fn cpu_seconds(root: u32) -> f64 {
    // utime and stime are fields 14 and 15 of the whole line, in ticks of 1/100 s on every Linux we meet.
    let ticks =
        |pid: u32| stat(pid).map_or(0, |fields| fields[11..13].iter().filter_map(|f| f.parse::<u64>().ok()).sum());
    tree(root).into_iter().map(ticks).sum::<u64>() as f64 / 100.0
}

/// Resident memory of a process and its descendants, in MiB.
pub(crate) fn resident_mib(root: u32) -> f64 {
    let kib = |pid: u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = text.lines().find(|line| line.starts_with("VmRSS:"))?.to_owned();
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    tree(root).into_iter().filter_map(kib).sum::<u64>() as f64 / 1024.0
}

/// Whether a program is installed.
pub(crate) fn installed(program: &str) -> bool {
    Command::new(program).arg("-v").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// A port that nothing listens on, for programs that cannot be told to choose.
pub(crate) fn free_port() -> Outcome<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
