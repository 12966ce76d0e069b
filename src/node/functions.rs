//! Functions on this node, for the control plane and for integrations: code store below, host above.

use super::code::CodeStore;
use super::seal::SealKey;
use crate::cluster::ConfigGroup;
use crate::control::{Fault, Functions, KeptCode, Seal};
use crate::function::call::{Call, Calling, Invoke, Refused};
use crate::function::deployed::Deployed;
use crate::function::invoker::{Invoker, InvokerParts, Waits};
use crate::function::run::Run;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// Functions that run here.
pub(super) struct NodeFunctions {
    code: CodeStore,
    host: Arc<dyn Run>,
    invoker: Invoker,
}

impl NodeFunctions {
    /// Over this node's rows, code and host. Made on the node's runtime: events run there.
    pub(super) fn new(
        config: &ConfigGroup,
        seal: &Arc<SealKey>,
        code: CodeStore,
        host: Arc<dyn Run>,
    ) -> Arc<NodeFunctions> {
        let (config, seal) = (config.clone(), seal.clone());
        let invoker = Invoker::new(InvokerParts {
            world: Arc::new(move || config.world()),
            open: Arc::new(move |sealed| seal.open(sealed)),
            chance: Arc::new(chance),
            run: host.clone(),
            runtime: tokio::runtime::Handle::current(),
            waits: Waits::default(),
        });
        Arc::new(NodeFunctions { code, host, invoker })
    }

    /// What integrations call.
    pub(super) fn invoker(&self) -> Arc<dyn Invoke> {
        Arc::new(self.invoker.clone())
    }
}

/// A node without a host: functions are kept, and no call is run.
pub(super) struct NoHost;

impl Run for NoHost {
    fn check(&self, _: Bytes) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn run(&self, _: Deployed, _: Call) -> Calling<'_> {
        let message = "Meridian does not implement the running of functions yet".into();
        Box::pin(async { Err(Refused { status: 501, kind: "NotImplementedException", message }) })
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
            self.host.check(zip.clone()).await.map_err(wrong)?;
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
