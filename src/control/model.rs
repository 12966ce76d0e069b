//! The words that the generated table is written in: operations, members and shapes of AWS's service models.

use super::table;

/// Which of the services an operation belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// `apigateway`: REST APIs.
    V1,
    /// `apigatewayv2`: HTTP and WebSocket APIs, under `/v2`.
    V2,
    /// `apigatewaymanagementapi`: `/@connections`, on the host of an API.
    Management,
    /// `lambda`: functions that the cluster runs itself.
    Lambda,
}

/// Where a member travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// A label of the path.
    Uri,
    /// One query key.
    Query,
    /// Every query key that no other member claims.
    Any,
    /// A header.
    Header,
    /// A member of the JSON body.
    Body,
    /// The body itself.
    Payload,
    /// The status of an answer.
    Status,
}

/// One member of a structure.
#[derive(Debug)]
pub struct Member {
    /// The name in SDKs.
    pub name: &'static str,
    /// The name on the wire.
    pub wire: &'static str,
    /// Index of its shape in [`table::SHAPES`].
    pub shape: u16,
    /// Where it travels.
    pub at: At,
    /// Whether the model requires it.
    pub required: bool,
}

/// A shape: what values a member takes.
#[derive(Debug)]
pub enum Shape {
    /// An object with known members.
    Structure(&'static str, &'static [Member]),
    /// An array of one shape.
    List(u16),
    /// An object from string to one shape.
    Map(u16),
    /// Any string.
    Text,
    /// One of a set, in the order in which AWS prints the set.
    Enum(&'static [&'static str]),
    /// A string of a regular expression.
    Pattern(&'static str),
    /// A string of a length between both, in characters.
    Sized(u32, u32),
    /// A 32-bit number.
    Integer,
    /// A 64-bit number.
    Long,
    /// A number between both.
    Range(i64, i64),
    /// A floating-point number.
    Double,
    /// A boolean.
    Boolean,
    /// Seconds since 1970, a JSON number.
    Epoch,
    /// ISO-8601 text.
    Instant,
    /// Bytes.
    Blob,
}

/// One operation: a row of the table.
#[derive(Debug)]
pub struct Operation {
    /// Its service.
    pub service: Service,
    /// Its name, as in SDKs (`CreateRestApi`).
    pub name: &'static str,
    /// HTTP method.
    pub method: &'static str,
    /// Path template, with a literal query where the model has one.
    pub uri: &'static str,
    /// Status of success.
    pub status: u16,
    /// Shape of the input.
    pub input: Option<u16>,
    /// Shape of the output.
    pub output: Option<u16>,
    /// Wire name of the list that is answered in pages.
    pub list: Option<&'static str>,
    /// Names of the errors that the model lists.
    pub errors: &'static [&'static str],
}

impl Operation {
    /// Members of the input, none for an operation without one.
    pub fn members(&self) -> &'static [Member] {
        match self.input.map(|i| &table::SHAPES[i as usize]) {
            Some(Shape::Structure(_, members)) => members,
            _ => &[],
        }
    }

    /// The operation of that name, e.g. `(V1, "CreateRestApi")`.
    pub fn named(service: Service, name: &str) -> Option<&'static Operation> {
        table::OPERATIONS.iter().find(|o| o.service == service && o.name == name)
    }
}

/// The words that a member of an input may be, in AWS's order; none where it takes any text.
pub fn words(service: Service, operation: &str, member: &str) -> &'static [&'static str] {
    let members = Operation::named(service, operation).map(Operation::members).unwrap_or_default();
    match members.iter().find(|known| known.name == member).map(Member::shape) {
        Some(Shape::Enum(words)) => words,
        _ => &[],
    }
}

impl Member {
    /// The member's shape.
    pub fn shape(&self) -> &'static Shape {
        &table::SHAPES[self.shape as usize]
    }
}

pub(super) const fn m(name: &'static str, shape: u16, at: At) -> Member {
    Member { name, wire: name, shape, at, required: false }
}

pub(super) const fn mw(name: &'static str, wire: &'static str, shape: u16, at: At) -> Member {
    Member { name, wire, shape, at, required: false }
}

pub(super) const fn r(name: &'static str, shape: u16, at: At) -> Member {
    Member { name, wire: name, shape, at, required: true }
}

pub(super) const fn rw(name: &'static str, wire: &'static str, shape: u16, at: At) -> Member {
    Member { name, wire, shape, at, required: true }
}

pub(super) const fn st(name: &'static str, members: &'static [Member]) -> Shape {
    Shape::Structure(name, members)
}

#[allow(clippy::too_many_arguments)] // one call per row of the table
pub(super) const fn op(
    service: Service,
    name: &'static str,
    method: &'static str,
    uri: &'static str,
    status: u16,
    input: Option<u16>,
    output: Option<u16>,
    list: Option<&'static str>,
    errors: &'static [&'static str],
) -> Operation {
    Operation { service, name, method, uri, status, input, output, list, errors }
}
