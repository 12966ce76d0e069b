//! Java's `equals` over the objects of a heap.

use super::{Exceeded, Heap, ListKind, MOST_DEPTH, Value};

impl<'a> Heap<'a> {
    /// `left.equals(right)`: same class and same content; numbers of different classes differ.
    pub fn equals(&mut self, left: Value<'a>, right: Value<'a>) -> Result<bool, Exceeded> {
        self.same(left, right, 0)
    }

    fn same(&mut self, left: Value<'a>, right: Value<'a>, depth: usize) -> Result<bool, Exceeded> {
        self.charge(1)?;
        Ok(match (left, right) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Char(a), Value::Char(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Long(a), Value::Long(b)) => a == b,
            (Value::Double(a), Value::Double(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            (Value::Big(a), Value::Big(b)) => self.big_of(a) == self.big_of(b),
            (Value::Str(a), Value::Str(b)) | (Value::Decimal(a), Value::Decimal(b)) => {
                let same = self.str(a) == self.str(b);
                self.charge(self.str(a).len() / 256)?;
                same
            }
            (Value::Foreign(a), Value::Foreign(b)) => a == b,
            (Value::List(a), Value::List(b)) => {
                if a == b {
                    return Ok(true);
                }
                if depth >= MOST_DEPTH {
                    return Err(Exceeded::Depth);
                }
                let ordered = |kind| matches!(kind, ListKind::Json | ListKind::Java);
                let count = self.items(a).len();
                if !ordered(self.listing(a).kind) || !ordered(self.listing(b).kind) || count != self.items(b).len() {
                    return Ok(false);
                }
                for at in 0..count {
                    let (x, y) = (self.items(a)[at], self.items(b)[at]);
                    if !self.same(x, y, depth + 1)? {
                        return Ok(false);
                    }
                }
                true
            }
            (Value::Map(a), Value::Map(b)) => {
                if a == b {
                    return Ok(true);
                }
                if depth >= MOST_DEPTH {
                    return Err(Exceeded::Depth);
                }
                let count = self.dict(a).entries().len();
                if count != self.dict(b).entries().len() {
                    return Ok(false);
                }
                for at in 0..count {
                    let (key, x) = self.dict(a).entries()[at];
                    let Some(y) = self.get(b, key)? else { return Ok(false) };
                    if !self.same(x, y, depth + 1)? {
                        return Ok(false);
                    }
                }
                true
            }
            _ => false,
        })
    }
}
