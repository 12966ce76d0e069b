//! What crosses the cut between edge and region: heads as bincode, bodies as raw bytes.
//!
//! One client-initiated QUIC stream is one visit. After the stream's preamble, each side sends frames
//! `type u8 | length varint | payload`:
//!
//! ```text
//! edge → region   HEAD  DATA*  TRAILERS?  END(empty)  FIN
//! region → edge   RESP_HEAD  DATA*  TRAILERS?  END(facts)  FIN     or   REFUSED FIN     or   ERR FIN
//! ```
//! A FIN without END is a truncated body. Every bincode payload begins with the format's version.
//! Nothing of the head ever rides in HTTP headers.

use std::net::SocketAddr;

use crate::net::http::SentNames;
use bincode::Options;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Version of all bincode payloads here: their first byte.
pub const VERSION: u8 = 1;
/// Largest HEAD or RESP_HEAD, bytes.
pub const HEAD_LIMIT: usize = 256 << 10;
/// Largest DATA payload, bytes.
pub const DATA_LIMIT: usize = 64 << 10;
/// Largest TRAILERS, END, REFUSED or ERR, bytes.
pub const FACTS_LIMIT: usize = 64 << 10;
/// A visit may cross this many cuts.
pub const MAX_HOPS: u8 = 2;

/// Frame types.
pub mod frame {
    /// The visit: [`super::Head`].
    pub const HEAD: u8 = 1;
    /// Raw bytes of a body.
    pub const DATA: u8 = 2;
    /// Trailers: a list of [`super::Header`].
    pub const TRAILERS: u8 = 3;
    /// A 1xx answer: [`super::RespHead`]. Read and dropped for now.
    pub const INFO: u8 = 4;
    /// The answer's head: [`super::RespHead`].
    pub const RESP_HEAD: u8 = 5;
    /// The end: empty towards the region, [`super::End`] towards the edge.
    pub const END: u8 = 6;
    /// A gateway response that the edge turns into bytes: [`super::Refused`].
    pub const REFUSED: u8 = 7;
    /// The region did not process the visit: [`super::Fault`].
    pub const ERR: u8 = 8;
}

/// Codes of QUIC resets and stops on a forwarded stream, and of [`Fault`].
pub mod code {
    /// The client went away.
    pub const CLIENT_GONE: u32 = 0x10;
    /// The region answered before it had read the whole body.
    pub const ANSWERED_EARLY: u32 = 0x11;
    /// Not processed, overloaded: another node may.
    pub const REJECTED_UNPROCESSED: u32 = 0x20;
    /// Not processed, the node is leaving: another node may.
    pub const DRAINING: u32 = 0x21;
    /// The time left ran out.
    pub const DEADLINE: u32 = 0x22;
    /// The body is over the region's limit.
    pub const BODY_TOO_LARGE: u32 = 0x23;
    /// Not processed: the region has another revision of the stage (foundations §5.5). The edge walks again.
    pub const OTHER_REVISION: u32 = 0x24;
    /// Not processed: the head could not be read or has crossed too many cuts.
    pub const BAD_HEAD: u32 = 0x25;
    /// The integration or the visit died in mid-answer.
    pub const DIED: u32 = 0x30;

    /// Whether the code says that nothing of the visit was processed.
    pub fn unprocessed(code: u32) -> bool {
        matches!(code, REJECTED_UNPROCESSED | DRAINING | OTHER_REVISION | BAD_HEAD)
    }
}

/// The steps of the visitor's walk, in order; a region resumes at [`Head::next`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Step {
    /// Which API and stage.
    Place,
    /// Which resource and method.
    Route,
    /// The API's resource policy.
    Policy,
    /// The method's authorizer.
    Authorize,
    /// The API key.
    Key,
    /// Quota and throttles.
    Admit,
    /// The stage's response cache.
    Cache,
    /// The request validator.
    Validate,
    /// The request's mapping template.
    Map,
    /// The call of the integration.
    Integrate,
    /// The response's mapping.
    MapResponse,
    /// The answer's bytes.
    Answer,
}

/// The client's HTTP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
    /// HTTP/3
    Http3,
}

/// What is known of a body's length before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BodyHint {
    /// No body at all.
    Empty,
    /// Exactly this many bytes.
    Known(u64),
    /// Chunked or framed by the protocol.
    Unknown,
}

/// One header field as it was received: name with its case, value untouched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The field's name.
    #[serde(with = "serde_bytes")]
    pub name: Vec<u8>,
    /// The field's value.
    #[serde(with = "serde_bytes")]
    pub value: Vec<u8>,
}

/// The method that `route` found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matched {
    /// `Resource` id; a v2 route id for HTTP APIs.
    pub resource_id: String,
    /// The resource's path pattern (`$context.resourcePath`).
    pub resource_path: String,
    /// The method row's verb: `GET` … or `ANY`.
    pub http_method: String,
    /// Path parameters, decoded, in the pattern's order.
    pub path_parameters: Vec<(String, String)>,
}

/// Who the authorizer says the caller is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// `principalId`, user ARN or subject.
    pub id: String,
    /// `IAM`, `JWT`, `CUSTOM` …
    pub kind: String,
    /// The caller's account where there is one.
    pub account: String,
    /// Authorizer context and claims (`$context.authorizer.*`), JSON text where a value is not a string.
    pub context: Vec<(String, String)>,
}

/// The verdict of `key` and `admit`: spent at the edge, never again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admitted {
    /// The API key's id (`$context.identity.apiKeyId`), empty without one.
    pub key_id: String,
    /// The API key's value (`$context.identity.apiKey`), for templates and `HTTP_PROXY`.
    pub key_value: String,
    /// The usage plan's id, empty without one.
    pub plan_id: String,
    /// Whether a right of the quota was spent on this visit.
    pub quota_spent: bool,
}

/// What the client's TLS connection tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFacts {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: String,
    /// The cipher suite's IANA name.
    pub cipher: String,
    /// The server name that the client asked for, empty without.
    pub sni: String,
    /// The client's certificate, DER.
    pub client_cert: Option<serde_bytes::ByteBuf>,
}

/// Ids of [`More`].
pub mod more {
    /// In a [`super::Head`], without bytes: the stage's canary serves the visit.
    pub const CANARY: u16 = 2;
}

/// A member that a newer peer adds; ids that are not known are skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct More {
    /// What it is: one of [`more`].
    pub id: u16,
    /// Its bytes.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

/// The visit as the edge hands it over (foundations §5.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// `x-amzn-RequestId`.
    pub request_id: String,
    /// `x-amz-apigw-id`.
    pub extended_request_id: String,
    /// When the visit began, ms since 1970.
    pub time_ms: i64,
    /// The API's account.
    pub account: String,
    /// The API's home region (the region of its scope).
    pub region: String,
    /// The API's id.
    pub api: String,
    /// The stage's name.
    pub stage: String,
    /// The deployment that the edge pinned.
    pub deployment: String,
    /// The stage's revision that the edge pinned.
    pub stage_revision: u64,
    /// The region must have activated at least this config index.
    pub least_index: u64,
    /// The first step that has not run yet.
    pub next: Step,
    /// The matched method, when `route` has run.
    pub matched: Option<Matched>,
    /// The caller, when `authorize` has run.
    pub principal: Option<Principal>,
    /// The admission, when `admit` has run.
    pub admitted: Option<Admitted>,
    /// The client's HTTP version.
    pub protocol: Protocol,
    /// The verb as sent.
    pub method: String,
    /// `http` or `https`.
    pub scheme: String,
    /// `Host` or `:authority` as sent.
    pub authority: String,
    /// The request target as sent.
    #[serde(with = "serde_bytes")]
    pub target: Vec<u8>,
    /// Where in `target` the path below the stage begins, bytes.
    pub path_at: u32,
    /// The header list in order, with case where the protocol has it.
    pub headers: Vec<Header>,
    /// The client's address.
    pub client: SocketAddr,
    /// The listener's address that the client reached.
    pub local: SocketAddr,
    /// The client's TLS connection.
    pub tls: Option<TlsFacts>,
    /// Time left for the visit; relative, since clocks differ.
    pub time_left_ms: u32,
    /// Cuts crossed, this one included: 1 from the edge that the client reached.
    pub hops: u8,
    /// The trace header (`x-amzn-trace-id`), empty without.
    pub trace: String,
    /// What is known of the body.
    pub body: BodyHint,
    /// The API's owner accepts that a visit whose fate is unknown is sent once more.
    pub retry_lost: bool,
    /// Members of newer versions.
    pub more: Vec<More>,
}

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RespHead {
    /// The status.
    pub status: u16,
    /// The header list in order.
    pub headers: Vec<Header>,
    /// What is known of the body.
    pub body: BodyHint,
    /// Members of newer versions.
    pub more: Vec<More>,
}

/// Facts that the edge's access log, metrics and `explain` want; they come with the end of the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The node that served.
    pub node: u64,
    /// Its region.
    pub region: String,
    /// The integration's status.
    pub integration_status: Option<u16>,
    /// Time in the integration, µs.
    pub integration_us: Option<u64>,
    /// Time between HEAD read and END written, µs.
    pub region_us: u64,
    /// Machine-readable cause where the answer is an error of ours.
    pub cause: Option<String>,
    /// `$context.*` values that only the region knows, as (name, value).
    pub context: Vec<(String, String)>,
    /// Members of newer versions.
    pub more: Vec<More>,
}

/// A refusal made in the region; the edge looks up the API's gateway response and makes the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// AWS's gateway-response type, such as `INTEGRATION_TIMEOUT`.
    pub response_type: String,
    /// A status other than the type's default.
    pub status: Option<u16>,
    /// Machine-readable cause.
    pub cause: String,
    /// `$context.error.message`.
    pub message: String,
    /// Facts of the visit.
    pub end: End,
}

/// Why a region did not process a visit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// One of [`code`].
    pub code: u32,
    /// Words for the log.
    pub text: String,
}

/// A frame that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The payload begins with a version that this node does not know.
    #[error("format version {0} is not known here (known: {VERSION})")]
    Version(u8),
    /// The payload is longer than the frame type allows.
    #[error("a frame of type {kind} has {length} bytes, at most {limit} are allowed")]
    TooLarge {
        /// Frame type.
        kind: u8,
        /// Its length, bytes.
        length: u64,
        /// The limit, bytes.
        limit: usize,
    },
    /// A frame type that does not belong here.
    #[error("a frame of type {0} does not belong here")]
    Unexpected(u8),
    /// The payload does not decode.
    #[error("the frame does not decode: {0}")]
    Decode(String),
}

/// Longest payload that a frame type may have, bytes.
pub fn limit_of(kind: u8) -> Result<usize, WireError> {
    match kind {
        frame::HEAD | frame::INFO | frame::RESP_HEAD => Ok(HEAD_LIMIT),
        frame::DATA => Ok(DATA_LIMIT),
        frame::TRAILERS | frame::END | frame::REFUSED | frame::ERR => Ok(FACTS_LIMIT),
        other => Err(WireError::Unexpected(other)),
    }
}

/// A whole frame: type, length, version, bincode.
///
/// # Errors
/// When the payload is longer than its type allows.
pub fn frame_of<T: Serialize>(kind: u8, value: &T) -> Result<Bytes, WireError> {
    let limit = limit_of(kind)?;
    let codec = bincode::DefaultOptions::new().with_limit(limit as u64 - 1);
    let body = codec.serialize(value).map_err(|e| WireError::Decode(e.to_string()))?;
    let mut out = BytesMut::with_capacity(body.len() + 6);
    out.put_slice(&frame_header(kind, body.len() + 1));
    out.put_u8(VERSION);
    out.put_slice(&body);
    Ok(out.freeze())
}

/// Type and length of a frame whose payload is sent apart (DATA).
pub fn frame_header(kind: u8, length: usize) -> Bytes {
    let mut out = BytesMut::with_capacity(6);
    out.put_u8(kind);
    put_varint(&mut out, length as u64);
    out.freeze()
}

/// Reads the payload of a frame of one of the bincode types.
///
/// # Errors
/// An unknown version, a payload over the limit, or one that does not decode to the end.
pub fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, WireError> {
    match payload.split_first() {
        Some((&VERSION, body)) => bincode::DefaultOptions::new()
            .with_limit(HEAD_LIMIT as u64)
            .deserialize(body)
            .map_err(|e| WireError::Decode(e.to_string())),
        Some((&other, _)) => Err(WireError::Version(other)),
        None => Err(WireError::Decode("empty payload".into())),
    }
}

/// LEB128, as in the frames' lengths.
pub fn put_varint(out: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// Takes type and length from the front of `buf` and checks the length, or leaves `buf` when they are not whole yet.
///
/// # Errors
/// An unknown type or a length over the type's limit.
pub fn take_header(buf: &mut BytesMut) -> Result<Option<(u8, usize)>, WireError> {
    let Some(&kind) = buf.first() else { return Ok(None) };
    let limit = limit_of(kind)?;
    let mut length = 0u64;
    for (i, &byte) in buf.iter().skip(1).enumerate() {
        // Four groups of seven bits hold more than any limit.
        if i == 4 {
            return Err(WireError::TooLarge { kind, length: u64::MAX, limit });
        }
        length |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            if length > limit as u64 {
                return Err(WireError::TooLarge { kind, length, limit });
            }
            buf.advance(i + 2);
            return Ok(Some((kind, length as usize)));
        }
    }
    if buf.len() > 5 {
        return Err(WireError::TooLarge { kind, length: u64::MAX, limit });
    }
    Ok(None)
}

/// The header list of an `http` map: names in lower case, in the map's order.
pub fn from_map(map: &http::HeaderMap) -> Vec<Header> {
    as_sent(map, &SentNames::default())
}

/// The same, names as their client wrote them.
pub fn as_sent(map: &http::HeaderMap, names: &SentNames) -> Vec<Header> {
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| Header {
        name: names.as_sent(name).as_bytes().to_vec(),
        value: value.as_bytes().to_vec(),
    };
    map.iter().map(header).collect()
}

/// An `http` map of a header list.
///
/// # Errors
/// Names or values that HTTP does not allow: a peer never sends them.
pub fn to_map(headers: &[Header]) -> Result<http::HeaderMap, WireError> {
    let mut map = http::HeaderMap::with_capacity(headers.len());
    for h in headers {
        let name = http::HeaderName::from_bytes(&h.name).map_err(|e| WireError::Decode(e.to_string()))?;
        let value = http::HeaderValue::from_bytes(&h.value).map_err(|e| WireError::Decode(e.to_string()))?;
        map.append(name, value);
    }
    Ok(map)
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
