//! What a documentation part is about: which members a location of each kind has, and what they are when not given.

use crate::catalog::v1::{DocumentationPartLocation, DocumentationPartType};
use crate::control::Fault;
use serde_json::{Map, Value};

const METHODS: [&str; 9] = ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY", "*"];

/// Whether locations of a kind have a path, a method, a status code, a name.
fn members(kind: &DocumentationPartType) -> [bool; 4] {
    use DocumentationPartType as Type;
    match kind {
        Type::Api | Type::Other(_) => [false; 4],
        Type::Authorizer | Type::Model => [false, false, false, true],
        Type::Resource => [true, false, false, false],
        Type::Method | Type::RequestBody => [true, true, false, false],
        Type::PathParameter | Type::QueryParameter | Type::RequestHeader => [true, true, false, true],
        Type::Response | Type::ResponseBody => [true, true, true, false],
        Type::ResponseHeader => [true; 4],
    }
}

/// A location as it is stored, from the JSON of a call or a file.
///
/// # Errors
/// BadRequest that names the member that the kind has not, or lacks.
pub(super) fn of(asked: &Map<String, Value>) -> Result<DocumentationPartLocation, Fault> {
    let text = |name: &str| asked.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let word = text("type").unwrap_or_default();
    let kind = DocumentationPartType::known(word)
        .ok_or_else(|| Fault::bad_request(format!("Invalid location type specified: {}", cut(word))))?;
    let has = members(&kind);
    for (member, has) in ["path", "method", "statusCode", "name"].into_iter().zip(has) {
        if text(member).is_some() && !has {
            let text = format!("Invalid location specified: '{member}' is not valid for type '{kind}'");
            return Err(Fault::bad_request(text));
        }
    }
    let [path, method, status, name] = has;
    let path = path.then(|| text("path").unwrap_or("/").to_owned());
    if let Some(path) = path.as_ref().filter(|path| !path.starts_with('/')) {
        return Err(Fault::bad_request(format!("Invalid location specified: '{}' is no path", cut(path))));
    }
    let method = method.then(|| text("method").unwrap_or("*").to_ascii_uppercase());
    if let Some(method) = method.as_ref().filter(|method| !METHODS.contains(&method.as_str())) {
        return Err(Fault::bad_request(format!("Invalid location specified: '{}' is no method", cut(method))));
    }
    let name = match (name, text("name")) {
        (true, None) => {
            return Err(Fault::bad_request(format!("Invalid location specified: type '{kind}' needs a name")));
        }
        (_, name) => name.map(str::to_owned),
    };
    let status_code = status.then(|| text("statusCode").map_or("*", |code| code.trim()).to_owned());
    Ok(DocumentationPartLocation {
        kind,
        path,
        method,
        status_code: status_code.map(|code| if code.is_empty() { "*".to_owned() } else { code }),
        name,
        ..DocumentationPartLocation::default()
    })
}

fn cut(text: &str) -> String {
    text.chars().take(128).collect()
}

/// A location in the words of a refusal: `type 'METHOD', path '/pets', method 'GET'`.
pub(super) fn words(location: &DocumentationPartLocation) -> String {
    let mut words = format!("type '{}'", location.kind);
    let rest = [
        ("path", &location.path),
        ("method", &location.method),
        ("statusCode", &location.status_code),
        ("name", &location.name),
    ];
    for (member, value) in rest {
        if let Some(value) = value {
            words.push_str(&format!(", {member} '{value}'"));
        }
    }
    words
}
