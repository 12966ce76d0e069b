//! Structured logs on standard error: one JSON object a line, filtered by `RUST_LOG`.

use tracing_subscriber::EnvFilter;

/// openraft tells of every election and append: unless asked for, only its warnings are an operator's business. Not even
/// those that come with every heartbeat for as long as a node is away or a group is stopped: they are many a second,
/// fill disks, and the one line that says so is ours (`edge::nodes`, `cluster::store`) or `raft_core`'s.
const QUIET: &str = "openraft=warn,openraft::core::heartbeat=off,openraft::replication=off,\
    openraft::engine::handler::replication_handler=off,openraft::raft::raft_inner=off";

/// Starts logging. A second call changes nothing.
pub fn start() {
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter(std::env::var("RUST_LOG").ok()))
        .with_writer(std::io::stderr)
        .try_init();
}

/// What is logged, by what was asked for.
fn filter(asked: Option<String>) -> EnvFilter {
    let asked = asked.unwrap_or_else(|| "info".to_owned());
    let filter = if asked.contains("openraft") { asked } else { format!("{asked},{QUIET}") };
    EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(format!("info,{QUIET}")))
}

#[cfg(test)]
mod tests {
    use super::filter;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no panic under it").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Which of the events come through when this is asked for.
    fn logged(asked: Option<&str>) -> String {
        let lines = Lines::default();
        let out = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter(asked.map(str::to_owned)))
            .with_ansi(false)
            .with_writer(move || out.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "openraft::core::heartbeat::worker", "beat");
            tracing::warn!(target: "openraft::replication", "sent");
            tracing::error!(target: "openraft::raft::raft_inner", "inner");
            tracing::info!(target: "openraft::core::raft_core", "vote");
            tracing::error!(target: "openraft::core::raft_core", "core");
            tracing::info!(target: "meridian::node", "own");
            tracing::debug!(target: "meridian::node", "detail");
        });
        let text = String::from_utf8(lines.0.lock().expect("no panic under it").clone()).expect("text");
        let known = ["beat", "sent", "inner", "vote", "core", "own", "detail"];
        known.into_iter().filter(|word| text.contains(&format!(": {word}\n"))).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_repeats_with_every_heartbeat_of_an_absent_node_is_told_only_on_request() {
        assert_eq!(logged(None), "core own");
        assert_eq!(logged(Some("warn")), "core");
        assert_eq!(logged(Some("debug,openraft=warn")), "beat sent inner core own detail");
        assert_eq!(logged(Some("no=such=filter")), "core own");
    }
}
