//! OpenAPI 2.0, 3.0 and 3.1 with API Gateway's extensions: files into a [`Document`] and back.
//!
//! [`parse()`] reads JSON or YAML, [`read()`] understands it and says with a JSON pointer what it cannot, [`write()`] makes a
//! file of it again. What is read out of what was written is what was written.

mod document;
mod finding;
mod node;
mod parse;
mod read;
mod write;
mod yaml;

pub use document::{BasePath, Document, Path, ReadOptions, Reading};
pub use finding::{Finding, Findings, MOST_FINDINGS, Severity};
pub use parse::{MOST_BYTES, MOST_COPIED_BYTES, MOST_DEPTH, MOST_VALUES, ParseError, parse};
pub use read::read;
pub use write::{Dialect, WriteOptions, write};
pub use yaml::to_yaml;
