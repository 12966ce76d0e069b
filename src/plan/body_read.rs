//! What parameter mappings read from a body: all of it, or what a JSONPath finds (data-plane §6). Each body is parsed once.

use crate::spec::jsonpath::Path;
use crate::spec::object::{Allowance, Heap, Slash, Value};

/// Steps and bytes that reading one body may take: a body of 10 MB takes a tenth of them.
const ALLOWANCE: Allowance = Allowance { fuel: 20_000_000, memory: 512 << 20 };
/// Bytes of one value, and of all that one body gives.
const MOST_BYTES: usize = 10 << 20;

/// Everything that the mappings of one side read.
#[derive(Debug, Default)]
pub struct BodyReads(Vec<Read>);

#[derive(Debug)]
enum Read {
    Whole,
    Path(Box<str>, Path),
}

/// Why a body gives nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyReadError {
    /// It begins as an object and is none.
    #[error("Invalid JSON in request body")]
    InvalidJson,
    /// It takes more than one request may.
    #[error("{0}")]
    Exceeded(String),
}

impl BodyReads {
    /// Adds a reading; `path` is a JSONPath without `$.`, empty for the whole body. Returns its place.
    ///
    /// # Errors
    /// When the path is none.
    pub(super) fn add(&mut self, path: &str) -> Result<usize, String> {
        let read = match path {
            "" => Read::Whole,
            path => {
                let text = if path.starts_with('[') { format!("${path}") } else { format!("$.{path}") };
                Read::Path(path.into(), Path::compile(&text).map_err(|error| error.to_string())?)
            }
        };
        let same = |known: &Read| match (known, &read) {
            (Read::Whole, Read::Whole) => true,
            (Read::Path(known, _), Read::Path(new, _)) => known == new,
            _ => false,
        };
        if let Some(known) = self.0.iter().position(same) {
            return Ok(known);
        }
        self.0.push(read);
        Ok(self.0.len() - 1)
    }

    /// Whether no mapping reads the body.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What each reading finds in a body, in the order of their places. An empty body is `{}`; one that does not begin as
    /// an object and is no JSON is a text without members.
    ///
    /// # Errors
    /// When the body begins as an object and is none, or takes too much.
    pub fn read(&self, body: &str) -> Result<Vec<Option<String>>, BodyReadError> {
        let body = if body.is_empty() { "{}" } else { body };
        let exceeded = |error: &dyn std::fmt::Display| BodyReadError::Exceeded(error.to_string());
        let mut heap = Heap::new(ALLOWANCE);
        let document = match heap.read(body) {
            Ok(document) => Some(document),
            Err(crate::spec::object::NotJson::Exceeded(error)) => return Err(exceeded(&error)),
            Err(_) if body.trim_start().starts_with('{') => return Err(BodyReadError::InvalidJson),
            Err(_) => None,
        };
        let mut left = MOST_BYTES;
        let mut found = Vec::with_capacity(self.0.len());
        for read in &self.0 {
            let value = match (read, document) {
                (Read::Whole, _) => Some(body.to_owned()),
                (Read::Path(..), None) => None,
                (Read::Path(_, path), Some(document)) => match path.read(&mut heap, document) {
                    Ok(None | Some(Value::Null)) => None,
                    Ok(Some(value)) => Some(text(&heap, value).map_err(|error| exceeded(&error))?),
                    Err(crate::spec::jsonpath::ReadError::Exceeded(error)) => return Err(exceeded(&error)),
                    // A function that does not fit what it met finds nothing.
                    Err(_) => None,
                },
            };
            let length = value.as_ref().map_or(0, String::len);
            left = left.checked_sub(length).ok_or_else(|| exceeded(&"it is read too often for its length"))?;
            found.push(value);
        }
        Ok(found)
    }
}

/// A text is itself, all else is compact JSON.
fn text(heap: &Heap<'_>, value: Value<'_>) -> Result<String, crate::spec::object::Exceeded> {
    if let Value::Str(text) = value {
        return Ok(heap.str(text).to_owned());
    }
    let mut out = String::new();
    heap.print_json(value, Slash::Plain, &mut out, MOST_BYTES, &|_, _| {})?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_give_texts_and_compact_json_by_path() {
        let mut reads = BodyReads::default();
        let paths = ["", "a", "b.c[1]", "b", "none", "['a']", "a", "n", "l[*]"];
        let places: Vec<usize> = paths.iter().map(|path| reads.add(path).expect("a path")).collect();
        assert_eq!(places, [0, 1, 2, 3, 4, 5, 1, 6, 7]);
        let body = r#"{"a": "x y", "b": {"c": [1, 2.50]}, "n": null, "l": [1, {"z": "/"}]}"#;
        let found = reads.read(body).expect("JSON");
        let found: Vec<Option<&str>> = found.iter().map(Option::as_deref).collect();
        let b = r#"{"c":[1,2.5]}"#;
        assert_eq!(
            found,
            [Some(body), Some("x y"), Some("2.5"), Some(b), None, Some("x y"), None, Some(r#"[1,{"z":"/"}]"#)]
        );
        assert_eq!(reads.read("").expect("empty")[..2], [Some("{}".to_owned()), None]);
        assert_eq!(reads.read("just text").expect("text")[..2], [Some("just text".to_owned()), None]);
        assert_eq!(reads.read(" {\"a\": "), Err(BodyReadError::InvalidJson));
        assert!(BodyReads::default().add("a[").is_err());
    }
}
