//! Functions on this node, for the control plane and for integrations: code store below, host above.

use super::code::CodeStore;
use super::seal::SealKey;
use crate::cluster::ConfigGroup;
use crate::config;
use crate::control::{Fault, Functions, KeptCode, Seal};
use crate::function::call::{Call, Calling, Invoke};
use crate::function::invoker::{Invoker, InvokerParts, Waits};
use crate::function::run::Run;
use crate::function::unpack::{CodeFolder, CodeLimits};
use crate::function::{Host, HostOptions, Runner};
use crate::observe::function::FunctionMetrics;
use crate::observe::log_files::LogShelf;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// How long calls in hand may take at a stop.
const PATIENCE: Duration = Duration::from_secs(20);

/// Functions that run here.
pub(super) struct NodeFunctions {
    code: CodeStore,
    runner: Runner,
    invoker: Invoker,
}

impl NodeFunctions {
    /// Starts the host, over this node's rows and code. Made on the node's runtime: events run there.
    ///
    /// # Errors
    /// When its folder cannot be made, or the system gives no threads.
    pub(super) fn start(
        config: &config::Functions,
        group: &ConfigGroup,
        seal: &Arc<SealKey>,
        code: CodeStore,
        logs: LogShelf,
        metrics: FunctionMetrics,
    ) -> std::io::Result<Arc<NodeFunctions>> {
        let limits = CodeLimits { unzipped_bytes: config.unzipped_bytes, ..CodeLimits::default() };
        let runner = Runner::new(
            Host::start(options(config, &code), logs, metrics)?,
            CodeFolder::open(code.unpacked.clone(), limits)?,
            limits,
            Arc::new(code.clone()),
        );
        let (rows, seal) = (group.clone(), seal.clone());
        let invoker = Invoker::new(InvokerParts {
            world: Arc::new(move || rows.world()),
            open: Arc::new(move |sealed| seal.open(sealed)),
            chance: Arc::new(chance),
            run: Arc::new(runner.clone()),
            runtime: tokio::runtime::Handle::current(),
            waits: Waits::default(),
        });
        Ok(Arc::new(NodeFunctions { code, runner, invoker }))
    }

    /// Takes no more calls, and lets those in hand end; whether they did in time. Blocks.
    pub(super) fn stop(&self) -> bool {
        self.runner.host().stop(PATIENCE)
    }

    /// What integrations call.
    pub(super) fn invoker(&self) -> Arc<dyn Invoke> {
        Arc::new(self.invoker.clone())
    }
}

fn options(config: &config::Functions, code: &CodeStore) -> HostOptions {
    // The node's own files, keys among them, are nobody's: the code of a function is shown to it elsewhere.
    let own = code.unpacked.parent().map(std::path::Path::to_path_buf);
    HostOptions {
        memory_mib: config.memory_mib,
        concurrency: config.concurrency,
        waiting: config.waiting,
        idle: Duration::from_secs(config.idle_s),
        python: Some(config.python.clone()),
        node: Some(config.node.clone()),
        node_ric: config.node_ric.clone(),
        interpreters: config.interpreters.clone(),
        hide: config.hide.iter().cloned().chain(own).collect(),
        user: config.user_id,
        ..HostOptions::default()
    }
}

/// 0 to 1 without 1, evenly.
fn chance() -> f64 {
    // Without randomness an alias's first version answers.
    let bytes = super::arrive::random::<4>().unwrap_or([0xff; 4]);
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

impl Functions for NodeFunctions {
    fn most_zip_bytes(&self) -> usize {
        usize::try_from(self.code.blobs.most_each()).unwrap_or(usize::MAX)
    }

    fn keep(&self, zip: Bytes) -> BoxFuture<'_, Result<KeptCode, Fault>> {
        Box::pin(async move {
            let wrong = |text| Fault::new("InvalidParameterValueException", 400, text);
            self.runner.check(zip.clone()).await.map_err(wrong)?;
            self.code.keep(zip).await
        })
    }

    fn code(&self, sha256: [u8; 32]) -> BoxFuture<'_, Result<Bytes, Fault>> {
        Box::pin(async move { self.code.get(sha256).await.map_err(Fault::unavailable) })
    }

    fn invoke(&self, call: Call) -> Calling<'_> {
        self.invoker.invoke(call)
    }
}
