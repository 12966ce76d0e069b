//! JSON text into objects, as json-smart's permissive parser makes them for API Gateway.
//!
//! Beyond JSON it takes what AWS takes: commas too many, names and words without quotes, single quotes.

use super::{Big, Exceeded, Heap, ListKind, MOST_DEPTH, Text, Value};

/// Why a text gave no object. Words all through, as [`Value`] has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[repr(u64)]
pub enum NotJson {
    /// It is no JSON.
    #[error("no JSON at byte {at}")]
    Syntax {
        /// Bytes from the beginning.
        at: usize,
    },
    /// It is too much.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
}

impl<'a> Heap<'a> {
    /// Reads a whole document.
    pub fn read(&mut self, text: &'a str) -> Result<Value<'a>, NotJson> {
        self.read_whole(text, Some(text))
    }

    /// Reads a whole document that the heap may outlive: its strings are copied.
    pub fn read_copy(&mut self, text: &str) -> Result<Value<'a>, NotJson> {
        self.read_whole(text, None)
    }

    fn read_whole(&mut self, text: &str, lend: Option<&'a str>) -> Result<Value<'a>, NotJson> {
        self.charge(text.len() / 64)?;
        self.maps.reserve(text.len() / 128);
        self.lists.reserve(text.len() / 256);
        let (entries, items) = (Vec::with_capacity(16), Vec::with_capacity(32));
        let mut reader = Reader { heap: self, text, lend, at: 0, entries, items };
        reader.blanks();
        let value = match reader.peek() {
            Some(b'{' | b'[' | b'"' | b'\'') => reader.value(0, b"")?,
            // A bare word is no document, but a number or a literal is.
            _ => match reader.value(0, b"")? {
                Value::Str(_) => return Err(NotJson::Syntax { at: 0 }),
                value => value,
            },
        };
        reader.blanks();
        if reader.at < text.len() { Err(NotJson::Syntax { at: reader.at }) } else { Ok(value) }
    }
}

struct Reader<'r, 'a> {
    heap: &'r mut Heap<'a>,
    text: &'r str,
    /// The same text, where it outlives the heap.
    lend: Option<&'a str>,
    at: usize,
    /// Entries and elements of the maps and lists that are not yet closed: each gets its memory in one piece.
    entries: Vec<(Value<'a>, Value<'a>)>,
    items: Vec<Value<'a>>,
}

impl<'a> Reader<'_, 'a> {
    /// Some of the text as a string: lent if that can be, else copied.
    fn keep(&mut self, from: usize, to: usize) -> Result<Value<'a>, Exceeded> {
        match self.lend {
            Some(text) => Ok(Value::Str(Text::Lent(&text[from..to]))),
            None => self.heap.text(self.text[from..to].to_owned()),
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn wrong<T>(&self) -> Result<T, NotJson> {
        Err(NotJson::Syntax { at: self.at })
    }

    /// A value; a bare word ends at one of `ends`.
    fn value(&mut self, depth: usize, ends: &[u8]) -> Result<Value<'a>, NotJson> {
        if depth > MOST_DEPTH {
            return Err(Exceeded::Depth.into());
        }
        match self.peek() {
            Some(b'{') => self.map(depth),
            Some(b'[') => self.list(depth),
            Some(quote @ (b'"' | b'\'')) => self.string(quote),
            Some(_) => self.word(ends),
            None => self.wrong(),
        }
    }

    /// A string without escapes out of a text that outlives the heap, which most are; else nothing is read. Kept apart
    /// and inline so that it stays in registers: a value that is given back waits for its own bytes.
    #[inline(always)]
    fn lent_string(&mut self) -> Option<&'a str> {
        let text = self.lend?;
        let bytes = text.as_bytes();
        if bytes.get(self.at) != Some(&b'"') {
            return None;
        }
        let from = self.at + 1;
        let to = from + find_end(&bytes[from..], b'"')?;
        if bytes[to] != b'"' {
            return None;
        }
        self.at = to + 1;
        text.get(from..to)
    }

    /// The value of a member or an element.
    #[inline(always)]
    fn inner(&mut self, depth: usize, ends: &[u8]) -> Result<Value<'a>, NotJson> {
        if let Some(text) = self.lent_string() {
            return Ok(Value::Str(Text::Lent(text)));
        }
        match self.small_number() {
            Some(number) => Ok(Value::Int(number)),
            None => self.value(depth, ends),
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value<'a>, NotJson> {
        self.at += 1;
        let from = self.entries.len();
        loop {
            self.blanks();
            let key = match self.peek() {
                Some(b'}') => break,
                Some(b',') => {
                    self.at += 1;
                    continue;
                }
                Some(quote @ (b'"' | b'\'')) => match self.lent_string() {
                    Some(text) => Value::Str(Text::Lent(text)),
                    None => self.string(quote)?,
                },
                Some(b'{' | b'[' | b']' | b':') | None => return self.wrong(),
                Some(_) => {
                    let from = self.at;
                    let to = from + self.bare(b":").trim_end().len();
                    self.keep(from, to)?
                }
            };
            self.blanks();
            if self.peek() != Some(b':') {
                return self.wrong();
            }
            self.at += 1;
            self.blanks();
            let value = self.inner(depth + 1, b",}")?;
            self.heap.charge(1)?;
            self.entries.push((key, value));
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return self.wrong(),
            }
        }
        self.at += 1;
        Ok(Value::Map(self.heap.map_of(self.entries.split_off(from))?))
    }

    fn list(&mut self, depth: usize) -> Result<Value<'a>, NotJson> {
        self.at += 1;
        let from = self.items.len();
        loop {
            self.blanks();
            match self.peek() {
                Some(b']') => break,
                Some(b',') => {
                    self.at += 1;
                    continue;
                }
                _ => {}
            }
            self.heap.charge(1)?;
            let value = self.inner(depth + 1, b",]")?;
            self.items.push(value);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return self.wrong(),
            }
        }
        self.at += 1;
        let items = self.items.split_off(from);
        Ok(self.heap.list(ListKind::Json, items)?)
    }

    /// Text up to one of `ends`.
    fn bare(&mut self, ends: &[u8]) -> &str {
        let from = self.at;
        let rest = &self.text.as_bytes()[from..];
        let length = rest.iter().position(|byte| ends.contains(byte)).unwrap_or(rest.len());
        self.at += length;
        &self.text[from..from + length]
    }

    /// A whole number of few digits, which most numbers are.
    #[inline]
    fn small_number(&mut self) -> Option<i32> {
        let bytes = &self.text.as_bytes()[self.at..];
        let digits = bytes.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..10).contains(&digits) || !matches!(bytes.get(digits), Some(b',' | b'}' | b']')) {
            return None;
        }
        self.at += digits;
        Some(bytes[..digits].iter().fold(0, |number, digit| number * 10 + i32::from(digit - b'0')))
    }

    fn word(&mut self, ends: &[u8]) -> Result<Value<'a>, NotJson> {
        if let Some(number) = self.small_number() {
            return Ok(Value::Int(number));
        }
        let from = self.at;
        let to = from + self.bare(ends).trim_end_matches([' ', '\t', '\n', '\r']).len();
        let text = self.text;
        let word = &text[from..to];
        match word {
            "" => return Err(NotJson::Syntax { at: from }),
            "true" => return Ok(Value::Bool(true)),
            "false" => return Ok(Value::Bool(false)),
            "null" => return Ok(Value::Null),
            "NaN" => return Ok(Value::Double(f64::NAN)),
            _ => {}
        }
        if !matches!(word.as_bytes()[0], b'0'..=b'9' | b'-' | b'+' | b'.') {
            return Ok(self.keep(from, to)?);
        }
        if let Some(number) = small_decimal(word.as_bytes()) {
            return Ok(Value::Double(number));
        }
        if let Ok(number) = word.parse::<i64>()
            && !word.starts_with('+')
        {
            return Ok(i32::try_from(number).map_or(Value::Long(number), Value::Int));
        }
        if let Some(number) = (word.len() < 2000).then(|| Big::parse(word)).flatten() {
            return Ok(self.heap.big(number)?);
        }
        let numeric = word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
        match word.parse::<f64>() {
            Ok(_) if numeric && word.len() > 18 => match self.keep(from, to)? {
                Value::Str(digits) => Ok(Value::Decimal(digits)),
                other => Ok(other),
            },
            Ok(number) if numeric => Ok(Value::Double(number)),
            _ => Ok(self.keep(from, to)?),
        }
    }

    fn string(&mut self, quote: u8) -> Result<Value<'a>, NotJson> {
        let from = self.at + 1;
        let bytes = self.text.as_bytes();
        let ends = find_end(&bytes[from..], quote);
        let Some(length) = ends else { return Err(NotJson::Syntax { at: bytes.len() }) };
        let mut at = from + length;
        if bytes[at] == quote {
            self.at = at + 1;
            return Ok(self.keep(from, at)?);
        }
        let mut out = String::from(&self.text[from..at]);
        loop {
            let plain = at;
            while bytes.get(at).is_some_and(|byte| *byte != quote && *byte != b'\\') {
                at += 1;
            }
            out.push_str(&self.text[plain..at]);
            match bytes.get(at) {
                Some(b'\\') => at = self.escape(at + 1, &mut out)?,
                Some(_) => break,
                None => return Err(NotJson::Syntax { at }),
            }
        }
        self.at = at + 1;
        Ok(self.heap.text(out)?)
    }

    /// What stands after a backslash at `at`; gives where to go on.
    fn escape(&self, at: usize, out: &mut String) -> Result<usize, NotJson> {
        let Some(letter) = self.text[at..].chars().next() else { return Err(NotJson::Syntax { at }) };
        match letter {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'u' => {
                let (unit, mut next) = (self.unit(at + 1)?, at + 5);
                let mut units = vec![unit];
                if (0xd800..0xdc00).contains(&unit) && self.text[next..].starts_with("\\u") {
                    let low = self.unit(next + 2)?;
                    if (0xdc00..0xe000).contains(&low) {
                        units.push(low);
                        next += 6;
                    }
                }
                out.extend(char::decode_utf16(units).map(|letter| letter.unwrap_or('?')));
                return Ok(next);
            }
            other => out.push(other),
        }
        Ok(at + letter.len_utf8())
    }

    fn unit(&self, at: usize) -> Result<u16, NotJson> {
        let digits = self.text.get(at..at + 4).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        digits.and_then(|text| u16::from_str_radix(text, 16).ok()).ok_or(NotJson::Syntax { at })
    }
}

/// A decimal of so few digits that both its digits and its power of ten are exact: then so is their quotient's rounding.
fn small_decimal(word: &[u8]) -> Option<f64> {
    const POWERS: [f64; 8] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7];
    let point = word.iter().position(|byte| *byte == b'.')?;
    let fraction = word.len() - point - 1;
    if point == 0 || fraction == 0 || word.len() > 15 || fraction >= POWERS.len() {
        return None;
    }
    let mut digits = 0u64;
    for (at, byte) in word.iter().enumerate() {
        match byte {
            b'0'..=b'9' => digits = digits * 10 + u64::from(byte - b'0'),
            _ if at == point => {}
            _ => return None,
        }
    }
    Some(digits as f64 / POWERS[fraction])
}

/// Where the first `quote` or backslash stands, eight bytes at a time.
#[inline]
fn find_end(bytes: &[u8], quote: u8) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    let (quotes, slashes) = (ONES * u64::from(quote), ONES * u64::from(b'\\'));
    let mut chunks = bytes.chunks_exact(8);
    let mut at = 0;
    for chunk in &mut chunks {
        let Ok(word) = chunk.try_into().map(u64::from_le_bytes) else { break };
        let found = zeros(word ^ quotes) | zeros(word ^ slashes);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    chunks.remainder().iter().position(|byte| *byte == quote || *byte == b'\\').map(|rest| at + rest)
}
