//! What a template is told about the request, asked for piece by piece: nothing is made that no template reads.

use std::borrow::Cow;

/// Where a request parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the path.
    Path,
    /// In the query string.
    Query,
    /// In a header.
    Header,
}

/// A branch of `$context`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// `$context` itself.
    Root,
    /// `$context.identity`
    Identity,
    /// `$context.identity.clientCert`
    ClientCert,
    /// `$context.identity.clientCert.validity`
    Validity,
    /// `$context.authorizer`
    Authorizer,
    /// `$context.authorizer.claims`
    Claims,
    /// `$context.error`
    Error,
}

/// A value of `$context`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact<'f> {
    /// Text.
    Text(Cow<'f, str>),
    /// A whole number.
    Number(i64),
}

/// What is known about a request. Names that are not known have no value; a template sees the empty string.
pub trait Facts {
    /// The payload that `$input` reads.
    fn body(&self) -> &str;

    /// One parameter; of several values the last.
    fn parameter(&self, place: Place, name: &str) -> Option<&str>;

    /// All parameters of a place, in order, each name once.
    fn parameters<'f>(&'f self, place: Place, each: &mut dyn FnMut(&'f str, &'f str));

    /// One value of `$context`; branches and overrides are not asked for.
    fn context(&self, group: Group, name: &str) -> Option<Fact<'_>>;

    /// The names that a template sees when it goes through a branch whose names differ from request to request.
    fn context_names<'f>(&'f self, group: Group, each: &mut dyn FnMut(&'f str));

    /// One stage variable.
    fn stage_variable(&self, name: &str) -> Option<&str>;

    /// All stage variables, in order.
    fn stage_variables<'f>(&'f self, each: &mut dyn FnMut(&'f str, &'f str));

    /// Further variables, each with its value as JSON. API Gateway has none; tools and tests do.
    fn variables<'f>(&'f self, each: &mut dyn FnMut(&'f str, &'f str)) {
        let _ = each;
    }
}

/// Facts that somebody wrote down: for tools and tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    /// The payload.
    pub body: String,
    /// Path parameters, query string and headers.
    pub parameters: [Vec<(String, String)>; 3],
    /// `$context`: branch, name, value.
    pub context: Vec<(&'static str, String, String)>,
    /// Stage variables.
    pub stage_variables: Vec<(String, String)>,
    /// Further variables, with their values as JSON.
    pub variables: Vec<(String, String)>,
}

/// The names of the branches in [`Sample::context`].
fn branch(group: Group) -> &'static str {
    match group {
        Group::Root => "",
        Group::Identity => "identity",
        Group::ClientCert => "identity.clientCert",
        Group::Validity => "identity.clientCert.validity",
        Group::Authorizer => "authorizer",
        Group::Claims => "authorizer.claims",
        Group::Error => "error",
    }
}

impl Facts for Sample {
    fn body(&self) -> &str {
        &self.body
    }

    fn parameter(&self, place: Place, name: &str) -> Option<&str> {
        let found = self.parameters[place as usize].iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    fn parameters<'f>(&'f self, place: Place, each: &mut dyn FnMut(&'f str, &'f str)) {
        self.parameters[place as usize].iter().for_each(|(name, value)| each(name, value));
    }

    fn context(&self, group: Group, name: &str) -> Option<Fact<'_>> {
        let found = self.context.iter().find(|(known, key, _)| *known == branch(group) && key == name);
        found.map(|(_, _, value)| match (name, value.parse()) {
            ("requestTimeEpoch", Ok(number)) => Fact::Number(number),
            _ => Fact::Text(Cow::Borrowed(value)),
        })
    }

    fn context_names<'f>(&'f self, group: Group, each: &mut dyn FnMut(&'f str)) {
        self.context.iter().filter(|(known, ..)| *known == branch(group)).for_each(|(_, key, _)| each(key));
    }

    fn stage_variable(&self, name: &str) -> Option<&str> {
        self.stage_variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn stage_variables<'f>(&'f self, each: &mut dyn FnMut(&'f str, &'f str)) {
        self.stage_variables.iter().for_each(|(name, value)| each(name, value));
    }

    fn variables<'f>(&'f self, each: &mut dyn FnMut(&'f str, &'f str)) {
        self.variables.iter().for_each(|(name, value)| each(name, value));
    }
}
