//! How objects print: Java's `toString`, and JSON as json-smart writes it.

use super::{Exceeded, Foreign, Heap, ListId, ListKind, MOST_DEPTH, MapId, Value, java_double};
use std::fmt::Write as _;

/// How JSON strings are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slash {
    /// `/` as it is: what Jayway's `toJson` writes.
    Plain,
    /// `\/`: what `JSONArray.toString` writes.
    Escaped,
}

impl<'a> Heap<'a> {
    /// Appends what `toString` gives; `foreign` prints what the heap does not know. `most` is the longest that `out` may become.
    pub fn print(
        &self,
        value: Value<'a>,
        out: &mut String,
        most: usize,
        foreign: &dyn Fn(Foreign, &mut String),
    ) -> Result<(), Exceeded> {
        Printer { heap: self, out, most, foreign }.java(value, 0)
    }

    /// Appends a value as JSON text.
    pub fn print_json(
        &self,
        value: Value<'a>,
        slash: Slash,
        out: &mut String,
        most: usize,
        foreign: &dyn Fn(Foreign, &mut String),
    ) -> Result<(), Exceeded> {
        Printer { heap: self, out, most, foreign }.json(value, slash, 0)
    }
}

struct Printer<'p, 'a> {
    heap: &'p Heap<'a>,
    out: &'p mut String,
    most: usize,
    foreign: &'p dyn Fn(Foreign, &mut String),
}

impl<'a> Printer<'_, 'a> {
    fn room(&self, depth: usize) -> Result<(), Exceeded> {
        if self.out.len() > self.most {
            return Err(Exceeded::Output);
        }
        if depth > MOST_DEPTH { Err(Exceeded::Depth) } else { Ok(()) }
    }

    fn java(&mut self, value: Value<'a>, depth: usize) -> Result<(), Exceeded> {
        match value {
            Value::Str(text) => self.out.push_str(self.heap.str(text)),
            Value::List(id) => match self.heap.listing(id).kind {
                ListKind::Json => self.json_list(id, Slash::Escaped, depth)?,
                // Java prints an identity here, which says nothing.
                ListKind::Array => self.out.push_str("[Ljava.lang.String;"),
                _ => self.java_list(id, depth)?,
            },
            Value::Map(id) => self.java_map(id, depth)?,
            scalar => self.scalar(scalar),
        }
        self.room(depth)
    }

    fn scalar(&mut self, value: Value<'a>) {
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Bool(true) => self.out.push_str("true"),
            Value::Bool(false) => self.out.push_str("false"),
            Value::Char(unit) => self.out.push(char::from_u32(u32::from(unit)).unwrap_or('?')),
            Value::Int(n) => push_int(self.out, i64::from(n)),
            Value::Long(n) => push_int(self.out, n),
            Value::Double(n) => java_double(n, self.out),
            Value::Big(id) => {
                let _ = write!(self.out, "{}", self.heap.big_of(id));
            }
            Value::Decimal(text) | Value::Str(text) => self.out.push_str(self.heap.str(text)),
            Value::Foreign(object) => (self.foreign)(object, self.out),
            Value::List(_) | Value::Map(_) => {}
        }
    }

    fn java_list(&mut self, id: ListId, depth: usize) -> Result<(), Exceeded> {
        self.room(depth)?;
        self.out.push('[');
        for (at, item) in self.heap.items(id).iter().enumerate() {
            if at > 0 {
                self.out.push_str(", ");
            }
            match item {
                Value::List(other) if *other == id => self.out.push_str("(this Collection)"),
                item => self.java(*item, depth + 1)?,
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn java_map(&mut self, id: MapId, depth: usize) -> Result<(), Exceeded> {
        self.room(depth)?;
        self.out.push('{');
        for (at, (key, value)) in self.heap.dict(id).entries().iter().enumerate() {
            if at > 0 {
                self.out.push_str(", ");
            }
            for (part, before) in [(key, ""), (value, "=")] {
                self.out.push_str(before);
                match part {
                    Value::Map(other) if *other == id => self.out.push_str("(this Map)"),
                    part => self.java(*part, depth + 1)?,
                }
            }
        }
        self.out.push('}');
        Ok(())
    }

    fn json(&mut self, value: Value<'a>, slash: Slash, depth: usize) -> Result<(), Exceeded> {
        match value {
            Value::Str(text) => quote(self.heap.str(text), slash, self.out),
            Value::Char(unit) => {
                let text = char::from_u32(u32::from(unit)).unwrap_or('?').to_string();
                quote(&text, slash, self.out);
            }
            Value::Double(n) if !n.is_finite() => self.out.push_str("null"),
            Value::List(id) => self.json_list(id, slash, depth)?,
            Value::Map(id) => self.json_map(id, slash, depth)?,
            Value::Foreign(object) => {
                let mut text = String::new();
                (self.foreign)(object, &mut text);
                quote(&text, slash, self.out);
            }
            scalar => self.scalar(scalar),
        }
        self.room(depth)
    }

    fn json_list(&mut self, id: ListId, slash: Slash, depth: usize) -> Result<(), Exceeded> {
        self.room(depth)?;
        self.out.push('[');
        for (at, item) in self.heap.items(id).iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            self.json(*item, slash, depth + 1)?;
        }
        self.out.push(']');
        Ok(())
    }

    fn json_map(&mut self, id: MapId, slash: Slash, depth: usize) -> Result<(), Exceeded> {
        self.room(depth)?;
        self.out.push('{');
        for (at, (key, value)) in self.heap.dict(id).entries().iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            match key {
                Value::Str(text) => quote(self.heap.str(*text), slash, self.out),
                key => {
                    let mut text = String::new();
                    self.heap.print(*key, &mut text, self.most, self.foreign)?;
                    quote(&text, slash, self.out);
                }
            }
            self.out.push(':');
            self.json(*value, slash, depth + 1)?;
        }
        self.out.push('}');
        Ok(())
    }
}

/// Appends a whole number.
pub(super) fn push_int(out: &mut String, number: i64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push('-');
    }
    out.push_str(std::str::from_utf8(&digits[at..]).unwrap_or_default());
}

/// Appends a JSON string: quotes, backslashes, control characters and json-smart's further ranges are escaped.
fn quote(text: &str, slash: Slash, out: &mut String) {
    out.push('"');
    let bytes = text.as_bytes();
    let mut from = 0;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let plain = (matches!(byte, 0x20..0x7f) && !matches!(byte, b'"' | b'\\' | b'/'))
            || (byte == b'/' && slash == Slash::Plain);
        // Of the letters beyond ASCII only those of U+0080..U+009F and U+2000..U+20FF are escaped.
        if plain || (byte >= 0x80 && byte != 0xc2 && byte != 0xe2) {
            at += 1;
            continue;
        }
        let Some(letter) = text[at..].chars().next() else { break };
        let length = letter.len_utf8();
        let escaped = !matches!(letter, '\u{a0}'..='\u{1fff}' | '\u{2100}'..);
        if escaped {
            out.push_str(&text[from..at]);
            escape(letter, out);
            from = at + length;
        }
        at += length;
    }
    out.push_str(&text[from..]);
    out.push('"');
}

fn escape(letter: char, out: &mut String) {
    match letter {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '/' => out.push_str("\\/"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        other => {
            let _ = write!(out, "\\u{:04X}", u32::from(other));
        }
    }
}
