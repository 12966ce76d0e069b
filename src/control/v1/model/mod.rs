//! Models: the JSON schemas of bodies.

mod draft4;
mod schema;
mod template;

use super::{locate, rest_api};
use crate::catalog::v1::{Method, Model};
use crate::catalog::{Mint, Table};
use crate::control::patch::{Op, Rule, Rules, Style};
use crate::control::render::Object;
use crate::control::{Fault, Reply, Scene, Verb, page};
use crate::state::{Ops, Scope, Tree};

pub(super) use schema::{check_size, rebased};

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    Verb::draft("CreateModel", create),
    Verb::read("GetModel", get),
    Verb::read("GetModels", list),
    Verb::read("GetModelTemplate", template),
    Verb::draft("UpdateModel", update),
    Verb::draft("DeleteModel", delete),
];

/// What a schema must be, in AWS's words.
const NO_SCHEMA: &str = "Model schema must have at least 1 property or array items defined";

const RULES: Rules<Model> = Rules {
    style: Style::Listing(&["/description", "/schema"]),
    rules: &[
        Rule {
            path: "/description",
            ops: &[Op::Replace],
            apply: |model, step, _| {
                model.description = step.cleared();
                Ok(())
            },
        },
        Rule {
            path: "/schema",
            ops: &[Op::Replace],
            apply: |model, step, scene| {
                let text = step.cleared().ok_or_else(|| Fault::bad_request(NO_SCHEMA))?;
                schema::check(&text, model, &scene.call.api_scope(), scene)?;
                model.schema = Some(text);
                Ok(())
            },
        },
    ],
    other: None,
};

/// The two models that every API has from its creation on (an imported one has only its own).
pub(super) fn defaults(mint: &mut Mint) -> [Model; 2] {
    let model = |id: String, name: &str, description: &str, schema: &str| Model {
        id,
        name: name.to_owned(),
        description: Some(description.to_owned()),
        schema: Some(schema.to_owned()),
        content_type: "application/json".to_owned(),
        ..Model::default()
    };
    let error = "{\n  \"$schema\" : \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Error Schema\",\n  \"type\" : \"object\",\n  \"properties\" : {\n    \"message\" : { \"type\" : \"string\" }\n  }\n}";
    let empty = "{\n  \"$schema\": \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Empty Schema\",\n  \"type\" : \"object\"\n}";
    [
        model(mint.lower(6), "Empty", "This is a default empty schema model", empty),
        model(mint.lower(6), "Error", "This is a default error schema model", error),
    ]
}

fn create(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let (scope, _) = rest_api::find(scene)?;
    let name = call.label("name");
    if name.is_empty() {
        return Err(Fault::bad_request("Model name must be non-empty"));
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
        let shown: String = name.chars().take(128).collect();
        return Err(Fault::bad_request(format!("Model name must be alphanumeric: {shown}")));
    }
    if scene.world.row(&scope, Table::Model, name).is_some() {
        return Err(Fault::conflict("Model name already exists for this REST API"));
    }
    let mut model = Model {
        name: name.to_owned(),
        description: call.text("description").filter(|text| !text.is_empty()).map(str::to_owned),
        content_type: call.label("contentType").to_owned(),
        ..Model::default()
    };
    let text = call.text("schema").filter(|text| !text.is_empty()).ok_or_else(|| Fault::bad_request(NO_SCHEMA))?;
    schema::check(text, &model, &scope, scene)?;
    model.schema = Some(text.to_owned());
    model.id = fresh_id(scene, &scope)?;
    let mut ops = Ops::new();
    ops.put(&scope, &model.name, &model);
    Ok((ops, Reply::json(show(&model))))
}

/// An id that no model of the API has: rows are kept under names.
fn fresh_id(scene: &Scene<'_>, scope: &Scope) -> Result<String, Fault> {
    let taken = scene.world.list::<Model>(scope, "")?;
    let mut mint = scene.mint();
    loop {
        let id = mint.lower(6);
        if taken.iter().all(|(_, model)| model.id != id) {
            return Ok(id);
        }
    }
}

fn find(scene: &Scene<'_>) -> Result<(Scope, Model), Fault> {
    let (scope, name) = (scene.call.api_scope(), scene.call.label("modelName"));
    let found = scene.world.get::<Model>(&scope, name)?;
    Ok((scope, found.ok_or_else(|| Fault::not_found(format!("Invalid model name specified: {name}")))?))
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, mut model) = find(scene)?;
    if scene.call.flag("flatten").unwrap_or_default() {
        model.schema = Some(schema::flattened(&model, &scene.world.tree(&scope))?);
    }
    Ok((Ops::new(), Reply::json(show(&model))))
}

fn template(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, model) = find(scene)?;
    let whole = schema::flattened(&model, &scene.world.tree(&scope))?;
    Ok((Ops::new(), Reply::json(Object::new().set("value", template::of(&whole)))))
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, _) = rest_api::find(scene)?;
    let page = page::cut(scene.call, scene.world.list::<Model>(&scope, "")?)?;
    Ok((Ops::new(), page.reply(|_, model| show(&model))))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, mut model) = find(scene)?;
    RULES.apply(&mut model, scene)?;
    let mut ops = Ops::new();
    ops.put(&scope, &model.name, &model);
    Ok((ops, Reply::json(show(&model))))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, model) = find(scene)?;
    if let Some(user) = user_of(&scene.world.tree(&scope), &scope, &model.name)? {
        return Err(Fault::conflict(format!("Cannot delete model '{}', is referenced in {user}", model.name)));
    }
    let mut ops = Ops::new();
    ops.drop::<Model>(&scope, &model.name);
    Ok((ops, Reply::empty()))
}

/// Who needs a model: a method's request, a method's answer, or another model.
fn user_of(tree: &Tree, scope: &Scope, name: &str) -> Result<Option<String>, Fault> {
    for (id, method) in tree.list::<Method>("")? {
        let names = |models: Option<&crate::catalog::v1::Texts>| models.is_some_and(|m| m.values().any(|n| n == name));
        let part = if names(method.request_models.as_ref()) {
            "request"
        } else if method.method_responses.values().any(|r| names(r.response_models.as_ref())) {
            "response"
        } else {
            continue;
        };
        return Ok(Some(format!("method {part}: {}", locate::place(tree, &id)?)));
    }
    let api = scope.api_id().map(|api| api.to_string()).unwrap_or_default();
    for (other, model) in tree.list::<Model>("")? {
        if other != name && schema::names(model.schema.as_deref().unwrap_or_default(), &api).contains(name) {
            return Ok(Some(format!("model: {other}")));
        }
    }
    Ok(None)
}

/// A model as AWS shows it.
pub(super) fn show(model: &Model) -> Object {
    Object::new()
        .set("id", model.id.as_str())
        .set("name", model.name.as_str())
        .maybe("description", model.description.as_deref())
        .maybe("schema", model.schema.as_deref())
        .set("contentType", model.content_type.as_str())
}
