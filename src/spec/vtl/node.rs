//! A template's compact form: what the parser leaves and rendering walks, never changed after.

use super::method::Method;
use super::prepared::Prepared;
use crate::spec::object::Operator;
use std::sync::atomic::AtomicU32;

/// Statements in order.
pub(super) type Block = Box<[Node]>;

/// A variable's place: names are looked up once, when the template is parsed.
pub(super) type Slot = u32;

/// Bytes from the template's beginning; line and column are counted when somebody asks.
pub(super) type Place = u32;

/// A statement.
#[derive(Debug)]
pub(super) enum Node {
    Text(Box<str>),
    Reference(Box<Reference>),
    Set(Box<Set>),
    If(Box<[Arm]>),
    Foreach(Box<Foreach>),
    /// Makes a block's reference: variable and index into the template's blocks.
    Define(Slot, u32),
    Call(Box<Call>),
    Break(Option<Box<Expression>>, Place),
    Stop,
    /// A directive that API Gateway does not have.
    Unavailable(&'static str, Place),
}

/// `#if`, `#elseif` or `#else`.
#[derive(Debug)]
pub(super) struct Arm {
    /// `None` for `#else`.
    pub when: Option<Expression>,
    pub then: Block,
}

#[derive(Debug)]
pub(super) struct Set {
    pub target: Reference,
    /// The variable that a target without steps sets: Velocity cuts one letter from what was written, `{` and `!` stay.
    pub name: Slot,
    pub value: Expression,
    pub place: Place,
}

#[derive(Debug)]
pub(super) struct Foreach {
    pub element: Slot,
    pub list: Option<Expression>,
    pub body: Block,
    /// Which loop of the template: what `#break($foreach)` names.
    pub id: u32,
    pub place: Place,
}

/// `#name(…)`: a macro's call, or text when there is no such macro.
#[derive(Debug)]
pub(super) struct Call {
    pub name: Box<str>,
    pub arguments: Box<[Argument]>,
    /// `#@name(…) … #end`: index into the template's blocks.
    pub body: Option<u32>,
    pub literal: Box<str>,
    pub place: Place,
}

#[derive(Debug)]
pub(super) struct Argument {
    pub value: Expression,
    /// A name without a dollar: no macro takes it.
    pub word: bool,
    /// What was written: printed where the macro's parameter stands escaped or cannot be resolved.
    pub literal: Box<str>,
}

/// A macro's definition.
#[derive(Debug)]
pub(super) struct Macro {
    pub parameters: Box<[Slot]>,
    pub body: Block,
}

#[derive(Debug)]
pub(super) enum Expression {
    /// A string without references, or a lone word.
    Str(Box<str>),
    Bool(bool),
    Int(i32),
    Long(i64),
    Double(f64),
    /// A whole number beyond `long`, as written.
    Big(Box<str>),
    /// A string with references in it.
    Interpolated(Box<Interpolated>),
    Reference(Box<Reference>),
    Range(Box<(Expression, Expression)>),
    List(Box<[Expression]>),
    Map(Box<[(Expression, Expression)]>),
    Arithmetic(Box<Arithmetic>),
    Compare(Compare, Box<(Expression, Expression)>),
    And(Box<(Expression, Expression)>),
    Or(Box<(Expression, Expression)>),
    Not(Box<Expression>),
}

#[derive(Debug)]
pub(super) struct Interpolated {
    pub body: Block,
    /// Whether the blank that was added to the text still has to go.
    pub strip: bool,
}

#[derive(Debug)]
pub(super) struct Arithmetic {
    pub operator: Operator,
    pub left: Expression,
    pub right: Expression,
    /// What was written on either side: joined to a string instead of a null.
    pub literals: Option<Box<(Box<str>, Box<str>)>>,
    pub place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

#[derive(Debug)]
pub(super) struct Reference {
    pub sort: Sort,
    pub slot: Slot,
    pub steps: Box<[Step]>,
    /// Backslashes and dollars before it that print as they are.
    pub prefix: Box<str>,
    /// What was written; printed when it is escaped, or when a block refuses to render.
    pub literal: Box<str>,
    pub place: Place,
}

/// How a reference is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Normal,
    /// `\$x`: prints its own text.
    Escaped,
    /// `$\!x`: prints nothing and has no value.
    Mute,
    /// A name without a dollar in a call's arguments: no value.
    Runt,
}

/// What follows a variable's name.
#[derive(Debug)]
pub(super) enum Step {
    Property(Box<Property>),
    Index(Expression, Place),
    Call(Box<Invocation>),
}

#[derive(Debug)]
pub(super) struct Property {
    pub name: Box<str>,
    pub place: Place,
    /// Where the name stood in the map that was asked last.
    pub hint: AtomicU32,
}

#[derive(Debug)]
pub(super) struct Invocation {
    pub name: Box<str>,
    pub method: Method,
    pub arguments: Box<[Expression]>,
    /// A path or regular expression that is written out: compiled on first use.
    pub prepared: Prepared,
    pub place: Place,
}
