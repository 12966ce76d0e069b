//! GetExport: what a stage serves, as an OpenAPI file.

use std::collections::BTreeMap;

use crate::catalog::Mint;
use crate::catalog::v1::{
    Authorizer, DocumentationPart, DocumentationVersion, GatewayResponse, Method, Model, RequestValidator, Resource,
    RestApi, Stage,
};
use crate::control::v1::{model, rest_api, stage};
use crate::control::{Call, Fault, Reply, Scene, Verb};
use crate::spec::openapi::{self, Dialect, Document, Path, WriteOptions};
use crate::state::{Ops, Tree};

/// The operation of this noun.
pub const OPERATIONS: &[Verb] = &[Verb::read("GetExport", get)];

fn get(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let (scope, api) = rest_api::find(scene)?;
    let found = scene.world.get::<Stage>(&scope, call.label("stageName"))?;
    let stage = found.ok_or_else(|| Fault::not_found(stage::MISSING))?;
    let (dialect, word) = match call.label("exportType").to_ascii_lowercase().as_str() {
        "swagger" => (Dialect::Swagger, "swagger"),
        "oas30" => (Dialect::Oas30, "oas30"),
        other => {
            let shown: String = other.chars().take(64).collect();
            return Err(Fault::bad_request(format!(
                "Invalid export type specified: {shown}. Valid options are oas30,swagger"
            )));
        }
    };
    let tree = scene.world.frozen(&scope, &stage.deployment_id);
    let tree = tree.ok_or_else(|| Fault::not_found("Invalid Deployment identifier specified"))?;
    let mut document = document(&tree, api)?;
    let mut options = options(call, scene.domain, dialect, &stage);
    let version = stage.documentation_version.as_deref();
    let version = version.map(|name| scene.world.get::<DocumentationVersion>(&scope, name)).transpose()?.flatten();
    if let Some(version) = version {
        options.documentation = Some((version.version, iso(version.created_date_ms)));
        document.documentation = version.parts.into_iter().map(anonymous).collect();
    }
    let file = openapi::write(&document, &options);
    let yaml = call.text("accepts").is_some_and(|accept| accept.contains("yaml"));
    let body = if yaml { openapi::to_yaml(&file) } else { format!("{file:#}") };
    let version: String = document
        .version
        .iter()
        .flat_map(|v| v.chars())
        .filter(|c| c.is_ascii_graphic() && !"\"\\/".contains(*c))
        .collect();
    let ending = if yaml { "yaml" } else { "json" };
    let headers = vec![
        ("content-type".to_owned(), "application/octet-stream".to_owned()),
        ("content-disposition".to_owned(), format!("attachment; filename=\"{word}_{version}.{ending}\"")),
    ];
    Ok((Ops::new(), Reply { headers, body: body.into_bytes(), ..Reply::default() }))
}

fn options(call: &Call, domain: &str, dialect: Dialect, stage: &Stage) -> WriteOptions {
    let given = call.object("parameters").and_then(|parameters| parameters.get("extensions")).and_then(|v| v.as_str());
    let has = |wanted: &str| given.unwrap_or_default().split(',').any(|word| word.trim().eq_ignore_ascii_case(wanted));
    let all = has("apigateway");
    WriteOptions {
        dialect,
        integrations: all || has("integrations"),
        authorizers: all || has("authorizers"),
        gateway: all || has("integrations"),
        postman: has("postman").then(|| call.region.to_string()),
        host: format!("{}.execute-api.{}.{domain}", call.label("restApiId"), call.region),
        stage: stage.stage_name.clone(),
        documentation: None,
    }
}

/// A time of milliseconds since 1970, as ISO 8601 in UTC.
fn iso(time_ms: i64) -> String {
    let seconds = jiff::Timestamp::from_second(time_ms.div_euclid(1000)).unwrap_or_default();
    seconds.to_string()
}

/// What was frozen, in names instead of ids.
fn document(tree: &Tree, live: RestApi) -> Result<Document, Fault> {
    let api = tree.get::<RestApi>(&live.id)?.unwrap_or(live);
    let authorizers: BTreeMap<String, Authorizer> = tree.list("")?.into_iter().collect();
    let validators: BTreeMap<String, RequestValidator> = tree.list("")?.into_iter().collect();
    let names: BTreeMap<&String, &String> = authorizers.iter().map(|(id, row)| (id, &row.name)).collect();
    let rule_names: BTreeMap<&String, String> = validators.iter().map(|(id, row)| (id, named(id, row))).collect();
    let mut models: Vec<Model> = tree.list::<Model>("")?.into_iter().map(|(_, row)| row).collect();
    let kinds = models.iter().map(|model| (model.name.clone(), is_json(&model.content_type))).collect();
    let mut paths = Vec::new();
    for (id, resource) in tree.list::<Resource>("")? {
        let mut path = Path { path: resource.path, ..Path::default() };
        for (_, mut method) in tree.list::<Method>(&Method::row_id(&id, ""))? {
            method.authorizer_id = method.authorizer_id.and_then(|id| names.get(&id).map(|name| (*name).clone()));
            method.request_validator_id = method.request_validator_id.and_then(|id| rule_names.get(&id).cloned());
            if let Some(integration) = &mut method.method_integration {
                integration.cache_namespace.take_if(|namespace| *namespace == id);
            }
            check_bodies(&path.path, &method, &kinds)?;
            path.methods.push(method);
        }
        paths.push(path);
    }
    // By name, not by id: another API with the same content is exported alike.
    let mut authorizers: Vec<Authorizer> = authorizers.into_values().collect();
    authorizers.sort_by(|a, b| a.name.cmp(&b.name));
    let named_row = |(id, row): (String, RequestValidator)| RequestValidator { name: Some(named(&id, &row)), ..row };
    let mut validators: Vec<RequestValidator> = validators.into_iter().map(named_row).collect();
    validators.sort_by(|a, b| a.name.cmp(&b.name));
    complete(&mut models, &paths);
    models.retain(|model| is_json(&model.content_type));
    Ok(Document {
        title: api.name,
        version: Some(api.version.unwrap_or_else(|| iso(api.created_date_ms))),
        description: api.description,
        paths,
        models,
        authorizers,
        validators,
        gateway_responses: tree.list::<GatewayResponse>("")?.into_iter().map(|(_, row)| row).collect(),
        binary_media_types: Some(api.binary_media_types),
        minimum_compression_size: api.minimum_compression_size,
        policy: api.policy,
        api_key_source: api.api_key_source,
        disable_execute_api_endpoint: Some(api.disable_execute_api_endpoint),
        vpc_endpoint_ids: Some(api.endpoint_configuration.vpc_endpoint_ids),
        security_policy: api.security_policy,
        endpoint_access_mode: api.endpoint_access_mode,
        documentation: Vec::new(),
        tags: api.tags,
    })
}

/// A validator's name; one without is called by its id.
fn named(id: &str, validator: &RequestValidator) -> String {
    validator.name.clone().unwrap_or_else(|| id.to_owned())
}

fn is_json(content_type: &str) -> bool {
    content_type.is_empty() || content_type.starts_with("application/json")
}

/// A body whose models are all of other media types cannot be said in OpenAPI.
/// `kinds`: whether a model is of JSON.
fn check_bodies(path: &str, method: &Method, kinds: &BTreeMap<String, bool>) -> Result<(), Fault> {
    let bodies = method.method_responses.values().filter_map(|response| response.response_models.as_ref());
    for body in method.request_models.iter().chain(bodies).filter(|body| !body.is_empty()) {
        let of_json = |name: &String| kinds.get(name).is_none_or(|json| *json);
        if !body.values().any(of_json) {
            let text = format!("Only found non-JSON body models for {} {path}", method.http_method);
            return Err(Fault::bad_request(text));
        }
    }
    Ok(())
}

/// Every API has `Empty` and `Error`, whether it keeps rows of them or not.
fn complete(models: &mut Vec<Model>, paths: &[Path]) {
    let methods = paths.iter().flat_map(|path| &path.methods);
    let bodies = methods.flat_map(|method| {
        let answers = method.method_responses.values().filter_map(|response| response.response_models.as_ref());
        method.request_models.iter().chain(answers).flat_map(BTreeMap::values)
    });
    let used: std::collections::BTreeSet<&String> = bodies.collect();
    // Their ids are not shown.
    for default in model::defaults(&mut Mint::new([0; 16])) {
        if used.contains(&default.name) && !models.iter().any(|model| model.name == default.name) {
            models.push(default);
        }
    }
    models.sort_by(|a, b| a.name.cmp(&b.name));
}

fn anonymous(part: DocumentationPart) -> DocumentationPart {
    DocumentationPart { id: String::new(), ..part }
}
