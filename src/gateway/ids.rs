//! The two ids of a request.

use super::worker::Random;
use base64::Engine;
use http::HeaderValue;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Appends bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// `x-amzn-RequestId`: a version 4 UUID.
pub(super) fn request_id(random: &mut Random) -> HeaderValue {
    let mut bytes: [u8; 16] = random.bytes();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (index, part) in [&bytes[..4], &bytes[4..6], &bytes[6..8], &bytes[8..10], &bytes[10..]].into_iter().enumerate()
    {
        if index > 0 {
            text.push('-');
        }
        hex(part, &mut text);
    }
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

/// `x-amz-apigw-id`: 16 characters of base64 that end in `=`.
pub(super) fn extended_id(random: &mut Random) -> HeaderValue {
    let bytes: [u8; 11] = random.bytes();
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_awss_and_do_not_repeat() {
        let mut random = Random::default();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..500 {
            let id = request_id(&mut random).to_str().expect("text").to_owned();
            let parts: Vec<usize> = id.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
            assert_eq!(&id[14..15], "4", "{id}");
            assert!(seen.insert(id));
            let extended = extended_id(&mut random).to_str().expect("text").to_owned();
            assert!(extended.len() == 16 && extended.ends_with('='), "{extended}");
            assert!(seen.insert(extended));
        }
    }
}
