//! map back and answer: from the integration's answer to the method's.

use super::ask::{Ask, Known, TRACE};
use super::headers::{pass_to_client, to_client};
use super::integrate::Integrated;
use super::refusal::{Kind, Refusal};
use crate::net::http::Body;
use crate::plan::Backend;
use crate::plan::mapping::View;
use crate::plan::response::{ResponsePlan, Responses};
use crate::plan::template::Template;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

/// The client's answer, but for what the node that faces it adds.
pub(super) fn answer(integrated: Integrated, ask: &Ask) -> Result<Response<Body>, Refusal> {
    let Integrated { matched, accept, answer } = integrated;
    let json = HeaderValue::from_static("application/json");
    let mut answer = match &matched.method().backend {
        Backend::Http(http) if http.proxy => {
            let mut answer = answer;
            let length = answer.headers().get(header::CONTENT_LENGTH).cloned();
            pass_to_client(answer.headers_mut());
            if ask.method == http::Method::HEAD
                && let Some(length) = length
            {
                // There is no body to take a length from, and the client asked for just this.
                answer.headers_mut().insert(header::CONTENT_LENGTH, length);
            }
            answer
        }
        Backend::Http(http) => {
            let mut answer = mapped(&http.responses, accept.as_ref(), answer, ask)?;
            if let Ok(trace) = HeaderValue::try_from(&*ask.facts.trace) {
                answer.headers_mut().entry(TRACE).or_insert(trace);
            }
            answer
        }
        Backend::Mock(mock) => mapped(&mock.responses, accept.as_ref(), answer, ask)?,
        Backend::Unbuilt(what) => return Err(super::policy::unbuilt(what)),
    };
    answer.headers_mut().entry(header::CONTENT_TYPE).or_insert(json);
    Ok(answer)
}

/// Selects the integration response and does what it says.
fn mapped(
    responses: &Responses,
    accept: Option<&HeaderValue>,
    answer: Response<Body>,
    ask: &Ask,
) -> Result<Response<Body>, Refusal> {
    let status = answer.status().as_u16();
    let wrong = |cause| Refusal::new(Kind::ApiConfigurationError, cause);
    let chosen = responses.select(status).ok_or_else(|| {
        wrong("no_output_mapping").because(format_args!(
            "No match for output mapping and no default output mapping configured. Endpoint Response Status Code: {status}"
        ))
    })?;
    if !chosen.declared || chosen.status < 200 {
        return Err(wrong("undeclared_status"));
    }
    let accept = accept.and_then(|v| v.to_str().ok());
    let (from, body) = answer.into_parts();
    let rendition = chosen.rendition(accept);
    let (body, media) = match rendition.map(|r| &r.template) {
        Some(Template::Text(text)) if !text.is_empty() => {
            (Body::full(text.clone()), rendition.and_then(|r| r.content_type.clone()))
        }
        Some(Template::NeedsVtl) => return Err(super::policy::unbuilt("mapping templates in VTL")),
        _ => (body, None),
    };
    let mut out = Response::new(body);
    *out.status_mut() = StatusCode::from_u16(chosen.status).map_err(|_| wrong("output_status"))?;
    if let Some(media) = media {
        out.headers_mut().insert(header::CONTENT_TYPE, media);
    }
    map_headers(chosen, &from.headers, ask, out.headers_mut());
    Ok(out)
}

fn map_headers(chosen: &ResponsePlan, from: &HeaderMap, ask: &Ask, to: &mut HeaderMap) {
    if chosen.headers.is_empty() {
        return;
    }
    let known = Known { method: &ask.method, path: ask.uri.path(), client: &ask.client, facts: &ask.facts };
    let view = View { path: &[], query: "", headers: from, context: &known };
    for (name, source) in &chosen.headers {
        // A value that no header can carry is left out, as an absent one.
        let value = source.value(&view).and_then(|v| HeaderValue::try_from(v).ok());
        if let (Some(name), Some(value)) = (to_client(name), value) {
            to.insert(name, value);
        }
    }
}
