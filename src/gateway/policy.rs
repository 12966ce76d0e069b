//! policy: the API's resource policy. Evaluation comes later; an API that has one lets nobody in until then.

use super::refusal::{Kind, Refusal};
use super::route::Routed;

/// A request that the resource policy does not stop.
pub(super) struct Permitted(pub Routed);

pub(super) fn policy(routed: Routed) -> Result<Permitted, Refusal> {
    if routed.matched.stage.plan.has_policy {
        return Err(unbuilt("resource policies"));
    }
    Ok(Permitted(routed))
}

/// Names what this version cannot do yet: never silence, never a guess.
pub(super) fn unbuilt(what: &str) -> Refusal {
    Refusal::new(Kind::Unbuilt, "not_built").saying(format!("Meridian does not implement {what} yet"))
}
