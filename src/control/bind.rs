//! Bind: path, query, headers and body become arguments, checked against AWS's model in AWS's words.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;
use http::HeaderMap;
use regex::Regex;
use serde_json::{Map, Value};

use super::Fault;
use super::model::{At, Member, Operation, Service, Shape};
use super::router::{Query, Route};
use super::table::SHAPES;
use crate::spec::java_regex::JavaRegex;

/// Arguments by SDK name, and the body where it is an argument itself.
pub type Arguments = (Map<String, Value>, Bytes);

/// Binds a request.
///
/// # Errors
/// SerializationException for what is not JSON or of another JSON type; ValidationException, with all that is wrong,
/// body members first, for what the model forbids.
pub fn bind(route: &Route, query: &Query, headers: &HeaderMap, body: &Bytes) -> Result<Arguments, Fault> {
    let operation = route.operation;
    let members = operation.members();
    let json = read_body(operation, body)?;
    let mut input = Map::new();
    let (mut late, mut payload) = (Vec::new(), Bytes::new());
    let mut errors = Errors { lambda: operation.service == Service::Lambda, ..Errors::default() };
    let root = match errors.lambda {
        true => String::new(),
        false => format!("{}{}Input", operation.name[..1].to_ascii_lowercase(), &operation.name[1..]),
    };
    for member in members {
        match member.at {
            At::Body => {
                let path = errors.path(&root, member.name);
                let value = json.get(member.wire).filter(|v| !v.is_null());
                let value = value.map(|v| typed(v, member.shape(), &path, &mut errors)).transpose()?;
                keep(&mut input, member, value, &path, &mut errors);
            }
            At::Payload => payload = body.clone(),
            _ => late.push(member),
        }
    }
    for member in late {
        let value = outside(member, members, route, query, headers);
        let path = if errors.lambda { errors.path("", member.name) } else { member.name.to_owned() };
        match &value {
            Some(Value::String(text)) => check_text(text, member.shape(), &path, &mut errors),
            // The older services tolerate a number out of bounds here.
            Some(Value::Number(number)) if errors.lambda => {
                if let (Shape::Range(least, most), Some(number)) = (member.shape(), number.as_i64()) {
                    range(number, *least, *most, &path, &mut errors);
                }
            }
            _ => {}
        }
        keep(&mut input, member, value, &path, &mut errors);
    }
    if errors.count == 0 { Ok((input, payload)) } else { Err(Fault::validation(errors.count, &errors.told)) }
}

/// Most errors that one refusal tells of: all are counted.
const MOST_TOLD: usize = 100;

/// What is wrong so far.
#[derive(Default)]
struct Errors {
    count: usize,
    told: Vec<String>,
    /// Lambda names members from a small letter on, and not the input that they belong to.
    lambda: bool,
}

impl Errors {
    /// What is shown of a value that nobody would read to its end.
    const SHOWN: usize = 1_024;

    fn path(&self, of: &str, name: &str) -> String {
        match (self.lambda, name.split_at_checked(1)) {
            (true, Some((first, rest))) => {
                let dot = if of.is_empty() { "" } else { "." };
                format!("{of}{dot}{}{rest}", first.to_ascii_lowercase())
            }
            _ => format!("{of}.{name}"),
        }
    }

    fn add(&mut self, value: &str, path: &str, constraint: &str) {
        self.count += 1;
        if self.told.len() < MOST_TOLD {
            let value = value.char_indices().nth(Self::SHOWN).map_or(value, |(end, _)| &value[..end]);
            self.told.push(format!("Value {value} at '{path}' failed to satisfy constraint: {constraint}"));
        }
    }
}

/// A pattern of the table.
enum Pattern {
    Linear(Regex),
    /// One that looks around.
    Java(JavaRegex),
}

impl Pattern {
    fn of(pattern: &str) -> Option<Pattern> {
        let linear = Regex::new(&format!("^(?:{pattern})$")).map(Pattern::Linear);
        linear.ok().or_else(|| JavaRegex::compile(pattern).map(Pattern::Java).ok())
    }

    fn is_match(&self, text: &str) -> bool {
        match self {
            Pattern::Linear(regex) => regex.is_match(text),
            Pattern::Java(regex) => regex.matches(text).unwrap_or_default(),
        }
    }
}

/// The patterns of the table, compiled once.
static PATTERNS: LazyLock<BTreeMap<&'static str, Pattern>> = LazyLock::new(|| {
    let patterns =
        SHAPES.iter().filter_map(|shape| if let Shape::Pattern(pattern) = shape { Some(*pattern) } else { None });
    patterns.filter_map(|pattern| Some((pattern, Pattern::of(pattern)?))).collect()
});

fn keep(input: &mut Map<String, Value>, member: &Member, value: Option<Value>, path: &str, errors: &mut Errors) {
    match value {
        Some(value) => drop(input.insert(member.name.to_owned(), value)),
        None if member.required => errors.add("null", path, "Member must not be null"),
        None => {}
    }
}

fn read_body(operation: &Operation, body: &Bytes) -> Result<Map<String, Value>, Fault> {
    if body.is_empty() || !operation.members().iter().any(|m| m.at == At::Body) {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(Value::Array(_)) => Err(Fault::serialization("Start of list found where not expected")),
        Ok(_) => Err(Fault::serialization("The request body must be a JSON object")),
        Err(e) => {
            let at = format!("at line {} column {}", e.line(), e.column());
            Err(Fault::serialization(format!("Unable to parse the request body as JSON {at}")))
        }
    }
}

/// A value of path, query or header.
fn outside(member: &Member, all: &[Member], route: &Route, query: &Query, headers: &HeaderMap) -> Option<Value> {
    let text = match member.at {
        At::Uri => route.labels.iter().find(|(name, _)| *name == member.wire).map(|(_, v)| v.clone()),
        At::Header => headers.get(member.wire).and_then(|v| v.to_str().ok()).map(str::to_owned),
        At::Any => return Some(Value::Object(free_query(all, route.operation, query))),
        _ if matches!(member.shape(), Shape::List(_)) => {
            let values: Vec<Value> =
                query.iter().filter(|(k, _)| k == member.wire).map(|(_, v)| Value::from(v.as_str())).collect();
            return (!values.is_empty()).then(|| Value::Array(values));
        }
        _ => query.iter().find(|(k, _)| k == member.wire).map(|(_, v)| v.clone()),
    }?;
    match member.shape() {
        Shape::Boolean => Some(Value::Bool(text.eq_ignore_ascii_case("true"))),
        // A number that is none counts as absent: AWS tolerates `limit=x`.
        Shape::Integer | Shape::Long | Shape::Range(..) => text.parse::<i64>().ok().map(Value::from),
        _ => Some(Value::String(text)),
    }
}

/// Query keys that no member claims, without the operation's own literal and a presigned signature.
fn free_query(all: &[Member], operation: &Operation, query: &Query) -> Map<String, Value> {
    let literal = operation.uri.split_once('?').map_or("", |(_, q)| q);
    let free = |k: &str| {
        !k.starts_with("X-Amz-")
            && !all.iter().any(|m| m.at == At::Query && m.wire == k)
            && !literal.split('&').any(|pair| pair.split('=').next() == Some(k))
    };
    query.iter().filter(|(k, _)| free(k)).map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect()
}

/// Checks a JSON value against a shape and gives it back, with unknown members of structures left out.
fn typed(value: &Value, shape: &Shape, path: &str, errors: &mut Errors) -> Result<Value, Fault> {
    match (shape, value) {
        (Shape::Structure(_, members), Value::Object(map)) => structure(map, members, path, errors),
        (Shape::List(item), Value::Array(values)) => list(values, &SHAPES[*item as usize], path, errors),
        (Shape::Map(item), Value::Object(map)) => {
            let mut out = Map::new();
            for (key, value) in map {
                let inner = format!("{path}.{key}.member");
                let kept =
                    if value.is_null() { Value::Null } else { typed(value, &SHAPES[*item as usize], &inner, errors)? };
                out.insert(key.clone(), kept);
            }
            Ok(Value::Object(out))
        }
        (Shape::Structure(..), _) => Err(Fault::serialization(format!("Unrecognized structure type {}", class(value)))),
        (Shape::List(_) | Shape::Map(_), _) => {
            Err(Fault::serialization(format!("Unrecognized collection type {}", class(value))))
        }
        (_, Value::Array(_)) => Err(Fault::serialization("Start of list found where not expected")),
        (_, Value::Object(_)) => Err(Fault::serialization("Start of structure or map found where not expected.")),
        _ => scalar(value, shape, path, errors),
    }
}

fn structure(map: &Map<String, Value>, members: &[Member], path: &str, errors: &mut Errors) -> Result<Value, Fault> {
    let mut out = Map::new();
    for member in members {
        let path = errors.path(path, member.name);
        let value = map.get(member.wire).filter(|v| !v.is_null());
        let value = value.map(|v| typed(v, member.shape(), &path, errors)).transpose()?;
        keep(&mut out, member, value, &path, errors);
    }
    Ok(Value::Object(out))
}

fn list(values: &[Value], item: &Shape, path: &str, errors: &mut Errors) -> Result<Value, Fault> {
    // A set of words is judged as a whole, and printed so.
    if let Shape::Enum(set) = item {
        let words: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        if words.iter().any(|w| !set.contains(w)) {
            let constraint = format!("Member must satisfy constraint: [{}]", enum_text(set));
            errors.add(&format!("'[{}]'", words.join(", ")), path, &constraint);
            return Ok(Value::Array(values.to_vec()));
        }
    }
    let kept = values.iter().enumerate().filter(|(_, v)| !v.is_null());
    let typed = kept.map(|(i, v)| typed(v, item, &format!("{path}.{}.member", i + 1), errors));
    Ok(Value::Array(typed.collect::<Result<_, _>>()?))
}

fn scalar(value: &Value, shape: &Shape, path: &str, errors: &mut Errors) -> Result<Value, Fault> {
    let refuse = |to: &str| Err(Fault::serialization(format!("{} can not be converted to an {to}", class(value))));
    match shape {
        Shape::Boolean if !value.is_boolean() => refuse("Boolean"),
        Shape::Double if !value.is_number() => refuse("Double"),
        Shape::Epoch if !value.is_number() => refuse("Date"),
        Shape::Integer | Shape::Long | Shape::Range(..) => match whole(value) {
            Some(n) if matches!(shape, Shape::Integer) && i32::try_from(n).is_err() => refuse("Integer"),
            Some(n) => {
                if let Shape::Range(least, most) = shape {
                    range(n, *least, *most, path, errors);
                }
                Ok(Value::from(n))
            }
            None => refuse(if matches!(shape, Shape::Long) { "Long" } else { "Integer" }),
        },
        Shape::Boolean | Shape::Double | Shape::Epoch => Ok(value.clone()),
        _ => match value {
            Value::String(text) => {
                check_text(text, shape, path, errors);
                Ok(value.clone())
            }
            _ => refuse("String"),
        },
    }
}

/// A JSON number as a whole one; a fraction is cut off, as AWS's reader does.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().filter(|f| f.abs() < 9e15).map(|f| f.trunc() as i64))
}

/// The Java class that AWS's reader made of a JSON value, for its messages.
fn class(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "class java.lang.Boolean",
        Value::Number(_) => "class com.amazon.coral.value.json.numbers.TruncatingBigNumber",
        Value::String(_) => "class java.lang.String",
        Value::Array(_) => "class java.util.ArrayList",
        Value::Object(_) => "class java.util.HashMap",
    }
}

fn range(n: i64, least: i64, most: i64, path: &str, errors: &mut Errors) {
    if n < least {
        errors.add(&format!("'{n}'"), path, &format!("Member must have value greater than or equal to {least}"));
    } else if n > most {
        errors.add(&format!("'{n}'"), path, &format!("Member must have value less than or equal to {most}"));
    }
}

fn check_text(text: &str, shape: &Shape, path: &str, errors: &mut Errors) {
    let mut refuse = |constraint: &str| errors.add(&format!("'{text}'"), path, constraint);
    match shape {
        Shape::Enum(set) if !set.contains(&text) => refuse(&enum_text(set)),
        Shape::Pattern(pattern) if !PATTERNS.get(pattern).is_some_and(|whole| whole.is_match(text)) => {
            refuse(&format!("Member must satisfy regular expression pattern: {pattern}"));
        }
        Shape::Sized(least, most) => {
            let length = text.chars().count();
            if length < *least as usize {
                refuse(&format!("Member must have length greater than or equal to {least}"));
            } else if length > *most as usize {
                refuse(&format!("Member must have length less than or equal to {most}"));
            }
        }
        _ => {}
    }
}

fn enum_text(set: &[&str]) -> String {
    format!("Member must satisfy enum value set: [{}]", set.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_of_the_table_can_be_matched() {
        for shape in &SHAPES {
            if let Shape::Pattern(pattern) = shape {
                assert!(PATTERNS.contains_key(pattern), "{pattern}");
            }
        }
    }
}
