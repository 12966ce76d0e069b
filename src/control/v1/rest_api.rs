//! RestApi: create (also from another one), get, list, update, delete.

use serde_json::{Map, Value};

use crate::catalog::v1::{
    ApiKeySource, EndpointConfiguration, EndpointType, IpAddressType, Method, Model, Resource, RestApi, UsagePlan,
};
use crate::catalog::{Noun, Table};
use crate::control::model;
use crate::control::page;
use crate::control::patch::{Op, Rule, Rules, Step, Style, bad_path};
use crate::control::quotas;
use crate::control::render::{Object, texts};
use crate::control::{Fault, Reply, Scene, Verb, sizes};
use crate::state::{self, Ops, Scope};

/// The operations of this noun.
pub const OPERATIONS: &[Verb] = &[
    Verb::draft("CreateRestApi", create),
    Verb::read("GetRestApi", get),
    Verb::read("GetRestApis", list),
    Verb::draft("UpdateRestApi", update),
    Verb::serving("DeleteRestApi", delete),
];

/// What may be changed, and how.
pub const RULES: Rules<RestApi> = Rules {
    style: Style::Plain,
    rules: &[
        Rule { path: "/name", ops: &[Op::Replace], apply: rename },
        Rule {
            path: "/description",
            ops: &[Op::Replace, Op::Remove],
            apply: |api, step, _| {
                api.description = step.cleared().filter(|_| step.op == Op::Replace);
                Ok(())
            },
        },
        Rule {
            path: "/version",
            ops: &[Op::Replace],
            apply: |api, step, _| {
                api.version = step.cleared();
                Ok(())
            },
        },
        Rule { path: "/apiKeySource", ops: &[Op::Replace], apply: key_source },
        Rule {
            path: "/policy",
            ops: &[Op::Replace],
            apply: |api, step, scene| {
                api.policy = policy(step.value.as_deref(), scene.quotas.policy_chars, Some(&arn(scene, &api.id)))?;
                Ok(())
            },
        },
        Rule {
            path: "/disableExecuteApiEndpoint",
            ops: &[Op::Replace],
            apply: |api, step, _| {
                api.disable_execute_api_endpoint = step.flag();
                Ok(())
            },
        },
        Rule {
            path: "/securityPolicy",
            ops: &[Op::Replace],
            apply: |api, step, _| {
                api.security_policy = one_of("securityPolicy", step)?;
                Ok(())
            },
        },
        Rule {
            path: "/endpointAccessMode",
            ops: &[Op::Replace],
            apply: |api, step, _| {
                api.endpoint_access_mode = one_of("endpointAccessMode", step)?;
                Ok(())
            },
        },
        Rule { path: "/minimumCompressionSize", ops: &[Op::Replace], apply: compression },
        Rule { path: "/binaryMediaTypes/{}", ops: &[Op::Add, Op::Remove, Op::Replace], apply: media_type },
        // Every operation comes in: this path words its refusal in its own way.
        Rule {
            path: "/endpointConfiguration/types/{}",
            ops: &[Op::Add, Op::Remove, Op::Replace, Op::Copy, Op::Move, Op::Test],
            apply: endpoint_type,
        },
        Rule {
            path: "/endpointConfiguration/ipAddressType",
            ops: &[Op::Replace],
            apply: |api, step, _| {
                let configuration = &mut api.endpoint_configuration;
                configuration.ip_address_type = Some(ip_type(step.text(), configuration)?);
                Ok(())
            },
        },
        Rule { path: "/endpointConfiguration/vpcEndpointIds", ops: &[Op::Add, Op::Remove], apply: vpc_endpoint },
    ],
    other: None,
};

const MOST_COMPRESSION_BYTES: i64 = 10_485_760;

/// The API that the call's `restApiId` names.
///
/// # Errors
/// NotFound in the words of calls on the API itself.
pub fn find(scene: &Scene<'_>) -> Result<(Scope, RestApi), Fault> {
    let (call, id) = (scene.call, scene.call.label("restApiId"));
    let scope = call.scope_of(id);
    match scene.world.get::<RestApi>(&scope, id)? {
        Some(api) => Ok((scope, api)),
        None => Err(missing(scene, id)),
    }
}

fn missing(scene: &Scene<'_>, id: &str) -> Fault {
    Fault::not_found(format!("Invalid API identifier specified {}:{id}", scene.call.account))
}

/// How tags are shown: always (empty too), or only when there are some.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tags {
    Always,
    Given,
}

pub(super) fn show(api: &RestApi, tags: Tags) -> Object {
    let source = api.api_key_source.as_ref().map_or("HEADER", ApiKeySource::as_str);
    let object = Object::new()
        .set("id", api.id.as_str())
        .set("name", api.name.as_str())
        .maybe("description", api.description.as_deref())
        .time("createdDate", api.created_date_ms)
        .maybe("version", api.version.as_deref())
        .list("warnings", &api.warnings)
        .list("binaryMediaTypes", &api.binary_media_types)
        .maybe("minimumCompressionSize", api.minimum_compression_size)
        .set("apiKeySource", source)
        .set("endpointConfiguration", show_endpoint(&api.endpoint_configuration))
        .maybe("policy", api.policy.as_deref().map(escaped))
        .set("disableExecuteApiEndpoint", api.disable_execute_api_endpoint)
        .set("rootResourceId", api.root_resource_id.as_str())
        .maybe("securityPolicy", api.security_policy.as_deref())
        .maybe("endpointAccessMode", api.endpoint_access_mode.as_deref())
        .maybe("apiStatus", api.api_status.as_deref())
        .maybe("apiStatusMessage", api.api_status_message.as_deref());
    if tags == Tags::Always { object.set("tags", texts(&api.tags)) } else { object.map("tags", &api.tags) }
}

/// An endpoint configuration, as an API and a domain name show theirs.
pub(super) fn show_endpoint(configuration: &EndpointConfiguration) -> Object {
    let types: Vec<String> = configuration.types.iter().map(ToString::to_string).collect();
    Object::new()
        .set("types", types)
        .maybe("ipAddressType", configuration.ip_address_type.as_ref().map(IpAddressType::as_str))
        .list("vpcEndpointIds", &configuration.vpc_endpoint_ids)
}

/// A policy as API Gateway shows it: JSON text whose quotes and slashes are escaped once more.
pub(super) fn escaped(policy: &str) -> String {
    let quoted = Value::from(policy).to_string();
    quoted[1..quoted.len() - 1].replace('/', "\\/")
}

fn create(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (call, mut mint) = (scene.call, scene.mint());
    let base = source(scene)?;
    let mut api = base.as_ref().map(|(_, api)| api.clone()).unwrap_or_default();
    let old = std::mem::replace(&mut api.id, mint.lower(10));
    while scene.world.api_scope(&api.id).is_some() {
        api.id = mint.lower(10);
    }
    // A clone's policy is about the clone.
    api.policy = api.policy.map(|text| text.replace(&arn(scene, &old), &arn(scene, &api.id)));
    api.name = name(call.label("name"))?;
    if call.text("description") == Some("") {
        return Err(Fault::bad_request("Description cannot be an empty string"));
    }
    let own = |given: Option<&str>, old: Option<String>| given.map(str::to_owned).or(old);
    api.description = own(call.text("description"), api.description);
    api.version = own(call.text("version"), api.version);
    api.security_policy = own(call.text("securityPolicy"), api.security_policy);
    api.endpoint_access_mode = own(call.text("endpointAccessMode"), api.endpoint_access_mode);
    if base.is_none() || call.object("endpointConfiguration").is_some() {
        api.endpoint_configuration = endpoint(call.object("endpointConfiguration"))?;
    }
    if let Some(size) = call.number("minimumCompressionSize") {
        api.minimum_compression_size = Some(compression_size(Some(size))?);
    }
    api.binary_media_types = call.texts("binaryMediaTypes").unwrap_or(api.binary_media_types);
    api.api_key_source = call.text("apiKeySource").map(ApiKeySource::from).or(api.api_key_source);
    if let Some(text) = call.text("policy") {
        api.policy = policy(Some(text), scene.quotas.policy_chars, Some(&arn(scene, &api.id)))?;
    }
    api.disable_execute_api_endpoint =
        call.flag("disableExecuteApiEndpoint").unwrap_or(api.disable_execute_api_endpoint);
    for kind in &api.endpoint_configuration.types {
        quotas::room_for_api(scene, kind)?;
    }
    api.tags = super::tags::of(call)?;
    api.created_date_ms = scene.stamp.time_ms;
    let mut ops = Ops::new();
    let scope = call.scope_of(&api.id);
    api.root_resource_id = match base {
        Some((from, base)) => clone_tree(scene, &from, &base, &scope, &mut mint, &mut ops)?,
        None => {
            let root = Resource { id: mint.lower(10), path: "/".to_owned(), ..Resource::default() };
            ops.put(&scope, &root.id, &root);
            for model in super::model::defaults(&mut mint) {
                ops.put(&scope, &model.name, &model);
            }
            root.id
        }
    };
    ops.put(&scope, &api.id, &api);
    Ok((ops, Reply::json(show(&api, Tags::Given))))
}

/// The API that `cloneFrom` names.
fn source(scene: &Scene<'_>) -> Result<Option<(Scope, RestApi)>, Fault> {
    let Some(id) = scene.call.text("cloneFrom").filter(|id| !id.is_empty()) else { return Ok(None) };
    let scope = scene.call.scope_of(id);
    let api = scene.world.get::<RestApi>(&scope, id)?;
    // The model of CreateRestApi has no NotFound.
    let api = api.ok_or_else(|| Fault::bad_request(missing(scene, id).message))?;
    Ok(Some((scope, api)))
}

/// Copies an API's draft under new resource ids; gives the id of the new root. Other parts keep their ids, which are the
/// API's own affair.
fn clone_tree(
    scene: &Scene<'_>,
    from: &Scope,
    base: &RestApi,
    to: &Scope,
    mint: &mut crate::catalog::Mint,
    ops: &mut Ops,
) -> Result<String, Fault> {
    let tree = scene.world.tree(from);
    let mut ids = std::collections::BTreeMap::new();
    for (id, _) in tree.list::<Resource>("")? {
        let length = if id == base.root_resource_id { 10 } else { 6 };
        ids.insert(id, mint.lower(length));
    }
    let renamed = |id: &str| ids.get(id).cloned().unwrap_or_else(|| id.to_owned());
    for (id, mut resource) in tree.list::<Resource>("")? {
        resource.id = renamed(&id);
        resource.parent_id = resource.parent_id.as_deref().map(renamed);
        ops.put(to, &resource.id, &resource);
    }
    for (id, method) in tree.list::<Method>("")? {
        let resource = id.split('/').next().unwrap_or_default();
        ops.put(to, &Method::row_id(&renamed(resource), &method.http_method), &method);
    }
    // Models name each other by the API's id.
    let (old, new) = (base.id.as_str(), to.api_id().map(|id| id.to_string()).unwrap_or_default());
    for (id, mut model) in tree.list::<Model>("")? {
        model.schema = model.schema.map(|text| super::model::rebased(&text, old, &new));
        ops.put(to, &id, &model);
    }
    let own = [RestApi::TABLE, Resource::TABLE, Method::TABLE, Model::TABLE].map(Table::number);
    let rest = tree.all().filter(|(key, _)| {
        let table = key.table_number();
        table < Table::FIRST_DELIVERY && !own.contains(&table)
    });
    for (key, row) in rest {
        let (table, id) = (key.table_number(), key.id().into());
        ops.0.push(state::Op::Put { scope: to.clone(), table, id, row: row.clone() });
    }
    Ok(renamed(&base.root_resource_id))
}

fn name(text: &str) -> Result<String, Fault> {
    if text.trim().is_empty() {
        return Err(Fault::bad_request("API name must be non-empty"));
    }
    Ok(text.to_owned())
}

/// The endpoint configuration of a create: EDGE where nothing is said.
pub(super) fn endpoint(given: Option<&Map<String, Value>>) -> Result<EndpointConfiguration, Fault> {
    let words = |name: &str| {
        let list = given?.get(name)?.as_array()?;
        Some(list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect::<Vec<_>>())
    };
    let types = words("types").unwrap_or_else(|| vec!["EDGE".to_owned()]);
    match types.len() {
        0 => return Err(Fault::bad_request("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.")),
        1 => {}
        _ => return Err(Fault::bad_request("Cannot create an api with multiple Endpoint Types.")),
    }
    let mut configuration = EndpointConfiguration {
        types: types.iter().map(|t| EndpointType::from(t.as_str())).collect(),
        vpc_endpoint_ids: words("vpcEndpointIds").unwrap_or_default(),
        ..EndpointConfiguration::default()
    };
    let asked = given.and_then(|g| g.get("ipAddressType")).and_then(Value::as_str);
    configuration.ip_address_type = Some(match asked {
        Some(text) => ip_type(text, &configuration)?,
        None if is_private(&configuration) => IpAddressType::Dualstack,
        None => IpAddressType::Ipv4,
    });
    Ok(configuration)
}

pub(super) fn is_private(configuration: &EndpointConfiguration) -> bool {
    configuration.types.contains(&EndpointType::Private)
}

pub(super) fn ip_type(text: &str, configuration: &EndpointConfiguration) -> Result<IpAddressType, Fault> {
    match IpAddressType::known(text) {
        None => Err(Fault::bad_request("ipAddressType must be either ipv4 or dualstack.")),
        Some(IpAddressType::Ipv4) if is_private(configuration) => {
            Err(Fault::bad_request("Only dualstack ipAddressType is supported for Private APIs."))
        }
        Some(kind) => Ok(kind),
    }
}

/// How policies name an API: what its methods' ARNs begin with.
pub(super) fn arn(scene: &Scene<'_>, id: &str) -> String {
    format!("arn:aws:execute-api:{}:{}:{id}", scene.call.region, scene.call.account)
}

/// A policy in one line, of so many characters at most; empty or absent clears it. Resources in the short form
/// `execute-api:/stage/METHOD/path` become whole ARNs of the API, where there is one.
pub(super) fn policy(text: Option<&str>, most: usize, api: Option<&str>) -> Result<Option<String>, Fault> {
    let Some(text) = text.filter(|t| !t.is_empty()) else { return Ok(None) };
    if text.chars().count() > most {
        return Err(Fault::limit_exceeded(format!("Policy exceeds the maximum size of {most} characters")));
    }
    let mut document: Value = serde_json::from_str(text).unwrap_or_default();
    if !document.is_object() {
        let text = "Invalid policy document. Please check the policy syntax and ensure that Principals are valid.";
        return Err(Fault::bad_request(text));
    }
    if let Some(api) = api {
        expand(&mut document, api);
    }
    Ok(Some(document.to_string()))
}

fn expand(document: &mut Value, api: &str) {
    let statements = document.get_mut("Statement").map(std::mem::take).unwrap_or_default();
    let whole = |value: Value| match value.as_str().and_then(|text| text.strip_prefix("execute-api:/")) {
        Some(rest) => Value::from(format!("{api}/{rest}")),
        None => value,
    };
    let one = |mut statement: Value| {
        for member in ["Resource", "NotResource"] {
            if let Some(named) = statement.get_mut(member) {
                *named = match std::mem::take(named) {
                    Value::Array(list) => list.into_iter().map(whole).collect(),
                    single => whole(single),
                };
            }
        }
        statement
    };
    let statements = match statements {
        Value::Array(list) => list.into_iter().map(one).collect(),
        Value::Null => return,
        single => one(single),
    };
    document["Statement"] = statements;
}

fn compression_size(size: Option<i64>) -> Result<i32, Fault> {
    let size = size.filter(|n| (0..=MOST_COMPRESSION_BYTES).contains(n)).and_then(|n| i32::try_from(n).ok());
    size.ok_or_else(|| Fault::bad_request("Invalid minimum compression size, must be between 0 and 10485760"))
}

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (_, api) = find(scene)?;
    Ok((Ops::new(), Reply::json(show(&api, Tags::Always))))
}

fn list(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let asked = page::asked(call)?;
    let ids = scene.world.apis_after(&call.account, &call.region, asked.after());
    let page = asked.cut(ids.map(|id| (id.to_string(), ())));
    let mut rows = Vec::new();
    for (id, ()) in page.rows {
        rows.extend(scene.world.get::<RestApi>(&call.scope_of(&id), &id)?.map(|api| (id, api)));
    }
    let page = page::Page { rows, position: page.position };
    Ok((Ops::new(), page.reply(|_, api| show(&api, Tags::Given))))
}

fn update(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, mut api) = find(scene)?;
    RULES.apply(&mut api, scene)?;
    sizes::entries("binaryMediaTypes", api.binary_media_types.len())?;
    sizes::entries("vpcEndpointIds", api.endpoint_configuration.vpc_endpoint_ids.len())?;
    let mut ops = Ops::new();
    ops.put(&scope, &api.id, &api);
    Ok((ops, Reply::json(show(&api, Tags::Always))))
}

fn delete(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (scope, api) = find(scene)?;
    for (plan, row) in scene.world.list::<UsagePlan>(&scene.call.region_scope(), "")? {
        if row.api_stages.iter().any(|stage| stage.api_id == api.id) {
            let text = format!("Cannot delete API {}: usage plan {plan} has stages of it; remove them first", api.id);
            return Err(Fault::bad_request(text));
        }
    }
    super::base_path_mapping::refuse_while_mapped(scene, &api.id, None)?;
    let mut ops = Ops::new();
    ops.drop_scope(&scope);
    Ok((ops, Reply::empty()))
}

fn rename(api: &mut RestApi, step: &Step, _: &Scene<'_>) -> Result<(), Fault> {
    api.name = name(step.text())?;
    Ok(())
}

fn key_source(api: &mut RestApi, step: &Step, _: &Scene<'_>) -> Result<(), Fault> {
    let known = ApiKeySource::known(step.text());
    let text = "Invalid API Key source specified. Valid options are HEADER,AUTHORIZER";
    api.api_key_source = Some(known.ok_or_else(|| Fault::bad_request(text))?);
    Ok(())
}

/// A word of the model, as a create takes it; an empty value clears it.
pub(super) fn one_of(member: &str, step: &Step) -> Result<Option<String>, Fault> {
    let word = step.cleared();
    word.as_deref().map_or(Ok(()), |word| known_word(member, word))?;
    Ok(word)
}

/// Whether a create would take a word for a member.
///
/// # Errors
/// BadRequest with the words that it takes.
pub(super) fn known_word(member: &str, word: &str) -> Result<(), Fault> {
    let words = model::words(model::Service::V1, "CreateRestApi", member);
    if words.contains(&word) {
        return Ok(());
    }
    Err(Fault::bad_request(format!("Invalid {member} specified. Valid options are {}", words.join(","))))
}

fn compression(api: &mut RestApi, step: &Step, _: &Scene<'_>) -> Result<(), Fault> {
    api.minimum_compression_size = match step.cleared() {
        Some(text) => Some(compression_size(text.parse().ok())?),
        None => None,
    };
    Ok(())
}

fn media_type(api: &mut RestApi, step: &Step, _: &Scene<'_>) -> Result<(), Fault> {
    let types = &mut api.binary_media_types;
    let at = types.iter().position(|t| t == step.key());
    if step.op == Op::Add {
        if at.is_none() {
            types.push(step.key().to_owned());
        }
        return Ok(());
    }
    types.remove(at.ok_or_else(|| Fault::not_found("Content-Type specified was not found"))?);
    if step.op == Op::Replace {
        let new =
            step.cleared().ok_or_else(|| Fault::bad_request("Invalid null or empty value in binaryMediaTypes"))?;
        types.retain(|t| *t != new);
        types.push(new);
    }
    Ok(())
}

fn endpoint_type(api: &mut RestApi, step: &Step, scene: &Scene<'_>) -> Result<(), Fault> {
    if step.op != Op::Replace {
        return Err(Fault::bad_request("Invalid patch operation specified. Must be 'add'|'remove'|'replace'"));
    }
    let configuration = &mut api.endpoint_configuration;
    if step.key() != "0" && !configuration.types.iter().any(|t| t.as_str() == step.key()) {
        return Err(bad_path(step));
    }
    let known = EndpointType::known(step.text());
    let text = "Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE";
    let known = known.ok_or_else(|| Fault::bad_request(text))?;
    if known == EndpointType::Edge && is_private(configuration) {
        return Err(Fault::bad_request("Cannot update endpoint from PRIVATE to EDGE"));
    }
    if !configuration.types.contains(&known) {
        quotas::room_for_api(scene, &known)?;
    }
    configuration.types = vec![known];
    if is_private(configuration) {
        configuration.ip_address_type = Some(IpAddressType::Dualstack);
    }
    Ok(())
}

fn vpc_endpoint(api: &mut RestApi, step: &Step, _: &Scene<'_>) -> Result<(), Fault> {
    let ids = &mut api.endpoint_configuration.vpc_endpoint_ids;
    let id = step.cleared().ok_or_else(|| Fault::bad_request("Invalid VPC endpoint id specified"))?;
    ids.retain(|known| *known != id);
    if step.op == Op::Add {
        ids.push(id);
    }
    Ok(())
}
