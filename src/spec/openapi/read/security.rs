//! Security schemes become authorizers, and security requirements what a method asks of its callers.

use super::{Node, Reader, Version, shown};
use crate::catalog::v1::{Authorizer, AuthorizerType, JwtClaim, JwtConfiguration, JwtIssuer, Method};
use crate::spec::openapi::Severity;

/// What a scheme means here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scheme {
    /// An API key in the header `x-api-key`.
    ApiKey,
    /// AWS's signature.
    Iam,
    /// An authorizer, with the word for `authorizationType`.
    Authorizer(&'static str),
    /// Nothing that a gateway checks.
    Nothing,
}

const AUTHORIZER: &str = "x-amazon-apigateway-authorizer";

impl<'a> Reader<'a> {
    /// The schemes that the file defines; those with an authorizer become one, used or not.
    pub(super) fn read_schemes(&mut self, root: &Node<'a>) {
        let home = match self.version {
            Version::V2 => root.get("securityDefinitions"),
            _ => root.get("components").and_then(|components| components.get("securitySchemes")),
        };
        for (name, node) in home.iter().flat_map(|home| home.members().collect::<Vec<_>>()) {
            let Some(node) = self.resolve(node) else { continue };
            let scheme = self.scheme(name, &node);
            self.schemes.insert(name.to_owned(), scheme);
        }
    }

    fn scheme(&mut self, name: &str, node: &Node<'a>) -> Scheme {
        let known = ["type", "name", "in", "description"];
        let ignored =
            ["flow", "flows", "authorizationUrl", "tokenUrl", "scopes", "scheme", "bearerFormat", "openIdConnectUrl"];
        self.keywords(node, &known, &ignored);
        let kind = node.text_of("type").unwrap_or_default();
        let auth_type = node.text_of("x-amazon-apigateway-authtype");
        let header = node.text_of("name").unwrap_or_default();
        if auth_type.as_deref().is_some_and(|word| word.eq_ignore_ascii_case("awsSigv4")) {
            return Scheme::Iam;
        }
        if let Some(extension) = node.get(AUTHORIZER) {
            return self.authorizer(name, node, &extension, auth_type);
        }
        if kind == "apiKey"
            && node.text_of("in").as_deref() == Some("header")
            && header.eq_ignore_ascii_case("x-api-key")
        {
            return Scheme::ApiKey;
        }
        self.findings.warn(&node.at, format!("security scheme {} has no authorizer: nobody checks it", shown(name)));
        Scheme::Nothing
    }

    fn authorizer(&mut self, name: &str, node: &Node<'a>, extension: &Node<'a>, auth_type: Option<String>) -> Scheme {
        self.keywords(
            extension,
            &[
                "type",
                "authorizerUri",
                "authorizerCredentials",
                "identitySource",
                "identityValidationExpression",
                "authorizerResultTtlInSeconds",
                "providerARNs",
                "jwtConfiguration",
            ],
            &[],
        );
        let word = extension.text_of("type").unwrap_or_default().to_ascii_lowercase();
        let (kind, method) = match word.as_str() {
            "token" => (AuthorizerType::Token, "CUSTOM"),
            "request" => (AuthorizerType::Request, "CUSTOM"),
            "cognito_user_pools" => (AuthorizerType::CognitoUserPools, "COGNITO_USER_POOLS"),
            "jwt" => (AuthorizerType::Jwt, "JWT"),
            other => {
                let text = format!("Unable to create authorizer '{name}': unknown type {}", shown(other));
                self.findings.aws(Severity::Error, &format!("{}/type", extension.at), text);
                return Scheme::Nothing;
            }
        };
        for only_http in ["authorizerPayloadFormatVersion", "enableSimpleResponses"] {
            if let Some(member) = extension.get(only_http) {
                self.findings.warn(&member.at, "this belongs to HTTP APIs; a REST API has nothing like it");
            }
        }
        let ttl = extension.number_of("authorizerResultTtlInSeconds");
        let fits = |ttl: i64| i32::try_from(ttl).ok().filter(|ttl| (0..=3600).contains(ttl));
        if ttl.is_some_and(|ttl| fits(ttl).is_none()) {
            let text = format!(
                "Unable to create authorizer '{name}': Authorizer result TTL must be between 0 and 3600 seconds"
            );
            self.findings.aws(Severity::Error, &format!("{}/authorizerResultTtlInSeconds", extension.at), text);
        }
        // A token stands in the header that the scheme names; a request's sources are listed by the extension alone.
        let header = node.text_of("name").filter(|name| !name.is_empty() && kind != AuthorizerType::Request);
        let in_header = node.text_of("in").is_none_or(|place| place == "header");
        let named = header
            .filter(|_| in_header && kind != AuthorizerType::Jwt)
            .map(|name| format!("method.request.header.{name}"));
        let default_type = if kind == AuthorizerType::CognitoUserPools { "cognito_user_pools" } else { "custom" };
        self.document.authorizers.push(Authorizer {
            name: name.to_owned(),
            provider_arns: extension.texts_of("providerARNs").unwrap_or_default(),
            auth_type: Some(auth_type.unwrap_or_else(|| default_type.to_owned())),
            authorizer_uri: extension.text_of("authorizerUri"),
            authorizer_credentials: extension.text_of("authorizerCredentials"),
            identity_source: extension.text_of("identitySource").or(named),
            identity_validation_expression: extension.text_of("identityValidationExpression"),
            authorizer_result_ttl_in_seconds: ttl.and_then(fits),
            jwt_configuration: extension.get("jwtConfiguration").map(|node| jwt(&node)),
            kind,
            ..Authorizer::default()
        });
        Scheme::Authorizer(method)
    }

    /// What an operation asks of its callers: its own requirements, or else the file's.
    pub(super) fn secure(&mut self, operation: &Node<'a>, method: &mut Method) {
        method.authorization_type = "NONE".to_owned();
        let shared = Node::root(self.root).get("security");
        let requirements = match operation.get("security") {
            None => shared.filter(|all| self.repeat(&all.at, all.value)),
            own => own,
        };
        let all = requirements.iter().flat_map(Node::items).flat_map(|r| r.members().collect::<Vec<_>>());
        for (name, node) in all.collect::<Vec<_>>() {
            match self.schemes.get(name) {
                Some(Scheme::ApiKey) => method.api_key_required = true,
                Some(Scheme::Iam) => method.authorization_type = "AWS_IAM".to_owned(),
                Some(Scheme::Authorizer(word)) => {
                    if method.authorizer_id.as_deref().is_some_and(|other| other != name) {
                        self.findings.warn(&node.at, "a method has one authorizer: this one is left out");
                        continue;
                    }
                    method.authorization_type = (*word).to_owned();
                    method.authorizer_id = Some(name.to_owned());
                    method.authorization_scopes = node.items().filter_map(|scope| scope.text()).collect();
                }
                Some(Scheme::Nothing) => {}
                None => self.findings.warn(&node.at, "no security scheme has this name"),
            }
        }
        if let Some(auth) = operation.get("x-amazon-apigateway-auth") {
            match auth.text_of("type").unwrap_or_default().to_ascii_uppercase().as_str() {
                word @ ("NONE" | "AWS_IAM") => {
                    method.authorization_type = word.to_owned();
                    method.authorizer_id = None;
                    method.authorization_scopes.clear();
                }
                other => {
                    let text = format!("{} is neither NONE nor AWS_IAM", shown(other));
                    self.findings.error(&format!("{}/type", auth.at), text);
                }
            }
        }
    }
}

fn jwt(node: &Node<'_>) -> JwtConfiguration {
    let claim = |node: Node<'_>| JwtClaim {
        claim_name: node.text_of("claimName").unwrap_or_default(),
        format: node.text_of("format").unwrap_or_else(|| "SINGLE_STRING".to_owned()),
        required: node.flag_of("required").unwrap_or_default(),
        expected_values: node.texts_of("expectedValues").unwrap_or_default(),
        ..JwtClaim::default()
    };
    let issuer = |node: Node<'_>| JwtIssuer {
        issuer: node.text_of("issuer").unwrap_or_default(),
        audiences: node.texts_of("audiences").or_else(|| node.texts_of("audience")).unwrap_or_default(),
        additional_claims: node.get("additionalClaims").iter().flat_map(Node::items).map(claim).collect(),
        ..JwtIssuer::default()
    };
    // HTTP APIs know one issuer, in the object itself.
    let issuers = match node.get("issuers") {
        Some(list) => list.items().map(issuer).collect(),
        None => vec![issuer(node.clone())],
    };
    let algorithms = node.texts_of("defaultAlgorithms").unwrap_or_default();
    JwtConfiguration {
        issuers,
        default_algorithms: algorithms.iter().map(|word| word.as_str().into()).collect(),
        ..JwtConfiguration::default()
    }
}
