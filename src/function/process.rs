//! One process of a function: how it starts, what one invocation of it is, and how it ends.

use super::call::{Answer, Broken, Payload, Refused};
use super::child::{self, Said, Spec};
use super::desk::{Desk, Job, Reply};
use super::environment;
use super::fault::{Death, Failure};
use super::journal::{self, Journal, Note, Sink};
use super::options::{HostOptions, Ready};
use super::pool::Place;
use super::runtime_api;
use crate::observe::function::FunctionMetrics;
use bytes::Bytes;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf, pipe};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};

/// How long a process may take to end when it is asked to, before it is killed from outside.
const GRACE: Duration = Duration::from_secs(2);
/// How long the reader of a streamed answer may take to read that it broke.
const LAST_WORD: Duration = Duration::from_secs(5);

/// Where the answer goes.
pub(super) type Reader = oneshot::Sender<Result<Answer, Refused>>;

/// A process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) ready: Arc<Ready>,
    desk: Arc<Desk>,
    journal: Journal,
    /// The socket to the process's watch: `b` and `i`; closed to end it.
    to_watch: Mutex<Option<OwnedWriteHalf>>,
    death: watch::Receiver<Option<Death>>,
    memory_kib: Arc<AtomicU64>,
    /// How long its start took; told with its first invocation.
    init: Mutex<Option<Duration>>,
    metrics: FunctionMetrics,
    /// Whether the pool counts it as leaving.
    pub(super) leaving: Arc<AtomicBool>,
    pub(super) idle_since: Mutex<Instant>,
}

/// How an invocation left its process.
pub(super) enum Ran {
    /// Ready for the next. What ends the call is said when the process is in the pool again, so that a caller who calls
    /// again at once finds it there.
    Free(Farewell),
    /// At its end.
    Dead,
    /// At its end before it saw the invocation.
    Untouched(Job, Reader),
}

/// What a caller is still waiting for.
pub(super) enum Farewell {
    /// Its answer.
    Answer(Reader, Answer),
    /// The end of the pieces.
    End(#[expect(dead_code, reason = "dropping it is what ends them")] mpsc::Sender<Result<Bytes, Broken>>),
    /// Nothing.
    None,
}

impl Farewell {
    pub(super) fn say(self) {
        if let Farewell::Answer(reader, answer) = self {
            // Who called may have gone.
            let _ = reader.send(Ok(answer));
        }
    }
}

impl Process {
    /// Starts a process and waits until its runtime asks for an invocation.
    pub(super) async fn start(
        command: Vec<String>,
        ready: Arc<Ready>,
        place: Place,
        options: &HostOptions,
        sink: impl FnOnce(&str) -> Sink,
        metrics: FunctionMetrics,
    ) -> Result<Process, Failure> {
        let begun = Instant::now();
        metrics.cold_starts.inc();
        let process = Process::spawn(command, ready, place, options, sink, metrics.clone()).await.map_err(|error| {
            metrics.failed_starts.inc();
            Failure::new("Sandbox.Failure", format!("the node cannot start a process: {error}"))
        })?;
        let failure = tokio::select! {
            () = process.desk.ready() => None,
            death = process.died() => Some(process.desk.take_init_error().unwrap_or_else(|| death.failure())),
            () = tokio::time::sleep(options.init) => Some(Failure::timed_out(options.init)),
        };
        let took = begun.elapsed();
        metrics.init_seconds.observe(took.as_secs_f64());
        let Some(failure) = failure else {
            *process.init.lock().unwrap_or_else(PoisonError::into_inner) = Some(took);
            return Ok(process);
        };
        metrics.failed_starts.inc();
        let report = format!(
            "INIT_REPORT Init Duration: {:.2} ms\tPhase: init\tStatus: error\tError Type: {}",
            took.as_secs_f64() * 1e3,
            failure.error_type
        );
        process.end();
        process.died().await;
        process.journal.end(vec![failure.message.to_string(), report]).await;
        Err(failure)
    }

    async fn spawn(
        command: Vec<String>,
        ready: Arc<Ready>,
        place: Place,
        options: &HostOptions,
        sink: impl FnOnce(&str) -> Sink,
        metrics: FunctionMetrics,
    ) -> std::io::Result<Process> {
        let (listener, at) = runtime_api::bind().await?;
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let (output, writer) = std::io::pipe()?;
        let mut launch = Command::new(&options.launcher);
        launch.arg(child::OUTER).arg(&ready.code).arg(options.user.to_string());
        launch.env_clear().stdin(Stdio::from(OwnedFd::from(theirs)));
        launch.stdout(Stdio::from(writer.try_clone()?)).stderr(Stdio::from(writer)).kill_on_drop(true);
        let child = launch.spawn()?;
        // The command holds the other ends, and they must close with the process.
        drop(launch);
        let root = child.id().ok_or(std::io::ErrorKind::NotFound)?;
        let sink = sink(&stream_name(&ready.deployed.version));
        let stream = sink.stream.clone();
        let journal = journal::start(pipe::Receiver::from_owned_fd(OwnedFd::from(output))?, sink);
        journal.tell(Note::Line(format!("INIT_START Runtime: {}", ready.deployed.runtime)));
        let (from_watch, mut to_watch) = UnixStream::from_std(ours)?.into_split();
        let spec = Spec {
            command,
            environment: environment::variables(&ready, &at.to_string(), &stream),
            code: ready.code.clone(),
            hide: options.hide.clone(),
            memory_mib: ready.deployed.memory_mb.into(),
            tmp_mib: ready.deployed.ephemeral_mb.into(),
            processes: options.processes,
            open_files: options.open_files,
        };
        let text = serde_json::to_vec(&spec)?;
        let length = u32::try_from(text.len()).map_err(|_| std::io::ErrorKind::InvalidInput)?;
        let desk = Arc::new(Desk::new(options.response_bytes, options.stream_bytes));
        let memory_kib = Arc::new(AtomicU64::new(0));
        let (died, death) = watch::channel(None);
        let leaving = place.leaving();
        let api = tokio::spawn(runtime_api::serve(listener, at, root, desk.clone(), metrics.clone()));
        let watched = Watched {
            child,
            from_watch,
            desk: desk.clone(),
            memory_kib: memory_kib.clone(),
            api: api.abort_handle(),
            metrics: metrics.clone(),
            place,
        };
        tokio::spawn(watched.run(died));
        let told = async {
            to_watch.write_all(&length.to_be_bytes()).await?;
            to_watch.write_all(&text).await
        };
        if let Err(error) = told.await {
            desk.end.notify_one();
            return Err(error);
        }
        Ok(Process {
            ready,
            desk,
            journal,
            to_watch: Mutex::new(Some(to_watch)),
            death,
            memory_kib,
            init: Mutex::default(),
            metrics,
            leaving,
            idle_since: Mutex::new(Instant::now()),
        })
    }

    /// Ends the process and all that came from it.
    pub(super) fn end(&self) {
        self.to_watch.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.desk.end.notify_one();
    }

    pub(super) fn is_dead(&self) -> bool {
        self.is_gone() || self.desk.broken_rule().is_some()
    }

    /// Whether nothing is left of it.
    pub(super) fn is_gone(&self) -> bool {
        self.death.borrow().is_some()
    }

    /// Waits for its end.
    pub(super) async fn died(&self) -> Death {
        let mut death = self.death.clone();
        let found = death.wait_for(Option::is_some).await;
        found.ok().and_then(|death| death.clone()).unwrap_or(Death::Ended("its watch is gone"))
    }

    fn tell_watch(&self, word: u8) {
        if let Some(socket) = &*self.to_watch.lock().unwrap_or_else(PoisonError::into_inner) {
            // A watch that does not listen only looks less often.
            let _ = socket.try_write(&[word]);
        }
    }

    /// Runs one invocation.
    pub(super) async fn run(&self, job: Job, reader: Reader) -> Ran {
        let (timeout, request_id) = (self.ready.timeout(), job.request_id.clone());
        self.journal.tell(Note::Begin { request_id: request_id.clone() });
        self.journal
            .tell(Note::Line(format!("START RequestId: {request_id} Version: {}", self.ready.deployed.version)));
        self.tell_watch(b'b');
        let begun = Instant::now();
        let (log_tail, streamed) = (job.log_tail, job.streamed);
        let deadline_ms = now_ms() + u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let kept = job.clone();
        let mut reply = self.desk.post(job, deadline_ms);
        let until = tokio::time::Instant::from_std(begun + timeout);
        let mut outcome = tokio::select! {
            biased;
            Ok(reply) = &mut reply => Outcome::Said(reply),
            death = self.died() => {
                let touched = self.desk.withdraw();
                // It may have answered with its last breath.
                match reply.try_recv() {
                    Ok(reply) => Outcome::Said(reply),
                    Err(_) if !touched => return self.untouched(kept, reader).await,
                    Err(_) => Outcome::Died(death),
                }
            }
            () = tokio::time::sleep_until(until) => Outcome::TimedOut,
        };
        self.metrics.invocations.inc();
        let (mut reader, mut farewell) = (Some(reader), Farewell::None);
        if let Outcome::Said(Reply::Stream { pieces, ender, finished }) = outcome {
            let ender = streamed.then_some(ender);
            outcome = self.pass_on(pieces, ender.as_ref(), finished, until, &mut reader).await;
            farewell = ender.map_or(Farewell::None, Farewell::End);
        }
        let took = begun.elapsed();
        self.metrics.duration_seconds.observe(took.as_secs_f64());
        let (answer, failure, lives) = self.judge(&request_id, outcome);
        if let (Some(reader), Some(answer)) = (reader, answer) {
            farewell = Farewell::Answer(reader, answer);
        }
        self.close(&request_id, farewell, failure, lives, took, log_tail).await
    }

    async fn untouched(&self, job: Job, reader: Reader) -> Ran {
        self.journal.end(vec!["the process ended before it took the invocation: another one runs it".to_owned()]).await;
        Ran::Untouched(job, reader)
    }

    /// What an invocation came to: its answer, its failure, and whether the process lives on.
    fn judge(&self, request_id: &str, outcome: Outcome) -> (Option<Answer>, Option<Failure>, bool) {
        let (failure, lives) = match outcome {
            Outcome::Said(Reply::Whole(payload)) => return (Some(self.answered(payload)), None, true),
            Outcome::Streamed(None) | Outcome::Said(Reply::Stream { .. }) => return (None, None, true),
            Outcome::Said(Reply::Error(failure)) | Outcome::Streamed(Some(failure)) => (failure, true),
            Outcome::Died(death) => (death.failure(), false),
            Outcome::TimedOut => {
                self.metrics.timeouts.inc();
                (Failure::timed_out(self.ready.timeout()), false)
            }
        };
        self.metrics.errors.inc();
        (Some(failure.answer(request_id, &self.ready.deployed.version)), Some(failure), lives)
    }

    /// Ends what cannot go on, closes the log, and says how the process is left.
    async fn close(
        &self,
        request_id: &str,
        mut farewell: Farewell,
        failure: Option<Failure>,
        lives: bool,
        took: Duration,
        log_tail: bool,
    ) -> Ran {
        let lives = lives && !self.is_dead();
        if !lives {
            if !log_tail {
                std::mem::replace(&mut farewell, Farewell::None).say();
            }
            self.end();
            self.died().await;
        }
        let tail = self.journal.end(self.report(request_id, took, failure.as_ref(), lives)).await;
        if let (Farewell::Answer(_, answer), true) = (&mut farewell, log_tail) {
            answer.log_tail = Some(tail);
        }
        self.tell_watch(b'i');
        if lives && !self.is_dead() {
            return Ran::Free(farewell);
        }
        farewell.say();
        Ran::Dead
    }

    fn answered(&self, payload: Bytes) -> Answer {
        Answer {
            status: 200,
            function_error: None,
            log_tail: None,
            executed_version: Some(self.ready.deployed.version.clone()),
            payload: Payload::Whole(payload),
        }
    }

    /// The lines that close an invocation in the log.
    fn report(&self, request_id: &str, took: Duration, failure: Option<&Failure>, lives: bool) -> Vec<String> {
        let mut lines = Vec::new();
        if let (Some(failure), false) = (failure, lives) {
            lines.push(match &*failure.error_type {
                "Sandbox.Timedout" => format!("{request_id} {}", failure.message),
                _ => failure.text(request_id),
            });
        }
        lines.push(format!("END RequestId: {request_id}"));
        let ms = took.as_secs_f64() * 1e3;
        let memory_mib = self.memory_kib.load(Ordering::Relaxed).div_ceil(1_024);
        let mut report = format!(
            "REPORT RequestId: {request_id}\tDuration: {ms:.2} ms\tBilled Duration: {:.0} ms\tMemory Size: {} MB\tMax Memory Used: {memory_mib} MB",
            ms.ceil(),
            self.ready.deployed.memory_mb,
        );
        if let Some(init) = self.init.lock().unwrap_or_else(PoisonError::into_inner).take() {
            report += &format!("\tInit Duration: {:.2} ms", init.as_secs_f64() * 1e3);
        }
        match failure {
            Some(failure) if &*failure.error_type == "Sandbox.Timedout" => report += "\tStatus: timeout",
            Some(failure) if !lives => report += &format!("\tStatus: error\tError Type: {}", failure.error_type),
            _ => {}
        }
        lines.push(report);
        lines
    }

    /// Passes a streamed answer on, or gathers it for who wants it whole.
    async fn pass_on(
        &self,
        mut pieces: mpsc::Receiver<Result<Bytes, Broken>>,
        ender: Option<&mpsc::Sender<Result<Bytes, Broken>>>,
        finished: oneshot::Receiver<Option<Failure>>,
        until: tokio::time::Instant,
        reader: &mut Option<Reader>,
    ) -> Outcome {
        let whole = if ender.is_some() {
            let payload = Payload::Pieces(pieces);
            let version = Some(self.ready.deployed.version.clone());
            let answer =
                Answer { status: 200, function_error: None, log_tail: None, executed_version: version, payload };
            if let Some(reader) = reader.take() {
                // Who called may have gone.
                let _ = reader.send(Ok(answer));
            }
            None
        } else {
            let most = self.desk.response_bytes;
            Some(tokio::spawn(async move { gather(&mut pieces, most).await }))
        };
        let end = tokio::select! {
            biased;
            finished = finished => Ok(finished.unwrap_or(Some(Failure::new("Runtime.TruncatedResponse", "Response was truncated")))),
            death = self.died() => Err(Outcome::Died(death)),
            () = tokio::time::sleep_until(until) => Err(Outcome::TimedOut),
        };
        if let (Err(outcome), Some(ender)) = (&end, ender) {
            let failure = match outcome {
                Outcome::Died(death) => death.failure(),
                _ => Failure::timed_out(self.ready.timeout()),
            };
            let broken = Broken { error_type: failure.error_type, message: failure.message };
            // A reader that does not read sees the end of the channel instead.
            let _ = tokio::time::timeout(LAST_WORD, ender.send(Err(broken))).await;
        }
        match (end, whole) {
            (Err(outcome), _) => outcome,
            (Ok(failure), None) => Outcome::Streamed(failure),
            (Ok(Some(failure)), Some(_)) => Outcome::Said(Reply::Error(failure)),
            (Ok(None), Some(whole)) => Outcome::Said(match whole.await {
                Ok(Ok(payload)) => Reply::Whole(payload),
                Ok(Err(bytes)) => Reply::Error(Failure::too_large(bytes, self.desk.response_bytes)),
                Err(_) => Reply::Error(Failure::new("Runtime.TruncatedResponse", "Response was truncated")),
            }),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

enum Outcome {
    Said(Reply),
    Streamed(Option<Failure>),
    Died(Death),
    TimedOut,
}

/// All pieces as one, or how many bytes there were if they are too many.
async fn gather(pieces: &mut mpsc::Receiver<Result<Bytes, Broken>>, most: usize) -> Result<Bytes, usize> {
    let (mut all, mut bytes) = (Vec::new(), 0);
    while let Some(Ok(piece)) = pieces.recv().await {
        bytes += piece.len();
        if bytes <= most {
            all.extend_from_slice(&piece);
        }
    }
    if bytes <= most { Ok(all.into()) } else { Err(bytes) }
}

fn now_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0)
}

/// `2026/11/27/[$LATEST]0123…`: Lambda's names of log streams.
fn stream_name(version: &str) -> String {
    let mut random = [0; 16];
    // Without randomness two streams may have one name, which only mixes their lines.
    let _ = aws_lc_rs::rand::fill(&mut random);
    let id = random.iter().fold(String::new(), |id, byte| id + &format!("{byte:02x}"));
    let date = jiff::Timestamp::now().strftime("%Y/%m/%d").to_string();
    format!("{date}/[{version}]{id}")
}

/// What holds a process to its end.
struct Watched {
    child: Child,
    from_watch: OwnedReadHalf,
    desk: Arc<Desk>,
    memory_kib: Arc<AtomicU64>,
    api: tokio::task::AbortHandle,
    metrics: FunctionMetrics,
    /// Given back when nothing is left of the process.
    place: Place,
}

impl Watched {
    async fn run(mut self, died: watch::Sender<Option<Death>>) {
        let mut lines = BufReader::new((&mut self.from_watch).take(16 << 20)).lines();
        let mut death = None;
        let mut kill_at = None;
        loop {
            let late = async {
                match kill_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                line = lines.next_line() => match line {
                    Ok(Some(line)) => heard(&line, &self.memory_kib, &mut death),
                    // All ends of the socket are closed: nothing is left that could hold one.
                    _ => break,
                },
                () = self.desk.end.notified(), if kill_at.is_none() => kill_at = Some(tokio::time::Instant::now() + GRACE),
                () = late => {
                    let _ = self.child.start_kill();
                    kill_at = Some(tokio::time::Instant::now() + GRACE);
                }
            }
        }
        if tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
        self.api.abort();
        if death == Some(Death::OutOfMemory) {
            self.metrics.out_of_memory.inc();
        }
        let rule = self.desk.broken_rule();
        if let Some(rule) = rule {
            tracing::info!(rule, "a function's process was ended");
        }
        let death = death.or(rule.map(Death::Ended)).unwrap_or(Death::Ended("the host ended it"));
        died.send_replace(Some(death));
        drop(self.place);
    }
}

/// A line of the watch. What it cannot mean is left out: the function cannot write there.
fn heard(line: &str, memory_kib: &AtomicU64, death: &mut Option<Death>) {
    match serde_json::from_str(line) {
        Ok(Said::Memory(kib)) => {
            memory_kib.fetch_max(kib, Ordering::Relaxed);
        }
        Ok(Said::Exited(code)) => *death = Some(Death::Exited(code)),
        Ok(Said::Signaled(signal)) => *death = Some(Death::Signaled(signal)),
        Ok(Said::OutOfMemory) => *death = Some(Death::OutOfMemory),
        Ok(Said::Cannot { absent, why }) => *death = Some(Death::Cannot { absent, why: why.into() }),
        Ok(Said::Started { missing }) => tell_missing(&missing),
        Err(error) => tracing::warn!(%error, "a function's watch says something unknown"),
    }
}

fn tell_missing(missing: &[String]) {
    static TOLD: AtomicBool = AtomicBool::new(false);
    if !missing.is_empty() && !TOLD.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            missing = missing.join("; "),
            "this system does not allow all that keeps functions apart: run only functions that you trust"
        );
    }
}
