//! Java's `BigInteger`, as much of it as arithmetic in templates reaches.

use std::cmp::Ordering;

/// A whole number of any size, up to a limit that callers enforce by [`Big::bytes`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Big {
    negative: bool,
    /// Least digit first, base 2³², no leading zeros; zero is empty and not negative.
    digits: Vec<u32>,
}

impl Big {
    /// From a `long`.
    pub fn of(number: i64) -> Big {
        let size = number.unsigned_abs();
        Big::with(number < 0, vec![size as u32, (size >> 32) as u32])
    }

    fn with(negative: bool, mut digits: Vec<u32>) -> Big {
        while digits.last() == Some(&0) {
            digits.pop();
        }
        Big { negative: negative && !digits.is_empty(), digits }
    }

    /// From decimal digits with an optional minus; anything else is `None`.
    pub fn parse(text: &str) -> Option<Big> {
        let (negative, body) = match text.strip_prefix('-') {
            Some(body) => (true, body),
            None => (false, text),
        };
        if body.is_empty() || !body.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let mut digits: Vec<u32> = Vec::with_capacity(body.len() / 9 + 1);
        for group in groups(body.as_bytes()) {
            let mut carry = group.1;
            for digit in &mut digits {
                let sum = u64::from(*digit) * group.0 + carry;
                *digit = sum as u32;
                carry = sum >> 32;
            }
            if carry > 0 {
                digits.push(carry as u32);
            }
        }
        Some(Big::with(negative, digits))
    }

    /// Bytes that the number takes.
    pub fn bytes(&self) -> usize {
        self.digits.len() * 4
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// The lowest 64 bits, two's complement, as `longValue` gives them.
    pub fn low(&self) -> i64 {
        let low = u64::from(self.digits.first().copied().unwrap_or(0));
        let high = u64::from(self.digits.get(1).copied().unwrap_or(0));
        let size = (low | (high << 32)) as i64;
        if self.negative { size.wrapping_neg() } else { size }
    }

    /// The nearest `double`.
    pub fn double(&self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// Sum.
    pub fn plus(&self, other: &Big) -> Big {
        if self.negative == other.negative {
            return Big::with(self.negative, add(&self.digits, &other.digits));
        }
        match compare(&self.digits, &other.digits) {
            Ordering::Less => Big::with(other.negative, subtract(&other.digits, &self.digits)),
            _ => Big::with(self.negative, subtract(&self.digits, &other.digits)),
        }
    }

    /// Difference.
    pub fn minus(&self, other: &Big) -> Big {
        self.plus(&Big::with(!other.negative, other.digits.clone()))
    }

    /// Product.
    pub fn times(&self, other: &Big) -> Big {
        let mut out = vec![0u32; self.digits.len() + other.digits.len()];
        for (i, a) in self.digits.iter().enumerate() {
            let mut carry = 0u64;
            for (j, b) in other.digits.iter().enumerate() {
                let sum = u64::from(*a) * u64::from(*b) + u64::from(out[i + j]) + carry;
                out[i + j] = sum as u32;
                carry = sum >> 32;
            }
            out[i + other.digits.len()] = carry as u32;
        }
        Big::with(self.negative != other.negative, out)
    }

    /// Quotient towards zero and remainder with the dividend's sign; `None` by zero.
    pub fn divide(&self, other: &Big) -> Option<(Big, Big)> {
        if other.is_zero() {
            return None;
        }
        let mut quotient = vec![0u32; self.digits.len()];
        let mut rest: Vec<u32> = Vec::new();
        for at in (0..self.digits.len() * 32).rev() {
            double(&mut rest, (self.digits[at / 32] >> (at % 32)) & 1);
            if compare(&rest, &other.digits) != Ordering::Less {
                rest = Big::with(false, subtract(&rest, &other.digits)).digits;
                quotient[at / 32] |= 1 << (at % 32);
            }
        }
        Some((Big::with(self.negative != other.negative, quotient), Big::with(self.negative, rest)))
    }

    /// Order.
    pub fn order(&self, other: &Big) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => compare(&self.digits, &other.digits),
            (true, true) => compare(&other.digits, &self.digits),
        }
    }
}

impl std::fmt::Display for Big {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut digits = self.digits.clone();
        let mut groups = Vec::new();
        while !digits.is_empty() {
            let mut rest = 0u64;
            for digit in digits.iter_mut().rev() {
                let part = (rest << 32) | u64::from(*digit);
                *digit = (part / 1_000_000_000) as u32;
                rest = part % 1_000_000_000;
            }
            groups.push(rest);
            while digits.last() == Some(&0) {
                digits.pop();
            }
        }
        let mut out = String::new();
        for (at, group) in groups.iter().rev().enumerate() {
            out.push_str(&if at == 0 { group.to_string() } else { format!("{group:09}") });
        }
        f.pad_integral(!self.negative, "", if out.is_empty() { "0" } else { &out })
    }
}

/// Nine decimal digits at a time: what the number so far is multiplied by, and what is added.
fn groups(digits: &[u8]) -> impl Iterator<Item = (u64, u64)> {
    digits
        .chunks(9)
        .map(|chunk| chunk.iter().fold((1, 0), |(scale, sum), digit| (scale * 10, sum * 10 + u64::from(digit - b'0'))))
}

fn compare(a: &[u32], b: &[u32]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev()))
}

fn add(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut out = Vec::with_capacity(a.len().max(b.len()) + 1);
    let mut carry = 0u64;
    for at in 0..a.len().max(b.len()) {
        let sum = u64::from(*a.get(at).unwrap_or(&0)) + u64::from(*b.get(at).unwrap_or(&0)) + carry;
        out.push(sum as u32);
        carry = sum >> 32;
    }
    out.push(carry as u32);
    out
}

/// `a - b`, where a is not less.
fn subtract(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut borrow = 0i64;
    a.iter()
        .enumerate()
        .map(|(at, digit)| {
            let mut rest = i64::from(*digit) - i64::from(*b.get(at).unwrap_or(&0)) - borrow;
            borrow = i64::from(rest < 0);
            rest += borrow << 32;
            rest as u32
        })
        .collect()
}

fn double(digits: &mut Vec<u32>, bit: u32) {
    let mut carry = bit;
    for digit in digits.iter_mut() {
        let next = *digit >> 31;
        *digit = (*digit << 1) | carry;
        carry = next;
    }
    if carry > 0 {
        digits.push(carry);
    }
}
