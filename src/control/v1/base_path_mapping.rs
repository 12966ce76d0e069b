//! Base path mappings: which stage stands under which path of a custom domain name.

use super::domain_name;
use crate::catalog::Table;
use crate::catalog::v1::{BasePathMapping, EndpointType, RestApi};
use crate::control::patch::{Op, Rule, Rules, Style};
use crate::control::render::Object;
use crate::control::{Fault, Reply, Scene, Verb, page};
use crate::state::{Ops, Scope};

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    Verb::serving("CreateBasePathMapping", create),
    Verb::read("GetBasePathMapping", get),
    Verb::read("GetBasePathMappings", list),
    Verb::serving("UpdateBasePathMapping", update),
    Verb::serving("DeleteBasePathMapping", delete),
];

const MISSING: &str = "Invalid base path mapping identifier specified";
/// Longest base path, characters.
const LONGEST: usize = 300;

/// What may be changed. Whether API and stage are there is judged when all steps are done.
const RULES: Rules<BasePathMapping> = Rules {
    style: Style::Plain,
    rules: &[
        Rule {
            path: "/basePath",
            ops: &[Op::Replace],
            apply: |mapping, step, _| {
                mapping.base_path = base_path(step.text())?;
                Ok(())
            },
        },
        Rule {
            path: "/stage",
            ops: &[Op::Replace],
            apply: |mapping, step, _| {
                mapping.stage = step.cleared();
                Ok(())
            },
        },
        Rule {
            path: "/restapiId",
            ops: &[Op::Replace],
            apply: |mapping, step, _| {
                step.text().clone_into(&mut mapping.rest_api_id);
                Ok(())
            },
        },
    ],
    other: None,
};

/// A base path as it is stored; nothing is the root.
fn base_path(text: &str) -> Result<String, Fault> {
    if text.is_empty() || text == BasePathMapping::NONE {
        return Ok(BasePathMapping::NONE.to_owned());
    }
    if text.contains('/') {
        return Err(Fault::bad_request(
            "API Gateway V1 doesn't support the slash character (/) in base path mappings. To create a multi-level base path mapping, use API Gateway V2.",
        ));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || "$-_.+!*'()".contains(c);
    if text.len() <= LONGEST && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    let shown: String = text.chars().take(LONGEST).collect();
    Err(Fault::bad_request(format!("Invalid base path specified: {shown}")))
}

/// The domain's scope and row id.
fn domain(scene: &Scene<'_>) -> Result<(Scope, String, bool), Fault> {
    let (scope, domain) = domain_name::find(scene)?;
    Ok((scope, domain_name::row_id(&domain), domain.domain_name_id.is_some()))
}

fn create(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let (scope, domain, private) = domain(scene)?;
    let mapping = BasePathMapping {
        base_path: base_path(call.text("basePath").unwrap_or_default())?,
        rest_api_id: call.label("restApiId").to_owned(),
        stage: call.text("stage").filter(|stage| !stage.is_empty()).map(str::to_owned),
        ..BasePathMapping::default()
    };
    check(scene, &mapping, private)?;
    let id = BasePathMapping::row_id(&domain, &mapping.base_path);
    if scene.world.row(&scope, Table::BasePathMapping, &id).is_some() {
        return Err(taken());
    }
    let mut ops = Ops::new();
    ops.put(&scope, &id, &mapping);
    Ok((ops, Reply::json(show(&mapping))))
}

fn taken() -> Fault {
    Fault::conflict("Base path already exists for this domain name")
}

/// The API and its stage must be there, and be private exactly where the name is.
fn check(scene: &Scene<'_>, mapping: &BasePathMapping, private: bool) -> Result<(), Fault> {
    let scope = scene.call.scope_of(&mapping.rest_api_id);
    let api = scene.world.get::<RestApi>(&scope, &mapping.rest_api_id)?;
    let api = api.ok_or_else(|| Fault::bad_request("Invalid REST API identifier specified"))?;
    if api.endpoint_configuration.types.contains(&EndpointType::Private) != private {
        return Err(Fault::bad_request(
            "A private domain name can only be mapped to a private API, and a public one only to a public API",
        ));
    }
    match &mapping.stage {
        Some(stage) if scene.world.row(&scope, Table::Stage, stage).is_none() => {
            Err(Fault::bad_request(super::stage::MISSING))
        }
        _ => Ok(()),
    }
}

fn find(scene: &Scene<'_>) -> Result<(Scope, String, bool, BasePathMapping), Fault> {
    let (scope, domain, private) = domain(scene)?;
    let path = Some(scene.call.label("basePath")).filter(|path| !path.is_empty()).unwrap_or(BasePathMapping::NONE);
    let found = scene.world.get(&scope, &BasePathMapping::row_id(&domain, path))?;
    Ok((scope, domain, private, found.ok_or_else(|| Fault::not_found(MISSING))?))
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    Ok((Ops::new(), Reply::json(show(&find(scene)?.3))))
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, domain, _) = domain(scene)?;
    let all = scene.world.list::<BasePathMapping>(&scope, &BasePathMapping::row_id(&domain, ""))?;
    let page = page::cut(scene.call, all)?;
    Ok((Ops::new(), page.reply(|_, mapping| show(&mapping))))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, domain, private, before) = find(scene)?;
    let mut mapping = before.clone();
    RULES.apply(&mut mapping, scene)?;
    check(scene, &mapping, private)?;
    let id = BasePathMapping::row_id(&domain, &mapping.base_path);
    let mut ops = Ops::new();
    if mapping.base_path != before.base_path {
        if scene.world.row(&scope, Table::BasePathMapping, &id).is_some() {
            return Err(taken());
        }
        ops.drop::<BasePathMapping>(&scope, &BasePathMapping::row_id(&domain, &before.base_path));
    }
    ops.put(&scope, &id, &mapping);
    Ok((ops, Reply::json(show(&mapping))))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, domain, _, mapping) = find(scene)?;
    let mut ops = Ops::new();
    ops.drop::<BasePathMapping>(&scope, &BasePathMapping::row_id(&domain, &mapping.base_path));
    Ok((ops, Reply::empty()))
}

/// Refuses to take away an API, or a stage of it, that a mapping of the same account leads to.
///
/// # Errors
/// BadRequest in AWS's words.
pub(super) fn refuse_while_mapped(scene: &Scene<'_>, api: &str, stage: Option<&str>) -> Result<(), Fault> {
    let mut domains = std::collections::BTreeSet::new();
    for (id, mapping) in scene.world.list::<BasePathMapping>(&scene.call.region_scope(), "")? {
        if mapping.rest_api_id == api && (stage.is_none() || mapping.stage.as_deref() == stage) {
            domains.extend(id.split(['/', '+']).next().map(str::to_owned));
        }
    }
    if domains.is_empty() {
        return Ok(());
    }
    let domains = domains.into_iter().collect::<Vec<_>>().join(", ");
    let (what, kind) = match stage {
        None => (format!("RestApi {api}"), "RestApi".to_owned()),
        Some(stage) => (format!("stage {stage}"), format!("stage {stage}")),
    };
    Err(Fault::bad_request(format!(
        "Deleting {what} failed. Please remove all base path mappings related to the {kind} in your domains: {domains}."
    )))
}

fn show(mapping: &BasePathMapping) -> Object {
    Object::new()
        .set("basePath", mapping.base_path.as_str())
        .set("restApiId", mapping.rest_api_id.as_str())
        .maybe("stage", mapping.stage.as_deref())
}
