//! What is measured: one file per room that measures. A sink that knows nobody.

pub mod access;
pub mod cluster;
pub mod edge;
pub mod function;
pub mod gateway;
mod log_disk;
pub mod log_files;
mod logs;
pub mod usage;

pub use logs::start as start_logs;

use prometheus_client::registry::Registry;

/// All that is measured, in the OpenMetrics text format.
///
/// # Errors
/// When a metric cannot be written as text.
pub fn encode(registry: &Registry) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry)?;
    Ok(text)
}
