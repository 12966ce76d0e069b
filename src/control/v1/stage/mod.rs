//! Stages: named places where a deployment is served.

mod patch_rules;
mod show;

use super::{rest_api, tags};
use crate::catalog::Table;
use crate::catalog::v1::{CanarySettings, Deployment, Stage, Texts};
use crate::control::quotas::{self, Owner};
use crate::control::render::Object;
use crate::control::{Fault, Reply, Scene, Verb, patch, sizes};
use crate::state::{Ops, Scope};
use serde_json::{Map, Value};
use show::show;

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    Verb::serving("CreateStage", create),
    Verb::read("GetStage", get),
    Verb::read("GetStages", list),
    Verb::serving("UpdateStage", update),
    Verb::serving("DeleteStage", delete),
    Verb::serving("FlushStageCache", |scene| flush(scene, |stage| stage.cache_flushes += 1)),
    Verb::serving("FlushStageAuthorizersCache", |scene| flush(scene, |stage| stage.authorizer_flushes += 1)),
];

pub(super) const MISSING: &str = "Invalid stage identifier specified";
const NO_DEPLOYMENT: &str = "Deployment id does not exist";
/// Longest stage name, characters.
const LONGEST_NAME: usize = 128;
/// Most variables of a stage.
const MOST_VARIABLES: usize = 100;
/// Longest name and value of a stage variable, characters.
const LONGEST_VARIABLE: (usize, usize) = (64, 512);

fn create(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let (scope, _) = rest_api::find(scene)?;
    let mut stage = fresh(call.label("stageName"), scene.stamp.time_ms)?;
    if scene.world.row(&scope, Table::Stage, &stage.stage_name).is_some() {
        return Err(Fault::conflict("Stage already exists"));
    }
    room(scene)?;
    stage.deployment_id = deployed(scene, call.label("deploymentId"))?;
    stage.description = call.text("description").filter(|text| !text.is_empty()).map(str::to_owned);
    set_cache(&mut stage, call.flag("cacheClusterEnabled").unwrap_or_default());
    if let Some(size) = call.text("cacheClusterSize") {
        stage.cache_cluster_size = Some(size.to_owned());
    }
    let variables = call.text_map("variables").unwrap_or_default();
    check_variables(&variables)?;
    stage.variables = Some(variables).filter(|variables| !variables.is_empty());
    if let Some(version) = call.text("documentationVersion").filter(|version| !version.is_empty()) {
        stage.documentation_version = Some(documented(scene, version.to_owned())?);
    }
    if let Some(asked) = call.object("canarySettings") {
        let mut canary = canary(asked)?;
        canary.deployment_id = match asked.get("deploymentId").and_then(Value::as_str) {
            Some(id) => deployed(scene, id)?,
            None => stage.deployment_id.clone(),
        };
        stage.canary_settings = Some(canary);
    }
    stage.tracing_enabled = call.flag("tracingEnabled").unwrap_or_default();
    stage.tags = tags::of(call)?;
    touch(&mut stage, scene.stamp.time_ms);
    let mut ops = Ops::new();
    ops.put(&scope, &stage.stage_name, &stage);
    Ok((ops, Reply::json(show(&stage))))
}

/// A stage with nothing but a name.
fn fresh(name: &str, time_ms: i64) -> Result<Stage, Fault> {
    if name.is_empty() {
        return Err(Fault::bad_request("Stage name should not be null or empty"));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.chars().count() > LONGEST_NAME || !name.chars().all(fits) {
        return Err(Fault::bad_request("Stage name only allows a-zA-Z0-9_-"));
    }
    Ok(Stage { stage_name: name.to_owned(), created_date_ms: time_ms, ..Stage::default() })
}

/// One more stage of the call's API, with nothing but a name.
///
/// # Errors
/// BadRequest for a name that no stage may have; LimitExceeded when there is no room for it.
pub(super) fn another(scene: &Scene<'_>, name: &str) -> Result<Stage, Fault> {
    let stage = fresh(name, scene.stamp.time_ms)?;
    room(scene)?;
    Ok(stage)
}

fn room(scene: &Scene<'_>) -> Result<(), Fault> {
    let scope = scene.call.api_scope();
    quotas::room(scene.world, &scope, Table::Stage, scene.quotas.stages, "Stages", Owner::Api)
}

/// Counts a write: edge and region agree on what they serve by deployment and revision.
pub(super) fn touch(stage: &mut Stage, time_ms: i64) {
    stage.revision += 1;
    stage.last_updated_date_ms = time_ms;
}

/// Switches the cache; its size and status follow at once, for there is no cluster to wait for.
pub(super) fn set_cache(stage: &mut Stage, enabled: bool) {
    stage.cache_cluster_enabled = enabled;
    stage.cache_cluster_status = enabled.then(|| "AVAILABLE".to_owned());
    if enabled && stage.cache_cluster_size.is_none() {
        stage.cache_cluster_size = Some("0.5".to_owned());
    }
}

/// The canary settings of a create call, without the deployment.
///
/// # Errors
/// BadRequest for a percentage or variables out of bounds.
pub(super) fn canary(asked: &Map<String, Value>) -> Result<CanarySettings, Fault> {
    let overrides: Option<Texts> = asked.get("stageVariableOverrides").and_then(Value::as_object).map(|pairs| {
        pairs.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
    });
    check_variables(overrides.as_ref().unwrap_or(&Texts::new()))?;
    Ok(CanarySettings {
        percent_traffic: percent(asked.get("percentTraffic").and_then(Value::as_f64).unwrap_or_default())?,
        stage_variable_overrides: overrides.filter(|overrides| !overrides.is_empty()),
        use_stage_cache: asked.get("useStageCache").and_then(Value::as_bool).unwrap_or_default(),
        ..CanarySettings::default()
    })
}

fn percent(share: f64) -> Result<f64, Fault> {
    let fits = (0.0..=100.0).contains(&share);
    fits.then_some(share).ok_or_else(|| {
        Fault::bad_request(format!("Invalid percentTraffic specified: {share}. Must be between 0.0 and 100.0"))
    })
}

/// Checks number, names and values of stage variables.
///
/// # Errors
/// BadRequest with AWS's words for the first that does not fit; LimitExceeded for too many.
pub(super) fn check_variables(variables: &Texts) -> Result<(), Fault> {
    if variables.len() > MOST_VARIABLES {
        let text = format!("Maximum number of stage variables for this stage has been reached: {MOST_VARIABLES}");
        return Err(Fault::limit_exceeded(text));
    }
    variables.iter().try_for_each(|(name, value)| check_variable(name, Some(value)))
}

fn check_variable(name: &str, value: Option<&str>) -> Result<(), Fault> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.chars().count() > LONGEST_VARIABLE.0 || !name.chars().all(word) {
        let text = format!("Invalid stage variable name: {name}.  Please use names with only word characters.");
        return Err(Fault::bad_request(text));
    }
    let symbol = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#&=, ".contains(c);
    match value {
        Some(text) if !text.is_empty() && text.chars().count() <= LONGEST_VARIABLE.1 && text.chars().all(symbol) => {
            Ok(())
        }
        _ => Err(Fault::bad_request(format!(
            "Invalid stage variable value: {}.  Please use values with alphanumeric characters and the symbols ' ', -', '.', '_', ':', '/', '?', '&', '=', and ','.",
            value.unwrap_or("null")
        ))),
    }
}

/// The id of a deployment that there is.
fn deployed(scene: &Scene<'_>, deployment: &str) -> Result<String, Fault> {
    match scene.world.get::<Deployment>(&scene.call.api_scope(), deployment)? {
        Some(found) => Ok(found.id),
        None => Err(Fault::bad_request(NO_DEPLOYMENT)),
    }
}

/// The id of a client certificate that there is.
fn certified(scene: &Scene<'_>, id: String) -> Result<String, Fault> {
    match scene.world.row(&scene.call.region_scope(), Table::ClientCertificate, &id) {
        Some(_) => Ok(id),
        None => Err(Fault::bad_request("Invalid Client Certificate identifier specified")),
    }
}

/// The name of a documentation version that there is.
fn documented(scene: &Scene<'_>, version: String) -> Result<String, Fault> {
    match scene.world.row(&scene.call.api_scope(), Table::DocumentationVersion, &version) {
        Some(_) => Ok(version),
        None => Err(Fault::not_found("Invalid Documentation version specified")),
    }
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (_, stage) = find(scene)?;
    Ok((Ops::new(), Reply::json(show(&stage))))
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, _) = rest_api::find(scene)?;
    let wanted = scene.call.text("deploymentId").filter(|id| !id.is_empty());
    let stages = scene.world.list::<Stage>(&scope, "")?.into_iter().map(|(_, stage)| stage);
    let shown: Vec<Value> = stages
        .filter(|stage| wanted.is_none_or(|id| stage.deployment_id == id))
        .map(|stage| show(&stage).into_value())
        .collect();
    Ok((Ops::new(), Reply::json(Object::new().set("item", shown))))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, mut stage) = find(scene)?;
    let steps = patch::steps(scene.call)?;
    patch::together(steps.iter().map(|step| patch_rules::apply(&mut stage, step, scene)))?;
    check_variables(stage.variables.as_ref().unwrap_or(&Texts::new()))?;
    sizes::entries("methodSettings", stage.method_settings.len())?;
    touch(&mut stage, scene.stamp.time_ms);
    let mut ops = Ops::new();
    ops.put(&scope, &stage.stage_name, &stage);
    Ok((ops, Reply::json(show(&stage))))
}

/// Counts a flush: whatever was cached under another count is not looked at any more, on any node. `lastUpdatedDate` stays.
fn flush(scene: &Scene<'_>, count: fn(&mut Stage)) -> Result<(Ops, Reply), Fault> {
    let (scope, mut stage) = find(scene)?;
    count(&mut stage);
    stage.revision += 1;
    let mut ops = Ops::new();
    ops.put(&scope, &stage.stage_name, &stage);
    Ok((ops, Reply::empty()))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, stage) = find(scene)?;
    super::usage_plan::refuse_while_covered(scene, &stage.stage_name)?;
    super::base_path_mapping::refuse_while_mapped(scene, scene.call.label("restApiId"), Some(&stage.stage_name))?;
    let mut ops = Ops::new();
    ops.drop::<Stage>(&scope, &stage.stage_name);
    Ok((ops, Reply::empty()))
}

fn find(scene: &Scene<'_>) -> Result<(Scope, Stage), Fault> {
    let scope = scene.call.api_scope();
    let found = scene.world.get(&scope, scene.call.label("stageName"))?;
    Ok((scope, found.ok_or_else(|| Fault::not_found(MISSING))?))
}
