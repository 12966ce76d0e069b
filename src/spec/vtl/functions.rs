//! `$util`: escaping, JSON, URL and base64.

use super::method::Method;
use super::node::Place;
use super::run::{At, Ran, Run, fail};
use crate::spec::object::Value;
use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use std::fmt::Write as _;

/// Standard alphabet; padding may be missing, as Java's decoder allows.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl<'a> Run<'a> {
    pub(super) fn helper(&mut self, method: Method, arguments: &[Value<'a>], place: Place) -> Ran<Value<'a>> {
        let [argument] = arguments else { return Ok(Value::Null) };
        let text = match (argument, method) {
            (Value::Null, Method::EscapeJavaScript) => return Ok(*argument),
            (Value::Null, _) => return Ok(Value::Null),
            (value, _) => self.string(*value, place)?,
        };
        let made = match method {
            Method::EscapeJavaScript => escape(&text),
            Method::ParseJson => {
                if text.trim().is_empty() {
                    return Ok(Value::Null);
                }
                return self.heap.read_copy(&text).at(place);
            }
            Method::UrlEncode => url_encode(&text),
            Method::UrlDecode => url_decode(&text),
            Method::Base64Encode => STANDARD.encode(&text),
            Method::Base64Decode => match LENIENT.decode(text.as_bytes()) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(error) => return Err(fail(place, format!("this is no base64: {error}"))),
            },
            _ => return Ok(Value::Null),
        };
        self.text(made, place)
    }
}

/// As Commons Lang escapes JavaScript.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '/' => out.push_str("\\/"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='\u{7f}' => out.push(letter),
            _ => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04X}");
                }
            }
        }
    }
    out
}

/// `application/x-www-form-urlencoded`, as Java's `URLEncoder` writes it.
fn url_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// The inverse; what is no valid escape stays as it is.
fn url_decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_as_commons_lang_does() {
        assert_eq!(escape("it's \"a/b\"\\\n\u{1}é😀"), r#"it\'s \"a\/b\"\\\n\u0001\u00E9\uD83D\uDE00"#);
    }

    #[test]
    fn urls_are_encoded_as_java_does() {
        assert_eq!(url_encode(r#"{"some": "value"}~é"#), "%7B%22some%22%3A+%22value%22%7D%7E%C3%A9");
        assert_eq!(url_decode("x%3Da%2Bb+c%"), "x=a+b c%");
    }
}
