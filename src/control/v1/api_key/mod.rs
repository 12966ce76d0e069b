//! API keys: made, imported, found by prefix; their values never leave but when asked for.

mod import;

use super::tags;
use crate::catalog::v1::{ApiKey, UsagePlanKey};
use crate::catalog::{Mint, Table};
use crate::control::patch::{Op, Rule, Rules, Style};
use crate::control::quotas::{self, Owner};
use crate::control::render::{Object, texts};
use crate::control::{Fault, Reply, Scene, Verb, page, sizes};
use crate::state::Ops;
use serde_json::Value;

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    Verb::serving("CreateApiKey", create),
    Verb::read("GetApiKey", get),
    Verb::read("GetApiKeys", list),
    Verb::serving("UpdateApiKey", update),
    Verb::serving("DeleteApiKey", delete),
    Verb::serving("ImportApiKeys", import::run),
];

/// What is said of a key that there is none of.
pub(super) const MISSING: &str = "Invalid API Key identifier specified";
/// Longest name, characters.
const LONGEST_NAME: usize = 1_024;
/// Longest description, characters.
const LONGEST_DESCRIPTION: usize = 125_000;
/// Shortest and longest value, characters.
const VALUE: (usize, usize) = (20, 128);
/// A generated value, characters.
const GENERATED: usize = 40;

const RULES: Rules<ApiKey> = Rules {
    style: Style::Listing(&["/description", "/enabled", "/name", "/customerId"]),
    rules: &[
        Rule {
            path: "/name",
            ops: &[Op::Replace],
            apply: |key, step, _| {
                key.name = checked_name(step.value.as_deref())?;
                Ok(())
            },
        },
        Rule {
            path: "/description",
            ops: &[Op::Replace],
            apply: |key, step, _| {
                key.description = checked_description(step.value.as_deref())?;
                Ok(())
            },
        },
        Rule {
            path: "/enabled",
            ops: &[Op::Replace],
            apply: |key, step, _| {
                key.enabled = step.flag();
                Ok(())
            },
        },
        Rule {
            path: "/customerId",
            ops: &[Op::Replace],
            apply: |key, step, _| {
                key.customer_id = step.cleared();
                Ok(())
            },
        },
        Rule {
            path: "/stages",
            ops: &[Op::Add, Op::Remove],
            apply: |key, step, scene| {
                let (api, stage) = step.text().split_once('/').unwrap_or_default();
                let link = stage_key(scene, api, stage)?;
                key.stage_keys.retain(|known| *known != link);
                if step.op == Op::Add {
                    key.stage_keys.push(link);
                }
                Ok(())
            },
        },
        // Labels are accepted and forgotten: no answer of the model shows them.
        Rule { path: "/labels", ops: &[Op::Add, Op::Remove], apply: |_, _, _| Ok(()) },
    ],
    other: None,
};

fn create(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let mut mint = scene.mint();
    let id = fresh_id(scene, &mut mint);
    let value = match call.text("value").filter(|value| !value.is_empty()) {
        Some(value) => checked_value(value)?.to_owned(),
        None => mint.mixed(GENERATED),
    };
    let hash = scene.seal.index(value.as_bytes());
    let scope = call.region_scope();
    let mut key = ApiKey {
        id,
        name: checked_name(call.text("name"))?,
        description: checked_description(call.text("description"))?,
        customer_id: call.text("customerId").filter(|id| !id.is_empty()).map(str::to_owned),
        enabled: call.flag("enabled").unwrap_or_default(),
        tags: tags::of(call)?,
        value_sealed: scene.seal.seal(value.as_bytes(), mint.bytes()),
        value_hash: Some(hash),
        created_date_ms: scene.stamp.time_ms,
        last_updated_date_ms: scene.stamp.time_ms,
        ..ApiKey::default()
    };
    for link in call.list("stageKeys").unwrap_or_default() {
        let part = |name: &str| link.get(name).and_then(Value::as_str).unwrap_or_default();
        key.stage_keys.push(stage_key(scene, part("restApiId"), part("stageName"))?);
    }
    if scene.world.api_key_by_hash(&scope, &hash).is_some() {
        return Err(Fault::conflict("API Key already exists"));
    }
    quotas::room(scene.world, &scope, Table::ApiKey, scene.quotas.api_keys, "API Keys", Owner::Account)?;
    let mut ops = Ops::new();
    ops.put(&scope, &key.id, &key);
    Ok((ops, Reply::json(show(&key, Some(&value)).map("tags", &key.tags))))
}

/// An id that no key has.
fn fresh_id(scene: &Scene<'_>, mint: &mut Mint) -> String {
    let mut id = mint.lower(10);
    while scene.world.row(&scene.call.region_scope(), Table::ApiKey, &id).is_some() {
        id = mint.lower(10);
    }
    id
}

fn checked_name(name: Option<&str>) -> Result<Option<String>, Fault> {
    let name = name.filter(|name| !name.is_empty());
    if name.is_some_and(|name| name.chars().count() > LONGEST_NAME) {
        return Err(Fault::bad_request("Invalid API Key name, can be at most 1024 characters."));
    }
    Ok(name.map(str::to_owned))
}

fn checked_description(text: Option<&str>) -> Result<Option<String>, Fault> {
    let text = text.filter(|text| !text.is_empty());
    if text.is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION) {
        return Err(Fault::bad_request("Invalid API Key description specified."));
    }
    Ok(text.map(str::to_owned))
}

fn checked_value(value: &str) -> Result<&str, Fault> {
    let length = value.chars().count();
    if length < VALUE.0 {
        return Err(Fault::bad_request("API Key value should be at least 20 characters"));
    }
    if length > VALUE.1 {
        return Err(Fault::bad_request("API Key value exceeds maximum size of 128 characters"));
    }
    // A value travels in a header: what no header can carry could never be used.
    if !value.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Fault::bad_request("API Key value contains characters that a header cannot carry"));
    }
    Ok(value)
}

/// The legacy link to a stage, which must be there.
fn stage_key(scene: &Scene<'_>, api: &str, stage: &str) -> Result<String, Fault> {
    match scene.world.row(&scene.call.scope_of(api), Table::Stage, stage) {
        Some(_) => Ok(format!("{api}/{stage}")),
        None => Err(Fault::not_found(super::stage::MISSING)),
    }
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let key = find(scene)?;
    let value = reveal(scene, &key, scene.call.flag("includeValue"))?;
    Ok((Ops::new(), Reply::json(show(&key, value.as_deref()).set("tags", texts(&key.tags)))))
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let prefix = call.text("nameQuery").unwrap_or_default();
    let customer = call.text("customerId").filter(|id| !id.is_empty());
    let mut keys = scene.world.list::<ApiKey>(&call.region_scope(), "")?;
    keys.retain(|(_, key)| {
        key.name.as_deref().unwrap_or_default().starts_with(prefix)
            && customer.is_none_or(|id| key.customer_id.as_deref() == Some(id))
    });
    let page = page::cut(call, keys)?;
    let values = page.rows.iter().map(|(_, key)| reveal(scene, key, call.flag("includeValues")));
    let mut values = values.collect::<Result<Vec<_>, _>>()?.into_iter();
    let show_next = |_: &str, key: ApiKey| show(&key, values.next().flatten().as_deref()).map("tags", &key.tags);
    Ok((Ops::new(), page.reply(show_next)))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let mut key = find(scene)?;
    RULES.apply(&mut key, scene)?;
    sizes::entries("stageKeys", key.stage_keys.len())?;
    key.last_updated_date_ms = scene.stamp.time_ms;
    let mut ops = Ops::new();
    ops.put(&scene.call.region_scope(), &key.id, &key);
    Ok((ops, Reply::json(show(&key, None).set("tags", texts(&key.tags)))))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let key = find(scene)?;
    let scope = scene.call.region_scope();
    let mut ops = Ops::new();
    for plan in &key.plan_ids {
        ops.drop::<UsagePlanKey>(&scope, &UsagePlanKey::row_id(plan, &key.id));
    }
    ops.drop::<ApiKey>(&scope, &key.id);
    Ok((ops, Reply::empty()))
}

fn find(scene: &Scene<'_>) -> Result<ApiKey, Fault> {
    let found = scene.world.get(&scene.call.region_scope(), scene.call.label("apiKey"))?;
    found.ok_or_else(|| Fault::not_found(MISSING))
}

/// A key's value, where it was asked for.
fn reveal(scene: &Scene<'_>, key: &ApiKey, asked: Option<bool>) -> Result<Option<String>, Fault> {
    asked.unwrap_or_default().then(|| value_of(scene, key)).transpose()
}

/// A key's value.
///
/// # Errors
/// Internal when this node cannot open what was sealed.
pub(super) fn value_of(scene: &Scene<'_>, key: &ApiKey) -> Result<String, Fault> {
    let opened = scene.seal.open(&key.value_sealed).and_then(|value| String::from_utf8(value).ok());
    opened.ok_or_else(|| Fault::internal(format!("the value of API key {} cannot be opened", key.id)))
}

/// A key's JSON, but for its tags.
fn show(key: &ApiKey, value: Option<&str>) -> Object {
    Object::new()
        .set("id", key.id.as_str())
        .maybe("value", value)
        .maybe("name", key.name.as_deref())
        .maybe("customerId", key.customer_id.as_deref())
        .maybe("description", key.description.as_deref())
        .set("enabled", key.enabled)
        .time("createdDate", key.created_date_ms)
        .time("lastUpdatedDate", key.last_updated_date_ms)
        .set("stageKeys", key.stage_keys.clone())
}
