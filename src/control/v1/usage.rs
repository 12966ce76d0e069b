//! Usage: what the keys of a plan used and have left, day by day.

use super::{api_key, usage_plan};
use crate::catalog::v1::{ApiKey, UsagePlan, UsagePlanKey};
use crate::control::patch::{self, Op, Step};
use crate::control::render::Object;
use crate::control::{Effect, Fault, Reply, Scene, UsageFacts, UsageQuestion, Verb, page};
use jiff::civil::Date;
use serde_json::Value;

/// The operations of this noun. They ask the usage room: counted requests are no rows.
pub const OPERATIONS: &[Verb] = &[
    Verb::usage("GetUsage", Effect::Read, ask_days, tell_days),
    Verb::usage("UpdateUsage", Effect::Serving, ask_more, tell_today),
];

/// Longest span that may be asked for, days.
const LONGEST: i64 = 90;

fn ask_days(scene: &Scene<'_>) -> Result<UsageQuestion, Fault> {
    let plan = usage_plan::find(scene)?;
    let (first, last) = days(scene)?;
    let keys = keys(scene, &plan)?.rows.into_iter().map(|(_, id)| id).collect();
    let region = scene.call.region_scope();
    Ok(UsageQuestion::Read { region, plan: plan.id, keys, first_day: first, last_day: last })
}

fn tell_days(scene: &Scene<'_>, facts: &UsageFacts) -> Result<Reply, Fault> {
    let plan = usage_plan::find(scene)?;
    let position = keys(scene, &plan)?.position;
    let shown = show(&plan, scene.call.label("startDate"), scene.call.label("endDate"), facts);
    Ok(Reply::json(shown.maybe("position", position)))
}

/// The keys of this page: the one that was asked for, or the plan's.
fn keys(scene: &Scene<'_>, plan: &UsagePlan) -> Result<page::Page<String>, Fault> {
    let scope = scene.call.region_scope();
    let mut rows = scene.world.list::<UsagePlanKey>(&scope, &UsagePlanKey::row_id(&plan.id, ""))?;
    if let Some(id) = scene.call.text("keyId").filter(|id| !id.is_empty()) {
        rows.retain(|(_, membership)| membership.id == id);
        if rows.is_empty() {
            return Err(Fault::not_found(api_key::MISSING));
        }
    }
    page::cut(scene.call, rows.into_iter().map(|(row, membership)| (row, membership.id)).collect())
}

/// First and last day, days since 1970.
fn days(scene: &Scene<'_>) -> Result<(i64, i64), Fault> {
    let (first, last) = (day(scene, "startDate")?, day(scene, "endDate")?);
    if last < first {
        return Err(Fault::bad_request("Invalid date range specified: endDate is before startDate"));
    }
    if last - first >= LONGEST {
        return Err(Fault::bad_request(format!(
            "Invalid date range specified: at most {LONGEST} days can be asked for"
        )));
    }
    Ok((first, last))
}

fn day(scene: &Scene<'_>, name: &str) -> Result<i64, Fault> {
    let text = scene.call.label(name);
    // Only this form: the parser would take times and shorter forms too.
    let whole = text.len() == 10
        && text.bytes().enumerate().all(|(at, b)| if matches!(at, 4 | 7) { b == b'-' } else { b.is_ascii_digit() });
    let date: Option<Date> = text.parse().ok().filter(|_| whole);
    let since = date.and_then(|date| date.since(Date::constant(1970, 1, 1)).ok());
    since.map(|span| i64::from(span.get_days())).ok_or_else(|| {
        let shown: String = text.chars().take(64).collect();
        Fault::bad_request(format!("Invalid {name} specified: {shown}. Must be yyyy-mm-dd"))
    })
}

fn ask_more(scene: &Scene<'_>) -> Result<UsageQuestion, Fault> {
    let plan = usage_plan::find(scene)?;
    let id = scene.call.label("keyId");
    let key: Option<ApiKey> = scene.world.get(&scene.call.region_scope(), id)?;
    if !key.is_some_and(|key| key.plan_ids.contains(&plan.id)) {
        return Err(Fault::not_found(api_key::MISSING));
    }
    if plan.quota.is_none() {
        return Err(Fault::bad_request(format!("Usage Plan {} has no quota that could be extended", plan.id)));
    }
    let mut remaining = None;
    for step in patch::steps(scene.call)? {
        remaining = Some(new_remaining(&step)?);
    }
    let remaining =
        remaining.ok_or_else(|| Fault::bad_request("No patch operation specified. Must be one of: [/remaining]"))?;
    Ok(UsageQuestion::Extend { region: scene.call.region_scope(), plan: plan.id, key: id.to_owned(), remaining })
}

fn new_remaining(step: &Step) -> Result<i64, Fault> {
    if step.op != Op::Replace || step.path != "/remaining" {
        let known = if step.op == Op::Replace { "/remaining" } else { "" };
        let (path, op) = (&step.path, step.op.word());
        return Err(Fault::bad_request(format!(
            "Invalid patch path  '{path}' specified for op '{op}'. Must be one of: [{known}]"
        )));
    }
    let number = step.text().parse().ok().filter(|number: &i64| (0..=i64::from(i32::MAX)).contains(number));
    number.ok_or_else(|| Fault::bad_request("Invalid value specified for /remaining: must be a whole number from 0 on"))
}

fn tell_today(scene: &Scene<'_>, facts: &UsageFacts) -> Result<Reply, Fault> {
    let plan = usage_plan::find(scene)?;
    let today = jiff::Timestamp::from_millisecond(scene.stamp.time_ms).unwrap_or_default();
    let today = today.to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
    Ok(Reply::json(show(&plan, &today, &today, facts)))
}

fn show(plan: &UsagePlan, start: &str, end: &str, facts: &UsageFacts) -> Object {
    let pair = |(used, remaining): &(i64, i64)| Value::from(vec![*used, *remaining]);
    let values = facts.0.iter().map(|(key, days)| (key.clone(), Value::Array(days.iter().map(pair).collect())));
    Object::new()
        .set("usagePlanId", plan.id.as_str())
        .set("startDate", start)
        .set("endDate", end)
        .set("values", Value::Object(values.collect()))
}
