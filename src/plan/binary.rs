//! Binary payloads: which media types are binary, and what `contentHandling` does to a payload (data-plane §10).

use super::media;
use crate::catalog::v1::ContentHandling;

/// An API's `binaryMediaTypes`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BinaryTypes(Vec<Box<str>>);

impl BinaryTypes {
    /// Of the API's list.
    #[must_use]
    pub fn of(types: &[String]) -> BinaryTypes {
        BinaryTypes(types.iter().map(|text| media::content_type(Some(text)).to_ascii_lowercase().into()).collect())
    }

    /// Whether nothing is binary.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a media type (no parameters) is one of them: itself, `type/*` or `*/*`. A left wildcard matches nothing.
    #[must_use]
    pub fn contains(&self, media: &str) -> bool {
        self.0.iter().any(|known| match known.strip_suffix("/*") {
            Some("*") => true,
            Some(kind) => media.split('/').next().is_some_and(|asked| asked.eq_ignore_ascii_case(kind)),
            None => known.eq_ignore_ascii_case(media),
        })
    }

    /// Whether a payload with this `Content-Type` is binary.
    #[must_use]
    pub fn holds(&self, content_type: Option<&str>) -> bool {
        !self.is_empty() && self.contains(media::content_type(content_type))
    }

    /// Whether a client with this `Accept` wants bytes: its first media type alone counts.
    #[must_use]
    pub fn wanted_by(&self, accept: Option<&str>) -> bool {
        !self.is_empty() && media::first_accept(accept).is_some_and(|first| self.contains(first))
    }
}

/// What is done to a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Convert {
    /// Nothing.
    Keep,
    /// Bytes are read as UTF-8; what is none becomes U+FFFD.
    Text,
    /// Bytes become Base64.
    Encode,
    /// Base64 becomes bytes; what is no Base64 is a configuration error.
    Decode,
}

/// What becomes of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handled {
    /// What is done to it.
    pub convert: Convert,
    /// Whether bytes come out, which no template can read.
    pub binary: bool,
}

const fn handled(convert: Convert, binary: bool) -> Handled {
    Handled { convert, binary }
}

/// A request's payload on its way to the integration.
#[must_use]
pub fn request(handling: Option<&ContentHandling>, binary: bool) -> Handled {
    match (handling, binary) {
        (Some(ContentHandling::ConvertToText), true) => handled(Convert::Encode, false),
        (Some(ContentHandling::ConvertToBinary), false) => handled(Convert::Decode, true),
        (_, true) => handled(Convert::Keep, true),
        (_, false) => handled(Convert::Text, false),
    }
}

/// A response's payload on its way to the client; `wanted`: the client's `Accept` asks for bytes.
#[must_use]
pub fn response(handling: Option<&ContentHandling>, binary: bool, wanted: bool) -> Handled {
    match (handling, binary) {
        (Some(ContentHandling::ConvertToText), true) => handled(Convert::Encode, false),
        (Some(ContentHandling::ConvertToText), false) => handled(Convert::Text, false),
        (Some(ContentHandling::ConvertToBinary), true) => handled(Convert::Keep, true),
        (Some(ContentHandling::ConvertToBinary), false) => handled(Convert::Decode, true),
        (_, true) if wanted => handled(Convert::Keep, true),
        (_, true) => handled(Convert::Encode, false),
        (_, false) if wanted => handled(Convert::Decode, true),
        (_, false) => handled(Convert::Text, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_types_match_themselves_and_right_wildcards_alone() {
        let of = |types: &[&str]| BinaryTypes::of(&types.iter().map(ToString::to_string).collect::<Vec<_>>());
        let png = of(&["image/png"]);
        for (accept, wanted) in [
            ("image/png", true),
            ("IMAGE/PNG;q=1", true),
            ("image/png,image/*", true),
            ("image/jpg", false),
            ("image/*", false),
            ("*/*", false),
            ("image/webp,image/png", false),
        ] {
            assert_eq!(png.wanted_by(Some(accept)), wanted, "{accept}");
        }
        let right = of(&["application/*"]);
        assert!(right.wanted_by(Some("application/x")) && right.wanted_by(Some("application/*")));
        assert!(!of(&["*/png"]).holds(Some("image/png")));
        assert!(of(&["*/*"]).holds(Some("text/plain")) && of(&["*/*"]).holds(None));
        assert!(!png.holds(None) && !BinaryTypes::default().wanted_by(Some("*/*")));
        assert!(!png.wanted_by(None));
    }
}
