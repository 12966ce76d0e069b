//! Parameter mappings: where a value comes from, compiled once (data-plane §6).

use super::body_read::BodyReads;
use super::context::{Context, Variable};
use http::HeaderMap;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Where a mapped value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A fixed text: a literal, or a stage variable as it stood when the plan was compiled.
    Text(Box<str>),
    /// A path parameter.
    Path(Box<str>),
    /// The last value of a query parameter.
    Query(Box<str>),
    /// All values of a query parameter.
    MultiQuery(Box<str>),
    /// The last value of a header, of the request or of the integration's answer.
    Header(Box<str>),
    /// All values of a header, joined by commas.
    MultiHeader(Box<str>),
    /// What was read from the body: the place in [`BodyReads`].
    Body(usize),
    /// A context variable.
    Context(Variable),
    /// Nothing: the target is left out.
    Absent,
}

/// What sources read from.
pub struct View<'a> {
    /// Path parameters as they were sent.
    pub path: &'a [(&'a str, &'a str)],
    /// The raw query.
    pub query: &'a str,
    /// Headers: the request's for request mappings, the answer's for response mappings.
    pub headers: &'a HeaderMap,
    /// What [`BodyReads::read`] found in the body.
    pub body: &'a [Option<String>],
    /// Context variables.
    pub context: &'a dyn Context,
}

/// Which side a mapping reads from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `method.request.…`
    Request,
    /// `integration.response.…`
    Response,
}

impl Source {
    /// Compiles a mapping expression. What it reads from a body is added to `reads`.
    ///
    /// # Errors
    /// Why it is none.
    pub fn compile(
        text: &str,
        side: Side,
        variables: &BTreeMap<String, String>,
        reads: &mut BodyReads,
    ) -> Result<Source, String> {
        if let Some(literal) = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) {
            return Ok(Source::Text(literal.into()));
        }
        if let Some(name) = text.strip_prefix("stageVariables.") {
            return Ok(variables.get(name).map_or(Source::Absent, |value| Source::Text(value.as_str().into())));
        }
        if let Some(name) = text.strip_prefix("context.") {
            // What no visit has is absent, as at AWS.
            return Ok(Variable::named(name).map_or(Source::Absent, Source::Context));
        }
        let prefix = if side == Side::Request { "method.request." } else { "integration.response." };
        let unknown = || format!("`{text}` is no mapping expression");
        let (kind, name) = text
            .strip_prefix(prefix)
            .ok_or_else(unknown)?
            .split_once('.')
            .unwrap_or((text.strip_prefix(prefix).unwrap_or_default(), ""));
        match (side, kind, name) {
            (_, "body", path) => reads.add(path).map(Source::Body).map_err(|why| format!("`{text}`: {why}")),
            (_, _, "") => Err(unknown()),
            (Side::Request, "path", name) => Ok(Source::Path(name.into())),
            (Side::Request, "querystring", name) => Ok(Source::Query(name.into())),
            (Side::Request, "multivaluequerystring", name) => Ok(Source::MultiQuery(name.into())),
            (_, "header", name) => Ok(Source::Header(name.to_ascii_lowercase().into())),
            (_, "multivalueheader", name) => Ok(Source::MultiHeader(name.to_ascii_lowercase().into())),
            _ => Err(unknown()),
        }
    }

    /// Hands every value to `each`; nothing when the source is absent.
    pub fn values(&self, view: &View<'_>, mut each: impl FnMut(&str)) {
        match self {
            Source::Text(text) => each(text),
            Source::Path(name) => {
                if let Some((_, value)) = view.path.iter().rev().find(|(n, _)| *n == &**name) {
                    each(value);
                }
            }
            Source::Query(name) => {
                if let Some(value) = query_values(view.query, name).last() {
                    each(&value);
                }
            }
            Source::MultiQuery(name) => query_values(view.query, name).for_each(|value| each(&value)),
            Source::Header(name) => {
                if let Some(value) = header_values(view.headers, name).last() {
                    each(&value);
                }
            }
            Source::MultiHeader(name) => {
                let all: Vec<_> = header_values(view.headers, name).collect();
                if !all.is_empty() {
                    each(&all.join(","));
                }
            }
            Source::Body(index) => {
                if let Some(Some(value)) = view.body.get(*index) {
                    each(value);
                }
            }
            Source::Context(variable) => {
                if let Some(value) = view.context.value(variable) {
                    each(&value);
                }
            }
            Source::Absent => {}
        }
    }

    /// The one value of a source.
    pub fn value(&self, view: &View<'_>) -> Option<String> {
        let mut found = None;
        self.values(view, |value| found = Some(value.to_owned()));
        found
    }
}

fn header_values<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
    headers.get_all(name).into_iter().map(|value| String::from_utf8_lossy(value.as_bytes()))
}

/// The decoded values of a query parameter, in order. Names are compared case-sensitively, `+` is a blank.
pub fn query_values<'q>(query: &'q str, name: &str) -> impl Iterator<Item = Cow<'q, str>> {
    query.split('&').filter_map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key) == name).then(|| decode(value))
    })
}

/// A name or value of a query: percent sequences decoded, `+` a blank.
pub fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let blanks = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&blanks).decode_utf8_lossy().into_owned())
}
