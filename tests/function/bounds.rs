//! How many run at once, for how long, and what they see of the machine.

use super::house::{House, call, options, processes_with, wait_for, whole};
use meridian::function::{HostOptions, Ready};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PID: &str = "
while True:
    id, head, body = ask()
    time.sleep(float(body))
    answer(id, (os.environ['AWS_LAMBDA_LOG_STREAM_NAME']).encode())
";

fn streams(house: &House, function: &Arc<Ready>, calls: usize, nap: &str) -> BTreeSet<String> {
    let calls = (0..calls).map(|_| (function.clone(), call(nap))).collect();
    let answers = house.invoke_all(calls).into_iter().map(|answer| whole(answer.expect("an answer")));
    answers.map(|bytes| String::from_utf8(bytes.to_vec()).expect("text")).collect()
}

#[test]
fn calls_at_once_get_processes_of_their_own_up_to_the_nodes_concurrency() {
    let house = House::new(HostOptions { concurrency: 3, ..options() });
    let function = Arc::new(house.bootstrap("f", PID));
    assert_eq!(streams(&house, &function, 2, "1").len(), 2);
    assert_eq!(streams(&house, &function, 9, "0.3").len(), 3);
    house.close();
}

#[test]
fn who_waits_too_long_is_throttled_and_the_others_are_served_in_order() {
    let house = House::new(HostOptions { concurrency: 1, waiting: 3, ..options() });
    let function = Arc::new(house.bootstrap("f", PID));
    house.succeeds(&function, "0");
    let mut hasty = call("0");
    hasty.until = Instant::now() + Duration::from_millis(300);
    let calls = vec![(function.clone(), call("1")), (function.clone(), hasty), (function.clone(), call("0"))];
    let answers: Vec<_> =
        house.invoke_all(calls).into_iter().map(|answer| answer.map(|answer| answer.status)).collect();
    assert_eq!(answers.iter().filter(|answer| **answer == Ok(200)).count(), 2, "{answers:?}");
    assert!(answers.iter().any(|answer| answer.as_ref().is_err_and(|refused| refused.status == 429)), "{answers:?}");
    let many = (0..8).map(|_| (function.clone(), call("0.3"))).collect();
    let refused = house.invoke_all(many).into_iter().filter(Result::is_err).count();
    assert_eq!(refused, 4, "one runs, three wait");
    assert_eq!(house.metrics.waiting.get(), 0);
    house.close();
}

#[test]
fn the_nodes_memory_bounds_processes_and_the_one_used_longest_ago_makes_room() {
    let house = House::new(HostOptions { memory_mib: 300, ..options() });
    let [a, b, c] = ["a", "b", "c"].map(|name| Arc::new(house.bootstrap(name, PID)));
    let first = [&a, &b, &a].map(|function| streams(&house, function, 1, "0"));
    assert_eq!(first[0], first[2], "both fit");
    streams(&house, &c, 1, "0");
    assert_eq!(streams(&house, &a, 1, "0"), first[0], "a was used after b");
    assert_ne!(streams(&house, &b, 1, "0"), first[1], "b made room");
    assert!(house.metrics.processes.get() <= 2);
    assert!(streams(&house, &a, 5, "0.05").len() <= 2, "two at once");
    let mut huge = house.bootstrap("huge", PID);
    huge.deployed.memory_mb = 301;
    let refused = house.invoke(&Arc::new(huge), call("0")).expect_err("refused");
    assert!(refused.message.contains("memory_mib"), "{refused}");
    house.close();
}

#[test]
fn idle_processes_end_and_so_do_those_of_an_older_revision() {
    let house = House::new(HostOptions { idle: Duration::from_secs(2), ..options() });
    let old = Arc::new(house.bootstrap("f", PID));
    house.succeeds(&old, "0");
    let mut new = (*old).clone();
    new.deployed.key = "newer".into();
    let new = Arc::new(new);
    let calls = vec![(old.clone(), call("1")), (new.clone(), call("0"))];
    assert!(house.invoke_all(calls).iter().all(Result::is_ok));
    wait_for("the old one is gone", || (house.metrics.processes.get() <= 1).then_some(()));
    wait_for("the idle one is gone", || (house.metrics.processes.get() == 0).then_some(()));
    assert!(processes_with(&old.code).is_empty());
    house.succeeds(&new, "0");
    house.host().retire("newer");
    wait_for("the retired one is gone", || (house.metrics.processes.get() == 0).then_some(()));
    house.close();
}

#[test]
fn a_function_sees_its_code_and_a_tmp_of_its_own_and_nothing_of_the_node() {
    let secret = tempfile::tempdir().expect("a directory");
    let file = secret.path().join("admin-token");
    std::fs::write(&file, "token").expect("written");
    let house = House::new(HostOptions { hide: vec![secret.path().to_owned()], ..options() });
    let look = r#"
import json, resource
id, head, body = ask()
secret, node = json.loads(body)
said = {}
def trial(name, what):
    try: said[name] = what()
    except OSError as error: said[name] = type(error).__name__ + str(error.errno)
def write(path, size=1):
    with open(path, "wb") as file:
        for _ in range(size): file.write(b"x" * 1000)
trial("secret", lambda: open(secret).read())
trial("task", lambda: sorted(os.listdir(os.environ["LAMBDA_TASK_ROOT"])))
trial("cwd", lambda: os.getcwd() == os.environ["LAMBDA_TASK_ROOT"])
trial("own code", lambda: write("bootstrap"))
trial("etc", lambda: write("/etc/meridian-was-here"))
trial("tmp", lambda: write("/tmp/a"))
trial("tmp full", lambda: write("/tmp/b", 20000))
trial("tmp list", lambda: "a" in os.listdir("/tmp"))
trial("processes", lambda: len([name for name in os.listdir("/proc") if name.isdigit()]))
trial("node", lambda: open(f"/proc/{node}/environ").read())
trial("kill", lambda: os.kill(node, 0))
trial("files", lambda: len([fd for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd) and not os.readlink("/proc/self/fd/" + fd).startswith(("socket:", "/proc/"))]))
trial("shadow", lambda: open("/etc/shadow").read(1))
trial("limits", lambda: [resource.getrlimit(what)[0] for what in (resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)])
trial("privileges", lambda: [line.split()[1] for line in open("/proc/self/status") if line.startswith(("NoNewPrivs", "CapEff"))])
trial("umount", lambda: __import__("ctypes").CDLL(None).umount2(os.path.dirname(secret).encode(), 2))
trial("variables", lambda: sorted(os.environ))
trial("session", lambda: os.getsid(0) != os.getpid() and os.getpgid(0) == os.getsid(0))
answer(id, json.dumps(said).encode())
"#;
    let function = Arc::new(house.bootstrap("look", look));
    let text = house.succeeds(&function, &serde_json::json!([file, std::process::id()]).to_string());
    let said: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    if said["privileges"] != serde_json::json!(["0000000000000000", "1"]) || said["processes"].as_u64() > Some(3) {
        let log = house.log("look");
        panic!("this system gives no namespaces, which the tests of functions need: {said}\n{log}");
    }
    for (name, expected) in [
        ("secret", serde_json::json!("FileNotFoundError2")),
        ("task", serde_json::json!(["bootstrap"])),
        ("cwd", serde_json::json!(true)),
        ("own code", serde_json::json!("OSError30")),
        ("etc", serde_json::json!("OSError30")),
        ("tmp", serde_json::json!(null)),
        ("tmp full", serde_json::json!("OSError28")),
        ("tmp list", serde_json::json!(true)),
        ("node", serde_json::json!("FileNotFoundError2")),
        ("kill", serde_json::json!("ProcessLookupError3")),
        ("files", serde_json::json!(3)),
        ("shadow", serde_json::json!("PermissionError13")),
        ("limits", serde_json::json!([1024, 1024, 0])),
        ("umount", serde_json::json!(-1)),
        ("session", serde_json::json!(true)),
    ] {
        assert_eq!(said[name], expected, "{name}: {said}");
    }
    for variable in said["variables"].as_array().expect("a list") {
        let name = variable.as_str().unwrap_or_default();
        let lambdas = name.starts_with("AWS_") || name.starts_with("LAMBDA_") || name == "_HANDLER";
        let others = ["LANG", "TZ", "PATH", "LD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE", "LC_CTYPE"];
        assert!(lambdas || others.contains(&name), "{name}");
    }
    assert!(!std::path::Path::new("/etc/meridian-was-here").exists());
    house.close();
}

#[test]
fn a_function_cannot_take_the_events_of_another() {
    let house = House::new(options());
    let victim = Arc::new(house.bootstrap("victim", "while True:\n    id, head, body = ask()\n    answer(id, body)\n"));
    assert_eq!(house.succeeds(&victim, "mine"), "mine");
    // It reads where all sockets of the machine listen, and asks each of them for the next event.
    let thief = r#"
id, head, body = ask()
link.setblocking(True)
keep, found, tried = (link, stream), [], 0
for line in open("/proc/net/tcp").readlines()[1:]:
    words = line.split()
    address, port = words[1].split(":")
    host = ".".join(str(byte) for byte in reversed(bytes.fromhex(address)))
    if words[3] != "0A" or not host.startswith("127.") or host in ("127.0.0.1", HOST): continue
    try:
        other = socket.create_connection((host, int(port, 16)), timeout=1)
        other.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n")
        tried += 1
        got = other.recv(10000)
        if b"200 OK" in got: found.append(repr(got))
    except OSError: pass
answer(id, repr((tried > 0, found)).encode())
time.sleep(1000)
"#;
    let thief = Arc::new(house.bootstrap("thief", thief));
    let calls = vec![(thief, call("{}"))];
    let stolen = whole(house.invoke_all(calls).remove(0).expect("an answer"));
    assert_eq!(stolen, "(True, [])".as_bytes());
    assert!(house.metrics.foreign.get() >= 1);
    assert_eq!(house.succeeds(&victim, "mine"), "mine");
    house.close();
}
