//! Other people's specifications, pure, each fit to be its own crate.

pub mod event_stream;
pub mod java_regex;
pub mod jsonpath;
pub mod object;
pub mod openapi;
pub mod schema;
pub mod sigv4;
pub mod vtl;
