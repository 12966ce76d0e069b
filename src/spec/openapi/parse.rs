//! Bytes of a file become a JSON value: JSON or YAML, keys in order, within limits, no key twice.
//!
//! The limits hold while the file is read, not after: an alias bomb or an endless nesting costs what the limit says.

use super::yaml;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::RefCell;
use std::fmt;

/// The largest file, bytes (AWS: 6 MB).
pub const MOST_BYTES: usize = 6 << 20;
/// The deepest nesting of objects and lists.
pub const MOST_DEPTH: usize = 100;
/// The most values, what aliases repeat counted again.
pub const MOST_VALUES: usize = 1_000_000;
/// The most text that anchors and aliases copy, bytes: a long text that is repeated is few values.
pub const MOST_COPIED_BYTES: usize = 4 * MOST_BYTES;

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Too long, before anything was read.
    #[error("the file has {bytes} bytes, at most {MOST_BYTES} are read")]
    TooLong {
        /// How many bytes it has.
        bytes: usize,
    },
    /// Neither JSON nor YAML; the reader's words, with line and column.
    #[error("the file is neither JSON nor YAML: {0}")]
    Syntax(String),
    /// A key stands twice in one object.
    #[error("{pointer}: the key is given twice")]
    Duplicate {
        /// JSON pointer to the second.
        pointer: String,
    },
    /// Nested deeper than [`MOST_DEPTH`].
    #[error("{pointer}: nested deeper than {MOST_DEPTH} levels")]
    TooDeep {
        /// JSON pointer to the value that is too deep.
        pointer: String,
    },
    /// More text under anchors and aliases than [`MOST_COPIED_BYTES`].
    #[error("{pointer}: anchors and aliases repeat more than {MOST_COPIED_BYTES} bytes of text")]
    TooMuch {
        /// JSON pointer to the value that is too much.
        pointer: String,
    },
    /// More values than [`MOST_VALUES`].
    #[error("{pointer}: the file has more than {MOST_VALUES} values")]
    TooMany {
        /// JSON pointer to the value that is one too many.
        pointer: String,
    },
}

/// Reads a file.
///
/// # Errors
/// For what is no text, no JSON and no YAML, or beyond a limit.
pub fn parse(bytes: &[u8]) -> Result<Value, ParseError> {
    if bytes.len() > MOST_BYTES {
        return Err(ParseError::TooLong { bytes: bytes.len() });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ParseError::Syntax("it is not UTF-8 text".to_owned()))?;
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with('{') {
        return yaml::read(text);
    }
    // YAML has objects in braces too: what JSON cannot read may still be that.
    json(text).or_else(|error| match error {
        ParseError::Syntax(_) => yaml::read(text).map_err(|other| match other {
            ParseError::Syntax(_) => error,
            limit => limit,
        }),
        limit => Err(limit),
    })
}

fn json(text: &str) -> Result<Value, ParseError> {
    let walk = Walk::default();
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Seed(&walk).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    walk.outcome(read.map_err(|error| error.to_string()))
}

/// What was read so far, beside what may be.
#[derive(Default)]
pub(super) struct Limits {
    values: usize,
    copied_bytes: usize,
}

impl Limits {
    /// Counts values that stand `depth` levels below the root; `pointer` says where.
    pub(super) fn count(
        &mut self,
        values: usize,
        depth: usize,
        pointer: impl FnOnce() -> String,
    ) -> Result<(), ParseError> {
        self.values = self.values.saturating_add(values);
        if self.values > MOST_VALUES {
            return Err(ParseError::TooMany { pointer: pointer() });
        }
        if depth > MOST_DEPTH {
            return Err(ParseError::TooDeep { pointer: pointer() });
        }
        Ok(())
    }

    /// Counts text that is about to be copied.
    pub(super) fn copy(&mut self, bytes: usize, pointer: impl FnOnce() -> String) -> Result<(), ParseError> {
        self.copied_bytes = self.copied_bytes.saturating_add(bytes);
        if self.copied_bytes > MOST_COPIED_BYTES {
            return Err(ParseError::TooMuch { pointer: pointer() });
        }
        Ok(())
    }
}

/// Where the reader is, and what it found wrong there.
#[derive(Default)]
struct Walk {
    path: RefCell<Vec<String>>,
    limits: RefCell<Limits>,
    refused: RefCell<Option<ParseError>>,
}

impl Walk {
    fn pointer(&self) -> String {
        super::finding::pointer(self.path.borrow().iter().map(String::as_str))
    }

    fn refuse<E: serde::de::Error>(&self, error: ParseError) -> E {
        let text = error.to_string();
        self.refused.borrow_mut().get_or_insert(error);
        E::custom(text)
    }

    /// The reader wraps our refusal in its own words: ours counts.
    fn outcome(&self, read: Result<Value, String>) -> Result<Value, ParseError> {
        match (read, self.refused.take()) {
            (_, Some(refused)) => Err(refused),
            (Ok(value), None) => Ok(value),
            (Err(text), None) => Err(ParseError::Syntax(text)),
        }
    }
}

/// Reads one value at the walk's place.
struct Seed<'w>(&'w Walk);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        let depth = self.0.path.borrow().len();
        let counted = self.0.limits.borrow_mut().count(1, depth, || self.0.pointer());
        counted.map_err(|error| self.0.refuse(error))?;
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON can hold")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is infinite or none"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            self.0.path.borrow_mut().push(list.len().to_string());
            let Some(item) = items.next_element_seed(Seed(self.0))? else { break };
            self.0.path.borrow_mut().pop();
            list.push(item);
        }
        self.0.path.borrow_mut().pop();
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            self.0.path.borrow_mut().push(key.clone());
            if map.contains_key(&key) {
                return Err(self.0.refuse(ParseError::Duplicate { pointer: self.0.pointer() }));
            }
            let value = entries.next_value_seed(Seed(self.0))?;
            self.0.path.borrow_mut().pop();
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::super::to_yaml;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn json_and_yaml_give_the_same_value_in_the_same_order() {
        let wanted = json!({"b": {"200": [1, -2, 1.5, true, null, "x"]}, "a": "2.0"});
        let yaml = "b:\n  200: [1, -2, 1.5, true, ~, x]\na: '2.0'\n";
        for text in [
            wanted.to_string(),
            yaml.to_owned(),
            format!("\u{feff}{wanted}"),
            "{b: {200: [1,-2,1.5,true,null,x]}, a: \"2.0\"}".into(),
        ] {
            let read = parse(text.as_bytes()).unwrap();
            assert_eq!(read, wanted, "{text}");
            assert_eq!(read.as_object().unwrap().keys().collect::<Vec<_>>(), ["b", "a"]);
        }
    }

    #[test]
    fn a_key_given_twice_is_refused_with_its_place() {
        for text in ["{\"a\":{\"/x\":1,\"/x\":2}}", "a:\n  /x: 1\n  /x: 2\n"] {
            assert_eq!(parse(text.as_bytes()), Err(ParseError::Duplicate { pointer: "/a/~1x".into() }), "{text}");
        }
    }

    fn deep(line: &str, levels: usize) -> String {
        (0..levels).map(|level| format!("{}{line}", " ".repeat(level))).collect()
    }

    #[test]
    fn what_aliases_and_merges_name_is_there() {
        let text = "a: &a {x: 1, y: [2]}\nb: *a\nc:\n  <<: *a\n  x: 3\nd: ! 5\ne: !!str 5\nf: 012\ng: 1.10\n'<<': 1\n";
        let wanted = json!({
            "a": {"x": 1, "y": [2]}, "b": {"x": 1, "y": [2]}, "c": {"x": 3, "y": [2]},
            "d": "5", "e": "5", "f": "012", "g": 1.1, "<<": 1,
        });
        assert_eq!(parse(text.as_bytes()), Ok(wanted));
    }

    #[test]
    fn bombs_are_refused_before_they_burst() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let below = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        assert!(parse(bomb.as_bytes()).is_err());
        assert!(parse(b"a: &a [*a]\n").is_err());
        // A long text that is repeated is few values: in lists, under anchors inside each other, as keys.
        let long = "x".repeat(1 << 20);
        let lists = format!("a: &a {long}\nb: [{}]\n", ["*a"; 100].join(", "));
        assert_eq!(parse(lists.as_bytes()), Err(ParseError::TooMuch { pointer: "/b/23".into() }));
        let nested: String = (0..90).map(|level| format!("&a{level} [")).collect();
        let nested = format!("{{a: {nested}{long}{}}}", "]".repeat(90));
        assert!(matches!(parse(nested.as_bytes()), Err(ParseError::TooMuch { .. })));
        let keys: String = (0..40).map(|n| format!("k{n}: {{*a : 1}}\n")).collect();
        let keys = format!("a: &a {}\n{keys}", "x".repeat(1 << 20));
        assert!(matches!(parse(keys.as_bytes()), Err(ParseError::TooMuch { .. })));
        for open in ["[", "{\"a\":"] {
            assert!(matches!(
                parse(format!("{{\"x\":{}", open.repeat(90_000)).as_bytes()),
                Err(ParseError::TooDeep { .. })
            ));
        }
        assert!(parse("{a: ".repeat(90_000).as_bytes()).is_err());
        assert!(matches!(parse(deep("a:\n", 101).as_bytes()), Err(ParseError::TooDeep { .. })));
        assert!(parse(deep("a:\n", 99).as_bytes()).is_ok());
        assert!(parse("- ".repeat(5_000).as_bytes()).is_err());
        assert!(parse("[".repeat(90_000).as_bytes()).is_err());
        assert_eq!(parse(&vec![b' '; MOST_BYTES + 1]), Err(ParseError::TooLong { bytes: MOST_BYTES + 1 }));
        let many = format!("{{\"x\":[{}0]}}", "0,".repeat(MOST_VALUES));
        assert!(matches!(parse(many.as_bytes()), Err(ParseError::TooMany { .. })));
    }

    /// Any JSON value that is not too deep.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9).prop_map(|f: f64| Value::from(f)),
            "[ -~]{0,12}".prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
            "[a-z\n :#'\"|>-]{0,40}".prop_map(Value::from),
            prop_oneof![
                Just("yes"),
                Just("no"),
                Just("on"),
                Just("~"),
                Just("null"),
                Just("0x1f"),
                Just("1e3"),
                Just("="),
                Just("<<"),
                Just("2020-01-01"),
                Just("0o7"),
                Just(".inf"),
                Just("012"),
                Just("1_000"),
                Just("12:30"),
                Just("---"),
                Just("'")
            ]
            .prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec(("[ -~]{0,8}|yes|no|~|null|200|<<|=", inner), 0..6)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn yaml_of_ours_is_read_back_as_it_was(value in value()) {
            let text = to_yaml(&json!({"v": value.clone()}));
            let read = parse(text.as_bytes());
            prop_assert!(read.is_ok(), "{text}\n{read:?}");
            prop_assert_eq!(&read.unwrap()["v"], &value, "{}", text);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            drop(parse(&bytes));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[\\[\\]{}a-c:&*!|>#'\"\n ,?%~<-]{0,200}") {
            drop(parse(text.as_bytes()));
        }
    }
}
