//! The closed vocabularies of the model: known words as variants, a newer version's words kept as they came.

/// An enum over words that AWS's model fixes. Reading never fails: a row of a newer version survives us.
macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $type {
            $($(#[$vdoc])* $variant,)+
            /// A word that this version does not know.
            Other(Box<str>),
        }

        impl $type {
            /// Every word that this version knows, in the model's order.
            pub const KNOWN: &[Self] = &[$(Self::$variant,)+];

            /// The word as AWS writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word,
                }
            }

            /// The variant of a word, if this version knows it.
            #[must_use]
            pub fn known(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl From<&str> for $type {
            fn from(word: &str) -> Self {
                Self::known(word).unwrap_or_else(|| Self::Other(word.into()))
            }
        }
        impl From<String> for $type {
            fn from(word: String) -> Self {
                Self::from(word.as_str())
            }
        }
        impl From<$type> for String {
            fn from(word: $type) -> Self {
                word.as_str().to_owned()
            }
        }
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words!(
    /// Where the API key of a request is looked for.
    ApiKeySource {
        /// The header `x-api-key`.
        Header = "HEADER",
        /// The answer of a Lambda authorizer.
        Authorizer = "AUTHORIZER",
    }
);
words!(
    /// How an API is reached.
    EndpointType {
        /// In its own region.
        Regional = "REGIONAL",
        /// Through the nearest node anywhere.
        Edge = "EDGE",
        /// Inside a VPC only.
        Private = "PRIVATE",
    }
);
words!(
    /// The address families of an endpoint.
    IpAddressType {
        /// IPv4 only.
        Ipv4 = "ipv4",
        /// IPv4 and IPv6.
        Dualstack = "dualstack",
    }
);
words!(
    /// What stands behind a method.
    IntegrationType {
        /// An HTTP endpoint, with mapping.
        Http = "HTTP",
        /// An AWS service action, with mapping.
        Aws = "AWS",
        /// Nothing: the gateway answers by itself.
        Mock = "MOCK",
        /// An HTTP endpoint, passed through.
        HttpProxy = "HTTP_PROXY",
        /// A Lambda function that sees the whole request.
        AwsProxy = "AWS_PROXY",
    }
);
words!(
    /// How the integration's endpoint is reached.
    ConnectionType {
        /// Over the network as it is.
        Internet = "INTERNET",
        /// Through a VPC link.
        VpcLink = "VPC_LINK",
    }
);
words!(
    /// What happens to a body for which there is no request template.
    PassthroughBehavior {
        /// It passes when no template fits its media type.
        WhenNoMatch = "WHEN_NO_MATCH",
        /// It passes when there are no templates at all.
        WhenNoTemplates = "WHEN_NO_TEMPLATES",
        /// It is refused with 415.
        Never = "NEVER",
    }
);
words!(
    /// Conversion of a body between text and binary.
    ContentHandling {
        /// Base64 text becomes bytes.
        ConvertToBinary = "CONVERT_TO_BINARY",
        /// Bytes become base64 text.
        ConvertToText = "CONVERT_TO_TEXT",
    }
);
words!(
    /// Whether an answer is collected before it is sent on.
    ResponseTransferMode {
        /// It is.
        Buffered = "BUFFERED",
        /// It is sent on as it comes.
        Stream = "STREAM",
    }
);
words!(
    /// The length of a quota's period.
    QuotaPeriod {
        /// A day of UTC.
        Day = "DAY",
        /// A week, beginning on Sunday 00:00 UTC.
        Week = "WEEK",
        /// A month, beginning on the 1st 00:00 UTC.
        Month = "MONTH",
    }
);
words!(
    /// What a client without the right to control the cache gets when it tries.
    UnauthorizedCacheControlHeaderStrategy {
        /// 403.
        FailWith403 = "FAIL_WITH_403",
        /// Its answer with a warning header.
        SucceedWithResponseHeader = "SUCCEED_WITH_RESPONSE_HEADER",
        /// Its answer.
        SucceedWithoutResponseHeader = "SUCCEED_WITHOUT_RESPONSE_HEADER",
    }
);
