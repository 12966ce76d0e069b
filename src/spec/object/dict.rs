//! A map that keeps the order of insertion, as Java's `LinkedHashMap` does.

use super::{Text, Value};
use std::hash::{BuildHasher, RandomState};

/// Entries in order; many of them have an index over their string keys, keyed so that nobody can choose collisions.
#[derive(Debug, Default)]
pub struct Dict<'a> {
    entries: Vec<(Value<'a>, Value<'a>)>,
    index: Option<Box<Index>>,
}

#[derive(Debug)]
struct Index {
    hasher: RandomState,
    /// Open addressing: an entry's place + 1, zero for free; at most half full.
    slots: Vec<u32>,
}

/// So many entries are faster searched one by one.
const SMALL: usize = 12;

#[inline]
fn str_of<'h>(text: Text<'h>, texts: &'h [Box<str>]) -> &'h str {
    match text {
        Text::Lent(text) => text,
        Text::Held(id) => texts.get(id as usize).map_or("", |text| text),
    }
}

impl<'a> Dict<'a> {
    /// Keys and values in order.
    pub fn entries(&self) -> &[(Value<'a>, Value<'a>)] {
        &self.entries
    }

    pub(super) fn of(entries: Vec<(Value<'a>, Value<'a>)>, texts: &[Box<str>]) -> Dict<'a> {
        if entries.len() <= SMALL && !repeats(&entries, texts) {
            return Dict { entries, index: None };
        }
        let mut dict = Dict { entries: Vec::with_capacity(entries.len()), index: None };
        for (key, value) in entries {
            let found = match key {
                Value::Str(text) => dict.find(str_of(text, texts), texts),
                _ => None,
            };
            match found {
                Some(at) => dict.entries[at].1 = value,
                None => dict.push(key, value, texts),
            }
        }
        dict
    }

    #[inline]
    pub(super) fn at(&self, key: &str, texts: &[Box<str>]) -> Option<Value<'a>> {
        self.find(key, texts).map(|at| self.entries[at].1)
    }

    pub(super) fn find(&self, key: &str, texts: &[Box<str>]) -> Option<usize> {
        let same = |at: usize| matches!(self.entries[at].0, Value::Str(text) if str_of(text, texts) == key);
        let Some(index) = &self.index else {
            return self
                .entries
                .iter()
                .position(|(known, _)| matches!(known, Value::Str(text) if str_of(*text, texts) == key));
        };
        let mut slot = index.start(key);
        loop {
            match index.slots[slot] {
                0 => return None,
                place if same(place as usize - 1) => return Some(place as usize - 1),
                _ => slot = (slot + 1) & (index.slots.len() - 1),
            }
        }
    }

    pub(super) fn replace(&mut self, at: usize, value: Value<'a>) -> Value<'a> {
        std::mem::replace(&mut self.entries[at].1, value)
    }

    pub(super) fn push(&mut self, key: Value<'a>, value: Value<'a>, texts: &[Box<str>]) {
        self.entries.push((key, value));
        let count = self.entries.len();
        match &mut self.index {
            Some(index) if count * 2 <= index.slots.len() => {
                if let Value::Str(text) = key {
                    index.enter(str_of(text, texts), count - 1);
                }
            }
            Some(_) => self.rebuild(texts),
            None if count > SMALL => self.rebuild(texts),
            None => {}
        }
    }

    pub(super) fn remove(&mut self, at: usize, texts: &[Box<str>]) -> Value<'a> {
        let (_, value) = self.entries.remove(at);
        if self.index.is_some() {
            self.rebuild(texts);
        }
        value
    }

    fn rebuild(&mut self, texts: &[Box<str>]) {
        let hasher = self.index.take().map_or_else(RandomState::new, |index| index.hasher);
        let size = (self.entries.len() * 4).next_power_of_two().max(4 * SMALL);
        let mut index = Index { hasher, slots: vec![0; size.next_power_of_two()] };
        for (at, (key, _)) in self.entries.iter().enumerate() {
            if let Value::Str(text) = key {
                index.enter(str_of(*text, texts), at);
            }
        }
        self.index = Some(Box::new(index));
    }
}

/// Whether two of few entries have one key.
fn repeats(entries: &[(Value<'_>, Value<'_>)], texts: &[Box<str>]) -> bool {
    entries.iter().enumerate().any(|(at, (key, _))| {
        let Value::Str(key) = key else { return true };
        let key = str_of(*key, texts);
        entries[..at].iter().any(|(known, _)| matches!(known, Value::Str(known) if str_of(*known, texts) == key))
    })
}

impl Index {
    fn start(&self, key: &str) -> usize {
        self.hasher.hash_one(key) as usize & (self.slots.len() - 1)
    }

    fn enter(&mut self, key: &str, at: usize) {
        let mut slot = self.start(key);
        while self.slots[slot] != 0 {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        self.slots[slot] = at as u32 + 1;
    }
}
