//! Which integration response answers, and what it makes of the answer (data-plane §7).

use super::body_read::BodyReads;
use super::flaw::Flaw;
use super::mapping::{Side, Source};
use super::media;
use super::template::Template;
use crate::catalog::v1::{ContentHandling, Integration, Method};
use crate::spec::java_regex::JavaRegex;
use crate::spec::vtl::TemplateError;
use http::{HeaderName, HeaderValue};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The integration responses of a method.
#[derive(Debug, Default)]
pub struct Responses {
    all: Vec<ResponsePlan>,
    /// What one of them needs and this version cannot do.
    unbuilt: Option<&'static str>,
}

/// One integration response.
#[derive(Debug)]
pub struct ResponsePlan {
    /// The status that the client gets.
    pub status: u16,
    /// Whether the method declares that status; else AWS answers 500.
    pub declared: bool,
    /// Headers that are set, in the order of their names.
    pub headers: Vec<(HeaderName, Source)>,
    /// What they read from the answer's body.
    pub reads: Arc<BodyReads>,
    /// What is done to the payload.
    pub content_handling: Option<ContentHandling>,
    /// Templates with the media types that they make.
    renditions: Vec<Rendition>,
    /// Which of them a client gets that accepts anything: JSON's, else the first.
    usual: usize,
    /// A pattern over the whole status; `None`: the default.
    pattern: Option<JavaRegex>,
}

/// A template and the media type that it makes.
#[derive(Debug)]
pub struct Rendition {
    /// Type and subtype, by which it is found.
    media: Box<str>,
    /// What `Content-Type` says; `None` where the configured text cannot stand in a header.
    pub content_type: Option<HeaderValue>,
    /// What it makes.
    pub template: Template,
}

impl ResponsePlan {
    /// The rendition for a client that accepts this: its media type's, else JSON's, else the first.
    pub fn rendition(&self, accept: Option<&str>) -> Option<&Rendition> {
        let asked = media::first_accept(accept);
        let asked = asked.and_then(|media| self.renditions.iter().find(|r| r.media.eq_ignore_ascii_case(media)));
        asked.or_else(|| self.renditions.get(self.usual))
    }
}

fn rendition(media: &str, text: &str) -> Rendition {
    Rendition {
        media: media::content_type(Some(media)).into(),
        content_type: HeaderValue::try_from(media).ok(),
        template: Template::of(text),
    }
}

impl Responses {
    /// Compiles a method's integration responses.
    pub fn compile(
        method: &Method,
        integration: &Integration,
        place: &str,
        variables: &BTreeMap<String, String>,
        flaws: &mut Vec<Flaw>,
    ) -> Responses {
        let mut responses = Responses::default();
        for (code, response) in &integration.integration_responses {
            let Some(status) = code.parse().ok().filter(|s| (100..=999).contains(s)) else {
                flaws.push(Flaw::new(place, format!("`{code}` is no status code")));
                continue;
            };
            let pattern = match response.selection_pattern.as_deref().filter(|p| !p.is_empty()) {
                None => None,
                Some(text) => match JavaRegex::compile(text) {
                    Ok(regex) => Some(regex),
                    // AWS finds out when it is called: a deployment with such a pattern is not refused.
                    Err(_) => {
                        responses.unbuilt = Some("selection patterns that only Java can read");
                        continue;
                    }
                },
            };
            let (mut headers, mut reads) = (Vec::new(), BodyReads::default());
            for (target, source) in response.response_parameters.iter().flatten() {
                let name = target.strip_prefix("method.response.header.").and_then(|n| n.parse().ok());
                match (name, Source::compile(source, Side::Response, variables, &mut reads)) {
                    (Some(name), Ok(source)) => headers.push((name, source)),
                    (None, _) => flaws.push(Flaw::new(place, format!("`{target}` is no header of a response"))),
                    (_, Err(why)) => flaws.push(Flaw::new(place, why)),
                }
            }
            let templates = response.response_templates.iter().flatten();
            let renditions: Vec<Rendition> =
                templates.map(|(media, text)| rendition(media, text.as_deref().unwrap_or_default())).collect();
            let usual = renditions.iter().position(|r| r.media.eq_ignore_ascii_case("application/json")).unwrap_or(0);
            let declared = method.method_responses.contains_key(code);
            let content_handling = response.content_handling.clone();
            let reads = Arc::new(reads);
            let plan = ResponsePlan { status, declared, headers, reads, content_handling, renditions, usual, pattern };
            responses.all.push(plan);
        }
        responses
    }

    /// What this version cannot do of them.
    pub fn unbuilt(&self) -> Option<&'static str> {
        self.unbuilt
    }

    /// Every template that cannot be parsed, with its media type.
    pub fn flaws(&self) -> impl Iterator<Item = (&str, &TemplateError)> {
        let renditions = self.all.iter().flat_map(|response| &response.renditions);
        renditions.filter_map(|rendition| Some((&*rendition.media, rendition.template.flaw()?)))
    }

    /// The response for a status: the first whose pattern is all of it, else the default.
    pub fn select(&self, status: u16) -> Option<&ResponsePlan> {
        if self.all.iter().all(|r| r.pattern.is_none()) {
            return self.usual();
        }
        self.select_by(&status.to_string())
    }

    /// The response for the error of a function: the first whose pattern is all of it, else the default.
    pub fn select_by(&self, text: &str) -> Option<&ResponsePlan> {
        let fits = |r: &&ResponsePlan| r.pattern.as_ref().is_some_and(|p| p.matches(text).unwrap_or(false));
        self.all.iter().find(fits).or_else(|| self.usual())
    }

    /// The default.
    pub fn usual(&self) -> Option<&ResponsePlan> {
        self.all.iter().find(|r| r.pattern.is_none())
    }
}
