//! IntegrationResponse: how an answer of the integration becomes the method's.

use std::collections::BTreeMap;

use crate::catalog::v1::{ContentHandling, IntegrationResponse};
use crate::control::patch::{Op, Rule, Rules, Step, Style};
use crate::control::render::{Object, templates, texts};
use crate::control::{Fault, Reply, Scene, Verb, sizes};
use crate::state::Ops;

use super::integration::{check_response_parameters, content_handling};
use super::locate::{self, Found, Missing};
use super::map_patch::{NO_PARAMETER, NO_TYPE, optional};
use super::mapping;

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    Verb::draft("PutIntegrationResponse", put),
    Verb::read("GetIntegrationResponse", get),
    Verb::draft("UpdateIntegrationResponse", update),
    Verb::draft("DeleteIntegrationResponse", delete),
];

const MAP: &[Op] = &[Op::Add, Op::Replace, Op::Remove];

/// What may be changed. The whole is judged like a put when all steps are done.
pub const RULES: Rules<IntegrationResponse> = Rules {
    style: Style::Plain,
    rules: &[
        Rule {
            path: "/selectionPattern",
            ops: &[Op::Replace],
            apply: |response, step, _| {
                response.selection_pattern = step.value.clone();
                Ok(())
            },
        },
        Rule {
            path: "/contentHandling",
            ops: &[Op::Replace],
            apply: |response, step, _| {
                response.content_handling = content_handling(step)?;
                Ok(())
            },
        },
        Rule { path: "/statusCode", ops: &[Op::Replace], apply: status_code },
        Rule {
            path: "/responseParameters/{}",
            ops: MAP,
            apply: |response, step, _| {
                optional(&mut response.response_parameters, step, step.text().to_owned(), NO_PARAMETER)
            },
        },
        Rule {
            path: "/responseTemplates/{}",
            ops: MAP,
            apply: |response, step, _| optional(&mut response.response_templates, step, step.value.clone(), NO_TYPE),
        },
    ],
    other: None,
};

/// An integration response as AWS shows it.
pub(super) fn show(response: &IntegrationResponse) -> Object {
    Object::new()
        .set("statusCode", response.status_code.as_str())
        .maybe("selectionPattern", response.selection_pattern.as_deref())
        .maybe("responseParameters", response.response_parameters.as_ref().map(texts))
        .maybe("responseTemplates", response.response_templates.as_ref().map(templates))
        .maybe("contentHandling", response.content_handling.as_ref().map(ContentHandling::as_str))
}

/// A response must feed one that the method has, with the headers that it declares.
fn check(response: &IntegrationResponse, found: &Found) -> Result<(), Fault> {
    let method = found.method.method_responses.get(&response.status_code).ok_or_else(locate::no_response)?;
    if let Some(parameters) = &response.response_parameters {
        check_response_parameters(parameters, method.response_parameters.as_ref())?;
    }
    mapping::check_media_types(response.response_templates.iter().flat_map(BTreeMap::keys))
}

fn put(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (call, mut found) = (scene.call, locate::method(scene, Missing::Integration)?);
    found.integration()?;
    let response = IntegrationResponse {
        status_code: call.label("statusCode").to_owned(),
        selection_pattern: call.text("selectionPattern").map(str::to_owned),
        response_parameters: call.text_map("responseParameters"),
        response_templates: call.nullable_map("responseTemplates"),
        content_handling: call.text("contentHandling").map(ContentHandling::from),
        ..IntegrationResponse::default()
    };
    check(&response, &found)?;
    let reply = Reply::json(show(&response));
    found.integration()?.integration_responses.insert(response.status_code.clone(), response);
    Ok((found.stored(), reply))
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let mut found = locate::method(scene, Missing::Integration)?;
    let response = found.integration()?.integration_responses.get(scene.call.label("statusCode"));
    Ok((Ops::new(), Reply::json(show(response.ok_or_else(locate::no_response)?))))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let mut found = locate::method(scene, Missing::Integration)?;
    let code = scene.call.label("statusCode");
    let mut response = found.integration()?.integration_responses.remove(code).ok_or_else(locate::no_response)?;
    RULES.apply(&mut response, scene)?;
    sizes::entries("responseParameters", response.response_parameters.iter().flatten().count())?;
    sizes::entries("responseTemplates", response.response_templates.iter().flatten().count())?;
    check(&response, &found)?;
    let reply = Reply::json(show(&response));
    found.integration()?.integration_responses.insert(response.status_code.clone(), response);
    Ok((found.stored(), reply))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let mut found = locate::method(scene, Missing::Integration)?;
    let gone = found.integration()?.integration_responses.remove(scene.call.label("statusCode"));
    gone.ok_or_else(locate::no_response)?;
    Ok((found.stored(), Reply::empty()))
}

fn status_code(response: &mut IntegrationResponse, step: &Step, _: &Scene<'_>) -> Result<(), Fault> {
    response.status_code = step.text().to_owned();
    Ok(())
}
