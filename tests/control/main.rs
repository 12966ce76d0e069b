//! The control plane over real HTTP: whole answers of every noun, and of the walk itself.

mod account;
mod api_key;
mod authorizer;
mod base_path_mapping;
mod bench;
mod bombs;
mod client_certificate;
mod deployment;
mod diff;
mod documentation_part;
mod documentation_version;
mod domain_name;
mod domain_name_access_association;
mod export;
mod functions;
mod gateway_response;
mod hostile;
mod hostile_files;
mod import;
mod integration;
mod lambda_alias;
mod lambda_function;
mod lambda_hostile;
mod lambda_invoke;
mod lambda_policy;
mod method;
mod model;
mod request_validator;
mod resource;
mod rest_api;
mod sequences;
mod signers;
mod sizes;
#[path = "../nodes/skip.rs"]
mod skip;
mod stage;
mod strict;
mod tags;
mod test_invoke;
mod usage;
mod usage_plan;
mod vpc_link;
mod walk;
#[path = "../nodes/http.rs"]
mod wire;
