//! Functions that misbehave: Lambda's error, no other call harmed, nothing left behind.

use super::house::{House, call, options, processes_with, wait_for, whole};
use meridian::function::{HostOptions, Ready};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const ECHO: &str = "while True:\n    id, head, body = ask()\n    answer(id, body)\n";

fn expect(said: &Value, error_type: &str, words: &str) {
    assert_eq!(said["errorType"], error_type, "{said}");
    let message = said["errorMessage"].as_str().unwrap_or_default();
    assert!(message.contains(words), "{words} in {said}");
}

/// After a fault in `bad`, a good function answers, and nothing of the bad one is left.
fn unharmed(house: House, bad: &Ready) {
    let good = Arc::new(house.bootstrap("good", ECHO));
    assert_eq!(house.succeeds(&good, "fine"), "fine");
    house.host().retire(&bad.deployed.key);
    wait_for("the bad process is gone", || processes_with(&bad.code).is_empty().then_some(()));
    house.close();
}

#[test]
fn a_function_that_never_answers_times_out() {
    let house = House::new(options());
    let mut slow = house
        .bootstrap("slow", "ask()\nimport signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(1000)");
    slow.deployed.timeout_s = 1;
    let slow = Arc::new(slow);
    let asked = call("{}");
    let id = asked.request_id.clone();
    let begun = Instant::now();
    let answer = house.invoke(&slow, asked).expect("an answer");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!((answer.status, answer.function_error.as_deref()), (200, Some("Unhandled")));
    let expected = format!(
        r#"{{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: {id} Error: Task timed out after 1.00 seconds"}}"#
    );
    assert_eq!(whole(answer), expected.as_bytes());
    wait_for("the log is closed", || house.log("slow").contains("Status: timeout").then_some(()));
    assert!(house.log("slow").contains(&format!("{id} Task timed out after 1.00 seconds")));
    assert_eq!(house.metrics.timeouts.get(), 1);
    unharmed(house, &slow);
}

#[test]
fn a_runtime_that_never_asks_is_ended_with_its_init() {
    let house = House::new(HostOptions { init: Duration::from_secs(1), ..options() });
    let mute = Arc::new(house.bootstrap("mute", "time.sleep(1000)"));
    let (_, said) = house.fails(&mute, "{}");
    expect(&said, "Sandbox.Timedout", "Task timed out after 1.00 seconds");
    unharmed(house, &mute);
}

#[test]
fn a_runtime_that_dies_at_start_is_told_and_held_back_when_it_does_so_again_and_again() {
    let house = House::new(options());
    let dying = Arc::new(house.bootstrap("dying", "print('about to die', flush=True)\nraise SystemExit(9)"));
    for _ in 0..5 {
        let asked = call("{}");
        let id = asked.request_id.clone();
        let answer = house.invoke(&dying, asked).expect("an answer");
        let said: Value = serde_json::from_slice(&whole(answer)).expect("JSON");
        expect(&said, "Runtime.ExitError", &format!("RequestId: {id} Error: Runtime exited with error: exit status 9"));
    }
    let starts = house.metrics.cold_starts.get();
    assert!((3..5).contains(&starts), "{starts} starts for five calls");
    assert!(house.log("dying").contains("about to die"));
    // Held back, not given up.
    wait_for("another try", || {
        house.fails(&dying, "{}");
        (house.metrics.cold_starts.get() > starts).then_some(())
    });
    unharmed(house, &dying);
}

#[test]
fn what_is_no_program_is_told() {
    let house = House::new(options());
    let absent = Arc::new(house.function("absent", "provided.al2023", house.code(&[("other", "")])));
    let (_, said) = house.fails(&absent, "{}");
    expect(&said, "Runtime.InvalidEntrypoint", "Couldn't find valid bootstrap(s)");
    let garbage =
        Arc::new(house.function("garbage", "provided.al2023", house.code(&[("bootstrap", "\u{1}\u{2}\u{3}")])));
    let (_, said) = house.fails(&garbage, "{}");
    expect(&said, "Runtime.InvalidEntrypoint", "cannot be started");
    unharmed(house, &garbage);
}

#[test]
fn a_runtime_that_dies_in_mid_call_is_told_by_its_end() {
    let house = House::new(options());
    let dying = "id, head, body = ask()\nexec(body)\ntime.sleep(1000)";
    let dying = Arc::new(house.bootstrap("dying", dying));
    for (how, words) in [
        ("os._exit(4)", "Runtime exited with error: exit status 4"),
        ("os._exit(0)", "Runtime exited without providing a reason"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ("os.kill(os.getpid(), 11)", "Runtime exited with error: signal: segmentation fault"),
        (
            "link.sendall(f'POST {BASE}invocation/{id}/response HTTP/1.1\\r\\nContent-Length: 100\\r\\n\\r\\nhalf'.encode()); os._exit(5)",
            "exit status 5",
        ),
    ] {
        let answer = house.invoke(&dying, call(how)).expect("an answer");
        let said: Value = serde_json::from_slice(&whole(answer)).expect("JSON");
        let message = said["errorMessage"].as_str().unwrap_or_default();
        // What was cut can be seen before the end is.
        assert!(message.contains(words) || how.contains("half") && message.contains("truncated"), "{how}: {said}");
    }
    assert_eq!(house.metrics.cold_starts.get(), 5);
    unharmed(house, &dying);
}

#[test]
fn garbage_on_the_runtime_api_ends_the_process_and_answers_the_call() {
    let house = House::new(options());
    for (name, what) in [
        ("noise", "link.sendall(b'\\x00\\x01garbage\\r\\n\\r\\n' * 10)"),
        ("head", "link.sendall(b'GET / HTTP/1.1\\r\\n' + b'a: ' + b'x' * 1000000)"),
        ("again", "request('GET', 'invocation/next')"),
    ] {
        let function = Arc::new(house.bootstrap(name, &format!("id, head, body = ask()\n{what}\ntime.sleep(1000)")));
        let (_, said) = house.fails(&function, "{}");
        expect(&said, "Runtime.ExitError", "signal: killed");
    }
    let odd = r#"
while True:
    id, head, body = ask()
    told = [request("POST", "invocation/other/response", b"x")[0], request("GET", "nothing")[0], request("PUT", "invocation/next")[0]]
    answer(id, str(told).encode())
    assert answer(id, b"twice")[0] == 400
"#;
    let odd = Arc::new(house.bootstrap("odd", odd));
    assert_eq!(house.succeeds(&odd, "{}"), "[400, 404, 404]");
    assert_eq!(house.succeeds(&odd, "{}"), "[400, 404, 404]");
    unharmed(house, &odd);
}

#[test]
fn a_function_that_eats_memory_is_ended() {
    let house = House::new(options());
    let hungry = "
while True:
    id, head, body = ask()
    if body == b'eat':
        all = []
        while True: all.append(bytearray(os.urandom(1 << 20))); time.sleep(0.001)
    answer(id, body)
";
    let hungry = Arc::new(house.bootstrap("hungry", hungry));
    assert_eq!(house.succeeds(&hungry, "ok"), "ok");
    let (_, said) = house.fails(&hungry, "eat");
    expect(&said, "Runtime.OutOfMemory", "signal: killed");
    assert_eq!(house.metrics.out_of_memory.get(), 1);
    wait_for("the log", || house.log("hungry").contains("Error Type: Runtime.OutOfMemory").then_some(()));
    assert_eq!(house.succeeds(&hungry, "ok"), "ok", "a new process");
    unharmed(house, &hungry);
}

#[test]
fn children_that_share_the_memory_count_too() {
    let house = House::new(options());
    let many = "
id, head, body = ask()
for _ in range(4):
    if os.fork() == 0:
        os.setsid()
        block = bytearray(os.urandom(45 << 20))
        time.sleep(1000)
time.sleep(1000)
";
    let many = Arc::new(house.bootstrap("many", many));
    let (_, said) = house.fails(&many, "{}");
    expect(&said, "Runtime.OutOfMemory", "signal: killed");
    unharmed(house, &many);
}

#[test]
fn a_function_that_forks_without_end_is_bounded_and_wholly_ended() {
    let house = House::new(HostOptions { processes: 60, ..options() });
    let bomb = "
id, head, body = ask()
while True:
    try:
        if os.fork() == 0: os.setsid()
    except OSError:
        time.sleep(0.01)
";
    let mut bomb = house.bootstrap("bomb", bomb);
    bomb.deployed.timeout_s = 2;
    bomb.deployed.memory_mb = 1_024;
    let bomb = Arc::new(bomb);
    let (_, said) = house.fails(&bomb, "{}");
    assert!(
        ["Sandbox.Timedout", "Runtime.OutOfMemory"].contains(&said["errorType"].as_str().unwrap_or_default()),
        "{said}"
    );
    unharmed(house, &bomb);
}

#[test]
fn an_answer_that_is_too_large_is_refused() {
    let house = House::new(HostOptions { response_bytes: 100_000, ..options() });
    let large = "
while True:
    id, head, body = ask()
    print(answer(id, b'x' * int(body)), flush=True)
";
    let large = Arc::new(house.bootstrap("large", large));
    assert_eq!(house.succeeds(&large, "100000").len(), 100_000);
    let (error, said) = house.fails(&large, "100001");
    assert_eq!(error, "Unhandled");
    expect(
        &said,
        "Function.ResponseSizeTooLarge",
        "Response payload size (100001 bytes) exceeded maximum allowed payload size (100000 bytes).",
    );
    house.fails(&large, "5000000");
    assert_eq!(house.succeeds(&large, "10").len(), 10);
    unharmed(house, &large);
}

#[test]
fn a_process_that_dies_between_calls_is_replaced_unseen() {
    let house = House::new(options());
    let fickle = "id, head, body = ask()\nanswer(id, str(os.getpid()).encode())\ntime.sleep(0.2)\nos._exit(1)";
    let fickle = Arc::new(house.bootstrap("fickle", fickle));
    for _ in 0..3 {
        house.succeeds(&fickle, "{}");
        std::thread::sleep(Duration::from_millis(150));
    }
    unharmed(house, &fickle);
}

/// A process of its own, killed by the test below.
#[test]
#[ignore = "the test below runs it"]
fn a_host_to_be_killed() {
    let house = House::new(options());
    let mut daemons = "id, head, body = ask()
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0: time.sleep(1000)
        os._exit(0)
answer(id, b'1')
ask()
time.sleep(1000)"
        .to_owned();
    daemons.push('\n');
    let function = Arc::new(house.bootstrap("daemons", &daemons));
    house.succeeds(&function, "{}");
    println!("\nREADY {}", house.folder().display());
    // The next call is under way when the end comes.
    house.succeeds(&function, "{}");
}

#[test]
fn a_host_that_is_killed_leaves_no_process() {
    killed_leaves_nothing("faults::a_host_to_be_killed");
}

/// Runs an ignored test of this program, which says where its functions are, and kills it.
pub(crate) fn killed_leaves_nothing(test: &str) {
    let mut host = Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", test, "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a host");
    let lines = BufReader::new(host.stdout.take().expect("its output")).lines();
    let place = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("READY ").map(str::to_owned));
    let place = std::path::PathBuf::from(place.expect("a host that is ready"));
    // The first step, the runtime, and its daemons.
    let before = processes_with(&place);
    assert!(before.len() >= 3, "{before:?}");
    host.kill().expect("killed");
    host.wait().expect("ended");
    wait_for("nothing is left", || processes_with(&place).is_empty().then_some(()));
    // It could not do that itself any more.
    std::fs::remove_dir_all(&place).expect("removed");
}
