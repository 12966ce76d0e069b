//! Which integration response answers, and what it makes of the answer (data-plane §7).

use super::flaw::Flaw;
use super::mapping::{Side, Source};
use super::media;
use super::template::Template;
use crate::catalog::v1::{Integration, Method};
use http::HeaderName;
use std::collections::BTreeMap;

/// The integration responses of a method.
#[derive(Debug, Clone, Default)]
pub struct Responses {
    all: Vec<ResponsePlan>,
}

/// One integration response.
#[derive(Debug, Clone)]
pub struct ResponsePlan {
    /// The status that the client gets.
    pub status: u16,
    /// Whether the method declares that status; else AWS answers 500.
    pub declared: bool,
    /// Headers that are set, in the order of their names.
    pub headers: Vec<(HeaderName, Source)>,
    /// Templates by media type.
    pub templates: Vec<(Box<str>, Template)>,
    /// A pattern over the whole status; `None`: the default.
    pattern: Option<regex::Regex>,
}

impl ResponsePlan {
    /// The template for a client that accepts this: its media type's, else JSON's, else the first.
    pub fn template(&self, accept: Option<&str>) -> Option<&Template> {
        media::first_accept(accept)
            .and_then(|media| media::find(&self.templates, media))
            .or_else(|| media::find(&self.templates, "application/json"))
            .or_else(|| self.templates.first().map(|(_, template)| template))
    }

    /// The media type that the chosen template makes.
    pub fn media(&self, accept: Option<&str>) -> Option<&str> {
        let wanted = self.template(accept)?;
        self.templates.iter().find(|(_, template)| std::ptr::eq(template, wanted)).map(|(media, _)| &**media)
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
        let mut all = Vec::new();
        for (code, response) in &integration.integration_responses {
            let Some(status) = code.parse().ok().filter(|s| (100..=999).contains(s)) else {
                flaws.push(Flaw::new(place, format!("`{code}` is no status code")));
                continue;
            };
            let pattern = match response.selection_pattern.as_deref().filter(|p| !p.is_empty()) {
                None => None,
                Some(text) => match regex::RegexBuilder::new(&format!("^(?:{text})$")).size_limit(1 << 20).build() {
                    Ok(regex) => Some(regex),
                    Err(error) => {
                        let words = error.to_string();
                        let words = words.lines().last().unwrap_or_default().trim();
                        flaws
                            .push(Flaw::new(place, format!("the selection pattern of {code} cannot be used: {words}")));
                        continue;
                    }
                },
            };
            let mut headers = Vec::new();
            for (target, source) in response.response_parameters.iter().flatten() {
                let name = target.strip_prefix("method.response.header.").and_then(|n| n.parse().ok());
                match (name, Source::compile(source, Side::Response, variables)) {
                    (Some(name), Ok(source)) => headers.push((name, source)),
                    (None, _) => flaws.push(Flaw::new(place, format!("`{target}` is no header of a response"))),
                    (_, Err(why)) => flaws.push(Flaw::new(place, why)),
                }
            }
            let templates = response.response_templates.iter().flatten();
            let templates =
                templates.map(|(m, t)| (m.as_str().into(), Template::of(t.as_deref().unwrap_or_default()))).collect();
            let declared = method.method_responses.contains_key(code);
            all.push(ResponsePlan { status, declared, headers, templates, pattern });
        }
        Responses { all }
    }

    /// Whether any of them has a template that needs the template language.
    pub fn need_vtl(&self) -> bool {
        self.all.iter().any(|r| r.templates.iter().any(|(_, t)| *t == Template::NeedsVtl))
    }

    /// The response for a status: the first whose pattern is all of it, else the default.
    pub fn select(&self, status: u16) -> Option<&ResponsePlan> {
        let default = || self.all.iter().find(|r| r.pattern.is_none());
        if self.all.iter().all(|r| r.pattern.is_none()) {
            return default();
        }
        let text = status.to_string();
        self.all.iter().find(|r| r.pattern.as_ref().is_some_and(|p| p.is_match(&text))).or_else(default)
    }
}
