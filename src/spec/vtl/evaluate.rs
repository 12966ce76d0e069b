//! Expressions and references of a run.

use super::node::{Arithmetic, Compare, Expression, Interpolated, Node, Place, Reference, Sort, Step};
use super::run::{At, EMPTY, Ran, Run, fail, kind};
use crate::spec::object::{Big, Exceeded, Heap, ListKind, Operator, Text, Value};
use std::cmp::Ordering;

/// Elements of the longest range.
const MOST_RANGE: i64 = 1 << 20;

impl<'a> Run<'a> {
    /// An expression's value.
    pub(super) fn value(&mut self, expression: &'a Expression) -> Ran<Value<'a>> {
        Ok(match expression {
            Expression::Reference(reference) => return self.reference(reference),
            Expression::Str(text) => Value::Str(Text::Lent(text)),
            Expression::Bool(value) => Value::Bool(*value),
            Expression::Int(number) => Value::Int(*number),
            Expression::Long(number) => Value::Long(*number),
            Expression::Double(number) => Value::Double(*number),
            Expression::Big(digits) => match (digits.len() < 2000).then(|| Big::parse(digits)).flatten() {
                Some(number) => self.heap.big(number).at(0)?,
                None => return Err(fail(0, "a number has too many digits")),
            },
            Expression::Interpolated(text) => return self.deeper(0, |run| run.interpolated(text)),
            Expression::Arithmetic(arithmetic) => {
                return self.deeper(arithmetic.place, |run| run.arithmetic(arithmetic));
            }
            Expression::Compare(..) | Expression::And(_) | Expression::Or(_) | Expression::Not(_) => {
                Value::Bool(self.deeper(0, |run| run.holds(expression))?)
            }
            Expression::Range(bounds) => return self.range(&bounds.0, &bounds.1),
            Expression::List(items) => {
                self.heap.charge(1 + items.len()).at(0)?;
                let items = self.deeper(0, |run| items.iter().map(|item| run.value(item)).collect::<Ran<Vec<_>>>())?;
                self.heap.list(ListKind::Java, items).at(0)?
            }
            Expression::Map(entries) => {
                let id = self.heap.map().at(0)?;
                self.deeper(0, |run| {
                    for (key, value) in entries {
                        let (key, value) = (run.value(key)?, run.value(value)?);
                        run.heap.put(id, key, value).at(0)?;
                    }
                    Ok(())
                })?;
                Value::Map(id)
            }
        })
    }

    /// Whether `#if` takes an expression for true. Strings, numbers, lists and maps that are written out are not.
    pub(super) fn holds(&mut self, expression: &'a Expression) -> Ran<bool> {
        self.heap.charge(1).at(0)?;
        Ok(match expression {
            Expression::Bool(value) => *value,
            // It has no value, but as a condition it is a reference that is not defined.
            Expression::Reference(reference) if reference.sort == Sort::Mute => true,
            Expression::Reference(reference) => match self.reference(reference)? {
                Value::Bool(value) => value,
                Value::Null => false,
                Value::Foreign(object) if object.kind == kind::BLOCK => {
                    let block = self.blocks[object.id as usize];
                    block.running < block.most
                }
                _ => true,
            },
            Expression::Not(inner) => !self.deeper(0, |run| run.holds(inner))?,
            Expression::And(sides) => self.deeper(0, |run| Ok(run.holds(&sides.0)? && run.holds(&sides.1)?))?,
            Expression::Or(sides) => self.deeper(0, |run| Ok(run.holds(&sides.0)? || run.holds(&sides.1)?))?,
            Expression::Compare(how, sides) => self.deeper(0, |run| run.compare(*how, &sides.0, &sides.1))?,
            _ => false,
        })
    }

    fn compare(&mut self, how: Compare, left: &'a Expression, right: &'a Expression) -> Ran<bool> {
        let (left, right) = (self.value(left)?, self.value(right)?);
        let order = self.heap.order(left, right);
        Ok(match how {
            Compare::Equal => self.equal(left, right, order)?,
            Compare::Unequal => !self.equal(left, right, order)?,
            Compare::Less => order == Some(Ordering::Less),
            Compare::Greater => order == Some(Ordering::Greater),
            Compare::AtMost => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Compare::AtLeast => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        })
    }

    /// Numbers by value, objects of one class by `equals`, all else by what they print.
    fn equal(&mut self, left: Value<'a>, right: Value<'a>, order: Option<Ordering>) -> Ran<bool> {
        if let Some(order) = order {
            return Ok(order == Ordering::Equal);
        }
        if same_class(left, right) {
            return self.heap.equals(left, right).at(0);
        }
        match (left, right) {
            (Value::Null, _) | (_, Value::Null) => Ok(false),
            _ => {
                let (left, right) = (self.string(left, 0)?, self.string(right, 0)?);
                self.heap.charge((left.len() + right.len()) / 64).at(0)?;
                Ok(left == right)
            }
        }
    }

    fn arithmetic(&mut self, arithmetic: &'a Arithmetic) -> Ran<Value<'a>> {
        let left = self.value(&arithmetic.left)?;
        let right = self.value(&arithmetic.right)?;
        let strings = |value| matches!(value, Value::Str(_));
        if arithmetic.operator == Operator::Add && (strings(left) || strings(right)) {
            let place = arithmetic.place;
            let mut text = String::new();
            for (value, second) in [(left, false), (right, true)] {
                match (value, &arithmetic.literals) {
                    (Value::Null, Some(literals)) => text.push_str(if second { &literals.1 } else { &literals.0 }),
                    (value, _) => self.print(value, &mut text, place)?,
                }
            }
            return self.text(text, place);
        }
        if arithmetic.operator == Operator::Modulo {
            // Velocity counts these as `BigDecimal`, which has no remainder.
            let big = |one, other| match (one, other) {
                (Value::Decimal(_), other) => Heap::is_number(other),
                (Value::Big(_), Value::Double(_)) => true,
                _ => false,
            };
            if big(left, right) || big(right, left) {
                return Err(fail(arithmetic.place, "a decimal of so many digits has no remainder"));
            }
            let beyond = matches!(left, Value::Big(_)) || matches!(right, Value::Big(_));
            if beyond && self.heap.order(right, Value::Int(0)) == Some(Ordering::Less) {
                return Err(fail(arithmetic.place, "a number beyond long has no remainder by a negative one"));
            }
        }
        Ok(self.heap.arithmetic(arithmetic.operator, left, right).at(arithmetic.place)?.unwrap_or(Value::Null))
    }

    fn range(&mut self, first: &'a Expression, last: &'a Expression) -> Ran<Value<'a>> {
        let (first, last) = (self.value(first)?, self.value(last)?);
        if !Heap::is_number(first) || !Heap::is_number(last) {
            return Ok(Value::Null);
        }
        let (from, to) = (i64::from(self.heap.int(first)), i64::from(self.heap.int(last)));
        if (to - from).abs() >= MOST_RANGE {
            return Err(fail(0, Exceeded::Memory.to_string()));
        }
        let count = (to - from).abs() + 1;
        self.heap.charge(count as usize / 4).at(0)?;
        let step = if from >= to { -1 } else { 1 };
        let items = (0..count).map(|n| Value::Int((from + n * step) as i32)).collect();
        self.heap.list(ListKind::Java, items).at(0)
    }

    fn interpolated(&mut self, text: &'a Interpolated) -> Ran<Value<'a>> {
        // A lone reference need not be printed into a string of its own when it is one already.
        if let ([Node::Reference(reference)], false) = (&text.body[..], text.strip)
            && reference.sort == Sort::Normal
            && reference.prefix.is_empty()
        {
            let value = self.reference(reference)?;
            if matches!(value, Value::Str(_)) {
                return Ok(value);
            }
            if !matches!(value, Value::Foreign(object) if object.kind == kind::BLOCK) {
                let mut out = String::new();
                self.print(value, &mut out, reference.place)?;
                return self.text(out, reference.place);
            }
        }
        let before = std::mem::take(&mut self.out);
        let result = self.block(&text.body);
        let mut made = std::mem::replace(&mut self.out, before);
        result?;
        if text.strip {
            made.pop();
        }
        self.text(made, 0)
    }

    /// A reference's value: what is undefined is the empty string. Null only for what has no value by its form.
    pub(super) fn reference(&mut self, reference: &'a Reference) -> Ran<Value<'a>> {
        self.heap.charge(1).at(reference.place)?;
        if matches!(reference.sort, Sort::Runt | Sort::Mute) {
            return Ok(Value::Null);
        }
        let mut value = self.get(reference.slot)?;
        for step in &reference.steps {
            // A property of a map is read in place: a value that is given back waits for its own bytes.
            if let (Value::Map(id), Step::Property(property)) = (value, step) {
                match self.heap.at_hint(id, &property.name, &property.hint) {
                    Some(found) => value = found,
                    None => return Ok(EMPTY),
                }
                continue;
            }
            if matches!(value, Value::Null) {
                return Ok(EMPTY);
            }
            value = self.step(value, step)?;
        }
        Ok(if matches!(value, Value::Null) { EMPTY } else { value })
    }

    /// One step; null where it leads nowhere.
    pub(super) fn step(&mut self, value: Value<'a>, step: &'a Step) -> Ran<Value<'a>> {
        match step {
            Step::Property(property) => match value {
                Value::Map(id) => Ok(self.heap.at_hint(id, &property.name, &property.hint).unwrap_or(Value::Null)),
                other => self.property(other, &property.name, property.place),
            },
            Step::Index(index, place) => {
                let index = self.deeper(*place, |run| run.value(index))?;
                self.index(value, index, *place)
            }
            Step::Call(invocation) => {
                self.heap.charge(1).at(invocation.place)?;
                let mut few = [Value::Null; 4];
                let count = invocation.arguments.len();
                if count > few.len() {
                    let many = self.deeper(invocation.place, |run| {
                        invocation.arguments.iter().map(|argument| run.value(argument)).collect::<Ran<Vec<_>>>()
                    })?;
                    return self.call(value, invocation, &many);
                }
                for (place, argument) in few.iter_mut().zip(&invocation.arguments) {
                    *place = match argument {
                        Expression::Str(text) => Value::Str(Text::Lent(text)),
                        other => self.deeper(invocation.place, |run| run.value(other))?,
                    };
                }
                self.call(value, invocation, &few[..count])
            }
        }
    }

    /// What a value prints, as text of its own.
    pub(super) fn string(&mut self, value: Value<'a>, place: Place) -> Ran<String> {
        let mut out = String::new();
        self.print(value, &mut out, place)?;
        self.heap.take(out.len()).at(place)?;
        Ok(out)
    }
}

/// Whether one's class extends the other's. Numbers are compared before.
fn same_class(left: Value<'_>, right: Value<'_>) -> bool {
    matches!(
        (left, right),
        (Value::Null, Value::Null)
            | (Value::Bool(_), Value::Bool(_))
            | (Value::Char(_), Value::Char(_))
            | (Value::Str(_), Value::Str(_))
            | (Value::List(_), Value::List(_))
            | (Value::Map(_), Value::Map(_))
            | (Value::Foreign(_), Value::Foreign(_))
    )
}
