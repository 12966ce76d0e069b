//! Methods of numbers, booleans and characters, the static ones too: templates call `$number.parseInt("5")`.

use super::method::Method;
use super::node::Place;
use super::run::{At, Ran, Run, fail};
use crate::spec::object::{Heap, Value};
use std::cmp::Ordering;

impl<'a> Run<'a> {
    pub(super) fn number_method(
        &mut self,
        this: Value<'a>,
        method: Method,
        arguments: &[Value<'a>],
        place: Place,
    ) -> Ran<Value<'a>> {
        if let Value::Bool(value) = this {
            return Ok(match (method, arguments) {
                (Method::BooleanValue, []) => Value::Bool(value),
                (Method::CompareTo, [Value::Bool(other)]) => Value::Int(order(value.cmp(other))),
                (Method::ParseBoolean | Method::ValueOf, [Value::Str(text)]) => {
                    Value::Bool(self.heap.str(*text).eq_ignore_ascii_case("true"))
                }
                _ => Value::Null,
            });
        }
        if !Heap::is_number(this) {
            return Ok(Value::Null);
        }
        let (long, double) = (self.heap.long(this), self.heap.double(this));
        Ok(match (method, arguments) {
            (Method::IntValue, []) => Value::Int(self.heap.int(this)),
            (Method::LongValue, []) => Value::Long(long),
            (Method::DoubleValue, []) => Value::Double(double),
            (Method::ShortValue, []) => Value::Int(i32::from(self.heap.int(this) as i16)),
            (Method::ByteValue, []) => Value::Int(i32::from(self.heap.int(this) as i8)),
            (Method::CompareTo, [other]) if same_class(this, *other) => {
                Value::Int(self.heap.order(this, *other).map_or(0, order))
            }
            (Method::IsNaN, []) if matches!(this, Value::Double(_)) => Value::Bool(double.is_nan()),
            (Method::IsInfinite, []) if matches!(this, Value::Double(_)) => Value::Bool(double.is_infinite()),
            _ => return self.static_method(this, method, arguments, place),
        })
    }

    fn static_method(
        &mut self,
        this: Value<'a>,
        method: Method,
        arguments: &[Value<'a>],
        place: Place,
    ) -> Ran<Value<'a>> {
        let text = match arguments.first() {
            Some(Value::Str(text)) => Some(self.heap.str(*text).to_owned()),
            _ => None,
        };
        self.heap.charge(text.as_ref().map_or(0, |text| text.len() / 16)).at(place)?;
        let radix = match arguments {
            [_] => 10,
            [_, Value::Int(radix @ 2..=36)] => *radix as u32,
            _ => 0,
        };
        let wrong =
            |text: &str| fail(place, format!("{:?} is no such number", text.chars().take(40).collect::<String>()));
        Ok(match (this, method, text) {
            (Value::Int(_), Method::ParseInt | Method::ValueOf, Some(text)) if radix > 0 => {
                i32::from_str_radix(&text, radix).map(Value::Int).map_err(|_| wrong(&text))?
            }
            (Value::Long(_), Method::ParseLong | Method::ValueOf, Some(text)) if radix > 0 => {
                i64::from_str_radix(&text, radix).map(Value::Long).map_err(|_| wrong(&text))?
            }
            (Value::Double(_), Method::ParseDouble | Method::ValueOf, Some(text)) => text
                .trim()
                .trim_end_matches(['d', 'D', 'f', 'F'])
                .parse()
                .map(Value::Double)
                .map_err(|_| wrong(&text))?,
            (Value::Int(_), Method::ValueOf, None) => match arguments {
                [Value::Int(number)] => Value::Int(*number),
                _ => Value::Null,
            },
            (
                Value::Int(_) | Value::Long(_) | Value::Double(_),
                Method::Max | Method::Min | Method::Sum | Method::Compare,
                _,
            ) => match arguments {
                [left, right] if same_class(this, *left) && same_class(this, *right) => self.two(method, *left, *right),
                _ => Value::Null,
            },
            (Value::Int(_), Method::ToHexString | Method::ToBinaryString, _) => match arguments {
                [Value::Int(number)] => {
                    let text =
                        if method == Method::ToHexString { format!("{number:x}") } else { format!("{number:b}") };
                    return self.text(text, place);
                }
                _ => Value::Null,
            },
            (_, Method::ToString, _) => match arguments {
                [value] if same_class(this, *value) => {
                    let text = self.string(*value, place)?;
                    return self.text(text, place);
                }
                _ => Value::Null,
            },
            _ => Value::Null,
        })
    }

    fn two(&self, method: Method, left: Value<'a>, right: Value<'a>) -> Value<'a> {
        let ordering = self.heap.order(left, right).unwrap_or(Ordering::Equal);
        match (method, left, right) {
            (Method::Compare, ..) => Value::Int(order(ordering)),
            (Method::Max, ..) => {
                if ordering == Ordering::Less {
                    right
                } else {
                    left
                }
            }
            (Method::Min, ..) => {
                if ordering == Ordering::Greater {
                    right
                } else {
                    left
                }
            }
            (_, Value::Int(left), Value::Int(right)) => Value::Int(left.wrapping_add(right)),
            (_, Value::Long(left), Value::Long(right)) => Value::Long(left.wrapping_add(right)),
            (_, left, right) => Value::Double(self.heap.double(left) + self.heap.double(right)),
        }
    }
}

fn order(ordering: Ordering) -> i32 {
    ordering as i32
}

fn same_class(left: Value<'_>, right: Value<'_>) -> bool {
    matches!(
        (left, right),
        (Value::Int(_), Value::Int(_))
            | (Value::Long(_), Value::Long(_))
            | (Value::Double(_), Value::Double(_))
            | (Value::Big(_), Value::Big(_))
            | (Value::Decimal(_), Value::Decimal(_))
    )
}
