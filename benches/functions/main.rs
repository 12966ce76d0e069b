//! What the host of functions costs: `cargo bench --bench functions`, with `MERIDIAN_TEST_PYTHON` naming a Python that has
//! awslambdaric.
//!
//! Each figure stands beside the same runtime on a bare Runtime API, one thread on one socket, without a box or a log: the
//! difference is ours. As `bootstrap` this program is itself a runtime, the fastest that there can be.

mod bare;

use bytes::Bytes;
use meridian::function::call::{Address, Call, Caller, InvocationType, Payload};
use meridian::function::deployed::Deployed;
use meridian::function::{Host, HostOptions, Ready};
use meridian::observe::function::FunctionMetrics;
use meridian::observe::log_files::{LogOptions, LogRoom, LogTo};
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PYTHON: &str = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'hello'}\n";
const CALLS: usize = 1_000;
const STARTS: usize = 20;

fn main() {
    let own = std::env::current_exe().expect("a path");
    if std::env::args().next().is_some_and(|name| Path::new(&name).file_name().is_some_and(|name| name == "bootstrap"))
    {
        return bare::runtime();
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let code = |name: &str| {
        let at = folder.path().join(name);
        std::fs::create_dir(&at).expect("a directory");
        at
    };
    let native = code("native");
    std::fs::hard_link(&own, native.join("bootstrap")).expect("this program as a bootstrap");
    let bootstrap = vec![native.join("bootstrap").display().to_string()];
    println!("| what | bare runtime | Meridian | difference |\n|---|---|---|---|");
    starts(&bootstrap, &native, folder.path());
    warm("a native bootstrap", &bootstrap, &ready("provided.al2023", &native, 0), folder.path(), None);
    let Some(python) = std::env::var_os("MERIDIAN_TEST_PYTHON").map(PathBuf::from) else {
        println!("\nMERIDIAN_TEST_PYTHON is not set: Python is not measured");
        return;
    };
    let at = code("python");
    std::fs::write(at.join("app.py"), PYTHON).expect("written");
    let command = [&python.display().to_string(), "-m", "awslambdaric", "app.handler"].map(str::to_owned);
    warm("a Python function", &command, &ready("python3.11", &at, 0), folder.path(), Some(python));
}

fn ready(runtime: &str, code: &Path, revision: usize) -> Arc<Ready> {
    let deployed = Deployed {
        key: format!("{}#{revision}", code.display()).into(),
        arn: "arn:aws:lambda:us-east-1:000000000000:function:bench".into(),
        name: "bench".into(),
        version: "$LATEST".into(),
        account: "000000000000".into(),
        region: "us-east-1".into(),
        runtime: runtime.into(),
        handler: "app.handler".into(),
        memory_mb: 128,
        ephemeral_mb: 64,
        timeout_s: 30,
        architecture: std::env::consts::ARCH.into(),
        environment: BTreeMap::new(),
        log_group: "/aws/lambda/bench".into(),
        code_sha256: [0; 32],
        code_bytes: 0,
        reserved_concurrency: None,
    };
    Arc::new(Ready { deployed, code: code.to_owned() })
}

fn call() -> Call {
    Call {
        function: Address {
            region: "us-east-1".into(),
            account: "000000000000".into(),
            name: "bench".into(),
            qualifier: None,
        },
        caller: Caller::Account("000000000000".into()),
        invocation: InvocationType::RequestResponse,
        payload: Bytes::from_static(b"{\"a\":1}"),
        client_context: None,
        trace: None,
        log_tail: false,
        streamed: false,
        request_id: "00000000-0000-4000-8000-000000000000".into(),
        until: Instant::now() + Duration::from_secs(60),
    }
}

fn host(folder: &Path, python: Option<PathBuf>) -> (Host, LogRoom) {
    let room = LogRoom::start(LogTo::Files(folder.join("logs")), &LogOptions::default()).expect("a log room");
    // What lies where only root can go must be run as root.
    let user = if python.is_some() { 0 } else { HostOptions::default().user };
    let launcher = env!("CARGO_BIN_EXE_meridian").into();
    let options =
        HostOptions { launcher, python, user, concurrency: 16, memory_mib: 1 << 20, ..HostOptions::default() };
    let host = Host::start(options, room.shelf(), FunctionMetrics::new(&mut Registry::default()));
    (host.expect("a host"), room)
}

async fn invoke(host: &Host, ready: &Arc<Ready>) {
    let answer = host.invoke(ready.clone(), call()).await.expect("an answer");
    let Payload::Whole(payload) = answer.payload else { panic!("it comes in pieces") };
    assert!(answer.function_error.is_none(), "{payload:?}");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn row(what: &str, bare: Duration, ours: Duration) {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!("| {what}, p50 | {:.3} ms | {:.3} ms | {:.3} ms |", ms(bare), ms(ours), ms(ours) - ms(bare));
}

/// From nothing to the first answer.
fn starts(command: &[String], code: &Path, folder: &Path) {
    let bare = median((0..STARTS).map(|_| bare::start(command, code)).collect());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let (host, _room) = host(folder, None);
    let ours = (0..STARTS).map(|revision| {
        let ready = ready("provided.al2023", code, revision + 1);
        let begun = Instant::now();
        runtime.block_on(invoke(&host, &ready));
        begun.elapsed()
    });
    row("cold start of a native bootstrap", bare, median(ours.collect()));
}

/// One call after the other, and several at once.
fn warm(what: &str, command: &[String], ready: &Arc<Ready>, folder: &Path, python: Option<PathBuf>) {
    let bare = median(bare::loops(command, &ready.code, CALLS));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let (host, _room) = host(folder, python);
    let host = Arc::new(host);
    let ours = runtime.block_on(async {
        invoke(&host, ready).await;
        let mut times = Vec::new();
        for _ in 0..CALLS {
            let begun = Instant::now();
            invoke(&host, ready).await;
            times.push(begun.elapsed());
        }
        times
    });
    row(&format!("warm call of {what}"), bare, median(ours));
    for at_once in [1, 4, 16] {
        let rate = runtime.block_on(rate(&host, ready, at_once));
        println!("| {what}, {at_once} at once | | {rate:.0} calls/s | |");
    }
}

async fn rate(host: &Arc<Host>, ready: &Arc<Ready>, at_once: usize) -> f64 {
    let round = |calls: usize| {
        let tasks: Vec<_> = (0..at_once)
            .map(|_| {
                let (host, ready) = (host.clone(), ready.clone());
                tokio::spawn(async move {
                    for _ in 0..calls {
                        invoke(&host, &ready).await;
                    }
                })
            })
            .collect();
        async move {
            for task in tasks {
                task.await.expect("no panic");
            }
        }
    };
    round(5).await;
    let begun = Instant::now();
    let each = CALLS / at_once;
    round(each).await;
    (each * at_once) as f64 / begun.elapsed().as_secs_f64()
}
