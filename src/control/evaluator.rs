//! The control room's side of cluster's evaluator: a call's bytes in, effects and an answer's bytes out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;

use super::call::{Effect, Run};
use super::model::{Operation, Service};
use super::render::Answer;
use super::{Call, Fault, Quotas, Reply, Scene, Seal, lambda, v1, wire};
use crate::catalog::Table;
use crate::cluster::{self, Evaluate, Evaluated, Stamp};
use crate::state::{Op, Ops, Scope, World};

/// The number of this room in [`cluster::Call::room`].
pub const ROOM: u8 = 1;

/// The largest row that a call may leave behind: parts may come one by one (a method's templates, a stage's settings).
const MOST_ROW_BYTES: usize = 16 << 20;

/// Runs operations on the leader.
pub struct Evaluator {
    seal: Arc<dyn Seal>,
    quotas: Quotas,
    domain: Box<str>,
}

impl Evaluator {
    /// An evaluator that hides secrets with this seal.
    pub fn new(seal: Arc<dyn Seal>) -> Evaluator {
        Evaluator { seal, quotas: Quotas::GENEROUS, domain: "localhost".into() }
    }

    /// The same, with other quotas.
    #[must_use]
    pub fn with_quotas(self, quotas: Quotas) -> Evaluator {
        Evaluator { quotas, ..self }
    }

    /// The same, for hosts with another ending.
    #[must_use]
    pub fn with_domain(self, domain: &str) -> Evaluator {
        Evaluator { domain: domain.into(), ..self }
    }
}

impl Evaluate for Evaluator {
    fn evaluate(&self, call: &cluster::Call, world: &World, stamp: &Stamp) -> Evaluated {
        let mut service = Service::V1;
        let outcome = wire::decode_call(&call.payload).and_then(|call| {
            service = call.operation.service;
            let Evaluator { seal, quotas, domain } = self;
            let (effect, ops, reply) = run(&Scene {
                call: &call,
                world,
                stamp: *stamp,
                seal: &**seal,
                quotas: *quotas,
                domain,
                reached: None,
            })?;
            Ok((effect, ops, Answer::of(reply, call.operation.status)))
        });
        let (effect, ops, answer) = outcome.unwrap_or_else(|fault| {
            log(&fault);
            (Effect::Read, Ops::new(), Answer::refusal(fault, service))
        });
        // An answer too large for the wire becomes a small one, and nothing happens.
        let (ops, reply, touches_serving) = match wire::encode_answer(&answer) {
            Ok(reply) => (ops.0, reply, effect == Effect::Serving),
            Err(fault) => {
                (Vec::new(), wire::encode_answer(&Answer::refusal(fault, service)).unwrap_or_default(), false)
            }
        };
        // Replies are kept in rows for the sake of retries, and some show a key's value: they are secrets like it.
        Evaluated { ops, reply: Bytes::from(self.seal.seal(&reply, stamp.seed)), touches_serving }
    }

    fn slow_scopes(&self, call: &cluster::Call, _: &World) -> Option<Vec<Scope>> {
        let call = wire::decode_call(&call.payload).ok()?;
        verb(&call).ok()?.slow.map(|scopes| scopes(&call))
    }
}

/// What an evaluator replied, on the node that asked.
///
/// # Errors
/// Internal for a reply that this node has no key for, or of no known form.
pub(super) fn answer_of(reply: &[u8], seal: &dyn Seal) -> Result<Answer, Fault> {
    let opened = seal.open(reply).ok_or_else(|| Fault::internal("the reply of the leader cannot be unsealed here"))?;
    wire::decode_answer(&opened)
}

/// The home of an operation; `None` while it has none.
pub(super) fn home(operation: &Operation) -> Option<&'static super::Verb> {
    match operation.service {
        Service::Lambda => lambda::verb(operation),
        Service::V1 | Service::V2 | Service::Management => v1::verb(operation),
    }
}

/// The verb of a call, or NotImplemented.
pub(super) fn verb(call: &Call) -> Result<&'static super::Verb, Fault> {
    home(call.operation).ok_or_else(|| Fault::not_implemented(call.operation.name))
}

/// Runs a pure operation. A panic in it is a mistake of ours: it is caught here and costs this call alone.
pub fn run(scene: &Scene<'_>) -> Result<(Effect, Ops, Reply), Fault> {
    let verb = verb(scene.call)?;
    let Run::Pure(operation) = verb.run else {
        return Err(Fault::internal(format!("{} is not run by the evaluator", verb.name)));
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| operation(scene)));
    let (ops, reply) = outcome.unwrap_or_else(|_| Err(Fault::internal(format!("{} panicked", verb.name))))?;
    for op in &ops.0 {
        if let Op::Put { table, row, .. } = op
            && row.bytes().len() > MOST_ROW_BYTES
        {
            let noun = Table::from_number(*table).map_or_else(|| "row".to_owned(), |table| format!("{table:?}"));
            let text = format!("The {noun} would have more than {MOST_ROW_BYTES} bytes with all of its parts");
            return Err(Fault::bad_request(text));
        }
    }
    Ok((verb.effect, ops, reply))
}

/// Logs what the client must not read.
pub(super) fn log(fault: &Fault) {
    if let Some(cause) = &fault.cause {
        tracing::error!(name = fault.name, status = fault.status, cause, "admin call failed");
    }
}
