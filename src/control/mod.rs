//! The administrator's walk: authenticate → table row → bind → permit → run → propose → render.
//!
//! The table (`table.rs`, generated) knows the wire, a catalog struct the noun, a function in `v1/` the verb. A write runs
//! on the leader, in [`Evaluator`]; a read runs here, on rows that are not older than the call. A call of a function runs
//! here too, on what this node has.

mod authenticate;
pub mod bind;
mod call;
pub mod door;
mod evaluator;
mod fault;
mod functions;
mod headers;
pub mod lambda;
pub mod model;
pub mod page;
pub mod patch;
mod quotas;
pub mod render;
mod replica;
pub mod router;
mod sizes;
#[rustfmt::skip]
pub mod table;
mod throttle;
mod trial;
mod usage_book;
pub mod v1;
pub mod wire;

pub use authenticate::Principal;
pub use call::{Call, Effect, Pure, Reply, Run, Scene, Verb};
pub use evaluator::{Evaluator, ROOM, run};
pub use fault::Fault;
pub use functions::{Functions, KeptCode};
pub use quotas::Quotas;
pub use replica::Replica;
pub use trial::TestBench;
pub use usage_book::{UsageBook, UsageFacts, UsageQuestion};

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use tracing::Instrument;

use crate::catalog::cluster::Node;
use crate::catalog::{AccountId, Mint, Region};
use crate::cluster::Stamp;
use crate::net::http::Body;
use crate::state::Scope;
use headers::{DEADLINE, MIN_INDEX_WAIT, Wishes};
use model::Service;
use render::Answer;

/// Hides the secrets of rows under the cluster's key (foundations §8.3); `node` fills it in.
pub trait Seal: Send + Sync {
    /// Seals a secret. The same secret and seed give the same bytes.
    fn seal(&self, secret: &[u8], seed: [u8; 16]) -> Vec<u8>;
    /// Opens what was sealed; `None` for what this node has no key for.
    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>>;
    /// The index of a secret: an HMAC, so that a look-up needs no opening.
    fn index(&self, secret: &[u8]) -> [u8; 32];
}

/// What the walk must know of its node.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Any credentials will do.
    pub dev: bool,
    /// The account of `--account`: whose things the admin token and development calls touch.
    pub account: AccountId,
    /// This node's region, where a call names none.
    pub region: Region,
    /// What the hosts of APIs end with.
    pub domain: String,
    /// Names that the listener answers to.
    pub names: door::Names,
    /// SHA-256 of this node's `admin-token`.
    pub admin_token_sha256: Option<[u8; 32]>,
    /// The largest body, bytes (AWS: 6 MiB for an import; ours 10).
    pub max_body_bytes: usize,
    /// AWS's throttle and quotas (`profile = "strict"`).
    pub strict: bool,
}

/// Where and when a request came, given by the listener.
#[derive(Clone, Copy, Debug)]
pub struct Visit {
    /// Who connected.
    pub peer: SocketAddr,
    /// The address that was reached.
    pub local: SocketAddr,
    /// Our clock, milliseconds since 1970.
    pub now_ms: i64,
    /// Fresh randomness.
    pub seed: [u8; 16],
}

/// The control plane of a node.
pub struct Control {
    replica: Arc<dyn Replica>,
    seal: Arc<dyn Seal>,
    book: Arc<dyn UsageBook>,
    bench: Arc<dyn TestBench>,
    /// `None` where this node runs no functions.
    functions: Option<Arc<dyn Functions>>,
    settings: Settings,
    throttle: Option<throttle::CallThrottle>,
}

/// What a request is answered with.
enum Answered {
    /// At once.
    Whole(Answer),
    /// As the function says it.
    Function(Response<Body>),
}

impl Control {
    /// A control plane over a replica.
    pub fn new(
        replica: Arc<dyn Replica>,
        seal: Arc<dyn Seal>,
        book: Arc<dyn UsageBook>,
        bench: Arc<dyn TestBench>,
        settings: Settings,
    ) -> Control {
        let throttle = settings.strict.then(throttle::CallThrottle::default);
        Control { replica, seal, book, bench, functions: None, settings, throttle }
    }

    /// The same, on a node that runs functions.
    #[must_use]
    pub fn with_functions(self, functions: Arc<dyn Functions>) -> Control {
        Control { functions: Some(functions), ..self }
    }

    /// Answers a request of AWS's namespace, always.
    pub async fn handle(&self, request: &Request<Bytes>, visit: &Visit) -> Response<Body> {
        let request_id = Mint::new(visit.seed).uuid();
        let path = request.uri().path();
        // Where a function's code is, the path is the permission: it is not logged.
        let shown = if lambda::is_download(path) { "/_aws/lambda/code/" } else { path };
        let span = tracing::info_span!("call", request_id, method = %request.method(), path = shown);
        let service = if router::is_lambda(path) || lambda::is_download(path) { Service::Lambda } else { Service::V1 };
        let walk = async {
            self.walk(request, visit, &request_id).await.unwrap_or_else(|fault| {
                evaluator::log(&fault);
                Answered::Whole(Answer::refusal(fault, service))
            })
        };
        match walk.instrument(span).await {
            Answered::Whole(answer) => answer.into_response(&request_id).map(Body::full),
            Answered::Function(response) => response,
        }
    }

    /// The most that a request's body may have, bytes: more where it brings a function's code.
    pub fn most_body_bytes(&self, method: &http::Method, path: &str) -> usize {
        let usual = self.settings.max_body_bytes;
        let brings = match path.strip_prefix("/2015-03-31/functions") {
            Some("" | "/") => method == http::Method::POST,
            Some(rest) => method == http::Method::PUT && rest.ends_with("/code"),
            None => false,
        };
        match &self.functions {
            // As base64, with room for what stands beside it.
            Some(functions) if brings => usual.max(functions.most_zip_bytes() / 3 * 4 + (64 << 10)),
            _ => usual,
        }
    }

    /// Whether a request may speak to this listener, and who sends it: for the cluster admin API and the console.
    pub fn admit(&self, request: &Request<Bytes>, visit: &Visit) -> Result<Principal, Fault> {
        door::admit(request, &self.settings.names, visit.local)?;
        let limit = self.most_body_bytes(request.method(), request.uri().path());
        if request.body().len() > limit {
            let text = format!("The request body is longer than {limit} bytes");
            return Err(Fault::new("RequestEntityTooLargeException", 413, text));
        }
        authenticate::authenticate(request, &self.replica.world(), &*self.seal, &self.settings, visit.now_ms)
    }

    /// What differs between an API's draft and what a stage of it serves, as of now ([`v1::diff::diff`]).
    pub async fn diff(&self, api: &str, stage: &str) -> Result<serde_json::Value, Fault> {
        self.replica.read_barrier(DEADLINE).await?;
        v1::diff::diff(&self.replica.world(), api, stage)
    }

    async fn walk(&self, request: &Request<Bytes>, visit: &Visit, request_id: &str) -> Result<Answered, Fault> {
        if lambda::is_download(request.uri().path()) {
            return self.download(request, visit).await.map(Answered::Whole);
        }
        let who = self.admit(request, visit)?;
        let wishes = headers::wishes(request.headers())?;
        let call = call_of(request, &who)?;
        let verb = evaluator::verb(&call)?;
        let functions = match (&self.functions, call.operation.service) {
            (None, Service::Lambda) => return Err(lambda::off()),
            (functions, _) => functions,
        };
        // AWS's numbers are API Gateway's.
        if let (Some(throttle), true) = (&self.throttle, call.operation.service != Service::Lambda) {
            throttle.take(&call, visit.now_ms)?;
        }
        self.permit(&who)?;
        self.catch_up(&wishes).await?;
        if let (Run::Invoke(ask), Some(functions)) = (verb.run, functions) {
            return self.invoke(&call, ask, &**functions, visit).await.map(Answered::Function);
        }
        let answer = match verb.effect {
            Effect::Read => self.read(&call, verb, visit, &wishes).await?,
            _ if matches!(verb.run, Run::Usage { .. }) => self.read(&call, verb, visit, &wishes).await?,
            _ => {
                let call = match functions {
                    Some(functions) if verb.brings_code => lambda::keep(call, &**functions).await?,
                    _ => call,
                };
                self.write(&call, &who, request, request_id, &wishes).await?
            }
        };
        Ok(Answered::Whole(answer))
    }

    /// Calls a function with what this node has: no call waits for a leader.
    async fn invoke(
        &self,
        call: &Call,
        ask: fn(&Scene<'_>) -> Result<crate::function::call::Call, Fault>,
        functions: &dyn Functions,
        visit: &Visit,
    ) -> Result<Response<Body>, Fault> {
        let world = self.replica.world();
        let asked = ask(&self.scene(call, &world, visit))?;
        let (streamed, request_id) = (asked.streamed, asked.request_id.clone());
        Ok(lambda::invoke::response(functions.invoke(asked).await?, streamed, &request_id))
    }

    /// A function's code, by the address that GetFunction gave.
    async fn download(&self, request: &Request<Bytes>, visit: &Visit) -> Result<Answer, Fault> {
        door::admit(request, &self.settings.names, visit.local)?;
        let functions = self.functions.as_ref().ok_or_else(lambda::off)?;
        if request.method() != http::Method::GET {
            return Err(Fault::new("UnknownOperationException", 405, "A function's code can only be got"));
        }
        let sha256 = lambda::open_download(request.uri().path(), &*self.seal, visit.now_ms)?;
        let zip = functions.code(sha256).await?;
        let mut answer = Answer { status: 200, body: zip.to_vec(), ..Answer::default() };
        answer.header("content-type", "application/zip");
        answer.header("content-disposition", "attachment; filename=\"code.zip\"");
        Ok(answer)
    }

    /// What an operation sees when it is answered on this node.
    fn scene<'a>(&'a self, call: &'a Call, world: &'a crate::state::World, visit: &Visit) -> Scene<'a> {
        let stamp = Stamp { time_ms: visit.now_ms, seed: visit.seed };
        let quotas = Quotas::of(self.settings.strict);
        let (seal, domain) = (&*self.seal, self.settings.domain.as_str());
        Scene { call, world, stamp, seal, quotas, domain, reached: Some(visit.local) }
    }

    /// A call for a region without nodes would make things that nobody serves.
    fn permit(&self, who: &Principal) -> Result<(), Fault> {
        let nodes = self.replica.world().list::<Node>(&Scope::cluster(), "")?;
        let mut regions: Vec<&str> = nodes.iter().map(|(_, node)| node.region.as_str()).collect();
        regions.sort_unstable();
        regions.dedup();
        if self.settings.dev || regions.is_empty() || regions.contains(&who.region.as_str()) {
            return Ok(());
        }
        let text =
            format!("No node of this cluster is in the region {}. It has nodes in: {}", who.region, regions.join(", "));
        Err(Fault::bad_request(text))
    }

    async fn catch_up(&self, wishes: &Wishes) -> Result<(), Fault> {
        if let Some((epoch, index)) = wishes.min_index {
            headers::check_epoch(epoch, headers::epoch(&self.replica.world()))?;
            self.replica.wait_activated(index, MIN_INDEX_WAIT).await?;
        }
        Ok(())
    }

    async fn read(&self, call: &Call, verb: &Verb, visit: &Visit, wishes: &Wishes) -> Result<Answer, Fault> {
        if !wishes.stale {
            self.replica.read_barrier(DEADLINE).await?;
        }
        let world = self.replica.world();
        let scene = self.scene(call, &world, visit);
        let reply = match verb.run {
            Run::Pure(_) => run(&scene)?.2,
            Run::Usage { ask, tell } => tell(&scene, &self.book.ask(ask(&scene)?).await?)?,
            Run::Trial { ask, tell } => tell(&self.bench.try_out(ask(&scene)?).await?),
            Run::Invoke(_) => return Err(Fault::internal(format!("{} is no read", verb.name))),
        };
        let mut answer = Answer::of(reply, call.operation.status);
        headers::stamp(&mut answer, &world, world.seq().min(self.replica.activated()));
        Ok(answer)
    }

    async fn write(
        &self,
        call: &Call,
        who: &Principal,
        request: &Request<Bytes>,
        request_id: &str,
        wishes: &Wishes,
    ) -> Result<Answer, Fault> {
        let proposal = headers::proposal(call, who, request.headers(), request_id)?;
        let deadline =
            if matches!(wishes.wait, crate::cluster::Wait::All { .. }) { headers::WAIT_ALL } else { DEADLINE };
        let done = self.replica.propose(proposal, deadline, wishes.wait).await?;
        let mut answer = evaluator::answer_of(&done.reply, &*self.seal)?;
        headers::stamp(&mut answer, &self.replica.world(), done.index);
        if done.lagging > 0 {
            answer.header("x-meridian-lagging", done.lagging.to_string());
            if matches!(wishes.wait, crate::cluster::Wait::All { .. }) && answer.error.is_none() {
                answer.status = 202;
            }
        }
        Ok(answer)
    }
}

/// Table row and bind.
fn call_of(request: &Request<Bytes>, who: &Principal) -> Result<Call, Fault> {
    let query = router::query(request.uri().query().unwrap_or_default());
    let route =
        query.and_then(|query| Ok((router::route(request.method().as_str(), request.uri().path(), &query)?, query)));
    let (route, query) = route.map_err(|none| match none {
        router::NoRoute::Unknown => Fault::new(
            "UnknownOperationException",
            404,
            "Unknown operation: no operation of API Gateway or Lambda has this method and path",
        ),
        router::NoRoute::Malformed => Fault::bad_request("The path or the query is not percent-encoded UTF-8"),
    })?;
    if evaluator::home(route.operation).is_none() {
        return Err(Fault::not_implemented(route.operation.name));
    }
    let (input, body) = bind::bind(&route, &query, request.headers(), request.body())?;
    sizes::check(route.operation, &input)?;
    let Principal { account, region, access_key } = who.clone();
    Ok(Call { operation: route.operation, account, region, caller: access_key, input, body })
}

/// Whether the walk answers for a path.
pub fn is_ours(path: &str) -> bool {
    router::is_aws(path) || lambda::is_download(path)
}
