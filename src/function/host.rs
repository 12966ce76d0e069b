//! The host: runs functions on this node, on a runtime of its own.
//!
//! ```text
//! caller ─ invoke ─▶ Pool (warm, cold, line) ─▶ Process ─ Runtime API ─▶ runtime ─ reply ─▶ answer
//!            └ Event ─▶ Events (memory only, two more tries) ─┘
//! ```

use super::call::{Answer, Call, Calling, InvocationType, Payload, Refused};
use super::desk::Job;
use super::events::Events;
use super::fault::{Failure, refused, throttled};
use super::journal::Sink;
use super::options::{Deployed, HostOptions};
use super::pool::{Lease, Place, Pool};
use super::process::{Process, Ran, Reader};
use super::runtimes::Runtimes;
use crate::observe::function::FunctionMetrics;
use crate::observe::log_files::{LogName, LogShelf};
use base64::Engine;
use bytes::Bytes;
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
pub(super) struct Core {
    pub(super) options: HostOptions,
    pool: Arc<Pool>,
    runtimes: Runtimes,
    shelf: LogShelf,
    pub(super) metrics: FunctionMetrics,
    events: Events,
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
            events: Events::new(&options),
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

    /// Calls a function. Who may call it was looked at before.
    pub fn invoke(&self, deployed: Arc<Deployed>, call: Call) -> Calling<'static> {
        let (core, runtime) = (self.core.clone(), self.runtime.as_ref().map(|runtime| runtime.handle().clone()));
        Box::pin(async move {
            let runtime = runtime.ok_or_else(throttled)?;
            match call.invocation {
                InvocationType::DryRun => return Ok(empty(204, &deployed)),
                InvocationType::RequestResponse => {}
                InvocationType::Event => {
                    let accepted = core.events.take(&call.payload).ok_or_else(throttled)?;
                    let version = empty(202, &deployed);
                    let job = job(&deployed, call)?;
                    runtime.spawn(super::events::run(core, deployed, job, accepted));
                    return Ok(version);
                }
            }
            let until = call.until;
            let job = job(&deployed, call)?;
            let (reader, answer) = oneshot::channel();
            runtime.spawn(core.serve(deployed, job, until, reader));
            let lost = || refused(500, "ServiceException", "The host of functions ended.");
            answer.await.unwrap_or_else(|_| Err(lost()))
        })
    }

    /// Ends the processes of a key (a function that was deleted or changed); what runs an invocation, after it.
    pub fn retire(&self, key: &str) {
        self.core.pool.retire(key);
    }

    /// Takes no more calls, lets invocations end for so long, and ends all processes; whether that was done in time.
    pub fn stop(mut self, patience: Duration) -> bool {
        let Some(runtime) = self.runtime.take() else { return true };
        let core = self.core.clone();
        let done = runtime.handle().spawn(async move { core.pool.close(patience).await });
        let (tell, told) = std::sync::mpsc::channel();
        runtime.handle().spawn(async move {
            let _ = tell.send(done.await.unwrap_or(false));
        });
        let in_time = told.recv_timeout(patience + SWEEP).unwrap_or(false);
        let lost = self.core.events.waiting();
        if lost > 0 {
            tracing::warn!(lost, "asynchronous invocations that waited are lost: they are kept in memory only");
        }
        runtime.shutdown_background();
        in_time
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Sockets close with it, and processes end with their sockets.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Core {
    /// Finds a process and runs a call in it; the answer goes to `reader`.
    pub(super) async fn serve(self: Arc<Self>, deployed: Arc<Deployed>, job: Job, until: Instant, reader: Reader) {
        let (mut job, mut reader) = (job, reader);
        loop {
            let lease = tokio::select! {
                lease = self.pool.acquire(&deployed, until) => lease,
                // Nobody waits for it any more, and no code has run.
                () = reader.closed() => return,
            };
            let (process, busy) = match lease {
                Ok(Lease::Warm(process, busy)) => (process, busy),
                Ok(Lease::Cold(place, busy)) => match self.start(&deployed, place).await {
                    Ok(process) => (Arc::new(process), busy),
                    Err(error) => return self.not_started(&deployed, &job, error, reader),
                },
                Ok(Lease::Failing(failure)) => {
                    let _ = reader.send(Ok(failure.answer(&job.request_id, &deployed.version)));
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
                    drop(busy);
                    farewell.say();
                    return;
                }
                Ran::Dead => self.pool.give_up(&process),
                Ran::Untouched(again, to) => {
                    self.pool.give_up(&process);
                    (job, reader) = (again, to);
                    drop(busy);
                    continue;
                }
            }
            drop(busy);
            return;
        }
    }

    async fn start(&self, deployed: &Arc<Deployed>, place: Place) -> Result<Process, NotStarted> {
        let command = self.runtimes.command(deployed).await.map_err(NotStarted::Refused)?;
        let sink = |stream: &str| Sink {
            shelf: self.shelf.clone(),
            name: LogName::function(&deployed.account, &deployed.region, &deployed.log_group),
            stream: stream.into(),
            metrics: self.metrics.clone(),
            bytes_per_s: self.options.log_bytes_per_s,
        };
        Process::start(command, deployed.clone(), place, &self.options, sink, self.metrics.clone())
            .await
            .map_err(NotStarted::Failed)
    }

    fn not_started(&self, deployed: &Deployed, job: &Job, error: NotStarted, reader: Reader) {
        let answer = match error {
            NotStarted::Refused(refused) => Err(refused),
            NotStarted::Failed(failure) => {
                self.pool.start_failed(deployed, &failure);
                self.metrics.errors.inc();
                Ok(failure.answer(&job.request_id, &deployed.version))
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

fn empty(status: u16, deployed: &Deployed) -> Answer {
    Answer {
        status,
        function_error: None,
        log_tail: None,
        executed_version: Some(deployed.version.clone()),
        payload: Payload::Whole(Bytes::new()),
    }
}

/// A call as the runtime will see it.
///
/// # Errors
/// `InvalidRequestContentException`: what cannot stand in the Runtime API's headers.
fn job(deployed: &Deployed, call: Call) -> Result<Job, Refused> {
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
    let qualifier = call.function.qualifier.map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
    let job = Job {
        request_id: call.request_id,
        arn: format!("{}{qualifier}", deployed.function_arn).into(),
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
