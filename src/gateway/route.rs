//! route: which method of the API (data-plane §2).

use super::ask::{Ask, METHOD_OVERRIDE};
use super::place::Placed;
use super::refusal::{Kind, Refusal};
use super::stage::{Current, StagePlan};
use crate::plan::MethodPlan;
use std::rc::Rc;
use std::sync::Arc;

/// A matched method.
pub(super) struct Matched {
    pub stage: Arc<StagePlan>,
    pub method: usize,
    /// Where in the path the part below the stage begins.
    pub below: usize,
}

impl Matched {
    /// The method's plan. The index came from this plan's own routes.
    pub(super) fn method(&self) -> &MethodPlan {
        &self.stage.plan.methods[self.method]
    }
}

/// A request whose method is known.
pub(super) struct Routed {
    pub current: Rc<Current>,
    pub matched: Matched,
}

pub(super) fn route(placed: Placed, ask: &mut Ask) -> Result<Routed, Refusal> {
    let Placed { current, stage, below } = placed;
    if let Some(verb) = ask.headers.remove(METHOD_OVERRIDE) {
        ask.method =
            http::Method::from_bytes(verb.as_bytes()).map_err(|_| Refusal::new(Kind::Malformed, "method_override"))?;
    }
    let path = ask.uri.path().get(below..).unwrap_or_default();
    let Some(found) = stage.plan.routes.find(ask.method.as_str(), path) else {
        return Err(Refusal::new(Kind::MissingAuthenticationToken, "no_such_method"));
    };
    let method = found.method;
    let parameters = found.parameters.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    ask.parameters = parameters;
    ask.facts.method = Some(method);
    ask.facts.kept = super::dress::keep(&stage.plan, ask);
    Ok(Routed { matched: Matched { stage, method, below }, current })
}
