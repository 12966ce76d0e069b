//! A JSON value laid out in one row, as it is read: no tree, no hashing, strings lent by the text.
//!
//! Building maps cost more than holding them against a schema.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value as Json};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

/// A document to hold against schemas.
#[derive(Debug)]
pub struct Instance<'a> {
    cells: Vec<Cell<'a>>,
}

#[derive(Debug)]
enum Cell<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    /// `count` values follow, up to `end`.
    List {
        count: u32,
        end: u32,
    },
    /// `count` members follow, up to `end`: each a name and its value.
    Map {
        count: u32,
        end: u32,
    },
    /// The name of a member that came again: it does not count.
    Gone,
}

/// One value of an instance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'i> {
    cells: &'i [Cell<'i>],
    at: usize,
}

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind<'i> {
    Null,
    Bool(bool),
    Number(&'i Number),
    Text(&'i str),
    List(Several<'i>),
    Map(Several<'i>),
}

/// The values of a list, or the members of a map.
#[derive(Debug, Clone, Copy)]
pub(super) struct Several<'i> {
    cells: &'i [Cell<'i>],
    from: usize,
    end: usize,
    /// How many.
    pub count: usize,
}

impl<'a> Instance<'a> {
    /// Reads a JSON document; of members with one name the last counts.
    ///
    /// # Errors
    /// What is no JSON, or lies more than 128 deep.
    pub fn read(text: &'a [u8]) -> Result<Instance<'a>, serde_json::Error> {
        // Numbers and commas take fewer bytes a cell, long texts more.
        let mut cells = Vec::with_capacity(text.len() / 8 + 1);
        match std::str::from_utf8(text) {
            // Looked at once, not string by string.
            Ok(text) => whole(&mut cells, serde_json::Deserializer::from_str(text))?,
            Err(_) => whole(&mut cells, serde_json::Deserializer::from_slice(text))?,
        }
        Ok(Instance { cells })
    }

    /// The value `null`.
    #[must_use]
    pub fn null() -> Instance<'a> {
        Instance { cells: vec![Cell::Null] }
    }

    pub(super) fn root(&self) -> Item<'_> {
        Item { cells: &self.cells, at: 0 }
    }
}

impl<'de> Deserialize<'de> for Instance<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut cells = Vec::new();
        Reader(&mut cells).deserialize(from)?;
        Ok(Instance { cells })
    }
}

fn whole<'a, R: serde_json::de::Read<'a>>(
    cells: &mut Vec<Cell<'a>>,
    mut json: serde_json::Deserializer<R>,
) -> Result<(), serde_json::Error> {
    Reader(cells).deserialize(&mut json)?;
    json.end()
}

struct Reader<'r, 'a>(&'r mut Vec<Cell<'a>>);

impl<'a> Reader<'_, 'a> {
    fn place<E: serde::de::Error>(&self) -> Result<u32, E> {
        u32::try_from(self.0.len()).map_err(|_| E::custom("the document holds too many values"))
    }
}

impl<'a> DeserializeSeed<'a> for Reader<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Reader<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.push(Cell::Null);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.0.push(Cell::Bool(value));
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.0.push(Cell::Number(value.into()));
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.0.push(Cell::Number(value.into()));
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.0.push(Number::from_f64(value).map_or(Cell::Null, Cell::Number));
        Ok(())
    }

    fn visit_borrowed_str<E>(self, value: &'a str) -> Result<(), E> {
        self.0.push(Cell::Text(Cow::Borrowed(value)));
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.0.push(Cell::Text(Cow::Owned(value.to_owned())));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<(), A::Error> {
        let at = self.0.len();
        self.0.push(Cell::List { count: 0, end: 0 });
        let mut count = 0;
        while items.next_element_seed(Reader(self.0))?.is_some() {
            count += 1;
        }
        let end = self.place()?;
        self.0[at] = Cell::List { count, end };
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut members: A) -> Result<(), A::Error> {
        let at = self.0.len();
        self.0.push(Cell::Map { count: 0, end: 0 });
        let mut count = 0;
        while members.next_key_seed(Reader(self.0))?.is_some() {
            members.next_value_seed(Reader(self.0))?;
            count += 1;
        }
        let end = self.place()?;
        self.0[at] = Cell::Map { count, end };
        let gone = repeated(self.0, at);
        if !gone.is_empty() {
            self.0[at] = Cell::Map { count: count - gone.len() as u32, end };
            for at in gone {
                self.0[at] = Cell::Gone;
            }
        }
        Ok(())
    }
}

/// So many members are faster searched one by one.
const FEW: usize = 16;

/// Where names stand that come again later in the map at `at`.
fn repeated(cells: &[Cell<'_>], at: usize) -> Vec<usize> {
    let members = Item { cells, at }.several();
    if members.count <= FEW {
        let mut names: [&str; FEW] = [""; FEW];
        let mut again = false;
        for (known, (name, _)) in members.members().enumerate() {
            again = again || names[..known].contains(&name);
            names[known] = name;
        }
        if !again {
            return Vec::new();
        }
    }
    let mut last = HashMap::with_capacity(members.count);
    members.places().filter_map(|at| last.insert(Item { cells, at }.text(), at)).collect()
}

impl<'i> Item<'i> {
    pub(super) fn kind(self) -> Kind<'i> {
        match &self.cells[self.at] {
            Cell::Null | Cell::Gone => Kind::Null,
            Cell::Bool(value) => Kind::Bool(*value),
            Cell::Number(number) => Kind::Number(number),
            Cell::Text(text) => Kind::Text(text),
            Cell::List { .. } => Kind::List(self.several()),
            Cell::Map { .. } => Kind::Map(self.several()),
        }
    }

    /// The bit of its type.
    pub(super) fn type_bit(self) -> u8 {
        match &self.cells[self.at] {
            Cell::List { .. } => 1,
            Cell::Bool(_) => 2,
            // Draft 4: a number with a fraction, even of zeros, is no integer.
            Cell::Number(number) if number.is_f64() => 16,
            Cell::Number(_) => 4,
            Cell::Null | Cell::Gone => 8,
            Cell::Map { .. } => 32,
            Cell::Text(_) => 64,
        }
    }

    fn text(self) -> &'i str {
        match &self.cells[self.at] {
            Cell::Text(text) => text,
            _ => "",
        }
    }

    fn several(self) -> Several<'i> {
        let (count, end) = match &self.cells[self.at] {
            Cell::List { count, end } | Cell::Map { count, end } => (*count as usize, *end as usize),
            _ => (0, self.at + 1),
        };
        Several { cells: self.cells, from: self.at + 1, end, count }
    }

    /// Where the value behind it stands.
    fn next(self) -> usize {
        match &self.cells[self.at] {
            Cell::List { end, .. } | Cell::Map { end, .. } => *end as usize,
            _ => self.at + 1,
        }
    }

    /// The value as a tree, for messages.
    pub(super) fn json(self) -> Json {
        match self.kind() {
            Kind::Null => Json::Null,
            Kind::Bool(value) => Json::Bool(value),
            Kind::Number(number) => Json::Number(number.clone()),
            Kind::Text(text) => Json::from(text),
            Kind::List(items) => items.items().map(Item::json).collect(),
            Kind::Map(members) => {
                Json::Object(members.members().map(|(name, value)| (name.to_owned(), value.json())).collect())
            }
        }
    }
}

impl<'i> Several<'i> {
    /// The values of a list.
    pub(super) fn items(self) -> impl Iterator<Item = Item<'i>> {
        let mut at = self.from;
        std::iter::from_fn(move || {
            let item = (at < self.end).then_some(Item { cells: self.cells, at })?;
            at = item.next();
            Some(item)
        })
    }

    /// Where the names of a map stand.
    fn places(self) -> impl Iterator<Item = usize> {
        let mut at = self.from;
        std::iter::from_fn(move || {
            while at < self.end {
                let name = at;
                at = Item { cells: self.cells, at: name + 1 }.next();
                if !matches!(self.cells[name], Cell::Gone) {
                    return Some(name);
                }
            }
            None
        })
    }

    /// The members of a map.
    pub(super) fn members(self) -> impl Iterator<Item = (&'i str, Item<'i>)> {
        let cells = self.cells;
        self.places().map(move |at| (Item { cells, at }.text(), Item { cells, at: at + 1 }))
    }
}

/// Which names a map has; one that is asked often has an index.
pub(super) struct Lookup<'i> {
    members: Several<'i>,
    index: Option<HashSet<&'i str>>,
}

impl<'i> Lookup<'i> {
    /// For a map that is asked about `names` names.
    pub(super) fn of(members: Several<'i>, names: usize) -> Lookup<'i> {
        let index = names > 1 && members.count > FEW;
        Lookup { members, index: index.then(|| members.members().map(|(name, _)| name).collect()) }
    }

    pub(super) fn holds(&self, name: &str) -> bool {
        match &self.index {
            Some(index) => index.contains(name),
            None => self.members.members().any(|(known, _)| known == name),
        }
    }
}
