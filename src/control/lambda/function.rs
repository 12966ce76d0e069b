//! Functions: made from a zip, given other code, listed, deleted.

use super::revision::{function, guard, latest, target};
use super::show::{As, configuration};
use super::{code, concurrency, configuration, conflict, invalid, location, name, tags, version};
use crate::catalog::lambda::{Alias, Function, FunctionVersion, LATEST, LoggingConfig};
use crate::control::render::{Object, texts};
use crate::control::{Fault, Reply, Scene, Verb, page};
use crate::function::call::Address;
use crate::function::resolve::is_version;
use crate::state::Ops;
use serde_json::Value;

/// The operations of this noun.
pub(super) const OPERATIONS: &[Verb] = &[
    Verb::serving("CreateFunction", create).with_code(),
    Verb::serving("UpdateFunctionCode", update_code).with_code(),
    Verb::serving("DeleteFunction", delete),
    Verb::read("GetFunction", get),
    Verb::read("ListFunctions", list),
];

const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };

fn create(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let address = name::unqualified(call)?;
    let scope = call.region_scope();
    if scene.world.get::<Function>(&scope, &address.name)?.is_some() {
        return Err(conflict(format!("Function already exist: {}", address.name)));
    }
    if call.text("Runtime").is_none() || call.text("Handler").is_none() {
        let text = "Runtime and Handler are mandatory parameters for functions created with deployment packages.";
        return Err(invalid(text));
    }
    let (code_sha256, code_size) = code::kept(call)?;
    room_for_code(scene, code_size)?;
    let mut latest = FunctionVersion {
        function_name: address.name.to_string(),
        version: LATEST.to_owned(),
        timeout: 3,
        memory_size: 128,
        code_size,
        code_sha256,
        architectures: architectures(scene).unwrap_or_else(|| vec![ARCHITECTURE.to_owned()]),
        logging_config: LoggingConfig {
            log_format: "Text".to_owned(),
            log_group: format!("/aws/lambda/{}", address.name),
            ..LoggingConfig::default()
        },
        revision_id: scene.mint().uuid(),
        last_modified_ms: scene.stamp.time_ms,
        ..FunctionVersion::default()
    };
    configuration::set(scene, &mut latest)?;
    let function = Function {
        function_name: address.name.to_string(),
        tags: tags::given(call)?,
        created_ms: scene.stamp.time_ms,
        ..Function::default()
    };
    let mut ops = Ops::new();
    ops.put(&scope, &address.name, &function);
    ops.put(&scope, &FunctionVersion::row_id(&address.name, LATEST), &latest);
    let shown = match call.flag("Publish") {
        Some(true) => version::publish(scene, &address, &latest, None, &mut ops)?,
        _ => latest,
    };
    Ok((ops, Reply::json(configuration(scene, &address, &shown, As::Whole)?)))
}

fn architectures(scene: &Scene<'_>) -> Option<Vec<String>> {
    scene.call.texts("Architectures").filter(|given| !given.is_empty())
}

/// Whether the account may have so much more code.
fn room_for_code(scene: &Scene<'_>, more: u64) -> Result<(), Fault> {
    let most = scene.quotas.code_bytes;
    if most == u64::MAX {
        return Ok(());
    }
    let rows = scene.world.list::<FunctionVersion>(&scene.call.region_scope(), "")?;
    let there: u64 = rows.iter().map(|(_, version)| version.code_size).sum();
    if there.saturating_add(more) <= most {
        return Ok(());
    }
    Err(Fault::new("CodeStorageExceededException", 400, "Code storage limit exceeded."))
}

fn update_code(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let address = name::unqualified(call)?;
    function(scene, &address)?;
    let mut changed = latest(scene, &address)?;
    guard(scene, &changed.revision_id)?;
    configuration::refuse_what_is_not_here(call)?;
    let (code_sha256, code_size) = code::kept(call)?;
    room_for_code(scene, code_size.saturating_sub(changed.code_size))?;
    changed.code_sha256 = code_sha256;
    changed.code_size = code_size;
    changed.architectures = architectures(scene).unwrap_or(changed.architectures);
    changed.last_modified_ms = scene.stamp.time_ms;
    let mut ops = Ops::new();
    if call.flag("DryRun") == Some(true) {
        return Ok((ops, Reply::json(configuration(scene, &address, &changed, As::Whole)?)));
    }
    changed.revision_id = scene.mint().uuid();
    ops.put(&call.region_scope(), &FunctionVersion::row_id(&address.name, LATEST), &changed);
    if call.flag("Publish") != Some(true) {
        return Ok((ops, Reply::json(configuration(scene, &address, &changed, As::Whole)?)));
    }
    let published = version::publish(scene, &address, &changed, None, &mut ops)?;
    let numbered = Address { qualifier: Some(published.version.as_str().into()), ..address };
    Ok((ops, Reply::json(configuration(scene, &numbered, &published, As::Whole)?)))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let address = name::address(scene.call)?;
    function(scene, &address)?;
    let scope = scene.call.region_scope();
    let aliases = scene.world.list::<Alias>(&scope, &Alias::prefix(&address.name))?;
    let mut ops = Ops::new();
    match address.qualifier.as_deref() {
        None => {
            for (id, _) in scene.world.list::<FunctionVersion>(&scope, &FunctionVersion::prefix(&address.name))? {
                ops.drop::<FunctionVersion>(&scope, &id);
            }
            for (id, _) in aliases {
                ops.drop::<Alias>(&scope, &id);
            }
            ops.drop::<Function>(&scope, &address.name);
        }
        Some(LATEST) => return Err(invalid("$LATEST version cannot be deleted without deleting the function.")),
        Some(alias) if !is_version(alias) => {
            return Err(invalid("Deletion of aliases is not currently supported."));
        }
        Some(number) => {
            let refers = |alias: &Alias| {
                let weights = alias.routing_config.iter().flat_map(|routing| routing.additional_version_weights.keys());
                alias.function_version == number || weights.into_iter().any(|version| version == number)
            };
            let names: Vec<&str> =
                aliases.iter().filter(|(_, alias)| refers(alias)).map(|(_, alias)| alias.name.as_str()).collect();
            if !names.is_empty() {
                let names = names.join(", ");
                let text = format!("Unable to delete version because the following aliases reference it: [{names}]");
                return Err(conflict(text));
            }
            let found = super::revision::version(scene, &address, number)?;
            ops.drop::<FunctionVersion>(&scope, &FunctionVersion::row_id(&address.name, &found.version));
        }
    }
    Ok((ops, Reply { status: Some(204), ..Reply::empty() }))
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let address = name::address(scene.call)?;
    let own = function(scene, &address)?;
    let version = target(scene, &address)?.version(scene, &address)?;
    let code = Object::new().set("RepositoryType", "S3").maybe("Location", location::of(scene, &version));
    let mut shown =
        Object::new().set("Configuration", configuration(scene, &address, &version, As::Whole)?).set("Code", code);
    if !own.tags.is_empty() {
        shown = shown.set("Tags", texts(&own.tags));
    }
    if let Some(reserved) = concurrency::shown(&own) {
        shown = shown.set("Concurrency", reserved);
    }
    Ok((Ops::new(), Reply::json(shown)))
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let scope = call.region_scope();
    let asked = page::asked_of_lambda(call)?;
    let entry = |version: &FunctionVersion, qualified: bool| {
        let address = Address {
            region: call.region.as_str().into(),
            account: call.account.as_str().into(),
            name: version.function_name.as_str().into(),
            qualifier: qualified.then(|| version.version.as_str().into()),
        };
        configuration(scene, &address, version, As::Entry).map(Value::from)
    };
    let (shown, next) = if call.text("FunctionVersion") == Some("ALL") {
        let page = asked.cut(scene.world.list::<FunctionVersion>(&scope, "")?);
        (page.rows.iter().map(|(_, version)| entry(version, true)).collect::<Result<Vec<_>, _>>()?, page.position)
    } else {
        let page = asked.cut(scene.world.list::<Function>(&scope, "")?);
        let mut shown = Vec::new();
        for (name, _) in &page.rows {
            let latest = scene.world.get::<FunctionVersion>(&scope, &FunctionVersion::row_id(name, LATEST))?;
            shown.extend(latest.map(|latest| entry(&latest, false)).transpose()?);
        }
        (shown, page.position)
    };
    Ok((Ops::new(), Reply::json(Object::new().set("Functions", shown).maybe("NextMarker", next))))
}
