//! The two engines: one in linear time, and for what only backtracking can match one that gives up in time.

use super::super::object::Exceeded;
use std::ops::Range;

/// Times that one match may go back: about a millisecond.
const MOST_BACKTRACKS: usize = 50_000;

/// A compiled pattern.
#[derive(Debug)]
pub(super) enum Engine {
    Linear(regex::Regex),
    Backtracking(Box<fancy_regex::Regex>),
}

/// Where a match and its groups stand.
pub(super) type Groups = Vec<Option<Range<usize>>>;

impl Engine {
    pub(super) fn backtracking(pattern: &str, bytes: usize) -> Result<Engine, String> {
        let built = fancy_regex::RegexBuilder::new(pattern)
            .backtrack_limit(MOST_BACKTRACKS)
            .delegate_size_limit(bytes)
            .delegate_dfa_size_limit(bytes)
            .build();
        built.map(|regex| Engine::Backtracking(Box::new(regex))).map_err(|error| error.to_string())
    }

    pub(super) fn finds(&self, text: &str) -> Result<bool, Exceeded> {
        match self {
            Engine::Linear(regex) => Ok(regex.is_match(text)),
            Engine::Backtracking(regex) => regex.is_match(text).map_err(|_| Exceeded::Fuel),
        }
    }

    pub(super) fn groups(&self) -> usize {
        match self {
            Engine::Linear(regex) => regex.captures_len(),
            Engine::Backtracking(regex) => regex.captures_len(),
        }
    }

    /// The number of the group with this name.
    pub(super) fn named(&self, name: &str) -> Option<usize> {
        match self {
            Engine::Linear(regex) => regex.capture_names().position(|known| known == Some(name)),
            Engine::Backtracking(regex) => regex.capture_names().position(|known| known == Some(name)),
        }
    }

    /// Every match from left to right.
    pub(super) fn matches<'m>(
        &'m self,
        text: &'m str,
    ) -> Box<dyn Iterator<Item = Result<Range<usize>, Exceeded>> + 'm> {
        match self {
            Engine::Linear(regex) => Box::new(regex.find_iter(text).map(|found| Ok(found.range()))),
            Engine::Backtracking(regex) => {
                Box::new(regex.find_iter(text).map(|found| found.map(|f| f.range()).map_err(|_| Exceeded::Fuel)))
            }
        }
    }

    /// The same with their groups, the match itself first.
    pub(super) fn captures<'m>(&'m self, text: &'m str) -> Box<dyn Iterator<Item = Result<Groups, Exceeded>> + 'm> {
        match self {
            Engine::Linear(regex) => Box::new(
                regex.captures_iter(text).map(|found| Ok(found.iter().map(|group| group.map(|g| g.range())).collect())),
            ),
            Engine::Backtracking(regex) => Box::new(regex.captures_iter(text).map(|found| {
                let found = found.map_err(|_| Exceeded::Fuel)?;
                Ok(found.iter().map(|group| group.map(|g| g.range())).collect())
            })),
        }
    }
}
