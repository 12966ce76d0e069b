//! Plans at hand: which stage a name means now, found again without a lock while the World stands still.
//!
//! A worker remembers what it looked up with the rows that it came from. While no Change was applied it asks nobody;
//! after one it compares row pointers, and only a changed row costs anything. Compiled plans are shared by all workers.

use super::refusal::{Kind, Refusal};
use super::worker::Worker;
use crate::catalog::v1::{Account, CanarySettings, ClientCertificate, RestApi, Stage};
use crate::catalog::{Noun, Table};
use crate::net::http::{Identity, Target};
use crate::observe::log_files::LogName;
use crate::plan::{Backend, ServingPlan, Which};
use crate::state::{Row, Scope, World};
use crate::usage::Throttle;
use http::HeaderValue;
use std::rc::Rc;
use std::sync::Arc;

/// The tag that adds regions to an API's own (foundations §5.7).
pub const REGIONS_TAG: &str = "meridian:regions";

/// A plan with what the gateway makes of it.
#[derive(Debug)]
pub(crate) struct StagePlan {
    pub(crate) plan: ServingPlan,
    /// Where each method's backend is, when the plan knows; by method index.
    pub(crate) targets: Vec<Option<Target>>,
    /// Each method's stage throttle.
    pub(crate) throttles: Vec<Option<Throttle>>,
    /// The API's id, as backends are told it.
    pub(crate) api_id: Option<HeaderValue>,
    /// What the stage's logs are called.
    pub(crate) access_log: LogName,
    pub(crate) execution_log: LogName,
    /// As whom backends are called.
    shown: Shown,
    /// When the stage was made.
    created_ms: i64,
}

/// The client certificate of a stage.
#[derive(Debug)]
pub(super) enum Shown {
    /// The stage has none.
    Nobody,
    /// This one.
    As(Identity),
    /// It has one that cannot be used: TLS backends are not called, since they would see nobody.
    Unusable,
}

impl Shown {
    /// The backend, called as the stage wants it.
    fn target(&self, scheme: &str, authority: &str, insecure: bool) -> Option<Target> {
        let target = Target::parse(scheme, authority)?;
        let target = if insecure { target.unverified() } else { target };
        match self {
            Shown::As(identity) => Some(target.shown(identity)),
            Shown::Unusable if target.scheme() == "https" => None,
            Shown::Nobody | Shown::Unusable => Some(target),
        }
    }
}

impl StagePlan {
    fn new(plan: ServingPlan, shown: Shown, created_ms: i64) -> StagePlan {
        let target = |backend: &Backend| match backend {
            Backend::Http(http) => {
                let (scheme, authority) = http.uri.fixed.as_ref()?;
                shown.target(scheme, authority, http.insecure)
            }
            _ => None,
        };
        let targets = plan.methods.iter().map(|m| target(&m.backend)).collect();
        let throttle = |t: &crate::plan::StageThrottle| Throttle::new(t.rate, t.burst).ok();
        let throttles = plan.methods.iter().map(|m| m.throttle.as_ref().and_then(throttle)).collect();
        let api_id = HeaderValue::try_from(&*plan.api).ok();
        let access_log = LogName::access(&plan.api, &plan.stage);
        // AWS: `…/{stage}/Canary`.
        let part = if plan.canary { format!("{}/Canary", plan.stage) } else { plan.stage.to_string() };
        let execution_log = LogName::execution(&plan.api, &part);
        StagePlan { plan, targets, throttles, api_id, access_log, execution_log, shown, created_ms }
    }

    /// A backend whose address only the request tells.
    pub(super) fn target(&self, scheme: &str, authority: &str, insecure: bool) -> Option<Target> {
        self.shown.target(scheme, authority, insecure)
    }

    /// Of a plan that nobody serves.
    pub(super) fn of_trial(plan: ServingPlan) -> StagePlan {
        StagePlan::new(plan, Shown::Nobody, 0)
    }

    /// The key of another revision of the same stage.
    pub(super) fn key_of(&self, deployment: &str, revision: u64) -> PlanKey {
        PlanKey {
            api: self.plan.api.clone(),
            stage: self.plan.stage.clone(),
            deployment: deployment.into(),
            revision,
            created_ms: self.created_ms,
            canary: self.plan.canary,
        }
    }
}

/// Which plan: an API's id is unique in the cluster, and a stage's revision grows with every write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PlanKey {
    pub api: Box<str>,
    pub stage: Box<str>,
    pub deployment: Box<str>,
    pub revision: u64,
    /// When the stage was made: a stage that was deleted and made again begins its revisions anew.
    pub created_ms: i64,
    /// Whether it is what the canary serves.
    pub canary: bool,
}

/// Compiled plans, bounded by bytes; what is in use lives on in its users' hands.
pub(super) type Plans = moka::sync::Cache<PlanKey, Arc<StagePlan>>;

pub(super) fn plans(bytes: u64) -> Plans {
    moka::sync::Cache::builder()
        .max_capacity(bytes)
        .weigher(|_, plan: &Arc<StagePlan>| u32::try_from(plan.plan.bytes).unwrap_or(u32::MAX))
        .build()
}

/// What a name means now.
#[derive(Debug)]
pub(super) struct Current {
    pub stage: Arc<StagePlan>,
    /// A part of the traffic for another deployment.
    pub canary: Option<Canary>,
    /// The region's scope: keys, usage plans.
    pub region_scope: Scope,
    /// The account's throttle in the API's region, and its bucket.
    pub account_throttle: Option<Throttle>,
    pub account_bucket: Box<str>,
    /// Regions that serve the API, its home first; `None`: all.
    pub regions: Option<Vec<Box<str>>>,
}

/// The canary of a stage.
#[derive(Debug)]
pub(super) struct Canary {
    /// Its part of the traffic, 0–100.
    percent: f64,
    /// What it serves; `None`: its deployment is gone or cannot be compiled.
    pub stage: Option<Arc<StagePlan>>,
}

impl Canary {
    /// Whether a visit with this lot, 0 to 1, is its own.
    pub(super) fn takes(&self, lot: f64) -> bool {
        lot * 100.0 < self.percent
    }
}

/// A look-up with the rows it was made of.
#[derive(Debug)]
pub(super) struct Fresh<T> {
    seq: u64,
    rows: Vec<(Scope, Table, Box<str>, Option<Row>)>,
    pub value: Rc<T>,
}

impl<T> Fresh<T> {
    pub(super) fn new(seq: u64, rows: Vec<(Scope, Table, Box<str>, Option<Row>)>, value: T) -> Fresh<T> {
        Fresh { seq, rows, value: Rc::new(value) }
    }

    /// Whether the same look-up in this World would read the same rows.
    pub(super) fn holds(&mut self, world: &World) -> bool {
        if self.seq == world.seq() {
            return true;
        }
        let same = self.rows.iter().all(|(scope, table, id, then)| {
            match (world.row(scope, *table, id), then) {
                // Our clone keeps the bytes alive, so an equal address means the same row.
                (Some(now), Some(then)) => std::ptr::eq(now.bytes(), then.bytes()),
                (None, None) => true,
                _ => false,
            }
        });
        if same {
            self.seq = world.seq();
        }
        same
    }
}

/// The stage that a name means, compiled. Plans that no worker has yet are compiled off the workers.
pub(super) async fn current(worker: &Rc<Worker>, api: &str, stage: &str) -> Result<Rc<Current>, Refusal> {
    let world = {
        let mut worlds = worker.world.borrow_mut();
        let world = worlds.load();
        let mut stages = worker.stages.borrow_mut();
        let remembered = stages.get_mut(api).and_then(|of| of.iter_mut().find(|(name, _)| **name == *stage));
        if let Some((_, fresh)) = remembered
            && fresh.holds(world)
        {
            return Ok(fresh.value.clone());
        }
        world.clone()
    };
    let fresh = Box::pin(look_up(worker, &world, api, stage)).await?;
    let value = fresh.value.clone();
    let mut stages = worker.stages.borrow_mut();
    if stages.len() > 10_000 {
        stages.clear();
    }
    let of = stages.entry(api.into()).or_default();
    of.retain(|(name, _)| **name != *stage);
    of.push((stage.into(), fresh));
    Ok(value)
}

/// The same without compiling anew: for a visit whose edge pinned an older revision that is still at hand.
pub(super) fn remembered(worker: &Worker, key: &PlanKey) -> Option<Arc<StagePlan>> {
    worker.shared.plans.get(key)
}

async fn look_up(worker: &Worker, world: &Arc<World>, api: &str, stage: &str) -> Result<Fresh<Current>, Refusal> {
    let unknown = |cause| Refusal::new(Kind::UnknownStage, cause);
    let broken = |what: &'static str| move |e: crate::state::RowError| Refusal::new(Kind::Internal, what).because(e);
    let scope = world.api_scope(api).ok_or_else(|| unknown("unknown_api"))?;
    let row = world.row(&scope, Stage::TABLE, stage).ok_or_else(|| unknown("unknown_stage"))?;
    let region_scope = scope.to_region();
    let (Some(account), Some(region)) = (scope.account(), scope.region_name()) else {
        return Err(unknown("unknown_api"));
    };
    let read: Stage = row.read().map_err(broken("stage_row"))?;
    let live: RestApi = world.get(&scope, api).map_err(broken("api_row"))?.unwrap_or_default();
    let settings: Account =
        world.get(&region_scope, Account::ROW_ID).map_err(broken("account_row"))?.unwrap_or_default();
    let rows = vec![
        (scope.clone(), Table::Stage, stage.into(), Some(row.clone())),
        (scope.clone(), Table::RestApi, api.into(), world.row(&scope, Table::RestApi, api).cloned()),
        (
            region_scope.clone(),
            Table::Account,
            Account::ROW_ID.into(),
            world.row(&region_scope, Table::Account, Account::ROW_ID).cloned(),
        ),
    ];
    let account_throttle = match settings.throttle_settings {
        Some(t) => Throttle::new(t.rate_limit.unwrap_or(f64::INFINITY), burst(t.burst_limit)).ok(),
        None => worker.shared.limits.account_throttle,
    };
    let owner = (account.as_str(), region.as_str(), api);
    let value = Current {
        canary: canary(worker, world, &scope, &read, owner).await,
        stage: compiled(worker, world, &scope, Compile { stage: read, canary: None }, owner).await?,
        account_bucket: format!("{account}/{region}").into(),
        regions: regions(region.as_str(), live.tags.get(REGIONS_TAG).map(String::as_str)),
        region_scope,
        account_throttle,
    };
    Ok(Fresh::new(world.seq(), rows, value))
}

/// A burst of the control plane: absent or negative means none.
pub(super) fn burst(limit: Option<i32>) -> u32 {
    limit.map_or(u32::MAX, |l| u32::try_from(l).unwrap_or(u32::MAX))
}

/// The regions that serve an API: its home and those of the tag; `None` for all.
fn regions(home: &str, tag: Option<&str>) -> Option<Vec<Box<str>>> {
    let mut all: Vec<Box<str>> = vec![home.into()];
    for name in tag.unwrap_or_default().split([',', ' ', ':']).map(str::trim).filter(|n| !n.is_empty()) {
        if name == "*" {
            return None;
        }
        if !all.iter().any(|have| **have == *name) {
            all.push(name.into());
        }
    }
    Some(all)
}

pub(super) fn plan_key(api: &str, stage: &Stage) -> PlanKey {
    PlanKey {
        api: api.into(),
        stage: stage.stage_name.as_str().into(),
        deployment: stage.deployment_id.as_str().into(),
        revision: stage.revision,
        created_ms: stage.created_date_ms,
        canary: false,
    }
}

/// The certificate that a stage shows backends; it never changes while a stage has it.
fn shown(worker: &Worker, world: &World, scope: &Scope, stage: &Stage) -> Shown {
    let Some(id) = stage.client_certificate_id.as_deref().filter(|id| !id.is_empty()) else { return Shown::Nobody };
    let opened = match world.get::<ClientCertificate>(&scope.to_region(), id) {
        Ok(Some(row)) => match worker.shared.key_hash.open(&row.private_key_sealed) {
            Some(key) => Identity::new(row.pem_encoded_certificate.as_bytes(), &key).map_err(|e| e.to_string()),
            None => Err("its private key cannot be opened".into()),
        },
        Ok(None) => Err("there is no such certificate".into()),
        Err(error) => Err(error.to_string()),
    };
    opened.map_or_else(
        |why| {
            tracing::error!(
                certificate = id,
                stage = stage.stage_name.as_str(),
                why,
                "a client certificate is of no use"
            );
            Shown::Unusable
        },
        Shown::As,
    )
}

/// What is compiled: a stage, or what its canary serves.
struct Compile {
    stage: Stage,
    canary: Option<CanarySettings>,
}

/// The canary of a stage. One that cannot be served harms its own part of the traffic alone.
async fn canary(
    worker: &Worker,
    world: &Arc<World>,
    scope: &Scope,
    stage: &Stage,
    owner: (&str, &str, &str),
) -> Option<Canary> {
    let settings = stage.canary_settings.clone()?;
    let percent = settings.percent_traffic;
    if percent.is_nan() || percent <= 0.0 {
        return None;
    }
    let compile = Compile { stage: stage.clone(), canary: Some(settings) };
    let plan = compiled(worker, world, scope, compile, owner).await.inspect_err(|refusal| {
        tracing::error!(api = owner.2, stage = stage.stage_name, cause = %refusal.cause, "a canary cannot be served");
    });
    Some(Canary { percent, stage: plan.ok() })
}

async fn compiled(
    worker: &Worker,
    world: &Arc<World>,
    scope: &Scope,
    compile: Compile,
    (account, region, api): (&str, &str, &str),
) -> Result<Arc<StagePlan>, Refusal> {
    let Compile { stage, canary } = compile;
    let deployment = canary.as_ref().map_or(&stage.deployment_id, |canary| &canary.deployment_id).clone();
    let key = PlanKey { deployment: deployment.as_str().into(), canary: canary.is_some(), ..plan_key(api, &stage) };
    if let Some(plan) = worker.shared.plans.get(&key) {
        return Ok(plan);
    }
    // A stage without a deployment serves nothing, as one that does not exist.
    let tree = world.frozen(scope, &deployment).ok_or_else(|| Refusal::new(Kind::UnknownStage, "no_deployment"))?;
    let (account, region, api) = (account.to_owned(), region.to_owned(), api.to_owned());
    let plans = worker.shared.plans.clone();
    let shown = shown(worker, world, scope, &stage);
    let compile = move || {
        plans.try_get_with(key, || {
            let which = Which { account: &account, region: &region, api: &api };
            let plan = match &canary {
                None => ServingPlan::compile(&tree, &stage, which),
                Some(canary) => ServingPlan::compile_canary(&tree, &stage, canary, which),
            };
            plan.map(|plan| Arc::new(StagePlan::new(plan, shown, stage.created_date_ms)))
        })
    };
    match tokio::task::spawn_blocking(compile).await {
        Ok(Ok(plan)) => Ok(plan),
        Ok(Err(flaws)) => {
            let words: Vec<String> = flaws.iter().map(ToString::to_string).collect();
            let place = flaws.first().map(|flaw| flaw.place.as_str()).unwrap_or_default();
            Err(Refusal::new(Kind::ApiConfigurationError, "plan_flaws").because(words.join("; ")).at(place))
        }
        Err(error) => Err(Refusal::new(Kind::Internal, "compile_panicked").because(error)),
    }
}
