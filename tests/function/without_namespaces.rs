//! A system that gives no namespaces: functions run with less around them, and still leave nothing behind.

use super::house::{House, options, plain_python, processes_with, wait_for};
use super::skip::skip;
use meridian::function::HostOptions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;

/// Starts our program where no further namespace can be made.
const LAUNCHER: &str = r#"#!/bin/sh
exec unshare --user --map-root-user sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"' sh MERIDIAN "$@"
"#;

fn house(test: &str) -> Option<(House, tempfile::TempDir)> {
    let trial = Command::new("unshare").args(["--user", "--map-root-user", "true"]).status();
    if !trial.is_ok_and(|status| status.success()) {
        skip(test, "there is no unshare(1) here, or it may not make user namespaces");
        return None;
    }
    let folder = tempfile::tempdir().expect("a directory");
    let launcher = folder.path().join("launcher");
    std::fs::write(&launcher, LAUNCHER.replace("MERIDIAN", env!("CARGO_BIN_EXE_meridian"))).expect("written");
    std::fs::set_permissions(&launcher, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    // Within the launcher's namespace there is no other user to become.
    Some((House::new(HostOptions { launcher, user: 0, ..options() }), folder))
}

const BODY: &str = "
while True:
    id, head, body = ask()
    if body == b'daemon' and os.fork() == 0:
        os.setsid()
        if os.fork() == 0: time.sleep(1000)
        os._exit(0)
    if body == b'eat':
        all = []
        while True: all.append(bytearray(os.urandom(1 << 20)))
    if body == b'hang': time.sleep(1000)
    answer(id, str([line.split()[1] for line in open('/proc/self/status') if line.startswith('NoNewPrivs')]).encode())
";

#[test]
fn functions_run_and_all_that_came_from_them_ends() {
    let Some((house, _folder)) = house("functions_run_and_all_that_came_from_them_ends") else { return };
    let mut function = house.bootstrap("f", BODY);
    function.deployed.timeout_s = 2;
    let function = Arc::new(function);
    assert_eq!(house.succeeds(&function, "daemon"), "['1']");
    assert!(plain_python().exists());
    wait_for("a daemon", || (processes_with(&function.code).len() >= 3).then_some(()));
    let (_, said) = house.fails(&function, "hang");
    assert_eq!(said["errorType"], "Sandbox.Timedout");
    wait_for("its end", || processes_with(&function.code).is_empty().then_some(()));
    assert_eq!(house.succeeds(&function, "daemon"), "['1']");
    let (_, said) = house.fails(&function, "eat");
    assert_eq!(said["errorType"], "Runtime.OutOfMemory");
    wait_for("its end", || processes_with(&function.code).is_empty().then_some(()));
    house.close();
}

#[test]
#[ignore = "the test below runs it"]
fn a_host_to_be_killed() {
    let Some((house, _folder)) = house("a_host_to_be_killed") else { return };
    let function = Arc::new(house.bootstrap("f", BODY));
    house.succeeds(&function, "daemon");
    println!("\nREADY {}", house.folder().display());
    house.succeeds(&function, "hang");
}

#[test]
fn a_host_that_is_killed_leaves_no_process() {
    if house("a_host_that_is_killed_leaves_no_process").is_some() {
        super::faults::killed_leaves_nothing("without_namespaces::a_host_to_be_killed");
    }
}
