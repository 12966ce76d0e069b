//! Java's regular expressions over an engine that runs in linear time.
//!
//! A pattern is rewritten into that engine's syntax. What only backtracking can match (look-around, back references, atomic
//! groups, possessive quantifiers) goes to a second engine, costs much more, and is given up after so many steps back.
//! `$` means the very end, also where the text ends in a newline.

mod engine;
mod rewrite;

use super::object::Exceeded;
use engine::Engine;
use regex::{Regex, RegexBuilder};
use rewrite::Rewriter;
use std::sync::OnceLock;

/// Why a pattern or replacement cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegexError {
    /// Java has it, this engine does not.
    #[error("the regular expression {pattern:?} uses {what}, which is not supported")]
    Unsupported {
        /// As written.
        pattern: String,
        /// What it is.
        what: &'static str,
    },
    /// Wrong in Java too, or too large.
    #[error("the regular expression {pattern:?} cannot be compiled: {reason}")]
    Wrong {
        /// As written.
        pattern: String,
        /// Why.
        reason: String,
    },
    /// `$7` without a seventh group, or a lone backslash.
    #[error("the replacement {0:?} cannot be used with this regular expression")]
    Replacement(String),
    /// Looking through the text is more than is allowed.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
}

/// What replacing or splitting may still use, and how much of it is left after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Bytes of the result.
    pub bytes: usize,
    /// Steps, of which [`JavaRegex::cost`] says how many one look through a text takes.
    pub steps: usize,
}

impl Allowed {
    /// Takes `steps` away.
    fn step(&mut self, steps: usize) -> Result<(), Exceeded> {
        self.steps = self.steps.checked_sub(steps).ok_or(Exceeded::Fuel)?;
        Ok(())
    }
}

/// Bytes that a compiled pattern may take.
const MOST_BYTES: usize = 1 << 20;
const MOST_LENGTH: usize = 8192;
/// Patterns of so few letters have no more states than that, whatever they are.
const SHORT: usize = 32;
/// Bytes that a pattern may compile to, and what each 8 bytes of text cost then: every letter may keep all states busy.
const SIZES: [(usize, usize); 3] = [(4 << 10, 8), (32 << 10, 64), (MOST_BYTES, 2048)];

/// Steps for 8 bytes of text, and steps of any look, of what goes back: a thousand times what is usual.
const BACKTRACKING: usize = 64;
const BACKTRACKING_LEAST: usize = 10_000;

/// A compiled pattern.
#[derive(Debug)]
pub struct JavaRegex {
    find: Engine,
    /// The same for the whole text; compiled when first asked.
    whole: OnceLock<Option<Engine>>,
    rewritten: Box<str>,
    /// Steps for 8 bytes of text.
    weight: usize,
    /// Whether one match may look at much more text than it takes.
    looks_ahead: bool,
}

impl JavaRegex {
    /// Compiles a pattern.
    pub fn compile(pattern: &str) -> Result<JavaRegex, RegexError> {
        JavaRegex::with_flags(pattern, "")
    }

    /// Compiles a pattern with Java's flag letters, such as `i` for any case.
    pub fn with_flags(pattern: &str, flags: &str) -> Result<JavaRegex, RegexError> {
        if pattern.len() > MOST_LENGTH {
            let reason = format!("longer than {MOST_LENGTH} bytes");
            return Err(RegexError::Wrong { pattern: pattern.chars().take(40).collect(), reason });
        }
        let mut rewritten = String::with_capacity(pattern.len() + 16);
        let kept: String = flags.chars().filter(|flag| matches!(flag, 'i' | 'm' | 's' | 'x')).collect();
        if !kept.is_empty() {
            rewritten.push_str(&format!("(?{kept})"));
        }
        let letters: Vec<char> = pattern.chars().collect();
        let mut rewriter = Rewriter {
            letters: &letters,
            at: 0,
            dot_all: kept.contains('s'),
            out: &mut rewritten,
            groups: vec![false],
            counts: false,
            chooses: false,
            looks_ahead: false,
            backtracks: false,
        };
        rewriter.run().map_err(|what| RegexError::Unsupported { pattern: pattern.to_owned(), what })?;
        if rewriter.backtracks {
            let wrong = |reason| RegexError::Wrong { pattern: pattern.to_owned(), reason };
            let find = Engine::backtracking(&rewritten, MOST_BYTES).map_err(wrong)?;
            let rewritten = rewritten.into();
            return Ok(JavaRegex { find, whole: OnceLock::new(), rewritten, weight: BACKTRACKING, looks_ahead: true });
        }
        let repeats = rewriter.groups.iter().any(|repeats| *repeats);
        let looks_ahead = rewriter.looks_ahead || (rewriter.chooses && repeats);
        let small = letters.len() <= SHORT && !rewriter.counts;
        let sizes = if small { &[(MOST_BYTES, 1)][..] } else { &SIZES };
        let mut built = sizes.iter().map(|(bytes, weight)| build(&rewritten, *bytes).map(|find| (find, *weight)));
        let mut last = built.next();
        while matches!(&last, Some(Err(regex::Error::CompiledTooBig(_))))
            && let Some(next) = built.next()
        {
            last = Some(next);
        }
        match last {
            Some(Ok((find, weight))) => {
                let find = Engine::Linear(find);
                Ok(JavaRegex { find, whole: OnceLock::new(), rewritten: rewritten.into(), weight, looks_ahead })
            }
            Some(Err(error)) => Err(RegexError::Wrong { pattern: pattern.to_owned(), reason: last_line(&error) }),
            None => Err(RegexError::Wrong { pattern: pattern.to_owned(), reason: String::new() }),
        }
    }

    /// Steps that one look through `bytes` of text takes at most.
    pub fn cost(&self, bytes: usize) -> usize {
        // What goes back may take as long over a few letters as over many.
        let least = if matches!(self.find, Engine::Backtracking(_)) { BACKTRACKING_LEAST } else { 1 };
        least + (bytes / 8).saturating_mul(self.weight)
    }

    /// Bytes that the compiled pattern takes, roughly.
    pub fn bytes(&self) -> usize {
        SIZES.iter().find(|(_, weight)| *weight == self.weight).map_or(SIZES[0].0, |(bytes, _)| *bytes)
    }

    /// What a match that begins at `from` may cost beside the one look through the whole text.
    fn ahead(&self, text: &str, from: usize) -> usize {
        if self.looks_ahead { self.cost(text.len() - from) } else { 1 }
    }

    /// Whether the whole text matches.
    ///
    /// # Errors
    /// When that takes more steps back than one match may.
    pub fn matches(&self, text: &str) -> Result<bool, Exceeded> {
        let whole = self.whole.get_or_init(|| {
            let pattern = format!(r"\A(?:{})\z", self.rewritten);
            match &self.find {
                Engine::Linear(_) => build(&pattern, 2 * MOST_BYTES).ok().map(Engine::Linear),
                Engine::Backtracking(_) => Engine::backtracking(&pattern, 2 * MOST_BYTES).ok(),
            }
        });
        whole.as_ref().map_or(Ok(false), |whole| whole.finds(text))
    }

    /// Whether the text matches anywhere.
    ///
    /// # Errors
    /// When that takes more steps back than one match may.
    pub fn finds(&self, text: &str) -> Result<bool, Exceeded> {
        self.find.finds(text)
    }

    /// Replaces matches, the first one or all, by a replacement with `$1`, `${name}` and backslashes.
    pub fn replace(
        &self,
        text: &str,
        replacement: &str,
        all: bool,
        allowed: &mut Allowed,
    ) -> Result<String, RegexError> {
        allowed.step(self.cost(text.len()))?;
        let wrong = || RegexError::Replacement(replacement.to_owned());
        let parts = self.replacement(replacement).ok_or_else(wrong)?;
        let mut out = String::with_capacity(text.len());
        let mut last = 0;
        for groups in self.find.captures(text).take(if all { usize::MAX } else { 1 }) {
            let groups = groups?;
            let Some(Some(found)) = groups.first() else { break };
            allowed.step(self.ahead(text, found.start))?;
            out.push_str(&text[last..found.start]);
            for part in &parts {
                match part {
                    Part::Text(text) => out.push_str(text),
                    Part::Group(group) => {
                        let group = groups.get(*group).cloned().flatten();
                        out.push_str(group.map_or("", |range| &text[range]));
                    }
                }
            }
            last = found.end;
            if out.len() > allowed.bytes {
                return Err(Exceeded::Memory.into());
            }
        }
        out.push_str(&text[last..]);
        if out.len() > allowed.bytes { Err(Exceeded::Memory.into()) } else { Ok(out) }
    }

    fn replacement(&self, text: &str) -> Option<Vec<Part>> {
        let groups = self.find.groups();
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '\\' => plain.push(letters.next()?),
                '$' => {
                    let group = match letters.next()? {
                        '{' => {
                            let mut name = String::new();
                            loop {
                                match letters.next()? {
                                    '}' => break,
                                    letter => name.push(letter),
                                }
                            }
                            self.find.named(&name)?
                        }
                        digit => {
                            let mut group = digit.to_digit(10)? as usize;
                            if group >= groups {
                                return None;
                            }
                            // More digits belong to it as long as there is such a group.
                            while let Some(digit) = letters.peek().and_then(|letter| letter.to_digit(10))
                                && group * 10 + (digit as usize) < groups
                            {
                                group = group * 10 + digit as usize;
                                letters.next();
                            }
                            group
                        }
                    };
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                    parts.push(Part::Group(group));
                }
                letter => plain.push(letter),
            }
        }
        parts.push(Part::Text(plain));
        Some(parts)
    }

    /// Java's `split`: at most `limit` parts if it is positive; empty parts at the end go if it is 0.
    pub fn split<'t>(&self, text: &'t str, limit: i32, allowed: &mut Allowed) -> Result<Vec<&'t str>, Exceeded> {
        allowed.step(self.cost(text.len()))?;
        let most = usize::try_from(limit).unwrap_or(0);
        let mut parts = Vec::new();
        let mut last = 0;
        for found in self.find.matches(text) {
            let found = found?;
            allowed.step(self.ahead(text, found.start))?;
            if most > 0 && parts.len() + 1 == most {
                break;
            }
            if found.end == 0 {
                continue;
            }
            if found.start == text.len() && found.is_empty() {
                break;
            }
            parts.push(&text[last..found.start]);
            last = found.end;
            // A part becomes a string of its own.
            allowed.bytes = allowed.bytes.checked_sub(64).ok_or(Exceeded::Memory)?;
        }
        if parts.is_empty() {
            return Ok(vec![text]);
        }
        parts.push(&text[last..]);
        if limit == 0 {
            while parts.last().is_some_and(|part| part.is_empty()) {
                parts.pop();
            }
        }
        Ok(parts)
    }
}

enum Part {
    Text(String),
    Group(usize),
}

fn build(pattern: &str, bytes: usize) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(bytes).dfa_size_limit(MOST_BYTES).nest_limit(64).build()
}

fn last_line(error: &regex::Error) -> String {
    error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regex(pattern: &str) -> JavaRegex {
        JavaRegex::compile(pattern).expect(pattern)
    }

    #[test]
    fn patterns_match_as_in_java() {
        for (pattern, yes, no) in [
            (r"^\d{4}-\d{2}$", "2020-01", "٢٠٢٠-٠١"),
            (r"[0-9]*", "", "d1"),
            (r"(a|b)+?c", "abac", "ab"),
            (r"a.b", "axb", "a\nb"),
            (r"(?s)a.b", "a\nb", "ab"),
            (r"(\n|.)+", "a\nb", ""),
            (r"\Qa.b\E", "a.b", "axb"),
            (r"[\w&&[^a]]+", "b_1", "a"),
            (r"\p{Alpha}+", "abc", "é"),
            (r"[\p{L}-]+", "é-x", "1"),
            (r"\<x\>", "<x>", "x"),
            (r"[]a]+", "]a", "b"),
            (r"(?i)ABC", "abc", "abd"),
            (r"(?<year>\d+)", "12", "x"),
            (r"\x41\u0042\0103", "ABC", "abc"),
            (r".*four hundred.*", "is four hundred", "is 400"),
        ] {
            assert_eq!(regex(pattern).matches(yes), Ok(true), "{pattern} {yes:?}");
            assert_eq!(regex(pattern).matches(no), Ok(false), "{pattern} {no:?}");
        }
        for (pattern, yes, no) in [
            (r"^(?!.*error).*$", "fine", "an error"),
            (r"(?=.*\d)(?=.*[a-z]).{4,}", "abc1", "abcd"),
            (r".*(?<=\.)json", "a.json", "ajson"),
            (r"(.)\1", "aa", "ab"),
            (r"(?<q>['\x22]).*\k<q>", "'a'", "'a\""),
            ("a*+b", "aab", "aaa"),
            ("(?>a+)b", "aab", "aa"),
        ] {
            assert_eq!(regex(pattern).matches(yes), Ok(true), "{pattern} {yes:?}");
            assert_eq!(regex(pattern).matches(no), Ok(false), "{pattern} {no:?}");
        }
        let mut allowed = Allowed { bytes: 1000, steps: 100_000 };
        assert_eq!(regex(r"(\w)\1").replace("aabcc", "<$1>", true, &mut allowed), Ok("<a>b<c>".to_owned()));
        assert_eq!(regex("(?<=,)").split("a,b", 0, &mut allowed), Ok(vec!["a,", "b"]));
        let evil = regex(r"(?:(a|aa)\1?)+!");
        assert_eq!(evil.matches(&"a".repeat(60)), Err(Exceeded::Fuel), "it goes back no longer");
        assert!(evil.cost(1) >= 10_000);
        for pattern in ["(", "[", r"\", "a{1000}{1000}", r"\q", r"[\1]", "(?=", r"(?<=a"] {
            assert!(JavaRegex::compile(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn replacing_and_splitting_follow_java() {
        let allowed = |bytes| Allowed { bytes, steps: 10_000 };
        for (pattern, text, replacement, out) in [
            ("ba.", "foobar123bab", "foo", "foofoo123foo"),
            (r"(\w)(\d)", "a1b2", "$2$1", "1a2b"),
            (r"(\w)", "a", "$12", "a2"),
            (r"\\'", r"it\'s", "'", "it's"),
            ("x", "axb", r"\$\\", r"a$\b"),
            ("", "ab", "-", "-a-b-"),
            (r"(?<n>\d+)", "a12", "<${n}>", "a<12>"),
        ] {
            assert_eq!(
                regex(pattern).replace(text, replacement, true, &mut allowed(1000)),
                Ok(out.to_owned()),
                "{pattern}"
            );
        }
        assert_eq!(regex("a").replace("aaa", "b", false, &mut allowed(1000)), Ok("baa".to_owned()));
        assert_eq!(regex("a").replace("aaa", "bbbb", true, &mut allowed(5)), Err(Exceeded::Memory.into()));
        for wrong in ["$1", "$", "\\", "${x}", "$x"] {
            assert!(regex("a").replace("a", wrong, true, &mut allowed(100)).is_err(), "{wrong}");
        }
        for (pattern, text, limit, parts) in [
            (",", "a,b,,c,,", 0, vec!["a", "b", "", "c"]),
            (",", "a,b,,c,,", -1, vec!["a", "b", "", "c", "", ""]),
            (",", "a,b,,c,,", 2, vec!["a", "b,,c,,"]),
            (",", ",a", 0, vec!["", "a"]),
            ("", "abc", 0, vec!["a", "b", "c"]),
            ("x", "abc", 0, vec!["abc"]),
            ("x", "", 0, vec![""]),
            (",", ",", 0, vec![]),
        ] {
            assert_eq!(regex(pattern).split(text, limit, &mut allowed(1000)), Ok(parts), "{pattern} {text} {limit}");
        }
    }

    #[test]
    fn a_pattern_costs_what_its_states_may() {
        for (pattern, weight) in [
            ("\\s+", 1),
            (r"\p{L}+", 1),
            ("[ab]*a[ab]{20}", 8),
            ("^[0-9a-f]{8}-[0-9a-f]{4}$", 8),
            ("([ab]?){1000}", 2048),
        ] {
            assert!(regex(pattern).weight <= weight, "{pattern} {}", regex(pattern).weight);
        }
        assert!(regex("([ab]?){1000}").weight > 32);
        for (pattern, looks_ahead) in [
            (r"\s*,\s*", false),
            ("a|b", false),
            ("a+|b", true),
            ("(a*b)?", true),
            ("((a*)b)*", true),
            ("(a*)b", false),
        ] {
            assert_eq!(regex(pattern).looks_ahead, looks_ahead, "{pattern}");
        }
        let long = "a".repeat(20_000);
        let mut allowed = Allowed { bytes: 1 << 20, steps: 1_000_000 };
        assert_eq!(regex(".*b|a").replace(&long, "x", true, &mut allowed), Err(Exceeded::Fuel.into()));
        let mut allowed = Allowed { bytes: 1 << 20, steps: 1_000_000 };
        assert_eq!(regex("(a*b)?").split(&long, 0, &mut allowed), Err(Exceeded::Fuel));
    }
}
