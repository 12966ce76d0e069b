//! Velocity's arithmetic on Java's numbers, and how Java prints a `double`.

use super::{Big, Exceeded, Heap, Value};
use std::cmp::Ordering;
use std::fmt::Write as _;

/// An arithmetic operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
}

/// Bytes of the largest `BigInteger` that arithmetic may make.
const MOST_BIG: usize = 1024;

/// In which numbers two operands meet.
enum Base {
    Long(i64, i64, bool),
    Big(Big, Big),
    Double(f64, f64),
}

impl<'a> Heap<'a> {
    /// Whether it is a `Number`.
    pub fn is_number(value: Value<'a>) -> bool {
        matches!(value, Value::Int(_) | Value::Long(_) | Value::Double(_) | Value::Big(_) | Value::Decimal(_))
    }

    /// `doubleValue()`; what is no number is NaN.
    pub fn double(&self, value: Value<'a>) -> f64 {
        match value {
            Value::Int(n) => f64::from(n),
            Value::Long(n) => n as f64,
            Value::Double(n) => n,
            Value::Big(id) => self.big_of(id).double(),
            Value::Decimal(text) => self.str(text).parse().unwrap_or(f64::NAN),
            _ => f64::NAN,
        }
    }

    /// `longValue()`; what is no number is 0.
    pub fn long(&self, value: Value<'a>) -> i64 {
        match value {
            Value::Int(n) => i64::from(n),
            Value::Long(n) => n,
            Value::Big(id) => self.big_of(id).low(),
            Value::Double(n) => n as i64,
            Value::Decimal(_) => self.double(value) as i64,
            _ => 0,
        }
    }

    /// `intValue()`; what is no number is 0.
    pub fn int(&self, value: Value<'a>) -> i32 {
        match value {
            Value::Double(n) => n as i32,
            Value::Decimal(_) => self.double(value) as i64 as i32,
            _ => self.long(value) as i32,
        }
    }

    fn base(&self, left: Value<'a>, right: Value<'a>) -> Option<Base> {
        let whole = |value| match value {
            Value::Int(n) => Some((i64::from(n), false)),
            Value::Long(n) => Some((n, true)),
            _ => None,
        };
        if let (Some((a, long)), Some((b, other))) = (whole(left), whole(right)) {
            return Some(Base::Long(a, b, long || other));
        }
        if !Heap::is_number(left) || !Heap::is_number(right) {
            return None;
        }
        let fraction = |value| matches!(value, Value::Double(_) | Value::Decimal(_));
        if fraction(left) || fraction(right) {
            return Some(Base::Double(self.double(left), self.double(right)));
        }
        let big = |value| match value {
            Value::Big(id) => self.big_of(id).clone(),
            other => Big::of(self.long(other)),
        };
        Some(Base::Big(big(left), big(right)))
    }

    /// `left op right`. `None`: an operand is no number, or the divisor is zero; Velocity's answer is null then.
    /// Whole numbers stay whole and grow as they must; a `BigDecimal` counts as its nearest `double`.
    pub fn arithmetic(
        &mut self,
        operator: Operator,
        left: Value<'a>,
        right: Value<'a>,
    ) -> Result<Option<Value<'a>>, Exceeded> {
        self.charge(1)?;
        match self.base(left, right) {
            None => Ok(None),
            Some(Base::Double(a, b)) => Ok(doubles(operator, a, b).map(Value::Double)),
            Some(Base::Long(a, b, long)) => {
                let result = match operator {
                    Operator::Add => a.checked_add(b),
                    Operator::Subtract => a.checked_sub(b),
                    Operator::Multiply => a.checked_mul(b),
                    Operator::Divide | Operator::Modulo if b == 0 => return Ok(None),
                    Operator::Divide => Some(a.wrapping_div(b)),
                    Operator::Modulo => Some(a.wrapping_rem(b)),
                };
                match (result, long) {
                    (Some(result), false) => Ok(Some(i32::try_from(result).map_or(Value::Long(result), Value::Int))),
                    (Some(result), true) => Ok(Some(Value::Long(result))),
                    (None, _) => self.bigs(operator, &Big::of(a), &Big::of(b)),
                }
            }
            Some(Base::Big(a, b)) => self.bigs(operator, &a, &b),
        }
    }

    fn bigs(&mut self, operator: Operator, a: &Big, b: &Big) -> Result<Option<Value<'a>>, Exceeded> {
        self.charge(1 + a.bytes() * b.bytes() / 64)?;
        let result = match operator {
            Operator::Add => a.plus(b),
            Operator::Subtract => a.minus(b),
            Operator::Multiply => a.times(b),
            Operator::Divide => match a.divide(b) {
                Some((quotient, _)) => quotient,
                None => return Ok(None),
            },
            Operator::Modulo => match a.divide(b) {
                // Java's `mod`: never negative.
                Some((_, rest)) if rest.order(&Big::of(0)) == Ordering::Less => rest.plus(b),
                Some((_, rest)) => rest,
                None => return Ok(None),
            },
        };
        if result.bytes() > MOST_BIG {
            return Err(Exceeded::Memory);
        }
        self.big(result).map(Some)
    }

    /// Which of two numbers is greater; `None` when one of them is no number. NaN counts as equal, as in Velocity.
    pub fn order(&self, left: Value<'a>, right: Value<'a>) -> Option<Ordering> {
        Some(match self.base(left, right)? {
            Base::Long(a, b, _) => a.cmp(&b),
            Base::Big(a, b) => a.order(&b),
            Base::Double(a, b) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        })
    }
}

fn doubles(operator: Operator, a: f64, b: f64) -> Option<f64> {
    Some(match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide | Operator::Modulo if b == 0.0 => return None,
        Operator::Divide => a / b,
        Operator::Modulo => a % b,
    })
}

/// Prints a `double` as Java's `Double.toString` does: the shortest digits that read back, always with a fraction,
/// with an exponent below 10⁻³ and from 10⁷.
pub fn java_double(number: f64, out: &mut String) {
    if number.is_nan() {
        return out.push_str("NaN");
    }
    if number.is_infinite() {
        return out.push_str(if number < 0.0 { "-Infinity" } else { "Infinity" });
    }
    // With one or two digits after the point, which prices have, no other decimal of so few reads back as this number.
    if (0.001..1e7).contains(&number) {
        let hundredths = (number * 100.0).round();
        if hundredths / 100.0 == number {
            let (whole, rest) = (hundredths as u64 / 100, hundredths as u64 % 100);
            super::print::push_int(out, whole as i64);
            out.push('.');
            out.push(char::from(b'0' + (rest / 10) as u8));
            if rest % 10 != 0 {
                out.push(char::from(b'0' + (rest % 10) as u8));
            }
            return;
        }
    }
    if number == 0.0 || (1e-3..1e7).contains(&number.abs()) {
        let start = out.len();
        let _ = write!(out, "{number}");
        if !out[start..].contains('.') {
            out.push_str(".0");
        }
        return;
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    out.push_str(digits);
    if !digits.contains('.') {
        out.push_str(".0");
    }
    out.push('E');
    out.push_str(exponent);
}
