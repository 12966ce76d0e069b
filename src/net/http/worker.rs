//! Worker threads: each runs a current-thread runtime and a `LocalSet`, so a visit never changes thread and its futures
//! need not be `Send`. Connections and jobs go to the worker with the fewest of them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

/// A boxed future that stays on its thread.
pub type LocalFuture = Pin<Box<dyn Future<Output = ()> + 'static>>;

/// Work made on the worker's thread, so that its future may hold what is not `Send`.
pub type Job = Box<dyn FnOnce() -> LocalFuture + Send + 'static>;

struct Worker {
    jobs: mpsc::UnboundedSender<Job>,
    load: Arc<AtomicUsize>,
}

struct Inner {
    workers: Vec<Worker>,
    threads: Vec<JoinHandle<()>>,
}

/// A handle on the worker threads. They end when the last handle is dropped and their work is done.
#[derive(Clone)]
pub struct Workers {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workers").field("count", &self.inner.workers.len()).field("load", &self.loads()).finish()
    }
}

impl Workers {
    /// Starts `count` threads (at least one) named `{name}-{n}`.
    pub fn start(name: &str, count: usize) -> std::io::Result<Workers> {
        let mut workers = Vec::new();
        let mut threads = Vec::new();
        for n in 0..count.max(1) {
            let (jobs, inbox) = mpsc::unbounded_channel();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let thread = std::thread::Builder::new()
                .name(format!("{name}-{n}"))
                .spawn(move || LocalSet::new().block_on(&runtime, run(inbox)))?;
            threads.push(thread);
            workers.push(Worker { jobs, load: Arc::new(AtomicUsize::new(0)) });
        }
        Ok(Workers { inner: Arc::new(Inner { workers, threads }) })
    }

    /// How many threads there are.
    pub fn count(&self) -> usize {
        self.inner.workers.len()
    }

    /// How many connections and jobs each worker holds now.
    pub fn loads(&self) -> Vec<usize> {
        self.inner.workers.iter().map(|w| w.load.load(Ordering::Relaxed)).collect()
    }

    /// Runs a job on the least-loaded worker; it counts as load until its future is done.
    /// `false` when the worker's thread is gone.
    pub fn run(&self, job: Job) -> bool {
        let Some(worker) = self.inner.workers.iter().min_by_key(|w| w.load.load(Ordering::Relaxed)) else {
            return false;
        };
        let held = Load::hold(&worker.load);
        worker
            .jobs
            .send(Box::new(move || {
                let work = job();
                Box::pin(async move {
                    let _held = held;
                    work.await;
                })
            }))
            .is_ok()
    }

    /// Runs an async closure on the least-loaded worker.
    pub fn spawn<F, Fut>(&self, make: F) -> bool
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        self.run(Box::new(move || Box::pin(make())))
    }

    /// Runs a closure once on every worker, for instance to sum their counters.
    pub fn on_each(&self, each: impl Fn() + Send + Clone + 'static) {
        for worker in &self.inner.workers {
            let each = each.clone();
            let _ = worker.jobs.send(Box::new(move || {
                each();
                Box::pin(std::future::ready(()))
            }));
        }
    }

    /// Waits until the threads have ended, when this is the last handle: work in hand is cancelled.
    pub fn join(self) {
        if let Ok(inner) = Arc::try_unwrap(self.inner) {
            drop(inner.workers);
            for thread in inner.threads {
                let _ = thread.join();
            }
        }
    }
}

/// Spawns each job as a local task until the last handle is gone; unfinished tasks are dropped with the `LocalSet`.
async fn run(mut inbox: mpsc::UnboundedReceiver<Job>) {
    while let Some(job) = inbox.recv().await {
        tokio::task::spawn_local(job());
    }
}

/// Counts as one while it lives.
struct Load(Arc<AtomicUsize>);

impl Load {
    fn hold(count: &Arc<AtomicUsize>) -> Load {
        count.fetch_add(1, Ordering::Relaxed);
        Load(count.clone())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_go_to_the_least_loaded_worker_and_stay_on_its_thread() {
        let workers = Workers::start("t", 2).expect("threads");
        let (tx, rx) = std::sync::mpsc::channel();
        let mut gates = Vec::new();
        for _ in 0..2 {
            let tx = tx.clone();
            let (gate, wait) = tokio::sync::oneshot::channel::<()>();
            gates.push(gate);
            assert!(workers.spawn(move || async move {
                let before = std::thread::current().id();
                tx.send(before).expect("test waits");
                let _ = wait.await;
                assert_eq!(before, std::thread::current().id());
            }));
        }
        let (a, b) = (rx.recv().expect("job ran"), rx.recv().expect("job ran"));
        assert_ne!(a, b, "two jobs, two workers");
        assert_eq!(workers.loads(), [1, 1]);
        drop(gates);
        workers.join();
    }
}
