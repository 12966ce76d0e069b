//! Java's objects as mapping templates and JSON paths meet them: strings, numbers, lists and maps in one arena.
//!
//! [`Value`] is a small `Copy` handle; the [`Heap`] owns everything a run makes and frees it at once, so that a list that
//! contains itself costs no more than another, dropping a deep value never recurses, and one counter bounds the memory.
//! Every operation whose cost a template can drive is charged to the heap's fuel.

mod big;
mod dict;
mod equal;
mod number;
mod print;
mod read;

pub use big::Big;
pub use dict::Dict;
pub use number::{Operator, java_double};
pub use print::Slash;
pub use read::NotJson;

/// What a run may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Steps: about one per node that is run and per 64 bytes that are moved. A step takes some tens of nanoseconds.
    pub fuel: u64,
    /// Bytes of text, lists and maps that may be made in all, freed or not.
    pub memory: usize,
}

/// Why a run was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[repr(u64)]
pub enum Exceeded {
    /// More steps than allowed.
    #[error("it took more steps than are allowed")]
    Fuel,
    /// More memory than allowed.
    #[error("it made more data than is allowed")]
    Memory,
    /// Values or calls lie too deep in one another.
    #[error("it is nested too deeply")]
    Depth,
    /// More text printed than allowed.
    #[error("its output is longer than allowed")]
    Output,
}

/// How deep lists and maps may lie in one another when they are read, printed or compared.
pub const MOST_DEPTH: usize = 256;

/// An object, or nothing.
///
/// The tag takes a whole word: with a byte, copies of the rest straddle what was just written and wait for it, which
/// took a third of the time that reading a document takes.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `Boolean`
    Bool(bool),
    /// `Character`, a UTF-16 unit
    Char(u16),
    /// `Integer`
    Int(i32),
    /// `Long`
    Long(i64),
    /// `Double`
    Double(f64),
    /// `BigInteger`
    Big(BigId),
    /// `BigDecimal`: a number of more than 18 characters, printed as it was written
    Decimal(Text<'a>),
    /// `String`
    Str(Text<'a>),
    /// `List`, array or another collection
    List(ListId),
    /// `Map`
    Map(MapId),
    /// An object that the heap's user knows
    Foreign(Foreign),
}

/// A string: lent by the template or the document, or held by the heap.
#[derive(Debug, Clone, Copy)]
pub enum Text<'a> {
    /// Outlives the heap.
    Lent(&'a str),
    /// Made during the run.
    Held(u32),
}

/// A list of the heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListId(u32);

/// A map of the heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapId(u32);

/// A big number of the heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BigId(u32);

/// Something that only the heap's user understands; equal to itself alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// Which sort of object.
    pub kind: u16,
    /// Which one of its sort.
    pub id: u32,
}

/// Which Java class a list is: they print and answer differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// json-smart's `JSONArray`, out of a document; prints as JSON.
    Json,
    /// `ArrayList`, made by a template.
    Java,
    /// `String[]`
    Array,
    /// A map's key or entry set: no order to index by.
    Set,
    /// A map's values: a collection, no list.
    Values,
}

/// A list and its class.
#[derive(Debug)]
pub struct Listing<'a> {
    /// Its class.
    pub kind: ListKind,
    /// Its elements.
    pub items: Vec<Value<'a>>,
}

/// The owner of all that a run makes.
#[derive(Debug)]
pub struct Heap<'a> {
    texts: Vec<Box<str>>,
    lists: Vec<Listing<'a>>,
    maps: Vec<Dict<'a>>,
    bigs: Vec<Big>,
    fuel: u64,
    memory: usize,
}

impl<'a> Heap<'a> {
    /// An empty heap.
    pub fn new(allowance: Allowance) -> Heap<'a> {
        Heap {
            texts: Vec::new(),
            lists: Vec::new(),
            maps: Vec::new(),
            bigs: Vec::new(),
            fuel: allowance.fuel,
            memory: allowance.memory,
        }
    }

    /// Takes `steps` from the fuel.
    #[inline]
    pub fn charge(&mut self, steps: usize) -> Result<(), Exceeded> {
        match self.fuel.checked_sub(steps as u64) {
            Some(rest) => {
                self.fuel = rest;
                Ok(())
            }
            None => {
                self.fuel = 0;
                Err(Exceeded::Fuel)
            }
        }
    }

    /// Takes `bytes` from the memory, and the steps that filling them costs.
    #[inline]
    pub fn take(&mut self, bytes: usize) -> Result<(), Exceeded> {
        self.memory = self.memory.checked_sub(bytes).ok_or(Exceeded::Memory)?;
        self.charge(1 + bytes / 64)
    }

    /// Steps that may still be taken.
    pub fn fuel_left(&self) -> usize {
        usize::try_from(self.fuel).unwrap_or(usize::MAX)
    }

    /// Bytes that may still be made.
    pub fn memory_left(&self) -> usize {
        self.memory
    }

    /// Keeps a string.
    pub fn text(&mut self, text: String) -> Result<Value<'a>, Exceeded> {
        self.take(text.len() + 32)?;
        self.texts.push(text.into_boxed_str());
        Ok(Value::Str(Text::Held((self.texts.len() - 1) as u32)))
    }

    /// The characters of a string.
    #[inline]
    pub fn str<'h>(&'h self, text: Text<'a>) -> &'h str {
        match text {
            Text::Lent(text) => text,
            Text::Held(id) => self.texts.get(id as usize).map_or("", |text| text),
        }
    }

    /// Keeps a list.
    pub fn list(&mut self, kind: ListKind, items: Vec<Value<'a>>) -> Result<Value<'a>, Exceeded> {
        self.take(items.len() * 24 + 48)?;
        self.lists.push(Listing { kind, items });
        Ok(Value::List(ListId((self.lists.len() - 1) as u32)))
    }

    /// A list.
    #[inline]
    pub fn listing(&self, id: ListId) -> &Listing<'a> {
        &self.lists[id.0 as usize]
    }

    /// The elements of a list.
    #[inline]
    pub fn items(&self, id: ListId) -> &[Value<'a>] {
        &self.lists[id.0 as usize].items
    }

    /// The elements of a list, to change them. Whoever adds some calls [`Heap::take`].
    #[inline]
    pub fn items_mut(&mut self, id: ListId) -> &mut Vec<Value<'a>> {
        &mut self.lists[id.0 as usize].items
    }

    /// Makes an empty map.
    pub fn map(&mut self) -> Result<MapId, Exceeded> {
        self.take(64)?;
        self.maps.push(Dict::default());
        Ok(MapId((self.maps.len() - 1) as u32))
    }

    /// Makes a map of entries with string keys; of entries with one key the first gives the place, the last the value.
    pub(super) fn map_of(
        &mut self,
        entries: impl ExactSizeIterator<Item = (Value<'a>, Value<'a>)>,
    ) -> Result<MapId, Exceeded> {
        self.take(64 + entries.len() * 56)?;
        self.maps.push(Dict::of(entries, &self.texts));
        Ok(MapId((self.maps.len() - 1) as u32))
    }

    /// A map.
    #[inline]
    pub fn dict(&self, id: MapId) -> &Dict<'a> {
        &self.maps[id.0 as usize]
    }

    /// The value at a string key.
    #[inline]
    pub fn at(&self, id: MapId, key: &str) -> Option<Value<'a>> {
        self.maps[id.0 as usize].at(key, &self.texts)
    }

    /// The key and the value at a string key.
    pub fn find_entry(&self, id: MapId, key: &str) -> Option<(Value<'a>, Value<'a>)> {
        let dict = &self.maps[id.0 as usize];
        dict.find(key, &self.texts).map(|at| dict.entries()[at])
    }

    /// The value at any key.
    pub fn get(&mut self, id: MapId, key: Value<'a>) -> Result<Option<Value<'a>>, Exceeded> {
        Ok(self.find(id, key)?.map(|at| self.maps[id.0 as usize].entries()[at].1))
    }

    /// Puts a value at a key, in the key's old place or last, and gives back what was there.
    pub fn put(&mut self, id: MapId, key: Value<'a>, value: Value<'a>) -> Result<Option<Value<'a>>, Exceeded> {
        match self.find(id, key)? {
            Some(at) => Ok(Some(self.maps[id.0 as usize].replace(at, value))),
            None => {
                self.take(56)?;
                self.maps[id.0 as usize].push(key, value, &self.texts);
                Ok(None)
            }
        }
    }

    /// Takes a key out.
    pub fn remove(&mut self, id: MapId, key: Value<'a>) -> Result<Option<Value<'a>>, Exceeded> {
        let Some(at) = self.find(id, key)? else { return Ok(None) };
        self.charge(1 + self.maps[id.0 as usize].entries().len() / 8)?;
        Ok(Some(self.maps[id.0 as usize].remove(at, &self.texts)))
    }

    /// Empties a map.
    pub fn clear(&mut self, id: MapId) {
        self.maps[id.0 as usize] = Dict::default();
    }

    /// Where a key stands in a map.
    pub fn find(&mut self, id: MapId, key: Value<'a>) -> Result<Option<usize>, Exceeded> {
        if let Value::Str(text) = key {
            self.charge(self.str(text).len() / 256)?;
            return Ok(self.maps[id.0 as usize].find(self.str(text), &self.texts));
        }
        let count = self.maps[id.0 as usize].entries().len();
        self.charge(count / 8)?;
        for at in 0..count {
            let other = self.maps[id.0 as usize].entries()[at].0;
            if !matches!(other, Value::Str(_)) && self.equals(key, other)? {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Keeps a big number; one that fits a `long` stays big, as in Java.
    pub fn big(&mut self, number: Big) -> Result<Value<'a>, Exceeded> {
        self.take(number.bytes() + 32)?;
        self.bigs.push(number);
        Ok(Value::Big(BigId((self.bigs.len() - 1) as u32)))
    }

    /// A big number.
    pub fn big_of(&self, id: BigId) -> &Big {
        &self.bigs[id.0 as usize]
    }
}

#[cfg(test)]
mod tests;
