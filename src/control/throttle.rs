//! AWS's throttle of the control plane: all calls of an account in a region together, and some operations by themselves.
//!
//! It is on with `profile = "strict"` only, and each node counts the calls that it takes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::model::Service;
use super::{Call, Fault};
use crate::catalog::{AccountId, Region};
use crate::usage::{Gcra, Throttle};

/// All calls together: a second, and at once.
const TOTAL: (f64, u32) = (10.0, 40);
/// Over this long a count is begun anew, and after a clock that was set back by more than a minute: milliseconds.
const SPAN_MS: i64 = 24 * 3_600_000;
const SET_BACK_MS: i64 = 60_000;
/// Accounts and regions that are kept in mind at least, even with nothing to say of them.
const KEPT: usize = 1_024;

/// Calls and the seconds in which so many may be made; a name alone is counted alone.
const BY_NAME: &[(Service, &str, u32, u32)] = &[
    (Service::V1, "CreateApiKey", 5, 1),
    (Service::V1, "DeleteApiKey", 5, 1),
    (Service::V1, "CreateResource", 5, 1),
    (Service::V1, "DeleteResource", 5, 1),
    (Service::V1, "GetResources", 5, 2),
    (Service::V1, "PutRestApi", 1, 1),
    (Service::V1, "CreateDeployment", 1, 5),
    (Service::V1, "CreateDocumentationVersion", 1, 20),
    (Service::V1, "UpdateAccount", 1, 20),
    (Service::V1, "UpdateUsagePlan", 1, 20),
    (Service::V1, "CreateDomainName", 1, 30),
    (Service::V1, "UpdateDomainName", 1, 30),
    (Service::V1, "DeleteDomainName", 1, 30),
    (Service::V1, "DeleteRestApi", 1, 30),
    (Service::V1, "ImportDocumentationParts", 1, 30),
    (Service::V1, EDGE[0].0, 1, 3),
    (Service::V1, EDGE[1].0, 1, 3),
    (Service::V2, "CreateVpcLink", 1, 15),
    (Service::V2, "DeleteVpcLink", 1, 30),
];
/// The same call for an edge-optimized API, under a name of its own.
const EDGE: [(&str, &str); 2] =
    [("CreateRestApi", "CreateRestApi of EDGE"), ("ImportRestApi", "ImportRestApi of EDGE")];
const EDGE_SECONDS: u32 = 30;

/// The buckets of this node.
#[derive(Debug, Default)]
pub(super) struct CallThrottle(Mutex<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    /// What the buckets' time counts from, and the latest that was seen: milliseconds since 1970.
    origin_ms: i64,
    latest_ms: i64,
    by_owner: HashMap<(AccountId, Region), HashMap<&'static str, Gcra>>,
}

impl CallThrottle {
    /// Counts a call at a time, milliseconds since 1970.
    ///
    /// # Errors
    /// TooManyRequests, with the seconds after which there is room for one again if nobody else comes.
    pub(super) fn take(&self, call: &Call, now_ms: i64) -> Result<(), Fault> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ns = buckets.at(now_ms);
        if buckets.by_owner.len() >= KEPT {
            buckets.by_owner.retain(|_, own| own.values().any(|bucket| !bucket.is_full(now_ns)));
        }
        let own = buckets.by_owner.entry((call.account.clone(), call.region.clone())).or_default();
        let mut taken: Option<(&'static str, Throttle)> = None;
        for (name, rate, burst) in limits(call) {
            let Ok(throttle) = Throttle::new(rate, burst) else { continue };
            if !own.entry(name).or_default().take(&throttle, now_ns) {
                // A call that is refused for one reason does not count for the other.
                if let Some((name, throttle)) = taken {
                    own.entry(name).or_default().give_back(&throttle);
                }
                let seconds = (1.0 / rate).ceil();
                let fault = Fault::new("TooManyRequestsException", 429, "Too Many Requests");
                return Err(Fault { retry_after_s: Some(seconds as u32), ..fault });
            }
            taken = Some((name, throttle));
        }
        Ok(())
    }
}

impl Buckets {
    /// The buckets' time: it never goes back, and never far.
    fn at(&mut self, now_ms: i64) -> u64 {
        if now_ms - self.origin_ms > SPAN_MS || now_ms < self.latest_ms - SET_BACK_MS {
            *self = Buckets { origin_ms: now_ms, latest_ms: now_ms, by_owner: HashMap::new() };
        }
        self.latest_ms = self.latest_ms.max(now_ms);
        u64::try_from(self.latest_ms - self.origin_ms).unwrap_or_default() * 1_000_000
    }
}

/// The buckets that a call takes from: name, calls a second, calls at once.
fn limits(call: &Call) -> impl Iterator<Item = (&'static str, f64, u32)> {
    let operation = call.operation;
    let edge = EDGE.iter().find(|(name, _)| operation.service == Service::V1 && *name == operation.name);
    let own = match edge {
        Some((_, name)) if is_edge(call) => Some((*name, 1, EDGE_SECONDS)),
        _ => {
            let found = BY_NAME.iter().find(|row| row.0 == operation.service && row.1 == operation.name);
            found.map(|row| (row.1, row.2, row.3))
        }
    };
    let own = own.map(|(name, calls, seconds)| (name, f64::from(calls) / f64::from(seconds), calls));
    own.into_iter().chain([("", TOTAL.0, TOTAL.1)])
}

/// Whether a create or an import makes an edge-optimized API: where nothing is said, it does.
fn is_edge(call: &Call) -> bool {
    let types = call.object("endpointConfiguration").and_then(|asked| asked.get("types")).and_then(Value::as_array);
    let first = types.and_then(|types| types.first());
    let word = first.or_else(|| call.object("parameters")?.get("endpointConfigurationTypes"));
    word.and_then(Value::as_str).is_none_or(|word| word == "EDGE")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::model::Operation;
    use bytes::Bytes;
    use serde_json::json;

    const NOW_MS: i64 = 1_700_000_000_000;

    fn call(service: Service, name: &str, input: Value) -> Call {
        Call {
            operation: Operation::named(service, name).unwrap(),
            account: "000000000000".into(),
            region: "eu-west-1".into(),
            caller: "AK".into(),
            input: input.as_object().unwrap().clone(),
            body: Bytes::new(),
        }
    }

    fn passed(throttle: &CallThrottle, call: &Call, now_ms: i64, tries: u32) -> u32 {
        (0..tries).filter(|_| throttle.take(call, now_ms).is_ok()).count() as u32
    }

    #[test]
    fn every_operation_of_the_list_has_its_rate_and_the_wait_that_is_told() {
        for (service, name, calls, seconds) in BY_NAME {
            let (throttle, call) = (
                CallThrottle::default(),
                call(*service, name, json!({"endpointConfiguration": {"types": ["REGIONAL"]}})),
            );
            assert_eq!(passed(&throttle, &call, NOW_MS, 9), *calls, "{name}");
            let refused = throttle.take(&call, NOW_MS).unwrap_err();
            let wait = i64::from(refused.retry_after_s.unwrap()) * 1_000;
            assert_eq!(wait, i64::from(seconds.div_ceil(*calls)) * 1_000, "{name}");
            assert_eq!(passed(&throttle, &call, NOW_MS + wait - 1_000, 1), 0, "{name}");
            let whole = i64::from(*seconds) * 1_000 + wait;
            assert_eq!(passed(&throttle, &call, NOW_MS + whole, 9), *calls, "{name}");
        }
    }

    #[test]
    fn an_edge_optimized_api_takes_thirty_seconds_and_others_three() {
        let throttle = CallThrottle::default();
        let (edge, regional) = (json!({}), json!({"endpointConfiguration": {"types": ["PRIVATE"]}}));
        let imported = json!({"parameters": {"endpointConfigurationTypes": "REGIONAL"}});
        for (name, input, seconds) in [
            ("CreateRestApi", edge.clone(), 30),
            ("CreateRestApi", regional, 3),
            ("ImportRestApi", edge, 30),
            ("ImportRestApi", imported, 3),
        ] {
            let call = call(Service::V1, name, input);
            assert_eq!(passed(&throttle, &call, NOW_MS, 2), 1, "{name}: one at once");
            assert_eq!(throttle.take(&call, NOW_MS).unwrap_err().retry_after_s, Some(seconds), "{name}");
        }
    }

    #[test]
    fn all_calls_together_are_counted_by_account_and_region() {
        let throttle = CallThrottle::default();
        let mut call = call(Service::V1, "GetAccount", json!({}));
        assert_eq!(passed(&throttle, &call, NOW_MS, 50), 40);
        assert_eq!(passed(&throttle, &call, NOW_MS + 1_000, 50), 10);
        call.region = "us-east-1".into();
        assert_eq!(passed(&throttle, &call, NOW_MS + 1_000, 50), 40);
        call.account = "111122223333".into();
        assert_eq!(passed(&throttle, &call, NOW_MS + 1_000, 50), 40);
    }

    #[test]
    fn a_call_that_all_calls_together_refuse_does_not_count_by_its_name() {
        let throttle = CallThrottle::default();
        let (any, deploy) =
            (call(Service::V1, "GetAccount", json!({})), call(Service::V1, "CreateDeployment", json!({})));
        assert_eq!(passed(&throttle, &any, NOW_MS, 40), 40);
        assert_eq!(passed(&throttle, &deploy, NOW_MS, 3), 0);
        assert_eq!(passed(&throttle, &deploy, NOW_MS + 200, 3), 1);
    }

    #[test]
    fn a_clock_that_is_set_back_or_runs_for_years_locks_nobody_out() {
        let (throttle, call) = (CallThrottle::default(), call(Service::V1, "GetAccount", json!({})));
        assert_eq!(passed(&throttle, &call, NOW_MS, 50), 40);
        assert_eq!(passed(&throttle, &call, NOW_MS - 1_000, 50), 0, "a second back is no time at all");
        assert_eq!(passed(&throttle, &call, NOW_MS - 3_600_000, 50), 40);
        assert_eq!(passed(&throttle, &call, NOW_MS + 20 * 365 * SPAN_MS, 50), 40);
        assert_eq!(passed(&throttle, &call, NOW_MS + 20 * 365 * SPAN_MS, 50), 0);
    }
}
