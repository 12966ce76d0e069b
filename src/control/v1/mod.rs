//! The nouns of the REST control plane (`apigateway`), one file each: operations, patch rules, guards, odd ones.

pub mod account;
pub mod api_key;
pub mod authorizer;
pub mod base_path_mapping;
pub mod client_certificate;
pub mod deployment;
pub mod diff;
pub mod documentation_part;
pub mod documentation_version;
pub mod domain_name;
pub mod domain_name_access_association;
pub mod export;
pub mod gateway_response;
pub mod import;
pub mod integration;
pub mod integration_response;
mod locate;
mod map_patch;
mod mapping;
pub mod method;
pub mod method_response;
pub mod model;
pub mod request_validator;
pub mod resource;
pub mod rest_api;
pub mod stage;
pub mod tags;
pub mod test_invoke;
pub mod usage;
pub mod usage_plan;
pub mod usage_plan_key;
pub mod vpc_link;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Verb;
use super::model::{Operation, Service};

/// Every noun's operations: the one list of what is built.
pub const NOUNS: &[&[Verb]] = &[
    account::OPERATIONS,
    api_key::OPERATIONS,
    authorizer::OPERATIONS,
    base_path_mapping::OPERATIONS,
    client_certificate::OPERATIONS,
    documentation_part::OPERATIONS,
    documentation_version::OPERATIONS,
    domain_name::OPERATIONS,
    domain_name_access_association::OPERATIONS,
    vpc_link::OPERATIONS,
    gateway_response::OPERATIONS,
    model::OPERATIONS,
    request_validator::OPERATIONS,
    deployment::OPERATIONS,
    export::OPERATIONS,
    import::OPERATIONS,
    rest_api::OPERATIONS,
    stage::OPERATIONS,
    tags::OPERATIONS,
    test_invoke::OPERATIONS,
    usage::OPERATIONS,
    usage_plan::OPERATIONS,
    usage_plan_key::OPERATIONS,
    resource::OPERATIONS,
    method::OPERATIONS,
    method_response::OPERATIONS,
    integration::OPERATIONS,
    integration_response::OPERATIONS,
];

static BY_NAME: LazyLock<HashMap<&'static str, &'static Verb>> =
    LazyLock::new(|| NOUNS.iter().flat_map(|verbs| verbs.iter()).map(|verb| (verb.name, verb)).collect());

/// The home of an operation; `None` while it has none.
pub fn verb(operation: &Operation) -> Option<&'static Verb> {
    BY_NAME.get(operation.name).copied().filter(|_| operation.service == Service::V1)
}
