//! A file becomes a [`Document`]: what is understood, and a finding for everything that is not.

mod documentation;
mod extensions;
pub(super) mod integration;
mod operation;
mod place;
mod response;
pub(super) mod schema;
mod security;

use super::document::{Document, ReadOptions, Reading};
use super::finding::{Findings, unescape};
use super::node::{Node, Place};
use super::parse::MOST_VALUES;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Which OpenAPI a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    V2,
    V30,
    V31,
}

/// How many references may follow each other.
const MOST_HOPS: usize = 16;

/// How many values may be read that stand elsewhere: what references lead to, and what the file says once for all of its
/// operations. Each of them is read as often as it is named.
const MOST_REPEATED: usize = MOST_VALUES;

/// A file being read.
struct Reader<'a> {
    root: &'a Value,
    version: Version,
    options: &'a ReadOptions,
    findings: Findings,
    document: Document,
    /// Schemes of security by name.
    schemes: BTreeMap<String, security::Scheme>,
    /// The prefix of every path; `None` where it is no good.
    prefix: Option<String>,
    /// Names of models in the document.
    model_names: BTreeSet<String>,
    /// What the document has documentation parts for.
    documented: BTreeSet<documentation::Location>,
    /// Values that were read again, at most [`MOST_REPEATED`].
    repeated: usize,
}

/// Reads a parsed file. Never fails: what is wrong is among the findings.
#[must_use]
pub fn read(file: &Value, options: &ReadOptions) -> Reading {
    let file = place::substituted(file, options);
    let mut findings = Findings::default();
    let Some(version) = version_of(&file, &mut findings) else {
        return Reading { document: Document::default(), findings: findings.into_vec() };
    };
    let mut reader = Reader {
        root: &file,
        version,
        options,
        findings,
        document: Document::default(),
        schemes: BTreeMap::new(),
        prefix: None,
        model_names: BTreeSet::new(),
        documented: BTreeSet::new(),
        repeated: 0,
    };
    reader.whole(&Node::root(&file));
    Reading { document: reader.document, findings: reader.findings.into_vec() }
}

fn version_of(file: &Value, findings: &mut Findings) -> Option<Version> {
    let node = Node::root(file);
    if node.object().is_none() {
        findings.error("", "the file is no object");
        return None;
    }
    match (node.text_of("swagger").as_deref(), node.text_of("openapi").as_deref()) {
        (Some("2.0" | "2"), None) => Some(Version::V2),
        (None, Some(text)) if text == "3.0" || text.starts_with("3.0.") => Some(Version::V30),
        (None, Some(text)) if text == "3.1" || text.starts_with("3.1.") => Some(Version::V31),
        (None, None) => {
            findings.error("", "the file has neither a member \"swagger\" nor \"openapi\"");
            None
        }
        (Some(_), Some(_)) => {
            findings.error("", "the file has both \"swagger\" and \"openapi\"");
            None
        }
        (Some(text), None) => {
            findings.error("/swagger", format!("version {} is not supported, 2.0 is", shown(text)));
            None
        }
        (None, Some(text)) => {
            findings.error("/openapi", format!("version {} is not supported, 3.0 and 3.1 are", shown(text)));
            None
        }
    }
}

/// Text of a client in a message: not more than anybody reads.
fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(100).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

impl<'a> Reader<'a> {
    fn whole(&mut self, root: &Node<'a>) {
        self.info(root);
        self.root_keywords(root);
        self.read_schemes(root);
        self.root_extensions(root);
        self.models(root);
        self.read_paths(root);
        self.read_documentation(root);
    }

    fn info(&mut self, root: &Node<'a>) {
        let Some(info) = root.get("info").filter(|info| info.object().is_some()) else {
            self.findings.error("/info", "the object is missing");
            return;
        };
        match info.text_of("title").filter(|title| !title.trim().is_empty()) {
            Some(title) => self.document.title = title,
            None => self.findings.error("/info/title", "the text is missing"),
        }
        self.document.version = info.text_of("version").filter(|text| !text.is_empty());
        self.document.description = info.text_of("description").filter(|text| !text.is_empty());
        self.keywords(
            &info,
            &["title", "version", "description"],
            &["termsOfService", "contact", "license", "summary"],
        );
    }

    fn root_keywords(&mut self, root: &Node<'a>) {
        let (known, ignored): (&[&str], &[&str]) = match self.version {
            Version::V2 => (
                &[
                    "swagger",
                    "info",
                    "host",
                    "basePath",
                    "schemes",
                    "consumes",
                    "produces",
                    "paths",
                    "definitions",
                    "parameters",
                    "responses",
                    "securityDefinitions",
                    "security",
                    "tags",
                ],
                &["externalDocs"],
            ),
            Version::V30 => {
                (&["openapi", "info", "servers", "paths", "components", "security", "tags"], &["externalDocs"])
            }
            Version::V31 => {
                (&["openapi", "info", "servers", "paths", "components", "security", "tags"], &["externalDocs"])
            }
        };
        self.keywords(root, known, ignored);
        if self.version == Version::V31 {
            for key in ["webhooks", "jsonSchemaDialect"] {
                if let Some(node) = root.get(key) {
                    self.findings.error(&node.at, "this part of OpenAPI 3.1 cannot be represented");
                }
            }
        }
        if let Some(components) = root.get("components") {
            let known = [
                "schemas",
                "responses",
                "parameters",
                "requestBodies",
                "headers",
                "securitySchemes",
                "pathItems",
                "x-amazon-apigateway-integrations",
            ];
            self.keywords(&components, &known, &["examples", "links", "callbacks"]);
        }
    }

    /// Notes members that are neither known nor extensions of the sheet.
    fn keywords(&mut self, node: &Node<'_>, known: &[&str], ignored: &[&str]) {
        for (key, member) in node.members() {
            if known.contains(&key) || EXTENSIONS.contains(&key) {
                continue;
            }
            if ignored.contains(&key) {
                self.findings.ignored(&member.at, "the keyword has no effect on an API");
            } else if key.starts_with("x-amazon-apigateway-") {
                self.findings.warn(&member.at, "this extension is not known here");
            } else if key.starts_with("x-") {
                self.findings.ignored(&member.at, "the vendor extension is not kept");
            } else if !(self.version == Version::V31 && matches!(key, "webhooks" | "jsonSchemaDialect")) {
                self.findings.ignored(&member.at, "not a keyword of OpenAPI at this place");
            }
        }
    }

    /// The value that a chain of `$ref` leads to.
    fn resolve(&mut self, node: Node<'a>) -> Option<Node<'a>> {
        let mut here = node.clone();
        for _ in 0..MOST_HOPS {
            let Some(reference) = here.value.get("$ref").and_then(Value::as_str) else {
                let own = std::ptr::eq(here.value, node.value);
                return (own || self.repeat(&node.at, here.value)).then_some(here);
            };
            let Some(pointer) = reference.strip_prefix("#/") else {
                self.findings.error(&format!("{}/$ref", here.at), format!("{} is not in this file", shown(reference)));
                return None;
            };
            let mut value = self.root;
            for part in pointer.split('/') {
                let next = match value {
                    Value::Array(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)),
                    other => other.get(unescape(part)),
                };
                let Some(next) = next else {
                    let text = format!("{} names nothing in this file", shown(reference));
                    self.findings.error(&format!("{}/$ref", here.at), text);
                    return None;
                };
                value = next;
            }
            here = Node { value, at: Place::of(pointer) };
        }
        self.findings.error(&node.at, "the references go round in a circle");
        None
    }

    /// Counts a value that is read once more; whether it may be.
    fn repeat(&mut self, at: &Place<'a>, value: &Value) -> bool {
        let left = MOST_REPEATED - self.repeated;
        let mut open = vec![value];
        let mut count = 0;
        while let Some(value) = open.pop() {
            count += 1;
            match value {
                _ if count > left => break,
                Value::Array(items) => open.extend(items.iter().take(left)),
                Value::Object(map) => open.extend(map.values().take(left)),
                _ => {}
            }
        }
        self.spend(at, count)
    }

    /// Counts values that are read once more; whether they may be.
    fn spend(&mut self, at: &Place<'_>, values: usize) -> bool {
        let fits = values <= MOST_REPEATED - self.repeated;
        self.repeated = self.repeated.saturating_add(values).min(MOST_REPEATED);
        if !fits {
            let text = "with what references and the file's own rules repeat, it has more than";
            self.findings.error(at, format!("{text} {MOST_REPEATED} values"));
        }
        fits
    }
}

/// The extensions of the sheet: each is read where it belongs; elsewhere it is noted there.
const EXTENSIONS: &[&str] = &[
    "x-amazon-apigateway-any-method",
    "x-amazon-apigateway-api-key-source",
    "x-amazon-apigateway-auth",
    "x-amazon-apigateway-authorizer",
    "x-amazon-apigateway-authtype",
    "x-amazon-apigateway-binary-media-types",
    "x-amazon-apigateway-cors",
    "x-amazon-apigateway-documentation",
    "x-amazon-apigateway-endpoint-access-mode",
    "x-amazon-apigateway-endpoint-configuration",
    "x-amazon-apigateway-gateway-responses",
    "x-amazon-apigateway-importexport-version",
    "x-amazon-apigateway-integration",
    "x-amazon-apigateway-integrations",
    "x-amazon-apigateway-minimum-compression-size",
    "x-amazon-apigateway-policy",
    "x-amazon-apigateway-request-validator",
    "x-amazon-apigateway-request-validators",
    "x-amazon-apigateway-security-policy",
    "x-amazon-apigateway-tag-value",
];
