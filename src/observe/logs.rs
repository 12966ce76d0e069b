//! Structured logs on standard error: one JSON object a line, filtered by `RUST_LOG`.

use tracing_subscriber::EnvFilter;

/// openraft tells of every election and append: unless asked for, only its warnings are an operator's business.
const QUIET: &str = "openraft=warn";

/// Starts logging. A second call changes nothing.
pub fn start() {
    let asked = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = if asked.contains("openraft") { asked } else { format!("{asked},{QUIET}") };
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(format!("info,{QUIET}")));
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}
