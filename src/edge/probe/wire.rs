//! Question and answer of a probe: bincode after the version byte, in a unary call of kind PROBE.

use bincode::Options;
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Version of both.
pub const VERSION: u8 = 1;
/// Longest payload, bytes.
pub const LIMIT: usize = 4 << 10;

/// The question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The asker's time, ms since 1970.
    pub time_ms: i64,
}

/// What a node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vitals {
    /// Visits under way.
    pub in_flight: u32,
    /// How long a visit waits for admission, ms.
    pub queue_ms: u32,
    /// CPU in use, percent of all cores.
    pub cpu_percent: u8,
    /// It takes no more visits.
    pub draining: bool,
    /// Config index that it has applied.
    pub applied_index: u64,
    /// Config index that it serves.
    pub activated_index: u64,
    /// Its version.
    pub version: String,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The answerer's time, ms since 1970.
    pub time_ms: i64,
    /// How it is.
    pub vitals: Vitals,
}

/// Version byte and bincode.
pub fn bytes_of<T: Serialize>(value: &T) -> Bytes {
    let mut out = vec![VERSION];
    // Cannot fail for these types below the limit; an empty payload would be refused there.
    out.extend(bincode::DefaultOptions::new().with_limit(LIMIT as u64).serialize(value).unwrap_or_default());
    out.into()
}

/// Reads what `bytes_of` wrote.
///
/// # Errors
/// Words for the log.
pub fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, String> {
    match payload.split_first() {
        Some((&VERSION, body)) => {
            bincode::DefaultOptions::new().with_limit(LIMIT as u64).deserialize(body).map_err(|e| e.to_string())
        }
        Some((other, _)) => Err(format!("probe version {other} is not known here")),
        None => Err("an empty probe".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_probe_never_change() {
        let ask = Ask { time_ms: 1_790_000_000_000 };
        assert_eq!(&bytes_of(&ask)[..], [1, 253, 0, 216, 160, 136, 65, 3, 0, 0]);
        let answer = Answer {
            time_ms: 5,
            vitals: Vitals {
                in_flight: 3,
                queue_ms: 300,
                cpu_percent: 40,
                draining: true,
                applied_index: 9,
                activated_index: 8,
                version: "0.1.0".into(),
            },
        };
        let bytes = bytes_of(&answer);
        assert_eq!(&bytes[..], [1, 10, 3, 251, 44, 1, 40, 1, 9, 8, 5, b'0', b'.', b'1', b'.', b'0']);
        assert_eq!(read::<Answer>(&bytes).unwrap(), answer);
        assert!(read::<Answer>(&[2, 0]).unwrap_err().contains("version 2"));
        assert!(read::<Answer>(&bytes[..8]).is_err());
    }
}
