//! Whether a filter holds.

use super::evaluate::{Fail, Walked, value};
use super::filter::{Condition, Relation, Side};
use crate::spec::java_regex::JavaRegex;
use crate::spec::object::{Heap, ListKind, NotJson, Value};
use std::cmp::Ordering;

/// A side of a comparison, evaluated.
enum Operand<'f, 'a> {
    Undefined,
    Value(Value<'a>),
    /// JSON that is written in the filter.
    Written(Value<'a>),
    Pattern(&'f JavaRegex),
}

/// Whether the filter holds for `item`; what it cannot be asked of does not hold.
pub(super) fn holds<'a>(condition: &Condition, heap: &mut Heap<'a>, item: Value<'a>, root: Value<'a>) -> Walked<bool> {
    match decide(condition, heap, item, root) {
        Err(Fail::Invalid(_)) => Ok(false),
        other => other,
    }
}

fn decide<'a>(condition: &Condition, heap: &mut Heap<'a>, item: Value<'a>, root: Value<'a>) -> Walked<bool> {
    heap.charge(1)?;
    match condition {
        Condition::Any(parts) => {
            for part in parts {
                if decide(part, heap, item, root)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Condition::All(parts) => {
            for part in parts {
                if !decide(part, heap, item, root)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Condition::Not(inner) => Ok(!decide(inner, heap, item, root)?),
        Condition::Exists(path, wanted) => match value(path, heap, item, root, true) {
            Ok(_) => Ok(*wanted),
            Err(Fail::NotFound) => Ok(!wanted),
            Err(other) => Err(other),
        },
        Condition::Compare(left, relation, right) => {
            let left = operand(left, heap, item, root)?;
            let right = operand(right, heap, item, root)?;
            compare(heap, &left, *relation, &right)
        }
    }
}

fn operand<'f, 'a>(side: &'f Side, heap: &mut Heap<'a>, item: Value<'a>, root: Value<'a>) -> Walked<Operand<'f, 'a>> {
    Ok(match side {
        Side::Path(path) => {
            let from = if path.from_root { root } else { item };
            match value(path, heap, from, root, false) {
                Ok(value) => Operand::Value(value),
                Err(Fail::NotFound) => Operand::Undefined,
                Err(other) => return Err(other),
            }
        }
        Side::Str(text) => Operand::Value(heap.text(text.to_string())?),
        Side::Whole(number) => Operand::Value(Value::Long(*number)),
        Side::Number(number) => Operand::Value(Value::Double(*number)),
        Side::Bool(value) => Operand::Value(Value::Bool(*value)),
        Side::Null => Operand::Value(Value::Null),
        Side::Json(text) => Operand::Written(literal(text, heap)?),
        Side::Pattern(regex) => Operand::Pattern(regex),
    })
}

/// JSON that stands in a path.
pub(super) fn literal<'a>(text: &str, heap: &mut Heap<'a>) -> Walked<Value<'a>> {
    heap.read_copy(text).map_err(|error| match error {
        NotJson::Exceeded(error) => Fail::Exceeded(error),
        NotJson::Syntax { .. } => Fail::Other(format!("{text:?} is no JSON")),
    })
}

fn compare<'a>(
    heap: &mut Heap<'a>,
    left: &Operand<'_, 'a>,
    relation: Relation,
    right: &Operand<'_, 'a>,
) -> Walked<bool> {
    Ok(match relation {
        Relation::Equal => equal(heap, left, right)?,
        Relation::Unequal => !equal(heap, left, right)?,
        Relation::SameEqual => same_class(left, right) && equal(heap, left, right)?,
        Relation::SameUnequal => !(same_class(left, right) && equal(heap, left, right)?),
        Relation::Less => order(heap, left, right) == Some(Ordering::Less),
        Relation::Greater => order(heap, left, right) == Some(Ordering::Greater),
        Relation::AtMost => matches!(order(heap, left, right), Some(Ordering::Less | Ordering::Equal)),
        Relation::AtLeast => matches!(order(heap, left, right), Some(Ordering::Greater | Ordering::Equal)),
        Relation::Matches => matches_pattern(heap, left, right)?,
        Relation::In => contains(heap, right, left)?.unwrap_or(false),
        Relation::NotIn => !contains(heap, right, left)?.unwrap_or(false),
        Relation::Contains => match (left, right) {
            (Operand::Value(Value::Str(text)), Operand::Value(Value::Str(part))) => {
                heap.charge(heap.str(*text).len() / 16)?;
                heap.str(*text).contains(heap.str(*part))
            }
            (Operand::Value(Value::List(_)) | Operand::Written(_), _) => contains(heap, left, right)?.unwrap_or(false),
            _ => false,
        },
        Relation::Size => match (left, right) {
            (Operand::Value(Value::Str(text)), Operand::Value(wanted)) if Heap::is_number(*wanted) => {
                heap.str(*text).encode_utf16().count() as i64 == heap.long(*wanted)
            }
            (Operand::Value(list) | Operand::Written(list), Operand::Value(wanted)) if Heap::is_number(*wanted) => {
                let size = match list {
                    Value::List(id) => heap.items(*id).len() as i64,
                    Value::Map(_) => -1,
                    _ => return Ok(false),
                };
                size == heap.long(*wanted)
            }
            _ => false,
        },
        Relation::Empty => {
            let empty = match left {
                Operand::Value(Value::Str(text)) => heap.str(*text).is_empty(),
                Operand::Value(Value::List(id)) | Operand::Written(Value::List(id)) => heap.items(*id).is_empty(),
                Operand::Value(Value::Map(id)) | Operand::Written(Value::Map(id)) => {
                    heap.dict(*id).entries().is_empty()
                }
                _ => return Ok(false),
            };
            match right {
                Operand::Value(Value::Bool(wanted)) => empty == *wanted,
                _ => return Err(Fail::Invalid("EMPTY needs true or false".to_owned())),
            }
        }
        Relation::SubsetOf => every(heap, left, right, true)?,
        Relation::NoneOf => every(heap, left, right, false)?,
        Relation::AnyOf => match (members(heap, left)?, members(heap, right)?) {
            (Some(_), Some(_)) => !every(heap, left, right, false)?,
            _ => false,
        },
        Relation::Never => return Err(Fail::Invalid("an operator that cannot be used here".to_owned())),
    })
}

/// Which class Jayway keeps an operand in.
fn class(operand: &Operand<'_, '_>) -> u8 {
    match operand {
        Operand::Undefined => 0,
        Operand::Pattern(_) => 1,
        Operand::Written(_) => 2,
        Operand::Value(value) => match value {
            Value::Str(_) | Value::Char(_) => 3,
            Value::Bool(_) => 4,
            Value::Null => 5,
            Value::List(_) | Value::Map(_) => 2,
            Value::Foreign(_) => 6,
            _ => 7,
        },
    }
}

fn same_class(left: &Operand<'_, '_>, right: &Operand<'_, '_>) -> bool {
    class(left) == class(right)
}

fn equal<'a>(heap: &mut Heap<'a>, left: &Operand<'_, 'a>, right: &Operand<'_, 'a>) -> Walked<bool> {
    let (Operand::Value(left), Operand::Value(right) | Operand::Written(right)) = (left, right) else {
        return Ok(false);
    };
    let (left, right) = (*left, *right);
    Ok(match (left, right) {
        (Value::Str(text), number) if Heap::is_number(number) => {
            let mut printed = String::new();
            heap.print(number, &mut printed, 1000, &|_, _| {})?;
            heap.str(text) == printed
        }
        (number, Value::Str(text)) if Heap::is_number(number) => {
            let text = heap.str(text);
            match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(whole), _) => heap.order(number, Value::Long(whole)) == Some(Ordering::Equal),
                (_, Ok(other)) if other.is_finite() => heap.double(number) == other,
                _ => false,
            }
        }
        (left, right) if Heap::is_number(left) && Heap::is_number(right) => {
            heap.order(left, right) == Some(Ordering::Equal)
        }
        _ => heap.equals(left, right)?,
    })
}

fn order<'a>(heap: &Heap<'a>, left: &Operand<'_, 'a>, right: &Operand<'_, 'a>) -> Option<Ordering> {
    let (Operand::Value(left), Operand::Value(right)) = (left, right) else { return None };
    match (*left, *right) {
        (Value::Str(left), Value::Str(right)) => {
            Some(heap.str(left).encode_utf16().cmp(heap.str(right).encode_utf16()))
        }
        (left, right) => heap.order(left, right),
    }
}

fn matches_pattern<'a>(heap: &mut Heap<'a>, left: &Operand<'_, 'a>, right: &Operand<'_, 'a>) -> Walked<bool> {
    let (pattern, other) = match (left, right) {
        (Operand::Pattern(pattern), other) | (other, Operand::Pattern(pattern))
            if !matches!(other, Operand::Pattern(_)) =>
        {
            (pattern, other)
        }
        _ => return Ok(false),
    };
    let inputs: Vec<Value<'a>> = match other {
        Operand::Value(Value::List(id)) | Operand::Written(Value::List(id)) => {
            heap.charge(heap.items(*id).len() / 8)?;
            heap.items(*id).to_vec()
        }
        Operand::Value(value) => vec![*value],
        _ => vec![Value::Null],
    };
    for input in inputs {
        let mut text = String::new();
        if matches!(input, Value::Str(_) | Value::Bool(_)) || Heap::is_number(input) {
            heap.print(input, &mut text, heap.memory_left(), &|_, _| {})?;
        }
        heap.charge(pattern.cost(text.len()))?;
        if pattern.matches(&text)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The elements of a list; `None` for another document.
fn members<'a>(heap: &Heap<'a>, operand: &Operand<'_, 'a>) -> Walked<Option<Vec<Value<'a>>>> {
    match operand {
        Operand::Value(Value::List(id)) | Operand::Written(Value::List(id)) => {
            if matches!(heap.listing(*id).kind, ListKind::Set) {
                return Ok(None);
            }
            let items = heap.items(*id);
            if items.iter().any(|item| matches!(item, Value::List(_) | Value::Map(_))) {
                return Err(Fail::Other("a list that is compared may hold plain values only".to_owned()));
            }
            Ok(Some(items.to_vec()))
        }
        Operand::Value(Value::Map(_)) | Operand::Written(_) => Ok(None),
        _ => Err(Fail::Invalid("a list is needed here".to_owned())),
    }
}

fn contains<'a>(heap: &mut Heap<'a>, list: &Operand<'_, 'a>, one: &Operand<'_, 'a>) -> Walked<Option<bool>> {
    let Some(members) = members(heap, list)? else { return Ok(None) };
    heap.charge(members.len())?;
    for member in members {
        if equal(heap, &Operand::Value(member), one)? {
            return Ok(Some(true));
        }
    }
    Ok(Some(false))
}

/// Whether every element of the left list stands in the right one, or none does.
fn every<'a>(heap: &mut Heap<'a>, left: &Operand<'_, 'a>, right: &Operand<'_, 'a>, there: bool) -> Walked<bool> {
    let (Some(right_members), Some(members)) = (members(heap, right)?, members(heap, left)?) else {
        return Ok(false);
    };
    for member in members {
        heap.charge(right_members.len())?;
        let mut found = false;
        for other in &right_members {
            found = found || equal(heap, &Operand::Value(member), &Operand::Value(*other))?;
        }
        if found != there {
            return Ok(false);
        }
    }
    Ok(true)
}
