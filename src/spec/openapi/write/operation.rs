//! Operations of an export.

use super::{Object, Writer, integration};
use crate::catalog::v1::{DocumentationPartType as Kind, Method, MethodResponse, Texts};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

impl Writer<'_> {
    pub(super) fn operation(&self, path: &str, method: &Method) -> Value {
        let mut operation = Object::new();
        self.describe(&mut operation, Kind::Method, (path, &method.http_method), None, None);
        if let Some(name) = &method.operation_name {
            operation.insert("operationId".into(), name.as_str().into());
        }
        if !self.v3() {
            self.media_types(&mut operation, method);
        }
        let parameters = self.parameters(path, method);
        if !parameters.is_empty() {
            operation.insert("parameters".into(), Value::Array(parameters));
        }
        let models = method.request_models.as_ref().filter(|models| !models.is_empty() && self.v3());
        if let Some(models) = models {
            let mut body = Object::new();
            self.describe(&mut body, Kind::RequestBody, (path, &method.http_method), None, None);
            body.insert("content".into(), content(models));
            body.insert("required".into(), true.into());
            operation.insert("requestBody".into(), Value::Object(body));
        }
        operation.insert("responses".into(), self.responses(path, method));
        if let Some(security) = self.security(method) {
            operation.insert("security".into(), security);
        }
        if let Some(name) = method.request_validator_id.as_deref().filter(|_| self.options.gateway) {
            operation.insert("x-amazon-apigateway-request-validator".into(), name.into());
        }
        if let Some(found) = method.method_integration.as_ref().filter(|_| self.options.integrations) {
            operation.insert("x-amazon-apigateway-integration".into(), integration::integration(found));
        }
        if let Some(region) = self.options.postman.as_deref().filter(|_| method.authorization_type == "AWS_IAM") {
            operation.insert("x-postman-meta".into(), signed(region));
        }
        Value::Object(operation)
    }

    /// What Swagger 2.0 says once for all bodies of an operation.
    fn media_types(&self, operation: &mut Object, method: &Method) {
        let integration = method.method_integration.as_ref();
        let media = |text: &&String| text.contains('/');
        let requests: BTreeSet<&String> = method
            .request_models
            .iter()
            .flat_map(BTreeMap::keys)
            .chain(integration.iter().flat_map(|i| i.request_templates.keys()))
            .filter(media)
            .collect();
        let answers: BTreeSet<&String> = method
            .method_responses
            .values()
            .flat_map(|response| response.response_models.iter().flat_map(BTreeMap::keys))
            .chain(integration.iter().flat_map(|i| {
                i.integration_responses.values().flat_map(|r| r.response_templates.iter().flat_map(BTreeMap::keys))
            }))
            .filter(media)
            .collect();
        if !requests.is_empty() {
            operation.insert("consumes".into(), json!(requests));
        }
        if !answers.is_empty() {
            operation.insert("produces".into(), json!(answers));
        }
    }

    fn parameters(&self, path: &str, method: &Method) -> Vec<Value> {
        let mut declared: BTreeMap<(String, String), bool> = BTreeMap::new();
        for (key, required) in method.request_parameters.iter().flatten() {
            let Some((location, name)) = key.strip_prefix("method.request.").and_then(|rest| rest.split_once('.'))
            else {
                continue;
            };
            declared.insert((location.to_owned(), name.to_owned()), *required);
        }
        // OpenAPI asks for every variable of the path.
        for variable in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            declared.insert(("path".to_owned(), variable.trim_end_matches('+').to_owned()), true);
        }
        let mut list: Vec<Value> = Vec::new();
        for ((location, name), required) in declared {
            let (place, kind) = match location.as_str() {
                "path" => ("path", Kind::PathParameter),
                "querystring" => ("query", Kind::QueryParameter),
                "header" => ("header", Kind::RequestHeader),
                _ => continue,
            };
            let mut parameter = Object::new();
            parameter.insert("name".into(), name.as_str().into());
            parameter.insert("in".into(), place.into());
            self.describe(&mut parameter, kind, (path, &method.http_method), None, Some(&name));
            if required || place == "path" || !self.v3() {
                parameter.insert("required".into(), (required || place == "path").into());
            }
            if self.v3() {
                parameter.insert("schema".into(), json!({"type": "string"}));
            } else {
                parameter.insert("type".into(), "string".into());
            }
            list.push(Value::Object(parameter));
        }
        if let Some(model) = method.request_models.as_ref().filter(|_| !self.v3()).and_then(first_model) {
            let mut body = Object::new();
            body.insert("in".into(), "body".into());
            body.insert("name".into(), model.into());
            self.describe(&mut body, Kind::RequestBody, (path, &method.http_method), None, None);
            body.insert("required".into(), true.into());
            body.insert("schema".into(), self.reference(model));
            list.push(Value::Object(body));
        }
        list
    }

    fn reference(&self, model: &str) -> Value {
        if self.v3() { reference_v3(model) } else { json!({"$ref": format!("#/definitions/{model}")}) }
    }

    fn responses(&self, path: &str, method: &Method) -> Value {
        let mut responses = Object::new();
        for (code, response) in &method.method_responses {
            responses.insert(code.clone(), self.response(path, method, code, response));
        }
        if responses.is_empty() {
            // OpenAPI asks for one; read back, it is none.
            let text = format!("Default response for {} {path}", method.http_method);
            responses.insert("default".into(), json!({"description": text}));
        }
        Value::Object(responses)
    }

    fn response(&self, path: &str, method: &Method, code: &str, response: &MethodResponse) -> Value {
        let place = (path, method.http_method.as_str());
        let mut object = Object::new();
        object.insert("description".into(), format!("{code} response").into());
        self.describe(&mut object, Kind::Response, place, Some(code), None);
        let mut headers = Object::new();
        for key in response.response_parameters.iter().flat_map(BTreeMap::keys) {
            let Some(name) = key.strip_prefix("method.response.header.") else { continue };
            let mut header = Object::new();
            self.describe(&mut header, Kind::ResponseHeader, place, Some(code), Some(name));
            if self.v3() {
                header.insert("schema".into(), json!({"type": "string"}));
            } else {
                header.insert("type".into(), "string".into());
            }
            headers.insert(name.to_owned(), Value::Object(header));
        }
        if !headers.is_empty() {
            object.insert("headers".into(), Value::Object(headers));
        }
        let none = Texts::new();
        let models = response.response_models.as_ref().unwrap_or(&none);
        if self.v3() {
            object.insert("content".into(), content(models));
        } else if let Some(model) = first_model(models) {
            object.insert("schema".into(), self.reference(model));
        }
        Value::Object(object)
    }

    /// Puts in what the documentation says about exactly this.
    fn describe(&self, object: &mut Object, kind: Kind, place: (&str, &str), code: Option<&str>, name: Option<&str>) {
        let part = self.parts.get(&(kind.as_str(), place.0, place.1)).into_iter().flatten().find(|part| {
            let at = &part.location;
            code.is_none_or(|code| at.status_code.as_deref().unwrap_or("*") == code)
                && name.is_none_or(|name| at.name.as_deref() == Some(name))
        });
        let properties = part.and_then(|part| serde_json::from_str::<Object>(&part.properties).ok());
        let texts = properties.into_iter().flatten().filter(|(key, value)| match key.as_str() {
            "description" => value.is_string(),
            "summary" => kind == Kind::Method && value.is_string(),
            "tags" => kind == Kind::Method && value.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
            _ => false,
        });
        object.extend(texts);
    }
}

fn reference_v3(model: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{model}")})
}

fn content(models: &Texts) -> Value {
    let media = models.iter().map(|(kind, model)| (kind.clone(), json!({"schema": reference_v3(model)})));
    Value::Object(media.collect())
}

/// The model of JSON bodies, or of whatever there is.
fn first_model(models: &Texts) -> Option<&str> {
    models.get("application/json").or_else(|| models.values().next()).map(String::as_str)
}

/// How Postman's importer is told that requests are signed. AWS does not publish what it writes here; this is what
/// Postman's converters read (openapi-to-postman, swagger2-to-postman). The keys stay variables of the user.
fn signed(region: &str) -> Value {
    json!({
        "currentHelper": "awsSigV4",
        "helperAttributes": {
            "id": "awsSigV4", "accessKey": "{{aws_access_key_id}}", "secretKey": "{{aws_secret_access_key}}",
            "region": region, "service": "execute-api",
        },
    })
}
