//! Compression of answers (data-plane §11): for clients that ask for it, from the API's `minimumCompressionSize` on.

use super::admit::Admitted;
use super::ask::Ask;
use super::heavy;
use super::refusal::{Kind, Refusal};
use crate::net::http::{Body, BodyError, Coding};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::Frame;

/// What a client's request asks of its answer.
pub(super) struct Wishes {
    coding: Coding,
    /// Answers from this length on are compressed, bytes.
    from: u64,
}

/// Read before the headers leave for the backend.
pub(super) fn wishes(admitted: &Admitted, ask: &Ask) -> Option<Wishes> {
    let from = admitted.matched.stage.plan.compress_from?;
    if ask.method == http::Method::HEAD || admitted.matched.method().backend.is_streamed() {
        return None;
    }
    Some(Wishes { coding: preferred(&ask.headers)?, from })
}

/// The coding that the client likes best; nothing when that is none of ours, or `identity` (RFC 9110 §12.5.3).
/// A coding must be named: `*` is not enough.
fn preferred(headers: &HeaderMap) -> Option<Coding> {
    let mut best: Option<(u32, Option<Coding>)> = None;
    for line in headers.get_all(header::ACCEPT_ENCODING) {
        for part in line.to_str().ok()?.split(',') {
            let (name, parameters) = part.split_once(';').unwrap_or((part, ""));
            let name = name.trim();
            let weight = weight(parameters);
            if name.is_empty() || name == "*" || weight == 0 {
                continue;
            }
            // Of equals the first counts.
            if best.is_none_or(|(most, _)| weight > most) {
                best = Some((weight, Coding::named(name)));
            }
        }
    }
    best?.1
}

/// `q` in thousandths; what cannot be read counts as 1.
fn weight(parameters: &str) -> u32 {
    let quality = parameters.split(';').filter_map(|parameter| parameter.trim().split_once('='));
    let quality =
        quality.filter(|(name, _)| name.trim().eq_ignore_ascii_case("q")).map(|(_, value)| value.trim()).next();
    match quality.map(str::parse::<f32>) {
        Some(Ok(quality)) if (0.0..=1.0).contains(&quality) => (quality * 1000.0) as u32,
        _ => 1000,
    }
}

pub(super) async fn squeeze(wishes: Option<Wishes>, answer: Response<Body>) -> Result<Response<Body>, Refusal> {
    let Some(wishes) = wishes else { return Ok(answer) };
    let bodiless = matches!(answer.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let coded = answer.headers().contains_key(header::CONTENT_ENCODING);
    // A part of a representation is a part of what was not compressed.
    let part = answer.status() == StatusCode::PARTIAL_CONTENT;
    if bodiless || coded || part {
        return Ok(answer);
    }
    let (mut head, mut body) = answer.into_parts();
    let large = match body.known_len() {
        Some(len) => len >= wishes.from && len > 0,
        None => {
            let (known, whole) = Box::pin(begin(body, wishes.from)).await;
            body = whole;
            known
        }
    };
    if large {
        // A body that is all here keeps a length.
        let here = matches!(&body, Body::Full(Some(bytes)) if bytes.len() <= heavy::LARGE);
        body = body.encoded(wishes.coding);
        if here {
            let packed = body.collect(u64::MAX).await;
            body = Body::full(packed.map_err(|error| Refusal::new(Kind::Internal, "compression").because(error))?);
        }
        head.headers.remove(header::CONTENT_LENGTH);
        head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(wishes.coding.name()));
    }
    Ok(Response::from_parts(head, body))
}

/// Reads until it is known whether a body has `from` bytes.
async fn begin(mut body: Body, from: u64) -> (bool, Body) {
    let mut frames: Vec<Result<Frame<Bytes>, BodyError>> = Vec::new();
    let mut seen = 0;
    while seen < from.max(1) {
        match body.next_frame().await {
            None => return (false, body.after(frames)),
            Some(frame) => {
                let failed = frame.is_err();
                seen += frame.as_ref().ok().and_then(Frame::data_ref).map_or(0, |data| data.len() as u64);
                frames.push(frame);
                if failed {
                    return (false, body.after(frames));
                }
            }
        }
    }
    (true, body.after(frames))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coding_that_a_client_likes_best_is_taken_if_it_is_one_of_ours() {
        let asked = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, value.parse().expect("value"));
            preferred(&headers)
        };
        for (value, wanted) in [
            ("gzip", Some(Coding::Gzip)),
            ("gzip, deflate, br", Some(Coding::Gzip)),
            ("deflate, gzip;q=0.9", Some(Coding::Deflate)),
            ("gzip;q=0.5, deflate;q=0.7", Some(Coding::Deflate)),
            ("br, gzip", None),
            ("br;q=0.1, gzip;q=0.2", Some(Coding::Gzip)),
            ("identity, gzip;q=0.5", None),
            ("gzip;q=0", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(asked(value), wanted, "{value}");
        }
        assert_eq!(preferred(&HeaderMap::new()), None);
    }
}
