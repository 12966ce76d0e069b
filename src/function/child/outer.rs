//! The first step: give up the node's user, enter namespaces of our own, and start the second step in them.

use super::{INNER, failed};
use rustix::process::{DumpableBehavior, Gid, Uid};
use rustix::thread::UnshareFlags;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// `function-child CODE USER`: the code's directory, and whom to become if we are root.
pub(super) fn run(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let (Some(code), Some(user)) = (arguments.next().map(PathBuf::from), arguments.next()) else {
        return failed("arguments", "CODE USER are missing");
    };
    let Some(user) = user.to_str().and_then(|user| user.parse::<u32>().ok()) else {
        return failed("arguments", "USER is no number");
    };
    if let Err(error) = rustix::process::setsid() {
        return failed("setsid", error);
    }
    if let Err(error) = keep_only_stdio() {
        return failed("inherited files", error);
    }
    // While we still may: the directories above the code can be closed to whom we become.
    if let Err(error) = std::env::set_current_dir(&code) {
        return failed("the code's directory", error);
    }
    if user != 0
        && rustix::process::geteuid().is_root()
        && let Err(error) = become_user(user)
    {
        return failed("another user", error);
    }
    let boxed = match enter() {
        Ok(()) => "boxed".to_owned(),
        Err(why) => format!("no namespaces: {why}"),
    };
    let inner = Command::new("/proc/self/exe").arg(INNER).arg(boxed).env_clear().status();
    match inner {
        Ok(status) => ExitCode::from(u8::from(!status.success())),
        Err(error) => failed("its second step", error),
    }
}

/// Lets no file go on to the next program but the first three: whoever started the node may have left it some.
fn keep_only_stdio() -> std::io::Result<()> {
    let flag = libc::c_int::try_from(libc::CLOSE_RANGE_CLOEXEC).map_err(std::io::Error::other)?;
    // SAFETY: only sets a flag of files, which stay open in this process and keep their owners.
    #[expect(unsafe_code, reason = "neither std nor rustix has this call")]
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, flag) };
    if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

fn become_user(user: u32) -> rustix::io::Result<()> {
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    // Giving up root makes our own /proc files root's, and the maps of a user namespace are written there.
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)
}

/// Enters namespaces of users, processes, mounts and IPC: all of them, or none.
fn enter() -> Result<(), String> {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    let flags = UnshareFlags::NEWUSER | UnshareFlags::NEWPID | UnshareFlags::NEWNS | UnshareFlags::NEWIPC;
    unshare(flags).map_err(|error| error.to_string())?;
    map("0", user.as_raw(), group.as_raw()).map_err(|error| format!("its map of users: {error}"))
}

pub(super) fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    // Deprecated for what it does to shared tables of files, which is not asked for.
    #[expect(deprecated, reason = "the other one is unsafe for a flag that we do not use")]
    rustix::thread::unshare(flags)
}

/// Makes `outside` appear as `inside` in the user namespace that was just entered.
pub(super) fn map(inside: &str, user: u32, group: u32) -> std::io::Result<()> {
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{inside} {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("{inside} {group} 1"))
}
