//! Versions: `$LATEST` as it is now, under a number, for good.

use super::revision::{function, guard, latest};
use super::show::{As, configuration, environment};
use super::{invalid, name};
use crate::catalog::cluster::Sequence;
use crate::catalog::lambda::{Function, FunctionVersion};
use crate::control::render::Object;
use crate::control::{Fault, Reply, Scene, Verb, page};
use crate::function::call::Address;
use crate::state::Ops;
use serde_json::Value;

/// The operations of this noun.
pub(super) const OPERATIONS: &[Verb] =
    &[Verb::serving("PublishVersion", create), Verb::read("ListVersionsByFunction", list)];

fn create(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let address = name::unqualified(call)?;
    function(scene, &address)?;
    let now = latest(scene, &address)?;
    guard(scene, &now.revision_id)?;
    super::configuration::refuse_what_is_not_here(call)?;
    if let Some(wanted) = call.text("CodeSha256").filter(|wanted| !wanted.is_empty() && *wanted != now.code_sha256) {
        return Err(invalid(format!(
            "CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({}). Please try again with the \
             CodeSHA256 in $LATEST.",
            now.code_sha256
        )));
    }
    let mut ops = Ops::new();
    let published = publish(scene, &address, &now, call.text("Description"), &mut ops)?;
    let numbered = Address { qualifier: Some(published.version.as_str().into()), ..address };
    Ok((ops, Reply::json(configuration(scene, &numbered, &published, As::Whole)?)))
}

/// Puts `now` under the next number, or gives the last one where nothing has changed since.
///
/// # Errors
/// When a row cannot be read.
pub(super) fn publish(
    scene: &Scene<'_>,
    address: &Address,
    now: &FunctionVersion,
    description: Option<&str>,
    ops: &mut Ops,
) -> Result<FunctionVersion, Fault> {
    if let Some(description) = description.filter(|text| text.chars().count() > 256) {
        return Err(super::validation(description, "description", "Member must have length less than or equal to 256"));
    }
    let scope = scene.call.region_scope();
    let sequence_id = Function::sequence_id(&address.name);
    let mut sequence: Sequence = scene.world.get(&scope, &sequence_id)?.unwrap_or_default();
    let before = match sequence.last {
        0 => None,
        last => scene.world.get(&scope, &FunctionVersion::row_id(&address.name, &last.to_string()))?,
    };
    if let Some(before) = before
        && is_same(scene, &before, now)?
    {
        return Ok(before);
    }
    sequence.last += 1;
    // The mint's third: the first is the revision of `$LATEST`, the second seals.
    let mut mint = scene.mint();
    let _others = (mint.uuid(), mint.bytes::<16>());
    let version = FunctionVersion {
        version: sequence.last.to_string(),
        description: description.unwrap_or(&now.description).to_owned(),
        revision_id: mint.uuid(),
        last_modified_ms: scene.stamp.time_ms,
        policy: Vec::new(),
        ..now.clone()
    };
    ops.put(&scope, &sequence_id, &sequence);
    ops.put(&scope, &FunctionVersion::row_id(&address.name, &version.version), &version);
    Ok(version)
}

/// Whether code and settings are the same: neither the description nor what changes with every change counts.
fn is_same(scene: &Scene<'_>, a: &FunctionVersion, b: &FunctionVersion) -> Result<bool, Fault> {
    let plain = |version: &FunctionVersion| FunctionVersion {
        version: String::new(),
        description: String::new(),
        revision_id: String::new(),
        last_modified_ms: 0,
        policy: Vec::new(),
        // The same variables are sealed differently each time.
        environment_sealed: None,
        ..version.clone()
    };
    Ok(plain(a) == plain(b) && environment(scene, a)? == environment(scene, b)?)
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let address = name::unqualified(call)?;
    function(scene, &address)?;
    let rows = scene.world.list::<FunctionVersion>(&call.region_scope(), &FunctionVersion::prefix(&address.name))?;
    let page = page::asked_of_lambda(call)?.cut(rows);
    let shown = page.rows.iter().map(|(_, version)| {
        let qualified = Address { qualifier: Some(version.version.as_str().into()), ..address.clone() };
        configuration(scene, &qualified, version, As::Entry).map(Value::from)
    });
    let shown = shown.collect::<Result<Vec<_>, _>>()?;
    Ok((Ops::new(), Reply::json(Object::new().set("Versions", shown).maybe("NextMarker", page.position))))
}
