//! The host: runs functions on this node, on a runtime of its own.
//!
//! ```text
//! caller ─ invoke ─▶ Pool (warm, cold, line) ─▶ Process ─ Runtime API ─▶ runtime ─ reply ─▶ answer
//! ```

use super::call::{Call, Calling, Refused};
use super::desk::Job;
use super::fault::{Failure, refused, throttled};
use super::journal::Sink;
use super::options::{HostOptions, Ready};
use super::pool::{Lease, Place, Pool};
use super::process::{Process, Ran, Reader};
use super::runtimes::Runtimes;
use crate::observe::function::FunctionMetrics;
use crate::observe::log_files::{LogName, LogShelf};
use base64::Engine;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How often idle processes are looked at.
const SWEEP: Duration = Duration::from_millis(500);

/// The host of a node. Dropping it ends all processes.
#[derive(Debug)]
pub struct Host {
    core: Arc<Core>,
    runtime: Option<tokio::runtime::Runtime>,
}

#[derive(Debug)]
struct Core {
    options: HostOptions,
    pool: Arc<Pool>,
    runtimes: Runtimes,
    shelf: LogShelf,
    metrics: FunctionMetrics,
}

impl Host {
    /// Starts the host; no process yet.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn start(options: HostOptions, shelf: LogShelf, metrics: FunctionMetrics) -> std::io::Result<Host> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(options.threads.max(1))
            .thread_name("functions")
            .enable_all()
            .build()?;
        let core = Arc::new(Core {
            pool: Pool::new(&options, metrics.clone()),
            runtimes: Runtimes::new(&options),
            options,
            shelf,
            metrics,
        });
        let swept = Arc::downgrade(&core);
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                let Some(core) = swept.upgrade() else { return };
                core.pool.sweep();
            }
        });
        Ok(Host { core, runtime: Some(runtime) })
    }

    /// Calls a function, and waits for its answer. Who may call it, and how many at once, was looked at before.
    pub fn invoke(&self, ready: Arc<Ready>, call: Call) -> Calling<'static> {
        let (core, runtime) = (self.core.clone(), self.runtime.as_ref().map(|runtime| runtime.handle().clone()));
        Box::pin(async move {
            let runtime = runtime.ok_or_else(throttled)?;
            let until = call.until;
            let job = job(&ready, call)?;
            let (reader, answer) = oneshot::channel();
            runtime.spawn(core.serve(ready, job, until, reader));
            let lost = || refused(500, "ServiceException", "The host of functions ended.");
            answer.await.unwrap_or_else(|_| Err(lost()))
        })
    }

    /// Ends the processes of a key (a function that was deleted or changed); what runs an invocation, after it.
    pub fn retire(&self, key: &str) {
        self.core.pool.retire(key);
    }

    /// Takes no more calls, lets invocations end for so long, and ends idle processes; whether that was done in time. What
    /// still runs ends when the host is dropped. Blocks.
    pub fn stop(&self, patience: Duration) -> bool {
        let Some(runtime) = &self.runtime else { return true };
        let (core, (tell, told)) = (self.core.clone(), std::sync::mpsc::channel());
        runtime.spawn(async move {
            // Whoever asked may not wait any more.
            let _ = tell.send(core.pool.close(patience).await);
        });
        told.recv_timeout(patience + SWEEP).unwrap_or(false)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Sockets close with it, and processes end with their sockets: see `child`.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Core {
    /// Finds a process and runs a call in it; the answer goes to `reader`.
    async fn serve(self: Arc<Self>, ready: Arc<Ready>, job: Job, until: Instant, reader: Reader) {
        let (mut job, mut reader) = (job, reader);
        loop {
            let lease = tokio::select! {
                lease = self.pool.acquire(&ready, until) => lease,
                // Nobody waits for it any more, and no code has run.
                () = reader.closed() => return,
            };
            let process = match lease {
                Ok(Lease::Warm(process)) => process,
                Ok(Lease::Cold(place)) => match self.start(&ready, place).await {
                    Ok(process) => Arc::new(process),
                    Err(error) => return self.not_started(&ready, &job, error, reader),
                },
                Ok(Lease::Failing(failure)) => {
                    let _ = reader.send(Ok(failure.answer(&job.request_id, &ready.deployed.version)));
                    return;
                }
                Err(refused) => {
                    let _ = reader.send(Err(refused));
                    return;
                }
            };
            match process.run(job, reader).await {
                Ran::Free(farewell) => {
                    self.pool.give_back(process);
                    return farewell.say();
                }
                Ran::Dead => return self.pool.give_up(&process),
                Ran::Untouched(again, to) => {
                    self.pool.give_up(&process);
                    (job, reader) = (again, to);
                }
            }
        }
    }

    async fn start(&self, ready: &Arc<Ready>, place: Place) -> Result<Process, NotStarted> {
        let command = self.runtimes.command(ready).await.map_err(NotStarted::Refused)?;
        let deployed = &ready.deployed;
        let sink = |stream: &str| Sink {
            shelf: self.shelf.clone(),
            name: LogName::function(&deployed.account, &deployed.region, &deployed.log_group),
            stream: stream.into(),
            metrics: self.metrics.clone(),
            bytes_per_s: self.options.log_bytes_per_s,
        };
        Process::start(command, ready.clone(), place, &self.options, sink, self.metrics.clone())
            .await
            .map_err(NotStarted::Failed)
    }

    fn not_started(&self, ready: &Ready, job: &Job, error: NotStarted, reader: Reader) {
        let answer = match error {
            NotStarted::Refused(refused) => Err(refused),
            NotStarted::Failed(failure) => {
                self.pool.start_failed(ready, &failure);
                self.metrics.errors.inc();
                Ok(failure.answer(&job.request_id, &ready.deployed.version))
            }
        };
        // Who called may have gone.
        let _ = reader.send(answer);
    }
}

enum NotStarted {
    Refused(Refused),
    Failed(Failure),
}

/// A call as the runtime will see it.
///
/// # Errors
/// `InvalidRequestContentException`: what cannot stand in the Runtime API's headers.
fn job(ready: &Ready, call: Call) -> Result<Job, Refused> {
    let wrong = |what| refused(400, "InvalidRequestContentException", what);
    let client_context = match call.client_context.as_deref() {
        None => None,
        Some(text) => {
            let what = "Client context must be a valid Base64-encoded JSON object.";
            let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(|_| wrong(what))?;
            let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|_| wrong(what))?;
            // Without line ends, which no header can have.
            Some(value.is_object().then(|| value.to_string().into_boxed_str()).ok_or_else(|| wrong(what))?)
        }
    };
    let job = Job {
        request_id: call.request_id,
        arn: ready.deployed.arn.clone(),
        payload: call.payload,
        client_context,
        trace: call.trace,
        log_tail: call.log_tail,
        streamed: call.streamed,
    };
    let writable = |text: &str| http::HeaderValue::from_bytes(text.as_bytes()).is_ok();
    let heads = [Some(&job.request_id), Some(&job.arn), job.trace.as_ref(), job.client_context.as_ref()];
    if heads.into_iter().flatten().all(|text| writable(text)) {
        Ok(job)
    } else {
        Err(wrong("The request has a value that no header can have."))
    }
}
