//! A control plane that holds much: importing a large document, and calls, snapshots and restarts with many APIs.

use crate::caller::{Rate, Request, Until, drive};
use crate::nodes::Cluster;
use crate::nodes::http::Answer;
use crate::{Outcome, documents, process};
use serde_json::json;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Resources of each API, besides its root.
const RESOURCES: usize = 30;
/// Operations of the large document.
const OPERATIONS: usize = 300;
/// No snapshot is waited for longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// What was measured: a name, the figure in words, the aim.
pub(crate) type Facts = Vec<Vec<String>>;

fn fact(facts: &mut Facts, name: impl Into<String>, figure: String, aim: &str) {
    let name = name.into();
    eprintln!("{name}: {figure}");
    facts.push(vec![name, figure, aim.to_owned()]);
}

fn times(rate: &Rate) -> String {
    format!("{:.1} / {:.1} / {:.1} ms", rate.p50(), rate.p99(), rate.most())
}

fn discard(_: usize, _: Answer) {}

/// Imports of one document as new APIs, one after another.
pub(crate) fn imports(cluster: &Cluster, facts: &mut Facts) -> Outcome<()> {
    let document = documents::rich(OPERATIONS / 5);
    let (as_json, as_yaml) = (document.to_string(), documents::yaml(&document));
    for (kind, text) in [("JSON", as_json), ("YAML", as_yaml)] {
        let next = |_| Request::post("/restapis?mode=import", text.as_str());
        let rate = drive(cluster, 0, 1, Until::Calls(30), next, discard)?;
        let name = format!("ImportRestApi, {OPERATIONS} operations, {} KiB of {kind}", text.len() >> 10);
        fact(facts, name, times(&rate), "< 150 ms");
    }
    Ok(())
}

/// A node that holds `count` APIs.
struct Large<'a> {
    cluster: &'a mut Cluster,
    ids: Vec<String>,
    facts: &'a mut Facts,
}

impl Large<'_> {
    fn load(&mut self, count: usize) -> Outcome<()> {
        let ids = Mutex::new(vec![String::new(); count]);
        let next = |n: usize| {
            let document = documents::plain(&format!("api{n}"), RESOURCES);
            Request::post("/restapis?mode=import", document.to_string())
        };
        let see = |n: usize, answer: Answer| {
            let id = answer.json().and_then(|made| made["id"].as_str().map(str::to_owned));
            if let (Some(id), Ok(mut ids)) = (id, ids.lock()) {
                ids[n] = id;
            }
        };
        let rate = drive(self.cluster, 0, 16, Until::Calls(count), next, see)?;
        self.ids = ids.into_inner()?;
        let figure = format!("{:.0}/s", rate.per_second);
        fact(self.facts, format!("ImportRestApi, {RESOURCES} resources, 16 clients"), figure, "");
        Ok(())
    }

    fn calls(&mut self, name: &str, aim: &str, count: usize, next: impl Fn(usize) -> Request + Sync) -> Outcome<()> {
        let rate = drive(self.cluster, 0, 1, Until::Calls(count), next, discard)?;
        fact(self.facts, name, times(&rate), aim);
        Ok(())
    }

    fn reads_and_writes(&mut self) -> Outcome<()> {
        let ids = self.ids.clone();
        let api = |n: usize| format!("/restapis/{}", ids[n * 7919 % ids.len()]);
        self.calls("GetRestApi", "", 500, |n| Request::get(api(n)))?;
        self.calls("GetResources, all with their methods", "", 200, |n| {
            Request::get(format!("{}/resources?embed=methods&limit=500", api(n)))
        })?;
        self.calls("GetRestApis, a page of 25", "", 200, |_| Request::get("/restapis?limit=25"))?;
        self.calls("GetRestApis, a page of 500", "", 100, |_| Request::get("/restapis?limit=500"))?;
        self.every_page()?;
        self.calls("UpdateRestApi", "", 500, |n| Request::patch(api(n), describe(n)))?;
        self.calls("CreateDeployment with a stage", "< 50 ms", 300, |n| {
            Request::post(format!("{}/deployments", api(n)), r#"{"stageName":"prod"}"#)
        })
    }

    /// All pages, as a client's paginator asks for them.
    fn every_page(&mut self) -> Outcome<()> {
        let (began, mut position, mut pages, mut seen) = (Instant::now(), None, 0, 0);
        let mut caller = crate::caller::Caller::of(self.cluster, 0)?;
        loop {
            let after = position.map(|position: String| format!("&position={position}")).unwrap_or_default();
            let (answer, _) = caller.send(&Request::get(format!("/restapis?limit=500{after}")))?;
            let page = answer.json().unwrap_or_default();
            seen += page["item"].as_array().map_or(0, Vec::len);
            pages += 1;
            position = page["position"].as_str().map(str::to_owned);
            if position.is_none() {
                break;
            }
        }
        let figure = format!("{:.0} ms, {seen} APIs in {pages} pages", began.elapsed().as_secs_f64() * 1000.0);
        fact(self.facts, "GetRestApis, every page of 500", figure, "");
        Ok(())
    }

    /// Writes until the group has made a snapshot of all: what that takes, and what writes cost meanwhile.
    fn snapshot(&mut self) -> Outcome<()> {
        let folder = self.cluster.nodes[0].data.clone();
        let over = AtomicBool::new(false);
        let ids = self.ids.clone();
        let (built, rate) = std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let built = watch_snapshot(&folder);
                over.store(true, Relaxed);
                built
            });
            let mut all: Option<Rate> = None;
            while !over.load(Relaxed) {
                let next = |n: usize| Request::patch(format!("/restapis/{}", ids[n % ids.len()]), describe(n));
                all = Some(drive(self.cluster, 0, 16, Until::Elapsed(Duration::from_millis(500)), next, discard)?);
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((
                watcher.join().map_err(|_| "the watcher panicked")?,
                all,
            ))
        })?;
        let Some((took, bytes)) = built else { return Err("no snapshot was made".into()) };
        let figure = format!("{:.2} s, {} MiB", took.as_secs_f64(), bytes >> 20);
        fact(self.facts, "a snapshot of all", figure, "");
        if let Some(rate) = rate {
            fact(self.facts, "UpdateRestApi, 16 clients, beside its end", times(&rate), "");
        }
        Ok(())
    }

    fn memory(&mut self, when: &str) -> Outcome<()> {
        let pid = self.cluster.nodes[0].pid().ok_or("the node does not run")?;
        let figure = format!("{:.0} MiB", process::resident_mib(pid));
        fact(self.facts, format!("resident, {when}"), figure, "< 1,536 MiB");
        Ok(())
    }

    fn restart(&mut self, when: &str) -> Outcome<()> {
        self.cluster.nodes[0].kill_9();
        let began = Instant::now();
        self.cluster.nodes[0].restart();
        let figure = format!("{:.2} s", began.elapsed().as_secs_f64());
        fact(self.facts, format!("kill -9, start to ready, {when}"), figure, "< 5 s");
        Ok(())
    }

    fn deploy_all(&mut self) -> Outcome<()> {
        let ids = self.ids.clone();
        let next = |n: usize| Request::post(format!("/restapis/{}/deployments", ids[n]), r#"{"stageName":"live"}"#);
        let rate = drive(self.cluster, 0, 16, Until::Calls(ids.len()), next, discard)?;
        let figure = format!("{:.0}/s, {}", rate.per_second, times(&rate));
        fact(self.facts, "CreateDeployment with a stage, of each, 16 clients", figure, "");
        Ok(())
    }
}

fn describe(n: usize) -> String {
    json!({"patchOperations": [{"op": "replace", "path": "/description", "value": format!("change {n}")}]}).to_string()
}

/// Waits for the next snapshot of the config group: how long it was being written, and its size.
fn watch_snapshot(data: &Path) -> Option<(Duration, u64)> {
    let folders: Vec<_> = find(data, "snapshots");
    let partial = || folders.iter().find(|folder| folder.join("building.tmp").exists());
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
        let Some(folder) = partial() else { continue };
        let began = Instant::now();
        while folder.join("building.tmp").exists() {
            std::thread::sleep(Duration::from_millis(2));
        }
        let took = began.elapsed();
        let files = std::fs::read_dir(folder).ok()?;
        let bytes = files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len())).max()?;
        // Other groups are small: theirs are not what is asked for.
        if bytes > 1 << 20 {
            return Some((took, bytes));
        }
    }
    None
}

/// The folders of this name below another.
fn find(below: &Path, name: &str) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(below).into_iter().flatten().filter_map(Result::ok);
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders
        .flat_map(|entry| if entry.file_name() == name { vec![entry.path()] } else { find(&entry.path(), name) })
        .collect()
}

/// Everything that is asked of one node with `count` APIs.
pub(crate) fn run(cluster: &mut Cluster, count: usize, facts: &mut Facts) -> Outcome<()> {
    let mut large = Large { cluster, ids: Vec::new(), facts };
    large.memory("nothing held")?;
    large.load(count)?;
    large.memory("drafts")?;
    large.reads_and_writes()?;
    large.snapshot()?;
    large.memory("drafts, after a snapshot")?;
    large.restart("drafts")?;
    large.memory("drafts, after a restart")?;
    large.deploy_all()?;
    large.memory("each deployed")?;
    large.snapshot()?;
    large.memory("each deployed, after a snapshot")?;
    large.restart("each deployed")?;
    large.memory("each deployed, after a restart")
}
