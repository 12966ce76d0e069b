//! What differs between an API's draft and what a stage serves, and what of it would break clients.
//!
//! ```text
//! draft ──▶ Surface ─┐
//!                    ├─▶ compare ─▶ changes, each with why it breaks clients
//! frozen ─▶ Surface ─┘
//! ```
//! AWS has nothing like it: there, nobody knows what a deployment will change until it has. Things are compared by
//! what clients and owners call them (`GET /pets`, a model's name), not by ids, which an import makes anew.

mod breaking;
mod compare;
mod schema;
mod surface;

use super::{deployment, stage};
use crate::catalog::v1::Stage;
use crate::control::Fault;
use crate::plan::{Flaw, ServingPlan, Which, warnings};
use crate::state::World;
use serde_json::{Value, json};
use surface::Surface;

/// The answer of `GET /cluster/v1/apis/{api}/diff?stage=S`: `api`, `region`, `stage`, `deployment`, `canary` (a
/// deployment's id or null), `changes` (`place`, `member`, `change`, `before`, `after`, `breaking`), `breaking` (how
/// many), `refusals` (why CreateDeployment would refuse the draft) and `warnings` (what would fail when it is called).
///
/// # Errors
/// When there is no such API or stage, or a row cannot be read.
pub fn diff(world: &World, api: &str, stage_name: &str) -> Result<Value, Fault> {
    let scope = world.api_scope(api).ok_or_else(|| Fault::not_found(format!("There is no API `{api}`")))?;
    let staged = world.get::<Stage>(&scope, stage_name)?.ok_or_else(|| {
        let names = world.list::<Stage>(&scope, "").unwrap_or_default();
        let names: Vec<String> = names.into_iter().map(|(name, _)| name).collect();
        let known =
            if names.is_empty() { "it has none yet".to_owned() } else { format!("it has {}", names.join(", ")) };
        Fault::not_found(format!("{}: API `{api}` has no stage `{stage_name}`; {known}", stage::MISSING))
    })?;
    let (account, region) = (scope.account().unwrap_or_default(), scope.region_name().unwrap_or_default());
    let which = Which { account: account.as_str(), region: region.as_str(), api };
    let draft = world.tree(&scope);
    let frozen = world.frozen(&scope, &staged.deployment_id).unwrap_or_default();
    let (old, new) = (Surface::of(&frozen, api)?, Surface::of(&draft, api)?);
    let mut changes = compare::compare(&old, &new);
    breaking::mark(&mut changes, &old, &new);
    let compiled = ServingPlan::compile(&draft, &staged, which);
    let refusals = deployment::refusals(&draft, &compiled);
    let warned = warnings(&draft, &staged, compiled.as_ref().ok());
    let breaking = changes.iter().filter(|change| change.breaking.is_some()).count();
    Ok(json!({
        "api": api, "region": region.as_str(), "stage": stage_name, "deployment": staged.deployment_id,
        "canary": staged.canary_settings.map(|canary| canary.deployment_id),
        "changes": changes.iter().map(compare::Change::show).collect::<Vec<_>>(), "breaking": breaking,
        "refusals": refusals, "warnings": warned.iter().map(show).collect::<Vec<_>>(),
    }))
}

fn show(flaw: &Flaw) -> Value {
    json!({ "place": flaw.place, "text": flaw.what })
}
