//! What a mapping template sees of a visit, asked for piece by piece.

use super::ask::{Ask, Client, Facts, Known};
use crate::net::http::SentNames;
use crate::plan::context::{Context, Variable};
use crate::plan::mapping::decode;
use crate::spec::vtl::{Fact, Facts as TemplateFacts, Group, Place};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;

/// A visit as a template sees it.
pub(super) struct Scene<'a> {
    known: Known<'a>,
    headers: &'a HeaderMap,
    names: Names<'a>,
    parameters: &'a [(Box<str>, Box<str>)],
    query: &'a str,
    body: &'a str,
    /// The query, taken apart when it is first asked for.
    pairs: OnceCell<Vec<(Cow<'a, str>, Cow<'a, str>)>>,
}

/// The headers' names as they were sent, made when they are first listed.
enum Names<'a> {
    Asked(&'a Ask, OnceCell<SentNames>),
    Known(&'a SentNames),
}

impl Names<'_> {
    fn get(&self) -> &SentNames {
        match self {
            Names::Asked(ask, names) => names.get_or_init(|| ask.names()),
            Names::Known(names) => names,
        }
    }
}

impl<'a> Scene<'a> {
    /// Of a visit in the walk; `body` is what `$input` reads.
    pub(super) fn of(ask: &'a Ask, body: &'a str) -> Scene<'a> {
        Scene {
            known: ask.known(),
            headers: &ask.headers,
            names: Names::Asked(ask, OnceCell::new()),
            parameters: &ask.parameters,
            query: ask.query(),
            body,
            pairs: OnceCell::new(),
        }
    }

    fn variables(&self) -> Option<&'a BTreeMap<String, String>> {
        Some(&self.known.facts.stage.as_ref()?.plan.variables)
    }

    fn pairs(&self) -> &[(Cow<'a, str>, Cow<'a, str>)] {
        self.pairs.get_or_init(|| {
            let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
            pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(n, v)| (decode(n), decode(v))).collect()
        })
    }
}

/// A header's value as text; one that is not UTF-8 is not seen.
fn text(value: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()).ok()
}

impl TemplateFacts for Scene<'_> {
    fn body(&self) -> &str {
        self.body
    }

    fn parameter(&self, place: Place, name: &str) -> Option<&str> {
        match place {
            Place::Path => self.parameters.iter().find(|(known, _)| **known == *name).map(|(_, value)| &**value),
            Place::Query => self.pairs().iter().rev().find(|(known, _)| known == name).map(|(_, value)| &**value),
            // AWS compares case; clients over HTTP/2 send lower case alone, and mappings have to find what they sent.
            Place::Header => self.headers.get_all(name).iter().next_back().and_then(text),
        }
    }

    fn parameters<'f>(&'f self, place: Place, each: &mut dyn FnMut(&'f str, &'f str)) {
        match place {
            Place::Path => self.parameters.iter().for_each(|(name, value)| each(name, value)),
            Place::Query => {
                let pairs = self.pairs();
                // The last of several values, at the place of the first.
                let mut last: BTreeMap<&str, usize> = BTreeMap::new();
                pairs.iter().enumerate().for_each(|(at, (name, _))| {
                    last.insert(name, at);
                });
                for (name, _) in pairs {
                    if let Some(at) = last.remove(&**name) {
                        each(name, &pairs[at].1);
                    }
                }
            }
            Place::Header => {
                let names = self.names.get();
                for name in self.headers.keys() {
                    if let Some(value) = self.headers.get_all(name).iter().next_back().and_then(text) {
                        each(names.as_sent(name), value);
                    }
                }
            }
        }
    }

    fn context(&self, group: Group, name: &str) -> Option<Fact<'_>> {
        if group == Group::Root && name == "requestTimeEpoch" {
            return Some(Fact::Number(self.known.facts.time_ms));
        }
        let branch = match group {
            Group::Root => "",
            Group::Identity => "identity",
            Group::ClientCert => "identity.clientCert",
            Group::Validity => "identity.clientCert.validity",
            Group::Authorizer => "authorizer",
            Group::Claims => "authorizer.claims",
            Group::Error => "error",
        };
        self.known.value(&Variable::below(branch, name)?).map(Fact::Text)
    }

    fn context_names<'f>(&'f self, _group: Group, _each: &mut dyn FnMut(&'f str)) {
        // Names that differ from request to request are an authorizer's.
    }

    fn stage_variable(&self, name: &str) -> Option<&str> {
        self.variables()?.get(name).map(String::as_str)
    }

    fn stage_variables<'f>(&'f self, each: &mut dyn FnMut(&'f str, &'f str)) {
        self.variables().into_iter().flatten().for_each(|(name, value)| each(name, value));
    }
}

/// The same, owned: for a template that runs off the worker.
pub(super) struct OwnedScene {
    method: Method,
    uri: Uri,
    client: Client,
    facts: Facts,
    headers: HeaderMap,
    names: SentNames,
    parameters: Vec<(Box<str>, Box<str>)>,
    body: Bytes,
}

impl OwnedScene {
    /// Of a visit in the walk; `body` must be UTF-8.
    pub(super) fn of(ask: &Ask, body: Bytes) -> OwnedScene {
        OwnedScene {
            method: ask.method.clone(),
            uri: ask.uri.clone(),
            client: ask.client.clone(),
            facts: ask.facts.clone(),
            headers: ask.headers.clone(),
            names: ask.names(),
            parameters: ask.parameters.clone(),
            body,
        }
    }

    /// What the template sees.
    pub(super) fn scene(&self) -> Scene<'_> {
        Scene {
            known: Known { method: &self.method, path: self.uri.path(), client: &self.client, facts: &self.facts },
            headers: &self.headers,
            names: Names::Known(&self.names),
            parameters: &self.parameters,
            query: self.uri.query().unwrap_or_default(),
            body: std::str::from_utf8(&self.body).unwrap_or_default(),
            pairs: OnceCell::new(),
        }
    }
}
