//! The cut: hands an admitted visit to a region that serves its API, and goes on with one that an edge hands over.

use super::admit::Admitted;
use super::ask::{Ask, Client, Facts};
use super::place::place;
use super::refusal::{Kind, Refusal};
use super::route::{Matched, route};
use super::stage::{PlanKey, StagePlan, current, remembered};
use super::step::Step as At;
use super::worker::Worker;
use super::{dress, explain};
use crate::edge::wire::{
    self, BodyHint, End, Fault, Head, More, Protocol, Refused, RespHead, Step, TlsFacts, code, more,
};
use crate::edge::{CutBody, Failed, ForwardError, Forwarded, Replay, Served};
use crate::net::http::{Body, BodyError, ConnInfo, SentNames, TlsInfo};
use futures_util::FutureExt;
use http::{HeaderValue, Response, StatusCode, Version};
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What a visit may take beyond its integration, ms.
const SLACK_MS: u32 = 2_000;
/// How often a node looks whether a revision has come.
const REVISION_POLL: Duration = Duration::from_millis(5);
/// How often a visit walks again because edge and region have different revisions of its stage.
const WALKS: usize = 4;

/// The regions to forward to; `None` when this node serves the API itself.
pub(super) fn elsewhere(worker: &Worker, admitted: &Admitted) -> Option<Vec<Box<str>>> {
    let regions = admitted.current.as_ref()?.regions.as_ref()?;
    let here = regions.iter().any(|region| **region == *worker.shared.region);
    (!here).then(|| regions.clone())
}

/// Forwards and returns the region's answer, its body still streaming.
pub(super) async fn forward(
    worker: &Rc<Worker>,
    admitted: Admitted,
    regions: &[Box<str>],
    ask: &mut Ask,
) -> Result<Response<Body>, Refusal> {
    ask.facts.step = At::Forward;
    let Some(forwarder) = worker.shared.forwarder.clone() else {
        return Err(Refusal::new(Kind::NoNode, "no_peers"));
    };
    let limit = worker.shared.limits.body_bytes;
    if ask.body.known_len().is_some_and(|len| len > limit) {
        return Err(super::payload::too_large());
    }
    let hint = match ask.body.known_len() {
        Some(0) => BodyHint::Empty,
        Some(len) => BodyHint::Known(len),
        None => BodyHint::Unknown,
    };
    let regions: Vec<&str> = regions.iter().map(AsRef::as_ref).collect();
    let quota_spent = admitted.quota_spent;
    let mut matched = admitted.matched;
    let mut body = Replay::new(std::mem::take(&mut ask.body).capped_unless_known(limit));
    for walk in 1.. {
        let head = head_of(worker, &matched, quota_spent, hint, ask);
        match forwarder.forward(&regions, head, body).await {
            Ok(Forwarded::Answer(answer)) => {
                ask.facts.served_by = Some(answer.region.clone());
                ask.facts.remote = Some(answer.body.facts());
                return relay(answer.head, answer.body);
            }
            Ok(Forwarded::Refused { region, refused, .. }) => {
                ask.facts.served_by = Some(region);
                return Err(refused_there(refused, &mut ask.facts));
            }
            Err(Failed { error: ForwardError::OtherRevision(why), body: mut again }) => {
                if walk >= WALKS || !again.rewind() {
                    return Err(Refusal::new(Kind::NoNode, "other_revision").because(why));
                }
                // Its admission stays; everything from route on may read differently now.
                caught_up(worker, &matched).await;
                let placed = place(worker, ask).await?;
                matched = route(placed, ask)?.matched;
                body = again;
            }
            Err(Failed { error: ForwardError::ClientBody(_), body: broken })
                if matches!(broken.error(), Some(BodyError::TooLong { .. })) =>
            {
                return Err(super::payload::too_large());
            }
            Err(Failed { error, .. }) => return Err(failed(&error)),
        }
    }
    Err(Refusal::new(Kind::Internal, "forward"))
}

/// Returns when this node has another revision than the one just sent, or when it was waited for long enough: it may be
/// the region that is behind.
async fn caught_up(worker: &Rc<Worker>, sent: &Matched) {
    let until = Instant::now() + Duration::from_millis(worker.shared.limits.revision_wait_ms);
    let plan = &sent.stage.plan;
    while Instant::now() < until {
        match current(worker, &plan.api, &plan.stage).await {
            Ok(now) if now.stage.plan.revision == plan.revision => tokio::time::sleep(REVISION_POLL).await,
            _ => return,
        }
    }
}

fn failed(error: &ForwardError) -> Refusal {
    let (kind, cause) = match error {
        ForwardError::NoNode { .. } => (Kind::NoNode, "no_node"),
        ForwardError::OtherRevision(_) => (Kind::NoNode, "other_revision"),
        ForwardError::Rejected(_) => (Kind::NoNode, "region_rejected"),
        ForwardError::Lost(_) => (Kind::LostNode, "node_lost"),
        ForwardError::Deadline => (Kind::IntegrationTimeout, "region_timeout"),
        ForwardError::TooLarge => (Kind::RequestTooLarge, "body_too_large"),
        ForwardError::ClientBody(_) => (Kind::Malformed, "request_body_broken"),
        ForwardError::Malformed(_) => (Kind::LostNode, "region_malformed"),
    };
    Refusal::new(kind, cause).because(error)
}

fn relay(head: RespHead, body: CutBody) -> Result<Response<Body>, Refusal> {
    let broken = |why: String| Refusal::new(Kind::LostNode, "region_malformed").because(why);
    let body = if head.body == BodyHint::Empty { Body::Empty } else { Body::peer(body) };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(head.status).map_err(|e| broken(e.to_string()))?;
    *response.headers_mut() = wire::to_map(&head.headers).map_err(|e| broken(e.to_string()))?;
    Ok(response)
}

/// `$context.error.validationErrorString`, as the end of a refusal carries it.
const VALIDATION_ERROR: &str = "error.validationErrorString";
/// Much of it at most: a frame must hold it, bytes.
const VALIDATION_ERROR_BYTES: usize = 16 << 10;

/// The step that refused, and the place of the reason, as the end of a refusal carries them.
const STEP: &str = "meridian.step";
const PLACE: &str = "meridian.place";
/// Much of a place at most, bytes.
const PLACE_BYTES: usize = 512;

fn refused_there(refused: Refused, facts: &mut Facts) -> Refusal {
    let mut context = refused.end.context;
    let mut told = |wanted: &str| {
        let at = context.iter().position(|(name, _)| name == wanted)?;
        Some(context.swap_remove(at).1)
    };
    facts.integration_status = refused.end.integration_status;
    facts.integration_us = refused.end.integration_us;
    facts.validation_error = told(VALIDATION_ERROR);
    facts.step = told(STEP).and_then(|step| At::named(&step)).unwrap_or(At::Forward);
    let mut refusal = Refusal::new(Kind::named(&refused.response_type).unwrap_or(Kind::Internal), "");
    refusal.cause = refused.cause.into();
    refusal.message = (!refused.message.is_empty()).then(|| refused.message.into());
    refusal.status = refused.status;
    refusal.place = told(PLACE).map(Into::into);
    refusal
}

fn head_of(worker: &Worker, matched: &Matched, quota_spent: bool, body: BodyHint, ask: &Ask) -> Head {
    let (plan, method, facts) = (&matched.stage.plan, matched.method(), &ask.facts);
    let limit_ms = u32::try_from(super::integrate::limit(worker, matched).as_millis()).unwrap_or(u32::MAX);
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let tls = ask.client.tls.as_ref().map(|tls| TlsFacts {
        version: tls.version.into(),
        sni: tls.sni.clone().unwrap_or_default(),
        ..TlsFacts::default()
    });
    Head {
        request_id: text(&facts.request_id),
        extended_request_id: text(&facts.extended_id),
        time_ms: facts.time_ms,
        account: plan.account.to_string(),
        region: plan.region.to_string(),
        api: plan.api.to_string(),
        stage: plan.stage.to_string(),
        deployment: plan.deployment.to_string(),
        stage_revision: plan.revision,
        least_index: worker.world.borrow_mut().load().seq(),
        next: Step::Cache,
        matched: Some(wire::Matched {
            resource_id: method.resource_id.to_string(),
            resource_path: method.resource_path.to_string(),
            http_method: method.verb.to_string(),
            path_parameters: ask.parameters.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect(),
        }),
        principal: None,
        admitted: Some(wire::Admitted {
            key_id: facts.key_id.clone(),
            key_value: facts.key_value.clone(),
            plan_id: facts.plan_id.clone(),
            quota_spent,
        }),
        protocol: match ask.version {
            Version::HTTP_10 => Protocol::Http10,
            Version::HTTP_2 => Protocol::Http2,
            Version::HTTP_3 => Protocol::Http3,
            _ => Protocol::Http11,
        },
        method: ask.method.to_string(),
        scheme: ask.client.scheme().into(),
        authority: ask.client.authority.clone(),
        target: ask.uri.path_and_query().map_or("/", |p| p.as_str()).as_bytes().to_vec(),
        path_at: u32::try_from(matched.below).unwrap_or(0),
        headers: wire::as_sent(&ask.headers, &ask.names()),
        client: SocketAddr::new(ask.client.ip, ask.conn.peer.port()),
        local: ask.conn.local,
        tls,
        time_left_ms: limit_ms.saturating_add(SLACK_MS),
        hops: ask.client.hops + 1,
        trace: facts.trace.clone(),
        body,
        retry_lost: false,
        more: if plan.canary { vec![More { id: more::CANARY, bytes: Vec::new() }] } else { Vec::new() },
    }
}

/// Goes on with a visit that an edge admitted.
pub(super) async fn resume(worker: &Rc<Worker>, head: Head, body: CutBody) -> Served<Body> {
    let turned = |code, text: &str| Served::Rejected(Fault { code, text: text.into() });
    if head.next != Step::Cache {
        return turned(code::BAD_HEAD, "this version resumes at the cache alone");
    }
    let stage = match pinned(worker, &head).await {
        Ok(stage) => stage,
        Err(why) => return turned(code::OTHER_REVISION, &why),
    };
    let Some((mut ask, matched)) = ask_of(&stage, head, body) else {
        return turned(code::BAD_HEAD, "the head does not fit its stage");
    };
    let admitted = Admitted { matched, current: None, quota_spent: false };
    let finished = AssertUnwindSafe(super::finish(worker, admitted, &mut ask)).catch_unwind().await;
    match finished.unwrap_or_else(|panic| Err(super::panicked(worker, &*panic))) {
        Ok(answer) => served(answer, &ask.facts),
        Err(refusal) => {
            explain::keep(worker, &ask, &refusal, dress::status(&refusal, &ask), true);
            Served::Refused(refused(&refusal, &ask.facts))
        }
    }
}

pub(super) fn refused(refusal: &Refusal, facts: &Facts) -> Refused {
    tracing::debug!(cause = %refusal.cause, detail = refusal.detail, "refused for an edge");
    let mut end = end(facts, Some(refusal.cause.to_string()));
    if let Some(why) = &facts.validation_error {
        let most = why.floor_char_boundary(VALIDATION_ERROR_BYTES);
        end.context.push((VALIDATION_ERROR.to_owned(), why[..most].to_owned()));
    }
    end.context.push((STEP.to_owned(), facts.step.name().to_owned()));
    if let Some(place) = &refusal.place {
        end.context.push((PLACE.to_owned(), place[..place.floor_char_boundary(PLACE_BYTES)].to_owned()));
    }
    Refused {
        response_type: refusal.kind.name().into(),
        status: refusal.status,
        cause: refusal.cause.to_string(),
        message: refusal.message.as_deref().unwrap_or_default().into(),
        end,
    }
}

/// What the edge is told of a visit that panicked here.
pub(super) fn panicked() -> Refused {
    Refused { response_type: Kind::Internal.name().into(), cause: "panic".into(), ..Refused::default() }
}

fn end(facts: &Facts, cause: Option<String>) -> End {
    End { integration_status: facts.integration_status, integration_us: facts.integration_us, cause, ..End::default() }
}

fn served(answer: Response<Body>, facts: &Facts) -> Served<Body> {
    let (head, body) = answer.into_parts();
    let hint = match body.known_len() {
        Some(0) => BodyHint::Empty,
        Some(len) => BodyHint::Known(len),
        None => BodyHint::Unknown,
    };
    let facts = end(facts, None);
    Served::Answer {
        head: RespHead {
            status: head.status.as_u16(),
            headers: wire::from_map(&head.headers),
            body: hint,
            more: Vec::new(),
        },
        body,
        end: Box::new(move || facts),
    }
}

/// Exactly the (deployment, revision) that the edge pinned: ours, one before it, or one that comes soon.
async fn pinned(worker: &Rc<Worker>, head: &Head) -> Result<Arc<StagePlan>, String> {
    let canary = head.more.iter().any(|more| more.id == more::CANARY);
    let until = Instant::now() + Duration::from_millis(worker.shared.limits.revision_wait_ms);
    loop {
        let found = current(worker, &head.api, &head.stage).await;
        let have = match &found {
            Ok(current) => {
                let own = if canary { current.canary.as_ref().and_then(|canary| canary.stage.as_ref()) } else { None };
                let stage = own.unwrap_or(&current.stage);
                let plan = &stage.plan;
                let same = *plan.deployment == *head.deployment && plan.canary == canary;
                if same && plan.revision == head.stage_revision {
                    return Ok(stage.clone());
                }
                if plan.revision > head.stage_revision {
                    let key = PlanKey { canary, ..stage.key_of(&head.deployment, head.stage_revision) };
                    return remembered(worker, &key)
                        .ok_or_else(|| format!("this node is at revision {}", plan.revision));
                }
                format!("this node is still at revision {}", plan.revision)
            }
            Err(refusal) => format!("this node does not serve the stage: {}", refusal.cause),
        };
        if Instant::now() >= until {
            return Err(have);
        }
        tokio::time::sleep(REVISION_POLL).await;
    }
}

fn ask_of(stage: &Arc<StagePlan>, head: Head, body: CutBody) -> Option<(Ask, Matched)> {
    let found = head.matched?;
    let is_it = |m: &crate::plan::MethodPlan| *m.resource_id == *found.resource_id && *m.verb == *found.http_method;
    let method = stage.plan.methods.iter().position(is_it)?;
    let mut conn = ConnInfo::synthetic(head.client, head.local);
    conn.tls = head.tls.map(|tls| TlsInfo {
        version: if tls.version == "TLSv1.2" { "TLSv1.2" } else { "TLSv1.3" },
        sni: Some(tls.sni).filter(|sni| !sni.is_empty()),
    });
    let admitted = head.admitted.unwrap_or_default();
    let headers = wire::to_map(&head.headers).ok()?;
    let names = SentNames::of(head.headers.iter().map(|header| &*header.name));
    let user_agent = headers.get(http::header::USER_AGENT).cloned();
    let facts = Facts {
        request_id: HeaderValue::try_from(head.request_id).ok()?,
        extended_id: HeaderValue::try_from(head.extended_request_id).ok()?,
        time_ms: head.time_ms,
        began: Instant::now(),
        step: At::Validate,
        stage: Some(stage.clone()),
        method: Some(method),
        key_id: admitted.key_id,
        key_value: admitted.key_value,
        plan_id: admitted.plan_id,
        integration_status: None,
        integration_us: None,
        served_by: None,
        remote: None,
        trace: head.trace,
        user_agent,
        path: None,
        canary: None,
        validation_error: None,
        kept: super::dress::Kept::default(),
    };
    let mut ask = Ask {
        method: head.method.parse().ok()?,
        uri: http::Uri::try_from(head.target).ok()?,
        version: Version::HTTP_11,
        headers,
        names: Some(names),
        body: if head.body == BodyHint::Empty { Body::Empty } else { Body::peer(body) },
        expects_continue: false,
        client: Client { tls: conn.tls.clone(), ip: head.client.ip(), authority: head.authority, hops: head.hops },
        conn: Rc::new(conn),
        parameters: found.path_parameters.into_iter().map(|(n, v)| (n.into(), v.into())).collect(),
        overrides: None,
        execution: None,
        facts,
    };
    let below = usize::try_from(head.path_at).ok()?;
    ask.facts.path = super::ask::context_path(ask.uri.path(), below, &stage.plan.stage);
    Some((ask, Matched { stage: stage.clone(), method, below }))
}
