//! function: Lambda functions, as the gateway calls them and as the cluster itself runs them.
//!
//! `call` is the seam between whoever calls a function and whatever runs it: this node's host, or an endpoint elsewhere.

pub mod call;
pub mod child;
pub mod unpack;
