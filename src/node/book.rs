//! GetUsage and UpdateUsage, answered from the usage group's ledger and the nodes that may still spend.

use super::clock;
use crate::catalog::v1::UsagePlan;
use crate::cluster::ConfigGroup;
use crate::control::{Fault, UsageBook, UsageFacts, UsageQuestion};
use crate::state::Scope;
use crate::usage::period::day_of;
use crate::usage::{PeerLinks, PeriodKind, QuotaSpec, Usage, UsageError, extend, usage_of};
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// The book of this node.
pub(super) struct Book {
    pub(super) config: ConfigGroup,
    pub(super) links: Arc<PeerLinks>,
}

impl From<UsageError> for Fault {
    fn from(cause: UsageError) -> Self {
        match cause {
            UsageError::Unavailable => Fault::new("ServiceUnavailableException", 503, cause.to_string()),
            UsageError::Closed | UsageError::Days => Fault::bad_request(cause.to_string()),
        }
    }
}

/// The plan's name in the usage group: unique in the cluster, the same that the gateway counts under.
fn name(region: &Scope, plan: &str) -> String {
    format!("{region}{plan}")
}

impl Book {
    fn quota(&self, region: &Scope, plan: &str) -> Result<Option<QuotaSpec>, Fault> {
        let world = self.config.world();
        let Some(row) = world.get::<UsagePlan>(region, plan)? else { return Ok(None) };
        Ok(row.quota.as_ref().and_then(|quota| {
            Some(QuotaSpec {
                limit: u64::try_from(quota.limit).unwrap_or(0),
                offset: u64::try_from(quota.offset).unwrap_or(0),
                period: PeriodKind::parse(quota.period.as_str())?,
                created_ms: row.created_date_ms,
                seq: world.seq(),
            })
        }))
    }

    async fn answer(&self, question: UsageQuestion) -> Result<UsageFacts, Fault> {
        let now_ms = clock::now_ms();
        match question {
            UsageQuestion::Read { region, plan, keys, first_day, last_day } => {
                let quota = self.quota(&region, &plan)?;
                let day = |day: i64| i32::try_from(day).map_err(|_| Fault::from(UsageError::Days));
                let days = (day(first_day)?, day(last_day)?);
                let usage = usage_of(&*self.links, &name(&region, &plan), &keys, quota.as_ref(), days, now_ms).await?;
                Ok(facts(usage))
            }
            UsageQuestion::Extend { region, plan, key, remaining } => {
                let Some(quota) = self.quota(&region, &plan)? else {
                    return Err(Fault::bad_request(format!("Usage plan {plan} has no quota to extend")));
                };
                let remaining = u64::try_from(remaining).unwrap_or(0);
                let id = super::arrive::random().map_err(|cause| Fault::internal(cause.to_string()))?;
                let name = name(&region, &plan);
                extend(&*self.links, &name, &key, &quota, remaining, now_ms, id).await?;
                let today = day_of(now_ms);
                let usage = usage_of(&*self.links, &name, &[key], Some(&quota), (today, today), now_ms).await?;
                Ok(facts(usage))
            }
        }
    }
}

fn facts(usage: Usage) -> UsageFacts {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let pairs = |days: Vec<(u64, u64)>| days.into_iter().map(|(used, left)| (signed(used), signed(left))).collect();
    UsageFacts(usage.values.into_iter().map(|(key, days)| (key, pairs(days))).collect())
}

impl UsageBook for Book {
    fn ask(&self, question: UsageQuestion) -> BoxFuture<'_, Result<UsageFacts, Fault>> {
        Box::pin(self.answer(question))
    }
}
