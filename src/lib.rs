//! Meridian: an API gateway that people run themselves, in Amazon API Gateway's own language.
//!
//! Two walks stand on shared floors; a room imports only from lower floors (`tests/house.rs`):
//!
//! ```text
//! visitor        →  net::http → gateway (place route policy authorize key admit | cache validate map integrate map answer)
//!                                   └ cut: edge → net::peer → edge → gateway of the region
//! administrator  →  net::http → control (authenticate row bind permit run render)
//!                                   └ cluster (evaluator → Raft → state::apply) → plan → gateway
//! 0 catalog config observe   1 spec state   2 plan   3 net   4 cluster   5 edge usage function   6 gateway   7 control   9 node cli
//! ```

pub mod catalog;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod control;
pub mod edge;
pub mod function;
pub mod gateway;
pub mod net;
pub mod node;
pub mod observe;
pub mod plan;
pub mod spec;
pub mod state;
pub mod usage;
