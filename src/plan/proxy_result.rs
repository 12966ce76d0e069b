//! What a function must answer a Lambda proxy integration with (data-plane §9), and what is wrong with what it did.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// A proxy result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyResult {
    /// 200 where none is given.
    pub status: StatusCode,
    /// Those with several values first, then those with one; names once for all values.
    pub headers: HeaderMap,
    /// Empty where none is given.
    pub body: String,
    /// Whether the body is Base64 of what is meant.
    pub base64: bool,
}

/// Why an answer is no proxy result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is no JSON.
    #[error("it is no JSON: {0}")]
    NotJson(String),
    /// It is JSON, and no object.
    #[error("it is no object")]
    NoObject,
    /// It has a member that means nothing.
    #[error("`{0}` is none of statusCode, headers, multiValueHeaders, body, isBase64Encoded")]
    Unknown(String),
    /// A member is not what it must be.
    #[error("`{key}` {why}")]
    Member {
        /// The member; a header as `headers.NAME`.
        key: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl Malformed {
    /// The member that is wrong, where one is.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Malformed::Unknown(key) | Malformed::Member { key, .. } => Some(key),
            Malformed::NotJson(_) | Malformed::NoObject => None,
        }
    }

    fn member(key: impl Into<String>, why: &'static str) -> Malformed {
        Malformed::Member { key: key.into(), why }
    }
}

/// Much of a member's name, where it is told, bytes.
const NAME_BYTES: usize = 64;

fn shown(name: &str) -> String {
    name[..name.floor_char_boundary(NAME_BYTES)].to_owned()
}

/// An object's members in their order, values unread.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// More members than this nobody means.
const MOST_MEMBERS: usize = 1_000;

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut all = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    if all.len() == MOST_MEMBERS {
                        return Err(serde::de::Error::custom("it has more than 1000 members"));
                    }
                    all.push((name, map.next_value()?));
                }
                Ok(Members(all))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// A text, lent where it has no escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

fn members(raw: &str) -> Option<Vec<(Cow<'_, str>, &RawValue)>> {
    raw.starts_with('{').then(|| serde_json::from_str::<Members<'_>>(raw).ok())?.map(|members| members.0)
}

impl ProxyResult {
    /// Reads what a function answered.
    ///
    /// # Errors
    /// The first thing that makes it none.
    pub fn read(payload: &[u8]) -> Result<ProxyResult, Malformed> {
        ProxyResult::of(payload, false)
    }

    /// Reads what stands before a streamed body: no body, but `cookies`.
    ///
    /// # Errors
    /// The first thing that makes it none.
    pub fn read_metadata(payload: &[u8]) -> Result<ProxyResult, Malformed> {
        ProxyResult::of(payload, true)
    }

    fn of(payload: &[u8], streamed: bool) -> Result<ProxyResult, Malformed> {
        let not_json = |error: &dyn fmt::Display| Malformed::NotJson(error.to_string());
        let text = std::str::from_utf8(payload).map_err(|error| not_json(&error))?.trim();
        if !text.starts_with('{') {
            let json = serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| not_json(&error));
            return Err(json.err().unwrap_or(Malformed::NoObject));
        }
        let members: Members<'_> = serde_json::from_str(text).map_err(|error| not_json(&error))?;
        let mut result =
            ProxyResult { status: StatusCode::OK, headers: HeaderMap::new(), body: String::new(), base64: false };
        let (mut single, mut multi, mut cookies) = (None, None, None);
        for (name, value) in members.0 {
            let value = value.get();
            match &*name {
                "statusCode" => result.status = status(value)?,
                "headers" => single = Some(value),
                "multiValueHeaders" => multi = Some(value),
                "cookies" if streamed => cookies = Some(value),
                "body" if !streamed => result.body = optional(value, "body", "must be a string")?.unwrap_or_default(),
                "isBase64Encoded" if !streamed => {
                    result.base64 = optional(value, "isBase64Encoded", "must be true or false")?.unwrap_or_default();
                }
                unknown => return Err(Malformed::Unknown(shown(unknown))),
            }
        }
        multi_headers(multi, &mut result.headers)?;
        single_headers(single, &mut result.headers)?;
        let cookies = cookies.map(|raw| optional::<Vec<String>>(raw, "cookies", "must be a list of strings"));
        for cookie in cookies.transpose()?.flatten().unwrap_or_default() {
            let value = HeaderValue::try_from(cookie);
            let value = value.map_err(|_| Malformed::member("cookies", "has a text that no header can carry"))?;
            result.headers.append(http::header::SET_COOKIE, value);
        }
        Ok(result)
    }
}

/// A value or `null`.
fn optional<'a, T: Deserialize<'a>>(raw: &'a str, key: &str, why: &'static str) -> Result<Option<T>, Malformed> {
    serde_json::from_str(raw).map_err(|_| Malformed::member(key, why))
}

/// A number, or a text that is one; `null` is 200.
fn status(raw: &str) -> Result<StatusCode, Malformed> {
    let wrong = || Malformed::member("statusCode", "must be a whole number from 200 to 999");
    if raw == "null" {
        return Ok(StatusCode::OK);
    }
    let number = match raw.strip_prefix('"') {
        Some(_) => serde_json::from_str::<String>(raw).ok().and_then(|text| text.trim().parse::<u16>().ok()),
        None => raw.parse().ok(),
    };
    // An interim answer would leave the client waiting for another.
    number.filter(|code| *code >= 200).and_then(|code| StatusCode::from_u16(code).ok()).ok_or_else(wrong)
}

fn append(list: &str, name: &str, value: Cow<'_, str>, to: &mut HeaderMap) -> Result<(), Malformed> {
    let key = || format!("{list}.{}", shown(name));
    let parsed = HeaderName::try_from(name).map_err(|_| Malformed::member(key(), "is no header's name"))?;
    let value = HeaderValue::from_bytes(value.as_bytes());
    let value = value.map_err(|_| Malformed::member(key(), "has a value that no header can carry"))?;
    let full = |_| Malformed::member(list, "has too many headers");
    to.try_append(parsed, value).map(drop).map_err(full)
}

/// A text, a number or a truth value as a header's value.
fn scalar(raw: &str) -> Option<Cow<'_, str>> {
    match raw.as_bytes().first()? {
        b'"' => serde_json::from_str::<Name<'_>>(raw).ok().map(|name| name.0),
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(raw)),
    }
}

fn single_headers(raw: Option<&str>, to: &mut HeaderMap) -> Result<(), Malformed> {
    let Some(raw) = raw.filter(|raw| *raw != "null") else { return Ok(()) };
    for (name, value) in members(raw).ok_or_else(|| Malformed::member("headers", "must be an object"))? {
        if value.get() == "null" {
            continue;
        }
        let wrong = || Malformed::member(format!("headers.{}", shown(&name)), "must be a string");
        append("headers", &name, scalar(value.get()).ok_or_else(wrong)?, to)?;
    }
    Ok(())
}

fn multi_headers(raw: Option<&str>, to: &mut HeaderMap) -> Result<(), Malformed> {
    const LIST: &str = "multiValueHeaders";
    let Some(raw) = raw.filter(|raw| *raw != "null") else { return Ok(()) };
    for (name, values) in members(raw).ok_or_else(|| Malformed::member(LIST, "must be an object"))? {
        if values.get() == "null" {
            continue;
        }
        let wrong = || Malformed::member(format!("{LIST}.{}", shown(&name)), "must be a list of strings");
        let values: Vec<&RawValue> = serde_json::from_str(values.get()).map_err(|_| wrong())?;
        for value in values {
            append(LIST, &name, scalar(value.get()).ok_or_else(wrong)?, to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ProxyResult, String> {
        ProxyResult::read(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn results_are_read_as_recorded() {
        let plain = |text: &str| read(text).map(|r| (r.status.as_u16(), r.body, r.base64)).expect(text);
        assert_eq!(plain(r#"{"statusCode":200}"#), (200, String::new(), false));
        assert_eq!(plain("{}"), (200, String::new(), false));
        assert_eq!(plain(r#"{"headers":{"a":"b"}}"#), (200, String::new(), false));
        assert_eq!(plain(r#" {"statusCode":"201","body":"x\n","isBase64Encoded":true} "#), (201, "x\n".into(), true));
        let nulls = r#"{"statusCode":null,"headers":null,"multiValueHeaders":null,"body":null,"isBase64Encoded":null}"#;
        assert_eq!(plain(nulls), (200, String::new(), false));
        let headers = r#"{"headers":{"A":true,"b":1.50,"c":null,"Set-Cookie":"solo"},"multiValueHeaders":{"set-cookie":["m1","m2"],"d":[]}}"#;
        let headers = read(headers).expect("a result").headers;
        let of = |name: &str| headers.get_all(name).iter().map(|v| v.to_str().expect("text")).collect::<Vec<_>>();
        assert_eq!((of("a"), of("b"), of("c"), of("d")), (vec!["true"], vec!["1.50"], vec![], vec![]));
        assert_eq!(of("set-cookie"), ["m1", "m2", "solo"]);
    }

    #[test]
    fn what_is_wrong_with_which_member_is_said() {
        let unknown = "`wrongValue` is none of statusCode, headers, multiValueHeaders, body, isBase64Encoded";
        let status = "`statusCode` must be a whole number from 200 to 999";
        for (text, wanted) in [
            (r#"{"statusCode":200,"wrongValue":1}"#, unknown),
            (r#"{"statusCode":"test"}"#, status),
            (r#"{"statusCode":100}"#, status),
            (r#"{"statusCode":1000}"#, status),
            (r#"{"statusCode":200.5}"#, status),
            (r#"{"statusCode":{}}"#, status),
            (r#"{"body":{"a":1}}"#, "`body` must be a string"),
            (r#"{"body":1}"#, "`body` must be a string"),
            (r#"{"isBase64Encoded":"yes"}"#, "`isBase64Encoded` must be true or false"),
            (r#"{"headers":[]}"#, "`headers` must be an object"),
            (r#"{"headers":{"a":{}}}"#, "`headers.a` must be a string"),
            (r#"{"headers":{"a b":"x"}}"#, "`headers.a b` is no header's name"),
            (r#"{"headers":{"a":"x\ny"}}"#, "`headers.a` has a value that no header can carry"),
            (r#"{"multiValueHeaders":{"a":"x"}}"#, "`multiValueHeaders.a` must be a list of strings"),
            (r#"{"multiValueHeaders":{"a":[{}]}}"#, "`multiValueHeaders.a` must be a list of strings"),
            (r#""text""#, "it is no object"),
            ("null", "it is no object"),
            ("[1]", "it is no object"),
            ("7", "it is no object"),
        ] {
            assert_eq!(read(text).expect_err(text), wanted, "{text}");
        }
        for none in ["", "nonsense", "{", "{\"statusCode\":200}x", "{\"a\":\u{1}}"] {
            assert!(read(none).expect_err(none).starts_with("it is no JSON: "), "{none}");
        }
        assert!(ProxyResult::read(b"{\"body\":\"\xff\"}").is_err());
    }

    #[test]
    fn metadata_of_a_stream_has_cookies_and_no_body() {
        let metadata = ProxyResult::read_metadata(br#"{"statusCode":202,"cookies":["a=1","b=2"]}"#).expect("metadata");
        assert_eq!((metadata.status.as_u16(), metadata.headers.get_all("set-cookie").iter().count()), (202, 2));
        assert!(ProxyResult::read_metadata(br#"{"body":"x"}"#).is_err());
        assert!(read(r#"{"cookies":[]}"#).is_err());
    }
}
