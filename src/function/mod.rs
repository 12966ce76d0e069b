//! function: Lambda functions, as the gateway calls them and as the cluster itself runs them.
//!
//! `call` is the seam between whoever calls a function and whatever runs it: this node's `host`, or an endpoint elsewhere.
//!
//! ```text
//! Call ─ invoker: resolve (alias, weight, version) ─ policy ─ reserved ─▶ Deployed ─┐
//! zip ─ blobs (here, or from a peer) ─ unpack ─▶ directory ─┐                        │
//!                                                runner ◀───┴────────────────────────┘
//! runner ─▶ host ─▶ pool ─▶ process ◀─ runtime_api ─▶ runtime (python -m awslambdaric, node, bootstrap) in child's box
//!             └ journal ─▶ observe::log_files
//! ```

pub mod blobs;
pub mod call;
pub mod child;
pub mod deployed;
mod desk;
mod environment;
mod fault;
pub mod host;
pub mod invoker;
mod journal;
pub mod options;
mod peer;
pub mod policy;
mod pool;
mod process;
pub mod resolve;
pub mod run;
pub mod runner;
mod runtime_api;
mod runtimes;
pub mod unpack;

pub use host::Host;
pub use options::{HostOptions, Ready};
pub use runner::Runner;
