//! Cause records as bytes: in the ring, and between nodes. Bincode behind a version byte.

use super::RecordId;
use bincode::Options;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Version of questions and answers: their first byte.
const VERSION: u8 = 1;
/// Largest answer, bytes.
pub const ANSWER_LIMIT: usize = 64 << 10;
/// Largest question, bytes.
pub const QUESTION_LIMIT: usize = 64;

/// Why the gateway refused a request, as one node knows it. Its members stand in the order of the wire; a text is empty
/// where nothing is known, and cut short where it is long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record<'a> {
    /// `x-amzn-RequestId`.
    pub request_id: Cow<'a, str>,
    /// `x-amz-apigw-id`.
    pub extended_id: Cow<'a, str>,
    /// When the request came, ms since 1970.
    pub time_ms: i64,
    /// The API's id.
    pub api: Cow<'a, str>,
    /// The stage's name.
    pub stage: Cow<'a, str>,
    /// The request's verb.
    pub method: Cow<'a, str>,
    /// The resource's path, `/pets/{id}`.
    pub resource_path: Cow<'a, str>,
    /// The request's path as it was sent, without its query.
    pub path: Cow<'a, str>,
    /// The step that refused, by its name.
    pub step: Cow<'a, str>,
    /// The gateway response's type.
    pub response_type: Cow<'a, str>,
    /// The status that was sent.
    pub status: u16,
    /// What the client was told (`$context.error.message`).
    pub message: Cow<'a, str>,
    /// The cause, as a machine reads it.
    pub cause: Cow<'a, str>,
    /// The cause in words, as the log has them.
    pub detail: Cow<'a, str>,
    /// Where in the API's own texts the reason stands.
    pub place: Cow<'a, str>,
    /// The API key's id; never its value.
    pub key_id: Cow<'a, str>,
    /// The usage plan's id.
    pub plan_id: Cow<'a, str>,
    /// Whether it was made in the region that served, for an edge.
    pub resumed: bool,
    /// The region that refused, where this node only passed that on.
    pub refused_in: Cow<'a, str>,
    /// The integration's status.
    pub integration_status: Option<u16>,
    /// Time in the integration, µs.
    pub integration_us: Option<u64>,
    /// Time on this node until the refusal, µs.
    pub latency_us: u64,
}

/// Bytes that are no such message.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Another version.
    #[error("format version {0} is not known here (known: {VERSION})")]
    Version(u8),
    /// Damaged, or larger than allowed.
    #[error("the message does not decode: {0}")]
    Decode(#[from] bincode::Error),
    /// A question that names no request.
    #[error("no request id")]
    NoId,
}

fn options() -> impl Options {
    bincode::DefaultOptions::new().with_limit(ANSWER_LIMIT as u64)
}

/// Writes a record as the ring keeps it, in place of what `bytes` held; false when it is larger than an answer may be.
pub(super) fn pack(record: &Record<'_>, bytes: &mut Vec<u8>) -> bool {
    bytes.clear();
    // Under a limit bincode would count first, which costs as much as writing; the record's texts have limits already.
    let written = bincode::DefaultOptions::new().serialize_into(&mut *bytes, record).is_ok();
    if bytes.len() > ANSWER_LIMIT {
        *bytes = Vec::new();
        return false;
    }
    written
}

/// What [`pack`] made.
pub(super) fn unpack(bytes: &[u8]) -> Option<Record<'static>> {
    options().deserialize(bytes).ok()
}

/// A question for the records of a request.
pub fn question(id: RecordId) -> Vec<u8> {
    let text = id.to_string();
    [&[VERSION], text.as_bytes()].concat()
}

/// The request that a question asks for.
///
/// # Errors
/// Another version, or no id.
pub fn read_question(bytes: &[u8]) -> Result<RecordId, WireError> {
    match bytes.split_first() {
        Some((&VERSION, id)) => std::str::from_utf8(id).ok().and_then(RecordId::parse).ok_or(WireError::NoId),
        Some((&version, _)) => Err(WireError::Version(version)),
        None => Err(WireError::NoId),
    }
}

/// An answer with these records.
///
/// # Errors
/// When they are larger than an answer may be.
pub fn answer(records: &[Record<'_>]) -> Result<Vec<u8>, WireError> {
    let mut bytes = vec![VERSION];
    options().serialize_into(&mut bytes, records)?;
    Ok(bytes)
}

/// The records in an answer.
///
/// # Errors
/// Another version, or bytes that do not decode to their end.
pub fn read_answer(bytes: &[u8]) -> Result<Vec<Record<'static>>, WireError> {
    match bytes.split_first() {
        Some((&VERSION, body)) => Ok(options().deserialize(body)?),
        Some((&version, _)) => Err(WireError::Version(version)),
        None => Err(WireError::Version(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn full() -> Record<'static> {
        Record {
            request_id: "r".into(),
            extended_id: "x".into(),
            time_ms: 150,
            api: "a".into(),
            stage: "s".into(),
            method: "GET".into(),
            resource_path: "/p".into(),
            path: "/q".into(),
            step: "map".into(),
            response_type: "T".into(),
            status: 500,
            message: "m".into(),
            cause: "c".into(),
            detail: "d".into(),
            place: "1:2".into(),
            key_id: "k".into(),
            plan_id: "u".into(),
            resumed: true,
            refused_in: "e".into(),
            integration_status: Some(404),
            integration_us: Some(5),
            latency_us: 6,
        }
    }

    #[test]
    fn the_bytes_of_questions_and_answers_never_change() {
        let bytes = answer(&[full()]).expect("small");
        let golden = "010101720178fb2c010161017303474554022f70022f71036d61700154fbf401016d0163016403313a32016b01\
                      7501016501fb9401010506";
        assert_eq!(hex(&bytes), golden);
        assert_eq!(read_answer(&bytes).expect("an answer"), [full()]);
        let id = RecordId::parse("00000000-0000-4000-8000-00000000000A").expect("an id");
        let asked = question(id);
        assert_eq!(asked, b"\x0100000000-0000-4000-8000-00000000000a");
        assert_eq!(read_question(&asked).expect("a question"), id);
        assert!(asked.len() <= QUESTION_LIMIT);
    }

    #[test]
    fn another_version_and_damage_are_refused() {
        let bytes = answer(&[full(), full()]).expect("small");
        assert!(matches!(read_answer(&[&[9], &bytes[1..]].concat()), Err(WireError::Version(9))));
        assert!(matches!(read_answer(&[]), Err(WireError::Version(0))));
        assert!(matches!(read_answer(&[&bytes[..], &[0]].concat()), Err(WireError::Decode(_))));
        for end in 1..bytes.len() {
            assert!(read_answer(&bytes[..end]).is_err(), "{end}");
        }
        // A count that claims more than there is allocates nothing.
        assert!(read_answer(&[VERSION, 253, 255, 255, 255, 255, 255, 255, 255, 127]).is_err());
        for asked in [&b""[..], b"\x01", b"\x01no-id", b"\x0200000000-0000-4000-8000-00000000000a", b"\x01\xff"] {
            assert!(read_question(asked).is_err(), "{asked:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = read_answer(&bytes);
            let _ = read_question(&bytes);
            let _ = unpack(&bytes);
        }
    }
}
