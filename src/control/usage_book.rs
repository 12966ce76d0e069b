//! What GetUsage and UpdateUsage ask of the usage room; `node` fills in the book.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;

use super::Fault;
use crate::state::Scope;

/// A question about counted requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsageQuestion {
    /// Used and remaining per day.
    Read {
        /// The region whose plan it is.
        region: Scope,
        /// The plan's id.
        plan: String,
        /// Ids of the keys asked for.
        keys: Vec<String>,
        /// First day, days since 1970 (UTC).
        first_day: i64,
        /// Last day, days since 1970 (UTC), included.
        last_day: i64,
    },
    /// Sets what is left of a key's quota in the present period; answers the present day.
    Extend {
        /// The region whose plan it is.
        region: Scope,
        /// The plan's id.
        plan: String,
        /// The key's id.
        key: String,
        /// Requests left.
        remaining: i64,
    },
}

/// Used and remaining requests, one pair per day asked for, by key id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageFacts(pub BTreeMap<String, Vec<(i64, i64)>>);

/// Answers from the usage group's ledger.
pub trait UsageBook: Send + Sync {
    /// Answers one question.
    fn ask(&self, question: UsageQuestion) -> BoxFuture<'_, Result<UsageFacts, Fault>>;
}
