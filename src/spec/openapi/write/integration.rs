//! `x-amazon-apigateway-integration` of an export.

use super::Object;
use crate::catalog::v1::{Integration, IntegrationResponse, PassthroughBehavior, Templates};
use crate::spec::openapi::read::integration::OTHERS;
use serde_json::{Value, json};

/// AWS's default, milliseconds: it is not written.
const DEFAULT_TIMEOUT_MS: i32 = 29_000;

pub(super) fn integration(integration: &Integration) -> Value {
    let mut object = Object::new();
    object.insert("type".into(), integration.kind.as_str().to_ascii_lowercase().into());
    let words = [
        ("httpMethod", integration.http_method.as_deref()),
        ("uri", integration.uri.as_deref()),
        ("credentials", integration.credentials.as_deref()),
        ("connectionType", integration.connection_type.as_ref().map(|word| word.as_str())),
        ("connectionId", integration.connection_id.as_deref()),
        ("integrationTarget", integration.integration_target.as_deref()),
        ("contentHandling", integration.content_handling.as_ref().map(|word| word.as_str())),
        ("responseTransferMode", integration.response_transfer_mode.as_ref().map(|word| word.as_str())),
        ("cacheNamespace", integration.cache_namespace.as_deref()),
    ];
    for (key, value) in words {
        if let Some(text) = value {
            object.insert(key.into(), text.into());
        }
    }
    let responses = responses(integration.integration_responses.values());
    if !responses.is_empty() {
        object.insert("responses".into(), Value::Object(responses));
    }
    if !integration.request_parameters.is_empty() {
        object.insert("requestParameters".into(), json!(integration.request_parameters));
    }
    if !integration.request_templates.is_empty() {
        object.insert("requestTemplates".into(), templates(&integration.request_templates));
    }
    let passthrough = integration.passthrough_behavior.as_ref().unwrap_or(&PassthroughBehavior::WhenNoMatch);
    object.insert("passthroughBehavior".into(), passthrough.as_str().to_ascii_lowercase().into());
    if let Some(ms) = integration.timeout_in_millis.filter(|ms| *ms != DEFAULT_TIMEOUT_MS) {
        object.insert("timeoutInMillis".into(), ms.into());
    }
    if !integration.cache_key_parameters.is_empty() {
        object.insert("cacheKeyParameters".into(), integration.cache_key_parameters.clone().into());
    }
    if let Some(skip) = integration.tls_config.as_ref().and_then(|tls| tls.insecure_skip_verification) {
        object.insert("tlsConfig".into(), json!({"insecureSkipVerification": skip}));
    }
    Value::Object(object)
}

/// By selection pattern. Of several with one pattern AWS's form has room for the first; the others go along with it.
fn responses<'a>(all: impl Iterator<Item = &'a IntegrationResponse>) -> Object {
    let mut object = Object::new();
    for response in all {
        let key = response.selection_pattern.as_deref().filter(|pattern| !pattern.is_empty()).unwrap_or("default");
        let mut one = Object::new();
        one.insert("statusCode".into(), response.status_code.as_str().into());
        if let Some(parameters) = response.response_parameters.as_ref().filter(|map| !map.is_empty()) {
            one.insert("responseParameters".into(), json!(parameters));
        }
        if let Some(map) = response.response_templates.as_ref().filter(|map| !map.is_empty()) {
            one.insert("responseTemplates".into(), templates(map));
        }
        if let Some(word) = &response.content_handling {
            one.insert("contentHandling".into(), word.as_str().into());
        }
        match object.get_mut(key).and_then(Value::as_object_mut) {
            Some(first) => {
                if let Some(others) = first.entry(OTHERS).or_insert_with(|| json!([])).as_array_mut() {
                    others.push(Value::Object(one));
                }
            }
            None => drop(object.insert(key.to_owned(), Value::Object(one))),
        }
    }
    object
}

fn templates(map: &Templates) -> Value {
    let shown = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::from);
    Value::Object(map.iter().map(|(kind, text)| (kind.clone(), shown(text))).collect())
}
