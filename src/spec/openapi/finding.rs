//! What is wrong with a file, or gets lost of it, with the place.

use std::collections::BTreeSet;
use std::fmt;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It has no effect here, and none at AWS: nobody is told but who asks.
    Ignored,
    /// Something that the file asks for is not done: `failonwarnings` refuses the file for it.
    Warning,
    /// The file cannot be imported.
    Error,
}

impl Severity {
    /// The word for people and scripts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Ignored => "ignored",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// JSON pointer into the file; empty for the whole.
    pub pointer: String,
    /// How much it matters.
    pub severity: Severity,
    /// What it is, in a sentence without a full stop.
    pub text: String,
    /// Whether the text is AWS's own, which names the place in its own way.
    pub aws: bool,
}

/// For answers: AWS's words as they are, others with the place before them.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.aws || self.pointer.is_empty() {
            f.write_str(&self.text)
        } else {
            write!(f, "{}: {}", self.pointer, self.text)
        }
    }
}

/// Most findings that are kept: a file of nothing but mistakes must not make an answer larger than itself.
pub const MOST_FINDINGS: usize = 5_000;
/// Most text of findings that is kept, bytes: a place deep under long keys is long.
const MOST_FINDING_BYTES: usize = 4 << 20;
/// The longest part of a pointer that is shown, characters.
const LONGEST_PART: usize = 256;

/// Findings in the making, in the order they were made.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    list: Vec<Finding>,
    bytes: usize,
    /// A part that is read twice (once for its documentation) is found wrong once.
    seen: BTreeSet<(String, String)>,
}

impl Findings {
    /// Adds one; what the file asks for in vain.
    pub fn add(&mut self, severity: Severity, place: &(impl fmt::Display + ?Sized), text: impl Into<String>) {
        self.push(severity, place, text.into(), false);
    }

    /// The place becomes text only where it is kept.
    fn push(&mut self, severity: Severity, place: &(impl fmt::Display + ?Sized), text: String, aws: bool) {
        // Errors decide: they find room longer.
        let share = if severity == Severity::Error { 2 } else { 1 };
        if self.list.len() >= share * MOST_FINDINGS || self.bytes >= share * MOST_FINDING_BYTES {
            return;
        }
        let finding = Finding { pointer: place.to_string(), severity, text, aws };
        if self.seen.insert((finding.pointer.clone(), finding.text.clone())) {
            self.bytes += finding.pointer.len() + finding.text.len();
            self.list.push(finding);
        }
    }

    /// Adds one in AWS's own words.
    pub fn aws(&mut self, severity: Severity, place: &(impl fmt::Display + ?Sized), text: impl Into<String>) {
        self.push(severity, place, text.into(), true);
    }

    /// Adds an error.
    pub fn error(&mut self, place: &(impl fmt::Display + ?Sized), text: impl Into<String>) {
        self.add(Severity::Error, place, text);
    }

    /// Adds a warning.
    pub fn warn(&mut self, place: &(impl fmt::Display + ?Sized), text: impl Into<String>) {
        self.add(Severity::Warning, place, text);
    }

    /// Adds what has no effect.
    pub fn ignored(&mut self, place: &(impl fmt::Display + ?Sized), text: impl Into<String>) {
        self.add(Severity::Ignored, place, text);
    }

    /// All of them.
    #[must_use]
    pub fn into_vec(self) -> Vec<Finding> {
        self.list
    }
}

/// The JSON pointer (RFC 6901) of a path of keys; of a key longer than anybody reads, its beginning.
pub(super) fn pointer<'a>(path: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for part in path {
        text.push('/');
        match part.char_indices().nth(LONGEST_PART) {
            Some((end, _)) => text.extend([&escape(&part[..end]), "…"]),
            None => text.push_str(&escape(part)),
        }
    }
    text
}

/// A key as it stands in a JSON pointer.
pub(super) fn escape(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

/// A key out of a JSON pointer.
pub(super) fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}
