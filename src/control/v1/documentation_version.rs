//! Documentation versions: the parts as they were at one moment, for stages and exports to show.

use super::rest_api;
use crate::catalog::Table;
use crate::catalog::v1::{DocumentationPart, DocumentationVersion, Stage};
use crate::control::patch::{Op, Rule, Rules, Style};
use crate::control::render::Object;
use crate::control::{Fault, Reply, Scene, Verb, page};
use crate::state::{Ops, Scope};

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    Verb::draft("CreateDocumentationVersion", create),
    Verb::read("GetDocumentationVersion", get),
    Verb::read("GetDocumentationVersions", list),
    Verb::draft("UpdateDocumentationVersion", update),
    Verb::draft("DeleteDocumentationVersion", delete),
];

/// Longest name, characters.
const LONGEST: usize = 64;

const RULES: Rules<DocumentationVersion> = Rules {
    style: Style::Listing(&["/description"]),
    rules: &[Rule {
        path: "/description",
        ops: &[Op::Replace],
        apply: |version, step, _| {
            version.description = step.cleared();
            Ok(())
        },
    }],
    other: None,
};

fn create(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let (scope, _) = rest_api::find(scene)?;
    let name = call.label("documentationVersion");
    if name.trim().is_empty() || name.chars().count() > LONGEST {
        let text = format!("Documentation version must be non-empty and at most {LONGEST} characters long");
        return Err(Fault::bad_request(text));
    }
    if scene.world.row(&scope, Table::DocumentationVersion, name).is_some() {
        return Err(Fault::conflict(format!("Documentation version already exists: {name}")));
    }
    let parts = scene.world.list::<DocumentationPart>(&scope, "")?;
    let version = DocumentationVersion {
        version: name.to_owned(),
        description: call.text("description").filter(|text| !text.is_empty()).map(str::to_owned),
        parts: parts.into_iter().map(|(_, part)| part).collect(),
        created_date_ms: scene.stamp.time_ms,
        ..DocumentationVersion::default()
    };
    let mut ops = Ops::new();
    ops.put(&scope, name, &version);
    if let Some(stage) = call.text("stageName").filter(|stage| !stage.is_empty()) {
        let found = scene.world.get::<Stage>(&scope, stage)?;
        let mut found = found.ok_or_else(|| Fault::not_found(super::stage::MISSING))?;
        found.documentation_version = Some(name.to_owned());
        super::stage::touch(&mut found, scene.stamp.time_ms);
        ops.put(&scope, stage, &found);
    }
    Ok((ops, Reply::json(show(&version))))
}

fn find(scene: &Scene<'_>) -> Result<(Scope, DocumentationVersion), Fault> {
    let (scope, name) = (scene.call.api_scope(), scene.call.label("documentationVersion"));
    let found = scene.world.get(&scope, name)?;
    Ok((scope, found.ok_or_else(|| Fault::not_found("Invalid Documentation version specified"))?))
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    Ok((Ops::new(), Reply::json(show(&find(scene)?.1))))
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, _) = rest_api::find(scene)?;
    let page = page::cut(scene.call, scene.world.list::<DocumentationVersion>(&scope, "")?)?;
    Ok((Ops::new(), page.reply(|_, version| show(&version))))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, mut version) = find(scene)?;
    RULES.apply(&mut version, scene)?;
    let mut ops = Ops::new();
    ops.put(&scope, &version.version, &version);
    Ok((ops, Reply::json(show(&version))))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, version) = find(scene)?;
    for (name, stage) in scene.world.list::<Stage>(&scope, "")? {
        if stage.documentation_version.as_ref() == Some(&version.version) {
            let text = format!(
                "Cannot delete documentation version {}: the stage {name} shows it; choose another one first",
                version.version
            );
            return Err(Fault::bad_request(text));
        }
    }
    let mut ops = Ops::new();
    ops.drop::<DocumentationVersion>(&scope, &version.version);
    Ok((ops, Reply::empty()))
}

fn show(version: &DocumentationVersion) -> Object {
    Object::new()
        .set("version", version.version.as_str())
        .time("createdDate", version.created_date_ms)
        .maybe("description", version.description.as_deref())
}
