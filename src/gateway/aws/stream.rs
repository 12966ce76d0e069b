//! A function's answer in pieces: out of Lambda's frames, and apart into metadata and body (data-plane §9).

use super::result::{bad_gateway, malformed};
use crate::gateway::refusal::{Kind, Refusal};
use crate::net::http::{Body, BodyError, Sieve};
use crate::plan::proxy_result::ProxyResult;
use crate::spec::event_stream::{Decoder, Frame};
use bytes::{Bytes, BytesMut};
use http::{Response, header};

/// What stands between metadata and body.
const DELIMITER: [u8; 8] = [0; 8];
/// Metadata and delimiter together, bytes.
const METADATA_BYTES: usize = 16 << 10;
const FRAMES: &str = "application/vnd.amazon.eventstream";

/// Takes an answer out of the frames that it came in; any other is as it was.
pub(in crate::gateway) fn opened(answer: Response<Body>) -> Response<Body> {
    let framed = answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let framed = framed.is_some_and(|media| crate::plan::media::content_type(Some(media)).eq_ignore_ascii_case(FRAMES));
    if framed { answer.map(|body| body.sieved(Box::new(Chunks::default()))) } else { answer }
}

/// Lambda's frames: chunks of the payload until the invocation is complete.
#[derive(Debug, Default)]
struct Chunks {
    frames: Decoder,
    complete: bool,
}

/// What the last frame tells of a function that failed.
#[derive(serde::Deserialize)]
struct Complete {
    #[serde(rename = "ErrorCode")]
    code: Option<String>,
    #[serde(rename = "ErrorDetails")]
    details: Option<String>,
}

impl Chunks {
    fn chunk(&mut self, frame: Frame) -> Result<Option<Bytes>, BodyError> {
        let cut = |why: String| Err(BodyError::Cut(why));
        match (frame.header(":message-type"), frame.header(":event-type")) {
            (Some("event"), Some("PayloadChunk")) => Ok(Some(frame.payload)),
            (Some("event"), Some("InvokeComplete")) => {
                self.complete = true;
                match serde_json::from_slice(&frame.payload) {
                    Ok(Complete { code: Some(code), details }) => {
                        cut(format!("{code}: {}", details.unwrap_or_default()))
                    }
                    _ => Ok(None),
                }
            }
            // Kinds of events that are not known are passed over, as the encoding wants it.
            (Some("event"), _) => Ok(None),
            (_, _) => {
                let kind = frame.header(":exception-type").or(frame.header(":error-code")).unwrap_or("error");
                cut(format!("{kind}: {}", String::from_utf8_lossy(&frame.payload)))
            }
        }
    }
}

impl Sieve for Chunks {
    fn push(&mut self, bytes: &[u8]) {
        self.frames.push(bytes);
    }

    fn take(&mut self) -> Result<Option<Bytes>, BodyError> {
        while !self.complete {
            let Some(frame) = self.frames.take().map_err(|why| BodyError::Cut(why.to_string()))? else { break };
            if let Some(chunk) = self.chunk(frame)?.filter(|chunk| !chunk.is_empty()) {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }

    fn end(&mut self) -> Result<(), BodyError> {
        if self.complete { Ok(()) } else { Err(BodyError::Cut("the stream ended before InvokeComplete".to_owned())) }
    }
}

/// Reads the metadata; what was read of the body already goes before its rest.
pub(super) async fn begun(mut body: Body) -> Result<(ProxyResult, Body), Refusal> {
    let none = || bad_gateway("malformed_proxy_response");
    let mut held = BytesMut::new();
    loop {
        if let Some(at) = held.windows(DELIMITER.len()).position(|bytes| bytes == DELIMITER) {
            let metadata = held.split_to(at);
            let result = ProxyResult::read_metadata(&metadata).map_err(|why| malformed(&why))?;
            let rest = held.split_off(DELIMITER.len()).freeze();
            let before = if rest.is_empty() { Vec::new() } else { vec![Ok(http_body::Frame::data(rest))] };
            return Ok((result, body.after(before)));
        }
        if held.len() >= METADATA_BYTES {
            return Err(none().because("no 8 NUL bytes stand within its first 16 KiB"));
        }
        match body.next_frame().await {
            None => return Err(none().because("it ended before the 8 NUL bytes that end its metadata")),
            Some(Err(BodyError::Cut(why))) => return Err(failed(&why)),
            Some(Err(error)) => {
                return Err(Refusal::new(Kind::IntegrationFailure, "invalid_answer").because(error));
            }
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    held.extend_from_slice(&data);
                }
            }
        }
    }
}

/// A stream that broke off before its metadata: nothing was sent yet.
fn failed(why: &str) -> Refusal {
    if why == crate::net::http::OUT_OF_TIME {
        return Refusal::new(Kind::IntegrationTimeout, "integration_timeout");
    }
    bad_gateway("function_error").because(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::event_stream::encode;

    fn frames(events: &[(&str, &[u8])]) -> Vec<u8> {
        let one = |(kind, payload): &(&str, &[u8])| {
            encode(&[(":message-type", "event"), (":event-type", kind)], payload).expect("a frame")
        };
        events.iter().flat_map(one).collect()
    }

    async fn read(bytes: Vec<u8>) -> Result<(ProxyResult, Body), Refusal> {
        let mut answer = Response::new(Body::full(bytes));
        answer.headers_mut().insert(header::CONTENT_TYPE, FRAMES.parse().expect("a value"));
        begun(opened(answer).into_body()).await
    }

    #[tokio::test]
    async fn metadata_and_body_are_told_apart_wherever_chunks_end() {
        let payload = b"{\"statusCode\":201}\0\0\0\0\0\0\0\0body";
        for at in 0..=payload.len() {
            let (one, other) = payload.split_at(at);
            let bytes = frames(&[("PayloadChunk", one), ("PayloadChunk", other), ("InvokeComplete", b"{}")]);
            let (result, body) = read(bytes).await.expect("an answer");
            assert_eq!(result.status, 201, "cut at {at}");
            assert_eq!(body.collect(100).await.expect("a body"), "body", "cut at {at}");
        }
    }

    #[tokio::test]
    async fn streams_that_are_none_are_bad_gateways() {
        let metadata: &[u8] = b"{}\0\0\0\0\0\0\0\0";
        let complete: (&str, &[u8]) = ("InvokeComplete", b"{}");
        let failed: (&str, &[u8]) = ("InvokeComplete", br#"{"ErrorCode":"Unhandled","ErrorDetails":"no"}"#);
        for (events, cause) in [
            (vec![("PayloadChunk", &b"{\"a\":1}\0\0\0\0\0\0\0\0"[..]), complete], "malformed_proxy_response"),
            (vec![("PayloadChunk", b"{}"), complete], "malformed_proxy_response"),
            (vec![("PayloadChunk", &[b' '; 20_000]), complete], "malformed_proxy_response"),
            (vec![failed], "function_error"),
            (vec![("PayloadChunk", b"{}")], "function_error"),
        ] {
            let refusal = read(frames(&events)).await.map(|_| ()).expect_err(cause);
            assert_eq!((refusal.status(), &*refusal.cause), (502, cause));
        }
        // Once the answer has begun, its body breaks off.
        let (_, body) = read(frames(&[("PayloadChunk", metadata), failed])).await.expect("an answer");
        assert!(body.collect(100).await.is_err());
        let mut changed = frames(&[("PayloadChunk", metadata), complete]);
        changed[20] ^= 1;
        assert_eq!(read(changed).await.map(|_| ()).expect_err("a checksum").status(), 502);
    }
}
