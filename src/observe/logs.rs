//! Structured logs on standard error: one JSON object a line, filtered by `RUST_LOG`.

use tracing_subscriber::EnvFilter;

/// openraft tells of every election and append: by default only its warnings are an operator's business.
const DEFAULT: &str = "info,openraft=warn";

/// Starts logging. A second call changes nothing.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}
