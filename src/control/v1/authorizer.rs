//! Authorizers: who decides whether a caller may pass.

use super::map_patch::member;
use super::{locate, rest_api};
use crate::catalog::Table;
use crate::catalog::v1::{Authorizer, AuthorizerType, JwtAlgorithm, JwtClaim, JwtConfiguration, JwtIssuer, Method};
use crate::control::patch::{Op, Rule, Rules, Style};
use crate::control::quotas::{self, Owner};
use crate::control::render::Object;
use crate::control::{Fault, Reply, Scene, Verb, page, sizes};
use crate::state::{Ops, Scope};
use regex::Regex;
use serde_json::{Map, Value};

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    Verb::draft("CreateAuthorizer", create),
    Verb::read("GetAuthorizer", get),
    Verb::read("GetAuthorizers", list),
    Verb::draft("UpdateAuthorizer", update),
    Verb::draft("DeleteAuthorizer", delete),
];

const MISSING: &str = "Invalid Authorizer identifier specified";
/// Longest life of a verdict, seconds.
const MOST_TTL_S: i64 = 3600;
/// Claims that have meanings of their own.
const RESERVED_CLAIMS: [&str; 7] = ["iss", "aud", "exp", "nbf", "iat", "scope", "scp"];

/// What may be changed. Whether the parts fit each other is judged when all steps are done.
const RULES: Rules<Authorizer> = Rules {
    style: Style::Plain,
    rules: &[
        Rule {
            path: "/name",
            ops: &[Op::Replace],
            apply: |authorizer, step, _| {
                step.text().clone_into(&mut authorizer.name);
                Ok(())
            },
        },
        Rule {
            path: "/type",
            ops: &[Op::Replace],
            apply: |authorizer, step, _| {
                let text = "Invalid authorizer type specified. Valid options are TOKEN,REQUEST,COGNITO_USER_POOLS,JWT";
                authorizer.kind = AuthorizerType::known(step.text()).ok_or_else(|| Fault::bad_request(text))?;
                Ok(())
            },
        },
        Rule {
            path: "/authType",
            ops: &[Op::Replace],
            apply: |authorizer, step, _| {
                authorizer.auth_type = step.cleared();
                Ok(())
            },
        },
        Rule {
            path: "/authorizerUri",
            ops: &[Op::Replace],
            apply: |authorizer, step, _| {
                authorizer.authorizer_uri = step.cleared();
                Ok(())
            },
        },
        Rule {
            path: "/authorizerCredentials",
            ops: &[Op::Replace],
            apply: |authorizer, step, _| {
                authorizer.authorizer_credentials = step.cleared();
                Ok(())
            },
        },
        Rule {
            path: "/authorizerResultTtlInSeconds",
            ops: &[Op::Replace],
            apply: |authorizer, step, _| {
                authorizer.authorizer_result_ttl_in_seconds =
                    step.cleared().map(|text| ttl(text.parse().unwrap_or(-1))).transpose()?;
                Ok(())
            },
        },
        Rule {
            path: "/identityValidationExpression",
            ops: &[Op::Replace],
            apply: |authorizer, step, _| {
                authorizer.identity_validation_expression = step.cleared();
                Ok(())
            },
        },
        Rule {
            path: "/identitySource",
            ops: &[Op::Add, Op::Replace, Op::Remove],
            apply: |authorizer, step, _| {
                authorizer.identity_source = step.cleared().filter(|_| step.op != Op::Remove);
                Ok(())
            },
        },
        Rule {
            path: "/providerARNs",
            ops: &[Op::Add, Op::Remove],
            apply: |authorizer, step, _| {
                member(&mut authorizer.provider_arns, step, step.text());
                Ok(())
            },
        },
    ],
    other: None,
};

fn create(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    // AWS says this of an API that there is none of.
    let scope = call.api_scope();
    if scene.world.row(&scope, Table::RestApi, call.label("restApiId")).is_none() {
        return Err(Fault::conflict(
            "Unable to complete operation due to concurrent modification. Please try again later.",
        ));
    }
    let text = |name: &str| call.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let authorizer = Authorizer {
        id: locate::unused_id(scene, &scope, Table::Authorizer, &mut scene.mint()),
        name: call.label("name").to_owned(),
        kind: AuthorizerType::from(call.label("type")),
        provider_arns: call.texts("providerARNs").unwrap_or_default(),
        auth_type: text("authType"),
        authorizer_uri: text("authorizerUri"),
        authorizer_credentials: text("authorizerCredentials"),
        identity_source: text("identitySource"),
        identity_validation_expression: text("identityValidationExpression"),
        authorizer_result_ttl_in_seconds: call.number("authorizerResultTtlInSeconds").map(ttl).transpose()?,
        jwt_configuration: call.object("jwtConfiguration").map(jwt).transpose()?,
        ..Authorizer::default()
    };
    quotas::room(scene.world, &scope, Table::Authorizer, scene.quotas.authorizers, "Authorizers", Owner::Api)?;
    check(scene, &scope, &authorizer)?;
    let mut ops = Ops::new();
    ops.put(&scope, &authorizer.id, &authorizer);
    Ok((ops, Reply::json(show(&authorizer))))
}

fn ttl(seconds: i64) -> Result<i32, Fault> {
    let fits = i32::try_from(seconds).ok().filter(|_| (0..=MOST_TTL_S).contains(&seconds));
    fits.ok_or_else(|| Fault::bad_request(format!("Authorizer result TTL must be between 0 and {MOST_TTL_S} seconds")))
}

/// The JWT configuration of a create call.
fn jwt(asked: &Map<String, Value>) -> Result<JwtConfiguration, Fault> {
    let bad = |text: &str| Err(Fault::bad_request(text));
    let items = |map: &Map<String, Value>, name: &str| map.get(name).and_then(Value::as_array).cloned();
    let texts = |map: &Map<String, Value>, name: &str| -> Vec<String> {
        items(map, name).unwrap_or_default().iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    let mut found = JwtConfiguration {
        default_algorithms: texts(asked, "defaultAlgorithms").into_iter().map(JwtAlgorithm::from).collect(),
        ..JwtConfiguration::default()
    };
    for issuer in items(asked, "issuers").unwrap_or_default() {
        let Some(issuer) = issuer.as_object() else { continue };
        let text =
            |map: &Map<String, Value>, name: &str| map.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let claim = |claim: &Value| {
            let claim = claim.as_object()?;
            Some(JwtClaim {
                claim_name: text(claim, "claimName"),
                format: text(claim, "format"),
                required: claim.get("required").and_then(Value::as_bool).unwrap_or_default(),
                expected_values: texts(claim, "expectedValues"),
                ..JwtClaim::default()
            })
        };
        let one = JwtIssuer {
            issuer: text(issuer, "issuer"),
            audiences: texts(issuer, "audiences"),
            additional_claims: items(issuer, "additionalClaims").iter().flatten().filter_map(claim).collect(),
            ..JwtIssuer::default()
        };
        if !one.issuer.starts_with("https://") && !one.issuer.starts_with("http://") {
            return bad("Invalid issuer specified. An issuer is a URL");
        }
        if one.additional_claims.iter().any(|claim| RESERVED_CLAIMS.contains(&claim.claim_name.as_str())) {
            return bad("Invalid claim name specified. It may not be one of: [iss, aud, exp, nbf, iat, scope, scp]");
        }
        found.issuers.push(one);
    }
    if found.issuers.is_empty() || found.default_algorithms.is_empty() {
        return bad("A JWT configuration needs at least one issuer and one default algorithm");
    }
    Ok(found)
}

/// Whether an authorizer can do its work.
fn check(scene: &Scene<'_>, scope: &Scope, authorizer: &Authorizer) -> Result<(), Fault> {
    let bad = |text: String| Err(Fault::bad_request(text));
    if authorizer.name.trim().is_empty() {
        return bad("Authorizer name cannot be empty".to_owned());
    }
    let others = scene.world.list::<Authorizer>(scope, "")?;
    if others.iter().any(|(id, other)| *id != authorizer.id && other.name == authorizer.name) {
        let name = &authorizer.name;
        return bad(format!("Authorizer name must be unique. Authorizer {name} already exists in this RestApi."));
    }
    if let Some(pattern) = &authorizer.identity_validation_expression
        && Regex::new(pattern).is_err()
    {
        return bad("Invalid identity validation expression specified".to_owned());
    }
    match authorizer.kind {
        AuthorizerType::CognitoUserPools => {
            check_pools(&authorizer.provider_arns)?;
            check_sources(authorizer, false)
        }
        AuthorizerType::Jwt => check_jwt(authorizer),
        AuthorizerType::Request => {
            check_uri(authorizer.authorizer_uri.as_deref())?;
            check_sources(authorizer, authorizer.authorizer_result_ttl_in_seconds != Some(0))
        }
        _ => {
            check_uri(authorizer.authorizer_uri.as_deref())?;
            check_sources(authorizer, true)
        }
    }
}

/// `arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{function}/invocations`, where stage variables may stand.
fn check_uri(uri: Option<&str>) -> Result<(), Fault> {
    let path = uri.and_then(|uri| {
        let mut parts = uri.splitn(6, ':');
        let head = (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let good = head.0 == "arn" && head.1.starts_with("aws") && head.2 == "apigateway" && head.4 == "lambda";
        parts.next().filter(|_| good)
    });
    if path
        .is_some_and(|path| path.starts_with("path/") && path.contains("/functions/") && path.ends_with("/invocations"))
    {
        return Ok(());
    }
    let shown: String = uri.unwrap_or("null").chars().take(512).collect();
    Err(Fault::bad_request(format!(
        "Invalid Authorizer URI: {shown}. Authorizer URI should be a valid API Gateway ARN that represents a Lambda function invocation."
    )))
}

fn check_pools(arns: &[String]) -> Result<(), Fault> {
    let pool = |arn: &String| {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let known = matches!(parts[..], ["arn", _, "cognito-idp", _, _, pool] if pool.starts_with("userpool/"));
        known || arn.contains("${stageVariables.")
    };
    if !arns.is_empty() && arns.iter().all(pool) {
        return Ok(());
    }
    Err(Fault::bad_request("Invalid Provider ARNs for COGNITO_USER_POOLS authorizer specified"))
}

fn check_jwt(authorizer: &Authorizer) -> Result<(), Fault> {
    let foreign = !authorizer.provider_arns.is_empty()
        || authorizer.authorizer_uri.is_some()
        || authorizer.authorizer_credentials.is_some()
        || authorizer.authorizer_result_ttl_in_seconds.is_some();
    if foreign {
        return Err(Fault::bad_request(
            "Provider ARNs, authorizer URI, authorizer credentials and result TTL are not supported for authorizers of type JWT",
        ));
    }
    if authorizer.jwt_configuration.is_none() {
        return Err(Fault::bad_request("JWT configuration must be specified for authorizers of type JWT"));
    }
    check_sources(authorizer, false)
}

/// Headers for all; the whole request but for path parameters for `REQUEST`.
fn check_sources(authorizer: &Authorizer, needed: bool) -> Result<(), Fault> {
    let Some(sources) = &authorizer.identity_source else {
        if needed {
            let text = format!("Identity source must be specified for authorizers of type {}", authorizer.kind);
            return Err(Fault::bad_request(text));
        }
        return Ok(());
    };
    let all = ["method.request.header.", "method.request.querystring.", "context.", "stageVariables."];
    let several = authorizer.kind == AuthorizerType::Request;
    let allowed = if several { &all[..] } else { &all[..1] };
    let good = |source: &str| allowed.iter().any(|prefix| source.len() > prefix.len() && source.starts_with(prefix));
    let parts: Vec<&str> = sources.split(',').map(str::trim).collect();
    if (several || parts.len() == 1) && parts.iter().all(|source| good(source)) {
        return Ok(());
    }
    let shown: String = sources.chars().take(256).collect();
    Err(Fault::bad_request(format!("Invalid identity source specified: {shown}")))
}

fn find(scene: &Scene<'_>) -> Result<(Scope, Authorizer), Fault> {
    let scope = scene.call.api_scope();
    let found = scene.world.get(&scope, scene.call.label("authorizerId"))?;
    Ok((scope, found.ok_or_else(|| Fault::not_found(MISSING))?))
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    Ok((Ops::new(), Reply::json(show(&find(scene)?.1))))
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, _) = rest_api::find(scene)?;
    let page = page::cut(scene.call, scene.world.list::<Authorizer>(&scope, "")?)?;
    Ok((Ops::new(), page.reply(|_, authorizer| show(&authorizer))))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, mut authorizer) = find(scene)?;
    RULES.apply(&mut authorizer, scene)?;
    sizes::entries("providerARNs", authorizer.provider_arns.len())?;
    check(scene, &scope, &authorizer)?;
    let mut ops = Ops::new();
    ops.put(&scope, &authorizer.id, &authorizer);
    Ok((ops, Reply::json(show(&authorizer))))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, authorizer) = find(scene)?;
    let tree = scene.world.tree(&scope);
    for (id, method) in tree.list::<Method>("")? {
        if method.authorizer_id.as_ref() == Some(&authorizer.id) {
            // AWS turns the place around here: `GET//pets`.
            let place = locate::place(&tree, &id)?;
            let (path, verb) = place.rsplit_once('/').unwrap_or_default();
            let text =
                format!("Cannot delete authorizer '{}', is referenced in method: {verb}/{path}", authorizer.name);
            return Err(Fault::conflict(text));
        }
    }
    let mut ops = Ops::new();
    ops.drop::<Authorizer>(&scope, &authorizer.id);
    Ok((ops, Reply::empty()))
}

pub(super) fn show(authorizer: &Authorizer) -> Object {
    let word = match authorizer.kind {
        AuthorizerType::CognitoUserPools => "cognito_user_pools",
        AuthorizerType::Jwt => "jwt",
        _ => "custom",
    };
    Object::new()
        .set("id", authorizer.id.as_str())
        .set("name", authorizer.name.as_str())
        .set("type", authorizer.kind.as_str())
        .list("providerARNs", &authorizer.provider_arns)
        .set("authType", authorizer.auth_type.as_deref().unwrap_or(word))
        .maybe("authorizerUri", authorizer.authorizer_uri.as_deref())
        .maybe("authorizerCredentials", authorizer.authorizer_credentials.as_deref())
        .maybe("identitySource", authorizer.identity_source.as_deref())
        .maybe("identityValidationExpression", authorizer.identity_validation_expression.as_deref())
        .maybe("authorizerResultTtlInSeconds", authorizer.authorizer_result_ttl_in_seconds)
        .maybe("jwtConfiguration", authorizer.jwt_configuration.as_ref().map(show_jwt))
}

fn show_jwt(configuration: &JwtConfiguration) -> Object {
    let claim = |claim: &JwtClaim| {
        Object::new()
            .set("claimName", claim.claim_name.as_str())
            .set("format", claim.format.as_str())
            .set("required", claim.required)
            .list("expectedValues", &claim.expected_values)
            .into_value()
    };
    let issuer = |issuer: &JwtIssuer| {
        let claims: Vec<Value> = issuer.additional_claims.iter().map(claim).collect();
        Object::new()
            .set("issuer", issuer.issuer.as_str())
            .set("audiences", issuer.audiences.clone())
            .maybe("additionalClaims", Some(claims).filter(|claims| !claims.is_empty()))
            .maybe("jwksUri", issuer.jwks_uri.as_deref())
            .into_value()
    };
    let algorithms: Vec<&str> = configuration.default_algorithms.iter().map(JwtAlgorithm::as_str).collect();
    Object::new()
        .set("issuers", configuration.issuers.iter().map(issuer).collect::<Vec<Value>>())
        .set("defaultAlgorithms", algorithms)
}
