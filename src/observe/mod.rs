//! What is measured: one file per room that measures. A sink that knows nobody.

pub mod access;
pub mod edge;
pub mod gateway;
pub mod usage;
