//! key: the API key of a method that needs one, and the usage plan that lets it in (usage-plans §5.1–2).

use super::ask::Ask;
use super::authorize::Authorized;
use super::policy::unbuilt;
use super::refusal::{Kind, Refusal};
use super::route::Routed;
use super::stage::{Fresh, burst};
use super::worker::Worker;
use crate::catalog::v1::{ApiKey, QuotaPeriod, ThrottleSettings, UsagePlan};
use crate::catalog::{Noun, Table};
use crate::state::{RowError, Scope, World};
use crate::usage::{PeriodKind, QuotaSpec, Throttle};
use http::HeaderName;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Keys that a worker remembers; beyond it forgets all and begins anew.
const REMEMBERED: usize = 10_000;

/// A key, read once.
#[derive(Debug)]
pub(super) struct KeyFacts {
    pub id: Box<str>,
    enabled: bool,
    plans: Vec<PlanFacts>,
}

/// A usage plan of a key, read once.
#[derive(Debug)]
pub(super) struct PlanFacts {
    pub id: Box<str>,
    /// Unique in the cluster: `{account}/{region}/{plan}`.
    pub name: Box<str>,
    pub quota: Option<QuotaSpec>,
    pub throttle: Option<Bucket>,
    /// `{api}:{stage}` → `/pets/GET` → throttle.
    stages: HashMap<Box<str>, BTreeMap<Box<str>, Bucket>>,
}

/// A throttle and its bucket's name.
#[derive(Debug)]
pub(super) struct Bucket {
    pub throttle: Throttle,
    pub name: Box<str>,
}

impl PlanFacts {
    /// The throttle for a method: its own, else the plan's.
    pub(super) fn throttle_for(&self, stage: &str, method: &str) -> Option<&Bucket> {
        self.stages.get(stage).and_then(|methods| methods.get(method)).or(self.throttle.as_ref())
    }
}

/// A request whose key, where one is needed, is good.
pub(super) struct Keyed {
    pub routed: Routed,
    /// The key, and which of its plans covers the stage.
    pub key: Option<(Rc<KeyFacts>, usize)>,
}

impl Keyed {
    pub(super) fn plan(&self) -> Option<&PlanFacts> {
        self.key.as_ref().and_then(|(key, plan)| key.plans.get(*plan))
    }
}

pub(super) fn key(worker: &Worker, authorized: Authorized, ask: &mut Ask) -> Result<Keyed, Refusal> {
    let routed = authorized.0;
    if !routed.matched.method().key_required {
        return Ok(Keyed { routed, key: None });
    }
    let plan = &routed.matched.stage.plan;
    if !plan.key_in_header {
        return Err(unbuilt("API keys given by an authorizer"));
    }
    let forbidden = |cause| Refusal::new(Kind::InvalidApiKey, cause);
    let value = ask.headers.get(API_KEY).ok_or_else(|| forbidden("no_key"))?;
    let key = find(worker, &routed.current.region_scope, value.as_bytes())?.ok_or_else(|| forbidden("unknown_key"))?;
    if !key.enabled {
        return Err(forbidden("disabled_key"));
    }
    let covers = |p: &PlanFacts| p.stages.contains_key(&plan.name);
    let index = key.plans.iter().position(covers).ok_or_else(|| forbidden("no_plan_for_stage"))?;
    ask.facts.key_id = key.id.to_string();
    ask.facts.key_value = String::from_utf8_lossy(value.as_bytes()).into_owned();
    ask.facts.plan_id = key.plans[index].id.to_string();
    Ok(Keyed { routed, key: Some((key, index)) })
}

/// The key with this value, from the worker's memory while its rows stand.
fn find(worker: &Worker, region: &Scope, value: &[u8]) -> Result<Option<Rc<KeyFacts>>, Refusal> {
    let mut worlds = worker.world.borrow_mut();
    let world = worlds.load();
    let mut keys = worker.keys.borrow_mut();
    if let Some(fresh) = keys.get_mut(region).and_then(|of| of.get_mut(value))
        && fresh.holds(world)
    {
        return Ok(Some(fresh.value.clone()));
    }
    let hash = worker.shared.key_hash.hash(value);
    let Some(id) = world.api_key_by_hash(region, &hash) else {
        keys.get_mut(region).and_then(|of| of.remove(value));
        return Ok(None);
    };
    let fresh = read(world, region, id).map_err(|e| Refusal::new(Kind::Internal, "key_row").because(e))?;
    let facts = fresh.value.clone();
    let of = keys.entry(region.clone()).or_default();
    if of.len() >= REMEMBERED {
        of.clear();
    }
    of.insert(value.into(), fresh);
    Ok(Some(facts))
}

fn read(world: &World, region: &Scope, id: &str) -> Result<Fresh<KeyFacts>, RowError> {
    let at = |table: Table, id: &str| (region.clone(), table, id.into(), world.row(region, table, id).cloned());
    let key: ApiKey = world.get(region, id)?.unwrap_or_default();
    let mut rows = vec![at(ApiKey::TABLE, id)];
    let mut plans = Vec::with_capacity(key.plan_ids.len());
    for plan_id in &key.plan_ids {
        rows.push(at(UsagePlan::TABLE, plan_id));
        if let Some(plan) = world.get::<UsagePlan>(region, plan_id)? {
            plans.push(plan_facts(region, world.seq(), &plan));
        }
    }
    let facts = KeyFacts { id: id.into(), enabled: key.enabled, plans };
    Ok(Fresh::new(world.seq(), rows, facts))
}

fn plan_facts(region: &Scope, seq: u64, plan: &UsagePlan) -> PlanFacts {
    let name: Box<str> = format!("{}{}", region.as_str(), plan.id).into();
    let quota = plan.quota.as_ref().map(|q| QuotaSpec {
        limit: u64::try_from(q.limit).unwrap_or(0),
        offset: u64::try_from(q.offset).unwrap_or(0),
        period: match q.period {
            QuotaPeriod::Week => PeriodKind::Week,
            QuotaPeriod::Month => PeriodKind::Month,
            _ => PeriodKind::Day,
        },
        created_ms: plan.created_date_ms,
        seq,
    });
    let mut stages: HashMap<Box<str>, BTreeMap<Box<str>, Bucket>> = HashMap::new();
    for covered in &plan.api_stages {
        let stage: Box<str> = format!("{}:{}", covered.api_id, covered.stage).into();
        let methods = covered.throttle.iter().filter_map(|(method, settings)| {
            let bucket = bucket(settings, format!("{name}/{stage}{method}"))?;
            Some((method.as_str().into(), bucket))
        });
        stages.insert(stage.clone(), methods.collect());
    }
    let throttle = plan.throttle.as_ref().and_then(|t| bucket(t, name.to_string()));
    PlanFacts { id: plan.id.as_str().into(), name, quota, throttle, stages }
}

/// A bucket, unless neither rate nor burst is set; the one that is not set does not limit.
fn bucket(settings: &ThrottleSettings, name: String) -> Option<Bucket> {
    if settings.rate_limit.is_none() && settings.burst_limit.is_none() {
        return None;
    }
    let rate = settings.rate_limit.filter(|r| *r >= 0.0).unwrap_or(f64::INFINITY);
    let throttle = Throttle::new(rate, burst(settings.burst_limit)).ok()?;
    Some(Bucket { throttle, name: name.into() })
}
