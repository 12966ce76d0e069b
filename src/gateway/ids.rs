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
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in bytes.iter().enumerate() {
        at += usize::from(matches!(index, 4 | 6 | 8 | 10));
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 15)];
        at += 2;
    }
    value(&text)
}

/// `x-amz-apigw-id`: 16 characters of base64 that end in `=`.
pub(super) fn extended_id(random: &mut Random) -> HeaderValue {
    let bytes: [u8; 11] = random.bytes();
    let mut text = [b'='; 16];
    match base64::engine::general_purpose::STANDARD.encode_slice(bytes, &mut text) {
        Ok(_) => value(&text),
        Err(_) => HeaderValue::from_static("-"),
    }
}

fn value(text: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(text).unwrap_or_else(|_| HeaderValue::from_static("-"))
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
