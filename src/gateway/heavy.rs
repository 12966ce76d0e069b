//! Work that would hold a worker up (foundations §6.3): it goes to a bounded pool, so that one request cannot stop others.

use super::refusal::{Kind, Refusal};
use super::worker::Worker;
use tokio::sync::{Semaphore, TryAcquireError};

/// Bytes of a body from which on reading, rendering or converting it is not done on the worker.
pub(super) const LARGE: usize = 64 * 1024;
/// Pieces of work that may wait for a place; further ones are turned away.
const WAITING: usize = 1024;

/// How many pieces of heavy work run at once, in the whole node.
#[derive(Debug)]
pub(super) struct HeavyPool {
    running: Semaphore,
    waiting: Semaphore,
}

impl HeavyPool {
    /// One place a core.
    pub(super) fn new() -> HeavyPool {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        HeavyPool { running: Semaphore::new(cores), waiting: Semaphore::new(WAITING) }
    }
}

/// Runs `work` off the worker. Work that was begun goes on to its end, which its own fuel bounds, even when its visit ends.
pub(super) async fn run<T, F>(worker: &Worker, work: F) -> Result<T, Refusal>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let shared = worker.shared.clone();
    let done = tokio::task::spawn_blocking({
        let place = match worker.shared.heavy.running.try_acquire() {
            Ok(place) => place,
            Err(TryAcquireError::Closed) => return Err(Refusal::new(Kind::Internal, "heavy_pool")),
            Err(TryAcquireError::NoPermits) => {
                let waits = worker.shared.heavy.waiting.try_acquire();
                let _waits = waits.map_err(|_| Refusal::new(Kind::Overloaded, "overloaded"))?;
                let place = worker.shared.heavy.running.acquire().await;
                place.map_err(|_| Refusal::new(Kind::Internal, "heavy_pool"))?
            }
        };
        place.forget();
        move || {
            // Given back also when the work panics.
            let _place = GiveBack(shared);
            work()
        }
    });
    done.await.map_err(|error| Refusal::new(Kind::Internal, "panic").because(error))
}

struct GiveBack(std::sync::Arc<super::worker::Shared>);

impl Drop for GiveBack {
    fn drop(&mut self) {
        self.0.heavy.running.add_permits(1);
    }
}
