//! Gateway responses: how the gateway itself says no, by default and as an API's owner wants it.

use super::map_patch::{NO_PARAMETER, entry};
use super::{mapping, rest_api};
use crate::catalog::v1::{GatewayResponse, GatewayResponseType, Texts};
use crate::control::patch::{Op, Rule, Rules, Step, Style, bad_path};
use crate::control::render::{Object, texts};
use crate::control::{Fault, Reply, Scene, Verb, page, sizes};
use crate::state::{Ops, Scope, Tree};

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    Verb::draft("PutGatewayResponse", put),
    Verb::read("GetGatewayResponse", get),
    Verb::read("GetGatewayResponses", list),
    Verb::draft("UpdateGatewayResponse", update),
    Verb::draft("DeleteGatewayResponse", delete),
];

/// The template of every type that has none of its own.
const TEMPLATE: (&str, &str) = ("application/json", "{\"message\":$context.error.messageString}");

const MAP: &[Op] = &[Op::Add, Op::Replace, Op::Remove];

const RULES: Rules<GatewayResponse> = Rules {
    style: Style::Plain,
    rules: &[
        // Add and remove are refused in the words of an unknown path.
        Rule { path: "/statusCode", ops: &[Op::Replace, Op::Add, Op::Remove], apply: status },
        Rule {
            path: "/responseParameters/{}",
            ops: MAP,
            apply: |response, step, _| {
                let value = given(step, "responseParameters")?;
                if step.op == Op::Add || response.response_parameters.contains_key(step.key()) {
                    check_parameter(step.key(), step.op, &value)?;
                }
                entry(&mut response.response_parameters, step, value, NO_PARAMETER)
            },
        },
        Rule {
            path: "/responseTemplates/{}",
            ops: MAP,
            apply: |response, step, _| {
                let value = given(step, "responseTemplates")?;
                let templates = response.response_templates.get_or_insert_with(default_templates);
                entry(templates, step, value, NO_PARAMETER)
            },
        },
    ],
    other: None,
};

fn status(response: &mut GatewayResponse, step: &Step, _: &Scene<'_>) -> Result<(), Fault> {
    if step.op != Op::Replace {
        return Err(bad_path(step));
    }
    let code = step.cleared();
    let good = |code: &String| code.len() == 3 && code.parse().is_ok_and(|n: u16| (100..600).contains(&n));
    if code.as_ref().is_some_and(|code| !good(code)) {
        return Err(Fault::bad_request("Invalid statusCode specified for the gateway response"));
    }
    response.status_code = code;
    Ok(())
}

/// The value of an add or a replace.
fn given(step: &Step, member: &str) -> Result<String, Fault> {
    match step.cleared() {
        Some(value) => Ok(value),
        None if step.op == Op::Remove => Ok(String::new()),
        None => Err(Fault::bad_request(format!("Invalid null or empty value in {member}"))),
    }
}

fn check_parameter(target: &str, op: Op, source: &str) -> Result<(), Fault> {
    mapping::check_target(target, "gatewayresponse", &["header"])?;
    if op == Op::Remove { Ok(()) } else { mapping::check_refusal_source(source) }
}

fn default_templates() -> Texts {
    Texts::from([(TEMPLATE.0.to_owned(), TEMPLATE.1.to_owned())])
}

/// The status that a type has by itself; the two that stand for many have none.
fn default_status(kind: &GatewayResponseType) -> Option<&'static str> {
    use GatewayResponseType as Type;
    Some(match kind {
        Type::BadRequestBody | Type::BadRequestParameters => "400",
        Type::Unauthorized => "401",
        Type::AccessDenied
        | Type::ExpiredToken
        | Type::InvalidApiKey
        | Type::InvalidSignature
        | Type::MissingAuthenticationToken
        | Type::WafFiltered => "403",
        Type::ResourceNotFound => "404",
        Type::RequestTooLarge => "413",
        Type::UnsupportedMediaType => "415",
        Type::QuotaExceeded | Type::Throttled => "429",
        Type::ApiConfigurationError | Type::AuthorizerConfigurationError | Type::AuthorizerFailure => "500",
        Type::IntegrationFailure | Type::IntegrationTimeout => "504",
        Type::Default4xx | Type::Default5xx | Type::Other(_) => return None,
    })
}

/// A type's answer: its own, or that of the type which stands for all of its class, or the built-in one.
pub(super) fn show(tree: &Tree, kind: &GatewayResponseType) -> Result<Object, Fault> {
    let own = tree.get::<GatewayResponse>(kind.as_str())?;
    let is_default = own.is_none();
    let class = match default_status(kind) {
        Some(code) if code.starts_with('4') => Some("DEFAULT_4XX"),
        Some(_) => Some("DEFAULT_5XX"),
        None => None,
    };
    let found = match (own, class) {
        (Some(own), _) => own,
        (None, Some(class)) => tree.get::<GatewayResponse>(class)?.unwrap_or_default(),
        (None, None) => GatewayResponse::default(),
    };
    let code = found.status_code.as_deref().or(default_status(kind));
    Ok(Object::new()
        .set("responseType", kind.as_str())
        .maybe("statusCode", code)
        .set("responseParameters", texts(&found.response_parameters))
        .set("responseTemplates", texts(&found.response_templates.unwrap_or_else(default_templates)))
        .set("defaultResponse", is_default))
}

fn kind(scene: &Scene<'_>) -> GatewayResponseType {
    GatewayResponseType::from(scene.call.label("responseType"))
}

fn put(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let (scope, _) = rest_api::find(scene)?;
    let response = GatewayResponse {
        response_type: kind(scene),
        status_code: call.text("statusCode").map(str::to_owned),
        response_parameters: call.text_map("responseParameters").unwrap_or_default(),
        response_templates: call.text_map("responseTemplates").filter(|templates| !templates.is_empty()),
        ..GatewayResponse::default()
    };
    for (target, source) in &response.response_parameters {
        check_parameter(target, Op::Add, source)?;
    }
    mapping::check_media_types(response.response_templates.iter().flat_map(Texts::keys))?;
    stored(scene, &scope, &response)
}

fn stored(scene: &Scene<'_>, scope: &Scope, response: &GatewayResponse) -> Result<(Ops, Reply), Fault> {
    let mut ops = Ops::new();
    ops.put(scope, response.response_type.as_str(), response);
    let mut world = scene.world.clone();
    world.advance(scene.stamp.time_ms, &ops.0);
    let shown = show(&world.tree(scope), &response.response_type)?;
    Ok((ops, Reply::json(shown)))
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, _) = rest_api::find(scene)?;
    Ok((Ops::new(), Reply::json(show(&scene.world.tree(&scope), &kind(scene))?)))
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, _) = rest_api::find(scene)?;
    let tree = scene.world.tree(&scope);
    let mut kinds: Vec<(String, ())> =
        GatewayResponseType::KNOWN.iter().map(|kind| (kind.as_str().to_owned(), ())).collect();
    kinds.sort();
    let page = page::cut(scene.call, kinds)?;
    let shown = page.rows.into_iter().map(|(name, ())| {
        let object = show(&tree, &GatewayResponseType::from(name.as_str()))?;
        Ok((name, object))
    });
    let rows = shown.collect::<Result<Vec<_>, Fault>>()?;
    Ok((Ops::new(), page::Page { rows, position: page.position }.reply(|_, object| object)))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, _) = rest_api::find(scene)?;
    let kind = kind(scene);
    let own = scene.world.get::<GatewayResponse>(&scope, kind.as_str())?;
    let mut response = own.unwrap_or(GatewayResponse { response_type: kind, ..GatewayResponse::default() });
    RULES.apply(&mut response, scene)?;
    sizes::entries("responseParameters", response.response_parameters.len())?;
    sizes::entries("responseTemplates", response.response_templates.iter().flatten().count())?;
    stored(scene, &scope, &response)
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, _) = rest_api::find(scene)?;
    let kind = kind(scene);
    if scene.world.get::<GatewayResponse>(&scope, kind.as_str())?.is_none() {
        return Err(Fault::not_found("Gateway response type not defined on api"));
    }
    let mut ops = Ops::new();
    ops.drop::<GatewayResponse>(&scope, kind.as_str());
    Ok((ops, Reply::empty()))
}
