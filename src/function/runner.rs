//! Runs versions on this node: gets their code unpacked, once, and hands their calls to the host.

use super::call::{Call, Calling, Refused};
use super::deployed::Deployed;
use super::fault::refused;
use super::host::Host;
use super::options::Ready;
use super::run::{Code, Run};
use super::unpack::{self, CodeError, CodeFolder, CodeLimits};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Calls at once that may fetch and unpack code.
const AT_ONCE: usize = 2;

/// The host with its code. A clone shares it.
#[derive(Clone)]
pub struct Runner(Arc<Parts>);

struct Parts {
    host: Host,
    folder: CodeFolder,
    limits: CodeLimits,
    source: Arc<dyn Code>,
    unpacking: tokio::sync::Semaphore,
    /// One fetch of a code at a time: first calls often come together.
    gates: Mutex<HashMap<[u8; 32], Arc<tokio::sync::Mutex<()>>>>,
}

impl Runner {
    /// A runner over a host; what it unpacks lies in `folder`.
    #[must_use]
    pub fn new(host: Host, folder: CodeFolder, limits: CodeLimits, source: Arc<dyn Code>) -> Runner {
        let (unpacking, gates) = (tokio::sync::Semaphore::new(AT_ONCE), Mutex::default());
        Runner(Arc::new(Parts { host, folder, limits, source, unpacking, gates }))
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.0.host
    }
}

impl Parts {
    /// Where the code of a version lies, unpacked.
    async fn code(&self, deployed: &Deployed) -> Result<PathBuf, Refused> {
        let name = deployed.code_sha256.iter().fold(String::with_capacity(64), |mut name, byte| {
            // Writing to a String cannot fail.
            let _ = write!(name, "{byte:02x}");
            name
        });
        if let Some(code) = self.folder.find(&name) {
            return Ok(code);
        }
        let gate = {
            let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
            gates.retain(|_, gate| Arc::strong_count(gate) > 1);
            gates.entry(deployed.code_sha256).or_default().clone()
        };
        let _one = gate.lock().await;
        if let Some(code) = self.folder.find(&name) {
            return Ok(code);
        }
        let unavailable = |why: String| {
            tracing::warn!(function = &*deployed.name, code = name, why, "a function's code is not to be had");
            refused(500, "ServiceException", "The function's code is not available on this node.")
        };
        let _turn = self.unpacking.acquire().await.map_err(|closed| unavailable(closed.to_string()))?;
        let zip = self.source.zip(deployed.code_sha256).await.map_err(unavailable)?;
        let folder = self.folder.clone();
        let unpacked = tokio::task::spawn_blocking(move || folder.unpack(&zip)).await;
        match unpacked.map_err(|panic| unavailable(panic.to_string()))? {
            Ok(code) => Ok(code),
            Err(CodeError::Disk(error)) => Err(unavailable(error.to_string())),
            Err(wrong) => Err(refused(502, "InvalidZipFileException", wrong.to_string())),
        }
    }
}

impl Run for Runner {
    fn check(&self, zip: Bytes) -> BoxFuture<'_, Result<(), String>> {
        let limits = self.0.limits;
        Box::pin(async move {
            let checked = tokio::task::spawn_blocking(move || unpack::check(&zip, limits)).await;
            checked.map_err(|panic| panic.to_string())?.map(drop).map_err(|wrong| wrong.to_string())
        })
    }

    fn run(&self, deployed: Deployed, call: Call) -> Calling<'_> {
        Box::pin(async move {
            let until = call.until;
            let code = tokio::time::timeout_at(until.into(), self.0.code(&deployed)).await;
            let late = |_| refused(500, "ServiceException", "The function's code did not come in time.");
            let code = code.map_err(late)??;
            self.0.host.invoke(Arc::new(Ready { deployed, code }), call).await
        })
    }
}
