//! Method: what a resource answers to.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::Table;
use crate::catalog::v1::{Authorizer, AuthorizerType, Method};
use crate::control::patch::{Op, Rule, Rules, Step, Style};
use crate::control::render::{Object, flags, texts};
use crate::control::{Fault, Reply, Scene, Verb, sizes};
use crate::state::{Ops, Scope};

use super::locate::{self, Found, Missing};
use super::map_patch::{NO_PARAMETER, NO_TYPE, member, optional};
use super::{integration, mapping, method_response};

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    Verb::draft("PutMethod", put),
    Verb::read("GetMethod", get),
    Verb::draft("UpdateMethod", update),
    Verb::draft("DeleteMethod", delete),
];

const METHODS: [&str; 8] = ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY"];

const MAP: &[Op] = &[Op::Add, Op::Replace, Op::Remove];

/// What may be changed. Authorizer and type are judged together when all steps are done.
pub const RULES: Rules<Method> = Rules {
    style: Style::Plain,
    rules: &[
        Rule {
            path: "/authorizationType",
            ops: &[Op::Replace],
            apply: |method, step, _| {
                method.authorization_type = authorization(step.text())?;
                Ok(())
            },
        },
        Rule {
            path: "/authorizerId",
            ops: &[Op::Replace],
            apply: |method, step, _| {
                method.authorizer_id = step.cleared();
                Ok(())
            },
        },
        Rule {
            path: "/apiKeyRequired",
            ops: &[Op::Replace],
            apply: |method, step, _| {
                method.api_key_required = step.flag();
                Ok(())
            },
        },
        Rule {
            path: "/operationName",
            ops: &[Op::Replace],
            apply: |method, step, _| {
                method.operation_name = step.cleared();
                Ok(())
            },
        },
        Rule {
            path: "/requestValidatorId",
            ops: &[Op::Replace],
            apply: |method, step, scene| {
                method.request_validator_id = validator(scene, &scene.call.api_scope(), step.cleared())?;
                Ok(())
            },
        },
        Rule { path: "/requestParameters/{}", ops: MAP, apply: parameter },
        Rule { path: "/requestModels/{}", ops: MAP, apply: model },
        Rule {
            path: "/authorizationScopes",
            ops: &[Op::Add, Op::Remove],
            apply: |method, step, _| {
                member(&mut method.authorization_scopes, step, step.text());
                Ok(())
            },
        },
    ],
    other: None,
};

/// A method as AWS shows it, with its integration and responses.
pub(super) fn show(method: &Method, resource_id: &str) -> Object {
    let mut object = Object::new()
        .set("httpMethod", method.http_method.as_str())
        .set("authorizationType", method.authorization_type.as_str())
        .maybe("authorizerId", method.authorizer_id.as_deref())
        .set("apiKeyRequired", method.api_key_required)
        .maybe("requestValidatorId", method.request_validator_id.as_deref())
        .maybe("operationName", method.operation_name.as_deref())
        .maybe("requestParameters", method.request_parameters.as_ref().map(flags))
        .maybe("requestModels", method.request_models.as_ref().map(texts));
    if !method.method_responses.is_empty() {
        let responses = method.method_responses.iter();
        let shown = responses.fold(Object::new(), |o, (code, r)| o.set(code, method_response::show(r)));
        object = object.set("methodResponses", shown);
    }
    object
        .maybe("methodIntegration", method.method_integration.as_ref().map(|i| integration::show(i, resource_id)))
        .list("authorizationScopes", &method.authorization_scopes)
}

fn put(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let (scope, resource) = locate::resource(scene, call.label("resourceId"))?;
    let http_method = call.label("httpMethod");
    if !METHODS.contains(&http_method) {
        let text = format!("Invalid HttpMethod specified. Valid options are {}", METHODS.join(","));
        return Err(Fault::bad_request(text));
    }
    if scene.world.get::<Method>(&scope, &Method::row_id(&resource.id, http_method))?.is_some() {
        return Err(Fault::conflict("Method already exists for this resource"));
    }
    let mut method = Method {
        http_method: http_method.to_owned(),
        authorization_type: authorization(call.label("authorizationType"))?,
        authorizer_id: call.text("authorizerId").filter(|id| !id.is_empty()).map(str::to_owned),
        api_key_required: call.flag("apiKeyRequired").unwrap_or_default(),
        operation_name: call.text("operationName").map(str::to_owned),
        request_parameters: call.flag_map("requestParameters").filter(|map| !map.is_empty()),
        request_models: call.text_map("requestModels").filter(|map| !map.is_empty()),
        authorization_scopes: call.texts("authorizationScopes").unwrap_or_default(),
        ..Method::default()
    };
    settle_authorizer(scene, &scope, &mut method)?;
    method.request_validator_id =
        validator(scene, &scope, call.text("requestValidatorId").filter(|id| !id.is_empty()).map(str::to_owned))?;
    check_parameters(method.request_parameters.as_ref())?;
    locate::check_models(scene, &scope, method.request_models.iter().flat_map(BTreeMap::values))?;
    let found = Found { scope, resource_id: resource.id, method };
    Ok((found.stored(), Reply::json(show(&found.method, &found.resource_id))))
}

fn authorization(text: &str) -> Result<String, Fault> {
    const TYPES: [&str; 5] = ["NONE", "AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS", "JWT"];
    if TYPES.contains(&text) {
        return Ok(text.to_owned());
    }
    let options = TYPES.join(",");
    Err(Fault::bad_request(format!("Invalid authorization type specified. Valid options are {options}")))
}

/// An authorizer is kept only where the type wants one; then it must be the API's.
fn settle_authorizer(scene: &Scene<'_>, scope: &Scope, method: &mut Method) -> Result<(), Fault> {
    let kinds: &[AuthorizerType] = match method.authorization_type.as_str() {
        "CUSTOM" => &[AuthorizerType::Token, AuthorizerType::Request],
        "COGNITO_USER_POOLS" => &[AuthorizerType::CognitoUserPools],
        "JWT" => &[AuthorizerType::Jwt],
        _ => {
            method.authorizer_id = None;
            return Ok(());
        }
    };
    if let Some(id) = &method.authorizer_id
        && let Some(found) = scene.world.get::<Authorizer>(scope, id)?
        && kinds.contains(&found.kind)
    {
        return Ok(());
    }
    Err(Fault::bad_request(
        "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.",
    ))
}

fn validator(scene: &Scene<'_>, scope: &Scope, id: Option<String>) -> Result<Option<String>, Fault> {
    match id {
        Some(id) if scene.world.row(scope, Table::RequestValidator, &id).is_none() => {
            Err(Fault::bad_request("Invalid Request Validator identifier specified"))
        }
        other => Ok(other),
    }
}

/// Checks the names of request parameters.
///
/// # Errors
/// BadRequest for an unknown place, or a name that is taken in another.
pub(super) fn check_parameters(parameters: Option<&BTreeMap<String, bool>>) -> Result<(), Fault> {
    let mut names = BTreeSet::new();
    for text in parameters.into_iter().flat_map(BTreeMap::keys) {
        mapping::check_target(text, "method.request", &["path", "querystring", "header"])?;
        let (_, name) = mapping::parts(text, "method.request").unwrap_or_default();
        if !names.insert(name) {
            return Err(Fault::bad_request("Parameter names must be unique across querystring, header and path"));
        }
    }
    Ok(())
}

fn parameter(method: &mut Method, step: &Step, _: &Scene<'_>) -> Result<(), Fault> {
    optional(&mut method.request_parameters, step, step.flag(), NO_PARAMETER)?;
    check_parameters(method.request_parameters.as_ref())
}

fn model(method: &mut Method, step: &Step, scene: &Scene<'_>) -> Result<(), Fault> {
    let name = step.text().to_owned();
    if step.op != Op::Remove {
        locate::check_models(scene, &scene.call.api_scope(), std::iter::once(&name))?;
    }
    optional(&mut method.request_models, step, name, NO_TYPE)
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let found = locate::method(scene, Missing::Method)?;
    Ok((Ops::new(), Reply::json(show(&found.method, &found.resource_id))))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let mut found = locate::method(scene, Missing::Method)?;
    RULES.apply(&mut found.method, scene)?;
    settle_authorizer(scene, &found.scope, &mut found.method)?;
    let method = &found.method;
    sizes::entries("requestParameters", method.request_parameters.iter().flatten().count())?;
    sizes::entries("requestModels", method.request_models.iter().flatten().count())?;
    sizes::entries("authorizationScopes", method.authorization_scopes.len())?;
    Ok((found.stored(), Reply::json(show(&found.method, &found.resource_id))))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let found = locate::method(scene, Missing::Method)?;
    let mut ops = Ops::new();
    ops.drop::<Method>(&found.scope, &Method::row_id(&found.resource_id, &found.method.http_method));
    Ok((ops, Reply::empty()))
}
