//! Paths and regular expressions that a template writes out: compiled on first use, then kept with the template.

use crate::spec::java_regex::{JavaRegex, RegexError};
use crate::spec::jsonpath::{InvalidPath, Path};
use std::sync::{Arc, OnceLock};

/// What was compiled first, and from which text.
type Kept<T, E> = OnceLock<(Box<str>, Result<Arc<T>, E>)>;

/// What a call with a constant argument keeps.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    regex: Kept<JavaRegex, RegexError>,
    path: Kept<Path, InvalidPath>,
}

impl Prepared {
    /// The regular expression; the first one that this call is asked for is kept.
    pub(super) fn regex(&self, pattern: &str) -> Result<Arc<JavaRegex>, RegexError> {
        let compile = || JavaRegex::compile(pattern).map(Arc::new);
        let (kept, regex) = self.regex.get_or_init(|| (pattern.into(), compile()));
        if **kept == *pattern { regex.clone() } else { compile() }
    }

    /// Whether asking for this expression costs a compilation.
    pub(super) fn is_new_regex(&self, pattern: &str) -> bool {
        self.regex.get().is_none_or(|(kept, _)| **kept != *pattern)
    }

    /// Whether asking for this path costs a compilation.
    pub(super) fn is_new_path(&self, text: &str) -> bool {
        self.path.get().is_none_or(|(kept, _)| **kept != *text)
    }

    /// The path; the first one that this call is asked for is kept.
    pub(super) fn path(&self, text: &str) -> Result<Arc<Path>, InvalidPath> {
        let compile = || Path::compile(text).map(Arc::new);
        let (kept, path) = self.path.get_or_init(|| (text.into(), compile()));
        if **kept == *text { path.clone() } else { compile() }
    }
}
