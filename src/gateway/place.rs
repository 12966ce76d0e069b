//! place: which stage a request means; its plan is pinned here, so a deployment never changes the rules in mid-visit.

use super::ask::Ask;
use super::refusal::{Kind, Refusal};
use super::stage::{Current, StagePlan, current};
use super::worker::Worker;
use crate::plan::hosts::{self, Form};
use http::HeaderName;
use std::rc::Rc;
use std::sync::Arc;

const API_ID: HeaderName = HeaderName::from_static("x-apigw-api-id");

/// A request whose stage is known.
pub(super) struct Placed {
    pub current: Rc<Current>,
    /// What serves the visit: the stage, or its canary.
    pub stage: Arc<StagePlan>,
    /// Where in the path the part below the stage begins.
    pub below: usize,
}

pub(super) async fn place(worker: &Rc<Worker>, ask: &mut Ask) -> Result<Placed, Refusal> {
    let limits = &worker.shared.limits;
    if let Some(flaw) = ask.conn.take_head_flaw() {
        return Err(Refusal::new(Kind::Malformed, "request_framing").because(flaw));
    }
    if ask.client.authority.is_empty() {
        return Err(Refusal::new(Kind::Malformed, "host_header"));
    }
    let (path, query) = (ask.path(), ask.query());
    if path.len() + query.len() > limits.uri_bytes {
        return Err(Refusal::new(Kind::UriTooLong, "uri_too_long"));
    }
    if limits.header_bytes.is_some_and(|most| ask.headers.values().map(http::HeaderValue::len).sum::<usize>() > most) {
        return Err(Refusal::new(Kind::HeadersTooLarge, "headers_too_large"));
    }
    if query.bytes().any(|byte| matches!(byte, b'|' | b'{' | b'}')) {
        return Err(Refusal::new(Kind::Malformed, "query_characters"));
    }
    let header = || ask.headers.get(API_ID)?.to_str().ok();
    let Some(named) = hosts::named(&ask.client.authority, path, header) else {
        return Err(Refusal::new(Kind::UnknownStage, "no_stage_named"));
    };
    let (below, form) = (named.below, named.form);
    let current = current(worker, named.api, named.stage).await?;
    ask.facts.path = super::ask::context_path(ask.uri.path(), below, &current.stage.plan.stage);
    let stage = chosen(worker, &current, ask)?;
    ask.facts.stage = Some(stage.clone());
    if stage.plan.default_endpoint_disabled && form != Form::PrivateHost {
        return Err(Refusal::new(Kind::UnknownStage, "default_endpoint_disabled"));
    }
    Ok(Placed { current, stage, below })
}

/// The stage's own plan or the canary's, by lot; a visit that walks again keeps its lot.
fn chosen(worker: &Worker, current: &Current, ask: &mut Ask) -> Result<Arc<StagePlan>, Refusal> {
    let Some(canary) = &current.canary else { return Ok(current.stage.clone()) };
    let drawn = *ask.facts.canary.get_or_insert_with(|| canary.takes(worker.random.borrow_mut().fraction()));
    if !drawn {
        return Ok(current.stage.clone());
    }
    canary.stage.clone().ok_or_else(|| Refusal::new(Kind::ApiConfigurationError, "canary_unusable"))
}
