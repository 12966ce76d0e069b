//! The nouns of `lambda` (2015-03-31) that the cluster keeps for functions of its own, one file each.
//!
//! Members are AWS's, stored under AWS's names; ours beside them are times in milliseconds, sealed values and policies.
//! ARNs, states and what else AWS derives is derived here too, not stored. Code is no row: its hash is.

mod alias;
mod function;
mod policy;
mod version;

#[cfg(test)]
mod tests;

pub use alias::{Alias, RoutingConfig};
pub use function::Function;
pub use policy::PolicyStatement;
pub use version::{EphemeralStorage, FunctionVersion, LATEST, LoggingConfig, TracingConfig};

use super::v1::Texts;
