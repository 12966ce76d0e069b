//! What an API has and no documentation part is about.

use crate::catalog::v1::{
    Authorizer, DocumentationPart, DocumentationPartLocation as Location, DocumentationPartType as Type, Method, Model,
    Resource,
};
use crate::control::Fault;
use crate::state::Tree;
use std::collections::BTreeMap;

/// The locations without a part, as parts without id and properties, in a stable order.
///
/// # Errors
/// When a row cannot be read.
pub(super) fn of(
    tree: &Tree,
    known: &[(String, DocumentationPart)],
) -> Result<Vec<(String, DocumentationPart)>, Fault> {
    let mut all = vec![Location { kind: Type::Api, ..Location::default() }];
    for (name, _) in tree.list::<Model>("")? {
        all.push(Location { kind: Type::Model, name: Some(name), ..Location::default() });
    }
    for (_, authorizer) in tree.list::<Authorizer>("")? {
        all.push(Location { kind: Type::Authorizer, name: Some(authorizer.name), ..Location::default() });
    }
    let mut paths = BTreeMap::new();
    for (id, resource) in tree.list::<Resource>("")? {
        all.push(Location { kind: Type::Resource, path: Some(resource.path.clone()), ..Location::default() });
        paths.insert(id, resource.path);
    }
    for (id, method) in tree.list::<Method>("")? {
        if let Some(path) = paths.get(id.split('/').next().unwrap_or_default()) {
            of_method(path, &method, &mut all);
        }
    }
    let open = all.into_iter().filter(|location| !known.iter().any(|(_, part)| part.location == *location));
    let mut open: Vec<(String, DocumentationPart)> =
        open.map(|location| (super::location::words(&location), part(location))).collect();
    open.sort_by(|(one, _), (other, _)| one.cmp(other));
    open.dedup_by(|(one, _), (other, _)| one == other);
    Ok(open)
}

fn part(location: Location) -> DocumentationPart {
    DocumentationPart { location, ..DocumentationPart::default() }
}

fn of_method(path: &str, method: &Method, all: &mut Vec<Location>) {
    let of = |kind: Type, name: Option<&str>, status: Option<&str>| Location {
        kind,
        path: Some(path.to_owned()),
        method: Some(method.http_method.clone()),
        status_code: status.map(str::to_owned),
        name: name.map(str::to_owned),
        ..Location::default()
    };
    all.push(of(Type::Method, None, None));
    for parameter in method.request_parameters.iter().flat_map(BTreeMap::keys) {
        let Some((place, name)) = parameter.strip_prefix("method.request.").and_then(|rest| rest.split_once('.'))
        else {
            continue;
        };
        let kind = match place {
            "path" => Type::PathParameter,
            "querystring" => Type::QueryParameter,
            _ => Type::RequestHeader,
        };
        all.push(of(kind, Some(name), None));
    }
    if method.request_models.as_ref().is_some_and(|models| !models.is_empty()) {
        all.push(of(Type::RequestBody, None, None));
    }
    for (code, response) in &method.method_responses {
        all.push(of(Type::Response, None, Some(code)));
        for header in response.response_parameters.iter().flat_map(BTreeMap::keys) {
            let name = header.strip_prefix("method.response.header.").unwrap_or(header);
            all.push(of(Type::ResponseHeader, Some(name), Some(code)));
        }
        if response.response_models.as_ref().is_some_and(|models| !models.is_empty()) {
            all.push(of(Type::ResponseBody, None, Some(code)));
        }
    }
}
