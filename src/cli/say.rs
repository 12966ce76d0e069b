//! Standard output of the commands: whoever reads it may go away in the middle (`meridian members | head -1`), and a full
//! disk is an error like any other, where `println!` would panic.

use super::CliError;
use std::fmt::Display;
use std::io::{self, Write};

/// A line, as `println!` would print it.
macro_rules! say {
    ($($words:tt)*) => { $crate::cli::say::line(format_args!($($words)*)) };
}

/// Prints a text and a line end.
pub(super) fn line(text: impl Display) -> Result<(), CliError> {
    print(|out| writeln!(out, "{text}"))
}

/// Prints a text as it is.
pub(super) fn text(text: impl Display) -> Result<(), CliError> {
    print(|out| write!(out, "{text}"))
}

fn print(write: impl FnOnce(&mut io::StdoutLock<'_>) -> io::Result<()>) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    write(&mut out).and_then(|()| out.flush()).map_err(CliError::Output)
}
