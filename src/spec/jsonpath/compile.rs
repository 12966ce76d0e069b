//! Reading a path's text.

use super::function::Function;
use super::{InvalidPath, Parameter, Path, Token, filter};

/// Tokens that a path may have, and paths that may lie in one another: evaluation recurses over them.
const MOST_TOKENS: usize = 128;
const MOST_NESTED: usize = 12;
const MOST_LENGTH: usize = 16_384;

type Compiled<T> = Result<T, InvalidPath>;

pub(super) fn wrong<T>(what: impl Into<String>) -> Compiled<T> {
    Err(InvalidPath(what.into()))
}

/// Compiles a path that lies in `nested` others.
pub(super) fn path(text: &str, nested: usize) -> Compiled<Path> {
    if nested > MOST_NESTED {
        return wrong("filters lie too deep in one another");
    }
    if text.len() > MOST_LENGTH {
        return wrong(format!("longer than {MOST_LENGTH} bytes"));
    }
    let trimmed = text.trim_matches(' ');
    if trimmed.is_empty() {
        return wrong("it is empty");
    }
    let rooted;
    let trimmed = if trimmed.starts_with(['$', '@']) {
        trimmed
    } else {
        rooted = format!("$.{trimmed}");
        &rooted
    };
    if trimmed.ends_with('.') {
        return wrong("it must not end with a dot");
    }
    let letters: Vec<char> = trimmed.chars().collect();
    let mut reader = Reader { letters: &letters, at: 1, nested, tokens: Vec::new() };
    if letters.len() > 1 {
        if !matches!(letters[1], '.' | '[') {
            return wrong(format!("{:?} at position 1, expected '.' or '['", letters[1]));
        }
        while reader.at < letters.len() {
            if reader.tokens.len() >= MOST_TOKENS {
                return wrong(format!("more than {MOST_TOKENS} steps"));
            }
            reader.token()?;
            // Jayway overlooks a single letter after a bracket or a wildcard.
            if reader.at + 1 == letters.len() && matches!(letters[reader.at - 1], ']' | '*') {
                break;
            }
        }
    }
    Ok(Path::new(reader.tokens, letters[0] == '$'))
}

struct Reader<'l> {
    letters: &'l [char],
    at: usize,
    nested: usize,
    tokens: Vec<Token>,
}

impl Reader<'_> {
    fn here(&self) -> char {
        self.letters.get(self.at).copied().unwrap_or('\0')
    }

    fn text(&self, from: usize, to: usize) -> String {
        self.letters[from..to].iter().collect()
    }

    /// The next letter after `from` that is no blank, and where it stands.
    fn after(&self, from: usize) -> (usize, char) {
        let at = (from + 1..self.letters.len()).find(|at| self.letters[*at] != ' ').unwrap_or(self.letters.len());
        (at, self.letters.get(at).copied().unwrap_or(' '))
    }

    fn token(&mut self) -> Compiled<()> {
        match self.here() {
            '[' => self.bracket(),
            '.' => self.dot(),
            '*' => {
                self.at += 1;
                self.tokens.push(Token::Wildcard);
                Ok(())
            }
            _ => self.name(),
        }
    }

    fn dot(&mut self) -> Compiled<()> {
        if self.letters.get(self.at + 1) == Some(&'.') {
            self.tokens.push(Token::Scan);
            self.at += 2;
        } else {
            self.at += 1;
        }
        match self.here() {
            '.' => wrong(format!("'.' at position {} is not valid", self.at)),
            '\0' => wrong("it must not end with a dot"),
            _ => self.token(),
        }
    }

    fn name(&mut self) -> Compiled<()> {
        let from = self.at;
        let mut end = from;
        while let Some(letter) = self.letters.get(end) {
            match letter {
                ' ' => return wrong("use brackets, ['my prop'], for a property with blanks"),
                '.' | '[' | '(' => break,
                _ => end += 1,
            }
        }
        let name = self.text(from, end);
        if self.letters.get(end) != Some(&'(') {
            if name.is_empty() {
                return wrong(format!("a property is missing at position {from}"));
            }
            self.tokens.push(Token::Properties(Box::new([name.into()])));
            self.at = end;
            return Ok(());
        }
        let Some(function) = Function::of(&name) else { return wrong(format!("there is no function {name}()")) };
        let close = self.closing(end)?;
        let parameters = self.parameters(&self.text(end + 1, close))?;
        self.tokens.push(Token::Function(function, parameters));
        self.at = close + 1;
        Ok(())
    }

    /// The parenthesis that closes the one at `open`.
    fn closing(&self, open: usize) -> Compiled<usize> {
        let mut depth = 0;
        for at in open..self.letters.len() {
            match self.letters[at] {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(at);
            }
        }
        wrong("the arguments of a function are not closed")
    }

    fn parameters(&self, text: &str) -> Compiled<Box<[Parameter]>> {
        let mut parts = vec![String::new()];
        let (mut depth, mut quoted, mut before) = (0i32, false, '\0');
        for letter in text.chars() {
            match letter {
                '"' if before != '\\' => quoted = !quoted,
                '(' | '[' | '{' if !quoted => depth += 1,
                ')' | ']' | '}' if !quoted => depth -= 1,
                _ => {}
            }
            before = letter;
            match parts.last_mut() {
                Some(part) if letter != ',' || quoted || depth != 0 => part.push(letter),
                _ => parts.push(String::new()),
            }
        }
        let mut parameters = Vec::new();
        for part in parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
            parameters.push(match part.chars().next() {
                Some('$' | '@') => Parameter::Path(path(part, self.nested + 1)?),
                Some('{' | '"' | '-' | '0'..='9') => Parameter::Json(part.into()),
                _ => continue,
            });
        }
        Ok(parameters.into())
    }

    fn bracket(&mut self) -> Compiled<()> {
        let (at, sign) = self.after(self.at);
        match sign {
            '\'' | '"' => self.properties(sign),
            '0'..='9' | '-' | ':' => self.indexes(),
            '*' => match self.after(at) {
                (close, ']') => {
                    self.at = close + 1;
                    self.tokens.push(Token::Wildcard);
                    Ok(())
                }
                _ => wrong("']' expected after '*'"),
            },
            '?' => self.filter(at),
            _ => wrong(format!("cannot read what stands at position {}: expected ?, ', 0-9, *", self.at)),
        }
    }

    fn properties(&mut self, quote: char) -> Compiled<()> {
        let mut names: Vec<Box<str>> = Vec::new();
        let mut begun = None;
        let mut comma = false;
        let mut at = self.at + 1;
        let mut closed = None;
        while let Some(letter) = self.letters.get(at) {
            match (letter, begun) {
                ('\\', _) => at += 1,
                (']', None) => {
                    if comma {
                        return wrong(format!("empty property at position {at}"));
                    }
                    closed = Some(at);
                    break;
                }
                (letter, Some(from)) if *letter == quote => {
                    if !matches!(self.after(at).1, ']' | ',') {
                        return wrong(format!("properties are separated by commas, position {at}"));
                    }
                    names.push(unescaped(&self.letters[from..at])?.into());
                    begun = None;
                }
                (letter, None) if *letter == quote => {
                    begun = Some(at + 1);
                    comma = false;
                }
                (',', None) => {
                    if comma {
                        return wrong(format!("empty property at position {at}"));
                    }
                    comma = true;
                }
                _ => {}
            }
            at += 1;
        }
        let (Some(close), None) = (closed, begun) else { return wrong("a property is not closed") };
        self.tokens.push(Token::Properties(names.into()));
        self.at = close + 1;
        Ok(())
    }

    fn indexes(&mut self) -> Compiled<()> {
        let close = (self.at..self.letters.len()).find(|at| self.letters[*at] == ']');
        let Some(close) = close else { return wrong("a bracket is not closed") };
        let inner = self.text(self.at + 1, close);
        let inner = inner.trim();
        let number = |text: &str| text.parse::<i32>().or_else(|_| wrong(format!("{text:?} is no index")));
        if inner.contains(':') {
            if !inner.chars().all(|letter| letter.is_ascii_digit() || matches!(letter, '-' | ':')) {
                return wrong(format!("{inner:?} is no slice"));
            }
            let mut parts = inner.split(':').map(|part| if part.is_empty() { None } else { Some(number(part)) });
            let from = parts.next().flatten().transpose()?;
            let to = parts.next().flatten().transpose()?;
            if from.is_none() && to.is_none() {
                return wrong(format!("{inner:?} is no slice"));
            }
            self.tokens.push(Token::Slice(from, to));
        } else {
            let indexes: Compiled<Vec<i32>> = inner.split(',').map(|part| number(part.trim())).collect();
            self.tokens.push(Token::Indexes(indexes?.into()));
        }
        self.at = close + 1;
        Ok(())
    }

    fn filter(&mut self, question: usize) -> Compiled<()> {
        let (open, '(') = self.after(question) else { return wrong("a filter is written [?( … )]") };
        let Some(close) = filter::closing(self.letters, open, '(', ')', true) else {
            return wrong("a filter is not closed");
        };
        let (end, ']') = self.after(close) else { return wrong("']' expected after a filter") };
        let condition = filter::condition(&self.letters[open..=close], self.nested + 1)?;
        self.tokens.push(Token::Filter(condition));
        self.at = end + 1;
        Ok(())
    }
}

/// A name or string without its escapes.
pub(super) fn unescaped(letters: &[char]) -> Compiled<String> {
    let mut units: Vec<u16> = Vec::with_capacity(letters.len());
    let mut at = 0;
    while at < letters.len() {
        let mut buffer = [0u16; 2];
        let letter = letters[at];
        at += 1;
        if letter != '\\' {
            units.extend_from_slice(letter.encode_utf16(&mut buffer));
            continue;
        }
        let Some(escaped) = letters.get(at) else {
            units.push(u16::from(b'\\'));
            break;
        };
        at += 1;
        let letter = match escaped {
            'u' => {
                let digits: String = letters.iter().skip(at).take(4).collect();
                let Ok(unit) = u16::from_str_radix(&digits, 16) else {
                    return wrong(format!("\\u{digits} is no letter"));
                };
                units.push(unit);
                at += 4;
                continue;
            }
            'r' => '\r',
            'f' => '\u{c}',
            't' => '\t',
            'n' => '\n',
            'b' => '\u{8}',
            other => *other,
        };
        units.extend_from_slice(letter.encode_utf16(&mut buffer));
    }
    Ok(char::decode_utf16(units).map(|letter| letter.unwrap_or('?')).collect())
}
