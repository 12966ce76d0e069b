//! Quotas that are exact and throttles that cost nothing: what a visitor's request may still use.
//!
//! A quota is escrow of cumulative counters (O'Neil; Balegas et al.). The `usage` Raft group keeps, per (plan, key),
//! period and node, three numbers that only grow: granted G, used U, returned X; it never lets Σ(G − X) pass the limit.
//! A node spends what it was granted out of its own memory. No clock, no failure detector and no lease expiry stands in
//! the safety argument: used ≤ g − x at each node, g ≤ committed G, x ≥ committed X.
//!
//! ```text
//! request → admission ─ look at quota ─ throttles (plan, stage, account) ─ spend the right
//!              │ (no right in hand: wait for a grant, charge another holder)
//!            slot: hot pool of rights + holder (pure) ── agent ── journal (watermarks, returns)
//!                                                          └──── reports → usage group → ledger (pure) → grants
//! ```
//!
//! A throttle's bucket is one node's: each node lets its own visitors have the full rate and burst, so that a key used
//! through three nodes at once may reach three times its rate. Shares of a rate between nodes are not built yet.

mod admission;
mod agent;
pub mod books;
pub mod escrow;
pub mod holder;
mod journal;
mod journal_file;
pub mod ledger;
mod links;
#[cfg(test)]
mod model;
mod pairs;
pub mod period;
pub mod policy;
pub mod query;
pub mod request;
pub mod row_key;
mod slot;
#[cfg(test)]
mod tests;
pub mod throttle;
pub mod wire;

pub use admission::{Admission, Decision, Waiter};
pub use agent::{Agent, Holding, UsageOptions};
pub use ledger::Ledger;
pub use links::{Links, PeerLinks, register};
pub use period::{Period, PeriodKind, period_of};
pub use query::{Usage, UsageError, extend, usage_of};
pub use request::{AdmitRequest, Level, Now, QuotaSpec, ThrottleSpec, Ticket, Verdict};
pub use throttle::{BadThrottle, Gcra, Throttle};
