//! What can be deployed and will yet fail when it is called: at AWS a 500 at run time, here said beforehand.

use super::ServingPlan;
use super::flaw::Flaw;
use super::gateway_response;
use super::method::{Backend, MethodPlan};
use super::template::MockTemplate;
use super::validation::Validation;
use crate::catalog::Table;
use crate::catalog::v1::{
    GatewayResponse, Integration, IntegrationType, Method, Resource, ResponseTransferMode, Stage,
};
use crate::state::Tree;
use std::collections::{BTreeMap, BTreeSet};

/// Every doubt about a draft at a stage, by path and verb. `plan` is what it compiles to, where it does:
/// its methods that this version cannot serve are named too.
pub fn warnings(tree: &Tree, stage: &Stage, plan: Option<&ServingPlan>) -> Vec<Flaw> {
    // Rows that cannot be read are flaws, not warnings.
    let resources: BTreeMap<String, Resource> = tree.list("").unwrap_or_default().into_iter().collect();
    let mut found = Vec::new();
    let rows = tree.list::<Method>("").unwrap_or_default();
    let of = |id: &str| resources.get(id.split('/').next().unwrap_or_default());
    let mut methods: Vec<_> = rows.into_iter().filter_map(|(id, row)| Some((of(&id)?, row))).collect();
    methods.sort_by(|(a, one), (b, other)| (&a.path, &one.http_method).cmp(&(&b.path, &other.http_method)));
    for (resource, row) in methods {
        let place = format!("{} {}", row.http_method, resource.path);
        let mut say = |what: String| found.push(Flaw::new(&place, what));
        named(tree, &row, &mut say);
        if let Some(integration) = &row.method_integration {
            answers(&row, integration, &mut say);
            asks(resource, integration, stage, &mut say);
        }
        let planned = plan.and_then(|plan| {
            plan.methods.iter().find(|m| *m.resource_id == *resource.id && *m.verb == *row.http_method)
        });
        for (media, flaw) in planned.map(MethodPlan::template_flaws).unwrap_or_default() {
            say(format!("its template for {media} cannot be read: {flaw}: it is answered 500"));
        }
        for flaw in planned.and_then(|m| m.validation.as_ref()).into_iter().flat_map(Validation::flaws) {
            say(format!("its model cannot validate: {flaw}: it is answered 500"));
        }
        if let Some(Backend::AwsProxy(aws) | Backend::Aws(aws)) = planned.map(|method| &method.backend)
            && let Err(why) = &aws.service
        {
            say(format!("{why}: it is answered 500"));
        }
        if let Some(what) = planned.and_then(unbuilt) {
            say(format!("{what} are not built yet: it is answered 501"));
        }
    }
    for (kind, row) in tree.list::<GatewayResponse>("").unwrap_or_default() {
        gateway_response::doubts(&kind, &row, &mut |doubt| found.push(doubt));
    }
    if plan.is_some_and(|plan| plan.has_policy) {
        found.push(Flaw::new("API", "resource policies are not built yet: every call is answered 501"));
    }
    found
}

/// What this version cannot do for a method.
fn unbuilt(method: &MethodPlan) -> Option<String> {
    if let Some(kind) = &method.unbuilt_authorization {
        return Some(format!("{kind} authorizations"));
    }
    match &method.backend {
        Backend::Unbuilt(what) if !what.is_empty() => Some(what.to_string()),
        _ => None,
    }
}

/// Things that the method names and that are gone.
fn named(tree: &Tree, row: &Method, say: &mut impl FnMut(String)) {
    if let Some(id) = row.authorizer_id.as_deref().filter(|id| tree.row(Table::Authorizer, id).is_none()) {
        say(format!("its authorizer {id} does not exist: it is answered 500"));
    }
    if let Some(id) = row.request_validator_id.as_deref().filter(|id| tree.row(Table::RequestValidator, id).is_none()) {
        say(format!("its request validator {id} does not exist: it is answered 500"));
    }
    let responses = row.method_responses.values().filter_map(|r| r.response_models.as_ref());
    let models: BTreeSet<&String> = row.request_models.iter().chain(responses).flat_map(BTreeMap::values).collect();
    for model in models.into_iter().filter(|name| tree.row(Table::Model, name).is_none()) {
        say(format!("its model {model} does not exist"));
    }
}

fn passes_answers(kind: &IntegrationType) -> bool {
    matches!(kind, IntegrationType::HttpProxy | IntegrationType::AwsProxy)
}

/// Whether every answer of the backend finds a response (data-plane §7).
fn answers(row: &Method, integration: &Integration, say: &mut impl FnMut(String)) {
    if passes_answers(&integration.kind) {
        return;
    }
    if integration.integration_responses.is_empty() {
        return say("it has no integration response: every call is answered 500".to_owned());
    }
    let mut by_pattern: BTreeMap<&str, &str> = BTreeMap::new();
    for (code, response) in &integration.integration_responses {
        let pattern = response.selection_pattern.as_deref().unwrap_or_default();
        match by_pattern.get(pattern) {
            Some(first) => {
                say(format!("integration response {code} has the selection pattern of {first}: it never answers"))
            }
            None => drop(by_pattern.insert(pattern, code)),
        }
        if !row.method_responses.contains_key(code) {
            say(format!("integration response {code} has no method response {code}: it is answered 500"));
        }
    }
    if !by_pattern.contains_key("") {
        say("it has no default integration response: an answer that no selection pattern fits is answered 500"
            .to_owned());
    }
}

/// Whether the backend can be asked: its address, and what is mapped into it.
fn asks(resource: &Resource, integration: &Integration, stage: &Stage, say: &mut impl FnMut(String)) {
    let streamed = matches!(integration.response_transfer_mode, Some(ResponseTransferMode::Stream));
    if streamed && !passes_answers(&integration.kind) {
        say("its responseTransferMode is STREAM, which only HTTP_PROXY and AWS_PROXY can do: it is BUFFERED".to_owned());
    }
    if matches!(integration.kind, IntegrationType::Mock) {
        for (media, text) in &integration.request_templates {
            let text = text.as_deref().unwrap_or_default();
            if matches!(MockTemplate::of(text), MockTemplate::Status(None)) {
                say(format!("the request template of {media} names no statusCode: it is answered 500"));
            }
        }
    }
    let uri = integration.uri.as_deref().unwrap_or_default();
    let texts = [uri, integration.credentials.as_deref().unwrap_or_default()];
    // Without a stage nobody knows what its variables will be.
    let missing = |name: &str| {
        !stage.stage_name.is_empty() && !stage.variables.as_ref().is_some_and(|variables| variables.contains_key(name))
    };
    for name in texts.iter().flat_map(|text| stage_variables(text)).filter(|name| missing(name)) {
        say(format!("the stage has no variable {name}, which its integration names"));
    }
    for name in braces(uri) {
        if !integration.request_parameters.contains_key(&format!("integration.request.path.{name}")) {
            say(format!("nothing is mapped to {{{name}}} of its URI"));
        }
    }
    for (target, source) in &integration.request_parameters {
        if let Some(name) = source.strip_prefix("method.request.path.") {
            let there = braces(&resource.path).any(|known| known.trim_end_matches('+') == name);
            if !there {
                say(format!("{target} is mapped from the path parameter {name}, which the path does not have"));
            }
        }
        if let Some(name) = source.strip_prefix("stageVariables.").filter(|name| missing(name)) {
            say(format!("{target} is mapped from the stage variable {name}, which the stage does not have"));
        }
    }
}

/// The names in `${stageVariables.name}`.
fn stage_variables(text: &str) -> impl Iterator<Item = &str> {
    text.split("${stageVariables.").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

/// The names in `{name}`, but for those of `${…}`.
fn braces(text: &str) -> impl Iterator<Item = &str> {
    let pairs = text.match_indices('{').filter(|(at, _)| !text[..*at].ends_with('$'));
    pairs.filter_map(|(at, _)| Some(text[at + 1..].split_once('}')?.0))
}
