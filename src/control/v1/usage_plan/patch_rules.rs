//! What a PATCH of a usage plan may do.
//!
//! Its paths carry slashes of resource paths, escaped or not, and its quota may come in parts of any order: so it is read
//! by hand, not by the rule table.

use super::{UsagePlan, whole_quota};
use super::{
    api_stage, burst_limit, is_same, may_cover, method_key, method_throttles, name, rate_limit, unknown_stage,
};
use crate::catalog::v1::{ApiStage, QuotaPeriod, ThrottleSettings};
use crate::control::patch::{Op, Step};
use crate::control::{Fault, Scene};
use serde_json::Value;

const REMOVE: &str = "/apiStages, /quota, /throttle, /productCode, \
    /apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>, /apiStages/<apidId:stageName>/throttle";
const ADD: &str = "/apiStages, /productCode, /quota/limit, /quota/offset, /quota/period, /throttle/rateLimit, \
    /throttle/burstLimit, /apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>/rateLimit, \
    /apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>/burstLimit";
const REPLACE: &str = "/name, /description, /productCode, /quota/limit, /quota/offset, /quota/period, \
    /throttle/rateLimit, /throttle/burstLimit, /apiStages/<apidId:stageName>/throttle, \
    /apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>/rateLimit, \
    /apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>/burstLimit";

/// A plan in the making: the quota is judged when all of its parts are there.
pub(super) struct Draft {
    plan: UsagePlan,
    limit: Option<i64>,
    offset: Option<i64>,
    period: Option<QuotaPeriod>,
}

impl Draft {
    pub(super) fn of(plan: UsagePlan) -> Draft {
        let quota = plan.quota.clone();
        let number = |part: fn(&crate::catalog::v1::QuotaSettings) -> i32| quota.as_ref().map(|q| i64::from(part(q)));
        let (limit, offset) = (number(|quota| quota.limit), number(|quota| quota.offset));
        Draft { limit, offset, period: quota.map(|quota| quota.period), plan }
    }

    /// The plan, whole.
    ///
    /// # Errors
    /// BadRequest when the quota's parts do not fit each other.
    pub(super) fn finish(self) -> Result<UsagePlan, Fault> {
        let Draft { mut plan, limit, offset, period } = self;
        let unknown = plan.quota.take().map(|quota| quota.unknown).unwrap_or_default();
        if limit.is_some() || offset.is_some() || period.is_some() {
            let mut quota = whole_quota(limit, offset, period)?;
            quota.unknown = unknown;
            plan.quota = Some(quota);
        }
        Ok(plan)
    }

    /// Applies one step.
    ///
    /// # Errors
    /// BadRequest in AWS's words; NotFound for an unknown stage; Conflict where a key would reach a stage twice.
    pub(super) fn apply(&mut self, step: &Step, scene: &Scene<'_>) -> Result<(), Fault> {
        if let Some(rest) = step.path.strip_prefix("/apiStages/") {
            return self.stage_throttle(step, rest);
        }
        match (step.op, step.path.as_str()) {
            (Op::Add, "/apiStages") => return self.add_stage(step, scene),
            (Op::Remove, "/apiStages") => return self.remove_stage(step),
            (Op::Remove, "/productCode") => self.plan.product_code = None,
            (Op::Remove, "/throttle") => self.plan.throttle = None,
            (Op::Remove, "/quota") => (self.limit, self.offset, self.period) = (None, None, None),
            (Op::Replace, "/name") => self.plan.name = name(step.text())?,
            (Op::Replace, "/description") => self.plan.description = step.cleared(),
            (Op::Add | Op::Replace, "/productCode") => self.plan.product_code = step.cleared(),
            (Op::Add | Op::Replace, "/quota/limit") => self.limit = Some(whole(step)?),
            (Op::Add | Op::Replace, "/quota/offset") => self.offset = Some(whole(step)?),
            (Op::Add | Op::Replace, "/quota/period") => self.period = Some(period(step)?),
            (Op::Add | Op::Replace, "/throttle/rateLimit" | "/throttle/burstLimit") => {
                let member = step.path.trim_start_matches("/throttle/");
                limit(self.plan.throttle.get_or_insert_default(), member, step)?;
            }
            _ => return Err(refused(step)),
        }
        Ok(())
    }

    fn add_stage(&mut self, step: &Step, scene: &Scene<'_>) -> Result<(), Fault> {
        let (api, stage) = named(step.text())?;
        let stage = api_stage(scene, &self.plan, api, stage)?;
        if !self.plan.api_stages.iter().any(|known| is_same(known, &stage)) {
            may_cover(scene, &self.plan, &stage)?;
            self.plan.api_stages.push(stage);
        }
        Ok(())
    }

    fn remove_stage(&mut self, step: &Step) -> Result<(), Fault> {
        let (api, stage) = named(step.text())?;
        let stages = &mut self.plan.api_stages;
        match stages.iter().position(|known| known.api_id == api && known.stage == stage) {
            Some(at) => drop(stages.remove(at)),
            None => return Err(unknown_stage(&self.plan, api, stage)),
        }
        Ok(())
    }

    /// `{apiId}:{stage}/throttle`, `…/{path}/{METHOD}` and `…/rateLimit` or `…/burstLimit` after that.
    fn stage_throttle(&mut self, step: &Step, rest: &str) -> Result<(), Fault> {
        let (target, rest) = rest.split_once('/').ok_or_else(|| refused(step))?;
        let inner = rest.strip_prefix("throttle").ok_or_else(|| refused(step))?;
        if !inner.is_empty() && !inner.starts_with('/') {
            return Err(refused(step));
        }
        let (api, stage) =
            named(&target.replace("~1", "/").replace("~0", "~")).map(|(a, s)| (a.to_owned(), s.to_owned()))?;
        let missing = unknown_stage(&self.plan, &api, &stage);
        let known = self.plan.api_stages.iter_mut().find(|known| known.api_id == api && known.stage == stage);
        let stage: &mut ApiStage = known.ok_or(missing)?;
        match (step.op, inner.strip_prefix('/')) {
            (Op::Remove, None) => stage.throttle.clear(),
            (Op::Remove, Some(key)) => drop(stage.throttle.remove(&method_key(key)?)),
            (Op::Replace | Op::Add, None) => {
                let map: Value = serde_json::from_str(step.text()).unwrap_or_default();
                let map = map
                    .as_object()
                    .ok_or_else(|| Fault::bad_request("Invalid throttle map specified: must be a JSON object"))?;
                stage.throttle = method_throttles(map)?;
            }
            (Op::Replace | Op::Add, Some(path)) => {
                let (key, member) = path.rsplit_once('/').ok_or_else(|| refused(step))?;
                if !["rateLimit", "burstLimit"].contains(&member) {
                    return Err(refused(step));
                }
                limit(stage.throttle.entry(method_key(key)?).or_default(), member, step)?;
            }
            _ => return Err(refused(step)),
        }
        Ok(())
    }
}

/// `apiId:stage`.
fn named(value: &str) -> Result<(&str, &str), Fault> {
    let parts = value.split_once(':').filter(|(api, stage)| !api.is_empty() && !stage.is_empty());
    parts.ok_or_else(|| Fault::bad_request("Invalid API Stage specified"))
}

fn whole(step: &Step) -> Result<i64, Fault> {
    let shown: String = step.text().chars().take(64).collect();
    step.text().parse().map_err(|_| {
        Fault::bad_request(format!("Invalid value '{shown}' specified for path {}: must be a whole number", step.path))
    })
}

fn period(step: &Step) -> Result<QuotaPeriod, Fault> {
    let known = QuotaPeriod::known(step.text());
    known.ok_or_else(|| Fault::bad_request("Usage Plan quota must have a period of either DAY, WEEK or MONTH"))
}

fn limit(throttle: &mut ThrottleSettings, member: &str, step: &Step) -> Result<(), Fault> {
    if member == "burstLimit" {
        throttle.burst_limit = Some(burst_limit(whole(step)?)?);
    } else {
        throttle.rate_limit = Some(rate_limit(step.text().parse().unwrap_or(f64::NAN))?);
    }
    Ok(())
}

fn refused(step: &Step) -> Fault {
    let (path, op) = (&step.path, step.op.word());
    let what = match step.op {
        Op::Add => format!("Must be one of: [{ADD}]"),
        Op::Remove => format!("Must be one of: [{REMOVE}]"),
        Op::Replace => format!("Must be one of: [{REPLACE}]"),
        _ => "Please choose supported operations".to_owned(),
    };
    Fault::bad_request(format!("Invalid patch path  '{path}' specified for op '{op}'. {what}"))
}
