//! Hostile input: at the control plane's doors and the engines of templates function by function, at the gateway's sockets
//! byte by byte.
//!
//! Each target is bolero's: a bounded number of random inputs in an ordinary run, twenty times as many with
//! `MERIDIAN_TEST_ALL`, and as long as one likes under `cargo bolero test TARGET`. What fails prints
//! `BOLERO_RANDOM_SEED=…`; set, it makes the same input again.

#[expect(dead_code, reason = "the gateway's own tests use the rest")]
#[path = "../gateway/backends.rs"]
mod backends;
mod doors;
mod engines;
mod lambda;
mod openapi;
mod patches;
#[expect(dead_code, reason = "the gateway's own tests use the rest")]
#[path = "../gateway/site.rs"]
mod site;
#[expect(dead_code, reason = "the gateway's own tests use the rest")]
#[path = "../gateway/sockets.rs"]
mod sockets;
mod validators;
mod visits;

use std::time::{Duration, Instant};

/// How many inputs a target tries, and for how long at most.
fn effort(inputs: usize) -> (usize, Duration) {
    match std::env::var_os("MERIDIAN_TEST_ALL") {
        Some(_) => (20 * inputs, Duration::from_secs(60)),
        None => (inputs, Duration::from_secs(6)),
    }
}

/// Runs something that may take long over no input that a target makes.
fn in_time<T>(shown: &str, run: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = run();
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?} over {} bytes: {shown:?}", shown.len());
    done
}

/// Text spelled out of words: each byte picks one.
fn spell(bytes: &[u8], words: &[&str]) -> String {
    bytes.iter().map(|byte| words[usize::from(*byte) % words.len()]).collect()
}
