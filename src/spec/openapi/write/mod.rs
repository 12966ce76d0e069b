//! A [`Document`] becomes a file: OpenAPI 3.0.1 or Swagger 2.0, as API Gateway exports it.

mod authorizer;
mod integration;
mod operation;
mod schema;

use super::document::{Document, Path};
use crate::catalog::v1::{ApiKeySource, DocumentationPart, Model};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Which OpenAPI is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAPI 3.0.1.
    Oas30,
    /// Swagger 2.0.
    Swagger,
}

/// What is written of API Gateway's own, and the facts that the document does not have.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Which OpenAPI.
    pub dialect: Dialect,
    /// `x-amazon-apigateway-integration`.
    pub integrations: bool,
    /// `x-amazon-apigateway-authorizer`.
    pub authorizers: bool,
    /// The extensions at the root and of methods.
    pub gateway: bool,
    /// `x-postman-meta` of operations that are signed: the region to sign for.
    pub postman: Option<String>,
    /// The host that answers, `{api}.execute-api.{region}.{domain}`.
    pub host: String,
    /// The stage.
    pub stage: String,
    /// The name and time (ISO 8601) of the documentation version, where the stage has one.
    pub documentation: Option<(String, String)>,
}

type Object = Map<String, Value>;

/// The file of a document.
#[must_use]
pub fn write(document: &Document, options: &WriteOptions) -> Value {
    let mut parts: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for part in document.documentation.iter().filter(|_| options.documentation.is_some()) {
        let at = &part.location;
        let (path, method) = (at.path.as_deref().unwrap_or("/"), at.method.as_deref().unwrap_or("*"));
        parts.entry((at.kind.as_str(), path, method)).or_default().push(part);
    }
    let writer = Writer { document, options, schemes: authorizer::names(document), parts };
    let mut root = match options.dialect {
        Dialect::Swagger => writer.swagger(),
        Dialect::Oas30 => writer.oas30(),
    };
    if options.gateway {
        writer.extensions(&mut root);
    }
    Value::Object(root)
}

struct Writer<'a> {
    document: &'a Document,
    options: &'a WriteOptions,
    schemes: authorizer::Names,
    /// Documentation parts by kind, path and method.
    parts: BTreeMap<(&'a str, &'a str, &'a str), Vec<&'a DocumentationPart>>,
}

impl Writer<'_> {
    fn v3(&self) -> bool {
        self.options.dialect == Dialect::Oas30
    }

    fn info(&self) -> Value {
        let mut info = Object::new();
        info.insert("title".into(), self.document.title.as_str().into());
        if let Some(text) = &self.document.description {
            info.insert("description".into(), text.as_str().into());
        }
        info.insert("version".into(), self.document.version.as_deref().unwrap_or_default().into());
        Value::Object(info)
    }

    fn swagger(&self) -> Object {
        let mut root = Object::new();
        root.insert("swagger".into(), "2.0".into());
        root.insert("info".into(), self.info());
        root.insert("host".into(), self.options.host.as_str().into());
        root.insert("basePath".into(), format!("/{}", self.options.stage).into());
        root.insert("schemes".into(), json!(["https"]));
        self.tags(&mut root);
        root.insert("paths".into(), self.paths());
        let schemes = self.security_schemes();
        if !schemes.is_empty() {
            root.insert("securityDefinitions".into(), Value::Object(schemes));
        }
        let models = self.models();
        if !models.is_empty() {
            root.insert("definitions".into(), Value::Object(models));
        }
        root
    }

    fn oas30(&self) -> Object {
        let mut root = Object::new();
        root.insert("openapi".into(), "3.0.1".into());
        root.insert("info".into(), self.info());
        let mut server = Object::new();
        server.insert("url".into(), format!("https://{}/{{basePath}}", self.options.host).into());
        server.insert("variables".into(), json!({"basePath": {"default": self.options.stage}}));
        if let Some(endpoint) = self.endpoint().filter(|_| self.options.gateway) {
            server.insert("x-amazon-apigateway-endpoint-configuration".into(), endpoint);
        }
        root.insert("servers".into(), Value::Array(vec![Value::Object(server)]));
        self.tags(&mut root);
        root.insert("paths".into(), self.paths());
        let mut components = Object::new();
        let (models, schemes) = (self.models(), self.security_schemes());
        if !models.is_empty() {
            components.insert("schemas".into(), Value::Object(models));
        }
        if !schemes.is_empty() {
            components.insert("securitySchemes".into(), Value::Object(schemes));
        }
        root.insert("components".into(), Value::Object(components));
        root
    }

    fn tags(&self, root: &mut Object) {
        if self.document.tags.is_empty() || !self.options.gateway {
            return;
        }
        let tag = |(name, value): (&String, &String)| json!({"name": name, "x-amazon-apigateway-tag-value": value});
        root.insert("tags".into(), self.document.tags.iter().map(tag).collect());
    }

    /// Paths that answer to something; the others are made again as their parents.
    fn paths(&self) -> Value {
        let mut paths = Object::new();
        let mut sorted: Vec<&Path> = self.document.paths.iter().filter(|path| !path.methods.is_empty()).collect();
        sorted.sort_by(|a, b| a.path.cmp(&b.path));
        for path in sorted {
            let mut item = Object::new();
            let mut methods: Vec<_> = path.methods.iter().collect();
            methods.sort_by(|a, b| a.http_method.cmp(&b.http_method));
            for method in methods {
                let key = match method.http_method.as_str() {
                    "ANY" => "x-amazon-apigateway-any-method".to_owned(),
                    verb => verb.to_ascii_lowercase(),
                };
                item.insert(key, self.operation(&path.path, method));
            }
            paths.insert(path.path.clone(), Value::Object(item));
        }
        Value::Object(paths)
    }

    fn models(&self) -> Object {
        let shown = |model: &Model| {
            let mut schema = schema::published(model.schema.as_deref().unwrap_or("{}"), self.options.dialect);
            // AWS's own two models are exported without; beside a reference nothing else counts.
            let own = matches!(model.name.as_str(), "Empty" | "Error");
            if let (Some(text), Value::Object(map)) = (model.description.as_ref().filter(|_| !own), &mut schema)
                && !map.contains_key("$ref")
            {
                map.entry("description").or_insert_with(|| text.as_str().into());
            }
            (model.name.clone(), schema)
        };
        self.document.models.iter().map(shown).collect()
    }

    fn endpoint(&self) -> Option<Value> {
        let ids = self.document.vpc_endpoint_ids.as_deref().unwrap_or_default();
        let disabled = self.document.disable_execute_api_endpoint.unwrap_or_default();
        let mut endpoint = Object::new();
        if disabled {
            endpoint.insert("disableExecuteApiEndpoint".into(), true.into());
        }
        if !ids.is_empty() {
            endpoint.insert("vpcEndpointIds".into(), ids.to_vec().into());
        }
        (!endpoint.is_empty()).then_some(Value::Object(endpoint))
    }

    fn extensions(&self, root: &mut Object) {
        let document = self.document;
        let mut put = |key: &str, value: Value| drop(root.insert(format!("x-amazon-apigateway-{key}"), value));
        if let Some(endpoint) = self.endpoint().filter(|_| !self.v3()) {
            put("endpoint-configuration", endpoint);
        }
        if !document.validators.is_empty() {
            let one = |v: &crate::catalog::v1::RequestValidator| {
                let flags = json!({
                    "validateRequestParameters": v.validate_request_parameters,
                    "validateRequestBody": v.validate_request_body,
                });
                (v.name.clone().unwrap_or_default(), flags)
            };
            put("request-validators", Value::Object(document.validators.iter().map(one).collect()));
        }
        if !document.gateway_responses.is_empty() {
            let one = |r: &crate::catalog::v1::GatewayResponse| {
                let mut object = Object::new();
                if let Some(code) = &r.status_code {
                    object.insert("statusCode".into(), code.as_str().into());
                }
                if !r.response_parameters.is_empty() {
                    object.insert("responseParameters".into(), json!(r.response_parameters));
                }
                if let Some(templates) = &r.response_templates {
                    object.insert("responseTemplates".into(), json!(templates));
                }
                (r.response_type.as_str().to_owned(), Value::Object(object))
            };
            put("gateway-responses", Value::Object(document.gateway_responses.iter().map(one).collect()));
        }
        if let Some(policy) = document.policy.as_deref().and_then(|text| serde_json::from_str(text).ok()) {
            put("policy", policy);
        }
        if let Some(source) = document.api_key_source.as_ref().filter(|source| **source != ApiKeySource::Header) {
            put("api-key-source", source.as_str().into());
        }
        if let Some(size) = document.minimum_compression_size {
            put("minimum-compression-size", size.into());
        }
        if let Some(policy) = &document.security_policy {
            put("security-policy", policy.as_str().into());
        }
        if let Some(mode) = &document.endpoint_access_mode {
            put("endpoint-access-mode", mode.as_str().into());
        }
        if let Some(types) = document.binary_media_types.as_ref().filter(|types| !types.is_empty()) {
            put("binary-media-types", types.clone().into());
        }
        if let Some((version, created)) = &self.options.documentation {
            let parts: Vec<Value> = document.documentation.iter().map(part).collect();
            put("documentation", json!({"version": version, "createdDate": created, "documentationParts": parts}));
        }
    }
}

fn part(part: &DocumentationPart) -> Value {
    let mut location = Object::new();
    location.insert("type".into(), part.location.kind.as_str().into());
    let members = [
        ("path", &part.location.path),
        ("method", &part.location.method),
        ("statusCode", &part.location.status_code),
        ("name", &part.location.name),
    ];
    for (key, value) in members {
        if let Some(text) = value {
            location.insert(key.into(), text.as_str().into());
        }
    }
    let properties = serde_json::from_str(&part.properties).unwrap_or_else(|_| json!({}));
    json!({"location": location, "properties": properties})
}
