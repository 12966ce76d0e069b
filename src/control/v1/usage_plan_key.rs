//! Keys of a usage plan.

use super::{api_key, usage_plan};
use crate::catalog::v1::{ApiKey, UsagePlanKey};
use crate::control::render::Object;
use crate::control::{Fault, Reply, Scene, Verb, page};
use crate::state::Ops;

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    Verb::serving("CreateUsagePlanKey", create),
    Verb::read("GetUsagePlanKey", get),
    Verb::read("GetUsagePlanKeys", list),
    Verb::serving("DeleteUsagePlanKey", delete),
];

fn create(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let plan = usage_plan::find(scene)?;
    if call.label("keyType") != UsagePlanKey::API_KEY {
        return Err(Fault::bad_request("Invalid key type specified. Must be one of: [API_KEY]"));
    }
    let mut key = key(scene)?;
    if key.plan_ids.contains(&plan.id) {
        let text = format!("API Key {} is already subscribed to Usage Plan {}", key.id, plan.id);
        return Err(Fault::conflict(text));
    }
    usage_plan::may_join(scene, &plan, &key)?;
    let scope = call.region_scope();
    let row_id = UsagePlanKey::row_id(&plan.id, &key.id);
    key.plan_ids.push(plan.id);
    let membership = UsagePlanKey { id: key.id.clone(), kind: UsagePlanKey::API_KEY.into(), ..UsagePlanKey::default() };
    let mut ops = Ops::new();
    ops.put(&scope, &row_id, &membership).put(&scope, &key.id, &key);
    Ok((ops, Reply::json(show(scene, &key)?)))
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let plan = usage_plan::find(scene)?;
    let key = key(scene)?;
    if !key.plan_ids.contains(&plan.id) {
        return Err(Fault::not_found(api_key::MISSING));
    }
    Ok((Ops::new(), Reply::json(show(scene, &key)?)))
}

/// An unknown plan has no keys, says AWS: an empty list, not an error.
fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let scope = call.region_scope();
    let prefix = call.text("nameQuery").unwrap_or_default();
    let mut keys = Vec::new();
    let first = UsagePlanKey::row_id(call.label("usagePlanId"), "");
    for (id, membership) in scene.world.list::<UsagePlanKey>(&scope, &first)? {
        let Some(key) = scene.world.get::<ApiKey>(&scope, &membership.id)? else { continue };
        if key.name.as_deref().unwrap_or_default().starts_with(prefix) {
            keys.push((id, key));
        }
    }
    let page = page::cut(call, keys)?;
    let shown = page.rows.iter().map(|(_, key)| show(scene, key));
    let mut shown = shown.collect::<Result<Vec<_>, _>>()?.into_iter();
    Ok((Ops::new(), page.reply(|_, _| shown.next().unwrap_or_default())))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let plan = usage_plan::find(scene)?;
    let mut key = key(scene)?;
    if !key.plan_ids.contains(&plan.id) {
        return Err(Fault::not_found(api_key::MISSING));
    }
    key.plan_ids.retain(|known| *known != plan.id);
    let scope = scene.call.region_scope();
    let mut ops = Ops::new();
    ops.drop::<UsagePlanKey>(&scope, &UsagePlanKey::row_id(&plan.id, &key.id)).put(&scope, &key.id, &key);
    Ok((ops, Reply::empty()))
}

fn key(scene: &Scene<'_>) -> Result<ApiKey, Fault> {
    let found = scene.world.get(&scene.call.region_scope(), scene.call.label("keyId"))?;
    found.ok_or_else(|| Fault::not_found(api_key::MISSING))
}

fn show(scene: &Scene<'_>, key: &ApiKey) -> Result<Object, Fault> {
    Ok(Object::new()
        .set("id", key.id.as_str())
        .set("type", UsagePlanKey::API_KEY)
        .set("value", api_key::value_of(scene, key)?)
        .maybe("name", key.name.as_deref()))
}
