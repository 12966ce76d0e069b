//! Methods of `String`. Positions count UTF-16 units, as in Java.

use super::method::Method;
use super::node::{Invocation, Place};
use super::run::{At, Ran, Run, fail};
use crate::spec::java_regex::{Allowed, RegexError};
use crate::spec::object::{Exceeded, ListKind, Text, Value};

/// Steps that compiling a regular expression costs, more for each of its bytes, and for what it becomes.
pub(super) const COMPILING: usize = 2000;
pub(super) const COMPILING_BYTE: usize = 32;
pub(super) const COMPILED_BYTES: usize = 8;

impl<'a> Run<'a> {
    pub(super) fn string_method(
        &mut self,
        text: Text<'a>,
        invocation: &'a Invocation,
        arguments: &[Value<'a>],
    ) -> Ran<Value<'a>> {
        let place = invocation.place;
        let others = arguments.iter().map(|argument| self.str_argument(*argument).map_or(0, str::len));
        let bytes = self.heap.str(text).len() + others.sum::<usize>();
        self.heap.charge(bytes / 64).at(place)?;
        match invocation.method {
            Method::Matches | Method::ReplaceAll | Method::ReplaceFirst | Method::Split => {
                return self.regex_method(text, invocation, arguments);
            }
            Method::Substring | Method::SubSequence | Method::CharAt | Method::Repeat => {
                return self.part(text, invocation.method, arguments, place);
            }
            Method::IndexOf | Method::LastIndexOf => return Ok(self.position(text, invocation.method, arguments)),
            Method::Format => return self.format(arguments, place),
            Method::Replace => return self.replace(text, arguments, place),
            _ => {}
        }
        if arguments.is_empty() {
            return self.string_without_arguments(text, invocation.method, place);
        }
        let this = self.heap.str(text);
        let takes_text = matches!(
            invocation.method,
            Method::Contains
                | Method::StartsWith
                | Method::EndsWith
                | Method::CompareTo
                | Method::CompareToIgnoreCase
                | Method::Concat
        );
        if takes_text && matches!(arguments[0], Value::Null) {
            return Err(fail(place, format!("{}() of a string was called with null", invocation.name)));
        }
        let Some(other) = self.str_argument(arguments[0]) else {
            // `valueOf` takes anything.
            return match (invocation.method, arguments) {
                (Method::ValueOf, [value]) => {
                    let text = self.string(*value, place)?;
                    self.text(text, place)
                }
                (Method::EqualsIgnoreCase, [_]) => Ok(Value::Bool(false)),
                _ => Ok(Value::Null),
            };
        };
        let from = match arguments {
            [_] => None,
            [_, Value::Int(from)] => Some(*from),
            _ => return Ok(Value::Null),
        };
        Ok(match (invocation.method, from) {
            (Method::Contains, None) => Value::Bool(this.contains(other)),
            (Method::StartsWith, None) => Value::Bool(this.starts_with(other)),
            (Method::StartsWith, Some(from)) => {
                let rest = usize::try_from(from).ok().and_then(|from| byte_of(this, from)).map(|at| &this[at..]);
                Value::Bool(rest.is_some_and(|rest| rest.starts_with(other)))
            }
            (Method::EndsWith, None) => Value::Bool(this.ends_with(other)),
            (Method::EqualsIgnoreCase, None) => Value::Bool(this.to_lowercase() == other.to_lowercase()),
            (Method::CompareTo, None) => Value::Int(compare(this, other)),
            (Method::CompareToIgnoreCase, None) => Value::Int(compare(&this.to_lowercase(), &other.to_lowercase())),
            (Method::Concat, None) => {
                let joined = format!("{this}{other}");
                return self.text(joined, place);
            }
            (Method::ValueOf, None) => arguments[0],
            _ => Value::Null,
        })
    }

    fn string_without_arguments(&mut self, text: Text<'a>, method: Method, place: Place) -> Ran<Value<'a>> {
        let this = self.heap.str(text);
        let made = match method {
            Method::Length => {
                let length = if this.is_ascii() { this.len() } else { this.encode_utf16().count() };
                return Ok(Value::Int(length as i32));
            }
            Method::IsEmpty => return Ok(Value::Bool(this.is_empty())),
            Method::IsBlank => return Ok(Value::Bool(this.trim().is_empty())),
            Method::Intern => return Ok(Value::Str(text)),
            Method::Trim => this.trim_matches(|letter| letter <= ' ').to_owned(),
            Method::Strip => this.trim().to_owned(),
            Method::StripLeading => this.trim_start().to_owned(),
            Method::StripTrailing => this.trim_end().to_owned(),
            Method::ToLowerCase => this.to_lowercase(),
            Method::ToUpperCase => this.to_uppercase(),
            _ => return Ok(Value::Null),
        };
        self.text(made, place)
    }

    fn part(&mut self, text: Text<'a>, method: Method, arguments: &[Value<'a>], place: Place) -> Ran<Value<'a>> {
        let this = self.heap.str(text);
        let (from, to) = match (method, arguments) {
            (Method::Repeat, [Value::Int(times)]) => {
                let Ok(times) = usize::try_from(*times) else {
                    return Err(fail(place, format!("a string cannot be repeated {times} times")));
                };
                let bytes = this.len().saturating_mul(times);
                self.heap.take(bytes).at(place)?;
                let made = self.heap.str(text).repeat(times);
                return self.text(made, place);
            }
            (Method::CharAt, [Value::Int(at)]) => (*at, at.saturating_add(1)),
            (Method::Substring, [Value::Int(from)]) => (*from, i32::MAX),
            (Method::Substring | Method::SubSequence, [Value::Int(from), Value::Int(to)]) => (*from, *to),
            _ => return Ok(Value::Null),
        };
        let open = matches!(arguments, [_]) && method == Method::Substring;
        let length = if this.is_ascii() { this.len() } else { this.encode_utf16().count() };
        let to = if open { length as i32 } else { to };
        if from < 0 || to < from || to as usize > length {
            return Err(fail(place, format!("from {from} to {to} is not within a string of length {length}")));
        }
        let (from, to) = (from as usize, to as usize);
        if method == Method::CharAt {
            return Ok(this.encode_utf16().nth(from).map_or(Value::Null, Value::Char));
        }
        if let Text::Lent(lent) = text
            && lent.is_ascii()
        {
            return Ok(Run::lent(&lent[from..to]));
        }
        let made = match (byte_of(this, from), byte_of(this, to)) {
            (Some(start), Some(end)) => this[start..end].to_owned(),
            // A pair was cut in two.
            _ => {
                let units: Vec<u16> = this.encode_utf16().skip(from).take(to - from).collect();
                char::decode_utf16(units).map(|letter| letter.unwrap_or('?')).collect()
            }
        };
        self.text(made, place)
    }

    fn position(&self, text: Text<'a>, method: Method, arguments: &[Value<'a>]) -> Value<'a> {
        let this = self.heap.str(text);
        let mut buffer = String::new();
        let wanted = match arguments.first() {
            Some(Value::Str(text)) => self.heap.str(*text),
            Some(Value::Int(code)) => {
                buffer.extend(u32::try_from(*code).ok().and_then(char::from_u32));
                if buffer.is_empty() {
                    return Value::Int(-1);
                }
                &buffer
            }
            _ => return Value::Null,
        };
        let found = match (method, arguments) {
            (Method::IndexOf, [_]) => this.find(wanted),
            (Method::LastIndexOf, [_]) => this.rfind(wanted),
            (Method::IndexOf, [_, Value::Int(from)]) => {
                let from = byte_of(this, (*from).max(0) as usize).unwrap_or(this.len());
                this[from..].find(wanted).map(|at| at + from)
            }
            (Method::LastIndexOf, [_, Value::Int(from)]) => match usize::try_from(*from) {
                Ok(from) => {
                    let from = byte_of(this, from).unwrap_or(this.len());
                    let mut end = (from + wanted.len()).min(this.len());
                    while !this.is_char_boundary(end) {
                        end += 1;
                    }
                    this[..end].rfind(wanted).filter(|at| *at <= from)
                }
                Err(_) => None,
            },
            _ => return Value::Null,
        };
        Value::Int(found.map_or(-1, |at| unit_of(this, at) as i32))
    }

    fn replace(&mut self, text: Text<'a>, arguments: &[Value<'a>], place: Place) -> Ran<Value<'a>> {
        let mut parts = [String::new(), String::new()];
        let [_, _] = arguments else { return Ok(Value::Null) };
        for (part, argument) in parts.iter_mut().zip(arguments) {
            match argument {
                Value::Str(text) => part.push_str(self.heap.str(*text)),
                Value::Char(unit) => part.push(char::from_u32(u32::from(*unit)).unwrap_or('?')),
                _ => return Ok(Value::Null),
            }
        }
        let this = self.heap.str(text);
        let times = if parts[0].is_empty() { this.len() + 1 } else { this.len() / parts[0].len() };
        self.heap.take(times.saturating_mul(parts[1].len())).at(place)?;
        let made = self.heap.str(text).replace(&parts[0], &parts[1]);
        self.text(made, place)
    }

    fn regex_method(&mut self, text: Text<'a>, invocation: &'a Invocation, arguments: &[Value<'a>]) -> Ran<Value<'a>> {
        let place = invocation.place;
        let Some(Value::Str(pattern)) = arguments.first() else { return Ok(Value::Null) };
        let wrong = |error: RegexError| fail(place, error.to_string());
        let pattern = self.heap.str(*pattern);
        let new =
            if invocation.prepared.is_new_regex(pattern) { COMPILING + COMPILING_BYTE * pattern.len() } else { 0 };
        self.heap.charge(new).at(place)?;
        let Some(Value::Str(pattern)) = arguments.first() else { return Ok(Value::Null) };
        let regex = invocation.prepared.regex(self.heap.str(*pattern)).map_err(wrong)?;
        if new > 0 {
            self.heap.charge(regex.bytes() / COMPILED_BYTES).at(place)?;
        }
        let this = self.heap.str(text);
        let mut allowed = Allowed { bytes: self.heap.memory_left(), steps: self.heap.fuel_left() };
        match (invocation.method, arguments) {
            (Method::Matches, [_]) => {
                self.heap.charge(regex.cost(self.heap.str(text).len())).at(place)?;
                Ok(Value::Bool(regex.matches(self.heap.str(text)).at(place)?))
            }
            (Method::Split, [_]) | (Method::Split, [_, Value::Int(_)]) => {
                let limit = match arguments {
                    [_, Value::Int(limit)] => *limit,
                    _ => 0,
                };
                let parts = regex.split(this, limit, &mut allowed).at(place)?;
                let parts: Vec<String> = parts.into_iter().map(str::to_owned).collect();
                self.heap.charge(self.heap.fuel_left() - allowed.steps).at(place)?;
                let parts: Ran<Vec<Value<'a>>> = parts.into_iter().map(|part| self.text(part, place)).collect();
                self.heap.list(ListKind::Array, parts?).at(place)
            }
            (Method::ReplaceAll | Method::ReplaceFirst, [_, Value::Str(replacement)]) => {
                let all = invocation.method == Method::ReplaceAll;
                let made = regex.replace(this, self.heap.str(*replacement), all, &mut allowed).map_err(wrong)?;
                self.heap.charge(self.heap.fuel_left() - allowed.steps).at(place)?;
                self.text(made, place)
            }
            _ => Ok(Value::Null),
        }
    }

    /// `String.format`: `%s`, `%d`, `%x`, `%f` with width, zeros and precision, `%%`, `%n`.
    fn format(&mut self, arguments: &[Value<'a>], place: Place) -> Ran<Value<'a>> {
        let Some((Value::Str(form), mut rest)) = arguments.split_first() else { return Ok(Value::Null) };
        let form = self.heap.str(*form).to_owned();
        let opened;
        if let [Value::List(list)] = rest
            && self.heap.listing(*list).kind == ListKind::Array
        {
            opened = self.heap.items(*list).to_vec();
            rest = &opened;
        }
        let mut values = rest.iter();
        let mut out = String::new();
        let mut letters = form.chars().peekable();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                out.push(letter);
                continue;
            }
            let mut spec = String::new();
            while let Some(letter) =
                letters.next_if(|letter| letter.is_ascii_digit() || matches!(letter, '-' | '.' | '+' | ','))
            {
                spec.push(letter);
            }
            let conversion = letters.next().unwrap_or('\0');
            match conversion {
                '%' => out.push('%'),
                'n' => out.push('\n'),
                _ => {
                    let Some(value) = values.next() else { return Err(fail(place, "format() has too few arguments")) };
                    let made = self.formatted(conversion, &spec, *value, place)?;
                    out.push_str(&made);
                    self.heap.charge(1 + made.len() / 64).at(place)?;
                    if out.len() > self.heap.memory_left() {
                        return Err(fail(place, Exceeded::Memory.to_string()));
                    }
                }
            }
        }
        self.text(out, place)
    }

    fn formatted(&mut self, conversion: char, spec: &str, value: Value<'a>, place: Place) -> Ran<String> {
        let wrong = || fail(place, format!("format() cannot print this value with %{spec}{conversion}"));
        let (width, precision) = spec.split_once('.').unwrap_or((spec, ""));
        let whole = matches!(value, Value::Int(_) | Value::Long(_) | Value::Big(_));
        let body = match conversion {
            's' | 'S' => {
                let text = self.string(value, place)?;
                let most = precision.parse().unwrap_or(usize::MAX);
                let text: String = text.chars().take(most).collect();
                if conversion == 'S' { text.to_uppercase() } else { text }
            }
            'd' if whole => self.string(value, place)?,
            'x' if whole => format!("{:x}", self.heap.long(value)),
            'f' if Run::is_number(value) && !whole => {
                let digits = precision.parse().unwrap_or(6usize).min(300);
                format!("{:.digits$}", self.heap.double(value))
            }
            'b' => (!matches!(value, Value::Null | Value::Bool(false))).to_string(),
            _ => return Err(wrong()),
        };
        let left = width.starts_with('-');
        let zeros = width.starts_with('0');
        let width: usize = width.trim_start_matches(['-', '0', '+', ',']).parse().unwrap_or(0);
        if width > 10_000 {
            return Err(wrong());
        }
        Ok(match (left, zeros) {
            (true, _) => format!("{body:<width$}"),
            (false, true) => {
                let (sign, digits) = body.strip_prefix('-').map_or(("", body.as_str()), |digits| ("-", digits));
                format!("{sign}{digits:0>zeros$}", zeros = width.saturating_sub(sign.len()))
            }
            (false, false) => format!("{body:>width$}"),
        })
    }
}

/// The byte at which a UTF-16 position stands; `None` beyond the end and within a pair.
fn byte_of(text: &str, unit: usize) -> Option<usize> {
    if text.is_ascii() {
        return (unit <= text.len()).then_some(unit);
    }
    let mut at = 0;
    for (byte, letter) in text.char_indices() {
        if at >= unit {
            return (at == unit).then_some(byte);
        }
        at += letter.len_utf16();
    }
    (at == unit).then_some(text.len())
}

fn unit_of(text: &str, byte: usize) -> usize {
    if text.is_ascii() { byte } else { text[..byte].encode_utf16().count() }
}

/// Java's `compareTo`: the difference of the first units that differ, else of the lengths.
fn compare(left: &str, right: &str) -> i32 {
    let (mut a, mut b) = (left.encode_utf16(), right.encode_utf16());
    loop {
        match (a.next(), b.next()) {
            (Some(x), Some(y)) if x == y => {}
            (Some(x), Some(y)) => return i32::from(x) - i32::from(y),
            (None, None) => return 0,
            (Some(_), None) => return 1 + a.count() as i32,
            (None, Some(_)) => return -1 - b.count() as i32,
        }
    }
}
