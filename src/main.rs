//! The `meridian` program: its allocator and its command line; everything else is the library.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    meridian::cli::run()
}
