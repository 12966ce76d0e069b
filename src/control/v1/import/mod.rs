//! ImportRestApi and PutRestApi: an OpenAPI file becomes an API's draft, whole or not at all.

mod draft;
mod tree;

use crate::catalog::v1::{EndpointConfiguration, EndpointType, IpAddressType, Resource, RestApi};
use crate::control::quotas;
use crate::control::v1::rest_api::{self, Tags, show};
use crate::control::{Call, Fault, Quotas, Reply, Scene, Verb, sizes};
use crate::spec::openapi::{self, BasePath, Document, Finding, ParseError, ReadOptions, Severity};
use crate::state::Ops;
use draft::Draft;

/// The operations on whole files. They take long: they run beside the lane, over the one API that they touch.
pub const OPERATIONS: &[Verb] = &[
    Verb::draft("ImportRestApi", import).slow(|_| Vec::new()),
    Verb::draft("PutRestApi", put).slow(|call| vec![call.api_scope()]),
];

/// Most warnings that an API keeps.
const MOST_WARNINGS: usize = 500;
/// Most errors that a refusal names.
const MOST_ERRORS: usize = 100;

fn parameter<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    call.object("parameters")?.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// What a file says, and what it asks for in vain.
fn document(call: &Call, api_id: &str) -> Result<(Document, Vec<String>), Fault> {
    let file = openapi::parse(&call.body).map_err(|error| match error {
        ParseError::Syntax(_) => Fault::bad_request("Invalid OpenAPI input."),
        ParseError::TooLong { .. } => Fault::new("RequestEntityTooLargeException", 413, sentence(&error)),
        limit => Fault::bad_request(format!("Invalid OpenAPI input. {limit}")),
    })?;
    let base_path = match parameter(call, "basepath") {
        None => BasePath::Ignore,
        Some(word) => BasePath::known(word).ok_or_else(|| {
            Fault::bad_request("Invalid basepath parameter specified. Valid options are ignore,prepend,split")
        })?,
    };
    let options = ReadOptions {
        api_id: api_id.to_owned(),
        region: call.region.to_string(),
        account: call.account.to_string(),
        base_path,
        ignore_documentation: parameter(call, "ignore")
            .is_some_and(|what| what.split(',').any(|w| w == "documentation")),
    };
    let reading = openapi::read(&file, &options);
    let of = |severity| reading.findings.iter().filter(move |finding: &&Finding| finding.severity == severity);
    // A file that does not say what it is is no OpenAPI at all.
    if of(Severity::Error).any(|finding| finding.pointer.is_empty()) {
        return Err(Fault::bad_request("Invalid OpenAPI input."));
    }
    refuse("Errors", of(Severity::Error).map(ToString::to_string).collect())?;
    let warnings: Vec<String> = of(Severity::Warning).map(ToString::to_string).collect();
    if call.flag("failOnWarnings").unwrap_or_default() {
        refuse("Warnings", warnings.clone())?;
    }
    Ok((reading.document, warnings))
}

fn sentence(error: &ParseError) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Refuses for everything that is wrong at once.
fn refuse(what: &str, mut found: Vec<String>) -> Result<(), Fault> {
    if found.is_empty() {
        return Ok(());
    }
    let rest = found.len().saturating_sub(MOST_ERRORS);
    found.truncate(MOST_ERRORS);
    if rest > 0 {
        found.push(format!("and {rest} more"));
    }
    Err(Fault::bad_request(format!("{what} found during import:\n\t{}", found.join("\n\t"))))
}

/// What a file says of the API itself. `keep`: lists grow instead of being replaced.
fn describe(
    scene: &Scene<'_>,
    api: &mut RestApi,
    document: &Document,
    mut warnings: Vec<String>,
    keep: bool,
) -> Result<(), Fault> {
    for (member, given) in [
        ("name", Some(&document.title)),
        ("description", document.description.as_ref()),
        ("version", document.version.as_ref()),
    ] {
        given.map_or(Ok(()), |given| sizes::text(member, given))?;
    }
    if let Some(word) = &document.security_policy {
        rest_api::known_word("securityPolicy", word)?;
    }
    api.name.clone_from(&document.title);
    api.description.clone_from(&document.description);
    api.version.clone_from(&document.version);
    warnings.truncate(MOST_WARNINGS);
    api.warnings = warnings;
    if !keep {
        api.binary_media_types.clear();
    }
    for media_type in document.binary_media_types.iter().flatten() {
        if !api.binary_media_types.contains(media_type) {
            api.binary_media_types.push(media_type.clone());
        }
    }
    // What protects an API does not go because a file says nothing of it.
    let old = std::mem::take(&mut api.policy);
    api.policy =
        rest_api::policy(document.policy.as_deref(), scene.quotas.policy_chars, Some(&rest_api::arn(scene, &api.id)))?
            .or(old);
    api.minimum_compression_size = document.minimum_compression_size.or(api.minimum_compression_size);
    api.api_key_source = document.api_key_source.clone().or(api.api_key_source.take());
    api.security_policy = document.security_policy.clone().or(api.security_policy.take());
    api.endpoint_access_mode = document.endpoint_access_mode.clone().or(api.endpoint_access_mode.take());
    if let Some(disabled) = document.disable_execute_api_endpoint {
        api.disable_execute_api_endpoint = disabled;
    }
    if let Some(ids) = &document.vpc_endpoint_ids {
        api.endpoint_configuration.vpc_endpoint_ids.clone_from(ids);
    }
    api.tags.extend(document.tags.clone());
    super::tags::check(&api.tags)
}

fn import(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let (call, mut mint) = (scene.call, scene.mint());
    let mut id = mint.lower(10);
    while scene.world.api_scope(&id).is_some() {
        id = mint.lower(10);
    }
    let (document, warnings) = document(call, &id)?;
    let root = Resource { id: mint.lower(10), path: "/".to_owned(), ..Resource::default() };
    let mut api = RestApi {
        root_resource_id: root.id.clone(),
        id,
        endpoint_configuration: endpoint(call)?,
        created_date_ms: scene.stamp.time_ms,
        ..RestApi::default()
    };
    for kind in &api.endpoint_configuration.types {
        quotas::room_for_api(scene, kind)?;
    }
    describe(scene, &mut api, &document, warnings, false)?;
    let mut draft = Draft::new(root, mint, scene.quotas);
    draft.take(&document);
    refuse("Errors", draft.errors.iter().map(ToString::to_string).collect())?;
    draft.fits()?;
    let scope = call.scope_of(&api.id);
    let mut ops = draft.ops(&scope);
    ops.put(&scope, &api.id, &api);
    Ok((ops, Reply::json(show(&api, Tags::Given))))
}

fn put(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let call = scene.call;
    let (scope, mut api) = rest_api::find(scene)?;
    let overwrite = call.text("mode") == Some("overwrite");
    let (document, warnings) = document(call, &api.id)?;
    describe(scene, &mut api, &document, warnings, !overwrite)?;
    let mut draft = Draft::of(&scene.world.tree(&scope), &api.root_resource_id, scene.mint(), scene.quotas)?;
    if overwrite {
        draft.forget();
    }
    draft.take(&document);
    refuse("Errors", draft.errors.iter().map(ToString::to_string).collect())?;
    draft.fits()?;
    let mut ops = draft.ops(&scope);
    ops.put(&scope, &api.id, &api);
    Ok((ops, Reply::json(show(&api, Tags::Always))))
}

/// Everything that an import of a file as a new API would say, before anything changes: in the order of the file's reading.
///
/// # Errors
/// For a file that cannot be read at all.
pub fn judge(file: &[u8], base_path: BasePath) -> Result<Vec<Finding>, ParseError> {
    let file = openapi::parse(file)?;
    let options = ReadOptions {
        api_id: "a1b2c3d4e5".to_owned(),
        region: "us-east-1".to_owned(),
        account: "000000000000".to_owned(),
        base_path,
        ..ReadOptions::default()
    };
    let reading = openapi::read(&file, &options);
    let root = Resource { id: "root".to_owned(), path: "/".to_owned(), ..Resource::default() };
    let mut draft = Draft::new(root, crate::catalog::Mint::new([0; 16]), Quotas::GENEROUS);
    draft.take(&reading.document);
    Ok(reading.findings.into_iter().chain(draft.errors).collect())
}

/// How a new API is reached: by what the call's parameters say.
fn endpoint(call: &Call) -> Result<EndpointConfiguration, Fault> {
    let word = parameter(call, "endpointConfigurationTypes").unwrap_or("EDGE");
    let known = EndpointType::known(word);
    let text = "Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE";
    let mut configuration = EndpointConfiguration {
        types: vec![known.ok_or_else(|| Fault::bad_request(text))?],
        ..EndpointConfiguration::default()
    };
    let private = rest_api::is_private(&configuration);
    configuration.ip_address_type = Some(if private { IpAddressType::Dualstack } else { IpAddressType::Ipv4 });
    let ids = parameter(call, "vpcEndpointIds").unwrap_or_default();
    configuration.vpc_endpoint_ids = ids.split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect();
    Ok(configuration)
}
