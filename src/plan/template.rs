//! Mapping templates of a plan: parsed once, plain text told apart from what must be run.

use crate::spec::vtl;
use bytes::Bytes;
use std::sync::Arc;

/// What becomes of a body.
#[derive(Debug)]
pub enum Template {
    /// An empty template: the body passes as it is.
    Pass,
    /// Text that every run gives.
    Text(Bytes),
    /// A template to run; shared, since a long run leaves the worker.
    Vtl(Arc<vtl::Template>),
    /// It cannot be parsed: AWS finds out when it is called, so it is no flaw of the plan.
    Broken(vtl::TemplateError),
}

impl Template {
    /// Parses a template.
    pub fn of(text: &str) -> Template {
        if text.is_empty() {
            return Template::Pass;
        }
        match vtl::Template::parse(text) {
            Err(error) => Template::Broken(error),
            Ok(parsed) => match parsed.plain() {
                Some(text) => Template::Text(Bytes::copy_from_slice(text.as_bytes())),
                None => Template::Vtl(Arc::new(parsed)),
            },
        }
    }

    /// Why it cannot be run.
    pub fn flaw(&self) -> Option<&vtl::TemplateError> {
        match self {
            Template::Broken(error) => Some(error),
            _ => None,
        }
    }
}

/// A mock's request template. One that has nothing to run was read when the plan was compiled.
#[derive(Debug)]
pub enum MockTemplate {
    /// The status that its text names, if it names one.
    Status(Option<u16>),
    /// It must be run first.
    Run(Template),
}

impl MockTemplate {
    /// Parses a template.
    pub fn of(text: &str) -> MockTemplate {
        match Template::of(text) {
            Template::Pass => MockTemplate::Status(None),
            Template::Text(text) => MockTemplate::Status(mock_status(&String::from_utf8_lossy(&text))),
            template => MockTemplate::Run(template),
        }
    }

    /// Why it cannot be run.
    pub fn flaw(&self) -> Option<&vtl::TemplateError> {
        match self {
            MockTemplate::Status(_) => None,
            MockTemplate::Run(template) => template.flaw(),
        }
    }
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
            // One comma too many at an end is forgiven.
            ',' if chars.clone().find(|d| !d.is_whitespace()).is_some_and(|d| matches!(d, '}' | ']')) => {}
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
            "{\"statusCode\": 201 , }",
            "{x: [1, 2,], statusCode: 201,\n}",
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
    fn what_velocity_would_leave_alone_is_text_and_the_rest_is_parsed_once() {
        assert!(matches!(Template::of(""), Template::Pass));
        for plain in [r#"{"statusCode": 200}"#, "costs $5", "# 1", "a $ b", "100%", "#1"] {
            assert!(matches!(Template::of(plain), Template::Text(text) if text == plain), "{plain}");
        }
        for vtl in ["$input.body", "$!x", "${x}", "$!{x}", "#set($a = 1)", "#if(true)#end", "$_x"] {
            assert!(matches!(Template::of(vtl), Template::Vtl(_)), "{vtl}");
        }
        let broken = Template::of("one\n#if(true");
        assert_eq!(broken.flaw().map(|flaw| flaw.line), Some(2), "{broken:?}");
        assert!(matches!(MockTemplate::of("{statusCode: 204}"), MockTemplate::Status(Some(204))));
        assert!(matches!(MockTemplate::of("{statusCode: $x}"), MockTemplate::Run(Template::Vtl(_))));
    }
}
