//! Velocity 1.7's lexer: a stack of states, the longest match, and tokens that begin as something else (`$`, `#`).
//!
//! Which characters a directive swallows, and when `$` is just a dollar, falls out of these rules; they are followed to
//! the letter, odd ones included.

use super::lexeme::{
    Best, bracketed_word, brackets, is_beginning, keep_signs, line_rest, literal, names, newline, numbers, operators,
    set_directive, string, word,
};
use super::token::{Kind, State, Token};

/// A place where no token fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoToken {
    pub at: usize,
}

#[derive(Debug, Clone, Copy)]
struct Saved {
    open: u32,
    close: u32,
    state: State,
}

#[derive(Debug)]
pub(super) struct Lexer<'s> {
    text: &'s str,
    at: usize,
    state: State,
    stack: Vec<Saved>,
    open: u32,
    close: u32,
    in_comment: bool,
    /// Within `#set( … )`; the parser ends it.
    pub in_set: bool,
    /// The last run of backslashes that was measured: where it begins and ends.
    run: (usize, usize),
}

impl<'s> Lexer<'s> {
    pub(super) fn new(text: &'s str) -> Lexer<'s> {
        let stack = Vec::new();
        let run = (1, 0);
        Lexer { text, at: 0, state: State::Default, stack, open: 0, close: 0, in_comment: false, in_set: false, run }
    }

    /// Where the next token would begin.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// What the parser does after a directive's name.
    pub(super) fn enter_directive(&mut self) {
        self.state = State::Directive;
    }

    /// Whether a parenthesis follows, blanks before it allowed.
    pub(super) fn parenthesis_follows(&self) -> bool {
        self.text[self.at..].trim_start_matches([' ', '\t', '\n', '\r']).starts_with('(')
    }

    fn push(&mut self, state: State) {
        self.stack.push(Saved { open: self.open, close: self.close, state: self.state });
        self.open = 0;
        self.state = state;
    }

    /// Back to the state before; `false` at the bottom.
    pub(super) fn pop(&mut self) -> bool {
        match self.stack.pop() {
            Some(saved) => {
                (self.open, self.close, self.state) = (saved.open, saved.close, saved.state);
                true
            }
            None => {
                self.open = 0;
                self.state = State::Default;
                false
            }
        }
    }

    pub(super) fn next(&mut self) -> Result<Token, NoToken> {
        let mut special: Option<String> = None;
        loop {
            let start = self.at;
            if start >= self.text.len() {
                return Ok(Token { kind: Kind::End0, start, end: start, special: special.map(String::into) });
            }
            let (kind, length) = loop {
                let best = self.longest();
                if best.length == 0 {
                    return Err(NoToken { at: self.at });
                }
                self.at += best.length;
                if !is_beginning(best.kind) {
                    break (best.kind, best.length);
                }
                self.begin(best.kind, best.length);
                if self.at >= self.text.len() {
                    return Err(NoToken { at: self.at });
                }
            };
            match kind {
                Kind::Skip => {}
                Kind::ReferenceEnd | Kind::DirectiveEnd => {
                    keep_signs(&self.text[start..self.at], special.get_or_insert_default());
                    self.at -= length;
                    self.pop();
                }
                _ => {
                    let mut token = Token { kind, start, end: self.at, special: special.map(String::into) };
                    self.enter(&mut token);
                    return Ok(token);
                }
            }
        }
    }

    /// What happens in the middle of a token that goes on.
    fn begin(&mut self, kind: Kind, length: usize) {
        if self.in_comment {
            return;
        }
        match kind {
            Kind::Dollar | Kind::DollarBang => {
                if self.state == State::Reference {
                    self.pop();
                }
                self.push(State::Reference);
            }
            Kind::BlockStart => {
                self.in_comment = true;
                self.push(State::Block);
            }
            Kind::FormalStart => {
                // The letter after `#**` belongs to the comment.
                self.at -= length - 3;
                self.in_comment = true;
                self.push(State::Formal);
            }
            Kind::CommentStart => {
                self.in_comment = true;
                self.push(State::Comment);
            }
            Kind::Hash => {
                if matches!(self.state, State::Reference | State::Modifier) {
                    self.pop();
                }
                self.push(State::PreDirective);
            }
            _ => {}
        }
    }

    /// What a whole token does to the state.
    fn enter(&mut self, token: &mut Token) {
        match token.kind {
            Kind::IndexOpen => self.push(State::Index),
            Kind::IndexClose | Kind::CurlyClose => {
                self.pop();
            }
            Kind::Open => {
                if !self.in_comment {
                    self.open += 1;
                }
                if self.state == State::Modifier {
                    self.state = State::Call;
                }
            }
            Kind::Close => self.close_parenthesis(),
            Kind::CallClose => self.state = State::Reference,
            Kind::Set if !self.in_comment => {
                self.push(State::Directive);
                self.in_set = true;
                self.open += 1;
            }
            Kind::LineComment if !self.in_comment => {
                if self.state == State::Reference {
                    self.pop();
                }
                self.in_comment = true;
                self.push(State::Line);
            }
            Kind::LineEnd | Kind::FormalEnd | Kind::CommentEnd | Kind::BlockEnd => {
                self.in_comment = false;
                self.pop();
            }
            Kind::Str if self.state == State::Directive && !self.in_set && self.open == 0 => {
                self.pop();
            }
            Kind::End | Kind::Else => {
                self.pop();
            }
            Kind::If | Kind::ElseIf => self.state = State::Directive,
            Kind::Integer => {
                if self.text[token.start..token.end].ends_with("..") {
                    self.at -= 2;
                    token.end -= 2;
                }
                if self.open == 0 && !self.in_set && !matches!(self.state, State::Call | State::Index) {
                    self.pop();
                }
            }
            Kind::Float if self.open == 0 && !self.in_set && self.state != State::Call => {
                self.pop();
            }
            Kind::Dot => {
                self.at -= 1;
                token.end -= 1;
                // Signs before the dot are lost.
                token.start = token.end - 1;
                self.state = State::Modifier;
            }
            _ => {}
        }
    }

    /// A parenthesis closes the innermost state that has an open one.
    fn close_parenthesis(&mut self) {
        if self.in_comment {
            return;
        }
        loop {
            if self.open > 0 {
                if self.open == self.close + 1 {
                    self.pop();
                } else {
                    self.close += 1;
                }
                return;
            }
            if !self.pop() {
                return;
            }
        }
    }

    /// The longest token that begins here, in this state.
    fn longest(&mut self) -> Best {
        let mut best = Best { kind: Kind::EmptyIndex, length: 0 };
        let rest = &self.text.as_bytes()[self.at..];
        self.everywhere(rest, &mut best);
        match self.state {
            State::Default => self.in_text(rest, &mut best),
            State::Reference | State::Modifier => self.in_reference(rest, &mut best),
            State::Index | State::Call | State::Directive => self.in_expression(rest, &mut best),
            State::PreDirective => self.in_directive_name(rest, &mut best),
            State::Block => {
                best.offer(Kind::BlockEnd, literal(rest, b"]]#"));
                best.offer(Kind::BlockChar, self.letter());
            }
            State::Comment => {
                best.offer(Kind::CommentEnd, literal(rest, b"*#"));
                best.offer(Kind::Skip, self.letter());
            }
            State::Formal => {
                best.offer(Kind::FormalEnd, literal(rest, b"*#"));
                best.offer(Kind::Skip, self.letter());
            }
            State::Line => {
                best.offer(Kind::LineEnd, newline(rest));
                best.offer(Kind::Skip, self.letter());
            }
        }
        best
    }

    /// Bytes of the letter that stands here.
    fn letter(&self) -> usize {
        self.text[self.at..].chars().next().map_or(0, char::len_utf8)
    }

    /// Bytes of the run of backslashes that begins `ahead` of here. A long run is measured once.
    fn backslashes(&mut self, ahead: usize) -> usize {
        let from = self.at + ahead;
        if from < self.run.0 || from >= self.run.1 {
            let length = self.text.as_bytes()[from..].iter().take_while(|byte| **byte == b'\\').count();
            self.run = (from, from + length);
        }
        self.run.1.saturating_sub(from)
    }

    /// What begins a reference, a directive or a comment, in every state.
    fn everywhere(&mut self, rest: &[u8], best: &mut Best) {
        if !matches!(rest[0], b'\\' | b'$' | b'#') {
            return;
        }
        if rest[0] == b'#' {
            best.offer(Kind::BlockStart, literal(rest, b"#[["));
            if rest.starts_with(b"#**") && rest.get(3).is_some_and(|byte| *byte != b'#') {
                let letter = self.text[self.at + 3..].chars().next().map_or(0, char::len_utf8);
                best.offer(Kind::FormalStart, 3 + letter);
            }
            best.offer(Kind::CommentStart, literal(rest, b"#*"));
            if matches!(self.state, State::Default | State::Reference | State::Directive | State::PreDirective) {
                best.offer(Kind::LineComment, literal(rest, b"##"));
            }
            best.offer(Kind::Hash, 1);
            return;
        }
        let slashes = self.backslashes(0);
        if rest.get(slashes) == Some(&b'$') {
            best.offer(Kind::Dollar, slashes + 1);
            let more = self.backslashes(slashes + 1);
            if rest.get(slashes + 1 + more) == Some(&b'!') {
                best.offer(Kind::DollarBang, slashes + more + 2);
            }
        }
    }

    fn in_text(&mut self, rest: &[u8], best: &mut Best) {
        match rest[0] {
            b'\\' => {
                let slashes = self.backslashes(0);
                if slashes % 2 == 1 && rest.get(slashes) == Some(&b'#') {
                    let name = word(&rest[slashes + 1..]).max(bracketed_word(&rest[slashes + 1..]));
                    if name > 0 {
                        best.offer(Kind::EscapedDirective, slashes + 1 + name);
                    }
                }
                best.offer(Kind::DoubleEscape, if slashes > 1 { 2 } else { 0 });
                best.offer(Kind::Escape, 1);
            }
            b'$' => self.empty_index(rest, best),
            b'#' => best.offer(Kind::Set, set_directive(rest)),
            first => {
                if matches!(first, b' ' | b'\t') {
                    best.offer(Kind::Set, set_directive(rest));
                }
                let text = rest.iter().position(|byte| matches!(byte, b'$' | b'#' | b'\\'));
                best.offer(Kind::Text, text.unwrap_or(rest.len()));
            }
        }
    }

    fn empty_index(&self, rest: &[u8], best: &mut Best) {
        for start in [&b"$["[..], b"$![", b"$\\![", b"$."] {
            best.offer(Kind::EmptyIndex, literal(rest, start));
        }
    }

    fn in_reference(&mut self, rest: &[u8], best: &mut Best) {
        best.offer(Kind::Set, set_directive(rest));
        match rest[0] {
            b'[' => best.offer(Kind::IndexOpen, 1),
            b'(' if self.state == State::Modifier => best.offer(Kind::Open, 1),
            b'{' => best.offer(Kind::CurlyOpen, 1),
            b'}' => best.offer(Kind::CurlyClose, 1),
            b'$' if self.state == State::Reference => self.empty_index(rest, best),
            _ => names(rest, best),
        }
        best.offer(Kind::ReferenceEnd, self.letter());
    }

    fn in_directive_name(&mut self, rest: &[u8], best: &mut Best) {
        for (kind, name) in [
            (Kind::End, "end"),
            (Kind::If, "if"),
            (Kind::ElseIf, "elseif"),
            (Kind::Else, "else"),
            (Kind::End, "{end}"),
            (Kind::If, "{if}"),
            (Kind::ElseIf, "{elseif}"),
            (Kind::Else, "{else}"),
        ] {
            let length = literal(rest, name.as_bytes());
            if length > 0 && matches!(kind, Kind::End | Kind::Else) {
                best.offer(kind, length + line_rest(&rest[length..]));
            } else {
                best.offer(kind, length);
            }
        }
        numbers(rest, best);
        best.offer(Kind::Word, word(rest));
        best.offer(Kind::BracketedWord, bracketed_word(rest));
        best.offer(Kind::DirectiveEnd, self.letter());
    }

    fn in_expression(&mut self, rest: &[u8], best: &mut Best) {
        let state = self.state;
        let first = rest[0];
        if matches!(first, b' ' | b'\t' | b'\n' | b'\r') {
            let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
            best.offer(Kind::Blank, blanks);
        }
        if matches!(first, b'"' | b'\'') {
            best.offer(Kind::Str, string(rest));
        }
        best.offer(Kind::True, literal(rest, b"true"));
        best.offer(Kind::False, literal(rest, b"false"));
        numbers(rest, best);
        match state {
            State::Index => best.offer(Kind::IndexClose, literal(rest, b"]")),
            State::Call => {
                brackets(rest, best);
                best.offer(Kind::CallClose, literal(rest, b")"));
                best.offer(Kind::Set, set_directive(rest));
                names(rest, best);
            }
            _ => {
                brackets(rest, best);
                best.offer(Kind::Open, literal(rest, b"("));
                if first == b')' {
                    best.offer(Kind::Close, 1 + line_rest(&rest[1..]));
                }
                operators(rest, best);
                best.offer(Kind::Word, word(rest));
                best.offer(Kind::BracketedWord, bracketed_word(rest));
            }
        }
    }
}
