//! admit: quota and throttles, at exactly one node; a retry elsewhere reuses the verdict (foundations §5.3).

use super::key::Keyed;
use super::refusal::{Kind, Refusal};
use super::route::Matched;
use super::stage::Current;
use super::worker::Worker;
use crate::usage::{AdmitRequest, Now, ThrottleSpec, Verdict};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

/// Admission: decides at once when it can, and waits only for a right that another node may have.
pub trait Admit: Send + Sync {
    /// Asks for one request.
    fn admit<'a>(&'a self, request: AdmitRequest<'a>, now: Now) -> Admitting<'a>;
}

/// A verdict, or the wait for one.
pub enum Admitting<'a> {
    /// Decided.
    Now(Verdict),
    /// A grant is on its way.
    Later(Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>),
}

/// A request that may be served.
pub(super) struct Admitted {
    pub matched: Matched,
    /// `None` where another node admitted it.
    pub current: Option<Rc<Current>>,
    /// Whether a right of a quota was spent on it.
    pub quota_spent: bool,
}

pub(super) async fn admit(worker: &Worker, keyed: Keyed) -> Result<Admitted, Refusal> {
    let matched = &keyed.routed.matched;
    let (method, current) = (matched.method(), &keyed.routed.current);
    let plan = keyed.plan();
    let stage_throttle = matched.stage.throttles[matched.method];
    let nothing = plan.is_none() && stage_throttle.is_none() && current.account_throttle.is_none();
    let verdict = if nothing {
        None
    } else {
        let bucket = plan.and_then(|p| p.throttle_for(&matched.stage.plan.name, &method.plan_name));
        let request = AdmitRequest {
            key: keyed.key.as_ref().map_or("", |(key, _)| &key.id),
            plan: plan.map_or("", |p| &p.name),
            quota: plan.and_then(|p| p.quota),
            plan_throttle: bucket.map(|b| ThrottleSpec { bucket: &b.name, throttle: b.throttle }),
            stage_throttle: stage_throttle
                .map(|throttle| ThrottleSpec { bucket: method.throttle.as_ref().map_or("", |t| &t.bucket), throttle }),
            account_throttle: current
                .account_throttle
                .map(|throttle| ThrottleSpec { bucket: &current.account_bucket, throttle }),
        };
        Some(match worker.shared.admission.admit(request, worker.shared.clock.now()) {
            Admitting::Now(verdict) => verdict,
            Admitting::Later(verdict) => verdict.await,
        })
    };
    let quota_spent = match verdict {
        None => false,
        Some(Verdict::Admitted(ticket)) => ticket.period.is_some(),
        Some(Verdict::Throttled(level)) => {
            let cause = match level {
                crate::usage::Level::Plan => "plan_throttle",
                crate::usage::Level::Stage => "stage_throttle",
                crate::usage::Level::Account => "account_throttle",
            };
            return Err(Refusal::new(Kind::Throttled, cause));
        }
        Some(Verdict::QuotaExceeded) => return Err(Refusal::new(Kind::QuotaExceeded, "quota_exceeded")),
        Some(Verdict::Unavailable) => return Err(Refusal::new(Kind::QuotaExceeded, "quota_unavailable")),
    };
    let crate::gateway::route::Routed { matched, current } = keyed.routed;
    Ok(Admitted { matched, current: Some(current), quota_spent })
}
