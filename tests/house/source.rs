//! Rust source as the rules of the house see it: paths, modules and serde attributes, without comments and literals.

/// One token and the line it stands on, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

impl Token<'_> {
    pub(crate) fn is_name(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// The tokens that the rules look at: names, `::` and single punctuation marks, without comments and literals.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let bytes = text.as_bytes();
    let (mut at, mut line, mut out) = (0, 1, Vec::new());
    while at < bytes.len() {
        let rest = &text[at..];
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = literal(rest) {
            length
        } else if bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_' || bytes[at] >= 0x80 {
            let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len()).max(1);
            out.push(Token { text: &rest[..length], line });
            length
        } else {
            let length = if rest.starts_with("::") { 2 } else { 1 };
            if !bytes[at].is_ascii_whitespace() {
                out.push(Token { text: &rest[..length], line });
            }
            length
        };
        line += rest[..length].matches('\n').count();
        at += length;
    }
    out
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest.as_bytes()[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.as_bytes()[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
        if depth == 0 {
            break;
        }
    }
    at.min(rest.len())
}

/// Length of the string, byte string, raw string or character literal that `rest` begins with.
fn literal(rest: &str) -> Option<usize> {
    let prefix = rest.find(|c: char| !matches!(c, 'b' | 'c' | 'r')).unwrap_or(0);
    if prefix > 2 {
        return None;
    }
    let (head, tail) = rest.split_at(prefix);
    if head.ends_with('r') {
        let hashes = tail.bytes().take_while(|b| *b == b'#').count();
        let body = tail[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(prefix + hashes + 1 + body.find(&end).map_or(body.len(), |found| found + end.len()));
    }
    let quote = tail.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inner = &tail[1..];
    if quote == '\'' {
        let mut letters = inner.chars();
        let first = letters.next()?;
        // A lifetime has no closing quote after its first letter.
        if first != '\\' && letters.next() != Some('\'') {
            return None;
        }
    }
    let mut escaped = false;
    for (at, letter) in inner.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return Some(prefix + 1 + at + 1),
            _ => {}
        }
    }
    Some(rest.len())
}

/// A path as written, its `{…}` groups spread out: `use a::{b, c::d}` gives `a::b` and `a::c::d`.
#[derive(Debug)]
pub(crate) struct Named<'a> {
    pub(crate) path: Vec<&'a str>,
    pub(crate) line: usize,
    /// Inline modules around it, inside this file.
    pub(crate) inside: Vec<&'a str>,
    /// Stands in a `#[cfg(test)]` module.
    pub(crate) test: bool,
}

/// What one file names and declares.
#[derive(Debug, Default)]
pub(crate) struct Seen<'a> {
    pub(crate) names: Vec<Named<'a>>,
    /// Modules that are declared here for tests only, with their inline parents.
    pub(crate) test_modules: Vec<Vec<&'a str>>,
    pub(crate) modules: Vec<Token<'a>>,
    /// Names directly inside `serde( … )`.
    pub(crate) serde: Vec<Token<'a>>,
}

/// Reads a file once and keeps what the rules ask about.
pub(crate) fn see(text: &str) -> Seen<'_> {
    let tokens = tokens(text);
    let mut seen = Seen::default();
    let mut open: Vec<(&str, usize, bool)> = Vec::new();
    let (mut depth, mut for_tests, mut at) = (0_usize, false, 0);
    let text_at = |at: usize| tokens.get(at).map_or("", |t: &Token<'_>| t.text);
    while at < tokens.len() {
        let token = tokens[at];
        let after_path =
            at > 0 && text_at(at - 1) == "::" && at > 1 && (tokens[at - 2].is_name() || text_at(at - 2) == ">");
        match token.text {
            "{" => (depth, for_tests) = (depth + 1, false),
            "}" => {
                depth = depth.saturating_sub(1);
                for_tests = false;
                open.retain(|(_, opened, _)| *opened < depth + 1);
            }
            ";" => for_tests = false,
            "cfg" if text_at(at + 1) == "(" => {
                let inner = tokens[at..].iter().take_while(|t| t.text != "]").map(|t| t.text).collect::<Vec<_>>();
                for_tests |= inner.contains(&"test") && !inner.contains(&"not");
            }
            "serde" if text_at(at + 1) == "(" => seen.serde.extend(directly_inside(&tokens[at + 1..])),
            "mod" if tokens.get(at + 1).is_some_and(Token::is_name) => {
                seen.modules.push(tokens[at + 1]);
                let test = for_tests || open.iter().any(|(_, _, test)| *test);
                if test {
                    seen.test_modules.push(open.iter().map(|(n, ..)| *n).chain([text_at(at + 1)]).collect());
                }
                if text_at(at + 2) == "{" {
                    open.push((text_at(at + 1), depth + 1, test));
                    depth += 1;
                    at += 1;
                }
                for_tests = false;
                at += 1;
            }
            _ if token.is_name() && !after_path => {
                let mut paths = Vec::new();
                at = spread(&tokens, at, &mut Vec::new(), &mut paths);
                seen.names.extend(paths.into_iter().map(|path| Named {
                    path,
                    line: token.line,
                    inside: open.iter().map(|(name, ..)| *name).collect(),
                    test: for_tests || open.iter().any(|(_, _, test)| *test),
                }));
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    seen
}

fn directly_inside<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let (mut depth, mut out) = (0_usize, Vec::new());
    for token in tokens {
        match token.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ if depth == 1 && token.is_name() => out.push(*token),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    out
}

/// Reads the path tree at `at`, gives the paths it stands for and where to read on.
fn spread<'a>(tokens: &[Token<'a>], at: usize, prefix: &mut Vec<&'a str>, out: &mut Vec<Vec<&'a str>>) -> usize {
    let text_at = |at: usize| tokens.get(at).map_or("", |t: &Token<'_>| t.text);
    prefix.push(tokens[at].text);
    let next = at + 2;
    let end = match text_at(at + 1) {
        "::" if tokens.get(next).is_some_and(Token::is_name) => spread(tokens, next, prefix, out),
        "::" if text_at(next) == "{" => {
            let mut inner = next + 1;
            while inner < tokens.len() && text_at(inner) != "}" {
                inner = if tokens[inner].is_name() { spread(tokens, inner, prefix, out) } else { inner + 1 };
            }
            inner + 1
        }
        _ => {
            out.push(prefix.clone());
            at + 1
        }
    };
    prefix.pop();
    end
}
