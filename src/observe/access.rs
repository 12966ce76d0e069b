//! Where access-log lines go: a writer on its own thread, so that no visit waits for a disk or a pipe.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

/// Batches of lines that may wait for the writer; beyond that they are counted and dropped.
const WAITING: usize = 1024;

/// A handle on the log; clones share the writer, which ends when the last is gone.
#[derive(Clone, Debug)]
pub struct AccessLog {
    lines: SyncSender<Vec<u8>>,
    lost: Arc<AtomicU64>,
}

impl AccessLog {
    /// Starts the writer's thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(mut writer: Box<dyn Write + Send>) -> std::io::Result<AccessLog> {
        let (lines, inbox) = sync_channel::<Vec<u8>>(WAITING);
        std::thread::Builder::new().name("access-log".into()).spawn(move || {
            while let Ok(batch) = inbox.recv() {
                // A log that cannot be written must not stop visits; the next batch tries again.
                let _ = writer.write_all(&batch);
                let _ = writer.flush();
            }
        })?;
        Ok(AccessLog { lines, lost: Arc::default() })
    }

    /// Hands over whole lines, each with its line end.
    pub fn write(&self, lines: Vec<u8>) {
        if let Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) = self.lines.try_send(lines) {
            let count = batch.iter().filter(|b| **b == b'\n').count() as u64;
            self.lost.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Lines that were dropped because the writer did not keep up.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}
