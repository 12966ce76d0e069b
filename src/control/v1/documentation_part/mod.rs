//! Documentation parts: texts about the API, its resources, methods, models and whatever else it has.

mod import;
mod location;
mod undocumented;

use super::{locate, rest_api};
use crate::catalog::Table;
use crate::catalog::v1::{DocumentationPart, DocumentationPartLocation};
use crate::control::patch::{Op, Rule, Rules, Style};
use crate::control::quotas::{self, Owner};
use crate::control::render::Object;
use crate::control::{Fault, Reply, Scene, Verb, page};
use crate::state::{Ops, Scope};
use serde_json::Value;

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    Verb::draft("CreateDocumentationPart", create),
    Verb::read("GetDocumentationPart", get),
    Verb::read("GetDocumentationParts", list),
    Verb::draft("UpdateDocumentationPart", update),
    Verb::draft("DeleteDocumentationPart", delete),
    Verb::draft("ImportDocumentationParts", import::run),
];

/// Checks that so many more parts fit.
fn room(scene: &Scene<'_>, there: usize, more: usize) -> Result<(), Fault> {
    quotas::fit(there, more, scene.quotas.documentation_parts, "Documentation Parts", Owner::Api)
}

const MISSING: &str = "Invalid Documentation part identifier specified";

const RULES: Rules<DocumentationPart> = Rules {
    style: Style::Listing(&["/properties"]),
    rules: &[Rule {
        path: "/properties",
        ops: &[Op::Replace],
        apply: |part, step, _| {
            part.properties = properties(step.text())?;
            Ok(())
        },
    }],
    other: None,
};

/// The properties as they are stored: the text of a JSON object, as it was given.
fn properties(text: &str) -> Result<String, Fault> {
    if text.is_empty() {
        return Err(Fault::bad_request("Documentation part properties must be non-empty"));
    }
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(_)) => Ok(text.to_owned()),
        _ => Err(Fault::bad_request("Documentation part properties must be a JSON object")),
    }
}

fn create(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let (scope, _) = rest_api::find(scene)?;
    let asked = call.object("location").cloned().unwrap_or_default();
    let part = DocumentationPart {
        id: locate::unused_id(scene, &scope, Table::DocumentationPart, &mut scene.mint()),
        location: location::of(&asked)?,
        properties: properties(call.label("properties"))?,
        ..DocumentationPart::default()
    };
    let all = scene.world.list::<DocumentationPart>(&scope, "")?;
    room(scene, all.len(), 1)?;
    if all.iter().any(|(_, known)| known.location == part.location) {
        let shown = location::words(&part.location);
        let text = format!("Documentation part already exists for the specified location: {shown}");
        return Err(Fault::conflict(text));
    }
    let mut ops = Ops::new();
    ops.put(&scope, &part.id, &part);
    Ok((ops, Reply::json(show(&part))))
}

fn find(scene: &Scene<'_>) -> Result<(Scope, DocumentationPart), Fault> {
    let scope = scene.call.api_scope();
    let found = scene.world.get(&scope, scene.call.label("documentationPartId"))?;
    Ok((scope, found.ok_or_else(|| Fault::not_found(MISSING))?))
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    Ok((Ops::new(), Reply::json(show(&find(scene)?.1))))
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let (scope, _) = rest_api::find(scene)?;
    let mut parts = scene.world.list::<DocumentationPart>(&scope, "")?;
    if call.text("locationStatus") == Some("UNDOCUMENTED") {
        parts = undocumented::of(&scene.world.tree(&scope), &parts)?;
    }
    let asked = |name: &str| call.text(name).filter(|text| !text.is_empty());
    let (kind, name, path) = (asked("type"), asked("nameQuery"), asked("path"));
    parts.retain(|(_, part)| {
        let location = &part.location;
        kind.is_none_or(|kind| location.kind.as_str() == kind)
            && name.is_none_or(|name| location.name.as_deref() == Some(name))
            && path.is_none_or(|path| location.path.as_deref() == Some(path))
    });
    let page = page::cut(call, parts)?;
    Ok((Ops::new(), page.reply(|_, part| show(&part))))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, mut part) = find(scene)?;
    RULES.apply(&mut part, scene)?;
    let mut ops = Ops::new();
    ops.put(&scope, &part.id, &part);
    Ok((ops, Reply::json(show(&part))))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, part) = find(scene)?;
    let mut ops = Ops::new();
    ops.drop::<DocumentationPart>(&scope, &part.id);
    Ok((ops, Reply::empty()))
}

/// A part as AWS shows it. What is not documented has neither id nor properties.
fn show(part: &DocumentationPart) -> Object {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Object::new()
        .maybe("id", text(&part.id))
        .set("location", show_location(&part.location))
        .maybe("properties", text(&part.properties))
}

fn show_location(location: &DocumentationPartLocation) -> Object {
    Object::new()
        .set("type", location.kind.as_str())
        .maybe("path", location.path.as_deref())
        .maybe("method", location.method.as_deref())
        .maybe("statusCode", location.status_code.as_deref())
        .maybe("name", location.name.as_deref())
}
