//! Names that nouns share, as newtypes, so that an API id is never taken for a stage name.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(Box<str>);

        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<&str> for $type {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
        impl From<String> for $type {
            fn from(text: String) -> Self {
                Self(text.into_boxed_str())
            }
        }
        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// Twelve digits: who owns things.
    AccountId
);
name!(
    /// Where nodes and APIs live: `eu-west-1`.
    Region
);
name!(
    /// A REST API: ten of `[a-z0-9]`, case-sensitive.
    ApiId
);
name!(
    /// A stage: `[a-zA-Z0-9_-]`, at most 128 characters.
    StageName
);

impl AccountId {
    /// Whether this is twelve digits.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.0.len() == 12 && self.0.bytes().all(|b| b.is_ascii_digit())
    }
}

impl Region {
    /// Whether this can name a region: 1–32 of `[a-z0-9-]`, so that it fits in host names and scopes.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        (1..=32).contains(&self.0.len())
            && self.0.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !self.0.starts_with('-')
            && !self.0.ends_with('-')
    }
}
