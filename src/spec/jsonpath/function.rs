//! Functions at the end of a path: `length()`, `min()`, `avg()` and the others.

use super::evaluate::{Fail, Walk, Walked, tokens_value};
use super::{Parameter, Token};
use crate::spec::object::{Exceeded, Heap, ListKind, Value};

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Avg,
    Stddev,
    Sum,
    Min,
    Max,
    Concat,
    Length,
    Append,
    Keys,
    First,
    Last,
    Index,
}

impl Function {
    pub(super) fn of(name: &str) -> Option<Function> {
        Some(match name {
            "avg" => Function::Avg,
            "stddev" => Function::Stddev,
            "sum" => Function::Sum,
            "min" => Function::Min,
            "max" => Function::Max,
            "concat" => Function::Concat,
            "length" | "size" => Function::Length,
            "append" => Function::Append,
            "keys" => Function::Keys,
            "first" => Function::First,
            "last" => Function::Last,
            "index" => Function::Index,
            _ => return None,
        })
    }
}

pub(super) fn call<'a>(
    function: Function,
    parameters: &[Parameter],
    walk: &mut Walk<'_, 'a>,
    model: Value<'a>,
) -> Walked<Value<'a>> {
    match function {
        Function::Length => length(parameters, walk, model),
        Function::Concat => concat(parameters, walk, model),
        Function::Append => {
            for parameter in parameters {
                let value = walk.argument(parameter)?;
                if let Value::List(id) = model {
                    walk.heap.take(24)?;
                    walk.heap.items_mut(id).push(value);
                }
            }
            Ok(model)
        }
        Function::Keys => match model {
            Value::Map(id) => {
                let keys = walk.heap.dict(id).entries().iter().map(|(key, _)| *key).collect();
                Ok(walk.heap.list(ListKind::Set, keys)?)
            }
            _ => Ok(Value::Null),
        },
        Function::First | Function::Last | Function::Index => sequence(function, parameters, walk, model),
        _ => aggregate(function, parameters, walk, model),
    }
}

fn length<'a>(parameters: &[Parameter], walk: &mut Walk<'_, 'a>, model: Value<'a>) -> Walked<Value<'a>> {
    if let Some(Parameter::Path(path)) = parameters.first() {
        let function_at_end = matches!(path.tokens.last(), Some(Token::Function(..)));
        let inner = if function_at_end || path.tokens.is_empty() {
            super::evaluate::value(path, walk.heap, model, model, false)?
        } else {
            // What the path finds is counted one level deeper.
            let found = super::evaluate::value(path, walk.heap, model, model, false);
            match found {
                Ok(found) if path.is_definite() => {
                    tokens_value(&[Token::Wildcard], &[true, false], walk.heap, found, model, false)?
                }
                Ok(Value::List(id)) if !matches!(path.tokens.last(), Some(Token::Scan)) => {
                    let mut all = Vec::new();
                    for item in walk.heap.items(id).to_vec() {
                        if let Value::List(inner) =
                            tokens_value(&[Token::Wildcard], &[true, false], walk.heap, item, model, false)?
                        {
                            all.extend_from_slice(walk.heap.items(inner));
                        }
                    }
                    walk.heap.list(ListKind::Json, all)?
                }
                Ok(found) => found,
                Err(Fail::Other(_)) => tokens_value(
                    &[Token::Scan, Token::Wildcard],
                    &[true, false, false],
                    walk.heap,
                    model,
                    model,
                    false,
                )?,
                Err(other) => return Err(other),
            }
        };
        if let Value::List(id) = inner {
            return Ok(Value::Int(walk.heap.items(id).len() as i32));
        }
    }
    Ok(match model {
        Value::List(id) => Value::Int(walk.heap.items(id).len() as i32),
        Value::Map(id) => Value::Int(walk.heap.dict(id).entries().len() as i32),
        _ => Value::Null,
    })
}

/// The values of all arguments, lists opened.
fn arguments<'a>(parameters: &[Parameter], walk: &mut Walk<'_, 'a>) -> Walked<Vec<Value<'a>>> {
    let mut all = Vec::new();
    for parameter in parameters {
        match walk.argument(parameter)? {
            Value::List(id) => all.extend_from_slice(walk.heap.items(id)),
            value => all.push(value),
        }
        walk.heap.charge(all.len())?;
    }
    Ok(all)
}

fn concat<'a>(parameters: &[Parameter], walk: &mut Walk<'_, 'a>, model: Value<'a>) -> Walked<Value<'a>> {
    let mut out = String::new();
    let most = walk.heap.memory_left();
    if let Value::List(id) = model {
        for item in walk.heap.items(id) {
            if let Value::Str(text) = item {
                out.push_str(walk.heap.str(*text));
                if out.len() > most {
                    return Err(Exceeded::Memory.into());
                }
            }
        }
    }
    for value in arguments(parameters, walk)? {
        if !matches!(value, Value::Null) {
            walk.heap.print(value, &mut out, most, &|_, _| {})?;
        }
    }
    Ok(walk.heap.text(out)?)
}

fn sequence<'a>(
    function: Function,
    parameters: &[Parameter],
    walk: &mut Walk<'_, 'a>,
    model: Value<'a>,
) -> Walked<Value<'a>> {
    let nothing = || Fail::Other("a function was called on something without elements".to_owned());
    let Value::List(id) = model else { return Err(nothing()) };
    let index = match function {
        Function::First => 0,
        Function::Last => -1,
        _ => {
            let numbers = arguments(parameters, walk)?;
            let first = numbers.into_iter().find(|value| Heap::is_number(*value)).ok_or_else(nothing)?;
            i64::from(walk.heap.int(first))
        }
    };
    let items = walk.heap.items(id);
    let at = match index {
        0.. => index,
        // Counted from the end, the very first element is out of Jayway's reach.
        _ if items.len() as i64 + index > 0 => items.len() as i64 + index,
        _ => return Err(nothing()),
    };
    items.get(at as usize).copied().ok_or_else(nothing)
}

fn aggregate<'a>(
    function: Function,
    parameters: &[Parameter],
    walk: &mut Walk<'_, 'a>,
    model: Value<'a>,
) -> Walked<Value<'a>> {
    let mut numbers: Vec<f64> = Vec::new();
    if let Value::List(id) = model {
        walk.heap.charge(walk.heap.items(id).len())?;
        numbers.extend(walk.heap.items(id).iter().filter(|item| Heap::is_number(**item)).map(|n| walk.heap.double(*n)));
    }
    let more = arguments(parameters, walk)?;
    numbers.extend(more.into_iter().filter(|item| Heap::is_number(*item)).map(|n| walk.heap.double(n)));
    if numbers.is_empty() {
        return Err(Fail::Other("a function was called on something without numbers".to_owned()));
    }
    let count = numbers.len() as f64;
    let sum = numbers.iter().fold(0.0, |sum, number| sum + number);
    Ok(Value::Double(match function {
        Function::Min => numbers.iter().copied().fold(f64::MAX, |least, n| if n < least { n } else { least }),
        Function::Max => numbers.iter().copied().fold(-f64::MAX, |most, n| if n > most { n } else { most }),
        Function::Sum => sum,
        Function::Avg => sum / count,
        _ => {
            let squares = numbers.iter().fold(0.0, |sum, number| sum + number * number);
            (squares / count - sum * sum / count / count).sqrt()
        }
    }))
}
