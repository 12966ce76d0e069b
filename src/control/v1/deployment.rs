//! Deployments: what an API was at one moment, kept to be served.

use super::{rest_api, stage};
use crate::catalog::Table;
use crate::catalog::v1::{CanarySettings, Deployment, Method, Resource, Stage};
use crate::control::patch::{Op, Rule, Rules, Style};
use crate::control::render::Object;
use crate::control::{Fault, Reply, Scene, Verb, page};
use crate::plan::{Flaw, ServingPlan, Which, warnings};
use crate::state::{Ops, Scope, Tree};
use serde_json::Value;
use std::collections::BTreeMap;

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    // It compiles the stage: beside the lane, over the one API that it touches.
    Verb::serving("CreateDeployment", create).slow(|call| vec![call.api_scope()]),
    Verb::read("GetDeployment", get),
    Verb::read("GetDeployments", list),
    Verb::draft("UpdateDeployment", update),
    Verb::serving("DeleteDeployment", delete),
];

const RULES: Rules<Deployment> = Rules {
    style: Style::Listing(&["/description"]),
    rules: &[Rule {
        path: "/description",
        ops: &[Op::Replace],
        apply: |deployment, step, _| {
            deployment.description = step.cleared();
            Ok(())
        },
    }],
    other: None,
};
const MISSING: &str = "Invalid Deployment identifier specified";
/// How many warnings of one deployment are logged; `meridian api diff` lists all.
const LOGGED_WARNINGS: usize = 20;

fn create(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let (scope, _) = rest_api::find(scene)?;
    let stage = match call.text("stageName").filter(|name| !name.is_empty()) {
        Some(name) => Some((name, scene.world.get::<Stage>(&scope, name)?)),
        None => None,
    };
    if call.object("canarySettings").is_some() {
        canary_has_a_stage(call.text("stageName"), stage.as_ref())?;
    }
    judge(scene, stage.as_ref().and_then(|(_, stage)| stage.as_ref()))?;
    let mut mint = scene.mint();
    let mut id = mint.lower(6);
    while scene.world.row(&scope, Table::Deployment, &id).is_some() {
        id = mint.lower(6);
    }
    let deployment = Deployment {
        id,
        description: call.text("description").filter(|text| !text.is_empty()).map(str::to_owned),
        created_date_ms: scene.stamp.time_ms,
        ..Deployment::default()
    };
    let mut ops = Ops::new();
    ops.put(&scope, &deployment.id, &deployment).freeze(&scope, &deployment.id);
    if let Some((name, old)) = stage {
        ops.put(&scope, name, &staged(scene, name, old, &deployment.id)?);
    }
    Ok((ops, Reply::json(show(&deployment))))
}

/// A canary release needs a stage that serves already.
fn canary_has_a_stage(name: Option<&str>, stage: Option<&(&str, Option<Stage>)>) -> Result<(), Fault> {
    let content = "Invalid deployment content specified.";
    match stage {
        None => Err(Fault::bad_request(format!(
            "{content}Non null and non empty stageName must be provided for canary deployment. Provided value is {}",
            name.unwrap_or("null")
        ))),
        Some((name, None)) => Err(Fault::bad_request(format!(
            "{content}Stage {name} must already be created before making a canary release deployment"
        ))),
        Some((_, Some(_))) => Ok(()),
    }
}

/// The stage that the call names, made or changed to serve the new deployment.
fn staged(scene: &Scene<'_>, name: &str, old: Option<Stage>, deployment: &str) -> Result<Stage, Fault> {
    let call = scene.call;
    let mut stage = match old {
        Some(stage) => stage,
        None => stage::another(scene, name)?,
    };
    match call.object("canarySettings") {
        Some(asked) => {
            let asked = stage::canary(asked)?;
            stage.canary_settings = Some(CanarySettings { deployment_id: deployment.to_owned(), ..asked });
        }
        None => deployment.clone_into(&mut stage.deployment_id),
    }
    if let Some(text) = call.text("stageDescription").filter(|text| !text.is_empty()) {
        stage.description = Some(text.to_owned());
    }
    if let Some(enabled) = call.flag("cacheClusterEnabled") {
        stage::set_cache(&mut stage, enabled);
    }
    if let Some(size) = call.text("cacheClusterSize") {
        stage.cache_cluster_size = Some(size.to_owned());
    }
    if let Some(variables) = call.text_map("variables") {
        stage::check_variables(&variables)?;
        stage.variables = Some(variables).filter(|variables| !variables.is_empty());
    }
    if let Some(traced) = call.flag("tracingEnabled") {
        stage.tracing_enabled = traced;
    }
    stage::touch(&mut stage, scene.stamp.time_ms);
    Ok(stage)
}

/// Why a draft cannot be served: every flaw, not the first. AWS knows two; the rest is what our compiler says.
pub(super) fn refusals(draft: &Tree, compiled: &Result<ServingPlan, Vec<Flaw>>) -> Vec<String> {
    if draft.rows(Table::Method, "").next().is_none() {
        return vec!["The REST API doesn't contain any methods".to_owned()];
    }
    let Err(found) = compiled else { return Vec::new() };
    let lacking = "No integration defined for method";
    let mut flaws: Vec<String> = found.iter().filter(|flaw| flaw.what != lacking).map(ToString::to_string).collect();
    if flaws.len() < found.len() {
        flaws.insert(0, lacking.to_owned());
    }
    flaws
}

/// Compiles the draft as the stage would serve it; what would fail when it is called is logged, not refused.
fn judge(scene: &Scene<'_>, stage: Option<&Stage>) -> Result<(), Fault> {
    let call = scene.call;
    let draft = scene.world.tree(&call.api_scope());
    let which = Which { account: call.account.as_str(), region: call.region.as_str(), api: call.label("restApiId") };
    let fresh = Stage { stage_name: call.label("stageName").to_owned(), ..Stage::default() };
    let mut stage = stage.cloned().unwrap_or(fresh);
    if let Some(variables) = call.text_map("variables") {
        stage.variables = Some(variables);
    }
    let compiled = ServingPlan::compile(&draft, &stage, which);
    let refusals = refusals(&draft, &compiled);
    if !refusals.is_empty() {
        return Err(Fault::bad_request(refusals.join("; ")));
    }
    for warning in warnings(&draft, &stage, compiled.as_ref().ok()).iter().take(LOGGED_WARNINGS) {
        tracing::warn!(api = which.api, stage = stage.stage_name, %warning, "deployed, and will fail when it is called");
    }
    Ok(())
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, deployment) = find(scene)?;
    let mut shown = show(&deployment);
    if scene.call.texts("embed").is_some_and(|embed| embed.iter().any(|part| part == "apisummary")) {
        let tree = scene.world.frozen(&scope, &deployment.id).unwrap_or_default();
        shown = shown.set("apiSummary", summary(&tree)?);
    }
    Ok((Ops::new(), Reply::json(shown)))
}

/// Path → method → what it asks of a caller.
fn summary(tree: &Tree) -> Result<Value, Fault> {
    let paths: BTreeMap<String, String> =
        tree.list::<Resource>("")?.into_iter().map(|(id, resource)| (id, resource.path)).collect();
    let mut by_path: BTreeMap<&str, Object> = BTreeMap::new();
    for (id, method) in tree.list::<Method>("")? {
        let resource = id.split('/').next().unwrap_or_default();
        let Some(path) = paths.get(resource) else { continue };
        let snapshot = Object::new()
            .set("authorizationType", method.authorization_type)
            .set("apiKeyRequired", method.api_key_required);
        let methods = by_path.remove(path.as_str()).unwrap_or_default();
        by_path.insert(path, methods.set(&method.http_method, snapshot));
    }
    Ok(Value::Object(by_path.into_iter().map(|(path, methods)| (path.to_owned(), methods.into_value())).collect()))
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, _) = rest_api::find(scene)?;
    let page = page::cut(scene.call, scene.world.list::<Deployment>(&scope, "")?)?;
    Ok((Ops::new(), page.reply(|_, deployment| show(&deployment))))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, mut deployment) = find(scene)?;
    RULES.apply(&mut deployment, scene)?;
    let mut ops = Ops::new();
    ops.put(&scope, &deployment.id, &deployment);
    Ok((ops, Reply::json(show(&deployment))))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, deployment) = find(scene)?;
    let in_use = |stage: &Stage| {
        stage.deployment_id == deployment.id
            || stage.canary_settings.as_ref().is_some_and(|canary| canary.deployment_id == deployment.id)
    };
    if scene.world.list::<Stage>(&scope, "")?.iter().any(|(_, stage)| in_use(stage)) {
        return Err(Fault::bad_request("Active stages pointing to this deployment must be moved or deleted"));
    }
    let mut ops = Ops::new();
    ops.drop::<Deployment>(&scope, &deployment.id).thaw(&scope, &deployment.id);
    Ok((ops, Reply::empty()))
}

fn find(scene: &Scene<'_>) -> Result<(Scope, Deployment), Fault> {
    let scope = scene.call.api_scope();
    let found = scene.world.get(&scope, scene.call.label("deploymentId"))?;
    Ok((scope, found.ok_or_else(|| Fault::not_found(MISSING))?))
}

fn show(deployment: &Deployment) -> Object {
    Object::new()
        .set("id", deployment.id.as_str())
        .maybe("description", deployment.description.as_deref())
        .time("createdDate", deployment.created_date_ms)
}
