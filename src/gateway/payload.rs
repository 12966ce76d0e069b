//! Payloads on their way through the walk: decoded, read whole where somebody needs that, converted.

use super::ask::Ask;
use super::heavy;
use super::refusal::{Kind, Refusal};
use super::worker::Worker;
use crate::net::http::{Body, BodyError, Coding};
use crate::plan::binary::Convert;
use crate::plan::body_read::{BodyReadError, BodyReads};
use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use bytes::Bytes;
use http::{HeaderMap, header};
use std::sync::Arc;
use std::time::Duration;

/// What a client hears whose body is longer than the limit.
pub(super) fn too_large() -> Refusal {
    Refusal::new(Kind::RequestTooLarge, "body_too_large")
}

/// How long a client may take to send a body that is wanted whole.
const WAIT: Duration = Duration::from_secs(120);

/// Java's decoder takes a value without its padding, too.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decodes a compressed request and bounds what may come of it: a few bytes can become gigabytes.
pub(super) fn open(worker: &Worker, ask: &mut Ask) -> Result<(), Refusal> {
    let limit = worker.shared.limits.body_bytes;
    if ask.body.known_len().is_some_and(|len| len > limit) {
        return Err(too_large());
    }
    let mut body = std::mem::take(&mut ask.body);
    if ask.headers.contains_key(header::CONTENT_ENCODING) {
        for coding in codings(&ask.headers)?.into_iter().rev() {
            body = body.decoded(coding);
        }
    }
    ask.body = body.capped_unless_known(limit);
    Ok(())
}

/// The codings of a request's body in the order in which they were applied (RFC 9110 §8.4).
fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, Refusal> {
    /// More than this nobody applies in good faith.
    const MOST: usize = 2;
    let unsupported = || Refusal::new(Kind::UnsupportedMediaType, "content_encoding");
    let mut found = Vec::new();
    for line in headers.get_all(header::CONTENT_ENCODING) {
        for name in line.to_str().map_err(|_| unsupported())?.split(',').map(str::trim).filter(|name| !name.is_empty())
        {
            if name.eq_ignore_ascii_case("identity") {
                continue;
            }
            found.push(Coding::named(name).ok_or_else(unsupported)?);
        }
    }
    if found.len() > MOST { Err(unsupported()) } else { Ok(found) }
}

/// The request's body, read whole; it stays in `ask`.
pub(super) async fn whole(worker: &Worker, ask: &mut Ask) -> Result<Bytes, Refusal> {
    match &ask.body {
        Body::Empty => return Ok(Bytes::new()),
        Body::Full(Some(bytes)) => return Ok(bytes.clone()),
        _ => {}
    }
    let body = std::mem::take(&mut ask.body).collect(worker.shared.limits.body_bytes);
    let body = Box::pin(tokio::time::timeout(WAIT, body)).await;
    let body =
        body.map_err(|_| Refusal::new(Kind::Malformed, "request_body_stalled"))?.map_err(|error| broken(&error))?;
    ask.body = Body::full(body.clone());
    Ok(body)
}

/// What a request body that broke off means to its client.
pub(super) fn broken(error: &BodyError) -> Refusal {
    match error {
        BodyError::TooLong { .. } => too_large(),
        BodyError::Coding(why) => Refusal::new(Kind::UnsupportedMediaType, "content_encoding").because(why),
        // Whoever still listens hears that.
        error => Refusal::new(Kind::Malformed, "request_body_broken").because(error),
    }
}

/// Bytes as text: what is no UTF-8 becomes U+FFFD.
pub(super) fn text(bytes: Bytes) -> Bytes {
    // Looking whether it is text is much faster than looking for what is not.
    if std::str::from_utf8(&bytes).is_ok() { bytes } else { String::from_utf8_lossy(&bytes).into_owned().into() }
}

/// Converts a payload; large ones off the worker.
pub(super) async fn converted(worker: &Worker, convert: Convert, bytes: Bytes) -> Result<Bytes, Refusal> {
    let large = bytes.len() > heavy::LARGE;
    let work = move || match convert {
        Convert::Keep => Ok(bytes),
        Convert::Text => Ok(text(bytes)),
        Convert::Encode => Ok(STANDARD.encode(&bytes).into()),
        Convert::Decode => {
            let bare: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
            let decoded = LENIENT.decode(bare).map(Bytes::from);
            decoded.map_err(|error| Refusal::new(Kind::ApiConfigurationError, "not_base64").because(error))
        }
    };
    if large && convert != Convert::Keep { heavy::run(worker, work).await? } else { work() }
}

/// What mappings read from a body; large ones off the worker.
pub(super) async fn read(
    worker: &Worker,
    reads: &Arc<BodyReads>,
    body: Bytes,
) -> Result<Result<Vec<Option<String>>, BodyReadError>, Refusal> {
    let reads = reads.clone();
    if body.len() <= heavy::LARGE {
        return Ok(reads.read(&String::from_utf8_lossy(&body)));
    }
    heavy::run(worker, move || reads.read(&String::from_utf8_lossy(&body))).await
}
