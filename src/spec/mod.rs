//! Other people's specifications, pure, each fit to be its own crate.

pub mod openapi;
pub mod sigv4;
