//! Gateway responses as an API's owner wants them, ready to dress a refusal (data-plane §12).

use super::flaw::Flaw;
use super::mapping::Source;
use super::media;
use super::substitute::{Asked, Piece, Substitution};
use crate::catalog::v1::GatewayResponse;
use http::{HeaderName, HeaderValue};
use std::collections::BTreeMap;

/// The definitions of a stage's deployment.
#[derive(Debug, Clone, Default)]
pub struct GatewayResponses {
    /// By type, in order.
    all: Vec<(Box<str>, Definition)>,
    /// What they ask of the request.
    pub asked: Asked,
    /// Where among it the client's `Accept` is, when some definition has templates to choose from.
    pub accept: Option<usize>,
}

/// One definition: what it does not say, the type's own default says.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The status that is sent.
    pub status: Option<u16>,
    /// Headers that are set, in the order of their names.
    pub headers: Vec<(HeaderName, Piece)>,
    templates: Vec<(Box<str>, Body)>,
}

/// A template with the media type that it makes.
#[derive(Debug, Clone)]
pub struct Body {
    /// What `Content-Type` says; `None` where the configured text cannot stand in a header.
    pub content_type: Option<HeaderValue>,
    /// What it makes.
    pub text: Substitution,
}

impl Definition {
    /// The template for a client that accepts this: its first media type's, else JSON's.
    pub fn body(&self, accept: Option<&str>) -> Option<&Body> {
        let asked = media::first_accept(accept).and_then(|media| media::find(&self.templates, media));
        asked.or_else(|| media::find(&self.templates, "application/json"))
    }
}

impl GatewayResponses {
    /// Compiles the rows of a deployment; each with its type.
    pub fn compile(rows: &[(String, GatewayResponse)], variables: &BTreeMap<String, String>) -> GatewayResponses {
        let mut made = GatewayResponses::default();
        for (kind, row) in rows {
            let headers = row.response_parameters.iter().filter_map(|(target, source)| {
                let name = header(target)?.ok()?;
                Some((name, Piece::mapping(source, variables, &mut made.asked).ok()?))
            });
            let headers = headers.collect();
            let templates = row.response_templates.iter().flatten().map(|(media, text)| {
                let text = Substitution::gateway_response(text, variables, &mut made.asked);
                (media.as_str().into(), Body { content_type: HeaderValue::try_from(media).ok(), text })
            });
            let templates: Vec<_> = templates.collect();
            let status = row.status_code.as_deref().and_then(|code| code.parse().ok());
            made.all.push((kind.as_str().into(), Definition { status, headers, templates }));
        }
        made.all.sort_by(|(a, _), (b, _)| a.cmp(b));
        let chooses = |(_, definition): &(Box<str>, Definition)| definition.templates.len() > 1;
        if made.all.iter().any(chooses) {
            made.accept = Some(made.asked.place(Source::MultiHeader("accept".into())));
        }
        made
    }

    /// The definition of a type itself, else that of its class (`DEFAULT_4XX`, `DEFAULT_5XX`).
    pub fn find(&self, kind: &str, class: &str) -> Option<&Definition> {
        let of = |name: &str| {
            let at = self.all.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
            self.all.get(at).map(|(_, definition)| definition)
        };
        of(kind).or_else(|| of(class))
    }

    /// Whether nothing is customised.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

/// The header of `gatewayresponse.header.NAME`, or why it can be none; `None` for the places that answers do not have.
fn header(target: &str) -> Option<Result<HeaderName, String>> {
    let name = target.strip_prefix("gatewayresponse.header.")?;
    Some(name.parse().map_err(|_| format!("`{name}` is no header name")))
}

/// What of a row does nothing: unlike a flaw it stops no deployment.
pub(super) fn doubts(kind: &str, row: &GatewayResponse, say: &mut impl FnMut(Flaw)) {
    let mut doubt = |what: String| say(Flaw::new(format!("gateway response {kind}"), what));
    for (target, source) in &row.response_parameters {
        match header(target) {
            None => doubt(format!("{target} is set nowhere: answers have headers alone")),
            Some(Err(why)) => doubt(why),
            Some(Ok(_)) => {
                let piece = Piece::mapping(source, &BTreeMap::new(), &mut Asked::default());
                let body = source.starts_with("method.request.body");
                match piece {
                    Err(why) => doubt(format!("{target} is not set: {why}")),
                    Ok(Piece::Missing) if body => doubt(format!("{target} is not set: the body may be gone by then")),
                    Ok(Piece::Missing) if source.starts_with("context.") => {
                        doubt(format!("{target} is not set: {source} is not known there"));
                    }
                    Ok(_) => {}
                }
            }
        }
    }
    if kind == "REQUEST_TOO_LARGE" {
        doubt("it cannot be customised: the default is sent".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(headers: &[(&str, &str)], templates: &[(&str, &str)]) -> GatewayResponse {
        let texts = |of: &[(&str, &str)]| of.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        GatewayResponse {
            response_parameters: texts(headers),
            response_templates: (!templates.is_empty()).then(|| texts(templates)),
            ..GatewayResponse::default()
        }
    }

    #[test]
    fn a_type_of_its_own_wins_over_its_class() {
        let with = |code: &str| GatewayResponse { status_code: Some(code.into()), ..GatewayResponse::default() };
        let rows = [("THROTTLED", with("420")), ("DEFAULT_4XX", with("418"))].map(|(k, r)| (k.to_owned(), r));
        let made = GatewayResponses::compile(&rows, &BTreeMap::new());
        let status = |kind, class| made.find(kind, class).and_then(|d| d.status);
        assert_eq!(status("THROTTLED", "DEFAULT_4XX"), Some(420));
        assert_eq!(status("UNAUTHORIZED", "DEFAULT_4XX"), Some(418));
        assert!(made.find("INTEGRATION_FAILURE", "DEFAULT_5XX").is_none());
    }

    #[test]
    fn what_the_request_must_leave_behind_is_what_some_definition_names() {
        let plain = row(&[("gatewayresponse.header.A", "'*'")], &[("text/html", "no")]);
        let made = GatewayResponses::compile(&[("DEFAULT_4XX".into(), plain)], &BTreeMap::new());
        assert_eq!((made.asked.sources().len(), made.accept), (0, None));
        let asks = row(
            &[("gatewayresponse.header.A", "method.request.path.id"), ("gatewayresponse.path.x", "'y'")],
            &[("text/html", "$method.request.path.id"), ("application/json", "{}")],
        );
        let made = GatewayResponses::compile(&[("DEFAULT_4XX".into(), asks)], &BTreeMap::new());
        assert_eq!(made.asked.sources(), [Source::Path("id".into()), Source::MultiHeader("accept".into())]);
        assert_eq!(made.accept, Some(1));
        assert_eq!(made.find("THROTTLED", "DEFAULT_4XX").map(|d| d.headers.len()), Some(1));
    }

    #[test]
    fn what_does_nothing_is_said() {
        let odd = row(
            &[
                ("gatewayresponse.header.Good", "context.stage"),
                ("gatewayresponse.header.Bad Name", "'x'"),
                ("gatewayresponse.header.Body", "method.request.body.a"),
                ("gatewayresponse.header.Ctx", "context.status"),
                ("gatewayresponse.header.Src", "plain"),
                ("gatewayresponse.querystring.q", "'x'"),
            ],
            &[],
        );
        let mut said = Vec::new();
        doubts("REQUEST_TOO_LARGE", &odd, &mut |flaw| said.push(flaw.to_string()));
        assert_eq!(said.len(), 6, "{said:#?}");
    }
}
