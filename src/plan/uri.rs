//! An integration's URI: stage variables are put in when the plan is compiled, `{name}` when it is called.

use super::mapping::{Source, View};
use crate::spec::vtl::Overrides;
use http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What may not stand in a path as it is; `%` may: path values come as the client encoded them.
const IN_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'|')
    .add(b'\\')
    .add(b'^');
/// What may not stand in a query's name or value.
const IN_QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b'<')
    .add(b'=')
    .add(b'>')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'|')
    .add(b'\\')
    .add(b'^');

/// A part of a URI.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    Value {
        name: Box<str>,
        /// What is mapped to it; nothing: it stays as it is.
        source: Option<Source>,
    },
}

/// A compiled URI. It may still prove to be no URL when it is called: that is a runtime error, as at AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriTemplate {
    /// `http` or `https`, and host and port, when no value stands in them.
    pub fixed: Option<(Box<str>, Box<str>)>,
    pieces: Vec<Piece>,
    query: Vec<(Box<str>, Source)>,
    /// Length of the texts, a first guess of the whole.
    guess: usize,
    /// Path and query, where no value stands in them.
    constant: Option<PathAndQuery>,
}

/// What a template wrote into `$context.requestOverride.path` and `.querystring`.
#[derive(Debug, Clone, Copy, Default)]
pub struct UriOverrides<'o> {
    /// Values by the names in the URI.
    pub path: Option<&'o Json>,
    /// Values by parameter.
    pub query: Option<&'o Json>,
}

/// A URI as it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// Scheme and authority, when the plan could not know them.
    pub dynamic: Option<(String, String)>,
    /// Path and query.
    pub path_and_query: PathAndQuery,
}

/// Puts `${stageVariables.x}` in; an undefined one is empty, `${x}` without the prefix stays.
pub fn with_variables(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${stageVariables.") {
        let name_at = at + "${stageVariables.".len();
        let Some(end) = rest[name_at..].find('}') else { break };
        out.push_str(&rest[..at]);
        out.push_str(variables.get(&rest[name_at..name_at + end]).map_or("", String::as_str));
        rest = &rest[name_at + end + 1..];
    }
    out.push_str(rest);
    out
}

impl UriTemplate {
    /// Compiles. `paths` are the `integration.request.path.*` mappings, `query` the `querystring` ones.
    /// `overridable`: a template may give a value to any name.
    pub fn compile(
        uri: &str,
        paths: &BTreeMap<Box<str>, Source>,
        query: Vec<(Box<str>, Source)>,
        overridable: bool,
    ) -> UriTemplate {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut text = String::new();
        let mut rest = uri;
        while let Some(at) = rest.find('{') {
            text.push_str(&rest[..at]);
            let Some(end) = rest[at..].find('}') else { break };
            let name = rest[at + 1..at + end].trim_end_matches('+');
            let source = paths.get(name).cloned();
            if source.is_some() || overridable {
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text).into()));
                }
                pieces.push(Piece::Value { name: name.into(), source });
            } else {
                text.push_str(&rest[at..=at + end]);
            }
            rest = &rest[at + end + 1..];
        }
        text.push_str(rest);
        if !text.is_empty() {
            pieces.push(Piece::Text(text.into()));
        }
        let mut fixed = None;
        let alone = pieces.len() == 1;
        if let Some(Piece::Text(first)) = pieces.first_mut()
            && let Some((scheme, after)) = first.split_once("://")
        {
            let end = after.find(['/', '?']);
            if end.is_some() || alone {
                let (authority, path) = after.split_at(end.unwrap_or(after.len()));
                fixed = Some((scheme.into(), authority.into()));
                *first = path.into();
            }
        }
        let guess = pieces.iter().map(|p| if let Piece::Text(t) = p { t.len() } else { 16 }).sum();
        let constant = match (&fixed, pieces.first()) {
            (Some(_), Some(Piece::Text(path))) if alone && query.is_empty() => origin_form(path.to_string()).ok(),
            _ => None,
        };
        UriTemplate { fixed, pieces, query, guess, constant }
    }

    /// Renders for one visit; `client_query` is appended as it was sent, `overrides` go before mappings.
    ///
    /// # Errors
    /// When the result is no absolute URL.
    pub fn call(&self, view: &View<'_>, client_query: &str, overrides: &UriOverrides<'_>) -> Result<Called, String> {
        if let (Some(constant), true, None) = (&self.constant, client_query.is_empty(), overrides.query) {
            return Ok(Called { dynamic: None, path_and_query: constant.clone() });
        }
        let mut out = String::with_capacity(self.guess + client_query.len() + 32);
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Value { name, source } => {
                    let mut put = |value: &str| out.extend(utf8_percent_encode(value, IN_PATH));
                    match (Overrides::values(overrides.path, name).as_slice(), source) {
                        ([], Some(source)) => source.values(view, put),
                        ([], None) => {
                            let _ = write!(out, "{{{name}}}");
                        }
                        (values, _) => put(&values.join(",")),
                    }
                }
            }
        }
        let mut dynamic = None;
        if self.fixed.is_none() {
            let Some((scheme, after)) = out.split_once("://") else { return Err("it is not absolute".into()) };
            let end = after.find(['/', '?']).unwrap_or(after.len());
            dynamic = Some((scheme.to_owned(), after[..end].to_owned()));
            out = after[end..].to_owned();
        }
        if !client_query.is_empty() {
            join(&mut out);
            out.push_str(client_query);
        }
        let overridden = overrides.query.and_then(Json::as_object);
        let mut put = |name: &str, value: &str| {
            join(&mut out);
            out.extend(utf8_percent_encode(name, IN_QUERY));
            out.push('=');
            out.extend(utf8_percent_encode(value, IN_QUERY));
        };
        for (name, source) in &self.query {
            if overridden.is_none_or(|map| !map.contains_key(&**name)) {
                source.values(view, |value| put(name, value));
            }
        }
        for name in overridden.into_iter().flat_map(serde_json::Map::keys) {
            Overrides::values(overrides.query, name).iter().for_each(|value| put(name, value));
        }
        Ok(Called { dynamic, path_and_query: origin_form(out)? })
    }
}

/// A path with its query as it can be sent: what may not stand in it as it is gets encoded.
fn origin_form(mut text: String) -> Result<PathAndQuery, String> {
    if !text.starts_with('/') {
        text.insert(0, '/');
    }
    if !text.is_ascii() || text.contains(['{', '}', '|', '"', '<', '>', '\\', '^', '`', ' ']) {
        let (path, query) = text.split_once('?').unwrap_or((&text, ""));
        let mut clean: String = utf8_percent_encode(path, IN_PATH).collect();
        if !query.is_empty() {
            clean.push('?');
            clean.extend(utf8_percent_encode(query, IN_PATH));
        }
        text = clean;
    }
    PathAndQuery::try_from(text).map_err(|cause| cause.to_string())
}

fn join(out: &mut String) {
    let open = match out.find('?') {
        None => '?',
        Some(at) if at + 1 == out.len() || out.ends_with('&') => return,
        Some(_) => '&',
    };
    out.push(open);
}
