//! From Java's syntax of regular expressions to that of the engine.

/// A pattern on its way, and what it was found to do.
pub(super) struct Rewriter<'r> {
    pub(super) letters: &'r [char],
    pub(super) at: usize,
    pub(super) dot_all: bool,
    pub(super) out: &'r mut String,
    /// Whether each group that is open repeats something, outermost first.
    pub(super) groups: Vec<bool>,
    /// Whether something is repeated a number of times that is written out.
    pub(super) counts: bool,
    pub(super) chooses: bool,
    pub(super) looks_ahead: bool,
    /// Whether it needs an engine that tries and goes back.
    pub(super) backtracks: bool,
}

/// Classes by name, in ASCII as Java has them.
const POSIX: &[(&str, &str)] = &[
    ("Lower", "lower"),
    ("Upper", "upper"),
    ("ASCII", "ascii"),
    ("Alpha", "alpha"),
    ("Digit", "digit"),
    ("Alnum", "alnum"),
    ("Punct", "punct"),
    ("Graph", "graph"),
    ("Print", "print"),
    ("Blank", "blank"),
    ("Cntrl", "cntrl"),
    ("XDigit", "xdigit"),
    ("Space", "space"),
];

impl Rewriter<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.letters.get(self.at + ahead).copied()
    }

    fn starts(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(ahead, letter)| self.peek(ahead) == Some(letter))
    }

    pub(super) fn run(&mut self) -> Result<(), &'static str> {
        let mut depth = 0usize;
        while let Some(letter) = self.peek(0) {
            self.at += 1;
            match letter {
                '\\' => self.escape(depth > 0)?,
                '[' => {
                    depth += 1;
                    self.out.push('[');
                    for sign in ['^', ']'] {
                        if self.peek(0) == Some(sign) {
                            self.at += 1;
                            self.out.push_str(if sign == ']' { "\\]" } else { "^" });
                        }
                    }
                }
                ']' if depth > 0 => {
                    depth -= 1;
                    self.out.push(']');
                }
                ']' => self.out.push_str("\\]"),
                '-' | '~' if depth > 0 && self.peek(0) == Some(letter) => {
                    self.at += 1;
                    self.out.push_str(&format!("\\{letter}\\{letter}"));
                }
                _ if depth > 0 => self.out.push(letter),
                '.' if !self.dot_all => self.out.push_str(r"[^\n\r\u{85}\u{2028}\u{2029}]"),
                '(' => {
                    self.groups.push(false);
                    match self.peek(0) {
                        Some('?') => self.group()?,
                        _ => self.out.push('('),
                    }
                }
                ')' => {
                    self.close();
                    self.out.push(')');
                }
                '|' => {
                    self.chooses = true;
                    self.out.push('|');
                }
                '*' | '+' | '?' | '}' => {
                    self.counts |= letter == '}';
                    if let Some(repeats) = self.groups.last_mut() {
                        *repeats |= letter != '?';
                    }
                    self.out.push(letter);
                    if self.peek(0) == Some('+') {
                        self.at += 1;
                        self.out.push('+');
                        self.backtracks = true;
                    }
                    if self.peek(0) == Some('?') {
                        self.at += 1;
                        self.out.push('?');
                    }
                }
                letter => self.out.push(letter),
            }
        }
        Ok(())
    }

    /// A group ends: what repeats, or may be missing, and holds something that repeats is tried far ahead in vain.
    fn close(&mut self) {
        if self.groups.len() < 2 {
            return;
        }
        let repeats = self.groups.pop().unwrap_or(false);
        if repeats {
            self.looks_ahead |= matches!(self.peek(0), Some('*' | '+' | '?' | '{'));
            if let Some(outer) = self.groups.last_mut() {
                *outer = true;
            }
        }
    }

    /// After `(`, a question mark comes.
    fn group(&mut self) -> Result<(), &'static str> {
        for opening in ["?=", "?!", "?<=", "?<!", "?>"] {
            if self.starts(opening) {
                self.at += opening.len();
                self.out.push('(');
                self.out.push_str(opening);
                self.backtracks = true;
                return Ok(());
            }
        }
        if self.starts("?<") {
            self.at += 2;
            self.out.push_str("(?P<");
            return Ok(());
        }
        self.out.push_str("(?");
        self.at += 1;
        let mut kept = false;
        let mut off = false;
        while let Some(flag) = self.peek(0) {
            match flag {
                'i' | 'm' | 's' | 'x' => {
                    self.dot_all = if flag == 's' { !off } else { self.dot_all };
                    if off && !kept {
                        self.out.push('-');
                    }
                    kept = true;
                    self.out.push(flag);
                }
                'd' | 'u' | 'U' => {}
                '-' => (off, kept) = (true, false),
                ')' if !kept => {
                    // Only flags that mean nothing here.
                    self.out.push(':');
                    break;
                }
                _ => break,
            }
            self.at += 1;
        }
        Ok(())
    }

    fn class(&mut self, inside: bool, negated: bool, set: &str) {
        match (inside, negated) {
            (true, false) => self.out.push_str(set),
            (_, true) => self.out.push_str(&format!("[^{set}]")),
            (false, false) => self.out.push_str(&format!("[{set}]")),
        }
    }

    fn escape(&mut self, inside: bool) -> Result<(), &'static str> {
        let Some(letter) = self.peek(0) else { return Err("a backslash at its end") };
        self.at += 1;
        match letter {
            'd' | 'D' => self.class(inside, letter == 'D', "0-9"),
            'w' | 'W' => self.class(inside, letter == 'W', "a-zA-Z0-9_"),
            's' | 'S' => self.class(inside, letter == 'S', r" \t\n\x0B\x0C\r"),
            'h' | 'H' => {
                self.class(inside, letter == 'H', r" \t\u{A0}\u{1680}\u{180e}\u{2000}-\u{200a}\u{202f}\u{205f}\u{3000}")
            }
            'v' | 'V' => self.class(inside, letter == 'V', r"\n\x0B\x0C\r\u{85}\u{2028}\u{2029}"),
            'R' if !inside => self.out.push_str(r"(?:\r\n|[\n\x0B\x0C\r\u{85}\u{2028}\u{2029}])"),
            'Q' => self.quoted(),
            'p' | 'P' => self.property(inside, letter == 'P'),
            't' | 'n' | 'r' | 'f' | 'a' | 'A' | 'z' | 'b' | 'B' => {
                self.out.push('\\');
                self.out.push(letter);
            }
            'Z' => self.out.push_str(r"\z"),
            'e' => self.out.push_str(r"\x1B"),
            'x' if self.peek(0) == Some('{') => self.out.push_str(r"\x"),
            'x' => self.code(2, 16),
            'u' => self.code(4, 16),
            '0' => {
                let digits = (0..3).take_while(|ahead| matches!(self.peek(*ahead), Some('0'..='7'))).count();
                self.code(digits, 8);
            }
            '1'..='9' | 'k' if inside => return Err("a back reference in a class"),
            '1'..='9' | 'k' => {
                self.out.push('\\');
                self.out.push(letter);
                self.backtracks = true;
            }
            'G' | 'X' | 'c' | 'N' => return Err("an escape that is rarely used"),
            other if other.is_ascii_alphanumeric() => return Err("an unknown escape"),
            other => self.literal(other),
        }
        Ok(())
    }

    fn literal(&mut self, letter: char) {
        self.out.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4])));
    }

    fn code(&mut self, digits: usize, radix: u32) {
        let text: String = self.letters.iter().skip(self.at).take(digits).collect();
        self.at += digits;
        if let Some(letter) = u32::from_str_radix(&text, radix).ok().and_then(char::from_u32) {
            self.literal(letter);
        }
    }

    fn quoted(&mut self) {
        while self.at < self.letters.len() {
            if self.starts("\\E") {
                self.at += 2;
                return;
            }
            self.literal(self.letters[self.at]);
            self.at += 1;
        }
    }

    fn property(&mut self, inside: bool, negated: bool) {
        let name = if self.peek(0) == Some('{') {
            let rest = &self.letters[self.at + 1..];
            let length = rest.iter().position(|letter| *letter == '}').unwrap_or(rest.len());
            self.at += length + 2;
            rest[..length].iter().collect::<String>()
        } else {
            self.at += 1;
            self.letters.get(self.at - 1).map(|letter| letter.to_string()).unwrap_or_default()
        };
        if let Some((_, class)) = POSIX.iter().find(|(known, _)| *known == name) {
            let class = format!("[:{}{class}:]", if negated { "^" } else { "" });
            self.out.push_str(&if inside { class } else { format!("[{class}]") });
            return;
        }
        let name = name.strip_prefix("Is").unwrap_or(&name);
        self.out.push_str(&format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' }));
    }
}
