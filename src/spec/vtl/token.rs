//! Velocity's tokens and lexical states, in the order that decides between matches of one length.

/// What a token is; between matches of one length the first in this list wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    End0,
    IndexOpen,
    IndexClose,
    ListOpen,
    ListClose,
    Comma,
    DoubleDot,
    Colon,
    MapOpen,
    MapClose,
    Open,
    Close,
    CallClose,
    EscapedDirective,
    Set,
    Dollar,
    DollarBang,
    BlockStart,
    FormalStart,
    CommentStart,
    Hash,
    LineComment,
    DoubleEscape,
    Escape,
    Text,
    LineEnd,
    FormalEnd,
    CommentEnd,
    BlockEnd,
    Skip,
    BlockChar,
    Blank,
    Str,
    True,
    False,
    Minus,
    Plus,
    Times,
    Over,
    Modulo,
    And,
    Or,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Equal,
    Unequal,
    Not,
    Assign,
    End,
    If,
    ElseIf,
    Else,
    Integer,
    Float,
    Word,
    BracketedWord,
    Name,
    Dot,
    CurlyOpen,
    CurlyClose,
    ReferenceEnd,
    DirectiveEnd,
    EmptyIndex,
}

/// In which part of the language the lexer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Text.
    Default,
    /// After `$`.
    Reference,
    /// After the dot of a reference.
    Modifier,
    /// Within the parentheses of a method call.
    Call,
    /// Within the brackets of an index.
    Index,
    /// After `#`, before it is known what follows.
    PreDirective,
    /// Within a directive's parentheses.
    Directive,
    /// Within `#[[ ]]#`.
    Block,
    /// Within `#* *#`.
    Comment,
    /// Within `#** *#`.
    Formal,
    /// After `##`.
    Line,
}

/// A token: where its image stands in the text, and what was skipped before it.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
    /// Signs that began something that did not follow, such as the `$` of `$ 5`; they print before the token.
    pub special: Option<Box<str>>,
}
