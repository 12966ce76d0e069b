//! Answers: AWS's JSON by hand, so that what is stored never decides what is shown.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value};

use super::model::Service;
use super::{Fault, Reply};

/// A JSON object in the making. Members that AWS omits when they are absent or empty have their own methods.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(Map<String, Value>);

impl Object {
    /// An empty object.
    pub fn new() -> Object {
        Object::default()
    }

    /// A member that is always shown.
    pub fn set(mut self, name: &str, value: impl Into<Value>) -> Object {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// A member that is omitted when absent.
    pub fn maybe(self, name: &str, value: Option<impl Into<Value>>) -> Object {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// A list that is omitted when empty.
    pub fn list(self, name: &str, values: &[String]) -> Object {
        if values.is_empty() { self } else { self.set(name, values) }
    }

    /// A map that is omitted when empty.
    pub fn map(self, name: &str, values: &BTreeMap<String, String>) -> Object {
        if values.is_empty() { self } else { self.set(name, texts(values)) }
    }

    /// A time, milliseconds since 1970, shown as epoch seconds.
    pub fn time(self, name: &str, time_ms: i64) -> Object {
        self.set(name, time_ms.div_euclid(1000))
    }

    /// The object as a JSON value.
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    /// The object as text.
    pub fn into_text(self) -> String {
        self.into_value().to_string()
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Value {
        object.into_value()
    }
}

/// A map of texts as JSON.
pub fn texts(values: &BTreeMap<String, String>) -> Value {
    Value::Object(values.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect())
}

/// A map of texts or nulls as JSON; an empty text is shown as null, as API Gateway shows templates.
pub fn templates(values: &BTreeMap<String, Option<String>>) -> Value {
    let shown = |v: &Option<String>| v.as_deref().filter(|t| !t.is_empty()).map_or(Value::Null, Value::from);
    Value::Object(values.iter().map(|(k, v)| (k.clone(), shown(v))).collect())
}

/// A map of booleans as JSON.
pub fn flags(values: &BTreeMap<String, bool>) -> Value {
    Value::Object(values.iter().map(|(k, v)| (k.clone(), Value::from(*v))).collect())
}

/// A whole answer, of success or refusal: what the leader's evaluator sends back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Exception name of a refusal.
    pub error: Option<String>,
    /// `Retry-After`, seconds.
    pub retry_after_s: Option<u32>,
    /// Headers beside the usual.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The answer of success; `status` is the table's.
    pub fn of(reply: Reply, status: u16) -> Answer {
        let Reply { status: other, headers, body } = reply;
        Answer { status: other.unwrap_or(status), headers, body, ..Answer::default() }
    }

    /// The answer of a refusal, as the service words it.
    pub fn refusal(fault: Fault, service: Service) -> Answer {
        match service {
            Service::Lambda => super::lambda::refusal(fault),
            Service::V1 | Service::V2 | Service::Management => Answer::from(fault),
        }
    }

    /// Adds a header.
    pub fn header(&mut self, name: &str, value: impl Into<String>) {
        self.headers.push((name.to_owned(), value.into()));
    }

    /// The HTTP response. A header value that HTTP forbids is left out.
    pub fn into_response(self, request_id: &str) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let map = response.headers_mut();
        map.insert("x-amzn-requestid", HeaderValue::from_str(request_id).unwrap_or(HeaderValue::from_static("-")));
        map.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        map.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        map.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let error = self.error.map(|name| ("x-amzn-errortype".to_owned(), name));
        let retry = self.retry_after_s.map(|s| ("retry-after".to_owned(), s.to_string()));
        for (name, value) in self.headers.into_iter().chain(error).chain(retry) {
            if let (Ok(name), Ok(value)) = (header::HeaderName::try_from(name), HeaderValue::try_from(value)) {
                map.insert(name, value);
            }
        }
        response
    }
}

impl From<Fault> for Answer {
    fn from(fault: Fault) -> Answer {
        let mut body = Object::new().set("message", fault.message);
        if fault.status == 429 {
            // AWS says it in the body too, and says null where there is nothing to wait for.
            body = body.set("retryAfterSeconds", fault.retry_after_s);
        }
        let body = body.into_text().into_bytes();
        Answer {
            status: fault.status,
            error: Some(fault.name),
            retry_after_s: fault.retry_after_s,
            headers: Vec::new(),
            body,
        }
    }
}
