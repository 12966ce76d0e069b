//! Request validators: what is checked before a request goes on.

use super::{locate, rest_api};
use crate::catalog::Table;
use crate::catalog::v1::{Method, RequestValidator};
use crate::control::patch::{Op, Rule, Rules, Style};
use crate::control::render::Object;
use crate::control::{Fault, Reply, Scene, Verb, page};
use crate::state::{Ops, Scope};

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    Verb::draft("CreateRequestValidator", create),
    Verb::read("GetRequestValidator", get),
    Verb::read("GetRequestValidators", list),
    Verb::draft("UpdateRequestValidator", update),
    Verb::draft("DeleteRequestValidator", delete),
];

const MISSING: &str = "Invalid Request Validator identifier specified";

const RULES: Rules<RequestValidator> = Rules {
    style: Style::Listing(&["/name", "/validateRequestParameters", "/validateRequestBody"]),
    rules: &[
        Rule {
            path: "/name",
            ops: &[Op::Replace],
            apply: |validator, step, _| {
                let name = step.cleared().filter(|name| !name.trim().is_empty());
                let name = name.ok_or_else(|| Fault::bad_request("Request Validator name cannot be blank"))?;
                validator.name = Some(name);
                Ok(())
            },
        },
        Rule {
            path: "/validateRequestBody",
            ops: &[Op::Replace],
            apply: |validator, step, _| {
                validator.validate_request_body = step.flag();
                Ok(())
            },
        },
        Rule {
            path: "/validateRequestParameters",
            ops: &[Op::Replace],
            apply: |validator, step, _| {
                validator.validate_request_parameters = step.flag();
                Ok(())
            },
        },
    ],
    other: None,
};

fn create(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    // The one create that does not say NotFound of a missing API.
    let scope = call.api_scope();
    if scene.world.row(&scope, Table::RestApi, call.label("restApiId")).is_none() {
        return Err(Fault::bad_request("Invalid REST API identifier specified"));
    }
    let validator = RequestValidator {
        id: locate::unused_id(scene, &scope, Table::RequestValidator, &mut scene.mint()),
        name: call.text("name").filter(|name| !name.is_empty()).map(str::to_owned),
        validate_request_body: call.flag("validateRequestBody").unwrap_or_default(),
        validate_request_parameters: call.flag("validateRequestParameters").unwrap_or_default(),
        ..RequestValidator::default()
    };
    let mut ops = Ops::new();
    ops.put(&scope, &validator.id, &validator);
    Ok((ops, Reply::json(show(&validator))))
}

fn find(scene: &Scene<'_>) -> Result<(Scope, RequestValidator), Fault> {
    let scope = scene.call.api_scope();
    let found = scene.world.get(&scope, scene.call.label("requestValidatorId"))?;
    Ok((scope, found.ok_or_else(|| Fault::not_found(MISSING))?))
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    Ok((Ops::new(), Reply::json(show(&find(scene)?.1))))
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, _) = rest_api::find(scene)?;
    let page = page::cut(scene.call, scene.world.list::<RequestValidator>(&scope, "")?)?;
    Ok((Ops::new(), page.reply(|_, validator| show(&validator))))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, mut validator) = find(scene)?;
    RULES.apply(&mut validator, scene)?;
    let mut ops = Ops::new();
    ops.put(&scope, &validator.id, &validator);
    Ok((ops, Reply::json(show(&validator))))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, validator) = find(scene)?;
    let tree = scene.world.tree(&scope);
    for (id, method) in tree.list::<Method>("")? {
        if method.request_validator_id.as_ref() == Some(&validator.id) {
            let (name, place) = (validator.name.as_ref().unwrap_or(&validator.id), locate::place(&tree, &id)?);
            let (path, verb) = place.rsplit_once('/').unwrap_or_default();
            let text = format!("Cannot delete request validator '{name}', is referenced in method: {verb}/{path}");
            return Err(Fault::conflict(text));
        }
    }
    let mut ops = Ops::new();
    ops.drop::<RequestValidator>(&scope, &validator.id);
    Ok((ops, Reply::empty()))
}

fn show(validator: &RequestValidator) -> Object {
    Object::new()
        .set("id", validator.id.as_str())
        .maybe("name", validator.name.as_deref())
        .set("validateRequestBody", validator.validate_request_body)
        .set("validateRequestParameters", validator.validate_request_parameters)
}
