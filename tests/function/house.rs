//! A host with its log room, and functions written for one test.

use base64::Engine;
use bytes::Bytes;
use meridian::function::call::{Address, Answer, Call, Caller, InvocationType, Payload, Refused};
use meridian::function::deployed::Deployed;
use meridian::function::{Host, HostOptions, Ready};
use meridian::observe::function::FunctionMetrics;
use meridian::observe::log_files::{LogOptions, LogRoom, LogTo};
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a call may take in a debug build on a loaded machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A host of its own, and what it wrote.
pub(crate) struct House {
    host: Option<Host>,
    pub(crate) metrics: FunctionMetrics,
    room: LogRoom,
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

/// A python that an ordinary user can run, for bootstraps.
pub(crate) fn plain_python() -> PathBuf {
    let places = ["/usr/bin/python3", "/usr/local/bin/python3"];
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    found.expect("python3 in /usr/bin, which the tests of functions need")
}

/// Whom to run as, so that `program` can be run: not root, unless it lies where only root can go.
pub(crate) fn user_for(program: &Path) -> u32 {
    let real = fs::canonicalize(program).unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let open = |path: &Path| fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0);
    if [program, &real].iter().all(|path| path.ancestors().all(open)) { HostOptions::default().user } else { 0 }
}

pub(crate) fn options() -> HostOptions {
    HostOptions { launcher: env!("CARGO_BIN_EXE_meridian").into(), ..HostOptions::default() }
}

impl House {
    pub(crate) fn new(options: HostOptions) -> House {
        let folder = tempfile::tempdir().expect("a directory");
        let to = LogTo::Files(folder.path().join("logs"));
        let room = LogRoom::start(to, &LogOptions { file_bytes: 1 << 20, keep: 1, ..LogOptions::default() });
        let room = room.expect("a log room");
        let metrics = FunctionMetrics::new(&mut Registry::default());
        let hide = [options.hide.clone(), vec![folder.path().to_owned()]].concat();
        let host = Host::start(HostOptions { hide, ..options }, room.shelf(), metrics.clone()).expect("a host");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
        House { host: Some(host), metrics, room, folder, runtime }
    }

    pub(crate) fn host(&self) -> &Host {
        self.host.as_ref().expect("its host")
    }

    pub(crate) fn take_host(&mut self) -> Host {
        self.host.take().expect("its host")
    }

    /// A directory with these files, executable.
    pub(crate) fn code(&self, files: &[(&str, &str)]) -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let at = self.folder.path().join(format!("code-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(&at).expect("a directory");
        for (name, text) in files {
            fs::write(at.join(name), text).expect("written");
            fs::set_permissions(at.join(name), fs::Permissions::from_mode(0o755)).expect("a mode");
        }
        at
    }

    /// A function with a bootstrap in Python: `body` runs with `ask()`, `answer(id, bytes)`, `request(…)` at hand.
    pub(crate) fn bootstrap(&self, name: &str, body: &str) -> Ready {
        let text = format!("#!{} -ES\n{BOOTSTRAP}\n{body}\n", plain_python().display());
        self.function(name, "provided.al2023", self.code(&[("bootstrap", &text)]))
    }

    pub(crate) fn function(&self, name: &str, runtime: &str, code: PathBuf) -> Ready {
        let deployed = Deployed {
            key: code.display().to_string().into(),
            arn: format!("arn:aws:lambda:eu-west-1:000000000000:function:{name}").into(),
            region: "eu-west-1".into(),
            account: "000000000000".into(),
            name: name.into(),
            version: "$LATEST".into(),
            runtime: runtime.into(),
            handler: "app.handler".into(),
            memory_mb: 128,
            ephemeral_mb: 8,
            timeout_s: 20,
            architecture: std::env::consts::ARCH.into(),
            environment: BTreeMap::new(),
            log_group: format!("/aws/lambda/{name}").into(),
            code_sha256: [0; 32],
            code_bytes: 0,
            reserved_concurrency: None,
        };
        Ready { deployed, code }
    }

    pub(crate) fn invoke(&self, ready: &Arc<Ready>, call: Call) -> Result<Answer, Refused> {
        let answer = self.host().invoke(ready.clone(), call);
        self.runtime.block_on(async { tokio::time::timeout(LONG, answer).await.expect("an answer in time") })
    }

    /// Calls at once; their answers in order.
    pub(crate) fn invoke_all(&self, calls: Vec<(Arc<Ready>, Call)>) -> Vec<Result<Answer, Refused>> {
        let running: Vec<_> =
            calls.into_iter().map(|(ready, call)| self.runtime.spawn(self.host().invoke(ready, call))).collect();
        self.runtime.block_on(async {
            let mut all = Vec::new();
            for answer in running {
                all.push(tokio::time::timeout(LONG, answer).await.expect("an answer in time").expect("no panic"));
            }
            all
        })
    }

    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.runtime.spawn(future)
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The function's error and its payload.
    pub(crate) fn fails(&self, ready: &Arc<Ready>, payload: &str) -> (String, serde_json::Value) {
        let answer = self.invoke(ready, call(payload)).expect("an answer");
        let error = answer.function_error.as_deref().unwrap_or("none").to_owned();
        (error, serde_json::from_slice(&whole(answer)).expect("JSON"))
    }

    pub(crate) fn succeeds(&self, ready: &Arc<Ready>, payload: &str) -> String {
        let answer = self.invoke(ready, call(payload)).expect("an answer");
        let error = answer.function_error.clone();
        let text = String::from_utf8(whole(answer).to_vec()).expect("text");
        assert_eq!(error, None, "{text}\n{}", self.log(&ready.deployed.name));
        text
    }

    /// All of a function's log so far.
    pub(crate) fn log(&self, name: &str) -> String {
        let file = self.folder.path().join(format!("logs/function-000000000000.eu-west-1.{name}.log"));
        // The room gathers lines for a moment.
        std::thread::sleep(Duration::from_millis(250));
        [file.with_extension("log.1"), file].iter().filter_map(|file| fs::read_to_string(file).ok()).collect()
    }

    pub(crate) fn lost_log_lines(&self) -> u64 {
        self.room.lost()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends the host and sees that nothing is left.
    pub(crate) fn close(mut self) {
        assert!(self.take_host().stop(Duration::from_secs(20)), "processes were left");
        wait_for("no process", || processes_with(self.folder.path()).is_empty().then_some(()));
    }
}

/// Helpers of a bootstrap, on nothing but sockets: it starts fast.
const BOOTSTRAP: &str = r#"
import os, socket, sys, time
HOST, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
BASE = "/2018-06-01/runtime/"
link = None
def connect():
    global link
    link = socket.create_connection((HOST, int(PORT)))
    return link.makefile("rb")
stream = connect()
def send(method, path, body=b"", head=""):
    text = f"{method} {BASE}{path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(body)}\r\n{head}\r\n"
    link.sendall(text.encode() + body)
def receive():
    status = int(stream.readline().split()[1])
    head = {}
    while True:
        line = stream.readline().strip().decode()
        if not line: break
        name, value = line.split(":", 1)
        head[name.lower()] = value.strip()
    return status, head, stream.read(int(head.get("content-length", 0)))
def request(method, path, body=b"", head=""):
    send(method, path, body, head)
    return receive()
def ask():
    status, head, body = request("GET", "invocation/next")
    return head["lambda-runtime-aws-request-id"], head, body
def answer(id, body):
    return request("POST", f"invocation/{id}/response", body)
"#;

pub(crate) fn call(payload: &str) -> Call {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    Call {
        function: Address {
            region: "eu-west-1".into(),
            account: "000000000000".into(),
            name: "f".into(),
            qualifier: None,
        },
        caller: Caller::Account("000000000000".into()),
        invocation: InvocationType::RequestResponse,
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        client_context: None,
        trace: None,
        log_tail: false,
        streamed: false,
        request_id: format!("00000000-0000-4000-8000-{:012}", COUNT.fetch_add(1, Ordering::Relaxed)).into(),
        until: Instant::now() + LONG,
    }
}

pub(crate) fn whole(answer: Answer) -> Bytes {
    match answer.payload {
        Payload::Whole(bytes) => bytes,
        Payload::Pieces(_) => panic!("it comes in pieces"),
    }
}

pub(crate) fn tail(answer: &Answer) -> String {
    let text = answer.log_tail.as_deref().expect("a log tail");
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).expect("base64");
    String::from_utf8(bytes).expect("text")
}

/// Ids of the processes of this machine whose arguments or working directory speak of a place.
pub(crate) fn processes_with(place: &Path) -> Vec<u32> {
    let place = place.display().to_string();
    let all = fs::read_dir("/proc").expect("/proc").flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| {
        let arguments = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let directory = fs::read_link(format!("/proc/{id}/cwd")).unwrap_or_default();
        let speaks = |text: &str| text.contains(&place);
        *id != std::process::id()
            && (speaks(&String::from_utf8_lossy(&arguments)) || speaks(&directory.to_string_lossy()))
    })
    .collect()
}

/// Polls until there is something; panics after a minute.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + LONG;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
