//! MethodResponse: what a method may answer.

use std::collections::BTreeMap;

use crate::catalog::v1::MethodResponse;
use crate::control::patch::{Op, Rule, Rules, Style};
use crate::control::render::{Object, flags, texts};
use crate::control::{Fault, Reply, Scene, Verb, sizes};
use crate::state::Ops;

use super::locate::{self, Missing};
use super::map_patch::{NO_PARAMETER, NO_TYPE, optional};
use super::mapping;

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    Verb::draft("PutMethodResponse", put),
    Verb::read("GetMethodResponse", get),
    Verb::draft("UpdateMethodResponse", update),
    Verb::draft("DeleteMethodResponse", delete),
];

const MAP: &[Op] = &[Op::Add, Op::Replace, Op::Remove];

/// What may be changed.
pub const RULES: Rules<MethodResponse> = Rules {
    style: Style::Plain,
    rules: &[
        Rule {
            path: "/responseParameters/{}",
            ops: MAP,
            apply: |response, step, _| {
                mapping::check_target(step.key(), "method.response", &["header"])?;
                optional(&mut response.response_parameters, step, step.flag(), NO_PARAMETER)
            },
        },
        Rule {
            path: "/responseModels/{}",
            ops: MAP,
            apply: |response, step, scene| {
                let name = step.text().to_owned();
                if step.op != Op::Remove {
                    locate::check_models(scene, &scene.call.api_scope(), std::iter::once(&name))?;
                }
                optional(&mut response.response_models, step, name, NO_TYPE)
            },
        },
    ],
    other: None,
};

/// A method response as AWS shows it.
pub(super) fn show(response: &MethodResponse) -> Object {
    Object::new()
        .set("statusCode", response.status_code.as_str())
        .maybe("responseParameters", response.response_parameters.as_ref().map(flags))
        .maybe("responseModels", response.response_models.as_ref().map(texts))
}

fn put(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (call, mut found) = (scene.call, locate::method(scene, Missing::Method)?);
    let code = call.label("statusCode");
    if found.method.method_responses.contains_key(code) {
        return Err(Fault::conflict("Response already exists for this resource"));
    }
    let response = MethodResponse {
        status_code: code.to_owned(),
        response_parameters: call.flag_map("responseParameters"),
        response_models: call.text_map("responseModels"),
        ..MethodResponse::default()
    };
    for target in response.response_parameters.iter().flat_map(BTreeMap::keys) {
        mapping::check_target(target, "method.response", &["header"])?;
    }
    locate::check_models(scene, &found.scope, response.response_models.iter().flat_map(BTreeMap::values))?;
    let reply = Reply::json(show(&response));
    found.method.method_responses.insert(code.to_owned(), response);
    Ok((found.stored(), reply))
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let found = locate::method(scene, Missing::Method)?;
    let response = found.method.method_responses.get(scene.call.label("statusCode"));
    Ok((Ops::new(), Reply::json(show(response.ok_or_else(locate::no_response)?))))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let mut found = locate::method(scene, Missing::Method)?;
    let responses = &mut found.method.method_responses;
    let response = responses.get_mut(scene.call.label("statusCode")).ok_or_else(locate::no_response)?;
    RULES.apply(response, scene)?;
    sizes::entries("responseParameters", response.response_parameters.iter().flatten().count())?;
    sizes::entries("responseModels", response.response_models.iter().flatten().count())?;
    let reply = Reply::json(show(response));
    Ok((found.stored(), reply))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let mut found = locate::method(scene, Missing::Method)?;
    let gone = found.method.method_responses.remove(scene.call.label("statusCode"));
    gone.ok_or_else(locate::no_response)?;
    Ok((found.stored(), Reply::empty()))
}
