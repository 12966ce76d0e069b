//! What a test says that does not run.

use std::io::Write;

/// Says on the terminal, past the test runner's capture, that a test did not run and why.
pub(crate) fn skip(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "\nSKIPPED {test}: {why}\n");
}
