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
words!(
    /// What an authorizer looks at.
    AuthorizerType {
        /// One header, given to a Lambda function.
        Token = "TOKEN",
        /// The whole request, given to a Lambda function.
        Request = "REQUEST",
        /// A token of a user pool.
        CognitoUserPools = "COGNITO_USER_POOLS",
        /// A token of any issuer of OpenID Connect.
        Jwt = "JWT",
    }
);
words!(
    /// How a JSON web token is signed.
    JwtAlgorithm {
        /// RSA, SHA-256.
        Rs256 = "RS256",
        /// RSA, SHA-384.
        Rs384 = "RS384",
        /// RSA, SHA-512.
        Rs512 = "RS512",
        /// ECDSA, P-256.
        Es256 = "ES256",
        /// ECDSA, P-384.
        Es384 = "ES384",
        /// ECDSA, P-521.
        Es512 = "ES512",
    }
);
words!(
    /// What a gateway response answers.
    GatewayResponseType {
        /// The request is larger than the limit.
        RequestTooLarge = "REQUEST_TOO_LARGE",
        /// No resource has this path.
        ResourceNotFound = "RESOURCE_NOT_FOUND",
        /// The authorizer's answer cannot be used.
        AuthorizerConfigurationError = "AUTHORIZER_CONFIGURATION_ERROR",
        /// No method has this path, or the signature is missing.
        MissingAuthenticationToken = "MISSING_AUTHENTICATION_TOKEN",
        /// The body does not fit its model.
        BadRequestBody = "BAD_REQUEST_BODY",
        /// The signature is wrong.
        InvalidSignature = "INVALID_SIGNATURE",
        /// The API key is missing or not good here.
        InvalidApiKey = "INVALID_API_KEY",
        /// A required parameter is missing.
        BadRequestParameters = "BAD_REQUEST_PARAMETERS",
        /// The authorizer failed.
        AuthorizerFailure = "AUTHORIZER_FAILURE",
        /// The caller's token is missing or wrong.
        Unauthorized = "UNAUTHORIZED",
        /// The integration took too long.
        IntegrationTimeout = "INTEGRATION_TIMEOUT",
        /// A policy says no.
        AccessDenied = "ACCESS_DENIED",
        /// Every refusal with 4xx that has none of its own.
        Default4xx = "DEFAULT_4XX",
        /// Every refusal with 5xx that has none of its own.
        Default5xx = "DEFAULT_5XX",
        /// The web ACL says no.
        WafFiltered = "WAF_FILTERED",
        /// The plan's quota is used up.
        QuotaExceeded = "QUOTA_EXCEEDED",
        /// Too many requests at once.
        Throttled = "THROTTLED",
        /// The API cannot do what it is configured to.
        ApiConfigurationError = "API_CONFIGURATION_ERROR",
        /// No template fits the body's media type.
        UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE",
        /// The integration failed.
        IntegrationFailure = "INTEGRATION_FAILURE",
        /// The signature's token has expired.
        ExpiredToken = "EXPIRED_TOKEN",
    }
);
words!(
    /// What a documentation part is about.
    DocumentationPartType {
        /// The body of a response.
        ResponseBody = "RESPONSE_BODY",
        /// A response of a method.
        Response = "RESPONSE",
        /// A method.
        Method = "METHOD",
        /// A model.
        Model = "MODEL",
        /// An authorizer.
        Authorizer = "AUTHORIZER",
        /// A header of a response.
        ResponseHeader = "RESPONSE_HEADER",
        /// A resource.
        Resource = "RESOURCE",
        /// A variable of a path.
        PathParameter = "PATH_PARAMETER",
        /// The body of a request.
        RequestBody = "REQUEST_BODY",
        /// A parameter of the query.
        QueryParameter = "QUERY_PARAMETER",
        /// The API as a whole.
        Api = "API",
        /// A header of a request.
        RequestHeader = "REQUEST_HEADER",
    }
);
words!(
    /// How a custom domain name finds the API.
    RoutingMode {
        /// By base path mappings.
        BasePathMappingOnly = "BASE_PATH_MAPPING_ONLY",
        /// By routing rules.
        RoutingRuleOnly = "ROUTING_RULE_ONLY",
        /// By routing rules, then by base path mappings.
        RoutingRuleThenBasePathMapping = "ROUTING_RULE_THEN_BASE_PATH_MAPPING",
    }
);
words!(
    /// Whether a VPC link can be used.
    VpcLinkStatus {
        /// It can.
        Available = "AVAILABLE",
        /// Not yet.
        Pending = "PENDING",
        /// Not any more.
        Deleting = "DELETING",
        /// It could not be made.
        Failed = "FAILED",
    }
);
