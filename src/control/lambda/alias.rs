//! Aliases: a name for a version, and a second version with a weight.

use super::revision::{self, function, guard};
use super::show::no_alias;
use super::{conflict, invalid, name, validation};
use crate::catalog::lambda::{Alias, LATEST, RoutingConfig};
use crate::control::render::Object;
use crate::control::{Fault, Reply, Scene, Verb, page};
use crate::function::call::Address;
use crate::state::Ops;
use serde_json::{Map, Value};

/// The operations of this noun.
pub(super) const OPERATIONS: &[Verb] = &[
    Verb::serving("CreateAlias", create),
    Verb::serving("UpdateAlias", update),
    Verb::serving("DeleteAlias", delete),
    Verb::read("GetAlias", get),
    Verb::read("ListAliases", list),
];

/// Longest name, description: characters.
const LONGEST: (usize, usize) = (128, 256);

fn create(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let address = name::unqualified(call)?;
    function(scene, &address)?;
    let given = call.label("Name");
    if given.chars().count() > LONGEST.0 {
        return Err(validation(given, "name", "Member must have length less than or equal to 128"));
    }
    if revision::alias(scene, &address, given)?.is_some() {
        let arn = Address { qualifier: Some(given.into()), ..address }.arn();
        return Err(conflict(format!("Alias already exists: {arn}")));
    }
    let mut alias = Alias { name: given.to_owned(), ..Alias::default() };
    set(scene, &address, &mut alias)?;
    Ok(stored(scene, &address, alias))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (address, mut alias) = find(scene)?;
    guard(scene, &alias.revision_id)?;
    set(scene, &address, &mut alias)?;
    Ok(stored(scene, &address, alias))
}

fn stored(scene: &Scene<'_>, address: &Address, mut alias: Alias) -> (Ops, Reply) {
    alias.revision_id = scene.mint().uuid();
    let mut ops = Ops::new();
    ops.put(&scene.call.region_scope(), &Alias::row_id(&address.name, &alias.name), &alias);
    (ops, Reply::json(show(address, &alias)))
}

/// The alias of a call, which must be there.
fn find(scene: &Scene<'_>) -> Result<(Address, Alias), Fault> {
    let address = name::unqualified(scene.call)?;
    function(scene, &address)?;
    let given = scene.call.label("Name");
    let found = revision::alias(scene, &address, given)?;
    let found = found.ok_or_else(|| no_alias(&address, given))?;
    Ok((address, found))
}

fn set(scene: &Scene<'_>, address: &Address, alias: &mut Alias) -> Result<(), Fault> {
    let call = scene.call;
    if let Some(text) = call.text("Description") {
        if text.chars().count() > LONGEST.1 {
            return Err(validation(text, "description", "Member must have length less than or equal to 256"));
        }
        text.clone_into(&mut alias.description);
    }
    if let Some(version) = call.text("FunctionVersion") {
        version.clone_into(&mut alias.function_version);
    }
    if let Some(routing) = call.object("RoutingConfig") {
        alias.routing_config = routing_of(routing)?;
    }
    there(scene, address, &alias.function_version)?;
    let Some(routing) = &alias.routing_config else { return Ok(()) };
    if alias.function_version == LATEST {
        return Err(invalid("$LATEST is not supported for an alias pointing to more than 1 version"));
    }
    for version in routing.additional_version_weights.keys() {
        if *version == alias.function_version {
            return Err(invalid(format!(
                "Invalid function version {version}. Function version {version} is already included in routing \
                 configuration."
            )));
        }
        there(scene, address, version)?;
    }
    Ok(())
}

/// Whether a version is there.
fn there(scene: &Scene<'_>, address: &Address, version: &str) -> Result<(), Fault> {
    let qualified = Address { qualifier: Some(version.into()), ..address.clone() };
    revision::version(scene, &qualified, version).map(|_| ())
}

/// The weights of a call; none of them is no routing.
fn routing_of(given: &Map<String, Value>) -> Result<Option<RoutingConfig>, Fault> {
    let weights = given.get("AdditionalVersionWeights").and_then(Value::as_object);
    let weights: Vec<(&String, f64)> =
        weights.into_iter().flatten().filter_map(|(version, weight)| Some((version, weight.as_f64()?))).collect();
    match weights[..] {
        [] => Ok(None),
        [(version, _)] if version.is_empty() || !version.bytes().all(|b| b.is_ascii_digit()) => {
            let constraint =
                "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [0-9]+]";
            Err(validation(&shown(&weights), "routingConfig.additionalVersionWeights", constraint))
        }
        [(_, weight)] if !(0.0..=1.0).contains(&weight) => {
            let constraint = "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, \
                              Member must have value greater than or equal to 0.0, Member must not be null]";
            Err(validation(&shown(&weights), "routingConfig.additionalVersionWeights", constraint))
        }
        [(version, weight)] => Ok(Some(RoutingConfig {
            additional_version_weights: [(version.clone(), weight)].into(),
            ..RoutingConfig::default()
        })),
        _ => Err(invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")),
    }
}

/// A map as Java prints it.
fn shown(weights: &[(&String, f64)]) -> String {
    let pairs: Vec<String> = weights.iter().map(|(version, weight)| format!("{version}={weight:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (address, alias) = find(scene)?;
    Ok((Ops::new(), Reply::json(show(&address, &alias))))
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let address = name::unqualified(call)?;
    function(scene, &address)?;
    let mut rows = scene.world.list::<Alias>(&call.region_scope(), &Alias::prefix(&address.name))?;
    if let Some(version) = call.text("FunctionVersion") {
        rows.retain(|(_, alias)| alias.function_version == version);
    }
    let page = page::asked_of_lambda(call)?.cut(rows);
    let shown: Vec<Value> = page.rows.iter().map(|(_, alias)| show(&address, alias).into()).collect();
    Ok((Ops::new(), Reply::json(Object::new().set("Aliases", shown).maybe("NextMarker", page.position))))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let address = name::unqualified(scene.call)?;
    function(scene, &address)?;
    // One that is not there is gone too.
    let mut ops = Ops::new();
    let given = scene.call.label("Name");
    if revision::alias(scene, &address, given)?.is_some() {
        ops.drop::<Alias>(&scene.call.region_scope(), &Alias::row_id(&address.name, given));
    }
    Ok((ops, Reply::empty()))
}

fn show(address: &Address, alias: &Alias) -> Object {
    let arn = Address { qualifier: Some(alias.name.as_str().into()), ..address.clone() }.arn();
    let routing = alias.routing_config.as_ref().map(|routing| {
        let weights = routing.additional_version_weights.iter();
        let weights: Map<String, Value> =
            weights.map(|(version, weight)| (version.clone(), (*weight).into())).collect();
        Object::new().set("AdditionalVersionWeights", weights)
    });
    Object::new()
        .set("AliasArn", arn)
        .set("Name", alias.name.as_str())
        .set("FunctionVersion", alias.function_version.as_str())
        .set("Description", alias.description.as_str())
        .maybe("RoutingConfig", routing)
        .set("RevisionId", alias.revision_id.as_str())
}
