//! What a process and its host have between them: the invocation in hand, and what the runtime says of it.

use super::call::Broken;
use super::fault::Failure;
use bytes::Bytes;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// An invocation as the runtime gets it.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) request_id: Box<str>,
    pub(super) arn: Box<str>,
    pub(super) payload: Bytes,
    /// JSON.
    pub(super) client_context: Option<Box<str>>,
    pub(super) trace: Option<Box<str>>,
    pub(super) log_tail: bool,
    /// Whether its answer may be passed on in pieces.
    pub(super) streamed: bool,
}

/// What a runtime says of the invocation in hand.
#[derive(Debug)]
pub(super) enum Reply {
    /// Its answer.
    Whole(Bytes),
    /// The function failed.
    Error(Failure),
    /// Its answer comes in pieces.
    Stream {
        /// What comes.
        pieces: mpsc::Receiver<Result<Bytes, Broken>>,
        /// To end it from outside.
        ender: mpsc::Sender<Result<Bytes, Broken>>,
        /// How it ended.
        finished: oneshot::Receiver<Option<Failure>>,
    },
}

#[derive(Debug)]
struct Current {
    request_id: Box<str>,
    /// The runtime has it.
    taken: bool,
    reply: oneshot::Sender<Reply>,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Current>,
    init_error: Option<Failure>,
    broke_rule: Option<&'static str>,
}

/// The desk of one process.
#[derive(Debug)]
pub(super) struct Desk {
    state: Mutex<State>,
    put: mpsc::UnboundedSender<(Job, u64)>,
    take: tokio::sync::Mutex<mpsc::UnboundedReceiver<(Job, u64)>>,
    /// Whether the runtime asked for its first invocation.
    ready: watch::Sender<bool>,
    /// Rings when the process is to be ended.
    pub(super) end: tokio::sync::Notify,
    pub(super) response_bytes: usize,
    pub(super) stream_bytes: u64,
}

impl Desk {
    pub(super) fn new(response_bytes: usize, stream_bytes: u64) -> Desk {
        let (put, take) = mpsc::unbounded_channel();
        Desk {
            state: Mutex::default(),
            put,
            take: tokio::sync::Mutex::new(take),
            ready: watch::Sender::new(false),
            end: tokio::sync::Notify::new(),
            response_bytes,
            stream_bytes,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the runtime asked for its first invocation.
    pub(super) async fn ready(&self) {
        // The sender lives as long as we.
        let _ = self.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// Lays an invocation on the desk, due at this time (ms since 1970). One at a time.
    pub(super) fn post(&self, job: Job, deadline_ms: u64) -> oneshot::Receiver<Reply> {
        let (reply, receiver) = oneshot::channel();
        self.state().current = Some(Current { request_id: job.request_id.clone(), taken: false, reply });
        // The receiver lives as long as we.
        let _ = self.put.send((job, deadline_ms));
        receiver
    }

    /// Takes the invocation off the desk; whether the runtime had it.
    pub(super) fn withdraw(&self) -> bool {
        self.state().current.take().is_none_or(|current| current.taken)
    }

    /// The runtime's question for the next invocation: waits for one. `None`: it must not ask now.
    pub(super) async fn next(&self) -> Option<(Job, u64)> {
        if self.state().current.as_ref().is_some_and(|current| current.taken) {
            self.break_rule("it asked for the next invocation before it answered the last one");
            return None;
        }
        self.ready.send_replace(true);
        let next = self.take.lock().await.recv().await;
        if let Some(current) = &mut self.state().current {
            current.taken = true;
        }
        next
    }

    /// Where to say what became of the invocation of this id, if it is in hand.
    pub(super) fn claim(&self, request_id: &str) -> Option<oneshot::Sender<Reply>> {
        let mut state = self.state();
        let in_hand = state.current.as_ref().is_some_and(|current| current.taken && *current.request_id == *request_id);
        state.current.take_if(|_| in_hand).map(|current| current.reply)
    }

    /// The runtime says why it cannot begin.
    pub(super) fn init_error(&self, failure: Failure) {
        self.state().init_error = Some(failure);
    }

    pub(super) fn take_init_error(&self) -> Option<Failure> {
        self.state().init_error.take()
    }

    /// What the process does cannot be allowed: it is ended.
    pub(super) fn break_rule(&self, rule: &'static str) {
        self.state().broke_rule = Some(rule);
        self.end.notify_one();
    }

    pub(super) fn broken_rule(&self) -> Option<&'static str> {
        self.state().broke_rule
    }
}

/// How long a runtime may take to send an answer that is too large, so that it can read ours.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
