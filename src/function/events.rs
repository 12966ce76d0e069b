//! Asynchronous invocations (`InvocationType: Event`): a queue in memory alone, which a restart of the node empties; two
//! more tries where the function fails, as Lambda makes them.

use super::call::Refused;
use super::desk::Job;
use super::host::Core;
use super::options::{Deployed, HostOptions};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};

/// How many of them ask for a process at once: the others leave the line to callers who wait.
const AT_ONCE: usize = 64;
/// How long one waits for a process before it lets others try.
const TURN: Duration = Duration::from_secs(10);
/// The first wait after a throttled try, doubled up to the last.
const THROTTLED: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(300)];

/// What waits.
#[derive(Debug)]
pub(super) struct Events {
    counts: Arc<Counts>,
    most: usize,
    most_bytes: usize,
    turns: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Counts {
    events: AtomicUsize,
    bytes: AtomicUsize,
}

/// One that was accepted; it counts until dropped.
#[derive(Debug)]
pub(super) struct Accepted {
    counts: Arc<Counts>,
    bytes: usize,
    turns: Arc<Semaphore>,
}

impl Drop for Accepted {
    fn drop(&mut self) {
        self.counts.events.fetch_sub(1, Ordering::Relaxed);
        self.counts.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Events {
    pub(super) fn new(options: &HostOptions) -> Events {
        Events {
            counts: Arc::default(),
            most: options.events,
            most_bytes: options.event_bytes,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Takes one more, if there is room.
    pub(super) fn take(&self, payload: &Bytes) -> Option<Accepted> {
        let (counts, bytes) = (self.counts.clone(), payload.len());
        let events = counts.events.fetch_add(1, Ordering::Relaxed);
        let before = counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        let accepted = Accepted { counts, bytes, turns: self.turns.clone() };
        (events < self.most && before + bytes <= self.most_bytes).then_some(accepted)
    }

    /// How many wait or run.
    pub(super) fn waiting(&self) -> usize {
        self.counts.events.load(Ordering::Relaxed)
    }
}

/// Runs one until it succeeds, or is given up.
pub(super) async fn run(core: Arc<Core>, deployed: Arc<Deployed>, job: Job, accepted: Accepted) {
    core.metrics.events.inc();
    let until = Instant::now() + core.options.event_age;
    let mut retries = core.options.retries.clone().into_iter();
    let mut throttled = THROTTLED[0];
    let given_up = loop {
        let wait = match attempt(&core, &deployed, job.clone(), &accepted).await {
            Ok(true) => break None,
            Ok(false) => match retries.next() {
                Some(wait) => wait,
                None => break Some("it failed too often"),
            },
            Err(refused) if matches!(refused.status, 429 | 500..) => {
                let wait = throttled;
                throttled = (throttled * 2).min(THROTTLED[1]);
                wait
            }
            Err(_) => break Some("it was refused"),
        };
        if Instant::now() + wait > until {
            break Some("it is too old");
        }
        tokio::time::sleep(wait).await;
    };
    if let Some(why) = given_up {
        core.metrics.events_dropped.inc();
        let (function, request_id) = (&*deployed.name, &*job.request_id);
        tracing::warn!(function, request_id, why, "an asynchronous invocation is given up");
    }
    core.metrics.events.dec();
    drop(accepted);
}

/// One try: whether the function succeeded.
async fn attempt(core: &Arc<Core>, deployed: &Arc<Deployed>, job: Job, accepted: &Accepted) -> Result<bool, Refused> {
    // Never closed.
    let turn = accepted.turns.acquire().await;
    let (reader, answer) = oneshot::channel();
    core.clone().serve(deployed.clone(), job, Instant::now() + TURN, reader).await;
    drop(turn);
    match answer.await {
        Ok(answer) => Ok(answer?.function_error.is_none()),
        Err(_) => Ok(false),
    }
}
