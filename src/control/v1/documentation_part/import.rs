//! ImportDocumentationParts: the parts in `x-amazon-apigateway-documentation` of an OpenAPI document.

use super::{location, properties, room};
use crate::catalog::Table;
use crate::catalog::v1::DocumentationPart;
use crate::control::render::Object;
use crate::control::v1::{locate, rest_api};
use crate::control::{Fault, Reply, Scene};
use crate::spec::openapi::{self, ParseError};
use crate::state::Ops;
use serde_json::Value;

const UNREADABLE: &str = "Unable to build importer with provided input.";

/// The operation.
pub(super) fn run(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let (scope, _) = rest_api::find(scene)?;
    let document = openapi::parse(&call.body).map_err(|error| match error {
        ParseError::Syntax(_) => Fault::bad_request(UNREADABLE),
        limit => Fault::bad_request(format!("{UNREADABLE} {limit}")),
    })?;
    if document.get("swagger").is_none() && document.get("openapi").is_none() {
        return Err(Fault::bad_request(UNREADABLE));
    }
    let (found, warnings) = read(&document);
    if !warnings.is_empty() && call.flag("failOnWarnings").unwrap_or_default() {
        return Err(Fault::bad_request(format!("Warnings found during import: {}", warnings.join("; "))));
    }
    let mut known = scene.world.list::<DocumentationPart>(&scope, "")?;
    let mut ops = Ops::new();
    if call.text("mode") == Some("overwrite") {
        for (id, _) in known.drain(..) {
            ops.drop::<DocumentationPart>(&scope, &id);
        }
    }
    let (mut mint, mut ids) = (scene.mint(), Vec::new());
    for mut part in found {
        let same = known.iter().position(|(_, old)| old.location == part.location);
        part.id = match same {
            Some(at) => known[at].0.clone(),
            None => locate::unused_id(scene, &scope, Table::DocumentationPart, &mut mint),
        };
        ops.put(&scope, &part.id, &part);
        ids.push(part.id.clone());
        if same.is_none() {
            known.push((part.id.clone(), part));
        }
    }
    room(scene, known.len(), 0)?;
    let reply = Object::new().set("ids", ids).maybe("warnings", Some(warnings).filter(|all| !all.is_empty()));
    Ok((ops, Reply::json(reply)))
}

/// The parts of a document, and what is wrong with those that are left out.
fn read(document: &Value) -> (Vec<DocumentationPart>, Vec<String>) {
    let (mut parts, mut warnings) = (Vec::new(), Vec::new());
    let listed = document.pointer("/x-amazon-apigateway-documentation/documentationParts");
    for (index, item) in listed.and_then(Value::as_array).into_iter().flatten().enumerate() {
        let empty = serde_json::Map::new();
        let asked = item.get("location").and_then(Value::as_object).unwrap_or(&empty);
        // In a file the properties are an object; in calls they are its text.
        let text = match item.get("properties") {
            Some(Value::String(text)) => text.clone(),
            Some(value @ Value::Object(_)) => value.to_string(),
            _ => String::new(),
        };
        let made = location::of(asked).and_then(|location| {
            Ok(DocumentationPart { location, properties: properties(&text)?, ..DocumentationPart::default() })
        });
        match made {
            Ok(part) => parts.push(part),
            Err(fault) => warnings.push(format!("Documentation part {index} is ignored: {}", fault.message)),
        }
    }
    (parts, warnings)
}
