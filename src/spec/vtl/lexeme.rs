//! Single tokens of Velocity: how long the one of each kind is that begins here; 0 for none.

use super::token::Kind;

/// The best match so far.
pub(super) struct Best {
    pub kind: Kind,
    pub length: usize,
}

impl Best {
    pub(super) fn offer(&mut self, kind: Kind, length: usize) {
        if length > self.length || (length == self.length && length > 0 && kind < self.kind) {
            *self = Best { kind, length };
        }
    }
}

/// Whether more of the token follows.
pub(super) fn is_beginning(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Dollar
            | Kind::DollarBang
            | Kind::BlockStart
            | Kind::FormalStart
            | Kind::CommentStart
            | Kind::Hash
            | Kind::BlockChar
    )
}

/// What Velocity keeps of a beginning that came to nothing: `#`, `$`, and backslashes before a `$`.
pub(super) fn keep_signs(image: &str, out: &mut String) {
    let bytes = image.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            sign @ (b'#' | b'$') => out.push(char::from(sign)),
            b'\\' => {
                let slashes = bytes[at..].iter().take_while(|byte| **byte == b'\\').count();
                if bytes.get(at + slashes) == Some(&b'$') {
                    out.push_str(&image[at..=at + slashes]);
                    // Velocity skips the letter after the dollar too.
                    at += slashes + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
}

pub(super) fn literal(rest: &[u8], text: &[u8]) -> usize {
    if rest.starts_with(text) { text.len() } else { 0 }
}

pub(super) fn newline(rest: &[u8]) -> usize {
    match rest {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    }
}

/// Blanks and the end of the line, if nothing else is on it.
pub(super) fn line_rest(rest: &[u8]) -> usize {
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match newline(&rest[blanks..]) {
        0 => 0,
        end => blanks + end,
    }
}

/// `#set(` with blanks before it and spaces before its parenthesis.
pub(super) fn set_directive(rest: &[u8]) -> usize {
    let blanks = |from: &[u8]| from.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let before = blanks(rest);
    let name = literal(&rest[before..], b"#set").max(literal(&rest[before..], b"#{set}"));
    if name == 0 {
        return 0;
    }
    let after = before + name + rest[before + name..].iter().take_while(|byte| **byte == b' ').count();
    if rest.get(after) == Some(&b'(') { after + 1 } else { 0 }
}

pub(super) fn word(rest: &[u8]) -> usize {
    match rest.first() {
        Some(b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'@') => {
            rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'@')).count()
        }
        _ => 0,
    }
}

pub(super) fn bracketed_word(rest: &[u8]) -> usize {
    if rest.first() != Some(&b'{') {
        return 0;
    }
    match word(&rest[1..]) {
        0 => 0,
        length if rest.get(1 + length) == Some(&b'}') && rest[1] != b'@' => length + 2,
        _ => 0,
    }
}

/// Names, `true`, `false` and the dot before a name.
pub(super) fn names(rest: &[u8], best: &mut Best) {
    best.offer(Kind::True, literal(rest, b"true"));
    best.offer(Kind::False, literal(rest, b"false"));
    if rest[0].is_ascii_alphabetic() || rest[0] == b'_' {
        let name = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')).count();
        best.offer(Kind::Name, name);
    }
    if rest[0] == b'.' && rest.get(1).is_some_and(u8::is_ascii_alphabetic) {
        best.offer(Kind::Dot, 2);
    }
}

pub(super) fn brackets(rest: &[u8], best: &mut Best) {
    for (kind, text) in [
        (Kind::ListOpen, &b"["[..]),
        (Kind::ListClose, b"]"),
        (Kind::Comma, b","),
        (Kind::DoubleDot, b".."),
        (Kind::Colon, b":"),
        (Kind::MapOpen, b"{"),
        (Kind::MapClose, b"}"),
    ] {
        best.offer(kind, literal(rest, text));
    }
}

pub(super) fn operators(rest: &[u8], best: &mut Best) {
    for (kind, sign, name) in [
        (Kind::Minus, "-", ""),
        (Kind::Plus, "+", ""),
        (Kind::Times, "*", ""),
        (Kind::Over, "/", ""),
        (Kind::Modulo, "%", ""),
        (Kind::And, "&&", "and"),
        (Kind::Or, "||", "or"),
        (Kind::Less, "<", "lt"),
        (Kind::AtMost, "<=", "le"),
        (Kind::Greater, ">", "gt"),
        (Kind::AtLeast, ">=", "ge"),
        (Kind::Equal, "==", "eq"),
        (Kind::Unequal, "!=", "ne"),
        (Kind::Not, "!", "not"),
        (Kind::Assign, "=", ""),
    ] {
        best.offer(kind, literal(rest, sign.as_bytes()));
        best.offer(kind, literal(rest, name.as_bytes()));
    }
}

/// Whole numbers, which may end in the two dots of a range, and others.
pub(super) fn numbers(rest: &[u8], best: &mut Best) {
    let digits = |from: usize| rest[from.min(rest.len())..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let sign = literal(rest, b"-");
    let whole = digits(sign);
    let exponent = |from: usize| {
        if !matches!(rest.get(from), Some(b'e' | b'E')) {
            return 0;
        }
        let sign = usize::from(matches!(rest.get(from + 1), Some(b'+' | b'-')));
        match digits(from + 1 + sign) {
            0 => 0,
            count => 1 + sign + count,
        }
    };
    if whole > 0 {
        let end = sign + whole;
        best.offer(Kind::Integer, end + literal(&rest[end..], b".."));
        match exponent(end) {
            0 => {}
            length => best.offer(Kind::Float, end + length),
        }
    }
    let point = sign + whole;
    if rest.get(point) == Some(&b'.') {
        let fraction = digits(point + 1);
        if whole > 0 || fraction > 0 {
            let end = point + 1 + fraction;
            best.offer(Kind::Float, end + exponent(end));
        }
    }
}

/// A string in quotes. A doubled quote stands for one, so the longest string that closes wins.
pub(super) fn string(rest: &[u8]) -> usize {
    let quote = rest[0];
    let mut closed = 0;
    let mut at = 1;
    while let Some(length) = rest[at..].iter().position(|byte| *byte == quote) {
        closed = at + length + 1;
        if rest.get(closed) != Some(&quote) {
            return closed;
        }
        at = closed + 1;
    }
    closed
}
