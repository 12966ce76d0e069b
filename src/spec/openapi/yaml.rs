//! YAML events become a JSON value, and a JSON value becomes YAML: YAML 1.2's core schema, without recursion.

use super::parse::{Limits, ParseError};
use granit_parser::{Event, Marker, Options, Parser, ScalarStyle, ScanError};
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;

/// How far the reader looks for the colon of a key, characters.
const LONGEST_KEY: usize = 8_192;

/// A list or object that is not complete.
enum Open {
    List { items: Vec<Value>, anchor: usize },
    Map { map: Map<String, Value>, key: Option<String>, merges: Vec<Value>, anchor: usize },
}

/// What an anchor names, and how much an alias of it adds.
struct Anchored {
    value: Value,
    size: Size,
}

/// What copying a value costs.
#[derive(Clone, Copy, Default)]
struct Size {
    values: usize,
    depth: usize,
    bytes: usize,
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    anchors: BTreeMap<usize, Anchored>,
    limits: Limits,
    root: Option<Value>,
}

/// Reads one document.
///
/// # Errors
/// For what is no YAML, has several documents, keys that are no text, or goes beyond a limit.
pub(super) fn read(text: &str) -> Result<Value, ParseError> {
    let mut options = Options::default();
    options.emit_comments = false;
    options.simple_key_max_lookahead = LONGEST_KEY;
    let mut reader = Reader::default();
    for step in Parser::new_from_str_with_options(text, options) {
        let (event, span) = step.map_err(syntax)?;
        reader.take(event, &span.start)?;
    }
    reader.root.ok_or_else(|| ParseError::Syntax("it is empty".to_owned()))
}

fn syntax(error: ScanError) -> ParseError {
    ParseError::Syntax(place(error.info(), error.marker()))
}

fn place(text: impl AsRef<str>, at: &Marker) -> String {
    format!("{} at line {} column {}", text.as_ref(), at.line(), at.col() + 1)
}

impl Reader {
    fn take(&mut self, event: Event<'_>, at: &Marker) -> Result<(), ParseError> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(ParseError::Syntax(place("a second document begins", at)))
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let kind = tag.as_ref().and_then(|tag| tag.core_suffix().map(str::to_owned));
                let untagged = tag.is_none();
                if let Some(Open::Map { key: key @ None, .. }) = self.open.last_mut() {
                    *key = Some(if plain && untagged && text == "<<" { MERGE.to_owned() } else { text.into_owned() });
                    return self.check_key();
                }
                let value = match kind.as_deref() {
                    Some("str") => Value::String(text.into_owned()),
                    Some(_) => resolve(&text),
                    None if plain && untagged => resolve(&text),
                    None => Value::String(text.into_owned()),
                };
                self.enter()?;
                self.finish(value, anchor, at)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.enter()?;
                self.open(Open::List { items: Vec::new(), anchor }, at)
            }
            Event::MappingStart(_, anchor, _) => {
                self.enter()?;
                self.open(Open::Map { map: Map::new(), key: None, merges: Vec::new(), anchor }, at)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { items, anchor }) => self.finish(Value::Array(items), anchor, at),
                Some(Open::Map { mut map, merges, anchor, .. }) => {
                    merge(&mut map, merges);
                    self.finish(Value::Object(map), anchor, at)
                }
                None => Ok(()),
            },
            Event::Alias(id) => self.alias(id, at),
            _ => Ok(()),
        }
    }

    fn open(&mut self, open: Open, at: &Marker) -> Result<(), ParseError> {
        if let Some(Open::Map { key: None, .. }) = self.open.last() {
            return Err(ParseError::Syntax(place("a key must be text, not a list or an object", at)));
        }
        self.open.push(open);
        Ok(())
    }

    fn alias(&mut self, id: usize, at: &Marker) -> Result<(), ParseError> {
        let Some(found) = self.anchors.get(&id) else {
            return Err(ParseError::Syntax(place("an alias stands inside what it names", at)));
        };
        if let (Some(Open::Map { key: key @ None, .. }), Value::String(text)) = (self.open.last_mut(), &found.value) {
            *key = Some(text.clone());
            self.limits.copy(text.len(), || pointer_of(&self.open))?;
            return self.check_key();
        }
        // Looked at before it is copied: a bomb bursts here.
        let (size, open) = (found.size, &self.open);
        self.limits.count(size.values, open.len() + size.depth, || pointer_of(open))?;
        self.limits.copy(size.bytes, || pointer_of(open))?;
        let value = found.value.clone();
        self.finish(value, 0, at)
    }

    fn enter(&mut self) -> Result<(), ParseError> {
        let open = &self.open;
        self.limits.count(1, open.len(), || pointer_of(open))
    }

    fn check_key(&self) -> Result<(), ParseError> {
        match self.open.last() {
            Some(Open::Map { map, key: Some(key), .. }) if map.contains_key(key) => {
                Err(ParseError::Duplicate { pointer: pointer_of(&self.open) })
            }
            _ => Ok(()),
        }
    }

    /// A value is complete: it goes where it belongs.
    fn finish(&mut self, value: Value, anchor: usize, at: &Marker) -> Result<(), ParseError> {
        if anchor > 0 {
            let (size, open) = (measure(&value), &self.open);
            self.limits.count(size.values, open.len(), || pointer_of(open))?;
            self.limits.copy(size.bytes, || pointer_of(open))?;
            self.anchors.insert(anchor, Anchored { value: value.clone(), size });
        }
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::List { items, .. }) => items.push(value),
            Some(Open::Map { map, key, merges, .. }) => match key.take() {
                Some(key) if key == MERGE => merges.push(value),
                Some(key) => drop(map.insert(key, value)),
                None => return Err(ParseError::Syntax(place("a key must be text", at))),
            },
        }
        Ok(())
    }
}

/// The key `<<`, told apart from a text of that spelling.
const MERGE: &str = "\u{0}<<";

/// Adds what `<<` names and what the object does not have itself.
fn merge(map: &mut Map<String, Value>, merges: Vec<Value>) {
    let flat = merges.into_iter().flat_map(|value| match value {
        Value::Array(values) => values,
        other => vec![other],
    });
    for (key, value) in flat.filter_map(|v| if let Value::Object(map) = v { Some(map) } else { None }).flatten() {
        map.entry(key).or_insert(value);
    }
}

fn pointer_of(open: &[Open]) -> String {
    let keys: Vec<String> = open
        .iter()
        .map(|open| match open {
            Open::List { items, .. } => items.len().to_string(),
            Open::Map { key, .. } => {
                key.as_deref().map_or_else(String::new, |k| k.trim_start_matches('\u{0}').to_owned())
            }
        })
        .collect();
    super::finding::pointer(keys.iter().map(String::as_str))
}

fn measure(value: &Value) -> Size {
    let mut size = Size { values: 1, ..Size::default() };
    let mut inside = |key: usize, inner: &Value| {
        let inner = measure(inner);
        size.values += inner.values;
        size.depth = size.depth.max(inner.depth + 1);
        size.bytes += key + inner.bytes;
    };
    match value {
        Value::Array(items) => items.iter().for_each(|item| inside(0, item)),
        Value::Object(map) => map.iter().for_each(|(key, value)| inside(key.len(), value)),
        Value::String(text) => size.bytes = text.len(),
        _ => {}
    }
    size
}

/// A plain scalar by the core schema. Numbers with needless zeros stay text: they are ids more often than numbers.
fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let radix = |prefix: &str, radix| text.strip_prefix(prefix).and_then(|d| u64::from_str_radix(d, radix).ok());
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)).filter(|_| !text.contains('+')) {
        return Value::from(number);
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole = digits.split(['.', 'e', 'E']).next().unwrap_or_default();
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'))
        && (whole.len() < 2 || !whole.starts_with('0'));
    if !numeric {
        return Value::from(text);
    }
    let plain = text.strip_prefix('+').unwrap_or(text);
    if let Ok(number) = plain.parse::<i64>() {
        return Value::from(number);
    }
    if let Ok(number) = plain.parse::<u64>() {
        return Value::from(number);
    }
    let float = plain.parse::<f64>().ok().and_then(Number::from_f64);
    float.map_or_else(|| Value::from(text), Value::Number)
}

/// A value as YAML text, that [`super::parse()`] reads back as the same value. `value` must not nest without end.
#[must_use]
pub fn to_yaml(value: &Value) -> String {
    let mut text = String::from("---\n");
    match value {
        Value::Object(map) if !map.is_empty() => write_map(map, 0, &mut text),
        Value::Array(items) if !items.is_empty() => write_list(items, 0, &mut text),
        other => {
            write_scalar(other, &mut text);
            text.push('\n');
        }
    }
    text
}

fn write_map(map: &Map<String, Value>, indent: usize, out: &mut String) {
    for (number, (key, value)) in map.iter().enumerate() {
        if number > 0 || indent == 0 {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        write_key(key, out);
        out.push(':');
        write_value(value, indent, out);
    }
}

/// What follows a key or a dash.
fn write_value(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent + 2));
            write_map(map, indent + 2, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            write_list(items, indent, out);
        }
        scalar => {
            out.push(' ');
            write_scalar(scalar, out);
            out.push('\n');
        }
    }
}

fn write_list(items: &[Value], indent: usize, out: &mut String) {
    for item in items {
        out.extend(std::iter::repeat_n(' ', indent));
        out.push('-');
        match item {
            Value::Object(map) if !map.is_empty() => {
                out.push(' ');
                write_map(map, indent + 2, out);
            }
            Value::Array(inner) if !inner.is_empty() => {
                out.push('\n');
                write_list(inner, indent + 2, out);
            }
            scalar => {
                out.push(' ');
                write_scalar(scalar, out);
                out.push('\n');
            }
        }
    }
}

fn write_key(key: &str, out: &mut String) {
    let plain = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || "/_-.{}+".contains(c))
        && resolve(key).is_string();
    if plain { out.push_str(key) } else { write_text(key, out) }
}

fn write_scalar(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => write_text(text, out),
        other => out.push_str(&other.to_string()),
    }
}

/// Text in double quotes, whose escapes JSON and YAML share; what YAML does not print is escaped too.
fn write_text(text: &str, out: &mut String) {
    use std::fmt::Write as _;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}'
                if !matches!(c, '\u{2028}' | '\u{2029}') =>
            {
                out.push(c);
            }
            c if u32::from(c) > 0xffff => drop(write!(out, "\\U{:08x}", u32::from(c))),
            c => drop(write!(out, "\\u{:04x}", u32::from(c))),
        }
    }
    out.push('"');
}
