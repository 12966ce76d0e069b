//! What a group replicates: a machine of keys and values, driven by the log.

pub use crate::state::Write;

/// Keys and values of a consistent root, in key order.
pub type Pinned = Box<dyn Iterator<Item = (Vec<u8>, Vec<u8>)> + Send>;

/// A state machine whose disk form is a set of keys and values. One task drives it; readers look at what it publishes.
pub trait Machine: Send + Sync + 'static {
    /// Forgets everything (readers still see what was published last).
    fn reset(&mut self);

    /// Takes back one key and value that [`Machine::apply`] once wrote, in the order of keys after a reset. The next
    /// [`Machine::publish`] ends the load.
    ///
    /// # Errors
    /// When they cannot have come from it: the store is damaged.
    fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), String>;

    /// Applies one entry at log index `index`, pushes its effects on the store and gives the proposer's reply.
    /// Total: never panics on input, and gives the same effects on every node.
    fn apply(&mut self, index: u64, entry: &[u8], out: &mut Vec<Write>) -> Vec<u8>;

    /// Ends a batch: readers see its outcome from now on.
    fn publish(&mut self);

    /// A consistent root, for a snapshot that is written while applying goes on.
    fn pin(&self) -> Pinned;
}
