//! Clients and administrators that never rest: what they saw is what the fault tests judge.

use crate::nodes::http::Client;
use crate::nodes::{Listen, wait_for};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A client of a living node waits no longer.
const ANSWER: Duration = Duration::from_secs(10);
/// A write may wait for a new leader, and for a killed node to come back.
const WRITE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Watched {
    down: AtomicBool,
    /// Goes up each time the node is killed or back, so that a request that saw both is not judged.
    changes: AtomicU64,
    answers: AtomicU64,
    counted: AtomicU64,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    nodes: Vec<Watched>,
    failures: Mutex<Vec<String>>,
}

/// One client per node and kind of method, asking without pause.
pub(crate) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What the clients saw in all.
pub(crate) struct Answered {
    pub(crate) free: u64,
    /// Requests with a quota that were let through.
    pub(crate) counted: u64,
    pub(crate) failures: Vec<String>,
}

impl Load {
    pub(crate) fn start(nodes: &[Listen], api: &str, key: &str) -> Self {
        let watched = nodes.iter().map(|_| Watched::default()).collect();
        let shared = Arc::new(Shared { nodes: watched, ..Shared::default() });
        let mut threads = Vec::new();
        for (node, listen) in nodes.iter().enumerate() {
            for keyed in [false, true] {
                let (shared, address) = (shared.clone(), listen.gateway_http);
                let path = format!("/_aws/execute-api/{api}/prod/{}", if keyed { "keyed" } else { "free" });
                let key = key.to_owned();
                threads.push(std::thread::spawn(move || {
                    ask(&shared, node, address, &path, keyed.then_some(key.as_str()))
                }));
            }
        }
        Self { shared, threads }
    }

    /// From here on the node may fail its clients.
    pub(crate) fn expect_down(&self, node: usize) {
        self.shared.nodes[node].down.store(true, SeqCst);
        self.shared.nodes[node].changes.fetch_add(1, SeqCst);
    }

    pub(crate) fn expect_up(&self, node: usize) {
        self.shared.nodes[node].changes.fetch_add(1, SeqCst);
        self.shared.nodes[node].down.store(false, SeqCst);
    }

    /// Returns when every node that is up has given `more` further answers.
    pub(crate) fn wait_answers_everywhere(&self, more: u64) {
        let before: Vec<u64> = self.shared.nodes.iter().map(|node| node.answers.load(SeqCst)).collect();
        wait_for(&format!("{more} more answers of every living node, {:?}", self.failures()), WRITE, || {
            let mut nodes = self.shared.nodes.iter().zip(&before);
            nodes
                .all(|(node, before)| node.down.load(SeqCst) || node.answers.load(SeqCst) >= before + more)
                .then_some(())
        });
    }

    fn failures(&self) -> Vec<String> {
        self.shared.failures.lock().expect("failures").clone()
    }

    pub(crate) fn stop(self) -> Answered {
        self.shared.stop.store(true, SeqCst);
        for thread in self.threads {
            thread.join().expect("a client");
        }
        let sum = |pick: fn(&Watched) -> &AtomicU64| self.shared.nodes.iter().map(|n| pick(n).load(SeqCst)).sum();
        let (answers, counted): (u64, u64) = (sum(|n| &n.answers), sum(|n| &n.counted));
        let failures = self.shared.failures.lock().expect("failures").clone();
        Answered { free: answers, counted, failures }
    }
}

fn ask(shared: &Shared, node: usize, address: SocketAddr, path: &str, key: Option<&str>) {
    let watched = &shared.nodes[node];
    let mut connection: Option<Client> = None;
    let headers: Vec<(&str, &str)> = key.map(|key| ("x-api-key", key)).into_iter().collect();
    while !shared.stop.load(SeqCst) {
        let (down, changes) = (watched.down.load(SeqCst), watched.changes.load(SeqCst));
        let asked = Instant::now();
        let result = match connection.take() {
            Some(open) => Ok(open),
            None => Client::connect_within(address, ANSWER),
        }
        .and_then(|mut open| open.send("GET", path, &headers, b"").map(|answer| (open, answer)));
        let judged = !down && !watched.down.load(SeqCst) && watched.changes.load(SeqCst) == changes;
        match result {
            Ok((open, answer)) => {
                match (answer.status, key) {
                    (200, None) => {
                        watched.answers.fetch_add(1, SeqCst);
                    }
                    (200, Some(_)) => {
                        watched.counted.fetch_add(1, SeqCst);
                    }
                    (429, Some(_)) if answer.text().contains("Limit Exceeded") => {}
                    _ if judged => fail(shared, format!("node {node} {path}: {} {}", answer.status, answer.text())),
                    _ => {}
                }
                if answer.header("connection") != Some("close") {
                    connection = Some(open);
                }
            }
            Err(error) if judged => fail(shared, format!("node {node} {path} after {:?}: {error}", asked.elapsed())),
            Err(_) => {}
        }
        // A pace, not a wait for something: the machine is shared with the nodes.
        std::thread::sleep(Duration::from_millis(if key.is_some() { 20 } else { 5 }));
    }
}

fn fail(shared: &Shared, what: String) {
    let mut failures = shared.failures.lock().expect("failures");
    if failures.len() < 50 {
        failures.push(what);
    }
}

#[derive(Default)]
struct Book {
    stop: AtomicBool,
    /// Names of acknowledged writes.
    names: Mutex<Vec<String>>,
    failures: Mutex<Vec<String>>,
}

/// Administrators who write through every node, and retry elsewhere under the same `Idempotency-Key` until they are told yes.
pub(crate) struct Writers {
    book: Arc<Book>,
    threads: Vec<JoinHandle<()>>,
}

pub(crate) struct Written {
    pub(crate) names: Vec<String>,
    pub(crate) failures: Vec<String>,
}

impl Writers {
    pub(crate) fn start(nodes: &[Listen], token: &str, region: &str) -> Self {
        let book = Arc::new(Book::default());
        let admins: Vec<SocketAddr> = nodes.iter().map(|listen| listen.admin).collect();
        let threads = (0..3)
            .map(|writer| {
                let (book, admins) = (book.clone(), admins.clone());
                let (bearer, region) = (format!("Bearer {token}"), region.to_owned());
                std::thread::spawn(move || {
                    for number in 0.. {
                        if book.stop.load(SeqCst) {
                            break;
                        }
                        write(&book, &admins, (&bearer, &region), writer, &format!("write-{writer}-{number}"));
                    }
                })
            })
            .collect();
        Self { book, threads }
    }

    /// Returns when `more` further writes were acknowledged.
    pub(crate) fn wait_acknowledged(&self, more: usize) {
        let count = || self.book.names.lock().expect("names").len();
        let before = count();
        wait_for(&format!("{more} more writes"), WRITE, || (count() >= before + more).then_some(()));
    }

    pub(crate) fn stop(self) -> Written {
        self.book.stop.store(true, SeqCst);
        for thread in self.threads {
            thread.join().expect("a writer");
        }
        let names = self.book.names.lock().expect("names").clone();
        let failures = self.book.failures.lock().expect("failures").clone();
        Written { names, failures }
    }
}

fn write(book: &Book, admins: &[SocketAddr], (bearer, region): (&str, &str), writer: usize, name: &str) {
    let body = format!("{{\"name\":\"{name}\"}}");
    let headers = [
        ("authorization", bearer),
        ("x-meridian-region", region),
        ("content-type", "application/json"),
        ("idempotency-key", name),
    ];
    let deadline = Instant::now() + WRITE;
    for attempt in 0.. {
        let address = admins[(writer + attempt) % admins.len()];
        let answer = Client::connect_within(address, ANSWER)
            .and_then(|mut client| client.send("POST", "/restapis", &headers, body.as_bytes()));
        let said = match answer {
            Ok(answer) if answer.status == 201 => {
                book.names.lock().expect("names").push(name.to_owned());
                return;
            }
            Ok(answer) if answer.status < 500 && answer.status != 429 => {
                let refused = format!("{name}: {} {}", answer.status, answer.text());
                book.failures.lock().expect("failures").push(refused);
                return;
            }
            Ok(answer) => format!("{} {}", answer.status, answer.text()),
            Err(error) => error.to_string(),
        };
        if Instant::now() > deadline {
            book.failures.lock().expect("failures").push(format!("{name} was not written within {WRITE:?}: {said}"));
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
