//! function: Lambda functions, as the gateway calls them and as the cluster itself runs them.
//!
//! `call` is the seam between whoever calls a function and whatever runs it: this node's host, or an endpoint elsewhere.
//!
//! ```text
//! Call ─ resolve (alias, weight, version) ─ policy ─ Deployed ─ blobs (its code, here or from a peer) ─ what runs it
//! ```

pub mod blobs;
pub mod call;
pub mod deployed;
pub mod invoker;
pub mod policy;
pub mod resolve;
pub mod run;
