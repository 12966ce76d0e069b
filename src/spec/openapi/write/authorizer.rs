//! Security schemes and requirements of an export.

use super::{Object, Writer};
use crate::catalog::v1::{Authorizer, AuthorizerType, Method};
use crate::spec::openapi::document::Document;
use serde_json::{Value, json};

/// The names of the schemes that no authorizer stands behind.
pub(super) struct Names {
    api_key: String,
    sigv4: String,
}

/// Names that no authorizer has.
pub(super) fn names(document: &Document) -> Names {
    let free = |wanted: &str| {
        let mut name = wanted.to_owned();
        while document.authorizers.iter().any(|authorizer| authorizer.name == name) {
            name.push('_');
        }
        name
    };
    Names { api_key: free("api_key"), sigv4: free("sigv4") }
}

impl Writer<'_> {
    /// What a caller must bring, as a list of requirements; `None` for nothing.
    pub(super) fn security(&self, method: &Method) -> Option<Value> {
        let mut list = Vec::new();
        match method.authorization_type.as_str() {
            "AWS_IAM" => list.push(requirement(&self.schemes.sigv4, &[])),
            "NONE" => {}
            _ => {
                if let Some(name) = &method.authorizer_id {
                    list.push(requirement(name, &method.authorization_scopes));
                }
            }
        }
        if method.api_key_required {
            list.push(requirement(&self.schemes.api_key, &[]));
        }
        (!list.is_empty()).then_some(Value::Array(list))
    }

    pub(super) fn security_schemes(&self) -> Object {
        let mut schemes = Object::new();
        for authorizer in &self.document.authorizers {
            schemes.insert(authorizer.name.clone(), self.authorizer(authorizer));
        }
        let methods = || self.document.paths.iter().flat_map(|path| &path.methods);
        if methods().any(|method| method.api_key_required) {
            schemes
                .insert(self.schemes.api_key.clone(), json!({"type": "apiKey", "name": "x-api-key", "in": "header"}));
        }
        if methods().any(|method| method.authorization_type == "AWS_IAM") {
            let scheme = json!({
                "type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4",
            });
            schemes.insert(self.schemes.sigv4.clone(), scheme);
        }
        schemes
    }

    fn authorizer(&self, authorizer: &Authorizer) -> Value {
        let header = authorizer.identity_source.as_deref().and_then(|source| {
            let name = source.strip_prefix("method.request.header.")?;
            let single = !name.contains([',', ' ']) && !name.is_empty();
            (single && !matches!(authorizer.kind, AuthorizerType::Request | AuthorizerType::Jwt)).then_some(name)
        });
        let cognito = authorizer.kind == AuthorizerType::CognitoUserPools;
        let mut scheme = Object::new();
        scheme.insert("type".into(), "apiKey".into());
        // A name that is no header's says that the sources are listed.
        let unnamed = if cognito { "Authorization" } else { "Unused" };
        scheme.insert("name".into(), header.unwrap_or(unnamed).into());
        scheme.insert("in".into(), "header".into());
        if !self.options.authorizers {
            return Value::Object(scheme);
        }
        let own = if cognito { "cognito_user_pools" } else { "custom" };
        scheme.insert("x-amazon-apigateway-authtype".into(), authorizer.auth_type.as_deref().unwrap_or(own).into());
        scheme.insert("x-amazon-apigateway-authorizer".into(), Value::Object(extension(authorizer, header.is_some())));
        Value::Object(scheme)
    }
}

fn extension(authorizer: &Authorizer, named: bool) -> Object {
    let mut object = Object::new();
    object.insert("type".into(), authorizer.kind.as_str().to_ascii_lowercase().into());
    let texts = [
        ("authorizerUri", &authorizer.authorizer_uri),
        ("authorizerCredentials", &authorizer.authorizer_credentials),
        ("identityValidationExpression", &authorizer.identity_validation_expression),
    ];
    for (key, value) in texts {
        if let Some(text) = value {
            object.insert(key.into(), text.as_str().into());
        }
    }
    if let Some(source) = authorizer.identity_source.as_deref().filter(|_| !named) {
        object.insert("identitySource".into(), source.into());
    }
    if let Some(ttl) = authorizer.authorizer_result_ttl_in_seconds {
        object.insert("authorizerResultTtlInSeconds".into(), ttl.into());
    }
    if !authorizer.provider_arns.is_empty() {
        object.insert("providerARNs".into(), authorizer.provider_arns.clone().into());
    }
    if let Some(jwt) = &authorizer.jwt_configuration {
        let claim = |claim: &crate::catalog::v1::JwtClaim| {
            let mut object = Object::new();
            object.insert("claimName".into(), claim.claim_name.as_str().into());
            object.insert("format".into(), claim.format.as_str().into());
            object.insert("required".into(), claim.required.into());
            if !claim.expected_values.is_empty() {
                object.insert("expectedValues".into(), claim.expected_values.clone().into());
            }
            Value::Object(object)
        };
        let issuer = |issuer: &crate::catalog::v1::JwtIssuer| {
            let mut object = Object::new();
            object.insert("issuer".into(), issuer.issuer.as_str().into());
            object.insert("audiences".into(), issuer.audiences.clone().into());
            if !issuer.additional_claims.is_empty() {
                object.insert("additionalClaims".into(), issuer.additional_claims.iter().map(claim).collect());
            }
            Value::Object(object)
        };
        let algorithms: Vec<String> = jwt.default_algorithms.iter().map(ToString::to_string).collect();
        let issuers: Vec<Value> = jwt.issuers.iter().map(issuer).collect();
        object.insert("jwtConfiguration".into(), json!({"issuers": issuers, "defaultAlgorithms": algorithms}));
    }
    object
}

fn requirement(name: &str, scopes: &[String]) -> Value {
    let mut object = Object::new();
    object.insert(name.to_owned(), scopes.to_vec().into());
    Value::Object(object)
}
