//! Answers calls on this node: finds the version, asks its policy, counts what is reserved, and lets the host run it.

use super::call::{Address, Answer, Call, Caller, Calling, InvocationType, Invoke, Payload, Refused};
use super::deployed::Deployed;
use super::policy;
use super::resolve::{self, Resolved};
use super::run::Run;
use crate::state::World;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Opens what is sealed in rows.
pub type Open = dyn Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync;

/// Calls that nobody waits for, in memory until they have run: all together, KiB.
const EVENTS_KIB: usize = 256 << 10;
/// What one of them takes at least, KiB.
const EVENT_KIB: usize = 4;
/// What one attempt may take at most.
const ATTEMPT: Duration = Duration::from_secs(930);

/// How long a call that nobody waits for waits itself.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// A function that fails it is called again, after so long each time.
    pub retries: [Duration; 2],
    /// While there is no room to run it: the first pause, and the longest; each is twice the last.
    pub pauses: (Duration, Duration),
    /// How old it grows.
    pub oldest: Duration,
}

impl Default for Waits {
    /// AWS's.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Waits { retries: [seconds(60), seconds(120)], pauses: (seconds(1), seconds(60)), oldest: seconds(6 * 3_600) }
    }
}

/// What the invoker is made of.
pub struct InvokerParts {
    /// The rows as this node has them.
    pub world: Arc<dyn Fn() -> Arc<World> + Send + Sync>,
    /// Opens sealed environments.
    pub open: Arc<Open>,
    /// Random numbers, 0 to 1 without 1.
    pub chance: Arc<dyn Fn() -> f64 + Send + Sync>,
    /// Runs code.
    pub run: Arc<dyn Run>,
    /// Where calls run that nobody waits for.
    pub runtime: tokio::runtime::Handle,
    /// How long they wait.
    pub waits: Waits,
}

/// Answers calls. A clone is the same.
#[derive(Clone)]
pub struct Invoker(Arc<Inner>);

struct Inner {
    parts: InvokerParts,
    /// Running calls of functions with reserved concurrency, by function.
    running: Arc<Mutex<HashMap<Box<str>, u32>>>,
    events: Arc<Semaphore>,
}

/// One running call of a function with reserved concurrency.
struct Reserved {
    running: Arc<Mutex<HashMap<Box<str>, u32>>>,
    function: Box<str>,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = running.get_mut(&self.function) {
            *count -= 1;
            if *count == 0 {
                running.remove(&self.function);
            }
        }
    }
}

fn denied(caller: &Caller, arn: &str) -> Refused {
    let who = match caller {
        Caller::Account(account) => format!("arn:aws:iam::{account}:root"),
        Caller::Service { principal, .. } => principal.to_string(),
    };
    let message = format!(
        "User: {who} is not authorized to perform: lambda:InvokeFunction on resource: {arn} because no resource-based \
         policy allows the lambda:InvokeFunction action"
    );
    Refused { status: 403, kind: "AccessDeniedException", message: message.into() }
}

/// 429: too many calls run already.
fn too_many(message: &str) -> Refused {
    Refused { status: 429, kind: "TooManyRequestsException", message: message.into() }
}

impl Invoker {
    /// An invoker of these parts.
    #[must_use]
    pub fn new(parts: InvokerParts) -> Invoker {
        let events = Arc::new(Semaphore::new(EVENTS_KIB));
        Invoker(Arc::new(Inner { parts, running: Arc::default(), events }))
    }

    async fn answer(&self, call: Call) -> Result<Answer, Refused> {
        let deployed = self.permitted(&call)?;
        match call.invocation {
            InvocationType::DryRun => Ok(bare(204, &deployed)),
            InvocationType::Event => self.later(deployed, call),
            InvocationType::RequestResponse => self.now(deployed, call).await,
        }
    }

    /// The version that a call runs, if its caller may.
    fn permitted(&self, call: &Call) -> Result<Deployed, Refused> {
        let parts = &self.0.parts;
        let owner = &call.function.account;
        let found = resolve::resolve(&(parts.world)(), &call.function, (parts.chance)(), &*parts.open);
        match found {
            Ok(Resolved { deployed, policy }) if policy::allows(&policy, owner, &call.caller) => Ok(deployed),
            Ok(_) => Err(denied(&call.caller, &call.function.arn())),
            // Strangers do not learn what there is.
            Err(missing) if missing.status == 404 && !policy::allows(&[], owner, &call.caller) => {
                match call.caller {
                    // A gateway's owner does: the integration names the function.
                    Caller::Service { .. } => Err(missing),
                    Caller::Account(_) => Err(denied(&call.caller, &call.function.arn())),
                }
            }
            Err(refused) => Err(refused),
        }
    }

    fn reserve(&self, deployed: &Deployed) -> Result<Option<Reserved>, Refused> {
        let Some(most) = deployed.reserved_concurrency else { return Ok(None) };
        let function: Box<str> = format!("{}/{}/{}", deployed.account, deployed.region, deployed.name).into();
        let mut running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        let count = running.entry(function.clone()).or_default();
        if *count >= most {
            if *count == 0 {
                running.remove(&function);
            }
            return Err(too_many("Rate Exceeded."));
        }
        *count += 1;
        Ok(Some(Reserved { running: self.0.running.clone(), function }))
    }

    async fn now(&self, deployed: Deployed, call: Call) -> Result<Answer, Refused> {
        let reserved = self.reserve(&deployed)?;
        let mut answer = self.0.parts.run.run(deployed, call).await?;
        if let (Some(reserved), Payload::Pieces(pieces)) = (reserved, &mut answer.payload) {
            // The call runs until its last piece.
            let (sender, receiver) = tokio::sync::mpsc::channel(1);
            let mut from = std::mem::replace(pieces, receiver);
            self.0.parts.runtime.spawn(async move {
                let _held = reserved;
                while let Some(piece) = from.recv().await {
                    if sender.send(piece).await.is_err() {
                        return;
                    }
                }
            });
        }
        Ok(answer)
    }

    /// Takes a call that nobody waits for. It is in this node's memory until it has run.
    fn later(&self, deployed: Deployed, call: Call) -> Result<Answer, Refused> {
        let kib = EVENT_KIB.max(call.payload.len().div_ceil(1_024));
        let room = u32::try_from(kib).map_err(|_| too_many("Rate Exceeded"))?;
        let room = self.0.events.clone().try_acquire_many_owned(room);
        let room = room.map_err(|_| too_many("Too many events wait on this node"))?;
        if deployed.reserved_concurrency == Some(0) {
            return Err(too_many("Rate Exceeded."));
        }
        let taken = bare(202, &deployed);
        let this = self.clone();
        self.0.parts.runtime.spawn(async move { this.in_the_end(call, room).await });
        Ok(taken)
    }

    /// Runs an event until the function has taken it, or has failed it three times.
    async fn in_the_end(&self, call: Call, _room: OwnedSemaphorePermit) {
        let call = Call { invocation: InvocationType::RequestResponse, log_tail: false, streamed: false, ..call };
        let began = Instant::now();
        let Waits { retries, pauses, oldest } = self.0.parts.waits;
        let (mut failures, mut pause) = (retries.iter(), pauses.0);
        loop {
            let attempt = Call { until: Instant::now() + ATTEMPT, ..call.clone() };
            let done = match self.permitted(&attempt) {
                Ok(deployed) => self.now(deployed, attempt).await,
                Err(refused) => Err(refused),
            };
            let function = call.function.arn();
            match done {
                Ok(Answer { function_error: None, .. }) => return,
                Err(refused) if refused.status == 429 && began.elapsed() < oldest => {
                    tokio::time::sleep(pause).await;
                    pause = pauses.1.min(pause * 2);
                    continue;
                }
                Ok(_) => tracing::info!(function, request_id = &*call.request_id, "a function failed an event"),
                Err(refused) => {
                    tracing::warn!(function, request_id = &*call.request_id, %refused, "an event could not be run");
                }
            }
            let Some(wait) = failures.next() else {
                tracing::warn!(function, request_id = &*call.request_id, "an event is given up");
                return;
            };
            tokio::time::sleep(*wait).await;
        }
    }
}

/// An answer without a body.
fn bare(status: u16, deployed: &Deployed) -> Answer {
    Answer {
        status,
        function_error: None,
        log_tail: None,
        executed_version: Some(deployed.version.clone()),
        payload: Payload::Whole(Bytes::new()),
    }
}

impl Invoke for Invoker {
    fn knows(&self, function: &Address) -> bool {
        resolve::knows(&(self.0.parts.world)(), function)
    }

    fn invoke(&self, call: Call) -> Calling<'_> {
        Box::pin(self.answer(call))
    }
}

#[cfg(test)]
#[path = "invoker_tests.rs"]
mod tests;
