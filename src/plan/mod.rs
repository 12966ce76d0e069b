//! A stage compiled for serving: everything that a visit needs and that does not depend on the visit.
//!
//! World → [`ServingPlan`]: a router, per method what stands behind it, mappings and templates ready to run. Pure: the
//! same rows make the same plan on every node, and a plan never changes, so a visit that pinned one is served by one
//! set of rules.

pub mod aws;
pub mod binary;
pub mod body_read;
pub mod cache;
pub mod context;
pub mod event;
pub mod flaw;
pub mod gateway_response;
pub mod hosts;
pub mod mapping;
pub mod media;
pub mod method;
pub mod proxy_result;
pub mod response;
pub mod route;
pub mod substitute;
pub mod template;
pub mod uri;
pub mod validation;
mod warning;

pub use flaw::Flaw;
pub use method::{Backend, MethodPlan, MockPlan, RequestBody, StageThrottle};
pub use route::{Found, Routes};
pub use warning::warnings;

use crate::catalog::v1::{
    ApiKeySource, CanarySettings, GatewayResponse, Method, Model, RequestValidator, Resource, RestApi, Stage,
};
use crate::state::Tree;
use binary::BinaryTypes;
use gateway_response::GatewayResponses;
use std::collections::BTreeMap;
use substitute::Substitution;

/// Which stage is compiled.
#[derive(Debug, Clone, Copy)]
pub struct Which<'a> {
    /// Whose API it is.
    pub account: &'a str,
    /// The API's home region.
    pub region: &'a str,
    /// The API's id.
    pub api: &'a str,
}

/// A stage, ready to serve.
#[derive(Debug)]
pub struct ServingPlan {
    /// Whose API it is.
    pub account: Box<str>,
    /// The API's home region.
    pub region: Box<str>,
    /// The API's id.
    pub api: Box<str>,
    /// The stage's name.
    pub stage: Box<str>,
    /// What the stage serves.
    pub deployment: Box<str>,
    /// The stage's revision: edge and region agree on (deployment, revision).
    pub revision: u64,
    /// Whether this is what the stage's canary serves.
    pub canary: bool,
    /// `{api}:{stage}`: how usage plans and buckets name the stage.
    pub name: Box<str>,
    /// Whether keys are taken from the header `x-api-key` (else from an authorizer's answer).
    pub key_in_header: bool,
    /// Whether only custom domains reach the API.
    pub default_endpoint_disabled: bool,
    /// Whether the API has a resource policy.
    pub has_policy: bool,
    /// The stage's variables, by name.
    pub variables: BTreeMap<String, String>,
    /// Which payloads are bytes.
    pub binary: BinaryTypes,
    /// From how many bytes on an answer is compressed for clients that ask for it; `None`: never.
    pub compress_from: Option<u64>,
    /// Path and verb → index into `methods`.
    pub routes: Routes,
    /// Every method.
    pub methods: Vec<MethodPlan>,
    /// How the gateway itself says no here.
    pub gateway_responses: GatewayResponses,
    /// The line of the stage's access log, when it has one.
    pub access_log: Option<Substitution>,
    /// Roughly how much memory the plan takes, bytes.
    pub bytes: usize,
}

impl ServingPlan {
    /// Compiles what `tree` (a draft or what a deployment froze) serves at `stage`.
    ///
    /// # Errors
    /// Every flaw that makes the stage impossible to serve. What is merely not built yet is no flaw: such a method
    /// answers by naming it.
    pub fn compile(tree: &Tree, stage: &Stage, which: Which<'_>) -> Result<ServingPlan, Vec<Flaw>> {
        Self::compile_apart(tree, stage, which, "")
    }

    /// Compiles what the canary of a stage serves: `tree` is what its deployment froze. The stage's variables are overlaid
    /// by the canary's. It shares the stage's cache only where it is told to and serves the same deployment (data-plane §14).
    ///
    /// # Errors
    /// As [`ServingPlan::compile`].
    pub fn compile_canary(
        tree: &Tree,
        stage: &Stage,
        canary: &CanarySettings,
        which: Which<'_>,
    ) -> Result<ServingPlan, Vec<Flaw>> {
        let mut own = stage.clone();
        own.deployment_id.clone_from(&canary.deployment_id);
        if let Some(overrides) = &canary.stage_variable_overrides {
            own.variables.get_or_insert_default().extend(overrides.clone());
        }
        let shares = canary.use_stage_cache && canary.deployment_id == stage.deployment_id;
        let apart = if shares { "" } else { canary.deployment_id.as_str() };
        // An id is never empty, but a canary without one must not share either.
        let apart = if !shares && apart.is_empty() { "canary" } else { apart };
        Ok(ServingPlan { canary: true, ..Self::compile_apart(tree, &own, which, apart)? })
    }

    fn compile_apart(tree: &Tree, stage: &Stage, which: Which<'_>, apart: &str) -> Result<ServingPlan, Vec<Flaw>> {
        let mut flaws = Vec::new();
        let api = read(tree.get::<RestApi>(which.api), which.api, &mut flaws).flatten().unwrap_or_default();
        let resources = read(tree.list::<Resource>(""), "resources", &mut flaws).unwrap_or_default();
        let rows = read(tree.list::<Method>(""), "methods", &mut flaws).unwrap_or_default();
        let paths: BTreeMap<&str, &Resource> = resources.iter().map(|(id, r)| (id.as_str(), r)).collect();
        let no_variables = BTreeMap::new();
        let validators = read(tree.list::<RequestValidator>(""), "validators", &mut flaws).unwrap_or_default();
        let models = read(tree.list::<Model>(""), "models", &mut flaws).unwrap_or_default();
        let models = validation::ModelShelf::of(models);
        let variables = stage.variables.as_ref().unwrap_or(&no_variables);
        let refusals = read(tree.list::<GatewayResponse>(""), "gateway responses", &mut flaws).unwrap_or_default();
        let context = method::Around { which, stage, variables, validators: &validators, models: &models, apart };
        let mut methods = Vec::with_capacity(rows.len());
        let mut routes = Routes::default();
        for (_, resource) in &resources {
            if let Err(why) = routes.add(&resource.path, None) {
                flaws.push(Flaw::new(&resource.path, why));
            }
        }
        for (id, row) in &rows {
            let Some(resource) = id.split_once('/').and_then(|(resource, _)| paths.get(resource)) else {
                flaws.push(Flaw::new(id, "the method's resource does not exist"));
                continue;
            };
            match method::compile(resource, row, &context) {
                Ok(plan) => {
                    let verb = plan.verb.clone();
                    if let Err(why) = routes.add(&resource.path, Some((&verb, methods.len()))) {
                        flaws.push(Flaw::new(&resource.path, why));
                    }
                    methods.push(plan);
                }
                Err(more) => flaws.extend(more),
            }
        }
        if !flaws.is_empty() {
            return Err(flaws);
        }
        let bytes = 2_048 + tree.all().map(|(_, row)| row.bytes().len() * 4 + 512).sum::<usize>();
        Ok(ServingPlan {
            account: which.account.into(),
            region: which.region.into(),
            api: which.api.into(),
            stage: stage.stage_name.as_str().into(),
            deployment: stage.deployment_id.as_str().into(),
            revision: stage.revision,
            canary: false,
            name: format!("{}:{}", which.api, stage.stage_name).into(),
            key_in_header: !matches!(api.api_key_source, Some(ApiKeySource::Authorizer)),
            default_endpoint_disabled: api.disable_execute_api_endpoint,
            has_policy: api.policy.as_deref().is_some_and(|p| !p.trim().is_empty()),
            variables: stage.variables.clone().unwrap_or_default(),
            binary: BinaryTypes::of(&api.binary_media_types),
            compress_from: api.minimum_compression_size.and_then(|size| u64::try_from(size).ok()),
            routes,
            methods,
            gateway_responses: GatewayResponses::compile(&refusals, variables),
            access_log: access_log(stage),
            bytes,
        })
    }
}

/// The line of a stage's access log. Without a destination AWS writes none; where ours goes is the operator's choice.
fn access_log(stage: &Stage) -> Option<Substitution> {
    let settings = stage.access_log_settings.as_ref()?;
    settings.destination_arn.as_ref().filter(|arn| !arn.is_empty())?;
    settings.format.as_deref().filter(|format| !format.is_empty()).map(Substitution::access_log)
}

/// A row that cannot be read is a flaw like any other.
fn read<T>(read: Result<T, crate::state::RowError>, what: &str, flaws: &mut Vec<Flaw>) -> Option<T> {
    read.map_err(|error| flaws.push(Flaw::new(what, format!("cannot be read: {error}")))).ok()
}

#[cfg(test)]
mod tests;
