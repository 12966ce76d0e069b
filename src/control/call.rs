//! A bound call, what an operation sees of the world, and what it gives back.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::model::Operation;
use super::render::Object;
use super::usage_book::{UsageFacts, UsageQuestion};
use super::{Fault, Quotas, Seal};
use crate::catalog::{AccountId, ApiId, Mint, Region};
use crate::cluster::Stamp;
use crate::function::call as function;
use crate::gateway::{Trial, Tried};
use crate::state::{Ops, Scope, World};

/// An operation with its arguments and its caller: typed, checked against the model, authenticated.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which operation.
    pub operation: &'static Operation,
    /// Whose things.
    pub account: AccountId,
    /// In which region.
    pub region: Region,
    /// The access key id of the caller.
    pub caller: String,
    /// Arguments by their names in SDKs (`restApiId`); absent and null are the same, but inside maps.
    pub input: Map<String, Value>,
    /// The body, where the body itself is an argument.
    pub body: Bytes,
}

impl Call {
    /// A text argument.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.input.get(name)?.as_str()
    }

    /// A text argument that binding made sure of (labels, required members); empty otherwise.
    pub fn label(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    /// A boolean argument.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.input.get(name)?.as_bool()
    }

    /// A whole-number argument.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.input.get(name)?.as_i64()
    }

    /// An object argument.
    pub fn object(&self, name: &str) -> Option<&Map<String, Value>> {
        self.input.get(name)?.as_object()
    }

    /// A list of objects or texts, as JSON.
    pub fn list(&self, name: &str) -> Option<&[Value]> {
        self.input.get(name)?.as_array().map(Vec::as_slice)
    }

    /// A list of texts.
    pub fn texts(&self, name: &str) -> Option<Vec<String>> {
        Some(self.list(name)?.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect())
    }

    /// A map of texts; null values are dropped.
    pub fn text_map(&self, name: &str) -> Option<BTreeMap<String, String>> {
        let pairs = self.object(name)?.iter();
        Some(pairs.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect())
    }

    /// A map of texts that keeps nulls (templates).
    pub fn nullable_map(&self, name: &str) -> Option<BTreeMap<String, Option<String>>> {
        let pairs = self.object(name)?.iter();
        Some(pairs.map(|(k, v)| (k.clone(), v.as_str().map(str::to_owned))).collect())
    }

    /// A map of booleans; null values are dropped.
    pub fn flag_map(&self, name: &str) -> Option<BTreeMap<String, bool>> {
        let pairs = self.object(name)?.iter();
        Some(pairs.filter_map(|(k, v)| Some((k.clone(), v.as_bool()?))).collect())
    }

    /// Where the caller's keys and plans live.
    pub fn region_scope(&self) -> Scope {
        Scope::region(&self.account, &self.region)
    }

    /// Where the API named by the argument `restApiId` lives.
    pub fn api_scope(&self) -> Scope {
        self.scope_of(self.label("restApiId"))
    }

    /// Where an API of the caller lives.
    pub fn scope_of(&self, api: &str) -> Scope {
        Scope::api(&self.account, &self.region, &ApiId::from(api))
    }
}

/// All that an operation sees.
pub struct Scene<'a> {
    /// The call.
    pub call: &'a Call,
    /// Every row.
    pub world: &'a World,
    /// Time and seed.
    pub stamp: Stamp,
    /// Hides secrets in rows.
    pub seal: &'a dyn Seal,
    /// How many of each thing there may be.
    pub quotas: Quotas,
    /// What the hosts of APIs end with (`--domain`): `{api}.execute-api.{region}.{domain}`.
    pub domain: &'a str,
    /// Where this node was reached; only while a call is answered here.
    pub reached: Option<std::net::SocketAddr>,
}

impl Scene<'_> {
    /// A fresh maker of ids: one per operation, for the same seed makes the same ids.
    pub fn mint(&self) -> Mint {
        Mint::new(self.stamp.seed)
    }
}

/// What an operation answers when it succeeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// A status other than the table's.
    pub status: Option<u16>,
    /// Headers beside the usual.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

impl Reply {
    /// A JSON body.
    pub fn json(object: Object) -> Reply {
        Reply { body: object.into_text().into_bytes(), ..Reply::default() }
    }

    /// No body.
    pub fn empty() -> Reply {
        Reply::default()
    }
}

/// What an operation does to the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Read,
    /// Changes drafts, which nobody serves.
    Draft,
    /// Changes what nodes serve: answered when live nodes have activated it.
    Serving,
}

/// A pure operation.
pub type Pure = fn(&Scene<'_>) -> Result<(Ops, Reply), Fault>;

/// How an operation runs.
#[derive(Clone, Copy)]
pub enum Run {
    /// Over the rows alone.
    Pure(Pure),
    /// Asks the usage room once, then answers.
    Usage {
        /// Checks the call and makes the question.
        ask: fn(&Scene<'_>) -> Result<UsageQuestion, Fault>,
        /// Makes the answer.
        tell: fn(&Scene<'_>, &UsageFacts) -> Result<Reply, Fault>,
    },
    /// Asks the gateway once, then answers.
    Trial {
        /// Checks the call and says what is to be tried.
        ask: fn(&Scene<'_>) -> Result<Trial, Fault>,
        /// Makes the answer.
        tell: fn(&Tried) -> Reply,
    },
    /// Calls a function on this node; the walk makes the answer, for it may come in pieces.
    Invoke(fn(&Scene<'_>) -> Result<function::Call, Fault>),
}

/// An operation's home: a noun's file lists its own.
#[derive(Clone, Copy)]
pub struct Verb {
    /// The operation's name in the table.
    pub name: &'static str,
    /// What it does to the rows.
    pub effect: Effect,
    /// How it runs.
    pub run: Run,
    /// For one that may take long: the scopes that it reads and writes. It runs beside the evaluator's lane, and again
    /// where one of them moved meanwhile (foundations §1.6).
    pub slow: Option<fn(&Call) -> Vec<Scope>>,
    /// Whether the call brings code, which the node that takes it keeps as a blob before the call is proposed.
    pub brings_code: bool,
}

impl Verb {
    const fn new(name: &'static str, effect: Effect, run: Run) -> Verb {
        Verb { name, effect, run, slow: None, brings_code: false }
    }

    /// A look.
    pub const fn read(name: &'static str, run: Pure) -> Verb {
        Verb::new(name, Effect::Read, Run::Pure(run))
    }

    /// A change of drafts.
    pub const fn draft(name: &'static str, run: Pure) -> Verb {
        Verb::new(name, Effect::Draft, Run::Pure(run))
    }

    /// A change of what is served.
    pub const fn serving(name: &'static str, run: Pure) -> Verb {
        Verb::new(name, Effect::Serving, Run::Pure(run))
    }

    /// A question to the usage room.
    pub const fn usage(
        name: &'static str,
        effect: Effect,
        ask: fn(&Scene<'_>) -> Result<UsageQuestion, Fault>,
        tell: fn(&Scene<'_>, &UsageFacts) -> Result<Reply, Fault>,
    ) -> Verb {
        Verb::new(name, effect, Run::Usage { ask, tell })
    }

    /// A trial of a draft by the gateway.
    pub const fn trial(
        name: &'static str,
        ask: fn(&Scene<'_>) -> Result<Trial, Fault>,
        tell: fn(&Tried) -> Reply,
    ) -> Verb {
        Verb::new(name, Effect::Read, Run::Trial { ask, tell })
    }

    /// A call of a function.
    pub const fn invoke(name: &'static str, ask: fn(&Scene<'_>) -> Result<function::Call, Fault>) -> Verb {
        Verb::new(name, Effect::Read, Run::Invoke(ask))
    }

    /// The same verb, bringing code.
    pub const fn with_code(self) -> Verb {
        Verb { brings_code: true, ..self }
    }

    /// The same verb, run beside the lane over these scopes.
    pub const fn slow(self, scopes: fn(&Call) -> Vec<Scope>) -> Verb {
        Verb { slow: Some(scopes), ..self }
    }
}

impl std::fmt::Debug for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verb({}, {:?})", self.name, self.effect)
    }
}
