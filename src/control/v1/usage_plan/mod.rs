//! Usage plans: which keys may call which stages, how fast and how often.

mod patch_rules;

use super::tags;
use crate::catalog::Table;
use crate::catalog::v1::{ApiKey, ApiStage, QuotaPeriod, QuotaSettings, ThrottleSettings, UsagePlan, UsagePlanKey};
use crate::control::patch;
use crate::control::quotas::{self, Owner};
use crate::control::render::{Object, texts};
use crate::control::{Fault, Reply, Scene, Verb, page};
use crate::state::Ops;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    Verb::serving("CreateUsagePlan", create),
    Verb::read("GetUsagePlan", get),
    Verb::read("GetUsagePlans", list),
    Verb::serving("UpdateUsagePlan", update),
    Verb::serving("DeleteUsagePlan", delete),
];

/// What is said of a plan that there is none of.
pub(super) const MISSING: &str = "Invalid Usage Plan ID specified";
const METHODS: [&str; 9] = ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY", "*"];

fn create(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let mut mint = scene.mint();
    let mut id = mint.lower(6);
    while scene.world.row(&call.region_scope(), Table::UsagePlan, &id).is_some() {
        id = mint.lower(6);
    }
    let mut plan = UsagePlan {
        id,
        name: name(call.label("name"))?,
        description: call.text("description").filter(|text| !text.is_empty()).map(str::to_owned),
        throttle: call.object("throttle").map(throttle).transpose()?.flatten(),
        quota: call.object("quota").map(quota).transpose()?,
        tags: tags::of(call)?,
        created_date_ms: scene.stamp.time_ms,
        ..UsagePlan::default()
    };
    for asked in call.list("apiStages").unwrap_or_default() {
        let text = |member: &str| asked.get(member).and_then(Value::as_str).unwrap_or_default();
        let mut stage = api_stage(scene, &plan, text("apiId"), text("stage"))?;
        if let Some(asked) = asked.get("throttle").and_then(Value::as_object) {
            stage.throttle = method_throttles(asked)?;
        }
        plan.api_stages.retain(|known| !is_same(known, &stage));
        plan.api_stages.push(stage);
    }
    let most = scene.quotas.usage_plans;
    quotas::room(scene.world, &call.region_scope(), Table::UsagePlan, most, "Usage Plans", Owner::Account)?;
    fits(scene, &plan)?;
    let mut ops = Ops::new();
    ops.put(&call.region_scope(), &plan.id, &plan);
    Ok((ops, Reply::json(show(&plan).map("tags", &plan.tags))))
}

/// Checks how many stages a plan covers, and how many of their methods have throttles of their own.
fn fits(scene: &Scene<'_>, plan: &UsagePlan) -> Result<(), Fault> {
    let quotas = scene.quotas;
    quotas::fit(plan.api_stages.len(), 0, quotas.stages_per_plan, "API Stages per Usage Plan", Owner::Account)?;
    let most = plan.api_stages.iter().map(|stage| stage.throttle.len()).max().unwrap_or_default();
    quotas::fit(most, 0, quotas.method_throttles, "method throttles per API Stage", Owner::Account)
}

fn name(text: &str) -> Result<String, Fault> {
    if text.is_empty() {
        return Err(Fault::bad_request("Usage Plan name must be non-empty"));
    }
    Ok(text.to_owned())
}

/// A stage that there is, for a plan.
fn api_stage(scene: &Scene<'_>, plan: &UsagePlan, api: &str, stage: &str) -> Result<ApiStage, Fault> {
    if api.is_empty() || stage.is_empty() {
        return Err(Fault::bad_request("Invalid API Stage specified"));
    }
    match scene.world.row(&scene.call.scope_of(api), Table::Stage, stage) {
        Some(_) => Ok(ApiStage { api_id: api.to_owned(), stage: stage.to_owned(), ..ApiStage::default() }),
        None => Err(unknown_stage(plan, api, stage)),
    }
}

fn unknown_stage(plan: &UsagePlan, api: &str, stage: &str) -> Fault {
    let text = format!("Invalid API Stage {{api: {api}, stage: {stage}}} specified for usageplan {}", plan.id);
    Fault::not_found(text)
}

fn is_same(one: &ApiStage, other: &ApiStage) -> bool {
    one.api_id == other.api_id && one.stage == other.stage
}

/// A throttle as it was given; one without any member is none.
fn throttle(asked: &Map<String, Value>) -> Result<Option<ThrottleSettings>, Fault> {
    let found = ThrottleSettings {
        burst_limit: asked.get("burstLimit").and_then(Value::as_i64).map(burst_limit).transpose()?,
        rate_limit: asked.get("rateLimit").and_then(Value::as_f64).map(rate_limit).transpose()?,
        ..ThrottleSettings::default()
    };
    Ok(Some(found).filter(|found| *found != ThrottleSettings::default()))
}

fn burst_limit(limit: i64) -> Result<i32, Fault> {
    let fits = i32::try_from(limit).ok().filter(|limit| *limit >= 0);
    fits.ok_or_else(|| Fault::bad_request("Usage Plan throttle burst limit must be a whole number from 0 on"))
}

fn rate_limit(limit: f64) -> Result<f64, Fault> {
    let fits = limit.is_finite() && limit >= 0.0;
    fits.then_some(limit).ok_or_else(|| Fault::bad_request("Usage Plan throttle rate limit must be a number from 0 on"))
}

fn method_throttles(asked: &Map<String, Value>) -> Result<BTreeMap<String, ThrottleSettings>, Fault> {
    let mut found = BTreeMap::new();
    for (key, value) in asked {
        if let Some(settings) = value.as_object().map(throttle).transpose()?.flatten() {
            found.insert(method_key(key)?, settings);
        }
    }
    Ok(found)
}

/// `/pets/GET` (root: `//GET`), however it was written.
fn method_key(text: &str) -> Result<String, Fault> {
    let decoded = text.replace("~1", "/").replace("~0", "~");
    match decoded.rsplit_once('/') {
        Some((path, method)) if METHODS.contains(&method) => Ok(format!("/{}/{method}", path.trim_start_matches('/'))),
        _ => {
            let shown: String = text.chars().take(256).collect();
            let text = format!("Invalid throttle path specified: {shown}. Must be <resourcePath>/<httpMethod>");
            Err(Fault::bad_request(text))
        }
    }
}

fn quota(asked: &Map<String, Value>) -> Result<QuotaSettings, Fault> {
    let number = |name: &str| asked.get(name).and_then(Value::as_i64);
    let period = asked.get("period").and_then(Value::as_str).map(QuotaPeriod::from);
    whole_quota(number("limit"), number("offset"), period)
}

/// A quota whose parts fit each other.
fn whole_quota(limit: Option<i64>, offset: Option<i64>, period: Option<QuotaPeriod>) -> Result<QuotaSettings, Fault> {
    let bad = |text: String| Err(Fault::bad_request(text));
    let Some(period) = period else {
        return bad("Usage Plan quota must have a period of either DAY, WEEK or MONTH".to_owned());
    };
    let Some(limit) = limit.and_then(|limit| i32::try_from(limit).ok()).filter(|limit| *limit >= 0) else {
        return bad("Usage Plan quota must have a limit: a whole number from 0 on".to_owned());
    };
    let most = match period {
        QuotaPeriod::Week => 6,
        QuotaPeriod::Month => 27,
        _ => 0,
    };
    let offset = offset.unwrap_or_default();
    match i32::try_from(offset).ok().filter(|offset| (0..=most).contains(offset)) {
        Some(offset) => Ok(QuotaSettings { limit, offset, period, ..QuotaSettings::default() }),
        None => bad(format!("Usage Plan quota offset must be between 0 and {most} for the period {period}")),
    }
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let plan = find(scene)?;
    Ok((Ops::new(), Reply::json(show(&plan).set("tags", texts(&plan.tags)))))
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let scope = scene.call.region_scope();
    let mut plans = scene.world.list::<UsagePlan>(&scope, "")?;
    if let Some(id) = scene.call.text("keyId").filter(|id| !id.is_empty()) {
        let of_key = scene.world.get::<ApiKey>(&scope, id)?.unwrap_or_default().plan_ids;
        plans.retain(|(id, _)| of_key.contains(id));
    }
    let page = page::cut(scene.call, plans)?;
    Ok((Ops::new(), page.reply(|_, plan| show(&plan).map("tags", &plan.tags))))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let mut draft = patch_rules::Draft::of(find(scene)?);
    let steps = patch::steps(scene.call)?;
    patch::together(steps.iter().map(|step| draft.apply(step, scene)))?;
    let plan = draft.finish()?;
    fits(scene, &plan)?;
    let mut ops = Ops::new();
    ops.put(&scene.call.region_scope(), &plan.id, &plan);
    Ok((ops, Reply::json(show(&plan).set("tags", texts(&plan.tags)))))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let plan = find(scene)?;
    if !plan.api_stages.is_empty() {
        let text = format!("Cannot delete usage plan {} because it has API stages associated", plan.id);
        return Err(Fault::bad_request(text));
    }
    let scope = scene.call.region_scope();
    let mut ops = Ops::new();
    for (id, membership) in scene.world.list::<UsagePlanKey>(&scope, &UsagePlanKey::row_id(&plan.id, ""))? {
        ops.drop::<UsagePlanKey>(&scope, &id);
        if let Some(mut key) = scene.world.get::<ApiKey>(&scope, &membership.id)? {
            key.plan_ids.retain(|known| *known != plan.id);
            ops.put(&scope, &key.id, &key);
        }
    }
    ops.drop::<UsagePlan>(&scope, &plan.id);
    Ok((ops, Reply::empty()))
}

/// The plan that the call's `usagePlanId` names.
///
/// # Errors
/// NotFound when there is none.
pub(super) fn find(scene: &Scene<'_>) -> Result<UsagePlan, Fault> {
    let found = scene.world.get(&scene.call.region_scope(), scene.call.label("usagePlanId"))?;
    found.ok_or_else(|| Fault::not_found(MISSING))
}

/// Whether a key may join a plan: it may reach one stage through one plan only.
///
/// # Errors
/// Conflict that names the stage; LimitExceeded when the key is in as many plans as it may be.
pub(super) fn may_join(scene: &Scene<'_>, plan: &UsagePlan, key: &ApiKey) -> Result<(), Fault> {
    let scope = scene.call.region_scope();
    quotas::fit(key.plan_ids.len(), 1, scene.quotas.plans_per_key, "Usage Plans per API Key", Owner::Account)?;
    for other in &key.plan_ids {
        let Some(other) = scene.world.get::<UsagePlan>(&scope, other)? else { continue };
        if let Some(stage) = plan.api_stages.iter().find(|stage| other.api_stages.iter().any(|o| is_same(o, stage))) {
            return Err(twice(plan, &key.id, stage));
        }
    }
    Ok(())
}

fn twice(plan: &UsagePlan, key: &str, stage: &ApiStage) -> Fault {
    Fault::conflict(format!(
        "Usage Plan {} cannot be added because API Key {key} cannot reference multiple Usage Plans with the same API stage: {}:{}",
        plan.id, stage.api_id, stage.stage
    ))
}

/// Whether a plan may cover one more stage: the same rule, seen from the other side.
fn may_cover(scene: &Scene<'_>, plan: &UsagePlan, stage: &ApiStage) -> Result<(), Fault> {
    let scope = scene.call.region_scope();
    let mut others = scene.world.list::<UsagePlan>(&scope, "")?;
    others.retain(|(id, other)| *id != plan.id && other.api_stages.iter().any(|known| is_same(known, stage)));
    if others.is_empty() {
        return Ok(());
    }
    for (_, membership) in scene.world.list::<UsagePlanKey>(&scope, &UsagePlanKey::row_id(&plan.id, ""))? {
        let key = scene.world.get::<ApiKey>(&scope, &membership.id)?.unwrap_or_default();
        if key.plan_ids.iter().any(|id| others.iter().any(|(other, _)| other == id)) {
            return Err(twice(plan, &membership.id, stage));
        }
    }
    Ok(())
}

/// Refuses to take away a stage that a plan covers.
///
/// # Errors
/// BadRequest that names the plan.
pub(super) fn refuse_while_covered(scene: &Scene<'_>, stage: &str) -> Result<(), Fault> {
    let api = scene.call.label("restApiId");
    for (id, plan) in scene.world.list::<UsagePlan>(&scene.call.region_scope(), "")? {
        if plan.api_stages.iter().any(|known| known.api_id == api && known.stage == stage) {
            return Err(Fault::bad_request(format!(
                "Cannot delete stage {stage}: usage plan {id} is associated with it; remove {api}:{stage} from the plan first"
            )));
        }
    }
    Ok(())
}

/// A plan's JSON, but for its tags.
fn show(plan: &UsagePlan) -> Object {
    let stages: Vec<Value> = plan.api_stages.iter().map(show_stage).collect();
    Object::new()
        .set("id", plan.id.as_str())
        .set("name", plan.name.as_str())
        .maybe("description", plan.description.as_deref())
        .set("apiStages", stages)
        .maybe("throttle", plan.throttle.as_ref().map(show_throttle))
        .maybe("quota", plan.quota.as_ref().map(show_quota))
        .maybe("productCode", plan.product_code.as_deref())
}

fn show_stage(stage: &ApiStage) -> Value {
    let throttles = stage.throttle.iter().map(|(key, throttle)| (key.clone(), show_throttle(throttle).into_value()));
    let throttles: Map<String, Value> = throttles.collect();
    Object::new()
        .set("apiId", stage.api_id.as_str())
        .set("stage", stage.stage.as_str())
        .maybe("throttle", Some(throttles).filter(|throttles| !throttles.is_empty()))
        .into_value()
}

fn show_throttle(throttle: &ThrottleSettings) -> Object {
    Object::new().maybe("burstLimit", throttle.burst_limit).maybe("rateLimit", throttle.rate_limit)
}

fn show_quota(quota: &QuotaSettings) -> Object {
    Object::new().set("limit", quota.limit).set("offset", quota.offset).set("period", quota.period.as_str())
}
