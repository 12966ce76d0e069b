//! Integration: what stands behind a method.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::catalog::Table;
use crate::catalog::v1::{
    ConnectionType, ContentHandling, Integration, IntegrationType, Method, PassthroughBehavior, ResponseTransferMode,
    TlsConfig,
};
use crate::control::patch::{Op, Rule, Rules, Step, Style};
use crate::control::render::{Object, templates};
use crate::control::{Fault, Reply, Scene, Verb, sizes};
use crate::state::Ops;

use super::locate::{self, Missing};
use super::map_patch::{NO_PARAMETER, NO_TYPE, entry, member};
use super::{integration_response, mapping, vpc_link};

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    Verb::draft("PutIntegration", put),
    Verb::read("GetIntegration", get),
    Verb::draft("UpdateIntegration", update),
    Verb::draft("DeleteIntegration", delete),
];

/// The shortest timeout, and AWS's default, milliseconds.
const LEAST_TIMEOUT_MS: i64 = 50;
const DEFAULT_TIMEOUT_MS: i32 = 29_000;
/// The longest timeout of an answer that is passed on piece by piece, whatever the quota, milliseconds.
const STREAM_TIMEOUT_MS: i32 = 900_000;

const SET: &[Op] = &[Op::Replace];
const MAP: &[Op] = &[Op::Add, Op::Replace, Op::Remove];

/// What may be changed. The whole is judged like a put when all steps are done.
pub const RULES: Rules<Integration> = Rules {
    style: Style::Plain,
    rules: &[
        Rule {
            path: "/uri",
            ops: SET,
            apply: |i, step, _| {
                i.uri = step.cleared();
                Ok(())
            },
        },
        Rule {
            path: "/httpMethod",
            ops: SET,
            apply: |i, step, _| {
                i.http_method = step.cleared();
                Ok(())
            },
        },
        Rule {
            path: "/credentials",
            ops: SET,
            apply: |i, step, _| {
                i.credentials = step.cleared();
                Ok(())
            },
        },
        Rule {
            path: "/passthroughBehavior",
            ops: SET,
            apply: |i, step, _| {
                i.passthrough_behavior = passthrough(step.cleared().as_deref())?;
                Ok(())
            },
        },
        Rule {
            path: "/contentHandling",
            ops: SET,
            apply: |i, step, _| {
                i.content_handling = content_handling(step)?;
                Ok(())
            },
        },
        Rule { path: "/connectionType", ops: SET, apply: connection_type },
        Rule {
            path: "/connectionId",
            ops: SET,
            apply: |i, step, _| {
                i.connection_id = step.cleared();
                Ok(())
            },
        },
        Rule {
            path: "/timeoutInMillis",
            ops: SET,
            apply: |i, step, scene| {
                let most = most_ms(i, scene.quotas.integration_timeout_ms);
                i.timeout_in_millis = Some(timeout(step.text().parse().ok(), most)?);
                Ok(())
            },
        },
        Rule {
            path: "/cacheNamespace",
            ops: SET,
            apply: |i, step, _| {
                i.cache_namespace = step.cleared();
                Ok(())
            },
        },
        Rule { path: "/responseTransferMode", ops: SET, apply: transfer_mode },
        Rule {
            path: "/integrationTarget",
            ops: SET,
            apply: |i, step, _| {
                i.integration_target = step.cleared();
                Ok(())
            },
        },
        Rule {
            path: "/tlsConfig/insecureSkipVerification",
            ops: SET,
            apply: |i, step, _| {
                i.tls_config.get_or_insert_default().insecure_skip_verification = Some(step.flag());
                Ok(())
            },
        },
        Rule {
            path: "/requestParameters/{}",
            ops: MAP,
            apply: |i, step, _| entry(&mut i.request_parameters, step, step.text().to_owned(), NO_PARAMETER),
        },
        Rule {
            path: "/requestTemplates/{}",
            ops: MAP,
            apply: |i, step, _| entry(&mut i.request_templates, step, step.value.clone(), NO_TYPE),
        },
        Rule {
            path: "/cacheKeyParameters/{}",
            ops: MAP,
            apply: |i, step, _| {
                member(&mut i.cache_key_parameters, step, step.key());
                Ok(())
            },
        },
    ],
    other: None,
};

/// An integration as AWS shows it; the resource's id is the cache namespace where none is given.
pub(super) fn show(integration: &Integration, resource_id: &str) -> Object {
    let i = integration;
    let connection = i.connection_type.as_ref().map(ConnectionType::as_str).or(is_http(&i.kind).then_some("INTERNET"));
    let mut object = Object::new()
        .set("type", i.kind.as_str())
        .maybe("httpMethod", i.http_method.as_deref())
        .maybe("uri", i.uri.as_deref())
        .maybe("connectionType", connection)
        .maybe("connectionId", i.connection_id.as_deref())
        .maybe("credentials", i.credentials.as_deref())
        .map("requestParameters", &i.request_parameters);
    if !i.request_templates.is_empty() {
        object = object.set("requestTemplates", templates(&i.request_templates));
    }
    object = object
        .set(
            "passthroughBehavior",
            i.passthrough_behavior.as_ref().map_or("WHEN_NO_MATCH", PassthroughBehavior::as_str),
        )
        .maybe("contentHandling", i.content_handling.as_ref().map(ContentHandling::as_str))
        .set("timeoutInMillis", i.timeout_in_millis.unwrap_or(DEFAULT_TIMEOUT_MS))
        .set("cacheNamespace", i.cache_namespace.as_deref().unwrap_or(resource_id))
        .set("cacheKeyParameters", i.cache_key_parameters.as_slice());
    if !i.integration_responses.is_empty() {
        let responses = i.integration_responses.iter();
        let shown = responses.fold(Object::new(), |o, (code, r)| o.set(code, integration_response::show(r)));
        object = object.set("integrationResponses", shown);
    }
    let tls = i.tls_config.as_ref().and_then(|t| t.insecure_skip_verification);
    object
        .maybe("tlsConfig", tls.map(|skip| Object::new().set("insecureSkipVerification", skip)))
        .maybe("responseTransferMode", i.response_transfer_mode.as_ref().map(ResponseTransferMode::as_str))
        .maybe("integrationTarget", i.integration_target.as_deref())
}

fn is_http(kind: &IntegrationType) -> bool {
    matches!(kind, IntegrationType::Http | IntegrationType::HttpProxy)
}

fn put(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (call, mut found) = (scene.call, locate::method(scene, Missing::Method)?);
    let text = |name: &str| call.text(name).filter(|t| !t.is_empty()).map(str::to_owned);
    let skip = call.object("tlsConfig").and_then(|t| t.get("insecureSkipVerification")).and_then(Value::as_bool);
    let kind = IntegrationType::from(call.label("type"));
    let mut integration = Integration {
        http_method: text("integrationHttpMethod").filter(|_| kind != IntegrationType::Mock),
        kind,
        uri: text("uri"),
        connection_type: call.text("connectionType").map(ConnectionType::from),
        connection_id: text("connectionId"),
        credentials: text("credentials"),
        request_parameters: call.text_map("requestParameters").unwrap_or_default(),
        request_templates: call.nullable_map("requestTemplates").unwrap_or_default(),
        content_handling: call.text("contentHandling").map(ContentHandling::from),
        cache_namespace: text("cacheNamespace"),
        cache_key_parameters: call.texts("cacheKeyParameters").unwrap_or_default(),
        tls_config: skip.map(|s| TlsConfig { insecure_skip_verification: Some(s), ..TlsConfig::default() }),
        response_transfer_mode: call.text("responseTransferMode").map(ResponseTransferMode::from),
        integration_target: text("integrationTarget"),
        ..Integration::default()
    };
    check(&integration, &found.method)?;
    check_link(scene, &integration)?;
    integration.passthrough_behavior = passthrough(text("passthroughBehavior").as_deref())?;
    if let Some(asked) = call.number("timeoutInMillis") {
        let most = most_ms(&integration, scene.quotas.integration_timeout_ms);
        integration.timeout_in_millis = Some(timeout(Some(asked), most)?);
    }
    let reply = Reply::json(show(&integration, &found.resource_id));
    found.method.method_integration = Some(integration);
    Ok((found.stored(), reply))
}

/// What API Gateway asks of an integration as a whole.
pub(super) fn check(integration: &Integration, method: &Method) -> Result<(), Fault> {
    let i = integration;
    if i.kind != IntegrationType::Mock && i.http_method.is_none() {
        return Err(Fault::bad_request("Enumeration value for HttpMethod must be non-empty"));
    }
    check_uri(&i.kind, i.uri.as_deref().unwrap_or_default())?;
    let declared = method.request_parameters.as_ref();
    for (target, source) in &i.request_parameters {
        mapping::check_target(target, "integration.request", &["path", "querystring", "header"])?;
        mapping::check_request_source(source, declared)?;
    }
    mapping::check_media_types(i.request_templates.keys())?;
    i.request_templates.values().flatten().try_for_each(|text| sizes::text("requestTemplates", text))?;
    for parameter in &i.cache_key_parameters {
        if !parameter.starts_with("integration.request.") {
            mapping::check_request_source(parameter, declared)?;
        }
    }
    Ok(())
}

/// A private integration names a link of the account, or the stage variable that will name one.
fn check_link(scene: &Scene<'_>, integration: &Integration) -> Result<(), Fault> {
    if integration.connection_type != Some(ConnectionType::VpcLink) {
        return Ok(());
    }
    let Some(id) = &integration.connection_id else {
        return Err(Fault::bad_request("ConnectionId must be set to vpcLinkId for ConnectionType VPC_LINK"));
    };
    let there = scene.world.row(&scene.call.region_scope(), Table::VpcLink, id).is_some();
    if there || id.contains("${stageVariables.") { Ok(()) } else { Err(Fault::bad_request(vpc_link::MISSING)) }
}

fn check_uri(kind: &IntegrationType, uri: &str) -> Result<(), Fault> {
    let bad = |text: &str| Err(Fault::bad_request(text));
    match kind {
        IntegrationType::Http | IntegrationType::HttpProxy => {
            let rest = uri.strip_prefix("http://").or_else(|| uri.strip_prefix("https://"));
            let good = rest.is_some_and(|r| !r.is_empty() && !r.starts_with('/') && !r.contains(char::is_whitespace));
            if good { Ok(()) } else { bad("Invalid HTTP endpoint specified for URI") }
        }
        IntegrationType::Aws | IntegrationType::AwsProxy => {
            let parts: Vec<&str> = uri.splitn(6, ':').collect();
            let ["arn", _, "apigateway", _, service, target] = parts[..] else {
                return bad("Invalid ARN specified in the request");
            };
            if !target.starts_with("path/") && !target.starts_with("action/") {
                return bad("AWS ARN for integration must contain path or action");
            }
            if *kind == IntegrationType::AwsProxy && !matches!(service, "lambda" | "firehose") {
                return bad(
                    "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.",
                );
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn passthrough(text: Option<&str>) -> Result<Option<PassthroughBehavior>, Fault> {
    let refuse = || {
        Fault::bad_request(
            "Invalid passthroughBehavior specified. Valid options are WHEN_NO_MATCH,WHEN_NO_TEMPLATES,NEVER",
        )
    };
    text.map(|t| PassthroughBehavior::known(t).ok_or_else(refuse)).transpose()
}

/// The conversion that a step sets; an empty value clears it.
pub(super) fn content_handling(step: &Step) -> Result<Option<ContentHandling>, Fault> {
    let refuse =
        || Fault::bad_request("Invalid contentHandling specified. Valid options are CONVERT_TO_BINARY,CONVERT_TO_TEXT");
    step.cleared().map(|t| ContentHandling::known(&t).ok_or_else(refuse)).transpose()
}

fn connection_type(integration: &mut Integration, step: &Step, _: &Scene<'_>) -> Result<(), Fault> {
    let refuse = || Fault::bad_request("Invalid connectionType specified. Valid options are INTERNET,VPC_LINK");
    integration.connection_type = step.cleared().map(|t| ConnectionType::known(&t).ok_or_else(refuse)).transpose()?;
    if integration.connection_type == Some(ConnectionType::Internet) {
        integration.connection_id = None;
    }
    Ok(())
}

fn transfer_mode(integration: &mut Integration, step: &Step, _: &Scene<'_>) -> Result<(), Fault> {
    let refuse = || Fault::bad_request("Invalid responseTransferMode specified. Valid options are BUFFERED,STREAM");
    integration.response_transfer_mode =
        step.cleared().map(|t| ResponseTransferMode::known(&t).ok_or_else(refuse)).transpose()?;
    Ok(())
}

fn most_ms(integration: &Integration, quota: i32) -> i32 {
    let streamed = integration.response_transfer_mode == Some(ResponseTransferMode::Stream);
    if streamed { STREAM_TIMEOUT_MS } else { quota }
}

pub(super) fn timeout(asked: Option<i64>, most: i32) -> Result<i32, Fault> {
    let good = asked.filter(|ms| (LEAST_TIMEOUT_MS..=i64::from(most)).contains(ms));
    good.and_then(|ms| i32::try_from(ms).ok())
        .ok_or_else(|| Fault::bad_request(format!("Timeout should be between {LEAST_TIMEOUT_MS} ms and {most} ms")))
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let mut found = locate::method(scene, Missing::Integration)?;
    let resource_id = found.resource_id.clone();
    Ok((Ops::new(), Reply::json(show(found.integration()?, &resource_id))))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let mut found = locate::method(scene, Missing::Integration)?;
    let mut integration = found.integration()?.clone();
    let before = (integration.connection_type.clone(), integration.connection_id.clone());
    RULES.apply(&mut integration, scene)?;
    sizes::entries("requestParameters", integration.request_parameters.len())?;
    sizes::entries("requestTemplates", integration.request_templates.len())?;
    sizes::entries("cacheKeyParameters", integration.cache_key_parameters.len())?;
    check(&integration, &found.method)?;
    // One that a file brought keeps its link until somebody changes that.
    if before != (integration.connection_type.clone(), integration.connection_id.clone()) {
        check_link(scene, &integration)?;
    }
    let reply = Reply::json(show(&integration, &found.resource_id));
    found.method.method_integration = Some(integration);
    Ok((found.stored(), reply))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let mut found = locate::method(scene, Missing::Integration)?;
    found.integration()?;
    found.method.method_integration = None;
    Ok((found.stored(), Reply::empty()))
}

/// The targets of a map that the method response must declare.
pub(super) fn check_response_parameters(
    parameters: &BTreeMap<String, String>,
    declared: Option<&BTreeMap<String, bool>>,
) -> Result<(), Fault> {
    for (target, source) in parameters {
        mapping::check_declared(target, declared)?;
        mapping::check_response_source(source)?;
    }
    Ok(())
}
