//! Mapping templates without VTL: plain text, and the status code that a mock's template names.

use bytes::Bytes;

/// A template as far as this version can run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Template {
    /// Text that is sent as it is; empty passes the body through.
    Text(Bytes),
    /// It needs the template language.
    NeedsVtl,
}

/// What a template that needs the language is called where it is refused.
pub const UNBUILT: &str = "mapping templates in VTL";

impl Template {
    /// Reads a template.
    pub fn of(text: &str) -> Template {
        if needs_vtl(text) { Template::NeedsVtl } else { Template::Text(Bytes::copy_from_slice(text.as_bytes())) }
    }
}

/// Whether Velocity would see a reference, directive or comment in it. `$5` and `# 1` are text to it.
fn needs_vtl(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().any(|(at, byte)| {
        let after = &bytes[at + 1..];
        let next = after.first().copied().unwrap_or(b' ');
        match byte {
            b'$' => {
                let name = if next == b'!' { after.get(1).copied().unwrap_or(b' ') } else { next };
                name.is_ascii_alphabetic() || name == b'_' || name == b'{'
            }
            b'#' => next.is_ascii_alphabetic() || b"{#*[@".contains(&next),
            _ => false,
        }
    })
}

/// The `statusCode` of a mock's request: JSON, or the lenient form that AWS takes (`{statusCode: 200}`).
/// `None` when it is no object or names no status.
pub fn mock_status(text: &str) -> Option<u16> {
    let value =
        serde_json::from_str::<serde_json::Value>(text).ok().or_else(|| serde_json::from_str(&quoted(text)).ok())?;
    let status = value.as_object()?.get("statusCode")?;
    let number = status.as_u64().or_else(|| status.as_str()?.trim().parse().ok())?;
    u16::try_from(number).ok().filter(|n| (100..=999).contains(n))
}

/// Puts bare keys into quotes and turns single-quoted text into double-quoted.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    let mut key_may_come = false;
    while let Some(c) = chars.next() {
        match c {
            '"' | '\'' => {
                out.push('"');
                while let Some(d) = chars.next() {
                    match d {
                        '\\' => match chars.next() {
                            Some('\'') => out.push('\''),
                            escaped => {
                                out.push(d);
                                out.extend(escaped);
                            }
                        },
                        _ if d == c => break,
                        '"' => out.push_str("\\\""),
                        _ => out.push(d),
                    }
                }
                out.push('"');
                key_may_come = false;
            }
            '{' | ',' => {
                out.push(c);
                key_may_come = true;
            }
            _ if key_may_come && (c.is_alphabetic() || c == '_') => {
                out.push('"');
                out.push(c);
                while let Some(d) = chars.next_if(|d| d.is_alphanumeric() || *d == '_') {
                    out.push(d);
                }
                out.push('"');
                key_may_come = false;
            }
            _ => {
                key_may_come &= c.is_whitespace();
                out.push(c);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mocks_status_is_read_from_json_and_from_what_aws_takes_for_json() {
        for text in [
            r#"{"statusCode": 201}"#,
            "{statusCode: 201}",
            "{ statusCode : 201, other: 'it''s' }".replace("''", "\\'").as_str(),
            r#"{'statusCode': "201"}"#,
            "\n{\n  \"statusCode\": 201,\n  \"x\": [1, {\"statusCode\": 3}]\n}",
        ] {
            assert_eq!(mock_status(text), Some(201), "{text}");
        }
        for text in
            ["", "201", "[]", "{}", r#"{"statusCode": "x"}"#, r#"{"statusCode": 20}"#, "{statusCode", "statusCode: 2"]
        {
            assert_eq!(mock_status(text), None, "{text}");
        }
    }

    #[test]
    fn what_velocity_would_leave_alone_is_plain_text() {
        for plain in ["", r#"{"statusCode": 200}"#, "costs $5", "# 1", "a $ b", "100%", "#1", "$", "#"] {
            assert_eq!(Template::of(plain), Template::Text(Bytes::copy_from_slice(plain.as_bytes())), "{plain}");
        }
        for vtl in [
            "$input.body",
            "$!x",
            "${x}",
            "$!{x}",
            "#set($a = 1)",
            "## note",
            "#* note *#",
            "#if(true)",
            "#{else}",
            "$_x",
        ] {
            assert_eq!(Template::of(vtl), Template::NeedsVtl, "{vtl}");
        }
    }
}
